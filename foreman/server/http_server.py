"""The HTTP server for any WSGI application: its loop, its threads, its connections, and what bounds them.

It knows nothing of the application but what it is told: what makes its changes lasting (`Storage`), and who may send a
body (`Admission`).
"""

import heapq
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment

from foreman.auth.holder import Holder
from foreman.monitoring.request_log import Observer
from foreman.pending import Pending
from foreman.server.connection import Connection
from foreman.server.dispatcher import Dispatcher
from foreman.server.exchange import Exchange
from foreman.server.listener import PAUSE, Address, Listener, addresses, most_connections
from foreman.server.loop import READ, Loop
from foreman.server.parser import IN_MEMORY, LARGE, LONGEST_HEAD, Request
from foreman.server.quotas import Quota
from foreman.server.uploads import Uploads
from foreman.vocabulary import MOST_IN_ONE, READING_METHODS, SHORT, WAITING

log = logging.getLogger(__name__)

# Seconds that requests under way have to finish after the server is told to stop.
GRACE = 10.0

# Bytes, for all clients together, of large heads that are arriving (in memory), of large bodies that are arriving, and
# of answers that have not been read yet (both in temporary files).
HEADS, BODIES, ANSWERS = 32_000_000, 512_000_000, 512_000_000

# Bytes of a head that are not counted.
_SMALL_HEAD = 16_384

# Bytes of an answer that any thread may make at any time, for all threads together and for each. A request whose answer
# turns out to be larger is tried again when it is its turn among the large ones.
_SMALL_ANSWERS, _SMALL_ANSWER = 16_000_000, 1_000_000

# Bytes of answers that are held until their commit, before the commit is done at once.
_HELD = 16_000_000

# Seconds that a large request waits for room for its answer. While any waits: seconds in which a client must have read
# so many bytes a second, or makes room. The kernel's buffers hide for seconds what a client has read.
_WAIT_FOR_ROOM = 60.0
_READING_WINDOW, _SLOWEST_READING = 30.0, 50_000

# Seconds between two looks at all connections, and between two warnings.
_LOOK_EVERY = 1.0
_WARNED_EVERY = 60.0

# How long reading and writing rest while requests wait to be served: so many seconds, so often, then there is a turn.
_NAP = 0.0006
_NAPS = 5


# Who sends a body to an application that admits everybody.
_ANYBODY = Holder("", "")


class Storage(Protocol):
    """What makes lasting what the application has changed."""

    def begin(self, most: int | None) -> None:
        """The thread begins with a request, whose answer may have so many bytes of stored data; None for any number."""

    def end(self) -> Pending | None:
        """The thread has ended it; the commit that its answer has to wait for."""

    def commit(self) -> None:
        """Commit now what requests have changed."""


