"""Runs: opened, read, changed and listed."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from foreman import clock as foreman_clock
from tests.api.bookkeeping import Bookkeeping, assert_follows
from tests.api.lists import SORTS, in_order, pages
from tests.api.opaque import ANY_JSON, TELLTALE_JSON
from tests.support.api import UNKNOWN_ID, UUID7, Json, assert_error, make_run, make_task, ok
from tests.support.clock import Clock
from tests.support.statuses import RUN_STATUSES, SETTABLE

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def patch(client: httpx.Client, run: Json, **change: Any) -> Json:
    return ok(client.patch(f"/runs/{run['id']}", json=change))


def get(client: httpx.Client, run: Json) -> Json:
    return ok(client.get(f"/runs/{run['id']}"))


# Opening ------------------------------------------------------------------------------------------------------------


def test_new_run_is_pending_and_has_every_field(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client, {"a": 1}, metadata={"by": "me"})
    assert run == {
        "id": run["id"],
        "orgId": "acme",
        "status": "pending",
        "inputData": {"a": 1},
        "outputData": None,
        "errorData": None,
        "metadata": {"by": "me"},
        "totalTasks": 0,
        "completedTasks": 0,
        "failedTasks": 0,
        "cancelledTasks": 0,
        "createdAt": clock.text,
        "updatedAt": clock.text,
        "startedAt": None,
        "completedAt": None,
        "durationMs": None,
    }
    assert get(client, run) == run


def test_metadata_that_was_not_given_is_null(client: httpx.Client) -> None:
    assert make_run(client)["metadata"] is None


def test_location_of_a_new_run_leads_to_it(client: httpx.Client) -> None:
    created = client.post("/runs", json={"inputData": 1})
    run = ok(created, 201)
    assert created.headers["Location"] == f"/api/v1/runs/{run['id']}"
    assert ok(client.get(str(client.base_url.join(created.headers["Location"])))) == run


def test_id_is_a_uuid_of_version_7_that_carries_the_time(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreman_clock, "_last_id", 0)
    monkeypatch.setattr(foreman_clock, "now_ms", lambda: 0x0123_4567_89AB)
    run_id = make_run(client)["id"]
    assert UUID7.fullmatch(run_id)
    assert run_id.startswith("01234567-89ab-7")


def test_ids_sort_by_time_within_a_millisecond_and_when_the_clock_is_set_back(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(foreman_clock, "_last_id", 0)
    monkeypatch.setattr(foreman_clock, "now_ms", clock)
    ids = []
    for step in (0, 0, 0, 1, 0, -5000, 0, 1, 6000):
        clock.move(step)
        ids.append(make_run(client)["id"])
    assert ids == sorted(set(ids))
    assert all(UUID7.fullmatch(each) for each in ids)


@pytest.mark.parametrize("milliseconds", [0, 1, 10, 999, 1000, 86_400_000 * 59 + 7])
def test_times_are_utc_with_milliseconds(client: httpx.Client, clock: Clock, milliseconds: int) -> None:
    clock.move(milliseconds)
    created_at = make_run(client)["createdAt"]
    assert TIME.fullmatch(created_at)
    assert datetime.fromisoformat(created_at) == clock.start + timedelta(milliseconds=milliseconds)


def test_real_times_have_the_same_form_and_are_the_present(client: httpx.Client) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # answers have no microseconds
    run = patch(client, make_run(client), status="running")
    run = patch(client, run, status="completed")
    times = [run[field] for field in ("createdAt", "startedAt", "completedAt")]
    assert all(TIME.fullmatch(time) for time in times)
    assert before <= datetime.fromisoformat(times[0]) <= datetime.now(UTC)
    assert times == sorted(times)
    assert run["updatedAt"] == run["completedAt"]


@pytest.mark.parametrize("value", ANY_JSON)
def test_input_may_be_any_json_value(client: httpx.Client, value: Any) -> None:
    run = make_run(client, value)
    assert run["inputData"] == value
    assert type(run["inputData"]) is type(value)
    assert get(client, run) == run


@pytest.mark.parametrize(
    "text",
    [
        *TELLTALE_JSON,
        "-0",
        "0.1000000000000000055511151231257827",
        "[1,2.50,-3e-07]",
        r'"cut inside \ud83d"',
        r'{"\uD83D":"\udfff\uD800","\ud83d":["\\ud83d \\\ud83d \ude00\ud83d\ude00\"\\"],"\ud83d":1.0}',
        '"<script>&amp;</script>"',
    ],
)
def test_opaque_json_comes_back_character_by_character(client: httpx.Client, text: str) -> None:
    created = client.post("/runs", content=f'{{"inputData": {text}, "metadata": {{"deep": {text}}}}}'.encode())
    run_id = ok(created, 201)["id"]
    change = f'{{"outputData": {text} , "errorData":[{text}],"metadata":{{"new":{text}}}}}'.encode()
    changed = client.patch(f"/runs/{run_id}", content=change)
    assert f'"inputData":{text},"outputData":null,' in created.text
    assert f'"metadata":{{"deep": {text}}},' in created.text
    for answer in (changed, client.get(f"/runs/{run_id}"), client.get("/runs")):
        assert answer.status_code == 200
        assert (
            f'"inputData":{text},"outputData":{text},"errorData":[{text}],"metadata":{{"new":{text}}},' in answer.text
        )


def test_input_is_required(client: httpx.Client) -> None:
    assert_error(client.post("/runs", json={"metadata": {}}), 400, "inputData")
    assert ok(client.get("/runs"))["total"] == 0


@pytest.mark.parametrize("metadata", [None, 1, "text", True, [], [{}], "{}"])
def test_metadata_must_be_an_object(client: httpx.Client, metadata: Any) -> None:
    assert_error(client.post("/runs", json={"inputData": 1, "metadata": metadata}), 400, "metadata")
    run = make_run(client, metadata={"kept": True})
    assert_error(client.patch(f"/runs/{run['id']}", json={"metadata": metadata}), 400, "metadata")
    assert get(client, run) == run


def test_all_wrong_fields_are_reported_at_once(client: httpx.Client) -> None:
    assert_error(client.post("/runs", json={"metadata": []}), 400, "inputData", "metadata")


def test_unknown_fields_are_ignored(client: httpx.Client) -> None:
    unknown = {
        "priority": 5,
        "delay": -1,
        "completedAt": "never",
        "status": "failed",
        "id": UNKNOWN_ID,
        "orgId": "rival",
        "totalTasks": 7,
        "createdAt": 0,
        "": [],
    }
    run = make_run(client, 1, **unknown)
    assert run["id"] != UNKNOWN_ID
    assert (run["orgId"], run["status"], run["totalTasks"], run["completedAt"]) == ("acme", "pending", 0, None)
    del unknown["status"]
    changed = patch(client, run, inputData=2, outputData=1, **unknown)
    assert changed == {**run, "outputData": 1, "updatedAt": get(client, run)["updatedAt"]}


# Changing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", SETTABLE)
def test_status_can_be_set(client: httpx.Client, status: str) -> None:
    run = make_run(client)
    changed = patch(client, run, status=status)
    assert changed["status"] == status
    assert get(client, run) == changed


@pytest.mark.parametrize(
    "status", ["pending", "queued", "retrying", "RUNNING", " running", "", None, 1, True, ["running"], {"a": 1}]
)
def test_other_statuses_are_refused_and_change_nothing(client: httpx.Client, clock: Clock, status: Any) -> None:
    run = make_run(client)
    clock.move(1)
    assert_error(client.patch(f"/runs/{run['id']}", json={"status": status, "outputData": 1}), 400, "status")
    assert get(client, run) == run


def test_what_is_absent_stays(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client, 1, metadata={"a": 1})
    full = patch(client, run, status="failed", outputData=[1], errorData={"why": "x"}, metadata={"b": 2})
    for change in ({}, {"outputData": 2}, {"errorData": 3}, {"metadata": {"c": 4}}, {"status": "running"}):
        clock.move(1)
        before = get(client, run)
        after = patch(client, run, **change)
        expected = {**before, **change, "updatedAt": clock.text} if change else before
        if "status" in change:
            expected |= {"startedAt": clock.text, "completedAt": None, "durationMs": None}
        assert after == expected
        assert get(client, run) == after
    assert full["inputData"] == 1


@pytest.mark.parametrize("field", ["outputData", "errorData"])
def test_output_and_error_may_be_any_json_value_and_null_replaces_what_was_there(
    client: httpx.Client, field: str
) -> None:
    run = make_run(client)
    for value in ANY_JSON:
        patch(client, run, **{field: "something"})
        changed = patch(client, run, **{field: value})
        assert changed[field] == value
        assert type(changed[field]) is type(value)
        assert get(client, run) == changed


def test_metadata_is_replaced_as_a_whole(client: httpx.Client) -> None:
    run = make_run(client, metadata={"a": 1, "b": 2})
    assert patch(client, run, metadata={"b": 3})["metadata"] == {"b": 3}
    assert patch(client, run, metadata={})["metadata"] == {}


@pytest.mark.parametrize("first", RUN_STATUSES)
@pytest.mark.parametrize("second", SETTABLE)
def test_any_status_may_follow_any_other_with_exact_times(
    client: httpx.Client, clock: Clock, first: str, second: str
) -> None:
    run, model = make_run(client), Bookkeeping(clock.now)
    for status in (first, second, "running", "failed"):
        clock.move(1000)
        if status != "pending":
            model.change(status, clock.now)
            assert_follows(patch(client, run, status=status), model)
        assert_follows(get(client, run), model)


@pytest.mark.parametrize("seed", range(4))
def test_times_stay_exact_on_long_ways_through_the_statuses(client: httpx.Client, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    run, model = make_run(client), Bookkeeping(clock.now)
    for _ in range(40):
        clock.move(chance.randrange(3))
        status = chance.choice(SETTABLE)
        model.change(status, clock.now)
        assert_follows(patch(client, run, status=status), model)


@pytest.mark.parametrize("status", SETTABLE)
def test_same_status_again_with_something_else_changes_no_times_but_updated_at(
    client: httpx.Client, clock: Clock, status: str
) -> None:
    run = make_run(client)
    clock.move(5)
    once = patch(client, run, status=status)
    clock.move(5)
    again = patch(client, run, status=status, outputData=1)
    assert again == {**once, "outputData": 1, "updatedAt": clock.text}


def test_change_of_nothing_leaves_updated_at(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    for nothing in ({}, {"outputData": None}, {"errorData": None, "outputData": None}):
        clock.move(5)
        assert patch(client, run, **nothing) == run
    change: Json = {"status": "completed", "outputData": {"a": 1.5}, "errorData": "none", "metadata": {"b": []}}
    once = patch(client, run, **change)
    for some in ({}, change, *({name: value} for name, value in change.items())):
        clock.move(5)
        assert patch(client, run, **some) == once
    assert ok(client.get("/runs?sortBy=updated_at"))["items"] == [once]
    others: Json = {"outputData": None, "errorData": "none ", "metadata": {"b": [], "c": 1}}
    for name, value in others.items():
        clock.move(5)
        change[name] = value
        once = {**once, name: value, "updatedAt": clock.text}
        assert patch(client, run, **change) == once


def test_what_is_the_same_but_to_the_letter_is_a_change(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    for text in ('{"a":1}', '{"a": 1}', '{"a":1.0}', '{"\\u0061":1.0}'):
        clock.move(5)
        changed = client.patch(f"/runs/{run['id']}", content=f'{{"outputData":{text}}}')
        assert ok(changed)["updatedAt"] == clock.text
        assert f'"outputData":{text},' in changed.text


def test_duration_counts_from_the_start_else_from_the_creation(client: httpx.Client, clock: Clock) -> None:
    started, never_started = make_run(client), make_run(client)
    clock.move(300)
    patch(client, started, status="running")
    clock.move(1234)
    assert patch(client, started, status="completed")["durationMs"] == 1234
    assert patch(client, never_started, status="cancelled")["durationMs"] == 1534


def test_duration_is_not_negative_when_the_clock_is_set_back(client: httpx.Client, clock: Clock) -> None:
    run = make_run(client)
    clock.move(-5000)
    assert patch(client, run, status="failed")["durationMs"] == 0


# Finding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "run_id",
    [
        UNKNOWN_ID,
        UNKNOWN_ID.replace("-", ""),
        f"{{{UNKNOWN_ID}}}",
        f"urn:uuid:{UNKNOWN_ID}",
        "1",
        "null",
        "ü",
        "a" * 3000,
    ],
)
def test_unknown_and_malformed_ids_are_not_found(client: httpx.Client, run_id: str) -> None:
    run = make_run(client)
    not_found = {"error": "Run not found", "details": [], "code": "not_found"}
    assert assert_error(client.get(f"/runs/{run_id}"), 404) == not_found
    assert assert_error(client.patch(f"/runs/{run_id}", json={"status": "failed"}), 404) == not_found
    assert get(client, run) == run


def test_id_may_be_written_in_upper_case(client: httpx.Client) -> None:
    run = make_run(client)
    assert ok(client.get(f"/runs/{run['id'].upper()}")) == run
    assert ok(client.patch(f"/runs/{run['id'].upper()}", json={"status": "running"}))["id"] == run["id"]
    assert get(client, run)["status"] == "running"


# Listing ------------------------------------------------------------------------------------------------------------


def make_various(client: httpx.Client, clock: Clock) -> list[Json]:
    """Runs in all statuses whose times have ties and gaps."""
    chance = random.Random(11)
    runs = []
    for _ in range(17):
        clock.move(chance.choice([0, 0, 1]))
        runs.append(make_run(client))
    for _ in range(30):
        clock.move(chance.choice([0, 0, 1]))
        patch(client, chance.choice(runs[2:]), status=chance.choice(SETTABLE))
    return [get(client, run) for run in runs]


def test_list_of_nothing(client: httpx.Client) -> None:
    assert ok(client.get("/runs")) == {"items": [], "total": 0, "limit": 20, "offset": 0}


def test_list_has_the_newest_20_unless_asked_otherwise(client: httpx.Client) -> None:
    runs = [make_run(client, i) for i in range(23)]
    newest_first = runs[::-1]
    assert ok(client.get("/runs")) == {"items": newest_first[:20], "total": 23, "limit": 20, "offset": 0}
    assert ok(client.get("/runs?offset=20")) == {"items": newest_first[20:], "total": 23, "limit": 20, "offset": 20}
    assert ok(client.get("/runs?limit=2&offset=1")) == {
        "items": newest_first[1:3],
        "total": 23,
        "limit": 2,
        "offset": 1,
    }
    assert ok(client.get("/runs?limit=100")) == {"items": newest_first, "total": 23, "limit": 100, "offset": 0}
    assert ok(client.get("/runs?sortOrder=asc&limit=3"))["items"] == runs[:3]


@pytest.mark.parametrize("offset", [1, 20, 10**6, 2**63 - 1])
def test_page_past_the_end_is_empty_and_keeps_the_total(client: httpx.Client, offset: int) -> None:
    make_run(client)
    answer = ok(client.get("/runs", params={"offset": offset}))
    assert answer == {"items": [], "total": 1, "limit": 20, "offset": offset}


@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_lists_are_sorted_with_ties_by_id_and_missing_values_last(
    client: httpx.Client, clock: Clock, sort_by: str, sort_order: str
) -> None:
    expected = in_order(make_various(client, clock), sort_by, sort_order)
    query = {"sortBy": sort_by, "sortOrder": sort_order}
    for limit in (1, 4, 17, 100):
        assert pages(client, "/runs", limit, **query) == expected
    for statuses in ("pending", "completed,running", "failed,cancelled,pending", ",".join(RUN_STATUSES)):
        narrowed = [run for run in expected if run["status"] in statuses.split(",")]
        assert narrowed
        assert pages(client, "/runs", 2, status=statuses, **query) == narrowed


@pytest.mark.parametrize("sort_by", SORTS)
@pytest.mark.parametrize("sort_order", ["desc", "asc"])
def test_paging_through_one_millisecond_never_skips_or_repeats(
    client: httpx.Client,
    clock: Clock,  # it stands still
    sort_by: str,
    sort_order: str,
) -> None:
    ids = [make_run(client)["id"] for _ in range(9)]
    for run_id in ids:
        ok(client.patch(f"/runs/{run_id}", json={"status": "running"}))
        ok(client.patch(f"/runs/{run_id}", json={"status": "completed"}))
    listed = pages(client, "/runs", 2, sortBy=sort_by, sortOrder=sort_order)
    assert {run[field] for run in listed for field in SORTS.values()} == {clock.text}
    assert [run["id"] for run in listed] == sorted(ids, reverse=sort_order == "desc")


def test_list_narrowed_by_status_has_the_right_total_after_every_change(client: httpx.Client) -> None:
    runs = [make_run(client) for _ in range(6)]
    statuses = {run["id"]: "pending" for run in runs}
    chance = random.Random(3)
    for _ in range(15):
        run, status = chance.choice(runs), chance.choice(SETTABLE)
        patch(client, run, status=status)
        statuses[run["id"]] = status
        for wanted in ("pending", status, "running,failed", "completed,cancelled,completed"):
            expected = [run_id for run_id, each in statuses.items() if each in wanted.split(",")]
            answer = ok(client.get("/runs", params={"status": wanted, "sortOrder": "asc"}))
            assert [run["id"] for run in answer["items"]] == expected
            assert answer["total"] == len(expected)
            assert ok(client.get("/runs", params={"status": wanted, "limit": 1}))["total"] == len(expected)


def test_listed_runs_have_their_counters(client: httpx.Client) -> None:
    run, other = make_run(client), make_run(client)
    for status in ("completed", "failed", "failed", "cancelled", "cancelled", "cancelled", "running"):
        ok(client.patch(f"/tasks/{make_task(client, run)['id']}", json={"status": status}))
    listed = ok(client.get("/runs"))["items"]
    assert listed == [get(client, other), get(client, run)]
    counters = ("totalTasks", "completedTasks", "failedTasks", "cancelledTasks")
    assert [[each[name] for name in counters] for each in listed] == [[0, 0, 0, 0], [7, 1, 2, 3]]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=abc", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1e1", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=+5", "limit"),
        ("limit=%D9%A5", "limit"),  # a digit, but not one of ASCII
        ("limit=", "limit"),
        ("limit=10&limit=20", "limit"),
        ("limit=99999999999999999999999999", "limit"),
        ("offset=-1", "offset"),
        ("offset=abc", "offset"),
        ("offset=1.5", "offset"),
        ("offset=", "offset"),
        ("offset=9223372036854775808", "offset"),
        ("sortBy=id", "sortBy"),
        ("sortBy=createdAt", "sortBy"),
        ("sortBy=created_at;--", "sortBy"),
        ("sortBy=", "sortBy"),
        ("sortOrder=DESC", "sortOrder"),
        ("sortOrder=up", "sortOrder"),
        ("sortOrder=", "sortOrder"),
        ("status=queued", "status"),
        ("status=unknown", "status"),
        ("status=Pending", "status"),
        ("status=pending,unknown", "status"),
        ("status=pending,%20running", "status"),
        ("status=pending%00", "status"),
        ("status=pending'--", "status"),
    ],
)
def test_value_that_is_not_allowed_is_refused_not_ignored(client: httpx.Client, query: str, field: str) -> None:
    make_run(client)
    assert_error(client.get(f"/runs?{query}"), 400, field)


def test_all_wrong_parameters_are_reported_at_once(client: httpx.Client) -> None:
    response = client.get("/runs?limit=0&offset=x&sortBy=x&sortOrder=x&status=x")
    assert_error(response, 400, "limit", "offset", "sortBy", "sortOrder", "status")


@pytest.mark.parametrize(
    "query",
    ["status=", "status=,", "status=,,pending,", "status=pending&status=running"],
)
def test_empty_filters_do_not_narrow(client: httpx.Client, query: str) -> None:
    run = make_run(client)
    assert ok(client.get(f"/runs?{query}")) == {"items": [run], "total": 1, "limit": 20, "offset": 0}
