"""Foreman's server: the HTTP server with the application and its database."""

import time

from waitress.proxy_headers import proxy_headers_middleware

from foreman.factory import Foreman
from foreman.http.contract import costs_of
from foreman.server import proxy
from foreman.server.http_server import Bounds, HTTPServer
from foreman.server.loop import Events
from foreman.vocabulary import MOST_IN_ONE

# Timeout in seconds of a request's reads from the database: normally, and while others wait for a thread.
_LONGEST_READ, _LONGEST_READ_WHILE_STUCK = 10.0, 1.0

# Seconds between two looks for reads that have timed out.
_LOOK_EVERY = 0.1


class Server(HTTPServer):
    """A listening server for an application and its database.

    :raises OSError: when it cannot listen on the address
    :raises UnicodeError: when the host cannot be a host name
    """

    def __init__(self, app: Foreman) -> None:
        settings = app.settings
        # Also for large requests, and for the thread that starts the server.
        app.database.open_readers(settings.threads + 2)
        self._request_log = app.request_log
        self._database = app.database
        self._next_look_at_reads = 0.0
        application = proxy_headers_middleware(
            app,
            trusted_proxy=settings.trusted_proxy,
            trusted_proxy_headers=proxy.HEADERS if settings.trusted_proxy else (),
            clear_untrusted=True,
        )
        if settings.trusted_proxy:
            application = proxy.checked(application, settings.trusted_proxy)
        bounds = Bounds(
            settings.host,
            settings.port,
            settings.threads,
            settings.max_body,
            MOST_IN_ONE * settings.max_body,
            shares_port=settings.processes > 1,
        )
        super().__init__(application, bounds, app.database, app.admission, app.observers, costs_of(app))
        self.url = url_of(settings.host, self.port)

    def run(self) -> None:
        """Serve until `stop` is called, then let in-flight requests finish."""
        with self._request_log.written():
            super().run()

    def _handle(self, events: Events) -> None:
        """Also interrupt reads that have timed out: no filter may keep a thread from others for minutes."""
        super()._handle(events)
        now = time.monotonic()
        if now >= self._next_look_at_reads:
            self._next_look_at_reads = now + _LOOK_EVERY
            self._database.interrupt_reads(_LONGEST_READ_WHILE_STUCK if self.dispatcher.is_stuck() else _LONGEST_READ)


def url_of(host: str, port: int) -> str:
    """The URL of a server that listens on a host and port."""
    host = "localhost" if host in ("127.0.0.1", "::1") else host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
