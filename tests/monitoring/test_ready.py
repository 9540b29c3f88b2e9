"""`/ready`: 200 when the server can take work, else 503 with what is missing."""

import shutil
import sqlite3
import threading
from collections import namedtuple
from typing import Any

import httpx
import pytest

from foreman.monitoring import ready
from tests.support.api import Json, assert_error, ok
from tests.support.contents import looking, rows
from tests.support.databases import make_newer
from tests.support.engines import ON_POSTGRES
from tests.support.running import Running, Start
from tests.support.waiting import PATIENCE, until


@pytest.fixture(autouse=True)
def nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "KEPT", 0.0)


def not_ready(served: Running, *fields: str) -> Json:
    return assert_error(httpx.get(f"{served.url}/ready"), 503, *fields)


@pytest.mark.parametrize("path", ["/ready", "/api/v1/ready"])
def test_ready_when_the_database_can_be_written_to(served: Running, path: str) -> None:
    body = ok(httpx.get(served.url + path))
    assert set(body) == {"status", "timestamp"}
    assert body["status"] == "ready"


@pytest.mark.sqlite
def test_not_ready_with_less_disk_space_than_set(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    served = start(min_disk=5000)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(4999))
    body = not_ready(served, "disk")
    assert body["error"] == "The server is not ready"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(5000))
    ok(httpx.get(f"{served.url}/ready"))


@pytest.mark.sqlite
def test_not_ready_when_the_disk_is_gone(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    not_ready(served, "disk")


@pytest.mark.sqlite
def test_not_ready_while_the_file_may_not_be_written_to(served: Running) -> None:
    connection = served.sqlite.write()._connection
    connection.execute("PRAGMA query_only = ON")
    not_ready(served, "database")
    connection.execute("PRAGMA query_only = OFF")
    ok(httpx.get(f"{served.url}/ready"))


def test_not_ready_when_the_commit_fails(served: Running) -> None:
    with served.refusing_commits(sqlite3.OperationalError("disk I/O error")):
        not_ready(served, "database")
    ok(httpx.get(f"{served.url}/ready"))


@pytest.mark.sqlite
def test_not_ready_from_the_first_request_after_the_file_has_been_moved(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "KEPT", 1000.0)
    moved = served.file.rename(served.file.with_name("moved.db"))
    for _ in range(2):
        not_ready(served, "database")
    moved.rename(served.file)


def test_not_ready_with_a_schema_of_another_version(served: Running) -> None:
    if ON_POSTGRES:
        with served.database.write() as tx:
            tx.run("UPDATE schema_migration SET version = 99")
    else:
        make_newer(served.file)
    before = rows(served.location)
    not_ready(served, "schema")
    assert rows(served.location) == before


def test_looking_changes_nothing(served: Running) -> None:
    before = rows(served.location)
    ok(httpx.get(f"{served.url}/ready"))
    assert rows(served.location) == before


def written(served: Running) -> int:
    """A number that grows when something is written."""
    if not ON_POSTGRES:
        return served.file.with_name("foreman.db-wal").stat().st_size
    with looking(served.location) as select:
        number: int = select("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0][0]
    return number


def test_it_really_writes_but_not_for_everybody_who_asks(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    served.database.observe_commits(lambda changes, *_: commits.append(changes))
    before = written(served)
    monkeypatch.setattr(ready, "KEPT", 1000.0)
    for _ in range(20):
        ok(httpx.get(f"{served.url}/ready"))
    assert commits == [1]
    assert written(served) > before


@pytest.mark.sqlite
def test_those_who_ask_while_nobody_can_write_keep_no_thread_from_reading(served: Running) -> None:
    answers: list[httpx.Response] = []
    asking = [
        threading.Thread(target=lambda: answers.append(httpx.get(f"{served.url}/ready", timeout=PATIENCE)))
        for _ in range(8)
    ]
    with served.database.write():
        for each in asking:
            each.start()
        until(served.server.dispatcher._has_tasks)  # more have come than may begin
        ok(httpx.get(f"{served.url}/health", timeout=PATIENCE))
        assert answers == []
    for each in asking:
        each.join(PATIENCE)
    assert [answer.status_code for answer in answers] == [200] * 8
