"""Answers wait for the commit that they speak of: over HTTP, with a disk that is slow or fails."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import httpx
import pytest
from limits import parse

from foreman.server import dispatcher
from foreman.server.connection import State
from foreman.server.dispatcher import Dispatcher, Task
from tests.support.api import UNKNOWN_ID, Json, assert_error, assert_lives, make_run, make_task, ok, put_data
from tests.support.running import Running, Start
from tests.support.waiting import NEVER, PATIENCE, until
from tests.support.wire import Answer, Wire

pytestmark = pytest.mark.sqlite

IO_ERROR = sqlite3.OperationalError("disk I/O error")


class Disk(sqlite3.Connection):
    """A connection whose commits take as long as the test wants, and fail when told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slow = False
        self.refusal: Exception | None = None
        self.commits = 0
        self._begun, self._may_end = threading.Semaphore(0), threading.Semaphore(0)

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            if self.slow:
                self._begun.release()
                assert self._may_end.acquire(timeout=PATIENCE)
            if self.refusal:
                raise type(self.refusal)(*self.refusal.args)
        done = super().execute(sql, parameters)
        self.commits += sql == "COMMIT"
        return done

    def wait_for_commit(self) -> None:
        """Return when a commit has begun that has not been waited for yet."""
        assert self._begun.acquire(timeout=PATIENCE)

    def end_one(self) -> None:
        """Let one commit end; the next one is slow again."""
        self._may_end.release()

    def end_all(self) -> None:
        """Be as fast as usual from now on."""
        self.slow = False
        self._may_end.release(100)


@pytest.fixture(autouse=True)
def disks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Disk))
    yield
    messages = [record.getMessage() for record in caplog.get_records("call")]
    assert "Unexpected error while sending a response" not in messages


@contextmanager
def slow_disk(served: Running) -> Iterator[Disk]:
    """The disk that the server writes to; its commits end when told, and when the test ends."""
    disk = served.sqlite.write()._connection
    assert isinstance(disk, Disk)
    disk.commits, disk.slow = 0, True
    try:
        yield disk
    finally:
        disk.end_all()


class Arrivals:
    """Requests of one server that have got in line for a thread."""

    def __init__(self, served: Running) -> None:
        self.dispatcher = served.server.dispatcher
        assert isinstance(self.dispatcher, Dispatcher)
        self._add_task = self.dispatcher.add_task
        self._arrived = threading.Semaphore(0)
        self.dispatcher.add_task = self._add  # type: ignore[method-assign]

    def wait_for(self, count: int) -> None:
        """Return when so many more have come."""
        for _ in range(count):
            assert self._arrived.acquire(timeout=PATIENCE)

    def _add(self, task: Task) -> None:
        is_whole = getattr(task, "state", None) is not State.CHECKING
        self._add_task(task)
        if is_whole:
            self._arrived.release()


def wait_until_sent(served: Running) -> None:
    """Return when whatever the server's threads have answered is on its way."""
    for _ in range(2):  # what a thread has asked the loop for before the first is done before the second
        turned = threading.Event()
        served.server.loop.soon(turned.set)
        assert turned.wait(PATIENCE)


def total(client: httpx.Client) -> int:
    count: int = ok(client.get("/runs"))["total"]
    return count


class Clients:
    """Clients that post at once, each on a connection of its own."""

    def __init__(self, served: Running, count: int) -> None:
        self.key = served.key()
        self._served = served
        self._pool = ThreadPoolExecutor(count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def request(self, method: str, path: str, **options: Any) -> Future[httpx.Response]:
        return self._pool.submit(self._request, method, path, options)

    def post(self, number: int, **options: Any) -> Future[httpx.Response]:
        return self.request("POST", "/runs", json={"inputData": number}, **options)

    def _request(self, method: str, path: str, options: Json) -> httpx.Response:
        with self._served.client_with(self.key) as client:
            return client.request(method, path, **options)


# Before the commit --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/runs", {"inputData": 1}, 201),
        ("PATCH", "/runs/{run}", {"status": "running"}, 200),
        ("POST", "/tasks", {"runId": "{run}", "type": "step", "inputData": None}, 201),
        ("PATCH", "/tasks/{task}", {"status": "running"}, 200),
        ("POST", "/runs/{run}/data", {"taskId": "{task}", "key": "k", "value": 1}, 201),
        ("PATCH", "/runs/{run}/data/{entry}/tags", {"add": ["t"]}, 200),
        ("DELETE", "/runs/{run}/data?id={entry}", None, 200),
    ],
)
def test_no_write_is_answered_or_seen_before_its_commit(
    served: Running, client: httpx.Client, method: str, path: str, body: Json | None, status: int
) -> None:
    run = make_run(client)
    task = make_task(client, run)
    ids = {"run": run["id"], "task": task["id"], "entry": put_data(client, task, "key")["id"]}
    body = body and {name: value.format(**ids) if isinstance(value, str) else value for name, value in body.items()}
    pages = ("/runs", "/tasks", f"/runs/{run['id']}/data")
    before = [client.get(page).text for page in pages]
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send(method, path.format(**ids), body)
        disk.wait_for_commit()
        for _ in range(3):
            assert [client.get(page).text for page in pages] == before
        wait_until_sent(served)
        assert wire.is_silent()
        disk.end_all()
        assert wire.receive().status == status
    assert [client.get(page).text for page in pages] != before


