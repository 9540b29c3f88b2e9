"""Lists of runs and tasks agree with a model in plain Python: every sort, order, filter and page."""

from collections.abc import Callable, Iterator
from itertools import combinations
from random import Random
from typing import Any

import httpx
import pytest

from foreman.http.schemas import LARGEST_OFFSET, LIST_SORTS, SORT_ORDERS
from tests.support.api import Json, make_run, make_task, ok, put_data
from tests.support.statuses import RUN_STATUSES, SETTABLE, TASK_STATUSES

NOW = 1_700_000_000_000
FIELDS = {
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "started_at": "startedAt",
    "completed_at": "completedAt",
    "key": "key",
}


class Clock:
    """A clock that often stands still and is sometimes set back."""

    def __init__(self, chance: Random) -> None:
        self.now = NOW
        self._chance = chance

    def tick(self) -> int:
        self.now += self._chance.choice([0, 0, 1, 2, 5, -4])
        return self.now


@pytest.fixture(params=range(2))
def chance(request: pytest.FixtureRequest) -> Random:
    return Random(request.param)


@pytest.fixture
def clock(chance: Random, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(chance)
    for module in ("runs", "tasks", "run_data"):
        monkeypatch.setattr(f"foreman.api.{module}.now_ms", clock.tick)
    return clock


def in_order(things: list[Json], sort_by: str, sort_order: str) -> list[Json]:
    """Things in the order of insertion, sorted. Those without the time come last, in the order of creation."""
    numbered = list(enumerate(things))
    field, down = FIELDS[sort_by], sort_order == "desc"
    with_time = [each for each in numbered if each[1][field] is not None]
    without = [each for each in numbered if each[1][field] is None]
    with_time.sort(key=lambda each: (each[1][field], each[0]), reverse=down)
    without.sort(key=lambda each: (each[1]["createdAt"], each[0]), reverse=down)
    return [thing for _, thing in with_time + without]


def check_lists(
    client: httpx.Client, url: str, things: list[Json], matches: Callable[[Json], bool] = lambda _: True, **query: Any
) -> None:
    """Every page of the list in every order is that of the model."""
    matching = [thing for thing in things if matches(thing)]
    for sort_by in LIST_SORTS:
        for sort_order in SORT_ORDERS:
            asked = {**query, "sortBy": sort_by, "sortOrder": sort_order}
            expected = in_order(matching, sort_by, sort_order)
            for limit, offsets in ((100, (0,)), (4, range(0, len(expected) + 4, 3)), (5, (LARGEST_OFFSET,))):
                for offset in offsets:
                    answer = ok(client.get(url, params={**asked, "limit": limit, "offset": offset}))
                    assert answer["items"] == expected[offset : offset + limit], (asked, limit, offset)
                    assert answer["total"] == len(expected), asked


def some_of(statuses: tuple[str, ...], chance: Random) -> Iterator[tuple[str, ...]]:
    yield from ((status,) for status in statuses)
    yield from chance.sample(list(combinations(statuses, 2)), 3)
    yield from chance.sample(list(combinations(statuses, 3)), 2)


def with_status(statuses: tuple[str, ...]) -> Callable[[Json], bool]:
    return lambda thing: thing["status"] in statuses


@pytest.mark.usefixtures("clock")
def test_lists_of_runs_agree_with_the_model(client: httpx.Client, chance: Random) -> None:
    runs = []
    for number in range(30):
        run = make_run(client, number)
        for status in chance.choice([(), (), ("running",), ("cancelled",), SETTABLE, SETTABLE[1:]]):
            if chance.random() < 0.7:
                run = ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
        runs.append(run)
    assert {run["startedAt"] is None for run in runs if run["completedAt"]} == {True, False}
    check_lists(client, "/runs", runs)
    for statuses in some_of(RUN_STATUSES, chance):
        check_lists(client, "/runs", runs, with_status(statuses), status=",".join(statuses))


@pytest.mark.usefixtures("clock")
def test_lists_of_tasks_agree_with_the_model(client: httpx.Client, chance: Random) -> None:
    both = [make_run(client), make_run(client)]
    tasks: list[Json] = []
    for _ in range(40):
        run = chance.choice(both)
        parents = [task for task in tasks[:6] if task["runId"] == run["id"]]
        of = {"parentTaskId": chance.choice(parents)["id"]} if parents and chance.random() < 0.5 else {}
        task = make_task(client, run, type=chance.choice(["fetch", "parse"]), **of)
        for status in chance.sample(TASK_STATUSES, chance.randrange(4)):
            task = ok(client.patch(f"/tasks/{task['id']}", json={"status": status}))
        tasks.append(task)
    check_lists(client, "/tasks", tasks)
    for statuses in some_of(TASK_STATUSES, chance):
        check_lists(client, "/tasks", tasks, with_status(statuses), status=",".join(statuses))
    parent = next(task["parentTaskId"] for task in tasks if task["parentTaskId"])
    for field, value in (("runId", both[0]["id"]), ("parentTaskId", parent), ("type", "fetch")):
        check_lists(client, "/tasks", tasks, lambda task, f=field, v=value: task[f] == v, **{field: value})  # type: ignore[misc]
        for statuses in (("pending",), ("pending", "running", "failed")):
            check_lists(
                client,
                "/tasks",
                tasks,
                lambda task, f=field, v=value, s=statuses: task[f] == v and task["status"] in s,  # type: ignore[misc]
                **{field: value, "status": ",".join(statuses)},
            )


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at", "key"])
@pytest.mark.parametrize("sort_order", SORT_ORDERS)
def test_all_entries_of_a_run_agree_with_the_model(
    client: httpx.Client, chance: Random, clock: Clock, sort_by: str, sort_order: str
) -> None:
    """Some are updated, some of these in the millisecond of their creation or before it."""
    task = make_task(client, make_run(client))
    url = f"/runs/{task['runId']}/data"
    entries = []
    for number in range(40):
        entry = put_data(client, task, f"key-{number % 7}", number)
        if number % 3 == 0:
            clock.now += chance.choice([0, 0, 3, -2])
            entry = ok(client.patch(f"{url}/{entry['id']}/tags", json={"add": ["new"], "remove": []}))
        entries.append(entry)
    updated = {entry["updatedAt"] != entry["createdAt"] for entry in entries if entry["tags"]}
    assert updated == {True, False}
    field, tied = FIELDS[sort_by], "createdAt" if sort_by == "key" else FIELDS[sort_by]
    expected = [
        entry
        for _, entry in sorted(
            enumerate(entries), key=lambda each: (each[1][field], each[1][tied], each[0]), reverse=sort_order == "desc"
        )
    ]
    asked = {"includeAll": "true", "sortBy": sort_by, "sortOrder": sort_order}
    for limit, offsets in ((100, (0,)), (4, range(0, 44, 3)), (5, (LARGEST_OFFSET,))):
        for offset in offsets:
            answer = ok(client.get(url, params={**asked, "limit": limit, "offset": offset}))
            assert answer["data"] == expected[offset : offset + limit]
            assert answer["pagination"]["total"] == 40
