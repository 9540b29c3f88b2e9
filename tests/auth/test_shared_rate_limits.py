"""Rate limits that several nodes share through Redis: exact while it works, and of use while it does not."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from limits import parse
from redis.connection import Connection

from foreman.auth import outage, rate_limit
from tests.support.api import GUESS, TRUSTED, assert_error, ok
from tests.support.clock import Time
from tests.support.redis_server import RedisServer, redis_server
from tests.support.running import Running, Start
from tests.support.wire import Wire, refused

SECRET = "pass%2Fword"  # percent-encoded for URLs


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock that says when Redis is tried again after a failure."""
    clock = Time()
    monkeypatch.setattr(outage, "time", clock)
    return clock


class Nodes:
    """Servers that share one Redis, each with a database of its own; every key is taken at its word."""

    def __init__(self, start: Start, directory: Path, redis: RedisServer) -> None:
        self._start, self._directory, self._redis, self._number = start, directory, redis, 0

    def start(self, limit: str = "5/hour", **settings: object) -> Running:
        self._number += 1
        given = {"auth": "trust", "trusted_proxy": "127.0.0.1", "rate_limit_storage": self._redis.url, **settings}
        return self._start(rate_limit=parse(limit), database=str(self._directory / f"{self._number}.db"), **given)


