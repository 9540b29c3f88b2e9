"""A database of the TypeScript original becomes one of ours: what breaks a rule is mended as docs/moving.md says."""

import json
import os
import random
import re
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg.types.json import Jsonb

from foreman.db.sqlite import Database as SQLite
from foreman.maintenance.check import check
from foreman.maintenance.moving import writing
from foreman.maintenance.moving.copy import copy
from foreman.maintenance.moving.ends import MovingFailed, open_original, open_source, open_target
from foreman.maintenance.moving.import_original import import_original, survey
from tests.support.api import PLAIN, TRUSTED
from tests.support.commands import assert_fails, run_command
from tests.support.engines import engine
from tests.support.moving import answering, rows_of_file, rows_on_postgres
from tests.support.original import START, Rows, uuid

pytestmark = pytest.mark.postgres

Place = Callable[[str], str]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """`place("postgres")`: an empty database."""
    made: list[str] = []

    def create(kind: str) -> str:
        name = f"original_{len(made)}_{os.getpid()}"
        if kind == "sqlite":
            return str(tmp_path / f"{name}.db")
        made.append(name)
        return engine.cluster.create(name)

    yield create
    for name in made:
        engine.cluster.drop(name)


@pytest.fixture
def rows(place: Place) -> Iterator[Rows]:
    with closing(Rows(place("postgres"))) as made:
        yield made


def imported(rows: Rows, target: str) -> list[str]:
    """Import it; return what was told."""
    told: list[str] = []
    with open_original(rows.url) as source, open_target(target) as into:
        import_original(source, into, told.append, threading.Event())
    return told


