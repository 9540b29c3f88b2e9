"""Connecting to a server, and what can be wrong with it, as one line that says what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from foreman import clock
from foreman.config import shown
from foreman.db.file import NotAForemanDatabase
from foreman.db.postgres.session import configure

# The oldest version of PostgreSQL that the tests run on.
OLDEST = 15

# Seconds that opening a connection may take.
_PATIENCE = 5

# The settings on which it depends how the server reads and writes statements.
AS_WRITTEN = {"standard_conforming_strings": "on", "quote_all_identifiers": "off"}

# Those of a session that takes its time, whatever the timeouts of its database and role are.
OF_COMMANDS = {
    **AS_WRITTEN,
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "30s",
}

# What a role needs that may read but not write.
MAY_READ = "its role needs SELECT on all tables and sequences, as members of pg_read_all_data have it"

# What a role needs that may create the tables.
_MAY_CREATE = "the database's owner may create the tables, and so may who is granted CREATE on the schema"

Connection = TypeVar("Connection", bound="psycopg.Connection[tuple[object, ...]]")


def refuse_pooler(url: str) -> None:
    """Check that each connection has a session of its own, and not one for each transaction, as poolers can have it.

    What is set for a session, prepared in it, or locked by it, would then be others'.

    :raises NotAForemanDatabase: when two connections that are open at once have the same session
    """
    kind = psycopg.Connection[tuple[object, ...]]
    with connected(url, kind) as first, connected(url, kind) as second:
        pids = {connection.execute("SELECT pg_backend_pid()").fetchone() for connection in (first, second)}
    if len(pids) == 1:
        raise NotAForemanDatabase(
            f"{shown(url)} is behind a pooler that shares sessions between transactions: use its session mode, or "
            "connect to PostgreSQL itself, because Foreman has a pool of its own"
        )


@contextmanager
def connected(url: str, kind: type[Connection], refused: str = _MAY_CREATE) -> Iterator[Connection]:
    """A connection to a server and a database that can be used. Errors are one line and have no password.

    From then on `clock.now_ms` is the server's time.

    :param kind: its class
    :param refused: what to do when the role lacks a right
    :raises NotAForemanDatabase: when there is none, and when a statement in the block fails
    """
    name = shown(url)
    _refuse_unreadable(url, name)
    try:
        connection = kind.connect(
            url, autocommit=True, connect_timeout=_PATIENCE, application_name="foreman", client_encoding="utf8"
        )
    except psycopg.Error as error:
        raise NotAForemanDatabase(
            f"{name} cannot be reached: {line_of(error)}; are the name of the database, its server and the role right?"
        ) from None
    try:
        with connection:
            configure(connection, OF_COMMANDS)
            refuse_server(connection, name)
            follow_clock(connection)
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotAForemanDatabase(f"{name}: {line_of(error)}: {refused}; it has not been changed") from None
    except psycopg.Error as error:
        raise NotAForemanDatabase(f"{name}: {line_of(error)}; it has not been changed") from None


def refuse_server(connection: "psycopg.Connection[tuple[object, ...]]", name: str) -> None:
    """Check that a server and the settings of its database are of a kind that is supported.

    :raises NotAForemanDatabase: when they are not
    """
    version = connection.info.server_version // 10_000
    if version < OLDEST:
        raise NotAForemanDatabase(f"{name} is on PostgreSQL {version}; Foreman needs version {OLDEST} or newer")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise NotAForemanDatabase(
            f"{name} has the encoding {encoding}: create one with UTF8 (createdb -T template0 -E UTF8); it has not "
            "been changed"
        )
    if connection.execute("SELECT current_schema()").fetchone() == (None,):
        raise NotAForemanDatabase(
            f"{name}: no schema of the search_path exists, or its role has no USAGE on it; it has not been changed"
        )


def follow_clock(connection: "psycopg.Connection[Any]") -> None:
    """Let `clock.now_ms` follow the server's clock, as exactly as one round trip tells."""
    before = clock.own_ms()
    (servers,) = connection.execute(
        "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS double precision)"
    ).fetchone() or (before,)
    after = clock.own_ms()
    clock.follow(float(servers) - (before + after) / 2, (after - before) / 2 + 1)


def line_of(error: psycopg.Error) -> str:
    """What went wrong, in one line: a connection is tried at each address of the host, which says the same again."""
    said = error.diag.message_primary or next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return re.sub(r"^connection failed: ", "", said.strip())


def _refuse_unreadable(url: str, name: str) -> None:
    """Check that the library can read a URL and knows its options. Its own message might show a password.

    :raises NotAForemanDatabase: when it does not
    """
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise NotAForemanDatabase(
            f"{name}: its URL has an option after the ? that PostgreSQL does not know, or %00: see "
            "https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS"
        ) from None
