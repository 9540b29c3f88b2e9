"""Idempotency keys are forgotten after a while: a background thread of the server deletes them, a few at a time."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foreman.clock import now_ms
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.maintenance.gentle_writes import ShortTurns, Stopped

log = logging.getLogger(__name__)

# Seconds between two sweeps.
EVERY = 60.0

# Keys that are deleted by one statement: each may have a response of 64 KB.
AT_ONCE = 20

# Seconds for which a server that is stopping waits for it.
ENDING = 5.0


@contextmanager
def swept(database: Database, age: int) -> Iterator[None]:
    """Forget keys in a background thread as long as the block lasts.

    :param age: those that are older, in milliseconds
    """
    stopping = threading.Event()
    thread = threading.Thread(target=_sweep, args=(database, age, stopping), name="idempotency", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(ENDING)


def _sweep(database: Database, age: int, stopping: threading.Event) -> None:
    """Forget whenever it is due. If several nodes serve the database, the one that leads does so."""
    failing = False
    while not stopping.wait(EVERY):
        try:
            if database.leads():
                forget(database, now_ms() - age, stopping)
            failing = False
        except Stopped:
            return
        except (*DatabaseError, MemoryError) as error:
            if not failing:
                log.warning("Old idempotency keys cannot be deleted at the moment: %s", error)
            failing = True


def forget(database: Database, before: int, stopping: threading.Event) -> int:
    """Delete the keys that were stored before a time, in short transactions, oldest first.

    :param before: milliseconds since 1970
    :return: how many were deleted
    :raises Stopped: when `stopping` was set before the end
    """
    forgotten = 0
    if not _is_any(database, before):
        return forgotten
    with ShortTurns(database, stopping, lambda: None) as turns:
        while True:
            deleted = turns.tx().run(
                """
                DELETE FROM idempotency_key
                WHERE seq IN (
                    SELECT seq
                    FROM (SELECT seq, created_at FROM idempotency_key ORDER BY seq LIMIT :limit) AS few
                    WHERE created_at < :before
                )
                """,
                before=before, limit=AT_ONCE,
            )  # fmt: skip
            forgotten += deleted
            if deleted < AT_ONCE:
                break
        turns.end()
    return forgotten


def _is_any(database: Database, before: int) -> bool:
    """Whether the oldest key is old: an idle server writes nothing."""
    row = database.one("SELECT created_at FROM idempotency_key ORDER BY seq LIMIT 1")
    return row is not None and row[0] < before
