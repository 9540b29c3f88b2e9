"""The event loop: one thread at a time waits for all sockets, and reads and writes them."""

import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

log = logging.getLogger(__name__)

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

# The sockets that are ready, and for what.
Events = list[tuple[selectors.SelectorKey, int]]


class Watched(Protocol):
    """An object whose socket the loop watches."""

    @property
    def socket(self) -> socket.socket | int:
        """The socket, or its file descriptor."""

    def ready(self, events: int) -> None:
        """Handle its socket being ready for `READ`, `WRITE` or both, as far as they are wanted."""

    def fail(self) -> None:
        """Handle an exception that `ready` has raised."""


class Loop:
    """An event loop, which also runs callbacks for other threads."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._soon: deque[Callable[[], object]] = deque()
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, READ)
        self._is_awake = False  # whether `handle` will look at `_soon` without a wake-up

    def want(self, watched: Watched, events: int) -> None:
        """Watch a socket for these events from now on; 0 for none.

        Only for the thread that runs the loop, and for one that waits for a socket of its own.
        """
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
        """Run a callback on the thread that runs the loop. For any thread."""
        self._soon.append(callback)
        self.wake()

    def wake(self) -> None:
        """Make `wait` return soon. For any thread, and for signal handlers; does nothing on a closed loop."""
        if not self._is_awake:
            self._is_awake = True
            with suppress(OSError):  # closed, or so full of wake-ups that one more is not needed
                self._waker.send(b"\0")

    def wait(self, timeout: float) -> Events:
        """Wait up to `timeout` seconds for events and callbacks."""
        return self._selector.select(0 if self._soon else timeout)

    def handle(self, events: Events) -> None:
        """Handle what `wait` has returned, and run the callbacks."""
        try:
            for key, mask in events:
                if key.data is None:
                    self._woken.recv(4096)
                    continue
                try:
                    key.data.ready(mask)
                except Exception:
                    log.exception("Unexpected error while handling a socket")
                    key.data.fail()
        finally:
            self._is_awake = False
        for _ in range(len(self._soon)):
            try:
                self._soon.popleft()()
            except Exception:
                log.exception("Unexpected error in a callback of the event loop")

    def close(self) -> None:
        """Release the file descriptors."""
        self._selector.close()
        self._waker.close()
        self._woken.close()
