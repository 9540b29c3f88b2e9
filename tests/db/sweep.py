"""Requests of all kinds, and every statement that the application runs for them.

They are sent to a database with many rows that do not match any of them.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from foreman.api.run_data_query import DATA_SORTS
from foreman.auth import keys
from foreman.background import acts, last_uses
from foreman.background.idempotency import forget
from foreman.background.metadata_paths import declare
from foreman.clock import now_ms
from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from foreman.maintenance.prune import count, old, prune
from foreman.monitoring import stats
from tests.support.api import UNKNOWN_ID, make_run, make_task, ok, put_data
from tests.support.engines import ON_POSTGRES, transaction_class
from tests.support.proof import much
from tests.support.running import Running
from tests.support.source import name_of
from tests.support.waiting import until

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
    "http/paging/pages.py",
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
        self,
        client: httpx.Client,
        method: str,
        url: str,
        /,
        *,
        expected: tuple[int, ...] = (200, 201),
        if_match: Any = None,
        once: Any = None,
        **body: Any,
    ) -> None:
        """Send a request, which must be answered with this status, and note its steps. `names` stand for ids there."""
        self.request = f"{method} {url}" + (" if it matches" if if_match else " once" if once else "")
        for each, name in self.names.items():
            self.request = self.request.replace(each, name)
        self.counted = 0
        headers = {"If-Match": if_match, "Idempotency-Key": once}
        given = {name: value for name, value in headers.items() if value is not None}
        response = client.request(method, url, json=body or None, headers=given)
        assert response.status_code in expected, response.text
        self.steps[self.request] = self.counted


def record_statements(sweep: Sweep, patched: pytest.MonkeyPatch) -> None:
    """Let every statement from now on be recorded."""
    recorded = transaction_class()
    for name in ("one", "all", "each", "value", "run", "locked", "lock_rows", "held"):
        patched.setattr(recorded, name, _recording(sweep, getattr(recorded, name)))


def _recording(sweep: Sweep, method: Callable[..., Any]) -> Callable[..., Any]:
    def record(self: object, sql: str, /, **values: Any) -> Any:
        sweep.record(sql, values)
        return method(self, sql, **values)

    return record


# What there is, and what is asked -----------------------------------------------------------------------------------

STATUSES = ("pending", "running", "completed")

# The declared paths of metadata.
PATHS = ("team", "n")


def fill(served: Running) -> None:
    """Rows that nothing below asks for: runs, tasks of one run, and keys of another organisation."""
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
                INSERT INTO run (org_id, id, status, input_data, tags, metadata, external_id,
                                 created_at, updated_at, started_at, completed_at)
                VALUES ('acme', :id, :status, '1', '["common"]', '{"team":"common","n":1}', :id,
                        :now, :now, :started, :completed)
                """,
                id=f"run-{number}", status=status, **times,
            )  # fmt: skip
            tx.run(
                """
                INSERT INTO api_key (id, org_id, environment, read_only, hash_prefix, hash, created_at)
                VALUES (:id, 'rival', 'test', 0, :prefix, :prefix || :prefix || :prefix || :prefix, :now)
                """,
                id=f"key-{number}", prefix=f"{number:016}", now=number,
            )  # fmt: skip
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, tags, metadata, external_id,
                                  max_retries, parent_task_id, created_at, updated_at, started_at, completed_at)
                SELECT 'acme', :id, seq, id, 'common', :status, '1', '["common"]', '{"team":"common","n":1}', :id,
                       3, :parent, :now, :now, :started, :completed
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


