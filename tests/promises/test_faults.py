"""Faults of the machine: a clear error while they last, nothing acknowledged is lost, and then it goes on by itself."""

import resource
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.db.sqlite import Database
from foreman.maintenance.check import check
from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data
from tests.support.commands import run_command, uncovered, without_rights
from tests.support.contents import stored_runs, violations_in
from tests.support.running import Running, Start
from tests.support.server_process import server_process
from tests.support.waiting import PATIENCE, until

LARGE = "x" * 200_000


def pragma(database: Database, statement: str) -> None:
    """Change the writer's connection."""
    writer = database.write()
    with writer._turn:
        writer._connection.execute(f"PRAGMA {statement}").fetchall()


def stop_and_check(served: Running) -> None:
    """The invariants hold after the fault."""
    served.stop()
    assert violations_in(served.location) == []


def try_to_create(client: httpx.Client, acknowledged: set[str], value: Any = LARGE) -> httpx.Response:
    response = client.post("/runs", json={"inputData": value})
    if response.status_code == 201:
        acknowledged.add(response.json()["id"])
    return response


# A full disk --------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_full_disk_is_507_for_writes_and_reading_goes_on(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with closing(sqlite3.connect(served.file)) as other:
        (pages,) = other.execute("PRAGMA page_count").fetchone()
    pragma(served.sqlite, f"max_page_count = {pages + 3}")
    task = make_task(client, run)
    response = client.post("/runs", json={"inputData": LARGE})
    assert assert_error(response, 507)["error"] == "The disk of the database is full"
    assert_error(client.patch(f"/tasks/{task['id']}", json={"outputData": LARGE}), 507)
    assert_error(client.post(f"/runs/{run['id']}/data", json={"taskId": task["id"], "key": "k", "value": LARGE}), 507)
    assert ok(client.get(f"/tasks/{task['id']}")) == task
    assert ok(client.get("/runs"))["total"] == 1
    pragma(served.sqlite, "max_page_count = 1000000")
    make_run(client, LARGE)
    stop_and_check(served)


@pytest.mark.sqlite
def test_limit_of_the_file_size_fails_writes_until_it_is_raised(tmp_path: Path) -> None:
    file, acknowledged = tmp_path / "foreman.db", set[str]()
    with server_process(file) as server:
        assert try_to_create(server.client, acknowledged).status_code == 201
        server.limit(resource.RLIMIT_FSIZE, 1_500_000)
        responses = [try_to_create(server.client, acknowledged) for _ in range(20)]
        failed = [response for response in responses if response.status_code != 201]
        assert failed
        for response in failed:
            assert_error(response, response.status_code)
            assert response.status_code in (503, 507)
        assert ok(server.client.get("/runs"))["total"] == len(acknowledged)
        assert stored_runs(file) == acknowledged
        server.limit(resource.RLIMIT_FSIZE, resource.RLIM_INFINITY)
        assert try_to_create(server.client, acknowledged).status_code == 201
    assert stored_runs(file) == acknowledged
    assert check(file) == []


