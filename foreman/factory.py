"""The application factory: `create_app` lists the parts of the application."""

from collections.abc import Callable

from flask_cors import CORS

from foreman.api import browsing, config, docs, run_data, runs, tasks
from foreman.api.acts import endpoints as acts
from foreman.api.batch import batches
from foreman.auth import api_keys, caller
from foreman.auth.caller import Admission
from foreman.auth.counters import Counters, LocalCounters
from foreman.auth.last_uses import LastUses
from foreman.auth.rate_limit import HEADERS, RateLimits
from foreman.config import Settings, WrongSetting
from foreman.db.application import Application
from foreman.db.engine import Database
from foreman.http import contract, errors, request_id
from foreman.http.contract import BASE_PATH
from foreman.monitoring import health, ready, request_log
from foreman.monitoring.request_log import Observer, RequestLog
from foreman.packages import how_to_install


class Foreman(Application):
    """The application, with those of its parts that the server uses.

    :ivar admission: decides whose bodies the server reads
    :ivar last_uses: collects when API keys were last used, for the database
    :ivar request_log: collects the lines that the server writes
    :ivar observers: called with every response that the server has sent
    """

    admission: Admission
    last_uses: LastUses
    request_log: RequestLog
    observers: list[Observer]


def create_app(settings: Settings, database: Database) -> Foreman:
    """The WSGI application on an open database.

    The caller closes the database once no request is in flight.

    :raises WrongSetting: if a setting needs a package that is not installed
    """
    app = Foreman(__name__, settings, database)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.url_map.merge_slashes = False  # a doubled slash is a 404, not a redirect

    request_id.init_app(app)
    app.request_log = request_log.init_app(app)
    app.observers = [app.request_log.answered]
    errors.init_app(app)
    limits = RateLimits(app, settings.rate_limit, _shared_counters(settings))
    app.last_uses = LastUses()
    app.admission = caller.init_app(app, limits, app.last_uses)
    contract.init_app(app)
    if settings.cors_origins:
        exposed = ["X-Request-Id", "Location", "Link", "ETag", "Idempotency-Replayed", "Preference-Applied"]
        exposed += ["Retry-After", *HEADERS]
        CORS(app, origins=list(settings.cors_origins), expose_headers=exposed)

    if settings.metrics_token is not None:
        try:
            from foreman.monitoring import metrics  # imports an optional package
        except ModuleNotFoundError as error:
            raise _lacking(error, "FOREMAN_METRICS_TOKEN is set", extra="metrics") from None
        app.observers.append(metrics.init_app(app, limits).answered)

    for resource in (runs, tasks, run_data, batches, browsing, acts, config, api_keys):
        app.register_blueprint(resource.bp, url_prefix=BASE_PATH)
    app.register_blueprint(health.bp)
    ready.init_app(app)
    app.register_blueprint(docs.bp)
    return app


def _shared_counters(settings: Settings) -> Callable[[LocalCounters], Counters] | None:
    """Makes counters that other nodes share; None if this node counts alone."""
    if settings.rate_limit_storage is None:
        return None
    try:
        from foreman.auth.redis_counters import Redis  # imports an optional package
    except ModuleNotFoundError as error:
        raise _lacking(error, "FOREMAN_RATE_LIMIT_STORAGE names a Redis server", extra="redis") from None
    return Redis(settings.rate_limit_storage, is_needed=settings.rate_limit_outage == "refuse").counters


def _lacking(error: ModuleNotFoundError, reason: str, extra: str) -> WrongSetting:
    """What to say of a package that a setting needs and that is not installed."""
    return WrongSetting(f"{reason}, but {how_to_install(error, extra)}")
