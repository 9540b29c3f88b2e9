"""`create_app`: the list of the parts that the application is made of."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_cors import CORS

from foreman import db
from foreman.api import config, docs, run_data, runs, tasks
from foreman.auth import caller, rate_limit
from foreman.config import Settings, WrongSetting
from foreman.db.sqlite import Database
from foreman.http import contract, errors, request_id
from foreman.http.contract import BASE_PATH
from foreman.monitoring import health, ready, request_log
from foreman.monitoring.metrics_package import how_to_install


class _App(Flask):
    """Flask, but that no view can be a coroutine: Flask would look for that at each of its calls, six in a request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings, database: Database) -> Flask:
    """The WSGI application over an open database.

    The caller closes the database when no request is under way any more.

    :raises WrongSetting: when a setting needs a package that is not installed
    """
    app = _App(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.url_map.merge_slashes = False  # a path with a slash too many is a 404, not a redirect
    app.extensions["settings"] = settings

    db.init_app(app, database)
    request_id.init_app(app)
    request_log.init_app(app, settings)
    errors.init_app(app)
    caller.init_app(app, settings, database)
    contract.init_app(app)
    if settings.cors_origins:
        exposed = ["X-Request-Id", "Location", "Retry-After", "Preference-Applied", *rate_limit.HEADERS]
        CORS(app, origins=list(settings.cors_origins), expose_headers=exposed)

    if settings.metrics_token is not None:
        try:
            from foreman.monitoring import metrics  # what it imports is an optional installation
        except ModuleNotFoundError as error:
            raise WrongSetting(f"FOREMAN_METRICS_TOKEN is set, and {how_to_install(error)}") from None
        metrics.init_app(app, database)
    ready.init_app(app, settings, database)

    app.register_blueprint(health.bp)
    app.register_blueprint(ready.bp)
    app.register_blueprint(docs.bp)
    for resource in (runs, tasks, run_data, config):
        app.register_blueprint(resource.bp, url_prefix=BASE_PATH)
    return app
