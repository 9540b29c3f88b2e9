"""`DELETE /runs/ID`: the run is gone with everything in it, and nothing else is."""

import httpx
import pytest

from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok, put_data
from tests.support.contents import rows, violations_in
from tests.support.databases import DEEPER_THAN_TRIGGERS
from tests.support.running import Running
from tests.support.statuses import RUN_STATUSES


def fill(client: httpx.Client) -> Json:
    """A run with tasks, children of them, and tagged data; the same each time."""
    run = make_run(client, "input")
    parent = make_task(client, run, type="parent")
    child = make_task(client, run, type="child", parentTaskId=parent["id"])
    grandchild = make_task(client, run, type="child", parentTaskId=child["id"])
    ok(client.patch(f"/tasks/{child['id']}", json={"status": "completed"}))
    ok(client.patch(f"/tasks/{grandchild['id']}", json={"status": "failed"}))
    for number in range(6):
        put_data(client, (parent, child, grandchild)[number % 3], f"key-{number % 2}", number, tags=["red", "blue"])
    return run


def test_run_and_everything_in_it_is_gone_and_nothing_else(
    served: Running, client: httpx.Client, rival: httpx.Client
) -> None:
    fill(client)
    fill(rival)
    before = rows(served.location)
    run = fill(client)
    task = ok(client.get("/tasks", params={"runId": run["id"]}))["items"][0]
    entry = ok(client.get(f"/runs/{run['id']}/data"))["data"][0]
    assert ok(client.delete(f"/runs/{run['id']}")) == {"deleted": 1}
    assert rows(served.location) == before
    assert violations_in(served.location) == []
    for path in (f"/runs/{run['id']}", f"/tasks/{task['id']}", f"/runs/{run['id']}/data",
                 f"/runs/{run['id']}/data/{entry['id']}"):  # fmt: skip
        assert_error(client.get(path), 404)
    assert ok(client.get("/tasks", params={"runId": run["id"]}))["total"] == 0


def test_lists_and_their_totals_no_longer_count_it(client: httpx.Client) -> None:
    kept, run = fill(client), fill(client)
    ok(client.delete(f"/runs/{run['id']}"))
    listed = ok(client.get("/runs?status=pending"))
    assert (listed["total"], [item["id"] for item in listed["items"]]) == (1, [kept["id"]])
    for query, total in (("", 3), ("status=failed", 1), ("type=child", 2), ("status=completed&type=child", 1)):
        assert ok(client.get(f"/tasks?{query}"))["total"] == total
    assert ok(client.get(f"/runs/{kept['id']}"))["totalTasks"] == 3


@pytest.mark.parametrize("status", RUN_STATUSES)
def test_run_of_any_status_can_be_deleted(client: httpx.Client, status: str) -> None:
    run = make_run(client)
    if status != "pending":
        ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
    assert ok(client.delete(f"/runs/{run['id'].upper()}")) == {"deleted": 1}
    assert ok(client.get("/runs"))["total"] == ok(client.get(f"/runs?status={status}"))["total"] == 0


def test_what_is_not_there_or_belongs_to_another_is_404(
    served: Running, client: httpx.Client, rival: httpx.Client
) -> None:
    run, gone = fill(client), make_run(client)
    task = ok(client.get("/tasks"))["items"][0]
    ok(client.delete(f"/runs/{gone['id']}"))
    before = rows(served.location)
    for run_id in (UNKNOWN_ID, "nonsense", gone["id"], task["id"]):
        assert_error(client.delete(f"/runs/{run_id}"), 404)
    assert assert_error(rival.delete(f"/runs/{run['id']}"), 404) == assert_error(
        rival.delete(f"/runs/{UNKNOWN_ID}"), 404
    )
    assert rows(served.location) == before


def test_read_only_key_may_not_delete(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with served.client("acme", read_only=True) as reader:
        assert_error(reader.delete(f"/runs/{run['id']}"), 403)
    ok(client.get(f"/runs/{run['id']}"))


def test_chain_of_children_may_be_deeper_than_triggers_go(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    with served.database.write() as tx:
        for number in range(DEEPER_THAN_TRIGGERS):
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, max_retries,
                                  created_at, updated_at)
                SELECT org_id, :id, run_seq, run_id, :parent_id, type, status, input_data, max_retries,
                       created_at, updated_at
                FROM task WHERE org_id = 'acme' AND id = :task_id
                """,
                id=f"00000000-0000-7000-8000-{number:012}", task_id=task["id"],
                parent_id=f"00000000-0000-7000-8000-{number - 1:012}" if number else task["id"],
            )  # fmt: skip
    assert ok(client.get(f"/runs/{run['id']}"))["totalTasks"] == DEEPER_THAN_TRIGGERS + 1
    assert ok(client.delete(f"/runs/{run['id']}")) == {"deleted": 1}
    assert ok(client.get("/tasks"))["total"] == 0
    assert violations_in(served.location) == []


def test_a_write_to_a_run_that_is_deleted_meanwhile_is_404(client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    ok(client.delete(f"/runs/{run['id']}"))
    new = {"runId": run["id"], "type": "step", "inputData": None}
    for response in (
        client.patch(f"/runs/{run['id']}", json={"status": "completed"}),
        client.post("/tasks", json=new),
        client.patch(f"/tasks/{task['id']}", json={"status": "completed"}),
        client.post(f"/runs/{run['id']}/data", json={"taskId": task["id"], "key": "key", "value": 1}),
    ):
        assert_error(response, 404)
