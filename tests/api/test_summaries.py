"""`view=summary` has the sizes of payloads in their place, and everything else as it is."""

from typing import Any

import httpx
import pytest

from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data

# To the letter, and how many bytes they are.
SENT = {"null": 4, '"é日😀"': 11, "1.10": 4, '{"a" : [ ]}': 11, '"\\ud83d"': 8}


def without_payloads(thing: Json, **sizes: int | None) -> Json:
    kept = {name: value for name, value in thing.items() if f"{name}Bytes" not in sizes}
    return {**kept, **sizes}


@pytest.mark.parametrize("sent", SENT)
def test_summary_has_sizes_for_payloads(client: httpx.Client, sent: str) -> None:
    body = '{"inputData": %s, "metadata": {"team": "ml"}}' % sent  # noqa: UP031
    run = ok(client.post("/runs", content=body, headers={"Content-Type": "application/json"}), 201)
    size = SENT[sent]
    expected = without_payloads(run, inputDataBytes=size, outputDataBytes=None, errorDataBytes=None)
    assert ok(client.get(f"/runs/{run['id']}", params={"view": "summary"})) == expected
    assert ok(client.get("/runs", params={"view": "summary"}))["items"] == [expected]
    assert expected["metadata"] == {"team": "ml"}


def test_every_resource_has_a_summary(client: httpx.Client) -> None:
    run = ok(client.patch(f"/runs/{make_run(client, 'in')['id']}", json={"outputData": [1], "errorData": "no"}))
    task = make_task(client, run, inputData=[1, 2])
    task = ok(client.patch(f"/tasks/{task['id']}", json={"outputData": "done", "status": "completed"}))
    entry = put_data(client, task, "key", {"a": 1}, tags=["red"])
    data = f"/runs/{run['id']}/data"
    run = ok(client.get(f"/runs/{run['id']}"))
    summaries: list[tuple[str, str, Json, Json]] = [
        ("/runs", f"/runs/{run['id']}", run, {"inputDataBytes": 4, "outputDataBytes": 3, "errorDataBytes": 4}),
        ("/tasks", f"/tasks/{task['id']}", task, {"inputDataBytes": 5, "outputDataBytes": 6, "errorDataBytes": None}),
        (data, f"{data}/{entry['id']}", entry, {"valueBytes": 7}),
    ]
    for path, one, thing, sizes in summaries:
        expected = without_payloads(thing, **sizes)
        for query in ({}, {"cursor": ""}, {"count": "false"}):
            body = ok(client.get(path, params={"view": "summary", **query}))
            assert body["items" if "items" in body else "data"] == [expected]
        summary = ok(client.get(one, params={"view": "summary"}))
        assert summary == expected
        order = [name.removesuffix("Bytes") for name in summary]
        assert order == list(thing)
        assert ok(client.get(one, params={"view": "full"})) == thing == ok(client.get(one))
        assert_error(client.get(one, params={"view": "none"}), 400, "view")
        assert_error(client.get(one, params={"view": "summary", "cursor": ""}), 400, "cursor")


def test_null_where_there_is_no_payload_leaves_it_so_also_beside_a_change(client: httpx.Client) -> None:
    run = make_run(client)
    alone, in_a_batch = make_task(client, run), make_task(client, run)
    change = {"status": "running", "outputData": None, "errorData": None}
    ok(client.patch(f"/runs/{run['id']}", json=change))
    ok(client.patch(f"/tasks/{alone['id']}", json=change))
    ok(client.patch("/tasks/batch", json={"items": [{"id": in_a_batch["id"], **change}]}))
    for path in (f"/runs/{run['id']}", f"/tasks/{alone['id']}", f"/tasks/{in_a_batch['id']}"):
        summary = ok(client.get(path, params={"view": "summary"}))
        assert (summary["status"], summary["outputDataBytes"], summary["errorDataBytes"]) == ("running", None, None)


def test_summary_of_a_page_whose_payloads_would_be_too_large_is_served(client: httpx.Client) -> None:
    large: Any = "x" * 9_000_000
    runs = [make_run(client, large) for _ in range(4)]
    assert_error(client.get("/runs", params={"limit": 4}), 400, "limit")
    items = ok(client.get("/runs", params={"limit": 4, "view": "summary"}))["items"]
    assert [item["id"] for item in items] == [run["id"] for run in reversed(runs)]
    assert {item["inputDataBytes"] for item in items} == {9_000_002}


def test_summary_of_what_does_not_exist_is_not_found(client: httpx.Client, rival: httpx.Client) -> None:
    run = make_run(client)
    entry = put_data(client, make_task(client, run), "key")
    for path in (f"/runs/{run['id']}", f"/tasks/{entry['taskId']}", f"/runs/{run['id']}/data/{entry['id']}"):
        ok(client.get(path, params={"view": "summary"}))
        assert_error(rival.get(path, params={"view": "summary"}), 404)