def test_answers_that_wait_for_nothing_are_given_meanwhile(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with Wire(served) as wire, slow_disk(served) as disk, served.anonymous() as nobody:
        wire.send("POST", "/runs", {"inputData": 1})
        disk.wait_for_commit()
        assert ok(client.get(f"/runs/{run['id']}")) == run
        assert ok(nobody.get("/health"))["status"] == "healthy"
        assert_error(client.get(f"/runs/{UNKNOWN_ID}"), 404)
        assert_error(client.post("/runs", content=b"{"), 400)
        assert_error(nobody.post("/runs", json={"inputData": 1}), 401)
        assert wire.is_silent()


def test_write_is_seen_as_soon_as_it_is_answered(start: Start) -> None:
    served = start(threads=8)
    seen: list[bool] = []

    def write_and_look(key: str) -> None:
        with served.client_with(key) as client:
            for _ in range(10):
                run = make_run(client)
                seen.append(ok(client.get(f"/runs/{run['id']}")) == run)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(write_and_look, served.key()) for _ in range(8)]:
            future.result()
    assert seen == [True] * 80


@pytest.mark.usefixtures("no_hurry")
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_requests_share_a_commit_also_when_there_are_fewer_threads(start: Start, threads: int) -> None:
    served = start(threads=threads)
    arrivals = Arrivals(served)
    with Clients(served, 12) as clients, slow_disk(served) as disk:
        answers = [clients.post(0)]
        disk.wait_for_commit()
        answers += [clients.post(number) for number in range(1, 12)]
        arrivals.wait_for(12)
        disk.end_all()
        runs = [ok(answer.result(), 201) for answer in answers]
        # One for all who have come meanwhile, and one for each thread that was about to end its last request then.
        assert disk.commits <= 1 + 1 + (threads - 1)
    with served.client_with(clients.key) as client:
        assert sorted(run["inputData"] for run in ok(client.get("/runs"))["items"]) == list(range(12))
        assert all(ok(client.get(f"/runs/{run['id']}")) == run for run in runs)


