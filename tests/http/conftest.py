"""What the tests of this room share."""

import httpx
import pytest

from tests.support.api import make_run, make_task, put_data


@pytest.fixture
def ids(client: httpx.Client) -> dict[str, str]:
    """One of everything, by the names that routes give their parts."""
    run = make_run(client)
    task = make_task(client, run)
    return {"run_id": run["id"], "task_id": task["id"], "data_id": put_data(client, task, "key")["id"]}
