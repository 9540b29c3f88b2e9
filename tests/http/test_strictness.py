"""Names that nobody knows: ignored where clients send them, refused where a misspelt one would change the question."""

from collections.abc import Iterator

import httpx
import pytest
from limits import parse

from foreman.http.contract import operation_of
from tests.support.api import Json, assert_error, ok
from tests.support.running import Running, Start

STRICT = {"Prefer": "handling=strict"}
CHANGES = {
    "/runs/{run_id}": ("status", "outputData", "errorData", "metadata", "externalId", "tags"),
    "/tasks/{task_id}": ("status", "outputData", "errorData", "metadata", "queueJobId", "externalId", "tags"),
    "/runs/{run_id}/tags": ("add", "remove"),
    "/tasks/{task_id}/tags": ("add", "remove"),
    "/runs/{run_id}/data/{data_id}/tags": ("add", "remove"),
}


@pytest.fixture
def bodies(ids: dict[str, str]) -> list[tuple[str, str, Json]]:
    """A good request for every endpoint that takes a body."""
    return [
        ("POST", "/runs", {"inputData": 1}),
        ("PATCH", f"/runs/{ids['run_id']}", {"outputData": 1}),
        ("POST", "/tasks", {"runId": ids["run_id"], "type": "t", "inputData": 1}),
        ("PATCH", f"/tasks/{ids['task_id']}", {"outputData": 1}),
        ("POST", f"/runs/{ids['run_id']}/data", {"taskId": ids["task_id"], "key": "k", "value": 1}),
        ("PATCH", f"/runs/{ids['run_id']}/data/{ids['data_id']}/tags", {"add": ["a"]}),
        ("POST", f"/runs/{ids['run_id']}/tasks/batch", {"items": [{"type": "t", "inputData": 1}]}),
        ("POST", f"/runs/{ids['run_id']}/data/batch", {"items": [{"taskId": ids["task_id"], "key": "k", "value": 1}]}),
        ("PATCH", "/tasks/batch", {"items": [{"id": ids["task_id"], "outputData": 2}]}),
    ]


@pytest.mark.parametrize("path", CHANGES)
def test_change_of_which_no_field_is_known_is_refused_and_names_those_that_are(
    client: httpx.Client, ids: dict[str, str], path: str
) -> None:
    url, known = path.format(**ids), ", ".join(CHANGES[path])
    thing = url.removesuffix("/tags")
    before = ok(client.get(thing))
    for body in ({"stauts": "completed"}, {"Status": 1, "ADD": 2}, {"completedAt": "2024-01-01"}, {"": 1}):
        refused = assert_error(client.patch(url, json=body), 400, *body)
        assert refused["error"] == "Validation failed"
        assert {each["message"] for each in refused["details"]} == {f"Unknown field; known are {known}."}
    assert ok(client.patch(url, json={})) == before == ok(client.get(thing))
    name = CHANGES[path][-1]
    value = {"metadata": {}, "queueJobId": "7", "tags": [], "remove": []}[name]
    ok(client.patch(url, json={name: value, "stauts": "completed", "priority": 1}))


def test_refused_change_says_little_of_many_and_long_names(client: httpx.Client, ids: dict[str, str]) -> None:
    body = {f"{number}{'x' * 1000}": number for number in range(1000)}
    refused = client.patch(f"/runs/{ids['run_id']}", json=body)
    assert_error(refused, 400, *[name[:100] for name in list(body)[:20]])
    assert len(refused.content) < 5000
    surrogates = client.patch(f"/runs/{ids['run_id']}", content=rb'{"\ud83d \\ \ud83d\ude00": 1}')
    assert_error(surrogates, 400, r"\ud83d \ \ud83d\ude00")


def test_new_things_may_have_fields_that_nobody_knows(
    bodies: list[tuple[str, str, Json]], client: httpx.Client
) -> None:
    for method, url, body in bodies:
        extra: Json = {"priority": 5, "delay": 0, "completedAt": None, "metadate": {}}
        answer = client.request(method, url, json={**body, **extra})
        assert answer.status_code == (201 if method == "POST" else 200)
        assert "Preference-Applied" not in answer.headers


@pytest.mark.parametrize(
    "prefer",
    [
        ["handling=strict"],
        ["Handling = Strict"],
        ['handling="strict"'],
        ["respond-async, wait=100, handling=strict"],
        ["respond-async", "handling=strict"],
        ["handling=strict; why=typos", "handling=lenient"],
        [",,handling=strict,"],
    ],
)
def test_strict_handling_refuses_every_unknown_field(
    bodies: list[tuple[str, str, Json]], client: httpx.Client, prefer: list[str]
) -> None:
    headers = [("Prefer", each) for each in prefer]
    for method, url, body in bodies:
        refused = client.request(method, url, json={**body, "priority": 5, "delay": 0}, headers=headers)
        assert_error(refused, 400, "priority", "delay")
        assert refused.headers["Preference-Applied"] == "handling=strict"
        accepted = client.request(method, url, json=body, headers=headers)
        assert accepted.status_code == (201 if method == "POST" else 200)
        assert accepted.headers["Preference-Applied"] == "handling=strict"


