"""What browsers are told about every answer and page: not to guess, frame, run or keep it."""

import re
import socket

import httpx
import pytest

from tests.support.running import Running

ANSWERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def test_every_route_answers_with_them(served: Running, client: httpx.Client) -> None:
    for rule in served.app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "nothing", rule.rule)
        for method in rule.methods or ():
            response = client.request(method, f"{served.url}{path}")
            for name, value in ANSWERS.items():
                if rule.endpoint.startswith("docs."):
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
                else:
                    assert response.headers.get_list(name) == [value], (method, path, name)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("PUT", "/runs", 405), ("POST", "/runs", 400), ("GET", "/runs?limit=x", 400)],
)
def test_errors_have_them_too(client: httpx.Client, method: str, path: str, status: int) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert {name: response.headers[name] for name in ANSWERS} == ANSWERS


def test_answer_to_malformed_http_has_them_too(served: Running) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=20) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n")
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    head = answer.partition(b"\r\n\r\n")[0].decode().lower()
    assert head.startswith("http/1.1 400 ")
    for name, value in ANSWERS.items():
        assert f"\r\n{name}: {value}".lower() in head


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger-ui-bundle.js", "/docs/docs.js", "/docs/docs.css"])
def test_pages_may_load_from_this_server_only(client: httpx.Client, served: Running, path: str) -> None:
    response = client.get(f"{served.url}{path}")
    assert response.status_code == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|\*", response.headers["Content-Security-Policy"])
