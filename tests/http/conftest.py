"""What the tests of this room share."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.api import make_run, make_task, ok, put_data
from tests.support.running import Running


@pytest.fixture
def client(served: Running) -> Iterator[httpx.Client]:
    """The organisation acme, with a key that may do everything."""
    with served.client("acme", admin=True) as client:
        yield client


@pytest.fixture
def ids(client: httpx.Client) -> dict[str, str]:
    """One of everything, by the names that routes give their parts."""
    run = make_run(client)
    task = make_task(client, run)
    data_id, key_id = put_data(client, task, "key")["id"], ok(client.post("/keys", json={}), 201)["id"]
    return {"run_id": run["id"], "task_id": task["id"], "data_id": data_id, "key_id": key_id}
