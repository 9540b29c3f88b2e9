"""Run data: entries created, read, tagged and deleted. How they are queried stands in test_run_data_query.py."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.api.opaque import ANY_JSON, TELLTALE_JSON
from tests.support.api import UNKNOWN_ID, UUID7, Json, assert_error, make_run, make_task, ok, put_data
from tests.support.clock import Clock
from tests.support.running import Running

# Names that are unusual and allowed, for keys as for tags.
NAMES = [
    "x",
    " ",
    " x ",
    "x" * 255,
    "é" * 255,
    "😀" * 255,
    "'; --",
    '"',
    "%",
    "_*[?",
    "null",
    "\x01\x7f",
    "\ud7ff\ue000",
]


@pytest.fixture
def task(client: httpx.Client) -> Json:
    """A task in a run of its own."""
    return make_task(client, make_run(client))


def path(entry: Json) -> str:
    return f"/runs/{entry['runId']}/data/{entry['id']}"


def get(client: httpx.Client, entry: Json) -> Json:
    return ok(client.get(path(entry)))


def patch(client: httpx.Client, entry: Json, **change: Any) -> Json:
    return ok(client.patch(f"{path(entry)}/tags", json=change))


def delete(client: httpx.Client, run_id: str, **which: str) -> httpx.Response:
    return client.delete(f"/runs/{run_id}/data", params=which)


def entries(client: httpx.Client, run_id: str, **wanted: Any) -> list[Json]:
    """What a query answers, oldest first; all entries unless asked otherwise."""
    answer = ok(client.get(f"/runs/{run_id}/data", params={"includeAll": "true", "sortOrder": "asc", **wanted}))
    data: list[Json] = answer["data"]
    assert answer["pagination"]["total"] == len(data)
    return data


def body(task: Json, **fields: Any) -> Json:
    return {"taskId": task["id"], "key": "k", "value": None, **fields}


def names(count: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


# Creating -----------------------------------------------------------------------------------------------------------


def test_new_entry_has_every_field(client: httpx.Client, task: Json, clock: Clock) -> None:
    entry = put_data(client, task, "sensor.temp", {"celsius": 21.5}, tags=["b", "a"], metadata={"by": "me"})
    assert entry == {
        "id": entry["id"],
        "runId": task["runId"],
        "taskId": task["id"],
        "orgId": "acme",
        "key": "sensor.temp",
        "value": {"celsius": 21.5},
        "tags": ["b", "a"],
        "metadata": {"by": "me"},
        "createdAt": clock.text,
        "updatedAt": clock.text,
    }
    assert UUID7.fullmatch(entry["id"])
    assert get(client, entry) == entry
    assert entries(client, task["runId"]) == [entry]


def test_optional_fields_that_were_not_given_have_defaults(client: httpx.Client, task: Json) -> None:
    entry = ok(client.post(f"/runs/{task['runId']}/data", json={"taskId": task["id"], "key": "k", "value": 1}), 201)
    assert (entry["tags"], entry["metadata"]) == ([], None)


def test_location_of_a_new_entry_leads_to_it(client: httpx.Client, task: Json) -> None:
    created = client.post(f"/runs/{task['runId']}/data", json=body(task))
    entry = ok(created, 201)
    assert created.headers["Location"] == f"/api/v1{path(entry)}"
    assert ok(client.get(str(client.base_url.join(created.headers["Location"])))) == entry


def test_entries_of_one_key_are_all_kept(client: httpx.Client, task: Json) -> None:
    created = [put_data(client, task, "k", 1) for _ in range(3)]
    assert len({entry["id"] for entry in created}) == 3
    assert entries(client, task["runId"]) == created


def test_tasks_of_a_run_share_its_data(client: httpx.Client, task: Json) -> None:
    other = make_task(client, {"id": task["runId"]})
    created = [put_data(client, task, "k", 1), put_data(client, other, "k", 2)]
    assert [entry["taskId"] for entry in created] == [task["id"], other["id"]]
    assert entries(client, task["runId"]) == created


@pytest.mark.parametrize("field", ["taskId", "key", "value"])
def test_field_is_required(client: httpx.Client, task: Json, field: str) -> None:
    given = body(task)
    del given[field]
    assert_error(client.post(f"/runs/{task['runId']}/data", json=given), 400, field)


@pytest.mark.parametrize("value", ANY_JSON)
def test_value_may_be_any_json_value(client: httpx.Client, task: Json, value: Any) -> None:
    entry = put_data(client, task, "k", value)
    assert entry["value"] == value
    assert type(entry["value"]) is type(value)
    assert get(client, entry) == entry


@pytest.mark.parametrize("text", TELLTALE_JSON)
def test_opaque_json_comes_back_character_by_character(client: httpx.Client, task: Json, text: str) -> None:
    url = f"/runs/{task['runId']}/data"
    content = f'{{"taskId": "{task["id"]}", "key": "k", "value": {text}, "metadata": {{"deep": {text}}}}}'
    created = client.post(url, content=content.encode())
    entry = ok(created, 201)
    changed = client.patch(f"{path(entry)}/tags", json={"add": ["x"]})
    for answer in (created, changed, client.get(path(entry)), client.get(url)):
        assert answer.status_code < 300
        assert f'"value":{text},"tags":' in answer.text
        assert f'"metadata":{{"deep": {text}}},' in answer.text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "[1,]", "tru", "'x'", '"\\ud80"', "[" * 100_000 + "]" * 100_000])
def test_value_that_is_not_json_is_refused(client: httpx.Client, task: Json, value: str) -> None:
    content = f'{{"taskId": "{task["id"]}", "key": "k", "value": {value}}}'
    assert_error(client.post(f"/runs/{task['runId']}/data", content=content), 400)
    assert entries(client, task["runId"]) == []


@pytest.mark.parametrize("metadata", [None, 1, "text", True, [], [{}], "{}"])
def test_metadata_must_be_an_object(client: httpx.Client, task: Json, metadata: Any) -> None:
    assert_error(client.post(f"/runs/{task['runId']}/data", json=body(task, metadata=metadata)), 400, "metadata")


@pytest.mark.parametrize("key", [*NAMES, "a,b", ","])
def test_key_may_be_any_1_to_255_characters(client: httpx.Client, task: Json, key: str) -> None:
    entry = put_data(client, task, key)
    assert entry["key"] == key
    assert entries(client, task["runId"], key=key) == [entry]
    assert ok(delete(client, task["runId"], key=key)) == {"deleted": 1}


@pytest.mark.parametrize("key", ["", "x" * 256, "😀" * 256, "a\0b", "\0", None, 1, True, [], ["x"], {}])
def test_key_may_not_be_anything_else(client: httpx.Client, task: Json, key: Any) -> None:
    assert_error(client.post(f"/runs/{task['runId']}/data", json=body(task, key=key)), 400, "key")
    assert entries(client, task["runId"]) == []


@pytest.mark.parametrize("tag", NAMES)
def test_tag_may_be_any_1_to_255_characters_without_commas(client: httpx.Client, task: Json, tag: str) -> None:
    entry = put_data(client, task, "k", tags=[tag])
    assert entry["tags"] == [tag]
    assert entries(client, task["runId"], tags=tag) == [entry]
    assert patch(client, entry, remove=[tag])["tags"] == []
    assert patch(client, entry, add=[tag])["tags"] == [tag]
    assert len(entries(client, task["runId"], tags=tag)) == 1


@pytest.mark.parametrize("tag", ["", "x" * 256, "😀" * 256, "a\0b", "a,b", ",", None, 1, True, ["x"], {}])
def test_tag_may_not_be_anything_else(client: httpx.Client, task: Json, tag: Any) -> None:
    url = f"/runs/{task['runId']}/data"
    assert_error(client.post(url, json=body(task, tags=["fine", tag])), 400, "tags.1")
    entry = put_data(client, task, "k", tags=["kept"])
    for field in ("add", "remove"):
        assert_error(client.patch(f"{path(entry)}/tags", json={field: ["fine", tag]}), 400, f"{field}.1")
    assert entries(client, task["runId"]) == [entry]


@pytest.mark.parametrize("tags", ["a", "a,b", 1, True, {}, {"a": 1}])
def test_tags_must_be_a_list(client: httpx.Client, task: Json, tags: Any) -> None:
    assert_error(client.post(f"/runs/{task['runId']}/data", json=body(task, tags=tags)), 400, "tags")
    entry = put_data(client, task, "k", tags=["kept"])
    for field in ("add", "remove"):
        assert_error(client.patch(f"{path(entry)}/tags", json={field: tags}), 400, field)
    assert entries(client, task["runId"]) == [entry]


def test_entry_may_have_100_tags_and_not_101(client: httpx.Client, task: Json) -> None:
    tags = list(reversed(names(101)))
    assert put_data(client, task, "k", tags=tags[:100])["tags"] == tags[:100]
    assert_error(client.post(f"/runs/{task['runId']}/data", json=body(task, tags=tags)), 400, "tags")
    assert len(entries(client, task["runId"])) == 1


def test_tags_are_kept_in_the_order_given_without_repeats(client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k", tags=["b", "a", "b", "B", "c", "a", " a"])
    assert entry["tags"] == ["b", "a", "B", "c", " a"]
    assert get(client, entry) == entry


def test_all_wrong_fields_are_reported_at_once(client: httpx.Client, task: Json) -> None:
    response = client.post(f"/runs/{task['runId']}/data", json={"taskId": 1, "key": "", "tags": "a", "metadata": 1})
    assert_error(response, 400, "taskId", "key", "value", "tags", "metadata")


@pytest.mark.parametrize("task_id", ["", "x", UNKNOWN_ID[:-1], UNKNOWN_ID + "0", f"{{{UNKNOWN_ID}}}", None, 1, []])
def test_malformed_task_id_is_refused(client: httpx.Client, task: Json, task_id: Any) -> None:
    assert_error(client.post(f"/runs/{task['runId']}/data", json=body({"id": task_id})), 400, "taskId")


def test_unknown_fields_are_ignored(client: httpx.Client, task: Json, clock: Clock) -> None:
    entry = put_data(client, task, "k", id=UNKNOWN_ID, runId=UNKNOWN_ID, orgId="rival", createdAt=0, ttl=5)
    assert entry["id"] != UNKNOWN_ID
    assert (entry["runId"], entry["orgId"], entry["createdAt"]) == (task["runId"], "acme", clock.text)


def test_run_must_exist(client: httpx.Client, task: Json) -> None:
    for run_id in (UNKNOWN_ID, "x", task["id"], "%00"):
        response = client.post(f"/runs/{run_id}/data", json=body(task))
        assert assert_error(response, 404) == {"error": "Run not found", "details": [], "code": "not_found"}


def test_task_must_be_one_of_the_run(client: httpx.Client, task: Json) -> None:
    task_of_other = make_task(client, make_run(client))
    for task_id in (UNKNOWN_ID, task_of_other["id"], task["runId"]):
        response = client.post(f"/runs/{task['runId']}/data", json=body({"id": task_id}))
        assert assert_error(response, 404) == {"error": "Task not found", "details": [], "code": "not_found"}
    assert entries(client, task["runId"]) == []
    assert entries(client, task_of_other["runId"]) == []


def test_ids_may_be_written_in_upper_case(client: httpx.Client, task: Json) -> None:
    run_id = task["runId"].upper()
    entry = put_data(client, {"id": task["id"].upper(), "runId": run_id}, "k", tags=["a"])
    assert (entry["runId"], entry["taskId"]) == (task["runId"], task["id"])
    shouted = {"runId": run_id, "id": entry["id"].upper()}
    assert get(client, shouted) == entry
    assert entries(client, run_id) == [entry]
    assert patch(client, shouted, add=["b"])["tags"] == ["a", "b"]
    assert ok(delete(client, run_id, id=shouted["id"])) == {"deleted": 1}


# Reading one --------------------------------------------------------------------------------------------------------


def test_entry_is_found_only_in_its_run(client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k")
    for run_id in (make_run(client)["id"], UNKNOWN_ID, "x"):
        assert_error(client.get(f"/runs/{run_id}/data/{entry['id']}"), 404)
        assert_error(client.patch(f"/runs/{run_id}/data/{entry['id']}/tags", json={"add": ["x"]}), 404)
    assert get(client, entry) == entry


@pytest.mark.parametrize("data_id", [UNKNOWN_ID, "x", "1", "null", "%00", "%F0%9F%98%80", "' OR 1=1 --"])
def test_unknown_and_malformed_ids_are_not_found(client: httpx.Client, task: Json, data_id: str) -> None:
    entry = put_data(client, task, "k")
    url = f"/runs/{task['runId']}/data/{data_id}"
    assert_error(client.get(url), 404)
    assert_error(client.patch(f"{url}/tags", json={"add": ["x"]}), 404)
    assert entries(client, task["runId"]) == [entry]


# Tags ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        ({}, ["a", "b", "c"]),
        ({"add": [], "remove": []}, ["a", "b", "c"]),
        ({"add": ["d"]}, ["a", "b", "c", "d"]),
        ({"add": ["e", "d"]}, ["a", "b", "c", "e", "d"]),
        ({"add": ["e", "d", "e"]}, ["a", "b", "c", "e", "d"]),
        ({"add": ["b"]}, ["a", "b", "c"]),
        ({"add": ["c", "d", "a"]}, ["a", "b", "c", "d"]),
        ({"remove": ["b"]}, ["a", "c"]),
        ({"remove": ["c", "a", "c"]}, ["b"]),
        ({"remove": ["unknown"]}, ["a", "b", "c"]),
        ({"remove": ["A", "a ", "%", "*"]}, ["a", "b", "c"]),
        ({"remove": ["a", "b", "c"]}, []),
        ({"add": ["d"], "remove": ["b"]}, ["a", "c", "d"]),
        ({"add": ["a", "b", "c"], "remove": ["c", "b", "a"]}, ["a", "b", "c"]),
        ({"add": ["c", "a"], "remove": ["a", "b", "c"]}, ["c", "a"]),
        ({"add": ["d"], "remove": ["d"]}, ["a", "b", "c", "d"]),
        ({"add": ["d"], "replace": ["z"], "tags": ["z"]}, ["a", "b", "c", "d"]),
    ],
)
def test_tags_are_removed_first_and_then_added_where_missing(
    client: httpx.Client, task: Json, change: Json, tags: list[str]
) -> None:
    entry = put_data(client, task, "k", {"v": 1}, tags=["a", "b", "c"], metadata={"m": 1})
    changed = patch(client, entry, **change)
    assert changed == {**entry, "tags": tags, "updatedAt": changed["updatedAt"]}
    assert get(client, entry) == changed
    for tag in ("a", "b", "c", "d", "e"):
        assert entries(client, task["runId"], tags=tag) == ([changed] if tag in tags else [])


def test_tag_that_is_removed_and_added_ends_present_at_the_end(client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k", tags=["a", "b", "c"])
    assert patch(client, entry, remove=["a"], add=["a"])["tags"] == ["b", "c", "a"]


def test_changing_tags_sets_updated_at_and_not_created_at(client: httpx.Client, task: Json, clock: Clock) -> None:
    entry = put_data(client, task, "k")
    untouched = put_data(client, task, "k")
    clock.move(1234)
    changed = patch(client, entry, add=["a"])
    assert changed == {**entry, "tags": ["a"], "updatedAt": clock.text}
    assert clock.text != entry["createdAt"]
    assert entries(client, task["runId"]) == [changed, untouched]


def test_change_of_tags_that_changes_nothing_leaves_updated_at(client: httpx.Client, task: Json, clock: Clock) -> None:
    entry = put_data(client, task, "k", {"v": 1}, tags=["a", "b"])
    for change in ({}, {"add": ["b"]}, {"remove": ["c"]}, {"add": ["b"], "remove": ["b"]}, {"add": ["a", "b", "a"]}):
        clock.move(5)
        assert patch(client, entry, **change) == entry
    assert patch(client, entry, add=["a"], remove=["a"])["updatedAt"] == clock.text  # it is last now


def test_changing_tags_does_not_make_an_entry_the_newest(client: httpx.Client, task: Json, clock: Clock) -> None:
    older, newer = put_data(client, task, "k", tags=["x"]), put_data(client, task, "k", tags=["x"])
    clock.move(1)
    patch(client, older, add=["y"])
    older = patch(client, older, remove=["x"], add=["x"])
    assert entries(client, task["runId"], includeAll="false") == [newer]
    assert entries(client, task["runId"], includeAll="false", tags="x") == [newer]
    assert entries(client, task["runId"], includeAll="false", tags="y") == [older]


@pytest.mark.parametrize(
    ("present", "change", "count"),
    [
        (names(99), {"add": ["new"]}, 100),
        (names(100), {"add": ["new"], "remove": ["t050"]}, 100),
        (names(100), {"add": names(100)}, 100),
        (names(100), {"add": names(100, "new"), "remove": names(100)}, 100),
        ([], {"add": names(100)}, 100),
        (names(100), {"remove": names(100)}, 0),
        (names(100), {"remove": ["unknown"]}, 100),
    ],
)
def test_entry_may_come_to_100_tags(
    client: httpx.Client, task: Json, present: list[str], change: Json, count: int
) -> None:
    entry = put_data(client, task, "k", tags=present)
    assert len(patch(client, entry, **change)["tags"]) == count


@pytest.mark.parametrize(
    ("present", "change"),
    [
        (names(100), {"add": ["new"]}),
        (names(100), {"add": ["new"], "remove": ["unknown"]}),
        (names(100), {"add": ["new", "t001"], "remove": ["t001"]}),
        (names(1), {"add": names(100, "new")}),
        ([], {"add": names(101)}),
    ],
)
def test_entry_may_not_come_to_more_than_100_tags(
    client: httpx.Client, task: Json, clock: Clock, present: list[str], change: Json
) -> None:
    entry = put_data(client, task, "k", tags=present)
    clock.move(1)
    assert_error(client.patch(f"{path(entry)}/tags", json=change), 400, "add")
    assert get(client, entry) == entry


def in_parallel(served: Running, changes: Iterable[tuple[Json, Json]]) -> None:
    """Send tag patches at the same moment, each over a connection of its own."""
    todo = list(changes)
    ready = threading.Barrier(len(todo))
    with ExitStack() as stack:
        clients = [stack.enter_context(served.client()) for _ in todo]

        def send(client: httpx.Client, entry: Json, change: Json) -> None:
            ready.wait(30)
            patch(client, entry, **change)

        with ThreadPoolExecutor(len(todo)) as pool:
            sent = [pool.submit(send, client, *each) for client, each in zip(clients, todo, strict=True)]
        for each in sent:
            each.result()


def test_parallel_tag_patches_of_one_entry_lose_none(served: Running, client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k", tags=[*names(16, "old"), "kept"])
    for turn in range(4):
        in_parallel(
            served,
            (
                (entry, {"add": [f"new{number}", "shared"], "remove": [f"old{number:03}", f"unknown{turn}"]})
                if turn == 0
                else (entry, {"add": [f"turn{turn}-{number}"]})
                for number in range(16)
            ),
        )
    changed = get(client, entry)
    expected = {
        "kept",
        "shared",
        *(f"new{number}" for number in range(16)),
        *(f"turn{turn}-{number}" for turn in (1, 2, 3) for number in range(16)),
    }
    assert sorted(changed["tags"]) == sorted(expected)
    assert changed["tags"][0] == "kept"
    for tag in expected:
        assert entries(client, task["runId"], tags=tag) == [changed]


def test_parallel_patches_never_exceed_100_tags(served: Running, client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k", tags=names(92))
    ready = threading.Barrier(16)

    def add(number: int) -> int:
        with served.client() as own:
            ready.wait(30)
            return own.patch(f"{path(entry)}/tags", json={"add": [f"new{number}"]}).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(add, range(16)))
    assert sorted(statuses) == [200] * 8 + [400] * 8
    assert len(get(client, entry)["tags"]) == 100


# Deleting -----------------------------------------------------------------------------------------------------------


def test_delete_by_key_deletes_all_entries_of_that_key(client: httpx.Client, task: Json) -> None:
    kept = [put_data(client, task, key) for key in ("temp", "temp-data-2", "Temp-data", "temp_data")]
    for number in range(3):
        put_data(client, task, "temp-data", number, tags=["x", f"t{number}"])
    assert ok(delete(client, task["runId"], key="temp-data")) == {"deleted": 3}
    assert entries(client, task["runId"]) == kept
    assert entries(client, task["runId"], tagStartsWith="t,x") == []


def test_delete_by_id_deletes_that_entry_only(client: httpx.Client, task: Json) -> None:
    created = [put_data(client, task, "k", number, tags=["x"]) for number in range(3)]
    assert ok(delete(client, task["runId"], id=created[1]["id"])) == {"deleted": 1}
    assert_error(client.get(path(created[1])), 404)
    assert entries(client, task["runId"]) == [created[0], created[2]]
    assert entries(client, task["runId"], tags="x") == [created[0], created[2]]


@pytest.mark.parametrize("count", [1, 2, 250])
def test_count_of_deleted_entries_is_exact(client: httpx.Client, task: Json, count: int) -> None:
    put_data(client, task, "other", tags=["x"])
    for _ in range(count):
        put_data(client, task, "k", tags=["x", "y"])
    assert ok(delete(client, task["runId"], key="k")) == {"deleted": count}
    assert len(entries(client, task["runId"])) == 1


@pytest.mark.parametrize("key", ["%", "_", "*", "?", "[a]", "a%", "A", "a ", "a,aa", "'a'", "a*"])
def test_key_to_delete_is_taken_literally(client: httpx.Client, task: Json, key: str) -> None:
    kept = [put_data(client, task, other) for other in ("a", "aa", "a.b")]
    assert_error(delete(client, task["runId"], key=key), 404)
    put_data(client, task, key)
    assert ok(delete(client, task["runId"], key=key)) == {"deleted": 1}
    assert entries(client, task["runId"]) == kept


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "key"),
        ("key=k&id={id}", "key"),
        ("key=k&id=" + UNKNOWN_ID, "key"),
        ("key=", "key"),
        ("id=", "id"),
        ("key=&id={id}", "key"),
        ("key=k&id=", "id"),
        ("key=k&key=k", "key"),
        ("key=k&key=other", "key"),
        ("id={id}&id={id}", "id"),
        ("id=x", "id"),
        ("id={id}0", "id"),
        ("key=a%00b", "key"),
        ("key=" + "x" * 256, "key"),
        ("key=%ff", "key"),
        ("id=%ff", "id"),
    ],
)
def test_delete_takes_exactly_one_of_key_and_id(client: httpx.Client, task: Json, query: str, field: str) -> None:
    entry = put_data(client, task, "k", tags=["x"])
    assert_error(client.delete(f"/runs/{task['runId']}/data?{query.format(id=entry['id'])}"), 400, field)
    assert entries(client, task["runId"]) == [entry]


def test_deleting_what_is_not_there_is_not_found(client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k")
    for which in ({"key": "other"}, {"id": UNKNOWN_ID}, {"id": task["id"]}):
        assert_error(delete(client, task["runId"], **which), 404)
    assert ok(delete(client, task["runId"], key="k")) == {"deleted": 1}
    assert_error(delete(client, task["runId"], key="k"), 404)
    assert_error(delete(client, task["runId"], id=entry["id"]), 404)


def test_delete_respects_the_run_in_the_path(client: httpx.Client, task: Json) -> None:
    entry, other = put_data(client, task, "k"), put_data(client, make_task(client, make_run(client)), "k")
    for run_id in (UNKNOWN_ID, "x", make_run(client)["id"]):
        assert_error(delete(client, run_id, key="k"), 404)
        assert_error(delete(client, run_id, id=entry["id"]), 404)
    assert_error(delete(client, other["runId"], id=entry["id"]), 404)
    assert ok(delete(client, task["runId"], key="k")) == {"deleted": 1}
    assert entries(client, task["runId"]) == []
    assert entries(client, other["runId"]) == [other]


def test_latest_falls_back_to_the_previous_entry_when_the_newest_is_deleted(client: httpx.Client, task: Json) -> None:
    first, second, third, fourth = (
        put_data(client, task, "k", number, tags=tags) for number, tags in enumerate((["x"], ["y"], ["x", "y"], ["y"]))
    )

    def latest(**wanted: str) -> list[Json]:
        return entries(client, task["runId"], includeAll="false", **wanted)

    assert (latest(), latest(tags="x"), latest(tags="y")) == ([fourth], [third], [fourth])
    ok(delete(client, task["runId"], id=second["id"]))  # an older one: nothing changes
    assert (latest(), latest(tags="x"), latest(tags="y")) == ([fourth], [third], [fourth])
    ok(delete(client, task["runId"], id=fourth["id"]))
    assert (latest(), latest(tags="x"), latest(tags="y")) == ([third], [third], [third])
    ok(delete(client, task["runId"], id=third["id"]))
    assert (latest(), latest(tags="x"), latest(tags="y")) == ([first], [first], [])
    ok(delete(client, task["runId"], id=first["id"]))
    assert (latest(), latest(tags="x"), latest(tags="y")) == ([], [], [])


def test_entry_that_is_created_after_a_deletion_is_the_newest(client: httpx.Client, task: Json) -> None:
    older = put_data(client, task, "k", 1)
    newest = put_data(client, task, "k", 2)
    ok(delete(client, task["runId"], id=newest["id"]))
    assert entries(client, task["runId"], includeAll="false") == [older]
    again = put_data(client, task, "k", 3)
    assert entries(client, task["runId"], includeAll="false") == [again]
    assert entries(client, task["runId"]) == [older, again]


def test_totals_are_right_after_every_change(client: httpx.Client, task: Json) -> None:
    other = put_data(client, make_task(client, make_run(client)), "k")

    def totals() -> tuple[int, int]:
        url = f"/runs/{task['runId']}/data"
        answers = [ok(client.get(url, params={"includeAll": flag})) for flag in ("false", "true")]
        return answers[0]["pagination"]["total"], answers[1]["pagination"]["total"]

    assert totals() == (0, 0)
    first = put_data(client, task, "a")
    assert totals() == (1, 1)
    put_data(client, task, "a", tags=["x"])
    assert totals() == (1, 2)
    put_data(client, task, "b")
    assert totals() == (2, 3)
    ok(delete(client, task["runId"], id=first["id"]))
    assert totals() == (2, 2)
    ok(delete(client, task["runId"], key="a"))
    assert totals() == (1, 1)
    ok(delete(client, task["runId"], key="b"))
    assert totals() == (0, 0)
    assert entries(client, other["runId"]) == [other]


def test_parallel_deletes_of_one_entry_delete_it_once(served: Running, client: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k")
    ready = threading.Barrier(8)

    def remove(_: int) -> int:
        with served.client() as own:
            ready.wait(30)
            return delete(own, task["runId"], id=entry["id"]).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(remove, range(8))) == [200] + [404] * 7


# Another organisation -----------------------------------------------------------------------------------------------


def test_rival_sees_and_changes_nothing(client: httpx.Client, rival: httpx.Client, task: Json) -> None:
    entry = put_data(client, task, "k", "secret", tags=["a"])
    url = f"/runs/{task['runId']}/data"
    own_task = make_task(rival, make_run(rival))
    for response in (
        rival.get(url),
        rival.get(url, params={"key": "k", "includeAll": "true"}),
        rival.get(path(entry)),
        rival.patch(f"{path(entry)}/tags", json={"add": ["b"]}),
        rival.delete(url, params={"key": "k"}),
        rival.delete(url, params={"id": entry["id"]}),
        rival.post(url, json=body(task)),
        rival.post(url, json=body(own_task)),
        rival.post(f"/runs/{own_task['runId']}/data", json=body(task)),
        rival.get(f"/runs/{own_task['runId']}/data/{entry['id']}"),
        rival.patch(f"/runs/{own_task['runId']}/data/{entry['id']}/tags", json={"add": ["b"]}),
        rival.delete(f"/runs/{own_task['runId']}/data", params={"id": entry["id"]}),
        rival.delete(f"/runs/{own_task['runId']}/data", params={"key": "k"}),
    ):
        assert_error(response, 404)
        assert "secret" not in response.text
    assert entries(client, task["runId"]) == [entry]
    assert entries(rival, own_task["runId"]) == []


def test_rival_is_answered_exactly_as_for_ids_that_do_not_exist(
    client: httpx.Client, rival: httpx.Client, task: Json
) -> None:
    entry = put_data(client, task, "k")
    for method, before, after in (
        ("GET", path(entry), f"/runs/{UNKNOWN_ID}/data/{UNKNOWN_ID}"),
        ("GET", f"/runs/{task['runId']}/data", f"/runs/{UNKNOWN_ID}/data"),
        ("DELETE", f"/runs/{task['runId']}/data?key=k", f"/runs/{UNKNOWN_ID}/data?key=k"),
    ):
        theirs, nobodys = rival.request(method, before), rival.request(method, after)
        assert (theirs.status_code, theirs.text) == (404, nobodys.text)
