"""The SQLite file: one writer connection, a reader connection per thread, and the schema.

With `transactions.py` the only module that says PRAGMA, BEGIN, COMMIT and SAVEPOINT; an upgrade, which
is over before the server begins, is in `maintenance/upgrade.py`.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
from foreman.resources import shipped

SCHEMA = shipped("schema.sql")

LIBRARY_VERSION = sqlite3.sqlite_version

_CACHED_STATEMENTS = 256

# Large values that a row may have.
_VALUES = 4


class _OfThread(threading.local):
    """What a thread has of a database.

    :ivar most: bytes that it may read for its request; None for any number
    """

    reader: Reader | None = None
    most: int | None = None


class Database:
    """One open database file.

    :param path: the SQLite file
    :param durability: `full` or `normal`, as in the settings
    :param create: make a new database where there is no file, or an empty one
    :raises NotAForemanDatabase: when the file is not ours to write to
    """

    def __init__(self, path: Path, durability: str = "full", *, create: bool = True) -> None:
        self.path = path
        self._may_create = create
        self._synchronous = durability.upper()
        self._readers: list[Reader] = []  # all of them
        self._spare: list[Reader] = []  # those that no thread has taken yet
        self._local = _OfThread()
        self._generation = 0  # grows when the file has been replaced and opened again
        if not create:
            refuse_missing(path)
        refuse_foreign_file(path)
        self._writer = Writer(*self._create(), reopen=self._reopen)

    def open_readers(self, number: int) -> None:
        """Open connections ahead for so many threads, so that they can read also when files cannot be opened later."""
        self._spare += [self._open_reader() for _ in range(number)]

    def read(self) -> Reader:
        """`with db.read() as tx:` one unchanging view of the database, whatever writers do meanwhile."""
        reader = self._local.reader
        if reader is None or reader.generation != self._generation:
            if reader is not None:
                self._readers.remove(reader)
                reader.close()
            reader = self._local.reader = self._spare.pop() if self._spare else self._open_reader()
        reader.begin(LARGEST if self._local.most is None else self._local.most // _VALUES)
        return reader

    def one(self, sql: str, /, **values: Any) -> sqlite3.Row | None:
        """The first row of a statement that needs no other: it is a transaction in itself."""
        return self.read().statements.one(sql, **values)

    def each(self, sql: str, /, **values: Any) -> sqlite3.Cursor:
        """The rows of a statement that needs no other: a transaction in itself, until they are read or it is closed."""
        return self.read().statements.each(sql, **values)

    def begin(self, most: int | None) -> None:
        """This thread begins with a request, and leaves blocks of `write` before their commit; see `end`.

        :param most: bytes that it may read at once, about: more fails with SQLITE_TOOBIG before it takes memory. None
            for any number
        """
        self._local.most = most
        self._writer.defer(LARGEST if most is None else most // _VALUES)

    def end(self) -> Commit | None:
        """The request of this thread has ended; the commit that decides about what it wrote, if any does."""
        self._local.most = None
        return self._writer.deferred()

    def commit(self) -> None:
        """Commit what requests have left open."""
        self._writer.commit()

    @property
    def most(self) -> int | None:
        """Bytes that this thread may read for its request; None for any number."""
        return self._local.most

    def interrupt_reads(self, seconds: float) -> None:
        """Let what has been read for longer than so many seconds fail with SQLITE_INTERRUPT."""
        for reader in list(self._readers):
            reader.interrupt(seconds)

    def write(self) -> Writer:
        """`with db.write() as tx:` a transaction that is on disk when the block has been left without an error."""
        return self._writer

    def prove_writable(self) -> int:
        """Write something to the file that changes nothing.

        :return: the version of its schema
        :raises sqlite3.Error: when it cannot be written to
        """
        with self.write() as tx:
            version = int(tx.value("PRAGMA user_version"))
            tx.run(f"PRAGMA user_version = {version}")  # SQLite writes the page also when it stays the same
        self._writer.settle()
        return version

    def close(self) -> None:
        """Close all connections and fold the write-ahead log into the file. No other thread may be using it."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        self._spare.clear()
        self._local = _OfThread()
        self._writer.close()

    def _open_reader(self) -> Reader:
        if not self._file.is_in_place():
            raise DatabaseMoved(f"{self.path} is not the file that was opened")
        connection = self._connect()
        with _closed_on_error(connection):
            connection.execute("PRAGMA query_only = ON")
            connection.execute("SELECT 1 FROM run LIMIT 1").fetchone()  # opens the log as well
        reader = Reader(connection, self._generation)
        self._readers.append(reader)
        return reader

    def _reopen(self) -> tuple[sqlite3.Connection, OpenFile]:
        """Open the file that has taken the place of the one that was open."""
        try:
            if not self.path.is_file() or self.path.stat().st_size == 0:  # which would become a new database
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
        """The first connection: it makes the file what it must be."""
        try:
            with _closed_on_error(self._connect()) as connection:
                # While there is no write-ahead log yet, less would not even keep the file whole.
                connection.execute("PRAGMA synchronous = FULL")
                _create_or_check_schema(connection, may_create=self._may_create)
                _switch_to_wal(connection)
                # From now on nobody can upgrade it, but somebody may have done so just before.
                _check_version(connection)
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                # What a statement may have to undo; in a file, which is the default, it would be half of its cost.
                connection.execute("PRAGMA temp_store = MEMORY")
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
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection


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
        raise NotAForemanDatabase(f"{_path_of(connection)} is empty: the server, at its start, makes a database of it")
    # incremental vacuum gives deleted space back; it can only be chosen before the first table is created.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in statements(SCHEMA.read_text(encoding="utf-8")):
                connection.execute(statement)
            # Set here and not in WAL mode, so that the file's header carries them from its first moment.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            set_version(connection, SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _check_version(connection: sqlite3.Connection) -> int:
    """The version of the schema: this program's own, or 0 when the file is empty.

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
    """Let readers go on while the writer writes (https://www.sqlite.org/wal.html). The file stays in this mode."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            # While another process opens the file too; SQLite's own busy timeout does not cover this statement.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
