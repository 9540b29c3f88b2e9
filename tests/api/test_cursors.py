"""Pages by cursor hold while rows come and go: no row that is there throughout is left out, or shown twice."""

from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from werkzeug.datastructures import MultiDict

from foreman.api.lists.run_list import ListRuns
from foreman.api.run_data_query import QueryData
from foreman.http.paging.cursors import cursor_of, scope_of
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

    def some(self, lists: list[tuple[str, Json]]) -> list[tuple[str, Json]]:
        """All of them in the full proof, else some, which are others for each ledger."""
        return lists[self.chance.randrange(much(1, 5)) :: much(1, 5)]

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
    for path, query in ledger.some(lists(ledger)):
        for order in orders(path):
            asked = {**query, **order}
            assert walk(client, path, limits=lambda: ledger.chance.randrange(1, 9), **asked) == whole(
                client, path, **asked
            ), (path, asked)


def test_rows_that_are_there_throughout_are_on_one_page_each(client: httpx.Client, ledger: Ledger) -> None:
    """Of each list in one order."""
    for number, (path, query) in enumerate(ledger.some(lists(ledger))):
        asked = {**query, **orders(path)[(number + ledger.chance.randrange(8)) % len(orders(path))]}
        before = ids(whole(client, path, **asked))
        seen = ids(walk(client, path, ledger.happen, **asked))
        after = ids(whole(client, path, **asked))
        assert len(seen) == len(set(seen)), (path, asked)
        throughout = [each for each in before if each in after]
        assert [each for each in seen if each in throughout] == throughout, (path, asked)


def test_newest_entry_of_each_key_is_shown_once_a_key(client: httpx.Client, ledger: Ledger) -> None:
    for sort_order in SORT_ORDERS:
        entries = walk(client, ledger.data, ledger.happen, limits=1, sortBy="key", sortOrder=sort_order)
        keys = [entry["key"] for entry in entries]
        assert keys == sorted(set(keys), reverse=sort_order == "desc")


def test_row_that_changes_while_it_is_listed_by_last_change_is_on_a_later_page_again(client: httpx.Client) -> None:
    """In ascending order none is left out. In descending order one that changes is before all that is still to come."""
    runs = [make_run(client, number) for number in range(4)]
    first = ok(client.get("/runs", params={"sortBy": "updated_at", "sortOrder": "asc", "limit": 2, "cursor": ""}))
    ok(client.patch(f"/runs/{runs[0]['id']}", json={"metadata": {"seen": True}}))
    query = {"sortBy": "updated_at", "sortOrder": "asc", "limit": 2, "cursor": first["nextCursor"]}
    assert ids(ok(client.get("/runs", params=query))["items"]) == [runs[2]["id"], runs[3]["id"]]
    query["cursor"] = ok(client.get("/runs", params=query))["nextCursor"]
    assert ids(ok(client.get("/runs", params=query))["items"]) == [runs[0]["id"]]


# What answers have --------------------------------------------------------------------------------------------------


@pytest.fixture
def paths(client: httpx.Client) -> list[str]:
    """Lists of five things each."""
    run, *_ = [make_run(client, number) for number in range(5)]
    task, *_ = [make_task(client, run) for _ in range(5)]
    for number in range(5):
        put_data(client, task, f"k{number}")
    return ["/runs", "/tasks", f"/runs/{run['id']}/tasks", f"/runs/{run['id']}/data"]


def position(body: Json) -> Json:
    """What a page says of where it is in its list."""
    return body["pagination"] if "data" in body else {name: body[name] for name in body if name != "items"}


