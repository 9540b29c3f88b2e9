"""Acts over a filter: all tasks or runs that meet it are cancelled or retried, in the background, each once."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.api.acts import steps as act_steps
from foreman.background import acts
from foreman.clock import now_ms
from foreman.db.failures import EngineError, Failure
from foreman.http.errors import NotReady
from foreman.maintenance.gentle_writes import Stopped
from tests.support.api import UNKNOWN_ID, UUID7, Json, assert_error, change_task, make_run, make_task, ok
from tests.support.contents import violations_in
from tests.support.running import Running, Start, running
from tests.support.statuses import ENDED, RUN_STATUSES, TASK_STATUSES
from tests.support.waiting import until


def ask(client: httpx.Client, path: str, expect: int, **query: Any) -> Json:
    """The act, as it is when it has been asked for."""
    return ok(client.post(path, params={**query, "expect": expect}), 202)


def completed(client: httpx.Client, act: Json) -> Json:
    """The act once it is completed."""
    path = f"/acts/{act['id']}"
    return until(lambda: now if (now := ok(client.get(path)))["status"] == "completed" else None)


def carry_out(client: httpx.Client, path: str, expect: int, **query: Any) -> int:
    """Let an act be carried out; return how many it has changed."""
    return int(completed(client, ask(client, path, expect, **query))["changed"])


def statuses(client: httpx.Client, tasks: list[Json]) -> list[str]:
    return [ok(client.get(f"/tasks/{task['id']}"))["status"] for task in tasks]


def tasks_with(client: httpx.Client, run: Json, *each: str, **fields: Any) -> list[Json]:
    return [change_task(client, make_task(client, run, **fields), status=status) for status in each]


@pytest.fixture(params=[1, 3, 50])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Steps of so many tasks, and few that are found at once."""
    for name, kind in act_steps.KINDS.items():
        if kind.table == "task":
            monkeypatch.setitem(act_steps.KINDS, name, kind._replace(at_once=request.param))
    monkeypatch.setattr(act_steps, "AT_ONCE", request.param)
    monkeypatch.setattr(act_steps, "FOUND_AT_ONCE", request.param + 1)
    yield


# Asking -------------------------------------------------------------------------------------------------------------


def test_act_is_accepted_and_shows_how_far_it_is(client: httpx.Client) -> None:
    run = make_run(client)
    tasks_with(client, run, "failed", "failed", "completed")
    response = client.post("/tasks/retry", params={"status": "failed", "runId": run["id"], "expect": 2})
    act = ok(response, 202)
    assert UUID7.fullmatch(act["id"])
    assert response.headers["Location"] == f"/api/v1/acts/{act['id']}"
    assert act == {
        "id": act["id"],
        "kind": "retry_tasks",
        "filter": {"status": "failed", "runId": run["id"]},
        "expected": 2,
        "changed": 0,
        "status": "running",
        "createdAt": act["createdAt"],
        "updatedAt": act["createdAt"],
        "completedAt": None,
    }
    then = completed(client, act)
    assert then == {
        **act,
        "changed": 2,
        "status": "completed",
        "updatedAt": then["completedAt"],
        "completedAt": then["completedAt"],
    }


@pytest.mark.parametrize("path", ["/tasks/cancel", "/tasks/retry", "/runs/cancel", "/runs/retry"])
def test_nothing_is_done_if_another_number_meets_the_filter(client: httpx.Client, path: str) -> None:
    run = make_run(client)
    tasks_with(client, run, "failed")
    ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"}))
    before = ok(client.get("/tasks")), ok(client.get("/runs"))
    for expect in (0, 2, 10**18):
        refused = assert_error(client.post(path, params={"status": "failed", "expect": expect}), 409)
        assert refused["error"] == f"1 {path.split('/')[1]} meet the filter, and not {expect}: nothing is done"
    assert ok(client.get("/acts"))["items"] == []
    assert (ok(client.get("/tasks")), ok(client.get("/runs"))) == before


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({}, ["expect"]),
        ({"expect": ""}, ["expect"]),
        ({"expect": "many"}, ["expect"]),
        ({"expect": -1}, ["expect"]),
        ({"expect": 0, "status": "over"}, ["status"]),
        ({"expect": 0, "ids": "one"}, ["ids"]),
        ({"expect": 0, "stauts": "failed"}, ["stauts"]),
        ({"expect": 0, "limit": 5}, ["limit"]),
        ({"expect": 0, "sortBy": "created_at"}, ["sortBy"]),
    ],
)
def test_wrong_filter_is_refused(client: httpx.Client, query: Json, fields: list[str]) -> None:
    assert_error(client.post("/tasks/cancel", params=query), 400, *fields)


