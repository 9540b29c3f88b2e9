"""Batches: many tasks or entries by one request, all of them or none, with the meaning of as many single requests."""

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest

from foreman.db import values
from foreman.http.paging import pages as paging
from tests.api.bookkeeping import TaskBookkeeping
from tests.api.opaque import ANY_JSON, TELLTALE_JSON
from tests.support.api import UNKNOWN_ID, Json, assert_error, change_task, make_run, make_task, ok, put_data
from tests.support.clock import Clock
from tests.support.contents import violations_in
from tests.support.engines import engine
from tests.support.proof import much
from tests.support.running import Running, Start
from tests.support.statuses import TASK_STATUSES
from tests.support.waiting import until

STEP: Json = {"type": "step", "inputData": None}


def post_tasks(client: httpx.Client, run: Json, items: Any, **options: Any) -> httpx.Response:
    return client.post(f"/runs/{run['id']}/tasks/batch", content=body(items), **options)


def post_data(client: httpx.Client, run: Json, items: Any, **options: Any) -> httpx.Response:
    return client.post(f"/runs/{run['id']}/data/batch", content=body(items), **options)


def patch_tasks(client: httpx.Client, items: Any, **options: Any) -> httpx.Response:
    return client.patch("/tasks/batch", content=body(items), **options)


def body(items: Any) -> str:
    """In ASCII, because httpx cannot write surrogates otherwise."""
    return json.dumps({"items": items}, separators=(",", ":"))


def tasks_of(client: httpx.Client, run: Json) -> list[Json]:
    """In order of creation."""
    query = {"runId": run["id"], "limit": 100, "sortOrder": "asc"}
    items: list[Json] = ok(client.get("/tasks", params=query))["items"]
    return items


def data_of(client: httpx.Client, run: Json, **query: Any) -> list[Json]:
    """All entries, in order of creation."""
    asked = {"includeAll": "true", "limit": 1000, "sortOrder": "asc", **query}
    data: list[Json] = ok(client.get(f"/runs/{run['id']}/data", params=asked))["data"]
    return data


def everything(client: httpx.Client, run: Json) -> list[Any]:
    return [ok(client.get(f"/runs/{run['id']}")), tasks_of(client, run), data_of(client, run)]


class Kind:
    """One kind of batch: how it is sent, and its items by number.

    :param number: how many tasks there are to change
    """

    def __init__(self, client: httpx.Client, name: str, number: int = 3) -> None:
        self.client, self.name = client, name
        self.run = make_run(client)
        tasks = [STEP] * (number if name == "changes" else 1)
        self.tasks = [
            task
            for start in range(0, len(tasks), 1000)
            for task in ok(post_tasks(client, self.run, tasks[start : start + 1000]), 201)["items"]
        ]
        self.status = 200 if name == "changes" else 201

    def item(self, number: int) -> Json:
        return {
            "tasks": {"type": "step", "inputData": number},
            "data": {"taskId": self.tasks[0]["id"], "key": "key", "value": number},
            "changes": {"id": self.tasks[number % len(self.tasks)]["id"], "outputData": number},
        }[self.name]

    def send(self, items: Any, **options: Any) -> httpx.Response:
        if self.name == "changes":
            return patch_tasks(self.client, items, **options)
        return (post_tasks if self.name == "tasks" else post_data)(self.client, self.run, items, **options)

    def send_text(self, items: str, called: str = "items") -> httpx.Response:
        """The list as a text of JSON."""
        method, path = "POST", f"/runs/{self.run['id']}/{self.name}/batch"
        if self.name == "changes":
            method, path = "PATCH", "/tasks/batch"
        return self.client.request(method, path, content=f'{{"{called}": {items}}}'.encode())

    def number_of(self, answered: Json) -> Any:
        """The number that an item of the answer was made of."""
        return answered[{"tasks": "inputData", "data": "value", "changes": "outputData"}[self.name]]


every_kind = pytest.mark.parametrize("name", ["tasks", "data", "changes"])


# What every batch has in common -------------------------------------------------------------------------------------


@every_kind
def test_answer_has_the_items_in_the_order_of_the_request(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name, 50)
    numbers = random.Random(1).sample(range(50), 50)
    answered = ok(kind.send([kind.item(number) for number in numbers]), kind.status)
    assert set(answered) == {"items"}
    assert [kind.number_of(item) for item in answered["items"]] == numbers


