"""PostgreSQL as an end of a copy."""

import json
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors, sql

from foreman.config import shown
from foreman.db.file import SCHEMA_VERSION, NotAForemanDatabase, UnfinishedCopy
from foreman.db.postgres.connecting import connected
from foreman.db.postgres.leader import BACKGROUND, LEADER_LOCK
from foreman.db.postgres.schema import LOCK, SCHEMA, refuse_other_version, set_version, version_in
from foreman.db.values import Row
from foreman.maintenance.moving.ends import SIGNS, MovingFailed, Origin, Refused, refuse_another
from foreman.maintenance.moving.tables import API_KEY, INTEGERS, NUMBERED, ROWS, TABLES, Table

Connection = psycopg.Connection[tuple[Any, ...]]

# What a row can be refused with: besides values of the wrong kind, JSON that is nested too deeply, and sizes.
_OF_A_ROW = (
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.StatementTooComplex,
    errors.ProgramLimitExceeded,
    errors.OutOfMemory,
)

# Who has the connection's database, for comparing two of them.
_WHICH = """
    SELECT pg_postmaster_start_time()::text, (SELECT oid FROM pg_database WHERE datname = current_database()),
           current_schema()
"""


@contextmanager
def source_on_postgres(url: str) -> "Iterator[_Source]":
    """A snapshot of a database that has no server; see `ends.open_source`."""
    refuse_other_version(url)
    name = shown(url)
    with connected(url, Connection) as connection, told(name):
        _keep_servers_away(connection, name)
        source = _Source(connection, name)
        source.renew()
        yield source


@contextmanager
def target_on_postgres(url: str) -> "Iterator[_Target]":
    """A database to copy into; see `ends.open_target`."""
    name = shown(url)
    with connected(url, Connection) as connection, told(name):
        _keep_servers_away(connection, name)
        yield _Target(connection, name)


def is_same(url: str, other: str) -> bool:
    """Whether two URLs lead to the same database."""
    found = []
    for each in (url, other):
        with connected(each, Connection) as connection, told(shown(each)):
            found.append(connection.execute(_WHICH).fetchone())
    return found[0] == found[1]


class _Readable:
    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self.name = connection, name

    def rows(self, table: Table, after: Row | None = None) -> Generator[Row, None, None]:
        """The rows of a table in the order of its primary key; see `ends.Readable`."""
        collated = ["{}" if column in INTEGERS or not table.is_counts else '{} COLLATE "C"' for column in table.key]
        key = sql.SQL(", ").join(
            sql.SQL(how).format(sql.Identifier(column)) for how, column in zip(collated, table.key, strict=True)
        )
        beyond: sql.Composable = sql.SQL("")
        if after is not None:
            beyond = sql.SQL(" AND ({}) > ({})").format(key, sql.SQL(", ").join(map(sql.Literal, after)))
        query = sql.SQL("COPY (SELECT {} FROM {} WHERE ({}){} ORDER BY {}) TO STDOUT").format(
            _columns(table), sql.Identifier(table.name), sql.SQL(table.where), beyond, key
        )
        # In a savepoint of the snapshot, which is lost if reading ends early and nothing restores it.
        with (
            told(self.name),
            self._connection.transaction(),
            self._connection.cursor() as cursor,
            cursor.copy(query) as copy,
        ):
            copy.set_types(["int8" if column in INTEGERS else "text" for column in table.columns])
            yield from copy.rows()

    def count(self, table: Table) -> int:
        """The number of rows."""
        return int(self._one(f"SELECT count(*) FROM {table.name} WHERE {table.where}")[0])

    def _one(self, query: str) -> Row:
        with told(self.name):
            return self._connection.execute(query.encode()).fetchone() or ()


