"""What answers wait for: something that is decided later."""

import sqlite3
import threading
from collections.abc import Callable


class Commit:
    """A commit to come, shared by several writes.

    `error` is set when it failed: then none of them is stored.
    """

    def __init__(self) -> None:
        self.members = 0
        self.error: Exception | None = None
        self.decided = threading.Event()
        self._callbacks: list[Callable[[], object]] | None = []
        self._lock = threading.Lock()

    def then(self, callback: Callable[[], object]) -> None:
        """Call back when the commit has succeeded or failed: on the thread that commits, or now if it is too late."""
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

    def check(self) -> None:
        """Return when it has succeeded.

        :raises sqlite3.OperationalError: when it has failed; a new one for each caller, because one exception object
            must not be raised in two threads
        """
        if self.error is not None:
            raise sqlite3.OperationalError(f"commit failed: {self.error}") from self.error
