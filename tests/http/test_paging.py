"""Pages are in order whatever order SQLite happens to find their rows in."""

import sqlite3
from functools import partial
from typing import Any

import httpx
import pytest

from tests.support.api import Json, make_run, make_task, ok, put_data
from tests.support.running import Start


class Contrary(sqlite3.Connection):
    """A connection whose statements without an order of their own answer backwards."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute("PRAGMA reverse_unordered_selects = ON")


@pytest.fixture
def client(start: Start, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Contrary))
    with start().client() as client:
        yield client


def ids(client: httpx.Client, path: str, **query: Any) -> list[str]:
    body = ok(client.get(path, params=query))
    return [each["id"] for each in body["items" if "items" in body else "data"]]


@pytest.fixture
def made(client: httpx.Client) -> dict[str, list[Json]]:
    """Five of each kind, in the order in which they were made; the second and the fourth have begun."""
    runs = [make_run(client, number) for number in range(5)]
    tasks = [make_task(client, runs[0]) for _ in range(5)]
    entries = [put_data(client, tasks[0], f"k{number}") for number in range(5)]
    for number in (1, 3):
        ok(client.patch(f"/runs/{runs[number]['id']}", json={"status": "running"}))
        ok(client.patch(f"/tasks/{tasks[number]['id']}", json={"status": "running"}))
    return {"/runs": runs, "/tasks": tasks, f"/runs/{runs[0]['id']}/data": entries}


@pytest.mark.parametrize("include_all", ["true", "false"])
def test_pages_are_in_the_order_asked_for(client: httpx.Client, made: dict[str, list[Json]], include_all: str) -> None:
    for path, things in made.items():
        wanted = [each["id"] for each in things]
        for query in ({}, {"sortBy": "key"} if path.endswith("/data") else {"status": "pending,running"}):
            asked: dict[str, Any] = {**query, **({"includeAll": include_all} if path.endswith("/data") else {})}
            assert ids(client, path, **asked, sortOrder="asc") == wanted
            assert ids(client, path, **asked, sortOrder="desc") == wanted[::-1]
            assert ids(client, path, **asked, sortOrder="desc", limit=2, offset=1) == wanted[::-1][1:3]


@pytest.mark.parametrize("path", ["/runs", "/tasks"])
def test_rows_without_a_value_come_last_in_either_order(
    client: httpx.Client, made: dict[str, list[Json]], path: str
) -> None:
    first, second, third, fourth, fifth = (each["id"] for each in made[path])
    assert ids(client, path, sortBy="started_at", sortOrder="asc") == [second, fourth, first, third, fifth]
    assert ids(client, path, sortBy="started_at", sortOrder="desc") == [fourth, second, fifth, third, first]
