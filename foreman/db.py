"""The SQLite file: one writer connection, a reader connection per thread, and the schema.

With `transactions.py` the only module that says PRAGMA, BEGIN, COMMIT and SAVEPOINT.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from foreman.transactions import Reader, Writer

SCHEMA_VERSION = 1
SCHEMA = Path(__file__).parent.parent / "schema.sql"

# "FMAN" in the header of the file (https://www.sqlite.org/fileformat2.html, offset 68) tells our files from others.
APPLICATION_ID = 0x464D414E
_NOT_OURS = "{} is not a Foreman database; it has not been changed"
_MAGIC = b"SQLite format 3\x00"

_BUSY_TIMEOUT_MS = 5000
_CACHED_STATEMENTS = 256


class NotAForemanDatabase(Exception):
    """The file is something else, or from a newer version; it has not been touched."""


class Database:
    """One open database file.

    :param path: the SQLite file; it is created when it does not exist
    :param durability: `full` or `normal`, as in the settings
    :raises NotAForemanDatabase: when the file is not ours to write to
    """

    def __init__(self, path: Path, durability: str = "full") -> None:
        self.path = path
        self._synchronous = durability.upper()
        self._readers: list[sqlite3.Connection] = []
        self._local = threading.local()
        _refuse_foreign_file(path)
        self._writer = Writer(self._create())

    def read(self) -> Reader:
        """`with db.read() as tx:` one unchanging view of the database, whatever writers do meanwhile."""
        reader: Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._readers.append(connection)
            reader = self._local.reader = Reader(connection)
        return reader

    def one(self, sql: str, /, **values: Any) -> sqlite3.Row | None:
        """The first row of a statement that needs no other: it is a transaction in itself."""
        return self.read().statements.one(sql, **values)

    def rows(self, sql: str, /, **values: Any) -> list[sqlite3.Row]:
        """Every row of a statement that needs no other: it is a transaction in itself."""
        return self.read().statements.all(sql, **values)

    def write(self) -> Writer:
        """`with db.write() as tx:` a transaction that is on disk when the block has been left without an error."""
        return self._writer

    def close(self) -> None:
        """Close all connections and fold the write-ahead log into the file. No other thread may be using it."""
        for reader in self._readers:
            reader.close()
        self._readers.clear()
        self._local = threading.local()
        self._writer.close()

    def _create(self) -> sqlite3.Connection:
        """The first connection: it makes the file what it must be."""
        try:
            with _closed_on_error(self._connect()) as connection:
                _create_or_check_schema(connection)
                _switch_to_wal(connection)
                return connection
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
                raise NotAForemanDatabase(_NOT_OURS.format(self.path)) from None
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        with _closed_on_error(connection):
            connection.row_factory = sqlite3.Row
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection


def init_app(app: Flask, database: Database) -> None:
    """Give the app's handlers their database."""
    app.extensions["database"] = database


def read() -> Reader:
    """`with db.read() as tx:` in a handler: `Database.read` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.read()


def one(sql: str, /, **values: Any) -> sqlite3.Row | None:
    """`Database.one` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.one(sql, **values)


def rows(sql: str, /, **values: Any) -> list[sqlite3.Row]:
    """`Database.rows` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.rows(sql, **values)


def write() -> Writer:
    """`with db.write() as tx:` in a handler: `Database.write` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.write()


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _refuse_foreign_file(path: Path) -> None:
    """Look at the file's header without opening it as a database, so that a file of somebody else stays untouched."""
    if path.is_dir():
        raise NotAForemanDatabase(f"{path} is a directory, not a database file")
    if not path.parent.is_dir():
        raise NotAForemanDatabase(f"{path.parent} does not exist: the database file cannot be created in it")
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        header = file.read(100)
    application_id, in_wal_mode = int.from_bytes(header[68:72]), header[18:19] == b"\x02"
    # Without an id, in the mode before WAL, it may be ours: empty, or about to be created by another process.
    if not header.startswith(_MAGIC) or (application_id != APPLICATION_ID and (application_id != 0 or in_wal_mode)):
        raise NotAForemanDatabase(_NOT_OURS.format(path))
    _refuse_newer(path, int.from_bytes(header[60:64]))


def _refuse_newer(path: Path | str, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise NotAForemanDatabase(
            f"{path} has schema version {version}, from a newer Foreman; this one knows versions up to "
            f"{SCHEMA_VERSION}; the file has not been changed"
        )


def _create_or_check_schema(connection: sqlite3.Connection) -> None:
    """Create the schema in an empty file, in one transaction, so that two starting servers cannot both do it."""
    path, version, tables = connection.execute(
        """
        SELECT (SELECT file FROM pragma_database_list WHERE name = 'main'),
               (SELECT user_version FROM pragma_user_version),
               (SELECT count(*) FROM sqlite_master)
        """
    ).fetchone()
    _refuse_newer(path, version)
    if version:
        return
    if tables:
        raise NotAForemanDatabase(_NOT_OURS.format(path))
    # incremental vacuum gives deleted space back; it can only be chosen before the first table is created.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _statements(SCHEMA.read_text(encoding="utf-8")):
                connection.execute(statement)
            # Set here and not in WAL mode, so that the file's header carries them from its first moment.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Let readers go on while the writer writes (https://www.sqlite.org/wal.html). The file stays in this mode."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            # While another process opens the file too; SQLite's own busy timeout does not cover this statement.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit an open transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
