"""The HTTP server for any WSGI application: its event loop, threads and connections, with their limits.

It knows nothing about the application except what it is given: `Storage` makes the application's changes durable, and
`Admission` decides who may send a body.
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from foreman.auth.holder import Holder
from foreman.monitoring.request_log import Observer
from foreman.pending import Pending
from foreman.server.connection import Connection
from foreman.server.dispatcher import Dispatcher
from foreman.server.exchange import Exchange
from foreman.server.listener import PAUSE, Address, Listener, addresses, most_connections
from foreman.server.loop import READ, Events, Loop, Watched
from foreman.server.parser import IN_MEMORY, LARGE, LONGEST_HEAD, Request
from foreman.server.quotas import Quota
from foreman.server.uploads import Uploads
from foreman.vocabulary import MOST_IN_ONE, READING_METHODS, SHORT, WAITING

if TYPE_CHECKING:  # an optional package
    from greenlet import greenlet

log = logging.getLogger(__name__)

# Seconds that in-flight requests get to finish after the server is told to stop.
GRACE = 10.0

# Quotas in bytes, each shared by all clients: large heads being received (in memory), large bodies being received, and
# responses that clients have not read yet (both in temporary files).
HEADS, BODIES, ANSWERS = 32_000_000, 512_000_000, 512_000_000

# A head no larger than this (bytes) does not count against the quota.
_SMALL_HEAD = 16_384

# Largest response, in bytes, that any thread may build at any time: for all threads together, and for each. A request
# whose response turns out larger is retried in the queue of large requests.
_SMALL_ANSWERS, _SMALL_ANSWER = 16_000_000, 1_000_000

# Bytes of responses that may wait for their group commit; beyond that it is done at once.
_HELD = 16_000_000

# Seconds that a large request waits for quota for its response. While any waits, a client is disconnected if over this
# window (seconds) it reads slower than this rate (bytes a second). The window is long because the kernel's buffers hide
# for seconds what a client has read.
_WAIT_FOR_ROOM = 60.0
_READING_WINDOW, _SLOWEST_READING = 30.0, 50_000

# Seconds between two scans of all connections, and between two warnings.
_LOOK_EVERY = 1.0
_WARNED_EVERY = 60.0

# Who sends a body when everybody is admitted.
_ANYBODY = Holder("", "")


class Storage(Protocol):
    """Makes the application's changes durable."""

    def begin(self, most: int | None) -> None:
        """Begin the request that the caller serves: a thread, or a coroutine.

        :param most: how many bytes of stored data its response may have; None for no limit
        """

    def end(self) -> Pending | None:
        """End it. Return the commit that its response must wait for, if any."""

    def commit(self) -> None:
        """Commit now what requests have changed."""

    @property
    def coroutine(self) -> "type[greenlet] | None":
        """What makes a request a coroutine, if it may wait for sockets."""

    def wait_with(self, waits: Dispatcher) -> None:
        """Let requests wait by its `wait_for` and `aside`."""


