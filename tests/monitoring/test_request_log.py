"""The log: a line for every answer, with who asked for what and what came of it, and never a secret."""

import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from foreman.clock import now_ms
from foreman.config import Settings
from foreman.monitoring import request_log
from foreman.monitoring.request_log import Answered, RequestLog, json_line, known_method, text_line
from tests.support.api import PLAIN, assert_error, make_run, ok
from tests.support.commands import environment, url_of
from tests.support.running import Running, Start
from tests.support.source import APP
from tests.support.waiting import PATIENCE, until
from tests.support.wire import Wire


class Observed:
    """What the log is told of the answers of one server."""

    def __init__(self, served: Running) -> None:
        self._answers: list[Answered] = []
        served.app.observers.append(self._answers.append)

    def wait_for(self, number: int) -> list[Answered]:
        """So many answers, as soon as they have been given, and no more."""
        until(lambda: len(self._answers) >= number)
        assert len(self._answers) == number
        return self._answers


@pytest.fixture
def observed(served: Running) -> Observed:
    return Observed(served)


def test_every_answer_has_a_line_that_says_who_asked_for_what(served: Running, observed: Observed) -> None:
    before = now_ms()
    with served.client_with(served.key("acme", name="ci")) as client:
        answer = client.post("/runs", json={"inputData": 1}, headers={"X-Request-Id": "find-me"})
        ok(client.get(f"/runs/{answer.json()['id']}"))
    post, get = observed.wait_for(2)
    assert 0 < post.seconds < PATIENCE
    assert before <= post.at <= get.at <= now_ms()
    assert post[:-2] == ("find-me", "POST", "/api/v1/runs", 201, "127.0.0.1", "acme", "ci")
    assert get[1:4] == ("GET", "/api/v1/runs/<run_id>", 200)
    assert re.fullmatch("[0-9a-f]{32}", get.request_id)


def test_key_without_a_name_is_called_by_its_id(served: Running, observed: Observed) -> None:
    with served.client() as client:
        ok(client.get("/runs"))
    with served.database.read() as tx:
        assert observed.wait_for(1)[0].key == tx.value("SELECT id FROM api_key")


def test_key_that_is_taken_at_its_word_has_no_name(start: Start) -> None:
    served = start(auth="trust")
    observed = Observed(served)
    with served.client_with("fmn_test_acme_1") as client:
        ok(client.get("/runs"))
    [answered] = observed.wait_for(1)
    assert (answered.org_id, answered.key) == ("acme", None)


@pytest.mark.parametrize(
    ("method", "path", "headers", "expected"),
    [
        ("GET", "/runs", {}, ("GET", "/api/v1/runs", 401)),
        ("GET", "/runs", {"X-API-Key": "fmn_test_acme_wrong"}, ("GET", "/api/v1/runs", 401)),
        ("GET", "/fmn_prod_acme_nothing", {}, ("GET", "none", 404)),
        ("DELETE", "/tasks", {}, ("DELETE", "none", 405)),
        ("FMN_PROD_ACME_BREW", "/tasks", {}, ("other", "none", 405)),
        ("GET", "/health", {}, ("GET", "/api/v1/health", 200)),
    ],
)
def test_request_without_a_good_key_belongs_to_nobody(
    served: Running,
    observed: Observed,
    method: str,
    path: str,
    headers: dict[str, str],
    expected: tuple[str, str, int],
) -> None:
    with served.anonymous() as nobody:
        nobody.request(method, path, headers=headers)
    [answered] = observed.wait_for(1)
    assert answered[1:4] == expected
    assert answered.org_id is answered.key is None


