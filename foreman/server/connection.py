"""A connection: reading requests, answering them one after the other, and how long its client may take.

One thread, that of the loop, reads, and sends what a client has not taken at once. A request is served by a thread of
the dispatcher, which sends what the client takes without waiting. No thread ever waits for a client, nor for another
answer's commit.
"""

import enum
import errno
import logging
import socket
import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING

from foreman.auth.holder import Holder
from foreman.pending import Pending
from foreman.server.exchange import Exchange
from foreman.server.loop import READ, WRITE
from foreman.server.parser import IN_MEMORY, LARGE, NoRoom, Request, RequestTimeout
from foreman.vocabulary import SHORT

if TYPE_CHECKING:
    from foreman.server.http_server import HTTPServer
    from foreman.server.uploads import Uploads

log = logging.getLogger(__name__)

# Bytes that are read, and sent, before other connections have their turn.
_READ_AT_ONCE = 65_536
_SENT_AT_ONCE = 262_144

# Seconds that a client may take to send the head of a request, or to begin with its body or with reading its answer.
PATIENCE = 30.0

# Bytes a second that earn it more time for a body or an answer.
SLOWEST = 1000

# Seconds in which a client must have moved anything at all, however much it has moved before.
STALLED = 60.0

# Seconds that a connection may be idle.
IDLE = 120.0

# Seconds, and bytes, that a client may go on to send what nobody reads any more, so that it sees its answer.
_LINGER = 5.0
_LINGER_BYTES = 100_000_000

_GONE = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED, errno.EBADF})

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class State(enum.Enum):
    """Whose turn it is."""

    READING = enum.auto()  # the client's: to send a request, or the rest of one
    CHECKING = enum.auto()  # a thread's: to find out whether the body of a request is wanted
    SERVING = enum.auto()  # a thread's: to answer, or the commit's that the answer waits for
    SENDING = enum.auto()  # the client's: to read the answer
    LINGERING = enum.auto()  # the client's: to end, after its last answer
    CLOSED = enum.auto()


