"""Retention: a background thread of the server deletes old runs once a day."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foreman.db.failures import DatabaseError
from foreman.db.sqlite import Database
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.prune import old, prune

log = logging.getLogger(__name__)

# Seconds from the start of the server to the first prune, and from the end of each to the next.
FIRST, DAY = 600.0, 86_400.0


@contextmanager
def daily(database: Database, age: int | None) -> Iterator[None]:
    """Prune once a day, in a background thread, as long as the block lasts.

    :param age: delete runs that ended longer ago than this, in milliseconds; None deletes nothing
    """
    if age is None:
        yield
        return
    stopping = threading.Event()
    thread = threading.Thread(target=_prune_daily, args=(database, age, stopping), name="retention")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def _prune_daily(database: Database, age: int, stopping: threading.Event) -> None:
    wait = FIRST
    while not stopping.wait(wait):
        wait = DAY
        try:
            pruned = prune(database, old(age), stopping)
            log.info("Retention: deleted %s, freed %d bytes", pruned, pruned.bytes_given_back)
        except Stopped:
            return
        except (DatabaseError, MemoryError):
            log.exception("Retention has failed; the next attempt is in a day")
