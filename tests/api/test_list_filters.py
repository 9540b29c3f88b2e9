"""Filters of lists agree with a model in plain Python, alone and together, whatever the order of the list."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest

from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from tests.api.lists import SORTS, in_order
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok
from tests.support.proof import much
from tests.support.statuses import RUN_STATUSES, SETTABLE, TASK_STATUSES

START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
TIMES = {name.removesuffix("At"): name for name in SORTS.values()}


def iso(milliseconds: int) -> str:
    return (START + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.fixture(params=range(2))
def chance(request: pytest.FixtureRequest) -> Random:
    return Random(request.param)


@pytest.fixture
def clock(chance: Random, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Each time up to two milliseconds later."""
    now = [int(START.timestamp() * 1000)]

    def tick() -> int:
        now[0] += chance.randrange(3)
        return now[0]

    for module in ("runs", "tasks"):
        monkeypatch.setattr(f"foreman.api.{module}.now_ms", tick)
    return tick


# The model ----------------------------------------------------------------------------------------------------------


def matches(thing: Json, query: Json) -> bool:
    """Whether every filter of the query matches."""
    return all(matches_one(thing, name, str(value)) for name, value in query.items())


def matches_one(thing: Json, name: str, value: str) -> bool:
    for time, field in TIMES.items():
        if name == f"{time}After":
            return thing[field] is not None and thing[field] >= value
        if name == f"{time}Before":
            return thing[field] is not None and thing[field] < value
    if name == "parentTaskId" and value == "none":
        return thing["parentTaskId"] is None
    field = {"ids": "id", "types": "type"}.get(name, name)
    return thing[field] in (value.split(",") if name in ("ids", "types", "status") else [value])


def check(client: httpx.Client, path: str, things: list[Json], query: Json, chance: Random) -> int:
    """The list is that of the model, in every order, with its total; so is its second page. Return the total."""
    matching = [thing for thing in things if matches(thing, query)]
    for sort_by in LIST_SORTS:
        for sort_order in SORT_ORDERS:
            asked = {**query, "sortBy": sort_by, "sortOrder": sort_order, "limit": 100}
            expected = in_order(matching, sort_by, sort_order)
            body = ok(client.get(path, params=asked))
            assert body["items"] == expected, asked
            assert body["total"] == len(expected), asked
    asked |= {"limit": chance.randrange(1, 9), "offset": chance.randrange(9)}
    page = ok(client.get(path, params=asked))
    assert page["items"] == expected[asked["offset"] : asked["offset"] + asked["limit"]], asked
    assert page["total"] == len(matching), asked
    return len(matching)


def some_times(chance: Random, last: int) -> Json:
    """A limit of a time, or both, or several times with one."""
    names = chance.sample(list(TIMES), chance.choice([1, 1, 1, 2]))
    query = {}
    for name in names:
        start, end = sorted(chance.choices(range(-2, last), k=2))
        for limit, milliseconds in chance.choice(
            [[("After", start)], [("Before", end)], [("After", start), ("Before", end)]]
        ):
            query[f"{name}{limit}"] = iso(milliseconds)
    return query


def some_of(chance: Random, of: Any) -> str:
    return ",".join(chance.sample(list(of), chance.randrange(1, 4)))


# Runs and tasks -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_filters_of_runs_agree_with_the_model(client: httpx.Client, chance: Random) -> None:
    runs = []
    for number in range(30):
        run = make_run(client, number)
        for status in chance.sample(SETTABLE, chance.randrange(3)):
            run = ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
        runs.append(run)
    found = 0
    for _ in range(much(150, 20)):
        query: Json = some_times(chance, 60) if chance.random() < 0.8 else {}
        if chance.random() < 0.4:
            query["status"] = some_of(chance, RUN_STATUSES)
        if chance.random() < 0.2 or not query:
            query["ids"] = ",".join([UNKNOWN_ID, *(run["id"].upper() for run in chance.sample(runs, 12))]).lower()
        found += check(client, "/runs", runs, query, chance)
    assert found > 20


@pytest.mark.usefixtures("clock")
def test_filters_of_tasks_agree_with_the_model(client: httpx.Client, chance: Random) -> None:
    runs = [make_run(client), make_run(client)]
    tasks: list[Json] = []
    for _ in range(45):
        run = chance.choice(runs)
        parents = [task for task in tasks[:6] if task["runId"] == run["id"]]
        of = {"parentTaskId": chance.choice(parents)["id"]} if parents and chance.random() < 0.5 else {}
        task = make_task(client, run, type=chance.choice(["fetch", "parse", "store"]), **of)
        for status in chance.sample(TASK_STATUSES, chance.randrange(3)):
            task = ok(client.patch(f"/tasks/{task['id']}", json={"status": status}))
        tasks.append(task)
    with_children = [task["parentTaskId"] for task in tasks if task["parentTaskId"]]
    found = 0
    for _ in range(much(300, 40)):
        query: Json = some_times(chance, 80) if chance.random() < 0.6 else {}
        choices: list[tuple[str, Callable[[], str]]] = [
            ("status", lambda: some_of(chance, TASK_STATUSES)),
            ("type", lambda: chance.choice(["fetch", "parse"])),
            ("types", lambda: some_of(chance, ["fetch", "parse", "store", "other"])),
            ("runId", lambda: str(chance.choice(runs)["id"])),
            ("parentTaskId", lambda: str(chance.choice(["none", "none", *with_children]))),
            ("ids", lambda: ",".join(str(task["id"]) for task in chance.sample(tasks, 20))),
        ]
        query |= {name: value() for name, value in choices if chance.random() < 0.3}
        found += check(client, "/tasks", tasks, query, chance)
        if "runId" in query:
            of_run = f"/runs/{query.pop('runId')}/tasks"
            check(client, of_run, [task for task in tasks if task["runId"] in of_run], query, chance)
    assert found > 40


