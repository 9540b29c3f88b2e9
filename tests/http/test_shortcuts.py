"""Shortcuts that make requests fast change no answer: schemas load what is given, and statements are built once."""

import random
from contextlib import suppress
from typing import Any

import httpx
import pytest
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from foreman.api import runs, tasks
from foreman.api.lists.run_list import ListRuns
from foreman.api.lists.task_list import ListTasks
from foreman.http import schemas
from foreman.http.paging import statements
from tests.support.api import UNKNOWN_ID, assert_error, ok
from tests.support.proof import much
from tests.support.running import Running
from tests.support.statuses import RUN_STATUSES
from tests.support.wire import Wire

TIMES = [f"{of}{end}" for of in ("created", "updated", "started", "completed") for end in ("After", "Before")]

# What may be given of each parameter. Empty ones count as absent.
VALUES: dict[str, list[str]] = {
    "limit": ["1", "100", "0", "x"],
    "offset": ["0", "5", "-1"],
    "sortBy": ["created_at", "updated_at", "started_at", "completed_at", "size"],
    "sortOrder": ["asc", "desc", ""],
    "cursor": ["", "abc"],
    "count": ["true", "false"],
    "view": ["full", "summary"],
    "status": ["pending", "pending,failed", "failed,pending,failed", "", ",".join(RUN_STATUSES), "none"],
    "ids": [UNKNOWN_ID, f"{UNKNOWN_ID},{UNKNOWN_ID}", "", "x"],
    "externalId": ["a", "none", "?", ""],
    "tags": ["a", "a,b", "a,b,c", ""],
    "tagStartsWith": ["a", "a,b", ""],
    "tagMode": ["any", "all"],
    "metadata.team": ["a", "b"],
    "metadata.n": ["1"],
    "type": ["a", "none", ""],
    "types": ["a", "a,b", "a,b,c"],
    "runId": [UNKNOWN_ID],
    "parentTaskId": [UNKNOWN_ID, "none"],
    **{name: ["2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"] for name in TIMES},
}


def some_parameters(chance: random.Random, schema: type[schemas.Query]) -> MultiDict[str, str]:
    known = schema()
    names = [name for name in VALUES if known.knows(name)]
    chosen = chance.sample(names, chance.randrange(6))
    return MultiDict((name, chance.choice(VALUES[name])) for name in chosen)


@pytest.mark.parametrize("schema", [ListRuns, ListTasks])
def test_schema_that_loads_only_what_is_given_loads_the_same(schema: type[schemas.Query]) -> None:
    chance, loader = random.Random(1), schema()
    right = 0
    for _ in range(2000):
        given = some_parameters(chance, schema)
        try:
            expected = loader.load(given)
        except ValidationError as error:
            with pytest.raises(ValidationError) as raised:
                loader.load_given(given)
            assert raised.value.normalized_messages() == error.normalized_messages()
        else:
            assert loader.load_given(given) == expected
            right += 1
    assert 200 < right < 2000
    assert loader.load_none() == loader.load(MultiDict())


@pytest.mark.parametrize("schema", [ListRuns, ListTasks])
def test_schema_keeps_a_limited_number_of_narrower_ones(schema: type[schemas.Query]) -> None:
    chance, loader = random.Random(2), schema()
    for _ in range(3000):
        with suppress(ValidationError):
            loader.load_given(some_parameters(chance, schema))
    assert len(loader._narrowed) == schemas._MOST_NARROWED


@pytest.mark.parametrize(
    ("schema", "select", "others"), [(ListRuns, runs._select_page, ()), (ListTasks, tasks._select_page, ("",))]
)
def test_statement_that_is_built_once_is_that_of_the_same_parameters(
    served: Running, schema: type[schemas.Query], select: Any, others: tuple[str, ...]
) -> None:
    chance, loader = random.Random(3), schema()
    with served.app.app_context():
        for _ in range(much(5000, 1500)):
            try:
                wanted = loader.load_given(some_parameters(chance, schema))
            except ValidationError:
                continue
            assert select(wanted, *others) == select.__wrapped__(wanted, *others), wanted


def test_limited_number_of_statements_is_kept(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "_MOST", 2)
    built = []

    @statements.built_once
    def build(wanted: dict[str, Any]) -> str:
        built.append(wanted)
        return str(sorted(wanted))

    with served.app.app_context():
        for _ in range(2):
            assert [build({name: "x"}) for name in "abc"] == ["['a']", "['b']", "['c']"]
    assert built == [{"a": "?"}, {"b": "?"}, {"c": "?"}, {"c": "?"}]


def test_host_that_is_refused_is_refused_each_time_and_another_is_not(served: Running) -> None:
    for _ in range(2):
        for host, status in (("x" * 300, 400), ("localhost", 200)):
            with Wire(served) as wire:
                wire.send_all(f"GET /api/v1/runs HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {wire.key}\r\n\r\n".encode())
                assert wire.receive().status == status


def test_query_without_parameters_is_that_of_the_defaults(client: httpx.Client) -> None:
    assert client.get("/runs").content == client.get("/runs?").content == client.get("/runs?limit=20").content
    assert_error(client.request("DELETE", f"/runs/{UNKNOWN_ID}/data"), 400, "key")
    assert ok(client.get("/tasks?limit=1"))["limit"] == 1
    assert ok(client.get("/tasks"))["limit"] == 20
