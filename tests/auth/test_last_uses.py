"""When a key was last used: noted in memory, and written once a minute."""

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from foreman.auth import keys
from foreman.auth import last_uses as notes
from foreman.auth.last_uses import LastUses
from foreman.background import last_uses
from foreman.clock import now_ms
from foreman.config import Settings
from foreman.db.engine import Database
from tests.support.api import make_run, ok
from tests.support.clock import Clock, iso
from tests.support.commands import serving, url_of
from tests.support.contents import rows
from tests.support.engines import engine
from tests.support.running import Running, Start
from tests.support.waiting import PATIENCE, until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(notes, "now_ms", clock)
    return clock


def used_at(database: Database) -> list[str | None]:
    """The last use of each key, oldest key first."""
    return [key["lastUsedAt"] for key in keys.every(database)]


def test_use_is_known_once_it_is_written(served: Running, client: httpx.Client, clock: Clock) -> None:
    served.key("unused")
    before = rows(served.location)
    ok(client.get("/runs"))
    clock.move(1000)
    ok(client.get("/runs"))
    assert rows(served.location) == before, "a request writes nothing"
    last_uses.write(served.database, served.app.last_uses)
    assert used_at(served.database) == [clock.text, None]


def test_refused_request_of_a_valid_key_is_a_use_and_that_of_an_invalid_one_is_none(
    served: Running, clock: Clock
) -> None:
    for options in ({"read_only": True}, {}, {"expires_at": 1}):
        with served.client(**options) as client:
            if not options:
                keys.revoke(served.database, keys.every(served.database)[-1]["id"])
            assert client.post("/runs", json={"inputData": 1}).status_code in (401, 403)
    last_uses.write(served.database, served.app.last_uses)
    assert used_at(served.database) == [clock.text, None, None]


def test_key_that_is_taken_at_its_word_is_not_noted(start: Start) -> None:
    served = start(auth="trust")
    with served.client_with(served.key()) as client:
        make_run(client)
    assert served.app.last_uses.take() == []


def test_later_use_on_another_server_stays(served: Running, client: httpx.Client, clock: Clock) -> None:
    ok(client.get("/runs"))
    (key,) = keys.every(served.database)
    elsewhere = LastUses()
    clock.move(5000)
    elsewhere.note(key["id"])
    last_uses.write(served.database, elsewhere)
    last_uses.write(served.database, served.app.last_uses)
    assert used_at(served.database) == [clock.text]


def test_notes_are_bounded_and_written_in_the_order_of_ids(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(notes, "_MOST", 3)
    noted = LastUses()
    for key in "cabd":
        noted.note(key)
    clock.move(1)
    noted.note("a")
    taken = noted.take()
    assert [key for key, _ in taken] == ["a", "b", "c"]
    assert taken[0] == ("a", clock.now)
    assert noted.take() == []
    noted.note("d")
    clock.move(1)
    noted.put_back([*taken, ("d", 1)])
    assert noted.take() == [("a", clock.now - 1), ("b", clock.now - 2), ("d", clock.now - 1)]


def test_nothing_is_lost_between_threads_that_note_and_the_one_that_takes() -> None:
    noted, ended, found = LastUses(), threading.Event(), dict[str, int]()

    def note(part: int) -> None:
        for number in range(3000):
            noted.note(f"{part}-{number}")

    def take() -> None:
        while not ended.is_set():
            found.update(noted.take())

    taker = threading.Thread(target=take)
    threads = [threading.Thread(target=note, args=[part]) for part in range(3)]
    for thread in (taker, *threads):
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    ended.set()
    taker.join(PATIENCE)
    found.update(noted.take())
    assert len(found) == 9000


def test_background_writes_again_and_again_and_once_more_at_the_end(
    served: Running, client: httpx.Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_uses, "EVERY", 0.01)
    with last_uses.written(served.database, served.app.last_uses):
        for _ in range(2):
            clock.move(1000)
            ok(client.get("/runs"))
            until(lambda: used_at(served.database) == [clock.text])
        monkeypatch.setattr(last_uses, "EVERY", 3600.0)
        until(lambda: used_at(served.database) == [clock.text])
    clock.move(1000)
    with last_uses.written(served.database, served.app.last_uses):
        ok(client.get("/runs"))
    assert used_at(served.database) == [clock.text]
    assert not any(thread.name == "last uses" for thread in threading.enumerate())


def test_what_cannot_be_written_is_written_later(
    served: Running, client: httpx.Client, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ok(client.get("/runs"))
    with served.refusing_commits(sqlite3.OperationalError("disk I/O error")):
        last_uses.write(served.database, served.app.last_uses)
    assert [record.levelno for record in caplog.records if "last uses" in record.message] == [logging.WARNING]
    assert used_at(served.database) == [None]
    clock.move(1000)
    last_uses.write(served.database, served.app.last_uses)
    assert used_at(served.database) == [iso(clock.now - 1000)]


def test_server_stops_although_the_last_write_hangs(
    served: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(last_uses, "ENDING", 0.05)
    ended = threading.Event()
    monkeypatch.setattr(last_uses, "write", lambda *_: ended.wait(PATIENCE))
    with last_uses.written(served.database, served.app.last_uses):
        pass
    assert "not waited for any longer" in caplog.text
    ended.set()
    until(lambda: not any(thread.name == "last uses" for thread in threading.enumerate()))


def test_server_that_stops_cleanly_writes_what_it_has_noted(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    settings = Settings(database=engine.url(file))
    with closing(engine.open(file, settings)) as database:
        key = keys.issue(database, "acme", "test")
    begun = now_ms()
    with serving(tmp_path, "--database", settings.database) as server:
        ok(httpx.get(f"{url_of(server)}/api/v1/runs", headers={"X-API-Key": key}))
        server.terminate()
        server.communicate(timeout=PATIENCE)
    with closing(engine.open(file, settings)) as database:
        (used,) = used_at(database)
    assert used is not None
    assert iso(begun) <= used <= iso(now_ms())
