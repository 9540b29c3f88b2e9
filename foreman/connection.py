"""A connection: waitress's, but that errors have our envelope, that an answer waits for the commit it speaks of, and
that no thread ever waits for the client.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any

from waitress.buffers import OverflowableBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.parser import HTTPRequestParser

from foreman.dispatcher import LONG, SHORT, WAITING, Dispatcher
from foreman.parser import LARGE, Parser
from foreman.request_log import Observer
from foreman.transactions import Commit, Writer
from foreman.wsgi import JSONErrorTask, Task

log = logging.getLogger(__name__)

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_WRITING = "/ready"  # what a GET of which proves that it can be done

# Seconds that a client may take to send the head of a request, or to begin with its body or with reading its answer.
PATIENCE = 30.0

# Bytes a second that earn it more time for a body or an answer.
SLOWEST = 1000

# Bytes that are sent to a client before others have their turn.
_PIECE = 262_144


class Connection(HTTPChannel):
    """A connection of a server; `of` makes the class of its own for each server.

    While a request waits for its commit, or for the client to read the answer before, the connection keeps it, so that
    nothing else is read or answered meanwhile.
    """

    parser_class = Parser
    error_task_class = JSONErrorTask
    stopping: threading.Event
    writer: Writer
    dispatcher: Dispatcher
    line: "deque[Connection]"
    observers: Sequence[Observer]
    request: Parser | None  # of which a part has arrived
    requests: list[Parser]  # to be answered, the first one now
    outbufs: list[OverflowableBuffer]
    total_outbufs_len: int
    queued_at = 0.0
    _ran: Task | None = None
    _parked = False  # whether the next request waits for the client to read the answer before
    _owed = 0  # bytes that were left to be sent when the client was answered

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.since = time.monotonic()  # when it began to wait for its client
        super().__init__(*args, **kwargs)

    @classmethod
    def of(
        cls,
        stopping: threading.Event,
        writer: Writer,
        dispatcher: Dispatcher,
        line: "deque[Connection]",
        observers: Sequence[Observer],
    ) -> "type[Connection]":
        """The class for the connections of one server.

        :param stopping: set when the server stops
        :param writer: whose commits the answers wait for
        :param dispatcher: whose threads serve the requests
        :param line: where connections stand whose request waits for room
        :param observers: told of every answer
        """
        parts = {
            "stopping": stopping,
            "writer": writer,
            "dispatcher": dispatcher,
            "line": line,
            "observers": observers,
        }
        return type(cls.__name__, (cls,), parts)

    # On the thread that reads and writes ----------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that have been set aside for its large requests."""
        return sum(request.room for request in [*self.requests, self.request] if request is not None)

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn: to send, or to read what it is owed."""
        return not self.requests or self.total_outbufs_len > 0

    def is_overdue(self, now: float) -> bool:
        """Whether the client takes too long over a request or an answer. An idle connection is not overdue."""
        if self.total_outbufs_len:
            moved = self._owed - self.total_outbufs_len
        elif self.requests or self.request is None:
            return False
        else:
            moved = self.request.body_bytes_received
        return bool(now - self.since > PATIENCE + moved / SLOWEST)

    def give_up(self) -> None:
        """Close it; a client that is in the midst of a request is told why."""
        with self.requests_lock:
            late = self.request
            if late is not None and not self.requests and not self.total_outbufs_len:
                late.give_up()
                self.request = None
                self.requests.append(late)
                self.server.add_task(self)
                return
        self.handle_close()

    def readable(self) -> bool:
        """Whether to read from the client: not while it has to read, or its request has to wait."""
        return bool(super().readable()) and not (self.request is not None and self.request.waits)

    def received(self, data: bytes) -> None:
        """Take what has arrived."""
        if self.request is None:
            self.since = time.monotonic()
        super().received(data)
        if self.request is not None and self.request.waits:
            self.line.append(self)

    def handle_write(self) -> None:
        """Send some of what the client is owed; when that is all, go on with the request that has waited for it."""
        super().handle_write()
        with self.outbuf_lock:
            if self.total_outbufs_len or not self.connected:
                return
            self.since = time.monotonic()
            resumes, self._parked = self._parked, False
        if resumes:
            self.server.add_task(self)

    def handle_expt(self) -> None:
        """Close it: urgent data has no meaning in HTTP, and would be announced again and again until it is read."""
        self.handle_close()

    def _flush_some(self, do_close: bool = True) -> bool:
        """Send a piece of what is left."""
        while len(self.outbufs) > 1 and not self.outbufs[0]:
            self.outbufs.pop(0).close()
        piece = self.outbufs[0].get(_PIECE)
        sent = self.send(piece, do_close=do_close) if piece else 0
        if not sent:
            return False
        self.outbufs[0].skip(sent, True)
        self.total_outbufs_len -= sent
        self.last_activity = time.time()
        if not self.total_outbufs_len:
            for buffer in self.outbufs:
                buffer.close()
            self.outbufs = [OverflowableBuffer(self.adj.outbuf_overflow)]
        return True

    # On the threads that serve requests -----------------------------------------------------------------------------

    def service(self) -> None:
        """Let the application handle the request, and answer it, at once or when its changes are on disk.

        Before the client has read the answer to its request before, nothing is done: `handle_write` comes back to it.
        """
        with self.outbuf_lock:
            self._parked = self.total_outbufs_len > 0
            if self._parked:
                return
        if self.requests[0].error:
            super().service()
            return
        task = self._ran = Task(self, self.requests[0])
        self.writer.defer()
        task.run()
        commit = self.writer.deferred()
        if commit is None:
            super().service()
        else:
            commit.then(partial(self._answer, task, commit))
            self.dispatcher.do_later()

    def kind(self) -> int:
        """What the request is to the dispatcher: a write may have to wait for its turn, a query may take long."""
        request = self.requests[0]
        if request.error:
            return SHORT
        if request.command not in _READING or request.path.endswith(_WRITING):
            return WAITING
        return LONG if request.path.endswith("/data") else SHORT

    def is_large(self) -> bool:
        """Whether the request takes much memory."""
        return bool(self.requests[0].body_bytes_received > LARGE)

    def task_class(self, _channel: HTTPChannel, _request: HTTPRequestParser) -> Task | None:
        """What waitress calls for the request's task: the one that has been run."""
        task, self._ran = self._ran, None  # an idle connection must not keep its last answer
        return task

    def write_soon(self, data: bytes) -> int:
        """Send what the client takes at once, and keep the rest for it."""
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            sent = 0 if self.total_outbufs_len else self.send(data, do_close=False)
            self.since = time.monotonic()
        if sent < len(data):
            rest = OverflowableBuffer(self.adj.outbuf_overflow)
            rest.append(memoryview(data)[sent:])
            with self.outbuf_lock:
                if not self.connected:
                    rest.close()
                    raise ClientDisconnected
                self.outbufs.append(rest)
                self.total_outbufs_len += len(data) - sent
                self._owed = self.total_outbufs_len
            self.server.pull_trigger()
        return len(data)

    def _flush_outbufs_below_high_watermark(self) -> None:
        """What waitress calls to wait for the client; `service` sees to it that there is nothing to wait for."""

    def _answer(self, task: Task, commit: Commit) -> None:
        """Answer a request whose commit is decided. Errors end here: they must not keep others from their answers."""
        try:
            if commit.error is not None:
                task.refuse(commit.error)
            super().service()
        except Exception:
            log.exception("A connection failed while it was answered")
