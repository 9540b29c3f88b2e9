"""Counters and totals: exact at every moment, whatever many clients do at once, and after any change of the rows."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.clock import new_id
from foreman.config import Settings
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.db.values import ALL_TASKS, RUN_SEQ
from tests.support.api import Json, change_task, make_run, make_task, ok, put_data
from tests.support.contents import fold_counts, numbers_of_rows, violations_in
from tests.support.counting import Select, counted, kept
from tests.support.engines import ON_POSTGRES, engine
from tests.support.running import Running
from tests.support.statuses import ENDED, RUN_STATUSES, TASK_STATUSES

CLIENTS = 16


def select_in(database: Database) -> Select:
    """What runs a SELECT in a snapshot of its own."""

    def select(sql: str) -> list[tuple[Any, ...]]:
        with database.read() as tx:
            return tx.all(sql)

    return select


def assert_exact(database: Database) -> None:
    select = select_in(database)
    assert kept(select) == counted(select)


def assert_sound(location: str) -> None:
    """`check` finds nothing, but for what a `Rower` does not set: times, and the number of retries."""
    found = [line for line in violations_in(location) if line.partition(":")[0] not in ("started", "queued", "retries")]
    assert found == []


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
                f"""
                SELECT coalesce(sum({ALL_TASKS}), 0), coalesce(sum(completed), 0), coalesce(sum(failed), 0),
                       coalesce(sum(cancelled), 0)
                FROM run_task_count WHERE run_seq = {RUN_SEQ} AND parent_task_id = '' AND type = ''
                """,
                org_id="acme", run_id=run["id"],
            )  # fmt: skip
            found = tx.one(
                """
                SELECT count(*), count(*) FILTER (WHERE status = 'completed'),
                       count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'cancelled')
                FROM task WHERE run_id = :id
                """,
                id=run["id"],
            )
            of_types = tx.value(
                f"""
                SELECT coalesce(sum({ALL_TASKS}), 0)
                FROM run_task_count WHERE run_seq = {RUN_SEQ} AND parent_task_id = '' AND type <> ''
                """,
                org_id="acme", run_id=run["id"],
            )  # fmt: skip
        assert told is not None
        assert found is not None
        assert tuple(told) == tuple(found)
        assert of_types == found[0]

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
    assert_sound(served.location)


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
    in_order = [run["id"] for run in listed["items"]]
    if (
        ON_POSTGRES
    ):  # where requests are served at the same time, an id may be taken before another, and stored after it
        times = [run["createdAt"] for run in listed["items"]]
        assert times == sorted(times)
        in_order.sort()
    assert in_order == sorted(ids)
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
def location(tmp_path: Path) -> str:
    """Where the test's database is."""
    return engine.url(tmp_path / "rows.db")


@pytest.fixture
def database(tmp_path: Path, location: str) -> Iterator[Database]:
    with closing(engine.open(tmp_path / "rows.db", Settings(database=location, durability="normal"))) as database:
        yield database


# Those that a `Rower` needs to know.
COLUMNS = {
    "run": ("seq", "org_id", "id"),
    "task": ("seq", "org_id", "id", "run_seq", "run_id"),
    "run_data": ("seq", "run_id", "key"),
}


