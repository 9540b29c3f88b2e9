"""Many acts over filters: how many may be under way, whose turn it is, and how they are listed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.api.acts import steps as act_steps
from foreman.api.acts import stored
from foreman.background import acts
from foreman.background.act_queue import Queue
from foreman.db.engine import Transaction
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok
from tests.support.running import Running, running
from tests.support.waiting import until


def ask(client: httpx.Client, **query: Any) -> Json:
    """An act that changes nothing."""
    return ok(client.post("/runs/cancel", params={"ids": UNKNOWN_ID, "expect": 0, **query}), 202)


def all_completed(client: httpx.Client) -> bool:
    return not ok(client.get("/acts", params={"status": "running"}))["items"]


@pytest.fixture
def waiting(served: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """As long as this is not undone, no act is carried out."""
    monkeypatch.setattr(acts, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(served.database, "leads", lambda: False)
    yield monkeypatch


# How many -----------------------------------------------------------------------------------------------------------


def test_organisation_that_has_a_hundred_acts_under_way_may_not_ask_for_another(
    client: httpx.Client, rival: httpx.Client, waiting: pytest.MonkeyPatch
) -> None:
    task = make_task(client, make_run(client))
    for _ in range(100):
        ask(client)
    refused = assert_error(client.post("/tasks/cancel", params={"expect": 1}), 409)
    assert refused == {
        "error": "100 acts are under way, which is the most at a time: wait until one is completed",
        "details": [],
        "code": "conflict",
    }
    ask(rival)
    waiting.undo()
    until(lambda: all_completed(client))
    ok(client.post("/tasks/cancel", params={"expect": 1}), 202)
    until(lambda: ok(client.get(f"/tasks/{task['id']}"))["status"] == "cancelled")


def test_act_that_was_asked_for_with_a_key_is_asked_for_again_while_too_many_are_under_way(
    client: httpx.Client, waiting: pytest.MonkeyPatch
) -> None:
    waiting.setattr(stored, "MOST_UNFINISHED", 2)
    once, other = {"Idempotency-Key": "once"}, {"Idempotency-Key": "other"}
    path = "/runs/cancel?expect=0"
    first = client.post(path, headers=once)
    ask(client)
    again = client.post(path, headers=once)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert ok(again, 202) == ok(first, 202)
    assert_error(client.post(path, headers=other), 409)
    waiting.undo()
    until(lambda: all_completed(client))
    assert "Idempotency-Replayed" not in (then := client.post(path, headers=other)).headers
    assert ok(then, 202)["id"] != ok(first, 202)["id"]


def test_requests_at_once_are_not_given_more_acts_than_there_may_be(
    served: Running, client: httpx.Client, waiting: pytest.MonkeyPatch
) -> None:
    waiting.setattr(stored, "MOST_UNFINISHED", 5)

    def status_of(number: int) -> int:
        headers = {"Idempotency-Key": f"{number}"} if number % 2 else {}
        with served.client() as own:
            return own.post("/runs/cancel", params={"expect": 0}, headers=headers).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(status_of, range(24)))
    assert sorted(statuses) == [202] * 5 + [409] * 19
    assert len(ok(client.get("/acts"))["items"]) == 5


# Listing ------------------------------------------------------------------------------------------------------------


def pages_of(client: httpx.Client, **query: Any) -> list[Json]:
    """The items of all pages."""
    items: list[Json] = []
    cursor: str | None = ""
    while cursor is not None:
        response = client.get("/acts", params={**query, "cursor": cursor})
        page = ok(response)
        assert page["limit"] == query["limit"] >= len(page["items"])
        assert ("Link" in response.headers) == (page["nextCursor"] is not None)
        items, cursor = items + page["items"], page["nextCursor"]
    return items


def test_acts_are_listed_in_pages_newest_first(client: httpx.Client, rival: httpx.Client) -> None:
    asked = [ask(client)["id"] for _ in range(7)]
    ask(rival)
    until(lambda: all_completed(client))
    for limit in (1, 3, 7, 100):
        assert [act["id"] for act in pages_of(client, limit=limit)] == asked[::-1]
    first = ok(client.get("/acts"))
    assert (len(first["items"]), first["limit"], first["nextCursor"]) == (7, 20, None)


def test_next_page_is_linked_to(client: httpx.Client) -> None:
    asked = [ask(client)["id"] for _ in range(3)]
    response = client.get("/acts?limit=2")
    assert response.links["next"]["url"] == f"?limit=2&cursor={ok(response)['nextCursor']}"
    following = ok(client.get("/acts" + response.links["next"]["url"]))
    assert [act["id"] for act in following["items"]] == asked[:1]
    assert following["nextCursor"] is None


def test_acts_are_listed_by_status(client: httpx.Client, waiting: pytest.MonkeyPatch) -> None:
    running = [ask(client)["id"] for _ in range(5)]
    assert [act["id"] for act in pages_of(client, limit=2, status="running")] == running[::-1]
    assert ok(client.get("/acts", params={"status": "completed"}))["items"] == []
    waiting.undo()
    until(lambda: all_completed(client))
    assert [act["id"] for act in pages_of(client, limit=2, status="completed")] == running[::-1]
    for query in ("", "completed,running"):
        assert [act["id"] for act in pages_of(client, limit=2, status=query)] == running[::-1]
    assert_error(client.get("/acts", params={"status": "over"}), 400, "status")


def test_cursor_of_another_list_of_acts_is_refused(client: httpx.Client, rival: httpx.Client) -> None:
    for each in (client, rival):
        for _ in range(2):
            ask(each)
    cursor = ok(client.get("/acts", params={"limit": 1}))["nextCursor"]
    assert_error(rival.get("/acts", params={"cursor": cursor}), 400, "cursor")
    assert_error(client.get("/acts", params={"cursor": cursor, "status": "completed"}), 400, "cursor")
    for forged in (cursor[:-1], cursor + "A", "x", "😀", "x" * 10_000):
        assert_error(client.get("/acts", params={"cursor": forged}), 400, "cursor")


# Whose turn it is ---------------------------------------------------------------------------------------------------


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the acts whose turn has come."""
    ids, carry_out = list[str](), acts.carry_out

    def note(database: Any, act: acts.Act, *arguments: Any) -> None:
        ids.append(act.id)
        carry_out(database, act, *arguments)

    monkeypatch.setattr(acts, "carry_out", note)
    return ids


