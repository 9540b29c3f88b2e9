"""Transactions: a reader's unchanging view, and the one writer whose commits are shared (group commit)."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

from foreman.db.file import DatabaseMoved, OpenFile
from foreman.pending import Pending

# How long a statement waits for another process that holds the database's lock.
BUSY_TIMEOUT_MS = 5000

# Bytes that a value or row may have (https://www.sqlite.org/limits.html, section 1).
LARGEST = 1_000_000_000

# Seconds after a wait in vain in which nobody waits that long again: those in line must not wait one after the other.
_IMPATIENT = 2.0


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

    def each(self, sql: str, /, **values: Any) -> sqlite3.Cursor:
        """Every row, one by one."""
        return self._connection.execute(sql, values)

    def value(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self._connection.execute(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, /, **values: Any) -> int:
        """How many rows the statement changed, those of its triggers not counted."""
        return self._connection.execute(sql, values).rowcount


class Reader:
    """A thread's own connection for reading: statements one by one, or in a `with` block several over one view.

    :param generation: of the file that it reads, see `Database`
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

    def begin(self, most: int) -> None:
        """From now on the thread reads something new, with at most so many bytes in each value and row."""
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
        with self._lock:
            self._begun_at = time.monotonic()

    def interrupt(self, seconds: float) -> None:
        """Let what has been read for longer than so many seconds fail with SQLITE_INTERRUPT. For any thread."""
        with self._lock:  # or the thread might have begun something else meanwhile
            if not self._closed and time.monotonic() - self._begun_at > seconds:
                self._connection.interrupt()


class Commit(Pending):
    """A commit to come, shared by several writes. When it fails, none of them is stored.

    :ivar members: how many writes they are
    """

    def __init__(self) -> None:
        super().__init__()
        self.members = 0

    def check(self) -> None:
        """Return when it has succeeded.

        :raises sqlite3.OperationalError: when it has failed; a new one for each caller, because one exception object
            must not be raised in two threads
        """
        if self.error is not None:
            raise sqlite3.OperationalError(f"commit failed: {self.error}") from self.error


class _Deferring(threading.local):
    """Whether this thread leaves its blocks before their commit, and which commit that is.

    :ivar most: bytes that a value or row may have in its blocks
    """

    active = False
    commit: Commit | None = None
    most = LARGEST


class Writer:
    """The one writer: threads take turns, and several share one commit, so that they share its wait for the disk.

    A thread waits when it leaves its `with` block: whoever ends a block while others wait for their turn leaves the
    transaction open for them, and the last in line commits for all. So a block is left without an error only after its
    changes are on disk. A thread that defers leaves its blocks at once, and must not tell anybody of them before the
    commit that `deferred` names; somebody then has to call `commit`.

    A block that joins an open transaction runs in a savepoint, so that an error in it undoes only what it did itself.

    :param reopen: opens the file that is at the database's path now; called when it is not the same any more
    :ivar observe: told of each commit: how many blocks it was for, how many seconds it took, and why it failed, if it
        did; it must not raise
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        file: OpenFile,
        reopen: Callable[[], tuple[sqlite3.Connection, OpenFile]],
    ) -> None:
        self._connection, self._file, self._reopen = connection, file, reopen
        self._transaction = Transaction(connection)
        self._moved = False  # whether a commit went to a file that is not at its path any more
        self._locked_at = float("-inf")  # when another process last kept us from writing
        self._turn = threading.Lock()
        self._waiting: deque[None] = deque()  # its length counts; appending and popping are atomic
        self._shared = Commit()
        self._joined = False  # whether the block that has the turn joined an open transaction
        self._deferring = _Deferring()
        self.observe: Callable[[int, float, Exception | None], object] = lambda *_: None

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
            # An error waits as well: it may come from what others wrote and have not committed yet.
            if kind is None or joined:
                deferring.commit = commit
        elif kind is None:
            commit.decided.wait()
            commit.check()

    def defer(self, most: int = LARGEST) -> None:
        """Let this thread leave its blocks before their commit, until it asks for `deferred`.

        :param most: bytes that a value or row may have meanwhile
        """
        self._deferring.active, self._deferring.commit, self._deferring.most = True, None, most

    def deferred(self) -> Commit | None:
        """The commit that will decide about the blocks that this thread has left since `defer`; None when there is none
        or somebody has committed them already.
        """
        commit, self._deferring.active, self._deferring.commit = self._deferring.commit, False, None
        self._deferring.most = LARGEST
        return commit

    def commit(self) -> None:
        """Commit what deferring threads have left open."""
        with self._turn:
            ended = self._end_commit(self._try_to_commit()) if self._connection.in_transaction else None
        if ended:
            ended()

    def settle(self) -> None:
        """Commit at once what this thread has written, also when it defers.

        :raises Exception: why what it has written is not on disk
        """
        commit = self.deferred()
        if commit is not None:
            self.commit()
            commit.decided.wait()
            commit.check()

    def close(self) -> None:
        """Commit what is left open, fold the write-ahead log into the file and close."""
        self.commit()
        with self._turn:
            with suppress(sqlite3.Error):  # such as on a full disk: what is committed is safe in the log as well
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
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
        """Go on with the file that is at the path now."""
        if not self._file.is_in_place():
            replaced = self._connection
            self._connection, self._file = self._reopen()
            self._transaction = Transaction(self._connection)
            replaced.close()
        self._moved = False

    def _check_earlier_blocks(self) -> None:
        """Fail when this thread defers and the commit of its block before has failed meanwhile."""
        earlier = self._deferring.commit
        if earlier is not None and earlier is not self._shared:
            earlier.decided.wait()
            earlier.check()

    def _end_turn(self, *, keep_open: bool, cause: BaseException | None = None) -> None:
        """Hand the open transaction to the next in line, or commit when nobody waits."""
        ended = None
        try:
            if not self._connection.in_transaction:
                # SQLite itself rolled everything back, as it does when the disk is full or a read fails
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
        except Exception as error:  # also MemoryError, which is how sqlite3 says SQLITE_NOMEM
            with suppress(sqlite3.Error):  # it may have rolled back by itself
                self._connection.execute("ROLLBACK")
            failure = error
        self.observe(self._shared.members, time.monotonic() - begun, failure)
        return failure

    def _check_file(self) -> None:
        """Fail when what was committed is in a file that nobody will find."""
        if not self._file.is_in_place():
            self._moved = True
            raise DatabaseMoved("the database file has been deleted, moved or replaced")
        if not self._file.log_is_in_place():
            # The log has lost its name: what it holds is safe in the database itself.
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            if busy:
                raise DatabaseMoved("the write-ahead log has been deleted")

    def _end_commit(self, error: Exception | None) -> Callable[[], None]:
        """What tells everybody; to be called when the turn is free again."""
        ended, self._shared = self._shared, Commit()
        return partial(ended.decide, error)
