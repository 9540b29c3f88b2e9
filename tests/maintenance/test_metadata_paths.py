"""The declared paths of metadata follow the settings: filled from the rows that there are, while clients write."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any

import httpx
import pytest

from foreman.background import metadata_paths
from foreman.background.metadata_paths import declare, declared
from foreman.db.engine import Database
from foreman.db.failures import EngineError, Failure
from foreman.maintenance.gentle_writes import ShortTurns, Stopped
from tests.support.api import Json, assert_error, make_run, make_task, ok
from tests.support.contents import looking, violations_in
from tests.support.running import Running, Start
from tests.support.sessions import other, waiting_for_a_lock
from tests.support.waiting import until

TABLES = ("run", "task")
ROWS = 130


def declare_now(database: Database, *paths: str) -> None:
    for _ in range(20):
        try:
            return declare(database, paths, threading.Event())
        except EngineError as error:
            if error.failure is not Failure.LOCKED:  # by a client whose transaction takes its time: it is tried again
                raise
    raise AssertionError("the database is locked for good")


def paths_in(served: Running) -> dict[str, int]:
    with looking(served.location) as select:
        return dict(select("SELECT path, filled FROM metadata_path"))


def found_in(served: Running) -> set[tuple[Any, ...]]:
    """What is found by metadata: table, organisation, path, value, id."""
    with looking(served.location) as select:
        return {
            (table, *row)
            for table in TABLES
            for row in select(
                f"""
                SELECT found.org_id, found.path, found.value, made.id
                FROM {table}_metadata AS found
                JOIN {table} AS made ON made.seq = found.seq AND made.created_at = found.created_at
                """
            )
        }


@pytest.fixture
def teams(
    served: Running, client: httpx.Client, rival: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> set[tuple[Any, ...]]:
    """Rows of two organisations, more than are filled at once: what is to be found by `team`."""
    assert served
    monkeypatch.setattr(metadata_paths, "AT_ONCE", 50)
    expected = set()
    for org_id, each in (("acme", client), ("rival", rival)):
        run = make_run(each)
        for number in range(ROWS):
            team = f"team-{number % 3}"
            metadata = {"team": team} if number % 4 else None
            fields: Json = {"metadata": metadata} if metadata else {}
            made = make_task(each, run, **fields) if number % 2 else make_run(each, **fields)
            if metadata:
                expected.add(("task" if number % 2 else "run", org_id, "team", team, made["id"]))
    return expected


def test_new_path_is_filled_from_the_rows_that_there_are(served: Running, teams: set[tuple[Any, ...]]) -> None:
    declare_now(served.database, "team", "none.of.them.has.it")
    assert paths_in(served) == {"team": 1, "none.of.them.has.it": 1}
    assert found_in(served) == teams
    assert violations_in(served.location) == []
    declare_now(served.database, "team", "none.of.them.has.it")  # again: nothing is there twice
    assert found_in(served) == teams


def test_path_that_is_no_longer_declared_goes_with_all_that_is_found_by_it(
    served: Running, client: httpx.Client, teams: set[tuple[Any, ...]]
) -> None:
    assert teams
    declare_now(served.database, "team")
    make_run(client, metadata={"team": "new", "customer": {"region": "eu"}})
    declare_now(served.database, "customer.region")
    assert paths_in(served) == {"customer.region": 1}
    assert {row[2:4] for row in found_in(served)} == {("customer.region", "eu")}
    declare_now(served.database)
    assert (paths_in(served), found_in(served)) == ({}, set())
    assert violations_in(served.location) == []


@pytest.mark.parametrize("turns", [1, 3, 5])
def test_work_that_was_stopped_is_sound_and_goes_on_with_the_next_server(
    served: Running, client: httpx.Client, teams: set[tuple[Any, ...]], turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert teams

    @contextmanager
    def stopped_after() -> Iterator[threading.Event]:
        stopping, left = threading.Event(), turns
        taken = ShortTurns.tx

        def tx(self: ShortTurns) -> Any:
            nonlocal left
            self.end()
            left -= 1
            if left < 0:
                stopping.set()
            return taken(self)

        with monkeypatch.context() as patched:
            patched.setattr(ShortTurns, "tx", tx)
            yield stopping

    with stopped_after() as stopping, pytest.raises(Stopped):
        declare(served.database, ["team"], stopping)
    assert paths_in(served) == {"team": 0}
    assert violations_in(served.location) == []
    assert_error(client.get("/runs", params={"metadata.team": "team-1"}), 400, "metadata.team")
    declare_now(served.database, "team")
    assert found_in(served) == teams

    with stopped_after() as stopping, pytest.raises(Stopped):
        declare(served.database, [], stopping)
    assert violations_in(served.location) == []
    declare_now(served.database, "team")
    assert (paths_in(served), found_in(served)) == ({"team": 1}, teams)
    with stopped_after() as stopping, pytest.raises(Stopped):
        declare(served.database, [], stopping)
    declare_now(served.database)
    assert (paths_in(served), found_in(served)) == ({}, set())


def test_lists_are_filtered_by_a_path_once_all_rows_are_found_by_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = start()
    with before.client() as client:
        run = make_run(client, metadata={"team": "ml"})
    before.stop()
    may_go_on, fill = threading.Event(), metadata_paths._fill

    def filling(*arguments: Any) -> None:
        may_go_on.wait(20)
        fill(*arguments)

    monkeypatch.setattr(metadata_paths, "_fill", filling)
    monkeypatch.setattr(metadata_paths, "MOMENT", 0.0)
    with (served := start(metadata_paths=("team",))).client() as client:
        until(lambda: paths_in(served) == {"team": 0})
        response = client.get("/runs", params={"metadata.team": "ml"})
        assert_error(response, 503)
        assert response.headers["Retry-After"] == "1"
        assert make_run(client, metadata={"team": "ml"})
        may_go_on.set()
        until(lambda: paths_in(served) == {"team": 1})
        items = ok(client.get("/runs", params={"metadata.team": "ml"}))["items"]
        assert run["id"] in [item["id"] for item in items]
        assert len(items) == 2


def test_what_clients_write_meanwhile_is_found_as_it_is_at_the_end(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    paths = [f"/runs/{make_run(client)['id']}" for _ in range(30)]
    paths += [f"/tasks/{make_task(client, run)['id']}" for _ in range(30)]
    ended = threading.Event()

    def write(seed: int) -> None:
        chance = Random(seed)
        with served.client() as own:
            while not ended.is_set():
                team = chance.choice(["ml", "web", "ops"])
                ok(own.patch(chance.choice(paths), json={"metadata": {"team": team, "n": chance.randrange(3)}}))
                if chance.random() < 0.1:
                    made = make_run(own, metadata={"team": team})
                    make_task(own, made, metadata={"team": team})
                    if chance.random() < 0.5:
                        ok(own.delete(f"/runs/{made['id']}"))

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for writer in writers:
        writer.start()
    for declared_paths in [("team",), ("team", "n"), ("n",), (), ("team",), ("n", "team")] * 3:
        declare_now(served.database, *declared_paths)
    ended.set()
    for writer in writers:
        writer.join()
    assert violations_in(served.location) == []
    assert paths_in(served) == {"team": 1, "n": 1}
    found = {row[1:] for row in found_in(served)}
    for path in paths:
        item = ok(client.get(path))
        for name, value in (item["metadata"] or {}).items():
            assert ("acme", name, str(value), item["id"]) in found


LOCK = "SELECT FROM task WHERE id = %s FOR NO KEY UPDATE"
CHANGE = """UPDATE task SET metadata = '{"team": "new"}' WHERE id = %s"""


@pytest.mark.postgres
@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize(("before", "after", "begin"), [((), ("team",), LOCK), (("team",), (), CHANGE)])
def test_transaction_of_several_tasks_goes_first(
    served: Running,
    client: httpx.Client,
    before: tuple[str, ...],
    after: tuple[str, ...],
    begin: str,
    at_once: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run(client)
    tasks = [make_task(client, run, metadata={"team": f"team-{number}"})["id"] for number in range(4)]
    least = str(uuid.UUID(int=0))
    with served.database.write() as tx:  # as if the clock of the server that made it had been slow
        tx.run("UPDATE task SET id = :least WHERE id = :before", least=least, before=tasks[2])
    declare_now(served.database, *before)
    monkeypatch.setattr(metadata_paths, "AT_ONCE", at_once)
    with ThreadPoolExecutor(1) as one, other(served) as client_of_two:
        client_of_two.execute(begin, (least,))
        declaring = one.submit(declare_now, served.database, *after)
        until(lambda: waiting_for_a_lock(served))
        client_of_two.execute(begin, (tasks[1],))
        for task in (least, tasks[1]):
            client_of_two.execute(CHANGE, (task,))
        client_of_two.commit()
        declaring.result()
    assert {row[3] for row in found_in(served)} == ({"team-0", "new", "team-3"} if after else set())
    assert violations_in(served.location) == []


def test_servers_of_one_database_declare_one_after_the_other(served: Running) -> None:
    with served.database.alone() as alone:
        assert alone
    with declared(served.database, ["team"]), declared(served.database, ["team"]):
        until(lambda: paths_in(served) == {"team": 1})