@pytest.fixture
def nodes(start: Start, tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    return Nodes(start, tmp_path, redis)


def ask(node: Running, headers: dict[str, str] = TRUSTED, address: str = "192.0.2.1") -> httpx.Response:
    with node.anonymous() as client:
        return client.get("/runs", headers={"X-Forwarded-For": address, **headers})


def guess(node: Running, address: str = "192.0.2.1") -> int:
    """The status of an attempt with a malformed key, which fails even where keys are taken at their word."""
    return ask(node, {"X-API-Key": "no key"}, address).status_code


def remaining(response: httpx.Response) -> int:
    return int(response.headers["X-RateLimit-Remaining"])


@contextmanager
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What is sent to Redis in the block: an item for each round trip."""
    trips: list[object] = []
    send: Any = Connection.send_packed_command

    def noted(connection: Connection, command: object, **options: Any) -> Any:
        trips.append(command)
        return send(connection, command, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "send_packed_command", noted)
        yield trips


# While it works -----------------------------------------------------------------------------------------------------


def test_nodes_share_the_limit_of_a_key(nodes: Nodes) -> None:
    first, second = nodes.start(), nodes.start()
    assert [remaining(ask(node)) for node in (first, second, second, first, second)] == [4, 3, 2, 1, 0]
    for node in (first, second):
        refused = ask(node)
        assert assert_error(refused, 429)["error"] == "Rate limit exceeded: 5 per 1 hour"
        assert remaining(refused) == 0
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert remaining(ask(first, {"X-API-Key": GUESS})) == 4


def test_reset_is_when_redis_forgets_the_counter(nodes: Nodes, redis: RedisServer) -> None:
    first, second = nodes.start(), nodes.start()
    told = [int(ask(node).headers["X-RateLimit-Reset"]) for node in (first, second, first)]
    client: Any = redis.client()
    (name,) = client.keys("FOREMAN:*/5/1/hour")
    forgotten = int(client.execute_command("PEXPIRETIME", name)) / 1000
    assert all(abs(reset - forgotten) <= 1.5 for reset in told), (told, forgotten)


def test_window_ends_when_redis_forgets_the_counter(nodes: Nodes, redis: RedisServer) -> None:
    first, second = nodes.start("1/hour"), nodes.start("1/hour")
    assert [ask(node).status_code for node in (first, second, first)] == [200, 429, 429]
    redis.client().flushall()
    assert [ask(node).status_code for node in (second, first)] == [200, 429]


def test_request_takes_one_round_trip(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    node = nodes.start("100/hour")
    ok(ask(node))  # the script is loaded, and the caller is seen at this address for the first time
    with sent(monkeypatch) as trips:
        for _ in range(10):
            ok(ask(node))
    assert len(trips) == 10
    with sent(monkeypatch) as trips:
        assert guess(node) == 401
        assert len(trips) == 1
        ok(ask(node, {"X-API-Key": GUESS}))  # and that its address may try at all
        assert len(trips) == 3
    with sent(monkeypatch) as trips:
        ok(httpx.get(f"{node.url}/health"))
        assert trips == []


def test_nodes_share_who_is_locked_out(nodes: Nodes) -> None:
    first, second, third = nodes.start(), nodes.start(), nodes.start()
    ok(ask(third))
    assert [guess(node) for node in (first, second, first, second, first)] == [401, 401, 401, 429, 429]
    for node in (first, second):
        refused = ask(node)
        assert "from this address" in assert_error(refused, 429)["error"]
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
        ok(ask(node, address="192.0.2.2"))
    ok(ask(third))  # has seen this key work from there before
    assert_error(ask(third, {"X-API-Key": GUESS}), 429)


def test_lock_out_is_shared_without_a_limit_for_keys(nodes: Nodes, redis: RedisServer, start: Start) -> None:
    first, second = nodes.start(), start(rate_limit_storage=redis.url, trusted_proxy="127.0.0.1")
    assert [guess(node) for node in (first, second, first, second)] == [401, 401, 401, 429]
    with second.client() as client:
        answer = client.get("/runs")
    assert (answer.status_code, "X-RateLimit-Limit" in answer.headers) == (200, False)


def test_whether_to_wait_for_a_body_is_decided_without_asking_redis(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes.start("4/hour"), nodes.start("4/hour")
    with Wire(second, TRUSTED["Authorization"].removeprefix("Bearer ")) as wire:
        request = wire.request("POST", "/runs", {"inputData": 1}, Expect="100-continue")
        head, body = request[: -len(b'{"inputData": 1}')], request[-len(b'{"inputData": 1}') :]
        for _ in range(2):  # of the first, a thread of the pool decides; of the next, the event loop
            with sent(monkeypatch) as trips:
                wire.send_all(head)
                assert wire._file.readline() == b"HTTP/1.1 100 Continue\r\n"
                assert wire._file.readline() == b"\r\n"
                assert trips == []
                wire.send_all(body)
                assert wire.receive().status == 201
        assert [remaining(ask(node)) for node in (first, second)] == [1, 0]
        wire.send_all(head)
        assert refused(wire, 429) == "Rate limit exceeded: 4 per 1 hour"


# While it does not --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pause")
def test_without_redis_each_node_counts_on_from_what_it_has_seen(
    nodes: Nodes, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = nodes.start(), nodes.start()
    assert [remaining(ask(node)) for node in (first, second, first)] == [4, 3, 2]
    redis.stop()
    assert [remaining(ask(node)) for node in (first, second, first, second)] == [1, 2, 0, 1]
    assert_error(ask(first), 429)
    assert [guess(second) for _ in range(4)] == [401, 401, 401, 429]
    assert [record.levelno for record in of_outage(caplog)] == [logging.ERROR] * 2
    message = of_outage(caplog)[0].getMessage()
    assert f"The Redis server 127.0.0.1:{redis.port} failed: " in message
    assert "requests are counted on this node alone" in message


def test_redis_is_tried_again_a_second_after_a_failure(
    nodes: Nodes, redis: RedisServer, pause: Time, caplog: pytest.LogCaptureFixture
) -> None:
    node = nodes.start()
    redis.stop()
    assert [remaining(ask(node)) for _ in range(3)] == [4, 3, 2]
    redis.start()
    assert remaining(ask(node)) == 1
    pause.goes_on(outage.PAUSE)
    assert remaining(ask(node)) == 4  # it has forgotten everything, and counts from the beginning
    assert [record.levelno for record in of_outage(caplog)] == [logging.ERROR, logging.WARNING]
    assert of_outage(caplog)[1].getMessage() == f"The Redis server 127.0.0.1:{redis.port} works again"


def test_node_recovers_by_itself(nodes: Nodes, redis: RedisServer) -> None:
    node = nodes.start("100000/hour", rate_limit_outage="refuse")
    redis.stop()
    assert_error(ask(node), 503)
    redis.start()
    tried_since = time.monotonic()
    statuses = [503]
    while statuses[-1] != 200:
        assert time.monotonic() - tried_since < 60
        statuses.append(ask(node).status_code)
    assert set(statuses) == {200, 503}


def test_where_redis_is_needed_requests_are_refused_without_it(
    nodes: Nodes, redis: RedisServer, pause: Time, caplog: pytest.LogCaptureFixture
) -> None:
    node = nodes.start(rate_limit_outage="refuse")
    assert remaining(ask(node)) == 4
    redis.stop()
    for _ in range(3):
        refused = ask(node)
        assert assert_error(refused, 503)["error"] == "The rate limit cannot be checked at the moment"
        assert refused.headers["Retry-After"] == "1"
        assert guess(node) == 503
    ok(httpx.get(f"{node.url}/health"))
    redis.start()
    pause.goes_on(outage.PAUSE)
    ok(ask(node))
    assert [record.levelno for record in of_outage(caplog)] == [logging.ERROR, logging.WARNING]
    assert "requests are refused with 503" in of_outage(caplog)[0].getMessage()


def test_one_request_waits_for_a_redis_that_hangs_and_the_others_do_not(
    nodes: Nodes, redis: RedisServer, pause: Time, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = nodes.start("100/hour")
    ok(ask(node))
    redis.hang()
    with sent(monkeypatch) as trips:
        assert [remaining(ask(node)) for _ in range(10)] == [*range(98, 88, -1)]
    assert len(trips) == 1
    pause.goes_on(outage.PAUSE)
    with sent(monkeypatch) as trips:
        assert [remaining(ask(node)) for _ in range(10)] == [*range(88, 78, -1)]
    assert len(trips) == 1
    assert len(of_outage(caplog)) == 1
    redis.go_on()
    pause.goes_on(outage.PAUSE)
    assert remaining(ask(node)) <= 98
    assert len(of_outage(caplog)) == 2


def test_one_request_alone_tries_again(pause: Time) -> None:
    service = outage.Outage("It", "we wait")
    assert service.may_try()
    service.failed("broken")
    for _ in range(2):
        assert not service.may_try()
        pause.goes_on(outage.PAUSE)
        assert [service.may_try() for _ in range(3)] == [True, False, False]
    service.worked()
    assert [service.may_try() for _ in range(3)] == [True, True, True]


def test_node_starts_without_redis(nodes: Nodes, redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    redis.stop()
    node = nodes.start()
    assert len(of_outage(caplog)) == 1
    assert remaining(ask(node)) == 4


@pytest.mark.parametrize("wrong", ["", "a-wrong-one"])
def test_password_is_in_no_log(nodes: Nodes, pause: Time, caplog: pytest.LogCaptureFixture, wrong: str) -> None:
    with redis_server("pass/word") as guarded, caplog.at_level(logging.DEBUG):
        url = f"redis://:{wrong or SECRET}@127.0.0.1:{guarded.port}/1"
        first, second = nodes.start(rate_limit_storage=url), nodes.start(rate_limit_storage=url)
        assert [remaining(ask(node)) for node in (first, second)] == ([4, 4] if wrong else [4, 3])
        guarded.stop()
        pause.goes_on(outage.PAUSE)
        ok(ask(first))
    assert of_outage(caplog)
    assert all(secret not in caplog.text for secret in (wrong or SECRET, "pass/word"))


def test_password_that_a_server_repeats_is_not_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def repeat() -> None:
            connection, _ = listening.accept()
            with connection:
                command = connection.recv(1000).decode()
                connection.sendall(f"-ERR no command {' '.join(command.split())} pass%2Fword\r\n".encode())

        thread = threading.Thread(target=repeat)
        thread.start()
        start(rate_limit_storage=f"redis://:{SECRET}@127.0.0.1:{listening.getsockname()[1]}")
        thread.join()
    (record,) = of_outage(caplog)
    assert record.getMessage().count("(hidden)") == 2
    assert "word" not in record.getMessage()


def of_outage(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == outage.__name__]
