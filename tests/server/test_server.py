"""Stopping: what has begun is finished, what has not is not begun."""

import socket
import threading

import httpx
import pytest

from foreman.api import runs
from foreman.clock import now_ms
from foreman.server import http_server
from tests.support.api import ok
from tests.support.running import Running


def test_request_under_way_is_finished_and_told_that_the_connection_closes(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow_now_ms() -> int:
        begun.set()
        assert go_on.wait(20)
        return now_ms()

    monkeypatch.setattr(runs, "now_ms", slow_now_ms)
    answers: list[httpx.Response] = []
    with served.client() as client:
        request = threading.Thread(target=lambda: answers.append(client.post("/runs", json={"inputData": 1})))
        request.start()
        assert begun.wait(20)
        served.server.stop()
        go_on.set()
        request.join(20)
    (answer,) = answers
    ok(answer, 201)
    assert answer.headers["Connection"] == "close"
    served.thread.join(20)
    assert not served.thread.is_alive()


def test_request_of_which_a_part_has_arrived_is_finished(served: Running) -> None:
    body = b'{"inputData": 1}'
    head = (
        f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-API-Key: {served.key()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:5])
        while not any(channel.request for channel in served.server.connections()):
            pass
        served.server.stop()
        connection.sendall(body[5:])
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 201 ")
    served.thread.join(20)
    assert not served.thread.is_alive()


def test_new_connections_are_refused_while_stopping(served: Running) -> None:
    served.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{served.url}/health")


def test_idle_connections_do_not_hold_the_stop_up(served: Running) -> None:
    with served.client() as client:
        ok(client.get("/runs"))
        served.stop()


def test_second_request_to_stop_gives_up_on_what_does_not_end(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "GRACE", 3600.0)
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(b"POST /api/v1/runs HTTP/1.1\r\nContent-Le")
        while not any(channel.request for channel in served.server.connections()):
            pass
        served.server.stop()
        served.server.stop()
        served.thread.join(20)
        assert not served.thread.is_alive()


def test_request_that_never_ends_is_given_up_after_a_while(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "GRACE", 0.2)
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(b"POST /api/v1/runs HTTP/1.1\r\nContent-Le")
        served.stop()


def test_no_server_banner(client: httpx.Client) -> None:
    assert "Server" not in client.get("/runs").headers