class Connection:
    """A connection of a server, from its beginning to its end.

    :param address: the client's host and port
    :ivar since: when the client's turn began, or when it last began anew
    :ivar moved: bytes that have been moved since then
    :ivar moved_at: when the last of them were
    """

    def __init__(self, server: "HTTPServer", sock: socket.socket, address: tuple[str, int]) -> None:
        self.server, self.socket, self.addr = server, sock, address
        self.state = State.READING
        self.request: Request | None = None
        self.holder = self._anonymous = Holder.at(address[0])
        self.since = self.moved_at = time.monotonic()
        self.moved = 0
        self.queued_at = self.arrived_at = 0.0  # when it got in line, and when the request had arrived
        self.uploads: Uploads | None = None  # which it has a part of
        self.paused_at: float | None = None  # since when it waits for room there
        self.marked = (0.0, 0)  # when, and at how many bytes moved, it was last looked at for its speed
        self._lock = threading.RLock()  # of the state, and of what is owed
        self._ahead = b""  # what has arrived after the request that is being answered
        self._is_deaf = False  # whether the loop has stopped to look for what arrives
        self._is_admitted = False  # whether the body of the request is wanted
        self._owed: Owed | None = None
        self._ends = False  # whether the connection ends with the answer
        self._is_cut = False  # whether there is more of the last request than was read
        self._retried: Exchange | None = None  # the request, when it was too large to try at first
        server.loop.want(self, READ)

    # For the loop -----------------------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """Send, or read, what can be."""
        if self.state is State.CLOSED:
            return
        if events & WRITE:
            self._send_owed()
        if events & READ:
            self._read()

    def fail(self) -> None:
        """End it because of a fault."""
        self.close()

    def close(self) -> None:
        """End it at once. For the thread of the loop."""
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
        """Whether there is nothing to be done for it."""
        return self.state is State.LINGERING or (self.state is State.READING and self.request is None)

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: to send, or to read what it is owed."""
        return self.state in (State.READING, State.SENDING, State.LINGERING) and self.paused_at is None

    @property
    def owed(self) -> int:
        """Bytes that the client has yet to read."""
        owed = self._owed
        return owed.size if owed is not None else 0

    def is_overdue(self, now: float) -> bool:
        """Whether the client takes too long."""
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
        """Whether the client has moved fewer bytes a second, in the last so many seconds. To be asked all the time."""
        since, moved = self.marked
        if since < self.since:
            self.marked = (self.since, 0)
            return False
        if now - since < window:
            return False
        self.marked = (now, self.moved)
        return self.moved - moved < (now - since) * rate

    def give_up(self) -> None:
        """End it; a client that is in the midst of a request is told why."""
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
        """Go on to read: there is room for more of its body. The time that it has waited does not count."""
        if self.paused_at is not None:
            waited, self.paused_at = time.monotonic() - self.paused_at, None
            self.since, self.marked = self.since + waited, (self.marked[0] + waited, self.marked[1])
            self.moved_at = time.monotonic()
            self._want()

    def _read(self) -> None:
        with self._lock:
            if self.state is State.CLOSED:  # when what it is owed could not be sent
                return
            if self.state not in (State.READING, State.LINGERING):  # it comes back to it
                self._is_deaf = True
                self._want()
                if self._is_reset():
                    self.close()
                return
            if self._ahead:  # comes before what can be read
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
        """Take what has arrived of a request."""
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
        """Wait for the body, if it is known already that it is wanted; else let a thread find out."""
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
        """The request is there as a whole, or what is there of it will be answered."""
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
        """Go on with what the client has sent meanwhile."""
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
        """The last answer is sent: end, in a way that lets the client read it.

        When something is unread, closing resets the connection, and the client might lose the answer. So it is told
        that no more will be sent, and what it goes on to send is thrown away for a while (a lingering close).
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
        """Let the loop look for what the state needs."""
        events = 0 if self._is_deaf or self.paused_at is not None else READ
        self.server.loop.want(self, events if self._owed is None else events | WRITE)

    def _has_unread(self) -> bool:
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _is_reset(self) -> bool:
        """Whether the client is gone for good. One that has only said all may still read."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return False

    # Room for what arrives --------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return self.uploads is None or self.uploads.fits(self)

    def _hold(self, request: Request) -> None:
        """Say how much it holds."""
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

    # For the threads that serve ---------------------------------------------------------------------------------------

    def kind(self) -> int:
        """What the request costs."""
        request = self.request
        if request is None or request.error or self.state is State.CHECKING:
            return SHORT
        return self.server.cost(request.command, request.path)

    def is_large(self) -> bool:
        """Whether the request, or its answer, takes much memory."""
        request = self.request
        if request is None or request.error or self.state is State.CHECKING:
            return False
        return self._retried is not None or request.size > LARGE

    def fits(self) -> bool:
        """Whether there is room for the answer of a large request: as large as any, or as its body to begin with."""
        request = self.request
        if self._retried is not None or request is None:
            return self.server.answers.fits(self.holder, self.server.largest_answer)
        return self.server.answers.fits(self.holder, request.size)

    def check_client_disconnected(self) -> bool:
        """What applications may ask, under the name that waitress gives it."""
        return self.state is State.CLOSED

    def cancel(self) -> None:
        """The server ends before the request is answered. It closes all connections, so nothing is to be done."""

    def service(self) -> None:
        """Find out whether the body is wanted, or let the application make the answer."""
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
        """Who sends a body; None when it is not wanted, or nobody can tell: then the application says why."""
        try:
            return self.server.admit(self, request)
        except Exception as error:
            log.warning("Nobody can tell whether a body is wanted: %s", error)
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
        """Refuse the request: there was no room for its answer in time."""
        if self.request is not None:
            self.request.refuse(NoRoom("there are too many large answers"))
            self.server.dispatcher.add_task(self)

    def _answer(self, exchange: Exchange, commit: Pending | None = None) -> None:
        """Answer a request whose commit is decided. Errors end here: they must not keep others from their answers."""
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
            log.exception("A connection failed while it was answered")
            self.server.loop.soon(self.close)

    def _end_answer(self) -> None:
        """The client has taken the whole answer."""
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
        """Send what the client takes at once; the rest."""
        rest = [memoryview(piece) for piece in pieces]
        if self._owed is not None:  # the end of "100 Continue", which goes before it
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
                log.warning("A client cannot be answered: %s", error)
            self.server.loop.soon(self.close)
        return rest

    def _keep(self, rest: list[memoryview]) -> None:
        """Keep for the client what it has not taken. Writing a file may take its time, so nobody is locked out."""
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


class Owed:
    """What a client has yet to read: a little in memory, more in a temporary file.

    :param holder: whose quota it counts against
    :raises OSError: when there is no temporary file to be had
    """

    def __init__(self, pieces: list[memoryview], holder: Holder) -> None:
        self.holder = holder
        self.size = sum(map(len, pieces))
        self._piece = b""
        self._file: IO[bytes] | None = None
        if self.size <= IN_MEMORY:
            self._piece = b"".join(pieces)
            return
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for piece in pieces:
                self._file.write(piece)
            self._file.seek(0)
        except BaseException:
            self._file.close()
            raise

    def send(self, sock: socket.socket) -> int:
        """Send some of it; how many bytes.

        :raises OSError: when the client is gone
        """
        if not self._piece and self._file is not None:
            self._piece = self._file.read(_SENT_AT_ONCE)
        try:
            sent = sock.send(self._piece)
        except BlockingIOError:
            return 0
        self._piece = self._piece[sent:]
        self.size -= sent
        return sent

    def left(self) -> bytes:
        """All that is left of it."""
        return self._piece + (self._file.read() if self._file is not None else b"")

    def close(self) -> None:
        """Forget the rest."""
        if self._file is not None:
            self._file.close()
