"""Lists filtered by label: external id, tags, prefixes of tags, and metadata at declared paths."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest

from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from tests.api.test_list_model import in_order
from tests.support.api import Json, assert_error, make_run, make_task, ok
from tests.support.running import Running, Start

PATHS = ("team", "customer.region", "n")
TAGS = ("red", "reddish", "re", "blue", "é", "%", "*", "😀")


@pytest.fixture
def served(start: Start) -> Running:
    return start(metadata_paths=PATHS)


def list_of(client: httpx.Client, path: str, **query: Any) -> list[str]:
    return [item["id"] for item in ok(client.get(path, params=query))["items"]]


# One filter -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["/runs", "/tasks"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(path: str, client: httpx.Client) -> Any:
    run = make_run(client)

    def make(**fields: Any) -> str:
        return str((make_run(client, **fields) if path == "/runs" else make_task(client, run, **fields))["id"])

    return make


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"tags": "red"}, "ab"),
        ({"tags": "red,blue"}, "abc"),
        ({"tags": "red,blue", "tagMode": "all"}, "b"),
        ({"tags": "red,none", "tagMode": "all"}, ""),
        ({"tags": "Red"}, ""),
        ({"tags": ""}, "abcd"),
        ({"tags": "red,red", "tagMode": "all"}, "ab"),
        ({"tagStartsWith": "re"}, "ab"),
        ({"tagStartsWith": "re,bl"}, "abc"),
        ({"tagStartsWith": "re,bl", "tagMode": "all"}, "b"),
        ({"tagStartsWith": "%"}, "d"),
        ({"tagStartsWith": "*"}, ""),
        ({"tags": "red", "tagStartsWith": "bl"}, "b"),
        ({"tags": "é"}, "c"),
        ({"externalId": "one"}, "a"),
        ({"externalId": "On"}, ""),
        ({"externalId": "one", "tags": "blue"}, ""),
        ({"externalId": "one", "tags": "red"}, "a"),
    ],
)
def test_list_has_what_the_filter_says(
    client: httpx.Client, make: Any, path: str, query: dict[str, str], expected: str
) -> None:
    made = {
        make(tags=["red"], externalId="one"): "a",
        make(tags=["blue", "red"]): "b",
        make(tags=["blue", "é"]): "c",
        make(tags=["%"]): "d",
    }
    found = [made[each] for each in list_of(client, path, **query) if each in made]
    assert "".join(sorted(found)) == expected


@pytest.mark.parametrize(
    ("value", "sent", "other"),
    [
        ("ml", "ml", "Ml"),
        (1.5, "1.5", "1.50"),
        (7, "7", "7.0"),
        (True, "true", "True"),
        (None, "null", "none"),
        ("true", "true", "'true'"),
        ("é 日本 😀", "é 日本 😀", "é"),
        ("a,b & c=d%", "a,b & c=d%", "a"),
        ("x" * 255, "x" * 255, "x" * 254),
    ],
)
@pytest.mark.parametrize("at", PATHS)
def test_metadata_is_found_by_exactly_what_is_at_the_path(
    client: httpx.Client, make: Any, path: str, at: str, value: Any, sent: str, other: str
) -> None:
    metadata = value
    for name in reversed(at.split(".")):
        metadata = {"else": [1], name: metadata}
    made = make(metadata=metadata)
    make(metadata=dict.fromkeys(("a", "b"), "elsewhere"))
    assert list_of(client, path, **{f"metadata.{at}": sent}) == [made]
    assert list_of(client, path, **{f"metadata.{at}": other}) == []


@pytest.mark.parametrize("value", [{"a": 1}, [1], [], {}, "", "x" * 256])
def test_what_is_no_short_scalar_is_not_found(client: httpx.Client, make: Any, path: str, value: Any) -> None:
    make(metadata={"team": value})
    for sent in (json.dumps(value)[:255], "x" * 255, "null", '""'):
        assert list_of(client, path, **{"metadata.team": sent}) == []


@pytest.mark.parametrize("text", ['"\\u0000"', '"\\ud83d"', '"a\\u0000b"', '"\\udc00\\ud83d"'])
def test_metadata_with_escapes_that_stand_for_no_character_is_kept(
    client: httpx.Client, path: str, make: Any, text: str
) -> None:
    item = make()
    body = b'{"metadata":{"team":' + text.encode() + b',"n":1}}'
    for _ in range(2):
        changed = client.patch(f"{path}/{item}", content=body, headers={"Content-Type": "application/json"})
        assert ok(changed)["metadata"] is not None
        assert text.encode() in changed.content
    for part in ("a", "b", "1"):
        assert list_of(client, path, **{"metadata.team": part}) == []
    ok(client.patch(f"{path}/{item}", json={"metadata": {"team": "ml"}}))
    assert list_of(client, path, **{"metadata.team": "ml"}) == [item]


def test_what_reads_like_an_escape_is_found(client: httpx.Client, make: Any, path: str) -> None:
    made = make(metadata={"team": r"a\u0000b"})
    assert list_of(client, path, **{"metadata.team": r"a\u0000b"}) == [made]
    assert list_of(client, path, **{"metadata.team": "a"}) == []


def test_several_paths_are_joined_by_and(client: httpx.Client, make: Any, path: str) -> None:
    both = make(metadata={"team": "ml", "customer": {"region": "eu"}})
    make(metadata={"team": "ml"})
    make(metadata={"customer": {"region": "eu"}})
    assert list_of(client, path, **{"metadata.team": "ml", "metadata.customer.region": "eu"}) == [both]


def test_what_is_found_follows_each_change(client: httpx.Client, make: Any, path: str) -> None:
    item = make(metadata={"team": "ml"}, tags=["red"])
    ok(client.patch(f"{path}/{item}", json={"metadata": {"team": "web"}, "tags": ["blue"]}))
    assert list_of(client, path, **{"metadata.team": "ml"}) == list_of(client, path, tags="red") == []
    assert list_of(client, path, **{"metadata.team": "web"}) == list_of(client, path, tags="blue") == [item]


def test_deleted_run_is_no_longer_found_nor_are_its_tasks(client: httpx.Client) -> None:
    labels: Json = {"tags": ["red"], "metadata": {"team": "ml"}, "externalId": "one"}
    run = make_run(client, **labels)
    make_task(client, run, **labels)
    ok(client.delete(f"/runs/{run['id']}"))
    for path in ("/runs", "/tasks"):
        for query in ({"tags": "red"}, {"metadata.team": "ml"}, {"externalId": "one"}):
            assert ok(client.get(path, params=query)) == {"items": [], "total": 0, "limit": 20, "offset": 0}


def test_other_organisation_finds_nothing(client: httpx.Client, rival: httpx.Client) -> None:
    run = make_run(client, tags=["red"], metadata={"team": "ml"}, externalId="one")
    make_task(client, run, tags=["red"], metadata={"team": "ml"}, externalId="one")
    for path in ("/runs", "/tasks"):
        for query in ({"tags": "red"}, {"metadata.team": "ml"}, {"externalId": "one"}, {"tagStartsWith": "r"}):
            assert list_of(rival, path, **query) == []
    assert list_of(rival, "/tasks", runId=run["id"], tags="red") == []


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["budget", "customer", "", "team.", ".", "team.x", "TEAM", "'", "0", "x" * 300, "a\x00"])
def test_path_that_is_not_declared_is_refused_with_the_setting_that_declares_it(
    client: httpx.Client, path: str, at: str
) -> None:
    body = assert_error(client.get(path, params={f"metadata.{at}": "ml"}), 400, f"metadata.{at}"[:100])
    assert "FOREMAN_METADATA_PATHS" in body["details"][0]["message"]


# An empty value, such as of a variable that is not set, must not find everything.
@pytest.mark.parametrize("name", ["metadata.team", "externalId"])
@pytest.mark.parametrize("value", ["", "x" * 256, "a\x00b"])
def test_value_that_nothing_can_have_is_refused(client: httpx.Client, path: str, name: str, value: str) -> None:
    assert_error(client.get(path, params={name: value}), 400, name)


def test_filter_by_metadata_is_given_once(client: httpx.Client, path: str) -> None:
    assert_error(client.get(f"{path}?metadata.team=a&metadata.team=b"), 400, "metadata.team")
    many = {f"metadata.a{number}": "x" for number in range(1000)}
    assert client.get(path, params=many).status_code == 400


def test_unknown_parameters_are_still_refused_and_the_known_ones_listed(client: httpx.Client, path: str) -> None:
    body = assert_error(
        client.get(path, params={"metadata": "ml", "metadat.team": "ml"}), 400, "metadata", "metadat.team"
    )
    assert "metadata.PATH" in body["details"][0]["message"]


def test_declared_paths_are_parameters_in_the_openapi_document(served: Running, path: str) -> None:
    with served.anonymous() as nobody:
        operation = ok(nobody.get("/openapi.json"))["paths"][f"/api/v1{path}"]["get"]
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert [name for name in names if name.startswith("metadata")] == [f"metadata.{each}" for each in PATHS]


# All together ---------------------------------------------------------------------------------------------------------


def at(item: Json, path: str) -> str | None:
    value: Any = item["metadata"]
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value if value is None or isinstance(value, str) else json.dumps(value)


def matches(item: Json, query: dict[str, str]) -> bool:
    own, mode = item.get("tags", []), all if query.get("tagMode") == "all" else any
    tags, prefixes = (query[name].split(",") if name in query else None for name in ("tags", "tagStartsWith"))
    return (
        (tags is None or mode(tag in own for tag in tags))
        and (prefixes is None or mode(any(tag.startswith(prefix) for tag in own) for prefix in prefixes))
        and all(
            at(item, name.removeprefix("metadata.")) == query[name] for name in query if name.startswith("metadata.")
        )
        and query.get("externalId") in (None, item.get("externalId"))
        and ("status" not in query or item["status"] in query["status"].split(","))
        and ("ids" not in query or item["id"] in query["ids"].split(","))
        and query.get("createdAfter", "") <= item["createdAt"]
        and query.get("runId") in (None, item.get("runId"))
        and query.get("type") in (None, item.get("type"))
        and ("parentTaskId" not in query or item["parentTaskId"] == (query["parentTaskId"].replace("none", "") or None))
    )


def labels(chance: Random, number: int) -> Json:
    metadata: Json = {}
    if chance.random() < 0.7:
        metadata["team"] = chance.choice(["ml", "web"])
    if chance.random() < 0.7:
        metadata["customer"] = {"region": chance.choice(["eu", "us"])}
    if chance.random() < 0.5:
        metadata["n"] = chance.choice([1, True])
    return {
        "tags": chance.sample(TAGS, chance.randrange(4)),
        "metadata": metadata,
        **({"externalId": f"name-{number}"} if chance.random() < 0.3 else {}),
    }


def random_query(chance: Random, items: list[Json]) -> dict[str, str]:
    item = chance.choice(items)
    region = (item["metadata"].get("customer") or {}).get("region", "eu")
    possible = [
        {"tags": ",".join(chance.sample(TAGS, chance.randint(1, 3)))},
        {"tagStartsWith": ",".join(chance.sample(["re", "r", "b", "é", "x", "%"], chance.randint(1, 2)))},
        {"tagMode": "all"},
        {"metadata.team": chance.choice(["ml", "web"])},
        {"metadata.customer.region": region},
        {"metadata.n": chance.choice(["1", "true"])},
        {"externalId": item.get("externalId", "name-0")},
        {"status": chance.choice(["pending", "running,failed", "completed"])},
        {"ids": ",".join(each["id"] for each in chance.sample(items, 5))},
        {"createdAfter": item["createdAt"]},
    ]
    if "runId" in item:
        parent = chance.choice([each["parentTaskId"] for each in items])
        possible += [{"runId": item["runId"]}, {"type": item["type"]}, {"parentTaskId": parent or "none"}]
    few = [part for part in possible if chance.random() < 0.22]
    return {name: value for part in few or [possible[chance.randrange(6)]] for name, value in part.items()}


def pages(client: httpx.Client, path: str, query: dict[str, str]) -> Iterator[Json]:
    """All pages, each from where the one before ends."""
    cursor: str | None = ""
    while cursor is not None:
        page = ok(client.get(path, params={**query, "limit": "3", "cursor": cursor, "count": "false"}))
        yield from page["items"]
        cursor = page["nextCursor"]


def test_lists_by_label_agree_with_the_model(client: httpx.Client, path: str) -> None:
    chance = Random(11)
    runs = [make_run(client, **labels(chance, number)) for number in range(30 if path == "/runs" else 3)]
    items = runs
    if path == "/tasks":
        items = []
        for number in range(40):
            run = chance.choice(runs)
            parents = [task["id"] for task in items[:4] if task["runId"] == run["id"]]
            of = {"parentTaskId": chance.choice(parents)} if parents and chance.random() < 0.4 else {}
            items.append(make_task(client, run, type=chance.choice("ab"), **of, **labels(chance, number)))
    for number, item in enumerate(items):
        if chance.random() < 0.6:
            change = {"status": chance.choice(["running", "completed", "failed"])}
            items[number] = ok(client.patch(f"{path}/{item['id']}", json=change))
    found = 0
    for _ in range(150):
        query = random_query(chance, items)
        sort_by, sort_order = chance.choice(LIST_SORTS), chance.choice(SORT_ORDERS)
        asked = {**query, "sortBy": sort_by, "sortOrder": sort_order}
        expected = in_order([item for item in items if matches(item, query)], sort_by, sort_order)
        answer = ok(client.get(path, params={**asked, "limit": "100"}))
        assert answer["items"] == expected, asked
        assert answer["total"] == len(expected), asked
        page = ok(client.get(path, params={**asked, "limit": "2", "offset": "1"}))
        assert (page["items"], page["total"]) == (expected[1:3], len(expected)), asked
        assert list(pages(client, path, asked)) == expected, asked
        found += len(expected) > 3
    assert found > 20
