"""Reading a database of the TypeScript original: rows in the order that they get here, in one read-only snapshot."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from foreman.config import shown
from foreman.db.postgres.connecting import OF_COMMANDS
from foreman.db.postgres.session import configure
from foreman.maintenance.moving.ends import MovingFailed
from foreman.maintenance.moving.mending import Found, organisation
from foreman.maintenance.moving.of_postgres import Connection, line, told
from foreman.maintenance.moving.parents import Order, order

_TIMES = ("created_at", "updated_at", "started_at", "completed_at")
_DOCUMENTS = ("input_data", "output_data", "error_data", "metadata")

# The columns that are read.
_COLUMNS = {
    "run": ("id", "org_id", "status", *_DOCUMENTS, *_TIMES),
    "task": (
        "id", "org_id", "run_id", "parent_task_id", "type", "status", *_DOCUMENTS, "retry_count", "max_retries",
        "queue_job_id", "queued_at", *_TIMES,
    ),
    "run_data": ("id", "org_id", "run_id", "task_id", "key", "value", "tags", "metadata", "created_at", "updated_at"),
}  # fmt: skip


def _finite(column: str) -> str:
    """A time, or NULL if it is none that Python knows."""
    return f"CASE WHEN {column} >= '0001-01-01Z' AND {column} < '10000-01-01Z' THEN {column}::timestamptz END"


def _ms(time: str) -> str:
    """Milliseconds since 1970, without the microseconds."""
    return f"round(extract(epoch FROM date_trunc('milliseconds', {time})) * 1000)::bigint"


def _when(table: str) -> str:
    """The time that rows are ordered by: that of creation, or the first other one that there is."""
    times = [f"{table}.{column}" for column in _TIMES if column in _COLUMNS[table]]
    return f"coalesce({', '.join(map(_finite, times))}, 'epoch')"


def _numbered(table: str, columns: str) -> str:
    """A SELECT of rows with their numbers in order of time, then of id."""
    return f"SELECT {columns}, row_number() OVER (ORDER BY {_when(table)}, {table}.id) AS number FROM {table}"


def _same(one: str, other: str) -> str:
    """Whether two rows have the same organisation."""
    return f"{one}.org_id::text = {other}.org_id::text"


def _selected(table: str) -> dict[str, str]:
    """What is read of each row, by the name that it has here."""
    read = {
        "seq": f"row_number() OVER (ORDER BY {_when(table)}, {table}.id)",
        "ordered_by": _ms(_when(table)),
    }
    for column in _COLUMNS[table]:
        name = f"{table}.{column}"
        if column == "tags":
            read[column] = f"array_to_json({name})::text"
        elif column.endswith("_at"):
            read[column] = _ms(f"({_finite(name)})")
        elif column.endswith(("_count", "_retries")):
            read[column] = f"{name}::bigint"
        else:
            read[column] = f"{name}::text"
    return read


_RUNS = f"({_numbered('run', 'id, org_id')}) AS of_run"

_TASKS = f"""
    task
    LEFT JOIN {_RUNS} ON of_run.id = task.run_id AND {_same("of_run", "task")}
    LEFT JOIN task AS parent
           ON parent.id = task.parent_task_id AND parent.run_id = task.run_id AND {_same("parent", "task")}
          AND parent.id <> task.id
"""

_ENTRIES = f"""
    run_data
    LEFT JOIN {_RUNS} ON of_run.id = run_data.run_id AND {_same("of_run", "run_data")}
    LEFT JOIN task AS own
           ON own.id = run_data.task_id AND own.run_id = run_data.run_id AND {_same("own", "run_data")}
    LEFT JOIN (
        SELECT DISTINCT ON (task.run_id) task.run_id, task.id
        FROM task
        JOIN run ON run.id = task.run_id AND {_same("run", "task")}
        ORDER BY task.run_id, {_when("task")}, task.id
    ) AS first ON first.run_id = run_data.run_id
"""

# Tasks whose parent comes after them, if any.
_PARENTS = f"""
    SELECT child.number, parent.number
    FROM ({_numbered("task", "id, org_id, run_id, parent_task_id")}) AS child
    JOIN ({_numbered("task", "id, org_id, run_id")}) AS parent
      ON parent.id = child.parent_task_id AND parent.run_id = child.run_id AND {_same("parent", "child")}
     AND parent.id <> child.id
