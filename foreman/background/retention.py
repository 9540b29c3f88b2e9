"""Retention: the server deletes old runs by itself, once a day."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foreman.db.failures import DatabaseError
from foreman.db.sqlite import Database
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.prune import old, prune

log = logging.getLogger(__name__)

# Seconds from the start of the server to the first time, and from each end to the next time.
FIRST, DAY = 600.0, 86_400.0


@contextmanager
def daily(database: Database, age: int | None) -> Iterator[None]:
    """Prune once a day, in a thread of its own, as long as the block lasts.

    :param age: of the runs to delete, in milliseconds; None: nothing is done
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
            log.info("Retention: deleted %s, gave back %d bytes", pruned, pruned.bytes_given_back)
        except Stopped:
            return
        except (DatabaseError, MemoryError):
            log.exception("Retention has failed; it will be tried again in a day")
