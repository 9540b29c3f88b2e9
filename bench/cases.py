"""What is measured: each case is traffic for one server, with a check of the first answer."""

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from bench.contents import OWNERS, PAIR_TAGS, WORKERS, Work, key_name
from bench.servers import Server, ServerFailed
from bench.traffic import BASE, Request, Script, delete, get, patch, post, workflow

Check = Callable[[Any], bool]

FLOOR_GET = "floor GET"
FLOOR_POST = "floor POST"
RUN_BODY = {"inputData": {"customer": 42, "source": "nightly"}}

IN_BATCH = 500  # items

COMPARED = 16  # connections, where only one number of them is measured


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    :param name: unique together with the server
    :param server: the name of the server
    :param script: what is sent; None means workflows
    :param status: the status that the answer must have
    :param check: whether the body of the answer is right
    :param floor: the case that it is compared with
    :param org_id: whose key is presented
    """

    name: str
    server: str
    script: Script | None
    status: int = 200
    check: Check = lambda _: True
    floor: str = FLOOR_GET
    org_id: str = WORKERS


def floors() -> list[Case]:
    """The floor's cases."""
    ok: Check = lambda body: bool(body == {"ok": True})  # noqa: E731
    return [
        Case(FLOOR_GET, "floor", Script([Request("GET", "/ok")]), check=ok),
        Case(FLOOR_POST, "floor", Script([Request("POST", "/ok", post("/", RUN_BODY).body)]), check=ok),
    ]


def operations(work: Work, run_id: str, entries_of_run: int) -> list[Case]:
    """Every operation, and a whole workflow.

    :param run_id: the run that is queried
    """
    return [*writes(work), *reads(work), *queries(run_id, entries_of_run), whole_workflow()]


def writes(work: Work) -> list[Case]:
    """The operations that change something. Each request finds a row in the state that it changes."""
    new_tasks = [post("/tasks", {"runId": run_id, "type": "step", **RUN_BODY}) for run_id in work.run_ids]
    rows = list(zip(work.run_ids, work.task_ids, work.entry_ids, strict=True))
    done = {"status": "completed", "outputData": {"answer": "yes"}}
    retag = [{"add": ["used", "checked"], "remove": ["new"]}, {"add": ["new"], "remove": ["used", "checked"]}]
    return [
        _write("create run", [post("/runs", RUN_BODY)], lambda run: run["status"] == "pending", 201),
        _write(
            "update run",
            [patch(f"/runs/{run_id}", change) for change in ({"status": "running"}, done) for run_id in work.run_ids],
            lambda run: run["status"] == "running",
        ),
        _write("create task", new_tasks, lambda task: task["status"] == "pending", 201),
        _write(
            "update task",
            [
                patch(f"/tasks/{task_id}", change)
                for change in ({"status": "running"}, done)
                for task_id in work.task_ids
            ],
            lambda task: task["status"] == "running" and task["startedAt"],
        ),
        _write(
            "create run data", entries(work, ["raw", "europe"]), lambda entry: entry["tags"] == ["raw", "europe"], 201
        ),
        _write(
            "patch tags",
            [patch(f"/runs/{run}/data/{entry}/tags", change) for change in retag for run, _, entry in rows],
            lambda entry: entry["tags"] == ["raw", "used", "checked"],
        ),
        _write(
            "delete run data by id",
            [delete(f"/runs/{work.delete_run_id}/data", id=data_id) for data_id in work.delete_ids],
            lambda answer: answer == {"deleted": 1},
            once=True,
        ),
        _write(
            "delete run data by key",
            [delete(f"/runs/{work.delete_run_id}/data", key=key) for key in work.delete_keys],
            lambda answer: answer == {"deleted": 1},
            once=True,
        ),
    ]


def entries(work: Work, tags: Sequence[str]) -> list[Request]:
    """Requests that create an entry each, in many runs."""
    return [
        post(f"/runs/{run_id}/data", {"taskId": task_id, "key": "result", "value": {"celsius": 21.5}, "tags": tags})
        for run_id, task_id in zip(work.run_ids, work.task_ids, strict=True)
    ]


def batches(work: Work) -> list[tuple[Case, Case]]:
    """Writes of `writes`, each with a batch of many items like its own."""
    single = {case.name: case for case in writes(work)}
    runs = list(zip(work.run_ids, work.task_ids, strict=True))[:20]
    entry = {"key": "result", "value": {"celsius": 21.5}, "tags": ["raw", "europe"]}
    new = {
        "create task": [
            post(f"/runs/{run_id}/tasks/batch", {"items": [{"type": "step", **RUN_BODY}] * IN_BATCH})
            for run_id, _ in runs
        ],
        "create run data": [
            post(f"/runs/{run_id}/data/batch", {"items": [{"taskId": task_id, **entry}] * IN_BATCH})
            for run_id, task_id in runs
        ],
    }
    return [
        (single[name], _write(batch_of(name), requests, lambda answer: len(answer["items"]) == IN_BATCH, 201))
        for name, requests in new.items()
    ]


