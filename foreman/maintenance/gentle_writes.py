"""Writing a lot beside clients that want to write, too: for a short time, then not for a while, and so on."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from foreman.db.sqlite import Database
from foreman.db.transactions import Transaction

# Seconds that the lock is kept before the next commit, and that it is left to others after it, at least. Another
# process that waits for it looks again after 1, 2, 5, 10 and 15 ms (sqliteDefaultBusyCallback in SQLite's main.c), so
# it finds one of the first pauses.
HOLD, PAUSE = 0.010, 0.015


class Stopped(Exception):
    """The work has been told to stop. What was done is committed."""


class ShortTurns:
    """Transactions that end before each statement when they have lasted long enough.

    So every statement has to leave the database as it must be.

    :param stopping: when it is set, the next turn is not begun
    :param between: called after each commit: what may take its time must not be done while others wait
    """

    def __init__(self, database: Database, stopping: threading.Event, between: Callable[[], object]) -> None:
        self._database = database
        self._stopping = stopping
        self._between = between
        self._turn = ExitStack()
        self._tx: Transaction | None = None
        self._begun_at = 0.0

    def __enter__(self) -> "ShortTurns":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tx = None
        self._turn.__exit__(kind, error, traceback)

    def tx(self) -> Transaction:
        """The transaction for the next statement.

        :raises Stopped: between two transactions
        """
        if self._tx is not None and time.monotonic() - self._begun_at >= HOLD:
            self.end()
        if self._tx is None:
            if self._stopping.is_set():
                raise Stopped
            self._tx = self._turn.enter_context(self._database.write())
            self._begun_at = time.monotonic()
        return self._tx

    def end(self) -> None:
        """Commit now, and leave the others as much time as this has taken."""
        if self._tx is not None:
            self._tx = None
            self._turn.close()
            pause = max(PAUSE, time.monotonic() - self._begun_at)
            self._between()
            self._stopping.wait(pause)
