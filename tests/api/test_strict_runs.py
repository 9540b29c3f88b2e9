"""Strict runs: the status that such a run or a task of it ends with, it keeps."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.api import Json, assert_error, change_task, make_run, make_task, ok
from tests.support.running import Running
from tests.support.statuses import ENDED, SETTABLE, TASK_STATUSES


def refused(response: httpx.Response, message: str) -> None:
    assert assert_error(response, 409)["error"] == message


def test_run_is_strict_if_it_says_so_and_only_then_it_shows(client: httpx.Client) -> None:
    run = make_run(client, strict=True)
    assert list(run.items())[-1] == ("strict", True)
    assert ok(client.get(f"/runs/{run['id']}")) == run
    assert ok(client.get("/runs"))["items"] == [run]
    for fields in ({}, {"strict": False}):
        assert "strict" not in make_run(client, **fields)


@pytest.mark.parametrize("value", [None, 0, 1, "true", "", [], {}, 1.0])
def test_strict_is_true_or_false_and_nothing_else(client: httpx.Client, value: object) -> None:
    assert_error(client.post("/runs", json={"inputData": 1, "strict": value}), 400, "strict")
    assert ok(client.get("/runs"))["total"] == 0


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize("status", SETTABLE)
def test_strict_run_keeps_the_status_that_it_ends_with(client: httpx.Client, end: str, status: str) -> None:
    run = make_run(client, strict=True)
    path = f"/runs/{run['id']}"
    ok(client.patch(path, json={"status": "running"}))
    ended = ok(client.patch(path, json={"status": end}))
    response = client.patch(path, json={"status": status, "outputData": 1})
    if status == end:
        assert ok(response) == {**ended, "outputData": 1, "updatedAt": response.json()["updatedAt"]}
    else:
        refused(response, f"A {end} run that is strict cannot become {status}")
        assert ok(client.get(path)) == ended


@pytest.mark.parametrize("end", ENDED)
@pytest.mark.parametrize("status", TASK_STATUSES)
def test_task_of_a_strict_run_keeps_the_status_that_it_ends_with(client: httpx.Client, end: str, status: str) -> None:
    task = make_task(client, make_run(client, strict=True))
    path = f"/tasks/{task['id']}"
    for each in ("queued", "running", "retrying", "pending"):
        change_task(client, task, status=each)
    ended = change_task(client, task, status=end)
    response = client.patch(path, json={"status": status, "queueJobId": "7"})
    if status == end:
        assert ok(response) == {**ended, "queueJobId": "7", "updatedAt": response.json()["updatedAt"]}
    else:
        refused(response, f"A {end} task of a strict run cannot become {status}")
        assert ok(client.get(path)) == ended


def test_what_has_ended_in_a_strict_run_may_change_but_for_its_status(client: httpx.Client) -> None:
    run = make_run(client, strict=True)
    task = make_task(client, run)
    for path in (f"/runs/{run['id']}", f"/tasks/{task['id']}"):
        ok(client.patch(path, json={"status": "failed"}))
        changed = ok(client.patch(path, json={"errorData": [1], "metadata": {"a": 1}}))
        assert (changed["status"], changed["errorData"], changed["metadata"]) == ("failed", [1], {"a": 1})
        assert ok(client.patch(path, json={"status": "failed"})) == changed


def test_tasks_may_be_added_to_a_strict_run_that_has_ended(client: httpx.Client) -> None:
    run = make_run(client, strict=True)
    ok(client.patch(f"/runs/{run['id']}", json={"status": "completed"}))
    assert change_task(client, make_task(client, run), status="running")["status"] == "running"


def test_other_runs_of_the_organisation_stay_as_free_as_ever(client: httpx.Client) -> None:
    strict, free = make_task(client, make_run(client, strict=True)), make_task(client, make_run(client))
    for task in (strict, free):
        change_task(client, task, status="completed")
    refused(client.patch(f"/tasks/{strict['id']}", json={"status": "failed"}),
            "A completed task of a strict run cannot become failed")  # fmt: skip
    assert change_task(client, free, status="failed")["status"] == "failed"


def test_strict_task_of_another_organisation_is_not_found(client: httpx.Client, rival: httpx.Client) -> None:
    task = make_task(client, make_run(client, strict=True))
    change_task(client, task, status="completed")
    assert_error(rival.patch(f"/tasks/{task['id']}", json={"status": "running"}), 404)
    assert_error(rival.patch(f"/runs/{task['runId']}", json={"status": "running"}), 404)


def test_of_many_who_end_a_task_at_once_one_decides_how(served: Running, client: httpx.Client) -> None:
    run = make_run(client, strict=True)

    def end(task: Json, status: str) -> bool:
        with served.client() as own:
            return own.patch(f"/tasks/{task['id']}", json={"status": status}).status_code == 200

    with ThreadPoolExecutor(len(ENDED)) as threads:
        for _ in range(8):
            task = make_task(client, run)
            won = list(threads.map(lambda status, task=task: end(task, status), ENDED))
            assert won.count(True) == 1
            assert ok(client.get(f"/tasks/{task['id']}"))["status"] == ENDED[won.index(True)]


def test_batch_that_would_change_how_tasks_of_strict_runs_ended_names_them_and_changes_nothing(
    client: httpx.Client,
) -> None:
    strict, free = make_run(client, strict=True), make_run(client)
    tasks = [make_task(client, run) for run in (strict, free, strict, strict, strict)]
    for task, status in zip(tasks, ["completed", "completed", "failed", "running", "cancelled"], strict=True):
        change_task(client, task, status=status)
    before = [ok(client.get(f"/tasks/{task['id']}")) for task in tasks]
    items = [{"id": task["id"], "status": "failed", "outputData": 1} for task in tasks]
    response = client.patch("/tasks/batch", json={"items": items})
    error = assert_error(response, 409, "items.0.status", "items.4.status")
    assert error["error"] == "A completed task of a strict run cannot become failed"
    assert error["code"] == "terminal_status"
    assert [ok(client.get(f"/tasks/{task['id']}")) for task in tasks] == before
    rest = [items[place] for place in (1, 2, 3)]
    assert [task["status"] for task in ok(client.patch("/tasks/batch", json={"items": rest}))["items"]] == [
        "failed"
    ] * 3


@pytest.mark.parametrize("end", ENDED)
def test_batch_may_change_what_has_ended_in_a_strict_run_but_for_its_status(client: httpx.Client, end: str) -> None:
    run = make_run(client, strict=True)
    tasks = [change_task(client, make_task(client, run), status=end) for _ in range(2)]
    items = [{"id": tasks[0]["id"], "status": end, "outputData": 1}, {"id": tasks[1]["id"], "metadata": {"seen": 1}}]
    changed = ok(client.patch("/tasks/batch", json={"items": items}))["items"]
    assert [(task["status"], task["completedAt"]) for task in changed] == [(end, task["completedAt"]) for task in tasks]
    assert (changed[0]["outputData"], changed[1]["metadata"]) == (1, {"seen": 1})