@pytest.mark.parametrize(
    ("path", "query", "fields"),
    [
        ("/tasks/cancel", "externalId=", ["externalId"]),
        ("/tasks/retry", "type=&tags=", ["type", "tags"]),
        ("/runs/cancel", "status=,&ids=&tagStartsWith=a", ["status", "ids"]),
        ("/runs/retry", "metadata.team=", ["metadata.team"]),
    ],
)
def test_empty_filter_is_refused_because_it_would_meet_everything(
    client: httpx.Client, path: str, query: str, fields: list[str]
) -> None:
    task = make_task(client, make_run(client))
    assert_error(client.post(f"{path}?{query}&expect=1"), 400, *fields)
    assert ok(client.get("/acts"))["items"] == []
    assert ok(client.get(f"/tasks/{task['id']}")) == task


def test_tag_of_one_thing_does_not_go_with_an_act_on_many(client: httpx.Client) -> None:
    make_run(client)
    assert_error(client.post("/runs/cancel?expect=1", headers={"If-Match": '"a"'}), 400, "If-Match")
    assert ok(client.get("/acts"))["items"] == []


def test_act_of_another_organisation_is_not_found_and_changes_nothing_here(
    client: httpx.Client, rival: httpx.Client
) -> None:
    ours, theirs = make_task(client, make_run(client)), make_task(rival, make_run(rival))
    act = completed(rival, ask(rival, "/tasks/cancel", 1))
    assert_error(client.get(f"/acts/{act['id']}"), 404)
    assert_error(client.get(f"/acts/{UNKNOWN_ID}"), 404)
    assert ok(client.get("/acts"))["items"] == []
    assert statuses(client, [ours]) == ["pending"]
    assert statuses(rival, [theirs]) == ["cancelled"]
    assert carry_out(client, "/tasks/cancel", 0, runId=theirs["runId"]) == 0
    assert carry_out(client, "/tasks/retry", 0, ids=theirs["id"]) == 0
    assert statuses(rival, [theirs]) == ["cancelled"]