class Rower:
    """Changes rows at random, straight in SQL: also in ways that the API does not offer, such as deleting tasks."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.chance = random.Random(seed)
        self.time = 1000

    def step(self) -> None:
        steps = [self.add_run] + [self.add_task] * 4 + [self.add_entry] * 4
        steps += [self.change_run] + [self.change_task] * 5 + [self.change_tags] * 2
        steps += [self.delete_run, self.delete_task, self.delete_entry, self.delete_key]
        self.time += self.chance.choice([0, 1, 1, -3] if self.chance.random() < 0.1 else [0, 1])
        self.chance.choice(steps)()

    def run(self, sql: str, **values: Any) -> None:
        with self.database.write() as tx:
            tx.run(sql, now=self.time, **values)

    def some(self, table: str) -> dict[str, Any] | None:
        with self.database.read() as tx:
            rows = tx.all(f"SELECT {', '.join(COLUMNS[table])} FROM {table} ORDER BY seq")
        return dict(zip(COLUMNS[table], self.chance.choice(rows), strict=True)) if rows else None

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
                INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, max_retries,
                                  created_at, updated_at, completed_at)
                VALUES (:org_id, :id, :run_seq, :run_id, :parent_id, :type, :status, '1', 3, :now, :now, :completed_at)
                """,
                org_id=run["org_id"], id=new_id(), run_seq=run["seq"], run_id=run["id"],
                parent_id=self.chance.choice(parents), type=self.chance.choice("xy"), **self.status(TASK_STATUSES),
            )  # fmt: skip

    def add_entry(self) -> None:
        if task := self.some("task"):
            self.run(
                """
                INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
                VALUES (:org_id, :id, :run_seq, :run_id, :task_id, :key, '1', :tags, :now, :now)
                """,
                org_id=task["org_id"], id=new_id(), run_seq=task["run_seq"], run_id=task["run_id"], task_id=task["id"],
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
            self.run(
                """
                WITH RECURSIVE deleted (id) AS (
                    SELECT id FROM task WHERE id = :id
                    UNION SELECT task.id FROM task JOIN deleted ON task.parent_task_id = deleted.id
                )
                DELETE FROM run_data WHERE task_id IN (SELECT id FROM deleted)
                """,
                id=task["id"],
            )
            self.run("DELETE FROM task WHERE seq = :seq", seq=task["seq"])

    def delete_entry(self) -> None:
        if entry := self.some("run_data"):
            self.run("DELETE FROM run_data WHERE seq = :seq", seq=entry["seq"])

    def delete_key(self) -> None:
        if entry := self.some("run_data"):
            self.run("DELETE FROM run_data WHERE run_id = :run_id AND key = :key",
                     run_id=entry["run_id"], key=entry["key"])  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
def test_triggers_stay_exact_whatever_happens_to_the_rows(database: Database, location: str, seed: int) -> None:
    rower = Rower(database, seed)
    largest = 0
    for _ in range(150):
        rower.step()
        assert_exact(database)
        largest = max(largest, len(kept(select_in(database))["run_task_count"]))
    assert largest > 10  # or the walk has shown nothing
    assert_sound(location)


@pytest.mark.parametrize("seed", range(3))
def test_changes_of_many_rows_in_one_statement_are_counted(database: Database, location: str, seed: int) -> None:
    rower = Rower(database, seed)
    for _ in range(150):
        rower.step()
    with database.write() as tx:
        tx.run("UPDATE task SET status = 'completed', completed_at = 1")
        tx.run("UPDATE run SET status = 'running', completed_at = NULL WHERE seq % 2 = 0")
        tx.run("""UPDATE run_data SET tags = '["t","w"]' WHERE seq % 2 = 0""")
        tx.run("DELETE FROM task WHERE seq % 3 = 0")
        tx.run("DELETE FROM run_data WHERE task_id NOT IN (SELECT id FROM task)")
        tx.run("DELETE FROM run_data WHERE seq % 3 = 1")
    assert_exact(database)
    assert_sound(location)


def test_change_that_is_rolled_back_is_not_counted(database: Database) -> None:
    rower = Rower(database, 1)
    for _ in range(100):
        rower.step()
    before = kept(select_in(database))

    class Undone(Exception):
        pass

    with pytest.raises(Undone), database.write() as tx:
        tx.run("UPDATE task SET status = 'failed', completed_at = 1")
        tx.run("DELETE FROM run WHERE seq % 2 = 0")
        raise Undone
    assert kept(select_in(database)) == before
    assert_exact(database)


@pytest.mark.parametrize("seed", range(3))
def test_deleting_every_run_leaves_nothing_behind(database: Database, location: str, seed: int) -> None:
    """Or the file would grow for ever, however often it is pruned."""
    rower = Rower(database, seed)
    for _ in range(200):
        rower.step()
    with database.write() as tx:
        tx.run("DELETE FROM run")
    fold_counts(location)
    left = numbers_of_rows(location)
    assert len(left) >= 9
    assert left.pop("schema_migration") > 0
    assert left.pop("count_fold", 1) == 1
    # Zeros of an organisation's runs may stay: there is one for each status.
    left.pop("run_total", None)
    with database.read() as tx:
        left["run_count"] = tx.value("SELECT count(*) FROM run_count WHERE runs > 0")
    assert {table: number for table, number in left.items() if number} == {}
    assert_sound(location)


def test_tasks_of_one_kind_share_rows_of_counts_whatever_statuses_they_pass_through(database: Database) -> None:
    """Or each change of a task's status would write pages of its own, and a run with a single task take more room."""
    with database.write() as tx:
        tx.run(
            """
            INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
            VALUES ('acme', 'run', 'pending', '{}', 1, 1)
            """
        )
        for task_id in ("task", "another"):
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries,
                                  created_at, updated_at)
                SELECT org_id, :id, seq, id, 'step', 'pending', '{}', 3, 1, 1 FROM run
                """,
                id=task_id,
            )
        for status in TASK_STATUSES:
            completed_at = 1 if status in ENDED else None
            tx.run("UPDATE task SET status = :status, completed_at = :at", status=status, at=completed_at)
    with database.read() as tx:
        of_org = [tuple(row) for row in tx.all("SELECT org_id, type FROM org_task_count ORDER BY type")]
        of_run = [tuple(row) for row in tx.all("SELECT parent_task_id, type FROM run_task_count ORDER BY type")]
    assert of_org == [("acme", ""), ("acme", "step")]
    assert of_run == [("", ""), ("", "step")]
    assert_exact(database)


def test_counts_of_tasks_that_are_all_deleted_are_gone(database: Database, location: str) -> None:
    rower = Rower(database, 4)
    for _ in range(150):
        rower.step()
    with database.write() as tx:
        assert tx.value("SELECT count(*) FROM run_task_count WHERE parent_task_id <> ''")
        tx.run("DELETE FROM task")
    fold_counts(location)
    with database.read() as tx:
        assert tx.all("SELECT * FROM org_task_count") == tx.all("SELECT * FROM run_task_count") == []


# The task of an entry ------------------------------------------------------------------------------------------------


def test_entry_of_a_task_in_another_run_is_refused(database: Database) -> None:
    """Whoever writes it: there is no foreign key that would."""
    with database.write() as tx:
        for org_id, name in (("a", "one"), ("a", "two"), ("b", "three")):
            tx.run(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
                VALUES (:org_id, :id, 'pending', '1', 1, 1)
                """,
                org_id=org_id, id=name,
            )  # fmt: skip
        tx.run(
            """
            INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries,
                              created_at, updated_at)
            SELECT org_id, 'task of ' || id, seq, id, 'step', 'pending', '1', 3, 1, 1 FROM run
            """
        )

    def add_entry(run: str, task_id: str) -> None:
        with database.write() as tx:
            tx.run(
                """
                INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
                SELECT org_id, 'entry', seq, id, :task_id, 'key', '1', '[]', 1, 1 FROM run WHERE id = :run
                """,
                run=run, task_id=task_id,
            )  # fmt: skip

    for task_id in ("task of two", "task of three", "none"):
        with pytest.raises(DatabaseError, match="the task of an entry must be in its run"):
            add_entry("one", task_id)
    assert database.one("SELECT 1 FROM run_data") is None
    add_entry("one", "task of one")
    assert_exact(database)