class Admission(Protocol):
    """Decides who may send a body."""

    def known(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends the body, if it is wanted and that is known without a lookup; else None."""

    def wants_body(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends the body; None if the application will not want it, such as without a valid key."""

    def holder_of(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sent the request, if the application found out."""


@dataclass(frozen=True)
class Bounds:
    """A server's address, number of threads and limits.

    :ivar max_body: largest request body in bytes
    :ivar largest_answer: largest response in bytes
    :ivar shares_port: whether other processes listen there, too
    """

    host: str = "127.0.0.1"
    port: int = 0
    threads: int = 4
    max_body: int = 10_000_000
    largest_answer: int = 40_000_000
    shares_port: bool = False


def cost_by_method(method: str, path: str) -> int:  # noqa: ARG001
    """Cost class of a request by its method alone: a write may have to wait for its turn."""
    return SHORT if method in READING_METHODS else WAITING


class HTTPServer:
    """A listening HTTP server for a WSGI application.

    :param observers: called with every response
    :param cost: gives a request's cost class by its method and path: `SHORT`, `LONG` or `WAITING`

    :raises OSError: when it cannot listen on the address
    :raises UnicodeError: when the host cannot be a host name
    """

    connection_class = Connection

    def __init__(
        self,
        application: WSGIApplication,
        bounds: Bounds,
        storage: Storage | None = None,
        admission: Admission | None = None,
        observers: Sequence[Observer] = (),
        cost: Callable[[str, str], int] = cost_by_method,
    ) -> None:
        self.application, self.observers, self.cost = application, observers, cost
        self.stopping = threading.Event()
        self.loop = Loop()
        # The settings that waitress's parser and tasks read.
        self.adj = self.limits = SimpleNamespace(
            max_request_header_size=LONGEST_HEAD, max_request_body_size=bounds.max_body, inbuf_overflow=IN_MEMORY,
            url_scheme="http", url_prefix="", ident=None,
        )  # fmt: skip
        self.server_name = "foreman"
        self.largest_answer = bounds.largest_answer
        self.heads = Uploads(HEADS, _SMALL_HEAD)
        self.bodies = Uploads(max(BODIES, 8 * bounds.max_body), IN_MEMORY)
        self.answers = Quota(max(ANSWERS, 8 * bounds.largest_answer))
        self._small_answer = min(_SMALL_ANSWER, _SMALL_ANSWERS // bounds.threads)
        self._storage, self._admission = storage, admission
        self._held = 0
        self._held_lock = threading.Lock()
        self._give_up = threading.Event()
        self._connections: dict[Connection, None] = {}
        self._most = most_connections(bounds.threads)
        self._next_look = self._next_warning = 0.0
        self._listeners: list[Listener] = []
        try:
            for family, address in addresses(bounds.host, bounds.port):
                self._listeners.append(Listener(family, address, self._connect, shared=bounds.shares_port))
        except BaseException:
            self._close_listeners()
            self.loop.close()
            raise
        self.port = self.effective_port = self._listeners[0].port
        for each in self._listeners:
            self.loop.want(each, READ)
        if storage is None:
            self.dispatcher = Dispatcher(lambda: None)
        else:
            self.dispatcher = Dispatcher(storage.commit, storage.coroutine)
            storage.wait_with(self.dispatcher)
        self.dispatcher.set_thread_count(bounds.threads)

    # Lifecycle --------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop` is called, then give in-flight requests up to `GRACE` seconds to finish."""
        self.dispatcher.share_loop(self)
        self._close_listeners()
        deadline = time.monotonic() + GRACE
        while self._is_busy() and time.monotonic() < deadline and not self._give_up.is_set():
            self.handle(self._wait(0.1))
        self.dispatcher.shutdown(turn=lambda: self.handle(self._wait(0.05)))
        for connection in list(self._connections):
            connection.close()
        self.loop.close()

    def stop(self) -> None:
        """Ask `run` to return; a second call abandons in-flight requests. For any thread, and for signal handlers."""
        if self.stopping.is_set():
            self._give_up.set()
        self.stopping.set()
        self.loop.wake()

    def wait(self, timeout: float | None) -> Events | None:
        """Wait up to `timeout` seconds for events, a second by default. None if the server is stopping."""
        events = [] if self.stopping.is_set() else self._wait(_LOOK_EVERY if timeout is None else timeout)
        return None if self.stopping.is_set() else events

    def handle(self, events: Events) -> None:
        """Handle events of the loop, and enforce timeouts and quotas."""
        try:
            self._handle(events)
        except Exception:
            self._survive()

    def wake(self) -> None:
        """Make `wait` return soon. For any thread."""
        self.loop.wake()

    def want(self, watched: Watched, events: int) -> None:
        """Watch a socket for these events from now on; 0 for none. See `Loop.want`."""
        self.loop.want(watched, events)

    def connections(self) -> list[Connection]:
        """The open connections."""
        return list(self._connections)

    def enforce_limits(self, now: float) -> None:
        """Enforce timeouts and quotas on all connections. Called once a second."""
        for connection in self.connections():
            if connection.is_overdue(now):
                connection.give_up()
        self.heads.end_slow(now)
        self.bodies.end_slow(now)
        for task in self.dispatcher.take_overdue(_WAIT_FOR_ROOM):
            task.refuse()
        if self.dispatcher.is_short_of_room():
            for connection in self.connections():
                if connection.owed and connection.is_slow(now, _READING_WINDOW, _SLOWEST_READING):
                    connection.close()

    def _wait(self, timeout: float) -> Events:
        try:
            pausing = [each for each in self._listeners if each.is_pausing()]
            for each in pausing:
                self.loop.want(each, 0)
            try:
                events = self.loop.wait(min(timeout, PAUSE) if pausing else timeout)
            finally:
                for each in pausing:
                    self.loop.want(each, READ)
        except Exception:
            self._survive()
            return []
        return events

    def _survive(self) -> None:
        """Log the error being handled, and go on in a moment: one on a connection must not end the server for all."""
        log.exception("Unexpected error in the event loop; the server continues")
        time.sleep(PAUSE)

    def _handle(self, events: Events) -> None:
        self.loop.handle(events)
        self.heads.look()
        self.bodies.look()
        now = time.monotonic()
        exhausted = sum(each.was_exhausted() for each in self._listeners) > 0
        if len(self._connections) > self._most or exhausted:
            number = len(self._connections)
            self._close_longest_waiting(max(number - self._most, 0) + number // 50 + 1, now)
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            self.enforce_limits(now)

    def _is_busy(self) -> bool:
        """Whether any request is in flight. Closes idle connections."""
        for connection in self.connections():
            if connection.is_idle:
                connection.close()
        return bool(self._connections)

    def _close_listeners(self) -> None:
        for each in self._listeners:
            self.loop.want(each, 0)
            each.close()
        self._listeners = []

    def _close_longest_waiting(self, number: int, now: float) -> None:
        waiting = (connection for connection in self._connections if connection.is_waiting)
        for connection in heapq.nsmallest(number, waiting, key=lambda connection: connection.since):
            connection.close()
        if now >= self._next_warning:
            self._next_warning = now + _WARNED_EVERY
            log.warning("Too many connections: closing those that have waited longest for their client")

    # Called by connections --------------------------------------------------------------------------------------------

    def _connect(self, sock: Any, address: Address) -> None:
        self._connections[self.connection_class(self, sock, address)] = None

    def closed(self, connection: Connection) -> None:
        """Forget a connection that has closed."""
        self._connections.pop(connection, None)

    def is_admitted(self, connection: Connection, request: Request) -> Holder | None:
        """Who sends the body, if it is known without a lookup that it is wanted; else None."""
        if self._admission is None:
            return _ANYBODY
        return self._admission.known(Exchange(connection, request).environment())

    def admit(self, connection: Connection, request: Request) -> Holder | None:
        """Who sends the body; None if it is not wanted."""
        if self._admission is None:
            return _ANYBODY
        return self._admission.wants_body(Exchange(connection, request).environment())

    def holder_of(self, exchange: Exchange, otherwise: Holder) -> Holder:
        """Who sent a request that the application has handled; `otherwise` if the application did not find out."""
        if self._admission is None or exchange.environ is None:
            return otherwise
        return self._admission.holder_of(exchange.environ) or otherwise

    def run_exchange(self, exchange: Exchange, *, is_large: bool) -> Pending | None:
        """Run the application for a request. Return the commit that the response must wait for, if any.

        :param is_large: whether the response may have any size; if not, it must be small, or may repeat a large body
        """
        if self._storage is None:
            exchange.run()
            return None
        # Over half of the quota is in use: until it is known whose share a response takes, build only little.
        small = IN_MEMORY if self.answers.used > self.answers.total // 2 else self._small_answer
        repeated = MOST_IN_ONE * (exchange.request.size + LARGE) if exchange.request.size > LARGE else 0
        self._storage.begin(None if is_large else max(small, repeated))
        try:
            exchange.run()
        finally:
            commit = self._storage.end()
        return commit

    def hold(self, number: int) -> None:
        """Add to the bytes of responses that wait for their commit; a negative number subtracts."""
        with self._held_lock:
            self._held += number

    def commit_soon(self, size: int) -> None:
        """Schedule the commit of a response of `size` bytes: when the pool is idle, or now if much memory is held."""
        if self._storage is not None and (size > _SMALL_ANSWER or self._held > _HELD):
            self._storage.commit()
        else:
            self.dispatcher.do_later()

    def owed(self, holder: Holder, number: int) -> None:
        """Add to the bytes that a client has not read yet; a negative number subtracts."""
        self.answers.take(holder, number)
        if number < 0 and self.dispatcher.is_short_of_room():
            self.dispatcher.look_for_room()
