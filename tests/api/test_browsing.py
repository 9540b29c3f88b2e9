"""What is in a run: its tasks as a tree, and the keys and tags of its run data."""

from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest

from foreman.api.browsing import DEEPEST
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok, put_data

WHAT = ("tree", "keys", "tags")

# In the order of their code points.
TEXTS = ["%", "*", "a", "a b", "a.b", "a.b.c", "ab", "b", "k" * 255, "é", "\ud7ff", "\ue000", "😀", "\U0010ffff"]


@pytest.fixture
def run(client: httpx.Client) -> Json:
    return make_run(client)


@pytest.mark.parametrize("what", WHAT)
def test_run_of_another_organisation_is_not_found(
    client: httpx.Client, rival: httpx.Client, run: Json, what: str
) -> None:
    assert_error(client.get(f"/runs/{UNKNOWN_ID}/{what}"), 404)
    assert_error(client.get(f"/runs/no-id/{what}"), 404)
    assert_error(rival.get(f"/runs/{run['id']}/{what}"), 404)


def test_empty_run_has_nothing_in_it(client: httpx.Client, run: Json) -> None:
    path = f"/runs/{run['id'].upper()}"
    assert ok(client.get(f"{path}/tree")) == {"tasks": [], "total": 0, "truncated": False}
    for what in ("keys", "tags"):
        assert ok(client.get(f"{path}/{what}")) == {"items": [], "limit": 100, "nextCursor": None}


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("limit", [0, -1, "x", 1001])
def test_limit_is_checked(client: httpx.Client, run: Json, what: str, limit: Any) -> None:
    assert_error(client.get(f"/runs/{run['id']}/{what}", params={"limit": limit}), 400, "limit")


# The tree -------------------------------------------------------------------------------------------------------------


def flat(tree: list[Json]) -> Iterator[Json]:
    """All tasks of a tree without their children, parents first."""
    for task in tree:
        yield {name: value for name, value in task.items() if name != "children"}
        yield from flat(task["children"])


def test_tasks_are_nested_by_parent_oldest_first(client: httpx.Client, run: Json) -> None:
    one, two = make_task(client, run, type="one"), make_task(client, run, type="two")
    below = [make_task(client, run, type=f"below {number}", parentTaskId=one["id"]) for number in range(2)]
    deep = make_task(client, run, parentTaskId=below[1]["id"])
    ok(client.patch(f"/tasks/{two['id']}", json={"status": "running"}))
    make_task(client, make_run(client))
    tree = ok(client.get(f"/runs/{run['id']}/tree"))
    assert (tree["total"], tree["truncated"]) == (5, False)
    first, second = tree["tasks"]
    assert [first["id"], second["id"]] == [one["id"], two["id"]]
    assert [task["id"] for task in first["children"]] == [task["id"] for task in below]
    assert [task["id"] for task in first["children"][1]["children"]] == [deep["id"]]
    assert second["children"] == first["children"][0]["children"] == []


def test_tasks_of_a_tree_have_sizes_in_place_of_payloads(client: httpx.Client, run: Json) -> None:
    task = make_task(client, run, inputData="x" * 1000, tags=["red"], externalId="one", metadata={"a": 1})
    (found,) = flat(ok(client.get(f"/runs/{run['id']}/tree"))["tasks"])
    assert found == ok(client.get(f"/tasks/{task['id']}", params={"view": "summary"}))
    assert found["inputDataBytes"] == 1002


def test_tree_agrees_with_the_model(client: httpx.Client, run: Json) -> None:
    chance = Random(5)
    tasks: list[Json] = []
    for _ in range(60):
        of = {"parentTaskId": chance.choice(tasks)["id"]} if tasks and chance.random() < 0.8 else {}
        task = make_task(client, run, **of)
        if chance.random() < 0.5:
            ok(client.patch(f"/tasks/{task['id']}", json={"status": chance.choice(["running", "completed"])}))
        tasks.append(task)

    def expected(parent: str | None, among: list[Json]) -> list[Any]:
        return [[task["id"], expected(task["id"], among)] for task in among if task["parentTaskId"] == parent]

    def shape(tree: list[Json]) -> list[Any]:
        return [[task["id"], shape(task["children"])] for task in tree]

    for limit in (60, 59, 20, 1):
        tree = ok(client.get(f"/runs/{run['id']}/tree", params={"limit": limit}))
        assert shape(tree["tasks"]) == expected(None, tasks[:limit])
        assert (tree["total"], tree["truncated"]) == (60, limit < 60)


