"""Tasks: created, read, changed and listed."""

import random
from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from foreman import clock as foreman_clock
from tests.api.bookkeeping import TaskBookkeeping, assert_follows
from tests.api.lists import SORTS, in_order, pages
from tests.api.opaque import ANY_JSON, TELLTALE_JSON
from tests.support.api import UNKNOWN_ID, UUID7, Json, assert_error, change_task, make_run, make_task, ok
from tests.support.clock import Clock
from tests.support.statuses import ENDED, TASK_STATUSES


def get(client: httpx.Client, task: Json) -> Json:
    return ok(client.get(f"/tasks/{task['id']}"))


def body(run: Json, **fields: Any) -> Json:
    return {"runId": run["id"], "type": "step", "inputData": None, **fields}


# Creating -----------------------------------------------------------------------------------------------------------


def test_new_task_is_pending_and_has_every_field(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    parent = make_task(client, run)
    task = make_task(client, run, type="fetch", inputData=[1], metadata={"by": "me"}, parentTaskId=parent["id"])
    assert task == {
        "id": task["id"],
        "runId": run["id"],
        "parentTaskId": parent["id"],
        "orgId": "acme",
        "type": "fetch",
        "status": "pending",
        "inputData": [1],
        "outputData": None,
        "errorData": None,
        "metadata": {"by": "me"},
        "retryCount": 0,
        "maxRetries": 3,
        "createdAt": clock.text,
        "updatedAt": clock.text,
        "queuedAt": None,
        "startedAt": None,
        "completedAt": None,
        "durationMs": None,
        "queueJobId": None,
    }
    assert get(client, task) == task


def test_new_task_counts_in_its_run_only(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    make_task(client, run)
    assert ok(client.get(f"/runs/{run['id']}")) == {**run, "totalTasks": 1}
    assert ok(client.get(f"/runs/{other['id']}")) == other


def test_optional_fields_that_were_not_given_have_defaults(client: httpx.Client) -> None:
    run = make_run(client)
    task = ok(client.post("/tasks", json={"runId": run["id"], "type": "x", "inputData": 1}), 201)
    assert (task["parentTaskId"], task["metadata"], task["maxRetries"]) == (None, None, 3)
    assert make_task(client, run, parentTaskId=None)["parentTaskId"] is None


def test_location_of_a_new_task_leads_to_it(client: httpx.Client) -> None:
    created = client.post("/tasks", json=body(make_run(client)))
    task = ok(created, 201)
    assert created.headers["Location"] == f"/api/v1/tasks/{task['id']}"
    assert ok(client.get(str(client.base_url.join(created.headers["Location"])))) == task


def test_ids_are_uuids_of_version_7_and_sort_by_time(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    run, clock = make_run(client), Clock()
    monkeypatch.setattr(foreman_clock, "_last_id", 0)
    monkeypatch.setattr(foreman_clock, "now_ms", clock)
    ids = []
    for step in (0, 0, 1, 0, -5000, 0, 6000):
        clock.move(step)
        ids.append(make_task(client, run)["id"])
    assert ids == sorted(set(ids))
    assert all(UUID7.fullmatch(each) for each in ids)
    assert [int(each.replace("-", "")[:12], 16) for each in (ids[0], ids[-1])] == [clock.now - 1001, clock.now]


@pytest.mark.parametrize("value", ANY_JSON)
def test_input_may_be_any_json_value(client: httpx.Client, value: Any) -> None:
    task = make_task(client, make_run(client), inputData=value)
    assert task["inputData"] == value
    assert type(task["inputData"]) is type(value)
    assert get(client, task) == task


@pytest.mark.parametrize("text", [*TELLTALE_JSON, r'{"\ud83d":"\\\ud83d"}'])
def test_opaque_json_comes_back_character_by_character(client: httpx.Client, text: str) -> None:
    head = f'{{"runId": "{make_run(client)["id"]}", "type": "step"'
    created = client.post("/tasks", content=f'{head}, "inputData": {text}, "metadata": {{"deep": {text}}}}}'.encode())
    task_id = ok(created, 201)["id"]
    change = f'{{"outputData": {text} , "errorData":[{text}],"metadata":{{"new":{text}}}}}'.encode()
    changed = client.patch(f"/tasks/{task_id}", content=change)
    assert f'"inputData":{text},"outputData":null,' in created.text
    assert f'"metadata":{{"deep": {text}}},' in created.text
    for answer in (changed, client.get(f"/tasks/{task_id}"), client.get("/tasks")):
        assert answer.status_code == 200
        assert (
            f'"inputData":{text},"outputData":{text},"errorData":[{text}],"metadata":{{"new":{text}}},' in answer.text
        )


@pytest.mark.parametrize("retries", [0, 1, 3, 10, 10.0])
def test_max_retries_may_be_0_to_10(client: httpx.Client, retries: float) -> None:
    task = make_task(client, make_run(client), maxRetries=retries)
    assert task["maxRetries"] == retries
    assert type(task["maxRetries"]) is int
    assert get(client, task) == task


@pytest.mark.parametrize("retries", [11, -1, 10**30, "3", "", True, False, 3.5, -0.5, None, [], [3], {}])
def test_max_retries_may_not_be_anything_else(client: httpx.Client, retries: Any) -> None:
    assert_error(client.post("/tasks", json=body(make_run(client), maxRetries=retries)), 400, "maxRetries")


@pytest.mark.parametrize("retries", ["1e400", "-1e400", "9" * 400, "3e0000000000001"])
def test_max_retries_beyond_every_number_are_refused(client: httpx.Client, retries: str) -> None:
    content = f'{{"runId": "{make_run(client)["id"]}", "type": "x", "inputData": 1, "maxRetries": {retries}}}'
    assert_error(client.post("/tasks", content=content), 400, "maxRetries")


@pytest.mark.parametrize(
    "text", ["x", " ", "x" * 255, "é" * 255, "😀" * 255, "a,b", "'; --", "%_*[", "null", "\x01\x7f"]
)
def test_type_may_be_any_1_to_255_characters(client: httpx.Client, text: str) -> None:
    task = make_task(client, make_run(client), type=text)
    assert task["type"] == text
    assert get(client, task) == task
    assert ok(client.get("/tasks", params={"type": text}))["items"] == [task]


@pytest.mark.parametrize("text", ["", "x" * 256, "😀" * 256, "a\0b", "\0", None, 1, True, [], ["x"], {}])
def test_type_may_not_be_anything_else(client: httpx.Client, text: Any) -> None:
    run = make_run(client)
    assert_error(client.post("/tasks", json=body(run, type=text)), 400, "type")
    assert ok(client.get(f"/runs/{run['id']}")) == run


@pytest.mark.parametrize("field", ["runId", "type", "inputData"])
def test_field_is_required(client: httpx.Client, field: str) -> None:
    given = body(make_run(client))
    del given[field]
    assert_error(client.post("/tasks", json=given), 400, field)


@pytest.mark.parametrize("metadata", [None, 1, "text", True, [], [{}], "{}"])
def test_metadata_must_be_an_object(client: httpx.Client, metadata: Any) -> None:
    run = make_run(client)
    assert_error(client.post("/tasks", json=body(run, metadata=metadata)), 400, "metadata")
    task = make_task(client, run, metadata={"kept": True})
    assert_error(client.patch(f"/tasks/{task['id']}", json={"metadata": metadata}), 400, "metadata")
    assert get(client, task) == task


@pytest.mark.parametrize("field", ["runId", "parentTaskId"])
@pytest.mark.parametrize(
    "malformed",
    ["", "x", "1", UNKNOWN_ID[:-1], UNKNOWN_ID + "0", UNKNOWN_ID.replace("-", ""), f"{{{UNKNOWN_ID}}}", 1, True, []],
)
def test_malformed_ids_in_a_body_are_refused(client: httpx.Client, field: str, malformed: Any) -> None:
    assert_error(client.post("/tasks", json=body(make_run(client), **{field: malformed})), 400, field)


def test_run_id_may_not_be_null(client: httpx.Client) -> None:
    assert_error(client.post("/tasks", json=body(make_run(client), runId=None)), 400, "runId")


def test_all_wrong_fields_are_reported_at_once(client: httpx.Client) -> None:
    response = client.post("/tasks", json={"runId": 1, "type": "", "metadata": 1, "maxRetries": 11})
    assert_error(response, 400, "runId", "type", "inputData", "metadata", "maxRetries")


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    unknown = {
        "priority": 5,
        "delay": -1,
        "completedAt": "never",
        "id": UNKNOWN_ID,
        "orgId": "rival",
        "retryCount": 7,
        "createdAt": 0,
        "queuedAt": 1,
        "": [],
    }
    task = make_task(client, make_run(client), status="failed", queueJobId="job-1", **unknown)
    assert task["id"] != UNKNOWN_ID
    assert (task["orgId"], task["status"], task["retryCount"], task["queueJobId"]) == ("acme", "pending", 0, None)
    fixed = {"runId": UNKNOWN_ID, "parentTaskId": UNKNOWN_ID, "type": "", "inputData": 2, "maxRetries": 11}
    changed = change_task(client, task, outputData=1, **unknown, **fixed)
    assert changed == {**task, "outputData": 1, "updatedAt": get(client, task)["updatedAt"]}


def test_run_must_exist(client: httpx.Client) -> None:
    response = client.post("/tasks", json=body({"id": UNKNOWN_ID}))
    assert assert_error(response, 404) == {"error": "Run not found", "details": [], "code": "not_found"}


def test_parent_must_be_a_task_of_the_same_run(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    task_of_other = make_task(client, other)
    for parent_id in (UNKNOWN_ID, task_of_other["id"], run["id"]):
        response = client.post("/tasks", json=body(run, parentTaskId=parent_id))
        assert assert_error(response, 404) == {"error": "Parent task not found", "details": [], "code": "not_found"}
    assert ok(client.get(f"/runs/{run['id']}"))["totalTasks"] == 0


def test_tasks_may_be_nested_as_deep_as_one_likes(client: httpx.Client) -> None:
    run, parent_id = make_run(client), None
    for _ in range(30):
        task = make_task(client, run, parentTaskId=parent_id)
        assert task["parentTaskId"] == parent_id
        parent_id = task["id"]
    assert ok(client.get(f"/runs/{run['id']}"))["totalTasks"] == 30


def test_ids_may_be_written_in_upper_case(client: httpx.Client) -> None:
    run = make_run(client)
    parent = make_task(client, run)
    task = make_task(client, {"id": run["id"].upper()}, parentTaskId=parent["id"].upper())
    assert (task["runId"], task["parentTaskId"]) == (run["id"], parent["id"])
    assert ok(client.get(f"/tasks/{task['id'].upper()}")) == task
    assert ok(client.get("/tasks", params={"runId": run["id"].upper()}))["items"] == [task, parent]
    assert ok(client.get("/tasks", params={"parentTaskId": parent["id"].upper()}))["items"] == [task]
    assert ok(client.patch(f"/tasks/{task['id'].upper()}", json={"status": "queued"}))["id"] == task["id"]
    assert get(client, task)["status"] == "queued"


# Changing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["PENDING", "done", " queued", "", None, 1, True, ["running"], {"a": 1}])
def test_other_statuses_are_refused_and_change_nothing(client: httpx.Client, clock: Clock, status: Any) -> None:
    task = make_task(client, make_run(client))
    clock.move(1)
    assert_error(client.patch(f"/tasks/{task['id']}", json={"status": status, "outputData": 1}), 400, "status")
    assert get(client, task) == task


def test_what_is_absent_stays(client: httpx.Client, clock: Clock) -> None:
    task = make_task(client, make_run(client), metadata={"a": 1}, maxRetries=0)
    change_task(
        client, task, status="failed", outputData=[1], errorData={"why": "x"}, metadata={"b": 2}, queueJobId="job-1"
    )
    changes: list[Json] = [{}, {"outputData": 2}, {"errorData": 3}, {"metadata": {"c": 4}}, {"queueJobId": "job-2"}]
    for change in changes:
        clock.move(1)
        before = get(client, task)
        after = change_task(client, task, **change)
        assert after == ({**before, **change, "updatedAt": clock.text} if change else before)
        assert get(client, task) == after


@pytest.mark.parametrize("field", ["outputData", "errorData"])
def test_output_and_error_may_be_any_json_value_and_null_replaces_what_was_there(
    client: httpx.Client, field: str
) -> None:
    task = make_task(client, make_run(client))
    for value in ANY_JSON:
        change_task(client, task, **{field: "something"})
        changed = change_task(client, task, **{field: value})
        assert changed[field] == value
        assert type(changed[field]) is type(value)
        assert get(client, task) == changed


def test_metadata_is_replaced_as_a_whole(client: httpx.Client) -> None:
    task = make_task(client, make_run(client), metadata={"a": 1, "b": 2})
    assert change_task(client, task, metadata={"b": 3})["metadata"] == {"b": 3}
    assert change_task(client, task, metadata={})["metadata"] == {}


@pytest.mark.parametrize("job_id", ["", "x" * 256, "a\0b", None, 17, True, [], {}])
def test_queue_job_id_must_be_1_to_255_characters(client: httpx.Client, job_id: Any) -> None:
    task = change_task(client, make_task(client, make_run(client)), queueJobId="j" * 255)
    assert task["queueJobId"] == "j" * 255
    assert_error(client.patch(f"/tasks/{task['id']}", json={"queueJobId": job_id}), 400, "queueJobId")
    assert get(client, task) == task


@pytest.mark.parametrize("first", TASK_STATUSES)
@pytest.mark.parametrize("second", TASK_STATUSES)
def test_any_status_may_follow_any_other_with_exact_times_and_retries(
    client: httpx.Client, clock: Clock, first: str, second: str
) -> None:
    run = make_run(client)
    task, model = make_task(client, run), TaskBookkeeping(clock.now)
    for status in (first, second, "running", first, second):
        clock.move(1000)
        model.change(status, clock.now)
        assert_follows(change_task(client, task, status=status), model)
        assert_follows(get(client, task), model)
        counted = ok(client.get(f"/runs/{run['id']}"))
        assert counted["totalTasks"] == 1
        for each in ENDED:
            assert counted[f"{each}Tasks"] == (status == each)


@pytest.mark.parametrize("seed", range(6))
def test_bookkeeping_stays_exact_on_long_ways_through_the_statuses(
    client: httpx.Client, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    task, model = make_task(client, make_run(client)), TaskBookkeeping(clock.now)
    for _ in range(60):
        clock.move(chance.randrange(3))
        status = chance.choice(TASK_STATUSES)
        model.change(status, clock.now)
        assert_follows(change_task(client, task, status=status), model)


@pytest.mark.parametrize("status", TASK_STATUSES)
def test_same_status_again_with_something_else_changes_no_times_but_updated_at_and_counts_no_retry(
    client: httpx.Client, clock: Clock, status: str
) -> None:
    task = make_task(client, make_run(client))
    clock.move(5)
    once = change_task(client, task, status=status)
    clock.move(5)
    again = change_task(client, task, status=status, outputData=1)
    assert again == {**once, "outputData": 1, "updatedAt": clock.text}


def test_change_of_nothing_leaves_updated_at(client: httpx.Client, clock: Clock) -> None:
    task = make_task(client, make_run(client))
    nothings: tuple[Json, ...] = ({}, {"status": "pending"}, {"outputData": None, "errorData": None})
    for nothing in nothings:
        clock.move(5)
        assert change_task(client, task, **nothing) == task
    change: Json = {
        "status": "retrying",
        "outputData": [1.5],
        "errorData": "x",
        "metadata": {"b": []},
        "queueJobId": "7",
    }
    once = change_task(client, task, **change)
    assert once["updatedAt"] == clock.text
    for some in ({}, change, *({name: value} for name, value in change.items())):
        clock.move(5)
        assert change_task(client, task, **some) == once
    others: Json = {"outputData": [1.6], "errorData": None, "metadata": {}, "queueJobId": "8"}
    for name, value in others.items():
        clock.move(5)
        change[name] = value
        once = {**once, name: value, "updatedAt": clock.text}
        assert change_task(client, task, **change) == once


def test_retries_may_exceed_max_retries_because_workers_decide(client: httpx.Client) -> None:
    task = make_task(client, make_run(client), maxRetries=0)
    for count in (1, 2):
        assert change_task(client, task, status="retrying")["retryCount"] == count
        assert change_task(client, task, status="running")["retryCount"] == count


def test_duration_counts_from_the_first_start_else_from_the_creation(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    started, never_started = make_task(client, run), make_task(client, run)
    clock.move(300)
    change_task(client, started, status="running")
    clock.move(200)
    change_task(client, started, status="retrying")
    change_task(client, started, status="running")
    clock.move(1034)
    assert change_task(client, started, status="completed")["durationMs"] == 1234
    assert change_task(client, never_started, status="cancelled")["durationMs"] == 1534


def test_duration_is_not_negative_when_the_clock_is_set_back(client: httpx.Client, clock: Clock) -> None:
    task = make_task(client, make_run(client))
    clock.move(-5000)
    assert change_task(client, task, status="failed")["durationMs"] == 0


# Finding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task_id", [UNKNOWN_ID, UNKNOWN_ID.replace("-", ""), f"{{{UNKNOWN_ID}}}", "1", "ü", "a" * 3000]
)
def test_unknown_and_malformed_ids_are_not_found(client: httpx.Client, task_id: str) -> None:
    task = make_task(client, make_run(client))
    not_found = {"error": "Task not found", "details": [], "code": "not_found"}
    assert assert_error(client.get(f"/tasks/{task_id}"), 404) == not_found
    assert assert_error(client.patch(f"/tasks/{task_id}", json={"status": "failed"}), 404) == not_found
    assert get(client, task) == task


def test_id_of_a_run_is_not_the_id_of_a_task(client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    assert_error(client.get(f"/tasks/{run['id']}"), 404)
    assert_error(client.get(f"/runs/{task['id']}"), 404)


# Listing ------------------------------------------------------------------------------------------------------------


def make_various(client: httpx.Client, clock: Clock) -> list[Json]:
    """Tasks of three runs, some with parents, of three types, in all statuses, whose times have ties and gaps."""
    chance = random.Random(5)
    runs = [make_run(client) for _ in range(3)]
    tasks: list[Json] = []
    for i in range(26):
        clock.move(chance.choice([0, 0, 1]))
        run = chance.choice(runs)
        parents = [task["id"] for task in tasks if task["runId"] == run["id"]][:2]
        parent_id = chance.choice([None, *parents])
        tasks.append(make_task(client, run, type=chance.choice("abc"), parentTaskId=parent_id, inputData=i))
    for _ in range(45):
        clock.move(chance.choice([0, 0, 1]))
        change_task(client, chance.choice(tasks[2:]), status=chance.choice(TASK_STATUSES))
    return [get(client, task) for task in tasks]


def test_list_of_nothing(client: httpx.Client) -> None:
    make_run(client)
    assert ok(client.get("/tasks")) == {"items": [], "total": 0, "limit": 20, "offset": 0}


def test_list_has_the_newest_20_of_all_runs_unless_asked_otherwise(client: httpx.Client) -> None:
    runs = [make_run(client), make_run(client)]
    tasks = [make_task(client, runs[i % 2], inputData=i) for i in range(23)]
    newest_first = tasks[::-1]
    assert ok(client.get("/tasks")) == {"items": newest_first[:20], "total": 23, "limit": 20, "offset": 0}
    assert ok(client.get("/tasks?offset=20")) == {"items": newest_first[20:], "total": 23, "limit": 20, "offset": 20}
    assert ok(client.get("/tasks?limit=2&offset=1")) == {
        "items": newest_first[1:3],
        "total": 23,
        "limit": 2,
        "offset": 1,
    }
    assert ok(client.get("/tasks?limit=100")) == {"items": newest_first, "total": 23, "limit": 100, "offset": 0}
    assert ok(client.get("/tasks?sortOrder=asc&limit=3"))["items"] == tasks[:3]


@pytest.mark.parametrize("offset", [1, 20, 10**6, 2**63 - 1])
def test_page_past_the_end_is_empty_and_keeps_the_total(client: httpx.Client, offset: int) -> None:
    make_task(client, make_run(client))
    answer = ok(client.get("/tasks", params={"offset": offset}))
    assert answer == {"items": [], "total": 1, "limit": 20, "offset": offset}


@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_lists_are_sorted_with_ties_by_id_and_missing_values_last(
    client: httpx.Client, clock: Clock, sort_by: str, sort_order: str
) -> None:
    tasks = in_order(make_various(client, clock), sort_by, sort_order)
    sort = {"sortBy": sort_by, "sortOrder": sort_order}
    for limit in (1, 4, 26, 100):
        assert pages(client, "/tasks", limit, **sort) == tasks
    run_id = tasks[0]["runId"]
    parent_id = next(task["parentTaskId"] for task in tasks if task["parentTaskId"])
    narrowed: list[tuple[Json, Callable[[Json], bool]]] = [
        ({"runId": run_id}, lambda task: task["runId"] == run_id),
        ({"parentTaskId": parent_id}, lambda task: task["parentTaskId"] == parent_id),
        ({"type": "b"}, lambda task: task["type"] == "b"),
        ({"status": "queued"}, lambda task: task["status"] == "queued"),
        ({"status": "pending,retrying,failed"}, lambda task: task["status"] in ("pending", "retrying", "failed")),
        ({"status": ",".join(TASK_STATUSES), "runId": run_id}, lambda task: task["runId"] == run_id),
    ]
    for query, belongs in narrowed:
        expected = [task for task in tasks if belongs(task)]
        assert expected
        assert pages(client, "/tasks", 2, **query, **sort) == expected


@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_paging_through_one_millisecond_never_skips_or_repeats(
    client: httpx.Client,
    clock: Clock,  # it stands still
    sort_by: str,
    sort_order: str,
) -> None:
    run = make_run(client)
    ids = [make_task(client, run)["id"] for _ in range(9)]
    for task_id in ids:
        ok(client.patch(f"/tasks/{task_id}", json={"status": "running"}))
        ok(client.patch(f"/tasks/{task_id}", json={"status": "completed"}))
    listed = pages(client, "/tasks", 2, sortBy=sort_by, sortOrder=sort_order)
    assert {task[field] for task in listed for field in SORTS.values()} == {clock.text}
    assert [task["id"] for task in listed] == sorted(ids, reverse=sort_order == "desc")


def test_filters_narrow_together_and_totals_count_exactly_what_matches(client: httpx.Client, clock: Clock) -> None:
    tasks = in_order(make_various(client, clock), "created_at", "desc")
    run_ids = sorted({task["runId"] for task in tasks})
    parent_ids = sorted({task["parentTaskId"] for task in tasks if task["parentTaskId"]})
    assert len(parent_ids) >= 4
    not_empty = 0
    for run_id, parent_id, kind, status in product(
        [None, *run_ids[:2], UNKNOWN_ID],
        [None, *parent_ids[:4], UNKNOWN_ID],
        [None, "a", "c", "nothing"],
        [None, "pending", "running,failed", "cancelled,pending,cancelled"],
    ):
        expected = [
            task
            for task in tasks
            if run_id in (None, task["runId"])
            and parent_id in (None, task["parentTaskId"])
            and kind in (None, task["type"])
            and (status is None or task["status"] in status.split(","))
        ]
        query = {"runId": run_id, "parentTaskId": parent_id, "type": kind, "status": status}
        given = {name: value for name, value in query.items() if value is not None}
        answer = ok(client.get("/tasks", params={"limit": 7, **given}))
        assert answer == {"items": expected[:7], "total": len(expected), "limit": 7, "offset": 0}, given
        not_empty += bool(expected)
    assert not_empty > 50


def test_children_asked_for_in_another_run_are_none(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    parent = make_task(client, run)
    child = make_task(client, run, parentTaskId=parent["id"])
    make_task(client, other)
    query = {"parentTaskId": parent["id"]}
    assert ok(client.get("/tasks", params={**query, "runId": other["id"]})) == {
        "items": [],
        "total": 0,
        "limit": 20,
        "offset": 0,
    }
    assert ok(client.get("/tasks", params={**query, "runId": run["id"]}))["items"] == [child]


def test_totals_are_right_after_every_change(client: httpx.Client) -> None:
    run = make_run(client)
    parent = make_task(client, run, type="parent")
    children = [make_task(client, run, type=kind, parentTaskId=parent["id"]) for kind in "aabbb"]
    status_of = {task["id"]: "pending" for task in children}
    chance = random.Random(8)
    for _ in range(25):
        task, status = chance.choice(children), chance.choice(TASK_STATUSES)
        change_task(client, task, status=status)
        status_of[task["id"]] = status
        for kind in "ab":
            expected = [each["id"] for each in children if each["type"] == kind and status_of[each["id"]] == status]
            for scope in ({}, {"runId": run["id"]}, {"parentTaskId": parent["id"]}):
                query = {"type": kind, "status": status, "sortOrder": "asc", **scope}
                answer = ok(client.get("/tasks", params=query))
                assert ([each["id"] for each in answer["items"]], answer["total"]) == (expected, len(expected)), query


@pytest.mark.parametrize("kind", ["%", "_", "a*", "A", "a ", "[ab]", "a,b"])
def test_type_is_compared_exactly(client: httpx.Client, kind: str) -> None:
    run = make_run(client)
    for other in ("a", "b", "ab", "aa"):
        make_task(client, run, type=other)
    assert ok(client.get("/tasks", params={"type": kind}))["total"] == 0
    task = make_task(client, run, type=kind)
    assert ok(client.get("/tasks", params={"type": kind})) == {"items": [task], "total": 1, "limit": 20, "offset": 0}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=abc", "offset"),
        ("offset=", "offset"),
        ("offset=9223372036854775808", "offset"),
        ("sortBy=type", "sortBy"),
        ("sortBy=queued_at", "sortBy"),
        ("sortBy=", "sortBy"),
        ("sortOrder=up", "sortOrder"),
        ("sortOrder=", "sortOrder"),
        ("status=done", "status"),
        ("status=pending,done", "status"),
        ("status=Pending", "status"),
        ("type=" + "x" * 256, "type"),
        ("type=%00", "type"),
        ("type=a&type=b", "type"),
        ("runId=1", "runId"),
        ("runId=", "runId"),  # a client that lost its id must not get the tasks of all runs
        ("runId=" + UNKNOWN_ID.replace("-", ""), "runId"),
        ("runId=" + UNKNOWN_ID + "%00", "runId"),
        ("runId=" + UNKNOWN_ID + "&runId=" + UNKNOWN_ID, "runId"),
        ("parentTaskId=1", "parentTaskId"),
        ("parentTaskId=", "parentTaskId"),
        ("parentTaskId=null", "parentTaskId"),
        ("parentTaskId=%ff", "parentTaskId"),
    ],
)
def test_value_that_is_not_allowed_is_refused_not_ignored(client: httpx.Client, query: str, field: str) -> None:
    make_task(client, make_run(client))
    assert_error(client.get(f"/tasks?{query}"), 400, field)


@pytest.mark.parametrize(
    "query",
    ["status=", "status=,", "status=,,pending,", "type=", "status=pending&status=running"],
)
def test_empty_filters_do_not_narrow(client: httpx.Client, query: str) -> None:
    task = make_task(client, make_run(client))
    assert ok(client.get(f"/tasks?{query}")) == {"items": [task], "total": 1, "limit": 20, "offset": 0}


def test_id_of_another_kind_counts_nothing(client: httpx.Client) -> None:
    run = make_run(client)
    parent = make_task(client, run)
    make_task(client, run, parentTaskId=parent["id"])
    for query in ({"runId": parent["id"]}, {"parentTaskId": run["id"]}):
        assert ok(client.get("/tasks", params=query)) == {"items": [], "total": 0, "limit": 20, "offset": 0}
    assert ok(client.get("/tasks", params={"runId": run["id"]}))["total"] == 2
    assert ok(client.get("/tasks", params={"parentTaskId": parent["id"]}))["total"] == 1