# Locks and permissions ----------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_lock_of_another_process_is_503_with_retry_after_and_reading_goes_on(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    pragma(served.sqlite, "busy_timeout = 10")
    with closing(sqlite3.connect(served.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(3):
            response = client.post("/runs", json={"inputData": 1})
            assert_error(response, 503)
            assert int(response.headers["Retry-After"]) >= 1
            assert ok(client.get(f"/runs/{run['id']}")) == run
        other.execute("ROLLBACK")
    make_run(client)
    assert ok(client.get("/runs"))["total"] == 2
    stop_and_check(served)


@pytest.mark.sqlite
def test_reading_goes_on_while_many_writes_wait_for_a_lock(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    pragma(served.sqlite, f"busy_timeout = {PATIENCE * 1000}")
    writer = served.sqlite.write()
    clients = [served.client() for _ in range(8)]  # their keys are written before the lock is taken
    with (
        ThreadPoolExecutor(8) as pool,
        closing(sqlite3.connect(served.file, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        posts = [pool.submit(each.post, "/runs", json={"inputData": 1}) for each in clients]
        until(lambda: len(writer._waiting) >= 2)  # and one has the turn
        for _ in range(20):
            assert ok(client.get(f"/runs/{run['id']}")) == run
        assert not any(post.done() for post in posts)
        other.execute("ROLLBACK")
        stored = sum(post.result().status_code == 201 for post in posts)
    for each in clients:
        each.close()
    assert stored == 8
    assert ok(client.get("/runs"))["total"] == 9


@pytest.mark.sqlite
def test_only_the_first_of_many_waits_long_for_a_lock(served: Running, client: httpx.Client) -> None:
    timeouts: list[int] = []
    make_run(client)
    pragma(served.sqlite, "busy_timeout = 10")
    writer = served.sqlite.write()

    def note_timeout(statement: str) -> None:
        if statement.startswith("BEGIN"):
            timeouts.append(writer._connection.execute("PRAGMA busy_timeout").fetchone()[0])

    with closing(sqlite3.connect(served.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer._connection.set_trace_callback(note_timeout)
        for _ in range(3):
            assert_error(client.post("/runs", json={"inputData": 1}), 503)
        writer._connection.set_trace_callback(None)
        other.execute("ROLLBACK")
    assert timeouts == [10, 50, 50]
    make_run(client)
    with writer._turn:
        assert writer._connection.execute("PRAGMA busy_timeout").fetchone()[0] == 5000


@pytest.mark.sqlite
def test_database_that_became_read_only_is_503_and_reading_goes_on(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    pragma(served.sqlite, "query_only = ON")
    response = client.patch(f"/runs/{run['id']}", json={"status": "running"})
    assert assert_error(response, 503)["error"] == "The database cannot be written to"
    assert ok(client.get(f"/runs/{run['id']}")) == run
    pragma(served.sqlite, "query_only = OFF")
    assert ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}))["status"] == "running"
    stop_and_check(served)


@pytest.mark.sqlite
def test_read_only_file_stops_the_start_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    Database(file).close()
    before = file.read_bytes()
    file.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        done = run_command("serve", "--port", "0", "--database", file, preexec_fn=without_rights, env=uncovered())
    finally:
        tmp_path.chmod(0o755)
    assert done.returncode == 1
    assert done.stderr.startswith(f"foreman: {file} cannot be written to: ")
    assert done.stderr.count("\n") == 1
    assert file.read_bytes() == before


# The file is deleted or replaced ------------------------------------------------------------------------------------


def move(file: Path, to: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        source = file.with_name(file.name + ending)
        if source.exists():
            source.rename(to.with_name(to.name + ending))


@pytest.mark.sqlite
def test_write_to_a_deleted_file_is_not_acknowledged(served: Running, client: httpx.Client, tmp_path: Path) -> None:
    run = make_run(client)
    aside = tmp_path / "aside.db"
    move(served.file, aside)
    for _ in range(3):
        assert_error(client.post("/runs", json={"inputData": 1}), 503)
        assert ok(client.get(f"/runs/{run['id']}")) == run
    assert not served.file.exists()
    move(aside, served.file)
    again = make_run(client)
    assert {run["id"], again["id"]} <= stored_runs(served.file)
    stop_and_check(served)


@pytest.mark.sqlite
def test_file_that_took_the_place_of_another_is_used_from_then_on(
    served: Running, client: httpx.Client, tmp_path: Path
) -> None:
    old = make_run(client)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(served.file)) as live, closing(sqlite3.connect(other)) as copy:
        live.backup(copy)
    lost = make_run(client)
    move(served.file, tmp_path / "aside.db")
    move(other, served.file)
    assert_error(client.post("/runs", json={"inputData": "to the old file"}), 503)
    new = make_run(client)
    assert ok(client.get(f"/runs/{old['id']}")) == old
    assert_error(client.get(f"/runs/{lost['id']}"), 404)
    assert stored_runs(served.file) == {old["id"], new["id"]}
    stop_and_check(served)


@pytest.mark.sqlite
def test_file_may_be_a_link(start: Start, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "real.db", tmp_path / "foreman.db"
    link.symlink_to(file)
    served = start()
    with served.client() as client, served.database.read():  # a reader whose view a checkpoint would have to wait for
        run = make_run(client)
    assert stored_runs(file) == {run["id"]}
    assert not link.with_name("foreman.db-wal").exists()
    stop_and_check(served)


@pytest.mark.sqlite
@pytest.mark.parametrize("content", [b"", b"Dear diary,\n", b"SQLite format 3\x00" + b"\x01" * 5000])
def test_something_else_in_the_place_of_the_file_is_not_touched(
    served: Running, client: httpx.Client, tmp_path: Path, content: bytes
) -> None:
    run = make_run(client)
    aside = tmp_path / "aside.db"
    move(served.file, aside)
    served.file.write_bytes(content)
    for _ in range(2):
        assert_error(client.post("/runs", json={"inputData": 1}), 503)
    assert served.file.read_bytes() == content
    assert ok(client.get(f"/runs/{run['id']}")) == run
    served.file.unlink()
    move(aside, served.file)
    make_run(client)
    stop_and_check(served)


@pytest.mark.sqlite
def test_acknowledged_writes_survive_that_the_log_is_deleted(
    served: Running, client: httpx.Client, tmp_path: Path
) -> None:
    before = make_run(client)
    served.file.with_name("foreman.db-wal").unlink()
    after = make_run(client)
    # What is left is all that a new process would find.
    left = tmp_path / "left.db"
    shutil.copyfile(served.file, left)
    assert {before["id"], after["id"]} <= stored_runs(left)
    assert check(left) == []


# Damage -------------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_damaged_page_is_503_and_what_is_intact_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    with server_process(file) as server:
        task = make_task(server.client, make_run(server.client))
        entries = [put_data(server.client, task, f"key {n}", f"value {n} {'x' * 3000}") for n in range(60)]
    content = bytearray(file.read_bytes())
    with closing(sqlite3.connect(file)) as plain:
        (page_size,) = plain.execute("PRAGMA page_size").fetchone()
    damaged = content.index(b'"value 30 ') // page_size
    content[damaged * page_size : (damaged + 1) * page_size] = b"\xff" * page_size
    file.write_bytes(content)

    with server_process(file) as server:
        run, task_url = f"/runs/{task['runId']}", f"/tasks/{task['id']}"
        assert ok(server.client.get(task_url)) == task
        whole = server.client.get(f"{run}/data?includeAll=true&limit=100")
        assert assert_error(whole, 503)["error"] == "The database is damaged"
        assert "Retry-After" not in whole.headers
        answers = [server.client.get(f"{run}/data/{entry['id']}").status_code for entry in entries]
        assert set(answers) == {200, 503}
        assert answers.count(200) > 50
        assert ok(server.client.get(task_url)) == task
    assert check(file) != []


# Memory, clock ------------------------------------------------------------------------------------------------------


def test_commit_without_memory_is_503(served: Running, client: httpx.Client) -> None:
    with served.refusing_commits(MemoryError()):
        response = client.post("/runs", json={"inputData": 1})
    assert_error(response, 503)
    assert response.headers["Retry-After"]
    assert "Location" not in response.headers
    assert ok(client.get("/runs"))["total"] == 0
    make_run(client)


def test_clock_that_steps_backwards_breaks_no_invariant(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns() // 1_000_000

    def at(hours: int) -> None:
        for module in ("clock", "api.runs", "api.tasks", "api.run_data"):
            monkeypatch.setattr(f"foreman.{module}.now_ms", lambda: now + hours * 3_600_000)

    at(0)
    run = make_run(client)
    task = make_task(client, run)
    changes: list[Json] = []
    for hours, status in [(-1, "queued"), (-2, "running"), (-5, "retrying"), (-3, "running"), (-9, "completed")]:
        at(hours)
        changes.append(ok(client.patch(f"/tasks/{task['id']}", json={"status": status})))
        put_data(client, task, "key", hours)
    assert changes[-1]["durationMs"] == 0
    assert ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"}))["durationMs"] == 0
    later = make_run(client)
    assert later["id"] > run["id"]
    (newest,) = ok(client.get(f"/runs/{run['id']}/data"))["data"]
    assert newest["value"] == -9
    stop_and_check(served)