@every_kind
def test_each_item_is_answered_as_it_is_read(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    for item in ok(kind.send([kind.item(number) for number in range(3)]), kind.status)["items"]:
        path = f"/runs/{kind.run['id']}/data/{item['id']}" if name == "data" else f"/tasks/{item['id']}"
        assert ok(client.get(path)) == item


@every_kind
@pytest.mark.parametrize("number", [1, 1000])
def test_batch_may_have_1_to_1000_items(client: httpx.Client, name: str, number: int) -> None:
    kind = Kind(client, name, number)
    answered = ok(kind.send([kind.item(each) for each in range(number)]), kind.status)["items"]
    assert [kind.number_of(item) for item in answered] == list(range(number))


@every_kind
def test_batch_of_none_or_too_many_items_is_refused(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    before = everything(client, kind.run)
    assert_error(kind.send([]), 400, "items")
    assert_error(kind.send([kind.item(0)] * 1001), 400, "items")
    assert_error(kind.send([{}] * 200_000), 400, "items")
    assert everything(client, kind.run) == before


@every_kind
def test_items_must_be_a_list_of_objects(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    no_lists: list[Any] = [None, {}, {"0": {}}, "items", 1]
    for items in no_lists:
        assert_error(kind.send(items), 400, "items")
    no_objects: list[Any] = [None, [], "\ud83d", 1]
    for item in no_objects:
        assert_error(kind.send([kind.item(0), item]), 400, "items.1")


@every_kind
def test_body_without_items_is_refused(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    assert_error(kind.send_text("[]", called="item"), 400, "items")


WRONG: list[tuple[str, Json, str]] = [
    ("tasks", {"type": ""}, "type"),
    ("tasks", {"type": "x" * 256}, "type"),
    ("tasks", {"type": "\0"}, "type"),
    ("tasks", {"type": 1}, "type"),
    ("tasks", {"type": None}, "type"),
    ("tasks", {"type": "\ud83d"}, "type"),
    ("tasks", {"metadata": []}, "metadata"),
    ("tasks", {"metadata": None}, "metadata"),
    ("tasks", {"maxRetries": 11}, "maxRetries"),
    ("tasks", {"maxRetries": True}, "maxRetries"),
    ("tasks", {"maxRetries": "3"}, "maxRetries"),
    ("tasks", {"parentTaskId": "1"}, "parentTaskId"),
    ("tasks", {"ref": ""}, "ref"),
    ("tasks", {"parent": 1}, "parent"),
    ("data", {"key": ""}, "key"),
    ("data", {"key": ["a"]}, "key"),
    ("data", {"key": {}}, "key"),
    ("data", {"taskId": "1"}, "taskId"),
    ("data", {"taskId": ["1"]}, "taskId"),
    ("data", {"taskId": None}, "taskId"),
    ("data", {"tags": "a"}, "tags"),
    ("data", {"tags": ["a", "b,c"]}, "tags.1"),
    ("data", {"tags": ["a", ""]}, "tags.1"),
    ("data", {"tags": ["a", 1]}, "tags.1"),
    ("data", {"tags": ["a"] * 101}, "tags"),
    ("changes", {"status": "done"}, "status"),
    ("changes", {"status": None}, "status"),
    ("changes", {"status": ["failed"]}, "status"),
    ("changes", {"metadata": 1}, "metadata"),
    ("changes", {"queueJobId": ""}, "queueJobId"),
    ("changes", {"id": "1"}, "id"),
]


@every_kind
def test_error_names_the_item_and_nothing_is_stored(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name, 20)
    before = everything(client, kind.run)
    for _, wrong, field in (each for each in WRONG if each[0] == name):
        items = [kind.item(number) for number in range(20)]
        items[17] |= wrong
        assert_error(kind.send(items), 400, f"items.17.{field}")
    assert everything(client, kind.run) == before


@every_kind
def test_wrong_item_is_refused_for_what_it_is_refused_for_alone(client: httpx.Client, name: str) -> None:
    """The messages are those of a single request."""
    kind = Kind(client, name)
    for _, wrong, field in (each for each in WRONG if each[0] == name and each[2] not in ("ref", "parent", "id")):
        item = {**kind.item(0), **wrong}
        if name == "changes":
            alone = client.patch(f"/tasks/{item.pop('id')}", content=json.dumps(item))
        elif name == "tasks":
            alone = client.post("/tasks", content=json.dumps({"runId": kind.run["id"], **item}))
        else:
            alone = client.post(f"/runs/{kind.run['id']}/data", content=json.dumps(item))
        refused = kind.send([kind.item(1), {**kind.item(0), **wrong}]).json()
        assert refused["details"] == [
            {**detail, "field": f"items.1.{detail['field']}"} for detail in assert_error(alone, 400, field)["details"]
        ]


@every_kind
def test_all_is_undone_when_only_the_last_of_1000_items_is_about_nothing(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name, 1000)
    before = everything(client, kind.run)
    items = [kind.item(number) for number in range(1000)]
    field = {"tasks": "parentTaskId", "data": "taskId", "changes": "id"}[name]
    items[999][field] = UNKNOWN_ID
    refused = assert_error(kind.send(items), 404, f"items.999.{field}")
    assert refused["error"] == refused["details"][0]["message"]
    assert everything(client, kind.run) == before


def test_only_the_first_of_many_wrong_items_are_named(client: httpx.Client) -> None:
    run = make_run(client)
    assert len(post_tasks(client, run, [{}] * 1000).json()["details"]) == 2 * 20
    unknown = [{**STEP, "parentTaskId": UNKNOWN_ID}] * 1000
    assert_error(post_tasks(client, run, unknown), 404, *[f"items.{place}.parentTaskId" for place in range(20)])
    changes = [{"id": UNKNOWN_ID[:-4] + f"{number:04d}"} for number in range(1000)]
    assert_error(patch_tasks(client, changes), 404, *[f"items.{place}.id" for place in range(20)])


@every_kind
def test_unknown_fields_of_items_are_ignored_unless_strict_handling_is_preferred(
    client: httpx.Client, name: str
) -> None:
    kind = Kind(client, name)
    items = [kind.item(0), {**kind.item(1), "priority": 1, "\ud83d": 2}]
    ok(kind.send(items), kind.status)
    strict = kind.send(items, headers={"Prefer": "handling=strict"})
    refused = assert_error(strict, 400, "items.1.priority", r"items.1.\ud83d")
    assert strict.headers["Preference-Applied"] == "handling=strict"
    assert all(detail["message"].startswith("Unknown field; known are ") for detail in refused["details"])
    ok(kind.send(items[:1], headers={"Prefer": "handling=strict"}), kind.status)
    assert_error(kind.send([1, {}], headers={"Prefer": "handling=strict"}), 400, *strictly_wrong(name))


def strictly_wrong(name: str) -> list[str]:
    """The fields that are named when items are no objects, or lack all that is required."""
    required = {"tasks": ["type", "inputData"], "data": ["taskId", "key", "value"], "changes": ["id"]}[name]
    return ["items.0", *(f"items.1.{field}" for field in required)]


@every_kind
def test_opaque_json_comes_back_character_by_character(client: httpx.Client, name: str) -> None:
    for text in (*TELLTALE_JSON, r'{"\ud83d":"\\\ud83d"}'):
        kind = Kind(client, name)
        opaque = {"tasks": "inputData", "data": "value", "changes": "outputData"}[name]
        items = [json.dumps({**kind.item(number), opaque: "HERE", "metadata": {"a": "HERE"}}) for number in range(3)]
        answer = kind.send_text(f"[{', '.join(items)}]".replace('"HERE"', text))
        assert answer.status_code == kind.status, answer.text
        listed = f"/runs/{kind.run['id']}/data?includeAll=true" if name == "data" else f"/tasks?runId={kind.run['id']}"
        for shown in (answer.text, client.get(listed).text):
            assert shown.count(f'"{opaque}":{text},') == 3
            assert shown.count(f'"metadata":{{"a": {text}}},') == 3


@every_kind
def test_opaque_values_may_be_any_json(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name, len(ANY_JSON))
    opaque = {"tasks": "inputData", "data": "value", "changes": "outputData"}[name]
    items = [{**kind.item(number), opaque: value} for number, value in enumerate(ANY_JSON)]
    assert [item[opaque] for item in ok(kind.send(items), kind.status)["items"]] == list(ANY_JSON)


@every_kind
def test_value_that_is_nested_too_deep_is_refused(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    before = everything(client, kind.run)
    opaque = {"tasks": "inputData", "data": "value", "changes": "outputData"}[name]
    for depth in (500, 5000, 200_000):
        item = json.dumps({**kind.item(0), opaque: "HERE"}).replace('"HERE"', "[" * depth + "]" * depth)
        answer = kind.send_text(f"[{item}]")
        assert answer.status_code == (kind.status if depth == 500 else 400), answer.text[:200]
        if depth == 500:
            before = everything(client, kind.run)
    assert everything(client, kind.run) == before


@every_kind
def test_batches_are_of_one_organisation(client: httpx.Client, rival: httpx.Client, name: str) -> None:
    acmes, own = Kind(client, name), Kind(rival, name)
    before = everything(client, acmes.run)
    foreign = {"tasks": {"parentTaskId": acmes.tasks[0]["id"]}, "data": {"taskId": acmes.tasks[0]["id"]},
               "changes": {"id": acmes.tasks[0]["id"]}}[name]  # fmt: skip
    field = next(iter(foreign))
    assert_error(own.send([own.item(0), {**own.item(1), **foreign}]), 404, f"items.1.{field}")
    if name != "changes":
        own.run = acmes.run
        assert_error(own.send([own.item(0)]), 404)
    assert everything(client, acmes.run) == before


@pytest.mark.parametrize("name", ["tasks", "data"])
def test_run_that_is_not_there_is_404(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    kind.run = {"id": UNKNOWN_ID}
    assert_error(kind.send([kind.item(0)]), 404)


def test_location_of_a_batch_leads_to_a_list_with_its_items(client: httpx.Client) -> None:
    run = make_run(client)
    created = post_tasks(client, run, [STEP] * 3)
    listed = ok(client.get(str(client.base_url.join(created.headers["Location"]))))
    assert listed["items"] == list(reversed(ok(created, 201)["items"]))
    entry = {"taskId": created.json()["items"][0]["id"], "key": "a", "value": 1}
    created = post_data(client, run, [entry])
    assert ok(client.get(str(client.base_url.join(created.headers["Location"]))))["data"] == created.json()["items"]


@every_kind
def test_ids_may_be_in_upper_case(client: httpx.Client, name: str) -> None:
    kind = Kind(client, name)
    item = kind.item(0)
    for field in ("id", "taskId"):
        if field in item:
            item[field] = item[field].upper()
    kind.run = {"id": kind.run["id"].upper()}
    (answered,) = ok(kind.send([item]), kind.status)["items"]
    assert answered["runId"] == kind.run["id"].lower()
    assert answered.get("taskId", kind.tasks[0]["id"]) == kind.tasks[0]["id"]


@every_kind
def test_large_batch_is_stored_in_several_statements_as_in_one(
    client: httpx.Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "_ROWS_AT_ONCE", 500)
    kind = Kind(client, name, 30)
    answered = ok(kind.send([kind.item(number) for number in range(30)]), kind.status)["items"]
    assert [kind.number_of(item) for item in answered] == list(range(30))
    if name == "data":
        assert data_of(client, kind.run) == answered
    else:
        assert [task for task in tasks_of(client, kind.run) if task in answered] == answered


# With so many threads each may read little at once, and a request that would read more is tried again on another.
@every_kind
def test_batch_that_is_large_for_its_thread_is_stored_once(start: Start, name: str) -> None:
    with start(threads=200).client() as client:
        kind = Kind(client, name, 20)
        opaque = {"tasks": "inputData", "data": "value", "changes": "outputData"}[name]
        items = [{**kind.item(number), opaque: '"\\' * 2000} for number in range(20)]
        before = [len(each) for each in everything(client, kind.run)[1:]]
        ok(kind.send(items), kind.status)
        more = {"tasks": [20, 0], "data": [0, 20], "changes": [0, 0]}[name]
        after = [len(each) for each in everything(client, kind.run)[1:]]
        assert after == [number + added for number, added in zip(before, more, strict=True)]


@every_kind
@pytest.mark.parametrize("number", [3, 400])
def test_batch_with_a_key_is_carried_out_once(client: httpx.Client, name: str, number: int) -> None:
    kind = Kind(client, name, number)
    items = [kind.item(each) for each in range(number)]
    first, again = (kind.send(items, headers={"Idempotency-Key": "batch-1"}) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    answered = ok(first, kind.status)["items"]
    if len(first.content) <= 65_536:
        assert again.content == first.content
    else:
        assert ok(again, kind.status)["items"] == [{"id": item["id"]} for item in answered]
    changed = items[:-1]
    assert_error(kind.send(changed, headers={"Idempotency-Key": "batch-1"}), 422)
    if name == "data":
        assert len(data_of(client, kind.run)) == number
    else:
        assert ok(client.get(f"/runs/{kind.run['id']}"))["totalTasks"] == number + (name == "tasks")


# Tasks --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_tasks_have_the_defaults_of_single_ones(client: httpx.Client) -> None:
    run = make_run(client)
    (one,), alone = ok(post_tasks(client, run, [STEP]), 201)["items"], make_task(client, run)
    assert {**one, "id": alone["id"]} == alone
    assert ok(client.get(f"/runs/{run['id']}"))["totalTasks"] == 2


def test_tasks_of_a_batch_are_listed_in_its_order(client: httpx.Client) -> None:
    run = make_run(client)
    created = ok(post_tasks(client, run, [{**STEP, "inputData": number} for number in range(100)]), 201)["items"]
    assert tasks_of(client, run) == created
    assert all(first["id"] < second["id"] for first, second in pairwise(created))


def test_parent_is_a_task_of_the_batch_by_its_ref_in_any_order(client: httpx.Client) -> None:
    run = make_run(client)
    items = [
        {"type": "leaf", "inputData": 1, "parent": "branch", "ref": "leaf"},
        {"type": "root", "inputData": 1, "ref": "root", "parent": None},
        {"type": "branch", "inputData": 1, "ref": "branch", "parent": "root", "parentTaskId": None},
        {"type": "twig", "inputData": 1, "parent": "branch"},
        {"type": "alone", "inputData": 1, "ref": None},
    ]
    leaf, root, branch, twig, alone = ok(post_tasks(client, run, items), 201)["items"]
    assert [task["parentTaskId"] for task in (leaf, root, branch, twig, alone)] == [
        branch["id"], None, root["id"], branch["id"], None,
    ]  # fmt: skip
    assert ok(client.get("/tasks", params={"parentTaskId": branch["id"]}))["total"] == 2
    assert "ref" not in leaf


def test_parent_is_created_before_its_children(client: httpx.Client, served: Running) -> None:
    """Whoever deletes or copies a run relies on it."""
    run = make_run(client)
    items = [{**STEP, "ref": str(number), "parent": str(number + 1)} for number in range(999)]
    chain = ok(post_tasks(client, run, [*items, {**STEP, "ref": "999"}]), 201)["items"]
    assert [task["parentTaskId"] for task in chain[:-1]] == [task["id"] for task in chain[1:]]
    assert all(child["id"] > parent["id"] for child, parent in pairwise(chain))
    assert tasks_of(client, run) == list(reversed(chain))[:100]
    assert violations_in(served.location) == []
    assert ok(client.delete(f"/runs/{run['id']}")) == {"deleted": 1}
    assert violations_in(served.location) == []


def test_refs_count_within_one_batch(client: httpx.Client) -> None:
    run = make_run(client)
    for _ in range(2):
        ok(post_tasks(client, run, [{**STEP, "ref": "a"}]), 201)
    assert_error(post_tasks(client, run, [{**STEP, "parent": "a"}]), 400, "items.0.parent")


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([{"ref": "a"}, {"ref": "b"}, {"ref": "a"}], ["items.2.ref"]),
        ([{"ref": "a"}, {"parent": "b"}], ["items.1.parent"]),
        ([{"ref": "a", "parent": "a"}], ["items.0.parent"]),
        ([{}, {"ref": "a", "parent": "b"}, {"ref": "b", "parent": "a"}], ["items.1.parent"]),
        ([{"parent": "a"}, {"ref": "a", "parent": "b"}, {"ref": "b", "parent": "a"}], ["items.1.parent"]),
        ([{"ref": "a"}, {"parent": "a", "parentTaskId": UNKNOWN_ID}], ["items.1.parent"]),
    ],
    ids=["twice", "unknown", "itself", "circle", "child of a circle", "two parents"],
)
def test_refs_that_make_no_sense_are_refused(client: httpx.Client, items: list[Json], fields: list[str]) -> None:
    run = make_run(client)
    assert_error(post_tasks(client, run, [{**STEP, **item} for item in items]), 400, *fields)
    assert tasks_of(client, run) == []


def test_parent_by_its_id_must_be_of_the_same_run(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    parent, stranger = make_task(client, run), make_task(client, other)
    items = [{**STEP, "parentTaskId": parent["id"]}, {**STEP, "parentTaskId": stranger["id"]}]
    assert_error(post_tasks(client, run, items), 404, "items.1.parentTaskId")
    (child,) = ok(post_tasks(client, run, items[:1]), 201)["items"]
    assert child["parentTaskId"] == parent["id"]


def test_tasks_of_a_batch_may_have_labels(client: httpx.Client, served: Running) -> None:
    run = make_run(client)
    items = [{**STEP, "externalId": "a", "tags": ["x", "y", "x"]}, {**STEP, "externalId": None, "tags": []}]
    first, second = ok(post_tasks(client, run, items), 201)["items"]
    assert (first["externalId"], first["tags"]) == ("a", ["x", "y"])
    assert not {"externalId", "tags"} & set(second)
    assert [ok(client.get(f"/tasks/{task['id']}")) for task in (first, second)] == [first, second]
    assert ok(client.get("/tasks", params={"externalId": "a"}))["items"] == [first]
    changes = [
        {"id": first["id"], "externalId": None, "tags": []},
        {"id": second["id"], "externalId": "b", "tags": ["z"], "status": "running"},
    ]
    first, second = ok(patch_tasks(client, changes))["items"]
    assert not {"externalId", "tags"} & set(first)
    assert (second["externalId"], second["tags"], second["status"]) == ("b", ["z"], "running")
    assert ok(patch_tasks(client, changes))["items"] == [first, second]
    assert violations_in(served.location) == []


def test_external_id_that_is_taken_is_refused_and_named(client: httpx.Client) -> None:
    run = make_run(client)
    holder, other = make_task(client, run, externalId="a"), make_task(client, run, externalId="b")
    before = everything(client, run)
    new = [STEP, {**STEP, "externalId": "a"}]
    refused = assert_error(post_tasks(client, run, new), 409, "items.1.externalId")
    assert holder["id"] in refused["error"]
    assert_error(client.post("/runs", json={"inputData": 1, "tasks": new}), 409, "tasks.1.externalId")
    changes = [{"id": holder["id"], "externalId": "a"}, {"id": other["id"], "externalId": "a"}]
    assert_error(patch_tasks(client, changes[1:]), 409, "items.0.externalId")
    assert_error(patch_tasks(client, changes), 400, "items.1.externalId")
    assert_error(post_tasks(client, run, [new[1]] * 2), 400, "items.1.externalId")
    assert ok(patch_tasks(client, changes[:1]))["items"] == [holder]
    assert everything(client, run) == before


# Run data -----------------------------------------------------------------------------------------------------------


def test_entries_keep_the_order_of_the_batch_and_the_last_of_a_key_is_its_latest(client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    items = [{"taskId": task["id"], "key": f"k{number * 7 % 3}", "value": number} for number in range(30)]
    created = ok(post_data(client, run, items), 201)["items"]
    assert data_of(client, run) == created
    assert [entry["value"] for entry in data_of(client, run, includeAll="false", sortBy="key")] == [27, 28, 29]


def test_tags_of_entries_have_no_duplicates_and_are_found(client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    items = [{"taskId": task["id"], "key": "k", "value": tags, "tags": tags} for tags in (["b", "a", "b"], [], ["a"])]
    first, second, third = ok(post_data(client, run, items), 201)["items"]
    assert [entry["tags"] for entry in (first, second, third)] == [["b", "a"], [], ["a"]]
    assert data_of(client, run, tags="a") == [first, third]


def test_task_of_another_run_is_not_found(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    own, stranger = make_task(client, run), make_task(client, other)
    items = [{"taskId": each["id"], "key": "k", "value": 1} for each in (own, stranger, own)]
    refused = assert_error(post_data(client, run, items), 404, "items.1.taskId")
    assert refused["error"] == "Task not found"
    assert data_of(client, run) == []


def test_batches_with_the_same_keys_in_opposite_order_all_succeed(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    items = [{"taskId": task["id"], "key": f"k{number}", "value": 1, "tags": ["t"]} for number in range(40)]
    ok(post_data(client, run, items), 201)

    def send(number: int) -> int:
        with served.client() as colleague:
            return post_data(colleague, run, items if number % 2 else items[::-1]).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(16))) == {201}
    assert len(data_of(client, run)) == 17 * 40
    assert violations_in(served.location) == []


def test_batches_with_the_same_new_keys_wait_for_each_other_in_one_direction(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    task, before = make_task(client, run), engine.deadlocks()

    def send(number: int) -> int:
        keys = [f"k{number // 4}-{place}" for place in range(100)] * 2
        random.Random(number).shuffle(keys)
        with served.client() as colleague:
            items = [{"taskId": task["id"], "key": key, "value": 1, "tags": ["t"]} for key in keys]
            return post_data(colleague, run, items).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(much(160, 32)))) == {201}
    assert engine.deadlocks() == before
    assert violations_in(served.location) == []


# Changes of tasks ---------------------------------------------------------------------------------------------------


def test_items_may_change_different_fields_of_tasks_of_different_runs(client: httpx.Client) -> None:
    tasks = [make_task(client, make_run(client), metadata={"a": 1}) for _ in range(6)]
    changes: list[Json] = [
        {"status": "completed", "outputData": [1]},
        {"metadata": {"b": 2}},
        {"status": "completed", "queueJobId": "7"},
        {"errorData": "no"},
        {"status": "running"},
        {},
    ]
    items = [{"id": task["id"], **change} for task, change in zip(tasks, changes, strict=True)]
    answered = ok(patch_tasks(client, items))["items"]
    for task, change, changed in zip(tasks, changes, answered, strict=True):
        assert {field: changed[field] for field in change} == change
        kept = {"inputData", "outputData", "errorData", "metadata", "queueJobId", "type", "status"} - set(change)
        assert {field: changed[field] for field in kept} == {field: task[field] for field in kept}
    assert answered[-1] == tasks[-1]


def test_change_that_changes_nothing_leaves_the_time_of_the_last_one(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    same, other = make_task(client, run), make_task(client, run)
    same = change_task(client, same, status="running", outputData={"a": 1}, metadata={"b": 2}, queueJobId="7")
    clock.move(1000)
    again = {"status": "running", "outputData": {"a": 1}, "metadata": {"b": 2}, "queueJobId": "7", "errorData": None}
    answered = ok(patch_tasks(client, [{"id": same["id"], **again}, {"id": other["id"], "status": "running"}]))
    assert answered["items"][0] == same
    assert answered["items"][1]["updatedAt"] == clock.text


def test_task_that_is_named_twice_is_refused(client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    twice = [{"id": task["id"], "status": "running"}, {"id": task["id"].upper(), "status": "failed"}]
    assert_error(patch_tasks(client, twice), 400, "items.1.id")
    assert ok(client.get(f"/tasks/{task['id']}")) == task


def test_item_of_which_no_field_is_known_is_refused(client: httpx.Client) -> None:
    tasks = [make_task(client, make_run(client)) for _ in range(2)]
    items = [{"id": tasks[0]["id"], "status": "failed"}, {"id": tasks[1]["id"], "stauts": "failed", "x" * 300: 1}]
    refused = assert_error(patch_tasks(client, items), 400, "items.1.stauts", f"items.1.{'x' * 100}")
    assert "status, outputData" in refused["details"][0]["message"]
    assert [ok(client.get(f"/tasks/{task['id']}")) for task in tasks] == tasks
    assert ok(patch_tasks(client, [{"id": tasks[1]["id"]}]))["items"] == tasks[1:]


def test_condition_on_one_tag_does_not_go_with_a_batch(client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    change = [{"id": task["id"], "status": "failed"}]
    tag = client.get(f"/tasks/{task['id']}").headers["ETag"]
    assert_error(patch_tasks(client, change, headers={"If-Match": tag}), 400, "If-Match")
    assert_error(patch_tasks(client, change, headers={"If-Match": "no tag"}), 400, "If-Match")
    assert ok(client.get(f"/tasks/{task['id']}")) == task


def test_counters_follow_a_batch(client: httpx.Client) -> None:
    run = make_run(client)
    tasks = ok(post_tasks(client, run, [STEP] * 9), 201)["items"]
    statuses = ["completed"] * 4 + ["failed"] * 3 + ["cancelled"] * 2
    ok(patch_tasks(client, [{"id": task["id"], "status": each} for task, each in zip(tasks, statuses, strict=True)]))
    after = ok(client.get(f"/runs/{run['id']}"))
    assert [after[f"{kind}Tasks"] for kind in ("total", "completed", "failed", "cancelled")] == [9, 4, 3, 2]


def test_answer_that_would_be_too_large_is_refused_and_nothing_is_changed(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(client)
    tasks = [make_task(client, run, inputData="x" * 1000) for _ in range(3)]
    monkeypatch.setattr("foreman.api.batch.batches.LARGEST_PAGE", 2500)
    assert_error(patch_tasks(client, [{"id": task["id"], "status": "failed"} for task in tasks]), 400, "items")
    assert tasks_of(client, run) == tasks
    assert ok(patch_tasks(client, [{"id": task["id"], "status": "failed"} for task in tasks[:2]]))
    assert paging.LARGEST_PAGE == 32_000_000


def test_batches_that_change_the_same_tasks_in_opposite_order_all_succeed(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    tasks = ok(post_tasks(client, run, [STEP] * 40), 201)["items"]

    def send(number: int) -> int:
        changes = [
            {"id": task["id"], "metadata": {"by": number}, **({"status": "retrying"} if place % 3 else {})}
            for place, task in enumerate(tasks)
        ]
        with served.client() as colleague:
            return patch_tasks(colleague, changes if number % 2 else changes[::-1]).status_code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(16))) == {200}
    assert len({json.dumps(task["metadata"]) for task in tasks_of(client, run)}) == 1
    assert violations_in(served.location) == []


@pytest.mark.parametrize("seed", range(2))
def test_all_that_changes_the_same_tasks_waits_in_one_direction(
    served: Running, client: httpx.Client, seed: int
) -> None:
    run = make_run(client)
    tasks = [task["id"] for task in ok(post_tasks(client, run, [STEP] * 60), 201)["items"]]
    before, path = engine.deadlocks(), f"/runs/{run['id']}"

    def send(number: int) -> httpx.Response:
        chance = random.Random(1000 * seed + number)
        some = chance.sample(tasks, 50)
        with served.client() as colleague:
            if number % 5 in (0, 1):
                return patch_tasks(
                    colleague, [{"id": id_, "status": chance.choice(["failed", "running", "queued"])} for id_ in some]
                )
            if number % 5 == 2:
                return post_tasks(colleague, run, [{**STEP, "parentTaskId": id_} for id_ in some])
            if number % 5 == 3:
                return colleague.post(f"{path}/{chance.choice(['cancel', 'retry'])}")
            of_these = {"runId": run["id"], "parentTaskId": "none", "expect": len(tasks)}
            return colleague.post(f"/tasks/{chance.choice(['cancel', 'retry'])}", params=of_these)

    with ThreadPoolExecutor(6) as pool:
        answered = list(pool.map(send, range(much(400, 60))))
    assert {response.status_code for response in answered} <= {200, 201, 202}
    until(lambda: all(act["status"] == "completed" for act in ok(client.get("/acts?limit=100"))["items"]))
    assert engine.deadlocks() == before
    assert violations_in(served.location) == []


def test_tasks_are_changed_or_deleted_with_their_run_in_one_direction(served: Running, client: httpx.Client) -> None:
    runs = [make_run(client) for _ in range(8)]
    tasks = [[task["id"] for task in ok(post_tasks(client, run, [STEP] * 120), 201)["items"]] for run in runs]
    before = engine.deadlocks()

    def change(number: int) -> int:
        with served.client() as colleague:
            items = [{"id": id_, "status": "running"} for id_ in tasks[number]]
            return patch_tasks(colleague, items).status_code

    def delete(number: int) -> int:
        with served.client() as colleague:
            return colleague.delete(f"/runs/{runs[number]['id']}").status_code

    with ThreadPoolExecutor(4) as pool:
        for number in range(len(runs)):
            changes = [pool.submit(change, number) for _ in range(2)]
            assert pool.submit(delete, number).result() == 200
            assert {each.result() for each in changes} <= {200, 404}
    assert engine.deadlocks() == before
    assert violations_in(served.location) == []


# A run with its tasks and data --------------------------------------------------------------------------------------


def test_run_is_created_with_its_tasks_and_data(client: httpx.Client, served: Running) -> None:
    body = {
        "inputData": {"city": "Lisbon"},
        "tasks": [{**STEP, "parent": "plan"}, {"type": "plan", "inputData": 1, "ref": "plan"}],
        "data": [{"task": "plan", "key": "k", "value": 21.50, "tags": ["a"]}, {"task": "plan", "key": "k", "value": 2}],
    }
    created = client.post("/runs", json=body)
    answered = ok(created, 201)
    (step, plan), data = answered.pop("tasks"), answered.pop("data")
    assert answered["totalTasks"] == 2
    assert created.headers["Location"] == f"/api/v1/runs/{answered['id']}"
    assert created.headers["Content-Length"] == str(len(created.content))
    read = client.get(f"/runs/{answered['id']}")
    assert ok(read) == answered
    assert read.headers["ETag"] == created.headers["ETag"]
    assert step["parentTaskId"] == plan["id"]
    assert tasks_of(client, answered) == [plan, step]
    assert data_of(client, answered) == data
    assert [entry["taskId"] for entry in data] == [plan["id"]] * 2
    assert violations_in(served.location) == []


def test_answer_has_tasks_and_data_only_when_the_request_has(client: httpx.Client) -> None:
    plain = ok(client.post("/runs", json={"inputData": 1}), 201)
    assert not {"tasks", "data"} & set(plain)
    with_none = ok(client.post("/runs", json={"inputData": 1, "tasks": [], "data": []}), 201)
    assert {**with_none, **plain} == {**plain, "tasks": [], "data": []}
    assert "data" not in ok(client.post("/runs", json={"inputData": 1, "tasks": [STEP]}), 201)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"tasks": None}, ["tasks"]),
        ({"tasks": {}}, ["tasks"]),
        ({"tasks": [STEP] * 1001}, ["tasks"]),
        ({"tasks": [STEP, {**STEP, "type": ""}]}, ["tasks.1.type"]),
        ({"tasks": [{**STEP, "parent": "a"}]}, ["tasks.0.parent"]),
        ({"tasks": [{**STEP, "parentTaskId": UNKNOWN_ID}]}, ["tasks.0.parentTaskId"]),
        ({"data": [{"task": "a", "key": "k", "value": 1}]}, ["data.0.task"]),
        ({"tasks": [{**STEP, "ref": "a"}], "data": [{"key": "k", "value": 1}]}, ["data.0.task"]),
        ({"tasks": [{**STEP, "ref": "a"}], "data": [{"task": "a", "value": 1}]}, ["data.0.key"]),
        (
            {"tasks": [{**STEP, "ref": "a"}] * 2, "data": [{"task": "b", "key": "k", "value": 1}]},
            ["tasks.1.ref", "data.0.task"],
        ),
    ],
)
def test_run_is_not_created_without_what_belongs_to_it(client: httpx.Client, body: Json, fields: list[str]) -> None:
    assert_error(client.post("/runs", json={"inputData": 1, **body}), 400, *fields)
    assert ok(client.get("/runs"))["total"] == 0


def test_parent_of_another_run_is_refused_in_a_new_one(client: httpx.Client) -> None:
    stranger = make_task(client, make_run(client))
    body = {"inputData": 1, "tasks": [{**STEP, "parentTaskId": stranger["id"]}]}
    assert_error(client.post("/runs", json=body), 400, "tasks.0.parentTaskId")


# The same rows as single requests make ------------------------------------------------------------------------------


def without_ids(things: list[Json], names: dict[str, int]) -> list[Json]:
    """Things with their ids replaced by numbers that are the same in both runs."""
    replaced = {"id", "runId", "taskId", "parentTaskId"}
    return [
        {field: names.get(value, value) if field in replaced else value for field, value in thing.items()}
        for thing in things
    ]


@pytest.mark.parametrize("seed", range(much(40, 4)))
def test_random_batches_make_what_single_requests_make(
    client: httpx.Client, served: Running, clock: Clock, seed: int
) -> None:
    dice = random.Random(seed)
    batched, single = make_run(client), make_run(client)
    tasks: tuple[list[Json], list[Json]] = ([], [])
    models: list[TaskBookkeeping] = []
    names = {batched["id"]: -1, single["id"]: -1}

    def remember() -> None:
        for both in zip(*tasks, strict=True):
            for each in both:
                names.setdefault(each["id"], len(names) // 2)

    def random_task() -> Json:
        optional: list[tuple[str, Callable[[], Any]]] = [
            ("metadata", lambda: {"a": dice.random()}),
            ("maxRetries", lambda: dice.choice([0, 3, 10, 2.0])),
        ]
        chosen = {name: make() for name, make in optional if dice.random() < 0.5}
        return {"type": dice.choice(["fetch", "parse"]), "inputData": dice.choice(ANY_JSON), **chosen}

    def create() -> None:
        items, places = [], range(len(tasks[0]))
        for number in range(dice.randint(1, 8)):
            parent = dice.choice(["none", "old", "new"])
            item: Json = {**random_task(), "ref": str(number)}
            if parent == "new" and number:
                item["parent"] = str(dice.randrange(number))
            elif parent == "old" and places:
                item["old"] = dice.choice(places)
            items.append(item)
        old = [item.pop("old", None) for item in items]
        as_sent = [
            {**item, **({} if place is None else {"parentTaskId": tasks[0][place]["id"]})}
            for item, place in zip(items, old, strict=True)
        ]
        tasks[0].extend(ok(post_tasks(client, batched, as_sent), 201)["items"])
        start = len(tasks[1])
        for item, place in zip(items, old, strict=True):
            alone = {name: value for name, value in item.items() if name not in ("ref", "parent")}
            if place is None and "parent" in item:
                place = start + int(item["parent"])
            parent_id = None if place is None else tasks[1][place]["id"]
            tasks[1].append(make_task(client, single, parentTaskId=parent_id, **alone))
            models.append(TaskBookkeeping(clock.now))
        remember()

    def change() -> None:
        changes: list[Json] = []
        chosen = dice.sample(range(len(tasks[0])), dice.randint(1, len(tasks[0])))
        for _ in chosen:
            fields: list[tuple[str, Callable[[], Any]]] = [
                ("status", lambda: dice.choice(TASK_STATUSES)),
                ("outputData", lambda: dice.choice(ANY_JSON)),
                ("errorData", lambda: dice.choice([None, "no"])),
                ("metadata", lambda: {"a": dice.randint(0, 1)}),
                ("queueJobId", lambda: dice.choice(["1", "2"])),
            ]
            changes.append({name: make() for name, make in fields if dice.random() < 0.4})
        items = [{"id": tasks[0][place]["id"], **each} for place, each in zip(chosen, changes, strict=True)]
        ok(patch_tasks(client, items))
        for place, each in zip(chosen, changes, strict=True):
            change_task(client, tasks[1][place], **each)
            models[place].change(each.get("status", models[place].status), clock.now)

    def write() -> None:
        entries = [
            (dice.randrange(len(tasks[0])), dice.choice("abc"), dice.choice(ANY_JSON), dice.choices("xyz", k=3))
            for _ in range(dice.randint(1, 8))
        ]
        items = [
            {"taskId": tasks[0][place]["id"], "key": key, "value": value, "tags": tags}
            for place, key, value, tags in entries
        ]
        ok(post_data(client, batched, items), 201)
        for place, key, value, tags in entries:
            put_data(client, tasks[1][place], key, value, tags=tags)

    create()
    for _ in range(much(12, 6)):
        clock.move(dice.choice([0, 1, 1000]))
        dice.choice([create, change, write])()
    for listed in (tasks_of, data_of):
        both = [without_ids(listed(client, run), names) for run in (batched, single)]
        if listed is data_of:
            both = [[{**entry, "id": 0} for entry in entries] for entries in both]
        assert both[0] == both[1]
    for run in (batched, single):
        latest = data_of(client, run, includeAll="false", sortBy="key")
        names |= {entry["id"]: 0 for entry in latest}
    latest_of = [without_ids(data_of(client, run, includeAll="false", tags="x"), names) for run in (batched, single)]
    assert [{**entry, "id": 0} for entry in latest_of[0]] == [{**entry, "id": 0} for entry in latest_of[1]]
    counters = [
        {name: value for name, value in ok(client.get(f"/runs/{run['id']}")).items() if name.endswith("Tasks")}
        for run in (batched, single)
    ]
    assert counters[0] == counters[1]
    for task, model in zip(tasks[0], models, strict=True):
        shown = ok(client.get(f"/tasks/{task['id']}"))
        assert {**model.expected(), "updatedAt": shown["updatedAt"]}.items() <= shown.items()
    assert violations_in(served.location) == []
