"""`deploy/nginx.conf`, in a real nginx with real TLS, before a real Foreman."""

import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from flask import g
from limits import parse

from foreman.auth import rate_limit
from tests.support.api import GUESS, assert_error, make_run, ok
from tests.support.programs import need
from tests.support.running import Running, Start
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE, until

EXAMPLE = ROOT / "deploy" / "nginx.conf"
GUESSED = {"X-API-Key": GUESS}


@dataclass
class Nginx:
    """nginx before a Foreman of this process."""

    foreman: Running
    directory: Path
    http: int
    https: int

    def client(self, org_id: str = "acme") -> httpx.Client:
        return self.client_from("127.0.0.1", {"X-API-Key": self.foreman.key(org_id)})

    def client_from(self, source: str, headers: dict[str, str] | None = None) -> httpx.Client:
        """A client whose own address is this one of the loopback network."""
        trust = ssl.create_default_context(cafile=str(self.directory / "fullchain.pem"))
        transport = httpx.HTTPTransport(local_address=source, verify=trust)
        url = f"https://127.0.0.1:{self.https}/api/v1"
        return httpx.Client(base_url=url, headers=headers, transport=transport, timeout=PATIENCE)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("certificate")
    command = [need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=foreman.example.com", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command += ["-keyout", f"{directory}/privkey.pem", "-out", f"{directory}/fullchain.pem"]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    return directory


@pytest.fixture
def nginx(start: Start, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nginx]:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    program = need("nginx")
    foreman = start(trusted_proxy="127.0.0.1")
    http, https = free_ports(2)
    text = EXAMPLE.read_text()
    for line, replacement in [
        ("    listen [::]:80;\n", ""),
        ("    listen [::]:443 ssl;\n", ""),
        ("listen 80;", f"listen 127.0.0.1:{http};"),
        ("listen 443 ssl;", f"listen 127.0.0.1:{https} ssl;"),
        ("server 127.0.0.1:3000;", f"server 127.0.0.1:{foreman.server.port};"),
        ("/etc/ssl/foreman/fullchain.pem", str(certificate / "fullchain.pem")),
        ("/var/log/nginx/foreman.log", str(tmp_path / "foreman.log")),
        ("/etc/ssl/foreman/privkey.pem", str(certificate / "privkey.pem")),
    ]:
        assert text.count(line) == 1, line
        text = text.replace(line, replacement)
    (tmp_path / "foreman.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(
        ("user root;\n" if os.geteuid() == 0 else "")
        + "daemon off;\npid nginx.pid;\nworker_processes 1;\nerror_log error.log;\nevents {}\nhttp {\n"
        + "access_log off;\ngzip on;\ngzip_types application/json;\n"
        + "".join(f"{kind}_temp_path {kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        + f"include {tmp_path}/foreman.conf;\n}}\n"
    )
    command = [program, "-p", str(tmp_path), "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf"]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until_it_listens(process, https, tmp_path)
        yield Nginx(foreman, certificate, http, https)
        log = (tmp_path / "error.log").read_text()
        assert not re.search(r"\[(alert|crit|emerg|warn)\]", log.replace("a client request body is buffered", "")), log
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_foreman_answers_over_tls(nginx: Nginx, version: ssl.TLSVersion) -> None:
    trust = ssl.create_default_context(cafile=str(nginx.directory / "fullchain.pem"))
    trust.minimum_version = trust.maximum_version = version
    answer = httpx.get(f"https://127.0.0.1:{nginx.https}/health", verify=trust, timeout=PATIENCE)
    assert ok(answer)["status"] == "healthy"
    assert answer.headers["Server"] == "nginx"
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000"
    assert len(answer.headers.get_list("X-Content-Type-Options")) == 1


def test_workflow_goes_over_one_connection_to_foreman(nginx: Nginx) -> None:
    with nginx.client() as client:
        run = make_run(client, {"n": 1.10})
        for _ in range(20):
            assert ok(client.get(f"/runs/{run['id']}")) == run
    assert len(nginx.foreman.server.connections()) == 1