# After and before the times of all the other rows.
LATER, EARLIER = "1970-01-01T00:00:05Z", "1969-12-31T23:59:59Z"

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

    send_stale = partial(sweep.send, client, expected=(412,), if_match='"stale"')
    send_stale("PATCH", f"/runs/{run['id']}", status="failed")
    send_stale("DELETE", f"/runs/{run['id']}")
    send_stale("PATCH", f"/tasks/{task['id']}", status="failed")
    send_stale("PATCH", f"{data}/{entry['id']}/tags", add=["new"])
    send_stale("DELETE", f"{data}?id={entry['id']}")

    for _ in range(2):
        sweep.send(client, "POST", "/runs", once="key", inputData=1)
        sweep.send(client, "PATCH", f"/tasks/{task['id']}", once="key", status="queued")

    with served.client(admin=True) as admin:
        key_id = ok(admin.post("/keys", json={}), 201)["id"]
        sweep.names |= {key_id: "KEY"}
        sweep.send(admin, "POST", "/keys", scopes=["read"])
        sweep.send(admin, "GET", "/keys")
        sweep.send(admin, "GET", "/keys?limit=1&offset=1")
        sweep.send(admin, "GET", f"/keys/{key_id}")
        sweep.send(admin, "POST", f"/keys/{key_id}/rotate", expiresIn=60)
        sweep.send(admin, "DELETE", f"/keys/{key_id}", expected=(412,), if_match='"stale"')
        sweep.send(admin, "DELETE", f"/keys/{key_id}")
    step: dict[str, Any] = {"type": "rare", "inputData": 1}
    written: dict[str, Any] = {"key": "rare", "value": 1, "tags": ["rare"]}
    sweep.send(client, "POST", "/runs", inputData=1, tasks=[{"ref": "a", **step}], data=[{"task": "a", **written}])
    batch = [{**step, "ref": "a", "parentTaskId": parent["id"], "externalId": "of-batch"}, {**step, "parent": "a"}]
    sweep.send(client, "POST", f"/runs/{run['id']}/tasks/batch", items=batch)
    sweep.send(client, "POST", f"{data}/batch", items=[{"taskId": each["id"], **written} for each in (task, parent)])
    values = {"status": "queued", "outputData": 1, "errorData": 1, "metadata": {}, "queueJobId": "7"}
    for names in (tuple(values), *((name,) for name in values), ("status", "outputData")):
        changes = {name: values[name] for name in names}
        sweep.send(client, "PATCH", "/tasks/batch", items=[{"id": each["id"], **changes} for each in (task, parent)])

    for run_id, task_id in ((run["id"], UNKNOWN_ID), (UNKNOWN_ID, task["id"])):
        of_task = {"runId": run_id, "type": "rare", "inputData": 1, "parentTaskId": task_id}
        sweep.send(client, "POST", "/tasks", expected=(404,), **of_task)
        sweep.send(client, "POST", f"/runs/{run_id}/data", expected=(404,), taskId=task_id, key="rare", value=1)

    orders = choices("sortOrder", *SORT_ORDERS)
    lists = [choices("sortBy", *LIST_SORTS), orders]
    times = [
        *choices("createdAfter", LATER), *choices("updatedBefore", EARLIER), *choices("startedAfter", LATER),
        {"completedAfter": LATER, "createdBefore": EARLIER},
    ]  # fmt: skip
    for query in queries([*absent, *choices("status", "failed")], *lists):
        sweep.send(client, "GET", f"/runs?{query}")
    for query in queries(
        [*absent, *choices("status", "failed")], [*times, *choices("ids", run["id"]), {"cursor": ""}], *lists
    ):
        sweep.send(client, "GET", f"/runs?{query}")
    sweep.send(client, "GET", "/runs?view=summary")
    sweep.send(client, "GET", f"/runs/{run['id']}?view=summary")
    sweep.send(client, "GET", f"/tasks/{task['id']}?view=summary")
    sweep.send(client, "GET", f"{data}/{entry['id']}?view=summary")
    for query in queries(
        [*absent, *choices("runId", run["id"])],
        [*absent, *choices("parentTaskId", parent["id"])],
        [*absent, *choices("type", "rare")],
        [*absent, *choices("status", "queued,failed")],
        *lists,
    ):
        sweep.send(client, "GET", f"/tasks?{query}")
    for query in queries(
        [*absent, *choices("runId", run["id"])],
        [*absent, *choices("parentTaskId", parent["id"])],
        [*absent, *choices("type", "rare"), *choices("types", "rare,rarer")],
        [*absent, *choices("status", "queued,failed")],
        [*absent, *times, *choices("ids", task["id"])],
        [*absent, {"cursor": ""}],
        choices("sortBy", *LIST_SORTS),
        orders[: much(2, 1)],
        most=much(9, 4),
    ):
        sweep.send(client, "GET", f"/tasks?{query}")
    of_run: list[dict[str, str]] = [
        {},
        {"parentTaskId": "none"},
        {"parentTaskId": "none", "type": "rare", "status": "failed"},
    ]
    for query in queries(of_run, *lists):
        sweep.send(client, "GET", f"/runs/{run['id']}/tasks?{query}")
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

    send_requests_about_labels(sweep, client, run["id"], parent["id"])
    for what, query in product(("keys", "tags"), ("", "StartsWith=ra")):
        sweep.send(client, "GET", f"/runs/{run['id']}/{what}?{what[:-1] + query if query else ''}")
    sweep.send(client, "GET", f"/runs/{run['id']}/tree?limit=20")

    act_on_one(sweep, client)
    for kind, query in product(
        ("cancel", "retry"),
        queries(
            [*absent, *choices("runId", run["id"])],
            [*absent, *choices("parentTaskId", parent["id"], "none")],
            [*absent, *choices("type", "rare")],
            [*absent, *choices("types", "rare,rarer")],
            [*absent, *choices("ids", f"{parent['id']},{task['id']}")],
            [*absent, *choices("updatedAfter", "2024-01-01T00:00:00Z")],
            [*absent, *choices("tags", "rare")],
            [*absent, *choices("metadata.team", "rare")],
            choices("status", "queued,failed,cancelled"),
            most=much(6, 3),
        ),
    ):
        act(sweep, client, "tasks", kind, query)
    for kind, query in product(
        ("cancel", "retry"),
        queries(
            [*absent, *choices("ids", f"{run['id']},{UNKNOWN_ID}")],
            [*absent, *choices("createdAfter", "2024-01-01T00:00:00Z")],
            [*absent, *choices("tagStartsWith", "ra")],
            [*absent, *choices("externalId", "rare")],
            choices("status", "failed,cancelled"),
        ),
    ):
        act(sweep, client, "runs", kind, query)
    act(sweep, client, "runs", "cancel", f"ids={small_run(sweep, client)}")
    for query in ("", "?status=running", "?status=completed"):
        sweep.send(client, "GET", f"/acts{query}")
    for query in ("?limit=1", "?limit=1&status=completed"):
        cursor = ok(client.get(f"/acts{query}"))["nextCursor"]
        sweep.send(client, "GET", f"/acts{query}&cursor={cursor}")
    sweep.request = "old acts"
    acts.delete_old(served.database, now_ms() + 1, threading.Event())

    sweep.send(client, "DELETE", f"{data}?id={entry['id']}")
    sweep.send(client, "DELETE", f"{data}?id={newest['id']}")
    sweep.send(client, "DELETE", f"{data}?key=rare")
    sweep.send(client, "DELETE", f"/runs/{small_run(sweep, client)}")

    sweep.request = "commands"
    keys.take_back(served.database, keys.issue(served.database, "acme", "test"))
    keys.issue(served.database, "acme", "test")
    its_id = keys.every(served.database)[-1]["id"]
    with served.database.write() as tx:
        row = keys.with_id(tx, its_id)
        assert row is not None
        keys.rotate(tx, row, 1, None)
    keys.revoke(served.database, its_id)
    keys.exist(served.database)
    sweep.request = "background"
    last_uses.write(served.database, served.app.last_uses)
    if not ON_POSTGRES:
        stats.of_database(str(served.file))

    sweep.request = "idempotency"
    forget(served.database, 1, threading.Event())
    forget(served.database, now_ms() + 60_000, threading.Event())

    sweep.request = "paths of metadata"
    for paths in (("team", "n", "new"), ("team", "n")):
        declare(served.database, paths, threading.Event())

    sweep.request = "prune"
    ok(client.patch(f"/runs/{small_run(sweep, client)}", json={"status": "cancelled"}))
    cancelled = old(-1000, ["cancelled"], "acme")
    with served.database.read() as tx:
        count(tx, cancelled)
    prune(served.database, cancelled, threading.Event())


