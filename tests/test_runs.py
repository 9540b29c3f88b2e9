"""Runs: created, read, changed and listed."""

import httpx

from tests.conftest import make_run, ok


def test_new_run_is_pending_and_empty(client: httpx.Client) -> None:
    run = make_run(client, {"a": 1}, metadata={"by": "me"})
    assert run["status"] == "pending"
    assert run["orgId"] == "acme"
    assert (run["totalTasks"], run["completedTasks"], run["failedTasks"]) == (0, 0, 0)
    assert ok(client.get(f"/runs/{run['id']}")) == run
