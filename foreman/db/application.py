"""The application as its handlers see it: Flask, with the settings and the database."""

import random
import threading
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, current_app
from flask.typing import ResponseReturnValue
from werkzeug.routing import MapAdapter

from foreman.config import Settings
from foreman.db.engine import Database
from foreman.db.failures import EngineError, Failure

# How often a view is called before its failure is the answer, and seconds before the second call, on average. Each
# later pause is twice as long.
_ATTEMPTS, _PAUSE = 5, 0.01

# Values of `Host` that are remembered. Clients choose them.
_MOST_HOSTS = 100


class Application(Flask):
    """A WSGI application over an open database.

    It has no async views: Flask would check each function that it calls for them, six times per request.

    :ivar settings: of this application
    :ivar database: open; whoever opened it closes it
    :ivar act_is_asked_for: set when an act has been stored, for the background to carry out
    """

    def __init__(self, import_name: str, settings: Settings, database: Database) -> None:
        super().__init__(import_name, static_folder=None)
        self.settings = settings
        self.database = database
        self.act_is_asked_for = threading.Event()
        self._adapters: dict[tuple[str | None, str], MapAdapter] = {}

    def dispatch_request(self) -> ResponseReturnValue:
        """The response of the view.

        A view whose transaction has lost to others is called again from its start, after a moment: nothing that it did
        was stored. A view must not do anything else that lasts.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return super().dispatch_request()
            except EngineError as error:
                if error.failure is not Failure.AGAIN or attempt == _ATTEMPTS - 1:
                    raise
                self.database.pause(_PAUSE * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311  # it is no secret
        raise AssertionError

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """The same as Flask's, but each `Host` is checked and parsed only once: that is a tenth of a small request."""
        if request is None:
            return super().create_url_adapter(None)
        environ = request.environ
        host = environ.get("HTTP_HOST"), environ["wsgi.url_scheme"]
        alike = None if "HTTP_UPGRADE" in environ else self._adapters.get(host)
        if alike is None:
            adapter = super().create_url_adapter(request)
            if adapter is not None and "HTTP_UPGRADE" not in environ and len(self._adapters) < _MOST_HOSTS:
                self._adapters[host] = adapter
            return adapter
        return MapAdapter(
            self.url_map,
            alike.server_name,
            request.root_path,
            alike.subdomain,
            alike.url_scheme,
            request.path,
            environ["REQUEST_METHOD"],
            environ.get("QUERY_STRING"),
        )

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The view itself."""
        return func


# The application that handles the current request: Flask's proxy, with its type.
current = cast(Application, current_app)
