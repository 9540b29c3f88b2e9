"""A day with Foreman, the same for each form in which it comes."""

import json
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from foreman import __version__
from tests.package.conftest import Program
from tests.package.jail import jail
from tests.support.api import PLAIN, ok


@pytest.fixture(params=["one file and glibc", "wheel"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Program:
    if request.param == "wheel":
        installed: Program = request.getfixturevalue("installed")
        return installed
    return jail(request.getfixturevalue("binary"), tmp_path)


def test_serves_backs_up_stops_and_restores(program: Program) -> None:
    before = {*program.directory.iterdir()}
    assert program.run("--version") == f"foreman, version {__version__}\n"
    with program.serve() as serving:
        url = serving.url  # waits for the database, too
        key = program.run("keys", "create", "--org", "acme").strip()
        with httpx.Client(base_url=url, headers={"X-API-Key": key}, **PLAIN) as client:
            run = ok(client.post("/api/v1/runs", json={"inputData": 1.50}), 201)
            ok(client.post("/api/v1/tasks", json={"runId": run["id"], "type": "step", "inputData": None}), 201)
            assert ok(client.get("/api/v1/runs"))["items"][0]["totalTasks"] == 1
            assert ok(client.get("/health"))["status"] == "healthy"
            program.run("backup", "backup.db")
            ok(client.post("/api/v1/runs", json={"inputData": 2}), 201)
        assert program.run("check") == "ok: 2 runs, 1 tasks, 0 entries\n"
        assert serving.stop() == 0
        assert "Traceback" not in serving.log.read_text()
    assert {path.name for path in {*program.directory.iterdir()} - before} == {"foreman.db", "backup.db"}
    with closing(sqlite3.connect(program.directory / "foreman.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    assert "replaced" in program.run("restore", "backup.db")
    assert program.run("check") == "ok: 1 runs, 1 tasks, 0 entries\n"


def test_shows_its_documentation(program: Program) -> None:
    with program.serve() as serving, httpx.Client(base_url=serving.url, **PLAIN) as client:
        page = client.get("/docs")
        assert page.status_code == 200
        for asset in ("docs.js", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"):
            assert client.get(f"/docs/{asset}").status_code == 200, asset
        served = ok(client.get("/api/v1/openapi.json"))
    assert served["info"]["version"] == __version__
    assert json.loads(program.run("openapi")) == served


def test_ephemeral_prints_its_url_first(program: Program) -> None:
    with program.serve("--ephemeral") as serving:
        url = serving.url
        assert serving.output.read_text() == f"{url}\n"
        headers = {"Authorization": "Bearer fmn_test_anyone_1"}
        ok(httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers=headers, **PLAIN), 201)
        serving.process.send_signal(signal.SIGINT)
        assert serving.process.wait(60) == 0
    assert not list(program.directory.glob("*.db"))


def test_hint_names_the_program_as_it_was_called(program: Program) -> None:
    with program.serve() as serving:
        assert f"create one with: {program.command[-1]} keys create" in serving.wait_for("no API key yet.*$")[0]
