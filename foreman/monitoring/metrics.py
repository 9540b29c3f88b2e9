"""Prometheus metrics: `GET /metrics`, with the bearer token from the settings.

It needs prometheus-client, an optional package, so it is imported only if there is a token.
"""

import hmac
import logging
from collections.abc import Iterator

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from foreman import __version__
from foreman.auth.caller import presented_key
from foreman.auth.rate_limit import RateLimits
from foreman.db.application import Application
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.http.contract import public
from foreman.http.errors import Unauthorized
from foreman.monitoring.counts import figures
from foreman.monitoring.request_log import Answered

log = logging.getLogger(__name__)

# The buckets of histograms: upper bounds in seconds, and in changes for those that share a commit.
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_COMMIT_REQUESTS = (1, 2, 4, 8, 16, 32, 64)


class Metrics(Collector):
    """Counters and histograms since the start of this process, and gauges that are read at each scrape."""

    def __init__(self, database: Database, limits: RateLimits) -> None:
        self._database, self._limits = database, limits
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(self)
        self._requests = Histogram(
            "foreman_http_request_duration_seconds",
            "From the arrival of a request to its answer.",
            ["method", "route", "status"], buckets=_REQUEST_SECONDS, registry=registry,
        )  # fmt: skip
        self._commit_seconds = Histogram(
            "foreman_commit_duration_seconds", "Commits, with their wait for the disk.",
            buckets=_COMMIT_SECONDS, registry=registry,
        )  # fmt: skip
        self._commit_requests = Histogram(
            "foreman_commit_requests", "Changes that shared a commit.", buckets=_COMMIT_REQUESTS, registry=registry
        )
        self._commit_failures = Counter("foreman_commit_failures", "Commits that failed.", registry=registry)

    def answered(self, answered: Answered) -> None:
        """Count a response."""
        self._requests.labels(answered.method, answered.route, answered.status).observe(answered.seconds)

    def committed(self, changes: int, seconds: float, error: Exception | None) -> None:
        """Count a commit.

        :param changes: how many shared it
        :param error: why it failed, if it did
        """
        if error is not None:
            self._commit_failures.inc()
        else:
            self._commit_seconds.observe(seconds)
            self._commit_requests.observe(changes)

    def collect(self) -> Iterator[Metric]:
        """The metrics that are read at each scrape; of a database that cannot be read, only that it is down."""
        version = GaugeMetricFamily("foreman_info", "The version that runs.", labels=["version"])
        version.add_metric([__version__], 1)
        yield version
        limited = CounterMetricFamily("foreman_rate_limited", "Requests answered 429.", labels=["by"])
        for by, refused in self._limits.refused.items():
            limited.add_metric([by], refused)
        yield limited
        yield from self._of_database()

    def _of_database(self) -> Iterator[Metric]:
        try:
            with self._database.read() as tx:
                counted = figures(tx)
            size = self._database.sizes()
        except (*DatabaseError, OSError) as error:
            log.error("The database cannot be read", exc_info=error)
            yield GaugeMetricFamily("foreman_database_up", "Whether the database can be read.", 0)
            return
        yield GaugeMetricFamily("foreman_database_up", "Whether the database can be read.", 1)
        yield GaugeMetricFamily("foreman_database_size_bytes", "The database file.", size.database)
        if size.log is not None:
            yield GaugeMetricFamily("foreman_wal_size_bytes", "The write-ahead log.", size.log)
        if size.free is not None:
            yield GaugeMetricFamily("foreman_disk_free_bytes", "What is free on the database's file system.", size.free)
        for name, by_status in (("runs", counted.runs), ("tasks", counted.tasks)):
            family = GaugeMetricFamily(f"foreman_{name}", f"How many {name} there are.", labels=["status"])
            for status, number in by_status.items():
                family.add_metric([status], number)
            yield family


def init_app(app: Application, limits: RateLimits) -> Metrics:
    """Count from now on, and serve `/metrics`."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the lines, and Prometheus does not use them
    metrics = Metrics(app.database, limits)
    app.database.observe_commits(metrics.committed)
    bp = Blueprint("metrics", __name__)

    @bp.get("/metrics")
    @public
    def get_metrics() -> Response:
        """All metrics, in a format that the client accepts. Needs the token instead of an API key."""
        _check_token(app.settings.metrics_token or "", limits)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(metrics.registry), content_type=content_type)

    app.register_blueprint(bp)
    return metrics


def _check_token(expected: str, limits: RateLimits) -> None:
    """Authenticate by the token, in place of an API key.

    :raises Unauthorized: if it is missing or wrong
    :raises TooManyRequests: if the client's network is locked out
    """
    address = request.remote_addr
    sent = presented_key(request.headers) or ""
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        limits.count_failure(address)
        raise Unauthorized("Send Authorization: Bearer TOKEN, with the token in FOREMAN_METRICS_TOKEN")
    limits.let_in(address, "metrics")
