"""The HTTP server: waitress, with errors in our envelope and a stop that finishes what has begun."""

import errno
import threading
import time
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments

from foreman import trusted_proxy
from foreman.config import Settings
from foreman.connection import Connection
from foreman.crowd import Crowd
from foreman.db import Database
from foreman.dispatcher import Dispatcher
from foreman.listener import ACCEPTED_AT_ONCE, PAUSE, Listener, most_connections
from foreman.parser import LARGE
from foreman.request_log import RequestLog
from foreman.stop_signals import on_stop_signals

# Seconds that requests under way have to finish after the server is told to stop.
GRACE = 10.0

# A body that is a little too large is read to its end, so that the client sees the 413 and not a broken connection;
# one beyond this many times the limit is cut off.
_READ_ON = 3

# Seconds that a request may read from the database: at most, and while others wait for a thread.
_LONGEST_READ, _LONGEST_READ_WHILE_STUCK = 10.0, 1.0

# Seconds between two looks for those that have read for too long.
_LOOK_EVERY = 0.1

# How long reading and writing rest while requests wait to be served: so many seconds, so often, then there is a turn.
_NAP = 0.0006
_NAPS = 5


class Server:
    """A listening server over an application and its database.

    :raises OSError: when it cannot listen there
    """

    def __init__(self, app: Flask, database: Database, settings: Settings) -> None:
        self._stopping = threading.Event()
        self._give_up = threading.Event()
        self._stopped = False
        self._ending = threading.RLock()  # of `stop` and the end of `run`; a signal may call `stop` in between
        database.open_readers(settings.threads + 1)  # the thread that starts the server reads, too
        self._request_log: RequestLog = app.extensions["request_log"]
        dispatcher = self._dispatcher = Dispatcher(database.write().commit)
        most = most_connections(settings.threads)
        adjustments = Adjustments(
            host=settings.host,
            port=settings.port,
            ident=None,
            connection_limit=most + 2 * ACCEPTED_AT_ONCE,  # of all that is open; the crowd keeps it from being reached
            max_request_body_size=settings.max_body * _READ_ON,
            outbuf_overflow=LARGE,
            asyncore_use_poll=True,
            trusted_proxy=settings.trusted_proxy,
            trusted_proxy_headers=trusted_proxy.HEADERS if settings.trusted_proxy else (),
            clear_untrusted_proxy_headers=True,
        )
        self._map: dict[int, Any] = {}
        self._listeners = [
            Listener(app, self._map, dispatcher=dispatcher, adj=adjustments, sockinfo=address)
            for address in adjustments.listen
        ]
        dispatcher.set_thread_count(settings.threads)
        self._database = database
        self._next_look = 0.0
        self._crowd = Crowd(self._connections, most)
        observers = app.extensions["observers"]
        connection = Connection.of(self._stopping, database.write(), dispatcher, self._crowd.line, observers)
        for each in self._listeners:
            each.channel_class = connection
            if settings.trusted_proxy:
                each.application = trusted_proxy.checked(each.application, settings.trusted_proxy)
        self.port = int(self._listeners[0].effective_port)
        host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called; then finish the requests under way, at most `GRACE` seconds long."""
        with self._request_log.written():
            self._run()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._turn(1)
            self._give_way()
        for each in self._listeners:
            wasyncore.dispatcher.close(each)
        deadline = time.monotonic() + GRACE
        while self._busy() and time.monotonic() < deadline and not self._give_up.is_set():
            self._turn(0.1)
        self._dispatcher.shutdown()
        with self._ending:
            self._stopped = True
            wasyncore.close_all(self._map)

    def stop(self) -> None:
        """Ask `run` to return; asked again, it gives up on requests under way."""
        if self._stopping.is_set():
            self._give_up.set()
        self._stopping.set()
        with self._ending:
            if not self._stopped:  # else its file descriptors may belong to somebody else by now
                for each in self._listeners:
                    each.pull_trigger()

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and Ctrl-C. For the main thread."""
        on_stop_signals(self.stop)

    def _end_long_reads(self) -> None:
        """No filter may keep a thread from others for minutes."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            self._database.interrupt_reads(_LONGEST_READ_WHILE_STUCK if self._dispatcher.is_stuck() else _LONGEST_READ)

    def _turn(self, timeout: float) -> None:
        """Read and write what can be, or wait so many seconds for something."""
        if any(each.is_pausing() for each in self._listeners):
            timeout = min(timeout, PAUSE)
        exhausted = False
        try:
            wasyncore.loop(timeout=timeout, use_poll=True, map=self._map, count=1)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            exhausted = True  # the limit of file descriptors has been lowered: poll(2) takes no more than that
        for each in self._listeners:
            exhausted |= each.was_exhausted()
        number = sum(len(each.active_channels) for each in self._listeners)
        self._crowd.keep_in_bounds(number, exhausted=exhausted)
        self._end_long_reads()

    def _give_way(self) -> None:
        """Let the threads that serve get on, as long as they have enough to do.

        Python computes on one thread at a time: this one would take it from them at every statement of SQLite, to read
        requests that have to wait anyway, a few at a time.
        """
        for _ in range(_NAPS):
            if self._dispatcher.waiting() < 2:
                break
            time.sleep(_NAP)

    def _connections(self) -> list[Connection]:
        return [connection for each in self._listeners for connection in list(each.active_channels.values())]

    def _busy(self) -> bool:
        """Whether any request is under way; connections without one are told to close."""
        busy = False
        for connection in self._connections():
            if connection.requests or connection.request or connection.total_outbufs_len:
                busy = True
            else:
                connection.will_close = True
        return busy
