"""The `check` of a database file: verifies every invariant in one snapshot of it."""

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from foreman.db.file import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    UNFINISHED_ID,
    NotAForemanDatabase,
    UnfinishedCopy,
    refuse_earlier,
    refuse_missing,
    refuse_newer,
)
from foreman.db.schema import definition, schema_of
from foreman.db.transactions import Transaction
from foreman.maintenance.invariants import RULES
from foreman.maintenance.invariants.file import INTEGRITY, MOST_FINDINGS
from foreman.maintenance.invariants.rule import SQLITE, Rule, rules_for
from foreman.maintenance.progress import NOBODY, Progress, attentive
from foreman.maintenance.violations import VALUES, Violation, Way, as_text, contents_in, found
from foreman.stop_signals import undisturbed

# SQLite's result codes for a damaged file or schema. Other errors, such as a lock, are not the database's fault.
_DAMAGE = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# The tables that may have many rows; those until schema version 3, too.
_TABLES = ("run", "task", "run_task_count", "run_data", "run_data_count", "run_data_tag", "run_data_latest")
_TABLES_UNTIL_3 = ("run_tally", "task_count")


def check(path: Path) -> list[str]:
    """Every violation in a database file, one line each; none if it is sound.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises sqlite3.Error: when the file cannot be read
    """
    with snapshot(path) as connection:
        return [str(violation) for violation in violations(connection)]


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A snapshot of a database file, whatever a server writes to it meanwhile. The file is never changed.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises PermissionError: when the file may not be read
    :raises sqlite3.Error: when it cannot be read
    """
    refuse_missing(path)
    if not os.access(path, os.R_OK):  # SQLite would not say why it cannot open it
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    with closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as connection:
        connection.text_factory = _text
        connection.execute("PRAGMA query_only = ON")
        # SQLite verifies CHECKs only in files that it may write to, and does not name the row. So there are rules for
        # them.
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("BEGIN")
        _refuse_others(connection, path)
        yield connection


@contextmanager
def reading(path: Path) -> Iterator[Transaction]:
    """A `snapshot` of a database of this version, as a `Transaction`. It works on a read-only file, too.

    :raises NotAForemanDatabase, EarlierVersion, PermissionError, sqlite3.Error: as `snapshot`, and when the file has to
        be upgraded first
    """
    with snapshot(path) as connection:
        refuse_earlier(path, connection.execute("PRAGMA user_version").fetchone()[0])
        yield Transaction(connection)


def violations(
    connection: sqlite3.Connection, rules: Sequence[Rule] = (INTEGRITY, *RULES), progress: Progress = NOBODY
) -> Iterator[Violation]:
    """Find the violations, rule by rule. Signals are handled meanwhile.

    A database of an earlier version is checked against that version.

    :param connection: a snapshot of the database, as from `snapshot`
    :raises sqlite3.Error: when the file cannot be read for a reason other than damage
    """
    version = _version(connection)
    values = {**VALUES, "schema": json.dumps(schema_of(version))}
    connection.create_function("definition", 1, definition, deterministic=True)
    chosen = rules_for(SQLITE, version, rules)
    way = Way(chosen, {} if progress is NOBODY else _rows_to_read(connection), progress)
    with attentive(connection, way.go_on):
        yield from found(way.rules(), lambda rule: _found(connection, rule, values), _is_damage)


def all_violations(connection: sqlite3.Connection, progress: Progress) -> Iterator[Violation]:
    """Find the violations of every rule; see `violations`."""
    return violations(connection, progress=progress)


def contents(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """The number of runs, tasks and entries of run data."""
    return contents_in(Transaction(connection))


def _rows_to_read(connection: sqlite3.Connection) -> dict[str, int]:
    """The rows of each table; and for SQLite's own checks, how many rows take as long to read, as measured."""
    rows = {}
    for table in (*_TABLES, *_TABLES_UNTIL_3):
        with suppress(sqlite3.DatabaseError):  # the rules report damage
            (rows[table],) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    everything = sum(rows.values())
    return {**rows, "integrity_check": 3 * everything, "pragma_foreign_key_check": everything // 3}


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def _uri(path: Path) -> str:
    """The URI that opens the file so that neither it nor what lies beside it is changed afterwards."""
    file = path.resolve()  # SQLite keeps the log beside the file that a link leads to
    if any(file.with_name(file.name + ending).exists() for ending in ("-wal", "-journal")):
        mode = "mode=ro"  # a server has it open, or crashed: its log stays as it is
    elif os.access(file, os.W_OK) and os.access(file.parent, os.W_OK):
        mode = "mode=rw"  # SQLite creates a log, and removes it again
    else:
        mode = "immutable=1"  # SQLite could not remove a log, or not even create one
    return f"{file.as_uri()}?{mode}"


def _refuse_others(connection: sqlite3.Connection, path: Path) -> None:
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise NotAForemanDatabase.at(path) from None
        if error.sqlite_errorcode == sqlite3.SQLITE_CORRUPT:
            return  # reported as a violation
        if error.sqlite_errorcode == sqlite3.SQLITE_READONLY_ROLLBACK:
            raise sqlite3.OperationalError(
                "a change, such as an upgrade, was interrupted: `migrate`, or the server at its start, rolls it back"
            ) from None
        raise
    if application_id == UNFINISHED_ID:
        raise UnfinishedCopy.called(path)
    if application_id != APPLICATION_ID:
        raise NotAForemanDatabase.at(path)
    refuse_newer(path, version)


def _integrity(connection: sqlite3.Connection) -> list[str]:
    """The findings of SQLite's integrity check, as lines. One finding may have several."""
    try:
        found = connection.execute(f"{INTEGRITY.sql}({MOST_FINDINGS})").fetchall()
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        # Some damage aborts the statement. sqlite3 then drops the row read last, which is often the only one. A
        # statement that stops at its first finding does not get as far as that.
        found = connection.execute(f"{INTEGRITY.sql}(1)").fetchall()
    lines = [line for (text,) in found for line in text.splitlines()]
    return [line for line in lines if line != "ok" and not line.startswith("*** in database ")]


def _found(connection: sqlite3.Connection, rule: Rule, values: dict[str, Any]) -> Iterable[str]:
    if rule is INTEGRITY:
        return _integrity(connection)
    if "definition(" in rule.sql:  # a Python function
        with undisturbed():
            return list(_rows(connection, rule.sql, values))
    return _rows(connection, rule.sql, values)


def _rows(connection: sqlite3.Connection, sql: str, values: dict[str, Any]) -> Iterator[str]:
    rows = connection.execute(sql, values)
    columns = [column for column, *_ in rows.description]
    return (as_text(columns, row) for row in rows)


def _version(connection: sqlite3.Connection) -> int:
    """The schema version to check against: this program's if the database does not say."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.DatabaseError:
        return SCHEMA_VERSION
    return version or SCHEMA_VERSION


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
