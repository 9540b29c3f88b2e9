"""Requests that most tests send, what their answers must be, and the names that they have in common."""

import re
from typing import Any

import httpx

from foreman.http.protocol.problems import CODES

Json = dict[str, Any]

# Loading certificates takes longer than most tests, and nothing here is encrypted.
PLAIN: Any = {"timeout": 30, "verify": False}

# A key of acme to servers that take every key at its word.
TRUSTED = {"Authorization": "Bearer fmn_test_acme_1"}

# Nobody has issued it.
GUESS = f"fmn_test_acme_{'a' * 32}"

METRICS_TOKEN = "a-token-of-Prometheus"

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
UNKNOWN_ID = "019315a4-7c3e-7b52-9d3f-1f0f6f3f2a10"


def make_run(client: httpx.Client, input_data: Any = None, **fields: Any) -> Json:
    """A new run."""
    return ok(client.post("/runs", json={"inputData": input_data, **fields}), 201)


def make_task(client: httpx.Client, run: Json, **fields: Any) -> Json:
    """A new task of a run."""
    return ok(client.post("/tasks", json={"runId": run["id"], "type": "step", "inputData": None, **fields}), 201)


def put_data(client: httpx.Client, task: Json, key: str, value: Any = None, **fields: Any) -> Json:
    """A new entry of the task's run."""
    body = {"taskId": task["id"], "key": key, "value": value, **fields}
    return ok(client.post(f"/runs/{task['runId']}/data", json=body), 201)


def change_task(client: httpx.Client, task: Json, **change: Any) -> Json:
    """The task after the change."""
    return ok(client.patch(f"/tasks/{task['id']}", json=change))


def ok(response: httpx.Response, status: int = 200) -> Json:
    """The body of an answer that must have this status."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body: Json = response.json()
    return body


def assert_error(response: httpx.Response, status: int, *fields: str) -> Json:
    """An error answer: the envelope, the status, and a detail for each of the fields."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"]
    body: Json = response.json()
    assert list(body) == ["error", "details", "code"]
    assert isinstance(body["error"], str)
    assert body["error"]
    assert body["code"] in CODES
    assert all(set(detail) == {"field", "message"} for detail in body["details"])
    assert [detail["field"] for detail in body["details"]] == list(fields)
    return body


def assert_lives(client: httpx.Client) -> None:
    """The server still reads and writes."""
    run = make_run(client)
    assert ok(client.get(f"/runs/{run['id']}")) == run