"""

_NUMBERS = {"seq", "run_seq", "ordered_by", "retry_count", "max_retries", "queued_at", *_TIMES}


@contextmanager
def original_on_postgres(url: str) -> "Iterator[_Original]":
    """A snapshot of a database of the original; see `ends.open_original`."""
    name = shown(url)
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=5, application_name="foreman import", client_encoding="utf8"
        )
    except psycopg.Error as error:
        raise MovingFailed(f"{name} cannot be reached: {line(error)}") from None
    with told(name), connection:
        configure(connection, {**OF_COMMANDS, "timezone": "UTC"})
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        _refuse_others(connection, name)
        yield _Original(connection, name)


class _Original:
    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self.name = connection, name

    def count(self, table: str) -> int:
        """The number of rows."""
        with told(self.name):
            (number,) = self._connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() or (0,)
        return int(number)

    def organisations(self) -> dict[str, str]:
        """The organisations, each with the name that it has here.

        :raises MovingFailed: when two would have the same
        """
        query = " UNION ".join(f"SELECT org_id::text FROM {table} WHERE org_id IS NOT NULL" for table in _COLUMNS)
        with told(self.name):
            names = {name: organisation(name) for (name,) in self._connection.execute(query.encode())}
        taken: dict[str, str] = {}
        for name, here in sorted(names.items()):
            if taken.setdefault(here, name) != name:
                raise MovingFailed(
                    f"the organisations {taken[here]!r} and {name!r} would both become {here!r}, because names here "
                    "are a-z, 0-9 and -: rename one of them first"
                )
        return names

    def task_order(self) -> Order:
        """The order of tasks in which each comes after its parent."""
        with told(self.name):
            late = self._connection.execute(
                f"{_PARENTS} WHERE parent.number > child.number LIMIT 1".encode()
            ).fetchone()
            if late is None:
                return Order()
            with self._connection.cursor() as cursor:
                return order(self.count("task"), cursor.stream(_PARENTS.encode()))

    def runs(self) -> Generator[Found, None, None]:
        """The runs in order."""
        yield from self._rows(_selected("run"), "run")

    def tasks(self) -> Generator[Found, None, None]:
        """The tasks in order of time: `run_seq` is None without a run of the same organisation."""
        more = {"run_seq": "of_run.number", "parent_is_of_run": "CASE WHEN parent.id IS NOT NULL THEN 'yes' END"}
        yield from self._rows({**_selected("task"), **more}, _TASKS)

    def entries(self) -> Generator[Found, None, None]:
        """The entries in order: with `own_task` if that is of its run, and its run's `first_task` if it has any."""
        more = {"run_seq": "of_run.number", "own_task": "own.id::text", "first_task": "first.id::text"}
        yield from self._rows({**_selected("run_data"), **more}, _ENTRIES)

    def _rows(self, selected: dict[str, str], of: str) -> Generator[Found, None, None]:
        columns = ", ".join(f"{read} AS {name}" for name, read in selected.items())
        query = sql.SQL(f"COPY (SELECT {columns} FROM {of} ORDER BY seq) TO STDOUT")
        names = list(selected)
        with (
            told(self.name),
            self._connection.transaction(),  # a savepoint of the snapshot, for reading that ends early
            self._connection.cursor() as cursor,
            cursor.copy(query) as copy,
        ):
            copy.set_types(["int8" if name in _NUMBERS else "text" for name in names])
            for row in copy.rows():
                yield dict(zip(names, row, strict=True))


def _refuse_others(connection: Connection, name: str) -> None:
    """Check that a database has the original's tables.

    :raises MovingFailed: when it has not
    """
    found: dict[str, set[Any]] = {}
    for table, column in connection.execute(
        """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE to_regclass(quote_ident(table_name))::oid
            = to_regclass(quote_ident(table_schema) || '.' || quote_ident(table_name))::oid
        """
    ):
        found.setdefault(table, set()).add(column)
    if "schema_migration" in found and "run_data_latest" in found:
        raise MovingFailed(f"{name} is a database of this Foreman, not of the original: use `copy`")
    for table, columns in _COLUMNS.items():
        if table not in found:
            raise MovingFailed(f"{name} is not a database of the original: it has no table {table}")
        if missing := sorted(set(columns) - found[table]):
            raise MovingFailed(f"{name} is not a database of the original: {table} has no {', '.join(missing)}")
