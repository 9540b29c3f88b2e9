"""A view whose transaction has lost to others is called again, with the same request."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from foreman.db.failures import EngineError, Failure
from tests.support.api import make_run
from tests.support.running import Running


@contextmanager
def losing(served: Running, times: int, failure: Failure = Failure.AGAIN) -> Iterator[list[int]]:
    """Let as many blocks fail before they begin; what is yielded has an item for each that was asked for."""
    write, asked = served.database.write, []

    def lose(**options: Any) -> Any:
        asked.append(1)
        if len(asked) <= times:
            raise EngineError(failure, "lost to others")
        return write(**options)

    with patch.object(served.database, "write", lose):
        yield asked


@pytest.mark.parametrize("times", [1, 4])
def test_a_body_is_there_when_a_view_is_called_again(served: Running, client: httpx.Client, times: int) -> None:
    with losing(served, times):
        created = client.post("/runs", json={"inputData": {"number": 7}})
    assert created.status_code == 201
    assert client.get(f"/runs/{created.json()['id']}").json()["inputData"] == {"number": 7}


def test_a_large_body_is_there_when_a_view_is_called_again(served: Running, client: httpx.Client) -> None:
    large = "x" * 2_000_000
    with losing(served, 1):
        assert client.post("/runs", json={"inputData": large}).json()["inputData"] == large


def test_a_change_is_made_when_a_view_is_called_again(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with losing(served, 1):
        assert client.patch(f"/runs/{run['id']}", json={"status": "running"}).json()["status"] == "running"


def test_a_view_that_loses_again_and_again_is_a_503(served: Running, client: httpx.Client) -> None:
    with losing(served, 1000) as asked:
        refused = client.post("/runs", json={"inputData": {}})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert len(asked) == 5


def test_a_view_that_fails_for_another_reason_is_not_called_again(served: Running, client: httpx.Client) -> None:
    with losing(served, 1, Failure.LOCKED) as asked:
        assert client.post("/runs", json={"inputData": {}}).status_code == 503
    assert len(asked) == 1
