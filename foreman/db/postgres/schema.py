"""The schema on PostgreSQL: creating it in an empty database, refusing any other, and upgrading an earlier version.

The files in `SCHEMA` are the newest version in full. To change the schema after a release: record a dump of a database
of the version until then, for the tests; change those files; write the next file in `MIGRATIONS`, whose first line is
its title; and run `python -m tests.db.postgres_catalog`, which records what the new version consists of. All migrations
that a database lacks are one transaction, so what cannot be in one, such as CREATE INDEX CONCURRENTLY, has no place
there.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from foreman import __version__
from foreman.clock import now_ms
from foreman.config import shown
from foreman.db.file import SCHEMA_VERSION, EarlierVersion, NotAForemanDatabase, UnfinishedCopy
from foreman.db.postgres.catalog import CATALOG, catalog_of
from foreman.db.postgres.connecting import OF_COMMANDS, connected, line_of
from foreman.db.postgres.session import configure
from foreman.db.schema import Migration, read_migrations

SCHEMA = tuple(Path(__file__).parent / name for name in ("functions.sql", "schema.sql", "counts.sql"))

# The first version that there was on PostgreSQL.
_FIRST = 4

MIGRATIONS = Path(__file__).parent / "migrations"

# The advisory lock of whoever creates or upgrades the schema: "FMAN" and a number.
LOCK = 0x464D414E_00000001

Connection = psycopg.Connection[Any]
Tell = Callable[[str], object]


def prepare(url: str, tell: Tell, *, create: bool = True) -> None:
    """Create the schema in an empty database, or upgrade that of an earlier version. Others wait meanwhile.

    It is one transaction: whatever fails, the database is as it was.

    :param tell: called with a line for each migration
    :param create: whether to create it in an empty database
    :raises NotAForemanDatabase: when that cannot be done, with one line that says what to do
    """
    name = shown(url)
    with connected(url, Connection) as connection, connection.transaction():
        configure(connection, {"lock_timeout": "0"})  # another node may be upgrading it, for as long as it takes
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        configure(connection, OF_COMMANDS)
        version = version_in(connection, name)
        if version == 0:
            if not create:
                refuse_empty(name, version)
            _refuse_read_only_server(connection, name)
            for file in SCHEMA:
                connection.execute(file.read_text(encoding="utf-8").encode())
            set_version(connection, SCHEMA_VERSION)
            return
        _refuse_reader(connection, name)
        if version < _FIRST:
            raise NotAForemanDatabase(
                f"{name} has tables of Foreman, but no version in schema_migration: restore it from a dump that is "
                "complete; it has not been changed"
            )
        if lacking := missing(version):
            _apply(connection, name, lacking, tell)


def plan(url: str) -> Iterator[str]:
    """What `prepare` would do, as lines. Nothing is changed.

    :raises NotAForemanDatabase: when it cannot be done
    """
    name = shown(url)
    with connected(url, Connection) as connection:
        version = version_in(connection, name)
    refuse_empty(name, version)
    lacking = missing(version)
    if not lacking:
        yield f"{name} has schema version {version}: nothing to do"
        return
    yield f"{name} has schema version {version}, this Foreman needs {SCHEMA_VERSION}"
    yield from (f"would apply {migration}" for migration in lacking)
    yield "would do all of this in one transaction, for which clients wait; it makes no backup: `pg_dump` does"


def refuse_other_version(url: str) -> None:
    """Check that a database has this program's schema, and can be written to.

    :raises EarlierVersion: when it lacks migrations
    :raises NotAForemanDatabase: when it has another schema, or none, or its role may only read
    """
    name = shown(url)
    with connected(url, Connection) as connection:
        version = version_in(connection, name)
        refuse_empty(name, version)
        refuse_earlier(name, version)
        _refuse_reader(connection, name)


def refuse_empty(name: str, version: int) -> None:
    """Check that there is a schema.

    :raises NotAForemanDatabase: when there is none
    """
    if version == 0:
        raise NotAForemanDatabase(f"{name} is empty: start `serve`, which creates the tables, or `copy` into it")


def refuse_earlier(name: str, version: int) -> None:
    """Check that a schema version is not too old.

    :raises EarlierVersion: when the database lacks migrations
    """
    if version < SCHEMA_VERSION:
        raise EarlierVersion(
            f"{name} has schema version {version}, from an earlier Foreman; this one needs {SCHEMA_VERSION}: run "
            "`migrate`, or start the server, which upgrades it"
        )


def version_in(connection: Connection, name: str) -> int:
    """The schema version of a database; 0 if it is empty.

    :raises NotAForemanDatabase: when it holds something else, or is from a newer version
    :raises UnfinishedCopy: when a copy into it has not come to its end
    """
    if connection.execute("SELECT to_regclass('unfinished_copy')").fetchone() != (None,):
        raise UnfinishedCopy.called(name)
    (ours, others) = connection.execute(
        """
        SELECT EXISTS (
                   SELECT FROM pg_attribute
                   WHERE attrelid = CAST(to_regclass('schema_migration') AS oid) AND attname = 'foreman_version'
               ),
               EXISTS (
                   SELECT FROM pg_class
                   WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
                     AND relkind IN ('r', 'p', 'v', 'm', 'f')
                     AND NOT EXISTS (
                         SELECT FROM pg_depend
                         WHERE classid = CAST(CAST('pg_class' AS regclass) AS oid) AND objid = pg_class.oid
                           AND deptype = 'e'
                     )
               )
        """
    ).fetchone() or (False, False)
    if not ours:
        if others:
            raise NotAForemanDatabase(
                f"{name} has tables of something else: create a database for Foreman alone; it has not been changed"
            )
        return 0
    if connection.execute("SELECT has_table_privilege('schema_migration', 'SELECT')").fetchone() == (False,):
        raise NotAForemanDatabase(
            f"{name}: its role may not read Foreman's tables: let it own them, or GRANT SELECT, INSERT, UPDATE, DELETE "
            "ON ALL TABLES; it has not been changed"
        )
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migration").fetchone() or (0,)
    if version > SCHEMA_VERSION:
        raise NotAForemanDatabase(
            f"{name} has schema version {version}, from a newer Foreman; this one knows versions up to "
            f"{SCHEMA_VERSION}; it has not been changed"
        )
    return max(1, int(version))  # its tables are there, so it is not empty


def missing(version: int) -> list[Migration]:
    """The migrations that a database of this version lacks."""
    return [migration for migration in read_migrations(MIGRATIONS) if version < migration.version]


def set_version(connection: Connection, version: int) -> None:
    """Record that the database has this version from now on, as part of the open transaction."""
    connection.execute(
        "INSERT INTO schema_migration (version, applied_at, foreman_version) VALUES (%s, %s, %s)",
        (version, now_ms(), __version__),
    )


def _apply(connection: Connection, name: str, lacking: list[Migration], tell: Tell) -> None:
    """Apply migrations, and check that they have led to this version's schema.

    :raises NotAForemanDatabase: with what failed, and why
    """
    for migration in lacking:
        begun = time.monotonic()
        try:
            connection.execute(migration.script.encode())
            set_version(connection, migration.version)
        except psycopg.Error as error:
            raise NotAForemanDatabase(
                f"{name} cannot be upgraded: migration {migration} failed: {line_of(error)}; it is as it was"
            ) from None
        tell(f"Migration {migration}: {time.monotonic() - begun:.1f} seconds")
    kept = {tuple(part) for part in connection.execute(CATALOG.encode()).fetchall()}
    for part in catalog_of(SCHEMA_VERSION) or ():
        if tuple(part) not in kept:
            raise NotAForemanDatabase(
                f"{name} cannot be upgraded: the check after the migrations found that the {part[0]} {part[1]} is "
                "missing, or not as in the schema; it is as it was"
            )


def _refuse_reader(connection: Connection, name: str) -> None:
    """Check that the role of a connection may write to the tables.

    :raises NotAForemanDatabase: when it may not
    """
    _refuse_read_only_server(connection, name)
    refused = connection.execute(
        """
        SELECT relname
        FROM pg_class
        WHERE CAST(relname AS text) = ANY(%s) AND relname <> 'schema_migration'
          AND relnamespace = (
              SELECT relnamespace FROM pg_class WHERE oid = CAST(to_regclass('schema_migration') AS oid)
          )
          AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                   AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        LIMIT 1
        """,
        ([name for kind, name, _ in catalog_of(SCHEMA_VERSION) or () if kind in ("table", "view")],),
    ).fetchone()
    if refused:
        raise NotAForemanDatabase(
            f"{name}: its role may not write to {refused[0]}: let it own the tables, or GRANT SELECT, INSERT, UPDATE, "
            "DELETE ON ALL TABLES; it has not been changed"
        )


def _refuse_read_only_server(connection: Connection, name: str) -> None:
    """Check that the server takes writes.

    :raises NotAForemanDatabase: when it does not
    """
    if connection.execute("SHOW transaction_read_only").fetchone() == ("on",):
        raise NotAForemanDatabase(
            f"{name} is read-only: is this a standby, or default_transaction_read_only set? Connect to the primary"
        )
