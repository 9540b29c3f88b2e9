"""The HTTP server: waitress, with errors in our envelope and a stop that finishes what has begun."""

import signal
import threading
import time
from types import FrameType

import waitress
from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, MultiSocketServer
from waitress.task import ErrorTask, WSGITask

from foreman.config import Settings
from foreman.errors import MESSAGES, envelope
from foreman.request_id import HEADER, new_request_id

# Seconds that requests under way have to finish after the server is told to stop.
GRACE = 10.0

# A body that is a little too large is read to its end, so that the client sees the 413 and not a broken connection;
# one beyond this many times the limit is cut off.
_READ_ON = 3

_MOST_CONNECTIONS = 1000


class Parser(HTTPRequestParser):
    """A request as it arrives."""

    def parse_header(self, header_plus: bytes) -> None:
        """Take the head of the request apart.

        :raises ParsingError: also for what waitress's own parser stumbles over, such as a URL with half an address
        """
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Malformed head") from None


class JSONErrorTask(ErrorTask):
    """An answer to a request that never reached the application, such as malformed HTTP."""

    def execute(self) -> None:
        """Answer waitress's error in the one envelope."""
        error = self.request.error
        body = envelope(MESSAGES.get(error.code) or (f"{error.reason}: {error.body}" if error.body else error.reason))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.response_headers.append((HEADER, new_request_id()))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Task(WSGITask):
    """A request: while the server stops, its answer says that the connection will close."""

    def build_response_header(self) -> bytes:
        """The head of the answer."""
        if self.channel.stopping.is_set():
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class Channel(HTTPChannel):
    """A connection. `stopping` is set by the server that owns it."""

    parser_class = Parser
    error_task_class = JSONErrorTask
    task_class = Task
    stopping = threading.Event()


class Server:
    """A listening server over an application.

    :raises OSError: when it cannot listen there
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._stopping = threading.Event()
        self._give_up = threading.Event()
        self._stopped = False
        self._ending = threading.RLock()  # of `stop` and the end of `run`; a signal may call `stop` in between
        self._server = waitress.create_server(
            app,
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            ident=None,
            connection_limit=_MOST_CONNECTIONS,
            max_request_body_size=settings.max_body * _READ_ON,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=True,
        )
        multiple = isinstance(self._server, MultiSocketServer)
        self._map = self._server.map if multiple else self._server._map
        self._sockets = [each for each in self._map.values() if isinstance(each, BaseWSGIServer)]
        channel = type("Channel", (Channel,), {"stopping": self._stopping})
        for each in self._sockets:
            each.channel_class = channel
        self.port = int(self._sockets[0].effective_port)
        host = "localhost" if settings.host in ("127.0.0.1", "::1") else settings.host
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self) -> None:
        """Serve until `stop` is called; then finish the requests under way, at most `GRACE` seconds long."""
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)
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