@pytest.mark.parametrize(
    ("sent", "method", "status"),
    [
        (b"fmn_prod_acme_secret\r\n\r\n", "other", 400),
        (b"GET /api/v1/runs HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 300_000 + b"\r\n\r\n", "GET", 431),
        (b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nExpect: x\r\n\r\n", "POST", 417),
    ],
)
def test_request_that_does_not_reach_the_application_has_a_line(
    served: Running, observed: Observed, sent: bytes, method: str, status: int
) -> None:
    with Wire(served) as wire:
        wire.send_all(sent)
        assert wire.receive().status == status
    [answered] = observed.wait_for(1)
    assert answered[1:5] == (method, "none", status, "127.0.0.1")
    assert answered.request_id
    assert answered.seconds >= 0


def test_address_is_that_of_the_client_of_a_trusted_proxy(start: Start) -> None:
    served = start(trusted_proxy="127.0.0.1")
    observed = Observed(served)
    with served.client() as client:
        ok(client.get("/runs", headers={"X-Forwarded-For": "192.0.2.7"}))
    assert observed.wait_for(1)[0].address == "192.0.2.7"


def test_request_that_is_refused_before_the_application_has_a_line(start: Start) -> None:
    served = start(trusted_proxy="127.0.0.1")
    observed = Observed(served)
    with served.client() as client:
        refused = client.get("/runs", headers={"X-Forwarded-For": "nobody"})
        assert_error(refused, 400)
        ok(client.get("/runs"))
    first, second = observed.wait_for(2)
    assert first[:5] == (refused.headers["X-Request-Id"], "GET", "none", 400, "127.0.0.1")
    assert second.status == 200


@pytest.mark.sqlite
def test_duration_includes_the_wait_for_the_database(served: Running, observed: Observed) -> None:
    answered = threading.Thread(target=lambda: make_run(client))
    with served.client() as client:
        writer = served.sqlite.write()
        with writer:
            answered.start()
            until(lambda: bool(writer._waiting))
            time.sleep(0.1)
        answered.join()
    assert 0.1 <= observed.wait_for(1)[0].seconds < PATIENCE


def test_write_whose_commit_fails_is_logged_as_it_is_answered(served: Running, observed: Observed) -> None:
    with served.client() as client, served.refusing_commits(sqlite3.OperationalError("disk I/O error")):
        assert client.post("/runs", json={"inputData": 1}).status_code == 503
    assert observed.wait_for(1)[0][2:4] == ("/api/v1/runs", 503)


def test_methods_that_are_not_known_are_one() -> None:
    assert [known_method(method) for method in ("PATCH", "patch", "BREW", None)] == ["PATCH", "other", "other", "other"]


# As it is written ---------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[Callable[..., list[str]]]:
    """The log of a server process that was asked for /health once, line by line."""

    def serve_once(*arguments: str) -> list[str]:
        log = tmp_path / "log"
        with log.open("wb") as file:
            command = [sys.executable, str(APP), "serve", "--port", "0", *arguments]
            process = subprocess.Popen(command, cwd=tmp_path, env=environment(TZ="Asia/Tokyo"), stderr=file)
        try:
            listens = until(lambda: re.search(r"listens on (http://localhost:\d+)", log.read_text(encoding="utf-8")))
            url = listens[1].replace("localhost", "127.0.0.1")
            httpx.get(f"{url}/health", headers={"X-Request-Id": "find-me"}, **PLAIN).raise_for_status()
        finally:
            process.terminate()
            process.wait(PATIENCE)
        return log.read_text(encoding="utf-8").splitlines()

    yield serve_once


def test_line_of_json(logged: Callable[..., list[str]]) -> None:
    [line] = [line for line in map(json.loads, logged("--log-format", "json")) if line["logger"] == "foreman.request"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert abs(datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))) < timedelta(hours=1)
    assert isinstance(line.pop("durationMs"), float)
    assert line == {
        "level": "INFO", "logger": "foreman.request", "message": "answered", "method": "GET", "route": "/health",
        "status": 200, "org": None, "key": None, "address": "127.0.0.1", "requestId": "find-me",
    }  # fmt: skip


def test_line_of_text(logged: Callable[..., list[str]]) -> None:
    [line] = [line for line in logged("--log-format", "text") if "foreman.request" in line]
    assert re.fullmatch(
        r"\S+Z INFO    foreman\.request: answered method=GET route=/health status=200 durationMs=[\d.]+ org=- key=-"
        r" address=127\.0\.0\.1 requestId=find-me",
        line,
    )


ANSWERED = Answered("find-me", "GET", "/api/v1/runs", 200, "127.0.0.1", "acme", "ci", 0.001234, 1)


def test_name_of_a_key_cannot_be_made_to_look_like_another_field_or_line() -> None:
    line = text_line(ANSWERED._replace(key='ci\n2026 "forged" org=rival'))
    assert r' org=acme key="ci\n2026 \"forged\" org=rival" address=127.0.0.1 ' in line
    assert line.count("\n") == 1
    assert json.loads(json_line(ANSWERED._replace(key="a\nb")))["key"] == "a\nb"


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 3), ("warning", 0), ("error", 0)])
def test_lines_are_written_together_and_only_when_the_level_wants_them(
    capsys: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    log = RequestLog(replace(Settings(), log_level=level, log_format="text"))
    with log.written():
        for number in range(3):
            log.answered(ANSWERED._replace(status=200 + number))
    written = capsys.readouterr().err.splitlines()
    assert [line.split()[6] for line in written] == ["status=200", "status=201", "status=202"][:lines]


def test_lines_are_written_while_the_server_runs(capsys: pytest.CaptureFixture[str]) -> None:
    log = RequestLog(replace(Settings(), log_format="json"))
    with log.written():
        for number in range(3):
            log.answered(ANSWERED._replace(status=200 + number))
            written = until(lambda: capsys.readouterr().err)
            assert json.loads(written)["status"] == 200 + number


def test_of_lines_that_cannot_be_written_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "_KEPT", 10)
    log = RequestLog(Settings())
    for number in range(25):
        log.answered(ANSWERED._replace(status=number))
    assert [answered.status for answered in log._gathered] == [*range(15, 25)]


def test_server_goes_on_when_nobody_reads_its_log_any_more(tmp_path: Path) -> None:
    command = [sys.executable, str(APP), "serve", "--port", "0", "--auth", "trust", "--log-format", "text"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        url = url_of(process)
        assert process.stderr
        process.stderr.close()
        with httpx.Client(base_url=url, **PLAIN) as client:
            for _ in range(5):
                assert client.get("/health").status_code == 200
                assert client.get("/api/v1/runs", headers={"X-API-Key": "fmn_t_acme_1"}).status_code == 200
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert not (tmp_path / "foreman.db-wal").exists()


def test_throwaway_server_logs_no_requests(tmp_path: Path) -> None:
    assert Settings().log_level == "info"
    command = [sys.executable, str(APP), "serve", "--ephemeral"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip().replace("localhost", "127.0.0.1")
        httpx.get(f"{url}/health", **PLAIN).raise_for_status()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert "foreman.request" not in (tmp_path / "log").read_text(encoding="utf-8")