def test_tree_is_cut_where_it_is_too_deep_for_parsers(client: httpx.Client, run: Json) -> None:
    of: Json = {}
    for _ in range(DEEPEST + 2):
        of = {"parentTaskId": make_task(client, run, **of)["id"]}
    tree = ok(client.get(f"/runs/{run['id']}/tree"))
    assert (len(list(flat(tree["tasks"]))), tree["total"], tree["truncated"]) == (DEEPEST, DEEPEST + 2, True)


# Keys and tags --------------------------------------------------------------------------------------------------------


def all_of(client: httpx.Client, path: str, **query: Any) -> list[Json]:
    """The items of all pages."""
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get(path, params={**query, "cursor": cursor})
        page = ok(response)
        items += page["items"]
        assert len(page["items"]) <= page["limit"]
        assert ("Link" in response.headers) == (page["nextCursor"] is not None)
        cursor = page["nextCursor"]
    return items


@pytest.fixture
def entries(client: httpx.Client, run: Json) -> list[Json]:
    chance = Random(3)
    task, other = make_task(client, run), make_task(client, make_run(client))
    made = []
    for number in range(60):
        key, tags = chance.choice(TEXTS), chance.sample(TEXTS, chance.randrange(4))
        made.append(put_data(client, task, key, number, tags=tags))
        put_data(client, other, chance.choice(TEXTS), tags=chance.sample(TEXTS, 2))
    for entry in chance.sample(made, 10):
        ok(client.delete(f"/runs/{run['id']}/data", params={"id": entry["id"]}))
        made.remove(entry)
    return made


@pytest.mark.parametrize("prefix", ["", "a", "a.b", "%", "*", "é", "x", "k" * 255, "\U0010ffff"])
def test_keys_have_the_number_and_the_newest_time_of_their_entries(
    client: httpx.Client, run: Json, entries: list[Json], prefix: str
) -> None:
    expected = [
        {
            "key": key,
            "entries": len(of_key),
            "newestAt": of_key[-1]["createdAt"],
        }
        for key in TEXTS
        if key.startswith(prefix) and (of_key := [entry for entry in entries if entry["key"] == key])
    ]
    for limit in (100, 3, 1):
        assert all_of(client, f"/runs/{run['id']}/keys", keyStartsWith=prefix, limit=limit) == expected


@pytest.mark.parametrize("prefix", ["", "a", "a.b", "%", "*", "é", "x", "k" * 255, "\U0010ffff"])
def test_tags_have_the_numbers_of_their_entries_and_keys(
    client: httpx.Client, run: Json, entries: list[Json], prefix: str
) -> None:
    expected = [
        {"tag": tag, "entries": len(of_tag), "keys": len({entry["key"] for entry in of_tag})}
        for tag in TEXTS
        if tag.startswith(prefix) and (of_tag := [entry for entry in entries if tag in entry["tags"]])
    ]
    for limit in (100, 3, 1):
        assert all_of(client, f"/runs/{run['id']}/tags", tagStartsWith=prefix, limit=limit) == expected


@pytest.mark.parametrize("what", ["keys", "tags"])
def test_cursor_of_another_list_is_refused(client: httpx.Client, run: Json, entries: list[Json], what: str) -> None:
    assert entries
    path = f"/runs/{run['id']}"
    cursor = ok(client.get(f"{path}/{what}", params={"limit": 1}))["nextCursor"]
    other = "tags" if what == "keys" else "keys"
    prefix = {"keys": "keyStartsWith", "tags": "tagStartsWith"}[what]
    for url, query in (
        (f"{path}/{other}", {}),
        (f"{path}/{what}", {prefix: "a"}),
        (f"/runs/{UNKNOWN_ID}/{what}", {}),
    ):
        assert_error(client.get(url, params={**query, "cursor": cursor}), 400, "cursor")
    for forged in (cursor[:-1], cursor + "A", "x", "😀", "x" * 10_000):
        assert_error(client.get(f"{path}/{what}", params={"cursor": forged}), 400, "cursor")