def stored(target: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of an SQLite file, which is sound, as dicts."""
    assert check(Path(target)) == []
    with closing(sqlite3.connect(target)) as connection:
        connection.row_factory = sqlite3.Row
        return {
            table: [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY seq")]
            for table in ("run", "task", "run_data")
        }


# What is right stays as it is ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_everything_is_imported_and_answered(rows: Rows, place: Place, kind: str) -> None:
    run = rows.run(
        status="completed", metadata=Jsonb({"b": 1, "a": [1.10]}), output_data=Jsonb(None), total_tasks=9,
        created_at="2024-05-01 10:00:00.123999Z", updated_at="2024-05-01 12:00:03Z",
        started_at="2024-05-01 12:00:00.5Z", completed_at="2024-05-01 12:00:02.999999+02",
    )  # fmt: skip
    task = rows.task(run, type="é", status="failed", error_data=Jsonb("\\u0000 😀"), retry_count=2, max_retries=10,
                     queue_job_id="7", completed_at=START)  # fmt: skip
    child = rows.task(run, parent_task_id=task, status="retrying", retry_count=1, created_at="2024-02-01")
    old = rows.entry(run, task, key="日本", value=Jsonb({"big": 10**30}), tags=["b", "é", "a"])
    new = rows.entry(run, child, key="日本", value=Jsonb([]), created_at="2024-01-03", tags=["b"])
    rows.run(org_id="rival")
    target = place(kind)
    assert imported(rows, target) == []
    with answering(target) as url, httpx.Client(base_url=url, headers=TRUSTED, **PLAIN) as client:
        shown = client.get(f"/runs/{run}").json()
        assert shown == {
            "id": run, "orgId": "acme", "status": "completed", "inputData": {"n": 1}, "outputData": None,
            "errorData": None, "metadata": {"a": [1.10], "b": 1}, "totalTasks": 2, "completedTasks": 0,
            "failedTasks": 1, "cancelledTasks": 0, "createdAt": "2024-05-01T10:00:00.123Z",
            "updatedAt": "2024-05-01T12:00:03.000Z", "startedAt": "2024-05-01T12:00:00.500Z",
            "completedAt": "2024-05-01T10:00:02.999Z", "durationMs": 0,
        }  # fmt: skip
        assert '"metadata":{"a": [1.1], "b": 1}' in client.get(f"/runs/{run}").text
        tasks = client.get(f"/tasks?runId={run}&sortOrder=asc").json()["items"]
        assert [(each["id"], each["parentTaskId"], each["retryCount"]) for each in tasks] == [
            (task, None, 2),
            (child, task, 1),
        ]
        assert tasks[0]["errorData"] == "\\u0000 😀"
        data = client.get(f"/runs/{run}/data?includeAll=true&tags=b").json()["data"]
        assert [(each["id"], each["tags"]) for each in data] == [(new, ["b"]), (old, ["b", "é", "a"])]
        assert data[1]["value"] == {"big": 10**30}
        assert [each["id"] for each in client.get(f"/runs/{run}/data").json()["data"]] == [new]
        assert client.get(f"/runs/{run}/data?tags=a").json()["pagination"]["total"] == 1
        assert client.get("/runs").json()["total"] == 1
        made = client.post("/runs", json={"inputData": None})
        assert made.status_code == 201
        assert client.get("/runs?status=pending").json()["total"] == 1


@pytest.mark.parametrize("columns", [{"organisation": "uuid"}, {"time": "timestamp"}, {"key": "varchar(255)"}])
def test_columns_may_have_other_types(place: Place, columns: dict[str, str]) -> None:
    with closing(Rows(place("postgres"), **columns)) as rows:
        org = {"org_id": uuid(0)} if "organisation" in columns else {}
        run = rows.run(created_at="2024-05-01 10:00:00.123", **org)
        rows.entry(run, rows.task(run, **org), **org)
        target = place("sqlite")
        assert imported(rows, target) == []
    assert stored(target)["run"][0]["created_at"] == 1714557600123
    assert len(stored(target)["run_data"]) == 1


def test_order_is_that_of_time_and_then_of_id(rows: Rows, place: Place) -> None:
    moments = ["000002", "000001", "000001", "999999", "000000"]
    made = [rows.run(created_at=f"2024-01-01 00:00:00.{moment}Z") for moment in moments]
    target = place("sqlite")
    assert imported(rows, target) == []
    found = stored(target)["run"]
    assert [row["id"] for row in found] == [made[4], made[1], made[2], made[0], made[3]]
    assert [row["seq"] for row in found] == [1, 2, 3, 4, 5]
    assert [row["created_at"] % 1000 for row in found] == [0, 0, 0, 0, 999]


def test_parent_comes_before_its_children_even_if_it_is_younger(rows: Rows, place: Place) -> None:
    run, parent = rows.run(), uuid(900)
    child = rows.task(run, parent_task_id=parent)
    grandchild = rows.task(run, parent_task_id=child)
    between = rows.task(run, created_at="2024-01-02")
    rows.task(run, id=parent, created_at="2024-01-03")
    target = place("sqlite")
    assert imported(rows, target) == []
    assert [row["id"] for row in stored(target)["task"]] == [between, parent, child, grandchild]


def test_keys_that_were_issued_before_stay(rows: Rows, place: Place) -> None:
    target = place("sqlite")
    SQLite(Path(target)).close()
    key = run_command("keys", "create", "--org", "acme", "--database", target).stdout
    rows.run()
    imported(rows, target)
    assert key.startswith("fmn_prod_acme_")
    assert [row[1] for row in rows_of_file(Path(target))["api_key"]] == ["acme"]


# What breaks a rule is mended ---------------------------------------------------------------------------------------

CREATED, UPDATED = 1704067200000, 1704153600000  # START, and a day later
LATER = "2024-01-02 00:00:00Z"

# Columns of a run, what is told, and the columns that it gets.
RUNS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"status": "completed", "updated_at": LATER}, "completed without completed_at", {"completed_at": UPDATED}),
    ({"status": "running", "started_at": START, "completed_at": LATER}, "completed_at is set", {"completed_at": None}),
    ({"status": "running"}, "running without started_at", {"started_at": CREATED}),
    ({"status": "pending", "started_at": LATER}, "pending and started_at is set", {"started_at": None}),
    ({"status": " Canceled", "completed_at": LATER}, "' Canceled' is unknown", {"status": "cancelled"}),
    ({"status": "paused"}, "'paused' is unknown: it becomes pending", {"status": "pending"}),
    ({"status": "paused", "started_at": LATER}, "it becomes running", {"status": "running", "started_at": UPDATED}),
    ({"status": "done", "completed_at": LATER}, "it becomes completed", {"status": "completed"}),
    ({"status": "done", "completed_at": LATER, "error_data": Jsonb("e")}, "it becomes failed", {"status": "failed"}),
    ({"metadata": Jsonb([1, 2])}, "metadata is not an object", {"metadata": '{"value": [1, 2]}'}),
    ({"created_at": None, "updated_at": LATER}, "created_at is missing", {"created_at": UPDATED}),
    ({"created_at": "-infinity"}, "created_at is missing", {"created_at": CREATED}),
    ({"updated_at": "20000-01-01Z"}, "updated_at is missing", {"updated_at": CREATED}),
    ({"org_id": "Acme & Co"}, "'Acme & Co': no key can name it", {"org_id": "acme---co"}),
]

TASKS: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"status": "failed", "updated_at": LATER}, "failed without completed_at", {"completed_at": UPDATED}),
    ({"status": "queued", "completed_at": LATER, "queued_at": LATER}, "completed_at is set", {"completed_at": None}),
    ({"status": "queued"}, "queued without queued_at", {"queued_at": CREATED}),
    ({"status": "waiting"}, "'waiting' is unknown: it becomes pending", {"status": "pending"}),
    ({"status": "retrying"}, "retrying and retry_count is 0", {"retry_count": 1}),
    ({"retry_count": -3}, "retry_count is -3", {"retry_count": 0}),
    ({"retry_count": None}, "retry_count is None", {"retry_count": 0}),
    ({"max_retries": 11}, "max_retries is 11", {"max_retries": 10}),
    ({"max_retries": -1}, "max_retries is -1", {"max_retries": 0}),
    ({"max_retries": None}, "max_retries is None", {"max_retries": 3}),
    ({"type": ""}, "type is empty", {"type": "unknown"}),
    ({"type": None}, "type is empty", {"type": "unknown"}),
    ({"queue_job_id": ""}, "queue_job_id is empty", {"queue_job_id": None}),
    ({"parent_task_id": uuid(999)}, "is not a task of its run", {"parent_task_id": None}),
]

HUNDRED = json.dumps([f"{n}" for n in range(100)], separators=(",", ":"))

ENTRIES: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    ({"key": ""}, "key is empty", {"key": "(empty)"}),
    ({"key": "é" * 256}, "key has 256 characters", {"key": "é" * 246 + "~57ed0ef1"}),
    ({"tags": ["a,b", "c"]}, "2 tags are not", {"tags": '["a","b","c"]'}),
    ({"tags": ["a", "", "b", "a", None]}, "5 tags are not", {"tags": '["a","b"]'}),
    ({"tags": ["t" * 300]}, "1 tags are not", {"tags": None}),
    ({"tags": [f"{n}" for n in range(101)]}, "become 100", {"tags": HUNDRED}),
    ({"tags": [["a", "b"], ["c", "a"]]}, "4 tags are not", {"tags": '["a","b","c"]'}),
    ({"metadata": Jsonb("m")}, "metadata is not an object", {"metadata": '{"value": "m"}'}),
    ({"task_id": uuid(999)}, f"its task {uuid(999)} is not of its run: it becomes {uuid(2)}", {"task_id": uuid(2)}),
    ({"task_id": None}, "its task None is not of its run", {"task_id": uuid(2)}),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "told", "expected"), RUNS)
def test_run_is_mended(rows: Rows, place: Place, columns: dict[str, Any], told: str, expected: dict[str, Any]) -> None:
    rows.run(**columns)
    mended(rows, place, "run", told, expected)


@pytest.mark.parametrize(("columns", "told", "expected"), TASKS)
def test_task_is_mended(rows: Rows, place: Place, columns: dict[str, Any], told: str, expected: dict[str, Any]) -> None:
    rows.task(rows.run(), **columns)
    mended(rows, place, "task", told, expected)


@pytest.mark.parametrize(("columns", "told", "expected"), ENTRIES)
def test_entry_is_mended(
    rows: Rows, place: Place, columns: dict[str, Any], told: str, expected: dict[str, Any]
) -> None:
    run = rows.run()
    rows.entry(run, rows.task(run), **columns)
    mended(rows, place, "run_data", told, expected)


def mended(rows: Rows, place: Place, table: str, told: str, expected: dict[str, Any]) -> None:
    """The only row of the table is mended, on both engines alike; `--dry-run` tells the same; `--strict` refuses."""
    target = place("sqlite")
    dry = run_command("import-original", rows.url, "--dry-run", "--database", target)
    assert dry.returncode == 0, dry.stderr
    line, summary = dry.stdout.splitlines()
    assert told in line
    assert line.startswith((f"{table} 0000", "organisation "))
    assert "1 faults mended, 0 rows left out" in summary
    refused = run_command("import-original", rows.url, "--strict", "--database", target)
    assert (refused.returncode, refused.stdout.strip()) == (1, line)
    assert "nothing was imported: 1 faults would be mended and 0 rows left out" in refused.stderr
    assert not Path(target).exists()
    assert imported(rows, target) == [line]
    (row,) = stored(target)[table]
    assert {column: row[column] for column in expected if expected[column] is not None or column != "tags"} == {
        column: value for column, value in expected.items() if value is not None or column != "tags"
    }
    other = place("postgres")
    assert imported(rows, other) == [line]
    assert rows_on_postgres(other) == {name: sorted(found) for name, found in rows_of_file(Path(target)).items()}


def test_long_texts_that_begin_alike_stay_different(rows: Rows, place: Place) -> None:
    run = rows.run()
    task = rows.task(run)
    for end in ("a", "b"):
        rows.entry(run, task, key="x" * 400 + end, tags=["y" * 400 + end])
    target = place("sqlite")
    imported(rows, target)
    found = stored(target)["run_data"]
    assert len({row["key"] for row in found}) == len({row["tags"] for row in found}) == 2
    assert {len(row["key"]) for row in found} == {255}


def test_parent_in_another_run_itself_or_in_a_cycle_is_no_parent(rows: Rows, place: Place) -> None:
    run, other = rows.run(), rows.run()
    stranger = rows.task(other)
    misled = rows.task(run, parent_task_id=stranger)
    rows.task(run, id=uuid(800), parent_task_id=uuid(800))
    circle = [uuid(701), uuid(702), uuid(703)]
    for number, each in enumerate(circle):
        rows.task(run, id=each, parent_task_id=circle[number - 1])
    target = place("sqlite")
    told = imported(rows, target)
    parents = {row["id"]: row["parent_task_id"] for row in stored(target)["task"]}
    assert parents == {
        stranger: None, misled: None, uuid(800): None, circle[0]: None, circle[1]: circle[0], circle[2]: circle[1],
    }  # fmt: skip
    assert sorted(told) == [
        f"task {misled}: its parent {stranger} is not a task of its run: it becomes a task without a parent",
        f"task {circle[0]}: its parent {circle[2]} descends from it: it becomes a task without a parent",
        f"task {uuid(800)}: its parent {uuid(800)} is itself: it becomes a task without a parent",
    ]


def test_rows_without_a_run_of_their_organisation_are_left_out(rows: Rows, place: Place) -> None:
    run = rows.run()
    task = rows.task(run)
    alone = [
        rows.task(uuid(999)),
        rows.task(run, org_id="rival"),
        rows.task(None),
        rows.entry(uuid(999), task),
        rows.entry(run, task, org_id="rival"),
        rows.entry(rows.run(), task),
    ]
    target = place("sqlite")
    told = imported(rows, target)
    assert [re.findall(r"[0-9a-f-]{36}", line)[0] for line in told] == alone
    assert all(line.endswith("it is left out") for line in told)
    assert [len(found) for found in stored(target).values()] == [2, 1, 0]
    strict = run_command("import-original", rows.url, "--strict", "--database", place("sqlite"))
    assert "0 faults would be mended and 6 rows left out" in strict.stderr


def test_organisations_never_become_one(rows: Rows, place: Place) -> None:
    rows.run(org_id="a_b")
    rows.run(org_id="a.b")
    target = place("sqlite")
    failed = run_command("import-original", rows.url, "--database", target)
    assert_fails(failed, 1, "'a.b' and 'a_b' would both become 'a-b'")
    assert not Path(target).exists()


# Random ones --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_any_rows_become_a_sound_database_which_is_the_same_on_both_engines(
    rows: Rows, place: Place, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        _random_rows(rows, chance)
    file, url, back = place("sqlite"), place("postgres"), place("sqlite")
    told = imported(rows, file)
    assert len(told) > 100
    assert imported(rows, url) == told
    with open_original(rows.url) as source:
        surveyed: list[str] = []
        survey(source, surveyed.append, threading.Event())
    assert surveyed == told
    assert check(Path(file)) == []
    with open_source(url) as at_source, open_target(back) as at_target:
        copy(at_source, at_target, threading.Event())
    assert rows_of_file(Path(back)) == rows_of_file(Path(file))


def _random_rows(rows: Rows, chance: random.Random) -> None:
    def some(*choices: Any) -> dict[str, Any]:
        return dict(chance.choice(choices)) if chance.random() < 0.3 else {}

    moment = f"2024-01-01 00:00:00.{chance.randrange(3000):06}Z"
    runs = [rows.run(**{"created_at": moment, **some(*(columns for columns, _, _ in RUNS))}) for _ in range(2)]
    tasks: list[str] = [uuid(chance.randrange(10**6, 10**9)) for _ in range(5)]
    for task in tasks:
        columns = {"id": task, "parent_task_id": chance.choice([None, *tasks]), "created_at": moment}
        rows.task(chance.choice(runs), **{**columns, **some(*(bad for bad, _, _ in TASKS))})
    for _ in range(8):
        rows.entry(chance.choice(runs), chance.choice(tasks), **some(*(bad for bad, _, _ in ENTRIES)))


# Nothing half-done --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_killed_import_begins_anew(rows: Rows, place: Place, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = rows.run()
    task = rows.task(run)
    for number in range(30):
        rows.entry(run, task, key=f"{number}", tags=["a"])
    target = place(kind)
    monkeypatch.setattr(writing, "ROWS", 7)
    for after in (1, 9, 25):
        child = os.fork()
        if child == 0:
            following, steps = writing._Batch.__next__, iter(range(after))

            def count(batch: writing._Batch, following: Any = following, steps: Any = steps) -> Any:
                if next(steps, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return following(batch)

            writing._Batch.__next__ = count  # type: ignore[assignment,method-assign]
            try:
                imported(rows, target)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        assert "unfinished copy" in run_command("serve", "--port", "0", "--database", target).stderr
    assert imported(rows, target) == []
    with answering(target) as url, httpx.Client(base_url=url, headers=TRUSTED, **PLAIN) as client:
        assert client.get(f"/runs/{run}/data?tags=a").json()["pagination"]["total"] == 30


def test_json_that_is_too_deep_for_sqlite_names_its_row(rows: Rows, place: Place) -> None:
    run = rows.run()
    rows.execute(f"UPDATE run SET input_data = '{'[' * 3000}{']' * 3000}'")
    with pytest.raises(MovingFailed, match=rf"run {run} cannot be stored in .*run_input_is_json"):
        imported(rows, place("sqlite"))


def test_target_with_rows_is_refused(rows: Rows, place: Place) -> None:
    rows.run()
    target = place("sqlite")
    imported(rows, target)
    failed = run_command("import-original", rows.url, "--database", target)
    assert_fails(failed, 1, "has rows already")


def test_source_of_something_else_is_refused(rows: Rows, place: Place, tmp_path: Path) -> None:
    target = place("sqlite")
    for url, words in (
        (place("postgres"), "it has no table run"),
        (engine.url(tmp_path / "foreman.db"), "is a database of this Foreman, not of the original: use `copy`"),
        ("postgresql://127.0.0.1:1/none", "cannot be reached"),
    ):
        assert_fails(run_command("import-original", url, "--database", target), 1, words)
    rows.execute("ALTER TABLE task DROP COLUMN queue_job_id")
    assert_fails(run_command("import-original", rows.url, "--database", target), 1, "task has no queue_job_id")
    assert_fails(run_command("import-original", "foreman.db", "--database", target), 2, "is not the URL of a database")
    assert not Path(target).exists()


def test_right_to_read_is_enough_for_the_original(rows: Rows, place: Place) -> None:
    rows.run(status="paused")
    rows.execute("CREATE ROLE reader LOGIN")
    try:
        rows.execute("GRANT SELECT ON run, task, run_data TO reader")
        rows.url = rows.url.replace("postgres@", "reader@")
        assert len(imported(rows, place("sqlite"))) == 1
    finally:
        rows.execute("DROP OWNED BY reader")
        rows.execute("DROP ROLE reader")
