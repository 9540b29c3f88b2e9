"""Writes of one statement, which is a transaction by itself: what was committed is answered, and not sent again."""

import pytest

from tests.support.api import make_run, make_task, ok
from tests.support.running import Start

pytestmark = pytest.mark.postgres

# With so many threads each may read little at once, and a request that would read more is tried again on another.
THREADS = 200
LARGER = "x" * 60_000


@pytest.mark.parametrize("what", ["run", "task", "entry"])
def test_a_row_that_is_large_for_its_thread_is_created_once(start: Start, what: str) -> None:
    with start(threads=THREADS).client() as client:
        task = make_task(client, run := make_run(client))
        data = f"/runs/{run['id']}/data"
        path, body = {
            "run": ("/runs", {"inputData": LARGER}),
            "task": ("/tasks", {"runId": run["id"], "type": "step", "inputData": LARGER}),
            "entry": (data, {"taskId": task["id"], "key": "k", "value": LARGER}),
        }[what]
        ok(client.post(path, json=body), 201)
        totals = {
            "run": client.get("/runs").json()["total"] - 1,
            "task": client.get("/tasks").json()["total"] - 1,
            "entry": client.get(data, params={"includeAll": "true"}).json()["pagination"]["total"],
        }
        assert totals == {**dict.fromkeys(totals, 0), what: 1}


def test_a_row_that_is_large_for_its_thread_is_changed_once(start: Start) -> None:
    with start(threads=THREADS).client() as client:
        task = make_task(client, make_run(client), inputData=LARGER)
        change = client.patch(f"/tasks/{task['id']}", json={"status": "retrying"})
        assert ok(change, 200)["retryCount"] == 1
        assert client.get(f"/tasks/{task['id']}").json() == change.json()
