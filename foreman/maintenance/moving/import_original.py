"""Importing a database of the TypeScript original: its rows are mended, numbered in order of time, and counted anew."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from foreman.db.values import Row
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving.derive import PARTS
from foreman.maintenance.moving.ends import MovingFailed, Origin, Original, Target
from foreman.maintenance.moving.mending import Found, Mender
from foreman.maintenance.moving.tables import API_KEY, ROWS, RUN, RUN_DATA, TABLES, TASK, Table
from foreman.maintenance.moving.writing import write
from foreman.maintenance.progress import NOBODY, Progress

# The parts of the time that an import takes: writing rows, then what follows from them; the rest is for indexes.
_WRITTEN, _DERIVED = 0.7, 0.85

# Rows between two looks at whether to stop, when nothing is written.
_ROWS = 1_000

# What the original does not have of runs and tasks.
_UNKNOWN: Found = {"external_id": None, "tags": None, "strict": 0}

Tell = Callable[[str], object]


@dataclass
class Imported:
    """How much was imported, or would be.

    :ivar mended: how many things were wrong and are mended
    :ivar left_out: how many rows cannot be imported
    """

    runs: int = 0
    tasks: int = 0
    entries: int = 0
    mended: int = 0
    left_out: int = 0

    def __str__(self) -> str:
        rows = f"{self.runs} runs, {self.tasks} tasks, {self.entries} entries"
        return f"{rows}; {self.mended} faults mended, {self.left_out} rows left out"


class _Rows:
    """The rows of an original as they are stored here."""

    def __init__(self, source: Original) -> None:
        self._source = source
        self._organisations = source.organisations()
        self._order = source.task_order()
        self._told: set[Table] = set()
        self.renamed = [(there, here) for there, here in sorted(self._organisations.items()) if there != here]

    def of(self, table: Table, mender: Mender) -> Generator[Row, None, None]:
        """The rows of a table, mended."""
        found: Iterator[Found]
        if table is RUN:
            found = (row for row in self._source.runs() if mender.run(row))
        elif table is TASK:
            found = self._tasks(mender)
        else:
            found = (row for row in self._source.entries() if mender.entry(row))
        for row in found:
            complete = _UNKNOWN | row
            yield tuple(complete[column] for column in table.columns)

    def read(self, table: Table, mender: Mender, after: Row | None) -> Generator[Row, None, None]:
        """The same from the one after this key on. When it is called again, nothing is told twice."""
        told, passed = table in self._told, after is None
        self._told.add(table)
        for row in self.of(table, self.mender() if told else mender):
            if passed:
                yield row
            elif table.key_of(row) == after:
                passed = True

    def mender(self, tell: Tell = lambda _: None) -> Mender:
        """A mender that knows the organisations."""
        return Mender(self._organisations, tell)

    def _tasks(self, mender: Mender) -> Iterator[Found]:
        for row in self._source.tasks():
            number = row["seq"]
            row["seq"] = self._order.place(number)
            if mender.task(row, descends=number in self._order.cut):
                yield row


def survey(source: Original, tell: Tell, stopping: threading.Event, progress: Progress = NOBODY) -> Imported:
    """Read everything as `import_original` does, and tell what would be mended. Nothing is written.

    :param tell: called with a line for each fault
    :raises MovingFailed: when it cannot be read or imported
    :raises Stopped: when `stopping` was set
    """
    progress.doing("Reading")
    rows = _Rows(source)
    mender, imported, way = rows.mender(tell), Imported(), _Way(source, progress)
    _tell_renamed(rows, imported, tell)
    for table in ROWS:
        number = 0
        for number, _ in enumerate(rows.of(table, mender), 1):
            if number % _ROWS == 0:
                way.go_on(_ROWS)
                if stopping.is_set():
                    raise Stopped
        _count(imported, table, number)
    imported.mended += mender.mended
    imported.left_out = mender.left_out
    return imported


def import_original(
    source: Original, target: Target, tell: Tell, stopping: threading.Event, progress: Progress = NOBODY
) -> Imported:
    """Import everything into a database that has no rows but keys.

    Until the end the target is no database that a server would open. If the import is stopped or killed before, the
    next one begins anew.

    :param tell: called with a line for each fault that is mended, and each row that is left out
    :raises MovingFailed: when that cannot be done
    :raises Stopped: when `stopping` was set before the end
    """
    progress.doing("Reading")
    rows = _Rows(source)
    target.begin(Origin("import", source.name, source.name, ""))
    target.clear(table for table in TABLES if table is not API_KEY)
    progress.doing("Importing")
    mender, imported = rows.mender(tell), Imported()
    way = _Way(source, progress.stretch(0, _WRITTEN))
    _tell_renamed(rows, imported, tell)
    for table in ROWS:
        number = write(target, table, partial(rows.read, table, mender), None, stopping, way.go_on)
        if target.count(table) != number:
            raise MovingFailed(f"{target.name} has other rows than were written to {table.name}: {target.remedy}")
        _count(imported, table, number)
    with closing(target.derive(PARTS)) as filled:
        for done, _ in enumerate(filled, 1):
            progress.at(_WRITTEN + done / len(PARTS) * (_DERIVED - _WRITTEN))
            _look_at(stopping)
    progress.doing("Indexing")
    with closing(target.complete()) as steps:
        for part in steps:
            progress.at(_DERIVED + part * (1 - _DERIVED))
            _look_at(stopping)
    progress.beyond_return()
    target.finish()
    imported.mended += mender.mended
    imported.left_out = mender.left_out
    return imported


class _Way:
    """Progress in rows."""

    def __init__(self, source: Original, progress: Progress) -> None:
        self._progress, self._done = progress, 0
        self._every = max(1, sum(source.count(table.name) for table in ROWS)) if progress is not NOBODY else 1

    def go_on(self, rows: int) -> None:
        """Note that so many more rows are done."""
        self._done += rows
        self._progress.at(self._done / self._every)


def _tell_renamed(rows: _Rows, imported: Imported, tell: Tell) -> None:
    for there, here in rows.renamed:
        imported.mended += 1
        tell(f"organisation {there!r}: no key can name it: it becomes {here!r}")


def _count(imported: Imported, table: Table, number: int) -> None:
    setattr(imported, {RUN: "runs", TASK: "tasks", RUN_DATA: "entries"}[table], number)


def _look_at(stopping: threading.Event) -> None:
    if stopping.is_set():
        raise Stopped
