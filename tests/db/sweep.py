"""Requests of all kinds, and every statement that the application runs for them.

They are sent to a database with many rows that do not match any of them.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from foreman.api.run_data_query import DATA_SORTS
from foreman.auth import keys
from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from foreman.maintenance.prune import count, old, prune
from foreman.monitoring import stats
from tests.support.api import UNKNOWN_ID, make_run, make_task, ok, put_data
from tests.support.engines import ON_POSTGRES, transaction_class
from tests.support.proof import much
from tests.support.running import Running
from tests.support.source import name_of

# Rows of each kind that match no filter. Looking at all of them takes several steps of SQLite's machine each.
OTHERS = 4000

# How finely steps are counted.
STEPS_AT_ONCE = 10

# They run the statements of others.
WHERE_STATEMENTS_PASS = (
    "db/__init__.py",
    "db/postgres/database.py",
    "db/postgres/session.py",
    "db/sqlite.py",
    "db/transactions.py",
    "http/paging.py",
)


@dataclass
class Statement:
    """A statement as the application ran it first: in which file, for which request."""

    sql: str
    values: dict[str, Any]
    file: str
    request: str
    plan: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.file}, {self.request}"


@dataclass
class Sweep:
    """What was seen while all kinds of requests were sent: the statements, the lines that ran them, their steps."""

    statements: dict[str, Statement] = field(default_factory=dict)
    lines: set[tuple[str, int]] = field(default_factory=set)
    steps: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    request: str = ""
    counted: int = 0

    def count(self) -> None:
        self.counted += STEPS_AT_ONCE

    def record(self, sql: str, values: dict[str, Any]) -> None:
        frame = sys._getframe(2)
        while frame.f_back and name_of(frame.f_code.co_filename) in WHERE_STATEMENTS_PASS:
            frame = frame.f_back
        file = name_of(frame.f_code.co_filename)
        self.lines.add((file, frame.f_lineno))
        self.statements.setdefault(sql, Statement(sql, values, file, self.request))

    def send(
        self, client: httpx.Client, method: str, url: str, /, *, expected: tuple[int, ...] = (200, 201), **body: Any
    ) -> None:
        """Send a request, which must be answered with this status, and note its steps. `names` stand for ids there."""
        self.request = f"{method} {url}"
        for each, name in self.names.items():
            self.request = self.request.replace(each, name)
        self.counted = 0
        response = client.request(method, url, json=body or None)
        assert response.status_code in expected, response.text
        self.steps[self.request] = self.counted


def record_statements(sweep: Sweep, patched: pytest.MonkeyPatch) -> None:
    """Let every statement from now on be recorded."""
    recorded = transaction_class()
    for name in ("one", "all", "each", "value", "run", "locked", "held"):
        patched.setattr(recorded, name, _recording(sweep, getattr(recorded, name)))


def _recording(sweep: Sweep, method: Callable[..., Any]) -> Callable[..., Any]:
    def record(self: object, sql: str, /, **values: Any) -> Any:
        sweep.record(sql, values)
        return method(self, sql, **values)

    return record


# What there is, and what is asked -----------------------------------------------------------------------------------

STATUSES = ("pending", "running", "completed")


def fill(served: Running) -> None:
    """Rows that nothing below asks for: runs, tasks of one run, and its data."""
    with served.database.write() as tx:
        for number in range(OTHERS):
            status = STATUSES[number % 3]
            times = {
                "now": number,
                "started": None if status == "pending" else number,
                "completed": number if status == "completed" else None,
            }
            tx.run(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at, started_at, completed_at)
                VALUES ('acme', :id, :status, '1', :now, :now, :started, :completed)
                """,
                id=f"run-{number}", status=status, **times,
            )  # fmt: skip
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries, parent_task_id,
                                  created_at, updated_at, started_at, completed_at)
                SELECT 'acme', :id, seq, id, 'common', :status, '1', 3, :parent, :now, :now, :started, :completed
                FROM run WHERE org_id = 'acme' AND id = 'run-0'
                """,
                id=f"task-{number}", status=status, parent="task-0" if number else None, **times,
            )  # fmt: skip


def fill_run(served: Running, run_id: str, task_id: str) -> None:
    """Entries of the run that all the queries below are about, which match none of their filters."""
    with served.database.write() as tx:
        for number, (key, tags) in product(range(OTHERS), ((None, '["common"]'), ("often", "[]"))):
            tx.run(
                """
                INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
                SELECT 'acme', :id, seq, id, :task_id, :key, '1', :tags, :now, :now
                FROM run WHERE org_id = 'acme' AND id = :run_id
                """,
                id=f"{key or 'entry'}-{number}", key=key or f"common-{number}", tags=tags,
                run_id=run_id, task_id=task_id, now=number,
            )  # fmt: skip


def queries(*each: list[dict[str, str]], most: int = 99) -> Iterator[str]:
    """Query strings that take one choice from each list, and at most so many that are not absent."""
    for chosen in product(*each):
        if sum(map(bool, chosen)) > most:
            continue
        yield urlencode({name: value for part in chosen for name, value in part.items()})


# Queries of which one filter selects all the other entries and another one few.
NARROWED = [
    f"{query}&includeAll={include_all}"
    for query in (
        "key=rare&tags=common",
        "keys=rare,rarer&tags=common",
        "keyStartsWith=ra&tags=common,also",
        "keyPattern=r*e&tags=common,also&tagMode=all",
        "tags=common,rare&tagMode=all",
    )
    for include_all in ("false", "true")
]


# The same of a parent's few children.
NARROWED_CHILDREN = [
    f"{query}&sortBy={sort_by}"
    for query in ("type=common", "type=common&status=pending", "status=pending,completed")
    for sort_by in ("created_at", "started_at")
]


def choices(name: str, *values: str) -> list[dict[str, str]]:
    return [{name: value} for value in values]


def send_all_kinds_of_requests(sweep: Sweep, served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    parent = make_task(client, run, type="rare")
    task = make_task(client, run, type="rare", parentTaskId=parent["id"])
    data = f"/runs/{run['id']}/data"
    sweep.names |= {run["id"]: "RUN", parent["id"]: "PARENT", task["id"]: "TASK"}
    fill_run(served, run["id"], task["id"])
    entry, *_ = [put_data(client, task, key, tags=["rare", "also"]) for key in ("rare", "rarer", "rare")]
    newest = put_data(client, task, "often")
    sweep.names |= {entry["id"]: "ENTRY", newest["id"]: "NEWEST-OF-MANY"}
    absent: list[dict[str, str]] = [{}]

    sweep.send(client, "GET", "/health")
    sweep.send(client, "POST", "/runs", inputData=1)
    sweep.send(client, "GET", f"/runs/{run['id']}")
    sweep.send(client, "PATCH", f"/runs/{run['id']}", status="failed")
    sweep.send(client, "POST", "/tasks", runId=run["id"], type="rare", inputData=1, parentTaskId=parent["id"])
    sweep.send(client, "GET", f"/tasks/{task['id']}")
    sweep.send(client, "PATCH", f"/tasks/{task['id']}", status="queued")
    sweep.send(client, "PATCH", f"/tasks/{task['id']}", status="queued")  # which it is already
    sweep.send(client, "PATCH", f"/tasks/{parent['id']}", status="failed")
    sweep.send(client, "POST", data, taskId=task["id"], key="rare", value=1, tags=["rare", "also"])
    sweep.send(client, "GET", f"{data}/{entry['id']}")
    sweep.send(client, "PATCH", f"{data}/{entry['id']}/tags", add=["new"], remove=["also"])
    sweep.send(client, "PATCH", f"{data}/{entry['id']}/tags", add=["new"], remove=["also"])  # which changes nothing

    for run_id, task_id in ((run["id"], UNKNOWN_ID), (UNKNOWN_ID, task["id"])):
        of_task = {"runId": run_id, "type": "rare", "inputData": 1, "parentTaskId": task_id}
        sweep.send(client, "POST", "/tasks", expected=(404,), **of_task)
        sweep.send(client, "POST", f"/runs/{run_id}/data", expected=(404,), taskId=task_id, key="rare", value=1)

    orders = choices("sortOrder", *SORT_ORDERS)
    lists = [choices("sortBy", *LIST_SORTS), orders]
    for query in queries([*absent, *choices("status", "failed")], *lists):
        sweep.send(client, "GET", f"/runs?{query}")
    for query in queries(
        [*absent, *choices("runId", run["id"])],
        [*absent, *choices("parentTaskId", parent["id"])],
        [*absent, *choices("type", "rare")],
        [*absent, *choices("status", "queued,failed")],
        *lists,
    ):
        sweep.send(client, "GET", f"/tasks?{query}")
    for query in queries(
        [*absent, *choices("key", "rare")],
        [*absent, *choices("keys", "rarer", "rare,rarer")],
        [*absent, *choices("keyStartsWith", "ra")],
        [*absent, *choices("keyPattern", "r*e")],
        [*absent, *choices("tags", "rare", "rare,also")],
        [*absent, *choices("tagStartsWith", "ra,al")],
        choices("tagMode", "any", "all"),
        choices("includeAll", "false", "true"),
        choices("sortBy", *DATA_SORTS),
        orders,
        choices("limit", "20"),
        most=much(11, 7),  # in short form at most two of the filters together
    ):
        sweep.send(client, "GET", f"{data}?{query}")

    for query in NARROWED:
        sweep.send(client, "GET", f"{data}?{query}")
    make_task(client, run, type="common", parentTaskId=parent["id"])
    for query in NARROWED_CHILDREN:
        sweep.send(client, "GET", f"/tasks?parentTaskId={parent['id']}&{query}")
        sweep.send(client, "GET", f"/tasks?runId={run['id']}&parentTaskId={parent['id']}&{query}")

    sweep.send(client, "DELETE", f"{data}?id={entry['id']}")
    sweep.send(client, "DELETE", f"{data}?id={newest['id']}")
    sweep.send(client, "DELETE", f"{data}?key=rare")
    sweep.send(client, "DELETE", f"/runs/{small_run(sweep, client)}")

    sweep.request = "commands"
    keys.take_back(served.database, keys.issue(served.database, "acme", "test"))
    keys.issue(served.database, "acme", "test")
    keys.revoke(served.database, keys.every(served.database)[-1]["id"] or "")
    keys.exist(served.database)
    if not ON_POSTGRES:
        stats.of_database(str(served.file))

    sweep.request = "prune"
    ok(client.patch(f"/runs/{small_run(sweep, client)}", json={"status": "cancelled"}))
    cancelled = old(-1000, ["cancelled"], "acme")
    with served.database.read() as tx:
        count(tx, cancelled)
    prune(served.database, cancelled, threading.Event())


def small_run(sweep: Sweep, client: httpx.Client) -> str:
    """The id of a run with something of everything in it."""
    run = make_run(client)
    task = make_task(client, run, type="rare")
    put_data(client, make_task(client, run, type="rare", parentTaskId=task["id"]), "rare", tags=["rare"])
    sweep.names[run["id"]] = "SMALL-RUN"
    return str(run["id"])
