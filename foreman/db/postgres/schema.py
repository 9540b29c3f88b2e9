"""The schema on PostgreSQL: creating it in an empty database, refusing any other, and upgrading an earlier version."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from foreman import __version__
from foreman.clock import now_ms
from foreman.db.file import SCHEMA_VERSION, EarlierVersion, NotAForemanDatabase, UnfinishedCopy
from foreman.db.schema import Migration, read_migrations

SCHEMA = tuple(Path(__file__).parent / name for name in ("functions.sql", "schema.sql", "counts.sql"))

MIGRATIONS = Path(__file__).parent / "migrations"

# The oldest version of PostgreSQL that the tests run on.
OLDEST = 15

# The advisory lock of whoever creates or upgrades the schema: "FMAN" and a number.
LOCK = 0x464D414E_00000001

Tell = Callable[[str], object]


def shown(url: str) -> str:
    """A database's URL for messages, without its password.

    :raises NotAForemanDatabase: when it is no URL
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise NotAForemanDatabase(f"the database is not a URL that PostgreSQL understands: {said}") from None
    host = parts.get("host", "")
    port = f":{parts['port']}" if "port" in parts else ""
    user = f"{parts['user']}@" if "user" in parts else ""
    return f"postgresql://{user}{host}{port}/{parts.get('dbname', '')}"


def prepare(url: str, tell: Tell, *, create: bool = True) -> None:
    """Create the schema in an empty database, or upgrade that of an earlier version. Others wait meanwhile.

    :param tell: called with a line for each migration
    :param create: whether to create it in an empty database
    :raises NotAForemanDatabase: when that cannot be done, with one line that says what to do
    """
    name = shown(url)
    with connected(url) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        version = version_in(connection, name)
        if version == 0:
            if not create:
                raise NotAForemanDatabase(f"{name} is empty: the server creates its tables at start")
            for file in SCHEMA:
                connection.execute(file.read_text(encoding="utf-8").encode())
            set_version(connection, SCHEMA_VERSION)
        for migration in missing(version):
            begun = time.monotonic()
            connection.execute(migration.script.encode())
            set_version(connection, migration.version)
            tell(f"Migration {migration}: {time.monotonic() - begun:.1f} seconds")


def plan(url: str) -> Iterator[str]:
    """What `prepare` would do, as lines. Nothing is changed.

    :raises NotAForemanDatabase: when it cannot be done
    """
    name = shown(url)
    with connected(url) as connection:
        version = version_in(connection, name)
    if version == 0:
        raise NotAForemanDatabase(f"{name} is empty: the server creates its tables at start")
    lacking = missing(version)
    if not lacking:
        yield f"{name} has schema version {version}: nothing to do"
        return
    yield f"{name} has schema version {version}, this Foreman needs {SCHEMA_VERSION}"
    yield from (f"would apply {migration}" for migration in lacking)


def refuse_other_version(url: str) -> None:
    """Check that a database has this program's schema.

    :raises EarlierVersion: when it lacks migrations
    :raises NotAForemanDatabase: when it has another schema, or none
    """
    name = shown(url)
    with connected(url) as connection:
        version = version_in(connection, name)
    if version == 0:
        raise NotAForemanDatabase(f"{name} is empty: the server creates its tables at start")
    if version < SCHEMA_VERSION:
        raise EarlierVersion(
            f"{name} has schema version {version}, from an earlier Foreman; this one needs {SCHEMA_VERSION}: run "
            "`migrate`, or start the server, which upgrades it"
        )


@contextmanager
def connected(url: str) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    """A connection to a server of a version that is supported; its errors are one line.

    :raises NotAForemanDatabase: when there is none, and when a statement in the block fails
    """
    name = shown(url)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="foreman") as connection:
            _refuse_server(connection, name)
            yield connection
    except psycopg.OperationalError as error:
        raise NotAForemanDatabase(f"{name} cannot be reached: {_line(error)}") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotAForemanDatabase(
            f"{name}: {_line(error)}: its role must own the tables, or may create them in the schema (GRANT CREATE)"
        ) from None
    except psycopg.Error as error:
        raise NotAForemanDatabase(f"{name}: {_line(error)}; it has not been changed") from None


def version_in(connection: "psycopg.Connection[Any]", name: str) -> int:
    """The schema version of a database; 0 if it is empty.

    :raises NotAForemanDatabase: when it holds something else, or is from a newer version
    :raises UnfinishedCopy: when a copy into it has not come to its end
    """
    if connection.execute("SELECT to_regclass('unfinished_copy')").fetchone() != (None,):
        raise UnfinishedCopy.called(name)
    (ours, tables) = connection.execute(
        """
        SELECT to_regclass('schema_migration') IS NOT NULL AND to_regclass('run_data_latest') IS NOT NULL,
               (SELECT count(*) FROM pg_class
                WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v', 'p'))
        """
    ).fetchone() or (False, 0)
    if not ours:
        if tables:
            raise NotAForemanDatabase(
                f"{name} has tables of something else: create a database for Foreman alone; it has not been changed"
            )
        return 0
    (version,) = connection.execute("SELECT max(version) FROM schema_migration").fetchone() or (0,)
    if version > SCHEMA_VERSION:
        raise NotAForemanDatabase(
            f"{name} has schema version {version}, from a newer Foreman; this one knows versions up to "
            f"{SCHEMA_VERSION}; it has not been changed"
        )
    return int(version)


def missing(version: int) -> list[Migration]:
    """The migrations that a database of this version lacks, or none if it is empty."""
    return [migration for migration in read_migrations(MIGRATIONS) if 0 < version < migration.version]


def set_version(connection: "psycopg.Connection[Any]", version: int) -> None:
    """Record that the database has this version from now on, as part of the open transaction."""
    connection.execute(
        "INSERT INTO schema_migration (version, applied_at, foreman_version) VALUES (%s, %s, %s)",
        (version, now_ms(), __version__),
    )


def _refuse_server(connection: "psycopg.Connection[Any]", name: str) -> None:
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise NotAForemanDatabase(f"{name} is PostgreSQL {version}; Foreman needs {OLDEST} or newer")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise NotAForemanDatabase(f"{name} has the encoding {encoding}: create a database with the encoding UTF8")
    if connection.execute("SELECT current_schema()").fetchone() == (None,):
        raise NotAForemanDatabase(f"{name}: no schema of the search_path exists: create one")


def _line(error: psycopg.Error) -> str:
    """What went wrong, in one line: a connection is tried at each address of the host, which says the same again."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return re.sub(r"^connection failed: ", "", said[0]) if said else "unknown error"
