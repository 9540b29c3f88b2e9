"""Acts on one thing: a task or a run with its tasks is cancelled, or retried."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from time import sleep

import httpx
import pytest

from foreman.clock import now_ms
from tests.api.bookkeeping import TaskBookkeeping, assert_follows
from tests.support.api import UNKNOWN_ID, Json, assert_error, change_task, make_run, make_task, ok
from tests.support.clock import Clock, iso
from tests.support.contents import violations_in
from tests.support.running import Running
from tests.support.statuses import ENDED, RUN_STATUSES, SETTABLE, TASK_STATUSES

UNFINISHED = [status for status in TASK_STATUSES if status not in ENDED]


def task_with(client: httpx.Client, run: Json, status: str) -> Json:
    return change_task(client, make_task(client, run), status=status)


def run_with(client: httpx.Client, status: str, **fields: object) -> Json:
    run = make_run(client, **fields)
    return run if status == "pending" else change_run(client, run, status)


def change_run(client: httpx.Client, run: Json, status: str) -> Json:
    return ok(client.patch(f"/runs/{run['id']}", json={"status": status}))


def get(client: httpx.Client, thing: Json) -> Json:
    return ok(client.get(f"/{'tasks' if 'runId' in thing else 'runs'}/{thing['id']}"))


def act(client: httpx.Client, thing: Json, what: str) -> httpx.Response:
    return client.post(f"/{'tasks' if 'runId' in thing else 'runs'}/{thing['id']}/{what}")


# A task -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", UNFINISHED)
def test_task_that_has_not_ended_is_cancelled_as_a_patch_would(client: httpx.Client, clock: Clock, status: str) -> None:
    task, model = make_task(client, make_run(client)), TaskBookkeeping(clock.now)
    for each in (status, "cancelled"):
        clock.move(7)
        model.change(each, clock.now)
        change_task(client, task, status=each) if each == status else ok(act(client, task, "cancel"))
    assert_follows(get(client, task), model)
    assert get(client, task)["status"] == "cancelled"


@pytest.mark.parametrize("status", ENDED)
def test_cancelling_a_task_that_has_ended_changes_nothing(client: httpx.Client, status: str) -> None:
    for strict in (False, True):
        task = task_with(client, make_run(client, strict=strict), status)
        assert ok(act(client, task, "cancel")) == task == get(client, task)


def test_children_of_a_cancelled_task_go_on(client: httpx.Client) -> None:
    parent = make_task(client, run := make_run(client))
    child = make_task(client, run, parentTaskId=parent["id"])
    ok(act(client, parent, "cancel"))
    assert get(client, child) == child


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_retried_task_is_pending_and_the_retry_is_counted(client: httpx.Client, clock: Clock, status: str) -> None:
    task = make_task(client, make_run(client), maxRetries=0)
    change_task(client, task, status="queued", queueJobId="7")
    change_task(client, task, status="running")
    clock.move(5)
    ended = change_task(client, task, status=status, errorData={"message": "out of memory"}, outputData=1)
    clock.move(5)
    retried = {**ended, "status": "pending", "updatedAt": clock.text, "completedAt": None, "durationMs": None}
    assert ok(act(client, task, "retry")) == {**retried, "retryCount": 1} == get(client, task)


@pytest.mark.parametrize("status", UNFINISHED)
def test_retrying_a_task_that_has_not_ended_changes_nothing(client: httpx.Client, status: str) -> None:
    """So the retry may be sent again when its answer was lost."""
    for strict in (False, True):
        task = task_with(client, make_run(client, strict=strict), status)
        assert ok(act(client, task, "retry")) == task == get(client, task)


def test_completed_task_is_not_retried(client: httpx.Client) -> None:
    task = task_with(client, make_run(client), "completed")
    refused = assert_error(act(client, task, "retry"), 409)
    assert refused["error"] == "A completed task cannot become pending by a retry"
    assert get(client, task) == task


@pytest.mark.parametrize("status", ENDED)
def test_task_of_a_strict_run_that_has_ended_is_not_retried(client: httpx.Client, status: str) -> None:
    task = task_with(client, make_run(client, strict=True), status)
    refused = assert_error(act(client, task, "retry"), 409)
    assert refused["error"] == f"A {status} task of a strict run cannot become pending"
    assert get(client, task) == task


# A run --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", RUN_STATUSES)
@pytest.mark.parametrize("strict", [False, True])
def test_cancelled_run_has_no_task_that_has_not_ended(
    client: httpx.Client, clock: Clock, status: str, strict: bool
) -> None:
    run, other = make_run(client, strict=strict), make_run(client)
    tasks = [task_with(client, run, each) for each in TASK_STATUSES]
    bystander = make_task(client, other)
    if status != "pending":
        change_run(client, run, status)
    before = get(client, run)
    clock.move(5)
    cancelled = ok(act(client, run, "cancel"))
    assert cancelled == get(client, run)
    assert cancelled["status"] == (status if status in ENDED else "cancelled")
    assert cancelled["updatedAt"] == (before["updatedAt"] if status in ENDED else clock.text)
    assert (cancelled["totalTasks"], cancelled["cancelledTasks"]) == (7, 5)
    for task in tasks:
        after = get(client, task)
        if task["status"] in ENDED:
            assert after == task
        else:
            assert (after["status"], after["completedAt"]) == ("cancelled", clock.text)
    assert get(client, bystander) == bystander
    clock.move(5)
    assert ok(act(client, run, "cancel")) == cancelled


@pytest.mark.parametrize("status", RUN_STATUSES)
def test_retried_run_is_running_and_its_failed_tasks_are_pending(
    client: httpx.Client, clock: Clock, status: str
) -> None:
    run = make_run(client)
    tasks = [task_with(client, run, each) for each in (*TASK_STATUSES, "failed")]
    if status != "pending":
        change_run(client, run, status)
    clock.move(5)
    retried = ok(act(client, run, "retry"))
    assert retried.pop("retriedTasks") == 2
    assert retried == get(client, run)
    assert retried["status"] == ("pending" if status == "pending" else "running")
    assert (retried["completedAt"], retried["failedTasks"], retried["cancelledTasks"]) == (None, 0, 1)
    for task in tasks:
        if task["status"] == "failed":
            task |= {"status": "pending", "updatedAt": clock.text, "completedAt": None, "durationMs": None}
            task["retryCount"] = 1
        assert get(client, task) == task
    clock.move(5)
    assert ok(act(client, run, "retry")) == {**retried, "retriedTasks": 0}


@pytest.mark.parametrize(
    ("status", "then"),
    [("failed", "running"), ("cancelled", "running"), ("completed", "completed"), ("running", "running")],
)
def test_run_without_failed_tasks_is_reopened_unless_it_is_completed(
    client: httpx.Client, status: str, then: str
) -> None:
    run = run_with(client, status)
    task_with(client, run, "completed")
    retried = ok(act(client, run, "retry"))
    assert (retried["status"], retried["retriedTasks"]) == (then, 0)
    if status == then:
        assert retried["updatedAt"] == run["updatedAt"]


@pytest.mark.parametrize("status", SETTABLE)
@pytest.mark.parametrize("has_failed", [False, True])
def test_strict_run_is_not_retried_if_that_would_change_something_that_has_ended(
    client: httpx.Client, status: str, has_failed: bool
) -> None:
    run = make_run(client, strict=True)
    task = task_with(client, run, "failed" if has_failed else "completed")
    change_run(client, run, status)
    before = get(client, run)
    response = act(client, run, "retry")
    if status in ("failed", "cancelled") or (status == "completed" and has_failed):
        assert assert_error(response, 409)["error"] == f"A {status} run that is strict cannot become running"
    elif has_failed:
        assert assert_error(response, 409)["error"] == "A failed task of a strict run cannot become pending"
    else:
        assert ok(response) == {**before, "retriedTasks": 0}
    assert (get(client, run), get(client, task)) == (before, task)


# Requests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["cancel", "retry"])
@pytest.mark.parametrize("things", ["runs", "tasks"])
def test_what_does_not_exist_is_not_found(client: httpx.Client, rival: httpx.Client, what: str, things: str) -> None:
    task = make_task(client, make_run(client))
    theirs = {"runs": task["runId"], "tasks": task["id"]}[things]
    for asked, thing_id in ((client, UNKNOWN_ID), (client, "no-id"), (rival, theirs)):
        assert_error(asked.post(f"/{things}/{thing_id}/{what}"), 404)
    assert get(client, task) == task


@pytest.mark.parametrize("sent", [{}, {"json": {}}, {"content": b""}], ids=["nothing", "object", "no bytes"])
def test_there_is_no_body_or_an_empty_object(client: httpx.Client, sent: Json) -> None:
    task = make_task(client, make_run(client))
    assert ok(client.post(f"/tasks/{task['id'].upper()}/cancel", **sent))["status"] == "cancelled"


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (b'{"status": "failed"}', ["status"]),
        (b"x", []),
        (b"[]", []),
        (b'{"type":"' + b"x" * 1_000_000 + b'"}', ["type"]),
    ],
)
def test_body_that_might_be_a_filter_is_refused(client: httpx.Client, content: bytes, fields: list[str]) -> None:
    task = make_task(client, make_run(client))
    for path in (f"/tasks/{task['id']}/cancel", f"/runs/{task['runId']}/cancel", "/tasks/cancel?expect=1"):
        error = assert_error(client.post(path, content=content), 400, *fields)
        assert not fields or "query string" in error["details"][0]["message"]
    assert get(client, task) == task


@pytest.mark.parametrize("what", ["cancel", "retry"])
@pytest.mark.parametrize("path", ["/runs", "/tasks"])
def test_act_happens_only_to_what_was_seen_if_that_is_wanted(client: httpx.Client, path: str, what: str) -> None:
    task = make_task(client, make_run(client))
    path = {"/runs": f"/runs/{task['runId']}", "/tasks": f"/tasks/{task['id']}"}[path]
    ok(client.patch(path, json={"status": {"cancel": "running", "retry": "failed"}[what]}))
    before = client.get(path)
    stale = assert_error(client.post(f"{path}/{what}", headers={"If-Match": '"stale"'}), 412)
    assert stale["code"] == "stale"
    assert client.get(path).content == before.content
    done = client.post(f"{path}/{what}", headers={"If-Match": before.headers["ETag"]})
    after = client.get(path)
    assert {**ok(after), **({"retriedTasks": 0} if (what, path[:5]) == ("retry", "/runs") else {})} == ok(done)
    assert done.headers["ETag"] == after.headers["ETag"] != before.headers["ETag"]
    assert_error(client.post(f"/runs/{UNKNOWN_ID}/{what}", headers={"If-Match": "*"}), 404)


def test_read_only_key_may_not_act(served: Running, client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    with served.client_with(served.key(read_only=True)) as reader:
        for path in (f"/runs/{task['runId']}/cancel", f"/tasks/{task['id']}/cancel", "/tasks/cancel?expect=1"):
            assert_error(reader.post(path), 403)
    assert get(client, task) == task


# Races --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
def test_while_workers_complete_its_tasks_a_run_is_cancelled_and_each_task_ends_in_one_way(
    served: Running, client: httpx.Client, strict: bool
) -> None:
    run = make_run(client, strict=strict)
    tasks = [make_task(client, run) for _ in range(80)]
    workers = 4
    begin = Barrier(workers + 1)

    def work(own: httpx.Client, some: list[Json]) -> list[str]:
        begin.wait(30)
        return [task["id"] for task in some if completes(own, task)]

    def completes(own: httpx.Client, task: Json) -> bool:
        response = own.patch(f"/tasks/{task['id']}", json={"status": "completed"})
        assert response.status_code == 200 or (strict and response.status_code == 409)
        return response.status_code == 200

    with ExitStack() as stack, ThreadPoolExecutor(workers) as threads:
        clients = [stack.enter_context(served.client()) for _ in range(workers)]
        parts: list[list[Json]] = [tasks[number::workers] for number in range(workers)]
        completing = [threads.submit(work, *each) for each in zip(clients, parts, strict=True)]
        begin.wait(30)
        cancelled = ok(act(client, run, "cancel"))
        completed = {task_id for each in completing for task_id in each.result()}
    assert cancelled["completedTasks"] + cancelled["cancelledTasks"] == len(tasks)
    after = {task["id"]: get(client, task)["status"] for task in tasks}
    assert set(after.values()) <= {"completed", "cancelled"}
    assert {task_id for task_id, status in after.items() if status == "completed"} == completed
    if not strict:
        assert len(completed) == len(tasks)
    assert ok(client.get(f"/runs/{run['id']}"))["completedTasks"] == len(completed)
    assert violations_in(served.location) == []


def test_retry_of_a_run_has_the_time_at_which_it_happens_and_not_at_which_it_was_asked_for(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    task = task_with(client, run, "failed")
    with ThreadPoolExecutor(1) as threads:
        with served.database.write() as tx:
            tx.locked("SELECT id FROM run WHERE org_id = 'acme' AND id = :id", id=run["id"])
            retrying = threads.submit(act, client, run, "retry")
            sleep(0.3)  # until it waits for the lock
            released = iso(now_ms())
        ok(retrying.result())
    assert get(client, task)["updatedAt"] >= released


def test_of_many_retries_at_once_one_counts(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    tasks = [task_with(client, run, "failed") for _ in range(5)]
    change_run(client, run, "failed")

    def retry(_: int) -> int:
        with served.client() as own:
            return int(ok(act(own, run, "retry"))["retriedTasks"])

    with ThreadPoolExecutor(8) as threads:
        retried = list(threads.map(retry, range(8)))
    assert sorted(retried) == [0] * 7 + [5]
    assert [get(client, task)["retryCount"] for task in tasks] == [1] * 5


def test_task_that_is_created_while_its_run_is_cancelled_is_cancelled_or_newer(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)

    def create(_: int) -> list[str]:
        with served.client() as own:
            return [make_task(own, run)["id"] for _ in range(20)]

    with ThreadPoolExecutor(3) as threads:
        creating = [threads.submit(create, number) for number in range(3)]
        seen = ok(act(client, run, "cancel"))
        for each in creating:
            each.result()
    after = get(client, run)
    assert seen["totalTasks"] == seen["cancelledTasks"] == after["cancelledTasks"]
    assert after["totalTasks"] == 60
    assert violations_in(served.location) == []
