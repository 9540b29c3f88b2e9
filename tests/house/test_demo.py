"""examples/index_sources.py, as people run it and with an API whose numbers differ from its own."""

import importlib.util
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
from limits import parse

from tests.support.api import ok
from tests.support.commands import without_settings
from tests.support.running import Running, Start
from tests.support.source import ROOT

DEMO = ROOT / "examples" / "index_sources.py"
BROKEN = "def broken(:\n"

Tamper = Callable[[Any, str, Any], None]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two packages, one of which has nothing but errors, a module outside of them, and what must not be indexed."""
    files = {
        "good/__init__.py": "import threading\nfrom . import part\n",
        "good/__main__.py": "import os.path, sys\n\n\nclass A:\n    def f(self): ...\n    async def g(self): ...\n",
        "good/part.py": "\n" + BROKEN,
        "bad/one.py": BROKEN,
        "alone.py": "",
        "not-importable/x.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "sources" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "sources"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo as a module."""
    specification = importlib.util.spec_from_file_location("index_sources", DEMO)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "index_sources", module)  # its dataclasses look themselves up there
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def spawn(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """`spawn("--limit", "3")`: the demo as a process, in a directory and an environment without settings."""

    def start_demo(*arguments: object, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, DEMO, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=tmp_path,
            env={**without_settings(), "PYTHONIOENCODING": "utf-8", **variables},
        )

    return start_demo


Spawn = Callable[..., "subprocess.Popen[str]"]


def outcome(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit status, stdout and stderr, when it has ended."""
    with process:
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def assert_nobody_listens(url: str) -> None:
    port = urlsplit(url).port
    assert port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def url_in(output: str) -> str:
    found = re.search(r"http://localhost:\d+", output)
    assert found
    return found[0]


def has_row(output: str, *cells: object) -> bool:
    """Whether a table has this row."""
    return any(re.split(r" {3,}", line.strip()) == [*map(str, cells)] for line in output.splitlines())


def test_it_indexes_packages_of_the_standard_library_and_stops_its_server(spawn: Spawn) -> None:
    status, output, errors = outcome(spawn("--packages", "concurrent,json,wsgiref"))
    assert errors == ""
    assert status == 0
    assert "3 of 3 packages queued" in output
    assert "GET /runs/:runId/data?tags=import:threading&limit=100" in output
    assert re.search(r"\n    concurrent +\d+\n", output)
    assert "All agree." in output
    assert_nobody_listens(url_in(output))


def test_it_shows_what_it_found_and_what_failed(spawn: Spawn, sources: Path) -> None:
    status, output, errors = outcome(spawn("--source", sources))
    assert errors == ""
    assert status == 0
    assert "5 of 5 modules indexed" in output
    assert has_row(output, "good.__main__", 6, 2, 1)
    assert has_row(output, "good", 1)
    assert has_row(output, "good.__main__", 6, "os, sys")
    assert has_row(output, "good.part", 2, "SyntaxError", "invalid syntax")
    assert has_row(output, "bad.one", 1, "SyntaxError", "invalid syntax")
    assert has_row(output, "bad", "NothingIndexed", "none of 1 modules could be parsed")
    assert has_row(output, "good", 3, 1, 8, 2, 1)
    assert has_row(output, "top-level", 1, 0, 0, 0, 0)
    assert "not-importable" not in output


def test_what_it_leaves_on_a_running_server(spawn: Spawn, served: Running, sources: Path) -> None:
    status, _, errors = outcome(spawn("--source", sources, "--url", served.url, "--key", served.key()))
    assert (status, errors) == (0, "")
    with served.client() as client:
        (run,) = ok(client.get("/runs"))["items"]
        assert run["status"] == "completed"
        assert (run["totalTasks"], run["completedTasks"], run["failedTasks"]) == (8, 5, 3)
        assert run["outputData"] == {"modules": 5, "failed": 2, "lines": 8, "functions": 2, "classes": 1}
        (entry,) = ok(client.get(f"/runs/{run['id']}/data", params={"key": "module.good.__main__"}))["data"]
        assert entry["tags"] == ["package:good", "import:os", "import:sys"]
        task = ok(client.get(f"/tasks/{entry['taskId']}"))
        assert task["status"] == "completed"
        assert task["outputData"] == {"entryId": entry["id"], "lines": 6}
        assert task["queuedAt"]
        assert task["startedAt"]
        assert ok(client.get(f"/tasks/{task['parentTaskId']}"))["inputData"] == {"name": "good"}


def add_task(client: Any, run_id: str, _packages: Any) -> None:
    client.post("/tasks", {"runId": run_id, "type": "stray", "inputData": None})


def end_task_otherwise(client: Any, _run_id: str, packages: Any) -> None:
    client.patch(f"/tasks/{packages[0].task_id}", {"status": "cancelled"})


def add_entry(client: Any, run_id: str, packages: Any) -> None:
    client.post(f"/runs/{run_id}/data", {"taskId": packages[0].task_id, "key": "stray", "value": 1})


def repeat_key(client: Any, run_id: str, packages: Any) -> None:
    client.post(f"/runs/{run_id}/data", {"taskId": packages[0].task_id, "key": "module.alone", "value": 1})


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        (add_task, "totalTasks of the run: counted 8, but the API says 9"),
        (add_task, "listed tasks: counted 8, but the API says 9"),
        (add_task, "different tasks on all pages: counted 8, but the API says 9"),
        (end_task_otherwise, "failedTasks of the run: counted 3, but the API says 2"),
        (end_task_otherwise, "listed tasks that failed: counted 3, but the API says 2"),
        (add_entry, "entries of run data: counted 3, but the API says 4"),
        (add_entry, "different keys on all pages: counted 3, but the API says 4"),
        (repeat_key, "entries of run data: counted 3, but the API says 4"),
    ],
)
def test_it_fails_when_the_api_counts_otherwise(
    demo: ModuleType,
    served: Running,
    sources: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tamper: Tamper,
    message: str,
) -> None:
    monkeypatch.setattr(demo, "answer_questions", tamper)  # between the work and the comparison
    assert demo.main(["--source", str(sources), "--url", served.url, "--key", served.key()]) == 1
    shown = capsys.readouterr()
    assert f"index_sources: {message}\n" in shown.err
    assert "All agree" not in shown.out


def test_it_waits_when_the_rate_limit_says_so(spawn: Spawn, start: Start, sources: Path) -> None:
    server = start(rate_limit=parse("30/second"))
    status, output, errors = outcome(spawn("--source", sources, "--url", server.url, "--key", server.key()))
    assert (status, errors) == (0, "")
    assert "All agree." in output


def test_terminated_it_stops_its_server(spawn: Spawn) -> None:
    with spawn() as process:
        assert process.stdout
        output = process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
    assert_nobody_listens(url_in(output))


def test_terminated_it_leaves_a_cancelled_run(spawn: Spawn, served: Running) -> None:
    with spawn("--url", served.url, "--key", served.key()) as process:
        assert process.stdout
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
    with served.client() as client:
        (run,) = ok(client.get("/runs"))["items"]
    assert run["status"] == "cancelled"
    assert run["errorData"]["type"] == "KeyboardInterrupt"


def test_an_error_in_the_work_fails_the_run(
    demo: ModuleType,
    served: Running,
    sources: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "MOST_TAGS", 1000)
    many = "".join(f"import m{number}\n" for number in range(200))
    (sources / "good" / "many.py").write_text(many, encoding="utf-8")
    assert demo.main(["--source", str(sources), "--url", served.url, "--key", served.key()]) == 1
    assert "/data: 400 " in capsys.readouterr().err
    with served.client() as client:
        (run,) = ok(client.get("/runs"))["items"]
    assert run["status"] == "failed"
    assert run["errorData"]["type"] == "ApiError"


def test_a_module_with_many_imports_keeps_to_the_limit_of_tags(spawn: Spawn, sources: Path) -> None:
    many = "".join(f"import m{number}\n" for number in range(200))
    (sources / "good" / "many.py").write_text(many, encoding="utf-8")
    status, output, errors = outcome(spawn("--source", sources))
    assert (status, errors) == (0, "")
    assert "All agree." in output


def test_a_wrong_key_is_one_line(spawn: Spawn, served: Running) -> None:
    status, _, errors = outcome(spawn("--limit", 1, "--url", served.url, "--key", "fmn_test_acme_wrong"))
    assert status == 1
    assert re.fullmatch(r"index_sources: POST /runs: 401 .*\n", errors)


def test_without_its_server_it_fails(spawn: Spawn) -> None:
    status, _, errors = outcome(spawn("--limit", 1, FOREMAN_MAX_BODY="nonsense"))
    assert status == 1
    assert "FOREMAN_MAX_BODY" in errors
    assert errors.endswith("index_sources: the throwaway server did not start\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "http://localhost:1"], "--url and --key go together"),
        (["--packages", "json,nothing"], "no Python sources of nothing in"),
        (["--threads", "0"], "at least 1"),
        (["--limit", "0"], "at least 1"),
    ],
)
def test_wrong_usage(demo: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        demo.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
