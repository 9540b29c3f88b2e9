"""Counters and totals: exact at every moment, whatever many clients do at once, and after any change of the rows."""

import json
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.clock import new_id
from foreman.db.sqlite import Database
from tests.support.api import Json, change_task, make_run, make_task, ok, put_data
from tests.support.running import Running
from tests.support.statuses import ENDED, RUN_STATUSES, TASK_STATUSES

CLIENTS = 16

Rows = set[tuple[Any, ...]]


# What the rows say, counted one by one, against what the tables of counts say. ---------------------------------------


def counted(database: Database) -> dict[str, Rows]:
    """What there is, counted in plain Python."""
    with database.read() as tx:
        runs = tx.all("SELECT org_id, id, status FROM run")
        tasks = tx.all("SELECT org_id, id, run_id, parent_task_id, type, status FROM task")
        entries = tx.all("SELECT seq, org_id, run_id, key, created_at FROM run_data")
        tags = tx.all(
            """
            SELECT run_data.seq, run_data.org_id, run_data.run_id, run_data.key, run_data.created_at, tag.value AS tag
            FROM run_data, json_each(run_data.tags) AS tag
            """
        )
    in_run = Counter((task["org_id"], task["run_id"]) for task in tasks)
    ended = Counter((task["org_id"], task["run_id"], task["status"]) for task in tasks)
    keys = {(entry["org_id"], entry["run_id"], entry["key"]) for entry in entries}
    in_scope = Counter(
        (task["org_id"], scope, kind, task["status"])
        for task in tasks
        for scope in ("", task["run_id"], task["parent_task_id"])
        if scope is not None
        for kind in ("", task["type"])
    )
    tagged = [(*place(row), row["tag"], row["key"], row["seq"], row["created_at"]) for row in tags]
    tagged += [(*place(row), "", row["key"], row["seq"], row["created_at"]) for row in entries]
    newest: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *where, seq, created_at in sorted(tagged, key=lambda row: row[4]):
        newest[tuple(where)] = (seq, created_at)
    held = Counter(tuple(row[:4]) for row in tagged)
    return {
        "run_count": {(*key, n) for key, n in Counter((run["org_id"], run["status"]) for run in runs).items()},
        "run_tally": {
            (
                *(org_id, run_id),
                in_run[org_id, run_id],
                *(ended[org_id, run_id, status] for status in ENDED),
                sum(key[:2] == (org_id, run_id) for key in keys),
                sum(place(entry) == (org_id, run_id) for entry in entries),
            )
            for org_id, run_id, _ in runs
        },
        "task_count": {(*key, n) for key, n in in_scope.items()},
        "run_data_tag": set(tagged),
        "run_data_latest": {(*where, *newest[where], n) for where, n in held.items()},
    }


def kept(database: Database) -> dict[str, Rows]:
    """What the triggers have kept. A count of zero is as good as none."""
    selects = {
        "run_count": "SELECT org_id, status, runs FROM run_count WHERE runs > 0",
        "run_tally": """
            SELECT org_id, run_id, total_tasks, completed_tasks, failed_tasks, cancelled_tasks, data_keys, data_entries
            FROM run_tally
            """,
        "task_count": "SELECT org_id, scope_id, type, status, tasks FROM task_count WHERE tasks > 0",
        "run_data_tag": "SELECT org_id, run_id, tag, key, seq, created_at FROM run_data_tag",
        "run_data_latest": "SELECT org_id, run_id, tag, key, seq, created_at, entries FROM run_data_latest",
    }
    with database.read() as tx:
        return {table: {tuple(row) for row in tx.all(select)} for table, select in selects.items()}


def place(row: sqlite3.Row) -> tuple[str, str]:
    return row["org_id"], row["run_id"]


def assert_exact(database: Database) -> None:
    assert kept(database) == counted(database)


def assert_sound(database: Database) -> None:
    """No dangling reference and no damage."""
    with database.read() as tx:
        assert tx.all("PRAGMA foreign_key_check") == []
        assert [tuple(row) for row in tx.all("PRAGMA integrity_check")] == [("ok",)]


# Many clients at once -----------------------------------------------------------------------------------------------


