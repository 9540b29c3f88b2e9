"""Writing many rows: in batches of limited size, and with the name of a row that is refused."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from itertools import islice

from foreman.db.values import Row
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving.ends import MovingFailed, Refused, Target
from foreman.maintenance.moving.tables import Table, size

# The most rows and bytes of one transaction. A row may be larger by itself.
ROWS, BYTES = 10_000, 32_000_000

# Reads rows again from the one after this key on.
ReadFrom = Callable[[Row | None], Generator[Row, None, None]]


class _Batch(Iterator[Row]):
    """The rows of one transaction.

    :ivar number: how many there were so far
    :ivar last: the last of them
    """

    def __init__(self, first: Row, rows: Iterator[Row]) -> None:
        self._next: Row | None = first
        self._rows, self._bytes = rows, 0
        self.number, self.last = 0, first

    def __next__(self) -> Row:
        row = self._next
        self._next = None
        if row is None:
            if self.number >= ROWS or self._bytes >= BYTES:
                raise StopIteration
            row = next(self._rows)
        self.number += 1
        self._bytes += size(row)
        self.last = row
        return row


def write(
    target: Target,
    table: Table,
    read_from: ReadFrom,
    after: Row | None,
    stopping: threading.Event,
    progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Write rows, batch by batch, and return how many.

    :param read_from: where they come from, in the order of the primary key; called again if a row is refused
    :param after: the key of the last row that is there already
    :param progress: called after each batch with how many rows it had
    :raises MovingFailed: when a row is refused, with its id
    :raises Stopped: between two batches, when `stopping` was set
    """
    written = 0
    with closing(read_from(after)) as rows:
        for first in rows:
            if stopping.is_set():
                raise Stopped
            batch = _Batch(first, rows)
            try:
                target.write(table, batch)
            except Refused as error:
                refused = str(error)
                break
            after = table.key_of(batch.last)
            written += batch.number
            progress(batch.number)
        else:
            return written
    with closing(read_from(after)) as rows:
        found = target.refused(table, islice(rows, batch.number))
    if found is None:
        raise MovingFailed(f"{target.name} refuses rows of {table.name}: {refused}")
    row, why = found
    raise MovingFailed(f"{table.called(row)} cannot be stored in {target.name}: {why}")
