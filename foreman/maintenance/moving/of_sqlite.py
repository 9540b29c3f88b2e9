"""SQLite as an end of a copy."""

import json
import os
import sqlite3
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from foreman.db.file import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    UNFINISHED_ID,
    NotAForemanDatabase,
    UnfinishedCopy,
    refuse_earlier,
    refuse_foreign_file,
    refuse_missing,
)
from foreman.db.schema import set_version, statements
from foreman.db.server_lock import AlreadyServed, only_server
from foreman.db.sqlite import SCHEMA
from foreman.db.transactions import BUSY_TIMEOUT_MS
from foreman.db.values import Row
from foreman.maintenance.check import snapshot
from foreman.maintenance.moving.ends import SIGNS, MovingFailed, Origin, Refused, refuse_another
from foreman.maintenance.moving.tables import API_KEY, ROWS, Table
from foreman.maintenance.progress import attentive

# Kibibytes for sorting what goes into indexes.
_CACHE = 65_536

# What a row can be refused with.
_OF_A_ROW = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError)


@contextmanager
def source_on_sqlite(path: Path) -> "Iterator[_Source]":
    """A snapshot of a database file that has no server; see `ends.open_source`."""
    refuse_missing(path)
    with _unserved(path, needed=False), snapshot(path) as connection:
        refuse_earlier(path, connection.execute("PRAGMA user_version").fetchone()[0])
        connection.text_factory = str
        yield _Source(path, connection)


@contextmanager
def target_on_sqlite(path: Path) -> "Iterator[_Target]":
    """A database file to copy into; see `ends.open_target`."""
    with suppress(UnfinishedCopy):
        refuse_foreign_file(path)
    is_new = not path.exists()
    if not is_new and not os.access(path, os.W_OK):
        raise MovingFailed(f"{path.absolute()} cannot be written to: permission denied")
    uri = f"{path.absolute().as_uri()}?mode=rwc"
    with _unserved(path, needed=True), _told(path):
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
                yield _Target(path, connection)
        finally:
            if is_new and path.exists() and path.stat().st_size == 0:
                path.unlink()  # nothing was begun


class _Readable:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self.name = str(path).encode("utf-8", "backslashreplace").decode()  # a path need not be UTF-8

    def rows(self, table: Table, after: Row | None = None) -> Generator[Row, None, None]:
        """The rows of a table in the order of its primary key; see `ends.Readable`."""
        key, sql = ", ".join(table.key), f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE ({table.where})"
        if after is not None:
            sql += f" AND ({key}) > ({', '.join('?' * len(after))})"
        with _told(self.path), closing(self._connection.execute(f"{sql} ORDER BY {key}", after or ())) as cursor:
            yield from cursor

    def count(self, table: Table) -> int:
        """The number of rows."""
        return int(self._one(f"SELECT count(*) FROM {table.name} WHERE {table.where}")[0])

    def _one(self, sql: str) -> Row:
        with _told(self.path):
            row: Row = self._connection.execute(sql).fetchone()
        return row


class _Source(_Readable):
    def identity(self) -> str:
        """When the database got which schema version."""
        with _told(self.path):
            rows = self._connection.execute(
                "SELECT version, applied_at, foreman_version FROM schema_migration ORDER BY version"
            ).fetchall()
        return json.dumps(rows)

    def signs(self) -> str:
        """What is different when the database has changed."""
        return json.dumps([self._one(sql) for sql in SIGNS])

    def renew(self) -> None:
        """Take a new snapshot."""
        with _told(self.path):
            self._connection.execute("COMMIT")
            self._connection.execute("BEGIN")