@pytest.fixture
def clients(served: Running) -> Iterator[list[httpx.Client]]:
    """Clients of acme, each with a key and a connection of its own."""
    with ExitStack() as stack:
        yield [stack.enter_context(served.client()) for _ in range(CLIENTS)]


def at_once(clients: list[httpx.Client], work: Callable[[httpx.Client, int], Any]) -> list[Any]:
    """What each client's work came to; all begin together."""
    begin = threading.Barrier(len(clients))

    def start(numbered: tuple[int, httpx.Client]) -> Any:
        begin.wait(30)
        return work(numbered[1], numbered[0])

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(start, enumerate(clients)))


class Watcher:
    """A reader that looks on while others write, until it is told to stop."""

    def __init__(self, look: Callable[[], None]) -> None:
        self.looks = 0
        self.error: BaseException | None = None
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        if self.error is not None:
            raise self.error
        assert self.looks > 1

    def _watch(self) -> None:
        try:
            while not self._stop.is_set() or self.looks < 2:
                self._look()
                self.looks += 1
        except BaseException as error:  # noqa: BLE001, RUF100  (raised again where the test sees it)
            self.error = error


def counters(run: Json) -> tuple[int, int, int, int]:
    return run["totalTasks"], run["completedTasks"], run["failedTasks"], run["cancelledTasks"]


def test_counters_are_exact_after_parallel_work_and_consistent_during_it(
    served: Running, client: httpx.Client, rival: httpx.Client, clients: list[httpx.Client]
) -> None:
    run, bystander = make_run(client), make_run(client)
    make_task(client, bystander)
    seen = [0]

    def look_through_the_api() -> None:
        total, *ended = counters(ok(rival_of_writers.get(f"/runs/{run['id']}")))
        assert sum(ended) <= total
        assert total >= seen[-1]
        seen.append(total)
        listed = ok(rival_of_writers.get("/tasks", params={"runId": run["id"], "limit": 100, "status": "completed"}))
        assert len(listed["items"]) == min(listed["total"], 100)
        assert {task["status"] for task in listed["items"]} <= {"completed"}

    def look_into_the_database() -> None:
        with served.database.read() as tx:
            told = tx.one(
                "SELECT total_tasks, completed_tasks, failed_tasks, cancelled_tasks FROM run_tally WHERE run_id = :id",
                id=run["id"],
            )
            found = tx.one(
                """
                SELECT count(*), coalesce(sum(status = 'completed'), 0), coalesce(sum(status = 'failed'), 0),
                       coalesce(sum(status = 'cancelled'), 0)
                FROM task WHERE run_id = :id
                """,
                id=run["id"],
            )
            in_scope = tx.value("SELECT sum(tasks) FROM task_count WHERE scope_id = :id AND type = ''", id=run["id"])
        assert told is not None
        assert found is not None
        assert tuple(told) == tuple(found)
        assert (in_scope or 0) == found[0]

    def work(own: httpx.Client, number: int) -> Counter[str]:
        chance = random.Random(number)
        tasks = []
        ends: Counter[str] = Counter()
        for _ in range(5):
            tasks.append(make_task(own, run, type=chance.choice("ab")))
            for _ in range(3):
                change_task(own, chance.choice(tasks), status=chance.choice(TASK_STATUSES))
        for task in tasks:
            end = chance.choice(ENDED)
            assert change_task(own, task, status=end)["status"] == end
            ends[end] += 1
        return ends

    with served.client() as rival_of_writers, Watcher(look_through_the_api), Watcher(look_into_the_database):
        ends = sum(at_once(clients, work), Counter[str]())
    assert counters(ok(client.get(f"/runs/{run['id']}"))) == (CLIENTS * 5, *(ends[status] for status in ENDED))
    assert counters(ok(client.get(f"/runs/{bystander['id']}"))) == (1, 0, 0, 0)
    for status in ENDED:
        assert ok(client.get("/tasks", params={"runId": run["id"], "status": status}))["total"] == ends[status]
    assert ok(client.get("/tasks"))["total"] == CLIENTS * 5 + 1
    assert ok(rival.get("/tasks"))["total"] == 0
    assert_exact(served.database)
    assert_sound(served.database)


