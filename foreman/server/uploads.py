"""Large requests that are arriving: who may go on to send, and who has to wait, or to go, when there is no room."""

import threading

from foreman.auth.holder import Holder
from foreman.server.connection import Connection
from foreman.server.quotas import Quota

# Bytes that may arrive at once, which is looked at before each reading.
_STEP = 65_536

# While others wait for room: seconds in which a client must have sent so many bytes a second, or makes room.
WINDOW, SLOWEST = 10.0, 10_000


class Uploads:
    """The parts of requests that have arrived, as far as they are large.

    A connection that finds no room is not read from until there is some, so its client waits too. The one that has been
    here longest always goes on, or with every place taken nobody could ever come to an end.

    :param total: bytes that all have together; the first may exceed it
    :param free: bytes that each connection may have without being counted
    """

    def __init__(self, total: int, free: int) -> None:
        self.free = free
        self._quota = Quota(total)
        self._members: dict[Connection, tuple[Holder, int]] = {}  # in the order in which they came
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes that they have now."""
        return self._quota.used

    def hold(self, connection: Connection, size: int) -> None:
        """Take note of how many bytes of a request have arrived."""
        with self._lock:
            holder, before = self._members.get(connection, (connection.holder, 0))
            self._members[connection] = holder, size
        self._quota.take(holder, size - before)

    def leave(self, connection: Connection) -> None:
        """It has arrived as a whole and been answered, or never will. For any thread."""
        with self._lock:
            holder, size = self._members.pop(connection, (connection.holder, 0))
        self._quota.take(holder, -size)

    def fits(self, connection: Connection) -> bool:
        """Whether there is room for what a connection sends next."""
        with self._lock:
            holder, _ = self._members.get(connection, (connection.holder, 0))
            is_first = next(iter(self._members), None) is connection
        return is_first or self._quota.fits(holder, _STEP)

    def look(self) -> None:
        """Let those go on for which there is room now, those who came first before the others. Called all the time."""
        for connection in self._paused():
            if self.fits(connection):
                connection.resume()

    def end_slow(self, now: float) -> None:
        """While others wait, those that are slow have to go."""
        if self._paused():
            for connection in list(self._members):
                if connection.is_waiting and connection.is_slow(now, WINDOW, SLOWEST):
                    connection.give_up()

    def _paused(self) -> list[Connection]:
        members = list(self._members) if self._members else ()
        return [connection for connection in members if connection.paused_at is not None]