LABELS: dict[str, Any] = {"tags": ["rare", "also"], "metadata": {"team": "rare", "n": 2}}


def send_requests_about_labels(sweep: Sweep, client: httpx.Client, run_id: str, parent_id: str) -> None:
    """To make, change and find runs and tasks by their labels."""
    absent: list[dict[str, str]] = [{}]
    of_run: dict[str, Any] = {"runId": run_id, "type": "rare", "inputData": 1}
    child = of_run | {"parentTaskId": parent_id}
    for path, fields, others in (("/runs", {"inputData": 1}, {"inputData": 1}), ("/tasks", of_run, child)):
        sweep.send(client, "POST", path, **fields, **LABELS, externalId="rare")
        sweep.send(client, "POST", path, **others, **LABELS, externalId="rarer")
        made = ok(client.get(path, params={"externalId": "rare"}))["items"][0]
        sweep.names[made["id"]] = "LABELLED"
        sweep.send(client, "POST", path, expected=(409,), **others, externalId="rare")
        changed = f"{path}/{made['id']}"
        sweep.send(client, "PATCH", changed, expected=(409,), externalId="rarer")
        sweep.send(client, "PATCH", changed, externalId="rarest")
        sweep.send(client, "PATCH", changed, tags=["rare"], externalId="rare")
        sweep.send(client, "PATCH", changed, tags=["rare"])  # which it has already
        for _ in range(2):
            tag = client.get(changed).headers["ETag"]
            sweep.send(client, "PATCH", f"{changed}/tags", if_match=tag, add=["also"], remove=["new"])
        of_tasks = [
            [*absent, *choices("runId", run_id)],
            [*absent, *choices("parentTaskId", parent_id)],
            [*absent, *choices("type", "rare")],
        ]
        for query in queries(
            [*absent, *choices("externalId", "rare")],
            [*absent, *choices("tags", "rare", "rare,also", "common,rare")],
            [*absent, *choices("tagStartsWith", "ra", "ra,al")],
            choices("tagMode", "any", "all"),
            [*absent, *choices("metadata.team", "rare")],
            [*absent, *choices("metadata.n", "2")],
            [*absent, *choices("ids", made["id"])],
            [*absent, *choices("status", "pending")],
            [*absent, *choices("createdAfter", "2020-01-01T00:00:00Z")],
            *(of_tasks if path == "/tasks" else []),
            choices("sortBy", "created_at", "updated_at"),
            choices("sortOrder", "desc"),
            most=much(6, 5),  # at most two or three of the filters together
        ):
            sweep.send(client, "GET", f"{path}?{query}")
        for query in queries(
            [*absent, *choices("tags", "rare"), *choices("metadata.team", "rare")],
            choices("sortOrder", *SORT_ORDERS),
            choices("count", "true", "false"),
            choices("cursor", ""),
            choices("limit", "1"),
        ):
            sweep.send(client, "GET", f"{path}?{query}")
            following = ok(client.get(f"{path}?{query}"))["nextCursor"]
            sweep.send(client, "GET", f"{path}?{query.replace('cursor=', f'cursor={following}')}")


