"""The command `stats`: the contents of the database, and what its server has done since it started."""

import math
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from typing import Any

from foreman.clock import now_ms
from foreman.config import Settings
from foreman.maintenance.opening import reading
from foreman.monitoring.counts import figures
from foreman.packages import how_to_install

# Timeout for the response of the server, in seconds.
_PATIENCE = 10


class NoServer(Exception):
    """The server's metrics are not available. The message says why."""


def of_database(database: str) -> dict[str, Any]:
    """What is in a database: `runs` and `tasks` by status, `organisations`, valid `apiKeys`, the `schemaVersion`, and
    the bytes of it (`databaseBytes`), of its log (`logBytes`) and those left on the disk (`freeBytes`); on PostgreSQL
    the latter two are None.

    :param database: as in the settings
    :raises WrongSetting: if a package is missing
    :raises NotAForemanDatabase: if there is none, or it is something else
    :raises DatabaseError: if it cannot be read
    """
    with reading(database) as view:
        counted, size = figures(view.tx), view.sizes()
        return {
            "runs": counted.runs,
            "tasks": counted.tasks,
            "organisations": view.tx.value("SELECT count(DISTINCT org_id) FROM run_count"),
            "apiKeys": view.tx.value(
                """
                SELECT count(*) FROM api_key
                WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
                """,
                now=now_ms(),
            ),
            "schemaVersion": view.version,
            "databaseBytes": size.database,
            "logBytes": size.log,
            "freeBytes": size.free,
        }


def of_server(settings: Settings) -> dict[str, Any]:
    """What a server has done since it started, from its `/metrics`.

    :return: `requests`, a list by route, method and status; `commits`; `failedCommits`; and `rateLimited`, by key and
        by address. Times are milliseconds; percentiles are estimated from histograms, as Prometheus does
    :raises NoServer: if its metrics are not available
    """
    if settings.metrics_token is None:
        raise NoServer("FOREMAN_METRICS_TOKEN is not set")
    try:
        from prometheus_client.parser import text_string_to_metric_families  # an optional installation
    except ModuleNotFoundError as error:
        raise NoServer(how_to_install(error)) from None
    url, page = _fetch(settings)
    try:
        return _of_page({family.name: family.samples for family in text_string_to_metric_families(page)})
    except (KeyError, ValueError):
        raise NoServer(f"{url} is not a metrics page of Foreman") from None


def _of_page(families: dict[str, Any]) -> dict[str, Any]:
    requests = _durations(families["foreman_http_request_duration_seconds"])
    [commits] = _durations(families["foreman_commit_duration_seconds"])
    [changes] = (each.value for each in families["foreman_commit_requests"] if each.name.endswith("_sum"))
    for each in requests:
        each["status"] = int(each["status"])
    return {
        "requests": sorted(requests, key=lambda each: (each["route"], each["method"], each["status"])),
        "commits": commits | {"changes": int(changes)},
        "failedCommits": int(families["foreman_commit_failures"][0].value),
        "rateLimited": {each.labels["by"]: int(each.value) for each in families["foreman_rate_limited"]},
    }


def lines(database: dict[str, Any], server: dict[str, Any] | str) -> Iterator[str]:
    """Both, as lines of text.

    :param database: what `of_database` returns
    :param server: what `of_server` returns, or why it failed
    """
    if database["freeBytes"] is None:
        yield f"Database       {_bytes(database['databaseBytes'])} on PostgreSQL"
    else:
        yield f"Database       {_bytes(database['databaseBytes'])}, log {_bytes(database['logBytes'])}"
        yield f"Free on disk   {_bytes(database['freeBytes'])}"
    yield f"Schema         version {database['schemaVersion']}"
    yield f"Organisations  {database['organisations']:,}"
    yield f"API keys       {database['apiKeys']:,}"
    for name in ("runs", "tasks"):
        counted = {status: number for status, number in database[name].items() if number}
        by_status = ", ".join(f"{number:,} {status}" for status, number in counted.items())
        yield f"{name.title():13}  {sum(counted.values()):,}{': ' if counted else ''}{by_status}"
    yield ""
    if isinstance(server, str):
        yield f"The server's metrics are not available: {server}"
        return
    commits = server["commits"]
    yield f"Commits        {commits['count']:,} of {commits['changes']:,} changes, {server['failedCommits']:,} failed"
    yield f"Time for each  {commits['meanMs']} ms on average, p50 {commits['p50Ms']}, p99 {commits['p99Ms']}"
    limited = server["rateLimited"]
    yield f"Rate limited   {limited['key']:,} requests by key, {limited['address']:,} by address"
    yield ""
    table = [
        ("requests", "mean ms", "p50 ms", "p99 ms", "status", "method", "route"),
        *(
            (
                f"{each['count']:,}",
                *(str(each[name]) for name in ("meanMs", "p50Ms", "p99Ms", "status", "method", "route")),
            )
            for each in server["requests"]
        ),
    ]
    for count, mean, p50, p99, status, method, route in table:
        yield f"{count:>10}  {mean:>8}  {p50:>8}  {p99:>8}  {status:>6}  {method:7}  {route}"


def _fetch(settings: Settings) -> tuple[str, str]:
    """The URL of the metrics page, and its text."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104  # to connect, not to bind
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/metrics"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {settings.metrics_token}"})
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310  # it begins with http
            return url, answer.read().decode()
    except (OSError, HTTPException, ValueError) as error:
        raise NoServer(f"{url}: {error}") from None


def _durations(samples: Iterable[Any]) -> list[dict[str, Any]]:
    """The histograms of a family: its labels, `count`, `meanMs`, `p50Ms` and `p99Ms`."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
    sums = {}
    for sample in samples:
        labels = tuple((name, value) for name, value in sample.labels.items() if name != "le")
        if sample.name.endswith("_bucket"):
            buckets[labels].append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    return [
        dict(labels) | {
            "count": int(counts[-1][1]),
            "meanMs": _ms(sums[labels] / max(1, counts[-1][1])),
            "p50Ms": _ms(_quantile(0.5, counts)),
            "p99Ms": _ms(_quantile(0.99, counts)),
        }
        for labels, counts in buckets.items()
    ]  # fmt: skip


def _quantile(quantile: float, buckets: list[tuple[float, float]]) -> float:
    """A quantile, interpolated within its bucket as Prometheus does.

    See `histogram_quantile` at https://prometheus.io/docs/prometheus/latest/querying/functions.

    :param buckets: pairs of an upper bound, the last one infinite, and the cumulative count up to it
    """
    rank = quantile * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, counted in buckets:
        if counted >= rank and counted > below:
            return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (counted - below)
        lower, below = bound, counted
    return 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _bytes(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
