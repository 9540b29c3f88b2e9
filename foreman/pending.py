"""What answers wait for: something that is decided later."""

import threading
from collections.abc import Callable


class Pending:
    """Something to be decided later, well or badly, for which any number of answers may wait.

    `error` is set when it has failed.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.decided = threading.Event()
        self._callbacks: list[Callable[[], object]] | None = []
        self._lock = threading.Lock()

    def then(self, callback: Callable[[], object]) -> None:
        """Call back when it is decided: on the thread that decides, or now if it is too late."""
        with self._lock:
            if self._callbacks is not None:
                self._callbacks.append(callback)
                return
        callback()

    def decide(self, error: Exception | None) -> None:
        """Tell everybody how it ended."""
        with self._lock:
            self.error = error
            self.decided.set()
            callbacks, self._callbacks = self._callbacks or [], None
        for callback in callbacks:
            callback()
