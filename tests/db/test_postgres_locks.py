"""The order in which requests and `prune` lock rows on PostgreSQL: nobody misses what another one has just done."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from foreman.clock import now_ms
from foreman.db.removal import OldRun, delete_empty_run, delete_tasks
from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data
from tests.support.contents import looking, violations_in
from tests.support.running import Running
from tests.support.sessions import other, waiting_for_a_lock
from tests.support.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def ended(served: Running, client: httpx.Client) -> tuple[OldRun, Json, list[int]]:
    """A run that has ended, its task, and the `seq` of that."""
    run = make_run(client)
    task = make_task(client, run)
    ok(client.patch(f"/runs/{run['id']}", json={"status": "completed"}))
    with served.database.read() as tx:
        tasks = [seq for (seq,) in tx.all("SELECT seq FROM task")]
    return OldRun("acme", run["id"], "completed", now_ms() + 60_000), task, tasks


def deadlocks(served: Running) -> int:
    with looking(served.location) as select:
        ((count,),) = select("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return int(count)


def test_entry_of_a_task_that_is_being_deleted_waits_and_does_not_find_it(
    served: Running, client: httpx.Client, ended: tuple[OldRun, Json, list[int]]
) -> None:
    run, task, tasks = ended
    body = {"taskId": task["id"], "key": "late", "value": 1}
    with ThreadPoolExecutor(1) as one:
        with served.database.write() as tx:
            assert delete_tasks(tx, run, tasks) == 1
            entry = one.submit(client.post, f"/runs/{run.run_id}/data", json=body)
            until(lambda: waiting_for_a_lock(served))
        assert assert_error(entry.result(), 404)["error"] == "Task not found"
    assert violations_in(served.location) == []


def test_run_whose_tasks_are_being_deleted_is_resumed_without_them(
    served: Running, client: httpx.Client, ended: tuple[OldRun, Json, list[int]]
) -> None:
    run, _, tasks = ended
    with ThreadPoolExecutor(1) as one:
        with served.database.write() as tx:
            assert delete_tasks(tx, run, tasks) == 1
            resumed = one.submit(client.patch, f"/runs/{run.run_id}", json={"status": "running"})
            until(lambda: waiting_for_a_lock(served))
        assert ok(resumed.result())["totalTasks"] == 0
    with served.database.write() as tx:
        assert delete_empty_run(tx, run) == 0
    assert violations_in(served.location) == []


def test_prune_waits_for_an_entry_that_is_being_created_and_deletes_it_too(
    served: Running, client: httpx.Client, ended: tuple[OldRun, Json, list[int]]
) -> None:
    run, task, tasks = ended
    with other(served) as creating, ThreadPoolExecutor(1) as one:
        creating.execute(
            """
            INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
            SELECT org_id, 'late', run_seq, run_id, id, 'late', '1', '[]', 1, 1 FROM task WHERE id = %s
            """,
            (task["id"],),
        )

        def delete() -> int:
            with served.database.write() as tx:
                return delete_tasks(tx, run, tasks)

        deleted = one.submit(delete)
        until(lambda: waiting_for_a_lock(served))
        creating.commit()
        assert deleted.result() == 1
    with looking(served.location) as select:
        assert select("SELECT id FROM run_data") == []
    assert violations_in(served.location) == []
    assert client.get(f"/runs/{run.run_id}").status_code == 200


def test_change_of_tags_and_a_deletion_of_the_run_do_not_wait_for_each_other(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    entry = put_data(client, make_task(client, run), "key", tags=["red"])
    path = f"/runs/{run['id']}"
    with other(served) as holder, ThreadPoolExecutor(2) as two:
        holder.execute("SELECT FROM run_data FOR UPDATE")  # so that both begin, in this order, and neither can end
        change = two.submit(client.patch, f"{path}/data/{entry['id']}/tags", json={"add": ["blue"]})
        until(lambda: waiting_for_a_lock(served) == 1)
        deletion = two.submit(client.delete, path)
        until(lambda: waiting_for_a_lock(served) == 2)
        holder.commit()
        assert ok(change.result())["tags"] == ["red", "blue"]
        assert ok(deletion.result()) == {"deleted": 1}
    assert deadlocks(served) == 0
    assert violations_in(served.location) == []