# A commit that fails ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_hurry")
@pytest.mark.parametrize("refusal", [IO_ERROR, MemoryError()])
def test_commit_that_fails_is_told_to_everybody_who_shared_it(
    start: Start, refusal: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    served = start(threads=2, rate_limit=parse("1000/hour"))
    arrivals = Arrivals(served)
    with Clients(served, 8) as clients, served.client_with(clients.key) as client:
        with slow_disk(served) as disk:
            good = clients.post(0)
            disk.wait_for_commit()
            bad = [clients.post(number, headers={"X-Request-Id": f"find-me-{number}"}) for number in range(1, 8)]
            arrivals.wait_for(8)
            disk.end_one()
            ok(good.result(), 201)
            disk.refusal = refusal
            disk.end_all()
            with caplog.at_level(logging.ERROR):
                answers = [each.result() for each in bad]
        assert total(client) == 1
        left = set()
        for number, answer in enumerate(answers, start=1):
            assert_error(answer, 503)
            assert answer.headers.get_list("X-Request-Id") == [f"find-me-{number}"]
            assert answer.headers.get_list("Retry-After") == ["1"]
            assert answer.headers.get_list("X-RateLimit-Limit") == ["1000"]
            assert answer.headers["X-RateLimit-Reset"].isdigit()
            left.add(answer.headers["X-RateLimit-Remaining"])
            assert "Location" not in answer.headers
            assert any(f"find-me-{number}" in record.getMessage() and record.exc_info for record in caplog.records)
        assert left == {str(1000 - used) for used in range(2, 9)}
        disk.refusal = None
        assert_lives(client)


def test_failed_commit_is_told_to_other_origins_too(start: Start) -> None:
    served = start(cors_origins=("https://app.example",))
    with served.client() as client, slow_disk(served) as disk:
        disk.refusal = IO_ERROR
        disk.end_all()
        answer = client.post("/runs", json={"inputData": 1}, headers={"Origin": "https://app.example"})
    assert_error(answer, 503)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_client_may_try_again_on_the_same_connection_after_a_failed_commit(served: Running) -> None:
    with Wire(served) as wire, slow_disk(served) as disk:
        disk.refusal = IO_ERROR
        disk.end_all()
        for _ in range(3):
            wire.send("POST", "/runs", {"inputData": 1})
            assert wire.receive().status == 503
        disk.refusal = None
        wire.send("POST", "/runs", {"inputData": 1})
        run = wire.receive()
        assert run.status == 201
        wire.send("GET", "/runs")
        assert wire.receive().json()["items"] == [run.json()]


@pytest.mark.usefixtures("no_hurry")
@pytest.mark.parametrize("refusal", [None, IO_ERROR])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"/runs/{UNKNOWN_ID}", {"status": "running"}),  # is refused after its block
        ("DELETE", f"/runs/{UNKNOWN_ID}/data?key=k", None),  # is refused inside
    ],
)
def test_refused_request_waits_for_the_commit_of_what_it_may_have_seen(
    start: Start, method: str, path: str, body: Json | None, refusal: Exception | None
) -> None:
    served = start(threads=1)
    arrivals = Arrivals(served)
    with (
        Clients(served, 2) as clients,
        Wire(served, clients.key) as wire,
        served.client_with(clients.key) as client,
        slow_disk(served) as disk,
    ):
        first = clients.post(0)
        disk.wait_for_commit()
        second = clients.post(1)
        arrivals.wait_for(2)
        wire.send(method, path, body, X_Request_Id="mine")
        arrivals.wait_for(1)
        disk.end_one()
        ok(first.result(), 201)
        disk.wait_for_commit()  # of the second, which is in one transaction with what follows it
        wait_until_sent(served)
        assert wire.is_silent()
        disk.refusal = refusal
        disk.end_all()
        answer = wire.receive()
        assert answer.status == (503 if refusal else 404)
        assert set(answer.json()) == {"error", "details", "code"}
        assert answer.headers.get_all("X-Request-Id") == ["mine"]
        assert second.result().status_code == (503 if refusal else 201)
        disk.refusal = None
        assert total(client) == (1 if refusal else 2)
        assert_lives(client)


@pytest.mark.usefixtures("no_hurry")
def test_request_that_had_failed_already_is_told_once_when_to_try_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise IO_ERROR

    served = start(threads=1)
    arrivals = Arrivals(served)
    with (
        Clients(served, 2) as clients,
        Wire(served, clients.key) as wire,
        slow_disk(served) as disk,
    ):
        first = clients.post(0)
        disk.wait_for_commit()
        second = clients.post(1)
        arrivals.wait_for(2)
        monkeypatch.setattr("foreman.api.tasks.now_ms", fail)
        wire.send("PATCH", f"/tasks/{UNKNOWN_ID}", {"status": "running"})
        arrivals.wait_for(1)
        disk.end_one()
        ok(first.result(), 201)
        disk.wait_for_commit()
        disk.refusal = IO_ERROR
        disk.end_all()
        assert_error(second.result(), 503)
        answer = wire.receive()
        assert answer.status == 503
        for name in ("Retry-After", "Content-Type", "Content-Length", "X-Request-Id"):
            assert len(answer.headers.get_all(name, [])) == 1, name
        disk.refusal = None


