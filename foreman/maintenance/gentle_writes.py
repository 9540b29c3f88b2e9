"""Bulk writes beside clients that want to write, too: in short transactions with pauses between them."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from foreman.db.engine import Database, Transaction

# Seconds after which a transaction is committed, and the shortest pause after it, when others get the lock. Another
# process that waits for it tries again after 1, 2, 5, 10 and 15 ms (sqliteDefaultBusyCallback in SQLite's main.c), so
# it hits one of the first pauses.
HOLD, PAUSE = 0.010, 0.015


class Stopped(Exception):
    """The work was told to stop. What it has done until then is committed."""


class ShortTurns:
    """Short transactions: one that has lasted long enough is committed before the next statement.

    So every statement has to leave the database sound.

    :param stopping: once it is set, no further transaction begins
    :param between: called after each commit; slow work belongs here, where nobody waits for the lock
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
        """Commit now, and pause for at least as long as the transaction took."""
        if self._tx is not None:
            self._tx = None
            self._turn.close()
            pause = max(PAUSE, time.monotonic() - self._begun_at)
            self._between()
            self._stopping.wait(pause)
