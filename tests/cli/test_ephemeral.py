"""`serve --ephemeral`: a server for somebody else's tests, which is gone when they are."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from foreman.cli import parent as parent_module
from foreman.cli.parent import Parent
from tests.support.api import PLAIN, TRUSTED, ok
from tests.support.commands import environment, line_of, run, serving, url_of, wait_until_gone
from tests.support.source import APP
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite

# What starts a server as a test runner does: it says the server's process id, then its URL, and then does nothing.
RUNNER = """
import subprocess, sys, time
server = subprocess.Popen({command!r}, stdout={stdout}, text=True)
print(server.pid, flush=True)
{then}
time.sleep(600)
"""
SAY_URL = "print(server.stdout.readline(), end='', flush=True)"


def runner(
    directory: Path, *arguments: str, then: str = SAY_URL, stdout: str = "subprocess.PIPE"
) -> "subprocess.Popen[str]":
    command = [sys.executable, str(APP), "serve", *arguments]
    script = RUNNER.format(command=command, then=textwrap.dedent(then), stdout=stdout)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=directory, env=environment(TMPDIR=str(directory)), stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(PATIENCE)
    assert process.stdout
    process.stdout.close()


def test_ends_with_the_process_that_started_it_and_leaves_nothing(tmp_path: Path) -> None:
    tests = runner(tmp_path, "--ephemeral")
    pid, url = int(line(tests)), line(tests).replace("localhost", "127.0.0.1")
    ok(httpx.get(f"{url}/health", **PLAIN))
    kill(tests)
    wait_until_gone(pid)
    assert list(tmp_path.iterdir()) == []


def test_goes_on_without_its_parent_when_it_is_told_to(tmp_path: Path) -> None:
    tests = runner(tmp_path, "--ephemeral", "--without-parent")
    pid, url = int(line(tests)), line(tests).replace("localhost", "127.0.0.1")
    kill(tests)
    time.sleep(1)  # it looks five times a second
    ok(httpx.get(f"{url}/health", **PLAIN))
    os.kill(pid, signal.SIGTERM)
    wait_until_gone(pid)


def test_other_servers_end_with_their_parent_only_when_they_are_told_to(tmp_path: Path) -> None:
    tests = runner(tmp_path, "--with-parent", "--port", "0", then="")
    pid = int(line(tests))
    while not (tmp_path / "foreman.db-server.lock").exists():
        time.sleep(0.02)
    kill(tests)
    wait_until_gone(pid)
    assert [file.name for file in tmp_path.iterdir()] == ["foreman.db"]


@pytest.mark.parametrize("stdout", ["subprocess.PIPE", "open('url', 'w')"])
def test_ends_when_its_parent_died_before_it_could_look(tmp_path: Path, stdout: str) -> None:
    # The runner is in a session of its own, so that what adopts its child is not in that; it dies at once.
    tests = runner(tmp_path, "--ephemeral", then="import os; os.kill(os.getpid(), 9)", stdout=stdout)
    pid = int(line(tests))
    tests.wait(PATIENCE)
    wait_until_gone(pid)
    assert tests.stdout
    tests.stdout.close()
    assert [file.name for file in tmp_path.iterdir() if file.name != "url"] == []


def test_child_of_the_process_that_adopts_orphans_is_told_from_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    sessions = {0: 70, 1: 1}
    monkeypatch.setattr(os, "getsid", lambda pid: sessions[pid])
    assert Parent().has_ended()
    sessions[0] = 1  # as where the first process of a container starts everything
    assert not Parent().has_ended()
    sessions[0] = os.getpid()  # as for a service of systemd
    assert not Parent().has_ended()


def test_parent_that_cannot_be_seen_counts_as_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 0)  # it is outside of this namespace of processes
    assert not Parent().has_ended()


def test_parent_of_one_file_is_that_of_the_process_that_unpacked_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    grandparent = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
    assert parent_module._now() == grandparent
    assert not Parent().has_ended()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(PATIENCE)
    monkeypatch.setattr(os, "getppid", lambda: dead.pid)
    assert parent_module._now() == 0


def test_has_no_rate_limit_unless_it_is_given_one(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", env=environment(FOREMAN_RATE_LIMIT="1/hour")) as server:
        assert server.stdout
        url = server.stdout.readline().strip().replace("localhost", "127.0.0.1")
        for _ in range(3):
            listed = httpx.get(f"{url}/api/v1/runs", headers=TRUSTED, **PLAIN)
            ok(listed)
            assert not [name for name in listed.headers if "ratelimit" in name.lower()]
    with serving(tmp_path, "--ephemeral", "--rate-limit", "1/hour") as server:
        assert server.stdout
        url = server.stdout.readline().strip().replace("localhost", "127.0.0.1")
        statuses = [httpx.get(f"{url}/api/v1/runs", headers=TRUSTED, **PLAIN).status_code for _ in range(2)]
        assert statuses == [200, 429]


def test_refuses_a_database_that_it_would_not_use(tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", "--ephemeral", "--database", "precious.db")
    assert refused.returncode == 2
    assert line_of(refused.stderr) == "foreman: --ephemeral uses its own database, so it excludes --database"
    assert list(tmp_path.iterdir()) == []


def test_does_not_mind_the_variable_that_names_the_database_of_others(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", env=environment(FOREMAN_DATABASE="postgresql://not/ours")) as server:
        assert server.stdout
        assert server.stdout.readline().startswith("http://")
        server.terminate()
        assert server.wait(PATIENCE) == 0
    assert list(tmp_path.iterdir()) == []


def test_with_keys_its_url_is_still_the_first_line(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", "--auth", "keys", "--first-key", "--log-level", "info") as server:
        url_of(server)
        server.terminate()
        output = server.communicate(timeout=PATIENCE)[0]
    first, *more = output.splitlines()
    assert first.startswith("http://localhost:")
    assert any("fmn_dev_default_" in each for each in more)