def test_oldest_act_of_each_organisation_comes_before_the_second_of_any(
    served: Running, client: httpx.Client, rival: httpx.Client, monkeypatch: pytest.MonkeyPatch, carried_out: list[str]
) -> None:
    with monkeypatch.context() as waiting, served.client("third") as third:
        waiting.setattr(served.database, "leads", lambda: False)
        ours = [ask(client)["id"] for _ in range(4)]
        theirs = [ask(rival)["id"] for _ in range(2)]
        last = ask(third)["id"]
    until(lambda: all_completed(client) and all_completed(rival))
    assert carried_out == [ours[0], theirs[0], last, ours[1], theirs[1], *ours[2:]]


def test_act_that_is_asked_for_while_others_have_many_under_way_is_next(
    served: Running, client: httpx.Client, rival: httpx.Client, monkeypatch: pytest.MonkeyPatch, carried_out: list[str]
) -> None:
    find, asked = act_steps.Work.find, list[str]()

    def find_and_ask(*arguments: Any) -> Any:
        if not asked:
            asked.append(ask(rival)["id"])
        return find(*arguments)

    with monkeypatch.context() as waiting:
        waiting.setattr(served.database, "leads", lambda: False)
        ours = [ask(client)["id"] for _ in range(4)]
        monkeypatch.setattr(act_steps.Work, "find", find_and_ask)
    until(lambda: all_completed(client) and all_completed(rival))
    assert carried_out == [ours[0], *asked, *ours[1:]]


def test_act_that_fails_comes_again_behind_the_others_that_there_were_then() -> None:
    queue = Queue()
    unfinished = [(1, "ours"), (2, "ours"), (3, "ours"), (4, "theirs")]
    assert queue.next(unfinished) == 1
    queue.failed(1, 0.0)
    assert queue.next(unfinished) == 4
    queue.failed(4, 60.0)
    unfinished.append((5, "ours"))
    order = []
    while (seq := queue.next(unfinished)) is not None:
        order.append(seq)
        unfinished = [each for each in unfinished if each[0] != seq]
    assert order == [2, 3, 1, 5]
    assert unfinished == [(4, "theirs")]
    assert queue.next([]) is None


# Finding ------------------------------------------------------------------------------------------------------------

# It takes long enough to be interrupted.
SLOW = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) SELECT count(*) FROM n"


def test_what_an_act_is_about_is_found_although_that_takes_longer_than_the_timeout_of_reads(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(client, make_run(client))
    find, begun, found = act_steps.Work.find, threading.Event(), list[int]()

    def find_slowly(work: act_steps.Work, tx: Transaction, position: str) -> Any:
        begun.set()
        found.append(tx.value(SLOW, most=300_000))
        return find(work, tx, position)

    monkeypatch.setattr(act_steps.Work, "find", find_slowly)
    act = ok(client.post("/tasks/cancel", params={"expect": 1}), 202)
    assert begun.wait(10)

    def found_although_interrupted() -> list[int]:
        served.database.interrupt_reads(0.0)
        return found

    assert until(found_although_interrupted) == [300_000]
    assert until(lambda: ok(client.get(f"/tasks/{task['id']}"))["status"] == "cancelled")
    assert until(lambda: ok(client.get(f"/acts/{act['id']}"))["changed"]) == 1


def test_server_that_stops_interrupts_the_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun = threading.Event()

    def find_for_ever(_work: act_steps.Work, tx: Transaction, _position: str) -> Any:
        begun.set()
        return tx.value(SLOW, most=10**12)

    monkeypatch.setattr(acts, "ENDING", 0.1)
    monkeypatch.setattr(acts, "INTERRUPTION", 20.0)
    monkeypatch.setattr(act_steps.Work, "find", find_for_ever)
    with running(tmp_path / "foreman.db") as served, served.client() as client:
        ask(client)
        assert begun.wait(10)
    assert not [record.message for record in caplog.records if "Act" in record.message or "act" in record.message]
