"""Listening sockets, ports that processes share, and the limit on the number of connections."""

import errno
import resource
import select
import socket
import time
from collections.abc import Callable
from typing import Any

# With more connections, the memory that each may take in the worst case would add up to too much.
MOST_CONNECTIONS = 2000

# Connections accepted in one go, before the existing ones have their turn.
ACCEPTED_AT_ONCE = 32

# Accept queue: connections that the kernel keeps until they are accepted.
_BACKLOG = 1024

# File descriptors. A connection has a socket and at most one temporary file, with input or with unsent output. A thread
# has two files of the database open, and for its request perhaps a temporary file of SQLite's and a second one of the
# connection's.
_DESCRIPTORS_OF_CONNECTION, _DESCRIPTORS_OF_THREAD, _OTHER_DESCRIPTORS = 2, 4, 100

# Seconds before `accept` is tried again when it found no file descriptor.
PAUSE = 0.1

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

Address = tuple[str, int]


class Listener:
    """A listening socket that accepts connections in batches, and survives running out of file descriptors.

    :param family: the address family, such as `socket.AF_INET`
    :param address: what to bind it to, as `socket.getaddrinfo` returns it
    :param connect: called with each new socket and the client's address
    :param shared: whether other processes of the same user may listen there, too; see `Port`
    :raises OSError: when it cannot listen on the address
    """

    def __init__(
        self,
        family: int,
        address: tuple[Any, ...],
        connect: Callable[[socket.socket, Address], object],
        *,
        shared: bool = False,
    ) -> None:
        self._connect = connect
        self._exhausted = False
        self._pause_ends = 0.0
        self.socket = _bound(family, address, shared=shared)
        try:
            self.socket.setblocking(False)
            self.socket.listen(_BACKLOG)
        except BaseException:
            self.socket.close()
            raise
        self.port = int(self.socket.getsockname()[1])

    def was_exhausted(self) -> bool:
        """Whether `accept` has failed since the last call because file descriptors, or kernel memory, had run out."""
        exhausted, self._exhausted = self._exhausted, False
        return exhausted

    def is_pausing(self) -> bool:
        """Whether it has stopped accepting for a moment."""
        return time.monotonic() < self._pause_ends

    def ready(self, _events: int) -> None:
        """Accept what is in the accept queue."""
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, address = self.socket.accept()
            except OSError as error:
                # accept(2) allocates the file descriptor before it looks into the accept queue, which may be empty.
                if error.errno in _EXHAUSTED and self._somebody_waits():
                    self._exhausted, self._pause_ends = True, time.monotonic() + PAUSE
                return
            try:
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError:  # the client has gone
                client.close()
            else:
                self._hand_over(client, address[:2])

    def fail(self) -> None:
        """Pause after an unexpected error."""
        self._pause_ends = time.monotonic() + PAUSE

    def _hand_over(self, client: socket.socket, address: Address) -> None:
        try:
            self._connect(client, address)
        except BaseException:
            client.close()
            raise

    def close(self) -> None:
        """Stop listening."""
        self.socket.close()

    def _somebody_waits(self) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))


class Port:
    """A port that processes of this user share (SO_REUSEPORT): the kernel gives each new connection to one of them.

    It stays theirs until `close`, even while none of them listens.

    :param port: 0 for any free one
    :ivar number: which one it is
    :raises OSError: when it cannot be had, such as because somebody listens there
    :raises UnicodeError: when the host cannot be a host name
    """

    def __init__(self, host: str, port: int) -> None:
        self.number = port
        self._sockets: list[socket.socket] = []
        refuse_address(host, port)  # alone: whoever shares it already is another server
        try:
            for family, address in addresses(host, port):
                made = _bound(family, (address[0], self.number, *address[2:]), shared=True)
                self._sockets.append(made)
                # As long as it is set, whoever sets it too may listen here, because this socket does not.
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
                self.number = int(self._sockets[0].getsockname()[1])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give it up."""
        for each in self._sockets:
            each.close()


def addresses(host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
    """The family and address of each socket to bind for a host.

    :raises OSError: when there is no such host
    :raises UnicodeError: when it cannot be a host name
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(family), address) for family, _, _, _, address in found))


def refuse_address(host: str, port: int, *, shared: bool = False) -> None:
    """Check that nothing keeps this process from listening on a host and port.

    :param shared: whether other processes of the same user may listen there, too; see `Port`
    :raises OSError: when it cannot
    :raises UnicodeError: when the host cannot be a host name
    """
    for family, address in addresses(host, port):
        _bound(family, address, shared=shared).close()


def _bound(family: int, address: tuple[Any, ...], *, shared: bool) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


def most_connections(threads: int) -> int:
    """The limit on connections that the file descriptors allow. Raises the soft limit as far as that is useful."""
    others = _OTHER_DESCRIPTORS + _DESCRIPTORS_OF_THREAD * threads
    wanted = others + _DESCRIPTORS_OF_CONNECTION * MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    available = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft)
    return max((available - others) // _DESCRIPTORS_OF_CONNECTION, 16)
