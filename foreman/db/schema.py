"""Schema versions: each file in migrations/ makes the next version of the one before, 0001 the first of all.

schema.sql is the newest version in full. A released file in migrations/ never changes. To change the schema after that:
run `python -m tests.db.schemas.record`, so that the tests have a database of the version until then; change schema.sql;
and write the next file, whose first line is its title. Columns are added at the end of a table.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

from foreman import __version__
from foreman.clock import now_ms

_DIRECTORY = Path(__file__).parent / "migrations"


class Migration(NamedTuple):
    """A migration from one schema version to the next.

    :ivar version: the version that it leads to
    :ivar title: its first line
    """

    version: int
    title: str
    script: str

    def __str__(self) -> str:
        return f"{self.version:04}: {self.title}"


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations, in order."""
    return read_migrations(_DIRECTORY)


def read_migrations(directory: Path) -> tuple[Migration, ...]:
    """The migrations in a directory, in order."""
    found = []
    for file in sorted(directory.glob("[0-9]*_*.sql")):
        script = file.read_text(encoding="utf-8")
        found.append(Migration(int(file.name.partition("_")[0]), script.partition("\n")[0].lstrip("- "), script))
    return tuple(found)


def since(version: int) -> tuple[Migration, ...]:
    """The migrations that a database of this version lacks."""
    return tuple(migration for migration in migrations() if migration.version > version)


@cache
def schema_of(version: int) -> tuple[tuple[str, str, str], ...]:
    """Everything in the schema of this version: type, name and definition."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for migration in migrations():
            if migration.version <= version:
                connection.executescript(migration.script)
        return tuple(
            (type_, name, definition(sql))
            for type_, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")
        )


def definition(sql: str | None) -> str:
    """`sqlite_schema.sql` without comments and layout: the same whether the database was created or upgraded."""
    return re.sub(r" (?=[,)])", "", " ".join(re.sub(r"--.*", "", sql or "").split()))


def statements(script: str) -> Iterator[str]:
    """Split a script into its statements: `executescript` would commit an open transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def set_version(connection: sqlite3.Connection, version: int) -> None:
    """Record that the database has this version from now on, as part of the open transaction."""
    connection.execute(
        "INSERT INTO schema_migration (version, applied_at, foreman_version) VALUES (?, ?, ?)",
        (version, now_ms(), __version__),
    )
    connection.execute(f"PRAGMA user_version = {version:d}")
