"""`/metrics`: exact counts, for whoever has the token."""

import sqlite3
import sys
from pathlib import Path

import httpx
import pytest
from limits import parse
from prometheus_client.parser import text_string_to_metric_families

from foreman.auth import rate_limit
from foreman.config import WrongSetting, load
from foreman.requirements import requirements
from tests.support.api import METRICS_TOKEN, assert_error, make_run, make_task, ok
from tests.support.commands import environment, run
from tests.support.running import Running, Start

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def served(start: Start) -> Running:
    return start(metrics_token=METRICS_TOKEN)


def scrape(served: Running, token: str | None = METRICS_TOKEN, **headers: str) -> httpx.Response:
    authorization = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return httpx.get(f"{served.url}/metrics", headers=authorization | headers)


def metrics(served: Running) -> Samples:
    """Each sample, by its name and the values of its labels, in the order of their names."""
    answer = scrape(served)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def requests(samples: Samples) -> dict[tuple[str, ...], int]:
    """How many answers there were by method, route and status."""
    return {
        labels[1:]: int(value)
        for labels, value in samples.items()
        if labels[0] == "foreman_http_request_duration_seconds_count" and labels[2] != "/metrics"
    }


# Who may see them ---------------------------------------------------------------------------------------------------


def test_without_the_setting_there_is_no_such_page(start: Start) -> None:
    assert_error(scrape(start()), 404)


