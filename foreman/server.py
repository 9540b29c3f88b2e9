"""The HTTP server: waitress, with errors in our envelope and a stop that finishes what has begun."""

import signal
import threading
import time
from types import FrameType

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.server import BaseWSGIServer, MultiSocketServer

from foreman.config import Settings
from foreman.connection import Connection
from foreman.db import Database
from foreman.dispatcher import Dispatcher

# Seconds that requests under way have to finish after the server is told to stop.
GRACE = 10.0

# A body that is a little too large is read to its end, so that the client sees the 413 and not a broken connection;
# one beyond this many times the limit is cut off.
_READ_ON = 3

_MOST_CONNECTIONS = 1000


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
        dispatcher = self._dispatcher = Dispatcher(database.write().commit)
        self._server = waitress.create_server(
            app,
            _dispatcher=dispatcher,
            host=settings.host,
            port=settings.port,
            ident=None,
            connection_limit=_MOST_CONNECTIONS,
            max_request_body_size=settings.max_body * _READ_ON,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
        )
        multiple = isinstance(self._server, MultiSocketServer)
        self._map = self._server.map if multiple else self._server._map
        self._sockets = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        dispatcher.set_thread_count(settings.threads)
        connection = Connection.of(self._stopping, database.write(), dispatcher)
        for each in self._sockets:
            each.channel_class = connection
        self.port = int(self._sockets[0].effective_port)
        host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called; then finish the requests under way, at most `GRACE` seconds long."""
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
            self._give_way()
        for each in self._sockets:
            wasyncore.dispatcher.close(each)
        deadline = time.monotonic() + GRACE
        while self._busy() and time.monotonic() < deadline and not self._give_up.is_set():
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
        self._server.task_dispatcher.shutdown()
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
                for each in self._sockets:
                    each.pull_trigger()

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and Ctrl-C. For the main thread."""

        def handle(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        signal.signal(signal.SIGTERM, handle)
        signal.signal(signal.SIGINT, handle)

    def _give_way(self) -> None:
        """Let the threads that serve get on, as long as they have enough to do.

        Python computes on one thread at a time: this one would take it from them at every statement of SQLite, to read
        requests that have to wait anyway, a few at a time.
        """
        for _ in range(_NAPS):
            if self._dispatcher.waiting() < 2:
                break
            time.sleep(_NAP)

    def _busy(self) -> bool:
        """Whether any request is under way; connections without one are told to close."""
        busy = False
        for each in self._sockets:
            for channel in list(each.active_channels.values()):
                if channel.requests or channel.request or channel.total_outbufs_len:
                    busy = True
                else:
                    channel.will_close = True
        return busy