def test_full_disk_fails_exactly_the_requests_whose_changes_are_not_stored(start: Start) -> None:
    served = start(threads=4)
    with served.database.read() as view:
        pages = view.value("PRAGMA page_count")
    with served.database.write() as tx:
        tx.run(f"PRAGMA max_page_count = {pages + 12}")
    with Clients(served, 16) as clients, served.client_with(clients.key) as client:
        large = "x" * 100_000
        futures = {
            number: clients.request(
                "POST", "/runs", json={"inputData": number, "metadata": {"it": large if number % 4 == 2 else ""}}
            )
            for number in range(16)
        }
        statuses = {number: future.result().status_code for number, future in futures.items()}
        assert all(statuses[number] >= 500 for number in range(2, 16, 4))
        stored = {run["inputData"] for run in ok(client.get("/runs"))["items"]}
        assert stored == {number for number, status in statuses.items() if status == 201}
        with served.database.write() as tx:
            tx.run("PRAGMA max_page_count = 1000000")
        assert_lives(client)


# One connection -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 4])
def test_request_that_was_sent_right_after_a_write_sees_it_and_is_answered_after_it(start: Start, threads: int) -> None:
    served = start(threads=threads)
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send_all(
            wire.request("POST", "/runs", {"inputData": 1}, X_Request_Id="write"),
            wire.request("GET", "/runs", X_Request_Id="read"),
        )
        disk.wait_for_commit()
        wait_until_sent(served)
        assert wire.is_silent()
        disk.end_all()
        write, read = wire.receive(), wire.receive()
    assert (write.headers["X-Request-Id"], write.status) == ("write", 201)
    assert (read.headers["X-Request-Id"], read.status) == ("read", 200)
    assert read.json()["items"] == [write.json()]


@pytest.mark.parametrize("threads", [1, 4])
def test_requests_that_were_sent_at_once_are_answered_in_their_order(start: Start, threads: int) -> None:
    served = start(threads=threads)
    with Wire(served) as wire:
        for round_ in range(5):
            requests = [wire.request("POST", "/runs", {"inputData": n}) + wire.request("GET", "/runs") for n in "abc"]
            wire.send_all(*requests)
            for number, text in enumerate("abc", start=1):
                assert wire.receive().json()["inputData"] == text
                assert wire.receive().json()["total"] == 3 * round_ + number


def test_request_that_was_sent_right_after_a_write_that_failed_sees_nothing_of_it(served: Running) -> None:
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send_all(wire.request("POST", "/runs", {"inputData": 1}), wire.request("GET", "/runs"))
        disk.wait_for_commit()
        disk.refusal = IO_ERROR
        disk.end_all()
        assert wire.receive().status == 503
        assert wire.receive().json()["total"] == 0


def test_malformed_request_right_after_a_write_is_answered_after_it(served: Running) -> None:
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send_all(wire.request("POST", "/runs", {"inputData": 1}), b"junk\r\n\r\n")
        disk.wait_for_commit()
        wait_until_sent(served)
        assert wire.is_silent()
        disk.end_all()
        assert [wire.receive().status, wire.receive().status] == [201, 400]
        assert wire.is_closed()


def test_body_may_be_announced_while_the_answer_before_it_is_held(served: Running) -> None:
    body = b'{"inputData": 2}'
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send("POST", "/runs", {"inputData": 1})
        disk.wait_for_commit()
        wire.send("POST", "/runs", None, Expect="100-continue", Content_Length=str(len(body)))
        disk.end_all()
        assert wire.receive().json()["inputData"] == 1
        assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert wire._file.readline() == b"\r\n"
        wire.send_all(body)
        assert wire.receive().json()["inputData"] == 2


@pytest.mark.parametrize("leave", [Wire.close, Wire.reset])
@pytest.mark.parametrize("refusal", [None, IO_ERROR])
def test_client_that_leaves_while_its_answer_is_held_does_no_harm(
    served: Running, client: httpx.Client, leave: Callable[[Wire], None], refusal: Exception | None
) -> None:
    wire = Wire(served)
    with slow_disk(served) as disk:
        wire.send_all(wire.request("POST", "/runs", {"inputData": 1}), wire.request("GET", "/runs"))
        disk.wait_for_commit()
        leave(wire)
        assert total(client) == 0
        disk.refusal = refusal
        disk.end_all()
        until(lambda: disk.commits == 1 if refusal is None else not disk.in_transaction)
        until(lambda: len(served.server.connections()) == 1)  # only the other client is left
        disk.refusal = None
        assert total(client) == (0 if refusal else 1)
        assert_lives(client)


