"""A client connection: its state machine, timeouts and output buffer. Its requests are served one after the other.

The thread that runs the event loop reads, and sends what a client did not take at once. A pool thread serves a request,
and sends what the client takes without blocking; it is usually the same one. No thread ever waits for a client, or for
the commit of another response.
"""

import enum
import errno
import logging
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from foreman.auth.holder import Holder
from foreman.pending import Pending
from foreman.server.exchange import Exchange
from foreman.server.loop import READ, WRITE
from foreman.server.owed import Owed
from foreman.server.parser import LARGE, NoRoom, Request, RequestTimeout
from foreman.vocabulary import SHORT

if TYPE_CHECKING:
    from foreman.server.http_server import HTTPServer
    from foreman.server.uploads import Uploads

log = logging.getLogger(__name__)

# Bytes read in one go, before other connections have their turn.
_READ_AT_ONCE = 65_536

# Seconds that a client gets to send the head of a request, to begin with its body, or to begin reading its response.
PATIENCE = 30.0

# Lowest rate of a body or response, in bytes a second: the timeout grows by a second with this many bytes.
SLOWEST = 1000

# Seconds without any progress after which a client has timed out, however much it has moved before.
STALLED = 60.0

# Keep-alive timeout in seconds.
IDLE = 120.0

# Limits of a lingering close, in seconds and bytes: input is discarded, so that the client still gets its response.
_LINGER = 5.0
_LINGER_BYTES = 100_000_000

_GONE = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED, errno.EBADF})

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(enum.Enum):
    """Whose turn it is."""

    READING = enum.auto()  # the client's: to send a request, or the rest of one
    CHECKING = enum.auto()  # a thread's: to decide whether a request's body is wanted
    SERVING = enum.auto()  # a thread's: to make the response; or the commit's that the response waits for
    SENDING = enum.auto()  # the client's: to read the response
    LINGERING = enum.auto()  # the client's: to close, after its last response
    CLOSED = enum.auto()


