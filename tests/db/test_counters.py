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
from foreman.db.values import ALL_TASKS, RUN_SEQ
from foreman.maintenance.check import check
from tests.support.api import Json, change_task, make_run, make_task, ok, put_data
from tests.support.running import Running
from tests.support.statuses import ENDED, RUN_STATUSES, TASK_STATUSES

CLIENTS = 16

Rows = set[tuple[Any, ...]]


# What the rows say, counted one by one, against what the tables of counts say. ---------------------------------------


def counted(database: Database) -> dict[str, Rows]:
    """What there is, counted in plain Python."""
    with database.read() as tx:
        runs = tx.all("SELECT org_id, status FROM run")
        tasks = tx.all("SELECT org_id, run_seq, parent_task_id, type, status FROM task")
        entries = tx.all("SELECT seq, run_seq, key, created_at FROM run_data")
        tags = tx.all(
            """
            SELECT run_data.seq, run_data.run_seq, run_data.key, run_data.created_at, tag.value AS tag
            FROM run_data, json_each(run_data.tags) AS tag
            """
        )
    of_org = Counter((task["org_id"], type_, task["status"]) for task in tasks for type_ in ("", task["type"]))
    of_run = Counter(
        (task["run_seq"], parent, type_, task["status"])
        for task in tasks
        for parent in {"", task["parent_task_id"] or ""}
        for type_ in ("", task["type"])
    )
    keys = {(entry["run_seq"], entry["key"]) for entry in entries}
    tagged = [(row["run_seq"], row["tag"], row["key"], row["seq"], row["created_at"]) for row in tags]
    of_all = [(row["run_seq"], "", row["key"], row["seq"], row["created_at"]) for row in entries]
    newest: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *where, seq, created_at in sorted(tagged + of_all, key=lambda row: row[3]):
        newest[tuple(where)] = (seq, created_at)
    held = Counter(row[:3] for row in tagged + of_all)
    return {
        "run_count": {(*key, n) for key, n in Counter((run["org_id"], run["status"]) for run in runs).items()},
        "org_task_count": {(*key, n) for key, n in of_org.items()},
        "run_task_count": {(*key, n) for key, n in of_run.items()},
        "run_data_count": {
            (run_seq, sum(key[0] == run_seq for key in keys), sum(entry["run_seq"] == run_seq for entry in entries))
            for run_seq in {entry["run_seq"] for entry in entries}
        },
        "run_data_tag": set(tagged),
        "run_data_latest": {(*where, *newest[where], n) for where, n in held.items()},
    }


def kept(database: Database) -> dict[str, Rows]:
    """What the triggers have kept. A count of zero is as good as none."""
    with database.read() as tx:
        by_status = {
            table: [dict(row) for row in tx.all(f"SELECT * FROM {table}")]
            for table in ("org_task_count", "run_task_count")
        }
        selects = {
            "run_count": "SELECT org_id, status, runs FROM run_count WHERE runs > 0",
            "run_data_count": "SELECT run_seq, keys, entries FROM run_data_count WHERE keys > 0 OR entries > 0",
            "run_data_tag": "SELECT run_seq, tag, key, seq, created_at FROM run_data_tag",
            "run_data_latest": "SELECT run_seq, tag, key, seq, created_at, entries FROM run_data_latest",
        }
        rows = {table: {tuple(row) for row in tx.all(select)} for table, select in selects.items()}
    for table, found in by_status.items():
        rows[table] = {
            (*(value for column, value in row.items() if column not in TASK_STATUSES), status, row[status])
            for row in found
            for status in TASK_STATUSES
            if row[status]
        }
    return rows


def assert_exact(database: Database) -> None:
    assert kept(database) == counted(database)


def assert_sound(database: Database) -> None:
    """`check` finds nothing, but for what a `Rower` does not set: times, and the number of retries."""
    found = [line for line in check(database.path) if line.partition(":")[0] not in ("started", "queued", "retries")]
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
                SELECT count(*), coalesce(sum(status = 'completed'), 0), coalesce(sum(status = 'failed'), 0),
                       coalesce(sum(status = 'cancelled'), 0)
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
                    SELECT :id UNION SELECT task.id FROM task JOIN deleted ON task.parent_task_id = deleted.id
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
def test_triggers_stay_exact_whatever_happens_to_the_rows(database: Database, seed: int) -> None:
    rower = Rower(database, seed)
    largest = 0
    for _ in range(150):
        rower.step()
        assert_exact(database)
        largest = max(largest, len(kept(database)["run_task_count"]))
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
        tx.run("DELETE FROM run_data WHERE task_id NOT IN (SELECT id FROM task)")
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
        # Zeros of an organisation's runs may stay: there is one for each status.
        rows["run_count"] = tx.value("SELECT count(*) FROM run_count WHERE runs > 0")
    assert len(tables) >= 8
    assert {table: left for table, left in rows.items() if left} == {}
    assert_sound(database)


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
        of_org = [tuple(row) for row in tx.all("SELECT org_id, type FROM org_task_count")]
        of_run = [tuple(row) for row in tx.all("SELECT parent_task_id, type FROM run_task_count")]
    assert of_org == [("acme", ""), ("acme", "step")]
    assert of_run == [("", ""), ("", "step")]
    assert_exact(database)


def test_counts_of_tasks_that_are_all_deleted_are_gone(database: Database) -> None:
    rower = Rower(database, 4)
    for _ in range(150):
        rower.step()
    with database.write() as tx:
        assert tx.value("SELECT count(*) FROM run_task_count WHERE parent_task_id <> ''")
        tx.run("DELETE FROM task")
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
        with pytest.raises(sqlite3.IntegrityError, match="the task of an entry must be in its run"):
            add_entry("one", task_id)
    assert database.one("SELECT 1 FROM run_data") is None
    add_entry("one", "task of one")
    assert_exact(database)
