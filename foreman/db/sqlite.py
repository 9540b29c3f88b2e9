"""The SQLite database: one writer connection, a reader connection per thread, and the schema.

Requests reach PRAGMA, BEGIN, COMMIT and SAVEPOINT only through this module and `transactions.py`. `foreman/maintenance`
has its own.
"""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foreman.db.checkpoints import LOG_SIZE_LIMIT, Checkpoints
from foreman.db.engine import ObserveCommit, Sizes, Transaction, Waits
from foreman.db.file import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    DatabaseMoved,
    NotAForemanDatabase,
    OpenFile,
    refuse_earlier,
    refuse_foreign_file,
    refuse_missing,
    refuse_newer,
)
from foreman.db.schema import set_version, statements
from foreman.db.transactions import BUSY_TIMEOUT_MS, LARGEST, Commit, Reader, Writer
from foreman.db.values import Row
from foreman.resources import shipped

if TYPE_CHECKING:  # an optional package
    from greenlet import greenlet

SCHEMA = shipped("schema.sql")

LIBRARY_VERSION = sqlite3.sqlite_version

_CACHED_STATEMENTS = 256

# How many large values a row may have.
_VALUES = 4

# Pages at the end of the file that are freed at once.
_FREED_AT_ONCE = 32


class _OfThread(threading.local):
    """Per-thread state.

    :ivar most: bytes that it may read for its request; None for no limit
    """

    reader: Reader | None = None
    most: int | None = None