class Connection:
    """A client connection.

    :param address: the client's host and port
    :ivar since: when the client's turn began, or began anew (`time.monotonic`)
    :ivar moved: bytes received or sent since then
    :ivar moved_at: when the last of them were
    """

    def __init__(self, server: "HTTPServer", sock: socket.socket, address: tuple[str, int]) -> None:
        self.server, self.socket, self.addr = server, sock, address
        self.state = State.READING
        self.request: Request | None = None
        self.holder = self._anonymous = Holder.at(address[0])
        self.since = self.moved_at = time.monotonic()
        self.moved = 0
        self.queued_at = self.arrived_at = 0.0  # when it was queued, and when the request was ready
        self.uploads: Uploads | None = None  # the quota that its request counts against
        self.paused_at: float | None = None  # since when it waits for that quota
        self.marked = (0.0, 0)  # when its speed was last measured, and `moved` at that time
        self._lock = threading.RLock()  # guards the state and the unsent output
        self._ahead = b""  # pipelined input, which arrived after the current request
        self._is_deaf = False  # whether the loop has stopped watching for input
        self._is_admitted = False  # whether the request's body is wanted
        self._owed: Owed | None = None
        self._ends = False  # whether the connection closes after the response
        self._is_cut = False  # whether the last request was not read to its end
        self._retried: Exchange | None = None  # the first try of a request whose response was too large for it
        server.loop.want(self, READ)

    # Called by the loop -----------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Send and read what can be sent and read."""
        if self.state is State.CLOSED:
            return
        if events & WRITE:
            self._send_owed()
        if events & READ:
            self._read()

    def fail(self) -> None:
        """Close it after an unexpected error."""
        self.close()

    def close(self) -> None:
        """Close it at once. Only for the thread that runs the loop."""
        with self._lock:
            if self.state is State.CLOSED:
                return
            serving, self.state = self.state in (State.CHECKING, State.SERVING), State.CLOSED
            self.server.loop.want(self, 0)
            self.socket.close()
            self._settle_owed()
        self._leave_uploads()
        if self.request is not None and not serving:
            self.request.close()
        self.server.closed(self)

    @property
    def is_idle(self) -> bool:
        """Whether it has no request in flight."""
        return self.state is State.LINGERING or (self.state is State.READING and self.request is None)

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn to send, or to read its response."""
        return self.state in (State.READING, State.SENDING, State.LINGERING) and self.paused_at is None

    @property
    def owed(self) -> int:
        """Bytes of output that the client has not read yet."""
        owed = self._owed
        return owed.size if owed is not None else 0

    def is_overdue(self, now: float) -> bool:
        """Whether it has timed out."""
        waited = now - self.since
        if self.paused_at is not None:
            return now - self.paused_at > PATIENCE
        if not self.is_waiting:
            return False
        if self.state is State.LINGERING:
            return waited > _LINGER
        if self.is_idle:
            return waited > IDLE
        return waited > PATIENCE + self.moved / SLOWEST or now - max(self.since, self.moved_at) > STALLED

    def is_slow(self, now: float, window: float, rate: float) -> bool:
        """Whether the client moved fewer than `rate` bytes a second in the last `window` seconds. Call it regularly."""
        since, moved = self.marked
        if since < self.since:
            self.marked = (self.since, 0)
            return False
        if now - since < window:
            return False
        self.marked = (now, self.moved)
        return self.moved - moved < (now - since) * rate

    def give_up(self) -> None:
        """Close it. A client in the middle of a request is told why first, with a 408 or 503."""
        with self._lock:
            request = self.request
            if self.state is not State.READING or request is None or self.owed:
                self.close()
                return
            error = RequestTimeout("") if self.paused_at is None else NoRoom("there are too many large requests")
            self._leave_uploads()
            request.refuse(error)
            self._submit()

    def resume(self) -> None:
        """Read on: there is quota for more of the body. The time of the pause does not count."""
        if self.paused_at is not None:
            waited, self.paused_at = time.monotonic() - self.paused_at, None
            self.since, self.marked = self.since + waited, (self.marked[0] + waited, self.marked[1])
            self.moved_at = time.monotonic()
            self._want()

    def _read(self) -> None:
        with self._lock:
            if self.state is State.CLOSED:  # because sending has failed just before
                return
            if self.state not in (State.READING, State.LINGERING):  # `_listen_again` reads on after the response
                self._is_deaf = True
                self._want()
                if self._is_reset():
                    self.close()
                return
            if self._ahead:  # pipelined input comes first
                self._listen_again()
                return
        if self.state is State.READING and not self._has_room():
            self.paused_at = time.monotonic()
            self._want()
            return
        try:
            data = self.socket.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif self.state is State.READING:
            self._take(data)
        else:
            self.moved += len(data)
            if self.moved > _LINGER_BYTES:
                self.close()

    def _take(self, data: bytes) -> None:
        """Parse received bytes."""
        idle_since = self.since
        if self.request is None:
            self.request, self.holder = Request(self.server.limits), self._anonymous
            self.since, self.moved, self._is_admitted = time.monotonic(), 0, False
        request, self.moved_at = self.request, time.monotonic()
        consumed = request.received(data)
        if consumed < len(data) and request.head_done and not request.completed:
            consumed += request.received(data[consumed:])
        self._ahead = data[consumed:]
        if request.is_empty:
            self.request, self.since = None, idle_since
        elif request.completed:
            self._submit()
        elif request.head_done and not self._is_admitted:
            self._admit(request)
        else:
            self.moved += consumed if request.head_done else 0
            self._hold(request)

    def _admit(self, request: Request) -> None:
        """Read the body if it is known that it is wanted; else let a pool thread decide."""
        holder = self.server.is_admitted(self, request)
        if holder is not None:
            self._go_on_with_body(holder)
        else:
            self.state = State.CHECKING
            self.server.dispatcher.add_task(self)

    def _go_on_with_body(self, holder: Holder) -> None:
        with self._lock:
            request = self.request
            if self.state is State.CLOSED or request is None:
                return
            self._leave_uploads()
            self.holder, self._is_admitted, self.state = holder, True, State.READING
            self.since, self.moved = time.monotonic(), 0
            if request.expect_continue:
                request.expect_continue = False
                self._keep(self._send(_CONTINUE))
            self._hold(request)
        self._listen_again()

    def _submit(self) -> None:
        """Queue the request: it is complete, or will be answered as far as it was read."""
        self.state, self.arrived_at = State.SERVING, time.monotonic()
        self.server.dispatcher.add_task(self)

    def _send_owed(self) -> None:
        with self._lock:
            if self._owed is None:
                return
            try:
                sent = self._owed.send(self.socket)
            except OSError:
                self.close()
                return
            self.moved += sent
            self.moved_at = time.monotonic() if sent else self.moved_at
            self.server.owed(self._owed.holder, -sent)
            if not self._owed.size:
                self._settle_owed()
                self._want()
                if self.state is State.SENDING:
                    self._end_answer()

    def _listen_again(self) -> None:
        """Read on, beginning with pipelined input."""
        with self._lock:
            if self.state not in (State.READING, State.LINGERING):
                return
            self._is_deaf = False
            self._want()
            data, self._ahead = self._ahead, b""
        if data and self.state is State.READING:
            try:
                self._take(data)
            except Exception:
                self.close()
                raise

    def _finish(self) -> None:
        """Close after the last response, in a way that lets the client read it.

        Closing a socket with unread input resets the connection, and the client might lose the response. So only the
        sending side is shut down, and what the client still sends is discarded for a while (a lingering close).
        """
        with self._lock:
            if self.state is State.CLOSED:
                return
            if not self._is_cut and not self._ahead and not self._has_unread():
                self.close()
                return
            self.state, self.since, self.moved = State.LINGERING, time.monotonic(), 0
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        self._ahead = b""
        self._listen_again()

    def _want(self) -> None:
        """Watch for the events that the state needs."""
        events = 0 if self._is_deaf or self.paused_at is not None else READ
        self.server.loop.want(self, events if self._owed is None else events | WRITE)

    def _has_unread(self) -> bool:
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _is_reset(self) -> bool:
        """Whether the client has reset the connection. One that has only shut down its sending side may still read."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False

    # Quota of requests being received ---------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return self.uploads is None or self.uploads.fits(self)

    def _hold(self, request: Request) -> None:
        """Update what the request counts against the quota, if it is large."""
        if self.uploads is None:
            uploads = self.server.bodies if request.head_done else self.server.heads
            if request.size <= uploads.free:
                return
            self.uploads = uploads
        self.uploads.hold(self, request.size)

    def _leave_uploads(self) -> None:
        uploads, self.uploads = self.uploads, None
        if uploads is not None:
            uploads.leave(self)
            self.paused_at = None

    # Called by the pool's threads -------------------------------------------------------------------------------------

    def kind(self) -> int:
        """The cost class of the request."""
        request = self.request
        if request is None or request.error or self.state is State.CHECKING:
            return SHORT
        return self.server.cost(request.command, request.path)

    def is_large(self) -> bool:
        """Whether the request or its response takes much memory."""
        request = self.request
        if request is None or request.error or self.state is State.CHECKING:
            return False
        return self._retried is not None or request.size > LARGE

    def fits(self) -> bool:
        """Whether there is quota for a large request's response: of any size on a retry, else of its body's size."""
        request = self.request
        if self._retried is not None or request is None:
            return self.server.answers.fits(self.holder, self.server.largest_answer)
        return self.server.answers.fits(self.holder, request.size)

    def check_client_disconnected(self) -> bool:
        """Whether the client has gone. waitress offers applications this method."""
        return self.state is State.CLOSED

    def cancel(self) -> None:
        """Do nothing: the server is stopping, and closes all connections itself."""

    def service(self) -> None:
        """Decide whether the body is wanted, or run the application."""
        request = self.request
        if request is None or self.state is State.CLOSED:
            return
        if self.state is State.CHECKING:
            holder = self._ask(request)
            if holder is not None:
                self.server.loop.soon(partial(self._go_on_with_body, holder))
                return
            request.cut()
            self.state, self.arrived_at = State.SERVING, time.monotonic()
        try:
            self._serve(request)
        except BaseException:
            self.server.loop.soon(self.close)
            raise

    def _ask(self, request: Request) -> Holder | None:
        """Who sends the body; None if it is not wanted or that cannot be decided. Then the application says why."""
        try:
            return self.server.admit(self, request)
        except Exception as error:
            log.warning("Cannot decide whether to accept a request body: %s", error)
            return None

    def _serve(self, request: Request) -> None:
        server, is_last = self.server, self._retried is not None
        exchange = Exchange(self, request, self._retried)
        commit = server.run_exchange(exchange, is_large=is_last)
        self.holder = server.holder_of(exchange, self.holder)
        if exchange.is_too_large and not is_last:
            self._retried = exchange
            server.dispatcher.add_task(self)
        elif commit is None:
            self._answer(exchange)
        else:
            server.hold(len(exchange.body))
            commit.then(partial(self._answer, exchange, commit))
            server.commit_soon(len(exchange.body))

    def refuse(self) -> None:
        """Refuse the request: there was no quota for its response in time."""
        if self.request is not None:
            self.request.refuse(NoRoom("there are too many large answers"))
            self.server.dispatcher.add_task(self)

    def _answer(self, exchange: Exchange, commit: Pending | None = None) -> None:
        """Send the response, once its commit is decided. Errors stop here, so that other responses still get sent."""
        try:
            if commit is not None:
                self.server.hold(-len(exchange.body))
                if commit.error is not None and exchange.environ is not None:
                    exchange.refuse(commit.error)
            pieces = exchange.pieces()
            exchange.request.close()
            self._leave_uploads()
            with self._lock:
                if self.state is State.CLOSED:
                    return
                self._ends = exchange.close_on_finish
                self.since, self.moved, self.state = time.monotonic(), 0, State.SENDING
                rest = self._send(*pieces)
                if not rest:
                    self._end_answer()
            self._keep(rest)
            exchange.tell()
        except Exception:
            log.exception("Unexpected error while sending a response")
            self.server.loop.soon(self.close)

    def _end_answer(self) -> None:
        """Go on after a response that was sent in full."""
        self._is_cut = self.request is not None and self.request.is_cut
        self.request, self._retried = None, None
        if self._ends:
            self.server.loop.soon(self._finish)
            return
        self.state, self.since, self.moved = State.READING, time.monotonic(), 0
        if self._is_deaf or self._ahead:
            self.server.loop.soon(self._listen_again)

    # Sending ----------------------------------------------------------------------------------------------------------

    def _send(self, *pieces: bytes) -> list[memoryview]:
        """Send what the client takes without blocking; return the rest."""
        rest = [memoryview(piece) for piece in pieces]
        if self._owed is not None:  # the rest of "100 Continue" goes first
            rest.insert(0, memoryview(self._owed.left()))
            self._settle_owed()
        try:
            while rest:
                sent = self.socket.send(rest[0])
                rest[0] = rest[0][sent:]
                if not rest[0]:
                    rest.pop(0)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in _GONE:
                log.warning("Cannot send a response: %s", error)
            self.server.loop.soon(self.close)
        return rest

    def _keep(self, rest: list[memoryview]) -> None:
        """Buffer what the client has not taken. Writing a file can be slow, so that is done without the lock."""
        if not rest:
            return
        owed = Owed(rest, self.holder)
        with self._lock:
            if self.state is State.CLOSED:
                owed.close()
                return
            self._owed = owed
            self.server.owed(owed.holder, owed.size)
        self.server.loop.soon(self._want_to_write)

    def _want_to_write(self) -> None:
        with self._lock:
            if self.state is not State.CLOSED:
                self._want()

    def _settle_owed(self) -> None:
        owed, self._owed = self._owed, None
        if owed is not None:
            self.server.owed(owed.holder, -owed.size)
            owed.close()