class Admission(Protocol):
    """Who may send a body."""

    def known(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends it, when that is known without asking anybody and the body is wanted."""

    def wants_body(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends it; None when the application will not want the body, such as without a valid key."""

    def holder_of(self, environ: WSGIEnvironment) -> Holder | None:
        """Whom the application has found out to have sent the request."""


@dataclass(frozen=True)
class Bounds:
    """What a server is given.

    :ivar max_body: bytes that a body may have
    :ivar largest_answer: bytes that an answer may have
    """

    host: str = "127.0.0.1"
    port: int = 0
    threads: int = 4
    max_body: int = 10_000_000
    largest_answer: int = 40_000_000


def cost_by_method(method: str, path: str) -> int:  # noqa: ARG001
    """What a request costs as far as its method says: a write may have to wait for its turn."""
    return SHORT if method in READING_METHODS else WAITING


class HTTPServer:
    """A listening server over a WSGI application.

    :param observers: are told of every answer
    :param cost: what a request costs, by its method and path: `SHORT`, `LONG` or `WAITING`

    :raises OSError: when it cannot listen there
    :raises UnicodeError: when that cannot be a host name
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
        # What waitress's parser and tasks ask for.
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
                self._listeners.append(Listener(family, address, self._connect))
        except BaseException:
            self._close_listeners()
            self.loop.close()
            raise
        self.port = self.effective_port = self._listeners[0].port
        for each in self._listeners:
            self.loop.want(each, READ)
        self.dispatcher = Dispatcher(storage.commit if storage is not None else lambda: None)
        self.dispatcher.set_thread_count(bounds.threads)

    # Its life ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop` is called; then finish the requests under way, at most `GRACE` seconds long."""
        while not self.stopping.is_set():
            self._safe_turn(_LOOK_EVERY)
            self._give_way()
        self._close_listeners()
        deadline = time.monotonic() + GRACE
        while self._is_busy() and time.monotonic() < deadline and not self._give_up.is_set():
            self._safe_turn(0.1)
        self.dispatcher.shutdown()
        for connection in list(self._connections):
            connection.close()
        self.loop.close()

    def stop(self) -> None:
        """Ask `run` to return; asked again, it gives up on requests under way. For any thread, and signal handlers."""
        if self.stopping.is_set():
            self._give_up.set()
        self.stopping.set()
        self.loop.wake()

    def connections(self) -> list[Connection]:
        """Those that there are now."""
        return list(self._connections)

    def look(self, now: float) -> None:
        """See to it that nobody takes more than a share of time and room. Called once a second."""
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

    def _safe_turn(self, timeout: float) -> None:
        """What fails for one connection must not end the server for all."""
        try:
            self._turn(timeout)
        except Exception:
            log.exception("The server goes on after a fault")
            time.sleep(PAUSE)

    def _turn(self, timeout: float) -> None:
        """Read and write what can be, or wait so many seconds for something."""
        pausing = [each for each in self._listeners if each.is_pausing()]
        for each in pausing:
            self.loop.want(each, 0)
        self.loop.turn(min(timeout, PAUSE) if pausing else timeout)
        for each in pausing:
            if not self.stopping.is_set():
                self.loop.want(each, READ)
        self.heads.look()
        self.bodies.look()
        now = time.monotonic()
        exhausted = sum(each.was_exhausted() for each in self._listeners) > 0
        if len(self._connections) > self._most or exhausted:
            number = len(self._connections)
            self._close_longest_waiting(max(number - self._most, 0) + number // 50 + 1, now)
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            self.look(now)

    def _give_way(self) -> None:
        """Let the threads that serve get on, as long as they have enough to do.

        Python computes on one thread at a time: this one would take it from them at every statement of SQLite, to read
        requests that have to wait anyway, a few at a time.
        """
        for _ in range(_NAPS):
            if self.dispatcher.waiting() < 2:
                break
            time.sleep(_NAP)

    def _is_busy(self) -> bool:
        """Whether any request is under way; connections without one are closed."""
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
            log.warning("There are too many connections: those that have waited longest for their client are closed")

    # For its connections ----------------------------------------------------------------------------------------------

    def _connect(self, sock: Any, address: Address) -> None:
        self._connections[self.connection_class(self, sock, address)] = None

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        self._connections.pop(connection, None)

    def is_admitted(self, connection: Connection, request: Request) -> Holder | None:
        """Who sends a body, when it is known without asking anybody that it is wanted."""
        if self._admission is None:
            return _ANYBODY
        return self._admission.known(Exchange(connection, request).environment())

    def admit(self, connection: Connection, request: Request) -> Holder | None:
        """Who sends a body; None when it is not wanted."""
        if self._admission is None:
            return _ANYBODY
        return self._admission.wants_body(Exchange(connection, request).environment())

    def holder_of(self, exchange: Exchange, otherwise: Holder) -> Holder:
        """Who has sent a request that the application has seen."""
        if self._admission is None or exchange.environ is None:
            return otherwise
        return self._admission.holder_of(exchange.environ) or otherwise

    def run_exchange(self, exchange: Exchange, *, is_large: bool) -> Pending | None:
        """Let the application make an answer; the commit that it has to wait for.

        :param is_large: whether the answer may have any size; if not, it may repeat a large body
        """
        if self._storage is None:
            exchange.run()
            return None
        # When much is owed, only little is made without knowing for whom.
        small = IN_MEMORY if self.answers.used > self.answers.total // 2 else self._small_answer
        repeated = MOST_IN_ONE * (exchange.request.size + LARGE) if exchange.request.size > LARGE else 0
        self._storage.begin(None if is_large else max(small, repeated))
        try:
            exchange.run()
        finally:
            commit = self._storage.end()
        return commit

    def hold(self, number: int) -> None:
        """So many bytes of answers more, or with a negative number fewer, wait for their commit."""
        with self._held_lock:
            self._held += number

    def commit_soon(self, size: int) -> None:
        """Commit for an answer of so many bytes: when there is nothing else to do, or at once when it takes much."""
        if self._storage is not None and (size > _SMALL_ANSWER or self._held > _HELD):
            self._storage.commit()
        else:
            self.dispatcher.do_later()

    def owed(self, holder: Holder, number: int) -> None:
        """So many bytes more, or with a negative number fewer, have not been read by their client yet."""
        self.answers.take(holder, number)
        if number < 0 and self.dispatcher.is_short_of_room():
            self.dispatcher.look_for_room()
