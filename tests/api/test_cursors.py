"""Pages by cursor hold while rows come and go: no row that is there throughout is left out, or shown twice."""

from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data
from tests.support.proof import much
from tests.support.running import Running

DATA_SORTS = ("created_at", "updated_at", "key")

Happen = Callable[[], None]


def nothing() -> None:
    """Nothing happens."""


def next_of(response: httpx.Response) -> str | None:
    """The cursor of the next page, which the link agrees with."""
    body = ok(response)
    cursor: str | None = (body if "items" in body else body["pagination"])["nextCursor"]
    link = response.links.get("next")
    assert (link is None) == (cursor is None)
    if link is not None:
        assert httpx.URL(urljoin(str(response.url), link["url"])).params["cursor"] == cursor
    return cursor


def walk(client: httpx.Client, path: str, happen: Happen = nothing, limits: Any = 3, **query: Any) -> list[Json]:
    """The items of all pages, by cursor; between two pages, something happens."""
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        limit = limits if isinstance(limits, int) else limits()
        response = client.get(path, params={**query, "limit": limit, "cursor": cursor})
        body = ok(response)
        page = body["items" if "items" in body else "data"]
        assert len(page) <= limit
        items += page
        cursor = next_of(response)
        assert len(page) == limit or cursor is None
        happen()
    return items


def ids(items: list[Json]) -> list[str]:
    return [item["id"] for item in items]


def whole(client: httpx.Client, path: str, **query: Any) -> list[Json]:
    """The whole list, as one page."""
    body = ok(client.get(path, params={**query, "limit": 100}))
    return list(body["items" if "items" in body else "data"])


class Ledger:
    """Two runs with tasks and entries, under a clock that often stands still and is sometimes set back."""

    def __init__(self, client: httpx.Client, chance: Random) -> None:
        self.client, self.chance, self.now = client, chance, 1_700_000_000_000

    def tick(self) -> int:
        self.now += self.chance.choice([0, 0, 0, 1, 2, -3])
        return self.now

    def fill(self) -> None:
        self.runs = [make_run(self.client) for _ in range(2)]
        self.run = self.runs[0]
        self.parent = make_task(self.client, self.run, type="fetch")
        for _ in range(16):
            self.add()
        for path in ("/runs", "/tasks"):
            for thing in whole(self.client, path):
                self.move(path, thing)
        for entry in whole(self.client, self.data, includeAll="true")[::3]:
            ok(self.client.patch(f"{self.data}/{entry['id']}/tags", json={"add": ["new"]}))

    @property
    def data(self) -> str:
        return f"/runs/{self.run['id']}/data"

    def add(self) -> None:
        """A run, a task, an entry, each like some of those that there are."""
        make_run(self.client)
        of = self.chance.choice([{}, {}, {"parentTaskId": self.parent["id"]}])
        make_task(self.client, self.run, type=self.chance.choice(["fetch", "parse", "store"]), **of)
        key, tags = self.chance.choice(["a", "ab", "ac", "b", "é"]), self.chance.sample(["red", "blue", "rest"], 2)
        put_data(self.client, self.parent, key, tags=tags)

    def move(self, path: str, thing: Json) -> None:
        """Give a run or task some statuses."""
        for status in self.chance.choice([[], ["running"], ["failed"], ["running", "completed"]]):
            ok(self.client.patch(f"{path}/{thing['id']}", json={"status": status}))

    def remove(self) -> None:
        """A run without tasks, and an entry."""
        empty = [run for run in whole(self.client, "/runs") if run["totalTasks"] == 0]
        ok(self.client.delete(f"/runs/{self.chance.choice(empty)['id']}"))
        entry = self.chance.choice(whole(self.client, self.data, includeAll="true"))
        ok(self.client.delete(self.data, params={"id": entry["id"]}))

    def happen(self) -> None:
        for _ in range(self.chance.randrange(3)):
            self.add()
        if self.chance.random() < 0.7:
            self.remove()


@pytest.fixture(params=range(2))
def ledger(request: pytest.FixtureRequest, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    ledger = Ledger(client, Random(request.param))
    for module in ("runs", "tasks", "run_data"):
        monkeypatch.setattr(f"foreman.api.{module}.now_ms", ledger.tick)
    ledger.fill()
    return ledger


def iso(milliseconds: int) -> str:
    return f"2023-11-14T22:13:{20 + milliseconds // 1000:02d}.{milliseconds % 1000:03d}Z"


RUN_FILTERS: list[Json] = [
    {},
    {"status": "pending,failed"},
    {"createdAfter": iso(3), "createdBefore": iso(30)},
    {"updatedAfter": iso(5), "status": "running,completed"},
    {"startedAfter": iso(0), "createdBefore": iso(40)},
]
TASK_FILTERS: list[Json] = [
    {},
    {"status": "pending,failed"},
    {"type": "fetch"},
    {"types": "fetch,parse", "status": "pending"},
    {"parentTaskId": "none"},
    {"createdAfter": iso(3), "types": "fetch,store"},
    {"createdBefore": iso(30)},
    {"updatedBefore": iso(40), "type": "fetch"},
    {"completedAfter": iso(1)},
]
DATA_FILTERS: list[Json] = [
    {},
    {"key": "a"},
    {"keys": "a,b"},
    {"keyStartsWith": "a"},
    {"keyStartsWith": "a,b"},
    {"keyPattern": "a*"},
    {"tags": "red"},
    {"tags": "red,blue", "tagMode": "all"},
    {"tagStartsWith": "re"},
    {"keyStartsWith": "a", "tags": "red"},
    {"key": "a", "tags": "red"},
]


def lists(ledger: Ledger) -> list[tuple[str, Json]]:
    run, parent = ledger.run["id"], ledger.parent["id"]
    of_run = [{"runId": run, **query} for query in TASK_FILTERS[:6]]
    of_parent = [{"parentTaskId": parent}, {"parentTaskId": parent, "type": "fetch", "status": "pending"}]
    return [
        *(("/runs", query) for query in RUN_FILTERS),
        *(("/tasks", query) for query in [*TASK_FILTERS, *of_run, *of_parent]),
        *((f"/runs/{run}/tasks", query) for query in TASK_FILTERS[:4]),
        *((ledger.data, {**query, "includeAll": every}) for query in DATA_FILTERS for every in ("true", "false")),
    ]


def orders(path: str) -> list[Json]:
    sorts = DATA_SORTS if path.endswith("/data") else LIST_SORTS
    return [{"sortBy": sort_by, "sortOrder": sort_order} for sort_by in sorts for sort_order in SORT_ORDERS]


def test_pages_by_cursor_are_the_list_in_its_order(client: httpx.Client, ledger: Ledger) -> None:
    for path, query in lists(ledger):
        for order in orders(path):
            asked = {**query, **order}
            assert walk(client, path, limits=lambda: ledger.chance.randrange(1, 9), **asked) == whole(
                client, path, **asked
            ), (path, asked)
