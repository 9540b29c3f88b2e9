"""A future without a value, on which responses wait."""

import threading
from collections.abc import Callable


class Pending:
    """A future that succeeds or fails, without a value. Any number of responses may wait for it.

    :ivar error: why it failed; None before it is decided, and when it succeeded
    :ivar decided: set once it has succeeded or failed
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.decided = threading.Event()
        self._callbacks: list[Callable[[], object]] | None = []
        self._lock = threading.Lock()

    def then(self, callback: Callable[[], object]) -> None:
        """Run a callback once it is decided: on the deciding thread, or right now if it already is."""
        with self._lock:
            if self._callbacks is not None:
                self._callbacks.append(callback)
                return
        callback()

    def decide(self, error: Exception | None) -> None:
        """Succeed, or fail with an error; wake all waiters and run the callbacks on this thread."""
        with self._lock:
            self.error = error
            self.decided.set()
            callbacks, self._callbacks = self._callbacks or [], None
        for callback in callbacks:
            callback()