class _Target(_Readable):
    """A file that is written without indexes and triggers, in rollback-journal mode, so that its header says at every
    moment that it is unfinished. What it is a copy of is in the table `unfinished_copy`.
    """

    def begin(self, origin: Origin) -> None:
        """Prepare the file; see `ends.Target`."""
        with _told(self.path):
            self._refuse_foreign_file()
            self._connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table is created
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = OFF")
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE}")
            with self._transaction():
                if self._one("PRAGMA application_id") == (UNFINISHED_ID,):
                    found = dict(self._connection.execute("SELECT name, value FROM unfinished_copy"))
                    refuse_another(self.name, found, origin, self.remedy)
                else:
                    self._prepare(origin)

    def _refuse_foreign_file(self) -> None:
        """Its header alone does not say whose it is, if it has no id."""
        (application_id,), (tables,) = (
            self._one("PRAGMA application_id"),
            self._one("SELECT count(*) FROM sqlite_schema"),
        )
        if application_id not in (APPLICATION_ID, UNFINISHED_ID) and (application_id or tables):
            raise NotAForemanDatabase.at(self.path)

    @property
    def remedy(self) -> str:
        """How to make room for another copy."""
        return f"delete {self.name}"

    def _prepare(self, origin: Origin) -> None:
        if self._one("PRAGMA application_id") == (0,):
            for statement in statements(SCHEMA.read_text(encoding="utf-8")):
                self._connection.execute(statement)
        else:
            refuse_earlier(self.path, self._one("PRAGMA user_version")[0])
            for table in ROWS if origin.kind == "import" else (*ROWS, API_KEY):
                if self._one(f"SELECT EXISTS (SELECT 1 FROM {table.name})") != (0,):
                    raise MovingFailed(f"{self.name} has rows already: choose a database without any")
        made = self._connection.execute(
            "SELECT type, name FROM sqlite_schema WHERE type IN ('index', 'trigger') AND sql IS NOT NULL"
        ).fetchall()
        for type_, name in made:
            self._connection.execute(f'DROP {type_} "{name}"')
        self._connection.execute("CREATE TABLE unfinished_copy (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)")
        self._connection.executemany(
            "INSERT INTO unfinished_copy (name, value) VALUES (?, ?)",
            {**origin._asdict(), "version": str(SCHEMA_VERSION)}.items(),
        )
        self._connection.execute(f"PRAGMA application_id = {UNFINISHED_ID}")

    def last(self, table: Table) -> Row | None:
        """The greatest key of a table."""
        order = ", ".join(f"{column} DESC" for column in table.key)
        with _told(self.path):
            row: Row | None = self._connection.execute(
                f"SELECT {', '.join(table.key)} FROM {table.name} ORDER BY {order} LIMIT 1"
            ).fetchone()
        return row

    def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of these tables."""
        with _told(self.path), self._transaction():
            for table in tables:
                self._connection.execute(f"DELETE FROM {table.name}")

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows in one transaction; see `ends.Target`."""
        with _told(self.path):
            try:
                with self._transaction():
                    self._connection.executemany(_insert(table), rows)
            except _OF_A_ROW as error:
                raise Refused(_line(error)) from error

    def refused(self, table: Table, rows: Iterable[Row]) -> tuple[Row, str] | None:
        """The first of these rows that cannot be written, and why."""
        with _told(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for row in rows:
                    try:
                        self._connection.execute(_insert(table), row)
                    except _OF_A_ROW as error:
                        return row, _line(error)
            finally:
                self._connection.execute("ROLLBACK")
        return None

    def derive(self, parts: Iterable[tuple[Table, str]]) -> Generator[None, None, None]:
        """Fill tables from others, all in one transaction; see `ends.Target`."""
        with _told(self.path), self._transaction():
            for table, select in parts:
                with attentive(self._connection):
                    self._connection.execute(f"INSERT INTO {table.name} ({', '.join(table.columns)}) {select}")
                yield

    def complete(self) -> Generator[float, None, None]:
        """Create the indexes, and look for references that lead nowhere; see `ends.Target`."""
        with _told(self.path):
            there = {name for (name,) in self._connection.execute("SELECT name FROM sqlite_schema")}
            missing = [sql for name, sql in _definitions("INDEX") if name not in there]
            for number, sql in enumerate(missing):
                with attentive(self._connection):
                    self._connection.execute(sql)
                yield (number + 1) / (len(missing) + 1)
            with attentive(self._connection):
                found = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        if found:
            raise MovingFailed(
                f"a row of the table {found[0]}, with the seq {found[1]}, refers to a row of {found[2]} that is not "
                "there: `check` the source"
            )

    def finish(self) -> None:
        """Make it a database like any other."""
        with _told(self.path), self._transaction():
            for _, sql in _definitions("TRIGGER"):
                self._connection.execute(sql)
            self._connection.execute("DROP TABLE unfinished_copy")
            if self._one("SELECT count(*) FROM schema_migration") == (0,):
                set_version(self._connection, SCHEMA_VERSION)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _insert(table: Table) -> str:
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({', '.join('?' * len(table.columns))})"


def _definitions(type_: str) -> list[tuple[str, str]]:
    """The names and definitions of all indexes or triggers."""
    found = []
    for statement in statements(SCHEMA.read_text(encoding="utf-8")):
        words = [word for line in statement.splitlines() for word in line.partition("--")[0].split()]
        made = words[1:] if words[1:2] != ["UNIQUE"] else words[2:]
        if made[0] == type_:
            found.append((made[1], statement))
    return found


@contextmanager
def _unserved(path: Path, *, needed: bool) -> Iterator[None]:
    """Keep servers away from a database file until the end of the block.

    :param needed: whether it fails if the directory cannot be written to; otherwise no server could write there either
    :raises MovingFailed: when there is a server
    """
    lock = only_server(path)
    try:
        lock.__enter__()
    except AlreadyServed as error:
        raise MovingFailed(str(error)) from None
    except OSError as error:
        if needed:
            raise MovingFailed(f"{path.absolute()} cannot be written to: {error.strerror}") from None
        yield
        return
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one line, but for those of `_OF_A_ROW` that are caught inside."""
    try:
        yield
    except sqlite3.Error as error:
        raise MovingFailed(f"{path}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