@pytest.mark.usefixtures("no_hurry")
def test_others_of_the_same_commit_are_answered_when_a_client_has_left(start: Start) -> None:
    served = start(threads=1)
    arrivals = Arrivals(served)
    with Clients(served, 3) as clients, slow_disk(served) as disk:
        leaving = Wire(served, clients.key)
        answers = [clients.post(0)]
        disk.wait_for_commit()
        answers.append(clients.post(1))
        arrivals.wait_for(2)
        leaving.send("POST", "/runs", {"inputData": 2})
        arrivals.wait_for(1)
        answers.append(clients.post(3))
        arrivals.wait_for(1)
        disk.end_one()
        disk.wait_for_commit()
        leaving.reset()
        disk.end_all()
        assert [answer.result().status_code for answer in answers] == [201] * 3
        with served.client_with(clients.key) as client:
            assert total(client) == 4


@pytest.mark.usefixtures("no_hurry")
def test_client_that_does_not_read_keeps_nobody_else_from_the_answer(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even when it asks for more than the server is ready to keep for it."""
    served = start(threads=3)
    with Clients(served, 2) as clients, served.client_with(clients.key) as client:
        large = make_run(client, "x" * 9_000_000)  # the system's own buffers hold less
        arrivals = Arrivals(served)
        with Wire(served, clients.key) as lazy, slow_disk(served) as disk:
            first = clients.post(0)
            disk.wait_for_commit()
            with monkeypatch.context() as patched:
                patched.setattr(dispatcher, "HELD_UP", NEVER)  # so that the next two are in one commit, in this order
                change = lazy.request("PATCH", f"/runs/{large['id']}", {"status": "running"})
                arrivals.wait_for(1)
                lazy.send_all(change, lazy.request("GET", "/runs"))
                arrivals.wait_for(1)
                second = clients.post(1)
                arrivals.wait_for(1)
                disk.end_one()
                ok(first.result(), 201)
                disk.wait_for_commit()
            with arrivals.dispatcher.lock:
                arrivals.dispatcher._something.notify_all()  # who sleeps shall know that there is help again
            disk.end_all()
            ok(second.result(PATIENCE), 201)
            assert lazy.receive().json()["status"] == "running"
            assert lazy.receive().json()["total"] == 3


# The protocol -------------------------------------------------------------------------------------------------------


def test_answer_to_head_has_no_body_and_the_next_answer_follows(served: Running) -> None:
    with Wire(served) as wire:
        wire.send("POST", "/runs", {"inputData": 1})
        path = f"/runs/{wire.receive().json()['id']}"
        for each in (path, "/runs", f"/runs/{UNKNOWN_ID}", "/nothing", "/docs"):
            wire.send_all(wire.request("HEAD", each), wire.request("GET", each))
            head, get = wire.receive(to_head=True), wire.receive()
            assert head.status == get.status
            assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))
            assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_answer_that_nothing_has_changed_has_no_body(served: Running) -> None:
    with Wire(served) as wire:
        wire.send("GET", "/docs/swagger-ui.css")
        first = wire.receive()
        assert first.status == 200
        assert len(first.body) > 1000
        wire.send("GET", "/docs/swagger-ui.css", If_None_Match=first.headers["ETag"], Connection="close")
        second = wire.receive()
        assert (second.status, second.headers["ETag"]) == (304, first.headers["ETag"])
        assert "Content-Length" not in second.headers
        assert "Transfer-Encoding" not in second.headers
        assert wire.is_closed()


REQUESTS: list[tuple[str, Json | None, int]] = [("GET", None, 200), ("POST", {"inputData": 1}, 201)]


@pytest.mark.parametrize(("method", "body", "status"), REQUESTS)
@pytest.mark.parametrize(
    ("version", "headers"), [("1.0", {}), ("1.0", {"Connection": "close"}), ("1.1", {"Connection": "close"})]
)
def test_connection_ends_with_the_answer_when_the_client_wants_it(
    served: Running, method: str, body: Json | None, status: int, version: str, headers: dict[str, str]
) -> None:
    with Wire(served) as wire:
        wire.send(method, "/runs", body, version, **headers)
        answer = wire.receive()
        assert (answer.status, answer.headers.get_all("Connection")) == (status, ["close"])
        assert wire.is_closed()


@pytest.mark.parametrize(("method", "body", "status"), REQUESTS)
@pytest.mark.parametrize(
    ("version", "headers", "says"), [("1.0", {"Connection": "Keep-Alive"}, ["Keep-Alive"]), ("1.1", {}, None)]
)
def test_connection_goes_on_when_the_client_wants_it(
    served: Running,
    method: str,
    body: Json | None,
    status: int,
    version: str,
    headers: dict[str, str],
    says: list[str] | None,
) -> None:
    with Wire(served) as wire:
        for _ in range(3):
            wire.send(method, "/runs", body, version, **headers)
            answer = wire.receive()
            assert (answer.status, answer.headers.get_all("Connection")) == (status, says)


# Errors outside of the application's own handling -------------------------------------------------------------------

Wsgi = Callable[[Json, Callable[..., Any]], Iterable[bytes]]


def assert_internal_error(answer: Answer) -> None:
    assert answer.status == 500
    assert set(answer.json()) == {"error", "details", "code"}
    assert "secret" not in answer.body.decode()
    assert len(answer.headers.get_all("X-Request-Id", [])) == 1
    assert answer.headers["Connection"] == "close"


def raises_before(_: Wsgi) -> Wsgi:
    def application(*_: object) -> Iterable[bytes]:
        raise RuntimeError("secret")

    return application


def raises_after(inner: Wsgi) -> Wsgi:
    def application(environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        b"".join(inner(environ, start_response))
        raise RuntimeError("secret")

    return application


def raises_in_the_midst(inner: Wsgi) -> Wsgi:
    def application(environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        yield from inner(environ, start_response)
        raise RuntimeError("secret")

    return application


@pytest.mark.parametrize("break_", [raises_before, raises_after, raises_in_the_midst])
@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", {"inputData": 1})])
def test_error_outside_of_the_application_gets_the_envelope(
    served: Running,
    client: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    break_: Callable[[Wsgi], Wsgi],
    method: str,
    body: Json | None,
) -> None:
    with monkeypatch.context() as broken, Wire(served) as wire:
        broken.setattr(served.app, "wsgi_app", break_(served.app.wsgi_app))
        wire.send(method, "/runs", body, X_Request_Id="abc-123")
        answer = wire.receive()
        assert_internal_error(answer)
        assert answer.headers["X-Request-Id"] == "abc-123"
        assert wire.is_closed()
    assert "secret" in caplog.text
    assert total(client) == (1 if body and break_ is not raises_before else 0)
    assert_lives(client)


@pytest.mark.parametrize("refusal", [None, IO_ERROR])
def test_error_outside_of_the_application_waits_for_the_commit_too(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, refusal: Exception | None
) -> None:
    with monkeypatch.context() as broken, Wire(served) as wire, slow_disk(served) as disk:
        broken.setattr(served.app, "wsgi_app", raises_after(served.app.wsgi_app))
        wire.send("POST", "/runs", {"inputData": 1})
        disk.wait_for_commit()
        wait_until_sent(served)
        assert wire.is_silent()
        disk.refusal = refusal
        disk.end_all()
        assert_internal_error(wire.receive())
        disk.refusal = None
    assert total(client) == (0 if refusal else 1)


# Stopping -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", [None, IO_ERROR])
def test_stop_finishes_the_answers_that_are_held(start: Start, refusal: Exception | None) -> None:
    served = start(threads=2)
    arrivals = Arrivals(served)
    with Clients(served, 6) as clients, slow_disk(served) as disk:
        answers = [clients.post(number) for number in range(6)]
        disk.wait_for_commit()
        arrivals.wait_for(6)
        served.server.stop()
        disk.refusal = refusal
        disk.end_all()
        for answer in answers:
            assert answer.result().status_code == (503 if refusal else 201)
            assert answer.result().headers["Connection"] == "close"
        served.thread.join(PATIENCE)
        assert not served.thread.is_alive()
        disk.refusal = None
    stored = served.database.one("SELECT count(*) FROM run")
    assert stored is not None
    assert stored[0] == (0 if refusal else 6)


def test_stop_finishes_what_was_sent_right_after_a_write(served: Running) -> None:
    """Its connection is told to close by the answer to the write, so nothing after it is served."""
    with Wire(served) as wire, slow_disk(served) as disk:
        wire.send_all(wire.request("POST", "/runs", {"inputData": 1}), wire.request("POST", "/runs", {"inputData": 2}))
        disk.wait_for_commit()
        served.server.stop()
        disk.end_all()
        answer = wire.receive()
        assert (answer.status, answer.headers["Connection"]) == (201, "close")
        assert wire.is_closed()
    served.thread.join(PATIENCE)
    assert not served.thread.is_alive()
    stored = served.database.one("SELECT count(*) FROM run")
    assert stored is not None
    assert stored[0] == 1