@pytest.mark.parametrize("token", [None, "", "a-token-of-Promethe", METRICS_TOKEN + "x", METRICS_TOKEN.lower(), "ä"])
def test_wrong_token_is_refused(served: Running, token: str | None) -> None:
    headers = None if token is None else {b"X-API-Key": token.encode("latin-1")}
    answer = httpx.get(f"{served.url}/metrics", headers=headers)
    assert_error(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert METRICS_TOKEN not in answer.text


def test_api_key_is_no_token_and_the_token_no_api_key(served: Running) -> None:
    assert_error(scrape(served, served.key()), 401)
    with served.client_with(METRICS_TOKEN) as client:
        assert_error(client.get("/runs"), 401)


def test_tokens_cannot_be_guessed_at_speed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/minute"))
    served = start(metrics_token=METRICS_TOKEN)
    assert [scrape(served, "a-wrong-token-it-is").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert_error(scrape(served), 429)


def test_prometheus_goes_on_when_others_fail_from_its_address(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/minute"))
    served = start(metrics_token=METRICS_TOKEN)
    assert scrape(served).status_code == 200
    for _ in range(5):
        scrape(served, "a-wrong-token-it-is")
    assert metrics(served)["foreman_rate_limited_total", "address"] == 2


@pytest.mark.parametrize("token", ["too-short", "with a blank in it", "x" * 129, "umlauts-äöü-are-not-sent"])
def test_token_must_be_one_that_can_be_sent_and_is_not_repeated(tmp_path: Path, token: str) -> None:
    with pytest.MonkeyPatch.context() as patched, pytest.raises(WrongSetting) as wrong:
        patched.setenv("FOREMAN_METRICS_TOKEN", token)
        load(directory=tmp_path)
    assert token not in str(wrong.value)
    assert "FOREMAN_METRICS_TOKEN is (hidden); allowed: 16 to 128" in str(wrong.value)


def test_without_its_package_the_start_says_so(tmp_path: Path) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ModuleNotFoundError(name='prometheus_client')")
    without_package = environment(FOREMAN_METRICS_TOKEN=METRICS_TOKEN, PYTHONPATH=str(tmp_path))
    told = run(tmp_path, "serve", "--port", "0", env=without_package)
    assert told.returncode == 2
    (wanted,) = requirements(extra="metrics")
    assert told.stderr == (
        "foreman: FOREMAN_METRICS_TOKEN is set, but prometheus_client is not installed; install it with: "
        f"{sys.executable} -m pip install {wanted}\n"
    )


# What they say ------------------------------------------------------------------------------------------------------


def test_answers_are_counted_by_method_route_and_status(served: Running) -> None:
    with served.client() as client, served.anonymous() as nobody:
        runs = [make_run(client) for _ in range(3)]
        for run in runs:
            ok(client.get(f"/runs/{run['id']}"))
        assert_error(client.get("/runs/none"), 404)
        assert_error(client.post("/runs", json={}), 400, "inputData")
        assert_error(nobody.get("/runs"), 401)
    samples = metrics(served)
    assert requests(samples) == {
        ("POST", "/api/v1/runs", "201"): 3,
        ("GET", "/api/v1/runs/<run_id>", "200"): 3,
        ("GET", "/api/v1/runs/<run_id>", "404"): 1,
        ("POST", "/api/v1/runs", "400"): 1,
        ("GET", "/api/v1/runs", "401"): 1,
    }
    histogram = [
        value for labels, value in samples.items()
        if labels[0] == "foreman_http_request_duration_seconds_bucket" and labels[2:] == ("POST", "/api/v1/runs", "201")
    ]  # fmt: skip
    assert histogram == sorted(histogram)
    assert histogram[-1] == 3
    assert samples["foreman_http_request_duration_seconds_sum", "POST", "/api/v1/runs", "201"] > 0


def test_clients_cannot_make_up_series(served: Running) -> None:
    with served.client() as client:
        for number in range(5):
            client.get(f"/nothing/{number}")
            client.request(f"BREW{number}", "/runs")
            client.get(f"/runs/{number}")
    assert requests(metrics(served)) == {
        ("GET", "none", "404"): 5,
        ("other", "none", "405"): 5,
        ("GET", "/api/v1/runs/<run_id>", "404"): 5,
    }


def test_commits_are_counted_with_their_changes(served: Running) -> None:
    with served.client() as client:  # making its key is a commit, too
        before = metrics(served)
        for _ in range(4):
            make_run(client)
        after = metrics(served)
    for name in (
        "foreman_commit_requests_sum",
        "foreman_commit_requests_count",
        "foreman_commit_duration_seconds_count",
    ):
        assert after[(name,)] - before[(name,)] == 4
    assert after[("foreman_commit_duration_seconds_sum",)] > before[("foreman_commit_duration_seconds_sum",)]
    assert after[("foreman_commit_failures_total",)] == 0


@pytest.mark.sqlite
def test_changes_that_share_a_commit_are_one_of_it(served: Running) -> None:
    before = metrics(served)
    writer = served.sqlite.write()
    writer.defer()
    for _ in range(5):
        with writer as tx:
            tx.run("UPDATE api_key SET name = 'x'")
    assert writer.deferred() is not None
    writer.commit()
    after = metrics(served)
    assert after[("foreman_commit_requests_count",)] - before[("foreman_commit_requests_count",)] == 1
    assert after[("foreman_commit_requests_sum",)] - before[("foreman_commit_requests_sum",)] == 5
    assert after["foreman_commit_requests_bucket", "4.0"] == before["foreman_commit_requests_bucket", "4.0"]


def test_commit_that_fails_is_counted(served: Running) -> None:
    with served.client() as client, served.refusing_commits(sqlite3.OperationalError("disk I/O error")):
        assert_error(client.post("/runs", json={"inputData": 1}), 503)
    assert metrics(served)[("foreman_commit_failures_total",)] == 1


def test_runs_and_tasks_of_all_organisations_are_counted_by_status(served: Running) -> None:
    for org_id in ("acme", "rival"):
        with served.client(org_id) as client:
            run = make_run(client)
            make_run(client)
            task = make_task(client, run)
            make_task(client, run)
            ok(client.patch(f"/runs/{run['id']}", json={"status": "completed"}))
            ok(client.patch(f"/tasks/{task['id']}", json={"status": "retrying"}))
    samples = metrics(served)
    runs = {labels[1]: value for labels, value in samples.items() if labels[0] == "foreman_runs"}
    tasks = {labels[1]: value for labels, value in samples.items() if labels[0] == "foreman_tasks"}
    assert runs == {"pending": 2, "running": 0, "completed": 2, "failed": 0, "cancelled": 0}
    assert {status: number for status, number in tasks.items() if number} == {"pending": 2, "retrying": 2}
    assert len(tasks) == 7


@pytest.mark.sqlite
def test_sizes_are_those_of_the_files(served: Running) -> None:
    samples = metrics(served)
    file = served.file
    assert samples[("foreman_database_size_bytes",)] == file.stat().st_size > 0
    assert samples[("foreman_wal_size_bytes",)] == file.with_name("foreman.db-wal").stat().st_size
    assert samples[("foreman_disk_free_bytes",)] > 0
    assert samples[("foreman_database_up",)] == samples["foreman_info", "0.5.0"] == 1
    assert samples[("process_resident_memory_bytes",)] > 10_000_000


def test_requests_over_the_limit_are_counted(start: Start) -> None:
    served = start(metrics_token=METRICS_TOKEN, rate_limit=parse("2/minute"))
    with served.client() as client:
        assert [client.get("/runs").status_code for _ in range(5)] == [200, 200, 429, 429, 429]
    samples = metrics(served)
    assert samples["foreman_rate_limited_total", "key"] == 3
    assert samples["foreman_rate_limited_total", "address"] == 0


def test_broken_database_leaves_what_does_not_need_it(served: Running) -> None:
    with served.database.write() as tx:
        tx.run("ALTER TABLE run_count RENAME TO elsewhere")
    samples = metrics(served)
    assert samples[("foreman_database_up",)] == 0
    assert ("foreman_runs", "pending") not in samples
    assert samples[("foreman_commit_failures_total",)] == 0


def test_whoever_accepts_openmetrics_gets_it(served: Running) -> None:
    answer = scrape(served, Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")