def test_counters_are_exact_when_all_change_the_same_tasks(
    served: Running, client: httpx.Client, clients: list[httpx.Client]
) -> None:
    run = make_run(client)
    tasks = [make_task(client, run) for _ in range(4)]

    def work(own: httpx.Client, number: int) -> None:
        chance = random.Random(number)
        for _ in range(12):
            change_task(own, chance.choice(tasks), status=chance.choice(TASK_STATUSES))

    at_once(clients, work)
    ends = Counter(ok(client.get(f"/tasks/{task['id']}"))["status"] for task in tasks)
    assert counters(ok(client.get(f"/runs/{run['id']}"))) == (4, *(ends[status] for status in ENDED))
    assert_exact(served.database)


@pytest.mark.parametrize(
    ("status", "expected"), [("completed", (1, 1, 0, 0)), ("failed", (1, 0, 1, 0)), ("cancelled", (1, 0, 0, 1))]
)
def test_parallel_ends_of_one_task_count_once(
    client: httpx.Client, clients: list[httpx.Client], status: str, expected: tuple[int, int, int, int]
) -> None:
    run = make_run(client)
    task = make_task(client, run)
    answers = at_once(clients, lambda own, _: change_task(own, task, status=status))
    assert counters(ok(client.get(f"/runs/{run['id']}"))) == expected
    assert len({(answer["completedAt"], answer["durationMs"]) for answer in answers}) == 1


def test_parallel_retries_of_one_task_count_once(client: httpx.Client, clients: list[httpx.Client]) -> None:
    task = change_task(client, make_task(client, make_run(client)), status="running")
    answers = at_once(clients, lambda own, _: change_task(own, task, status="retrying"))
    assert {answer["retryCount"] for answer in answers} == {1}


def test_parallel_changes_of_different_fields_lose_none(client: httpx.Client, clients: list[httpx.Client]) -> None:
    task = make_task(client, make_run(client))
    changes: list[Json] = [
        {"status": "completed"},
        {"outputData": {"a": 1}},
        {"errorData": [2]},
        {"metadata": {"b": 3}},
        {"queueJobId": "job-4"},
    ]
    at_once(clients, lambda own, number: change_task(own, task, **changes[number % 5]))
    after = ok(client.get(f"/tasks/{task['id']}"))
    for change in changes:
        assert after == {**after, **change}


def test_parallel_runs_have_ids_of_their_own_in_the_order_of_the_list(
    served: Running, client: httpx.Client, clients: list[httpx.Client]
) -> None:
    made = at_once(clients, lambda own, number: [make_run(own, [number, i])["id"] for i in range(6)])
    ids = [run_id for of_client in made for run_id in of_client]
    assert len(set(ids)) == CLIENTS * 6
    assert all(of_client == sorted(of_client) for of_client in made)
    listed = ok(client.get("/runs", params={"limit": 100, "sortOrder": "asc"}))
    assert [run["id"] for run in listed["items"]] == sorted(ids)
    assert listed["total"] == CLIENTS * 6
    assert_exact(served.database)


def test_refused_requests_between_good_ones_count_nothing(
    served: Running, client: httpx.Client, clients: list[httpx.Client]
) -> None:
    run = make_run(client)
    unknown = new_id()

    def work(own: httpx.Client, number: int) -> None:
        for i in range(6):
            if (number + i) % 2:
                make_task(own, run)
            else:  # found wrong inside a write, whose commit others may share
                body = {"runId": run["id"], "parentTaskId": unknown, "type": "x", "inputData": 1}
                assert own.post("/tasks", json=body).status_code == 404

    at_once(clients, work)
    assert counters(ok(client.get(f"/runs/{run['id']}"))) == (CLIENTS * 3, 0, 0, 0)
    assert_exact(served.database)


def test_parallel_run_data_is_counted_exactly(
    served: Running, client: httpx.Client, clients: list[httpx.Client]
) -> None:
    run = make_run(client)
    task = make_task(client, run)

    def work(own: httpx.Client, number: int) -> None:
        for i in range(4):
            put_data(own, task, f"key-{(number + i) % 5}", i, tags=[f"tag-{number % 3}"])

    at_once(clients, work)
    query = f"/runs/{run['id']}/data"
    assert ok(client.get(query))["pagination"]["total"] == 5
    assert ok(client.get(query, params={"includeAll": "true"}))["pagination"]["total"] == CLIENTS * 4
    assert_exact(served.database)