class _Source(_Readable):
    def identity(self) -> str:
        """When the database got which schema version."""
        with told(self.name):
            rows = self._connection.execute(
                "SELECT version, applied_at, foreman_version FROM schema_migration ORDER BY version"
            ).fetchall()
        return json.dumps(rows)

    def signs(self) -> str:
        """What is different when the database has changed."""
        return json.dumps([[int(number) for number in self._one(query)] for query in SIGNS])

    def renew(self) -> None:
        """Take a new snapshot."""
        with told(self.name):
            self._connection.execute("ROLLBACK")
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._connection.execute("SELECT FROM run LIMIT 1")


class _Target(_Readable):
    """A database that is written without triggers, and without indexes and references that only make that slower.

    The table `unfinished_copy` says what it is a copy of, and how to create them again.
    """

    @property
    def remedy(self) -> str:
        """How to make room for another copy."""
        return f"drop the database {self.name} and create it again"

    def begin(self, origin: Origin) -> None:
        """Prepare the database; see `ends.Target`."""
        with told(self.name), self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            try:
                version = version_in(self._connection, self.name)
            except UnfinishedCopy:
                found: dict[str, str] = dict(
                    self._connection.execute("SELECT name, value FROM unfinished_copy").fetchall()
                )
                refuse_another(self.name, found, origin, self.remedy)
            else:
                self._prepare(version, origin)

    def _prepare(self, version: int, origin: Origin) -> None:
        if version == 0:
            for file in SCHEMA:
                self._connection.execute(file.read_text(encoding="utf-8").encode())
        elif version != SCHEMA_VERSION:
            raise NotAForemanDatabase(f"{self.name} has schema version {version}: run `migrate` first")
        for table in ROWS if origin.kind == "import" else (*ROWS, API_KEY):
            if self._one(f"SELECT EXISTS (SELECT FROM {table.name})") != (False,):
                raise MovingFailed(f"{self.name} has rows already: choose a database without any")
        self._connection.execute(
            'CREATE TABLE unfinished_copy (name text COLLATE "C" NOT NULL PRIMARY KEY, value text NOT NULL)'
        )
        remembered = {**origin._asdict(), "version": str(SCHEMA_VERSION)}
        steps = self._drop_what_is_slow()
        remembered |= {f"step {number:03}": step for number, step in enumerate(steps)}
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO unfinished_copy VALUES (%s, %s)", list(remembered.items()))
        self._switch_triggers("DISABLE")
        self._connection.execute("TRUNCATE run_change, task_change, run_data_change")
        self._truncate(TABLES if origin.kind == "copy" else [table for table in TABLES if table is not API_KEY])

    def _drop_what_is_slow(self) -> list[str]:
        """Drop indexes and references; return the statements that create them again."""
        tables = [table.name for table in TABLES]
        constraints = self._connection.execute(
            """
            SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
                   format(
                       'ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, pg_get_constraintdef(oid)
                   )
            FROM pg_constraint
            WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
              AND (SELECT relname FROM pg_class WHERE pg_class.oid = conrelid) = ANY (%s)
            ORDER BY conrelid::regclass::text, conname
            """,
            (tables,),
        ).fetchall()
        indexes = self._connection.execute(
            """
            SELECT format('DROP INDEX %%s', indexrelid::regclass), pg_get_indexdef(indexrelid)
            FROM pg_index
            JOIN pg_class AS indexed ON indexed.oid = indrelid
            WHERE indexed.relnamespace = current_schema()::regnamespace AND indexed.relname = ANY (%s)
              AND NOT indisunique
            ORDER BY indexrelid::regclass::text
            """,
            (tables,),
        ).fetchall()
        for drop, _ in (*constraints, *indexes):
            self._connection.execute(drop.encode())
        return [create for _, create in (*indexes, *constraints)]

    def _switch_triggers(self, how: str) -> None:
        """Enable or disable those that keep what follows from rows: those rows are copied, too."""
        for table in TABLES:
            if not table.is_counts:
                self._connection.execute(f"ALTER TABLE {table.name} {how} TRIGGER USER".encode())

    def last(self, table: Table) -> Row | None:
        """The greatest key of a table."""
        order = ", ".join(f"{column} DESC" for column in table.key)
        return self._one(f"SELECT {', '.join(table.key)} FROM {_kept_in(table)} ORDER BY {order} LIMIT 1") or None

    def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of these tables."""
        with told(self.name), self._connection.transaction():
            self._truncate(tables)

    def _truncate(self, tables: Iterable[Table]) -> None:
        self._connection.execute(f"TRUNCATE {', '.join(_kept_in(table) for table in tables)}".encode())

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows in one transaction; see `ends.Target`."""
        with told(self.name):
            try:
                with self._connection.transaction():
                    self._copy_in(table, rows)
            except _OF_A_ROW as error:
                raise Refused(line(error)) from error

    def refused(self, table: Table, rows: Iterable[Row]) -> tuple[Row, str] | None:
        """The first of these rows that cannot be written, and why."""
        with told(self.name), self._connection.transaction(force_rollback=True):
            for row in rows:
                try:
                    with self._connection.transaction():
                        self._copy_in(table, [row])
                except _OF_A_ROW as error:
                    return row, line(error)
        return None

    def _copy_in(self, table: Table, rows: Iterable[Row]) -> None:
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(_kept_in(table)), _columns(table))
        with self._connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                copy.write_row(row)

    def derive(self, parts: Iterable[tuple[Table, str]]) -> Generator[None, None, None]:
        """Fill tables from others, all in one transaction; see `ends.Target`."""
        with told(self.name), self._connection.transaction():
            for table, select in parts:
                into = f"INSERT INTO {_kept_in(table)} ({', '.join(table.columns)})"
                self._connection.execute(f"{into} {select}".encode())
                yield

    def complete(self) -> Generator[float, None, None]:
        """Create the indexes and references; see `ends.Target`."""
        with told(self.name):
            steps = self._connection.execute(
                "SELECT name, value FROM unfinished_copy WHERE name LIKE 'step %' ORDER BY name"
            ).fetchall()
            for number, (name, step) in enumerate(steps):
                try:
                    with self._connection.transaction():
                        self._connection.execute(step.encode())
                        self._connection.execute("DELETE FROM unfinished_copy WHERE name = %s", (name,))
                except psycopg.IntegrityError as error:
                    raise MovingFailed(f"{self.name}: {line(error)}: `check` the source") from error
                yield (number + 1) / (len(steps) + 1)
            for table in TABLES:
                self._connection.execute(f"ANALYZE {_kept_in(table)}".encode())

    def finish(self) -> None:
        """Make it a database like any other."""
        with told(self.name), self._connection.transaction():
            self._switch_triggers("ENABLE")
            for table in NUMBERED:
                self._connection.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'seq'), max(seq)) FROM {table.name} "
                    "HAVING max(seq) IS NOT NULL".encode()
                )
            if self._one("SELECT count(*) FROM schema_migration") == (0,):
                set_version(self._connection, SCHEMA_VERSION)
            self._connection.execute("DROP TABLE unfinished_copy")


def _kept_in(table: Table) -> str:
    return table.kept_in or table.name


def _columns(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.columns))


def _keep_servers_away(connection: Connection, name: str) -> None:
    """Take the lock of the server that leads, until the connection is closed.

    :raises MovingFailed: when a server, or another copy, has it, or will try to have it
    """
    with told(name):
        is_taken = connection.execute("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,)).fetchone() != (True,)
        servers = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
        if is_taken or connection.execute(servers, (BACKGROUND,)).fetchone() is not None:
            raise MovingFailed(f"{name} is being served, or copied: stop its servers first")


@contextmanager
def told(name: str) -> Iterator[None]:
    """Turn PostgreSQL's errors into one line, but for those of `_OF_A_ROW` that are caught inside."""
    try:
        yield
    except psycopg.Error as error:
        raise MovingFailed(f"{name}: {line(error)}") from error


def line(error: psycopg.Error) -> str:
    """An error in one line: its message with its detail, but without the data in its context."""
    said = [error.diag.message_primary, error.diag.message_detail]
    return " ".join(" ".join(part for part in said if part).split()) or " ".join(str(error).split())