def act_on_one(sweep: Sweep, client: httpx.Client) -> None:
    """Cancel and retry a task, and a run with it, also where a strict run forbids it."""
    for strict in (False, True):
        run = make_run(client, strict=strict)
        task = make_task(client, run, type="rare")
        sweep.names |= {run["id"]: "RUN-TO-ACT-ON", task["id"]: "TASK-TO-ACT-ON"}
        for path in (f"/tasks/{task['id']}", f"/runs/{run['id']}"):
            for what in ("cancel", "cancel", "retry", "retry"):
                refused = strict and what == "retry"
                sweep.send(client, "POST", f"{path}/{what}", expected=(409 if refused else 200,))
            sweep.send(client, "PATCH", path, expected=(409 if strict else 200,), status="running")
        ok(client.patch(f"/tasks/{task['id']}", json={"status": "failed"}), 409 if strict else 200)
        sweep.send(client, "POST", f"/runs/{run['id']}/retry", expected=(409 if strict else 200,))


def act(sweep: Sweep, client: httpx.Client, things: str, kind: str, query: str) -> None:
    """Let an act over a filter be carried out."""
    expect = ok(client.get(f"/{things}?{query}"))["total"]
    sweep.send(client, "POST", f"/{things}/{kind}?{query}&expect={expect}", expected=(202,))
    newest = ok(client.get("/acts?limit=1"))["items"][0]["id"]
    sweep.names |= {newest: "ACT"}
    until(lambda: ok(client.get(f"/acts/{newest}"))["completedAt"])
    sweep.send(client, "GET", f"/acts/{newest}")


def small_run(sweep: Sweep, client: httpx.Client) -> str:
    """The id of a run with something of everything in it."""
    run = make_run(client)
    task = make_task(client, run, type="rare")
    put_data(client, make_task(client, run, type="rare", parentTaskId=task["id"]), "rare", tags=["rare"])
    sweep.names[run["id"]] = "SMALL-RUN"
    return str(run["id"])
