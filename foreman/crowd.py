"""All connections of a server: who has to go when there are too many or takes too long, and who may send much."""

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

from foreman.connection import Connection

log = logging.getLogger(__name__)

# Bytes of large requests that are kept at once, whether they are still arriving or wait for a thread.
ROOM = 128_000_000

# Bytes of answers that are kept at once for clients which have not read them yet.
OWED = 512_000_000

# Seconds that a large request may take to arrive while others wait for room.
FAIR = 10.0

# Seconds between two looks at all connections, and between two warnings.
_EVERY = 1.0
_WARNED_EVERY = 60.0


class Crowd:
    """The connections of a server, kept in bounds. For the thread that reads and writes.

    :param connections: what there is now
    :param most: how many there may be
    """

    def __init__(self, connections: Callable[[], list[Connection]], most: int) -> None:
        self.line: deque[Connection] = deque()  # those that wait for room, in the order in which they came
        self._connections = connections
        self._most = most
        self._next_look = 0.0
        self._next_warning = 0.0

    def keep_in_bounds(self, number: int, *, exhausted: bool) -> None:
        """Close, admit and give up on connections as needed.

        :param number: how many connections there are
        :param exhausted: whether there is no file descriptor for another one
        """
        now = time.monotonic()
        if number > self._most or exhausted:
            self._close_longest_waiting(max(number - self._most, 0) + number // 50 + 1, now)
        if now >= self._next_look:
            self._next_look = now + _EVERY
            for connection in self._connections():
                if connection.is_overdue(now):
                    connection.give_up()
            self._limit_what_is_owed()
        if self.line:
            self._admit(now)

    def _close_longest_waiting(self, number: int, now: float) -> None:
        waiting = heapq.nsmallest(number, self._waiting(), key=_since)
        for connection in waiting:
            connection.handle_close()
        if now >= self._next_warning:
            self._next_warning = now + _WARNED_EVERY
            log.warning("There are too many connections: those that have waited longest for their client are closed")

    def _limit_what_is_owed(self) -> None:
        """Close those that have had most time to read what is kept for them."""
        owing = [connection for connection in self._connections() if connection.total_outbufs_len]
        excess = sum(connection.total_outbufs_len for connection in owing) - OWED
        for connection in sorted(owing, key=_since):
            if excess <= 0:
                break
            excess -= connection.total_outbufs_len
            connection.handle_close()

    def _admit(self, now: float) -> None:
        """Set room aside for those in line; when there is none left, give up on who has had it for too long."""
        taken = sum(connection.room for connection in self._connections())
        while self.line:
            first = self.line[0]
            request = first.request
            if request is None or not request.waits:  # it has gone away
                self.line.popleft()
            elif taken == 0 or taken + request.needs - request.room <= ROOM:
                taken += request.needs - request.room
                request.room, request.waits, first.since = request.needs, False, now
                self.line.popleft()
            else:
                late = [each for each in self._waiting() if each.room and now - each.since > FAIR]
                for each in heapq.nsmallest(1, late, key=_since):
                    each.give_up()
                return

    def _waiting(self) -> Iterable[Connection]:
        return (connection for connection in self._connections() if connection.is_waiting)


def _since(connection: Connection) -> float:
    return connection.since
