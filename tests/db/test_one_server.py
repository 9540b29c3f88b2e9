"""One server a database, and none on a database that cannot be written to."""

import fcntl
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from foreman.db import server_lock
from foreman.db.server_lock import AlreadyServed, only_server
from foreman.db.sqlite import Database
from tests.support.api import PLAIN, TRUSTED, ok
from tests.support.commands import NOBODY, fork, line_of, run, serving, uncovered, url_of, without_rights
from tests.support.databases import names
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite

# A second server ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling", ["foreman.db", "./sub/../foreman.db", "sqlite:///foreman.db", "link.db", "l/foreman.db"]
)
def test_second_server_is_refused_at_once_with_the_process_of_the_first(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.db").symlink_to("foreman.db")
    (tmp_path / "l").symlink_to(".")
    with serving(tmp_path, "--auth", "trust") as first:
        url = url_of(first)
        second = fork(tmp_path, "serve", "--port", "0", "--database", spelling)
        assert second.returncode == 1
        assert line_of(second.stderr) == (
            f"foreman: {tmp_path}/foreman.db already has a server, process {first.pid}: stop that one, or choose "
            "another database"
        )
        ok(httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers=TRUSTED, **PLAIN), 201)
        first.terminate()
        assert first.wait(PATIENCE) == 0
    assert names(tmp_path) == ["foreman.db", "l", "link.db", "sub"]


def test_servers_of_other_databases_in_the_same_directory_start(tmp_path: Path) -> None:
    with serving(tmp_path, "--database", "a.db") as first, serving(tmp_path, "--database", "b.db") as second:
        assert url_of(first) != url_of(second)


def test_killed_server_leaves_no_lock(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        url_of(first)
        first.kill()
        first.wait(PATIENCE)
    assert "foreman.db-server.lock" in names(tmp_path)
    with serving(tmp_path) as second:
        url_of(second)
        second.terminate()
        assert second.wait(PATIENCE) == 0
    assert names(tmp_path) == ["foreman.db"]


def test_server_that_is_stopped_is_waited_for(tmp_path: Path) -> None:
    body = b'{"inputData": 1}'
    head = "POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-API-Key: fmn_test_acme_1\r\nContent-Type: application/json\r\n"
    with serving(tmp_path, "--auth", "trust") as first:
        url = httpx.URL(url_of(first))
        with closing(socket_to(url)) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
            ok(httpx.get(f"{url}/health", **PLAIN))  # by now it has the first bytes of the other request
            first.terminate()
            lock = tmp_path / "foreman.db-server.lock"
            while "stopping" not in lock.read_text():
                assert first.poll() is None
                time.sleep(0.01)
            with serving(tmp_path, "--auth", "trust") as second:
                assert second.stderr
                assert f"Waiting for process {first.pid}, which is stopping" in second.stderr.readline()
                connection.sendall(body[5:])
                assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
                assert first.wait(PATIENCE) == 0
                listed = httpx.get(f"{url_of(second)}/api/v1/runs", headers=TRUSTED, **PLAIN)
                assert ok(listed)["total"] == 1


def test_of_servers_that_start_at_once_one_serves(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as a, serving(tmp_path) as b, serving(tmp_path) as c, serving(tmp_path) as d
    ):  # fmt: skip
        processes = [a, b, c, d]
        deadline = time.monotonic() + PATIENCE
        while len(running := [each for each in processes if each.poll() is None]) > 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (winner,) = running
        url_of(winner)
        for each in processes:
            if each is not winner:
                assert each.stderr
                assert f"process {winner.pid}:" in line_of(each.stderr.read())


def test_locks_that_are_taken_and_left_in_a_hurry_are_never_two(tmp_path: Path) -> None:
    inside, most, taken = [0], [0], [0]
    counting = threading.Lock()

    def hurry() -> None:
        while taken[0] < 200:
            try:
                with only_server(tmp_path / "foreman.db") as lock:
                    with counting:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                        taken[0] += 1
                    lock.stopping()
                    with counting:
                        inside[0] -= 1
            except AlreadyServed:
                continue

    threads = [threading.Thread(target=hurry) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    assert most == [1]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "another process"), ("what is this", "another process"), ("7 elsewhere", "process 7 on elsewhere")],
)
def test_holder_that_has_not_said_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, words: str
) -> None:
    monkeypatch.setattr(server_lock, "_PATIENCE_WITH_UNKNOWN", 0.1)
    file = tmp_path / "foreman.db-server.lock"
    file.write_text(content)
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with (
            pytest.raises(AlreadyServed, match=f"already has a server, {words}:"),
            only_server(tmp_path / "foreman.db"),
        ):
            raise AssertionError


def test_dead_process_in_the_lock_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_lock, "_PATIENCE_WITH_UNKNOWN", 0.1)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(PATIENCE)
    with only_server(tmp_path / "foreman.db") as lock:
        monkeypatch.setattr(os, "getpid", lambda: dead.pid)
        lock.say()
        with pytest.raises(AlreadyServed, match="another process"), only_server(tmp_path / "foreman.db"):
            raise AssertionError


def test_server_that_does_not_come_to_its_end_is_not_waited_for_any_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_lock, "_PATIENCE_WITH_STOPPING", 0.1)
    with only_server(tmp_path / "foreman.db") as lock:
        lock.stopping()
        with pytest.raises(AlreadyServed, match=f"process {os.getpid()}"), only_server(tmp_path / "foreman.db"):
            raise AssertionError


