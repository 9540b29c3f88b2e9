"""The last uses of API keys: a background thread of each server writes once a minute what was noted in memory."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from foreman.background.beside import beside
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.maintenance.gentle_writes import ShortTurns

log = logging.getLogger(__name__)

# Seconds between two writes.
EVERY = 60.0

# Seconds for which a server that is stopping waits for the last write.
ENDING = 5.0

Uses = list[tuple[str, int]]


class Notes(Protocol):
    """Where uses are noted: the ids of keys, each with the time of its last use in milliseconds since 1970."""

    def take(self) -> Uses:
        """All notes, which are forgotten there."""

    def put_back(self, uses: Uses) -> None:
        """Note again what was taken."""


@contextmanager
def written(database: Database, notes: Notes) -> Iterator[None]:
    """Write the notes once a minute, in a background thread, as long as the block lasts, and once more at its end."""
    with beside(partial(_write_now_and_then, database, notes), "last uses", ENDING, _warn):
        yield


def _warn() -> None:
    log.warning("The last uses of API keys are still being written, and are not waited for any longer")


def _write_now_and_then(database: Database, notes: Notes, stopping: threading.Event) -> None:
    while not stopping.wait(EVERY):
        write(database, notes)
    write(database, notes)


def write(database: Database, notes: Notes) -> None:
    """Write all notes, in short turns. Those that cannot be written are noted again.

    A key may have been used on another server since: the later time stays. All servers write in the order of the ids,
    so that none of them waits for another one in a circle.
    """
    uses = notes.take()
    try:
        with ShortTurns(database, threading.Event(), lambda: None) as turns:
            for key_id, used_at in uses:
                turns.tx().run(
                    """
                    UPDATE api_key SET last_used_at = :used_at
                    WHERE id = :id AND coalesce(last_used_at, 0) < :used_at
                    """,
                    id=key_id, used_at=used_at,
                )  # fmt: skip
            turns.end()
    except (*DatabaseError, MemoryError) as error:
        notes.put_back(uses)
        log.warning("The last uses of API keys cannot be written, and stay in memory: %s", error)
