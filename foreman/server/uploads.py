"""Backpressure for large requests: who may go on sending when the quota is used up, who waits, and who is cut off."""

import threading

from foreman.auth.holder import Holder
from foreman.server.connection import Connection
from foreman.server.quotas import Quota

# Bytes that one read may add; whether they fit is checked before each read.
_STEP = 65_536

# While others wait for quota: a client is cut off if over this window (seconds) it sends slower than this rate (bytes a
# second).
WINDOW, SLOWEST = 10.0, 10_000


class Uploads:
    """The large requests being received, and their quota.

    A connection that does not fit is not read from until it does, so its client waits, too. The connection that has
    been a member longest always goes on: with the quota used up, none could ever finish otherwise.

    :param total: quota in bytes; the oldest member may exceed it
    :param free: bytes up to which a connection does not count
    """

    def __init__(self, total: int, free: int) -> None:
        self.free = free
        self._quota = Quota(total)
        self._members: dict[Connection, tuple[Holder, int]] = {}  # the oldest first
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes in use."""
        return self._quota.used

    def hold(self, connection: Connection, size: int) -> None:
        """Record how many bytes a connection's request takes."""
        with self._lock:
            holder, before = self._members.get(connection, (connection.holder, 0))
            self._members[connection] = holder, size
        self._quota.take(holder, size - before)

    def leave(self, connection: Connection) -> None:
        """Release a connection's bytes. For any thread."""
        with self._lock:
            holder, size = self._members.pop(connection, (connection.holder, 0))
        self._quota.take(holder, -size)

    def fits(self, connection: Connection) -> bool:
        """Whether there is quota for the next read from a connection."""
        with self._lock:
            holder, _ = self._members.get(connection, (connection.holder, 0))
            is_first = next(iter(self._members), None) is connection
        return is_first or self._quota.fits(holder, _STEP)

    def look(self) -> None:
        """Resume the paused connections that fit now, the oldest first. Called at every turn of the loop."""
        for connection in self._paused():
            if self.fits(connection):
                connection.resume()

    def end_slow(self, now: float) -> None:
        """Cut off slow clients while others wait."""
        if self._paused():
            for connection in list(self._members):
                if connection.is_waiting and connection.is_slow(now, WINDOW, SLOWEST):
                    connection.give_up()

    def _paused(self) -> list[Connection]:
        members = list(self._members) if self._members else ()
        return [connection for connection in members if connection.paused_at is not None]
