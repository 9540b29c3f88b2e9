"""Retention: a background thread of the server deletes old runs once a day."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from foreman.background.beside import beside
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.prune import old, prune

log = logging.getLogger(__name__)

# Seconds from the start of the server to the first prune, from the end of each to the next, and from a failure to it.
FIRST, DAY, HOUR = 600.0, 86_400.0, 3600.0

# Seconds for which a server that is stopping waits for it: on PostgreSQL a commit may hang for ever. On SQLite closing
# the file waits for its transaction.
ENDING = 5.0

# Seconds between two looks at whether this node leads.
LOOK_EVERY = 5.0


@contextmanager
def daily(database: Database, age: int | None) -> Iterator[None]:
    """Prune once a day, in a background thread, as long as the block lasts.

    :param age: delete runs that ended longer ago than this, in milliseconds; None deletes nothing
    """
    if age is None:
        yield
        return
    with beside(partial(_prune_daily, database, age), "retention", ENDING, _warn):
        yield


def _warn() -> None:
    log.warning("Retention is still busy, and is not waited for any longer")


def _prune_daily(database: Database, age: int, stopping: threading.Event) -> None:
    """Prune whenever it is due. If several nodes serve the database, the one that leads does so."""
    due = time.monotonic() + FIRST
    while not stopping.wait(max(0, min(LOOK_EVERY, due - time.monotonic()))):
        if not database.leads():  # whoever begins to lead knows nothing of what others have done
            due = time.monotonic() + FIRST
        if time.monotonic() < due:
            continue
        wait = DAY
        try:
            pruned = prune(database, old(age), stopping, lambda _: _go_on(database))
            log.info("Retention: deleted %s, freed %d bytes", pruned, pruned.bytes_given_back)
        except Stopped:
            continue
        except (*DatabaseError, MemoryError):
            log.exception("Retention has failed; the next attempt is in an hour")
            wait = HOUR
        due = time.monotonic() + wait


def _go_on(database: Database) -> None:
    """Check that this node still leads.

    :raises Stopped: when another one may by now
    """
    if not database.leads():
        raise Stopped
