"""Behind a proxy: whom a request comes from is what the proxy says, and nobody else's word for it."""

from collections.abc import Callable

import httpx
import pytest
from flask import request
from limits import parse

from foreman.auth import rate_limit
from tests.support.api import GUESS, PLAIN, assert_error, ok
from tests.support.running import Running, Start
from tests.support.wire import Wire

PROXY = "127.0.0.1"

Seen = list[tuple[str | None, str]]


@pytest.fixture
def seen() -> Seen:
    """The address and the scheme of every request, as the application was told."""
    return []


@pytest.fixture
def serve(start: Start, seen: Seen) -> Callable[..., Running]:
    def start_server(trusted_proxy: str | None) -> Running:
        served = start(trusted_proxy=trusted_proxy)

        @served.app.before_request
        def see() -> None:
            seen.append((request.remote_addr, request.scheme))
            assert "X-Forwarded-Host" not in request.headers
            assert "Forwarded" not in request.headers

        return served

    return start_server


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),
        ("nonsense , :., ,192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:50000", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:50000", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_last_entry_of_the_trusted_proxy_is_the_clients_address(
    serve: Callable[..., Running], seen: Seen, forwarded_for: str, address: str
) -> None:
    with serve(PROXY).anonymous() as proxy:
        ok(proxy.get("/health", headers={"X-Forwarded-For": forwarded_for}))
    assert seen == [(address, "http")]


def test_entries_in_several_fields_are_one_list(serve: Callable[..., Running], seen: Seen) -> None:
    with serve(PROXY).anonymous() as proxy:
        ok(proxy.get("/health", headers=[("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "192.0.2.1")]))
    assert seen == [("192.0.2.1", "http")]


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
def test_scheme_is_what_the_trusted_proxy_says(serve: Callable[..., Running], seen: Seen, scheme: str) -> None:
    with serve(PROXY).anonymous() as proxy:
        ok(proxy.get("/health", headers={"X-Forwarded-Proto": scheme}))
    assert seen == [(PROXY, scheme.lower())]


FORGED = {
    "X-Forwarded-For": "192.0.2.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "Forwarded": "for=192.0.2.1;proto=https",
    "X_Forwarded_For": "192.0.2.1",
}


@pytest.mark.parametrize(("trusted_proxy", "source"), [(None, PROXY), (PROXY, "127.0.0.2"), ("127.0.0.2", PROXY)])
def test_nobody_else_is_believed(
    serve: Callable[..., Running], seen: Seen, trusted_proxy: str | None, source: str
) -> None:
    served = serve(trusted_proxy)
    with client_from(source, served) as client:
        ok(client.get("/health", headers=FORGED))
        ok(client.get("/health", headers={"X-Forwarded-For": ":.", "X-Forwarded-Proto": '"'}))
    assert seen == [(source, "http")] * 2


def test_of_the_proxys_other_headers_nothing_is_believed(serve: Callable[..., Running], seen: Seen) -> None:
    with serve(PROXY).anonymous() as proxy:
        ok(proxy.get("/health", headers={"X-Forwarded-Host": "evil.example", "Forwarded": "for=192.0.2.1;proto=https"}))
        ok(proxy.get("/health", headers={"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "https"}))
    assert seen == [(PROXY, "http")] * 2


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: ",
        "X-Forwarded-For: ,",
        "X-Forwarded-For: 192.0.2.1,",
        "X-Forwarded-For: unknown",
        "X-Forwarded-For: 192.0.2",
        "X-Forwarded-For: 192.0.2.256",
        "X-Forwarded-For: 192.0.2.1:",
        "X-Forwarded-For: 192.0.2.1 192.0.2.2",
        "X-Forwarded-For: :.",
        "X-Forwarded-For: [",
        "X-Forwarded-For: []",
        "X-Forwarded-For: [192.0.2.1",
        'X-Forwarded-For: "192.0.2.1',
        'X-Forwarded-For: "',
        "X-Forwarded-For: fe80::1%eth0",
        f"X-Forwarded-For: {'1' * 5000}",
        f"X-Forwarded-For: fmn_test_acme_{'a' * 32}",
        "X-Forwarded-For: \u0661.1.1.1",
        "X-Forwarded-Proto: ",
        "X-Forwarded-Proto: ftp",
        "X-Forwarded-Proto: https, http",
        'X-Forwarded-Proto: "https"',
        'X-Forwarded-Proto: "',
    ],
    ids=lambda header: header[:50].encode("unicode-escape").decode(),
)
def test_malformed_header_of_the_proxy_is_400_in_the_envelope_with_the_request_id(
    serve: Callable[..., Running], seen: Seen, header: str
) -> None:
    with Wire(serve(PROXY)) as proxy:
        for method in ("GET", "HEAD", "POST"):
            head = f"{method} /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-123\r\nContent-Length: 0\r\n"
            proxy.send_all(f"{head}X-API-Key: {proxy.key}\r\n{header}\r\n\r\n".encode())
            answer = proxy.receive(to_head=method == "HEAD")
            assert (answer.status, answer.headers["X-Request-Id"]) == (400, "abc-123")
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            if method != "HEAD":
                assert set(answer.json()) == {"error", "details", "code"}
                assert "proxy's X-Forwarded-" in answer.json()["error"]
        assert seen == []
        proxy.send("GET", "/runs")
        assert proxy.receive().status == 200


def test_failed_authentication_is_limited_per_client_behind_the_proxy(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    served = start(trusted_proxy=PROXY)
    with served.anonymous() as proxy, served.client() as good:
        guesser = {"X-API-Key": GUESS, "X-Forwarded-For": "192.0.2.1"}
        assert [proxy.get("/runs", headers=guesser).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        # Neither other entries nor another spelling make it another client.
        for same in ("203.0.113.9, 192.0.2.1", "192.0.2.1:7", "::ffff:192.0.2.1", "::FFFF:c000:201"):
            assert_error(proxy.get("/runs", headers={"X-API-Key": GUESS, "X-Forwarded-For": same}), 429)
        assert_error(proxy.get("/runs", headers={"X-API-Key": GUESS, "X-Forwarded-For": "192.0.2.2"}), 401)
        assert_error(good.get("/runs", headers={"X-Forwarded-For": "192.0.2.1"}), 429)
        ok(good.get("/runs", headers={"X-Forwarded-For": "192.0.2.2"}))


def test_without_the_setting_forged_addresses_do_not_help_to_guess(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    with start().anonymous() as guesser:
        statuses = [
            guesser.get("/runs", headers={"X-API-Key": GUESS, "X-Forwarded-For": f"192.0.2.{i}"}).status_code
            for i in range(5)
        ]
    assert statuses == [401, 401, 401, 429, 429]


def client_from(source: str, served: Running) -> httpx.Client:
    """A client whose own address is this one of the loopback network."""
    transport = httpx.HTTPTransport(local_address=source)
    return httpx.Client(base_url=f"{served.url}/api/v1", transport=transport, **PLAIN)
