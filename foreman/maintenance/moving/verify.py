"""Verification of a copy: every table is read at both ends, and its checksums are compared."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import zip_longest
from typing import NamedTuple

from foreman.db.values import Row
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving.ends import MovingFailed, Readable
from foreman.maintenance.moving.tables import Table, canonical

# Rows between two looks at whether to stop.
_ROWS = 1_000


class Verified(NamedTuple):
    """A table that is the same at both ends.

    :ivar checksum: SHA-256 of the canonical form of all rows, in the order of the primary key
    """

    table: str
    rows: int
    checksum: str


def verified(
    table: Table, source: Readable, target: Readable, stopping: threading.Event, progress: Callable[[int], object]
) -> Verified:
    """Compare a table at both ends, row by row and by checksum.

    :param progress: called now and then with how many rows have been read
    :raises MovingFailed: when they differ, with both checksums and the first row that does
    :raises Stopped: when `stopping` was set
    """
    ours, theirs, differs, rows = hashlib.sha256(), hashlib.sha256(), "", [0, 0]
    with closing(source.rows(table)) as at_source, closing(target.rows(table)) as at_target:
        for number, pair in enumerate(_pairs(at_source, at_target)):
            forms = [b"" if row is None else canonical(row) for row in pair]
            ours.update(forms[0])
            theirs.update(forms[1])
            for end, row in enumerate(pair):
                rows[end] += row is not None
            if not differs and forms[0] != forms[1]:
                differs = next(table.called(row) for row in pair if row is not None)
            if number % _ROWS == 0:
                progress(number)
                if stopping.is_set():
                    raise Stopped
    if differs or ours.digest() != theirs.digest():
        raise MovingFailed(
            f"the table {table.name} is not the same: {source.name} has {rows[0]} rows with the checksum "
            f"{ours.hexdigest()}, {target.name} {rows[1]} with {theirs.hexdigest()}; the first that "
            f"differs is {differs}"
        )
    return Verified(table.name, rows[0], ours.hexdigest())


def _pairs(at_source: Iterator[Row], at_target: Iterator[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    return zip_longest(at_source, at_target)
