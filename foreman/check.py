"""Whether a database is sound: all of `invariants.py`, in one view of the file."""

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from foreman.database_file import APPLICATION_ID, SCHEMA_VERSION, NotAForemanDatabase, refuse_missing, refuse_newer
from foreman.fields import MOST_TAGS
from foreman.invariants import INTEGRITY, RULES, Rule
from foreman.opaque import as_list
from foreman.schema_history import definition, schema_of
from foreman.schemas import ENDED, RUN_STATUSES, TASK_STATUSES

# What SQLite says of a file or a schema that is damaged; other errors, such as a lock, are not the database's fault.
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def check(path: Path) -> list[str]:
    """Every violation of an invariant in a database file, as a line; none when it is sound.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises sqlite3.Error: when the file cannot be read
    """
    with snapshot(path) as connection:
        return list(violations(connection))


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """One unchanging view of a database file, whatever a server writes to it meanwhile. The file is never changed.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises sqlite3.Error: when the file cannot be read
    """
    refuse_missing(path)
    with closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as connection:
        connection.text_factory = _text
        connection.execute("PRAGMA query_only = ON")
        # SQLite checks these only in files that it may write to, and does not name the row: there are rules for them.
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("BEGIN")
        _refuse_others(connection, path)
        yield connection


def violations(connection: sqlite3.Connection, rules: Sequence[Rule] = (INTEGRITY, *RULES)) -> Iterator[str]:
    """Lines that say which invariant is broken by which row: `name: what is wrong: org_id='acme' id='...'`.

    A database of an earlier version has to be what its version was.

    :param connection: a view of the whole database, such as `snapshot` gives
    :raises sqlite3.Error: when the file cannot be read for another reason than damage
    """
    version = _version(connection)
    values = {
        "schema": json.dumps(schema_of(version)),
        "uuid": "-".join("[0-9a-f]" * digits for digits in (8, 4, 4, 4, 12)),
        "run_statuses": as_list(RUN_STATUSES),
        "task_statuses": as_list(TASK_STATUSES),
        "ended": as_list(ENDED),
        "most_tags": MOST_TAGS,
    }
    connection.create_function("definition", 1, definition, deterministic=True)
    unchecked = defaultdict(list)
    for rule in rules:
        if rule.since > version:
            continue
        try:
            for found in _integrity(connection) if rule is INTEGRITY else _rows(connection, rule.sql, values):
                yield f"{rule.name}: {rule.wrong}: {found}"
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGE:
                raise
            unchecked[str(error)].append(rule.name)
    for message, names in unchecked.items():
        yield f"unchecked: {message!r} keeps from checking: {', '.join(names)}"


def contents(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """How many runs, tasks and entries of run data there are."""
    runs, tasks, entries = connection.execute(
        "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM task), (SELECT count(*) FROM run_data)"
    ).fetchone()
    return runs, tasks, entries


def _uri(path: Path) -> str:
    """How to open the file so that neither it nor what lies beside it is another one afterwards."""
    file = path.resolve()  # SQLite keeps a log beside the file that a link leads to
    if any(file.with_name(file.name + ending).exists() for ending in ("-wal", "-journal")):
        mode = "mode=ro"  # a server has it open, or has left it in a crash: its log stays as it is
    elif os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        mode = "mode=rw"  # SQLite makes a log, and takes it away again
    else:
        mode = "immutable=1"  # SQLite could not take it away, or not even make it
    return f"{file.as_uri()}?{mode}"


def _refuse_others(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise NotAForemanDatabase.at(path) from None
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return  # a violation
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise sqlite3.OperationalError(
                "a change was cut off, such as an upgrade; the next start of the server, or `migrate`, undoes it first"
            ) from None
        raise
    if application_id != APPLICATION_ID:
        raise NotAForemanDatabase.at(path)
    refuse_newer(path, version)


def _integrity(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds. One finding may have several lines."""
    try:
        found = connection.execute(INTEGRITY.sql).fetchall()
    except sqlite3.DatabaseError:
        # Some damage ends the statement, and sqlite3 then drops the row that it has read last, which is often the only
        # one. A statement that ends at its first finding does not come as far as that.
        found = connection.execute(f"{INTEGRITY.sql}(1)").fetchall()
    lines = [line for (text,) in found for line in text.splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("*** in database ")]


def _rows(connection: sqlite3.Connection, sql: str, values: dict[str, Any]) -> Iterator[str]:
    rows = connection.execute(sql, values)
    columns = [column for column, *_ in rows.description]
    for row in rows:
        yield " ".join(f"{column}={value!r}" for column, value in zip(columns, row, strict=True))


def _version(connection: sqlite3.Connection) -> int:
    """The version that the database has to be like: this program's when it does not say."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return SCHEMA_VERSION
    return version or SCHEMA_VERSION


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
