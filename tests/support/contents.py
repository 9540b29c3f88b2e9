"""What is in a database, as somebody else sees it: over a connection of its own, on either engine.

A location is what the settings call the database: the path of a file, or a URL.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from foreman.config import is_postgres
from foreman.maintenance.opening import checking
from foreman.maintenance.progress import NOBODY
from tests.support.counting import Rows, Select
from tests.support.statuses import TASK_STATUSES
from tests.support.waiting import until

# On PostgreSQL `_BEHIND` is what the views of counts add up: the same counts may stand there in several ways.
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"
_RELATIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
)
_BEHIND = re.compile(r".*_(change|total)|count_fold|change_to_read")
_IS_TABLE = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"


@contextmanager
def looking(location: str | Path) -> Iterator[Select]:
    """What runs a SELECT, always in the same snapshot."""
    if not is_postgres(str(location)):
        with closing(sqlite3.connect(location, isolation_level=None)) as file:
            file.execute("BEGIN")
            yield lambda sql: file.execute(sql).fetchall()
        return
    with psycopg.connect(str(location)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        yield lambda sql: connection.execute(sql.encode()).fetchall()


def change(location: str | Path, sql: str) -> None:
    """Run a statement that changes the rows or the schema."""
    if is_postgres(str(location)):
        with psycopg.connect(str(location), autocommit=True) as connection:
            connection.execute(sql.encode())
        return
    with closing(sqlite3.connect(location, isolation_level=None)) as file:
        file.execute(sql)


def rows(location: str | Path) -> Rows:
    """Every row of every table, with the table's name; a count of nothing is none."""
    with looking(location) as select:
        everything = {
            (table, *row) for table in _tables(location, select) for row in select(f'SELECT * FROM "{table}"')
        }
    return {row for row in everything if not row[0].endswith("_count") or _counts_something(row)}


def columns(location: str | Path) -> dict[str, list[str]]:
    """The names of the columns of every table of `rows`, in order."""
    with looking(location) as select:
        return {table: _columns(location, table, select) for table in _tables(location, select)}


def _tables(location: str | Path, select: Select) -> list[str]:
    if is_postgres(str(location)):
        return [name for (name,) in select(_RELATIONS) if not _BEHIND.fullmatch(name)]
    return ["sqlite_schema", *(name for (name,) in select(_TABLES))]


def _columns(location: str | Path, table: str, select: Select) -> list[str]:
    if not is_postgres(str(location)):
        return [name for (name,) in select(f"SELECT name FROM pragma_table_info('{table}')")]
    names = select(
        f"""
        SELECT attname FROM pg_attribute
        WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
        """
    )
    return [name for (name,) in names]


def everything_beside(location: str | Path) -> set[Any]:
    """The names of what is beside the rows: on SQLite of files, on PostgreSQL of what a schema or a server has."""
    if not is_postgres(str(location)):
        return {each.name for each in Path(location).parent.iterdir()}
    with looking(location) as select:
        return set(
            select(
                """
                SELECT 'database', datname FROM pg_database UNION ALL
                SELECT 'role', rolname FROM pg_roles UNION ALL
                SELECT 'schema', nspname FROM pg_namespace UNION ALL
                SELECT 'relation', relname FROM pg_class UNION ALL
                SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute UNION ALL
                SELECT 'function', proname FROM pg_proc UNION ALL
                SELECT 'constraint', conname || pg_get_constraintdef(oid) FROM pg_constraint UNION ALL
                SELECT 'trigger', tgname || CAST(tgenabled AS text) FROM pg_trigger
                """
            )
        )


def _counts_something(row: tuple[Any, ...]) -> bool:
    table, *values = row
    return any(values[-{"run_count": 1, "run_data_count": 2}.get(table, len(TASK_STATUSES)) :])


def text_of(location: str | Path) -> str:
    """Everything that is stored, as one text."""
    return "\n".join(map(str, rows(location)))


def stored_runs(location: str | Path) -> set[str]:
    """The ids of the runs that a process of its own would see now."""
    with looking(location) as select:
        return {run_id for (run_id,) in select("SELECT id FROM run")}


def numbers_of_rows(location: str | Path) -> dict[str, int]:
    """How many rows each table has."""
    with looking(location) as select:
        names = [name for (name,) in select(_IS_TABLE if is_postgres(str(location)) else _TABLES)]
        return {name: select(f'SELECT count(*) FROM "{name}"')[0][0] for name in names}


def fold_counts(location: str | Path) -> None:
    """On PostgreSQL let no change of counts be left that is not in the counts, as a server does by and by."""
    if not is_postgres(str(location)):
        return

    def is_folded() -> bool:
        with psycopg.connect(str(location), autocommit=True) as connection:
            connection.execute("SELECT fold_counts()")
        return not any(number for table, number in numbers_of_rows(location).items() if table.endswith("_change"))

    until(is_folded)


def size_of(location: str | Path) -> tuple[int, int, int]:
    """How many runs, tasks and entries there are."""
    with looking(location) as select:
        runs, tasks, entries = (select(f"SELECT count(*) FROM {table}")[0][0] for table in ("run", "task", "run_data"))
    return runs, tasks, entries


def violations_in(location: str | Path) -> list[str]:
    """What `check` finds wrong in the database; nothing if it is sound."""
    with checking(str(location)) as view:
        return [str(each) for each in view.violations(NOBODY)]