def test_tag_that_nginx_weakens_for_compression_still_says_which_state_is_meant(nginx: Nginx) -> None:
    with nginx.client() as client:
        path = f"/runs/{make_run(client, 'x' * 1000)['id']}"
        seen = client.get(path)
        assert seen.headers["Content-Encoding"] == "gzip"
        stale = seen.headers["ETag"]
        assert re.fullmatch(r'W/"[0-9a-f]{24}"', stale)
        direct = client.get(path, headers={"Accept-Encoding": "identity"})
        assert direct.headers["ETag"] == stale.removeprefix("W/")
        for known in (stale, direct.headers["ETag"]):
            response = client.get(path, headers={"If-None-Match": known})
            assert (response.status_code, response.content) == (304, b"")
            assert "Content-Encoding" not in response.headers
        current = client.patch(path, json={"status": "running"}, headers={"If-Match": stale})
        assert ok(current)["status"] == "running"
        assert current.headers["ETag"].startswith("W/")
        for request in (
            client.build_request("PATCH", path, json={"status": "failed"}),
            client.build_request("DELETE", path),
        ):
            request.headers["If-Match"] = stale
            assert assert_error(client.send(request), 412)["code"] == "stale"
        assert ok(client.get(path)) == ok(current)
        assert ok(client.delete(path, headers={"If-Match": current.headers["ETag"]})) == {"deleted": 1}


def test_error_of_foreman_comes_through_as_problem_details(nginx: Nginx) -> None:
    with nginx.client() as client:
        response = client.get("/nothing", headers={"Accept": "application/problem+json", "X-Request-Id": "abc-123"})
    assert (response.status_code, response.headers["Content-Type"]) == (404, "application/problem+json")
    assert (response.json()["code"], response.json()["requestId"]) == ("not_found", "abc-123")


def test_plain_http_is_sent_to_https_with_its_method_and_query(nginx: Nginx) -> None:
    answer = httpx.post(f"http://127.0.0.1:{nginx.http}/api/v1/runs?a=%2Fb", content=b"{}", timeout=PATIENCE)
    assert (answer.status_code, answer.headers["Location"]) == (308, "https://foreman.example.com/api/v1/runs?a=%2Fb")


