"""Idempotency keys are forgotten after a while: a background thread of the server deletes them, a few at a time."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from foreman.background.beside import beside
from foreman.clock import now_ms
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.maintenance.gentle_writes import ShortTurns, Stopped

log = logging.getLogger(__name__)

# Seconds between two sweeps.
EVERY = 60.0

# Keys that are deleted by one statement: each may have a response of 64 KB.
AT_ONCE = 20

# Keys whose time is looked at by one statement, after the clock was set back.
_DATED_AT_ONCE = 200

# Seconds for which a server that is stopping waits for it.
ENDING = 5.0


@contextmanager
def swept(database: Database, age: int) -> Iterator[None]:
    """Forget keys in a background thread as long as the block lasts.

    :param age: those that are older, in milliseconds
    """
    with beside(partial(_sweep, database, age), "idempotency", ENDING):
        yield


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
    oldest = database.one("SELECT seq, created_at FROM idempotency_key ORDER BY seq LIMIT 1")
    if oldest is None or before <= oldest[1] <= now_ms():  # an idle server writes nothing
        return forgotten
    with ShortTurns(database, stopping, lambda: None) as turns:
        if oldest[1] > now_ms():
            _date_back(turns, oldest[0])
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


def _date_back(turns: ShortTurns, first: int) -> None:
    """Let keys from before the clock was set back count from now on, or those behind them would be kept as long.

    :param first: the seq of the oldest key
    """
    while turns.tx().run(
        """
        UPDATE idempotency_key SET created_at = :now
        WHERE seq >= :first AND seq < :first + :step AND coalesce(created_at > :now, FALSE)
        """,
        first=first, step=_DATED_AT_ONCE, now=now_ms(),
    ):  # fmt: skip
        first += _DATED_AT_ONCE
    turns.end()