# Any change of the rows ---------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "rows.db", "normal")
    yield database
    database.close()


class Rower:
    """Changes rows at random, straight in SQL: also in ways that the API does not offer, such as deleting tasks."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.chance = random.Random(seed)
        self.time = 0

    def step(self) -> None:
        steps = [self.add_run] + [self.add_task] * 4 + [self.add_entry] * 4
        steps += [self.change_run] + [self.change_task] * 5 + [self.change_tags] * 2
        steps += [self.delete_run, self.delete_task, self.delete_entry, self.delete_key]
        self.time += self.chance.randrange(2)
        self.chance.choice(steps)()

    def run(self, sql: str, **values: Any) -> None:
        with self.database.write() as tx:
            tx.run(sql, now=self.time, **values)

    def some(self, table: str) -> dict[str, Any] | None:
        with self.database.read() as tx:
            rows = tx.all(f"SELECT * FROM {table} ORDER BY seq")
        return dict(self.chance.choice(rows)) if rows else None

    def status(self, statuses: tuple[str, ...]) -> dict[str, Any]:
        status = self.chance.choice(statuses)
        return {"status": status, "completed_at": self.time if status in ENDED else None}

    def add_run(self) -> None:
        self.run(
            """
            INSERT INTO run (org_id, id, status, input_data, created_at, updated_at, completed_at)
            VALUES (:org_id, :id, :status, '1', :now, :now, :completed_at)
            """,
            org_id=self.chance.choice(["a", "b"]), id=new_id(), **self.status(RUN_STATUSES),
        )  # fmt: skip

    def add_task(self) -> None:
        if run := self.some("run"):
            parents = [None]
            with self.database.read() as tx:
                parents += [row[0] for row in tx.all("SELECT id FROM task WHERE run_id = :id", id=run["id"])]
            self.run(
                """
                INSERT INTO task (org_id, id, run_id, parent_task_id, type, status, input_data, max_retries,
                                  created_at, updated_at, completed_at)
                VALUES (:org_id, :id, :run_id, :parent_id, :type, :status, '1', 3, :now, :now, :completed_at)
                """,
                org_id=run["org_id"], id=new_id(), run_id=run["id"], parent_id=self.chance.choice(parents),
                type=self.chance.choice("xy"), **self.status(TASK_STATUSES),
            )  # fmt: skip

    def add_entry(self) -> None:
        if task := self.some("task"):
            self.run(
                """
                INSERT INTO run_data (org_id, id, run_id, task_id, key, value, tags, created_at, updated_at)
                VALUES (:org_id, :id, :run_id, :task_id, :key, '1', :tags, :now, :now)
                """,
                org_id=task["org_id"], id=new_id(), run_id=task["run_id"], task_id=task["id"],
                key=self.chance.choice("kl"), tags=self.tags(),
            )  # fmt: skip

    def tags(self) -> str:
        return json.dumps(self.chance.sample("tuv", self.chance.randrange(4)))

    def change_run(self) -> None:
        if run := self.some("run"):
            sql = "UPDATE run SET status = :status, completed_at = :completed_at, updated_at = :now WHERE seq = :seq"
            self.run(sql, seq=run["seq"], **self.status(RUN_STATUSES))

    def change_task(self) -> None:
        if task := self.some("task"):
            sql = "UPDATE task SET status = :status, completed_at = :completed_at, updated_at = :now WHERE seq = :seq"
            self.run(sql, seq=task["seq"], **self.status(TASK_STATUSES))

    def change_tags(self) -> None:
        if entry := self.some("run_data"):
            self.run("UPDATE run_data SET tags = :tags, updated_at = :now WHERE seq = :seq",
                     seq=entry["seq"], tags=self.tags())  # fmt: skip

    def delete_run(self) -> None:
        if (run := self.some("run")) and self.chance.random() < 0.3:
            self.run("DELETE FROM run WHERE seq = :seq", seq=run["seq"])

    def delete_task(self) -> None:
        if task := self.some("task"):
            self.run("DELETE FROM task WHERE seq = :seq", seq=task["seq"])

    def delete_entry(self) -> None:
        if entry := self.some("run_data"):
            self.run("DELETE FROM run_data WHERE seq = :seq", seq=entry["seq"])

    def delete_key(self) -> None:
        if entry := self.some("run_data"):
            self.run("DELETE FROM run_data WHERE run_id = :run_id AND key = :key",
                     run_id=entry["run_id"], key=entry["key"])  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_triggers_stay_exact_whatever_happens_to_the_rows(database: Database, seed: int) -> None:
    rower = Rower(database, seed)
    largest = 0
    for _ in range(150):
        rower.step()
        assert_exact(database)
        largest = max(largest, len(kept(database)["task_count"]))
    assert largest > 10  # or the walk has shown nothing
    assert_sound(database)


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_many_rows_in_one_statement_are_counted(database: Database, seed: int) -> None:
    rower = Rower(database, seed)
    for _ in range(150):
        rower.step()
    with database.write() as tx:
        tx.run("UPDATE task SET status = 'completed', completed_at = 1")
        tx.run("UPDATE run SET status = 'running', completed_at = NULL WHERE seq % 2 = 0")
        tx.run("""UPDATE run_data SET tags = '["t","w"]' WHERE seq % 2 = 0""")
        tx.run("DELETE FROM task WHERE seq % 3 = 0")
        tx.run("DELETE FROM run_data WHERE seq % 3 = 1")
    assert_exact(database)
    assert_sound(database)


def test_change_that_is_rolled_back_is_not_counted(database: Database) -> None:
    rower = Rower(database, 1)
    for _ in range(100):
        rower.step()
    before = kept(database)

    class Undone(Exception):
        pass

    with pytest.raises(Undone), database.write() as tx:
        tx.run("UPDATE task SET status = 'failed', completed_at = 1")
        tx.run("DELETE FROM run WHERE seq % 2 = 0")
        raise Undone
    assert kept(database) == before
    assert_exact(database)


@pytest.mark.parametrize("seed", range(3))
def test_deleting_every_run_leaves_nothing_behind(database: Database, seed: int) -> None:
    """Or the file would grow for ever, however often it is pruned."""
    rower = Rower(database, seed)
    for _ in range(200):
        rower.step()
    with database.write() as tx:
        tx.run("DELETE FROM run")
    with database.read() as tx:
        tables = [row["name"] for row in tx.all("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables.remove("schema_migration")
        rows = {table: tx.value(f"SELECT count(*) FROM {table}") for table in tables}
        # Zeros for an organisation as a whole may stay: there are only so many of them.
        rows["run_count"] = tx.value("SELECT count(*) FROM run_count WHERE runs > 0")
        rows["task_count"] = tx.value("SELECT count(*) FROM task_count WHERE scope_id <> '' OR tasks > 0")
    assert len(tables) >= 8
    assert {table: left for table, left in rows.items() if left} == {}
    assert_sound(database)


def test_run_that_has_ended_keeps_only_counts_that_are_not_zero(database: Database) -> None:
    """One with a single task would take a fifth more room."""
    with database.write() as tx:
        tx.run(
            """
            INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
            VALUES ('acme', 'run', 'pending', '{}', 1, 1), ('acme', 'open', 'pending', '{}', 1, 1)
            """
        )
        tx.run(
            """
            INSERT INTO task (org_id, id, run_id, type, status, input_data, max_retries, created_at, updated_at)
            SELECT 'acme', 'task of ' || id, id, 'step', 'pending', '{}', 3, 1, 1 FROM run
            """
        )
        for status in ("queued", "running"):
            tx.run("UPDATE task SET status = :status", status=status)
        tx.run("UPDATE run SET status = 'failed', completed_at = 1 WHERE id = 'run'")
    with database.read() as tx:
        rows = tx.all("SELECT scope_id, type, status, tasks FROM task_count WHERE scope_id <> ''")
    of_open = {
        ("open", kind, status, status == "running")
        for kind in ("", "step")
        for status in ("pending", "queued", "running")
    }
    assert {tuple(row) for row in rows} == {("run", "", "running", 1), ("run", "step", "running", 1)} | of_open