def test_lock_of_a_moved_directory_is_not_taken_for_that_of_another_server(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with only_server(tmp_path / "a/foreman.db"):
        (tmp_path / "a").rename(tmp_path / "b")
        (tmp_path / "a").mkdir()
        (tmp_path / "a/foreman.db-server.lock").write_text("another's")
    assert names(tmp_path / "a") == ["foreman.db-server.lock"]


def test_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "diary"
    other.write_text("dear diary")
    (tmp_path / "foreman.db-server.lock").symlink_to(other)
    refused = fork(tmp_path, "serve", "--port", "0")
    assert refused.returncode == 1
    assert "foreman.db-server.lock" in line_of(refused.stderr)
    assert other.read_text() == "dear diary"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_what_another_users_server_left_when_it_was_killed_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db-server.lock"
    file.write_text("7 elsewhere\n")
    file.chmod(0o644)
    tmp_path.chmod(0o777)

    def try_as_nobody() -> int:
        child = os.fork()
        if child == 0:
            os.chdir(tmp_path)
            os.setuid(NOBODY)
            try:
                with only_server(Path("foreman.db")):
                    os._exit(0)
            except AlreadyServed:
                os._exit(3)
            except BaseException:
                os._exit(4)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    for directory in tmp_path.parents:
        if directory.stat().st_uid == os.getuid() and directory.name.startswith(("pytest-", "popen-", "test_")):
            directory.chmod(directory.stat().st_mode | 0o111)
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert try_as_nobody() == 3
    assert try_as_nobody() == 0


def test_other_commands_and_other_wsgi_servers_are_not_kept_out(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        url_of(server)
        assert fork(tmp_path, "keys", "create", "--org", "acme").returncode == 0
        assert fork(tmp_path, "check").returncode == 0
        assert fork(tmp_path, "backup", "copy.db").returncode == 0
        assert fork(tmp_path, "prune", "--older-than", "1d").returncode == 0
        refused = fork(tmp_path, "restore", "copy.db")
        assert "is in use: stop the server" in line_of(refused.stderr)
        script = "import app, foreman; app.create_app(); app.create_app()"
        loaded = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        assert loaded.returncode == 0
    assert fork(tmp_path, "restore", "copy.db").returncode == 0  # beside the lock of a server that was killed
    with serving(tmp_path) as server:
        url_of(server)


def test_lock_keeps_sqlites_locks(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    with only_server(file), closing(Database(file)) as database:
        with pytest.raises(AlreadyServed), only_server(file):
            raise AssertionError
        database.one("SELECT 1 FROM run")
        script = "from foreman.maintenance.restore import *\nimport sys\nwith out_of_use(Path(sys.argv[1])): pass"
        other = subprocess.run([sys.executable, "-c", script, file], cwd=ROOT, capture_output=True, text=True)
        assert "is in use" in other.stderr


# A database that cannot be written to -------------------------------------------------------------------------------


UNWRITABLE: dict[str, Callable[[Path], object]] = {
    "file": lambda file: file.chmod(0o444),
    "directory": lambda file: file.parent.chmod(0o555),
    "file that may not even be read": lambda file: file.chmod(0o000),
    "directory that may not be entered": lambda file: file.parent.chmod(0o000),
}


@pytest.mark.parametrize("what", UNWRITABLE)
def test_database_that_cannot_be_written_to_is_not_served(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "place"
    directory.mkdir()
    file = directory / "foreman.db"
    Database(file).close()
    before = file.read_bytes()
    UNWRITABLE[what](file)
    try:
        refused = run(tmp_path, "serve", "--port", "0", "--database", file, preexec_fn=without_rights, env=uncovered())
    finally:
        directory.chmod(0o755)
        file.chmod(0o644)
    assert refused.returncode == 1
    assert str(file) in line_of(refused.stderr)
    assert file.read_bytes() == before
    assert names(directory) == ["foreman.db"]


@pytest.mark.parametrize("what", ["file", "directory"])
def test_keys_are_listed_of_a_database_that_cannot_be_written_to(tmp_path: Path, what: str) -> None:
    directory = tmp_path / "place"
    directory.mkdir()
    file = directory / "foreman.db"
    Database(file).close()
    assert fork(tmp_path, "keys", "create", "--org", "acme", "--database", file).returncode == 0
    UNWRITABLE[what](file)
    try:
        given = {"preexec_fn": without_rights, "env": uncovered()}
        listed = run(tmp_path, "keys", "list", "--json", "--database", file, **given)
        refused = run(tmp_path, "keys", "create", "--org", "acme", "--database", file, **given)
    finally:
        directory.chmod(0o755)
        file.chmod(0o644)
    assert [key["orgId"] for key in json.loads(listed.stdout)] == ["acme"]
    assert refused.returncode == 1
    assert str(file) in line_of(refused.stderr)


@pytest.mark.long
def test_database_that_somebody_is_writing_to_is_served(tmp_path: Path) -> None:
    Database(tmp_path / "foreman.db").close()
    with closing(sqlite3.connect(tmp_path / "foreman.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with serving(tmp_path, "--auth", "trust") as server:
            ok(httpx.get(f"{url_of(server)}/health", **PLAIN))


def test_file_size_limit_that_is_reached_stops_the_start(tmp_path: Path) -> None:
    Database(tmp_path / "foreman.db").close()
    limit = 4096  # less than what SQLite shares with other processes

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    refused = run(tmp_path, "serve", "--port", "0", preexec_fn=small_files, env=uncovered())
    assert refused.returncode == 1
    assert "foreman.db" in line_of(refused.stderr)


def socket_to(url: httpx.URL) -> "socket.socket":
    return socket.create_connection((url.host, url.port), timeout=PATIENCE)
