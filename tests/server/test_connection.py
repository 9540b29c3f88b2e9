"""Connections: what divides requests from each other, whose bodies are waited for, and what large answers may take."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from foreman.auth import caller
from foreman.auth.holder import Holder
from foreman.auth.rate_limit import RateLimits
from foreman.server import connection, http_server
from foreman.server.connection import Connection, State
from foreman.server.quotas import Quota
from tests.support.api import PLAIN, Json, assert_lives, make_run, make_task, ok, put_data
from tests.support.proof import FULL, much
from tests.support.running import Running, Start
from tests.support.server_process import MOST_MEMORY, server_process
from tests.support.waiting import until
from tests.support.wire import Wire, refused

LONG_NUMBER = b"Content-Length: 10000000000\r\n"


def request(
    wire: Wire, line: bytes = b"GET /api/v1/runs HTTP/1.1", fields: bytes = b"", host: bytes = b"Host: x\r\n"
) -> bytes:
    return line + b"\r\n" + host + b"X-API-Key: " + wire.key.encode() + b"\r\n" + fields + b"\r\n"


# Expectations -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [b"", b"Content-Length: 0\r\n"])
def test_expectation_without_a_body_is_served_at_once(served: Running, client: httpx.Client, length: bytes) -> None:
    run = make_run(client)
    with Wire(served) as wire:
        line = b"DELETE /api/v1/runs/%s HTTP/1.1" % run["id"].encode()
        wire.send_all(request(wire, line, b"Expect: 100-continue\r\n" + length))
        assert wire.receive().json() == {"deleted": 1}
        wire.send("GET", "/runs")
        assert wire.receive().json()["total"] == 0


def test_requests_after_an_expectation_are_not_merged_with_it(served: Running, client: httpx.Client) -> None:
    """Each has its own fields, so each is answered for its own organisation."""
    make_run(client)
    with Wire(served) as wire, Wire(served, served.key("rival")) as rival:
        first = request(wire, fields=b"Expect: 100-continue\r\n")
        wire.send_all(first + rival.request("GET", "/runs"))
        assert [wire.receive().json()["total"] for _ in range(2)] == [1, 0]


def test_body_that_is_expected_is_asked_for_once_and_read(served: Running) -> None:
    body = b'{"inputData": 1}'
    with Wire(served) as wire:
        line, fields = b"POST /api/v1/runs HTTP/1.1", b"Content-Length: %d\r\nExpect: 100-Continue\r\n" % len(body)
        wire.send_all(request(wire, line, fields))
        assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert wire._file.readline() == b"\r\n"
        wire.send_all(body)
        assert wire.receive().status == 201


def test_other_expectations_are_refused(served: Running, client: httpx.Client) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, fields=b"Expect: 200-maybe\r\n"))
        assert "Expectation Failed" in refused(wire, 417)
    assert_lives(client)


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
def test_body_beyond_all_bounds_is_refused_before_it_is_sent(served: Running, expect: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, b"POST /api/v1/runs HTTP/1.1", LONG_NUMBER + expect))
        assert "larger than" in refused(wire, 413)
    assert served.server.bodies.used == 0


# Whose bodies are waited for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "status"), [(b"", 401), (b"X-API-Key: no key\r\n", 401), (b"X-API-Key: fmn_test_acme_unknown\r\n", 401)]
)
@pytest.mark.parametrize("length", [b"Content-Length: 9000000\r\n", b"Transfer-Encoding: chunked\r\n", LONG_NUMBER])
def test_who_has_no_valid_key_is_refused_before_the_body(
    served: Running, key: bytes, length: bytes, status: int
) -> None:
    with Wire(served) as wire:
        wire.send_all(b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\n" + key + length + b"\r\n")
        refused(wire, status)
    assert served.server.bodies.used == 0


def test_revoked_key_and_one_that_may_only_read_are_refused_before_the_body(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "_KNOWN_FOR", 0.0)
    revoked = served.key()
    with served.client_with(revoked) as other:
        assert_lives(other)
    with served.database.write() as tx:
        tx.run("UPDATE api_key SET revoked_at = 1 WHERE id = (SELECT max(id) FROM api_key)")
    for key, status in ((revoked, 401), (served.key(read_only=True), 403)):
        with Wire(served, key) as wire:
            wire.send_all(request(wire, b"POST /api/v1/runs HTTP/1.1", b"Content-Length: 9000000\r\n"))
            refused(wire, status)


@pytest.mark.parametrize(("path", "status"), [(b"/nothing", 404), (b"/api/v1/health", 405), (b"/api/v1/runs/1", 405)])
def test_body_that_nobody_reads_is_not_waited_for(served: Running, path: bytes, status: int) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, b"POST " + path + b" HTTP/1.1", b"Content-Length: 9000000\r\n"))
        refused(wire, status)


def test_client_that_sends_all_of_a_large_body_without_a_key_sees_why_it_is_refused(served: Running) -> None:
    with httpx.Client(**PLAIN) as nobody:
        answer = nobody.post(f"{served.url}/api/v1/runs", json={"inputData": "x" * 9_000_000})
    assert answer.status_code == 401


def test_failures_are_counted_once(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the key is looked at before the body and again with the request."""
    counted: list[str | None] = []
    count = RateLimits.count_failure

    def count_failure(limits: RateLimits, address: str | None) -> None:
        counted.append(address)
        count(limits, address)

    monkeypatch.setattr(RateLimits, "count_failure", count_failure)
    with Wire(served, "fmn_test_acme_unknown") as wire:
        wire.send_all(request(wire, b"POST /api/v1/runs HTTP/1.1", b"Content-Length: 10\r\n"))
        refused(wire, 401)
    assert len(counted) == 1