def test_answers_are_as_ever_without_a_cursor(client: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        response = client.get(path, params={"limit": 2, "offset": 1})
        assert position(ok(response)) == {"limit": 2, "offset": 1, "total": 5}
        assert "Link" not in response.headers


def test_empty_cursor_is_for_the_first_page(client: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        for limit, more in ((4, True), (5, False), (6, False)):
            response = client.get(path, params={"limit": limit, "cursor": ""})
            shown = position(ok(response))
            assert (shown.pop("nextCursor") is not None) == more
            assert shown == {"limit": limit, "offset": 0, "total": 5}
            assert (next_of(response) is not None) == more


def test_page_after_the_last_row_is_empty_when_what_was_to_come_is_gone(client: httpx.Client) -> None:
    first, _, last = [make_run(client, number) for number in range(3)]
    cursor = next_of(client.get("/runs", params={"limit": 2, "cursor": ""}))
    ok(client.delete(f"/runs/{first['id']}"))
    ok(client.delete(f"/runs/{last['id']}"))
    assert ok(client.get("/runs", params={"cursor": cursor})) == {
        "items": [],
        "total": 1,
        "limit": 20,
        "offset": 0,
        "nextCursor": None,
    }


def test_link_keeps_every_other_parameter_to_the_letter(client: httpx.Client) -> None:
    run = make_run(client)
    for _ in range(3):
        make_task(client, run, type="a b&c=d,é")
    query = {"limit": "2", "type": "a b&c=d,é", "status": "pending,failed", "view": "summary"}
    response = client.get(f"/runs/{run['id']}/tasks", params={**query, "cursor": "", "offset": "0"})
    link = response.headers["Link"]
    assert link.startswith("<?")
    assert link.endswith('>; rel="next"')
    url = httpx.URL(urljoin(str(response.url), response.links["next"]["url"]))
    assert dict(url.params) == {**query, "cursor": next_of(response)}
    rest = client.get(url)
    assert len(ok(rest)["items"]) == 1
    assert "Link" not in rest.headers


def test_count_may_be_left_out_of_either_way_of_paging(client: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        for query in ({}, {"cursor": ""}):
            counted = ok(client.get(path, params=query))
            assert position(counted)["total"] == 5
            counted.get("pagination", counted).pop("total")
            assert ok(client.get(path, params={**query, "count": "false"})) == counted


def test_page_of_one_large_item_after_the_other_is_not_too_large(client: httpx.Client) -> None:
    """The row after a page, which tells that there is one, is not read for it."""
    for _ in range(4):
        make_run(client, "x" * 9_000_000)
    assert_error(client.get("/runs", params={"limit": 4}), 400, "limit")
    response = client.get("/runs", params={"limit": 3, "cursor": ""})
    assert len(ok(response)["items"]) == 3
    assert next_of(response)


# Cursors that are none ----------------------------------------------------------------------------------------------


def changed(cursor: str) -> list[str]:
    """Texts that are nearly the cursor."""
    middle = len(cursor) // 2
    other = "B" if cursor[middle] == "A" else "A"
    return [
        *(cursor[:length] for length in range(1, len(cursor))),
        *(cursor[start:] for start in (1, 4, 12, 16, 17)),
        cursor[:middle] + other + cursor[middle + 1 :],
        cursor + "=",
        cursor + "A",
        cursor + cursor,
        cursor.swapcase(),
        " " + cursor,
        cursor + "\n",
        "A" * 60_000,
    ]


HOSTILE = [" ", "0", "-1", "null", "'", "é", "\x00", "../..", "A" * 20, "W10", "_" * 16, "%00", "a+b/", "😀" * 50]


def test_text_that_is_no_cursor_is_refused(client: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        cursor = next_of(client.get(path, params={"limit": 2, "cursor": ""}))
        assert cursor is not None
        for text in [*changed(cursor), *HOSTILE]:
            assert_error(client.get(path, params={"cursor": text}), 400, "cursor")


def test_cursor_of_another_list_order_or_filter_is_refused(
    client: httpx.Client, rival: httpx.Client, paths: list[str]
) -> None:
    for path in paths:
        asked: Json = {"limit": 2, "sortBy": "created_at", "sortOrder": "desc"}
        cursor = next_of(client.get(path, params={**asked, "cursor": ""}))
        asked["cursor"] = cursor
        ok(client.get(path, params={**asked, "limit": 1, "count": "false", "view": "summary"}))
        for other in (
            {"sortOrder": "asc"},
            {"sortBy": "updated_at"},
            {"key" if "data" in path else "status": "failed"},
        ):
            assert_error(client.get(path, params={**asked, **other}), 400, "cursor")
        for elsewhere in {*paths, "/runs"} - {path}:
            assert_error(client.get(elsewhere, params=asked), 400, "cursor")
        assert_error(rival.get(path, params=asked), 400, "cursor")


def test_cursor_and_offset_exclude_each_other(client: httpx.Client, paths: list[str]) -> None:
    for path in paths:
        cursor = next_of(client.get(path, params={"limit": 2, "cursor": ""}))
        for given in ("", cursor):
            assert_error(client.get(path, params={"cursor": given, "offset": 1}), 400, "offset")
            ok(client.get(path, params={"cursor": given, "offset": 0}))


PLACES: list[list[Any]] = [
    [],
    [1],
    [1, 2, 3],
    [2**62, 1],
    [1, -(2**62)],
    [2**64, 1],
    [10**400, 1],
    [1.5, 2],
    [True, 1],
    [None, 1],
    ["1", 1],
    [1, "1"],
    [[1], 2],
    ["'; DROP TABLE run; --", 1],
]


@pytest.mark.parametrize("place", PLACES)
def test_made_up_place_is_refused_even_with_the_right_digest(served: Running, place: list[Any]) -> None:
    scope = scope_of("acme", "/api/v1/runs", ListRuns().load(MultiDict()))
    with served.client() as client:
        make_run(client)
        assert ok(client.get("/runs", params={"cursor": cursor_of([0, 0], scope)}))["items"] == []
        assert_error(client.get("/runs", params={"cursor": cursor_of(place, scope)}), 400, "cursor")


@pytest.mark.parametrize("key", ["", "a" * 256, "a\x00b", 7])
def test_made_up_key_is_refused_even_with_the_right_digest(client: httpx.Client, paths: list[str], key: Any) -> None:
    scope = scope_of("acme", f"/api/v1{paths[-1]}", QueryData().load(MultiDict({"sortBy": "key"})))
    asked = {"sortBy": "key", "cursor": cursor_of(["k2", 1], scope)}
    assert [entry["key"] for entry in ok(client.get(paths[-1], params=asked))["data"]] == ["k1", "k0"]
    assert_error(client.get(paths[-1], params={**asked, "cursor": cursor_of([key, 1], scope)}), 400, "cursor")


@pytest.mark.parametrize("place", [[2**62 - 1, 2**62 - 1], [-(2**62) + 1, -(2**62) + 1]])
@pytest.mark.parametrize("sort_by", LIST_SORTS)
@pytest.mark.parametrize("sort_order", SORT_ORDERS)
def test_place_beyond_all_rows_is_one_before_or_after_them(
    client: httpx.Client, place: list[int], sort_by: str, sort_order: str
) -> None:
    run = make_run(client)
    wanted = ListRuns().load(MultiDict({"sortBy": sort_by, "sortOrder": sort_order}))
    cursor = cursor_of(place, scope_of("acme", "/api/v1/runs", wanted))
    items = ok(client.get("/runs", params={"sortBy": sort_by, "sortOrder": sort_order, "cursor": cursor}))["items"]
    assert items == ([run] if (place[0] > 0) == (sort_order == "desc") else [])
