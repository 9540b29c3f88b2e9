"""The wall between organisations, tried on every route there is: new routes are covered on arrival."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from foreman.http.contract import BASE_PATH
from tests.promises.routes import ROUTES
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok, put_data
from tests.support.running import Running
from tests.support.waiting import until

Ids = dict[str, str]

UNKNOWN: Ids = dict.fromkeys(["run_id", "task_id", "data_id", "key_id", "act_id"], UNKNOWN_ID)

# What a request must say besides its path, for those routes that need something to succeed.
EXAMPLES: dict[tuple[str, str], Callable[[Ids], dict[str, Any]]] = {
    ("POST", "/runs"): lambda _: {"json": {"inputData": 1}},
    ("PATCH", "/runs/<run_id>"): lambda _: {"json": {"status": "failed", "outputData": "taken over"}},
    ("POST", "/tasks"): lambda ids: {
        "json": {"runId": ids["run_id"], "parentTaskId": ids["task_id"], "type": "x", "inputData": 1}
    },
    ("PATCH", "/tasks/<task_id>"): lambda _: {"json": {"status": "failed", "outputData": "taken over"}},
    ("POST", "/runs/<run_id>/data"): lambda ids: {"json": {"taskId": ids["task_id"], "key": "k", "value": 1}},
    ("PATCH", "/runs/<run_id>/data/<data_id>/tags"): lambda _: {"json": {"add": ["taken"], "remove": ["secret"]}},
    ("PATCH", "/runs/<run_id>/tags"): lambda _: {"json": {"add": ["taken"]}},
    ("PATCH", "/tasks/<task_id>/tags"): lambda _: {"json": {"add": ["taken"]}},
    ("POST", "/runs/<run_id>/tasks/batch"): lambda _: {"json": {"items": [{"type": "x", "inputData": 1}]}},
    ("POST", "/runs/<run_id>/data/batch"): lambda ids: {
        "json": {"items": [{"taskId": ids["task_id"], "key": "k", "value": 1}]}
    },
    ("PATCH", "/tasks/batch"): lambda ids: {"json": {"items": [{"id": ids["task_id"], "outputData": "taken over"}]}},
    ("DELETE", "/runs/<run_id>/data"): lambda ids: {"params": {"id": ids["data_id"]}},
    ("POST", "/keys"): lambda _: {"json": {"scopes": ["read"]}},
    ("POST", "/keys/<key_id>/rotate"): lambda _: {"json": {"expiresIn": 0}},
    **{
        ("POST", f"/{what}/{act}"): lambda _: {"params": {"status": "failed", "expect": 0}}
        for what in ("runs", "tasks")
        for act in ("cancel", "retry")
    },
}


GUARDED = [(method, rule.removeprefix(BASE_PATH)) for method, rule, public in ROUTES if not public]
every_route = pytest.mark.parametrize(("method", "rule"), GUARDED, ids=[" ".join(route) for route in GUARDED])


def send(client: httpx.Client, method: str, rule: str, ids: Ids) -> httpx.Response:
    """A request of this route about these things."""
    path, more = filled(method, rule, ids)
    return client.request(method, path, **more)


def filled(method: str, rule: str, ids: Ids) -> tuple[str, dict[str, Any]]:
    path = re.sub(r"<(\w+)>", lambda name: ids[name[1]], rule)
    example = EXAMPLES.get((method, rule))
    return path, example(ids) if example else {}


def names_something(method: str, rule: str) -> bool:
    """Whether requests of this route are about things that have ids."""
    return filled(method, rule, UNKNOWN) != filled(method, rule, dict.fromkeys(UNKNOWN, "another"))


@pytest.fixture
def client(served: Running) -> Iterator[httpx.Client]:
    """The organisation acme, with a key that may do everything."""
    with served.client("acme", admin=True) as client:
        yield client


@pytest.fixture
def rival(served: Running) -> Iterator[httpx.Client]:
    """Another organisation, with such a key."""
    with served.client("rival", admin=True) as client:
        yield client


@pytest.fixture
def acmes(client: httpx.Client) -> Ids:
    """What acme has."""
    return things_of(client)


def things_of(client: httpx.Client) -> Ids:
    """One of everything."""
    run = make_run(client, "secret input", metadata={"secret": True})
    task = make_task(client, run, type="secret-type")
    act = ok(client.post("/tasks/cancel", params={"type": "secret", "expect": 0}), 202)
    until(lambda: ok(client.get(f"/acts/{act['id']}"))["completedAt"])  # then nothing changes it any more
    return {
        "run_id": run["id"],
        "task_id": task["id"],
        "data_id": put_data(client, task, "secret-key", "secret value", tags=["secret"])["id"],
        "key_id": ok(client.post("/keys", json={"name": "secret", "scopes": ["read"]}), 201)["id"],
        "act_id": act["id"],
    }


def everything_of(client: httpx.Client, ids: Ids) -> list[Json]:
    run_data = f"/runs/{ids['run_id']}/data?includeAll=true"
    return [ok(client.get(path)) for path in ("/runs", "/tasks", run_data, f"/runs/{ids['run_id']}", "/keys")]


def test_public_routes_are_exactly_health_readiness_and_documentation() -> None:
    assert {rule for _, rule, public in ROUTES if public} == {
        "/health",
        "/api/v1/health",
        "/ready",
        "/api/v1/ready",
        "/api/v1/openapi.json",
        "/",
        "/docs",
        "/docs/errors",
        "/docs/<path:asset>",
    }


@every_route
def test_request_without_a_key_is_refused(
    served: Running, client: httpx.Client, acmes: Ids, method: str, rule: str
) -> None:
    before = everything_of(client, acmes)
    with served.anonymous() as nobody:
        for ids in (acmes, UNKNOWN):
            response = send(nobody, method, rule, ids)
            assert response.headers["WWW-Authenticate"] == "Bearer"
            if method == "HEAD":
                assert (response.status_code, response.content) == (401, b"")
            else:
                assert_error(response, 401)
    assert everything_of(client, acmes) == before


@every_route
def test_what_another_organisation_has_is_as_if_it_did_not_exist(
    client: httpx.Client, rival: httpx.Client, acmes: Ids, method: str, rule: str
) -> None:
    before = everything_of(client, acmes)
    response, about_nothing = send(rival, method, rule, acmes), send(rival, method, rule, UNKNOWN)
    if names_something(method, rule):
        assert response.status_code == about_nothing.status_code == 404
        assert response.content == about_nothing.content
        assert set(response.headers) == set(about_nothing.headers)
        if method != "HEAD":
            assert_error(response, 404, *(["items.0.id"] if rule == "/tasks/batch" else []))
    else:
        assert response.is_success
        assert "secret" not in response.text
        assert not any(known in response.text for known in acmes.values())
    assert everything_of(client, acmes) == before
    # The same request is a good one when acme itself sends it: it was refused for no other reason.
    assert send(client, method, rule, acmes).is_success


def test_lists_of_another_organisation_are_empty(rival: httpx.Client, acmes: Ids) -> None:
    nothing = {"items": [], "total": 0, "limit": 20, "offset": 0}
    for path in (
        "/runs",
        "/runs?status=pending",
        "/runs?sortBy=updated_at&sortOrder=asc",
        "/tasks",
        "/tasks?status=pending,running",
        "/tasks?type=secret-type",
        f"/tasks?runId={acmes['run_id']}",
        f"/tasks?parentTaskId={acmes['task_id']}",
        f"/tasks?runId={acmes['run_id']}&status=pending&type=secret-type",
    ):
        assert ok(rival.get(path)) == nothing, path


def test_own_rows_cannot_be_tied_to_those_of_another_organisation(
    client: httpx.Client, rival: httpx.Client, acmes: Ids
) -> None:
    before = everything_of(client, acmes)
    run = make_run(rival)
    task = make_task(rival, run)
    step = {"type": "x", "inputData": 1}
    entry = {"key": "k", "value": 1}
    for path, body in (
        ("/tasks", {"runId": acmes["run_id"], **step}),
        ("/tasks", {"runId": run["id"], "parentTaskId": acmes["task_id"], **step}),
        ("/tasks", {"runId": acmes["run_id"], "parentTaskId": task["id"], **step}),
        (f"/runs/{run['id']}/data", {"taskId": acmes["task_id"], **entry}),
        (f"/runs/{acmes['run_id']}/data", {"taskId": task["id"], **entry}),
        (f"/runs/{acmes['run_id']}/tasks/batch", {"items": [step]}),
        (f"/runs/{acmes['run_id']}/data/batch", {"items": [{"taskId": acmes["task_id"], **entry}]}),
    ):
        assert_error(rival.post(path, json=body), 404)
    for path, item, field in (
        (f"/runs/{run['id']}/tasks/batch", {"parentTaskId": acmes["task_id"], **step}, "parentTaskId"),
        (f"/runs/{run['id']}/data/batch", {"taskId": acmes["task_id"], **entry}, "taskId"),
    ):
        assert_error(rival.post(path, json={"items": [item]}), 404, f"items.0.{field}")
    own = put_data(rival, task, "k")
    assert_error(rival.get(f"/runs/{run['id']}/data/{acmes['data_id']}"), 404)
    assert_error(rival.patch(f"/runs/{run['id']}/data/{acmes['data_id']}/tags", json={"add": ["x"]}), 404)
    assert_error(rival.patch(f"/runs/{acmes['run_id']}/data/{own['id']}/tags", json={"add": ["x"]}), 404)
    assert_error(rival.delete(f"/runs/{run['id']}/data", params={"id": acmes["data_id"]}), 404)
    assert_error(rival.delete(f"/runs/{run['id']}/data", params={"key": "secret-key"}), 404)
    assert everything_of(client, acmes) == before
    assert ok(rival.get(f"/runs/{run['id']}"))["totalTasks"] == 1


def test_organisations_count_and_query_apart(client: httpx.Client, rival: httpx.Client) -> None:
    for owner, runs in ((client, 2), (rival, 3)):
        for _ in range(runs):
            task = make_task(owner, make_run(owner), type="same")
            put_data(owner, task, "same", tags=["same"])
    for owner, name, runs in ((client, "acme", 2), (rival, "rival", 3)):
        for path in ("/runs", "/tasks?type=same"):
            listed = ok(owner.get(path))
            assert (listed["total"], [item["orgId"] for item in listed["items"]]) == (runs, [name] * runs)


def test_all_keys_of_an_organisation_see_the_same(served: Running, client: httpx.Client, acmes: Ids) -> None:
    with served.client("acme", admin=True) as colleague:
        assert everything_of(colleague, acmes) == everything_of(client, acmes)


@pytest.mark.parametrize("org_id", ["acm", "acme-2", "acme2", "a"])
def test_organisation_of_a_similar_name_is_another_one(served: Running, acmes: Ids, org_id: str) -> None:
    with served.client(org_id) as neighbour:
        assert ok(neighbour.get("/runs"))["total"] == 0
        assert_error(neighbour.get(f"/runs/{acmes['run_id']}"), 404)


def test_organisation_cannot_be_chosen_by_the_request(rival: httpx.Client, acmes: Ids) -> None:
    for name in ("orgId", "org_id"):
        other = {name: "acme"}
        assert_error(rival.get("/tasks", params=other), 400, name)
        assert_error(rival.get(f"/runs/{acmes['run_id']}", params=other), 400, name)
        assert_error(rival.get(f"/runs/{acmes['run_id']}", headers={"X-Org-Id": "acme"}), 404)
        assert_error(rival.post("/runs", params=other, json={"inputData": 1}), 400, name)
        run = ok(rival.post("/runs", json={"inputData": 1, **other}), 201)
        assert run["orgId"] == "rival"
