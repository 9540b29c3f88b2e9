"""Clients that are slow, greedy or hostile: they get an answer or are closed, and others are served all the while."""

import errno
import json
import resource
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.api import run_data
from foreman.http.opaque_json import decode_object
from foreman.http.paging import pages
from foreman.server import connection, http_server, listener, server, uploads
from foreman.server.connection import State
from foreman.server.owed import Owed
from foreman.server.parser import LARGE
from tests.support.api import Json, assert_error, assert_lives, make_run, make_task, ok, put_data
from tests.support.databases import ENDLESS
from tests.support.proof import much
from tests.support.running import Running, Start
from tests.support.server_process import MOST_MEMORY, ServerProcess, server_process
from tests.support.waiting import PATIENCE, until
from tests.support.wire import Wire, refused

HEAD = b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients have little time."""
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    monkeypatch.setattr(http_server, "_LOOK_EVERY", 0.05)


def with_key(wire: Wire, head: bytes) -> bytes:
    """The bytes of a request, with a valid key."""
    return head.replace(b"KEY", wire.key.encode())


def upload(wire: Wire, size: int) -> bytes:
    """A request with a body of about so many bytes."""
    return wire.request("POST", "/runs", {"inputData": "x" * size})


# Slow clients -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "part",
    [
        b"G",
        b"GET /api/v1/health HTTP/1.1\r\nX-A: ",
        HEAD + b"Content-Length: 100000\r\n\r\n" + b"x" * 50,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
    ],
)
def test_request_that_does_not_arrive_is_408(served: Running, client: httpx.Client, part: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(with_key(wire, part))
        assert "Request Timeout" in refused(wire, 408)
    assert_lives(client)


@pytest.mark.usefixtures("impatient")
def test_byte_now_and_then_earns_no_more_time(served: Running, client: httpx.Client) -> None:
    with Wire(served) as wire:
        wire.send_all(with_key(wire, HEAD + b"Content-Length: 100000\r\n\r\n"))
        while wire.is_silent():
            wire.send_all(b"x")
            time.sleep(0.01)
        assert "Request Timeout" in refused(wire, 408)
    assert_lives(client)


@pytest.mark.usefixtures("impatient")
def test_slow_body_that_gets_on_is_awaited(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "SLOWEST", 1)
    body = b'{"inputData": "' + b"x" * 100 + b'"}'
    with Wire(served) as wire:
        head, _, _ = wire.request("POST", "/runs", {}).partition(b"Content-Length")
        wire.send_all(head, b"Content-Length: %d\r\n\r\n" % len(body))
        until(lambda: any(each.request and each.state is State.READING for each in served.connections()))
        wire.send_all(body[:60])
        time.sleep(1)
        wire.send_all(body[60:])
        assert wire.receive().status == 201


@pytest.mark.usefixtures("impatient")
def test_idle_connection_may_stay(served: Running) -> None:
    with Wire(served) as wire:
        wire.send("GET", "/health")
        assert wire.receive().status == 200
        time.sleep(1)
        wire.send("GET", "/health")
        assert wire.receive().status == 200


@pytest.mark.usefixtures("impatient")
def test_client_that_does_not_read_its_answer_is_closed(served: Running, client: httpx.Client) -> None:
    run = make_run(client, "x" * 9_000_000)
    with Wire(served) as wire:
        wire.send("GET", f"/runs/{run['id']}")
        until(lambda: len(served.connections()) == 2)
        assert_lives(client)
        until(lambda: len(served.connections()) == 1)
    assert_lives(client)


def test_client_that_reads_slowly_gets_all_of_its_answer(served: Running, client: httpx.Client) -> None:
    run = make_run(client, "x" * 9_000_000)
    with Wire(served) as wire:
        wire.send("GET", f"/runs/{run['id']}")
        until(lambda: any(each.owed for each in served.connections()))
        assert_lives(client)
        assert wire.receive().json() == run


def test_unread_answers_are_kept_for_few(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait until there is room for them; nobody is cut off."""
    run = make_run(client, "x" * 9_000_000)
    monkeypatch.setattr(served.server.answers, "total", 10_000_000)
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(served)) for _ in range(5)]
        for wire in wires:
            wire.send("GET", f"/runs/{run['id']}")
        until(lambda: sum(each.owed > 0 for each in served.connections()) == 1)
        until(lambda: len(served.server.dispatcher._large) == 4)
        assert_lives(client)
        with ThreadPoolExecutor(5) as pool:
            assert list(pool.map(lambda wire: wire.receive().json(), wires)) == [run] * 5
    assert_lives(client)


