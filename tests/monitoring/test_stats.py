"""`app.py stats`: the figures of a database and its server, for people and for scripts."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foreman.auth import keys
from foreman.db.file import SCHEMA_VERSION
from foreman.monitoring.stats import _bytes, _quantile
from tests.support.api import METRICS_TOKEN, make_run, make_task, ok, put_data
from tests.support.commands import run
from tests.support.engines import ON_POSTGRES, engine
from tests.support.running import Running, Start
from tests.support.statuses import RUN_STATUSES, TASK_STATUSES

Stats = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def served(start: Start) -> Running:
    return start(metrics_token=METRICS_TOKEN)


@pytest.fixture
def stats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stats:
    """`stats` in a process of its own, beside the server."""
    monkeypatch.setenv("FOREMAN_METRICS_TOKEN", METRICS_TOKEN)
    for name, value in engine.variables(tmp_path).items():
        monkeypatch.setenv(name, value)

    return lambda *arguments: run(tmp_path, "stats", *arguments, env=None)  # which has the token


def fill(served: Running) -> None:
    for org_id in ("acme", "rival"):
        with served.client(org_id) as client:
            run = make_run(client)
            make_run(client)
            put_data(client, make_task(client, run), "key")
            ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"}))
    served.key("gone")
    keys.revoke(served.database, keys.every(served.database)[-1]["id"] or "")


def test_figures_of_the_database_and_of_its_server(served: Running, stats: Stats) -> None:
    fill(served)
    told = stats("--port", str(served.server.port))
    assert (told.returncode, told.stderr) == (0, "")
    lines = [re.sub(" +", " ", line) for line in told.stdout.splitlines()]
    for line in (
        f"Schema version {SCHEMA_VERSION}",
        "Organisations 2",
        "API keys 2",
        "Runs 4: 2 pending, 2 failed",
        "Tasks 2: 2 pending",
        "Rate limited 0 requests by key, 0 by address",
    ):
        assert line in lines
    assert any(re.fullmatch(r" 4 [\d.]+ [\d.]+ [\d.]+ 201 POST /api/v1/runs", line) for line in lines)
    assert any(re.fullmatch(r" 2 [\d.]+ [\d.]+ [\d.]+ 200 PATCH /api/v1/runs/<run_id>", line) for line in lines)
    assert "Commits 14 of 14 changes, 0 failed" in lines


def test_as_json_they_are_exact(served: Running, stats: Stats) -> None:
    fill(served)
    shown = json.loads(stats("--port", str(served.server.port), "--json").stdout)
    database, server = shown["database"], shown["server"]
    if ON_POSTGRES:  # whose log and disk are those of its server
        sizes = {"databaseBytes": database["databaseBytes"], "logBytes": None, "freeBytes": None}
        assert sizes["databaseBytes"] > 1_000_000
    else:
        log = served.file.with_name("foreman.db-wal")
        assert database["freeBytes"] > 0
        sizes = {
            "databaseBytes": served.file.stat().st_size,
            "logBytes": log.stat().st_size,
            "freeBytes": database["freeBytes"],
        }
    assert database == {
        "runs": {**dict.fromkeys(RUN_STATUSES, 0), "pending": 2, "failed": 2},
        "tasks": {**dict.fromkeys(TASK_STATUSES, 0), "pending": 2},
        "organisations": 2,
        "apiKeys": 2,
        "schemaVersion": SCHEMA_VERSION,
        **sizes,
    }
    assert {(each["method"], each["route"], each["status"]): each["count"] for each in server["requests"]} == {
        ("POST", "/api/v1/runs", 201): 4,
        ("POST", "/api/v1/tasks", 201): 2,
        ("POST", "/api/v1/runs/<run_id>/data", 201): 2,
        ("PATCH", "/api/v1/runs/<run_id>", 200): 2,
    }
    assert (server["commits"]["count"], server["failedCommits"]) == (14, 0)
    assert server["rateLimited"] == {"key": 0, "address": 0}


@pytest.mark.parametrize(("token", "why"), [("", "FOREMAN_METRICS_TOKEN is not set"), ("another-token-it-is", "401")])
def test_without_an_answer_it_says_why_and_shows_the_database(
    served: Running, stats: Stats, monkeypatch: pytest.MonkeyPatch, token: str, why: str
) -> None:
    monkeypatch.setenv("FOREMAN_METRICS_TOKEN", token)
    told = stats("--port", str(served.server.port))
    assert told.returncode == 0
    assert "Runs           0\n" in told.stdout
    assert re.search(f"The server's metrics are not available: .*{why}", told.stdout)
    assert json.loads(stats("--port", str(served.server.port), "--json").stdout)["server"] is None


def test_without_a_server_it_says_so(served: Running, stats: Stats) -> None:
    port = str(served.server.port)
    served.stop()
    assert "refused" in stats("--port", port).stdout


@pytest.mark.sqlite
def test_without_a_database_it_fails(stats: Stats, tmp_path: Path) -> None:
    told = stats("--database", "other.db")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == f"foreman: {tmp_path / 'other.db'} does not exist\n"


@pytest.mark.parametrize(
    ("quantile", "counts", "expected"),
    [
        (0.5, [0, 10, 10], 1.5),  # all between 1 and 2: the middle
        (0.5, [10, 10, 10], 0.5),
        (0.9, [5, 10, 10], 1.8),
        (0.99, [0, 0, 10], 2.0),  # above the last bound nothing more is known
        (0.5, [0, 0, 0], 0.0),
    ],
)
def test_percentiles_are_interpolated_in_their_bucket(quantile: float, counts: list[int], expected: float) -> None:
    bounds: Any = zip((1.0, 2.0, float("inf")), counts, strict=True)
    assert _quantile(quantile, list(bounds)) == pytest.approx(expected)


def test_bytes_are_shown_in_units() -> None:
    shown = [_bytes(number) for number in (0, 999, 1000, 1_250_000, 3 * 10**9, 2 * 10**12)]
    assert shown == ["0 bytes", "999 bytes", "1.0 kB", "1.2 MB", "3.0 GB", "2.0 TB"]
