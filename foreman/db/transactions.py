"""Transactions: a reader's snapshot, and the single writer with its group commit."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any

from foreman.db.file import DatabaseMoved, OpenFile
from foreman.db.values import Row
from foreman.pending import Pending

# Busy timeout: how long a statement waits for another process that holds the database's lock.
BUSY_TIMEOUT_MS = 5000

# SQLite's limit for a value or row, in bytes (https://www.sqlite.org/limits.html, section 1).
LARGEST = 1_000_000_000

# SQLite's default: pages in the write-ahead log from which on each commit checkpoints it.
_AUTOCHECKPOINT = 1000

# Seconds after a busy timeout in which others wait only briefly: threads in the queue must not time out one by one.
_IMPATIENT = 2.0


class Transaction:
    """Runs statements with bound values on one connection; see `engine.Transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row, or None."""
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row."""
        return self._connection.execute(sql, values).fetchall()

    def each(self, sql: str, /, **values: Any) -> sqlite3.Cursor:
        """The rows, one by one."""
        return self._connection.execute(sql, values)

    def value(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self._connection.execute(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; return how many rows it changed, those changed by triggers not counted."""
        return self._connection.execute(sql, values).rowcount

    # The writer is alone, so nobody could change a row meanwhile.
    locked = held = one

    def update(self, table: str, change: str, condition: str, /, **values: Any) -> int:
        """Change the rows that meet a condition; return how many."""
        return self.run(f"UPDATE {table} SET {change} WHERE {condition}", **values)

    def delete_unlocked(self, table: str, key: str, condition: str, /, **values: Any) -> int:
        """Delete the rows that meet a condition: nobody else has locked any. Return how many."""
        found = f"SELECT {key} FROM {table} WHERE {condition}"
        return self.run(f"DELETE FROM {table} WHERE ({key}) IN ({found})", **values)

    def lock_rows(self, sql: str, /, **values: Any) -> None:
        """Lock all rows of a SELECT from one table, in its order: there is nothing to do."""

    def claims(self, name: str) -> bool:
        """Claim a name for this transaction: nobody else could have it."""
        return True


class Reader:
    """A thread's own read-only connection: for single statements, or in a `with` block for several on one snapshot.

    :param generation: of the file that it reads; see `Database`
    """

    def __init__(self, connection: sqlite3.Connection, generation: int) -> None:
        self._connection = connection
        self._begun_at = time.monotonic()
        self._closed = False
        self._lock = threading.Lock()
        self.generation = generation
        self.statements = Transaction(connection)

    def __enter__(self) -> Transaction:
        self._connection.execute("BEGIN")
        return self.statements

    def __exit__(self, *_: object) -> None:
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connection. No thread may be reading from it."""
        with self._lock:
            self._closed = True
            self._connection.close()

    def begin(self, most: int, patience: float) -> None:
        """Begin a read: restart the clock that `interrupt` looks at, and limit each value and row to `most` bytes.

        :param patience: seconds by which the clock begins later
        """
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
        with self._lock:
            self._begun_at = time.monotonic() + patience

    def interrupt(self, seconds: float) -> None:
        """Interrupt a read that has taken longer than `seconds`: it fails with SQLITE_INTERRUPT. For any thread."""
        with self._lock:  # else the thread might have begun another read meanwhile
            if not self._closed and time.monotonic() - self._begun_at > seconds:
                self._connection.interrupt()


class Commit(Pending):
    """A group commit that several writes share. If it fails, none of them is stored.

    :ivar members: how many writes share it
    """

    def __init__(self) -> None:
        super().__init__()
        self.members = 0

    def check(self) -> None:
        """Return if it has succeeded.

        :raises sqlite3.OperationalError: when it has failed; a new exception for each caller, because one exception
            object must not be raised in two threads
        """
        if self.error is not None:
            raise sqlite3.OperationalError(f"commit failed: {self.error}") from self.error


class _Deferring(threading.local):
    """Whether this thread leaves its blocks before their commit, and which commit that is.

    :ivar most: limit in bytes of a value or row in its blocks
    """

    active = False
    commit: Commit | None = None
    most = LARGEST


class Writer:
    """The single writer, with group commit: threads take turns, and several share one commit and its sync.

    A block (`with writer as tx:`) ends without an error only after its changes are on disk. A thread that ends a block
    while others are queued leaves the transaction open for them, and waits. The last in the queue commits for all.

    A thread that defers ends its blocks at once. It must not tell anybody about them before the commit that `deferred`
    returns. Somebody then has to call `commit`.

    A block that joins an open transaction runs in a savepoint, so that an error in it rolls back only its own changes.

    :param reopen: opens the file that is now at the database's path; called after the file was replaced
    :ivar observe: called after each commit with the number of its blocks, its duration in seconds, and its error or
        None; it must not raise
    :ivar checkpoint_wanted: set by each commit, and when a checkpoint has left something over
    :ivar checkpointing: held by whoever checkpoints: SQLite lets only one at a time, and refuses others at once
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        file: OpenFile,
        reopen: Callable[[], tuple[sqlite3.Connection, OpenFile]],
    ) -> None:
        self._connection, self._file, self._reopen = connection, file, reopen
        self._transaction = Transaction(connection)
        self._moved = False  # whether a commit went to a file that is no longer at its path
        self._locked_at = float("-inf")  # when the last busy timeout was
        self._turn = threading.Lock()
        self._waiting: deque[None] = deque()  # the queue's length; appending and popping are atomic
        self._shared = Commit()
        self._joined = False  # whether the current block joined an open transaction
        self._deferring = _Deferring()
        self.observe: Callable[[int, float, Exception | None], object] = lambda *_: None
        self.checkpoint_wanted = threading.Event()
        self.checkpointing = threading.Lock()

    def __enter__(self) -> Transaction:
        self._waiting.append(None)
        self._turn.acquire()
        self._waiting.pop()
        try:
            self._check_earlier_blocks()
            self._joined = self._connection.in_transaction
            if self._joined:
                self._connection.execute("SAVEPOINT block")
            else:
                self._begin()
            self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, self._deferring.most)
        except BaseException:
            self._end_turn(keep_open=False)
            raise
        return self._transaction

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        commit, deferring, joined = self._shared, self._deferring, self._joined
        try:
            if kind is None:
                if joined:
                    self._connection.execute("RELEASE block")
                commit.members += 1
            elif self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO block" if joined else "ROLLBACK")
                if joined:
                    self._connection.execute("RELEASE block")
        finally:
            self._end_turn(keep_open=deferring.active, cause=error)
        if deferring.active and not commit.decided.is_set():
            # An error waits, too: its cause may be what others have written and not committed yet.
            if kind is None or joined:
                deferring.commit = commit
        elif kind is None:
            commit.decided.wait()
            commit.check()

    def defer(self, most: int = LARGEST) -> None:
        """Let this thread end its blocks before their commit, until it calls `deferred`.

        :param most: limit in bytes of a value or row meanwhile
        """
        self._deferring.active, self._deferring.commit, self._deferring.most = True, None, most

    def deferred(self) -> Commit | None:
        """End `defer`. Return the commit that decides about the blocks that this thread has ended since then.

        :return: None when there were none, or somebody has committed them already
        """
        commit, self._deferring.active, self._deferring.commit = self._deferring.commit, False, None
        self._deferring.most = LARGEST
        return commit

    def commit(self) -> None:
        """Commit what deferring threads have left open."""
        with self.between_transactions():
            pass

    def settle(self) -> None:
        """Commit now what this thread has written, even if it defers.

        :raises Exception: the reason why it is not on disk
        """
        commit = self.deferred()
        if commit is not None:
            self.commit()
            commit.decided.wait()
            commit.check()

    @contextmanager
    def between_transactions(self) -> Iterator[None]:
        """Hold the turn, after a commit of what deferring threads have left open."""
        ended = None
        try:
            with self._turn:
                if self._connection.in_transaction:
                    ended = self._end_commit(self._try_to_commit())
                yield
        finally:
            if ended:
                ended()

    def checkpoint_in_commits(self, wanted: bool) -> None:
        """Let commits checkpoint a write-ahead log of 1,000 pages or more, as they do by default; or not."""
        with self._turn:
            self._connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT if wanted else 0}")

    def close(self) -> None:
        """Commit what is left open, checkpoint the write-ahead log into the file, and close."""
        self.commit()
        with self._turn:
            with suppress(sqlite3.Error):  # such as on a full disk: committed data is safe in the log, too
                _checkpoint_all(self._connection)
            self._connection.close()

    def _begin(self) -> None:
        if self._moved:
            self._return_to_file()
        impatient = time.monotonic() - self._locked_at < _IMPATIENT
        try:
            if impatient:
                self._connection.execute("PRAGMA busy_timeout = 50")
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                self._locked_at = time.monotonic()
            raise
        finally:
            if impatient:
                self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")

    def _return_to_file(self) -> None:
        """Continue with the file that is now at the path."""
        if not self._file.is_in_place():
            replaced = self._connection
            self._connection, self._file = self._reopen()
            self._transaction = Transaction(self._connection)
            replaced.close()
        self._moved = False

    def _check_earlier_blocks(self) -> None:
        """Fail if this thread defers and the commit of its previous block has failed meanwhile."""
        earlier = self._deferring.commit
        if earlier is not None and earlier is not self._shared:
            earlier.decided.wait()
            earlier.check()

    def _end_turn(self, *, keep_open: bool, cause: BaseException | None = None) -> None:
        """Leave the open transaction to the next in the queue, or commit if the queue is empty."""
        ended = None
        try:
            if not self._connection.in_transaction:
                # SQLite has rolled back by itself, as it does when the disk is full or a read fails
                # (https://www.sqlite.org/lang_transaction.html, section 3).
                failure = sqlite3.OperationalError("the transaction was rolled back")
                failure.__cause__ = cause
                ended = self._end_commit(failure if self._shared.members else None)
            elif not self._waiting and not keep_open:
                ended = self._end_commit(self._try_to_commit())
        finally:
            self._turn.release()
        if ended:
            ended()

    def _try_to_commit(self) -> Exception | None:
        begun, failure = time.monotonic(), None
        try:
            self._connection.execute("COMMIT")
            self._check_file()
        except Exception as error:  # also MemoryError, which sqlite3 raises for SQLITE_NOMEM
            with suppress(sqlite3.Error):  # it may have rolled back by itself
                self._connection.execute("ROLLBACK")
            failure = error
        if not self.checkpoint_wanted.is_set():
            self.checkpoint_wanted.set()
        self.observe(self._shared.members, time.monotonic() - begun, failure)
        return failure

    def _check_file(self) -> None:
        """Fail if the commit went to a file that nobody will find."""
        if not self._file.is_in_place():
            self._moved = True
            raise DatabaseMoved("the database file has been deleted, moved or replaced")
        if not self._file.log_is_in_place():
            # The log was deleted, but is still open: a checkpoint saves its content in the database file.
            with self.checkpointing:
                busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            if busy:
                raise DatabaseMoved("the write-ahead log has been deleted")

    def _end_commit(self, error: Exception | None) -> Callable[[], None]:
        """Begin the next group commit. Return what decides the ended one, to be called after the turn is released."""
        ended, self._shared = self._shared, Commit()
        return partial(ended.decide, error)


def _checkpoint_all(connection: sqlite3.Connection) -> None:
    """Checkpoint the whole write-ahead log, and empty it.

    A checkpoint of another process makes this one fail at once, without the busy timeout (`sqlite3_wal_checkpoint_v2`
    in https://www.sqlite.org/c3ref/wal_checkpoint_v2.html).
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] and time.monotonic() < deadline:
        time.sleep(0.01)
