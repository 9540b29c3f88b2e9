"""A listening socket, and how many connections there may be."""

import errno
import resource
import select
import time
from typing import Any

from waitress.server import TcpWSGIServer

# With more, asking each of them at every turn what it waits for would slow everybody down.
MOST_CONNECTIONS = 2000

# Connections that are accepted before those that are there have their turn.
ACCEPTED_AT_ONCE = 32

# A connection has a socket and at most one temporary file, with what its client has sent or with what it has not read;
# a thread has two files of the database open, and for its request perhaps one of SQLite's and the other temporary one.
_DESCRIPTORS_OF_CONNECTION, _DESCRIPTORS_OF_THREAD, _OTHER_DESCRIPTORS = 2, 4, 100

# Seconds until the next attempt to accept a connection when there was no file descriptor for it.
PAUSE = 0.1

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener(TcpWSGIServer):
    """A listening socket: waitress's, but that it accepts several at once and bears a lack of file descriptors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._exhausted = False
        self._pause_ends = 0.0
        super().__init__(*args, **kwargs)

    def was_exhausted(self) -> bool:
        """Whether a connection could not be accepted, since this was last asked, for want of a file descriptor."""
        exhausted, self._exhausted = self._exhausted, False
        return exhausted

    def is_pausing(self) -> bool:
        """Whether it does not listen just now."""
        return time.monotonic() < self._pause_ends

    def readable(self) -> bool:
        """Whether to accept connections."""
        return bool(super().readable()) and not self.is_pausing()

    def handle_accept(self) -> None:
        """Accept who is there."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted = self.accept()
            except OSError as error:
                # accept(2) asks for the file descriptor before it looks whether anybody is there.
                if error.errno in _EXHAUSTED and self._somebody_waits():
                    self._exhausted, self._pause_ends = True, time.monotonic() + PAUSE
                return
            if accepted is None:
                return
            connection, address = accepted
            try:
                self.set_socket_options(connection)
            except OSError:  # it has gone away
                connection.close()
            else:
                self.channel_class(self, connection, address, self.adj, map=self._map)

    def _somebody_waits(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))


def most_connections(threads: int) -> int:
    """How many connections there may be, by the limit of file descriptors, which is raised as far as useful."""
    others = _OTHER_DESCRIPTORS + _DESCRIPTORS_OF_THREAD * threads
    wanted = others + _DESCRIPTORS_OF_CONNECTION * MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    available = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft)
    return max((available - others) // _DESCRIPTORS_OF_CONNECTION, 16)
