"""The event loop: which sockets can be read or written to, for the one thread that does so."""

import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

log = logging.getLogger(__name__)

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Watched(Protocol):
    """Something with a socket in the loop."""

    socket: socket.socket

    def ready(self, events: int) -> None:
        """Called when the socket is ready for `READ`, `WRITE` or both of what is wanted."""

    def fail(self) -> None:
        """Called when `ready` has raised."""


class Loop:
    """Waits for sockets, and does what other threads want done on the thread that reads and writes."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._soon: deque[Callable[[], object]] = deque()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, READ)
        self._is_awake = False  # whether `turn` will look at `_soon` without being woken

    def want(self, watched: Watched, events: int) -> None:
        """From now on wait for these events of a socket; 0 for none. For the thread that calls `turn`."""
        try:
            key = self._selector.get_key(watched.socket)
        except KeyError:
            if events:
                self._selector.register(watched.socket, events, watched)
            return
        if not events:
            self._selector.unregister(watched.socket)
        elif key.events != events:
            self._selector.modify(watched.socket, events, watched)

    def soon(self, callback: Callable[[], object]) -> None:
        """Let `turn` call this. For any thread."""
        self._soon.append(callback)
        self.wake()

    def wake(self) -> None:
        """Let `turn` return soon. For any thread, and for signal handlers; also when the loop is closed already."""
        if not self._is_awake:
            self._is_awake = True
            with suppress(OSError):  # it is closed, or so full of calls to wake up that one more is not needed
                self._waker.send(b"\0")

    def turn(self, timeout: float) -> None:
        """Wait at most so many seconds for something to do, and do it."""
        for key, events in self._selector.select(0 if self._soon else timeout):
            if key.data is None:
                self._woken.recv(4096)
                continue
            try:
                key.data.ready(events)
            except Exception:
                log.exception("A connection has failed")
                key.data.fail()
        self._is_awake = False
        for _ in range(len(self._soon)):
            try:
                self._soon.popleft()()
            except Exception:
                log.exception("A connection has failed")

    def close(self) -> None:
        """Give the file descriptors back."""
        self._selector.close()
        self._waker.close()
        self._woken.close()
