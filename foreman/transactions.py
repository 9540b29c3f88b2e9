"""Transactions: a reader's unchanging view, and the one writer whose commits are shared (group commit)."""

import sqlite3
import threading
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import Any


class Transaction:
    """Statements with bound values on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, /, **values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, /, **values: Any) -> list[sqlite3.Row]:
        """Every row."""
        return self._connection.execute(sql, values).fetchall()

    def value(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self._connection.execute(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, /, **values: Any) -> int:
        """How many rows the statement changed, those of its triggers not counted."""
        return self._connection.execute(sql, values).rowcount


class Reader:
    """A thread's own connection for reading: statements one by one, or in a `with` block several over one view."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.statements = Transaction(connection)

    def __enter__(self) -> Transaction:
        self._connection.execute("BEGIN")
        return self.statements

    def __exit__(self, *_: object) -> None:
        self._connection.execute("COMMIT")


class _Batch:
    """Writes that are committed together. `error` is set when the commit failed for all of them."""

    def __init__(self) -> None:
        self.members = 0
        self.error: Exception | None = None
        self.decided = threading.Event()


class Writer:
    """The one writer: threads take turns, and those who wait for a turn share one commit.

    Whoever ends a `with` block while others wait leaves the transaction open for them and waits; the last in line
    commits for all. So a block is left without an error only after its changes are on disk, and a commit's wait for
    the disk is shared by everyone who came meanwhile. A block that joins an open transaction runs in a savepoint, so
    that an error in it undoes only what it did itself.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._transaction = Transaction(connection)
        self._turn = threading.Lock()
        self._waiting: deque[None] = deque()  # its length counts; appending and popping are atomic
        self._batch = _Batch()
        self._joined = False  # whether the block that has the turn joined an open transaction

    def __enter__(self) -> Transaction:
        self._waiting.append(None)
        self._turn.acquire()
        self._waiting.pop()
        try:
            self._joined = self._connection.in_transaction
            self._connection.execute("SAVEPOINT block" if self._joined else "BEGIN IMMEDIATE")
        except BaseException:
            self._end_turn()
            raise
        return self._transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        batch = self._batch
        try:
            if kind is None:
                if self._joined:
                    self._connection.execute("RELEASE block")
                batch.members += 1
            elif self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO block" if self._joined else "ROLLBACK")
                if self._joined:
                    self._connection.execute("RELEASE block")
        finally:
            self._end_turn()
        if kind is None:
            batch.decided.wait()
            if batch.error is not None:
                # Every member raises an error of its own: one exception object must not be raised in two threads.
                raise sqlite3.OperationalError(f"commit failed: {batch.error}") from batch.error

    def _end_turn(self) -> None:
        """Hand the open transaction to the next in line, or commit when nobody waits."""
        try:
            if not self._connection.in_transaction:
                # SQLite itself rolled everything back, as it does when the disk is full or a read fails
                # (https://www.sqlite.org/lang_transaction.html, section 3).
                self._decide(
                    sqlite3.OperationalError("the transaction was rolled back") if self._batch.members else None
                )
            elif not self._waiting:
                self._decide(self._commit())
        finally:
            self._turn.release()

    def _commit(self) -> Exception | None:
        try:
            self._connection.execute("COMMIT")
        except Exception as error:  # also MemoryError, which is how sqlite3 says SQLITE_NOMEM
            with suppress(sqlite3.Error):  # it may have rolled back by itself
                self._connection.execute("ROLLBACK")
            return error
        return None

    def _decide(self, error: Exception | None) -> None:
        batch, self._batch = self._batch, _Batch()
        batch.error = error
        batch.decided.set()

    def close(self) -> None:
        """Fold the write-ahead log into the file and close."""
        with self._turn:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