@pytest.mark.parametrize(
    "prefer",
    [
        "handling=lenient",
        "handling=lenient, handling=strict",
        "handling",
        "strict",
        "handling=stricter",
        "xhandling=strict",
        'other="handling=strict"',
        'other="a, handling=strict"',
        "other=1; handling=strict",
        "",
        "=",
        '"',
        "é",
    ],
)
def test_other_preferences_are_no_strict_handling(client: httpx.Client, prefer: str) -> None:
    answer = client.post("/runs", json={"inputData": 1, "priority": 5}, headers={b"Prefer": prefer.encode("latin-1")})
    assert answer.status_code == 201
    assert "Preference-Applied" not in answer.headers


def test_strict_handling_reports_all_that_is_wrong_at_once(client: httpx.Client, ids: dict[str, str]) -> None:
    assert_error(client.post("/runs", json={"inputDat": 1, "metadata": 1}, headers=STRICT), 400,
                 "inputDat", "inputData", "metadata")  # fmt: skip
    assert ok(client.patch(f"/runs/{ids['run_id']}", json={}, headers=STRICT))["id"] == ids["run_id"]
    unknown = client.patch("/runs/none", json={"status": "running"}, headers=STRICT)
    assert_error(unknown, 404)
    assert unknown.headers["Preference-Applied"] == "handling=strict"


def test_pages_of_allowed_origins_see_that_it_was_strict(start: Start) -> None:
    with start(cors_origins=("https://app.example",), rate_limit=parse("5/minute")).client() as client:
        answer = client.post("/runs", json={"inputData": 1}, headers={**STRICT, "Origin": "https://app.example"})
    assert "Preference-Applied" in answer.headers["Access-Control-Expose-Headers"]
    assert {name for name in answer.headers if name.startswith("x-ratelimit-")} <= {
        name.lower() for name in answer.headers["Access-Control-Expose-Headers"].split(", ")
    }


# Queries ------------------------------------------------------------------------------------------------------------


def endpoints(served: Running, ids: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """Method and path of every endpoint that needs a key, and whether it has parameters."""
    for rule in served.app.url_map.iter_rules():
        operation = operation_of(served.app.view_functions[rule.endpoint])
        if rule.rule.startswith("/api/v1/") and rule.endpoint.split(".")[0] not in ("health", "ready", "docs"):
            path = rule.rule.replace("<run_id>", ids["run_id"]).replace("<task_id>", ids["task_id"])
            path = path.replace("<data_id>", ids["data_id"]).removeprefix("/api/v1")
            for method in (rule.methods or set()) - {"OPTIONS"}:
                yield method, path, operation.query is not None


def test_unknown_parameters_are_refused_wherever_a_key_is_needed(
    served: Running, client: httpx.Client, ids: dict[str, str]
) -> None:
    asked = list(endpoints(served, ids))
    assert len(asked) > 15
    for method, path, has_parameters in asked:
        refused = client.request(method, f"{path}?keyStartWith=a&metadat.source=b")
        assert refused.status_code == 400, (method, path)
        if method != "HEAD":
            first, second, *_ = refused.json()["details"]
            assert (first["field"], second["field"]) == ("keyStartWith", "metadat.source")
            known = "known are " if has_parameters else "none is known here."
            assert first["message"].startswith(f"Unknown parameter; {known}"), (method, path)
    assert ok(client.get("/runs"))["total"] == 1


def test_query_says_which_parameters_are_known(client: httpx.Client, ids: dict[str, str]) -> None:
    refused = assert_error(client.get(f"/runs/{ids['run_id']}/data?keyStartWith=k"), 400, "keyStartWith")
    assert refused["details"][0]["message"] == (
        "Unknown parameter; known are key, keys, keyStartsWith, keyPattern, tags, tagStartsWith, tagMode, includeAll, "
        "limit, offset, sortBy, sortOrder, cursor, count, view."
    )
    assert_error(client.get("/tasks?Type=x&limit=0"), 400, "Type", "limit")
    assert_error(client.delete(f"/runs/{ids['run_id']}/data?kye=key"), 400, "kye", "key")
    assert_error(client.delete(f"/runs/{ids['run_id']}/data?key=key&dryRun=true"), 400, "dryRun")
    assert_error(client.get("/runs?unknown="), 400, "unknown")
    assert ok(client.get(f"/runs/{ids['run_id']}/data?&&key=key&"))["pagination"]["total"] == 1


def test_key_is_looked_at_before_the_query(served: Running) -> None:
    with served.anonymous() as nobody:
        assert_error(nobody.get("/runs?unknown=1"), 401)
        assert_error(nobody.get("/nothing?unknown=1"), 404)


@pytest.mark.parametrize(
    "path", ["/health", "/api/v1/health", "/ready", "/docs", "/docs/docs.js", "/api/v1/openapi.json"]
)
def test_what_needs_no_key_takes_any_parameters(served: Running, path: str) -> None:
    assert httpx.get(f"{served.url}{path}?cache=%FF&{path}=1").status_code == 200
