"""Labels of runs and tasks: a name of the client's own that is there once, and tags."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import httpx
import pytest

from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok
from tests.support.running import Running

HOSTILE = [
    "'; DROP TABLE run; --",
    "é 日本 😀",
    "%",
    "*[?]",
    "\\",
    '"',
    "null",
    "0",
    " ",
    "x" * 255,
    "\ud7ff\ue000\U0010ffff",
]


class Kind:
    """Runs, or tasks of one run."""

    def __init__(self, name: str, client: httpx.Client) -> None:
        self.name, self.path = name, f"/{name}s"
        self._client = client
        self._body: Json = {"inputData": None}
        if name == "task":
            self._body |= {"runId": make_run(client)["id"], "type": "step"}

    def create(self, client: httpx.Client | None = None, **fields: Any) -> httpx.Response:
        return (client or self._client).post(self.path, json=self._body | fields)

    def make(self, **fields: Any) -> Json:
        return ok(self.create(**fields), 201)

    def change(self, item: Json, **fields: Any) -> httpx.Response:
        return self._client.patch(f"{self.path}/{item['id']}", json=fields)

    def change_tags(self, item: Json, **fields: Any) -> httpx.Response:
        return self._client.patch(f"{self.path}/{item['id']}/tags", json=fields)

    def read(self, item: Json) -> Json:
        return ok(self._client.get(f"{self.path}/{item['id']}"))


@pytest.fixture(params=["run", "task"])
def kind(request: pytest.FixtureRequest, client: httpx.Client) -> Kind:
    return Kind(request.param, client)


def test_labels_are_in_answers_only_when_they_are_set(kind: Kind) -> None:
    bare = kind.make()
    assert not {"externalId", "tags"} & set(bare)
    assert not {"externalId", "tags"} & set(kind.make(externalId=None, tags=[]))
    labelled = kind.make(externalId="order-17", tags=["nightly", "eu"])
    assert list(labelled)[-2:] == ["externalId", "tags"]
    assert (labelled["externalId"], labelled["tags"]) == ("order-17", ["nightly", "eu"])
    assert kind.read(labelled) == labelled


# External ids ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_external_id_comes_back_as_it_was_sent(kind: Kind, name: str) -> None:
    item = kind.make(externalId=name)
    assert item["externalId"] == name
    assert_error(kind.create(externalId=name), 409)


@pytest.mark.parametrize("name", ["", "x" * 256, "a\x00b", 7, ["a"], True])
def test_external_id_is_a_text_of_1_to_255_characters(kind: Kind, name: Any) -> None:
    assert_error(kind.create(externalId=name), 400, "externalId")
    assert_error(kind.change(kind.make(), externalId=name), 400, "externalId")


def test_external_id_of_another_is_refused_and_the_answer_names_that(kind: Kind) -> None:
    first = kind.make(externalId="order-17")
    other = kind.make()
    assert first["id"] in assert_error(kind.create(externalId="order-17"), 409)["error"]
    assert first["id"] in assert_error(kind.change(other, externalId="order-17", metadata={"a": 1}), 409)["error"]
    assert kind.read(other) == other
    assert kind.make(externalId="Order-17")["externalId"] == "Order-17"


def test_external_id_can_be_changed_and_removed_and_is_free_then(kind: Kind) -> None:
    item = kind.make(externalId="a")
    same = ok(kind.change(item, externalId="a"))
    assert same == item  # not even updatedAt
    assert ok(kind.change(item, externalId="b"))["externalId"] == "b"
    assert kind.make(externalId="a")["externalId"] == "a"
    assert "externalId" not in ok(kind.change(item, externalId=None))
    assert kind.make(externalId="b")["externalId"] == "b"
    assert_error(kind.change(item, externalId="b"), 409)


def test_change_without_external_id_leaves_it(kind: Kind) -> None:
    item = kind.make(externalId="a", tags=["red"])
    changed = ok(kind.change(item, status="running"))
    assert (changed["externalId"], changed["tags"]) == ("a", ["red"])


def test_external_id_is_free_once_its_run_is_deleted(client: httpx.Client) -> None:
    run = make_run(client, externalId="a")
    make_task(client, run, externalId="a", tags=["red"])
    ok(client.delete(f"/runs/{run['id']}"))
    run = make_run(client, externalId="a")
    make_task(client, run, externalId="a")


def test_organisations_do_not_share_external_ids(client: httpx.Client, rival: httpx.Client) -> None:
    run, others = make_run(client, externalId="a"), make_run(rival, externalId="a")
    make_task(client, run, externalId="a")
    make_task(rival, others, externalId="a")


def test_what_does_not_exist_is_not_found_whatever_its_external_id(kind: Kind, client: httpx.Client) -> None:
    kind.make(externalId="a")
    assert_error(kind.change({"id": UNKNOWN_ID}, externalId="a"), 404)
    run = make_run(client)
    for body in ({"runId": UNKNOWN_ID}, {"runId": run["id"], "parentTaskId": UNKNOWN_ID}):
        assert_error(client.post("/tasks", json={**body, "type": "step", "inputData": 1, "externalId": "a"}), 404)


def at_once(*each: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """The responses of requests that are sent at the same moment."""
    barrier, responses = threading.Barrier(len(each)), dict[int, httpx.Response]()

    def send(number: int, request: Callable[[], httpx.Response]) -> None:
        barrier.wait()
        responses[number] = request()

    threads = [threading.Thread(target=send, args=numbered) for numbered in enumerate(each)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [responses[number] for number in range(len(each))]


@pytest.fixture
def two(served: Running) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with served.client() as one, served.client() as other:
        yield one, other


ROUNDS = 40


def test_of_two_that_create_at_once_one_gets_the_external_id(
    kind: Kind, two: tuple[httpx.Client, httpx.Client]
) -> None:
    for number in range(ROUNDS):
        name = f"order-{number}"
        responses = at_once(*(partial(kind.create, client, externalId=name) for client in two))
        refused, made = sorted(responses, key=lambda response: -response.status_code)
        item = ok(made, 201)
        assert item["id"] in assert_error(refused, 409)["error"]


def test_of_two_that_take_an_external_id_at_once_one_gets_it(
    kind: Kind, two: tuple[httpx.Client, httpx.Client]
) -> None:
    one, other = two
    for number in range(ROUNDS):
        name, item = f"order-{number}", kind.make()
        made, changed = at_once(
            partial(kind.create, one, externalId=name),
            partial(other.patch, f"{kind.path}/{item['id']}", json={"externalId": name}),
        )
        assert {made.status_code, changed.status_code} in ({201, 409}, {409, 200})
        holder = item["id"] if changed.status_code == 200 else made.json()["id"]
        refused = made if changed.status_code == 200 else changed
        assert holder in assert_error(refused, 409)["error"]


# Tags -----------------------------------------------------------------------------------------------------------------


def test_tags_are_kept_in_order_without_repeats(kind: Kind) -> None:
    assert kind.make(tags=["b", "a", "b", "c", "a"])["tags"] == ["b", "a", "c"]
    assert kind.make(tags=HOSTILE)["tags"] == HOSTILE


@pytest.mark.parametrize("tags", [None, "red", ["a,b"], [""], ["x" * 256], ["a\x00"], [1], [["a"]], {"a": 1}])
def test_tags_are_texts_of_1_to_255_characters_without_commas(kind: Kind, tags: Any) -> None:
    for response in (kind.create(tags=tags), kind.change(kind.make(), tags=tags)):
        assert response.status_code == 400
        assert response.json()["details"][0]["field"].startswith("tags")


def test_there_are_at_most_100_tags(kind: Kind) -> None:
    tags = [f"tag-{number}" for number in range(100)]
    item = kind.make(tags=tags)
    assert item["tags"] == tags
    assert_error(kind.create(tags=[*tags, "more"]), 400, "tags")
    assert_error(kind.change_tags(item, add=["more"]), 400, "add")
    assert ok(kind.change_tags(item, add=["more"], remove=["tag-0"]))["tags"] == [*tags[1:], "more"]


def test_change_replaces_the_whole_list(kind: Kind) -> None:
    item = kind.make(tags=["a", "b"])
    assert ok(kind.change(item, tags=["b", "a"]))["tags"] == ["b", "a"]
    assert ok(kind.change(item, tags=["c", "c"]))["tags"] == ["c"]
    assert "tags" not in ok(kind.change(item, tags=[]))


def test_change_that_leaves_the_tags_leaves_the_time_of_the_last_change(kind: Kind) -> None:
    item = kind.make(tags=["a", "b"])
    assert ok(kind.change(item, tags=["a", "b"])) == item
    assert ok(kind.change_tags(item, add=["b"], remove=["c"])) == item
    assert ok(kind.change_tags(item)) == item
    bare = kind.make()
    assert ok(kind.change(bare, tags=[])) == bare
    assert ok(kind.change_tags(bare, remove=["a"])) == bare


def test_tags_are_removed_then_added(kind: Kind) -> None:
    item = kind.make(tags=["a", "b", "c"])
    assert ok(kind.change_tags(item, remove=["b", "a"], add=["a", "d"]))["tags"] == ["c", "a", "d"]
    assert "tags" not in ok(kind.change_tags(item, remove=["a", "c", "d"]))
    assert ok(kind.change_tags(item, add=["x"]))["tags"] == ["x"]
    assert kind.read(item)["tags"] == ["x"]


def test_change_of_tags_that_is_wrong_changes_nothing(kind: Kind) -> None:
    item = kind.make(tags=["a"])
    assert_error(kind.change_tags(item, tags=["b"]), 400, "tags")
    assert kind.change_tags(item, add=["a,b"]).status_code == 400
    assert_error(kind.change_tags({"id": UNKNOWN_ID}, add=["b"]), 404)
    assert kind.read(item) == item


def test_changes_of_tags_at_once_lose_nothing(kind: Kind, two: tuple[httpx.Client, httpx.Client]) -> None:
    item = kind.make()
    for number in range(10):
        path = f"{kind.path}/{item['id']}/tags"
        at_once(*(partial(client.patch, path, json={"add": [f"{who}{number}"]}) for who, client in enumerate(two)))
    assert sorted(kind.read(item)["tags"]) == sorted(f"{who}{number}" for who in range(2) for number in range(10))


def test_what_is_found_by_tag_is_what_the_tags_are(kind: Kind, served: Running) -> None:
    chance = Random(7)
    tags = ["a", "b", "c", "d"]
    items = [kind.make(tags=chance.sample(tags, chance.randrange(4))) for _ in range(10)]
    for _ in range(40):
        item = chance.choice(items)
        some = chance.sample(tags, chance.randrange(4))
        ok(kind.change(item, tags=some) if chance.random() < 0.5 else kind.change_tags(item, add=some, remove=tags))
    kept = sorted((tag, item["id"]) for item in map(kind.read, items) for tag in item.get("tags", []))
    with served.database.read() as tx:
        found = tx.all(f"SELECT tag, id FROM {kind.name}_tag AS t JOIN {kind.name} AS i ON i.seq = t.seq")
    assert sorted(found) == kept
    assert all(a != b for a, b in pairwise(sorted(found)))