@pytest.mark.parametrize("path", ["/runs", "/nothing"])
def test_request_id_of_the_client_goes_through_to_foreman_and_back(nginx: Nginx, path: str) -> None:
    seen: list[str] = []
    nginx.foreman.app.before_request(lambda: see_request_id(seen))
    with nginx.client() as client:
        for given in ("abc-123", "A.b_c:D-9", "x" * 128):
            assert client.get(path, headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
        assert seen == ["abc-123", "A.b_c:D-9", "x" * 128]


@pytest.mark.parametrize("given", [None, "", "a b", "<script>", "x" * 129, "fmn_test_acme_aaaaaaaaaaaaaaaa"])
def test_request_without_a_sane_id_gets_nginxs_which_foreman_takes(
    nginx: Nginx, given: str | None, tmp_path: Path
) -> None:
    seen: list[str] = []
    nginx.foreman.app.before_request(lambda: see_request_id(seen))
    with nginx.client() as client:
        answer = client.get("/runs", headers={} if given is None else {"X-Request-Id": given})
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-Id"])
    assert seen == answer.headers.get_list("X-Request-Id")
    until(lambda: (tmp_path / "foreman.log").read_text().endswith(f" {seen[0]}\n"))


def test_failed_authentication_is_limited_per_client_and_forged_addresses_do_not_help(nginx: Nginx) -> None:
    with nginx.client_from("127.0.0.1", GUESSED) as guesser, nginx.client_from("127.0.0.2", GUESSED) as other:
        forged = [{"X-Forwarded-For": f"192.0.2.{i}", "Forwarded": f"for=192.0.2.{i}"} for i in range(5)]
        statuses = [guesser.get("/runs", headers=each).status_code for each in forged]
        assert statuses == [401, 401, 401, 429, 429]
        assert_error(other.get("/runs"), 401)
        # Nor can anybody shut another out.
        victim = {"X-Forwarded-For": "127.0.0.3"}
        assert [other.get("/runs", headers=victim).status_code for _ in range(3)] == [401, 401, 429]
    with nginx.client_from("127.0.0.3", {"X-API-Key": nginx.foreman.key()}) as polite:
        ok(polite.get("/runs"))


def test_body_beyond_foremans_limit_gets_foremans_413(nginx: Nginx) -> None:
    with nginx.client() as client:
        error = assert_error(client.post("/runs", json={"inputData": "x" * 11_000_000}), 413)
        direct = httpx.Client(base_url=f"{nginx.foreman.url}/api/v1", headers=client.headers, timeout=PATIENCE)
        with direct:
            assert error == assert_error(direct.post("/runs", json={"inputData": "x" * 11_000_000}), 413)
        assert ok(client.post("/runs", json={"inputData": "x" * 9_900_000}), 201)["inputData"] == "x" * 9_900_000


def test_body_beyond_nginxs_limit_gets_the_envelope_too(nginx: Nginx) -> None:
    with nginx.client() as client:
        own_answer(client.post("/runs", content=b"x" * 31_000_000), 413)


def test_foreman_down_is_502_in_the_envelope(nginx: Nginx) -> None:
    with nginx.client() as client:
        ok(client.get("/runs"))
        nginx.foreman.stop()
        for answer in (client.get("/runs", headers={"X-Request-Id": "abc-123"}), client.post("/runs", json={})):
            own_answer(answer, 502)
            assert answer.headers["Retry-After"] == "1"
        assert client.get("/runs", headers={"X-Request-Id": "abc-123"}).headers["X-Request-Id"] == "abc-123"


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/docs/../metrics", "/metrics?a=b"])
def test_metrics_are_not_for_the_public(nginx: Nginx, path: str) -> None:
    status, head, body = raw(nginx, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert (status, body) == (404, b'{"error": "Not found", "details": [], "code": "not_found"}')
    assert b"Content-Type: application/json" in head


def test_long_query_reaches_foreman(nginx: Nginx) -> None:
    with nginx.client() as client:
        run = make_run(client)
        keys = ",".join(f"{i:0>250}" for i in range(200))
        assert ok(client.get(f"/runs/{run['id']}/data", params={"keys": keys}))["data"] == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: two\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 66_000 + b"\r\n\r\n", 400),
        (b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
    ids=["no host", "length", "large head", "coding"],
)
def test_what_nginx_refuses_gets_the_envelope(nginx: Nginx, request_bytes: bytes, status: int) -> None:
    got, head, body = raw(nginx, request_bytes)
    assert got == status
    assert b"Content-Type: application/json" in head
    assert re.search(rb"X-Request-Id: \S", head)
    assert re.fullmatch(rb'\{"error": "[A-Z][^"]+", "details": \[\], "code": "[a-z_]+"\}', body)


def own_answer(answer: httpx.Response, status: int) -> None:
    """An error of nginx itself looks like one of Foreman."""
    error = assert_error(answer, status)
    assert error["details"] == []
    assert error["code"] == {413: "too_large", 502: "outcome_unknown"}[status]
    assert answer.headers["Strict-Transport-Security"]
    for name in ("X-Content-Type-Options", "Content-Security-Policy", "Cache-Control"):
        assert len(answer.headers.get_list(name)) == 1, name


def see_request_id(seen: list[str]) -> None:
    seen.append(g.request_id)


def raw(nginx: Nginx, request_bytes: bytes) -> tuple[int, bytes, bytes]:
    """The status, the head and the body of the answer to these bytes."""
    trust = ssl.create_default_context(cafile=str(nginx.directory / "fullchain.pem"))
    with (
        socket.create_connection(("127.0.0.1", nginx.https), timeout=PATIENCE) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(request_bytes)
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, (directory / "output").read_text() + (directory / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.01)
