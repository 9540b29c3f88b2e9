"""A listening socket, and how many connections there may be."""

import errno
import resource
import select
import socket
import time
from collections.abc import Callable
from typing import Any

# With more, the memory that each may take in the worst case would add up to too much.
MOST_CONNECTIONS = 2000

# Connections that are accepted before those that are there have their turn.
ACCEPTED_AT_ONCE = 32

# Connections that the kernel keeps until they are accepted.
_BACKLOG = 1024

# A connection has a socket and at most one temporary file, with what its client has sent or with what it has not read;
# a thread has two files of the database open, and for its request perhaps one of SQLite's and the other temporary one.
_DESCRIPTORS_OF_CONNECTION, _DESCRIPTORS_OF_THREAD, _OTHER_DESCRIPTORS = 2, 4, 100

# Seconds until the next attempt to accept a connection when there was no file descriptor for it.
PAUSE = 0.1

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Address = tuple[str, int]


class Listener:
    """A listening socket that accepts several connections at once, and bears a lack of file descriptors.

    :param family: of the address, such as `socket.AF_INET`
    :param address: what to bind it to, as `socket.getaddrinfo` gives it
    :param connect: called with each new socket and the client's address
    :raises OSError: when it cannot listen there
    """

    def __init__(
        self, family: int, address: tuple[Any, ...], connect: Callable[[socket.socket, Address], object]
    ) -> None:
        self._connect = connect
        self._exhausted = False
        self._pause_ends = 0.0
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            if family == socket.AF_INET6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(address)
            self.socket.listen(_BACKLOG)
        except BaseException:
            self.socket.close()
            raise
        self.port = int(self.socket.getsockname()[1])

    def was_exhausted(self) -> bool:
        """Whether a connection could not be accepted, since this was last asked, for want of a file descriptor."""
        exhausted, self._exhausted = self._exhausted, False
        return exhausted

    def is_pausing(self) -> bool:
        """Whether it does not accept just now."""
        return time.monotonic() < self._pause_ends

    def ready(self, _events: int) -> None:
        """Accept who is there."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, address = self.socket.accept()
            except OSError as error:
                # accept(2) asks for the file descriptor before it looks whether anybody is there.
                if error.errno in _EXHAUSTED and self._somebody_waits():
                    self._exhausted, self._pause_ends = True, time.monotonic() + PAUSE
                return
            try:
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # it has gone away
                client.close()
            else:
                self._hand_over(client, address[:2])

    def fail(self) -> None:
        """Go on in a moment, whatever it was."""
        self._pause_ends = time.monotonic() + PAUSE

    def _hand_over(self, client: socket.socket, address: Address) -> None:
        try:
            self._connect(client, address)
        except BaseException:
            client.close()
            raise

    def close(self) -> None:
        """Listen no more."""
        self.socket.close()

    def _somebody_waits(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))


def addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """The family and address of each socket that listens at a host.

    :raises OSError: when there is no such host
    :raises UnicodeError: when that cannot be a host name
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


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
