"""A node in the background: which node leads, what it does for all, and how each follows the server's clock.

The node that leads folds counts, and deletes old runs (`foreman/background/retention.py`). Each node has a session of
its own for this, outside of the pool. The one whose session holds the advisory lock leads. PostgreSQL releases the lock
with the session, so that another node takes over when a process dies. One that has lost its connection learns that at
its next fold, so for some seconds two may lead: folds wait for each other, and retention gives way.
"""

import logging
import threading
import time
from typing import Any

import psycopg

from foreman.db.postgres.connecting import follow_clock
from foreman.db.postgres.session import NETWORK, NETWORK_OF_SERVER, configure

log = logging.getLogger(__name__)

# The advisory lock of the node that leads: "FMAN" and a number.
LEADER_LOCK = 0x464D414E_00000002

# What each server's session in the background is called in pg_stat_activity.
BACKGROUND = "foreman background"

# Seconds between two folds of counts by the leader, and between two attempts of the others to lead.
_FOLD_EVERY, _TRY_EVERY = 1.0, 3.0

# Seconds between two looks at the server's clock.
_LOOK_AT_CLOCK = 5.0

# What its session is set to. A fold that has to wait for a lock is tried again later, but one of many changes may take
# its time.
_SETTINGS = {**NETWORK_OF_SERVER, "statement_timeout": "0", "lock_timeout": "5s", "jit": "off"}

# Seconds from a failure to the next attempt, and for which a server that is stopping waits for this.
_AFTER_FAILURE, _ENDING = 1.0, 5.0


class Leader:
    """A thread that leads if it can, from `start` to `stop`.

    :param url: the database
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopping = threading.Event()
        self._leads = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._failing = False
        self._look_at_clock = 0.0
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)

    def leads(self) -> bool:
        """Whether this node does what one node does for all."""
        return self._leads.is_set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let the thread end, and wait for it; not for long if the database hangs."""
        self._stopping.set()
        self._thread.join(_ENDING)

    def _run(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                wait = self._turn()
                if self._failing:
                    log.info("PostgreSQL works again")
                self._failing = False
            except Exception as error:  # whatever it is: a thread that ended would take the lock with it for good
                self._leads.clear()
                self._close()
                if not self._failing:
                    unforeseen = None if isinstance(error, psycopg.Error) else error
                    log.error("PostgreSQL fails, and is tried again every second: %s", error, exc_info=unforeseen)
                self._failing, wait = True, _AFTER_FAILURE
        self._leads.clear()
        self._close()

    def _turn(self) -> float:
        """Do what is due; return in how many seconds there is more to do."""
        connection = self._connected()
        if time.monotonic() >= self._look_at_clock:
            self._look_at_clock = time.monotonic() + _LOOK_AT_CLOCK
            follow_clock(connection)
        if not self._leads.is_set():
            (taken,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,)).fetchone() or (False,)
            if not taken:
                return _TRY_EVERY
            log.info("This node leads")
            self._leads.set()
        fold(connection)
        return _FOLD_EVERY

    def _connected(self) -> "psycopg.Connection[Any]":
        if self._connection is None:
            options: dict[str, Any] = NETWORK
            self._connection = psycopg.connect(self._url, autocommit=True, application_name=BACKGROUND, **options)
            configure(self._connection, _SETTINGS)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def fold(connection: "psycopg.Connection[Any]") -> None:
    """Add the appended changes of counts to the counts."""
    connection.execute("SELECT fold_counts()")
