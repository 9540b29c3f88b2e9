"""`Idempotency-Key`: a request that is sent again with the same key is carried out once, and answered the same."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import httpx
import pytest

from foreman import db
from foreman.background import idempotency as sweeping
from foreman.background.idempotency import AT_ONCE, forget, swept
from foreman.clock import now_ms
from foreman.http.protocol import idempotency
from foreman.http.protocol.idempotency import KEY, LARGEST, LONGEST_KEY, REPLAYED
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok, put_data
from tests.support.running import Running
from tests.support.waiting import PATIENCE, until

# Headers of a response that are its own, whatever it repeats.
OWN = {"date", "x-request-id", REPLAYED.lower()}


class Write(NamedTuple):
    """A request that writes.

    :ivar other: another body, with which it is another request
    """

    method: str
    path: str
    body: Json | None = None
    other: Json | None = None


def writes(client: httpx.Client) -> dict[str, Write]:
    """One of each kind."""
    run = make_run(client)
    task = make_task(client, run)
    entry = put_data(client, task, "key")
    run_path = f"/runs/{run['id']}"
    return {
        "create run": Write("POST", "/runs", {"inputData": [1.5, "é"]}, {"inputData": [1.50, "é "]}),
        "create task": Write(
            "POST",
            "/tasks",
            {"runId": run["id"], "type": "a", "inputData": 1},
            {"runId": run["id"], "type": "b", "inputData": 1},
        ),
        "create entry": Write(
            "POST",
            f"{run_path}/data",
            {"taskId": task["id"], "key": "new", "value": {}},
            {"taskId": task["id"], "key": "new", "value": []},
        ),
        "update run": Write("PATCH", run_path, {"status": "running"}, {"status": "failed"}),
        "update task": Write("PATCH", f"/tasks/{task['id']}", {"status": "retrying"}, {"status": "failed"}),
        "update tags": Write("PATCH", f"{run_path}/data/{entry['id']}/tags", {"add": ["red"]}, {"add": ["blue"]}),
        "delete data": Write("DELETE", f"{run_path}/data?key=key"),
        "delete run": Write("DELETE", f"/runs/{make_run(client)['id']}"),
    }


def send(client: httpx.Client, write: Write, key: str | None) -> httpx.Response:
    headers = {KEY: key} if key is not None else {}
    return client.request(write.method, write.path, json=write.body, headers=headers)


def headers_of(response: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in OWN}


def contents(client: httpx.Client) -> list[Json]:
    """Everything that the organisation has."""
    found: list[Json] = []
    for run in ok(client.get("/runs?limit=100"))["items"]:
        found += [run, *ok(client.get(f"/runs/{run['id']}/data?includeAll=true"))["data"]]
    return [*found, *ok(client.get("/tasks?limit=100"))["items"]]


@pytest.fixture
def rows(served: Running) -> Callable[[], int]:
    """How many keys are stored."""
    return lambda: (served.database.one("SELECT count(*) FROM idempotency_key") or (0,))[0]


KINDS = ["create run", "create task", "create entry", "update run", "update task", "update tags"]
DELETIONS = ["delete data", "delete run"]


# Once ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*KINDS, *DELETIONS])
def test_same_request_is_carried_out_once_and_answered_the_same_to_the_letter(client: httpx.Client, kind: str) -> None:
    write = writes(client)[kind]
    first = send(client, write, "key")
    assert first.is_success, first.text
    assert REPLAYED not in first.headers
    after = contents(client)
    for _ in range(2):
        again = send(client, write, "key")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert headers_of(again) == headers_of(first)
        assert again.headers[REPLAYED] == "true"
        assert contents(client) == after


@pytest.mark.parametrize("kind", KINDS)
def test_another_request_with_the_same_key_is_refused_and_does_nothing(client: httpx.Client, kind: str) -> None:
    write = writes(client)[kind]
    first = send(client, write, "key")
    after = contents(client)
    assert assert_error(send(client, write._replace(body=write.other), "key"), 422)["code"] == "idempotency_conflict"
    assert contents(client) == after
    assert send(client, write, "key").content == first.content


def test_query_is_a_part_of_the_request(client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    for key in ("a", "b"):
        put_data(client, task, key)
    path = f"/runs/{task['runId']}/data"
    ok(client.delete(f"{path}?key=a", headers={KEY: "key"}))
    assert_error(client.delete(f"{path}?key=b", headers={KEY: "key"}), 422)
    assert ok(client.delete(f"{path}?key=a", headers={KEY: "key"})) == {"deleted": 1}


def test_body_is_compared_by_its_bytes(client: httpx.Client) -> None:
    headers = {KEY: "key", "Content-Type": "application/json"}
    ok(client.post("/runs", content=b'{"inputData":1}', headers=headers), 201)
    assert_error(client.post("/runs", content=b'{"inputData": 1}', headers=headers), 422)


@pytest.mark.parametrize("kind", [*KINDS, *DELETIONS])
def test_requests_with_keys_of_their_own_or_none_are_carried_out_each(client: httpx.Client, kind: str) -> None:
    write = writes(client)[kind]
    for key in ("one", "two", None, None):
        response = send(client, write, key)
        assert response.is_success or (kind in DELETIONS and response.status_code == 404)
        assert REPLAYED not in response.headers


def test_reads_take_no_notice_of_a_key(client: httpx.Client, rows: Callable[[], int]) -> None:
    run = make_run(client)
    before = ok(client.get(f"/runs/{run['id']}", headers={KEY: "key"}))
    ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}))
    response = client.get(f"/runs/{run['id']}", headers={KEY: "key"})
    assert ok(response) != before
    assert REPLAYED not in response.headers
    assert rows() == 0


def test_change_that_is_repeated_does_not_undo_a_later_one(client: httpx.Client) -> None:
    run = make_run(client)
    first = ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers={KEY: "key"}))
    ok(client.patch(f"/runs/{run['id']}", json={"status": "completed"}))
    assert ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers={KEY: "key"})) == first
    assert ok(client.get(f"/runs/{run['id']}"))["status"] == "completed"


def test_repeated_change_is_not_stale(client: httpx.Client) -> None:
    run = make_run(client)
    headers = {KEY: "key", "If-Match": client.get(f"/runs/{run['id']}").headers["ETag"]}
    first = ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers=headers))
    assert ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers=headers)) == first


# Refused requests ---------------------------------------------------------------------------------------------------


def test_refused_request_is_tried_anew(client: httpx.Client, rows: Callable[[], int]) -> None:
    run = make_run(client)
    headers = {KEY: "key"}
    assert_error(client.post("/tasks", json={"runId": run["id"]}, headers=headers), 400, "type", "inputData")
    assert_error(client.post("/tasks", json={"runId": UNKNOWN_ID, "type": "a", "inputData": 1}, headers=headers), 404)
    assert rows() == 0
    task = {"runId": run["id"], "type": "a", "inputData": 1}
    first = ok(client.post("/tasks", json=task, headers=headers), 201)
    assert ok(client.post("/tasks", json=task, headers=headers), 201) == first


def test_stale_change_is_tried_anew(client: httpx.Client) -> None:
    run = make_run(client)
    headers = {KEY: "key", "If-Match": '"other"'}
    assert_error(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers=headers), 412)
    headers["If-Match"] = client.get(f"/runs/{run['id']}").headers["ETag"]
    ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers=headers))


@pytest.mark.parametrize("kind", [*KINDS, *DELETIONS])
def test_response_and_effect_are_stored_together_or_not_at_all(
    served: Running, client: httpx.Client, rows: Callable[[], int], kind: str
) -> None:
    write = writes(client)[kind]
    before = contents(client)
    with served.refusing_commits(OSError("disk failure")):
        assert_error(send(client, write, "key"), 503)
    assert rows() == 0
    assert contents(client) == before
    first = send(client, write, "key")
    assert first.is_success
    assert REPLAYED not in first.headers


def test_error_after_the_effect_undoes_it(
    client: httpx.Client, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("foreman.api.runs.to_json", fail)
        assert_error(client.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 500)
    assert rows() == 0
    assert ok(client.get("/runs"))["total"] == 0


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1)])
def test_key_has_1_to_255_characters(client: httpx.Client, key: str) -> None:
    assert_error(client.post("/runs", json={"inputData": 1}, headers={KEY: key}), 400, KEY)
    assert ok(client.get("/runs"))["total"] == 0


@pytest.mark.parametrize("key", ["x", "x" * LONGEST_KEY, '"quoted"', "a, b", "é", "'; DROP TABLE run; --", "%00"])
def test_key_may_be_any_text(client: httpx.Client, key: str) -> None:
    headers = [(KEY.encode(), key.encode("latin-1"))]
    first = client.post("/runs", json={"inputData": 1}, headers=headers)
    assert client.post("/runs", json={"inputData": 1}, headers=headers).content == first.content
    assert ok(client.get("/runs"))["total"] == 1


# Whose keys they are ------------------------------------------------------------------------------------------------


def test_organisations_have_keys_of_their_own(client: httpx.Client, rival: httpx.Client) -> None:
    runs = [ok(each.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 201) for each in (client, rival)]
    assert runs[0]["id"] != runs[1]["id"]
    assert_error(rival.post("/runs", json={"inputData": 2}, headers={KEY: "key"}), 422)


def test_methods_and_paths_have_keys_of_their_own(client: httpx.Client) -> None:
    runs = [make_run(client) for _ in range(2)]
    for run in runs:
        ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}, headers={KEY: "key"}))
        assert ok(client.delete(f"/runs/{run['id']}", headers={KEY: "key"})) == {"deleted": 1}


def test_key_outlives_the_api_key(served: Running, client: httpx.Client) -> None:
    first = client.post("/runs", json={"inputData": 1}, headers={KEY: "key"})
    with served.client("acme") as rotated:
        again = rotated.post("/runs", json={"inputData": 1}, headers={KEY: "key"})
    assert again.content == first.content


def test_caller_who_may_not_write_gets_no_response_of_an_earlier_request(served: Running, client: httpx.Client) -> None:
    ok(client.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 201)
    with served.client("acme", read_only=True) as reader:
        assert_error(reader.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 403)


# Large responses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bytes_more", "is_whole"), [(0, True), (1, False)])
def test_large_response_is_given_again_with_its_ids_alone(
    client: httpx.Client, bytes_more: int, is_whole: bool
) -> None:
    size = LARGEST - len(client.post("/runs", json={"inputData": ""}).content) + bytes_more
    body = {"inputData": "x" * size}
    first = client.post("/runs", json=body, headers={KEY: "key"})
    assert len(first.content) == LARGEST + bytes_more
    again = client.post("/runs", json=body, headers={KEY: "key"})
    assert ok(again, 201) == (first.json() if is_whole else {"id": first.json()["id"]})
    assert headers_of(again) | {"content-length": ""} == headers_of(first) | {"content-length": ""}
    assert ok(client.get(again.headers["Location"].removeprefix("/api/v1"))) == first.json()


# At the same time ---------------------------------------------------------------------------------------------------


def test_many_requests_at_once_with_one_key_have_one_effect_and_one_answer(
    served: Running, client: httpx.Client
) -> None:
    task = make_task(client, make_run(client))
    together = threading.Barrier(8)

    def retry(number: int) -> list[bytes]:
        with served.client("acme") as another:
            together.wait()
            path = f"/tasks/{task['id']}"
            body = {"status": ("retrying", "queued")[number % 2]}
            return [another.patch(path, json=body, headers={KEY: f"{number}"}).content for number in range(20)]

    def first_of_all() -> Iterator[list[bytes]]:
        with ThreadPoolExecutor(8) as threads:
            yield from threads.map(retry, [0] * 8)

    answers = list(first_of_all())
    assert all(answer == answers[0] for answer in answers)
    assert ok(client.get(f"/tasks/{task['id']}"))["retryCount"] == 1


def test_random_retries_of_many_clients_have_each_effect_once(served: Running, client: httpx.Client) -> None:
    """A counter that every client increments: the number of a task's retries, and of the run's entries."""
    task = make_task(client, make_run(client))
    path = f"/runs/{task['runId']}/data"

    def increment(seed: int) -> int:
        chance = random.Random(seed)
        sent = 0
        with served.client("acme") as another:
            for number in range(6):
                headers = {KEY: f"{seed} {number}"}
                body = {"taskId": task["id"], "key": f"{chance.randrange(3)}", "value": number}
                answers = set()
                for _ in range(chance.randrange(1, 4)):
                    if chance.random() < 0.3:  # the answer does not arrive
                        give_up(another, path, body, headers)
                    else:
                        answers.add(ok_or_retried(another, path, body, headers))
                answers.add(ok_or_retried(another, path, body, headers))
                assert len(answers) == 1
                sent += 1
        return sent

    with ThreadPoolExecutor(16) as threads:
        sent = sum(threads.map(increment, range(16)))
    assert ok(client.get(f"{path}?includeAll=true"))["pagination"]["total"] == sent == 96


def ok_or_retried(client: httpx.Client, path: str, body: Json, headers: dict[str, str]) -> bytes:
    """The answer: as soon as it is no longer that there is no room."""
    while (response := client.post(path, json=body, headers=headers)).status_code == 503:
        pass
    assert response.status_code == 201, response.text
    return response.content


def give_up(client: httpx.Client, path: str, body: Json, headers: dict[str, str]) -> None:
    """Send a request, and close the connection before it is answered, unless the response was there at once."""
    with suppress(httpx.TransportError):
        client.post(path, json=body, headers=headers, timeout=httpx.Timeout(30, read=0.0))


@pytest.fixture
def under_way(served: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], httpx.Response]]:
    """A request that has done its work and is not committed; in the end, what lets it go on and gives its response."""
    begun, go_on = threading.Event(), threading.Event()
    keep = idempotency._Wanted.keep

    def keep_later(*args: Any, **options: Any) -> None:
        begun.set()
        assert go_on.wait(PATIENCE)
        keep(*args, **options)

    def finish() -> httpx.Response:
        go_on.set()
        return first.result()

    monkeypatch.setattr(idempotency._Wanted, "keep", keep_later)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(create_run, served)
        assert begun.wait(PATIENCE)
        yield finish
        go_on.set()


def create_run(served: Running) -> httpx.Response:
    with served.client("acme") as client:
        return client.post("/runs", json={"inputData": 1}, headers={KEY: "key"})


@pytest.mark.postgres
def test_request_waits_for_an_earlier_one_with_the_same_key(
    served: Running, client: httpx.Client, under_way: Callable[[], httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    pause = db.pause

    def noted(seconds: float) -> None:
        waits.set()
        pause(seconds)

    monkeypatch.setattr(db, "pause", noted)
    with ThreadPoolExecutor(1) as threads:
        second = threads.submit(create_run, served)
        assert waits.wait(PATIENCE)
        assert under_way().content == second.result().content
    assert second.result().headers[REPLAYED] == "true"
    assert ok(client.get("/runs"))["total"] == 1


@pytest.mark.postgres
def test_request_that_has_waited_too_long_for_an_earlier_one_is_refused(
    served: Running, client: httpx.Client, under_way: Callable[[], httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PATIENCE", 0.1)
    assert assert_error(create_run(served), 409)["code"] == "idempotency_in_progress"
    assert under_way().status_code == 201
    assert ok(client.get("/runs"))["total"] == 1


@pytest.mark.postgres
def test_claim_that_protected_nobody_ends_in_one_effect_all_the_same(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foreman.db.postgres.session import Session

    monkeypatch.setattr(Session, "claims", lambda *_: True)
    together = threading.Barrier(4)

    def create(_: int) -> bytes:
        with served.client("acme") as another:
            together.wait()
            return another.post("/runs", json={"inputData": 1}, headers={KEY: "key"}).content

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(create, range(4)))) == 1
    assert ok(client.get("/runs"))["total"] == 1


# Forgetting ---------------------------------------------------------------------------------------------------------


def test_old_keys_are_forgotten_and_no_others(served: Running, client: httpx.Client, rows: Callable[[], int]) -> None:
    def create(key: str) -> str:
        return str(ok(client.post("/runs", json={"inputData": 1}, headers={KEY: key}), 201)["id"])

    old = [create(f"old {number}") for number in range(AT_ONCE + 1)]
    with served.database.write() as tx:
        tx.run("UPDATE idempotency_key SET created_at = 1")
    young = create("young")
    assert forget(served.database, 2, threading.Event()) == AT_ONCE + 1
    assert rows() == 1
    assert create("young") == young
    assert create("old 0") not in old


def test_server_forgets_by_itself(
    served: Running, client: httpx.Client, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "EVERY", 0.01)
    ok(client.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 201)
    with served.database.write() as tx:
        tx.run("UPDATE idempotency_key SET created_at = :then", then=now_ms() - 60_000)
    with swept(served.database, 59_000):
        until(lambda: rows() == 0)


def test_forgetting_writes_nothing_while_nothing_is_old(served: Running, client: httpx.Client) -> None:
    ok(client.post("/runs", json={"inputData": 1}, headers={KEY: "key"}), 201)
    commits: list[int] = []
    served.database.observe_commits(lambda members, *_: commits.append(members))
    assert forget(served.database, 2, threading.Event()) == 0
    assert commits == []


def test_large_response_with_any_json_is_repeated_by_its_ids(client: httpx.Client) -> None:
    text = r'{"inputData": ["\ud83d", "' + "x" * LARGEST + '"], "tasks": [{"type": "a", "inputData": "\\ud83d"}]}'
    first, again = (client.post("/runs", content=text.encode(), headers={KEY: "key"}) for _ in range(2))
    assert ok(again, 201) == {"id": first.json()["id"], "tasks": [{"id": first.json()["tasks"][0]["id"]}]}
    assert again.headers[REPLAYED] == "true"


def test_keys_from_before_the_clock_was_set_back_hold_up_no_others(
    served: Running, client: httpx.Client, rows: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_DATED_AT_ONCE", 2)
    for number in range(8):
        ok(client.post("/runs", json={"inputData": 1}, headers={KEY: str(number)}), 201)
    ahead = now_ms() + 30 * 86_400_000
    with served.database.write() as tx:
        tx.run("UPDATE idempotency_key SET created_at = :ahead", ahead=ahead)
        newest = "SELECT seq FROM idempotency_key ORDER BY seq DESC LIMIT 3"
        tx.run(f"UPDATE idempotency_key SET created_at = 1 WHERE seq IN ({newest})")
    assert forget(served.database, 2, threading.Event()) == 3
    assert forget(served.database, now_ms() + 1, threading.Event()) == 5  # they count from now on
    assert rows() == 0