class Database:
    """An open database file; see `engine.Database`.

    :param path: the SQLite file
    :param durability: `full` or `normal`, as in the settings
    :param create: create a new database if there is no file, or an empty one
    :raises NotAForemanDatabase: when the file is not ours to write to
    """

    coroutine: "type[greenlet] | None" = None  # requests wait for no server

    def __init__(self, path: Path, durability: str = "full", *, create: bool = True) -> None:
        self.path = path
        self.name = str(path)
        self._may_create = create
        self._synchronous = durability.upper()
        self._readers: list[Reader] = []  # all of them
        self._spare: list[Reader] = []  # not yet taken by a thread
        self._local = _OfThread()
        self._generation = 0  # how often the file was replaced, and opened again
        if not create:
            refuse_missing(path)
        refuse_foreign_file(path)
        self._writer = Writer(*self._create(), reopen=self._reopen)

    def open_readers(self, number: int) -> None:
        """Open connections for `number` threads ahead, so that they can read even if no file can be opened later."""
        self._spare += [self._open_reader() for _ in range(number)]

    def read(self, *, patience: float = 0.0) -> Reader:
        """`with db.read() as tx:` a snapshot of the database, whatever writers do meanwhile.

        :param patience: seconds by which it may take longer than others
        """
        reader = self._local.reader
        if reader is None or reader.generation != self._generation:
            if reader is not None:
                self._readers.remove(reader)
                reader.close()
            reader = self._local.reader = self._spare.pop() if self._spare else self._open_reader()
        reader.begin(LARGEST if self._local.most is None else self._local.most // _VALUES, patience)
        return reader

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a single statement, which is a transaction by itself."""
        return self.read().statements.one(sql, **values)

    def each(self, sql: str, /, **values: Any) -> sqlite3.Cursor:
        """The rows of a single statement: a transaction by itself, until they are read or the cursor is closed."""
        return self.read().statements.each(sql, **values)

    def begin(self, most: int | None) -> None:
        """Begin a request on this thread. Its `write` blocks end before their commit; see `end`.

        :param most: how many bytes it may read at once, roughly: more fails with SQLITE_TOOBIG before it takes memory.
            None for no limit
        """
        self._local.most = most
        self._writer.defer(LARGEST if most is None else most // _VALUES)

    def end(self) -> Commit | None:
        """End this thread's request. Return the commit that decides about what it wrote, if it wrote anything."""
        self._local.most = None
        return self._writer.deferred()

    def commit(self) -> None:
        """Commit what requests have left open."""
        self._writer.commit()

    @property
    def most(self) -> int | None:
        """Bytes that this thread may read for its request; None for no limit."""
        return self._local.most

    def merge(self, selects: Sequence[str], order: str) -> str:
        """A SELECT of one page of the rows of several. SQLite merges them while it reads them, so nothing is sorted."""
        return f"{' UNION ALL '.join(selects)} ORDER BY {order} LIMIT :limit OFFSET :offset"

    def octets(self, text: str) -> str:
        """SQL for the number of bytes of a text. Versions before 3.43 have to read it."""
        return f"octet_length({text})" if sqlite3.sqlite_version_info >= (3, 43) else f"length(CAST({text} AS BLOB))"

    def at_declared_paths(self, table: str) -> str:
        """A SELECT of what the metadata of some rows has at the declared paths."""
        return f"""
            SELECT org_id, path,
                   CASE json_type(metadata, at) WHEN 'text' THEN metadata ->> at ELSE metadata -> at END AS value,
                   created_at, seq
            FROM {table}
            CROSS JOIN (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
            WHERE seq > :after AND seq <= :last
              AND json_type(metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
              AND instr(replace(metadata -> at, '\\\\', ''), '\\u0000') = 0
            """

    def interrupt_reads(self, seconds: float) -> None:
        """Interrupt reads that have taken longer than `seconds`: they fail with SQLITE_INTERRUPT."""
        for reader in list(self._readers):
            reader.interrupt(seconds)

    def write(self, *, single: bool = False) -> Writer:
        """`with db.write() as tx:` a transaction that is on disk once the block has ended without an error."""
        return self._writer

    def wait_with(self, waits: Waits) -> None:
        """Nothing: there is no server to wait for."""

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def observe_commits(self, observe: ObserveCommit) -> None:
        """Let this be called after each commit. It must not raise."""
        self._writer.observe = observe

    def sizes(self) -> Sizes:
        """The sizes of its files, and what is free on their file system.

        :raises OSError: when the database file is gone
        """
        return sizes(self.path)

    def free_space(self) -> int:
        """Bytes that are free on its file system.

        :raises OSError: when its directory is gone
        """
        return shutil.disk_usage(self.path.resolve().parent).free

    def give_space_back(self, tx: Transaction) -> int:
        """Truncate some free pages at the end of the file, and return how many bytes these were; 0 if none is left.

        See https://www.sqlite.org/pragma.html#pragma_incremental_vacuum.
        """
        size = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        before = tx.value(size)
        tx.all(f"PRAGMA incremental_vacuum({_FREED_AT_ONCE})")  # frees a page for each row that is read
        return int(before - tx.value(size))

    def prove_writable(self) -> int:
        """Write a page to the file, which changes nothing.

        :return: the schema version
        :raises sqlite3.Error: when the file cannot be written to
        """
        with self.write() as tx:
            version = int(tx.value("PRAGMA user_version"))
            tx.run(f"PRAGMA user_version = {version}")  # SQLite writes the page even if the value stays the same
        self._writer.settle()
        return version

    def leads(self) -> bool:
        """Always: a database has one server."""
        return True

    @contextmanager
    def after_others(self, table: str) -> Iterator[Transaction]:
        """A transaction: no other is open at the same time."""
        with self.write() as tx:
            yield tx

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Always: a database has one server."""
        yield True

    @contextmanager
    def served(self) -> Iterator[None]:
        """Checkpoint the write-ahead log in a thread of its own as long as the block lasts. Else commits do it."""
        checkpoints = Checkpoints(self._writer, self._connect_to_log, lambda: self._generation)
        checkpoints.start()
        try:
            yield
        finally:
            checkpoints.stop()

    def close(self) -> None:
        """Close all connections, and checkpoint the write-ahead log. No other thread may be using the database."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        self._spare.clear()
        self._local = _OfThread()
        self._writer.close()

    def _open_reader(self) -> Reader:
        connection = self._connect_to_log()
        with _closed_on_error(connection):
            connection.execute("PRAGMA query_only = ON")
        reader = Reader(connection, self._generation)
        self._readers.append(reader)
        return reader

    def _connect_to_log(self) -> sqlite3.Connection:
        """A connection that has opened the write-ahead log, too.

        :raises DatabaseMoved: when the file is no longer the one that the writer uses
        """
        self._refuse_another_file()
        connection = self._connect()
        with _closed_on_error(connection):
            connection.execute("SELECT 1 FROM run LIMIT 1").fetchone()
            self._refuse_another_file()  # nor may the file and the log be of two databases
        return connection

    def _refuse_another_file(self) -> None:
        if not self._file.is_in_place():
            raise DatabaseMoved(f"{self.path} is not the file that was opened")

    def _reopen(self) -> tuple[sqlite3.Connection, OpenFile]:
        """Open the file that has replaced the one that was open."""
        try:
            if not self.path.is_file() or self.path.stat().st_size == 0:  # it would become a new database
                raise DatabaseMoved(f"{self.path} is gone")
            refuse_foreign_file(self.path)
            opened = self._create()
        except (NotAForemanDatabase, OSError) as error:
            raise DatabaseMoved(str(error)) from error
        self._generation += 1
        while self._spare:
            reader = self._spare.pop()
            self._readers.remove(reader)
            reader.close()
        return opened

    def _create(self) -> tuple[sqlite3.Connection, OpenFile]:
        """Open the writer's connection, and set up the file."""
        try:
            with _closed_on_error(self._connect()) as connection:
                # Before there is a write-ahead log, a lower level would not even protect the file from corruption.
                connection.execute("PRAGMA synchronous = FULL")
                _create_or_check_schema(connection, may_create=self._may_create)
                _switch_to_wal(connection)
                # From now on nobody can upgrade it, but somebody may have done so a moment ago.
                _check_version(connection)
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                # For statement journals: in temporary files, the default, they would be half of a statement's cost.
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute(f"PRAGMA journal_size_limit = {LOG_SIZE_LIMIT}")
                self._file = OpenFile(self.path)
                return connection, self._file
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise NotAForemanDatabase.at(self.path) from None
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={'rwc' if self._may_create else 'rw'}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        with _closed_on_error(connection):
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection


def sizes(path: Path) -> Sizes:
    """The sizes of a database's files, and what is free on their file system.

    :raises OSError: when the database file is gone
    """
    file = path.resolve()
    log = file.with_name(f"{file.name}-wal")
    return Sizes(file.stat().st_size, log.stat().st_size if log.exists() else 0, shutil.disk_usage(file.parent).free)


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _create_or_check_schema(connection: sqlite3.Connection, *, may_create: bool) -> None:
    """Create the schema in an empty file, in one transaction, so that two starting servers cannot both do it."""
    if _check_version(connection):
        return
    if not may_create:
        raise NotAForemanDatabase(f"{_path_of(connection)} is empty: the server creates a database in it at start")
    # Incremental vacuum, which gives deleted space back, can only be enabled before the first table is created.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in statements(SCHEMA.read_text(encoding="utf-8")):
                connection.execute(statement)
            # Set here and not in WAL mode, so that the file's header has them from the first moment.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            set_version(connection, SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _check_version(connection: sqlite3.Connection) -> int:
    """The schema version: this program's own, or 0 if the file is empty.

    :raises NotAForemanDatabase: when the file is something else, or from a newer or an earlier version
    """
    version, tables = connection.execute(
        "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)"
    ).fetchone()
    path = _path_of(connection)
    refuse_newer(path, version)
    if version:
        refuse_earlier(path, version)
    elif tables:
        raise NotAForemanDatabase.at(path)
    return int(version)


def _path_of(connection: sqlite3.Connection) -> Path:
    """The file of a connection. Its name need not be UTF-8."""
    (name,) = connection.execute("SELECT CAST(file AS BLOB) FROM pragma_database_list WHERE name = 'main'").fetchone()
    return Path(os.fsdecode(name))


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL mode, so that readers and the writer do not block each other (https://www.sqlite.org/wal.html).

    The file stays in this mode.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            # Another process is opening the file, too. SQLite's own busy timeout does not cover this statement.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