def test_tasks_of_a_run_that_does_not_exist_are_none(client: httpx.Client, rival: httpx.Client) -> None:
    run = make_run(client)
    assert ok(client.get(f"/runs/{run['id']}/tasks")) == {"items": [], "total": 0, "limit": 20, "offset": 0}
    task = make_task(client, run)
    assert ok(client.get(f"/runs/{run['id'].upper()}/tasks"))["items"] == [task]
    for query in ({}, {"cursor": ""}, {"count": "false"}, {"types": "a,b"}, {"createdAfter": iso(0)}, {"offset": 9}):
        assert_error(client.get(f"/runs/{UNKNOWN_ID}/tasks", params=query), 404)
        assert_error(rival.get(f"/runs/{run['id']}/tasks", params=query), 404)
    assert_error(client.get(f"/runs/{run['id']}/tasks", params={"runId": run["id"]}), 400, "runId")


def test_filters_find_nothing_of_another_organisation(client: httpx.Client, rival: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    for query in ({"ids": task["id"]}, {"types": "step,other"}, {"parentTaskId": "none"}, {"createdAfter": iso(0)}):
        assert ok(client.get("/tasks", params=query))["total"] == 1
        assert ok(rival.get("/tasks", params=query))["total"] == 0
    for query in ({"ids": run["id"]}, {"createdAfter": iso(0)}):
        assert ok(client.get("/runs", params=query))["total"] == 1
        assert ok(rival.get("/runs", params=query))["total"] == 0


def test_ids_are_at_most_a_hundred_and_each_a_uuid(client: httpx.Client) -> None:
    run = make_run(client)
    others = [f"{number:08x}-0000-7000-8000-000000000000" for number in range(100)]

    def ask(ids: list[str]) -> httpx.Response:
        return client.get("/runs", params={"ids": ",".join(ids)})

    assert ok(ask([*others[:99], run["id"]]))["items"] == [run]
    assert ok(ask([run["id"], "", run["id"]]))["total"] == 1
    assert ok(ask(["", ""]))["total"] == 1
    assert_error(ask([*others, run["id"]]), 400, "ids")
    assert_error(ask([run["id"], "7"]), 400, "ids")


# Times --------------------------------------------------------------------------------------------------------------


def test_range_has_its_start_and_not_its_end(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = int(START.timestamp() * 1000)
    monkeypatch.setattr("foreman.api.runs.now_ms", lambda: now)
    make_run(client)
    for query, total in (
        ({"createdAfter": "2023-11-14T22:13:20Z"}, 1),
        ({"createdAfter": "2023-11-14T22:13:20.001Z"}, 0),
        ({"createdAfter": "2023-11-14T22:13:20.000000001Z"}, 0),
        ({"createdBefore": "2023-11-14T22:13:20.000Z"}, 0),
        ({"createdBefore": "2023-11-14T22:13:20.000000001Z"}, 1),
        ({"createdBefore": "2023-11-14T22:13:20.001Z"}, 1),
        ({"createdAfter": "2023-11-14T23:13:20+01:00", "createdBefore": "2023-11-14t16:43:20.5-05:30"}, 1),
        ({"createdAfter": "2023-11-14T22:13:20z", "createdBefore": "2023-11-14T22:13:20z"}, 0),
        ({"createdAfter": "0001-01-01T00:00:00+23:59", "createdBefore": "9999-12-31T23:59:59-23:59"}, 1),
        ({"startedAfter": "0001-01-01T00:00:00Z"}, 0),
        ({"startedBefore": "9999-12-31T23:59:59Z"}, 0),
    ):
        assert ok(client.get("/runs", params=query))["total"] == total, query


@pytest.mark.parametrize(
    "time",
    [
        "", " ", "now", "1700000000000", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z",
        "2023-11-14T22:13Z", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "2023-11-14T24:00:00Z",
        "2023-11-14T23:59:60Z", "2023-11-14T22:13:20+01", "2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20 01:00",
        "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20,5Z", "2023-11-14T22:13:20.0000000001Z", "0000-01-01T00:00:00Z",
        "12023-11-14T22:13:20Z", "2023-11-14T22:13:20Z ", "\uff12023-11-14T22:13:20Z", "2023-W46-2T22:13:20Z",
    ],
)  # fmt: skip
def test_time_that_is_none_is_refused(client: httpx.Client, time: str) -> None:
    for name in ("createdAfter", "completedBefore"):
        assert_error(client.get("/runs", params={name: time}), 400, name)
        assert_error(client.get("/tasks", params={name: time}), 400, name)