def batch_of(name: str) -> str:
    """The name of the batch that belongs to a case."""
    return f"{name}, batch of {IN_BATCH}"


def keyed(work: Work, number: int) -> list[tuple[Case, Case]]:
    """Writes of `writes`, each with an idempotency key of its own.

    :param number: how many requests with a key there are of each kind
    """
    pairs = []
    for case in writes(work):
        if case.name in ("create run", "create task") and case.script is not None:
            alike = itertools.cycle(case.script.requests)
            requests = [replace(next(alike), idempotency_key=f"{case.name} {turn}") for turn in range(number)]
            pairs.append((case, replace(case, name=with_key(case.name), script=Script(requests, once=True))))
    return pairs


def with_key(name: str) -> str:
    """The name of the case with idempotency keys that belongs to one without."""
    return f"{name}, idempotency key"


def reads(work: Work) -> list[Case]:
    """The operations that read single things and small lists, but for queries of run data."""
    rows = list(zip(work.run_ids, work.task_ids, work.entry_ids, strict=True))
    return [
        _read("get run", [get(f"/runs/{run_id}") for run_id in work.run_ids], lambda run: run["totalTasks"] >= 1),
        _read("get task", [get(f"/tasks/{task_id}") for task_id in work.task_ids], lambda task: task["type"] == "step"),
        _read("list tasks of a run", [get("/tasks", runId=run_id) for run_id in work.run_ids],
              lambda page: page["total"] >= 1),
        _read("get run data", [get(f"/runs/{run}/data/{entry}") for run, _, entry in rows],
              lambda entry: entry["key"] == "result"),
        _read("health", [Request("GET", "/health")], lambda health: health["status"] == "healthy"),
        _read("client config", [Request("GET", f"{BASE}/config")], lambda config: "queues" in config),
    ]  # fmt: skip


def queries(run_id: str, entries: int) -> list[Case]:
    """Queries of a run with 10,000 entries, and the list of as many runs."""
    path = f"/runs/{run_id}/data"
    keys = [key_name(number) for number in range(900, 1000)]
    every = {"includeAll": "true"}
    return [
        _query("list runs, page of 20", [get("/runs", limit=20)], runs_of(entries)),
        _query("query by key, latest", [get(path, key=key) for key in keys], rows(1)),
        _query("query by key, all", [get(path, key=key, **every) for key in keys], rows(10)),
        _query("query by prefix, 100 rows", [get(path, keyStartsWith="area9.")], rows(100)),
        _query("query by glob, 100 rows", [get(path, keyPattern="area9.*")], rows(100)),
        _query("query by tags any, 100 rows", [get(path, tags="rare-a,rare-b")], rows(100)),
        _query(
            "query by tags all, 100 rows",
            [get(path, tags=",".join(PAIR_TAGS), tagMode="all", limit=100, **every)],
            rows(100, 200),
        ),
        _query("query latest per key, 100 of 1,000 rows", [get(path, limit=100)], rows(100, 1000)),
    ]


def whole_workflow() -> Case:
    """A run with five tasks and five entries, from start to end."""
    return Case("workflow", "work", None, floor=FLOOR_POST)


def rows(count: int, total: int | None = None) -> Check:
    """A check that a page of run data has so many rows, of so many in all (as many, when not given)."""
    return lambda page: len(page["data"]) == count and page["pagination"]["total"] == (total or count)


def runs_of(total: int) -> Check:
    """A check that a page of runs has 20 of as many as there are."""
    return lambda page: len(page["items"]) == 20 and page["total"] == total


def verify(case: Case, server: Server) -> None:
    """Ask for the case's first answer and check it.

    :raises ServerFailed: when it is wrong
    """
    if case.script is None:
        steps, answer = workflow(), None
        with suppress(StopIteration):
            while request := steps.send(answer):
                status, answer = server.ask(request, case.org_id)
                if status > 299:
                    raise ServerFailed(f"{case.name}: {request} is answered {status}: {answer}")
    else:
        request = case.script.requests[case.script.position % len(case.script.requests)]
        status, answer = server.ask(request, case.org_id)
        case.script.position += 1
        if status != case.status or not case.check(answer):
            raise ServerFailed(f"{case.name}: {request} is answered {status}: {str(answer)[:500]}")


def _write(name: str, requests: Sequence[Request], check: Check, status: int = 200, *, once: bool = False) -> Case:
    return Case(name, "work", Script(requests, once), status, check, FLOOR_POST)


def _read(name: str, requests: Sequence[Request], check: Check) -> Case:
    return Case(name, "work", Script(requests), check=check)


def _query(name: str, requests: Sequence[Request], check: Check) -> Case:
    return Case(name, "work", Script(requests), check=check, org_id=OWNERS)