def test_client_that_reads_slowly_makes_room_for_others(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(http_server, "_READING_WINDOW", 0.2)
    run = make_run(client, "x" * 9_000_000)
    monkeypatch.setattr(served.server.answers, "total", 10_000_000)
    with Wire(served) as slow, Wire(served) as other:
        slow.send("GET", f"/runs/{run['id']}")
        until(lambda: any(each.owed for each in served.connections()))
        other.send("GET", f"/runs/{run['id']}")
        assert other.receive().json() == run
    assert_lives(client)


@pytest.mark.usefixtures("impatient")
def test_large_answer_for_which_there_is_no_room_in_time_is_503(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_WAIT_FOR_ROOM", 0.1)
    monkeypatch.setattr(connection, "PATIENCE", PATIENCE)
    run = make_run(client, "x" * 9_000_000)
    monkeypatch.setattr(served.server.answers, "total", 10_000_000)
    with Wire(served) as first, Wire(served) as second:
        first.send("GET", f"/runs/{run['id']}")
        until(lambda: any(each.owed for each in served.connections()))
        second.send("GET", f"/runs/{run['id']}")
        assert "too many large answers" in refused(second, 503)
        assert first.receive().json() == run


# Many connections ---------------------------------------------------------------------------------------------------


def descriptors(number: int) -> bool:
    """Whether this process, which is the server and its clients, may have so many open files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard == resource.RLIM_INFINITY or hard >= number


@pytest.mark.skipif(not descriptors(5000), reason="there are too few file descriptors for it")
def test_a_thousand_idle_connections_keep_nobody_out(served: Running, client: httpx.Client) -> None:
    address = ("127.0.0.1", served.server.port)
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE))
        until(lambda: len(served.connections()) >= 1000)
        assert_lives(client)
        with served.client() as another:
            assert_lives(another)
        assert len(served.connections()) >= 1000
    until(lambda: len(served.connections()) < 10)


def test_those_who_have_waited_longest_make_room_for_new_connections(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 50)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    served = start()
    key = served.key()
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(served, key)) for _ in range(60)]
        until(lambda: len(served.connections()) <= 50)
        assert wires[0].is_closed()
        wires[-1].send("GET", "/runs")
        assert wires[-1].receive().status == 200
        with served.client() as client:
            assert_lives(client)
    assert caplog.text.count("Too many connections") == 1


def test_connections_whose_requests_are_being_served_stay(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MOST_CONNECTIONS", 20)
    begun, go_on = threading.Event(), threading.Event()

    def slow_page(*_: Any, **__: Any) -> pages.Page:
        begun.set()
        assert go_on.wait(PATIENCE)
        return pages.Page([], 0, None)

    monkeypatch.setattr("foreman.api.runs.read_page", slow_page)
    served = start()
    with ExitStack() as stack:
        first = stack.enter_context(Wire(served))
        first.send("GET", "/runs")
        assert begun.wait(PATIENCE)
        wires = [stack.enter_context(Wire(served, first.key)) for _ in range(40)]
        assert wires[0].is_closed()
        go_on.set()
        assert first.receive().status == 200


def use_up_descriptors(process: ServerProcess) -> None:
    """From now on the process can open nothing more."""
    process.limit(resource.RLIMIT_NOFILE, descriptors_of(process))


def descriptors_of(process: ServerProcess) -> int:
    return len(list(Path(f"/proc/{process.process.pid}/fd").iterdir()))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_without_file_descriptors_idle_connections_make_room(tmp_path: Path) -> None:
    with server_process(tmp_path / "foreman.db") as process, ExitStack() as stack:
        run = make_run(process.client)
        address = (process.client.base_url.host, process.client.base_url.port)
        before = descriptors_of(process)

        def connect() -> None:
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE))

        def has_warned() -> bool:
            connect()  # what was open for a moment only, such as a temporary file, has left room for one more
            return "Too many connections" in (tmp_path / "foreman.log").read_text()

        for _ in range(40):
            connect()
        until(lambda: descriptors_of(process) >= before + 40)
        use_up_descriptors(process)
        until(has_warned)
        with httpx.Client(base_url=process.client.base_url, headers=process.client.headers, timeout=PATIENCE) as client:
            assert ok(client.get(f"/runs/{run['id']}")) == run
            assert_lives(client)
            process.limit(resource.RLIMIT_NOFILE, before)  # fewer than there are
            assert_lives(client)
        log = (tmp_path / "foreman.log").read_text()
        assert log.count("Too many connections") == 1
        assert "Traceback" not in log
        process.limit(resource.RLIMIT_NOFILE, 1024)
        process.client.close()
        with httpx.Client(base_url=process.client.base_url, headers=process.client.headers, timeout=PATIENCE) as client:
            assert_lives(client)


@pytest.mark.sqlite  # on PostgreSQL, a session that is given up leaves a descriptor now and then
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit")
def test_large_body_without_a_file_descriptor_is_503(tmp_path: Path) -> None:
    with server_process(tmp_path / "foreman.db") as process:
        make_run(process.client)
        use_up_descriptors(process)
        large = process.client.post("/runs", json={"inputData": "x" * 3_000_000})
        assert_error(large, 503)
        assert large.headers["Retry-After"] == "1"
        process.limit(resource.RLIMIT_NOFILE, 1024)
        assert ok(process.client.get("/runs"))["total"] == 1
        make_run(process.client, "x" * 3_000_000)


def test_urgent_data_has_no_meaning(served: Running, client: httpx.Client) -> None:
    with Wire(served) as wire:
        wire.send_all(b"GET")
        wire.send_urgent(b"!")
        wire.send_all(wire.request("GET", "/health")[3:])
        assert wire.receive().status in (200, 400)
    assert_lives(client)


# Odd orders of reading and writing ----------------------------------------------------------------------------------


def test_client_that_has_said_all_still_gets_its_answer(served: Running) -> None:
    with Wire(served) as wire:
        wire.send("POST", "/runs", {"inputData": 1})
        wire.end()
        assert wire.receive().status == 201
        assert wire.is_closed()


def test_pipelined_requests_are_answered_in_order(served: Running, client: httpx.Client) -> None:
    with Wire(served) as wire:
        wire.send_all(*(wire.request("POST", "/runs", {"inputData": number}) for number in range(300)))
        assert [wire.receive().json()["inputData"] for _ in range(300)] == list(range(300))
    assert ok(client.get("/runs"))["total"] == 300


def test_pipelined_request_waits_until_the_answer_before_has_been_read(served: Running, client: httpx.Client) -> None:
    large = make_run(client, "x" * 9_000_000)
    with Wire(served) as wire:
        wire.send_all(wire.request("GET", f"/runs/{large['id']}"), wire.request("POST", "/runs", {"inputData": 2}))
        until(lambda: any(each.owed for each in served.connections()))
        assert_lives(client)
        assert ok(client.get("/runs", params={"limit": 1}))["total"] == 2
        assert wire.receive().json() == large
        assert wire.receive().status == 201
    assert ok(client.get("/runs", params={"limit": 1}))["total"] == 3


def test_pipelining_client_that_goes_away_unread_leaves_nothing_behind(served: Running, client: httpx.Client) -> None:
    large = make_run(client, "x" * 9_000_000)
    for leave in (Wire.close, Wire.reset):
        wire = Wire(served)
        wire.send_all(*(wire.request("GET", f"/runs/{large['id']}") for _ in range(5)))
        until(lambda: any(each.owed for each in served.connections()))
        leave(wire)
        until(lambda: len(served.connections()) == 1)
    assert_lives(client)


def test_pipelined_request_of_a_client_that_cannot_be_answered_is_not_begun(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError(errno.ENOBUFS, "no buffer space")

    large = make_run(client, "x" * 9_000_000)
    with Wire(served) as wire:
        wire.send_all(wire.request("GET", f"/runs/{large['id']}"), wire.request("POST", "/runs", {"inputData": 2}))
        until(lambda: any(each.owed for each in served.connections()))
        (slow,) = (each for each in served.connections() if each.owed)
        monkeypatch.setattr(Owed, "send", fail)
        assert slow.state is State.SENDING
        wire.read_some()
        until(lambda: len(served.connections()) == 1)
    assert_lives(client)
    assert ok(client.get("/runs", params={"limit": 1}))["total"] == 2


# Heads --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "status", "message"),
    [
        (b"GET /api/v1/health HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431, "Header Fields Too Large"),
        (b"GET /" + b"x" * 300_000 + b" HTTP/1.1\r\n\r\n", 431, "Header Fields Too Large"),
        (b"GET /api/v1/health HTTP/1.1\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431, "more than 100 fields"),
        # What waitress's own patterns take quadratic time for, or worse.
        (b"GET a://" + b"1" * 200_000 + b" X\r\n\r\n", 400, "Start line is invalid"),
        (b"GET / HTTP/1.1\r\nA:" + b" " * 200_000 + b"x\r\n\r\n", 400, "Invalid header"),
        (b"GET /nothing HTTP/1.1\r\nHost: x\r\nA: x" + b" " * 200_000 + b"x\r\n\r\n", 404, "Not found"),
        (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 400, "this is not HTTP"),
        (b"\x00" * 100, 400, "this is not HTTP"),
    ],
)
def test_odd_head_is_answered_at_once(
    served: Running, client: httpx.Client, head: bytes, status: int, message: str
) -> None:
    with Wire(served) as wire:
        wire.send_all(head)
        if status == 404:
            assert message in wire.receive().json()["error"]
        else:
            assert message in refused(wire, status)
    assert_lives(client)


def test_100_fields_are_accepted(served: Running) -> None:
    with Wire(served) as wire:
        wire.send("GET", "/health", **{f"X_{number}": "1" for number in range(98)})
        assert wire.receive().status == 200


# Bodies -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: -1", 400),
        (b"Content-Length: 1x", 400),
        (b"Content-Length: 0x10", 400),
        (b"Content-Length: " + b"9" * 5000, 400),
        (b"Content-Length: 1\r\nContent-Length: 1", 400),
        (b"Content-Length: 1\r\nContent-Length: 2", 400),
        (b"Content-Length: 1, 1", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        (b"Transfer-Encoding: gzip", 501),
        (b"Transfer-Encoding: gzip, chunked", 501),
    ],
)
def test_ambiguous_length_is_refused(served: Running, client: httpx.Client, fields: bytes, status: int) -> None:
    """So that nobody in between can be made to take another part of it for the body (RFC 9112, section 6.3)."""
    with Wire(served) as wire:
        wire.send_all(HEAD + fields + b"\r\n\r\n")
        refused(wire, status)
    assert_lives(client)


def test_old_http_has_no_chunks(served: Running) -> None:
    with Wire(served) as wire:
        wire.send_all(b"POST /api/v1/runs HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        refused(wire, 400)


CHUNKED = HEAD + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunked_body_is_read(served: Running) -> None:
    with Wire(served) as wire:
        wire.send_all(
            with_key(wire, CHUNKED), b'5;ext=1\r\n{"inp\r\n', b'b\r\nutData": 1}\r\n', b"0\r\nTrailer: 1\r\n\r\n"
        )
        assert wire.receive().json()["inputData"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n",
        b"-1\r\n",
        b"1\r\nabc\r\n",
        b"1;a=" + b"x" * 200_000,
        b"0\r\nA: " + b"x" * 200_000,
        b"1\r\n1\r\n" * 200_000,
    ],
)
def test_chunks_that_are_malformed_or_mostly_not_body_are_refused(
    served: Running, client: httpx.Client, body: bytes
) -> None:
    with Wire(served) as wire:
        wire.try_to_send(with_key(wire, CHUNKED) + body)
        assert wire.status_or_end() in (400, None)  # None: the answer was lost, because not all was read before the end
    assert_lives(client)


def test_many_large_bodies_are_taken_one_after_the_other(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.server.bodies._quota, "total", 3_000_000)
    key = served.key()

    def send(number: int) -> int:
        with Wire(served, key) as wire:
            wire.send_all(upload(wire, 1_000_000 + number))
            return wire.receive().status

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(send, range(24))) == [201] * 24
    until(lambda: served.server.bodies.used == 0)
    assert_lives(client)


def test_large_bodies_are_handled_one_at_a_time_and_small_ones_beside_them(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow_decode(body: bytes) -> Any:
        if len(body) > LARGE:
            begun.release()
            assert go_on.wait(PATIENCE)
        return decode_object(body)

    monkeypatch.setattr("foreman.http.contract.decode_object", slow_decode)
    with Wire(served) as first, Wire(served) as second:
        first.send_all(upload(first, 100_000))
        assert begun.acquire(timeout=PATIENCE)
        second.send_all(upload(second, 100_000))
        until(lambda: len(served.server.dispatcher._large) == 1)
        assert_lives(client)
        assert not begun.acquire(blocking=False)
        go_on.set()
        assert [wire.receive().status for wire in (first, second)] == [201, 201]


def test_large_body_that_stalls_makes_room_for_others(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.server.bodies._quota, "total", 1_500_000)
    monkeypatch.setattr(http_server, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(uploads, "WINDOW", 0.2)
    with Wire(served) as stalled, Wire(served) as other:
        stalled.send_all(upload(stalled, 1_000_000)[:-10])
        until(lambda: served.server.bodies.used > 900_000)
        assert_lives(client)  # small requests need no room
        other.send_all(upload(other, 1_000_000))
        assert "Request Timeout" in refused(stalled, 408)
        assert other.receive().status == 201


@pytest.mark.usefixtures("impatient")
def test_large_body_for_which_there_is_no_room_in_time_is_503(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.server.bodies._quota, "total", 1_500_000)
    monkeypatch.setattr(connection, "SLOWEST", 40_000)  # the first one has earned much time with what it has sent
    with Wire(served) as first, Wire(served) as second:
        first.send_all(upload(first, 1_000_000)[:-10])
        until(lambda: served.server.bodies.used > 900_000)
        second.try_to_send(upload(second, 1_000_000)[:100_000])
        answer = second.receive()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        first.send_all(upload(first, 1_000_000)[-10:])
        assert first.receive().status == 201
    assert_lives(client)


@pytest.mark.parametrize("items", ["0", '"a"', "[]", "null"])
def test_list_of_far_too_many_tags_is_refused_as_a_whole(client: httpx.Client, items: str) -> None:
    task = make_task(client, make_run(client))
    body = f'{{"taskId": "{task["id"]}", "key": "k", "value": 1, "tags": [{",".join([items] * 1_000_000)}]}}'
    response = client.post(f"/runs/{task['runId']}/data", content=body, headers={"Content-Type": "application/json"})
    assert_error(response, 400, "tags")


# Queries ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def entries(client: httpx.Client) -> Json:
    """A run with a few entries."""
    task = make_task(client, make_run(client))
    for number in range(3):
        put_data(client, task, f"k{number}", number, tags=[f"t{number}", "all"])
    return task


@pytest.mark.parametrize("mode", ["any", "all"])
@pytest.mark.parametrize(
    ("name", "first", "any_total", "all_total"),
    [("keys", "k", 3, 3), ("keyStartsWith", "k", 3, 3), ("tags", "t", 3, 0), ("tagStartsWith", "t", 3, 0)],
)
def test_lists_of_10_000_items_are_answered(
    served: Running, entries: Json, name: str, first: str, any_total: int, all_total: int, mode: str
) -> None:
    items = ",".join(f"{first}{number}" for number in range(10_000))
    with Wire(served) as wire:
        wire.send("GET", f"/runs/{entries['runId']}/data?{name}={items}&tagMode={mode}")
        assert wire.receive().json()["pagination"]["total"] == (any_total if mode == "any" else all_total)


@pytest.mark.parametrize("text", ["(a+)+$", ".*.*.*", "[a-z", "a{9}", "\\", "(?=", "%", "_", "*"])
def test_prefixes_of_tags_are_no_patterns(client: httpx.Client, entries: Json, text: str) -> None:
    task = {"id": entries["id"], "runId": entries["runId"]}
    entry = put_data(client, task, "odd", 1, tags=[f"{text}!"])
    found = ok(client.get(f"/runs/{entries['runId']}/data", params={"tagStartsWith": text}))
    assert [each["id"] for each in found["data"]] == [entry["id"]]


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 127,
        "*" * 255,
        "*?" * 127,
        "*[a-z]" * 42,
        "*[^b]" * 50 + "b",
        "*" + "a" * 250 + "b",
        "*[" + "b" * 250 + "]",
    ],
)
def test_globs_of_many_stars_are_answered(client: httpx.Client, entries: Json, pattern: str) -> None:
    for number in range(20):
        put_data(client, entries, "a" * 250 + f"{number:05}")
    found = ok(client.get(f"/runs/{entries['runId']}/data", params={"keyPattern": pattern}))
    with sqlite3.connect(":memory:") as database:
        expected = [
            key
            for key in [*(f"k{number}" for number in range(3)), *("a" * 250 + f"{number:05}" for number in range(20))]
            if database.execute("SELECT glob(?, ?)", (pattern, key)).fetchone()[0]
        ]
    database.close()
    assert found["pagination"]["total"] == len(expected)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries of run data do not end by themselves."""
    monkeypatch.setattr(run_data, "data_query", lambda *_: ENDLESS)


@pytest.mark.usefixtures("endless")
def test_query_that_takes_too_long_is_503(
    served: Running, client: httpx.Client, entries: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LONGEST_READ", 0.3)
    with served.client() as other:
        response = other.get(f"/runs/{entries['runId']}/data")
        assert "takes too long" in assert_error(response, 503)["error"]
        assert response.headers["Retry-After"] == "1"
        assert_lives(other)
    assert_lives(client)


@pytest.mark.usefixtures("endless")
def test_others_are_served_beside_long_queries(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_READ", PATIENCE / 2)
    monkeypatch.setattr(server, "_LONGEST_READ_WHILE_STUCK", PATIENCE / 2)
    served = start(threads=4)
    with served.client() as client:
        run = make_run(client)
        with ThreadPoolExecutor(6) as pool:
            key = served.key()
            answers = [
                pool.submit(httpx.get, f"{served.url}/api/v1/runs/{run['id']}/data",
                            headers={"X-API-Key": key}, timeout=3 * PATIENCE)
                for _ in range(6)
            ]  # fmt: skip
            until(lambda: sum(map(len, served.server.dispatcher._queues)) == 4)  # two are under way
            assert_lives(client)
            assert not any(answer.done() for answer in answers)
            monkeypatch.setattr(server, "_LONGEST_READ", 0.1)
            monkeypatch.setattr(server, "_LONGEST_READ_WHILE_STUCK", 0.1)
            assert [answer.result().status_code for answer in answers] == [503] * 6


@pytest.mark.usefixtures("endless")
def test_long_queries_give_way_when_others_find_no_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_READ", 3 * PATIENCE)
    monkeypatch.setattr(server, "_LONGEST_READ_WHILE_STUCK", 0.1)
    served = start(threads=1)
    with served.client() as client, ThreadPoolExecutor(1) as pool:
        run = make_run(client)
        answer = pool.submit(
            httpx.get,
            f"{served.url}/api/v1/runs/{run['id']}/data",
            headers={"X-API-Key": served.key()},
            timeout=PATIENCE,
        )
        until(lambda: served.server.dispatcher._under_way[1] == 1)
        assert_lives(client)
        assert answer.result().status_code == 503


# Large answers ------------------------------------------------------------------------------------------------------


def lists_of(client: httpx.Client, large: str) -> Iterator[str]:
    run = make_run(client, large)
    make_run(client, large)
    task = make_task(client, run, inputData=large)
    make_task(client, run, inputData=large)
    for key in ("a", "b"):
        put_data(client, task, key, large)
    yield from ("/runs?", "/tasks?", f"/runs/{run['id']}/data?")


def test_page_that_is_too_large_is_refused_and_its_items_are_not(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "LARGEST_PAGE", 1000)
    for each in lists_of(client, "x" * 2000):
        details = assert_error(client.get(f"{each}limit=2"), 400, "limit")["details"]
        assert "ask for fewer" in details[0]["message"]
        assert ok(client.get(f"{each}limit=1"))


@pytest.mark.parametrize("text", ["x", "\u00e9", "\U0001f600"])
def test_page_is_as_large_as_its_bytes(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    value = text * (1200 // len(text.encode()))
    for each in lists_of(client, value):
        monkeypatch.setattr(pages, "LARGEST_PAGE", 2 * len(json.dumps(value, ensure_ascii=False).encode()) + 100)
        assert ok(client.get(f"{each}limit=2"))
        monkeypatch.setattr(pages, "LARGEST_PAGE", 2 * len(json.dumps(value, ensure_ascii=False).encode()) - 1)
        assert_error(client.get(f"{each}limit=2"), 400, "limit")


# Memory -------------------------------------------------------------------------------------------------------------


@pytest.mark.proof
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.skipif(not descriptors(5000), reason="there are too few file descriptors for it")
def test_memory_stays_below_its_bound_whatever_clients_do(tmp_path: Path) -> None:
    with server_process(tmp_path / "foreman.db") as process:
        runs = [make_run(process.client, "x" * 9_000_000) for _ in range(3)]
        task = make_task(process.client, runs[0])
        key = process.client.headers["X-API-Key"]
        address = (process.client.base_url.host, process.client.base_url.port or 0)

        def request(method: str, path: str, body: bytes = b"") -> bytes:
            return (
                f"{method} /api/v1{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body

        large = b'{"inputData": "' + b"x" * 9_000_000 + b'"}'
        bomb = b'{"inputData": [' + b"0," * 4_000_000 + b"0]}"
        tags = f'{{"taskId": "{task["id"]}", "key": "k", "value": 1, "tags": ['.encode() + b"0," * 4_000_000 + b"0]}"
        data = f'{{"taskId": "{task["id"]}", "key": "k", "value": "{"x" * 9000}"}}'
        batch = f'{{"items": [{", ".join([data] * 1000)}]}}'.encode()
        items = b'{"items": [' + b"{}, " * 2_000_000 + b"{}]}"
        abuses: list[tuple[Callable[[], bytes], int]] = [
            (lambda: request("GET", f"/runs/{runs[0]['id']}") * 20, 20),
            (lambda: request("POST", "/runs", large), 15),
            (lambda: request("POST", "/runs", bomb), 5),
            (lambda: request("POST", f"/runs/{task['runId']}/data", tags), 5),
            (lambda: request("POST", f"/runs/{task['runId']}/data/batch", batch), 5),
            (lambda: request("POST", f"/runs/{task['runId']}/data/batch", items), 5),
            (lambda: request("POST", "/runs", large)[:-5], 20),
            (lambda: request("POST", "/runs", b"x" * 500_000)[:-5], 200),
            (lambda: request("GET", "/runs?limit=100"), 10),
            (lambda: b"GET /" + b"x" * 250_000, 100),
        ]

        def abuse(data: bytes) -> socket.socket:
            connection = socket.create_connection(address, timeout=1)
            with suppress(OSError):  # it is in line, or has been refused
                connection.sendall(data)
            return connection

        with ThreadPoolExecutor(20) as pool:
            opened = [pool.submit(abuse, make()) for make, number in abuses for _ in range(number // much(1, 4))]
            assert_lives(process.client)
            sockets = [each.result() for each in opened]
        assert_lives(process.client)
        for each in sockets:
            each.close()
        assert_lives(process.client)
        assert process.memory() < MOST_MEMORY