@contextmanager
def attackers(served: Running, number: int) -> Iterator[None]:
    """Clients without a key, and with keys of another organisation, that begin bodies and never end them."""
    half = b"x" * 9_000_000
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(served, served.key("rival"))) for _ in range(number)]

        def attack(each: tuple[int, Wire]) -> None:
            which, wire = each
            length = (b"Transfer-Encoding: chunked\r\n", b"Content-Length: 9900000\r\n")[which % 2]
            key = (b"", b"X-API-Key: " + wire.key.encode() + b"\r\n")[which % 4 > 0]
            wire._socket.settimeout(1)
            with suppress(OSError):
                wire._socket.sendall(b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\n" + key + length + b"\r\n")
                wire._socket.sendall((b"895440\r\n" if which % 2 == 0 else b"") + half)

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(attack, enumerate(wires)))
        yield


def test_honest_uploads_are_served_beside_60_attackers(served: Running) -> None:
    with served.client() as client, attackers(served, 60):
        assert served.server.bodies.used > 0
        assert len(make_run(client, "x" * 100_000)["inputData"]) == 100_000
        assert len(make_run(client, "x" * 9_900_000)["inputData"]) == 9_900_000
        assert served.server.bodies.used < http_server.BODIES


def test_slow_uploads_that_get_on_are_all_served(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although there is room for two of them only, and each has to wait for others."""
    monkeypatch.setattr(served.server.bodies._quota, "total", 3_000_000)
    key = served.key()

    def send(_: int) -> int:
        with Wire(served, key) as wire:
            data = wire.request("POST", "/runs", {"inputData": "x" * 900_000})
            for start in range(0, len(data), 100_000):
                wire.send_all(data[start : start + 100_000])
                time.sleep(0.01)
            return wire.receive().status

    with ThreadPoolExecutor(14) as pool:
        assert list(pool.map(send, range(14))) == [201] * 14
    until(lambda: served.server.bodies.used == 0)


# Quotas -------------------------------------------------------------------------------------------------------------


def test_quota_leaves_room_for_whoever_comes_next() -> None:
    quota = Quota(1_000_000)
    used: dict[Holder, int] = {}
    for holder in (Holder("a", "1"), Holder("a", "2"), Holder("b", "1"), Holder("c", "1"), Holder("d", "1")):
        used[holder] = 0
        while quota.fits(holder, 1000):
            quota.take(holder, 1000)
            used[holder] += 1000
    assert used[Holder("a", "1")] == 333_000
    assert all(used.values())
    assert quota.used < 1_000_000
    for holder, number in used.items():
        quota.take(holder, -number)
    assert (quota.used, quota._of_org, quota._of_key) == (0, {}, {})


def test_whoever_comes_to_an_empty_place_may_take_anything() -> None:
    quota = Quota(10)
    assert quota.fits(Holder("a", "1"), 100)
    quota.take(Holder("a", "1"), 100)
    assert not quota.fits(Holder("b", "1"), 1)


# Strictness (RFC 9112) ----------------------------------------------------------------------------------------------

POST = b"POST /api/v1/runs HTTP/1.1"


@pytest.mark.parametrize(
    ("line", "fields", "host", "status"),
    [
        (POST, b"Transfer-Encoding:\r\nContent-Length: 2\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: ,\r\nContent-Length: 2\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: ,\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: chunked, chunked\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: chunked,\r\n", b"Host: x\r\n", 400),
        (POST, b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"Host: x\r\n", 400),
        (POST, b"transfer-encoding: identity\r\n", b"Host: x\r\n", 501),
        (b"GET /api/v1/runs HTTP/1.1", b"", b"", 400),
        (b"GET /api/v1/runs HTTP/1.1", b"", b"Host: x\r\nHost: x\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.1", b"", b"Host: x\r\nhost: y\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.1", b"", b"Host: x y\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.1", b"", b"Host: x/y\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.0", b"", b"Host: x\r\nHost: y\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.1", b"X: 1\r\n folded\r\n", b"Host: x\r\n", 400),
        (b"GET /api/v1/runs HTTP/2.0", b"", b"Host: x\r\n", 505),
        (b"GET /api/v1/runs HTTP/9.9", b"", b"Host: x\r\n", 505),
        (b"GET /api/v1/runs HTTP/0.9", b"", b"Host: x\r\n", 505),
        (b"GET /api/v1/runs", b"", b"Host: x\r\n", 400),
        (b"get /api/v1/runs HTTP/1.1", b"", b"Host: x\r\n", 400),
    ],
)
def test_what_others_could_read_in_another_way_is_refused(
    served: Running, client: httpx.Client, line: bytes, fields: bytes, host: bytes, status: int
) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, line, fields, host))
        refused(wire, status)
    assert_lives(client)


@pytest.mark.parametrize("host", [b"Host:\r\n", b"Host: a.example:80\r\n", b"Host: [::1]:3000\r\n", b"HOST:x\r\n"])
@pytest.mark.parametrize("version", [b"1.1", b"1.2"])
def test_any_one_host_will_do(served: Running, host: bytes, version: bytes) -> None:
    with Wire(served) as wire:
        for _ in range(2):
            wire.send_all(request(wire, b"GET /api/v1/runs HTTP/" + version, b"", host))
            assert wire.receive().status == 200


@pytest.mark.parametrize("option", [b"close, keep-alive", b"keep-alive, close", b"Close", b"x, close"])
def test_connection_that_may_close_is_closed(served: Running, option: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, fields=b"Connection: " + option + b"\r\n"))
        answer = wire.receive()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")
        assert wire.is_closed()


@pytest.mark.parametrize("path", [b"//api/v1/runs", b"///api/v1/runs", b"/api//v1/runs", b"/api/v1//runs"])
def test_path_with_a_slash_too_many_is_another_path(served: Running, path: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, b"GET " + path + b" HTTP/1.1"))
        assert wire.receive().status == 404


def test_empty_lines_before_a_request_are_passed_over(served: Running) -> None:
    with Wire(served) as wire:
        wire.send_all(b"\r\n\r\n", request(wire), b"\r\n", request(wire))
        assert [wire.receive().status for _ in range(2)] == [200, 200]
        wire.send_all(b"\r\n")
        until(lambda: all(each.is_idle for each in served.connections()))


def test_request_that_arrives_byte_by_byte_is_served(served: Running) -> None:
    with Wire(served) as wire:
        for byte in wire.request("POST", "/runs", {"inputData": 1}) + wire.request("GET", "/runs"):
            wire.send_all(bytes([byte]))
        assert [wire.receive().status for _ in range(2)] == [201, 200]


def test_connection_whose_kind_of_request_cannot_be_told_ends_alone(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise RuntimeError("a fault of a test")

    with Wire(served) as wire, monkeypatch.context() as broken:
        broken.setattr("foreman.server.connection.Connection.kind", fail)
        wire.send("GET", "/health")
        assert wire.is_closed()
    assert_lives(client)
    kinds = [Connection.kind]

    def fail_later(connection: Connection) -> int:
        return kinds.pop()(connection) if kinds else fail(connection)

    with Wire(served) as wire, monkeypatch.context() as broken:
        broken.setattr("foreman.server.connection.Connection.kind", fail_later)
        wire.send_all(wire.request("GET", "/health") * 2)
        assert wire.receive().status == 200
        assert wire.is_closed()
    assert_lives(client)


# Large answers ------------------------------------------------------------------------------------------------------


def test_limit_is_used_up_once_by_a_request_that_is_tried_twice(start: Start) -> None:
    from limits import parse

    served = start(rate_limit=parse("10/minute"))
    with served.client() as client:
        run = make_run(client, "x" * 3_000_000)
        remaining = [client.get(f"/runs/{run['id']}").headers["X-RateLimit-Remaining"] for _ in range(3)]
    assert remaining == ["8", "7", "6"]


def test_small_requests_are_served_while_a_large_answer_is_made(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foreman.api import runs

    run = make_run(client, "x" * 3_000_000)
    begun, go_on = threading.Event(), threading.Event()
    to_json = runs.to_json

    def slow(row: Any) -> Json:
        made = to_json(row)
        if made["id"] == run["id"]:
            begun.set()
            assert go_on.wait(30)
        return made

    monkeypatch.setattr(runs, "to_json", slow)
    with ThreadPoolExecutor(2) as pool, served.client() as first, served.client() as second:
        answers = [pool.submit(each.get, f"/runs/{run['id']}") for each in (first, second)]
        assert begun.wait(30)
        until(lambda: len(served.server.dispatcher._large) == 1)
        assert_lives(client)
        go_on.set()
        assert all(answer.result().json() == run for answer in answers)


def everything_large(client: httpx.Client, size: int) -> list[tuple[str, str, Any]]:
    """Requests whose answers are as large as they may be."""
    text = "x" * size
    run = make_run(client, text)
    ok(client.patch(f"/runs/{run['id']}", json={"metadata": {"m": text}}))
    ok(client.patch(f"/runs/{run['id']}", json={"outputData": text}))
    ok(client.patch(f"/runs/{run['id']}", json={"errorData": text}))
    task = make_task(client, run, inputData=text)
    entry = put_data(client, task, "k", text)
    for _ in range(2):
        make_run(client, text)
    return [
        ("GET", f"/runs/{run['id']}", None),
        ("PATCH", f"/runs/{run['id']}", {}),
        ("GET", f"/tasks/{task['id']}", None),
        ("PATCH", f"/tasks/{task['id']}", {"status": "running"}),
        ("PATCH", f"/runs/{run['id']}/data/{entry['id']}/tags", {"add": ["t"]}),
        ("GET", f"/runs/{run['id']}/data", None),
        ("GET", "/runs?limit=2", None),
        ("GET", f"/tasks?runId={run['id']}", None),
    ]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.proof
@pytest.mark.parametrize("threads", [4, 32] if FULL else [32])
def test_large_answers_stay_below_the_bound_of_memory_and_nobody_who_reads_is_cut(tmp_path: Path, threads: int) -> None:
    with server_process(tmp_path / "foreman.db", "--threads", str(threads)) as process:
        requests = everything_large(process.client, 9_000_000)
        key = process.client.headers["X-API-Key"]
        address = (process.client.base_url.host, process.client.base_url.port or 0)

        def ask(number: int) -> int:
            method, path, body = requests[number % len(requests)]
            content = b"" if body is None else json.dumps(body).encode()
            with socket.create_connection(address, timeout=120) as connection:
                connection.sendall(
                    f"{method} /api/v1{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nConnection: close\r\n"
                    f"Content-Length: {len(content)}\r\n\r\n".encode()
                    + content
                )
                head = b""
                with connection.makefile("rb") as answer:
                    while not head.endswith(b"\r\n\r\n"):
                        head += answer.readline()
                    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    read = 0
                    while part := answer.read(1_000_000):
                        read += len(part)
            assert read == length
            return int(head.split()[1])

        with ThreadPoolExecutor(40) as pool:
            assert set(pool.map(ask, range(much(80, 20)))) == {200}
        assert_lives(process.client)
        assert process.memory() < MOST_MEMORY


def test_client_that_reads_at_a_moderate_speed_while_others_wait_is_not_slow(served: Running) -> None:
    with Wire(served) as wire:
        until(lambda: len(served.connections()) == 1)
        (connection,) = served.connections()
        connection.state, connection.since, connection.moved = State.SENDING, 100.0, 0
        assert not connection.is_slow(100.5, 10, 1000)  # it has just begun
        connection.moved = 20_000
        assert not connection.is_slow(110.5, 10, 1000)
        connection.moved = 29_000
        assert not connection.is_slow(115.0, 10, 1000)  # too soon to tell
        assert connection.is_slow(121.0, 10, 1000)
        connection.state = State.READING
        wire.close()


@pytest.mark.parametrize("line", [b"GET /api/v1/runs HTTP/1.1", b"HEAD /api/v1/runs HTTP/1.1"])
def test_refused_head_request_is_answered_with_the_length_that_get_has(served: Running, line: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, line, host=b""))
        answer = wire.receive(to_head=line.startswith(b"HEAD"))
        assert answer.status == 400
        assert answer.headers["Content-Length"] == str(
            len(b'{"error":"Bad Request: There must be one Host","details":[],"code":"bad_request"}')
        )
        assert "Transfer-Encoding" not in answer.headers
        assert wire.is_closed()


# Turns and shares ---------------------------------------------------------------------------------------------------


def test_organisations_and_their_keys_take_turns_with_large_requests(served: Running, client: httpx.Client) -> None:
    """However many one of them has asked before."""
    run = make_run(client, "x" * 3_000_000)
    wires = [Wire(served, client.headers["Authorization"].split()[1]) for _ in range(30)]
    for wire in wires:
        wire.send("GET", f"/runs/{run['id']}")
    until(lambda: len(served.server.dispatcher._large) >= 10)
    with served.client("rival") as rival:
        make_run(rival, "x" * 100_000)
        assert len(served.server.dispatcher._large) > 0
    for wire in wires:
        assert wire.receive().status == 200
        wire.close()


def test_blocked_address_learns_nothing_of_keys_from_what_is_said_of_bodies(served: Running) -> None:
    good, seen = served.key(), served.key()
    with served.client_with(seen) as client:
        assert_lives(client)
    with Wire(served, "fmn_test_acme_wrong") as wire:
        for _ in range(121):
            wire.send("GET", "/runs")
            wire.receive()
    for key in (good, "fmn_test_acme_wrong"):
        with Wire(served, key) as wire:
            wire.send_all(request(wire, POST, b"Content-Length: 100\r\nExpect: 100-continue\r\n"))
            refused(wire, 429)
    with served.client_with(seen) as client:
        assert_lives(client)


@pytest.mark.parametrize(
    "line", [b"POST /nothing HTTP/1.1", b"POST /api/v1/health HTTP/1.1", b"PUT /api/v1/runs HTTP/1.1"]
)
def test_what_takes_no_body_is_answered_at_once_also_for_a_key_that_was_just_seen(served: Running, line: bytes) -> None:
    with Wire(served) as wire:
        wire.send("POST", "/runs", {"inputData": 1})
        assert wire.receive().status == 201
        wire.send_all(request(wire, line, b"Content-Length: 100\r\nExpect: 100-continue\r\n"))
        assert wire.receive().status in (404, 405)


def test_answers_of_one_connection_are_counted_for_who_has_asked(served: Running) -> None:
    """A proxy uses a connection for many."""
    with served.client("rival") as rival:
        run = make_run(rival, "x" * 9_000_000)
        key = rival.headers["Authorization"].split()[1]
    with Wire(served) as wire:
        body = b'{"inputData": 1}'
        wire.send_all(request(wire, POST, b"Content-Length: %d\r\nExpect: 100-continue\r\n" % len(body)))
        assert wire._file.readline().startswith(b"HTTP/1.1 100")
        wire._file.readline()
        wire.send_all(body)
        assert wire.receive().status == 201
        wire.key = key
        wire.send("GET", f"/runs/{run['id']}")
        until(lambda: served.server.answers.used > 0)
        assert set(served.server.answers._of_org) == {"rival"}
        assert wire.receive().json() == run
    until(lambda: served.server.answers.used == 0)


def test_rest_of_100_continue_goes_before_the_answer(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    keep = Connection._keep
    kept: list[bytes] = []

    def send_half(connection: Connection, *pieces: bytes) -> list[memoryview]:
        if pieces[0].startswith(b"HTTP/1.1 100"):
            connection.socket.send(pieces[0][:10])
            return [memoryview(pieces[0][10:])]
        return send(connection, *pieces)

    def keep_for_later(connection: Connection, rest: list[memoryview]) -> None:
        kept.extend(bytes(piece) for piece in rest)
        keep(connection, rest)

    send = Connection._send
    monkeypatch.setattr(Connection, "_send", send_half)
    monkeypatch.setattr(Connection, "_keep", keep_for_later)
    body = b'{"inputData": 1}'
    with Wire(served) as wire:
        wire.send_all(request(wire, POST, b"Content-Length: %d\r\nExpect: 100-continue\r\n" % len(body)))
        until(lambda: bool(kept))
        wire.send_all(body)
        assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert wire._file.readline() == b"\r\n"
        assert wire.receive().status == 201
    until(lambda: served.server.answers.used == 0)


def test_client_that_moves_nothing_is_cut_however_much_it_has_moved(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "_LOOK_EVERY", 0.05)
    monkeypatch.setattr(connection, "PATIENCE", 3600.0)
    monkeypatch.setattr(connection, "STALLED", 0.3)
    with Wire(served) as wire:
        wire.send_all(wire.request("POST", "/runs", {"inputData": "x" * 500_000})[:-10])
        assert "Request Timeout" in refused(wire, 408)


def test_fault_while_a_connection_is_accepted_does_not_end_listening(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("a fault of a test")

    assert_lives(client)
    with monkeypatch.context() as broken:
        broken.setattr(served.server, "connection_class", fail)
        with Wire(served) as wire:
            assert wire.is_closed()
    with served.client() as another:
        assert_lives(another)


def test_fault_of_one_turn_does_not_end_the_server(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned = threading.Event()

    def fail() -> None:
        turned.set()
        raise RuntimeError("a fault of a test")

    with monkeypatch.context() as broken:
        broken.setattr(served.server.bodies, "look", fail)
        assert turned.wait(30)
    assert_lives(client)


def test_organisation_that_holds_nothing_finds_room_while_there_is_any() -> None:
    quota = Quota(500)
    for org in "abcdefgh":
        assert quota.fits(Holder(org, "1"), 40)
        quota.take(Holder(org, "1"), 40)
    assert not quota.fits(Holder("a", "1"), 200)
    assert Holder.at("2001:db8::1") == Holder.at("2001:db8::2") != Holder.at("2001:db9::1")


# Requests that follow each other ------------------------------------------------------------------------------------


def test_what_arrived_with_a_request_is_read_before_what_arrives_after_it(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the body of one request would be taken for another request."""
    victim = make_run(client)
    loop, late = served.server.loop, threading.Event()
    soon = loop.soon

    def soon_or_later(callback: Any) -> None:
        if getattr(callback, "__name__", "") == "_listen_again":
            threading.Thread(target=lambda: (late.wait(30), soon(callback))).start()
        else:
            soon(callback)

    with Wire(served, client.headers["Authorization"].split()[1]) as wire, monkeypatch.context() as patched:
        patched.setattr(loop, "soon", soon_or_later)
        body = wire.request("DELETE", f"/runs/{victim['id']}")
        head = request(wire, POST, b"Content-Length: %d\r\n" % len(body))
        wire.send_all(wire.request("GET", "/runs") + head)
        assert wire.receive().status == 200
        wire.send_all(body)
        assert wire.receive().status == 400  # the body is not JSON
        late.set()
    assert ok(client.get(f"/runs/{victim['id']}")) == victim


@pytest.mark.parametrize("seed", range(5))
def test_pipelined_requests_that_are_cut_anywhere_are_answered_in_order(served: Running, seed: int) -> None:
    random = Random(seed)
    with Wire(served) as wire:
        asked = [{"inputData": "x" * random.choice((1, 10, 1000))} for _ in range(100)]
        data = b"".join(wire.request("POST", "/runs", each) for each in asked)

        def send() -> None:
            start = 0
            while start < len(data):
                end = start + random.choice((1, 7, 100, 1000, 10_000))
                wire.send_all(data[start:end])
                start = end
                if random.random() < 0.1:
                    time.sleep(0.001)

        sending = threading.Thread(target=send)
        sending.start()
        for each in asked:
            answer = wire.receive()
            assert (answer.status, answer.json()["inputData"]) == (201, each["inputData"])
        sending.join()


def test_thousands_of_pipelined_requests_are_all_answered(served: Running) -> None:
    with Wire(served) as wire:
        sending = threading.Thread(target=lambda: wire.send_all(wire.request("GET", "/health") * 3000))
        sending.start()
        assert {wire.receive().status for _ in range(3000)} == {200}
        sending.join()


def test_key_whose_limit_is_used_up_is_refused_before_the_body(start: Start) -> None:
    from limits import parse

    served = start(rate_limit=parse("2/minute"))
    with Wire(served) as wire:
        for _ in range(2):
            wire.send("POST", "/runs", {"inputData": 1})
            assert wire.receive().status == 201
        wire.send_all(request(wire, POST, b"Content-Length: 9000000\r\nExpect: 100-continue\r\n"))
        refused(wire, 429)


@pytest.mark.parametrize(
    "target",
    [
        b"api/v1/runs",
        b"/api/v1/runs#f",
        b"http:///api/v1/runs",
        b"ftp://x/api/v1/runs",
        b"http://a@x/api/v1/runs",
        b"?x",
    ],
)
def test_target_that_is_neither_a_path_nor_a_url_is_refused(served: Running, target: bytes) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, b"GET " + target + b" HTTP/1.1"))
        refused(wire, 400)


def test_url_as_target_is_served(served: Running) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, b"GET http://x/api/v1/runs?limit=1 HTTP/1.1"))
        assert wire.receive().json()["limit"] == 1


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b"0\r\nX Foo bar\r\n\r\n", 400),
        (b"0\r\n\nGET / HTTP/1.1\r\n\r\n", 400),
        (b"ffffffffffffffff\r\n", 413),
        (b"f" * 20 + b"\r\n", 413),
    ],
)
def test_trailers_and_sizes_of_chunks_are_looked_at(served: Running, chunks: bytes, status: int) -> None:
    with Wire(served) as wire:
        wire.send_all(request(wire, POST, b"Transfer-Encoding: chunked\r\n") + chunks)
        refused(wire, status)
