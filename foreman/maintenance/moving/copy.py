"""Copying a database, row by row, to another place or engine, and verifying the copy."""

import threading
from contextlib import closing
from functools import partial

from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving.ends import MovingFailed, Origin, Source, Target, changed
from foreman.maintenance.moving.tables import TABLES
from foreman.maintenance.moving.verify import Verified, verified
from foreman.maintenance.moving.writing import write
from foreman.maintenance.progress import NOBODY, Progress

# The parts of the time that a copy takes, as measured: writing rows, creating indexes, and verifying.
_WRITTEN, _COMPLETE = 0.5, 0.65


def copy(source: Source, target: Target, stopping: threading.Event, progress: Progress = NOBODY) -> list[Verified]:
    """Copy everything: keys, runs, tasks and entries, and what follows from them, with every value as it is.

    Until the end the target is no database that a server would open. If the copy is stopped or killed before, the next
    call goes on from there.

    :return: each table, verified to be the same at both ends
    :raises MovingFailed: when that cannot be done, or the source has changed meanwhile
    :raises Stopped: when `stopping` was set before the end; what has been copied is committed
    """
    origin = Origin("copy", source.name, source.identity(), source.signs())
    target.begin(origin)
    number = {table: source.count(table) for table in TABLES}
    every = max(1, sum(number.values()))

    progress.doing("Copying")
    _write_all(source, target, stopping, progress.stretch(0, _WRITTEN), every)
    progress.doing("Indexing")
    with closing(target.complete()) as steps:
        for part in steps:
            progress.at(_WRITTEN + part * (_COMPLETE - _WRITTEN))
            if stopping.is_set():
                raise Stopped

    progress.doing("Verifying")
    of_end, tables, read = progress.stretch(_COMPLETE, 1), [], 0
    for table in TABLES:
        tables.append(verified(table, source, target, stopping, partial(_at, of_end, every, read)))
        read += number[table]
    source.renew()
    if source.signs() != origin.signs:
        raise MovingFailed(changed(source.name, target.name, target.remedy))
    progress.beyond_return()
    target.finish()
    return tables


def _write_all(source: Source, target: Target, stopping: threading.Event, progress: Progress, every: int) -> None:
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        progress.at(done / every)

    for table in TABLES:
        if stopping.is_set():
            raise Stopped
        if table.is_counts:
            target.clear([table])
        count(0 if table.is_counts else target.count(table))
        after = None if table.is_counts else target.last(table)
        write(target, table, partial(source.rows, table), after, stopping, count)


def _at(progress: Progress, every: int, before: int, rows: int) -> None:
    progress.at((before + rows) / every)