def test_others_write_while_what_meets_the_filter_is_counted(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks_with(client, make_run(client), "failed")
    count, meanwhile = act_steps.count, list[Json]()

    def count_slowly(*arguments: Any) -> int:
        writing = threading.Thread(target=lambda: meanwhile.append(make_run(writer)))
        writing.start()
        writing.join(5)
        return count(*arguments)

    monkeypatch.setattr("foreman.api.acts.endpoints.count", count_slowly)
    for headers in ({}, {"Idempotency-Key": "once"}):
        meanwhile.clear()
        with served.client() as writer:
            ok(client.post("/tasks/cancel", params={"expect": 1}, headers=headers), 202)
            assert len(meanwhile) == 1


def test_act_that_is_asked_for_again_with_its_idempotency_key_is_the_same_whatever_meets_the_filter_by_then(
    client: httpx.Client,
) -> None:
    tasks_with(client, make_run(client), "failed", "failed")
    asked: dict[str, Any] = {
        "params": {"status": "failed", "expect": 2},
        "headers": {"Idempotency-Key": "once"},
    }
    act = completed(client, ok(client.post("/tasks/retry", **asked), 202))
    assert ok(client.post("/tasks/retry", **asked), 202)["id"] == act["id"]
    assert len(ok(client.get("/acts"))["items"]) == 1


def test_acts_are_listed_newest_first(client: httpx.Client) -> None:
    asked = [ask(client, "/runs/cancel", 0)["id"] for _ in range(5)]
    assert [act["id"] for act in ok(client.get("/acts"))["items"]] == asked[::-1]
    assert [act["id"] for act in ok(client.get("/acts?limit=2"))["items"]] == asked[:2:-1]
    assert_error(client.get("/acts?limit=0"), 400, "limit")


# What they do -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_once")
def test_all_tasks_that_meet_the_filter_and_have_not_ended_are_cancelled(served: Running, client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    tasks = tasks_with(client, run, *TASK_STATUSES, *TASK_STATUSES)
    others = tasks_with(client, other, *TASK_STATUSES)
    assert carry_out(client, "/tasks/cancel", len(tasks), runId=run["id"]) == 8
    assert statuses(client, tasks) == [task["status"] if task["status"] in ENDED else "cancelled" for task in tasks]
    assert statuses(client, others) == list(TASK_STATUSES)
    assert ok(client.get(f"/runs/{run['id']}"))["cancelledTasks"] == 10
    assert violations_in(served.location) == []


@pytest.mark.usefixtures("at_once")
def test_all_failed_and_cancelled_tasks_that_meet_the_filter_are_retried(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    tasks = tasks_with(client, run, *TASK_STATUSES, *TASK_STATUSES, type="a")
    others = tasks_with(client, run, *TASK_STATUSES, type="b")
    assert carry_out(client, "/tasks/retry", len(tasks), type="a") == 4
    for task in tasks:
        after = ok(client.get(f"/tasks/{task['id']}"))
        is_retried = task["status"] in ("failed", "cancelled")
        assert after["status"] == ("pending" if is_retried else task["status"])
        assert after["retryCount"] == task["retryCount"] + is_retried
    assert statuses(client, others) == list(TASK_STATUSES)
    assert violations_in(served.location) == []


@pytest.mark.usefixtures("at_once")
def test_all_runs_that_meet_the_filter_and_have_not_ended_are_cancelled_with_their_tasks(
    served: Running, client: httpx.Client
) -> None:
    runs = [make_run(client) for _ in RUN_STATUSES]
    tasks = [tasks_with(client, run, *TASK_STATUSES) for run in runs]
    for run, status in zip(runs[1:], RUN_STATUSES[1:], strict=True):
        ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
    assert carry_out(client, "/runs/cancel", 5) == 2
    for run, of_run, status in zip(runs, tasks, RUN_STATUSES, strict=True):
        after = ok(client.get(f"/runs/{run['id']}"))
        assert after["status"] == (status if status in ENDED else "cancelled")
        assert after["cancelledTasks"] == (1 if status in ENDED else 5)
        assert statuses(client, of_run).count("failed") == 1
    assert violations_in(served.location) == []


@pytest.mark.usefixtures("at_once")
def test_all_failed_and_cancelled_runs_that_meet_the_filter_are_retried_with_their_failed_tasks(
    served: Running, client: httpx.Client
) -> None:
    runs = [make_run(client) for _ in RUN_STATUSES]
    for run, status in zip(runs, RUN_STATUSES, strict=True):
        tasks_with(client, run, *TASK_STATUSES, "failed", "failed")
        if status != "pending":
            ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
    assert carry_out(client, "/runs/retry", 2, status="failed,completed") == 1
    for run, status in zip(runs, RUN_STATUSES, strict=True):
        after = ok(client.get(f"/runs/{run['id']}"))
        assert after["status"] == ("running" if status == "failed" else status)
        assert after["failedTasks"] == (0 if status == "failed" else 3)
    assert violations_in(served.location) == []


def test_strict_runs_keep_what_has_ended(client: httpx.Client) -> None:
    run = make_run(client, strict=True)
    tasks = tasks_with(client, run, *TASK_STATUSES)
    ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"}))
    assert carry_out(client, "/tasks/retry", 7) == 0
    assert carry_out(client, "/runs/retry", 1) == 0
    assert statuses(client, tasks) == list(TASK_STATUSES)
    assert carry_out(client, "/tasks/cancel", 7) == 4


@pytest.mark.parametrize("status", ["completed", "completed,failed"])
def test_filter_that_only_what_stays_meets_changes_nothing(client: httpx.Client, status: str) -> None:
    tasks_with(client, make_run(client), "completed", "failed", "running")
    assert carry_out(client, "/tasks/cancel", len(status.split(",")), status=status) == 0


def test_tasks_are_chosen_by_any_filter_of_their_list(client: httpx.Client) -> None:
    run = make_run(client)
    parent = make_task(client, run, type="a")
    children = [make_task(client, run, type=type_, parentTaskId=parent["id"]) for type_ in "aab"]
    moment = children[1]["createdAt"]
    filters: list[Json] = [
        {"parentTaskId": parent["id"]},
        {"parentTaskId": "none"},
        {"ids": f"{parent['id']},{children[2]['id']}"},
        {"types": "a,b", "status": "pending,running"},
        {"createdAfter": moment},
        {"updatedBefore": "2020-01-01T00:00:00Z"},
        {"runId": run["id"], "type": "b"},
        {"runId": UNKNOWN_ID},
    ]
    for query in filters:
        meeting = ok(client.get("/tasks", params=query))
        acted = {task["id"] for task in meeting["items"]}
        assert carry_out(client, "/tasks/cancel", meeting["total"], **query) == len(acted)
        for task in (parent, *children):
            assert statuses(client, [task]) == ["cancelled" if task["id"] in acted else "pending"], query
            change_task(client, task, status="pending")


# Time ---------------------------------------------------------------------------------------------------------------


def test_what_is_created_after_the_act_is_left_alone(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the clock was set back meanwhile."""
    run = make_run(client)
    before = tasks_with(client, run, *["pending"] * 5)
    monkeypatch.setattr(served.database, "leads", lambda: False)
    act = ask(client, "/tasks/cancel", 5)
    after = tasks_with(client, run, *["pending"] * 5)
    monkeypatch.setattr("foreman.api.tasks.now_ms", lambda: 1)
    after += tasks_with(client, run, "pending")
    monkeypatch.undo()
    assert completed(client, act)["changed"] == 5
    assert statuses(client, before) == ["cancelled"] * 5
    assert statuses(client, after) == ["pending"] * 6


@pytest.mark.parametrize("path", ["/runs", "/tasks"])
def test_what_is_created_once_the_newest_is_deleted_is_left_alone(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    before, newest = make_run(client), make_run(client)
    tasks = [make_task(client, run) for run in (before, newest)]
    monkeypatch.setattr(served.database, "leads", lambda: False)
    act = ask(client, f"{path}/cancel", 2)
    ok(client.delete(f"/runs/{newest['id']}"))
    run = make_run(client)
    after = {"/runs": run, "/tasks": make_task(client, run)}[path]
    monkeypatch.undo()
    assert completed(client, act)["changed"] == 1
    there = {"/runs": before, "/tasks": tasks[0]}[path]
    assert ok(client.get(f"{path}/{there['id']}"))["status"] == "cancelled"
    assert ok(client.get(f"{path}/{after['id']}"))["status"] == "pending"


def test_what_no_longer_meets_the_filter_is_left_alone(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_with(client, make_run(client), "failed", "failed", "failed")
    monkeypatch.setattr(served.database, "leads", lambda: False)
    act = ask(client, "/tasks/retry", 3, status="failed")
    change_task(client, tasks[1], status="cancelled")
    monkeypatch.undo()
    assert completed(client, act)["changed"] == 2
    assert statuses(client, tasks) == ["pending", "cancelled", "pending"]


def test_nor_what_changes_after_it_was_found(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_with(client, make_run(client), "failed", "failed", "failed")
    find = act_steps.Work.find

    def found_before(*arguments: Any) -> Any:
        found = find(*arguments)
        change_task(client, tasks[1], status="cancelled")
        return found

    monkeypatch.setattr(act_steps.Work, "find", found_before)
    assert carry_out(client, "/tasks/retry", 3, status="failed") == 2
    assert statuses(client, tasks) == ["pending", "cancelled", "pending"]


def test_task_that_fails_again_while_its_run_is_retried_is_not_retried_again(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_steps, "AT_ONCE", 1)
    run = make_run(client)
    tasks = tasks_with(client, run, *["failed"] * 4)
    ok(client.patch(f"/runs/{run['id']}", json={"status": "failed"}))
    step, failing = act_steps.Work.step, list[str]()

    def fails_again(work: act_steps.Work, tx: Any, seqs: Any) -> Any:
        done = step(work, tx, seqs)
        tx.run("UPDATE task SET status = 'failed', completed_at = :now WHERE status = 'pending'", now=now_ms() + 60_000)
        failing.append("")
        return done

    monkeypatch.setattr(act_steps.Work, "step", fails_again)
    assert carry_out(client, "/runs/retry", 1) == 1
    assert len(failing) == 4
    assert [ok(client.get(f"/tasks/{task['id']}"))["retryCount"] for task in tasks] == [1] * 4


def test_acts_are_forgotten_a_week_after_they_were_completed(served: Running, client: httpx.Client) -> None:
    old, kept = (completed(client, ask(client, "/runs/cancel", 0)) for _ in range(2))
    with served.database.write() as tx:
        tx.run("UPDATE act SET completed_at = :then WHERE id = :id", then=now_ms() - acts.KEPT - 1, id=old["id"])
        tx.run("UPDATE act SET completed_at = :then WHERE id = :id", then=now_ms() - acts.KEPT + 60_000, id=kept["id"])
    acts.delete_old(served.database, now_ms() - acts.KEPT, threading.Event())
    assert [act["id"] for act in ok(client.get("/acts"))["items"]] == [kept["id"]]


# Failures -----------------------------------------------------------------------------------------------------------


def test_act_that_fails_is_tried_again_and_keeps_no_other_from_being_carried_out(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_with(client, make_run(client), "failed", "failed")
    step, failures = act_steps.Work.step, list[str]()

    def fail(work: act_steps.Work, tx: Any, seqs: Any) -> Any:
        done = step(work, tx, seqs)
        if work._kind.statuses == ("failed", "cancelled") and len(failures) < 2:
            failures.append("")
            raise RuntimeError
        return done

    monkeypatch.setattr(acts, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(act_steps.Work, "step", fail)
    failing = ask(client, "/tasks/retry", 2)
    assert carry_out(client, "/tasks/cancel", 2, status="failed") == 0
    assert completed(client, failing)["changed"] == 2
    assert len(failures) == 2
    assert statuses(client, tasks) == ["pending"] * 2


def test_act_whose_filter_is_not_known_any_more_ends(served: Running, client: httpx.Client) -> None:
    tasks = tasks_with(client, make_run(client), "failed")
    with served.database.write() as tx:
        tx.run(
            """
            INSERT INTO act (org_id, id, kind, filter, expected, position, created_at, updated_at)
            VALUES ('acme', :id, 'retry_tasks', '{"colour": "red", "status": "over"}', 1, '[9, 0, 0]', 1, 1)
            """,
            id=UNKNOWN_ID,
        )
    assert completed(client, {"id": UNKNOWN_ID})["changed"] == 0
    assert statuses(client, tasks) == ["failed"]


@pytest.mark.parametrize("failure", [Failure.INTERRUPTED, Failure.TOO_LARGE, Failure.TOO_DEEP, Failure.MISUSE])
def test_act_whose_statements_fail_again_and_again_keeps_no_other_from_being_carried_out(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    """As when what its filter leads to cannot be found within the timeout of reads."""
    tasks = tasks_with(client, make_run(client), "failed", "failed")
    find, goes_on = act_steps.Work.find, threading.Event()

    def fail(work: act_steps.Work, *arguments: Any) -> Any:
        if work._kind.statuses == ("failed", "cancelled") and not goes_on.is_set():
            raise EngineError(failure, "the statement has failed")
        return find(work, *arguments)

    monkeypatch.setattr(acts, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(act_steps.Work, "find", fail)
    failing = ask(client, "/tasks/retry", 2)
    assert carry_out(client, "/tasks/cancel", 2, status="failed") == 0
    assert ok(client.get(f"/acts/{failing['id']}"))["status"] == "running"
    goes_on.set()
    assert completed(client, failing)["changed"] == 2
    assert statuses(client, tasks) == ["pending"] * 2


def test_act_goes_on_when_the_server_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "foreman.db"
    with running(file) as served, served.client() as client:
        tasks = tasks_with(client, make_run(client), *["failed"] * 3)
        monkeypatch.setattr(served.database, "leads", lambda: False)
        act = ask(client, "/tasks/retry", 3)
        assert statuses(client, tasks) == ["failed"] * 3
    with running(file) as again, again.client() as client:
        assert completed(client, act)["changed"] == 3
        assert statuses(client, tasks) == ["pending"] * 3


def test_act_waits_while_a_path_of_metadata_in_its_filter_is_not_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the server starts with other settings: what meets the filter cannot be found by them."""
    file = tmp_path / "foreman.db"
    with running(file, metadata_paths=("team",)) as served, served.client() as client:
        tasks = tasks_with(client, make_run(client), *["failed"] * 3, metadata={"team": "ml"})
        monkeypatch.setattr(served.database, "leads", lambda: False)
        act = ask(client, "/tasks/retry", 3, **{"metadata.team": "ml"})
    with running(file) as other, other.client() as client:
        assert carry_out(client, "/tasks/cancel", 3, status="failed") == 0
        assert ok(client.get(f"/acts/{act['id']}"))["status"] == "running"
    with running(file, metadata_paths=("team",)) as again, again.client() as client:
        assert completed(client, act)["changed"] == 3
        assert statuses(client, tasks) == ["pending"] * 3


def test_act_changes_nothing_more_once_a_path_in_its_filter_is_being_removed(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = start(metadata_paths=("team",))
    find = act_steps.Work.find

    def find_and_remove(work: act_steps.Work, *arguments: Any) -> Any:
        found = find(work, *arguments)
        with served.database.write() as tx:
            tx.run("UPDATE metadata_path SET filled = 0")
            tx.run("DELETE FROM task_metadata")
        return found

    with served.client() as client:
        tasks_with(client, make_run(client), "failed", metadata={"team": "ml"})
        monkeypatch.setattr(served.database, "leads", lambda: False)
        act = ask(client, "/tasks/retry", 1, **{"metadata.team": "ml"})
        with served.app.app_context(), served.database.read() as tx:
            (stored,) = [acts.unfinished(tx, seq) for seq, _ in tx.all(acts.TO_DO)]
        monkeypatch.setattr(act_steps.Work, "find", find_and_remove)
        with served.app.app_context(), pytest.raises(NotReady):
            acts.carry_out(served.database, stored, act_steps.work_of, threading.Event())
        assert ok(client.get(f"/acts/{act['id']}"))["status"] == "running"


def test_of_two_nodes_that_carry_out_the_same_act_one_gives_way(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when one has lost the lead and does not know it yet."""
    tasks = tasks_with(client, make_run(client), *["failed"] * 3)
    kind = act_steps.KINDS["retry_tasks"]
    monkeypatch.setitem(act_steps.KINDS, "retry_tasks", kind._replace(at_once=1))
    monkeypatch.setattr(served.database, "leads", lambda: False)
    act = ask(client, "/tasks/retry", 3)
    with served.app.app_context(), served.database.read() as tx:
        (stored,) = [acts.unfinished(tx, seq) for seq, _ in tx.all(acts.TO_DO)]
    monkeypatch.undo()
    assert completed(client, act)["changed"] == 3
    with served.app.app_context(), pytest.raises(Stopped):
        acts.carry_out(served.database, stored, act_steps.work_of, threading.Event())
    assert [ok(client.get(f"/tasks/{task['id']}"))["retryCount"] for task in tasks] == [1] * 3
