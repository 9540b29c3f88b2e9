"""What is sent to a server: prepared requests in turn, or whole workflows whose requests depend on answers."""

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

BASE = "/api/v1"

Workflow = Generator["Request", Any, None]

TASKS_OF_WORKFLOW = 5
REQUESTS_OF_WORKFLOW = 1 + 4 * TASKS_OF_WORKFLOW + 2


@dataclass(frozen=True)
class Request:
    """One HTTP request. An idempotency key makes it one that is carried out once."""

    method: str
    path: str
    body: bytes | None = None
    idempotency_key: str | None = None

    def headers(self, key: str) -> dict[str, str]:
        """The headers that an ordinary client sends."""
        headers = {"Authorization": f"Bearer {key}"}
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        return headers

    def raw(self, host: str, key: str) -> bytes:
        """The request as it goes over the wire."""
        headers = {"Host": host, **self.headers(key)}
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n".encode() + (self.body or b"")


@dataclass
class Script:
    """Requests that are sent in turn, from the beginning again after the last; each measurement goes on where the last
    one stopped, so that a write finds its row in the state that it changes.

    With `once`, no request may be sent twice, as a deletion may not.
    """

    requests: Sequence[Request]
    once: bool = False
    position: int = field(default=0)

    def lasts(self, seconds: float) -> bool:
        """Whether there are enough requests for a measurement of so many seconds."""
        return not self.once or len(self.requests) - self.position > MOST_PER_SECOND * seconds

    def upcoming(self, seconds: float) -> tuple[Sequence[Request], int]:
        """The requests for a measurement, and how many of them to skip."""
        if not self.once:
            return self.requests, self.position % len(self.requests)
        return self.requests[self.position : self.position + int(MOST_PER_SECOND * seconds) + 1], 0


# No server here answers more per second.
MOST_PER_SECOND = 8000


def get(path: str, **query: object) -> Request:
    """A GET below the API's base path."""
    return Request("GET", f"{BASE}{path}" + (f"?{urlencode(query)}" if query else ""))


def post(path: str, body: Any) -> Request:
    """A POST below the API's base path."""
    return Request("POST", f"{BASE}{path}", json.dumps(body).encode())


def patch(path: str, body: Any) -> Request:
    """A PATCH below the API's base path."""
    return Request("PATCH", f"{BASE}{path}", json.dumps(body).encode())


def delete(path: str, **query: object) -> Request:
    """A DELETE below the API's base path."""
    return Request("DELETE", f"{BASE}{path}?{urlencode(query)}")


def workflow() -> Workflow:
    """A run with five tasks and five entries, from start to end: 23 requests. It is sent each answer's JSON.

    `workflow.lua` is the same for wrk.
    """
    run = yield post("/runs", {"inputData": {"customer": 42}})
    for part in range(1, TASKS_OF_WORKFLOW + 1):
        task = yield post("/tasks", {"runId": run["id"], "type": "step", "inputData": {"part": part}})
        yield patch(f"/tasks/{task['id']}", {"status": "running"})
        yield patch(f"/tasks/{task['id']}", {"status": "completed", "outputData": {"part": part}})
        entry = {"taskId": task["id"], "key": f"result.{part}", "value": {"part": part}, "tags": ["result"]}
        yield post(f"/runs/{run['id']}/data", entry)
    found = yield get(f"/runs/{run['id']}/data", keyStartsWith="result.")
    assert len(found["data"]) == TASKS_OF_WORKFLOW, found
    run = yield patch(f"/runs/{run['id']}", {"status": "completed", "outputData": {"parts": 5}})
    assert run["completedTasks"] == TASKS_OF_WORKFLOW, run
