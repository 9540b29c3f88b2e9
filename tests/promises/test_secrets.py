"""A key is seen once, when it is issued: it stands in no log, answer, file or process list afterwards."""

import hashlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count, islice, product
from pathlib import Path
from urllib.parse import quote

import pytest

from foreman.auth import keys
from foreman.config import Settings
from foreman.db.engine import Database
from tests.support import commands
from tests.support.api import Json
from tests.support.commands import environment
from tests.support.contents import change, text_of
from tests.support.engines import ON_POSTGRES, engine
from tests.support.proof import FULL, much
from tests.support.running import Start
from tests.support.source import APP

# So many characters of a key's random part in a row are nowhere by accident.
PART = 12

LOG_FORMATS = ("text", "json")

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc, and that all of 127.0.0.0/8 is this machine's"
)


class Secrets:
    """Keys that exist or once did."""

    def __init__(self) -> None:
        self._parts: dict[bytes, str] = {}

    def add(self, name: str, key: str) -> str:
        """Remember a key."""
        random = key.rsplit("_", 1)[1].encode()
        assert len(random) == 32
        self._parts |= {random[start : start + PART]: name for start in range(len(random) - PART + 1)}
        return key

    def assert_not_in(self, data: bytes | str, where: str) -> None:
        """No key is there, whole or in part."""
        found = data if isinstance(data, bytes) else data.encode()
        for part, name in self._parts.items():
            assert part not in found, f"{where} has {part!r} of the key that is {name}: {found[:2000]!r}"


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a command on the test's database; what it printed, on stdout and stderr."""

    def run(*arguments: str) -> str:
        database = [] if arguments[0] == "openapi" else ["--database", engine.url(tmp_path / "foreman.db")]
        done = commands.fork(tmp_path, *arguments, *database)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


class Serving:
    """`app.py serve`, logging all it can."""

    def __init__(self, directory: Path, log_format: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                APP,
                "serve",
                "--port",
                "0",
                "--database",
                engine.url(directory / "foreman.db"),
                *arguments,
            ],
            cwd=directory,
            env=environment(FOREMAN_LOG_LEVEL="debug", FOREMAN_LOG_FORMAT=log_format),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.log = b""
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self._listening.wait(60), self.log
        found = re.search(rb"listens on http://localhost:(\d+)", self.log)
        assert found, self.log
        self.port = int(found[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log += line
            if b"listens on" in line:
                self._listening.set()
        self._listening.set()

    def wait_for(self, logged: bytes) -> None:
        """Until this is in the log, which comes through a pipe."""
        deadline = time.monotonic() + 60
        while logged not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.01)

    def stop(self) -> bytes:
        """What it has printed, when it has stopped."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        assert self.process.wait(60) == 0
        self._reader.join(60)
        return printed

    def close(self) -> None:
        """End it, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            self._reader.join(60)


Serve = Callable[..., Serving]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    serving: list[Serving] = []

    def start(log_format: str, *arguments: str) -> Serving:
        serving.append(Serving(tmp_path, log_format, *arguments))
        return serving[-1]

    yield start
    for each in serving:
        each.close()


def opened(directory: Path) -> Database:
    """The test's database, as a server opens it; made if there is none yet."""
    file = directory / "foreman.db"
    return engine.open(file, Settings(database=engine.url(file)))


def issue(directory: Path, secrets: Secrets) -> dict[str, str]:
    """A good, a read-only and a revoked key, and what is nearly one."""
    with closing(opened(directory)) as database:
        revoked = secrets.add("revoked", keys.issue(database, "acme", "prod"))
        (its,) = keys.every(database)
        assert keys.revoke(database, str(its["id"]))
        good = secrets.add("good", keys.issue(database, "acme", "prod"))
        reading = secrets.add("read-only", keys.issue(database, "acme", "prod", read_only=True))
    return {
        "good": good,
        "read-only": reading,
        "revoked": revoked,
        "bad": secrets.add("bad", "fmn_prod_acme_Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe"),
        "of another organisation": good.replace("_acme_", "_rival_"),
        "truncated": good[:-1],
        "without its start": good[1:],
        "malformed": f"{good}-",
        "in quotes": f'"{good}"',
        "twice": f"{good} {good}",
        "with a line end": f"{good}%0a",
        "random part alone": good.rsplit("_", 1)[1],
    }


def requests_with(key: str, run_id: str) -> Iterator[tuple[str, str, dict[str, str], bytes | None]]:
    """Method, path, headers and body of requests that have the key where it belongs, and where it does not."""
    runs, data = "/api/v1/runs", f"/api/v1/runs/{run_id}/data"
    good = {"Authorization": f"Bearer {key}"}
    # Where it belongs.
    for headers in (good, {"X-API-Key": key}, {"Authorization": f"bearer  {key} "}, {**good, "X-API-Key": key}):
        for path in (runs, f"{runs}/nothing", f"{runs}?limit=0", "/api/v1/nothing", "/health", "/api/v1/config",
                     "/api/v1/config/redis", "/api/v1/config/queues", "/api/v1/openapi.json", "/docs"):  # fmt: skip
            yield "GET", path, headers, None
        yield "POST", runs, headers, b'{"inputData": 1}'
        yield "POST", runs, headers, b'{"inputData": '
        yield "DELETE", runs, headers, None
    # In other headers.
    for headers in ({"Authorization": key}, {"Authorization": f"Basic {key}"}, {"Authorization": f"Token {key}"},
                    {"Cookie": f"key={key}"}, {"Referer": f"http://localhost/?key={key}"}, {"User-Agent": key},
                    {"X-Forwarded-For": key}, {"Forwarded": f"for={key}"}, {"Origin": f"http://{key}"},
                    {"Content-Type": key, **good}, {"Accept": key}, {"X-Api-Token": key}):  # fmt: skip
        yield "GET", runs, headers, None
        yield "POST", runs, headers, b"{}"
    # In the path and the query.
    for path in (f"/{key}", f"{runs}/{key}", f"/api/v1/tasks/{key}", f"{runs}/{key}/data", f"{data}/{key}",
                 f"/api/v1/{key}", f"/docs/{key}", f"//{key}@localhost/"):  # fmt: skip
        for headers in ({}, good):
            yield "GET", path, headers, None
            yield "PATCH", path, headers, b'{"status": "running"}'
    for name in ("key", "apiKey", "api_key", "access_token", "limit", "status", "sortBy", "runId", "parentTaskId"):
        for path in (runs, "/api/v1/tasks", data, "/health"):
            for headers in ({}, good):
                yield "GET", f"{path}?{name}={key}", headers, None
                yield "DELETE", f"{path}?{name}={key}", headers, None
    # In bodies, where it is not data to be kept.
    for body in (key, f'"{key}"', f'{{"inputData": {key}}}', f'{{"{key}": 1}}', f'{{"inputData": 1, "{key}": 1}}',
                 f'{{"inputData": 1, "apiKey": "{key}"}}', f'{{"inputData": 1, "metadata": "{key}"}}'):  # fmt: skip
        yield "POST", runs, good, body.encode()
        yield "POST", runs, {}, body.encode()
    for field in ("runId", "parentTaskId", "type", "maxRetries"):
        task: Json = {"runId": run_id, "type": 1, "inputData": 1, field: [key] if field == "type" else key}
        yield "POST", "/api/v1/tasks", good, json.dumps(task).encode()
    yield "PATCH", f"{runs}/{run_id}", good, json.dumps({"status": key}).encode()
    yield "POST", data, good, json.dumps({"taskId": key, "key": "k", "value": 1, "tags": f"{key},"}).encode()


# What is no HTTP, or too much of it.
UNREADABLE = {
    "line feed in the head": "GET /health HTTP/1.1\r\nAuthorization: Bearer {key}\nHost: x\r\n\r\n",
    "carriage return in the head": "GET /health HTTP/1.1\r\nX-API-Key: {key}\rHost: x\r\n\r\n",
    "first header goes on": "GET /health HTTP/1.1\r\n Authorization: Bearer {key}\r\n\r\n",
    "header without colon": "GET /health HTTP/1.1\r\nAuthorization Bearer {key}\r\n\r\n",
    "header with a control character": "GET /health HTTP/1.1\r\nAuthorization: Bearer {key}\x01\r\n\r\n",
    "length": "GET /health HTTP/1.1\r\nContent-Length: {key}\r\n\r\n",
    "encoding": "POST /health HTTP/1.1\r\nTransfer-Encoding: {key}\r\n\r\n",
    "chunk": "POST /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{key}\r\n\r\n",
    "method": "{key} /health HTTP/1.1\r\n\r\n",
    "target": "GET {key} HTTP/1.1\r\n\r\n",
    "half an address": "GET http://[{key}/ HTTP/1.1\r\n\r\n",
    "version": "GET /health {key}\r\n\r\n",
    "nothing else": "{key}\r\n\r\n",
    "body too large": "POST /api/v1/runs HTTP/1.1\r\nX-API-Key: {key}\r\nContent-Length: 99999999999\r\n\r\n",
    "head too large": "GET /health HTTP/1.1\r\nX-API-Key: {key}\r\nX-Long: {long}\r\n\r\n",
}


# Each from an address of its own, so that none is refused because others have failed.
LOOPBACK = (f"127.0.{number // 250}.{number % 250 + 1}" for number in count(250))


def answered(port: int, request: bytes) -> bytes:
    """All that comes back until the connection is closed."""
    address = (next(LOOPBACK), 0)
    with socket.create_connection(("127.0.0.1", port), timeout=60, source_address=address) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def bytes_of(request: tuple[str, str, dict[str, str], bytes | None]) -> bytes:
    method, path, headers, body = request
    lines = [f"{method} {quote(path, safe='/?=&@:')} HTTP/1.1", "Host: x", "Connection: close"]
    if body is not None:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def send(port: int, method: str, path: str, key: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and all of the answer to a request with a key where it belongs."""
    answer = answered(port, bytes_of((method, path, {"Authorization": f"Bearer {key}"}, body)))
    return int(answer.split()[1]), answer


def a_run(port: int, key: str) -> str:
    """The id of a new run."""
    status, answer = send(port, "POST", "/api/v1/runs", key, b'{"inputData": 1}')
    assert status == 201, answer
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["id"])


def files_in(directory: Path) -> dict[str, bytes]:
    """All files below a directory."""
    return {each.name: each.read_bytes() for each in directory.rglob("*") if each.is_file()}


def processes_of(pid: int) -> bytes:
    """What others can see of a process and its threads: command line, environment, name, open files."""
    shown = b""
    for name in ("cmdline", "environ", "comm", "status", "stat", "maps", "mounts"):
        shown += Path(f"/proc/{pid}/{name}").read_bytes()
    for each in [*Path(f"/proc/{pid}/fd").iterdir(), Path(f"/proc/{pid}/cwd")]:
        try:
            shown += str(each.readlink()).encode()
        except FileNotFoundError:
            continue  # closed meanwhile
    return shown


@on_linux
@pytest.mark.proof
@pytest.mark.parametrize(
    ("auth", "log_format"),
    [*product(["keys", "trust"], LOG_FORMATS)] if FULL else [("keys", "json"), ("trust", "text")],
)
def test_no_part_of_a_key_is_in_the_log_the_answers_the_files_or_the_process_list(
    tmp_path: Path, serve: Serve, secrets: Secrets, auth: str, log_format: str
) -> None:
    presented = issue(tmp_path, secrets)
    serving = serve(log_format, "--auth", auth)
    run_id = a_run(serving.port, presented["good"])
    statuses = set()
    for number, (name, key) in enumerate(presented.items()):
        every = 1 if name == "good" else much(1, 5)
        for request in islice(requests_with(key, run_id), number % every, None, every):
            answer = answered(serving.port, bytes_of(request))
            statuses.add(int(answer.split()[1]))
            secrets.assert_not_in(answer, f"the answer to {request[:2]} with the key {name}")
    assert statuses == {200, 201, 400, 401, 403, 404, 405, 415} - ({403} if auth == "trust" else set())
    secrets.assert_not_in(processes_of(serving.process.pid), "the process")
    files = files_in(tmp_path)
    if ON_POSTGRES:
        files["the database"] = text_of(engine.url(tmp_path / "foreman.db")).encode()
    else:
        assert {"foreman.db", "foreman.db-wal", "foreman.db-shm"} <= set(files)
    assert hashlib.sha256(presented["good"].encode()).hexdigest().encode() in b"".join(files.values())
    printed = serving.stop()
    secrets.assert_not_in(serving.log, "the log")
    secrets.assert_not_in(printed, "stdout")
    for name, content in [*files.items(), *files_in(tmp_path).items()]:
        secrets.assert_not_in(content, name)


# Makes a row be refused that the handler takes to be good.
REFUSE = (
    "ALTER TABLE run ADD CONSTRAINT refuse CHECK (org_id <> 'acme') NOT VALID"
    if ON_POSTGRES
    else "CREATE TRIGGER refuse BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'no'); END"
)


# What a request is answered whose table is not there, and what is logged: SQLite does not tell that from other errors.
GONE = (500, b"Unexpected error") if ON_POSTGRES else (503, b"The database cannot serve request")


@on_linux
@pytest.mark.proof
@pytest.mark.parametrize("log_format", LOG_FORMATS)
def test_no_part_of_a_key_is_in_the_log_of_a_failure_or_its_answer(
    tmp_path: Path, serve: Serve, secrets: Secrets, log_format: str
) -> None:
    presented = issue(tmp_path, secrets)
    serving = serve(log_format)
    run_id = a_run(serving.port, presented["good"])
    failures = (
        (REFUSE, 500, b"Unexpected error"),
        ("ALTER TABLE api_key RENAME TO gone", *GONE),
    )
    for statement, status, logged in failures:
        change(engine.url(tmp_path / "foreman.db"), statement)
        statuses = set()
        for name in ("good", "bad"):
            for request in islice(requests_with(presented[name], run_id), 0, None, much(1, 3)):
                answer = answered(serving.port, bytes_of(request))
                statuses.add(int(answer.split()[1]))
                secrets.assert_not_in(answer, f"the answer to {request[:2]} with the key {name}")
        assert status in statuses
        serving.wait_for(logged)
    serving.stop()
    assert b"Traceback" in serving.log
    secrets.assert_not_in(serving.log, "the log")


@on_linux
@pytest.mark.parametrize("what", UNREADABLE)
def test_request_that_is_no_http_is_not_repeated_in_the_answer(start: Start, secrets: Secrets, what: str) -> None:
    served = start()
    key = secrets.add("good", served.key())
    request = UNREADABLE[what].format(key=key, long="x" * 262_144)
    secrets.assert_not_in(answered(served.server.port, request.encode()), "the answer")


def test_key_is_not_the_name_of_a_request(start: Start, secrets: Secrets) -> None:
    """A failure would stand in the log under this name."""
    served = start()
    key = secrets.add("good", served.key())
    with served.client_with(key) as client:
        for name in (key, f"request-of-{key}"):
            answer = client.get("/runs", headers={"X-Request-Id": name})
            assert answer.status_code == 200
            secrets.assert_not_in(str(answer.headers), "the head of the answer")


@on_linux
def test_first_key_is_printed_for_people_and_not_logged(tmp_path: Path, serve: Serve, secrets: Secrets) -> None:
    serving = serve("json", "--first-key")
    printed = serving.stop().decode()
    (key,) = set(re.findall(r"fmn_dev_default_\w+", printed))
    secrets.add("first", key)
    secrets.assert_not_in(serving.log, "the log")
    for name, content in files_in(tmp_path).items():
        secrets.assert_not_in(content, name)


@on_linux
@pytest.mark.parametrize("log_format", LOG_FORMATS)
def test_key_that_the_api_issues_is_in_one_answer_and_nowhere_else(
    tmp_path: Path, serve: Serve, secrets: Secrets, log_format: str
) -> None:
    with closing(opened(tmp_path)) as database:
        admin = secrets.add("admin", keys.issue(database, "acme", "prod", admin=True))
    serving = serve(log_format)

    def ask(method: str, path: str, body: bytes | None = None) -> Json:
        """The answer, which has no key that was issued before."""
        status, answer = send(serving.port, method, f"/api/v1{path}", admin, body)
        assert status in (200, 201, 400, 404), answer
        secrets.assert_not_in(answer, f"the answer to {method} {path}")
        answered: Json = json.loads(answer.partition(b"\r\n\r\n")[2])
        return answered

    issued = ask("POST", "/keys", b'{"name": "worker"}')
    secrets.add("issued", issued["key"])
    rotated = ask("POST", f"/keys/{issued['id']}/rotate", b"{}")
    secrets.add("rotated", rotated["key"])
    for key in (issued["key"], rotated["key"]):
        status, answer = send(serving.port, "POST", "/api/v1/runs", key, b'{"inputData": 1}')
        assert status == 201
        secrets.assert_not_in(answer, "the answer to it")
    for number, key in enumerate((issued, rotated)):
        ask("GET", f"/keys/{key['id']}")
        ask("GET", f"/keys/{key['key']}")
        ask("POST", f"/keys/{key['id']}/rotate", b'{"expiresIn": "' + key["key"].encode() + b'"}')
        ask("POST", "/keys", json.dumps({"environment": key["key"]}).encode())
        secrets.add(f"successor {number}", ask("POST", "/keys", b"{}")["key"])
        ask("DELETE", f"/keys/{key['id']}")
    ask("GET", "/keys")
    secrets.assert_not_in(processes_of(serving.process.pid), "the process")
    files = files_in(tmp_path)
    secrets.assert_not_in(serving.stop(), "stdout")
    secrets.assert_not_in(serving.log, "the log")
    for name, content in [*files.items(), *files_in(tmp_path).items()]:
        secrets.assert_not_in(content, name)
    secrets.assert_not_in(text_of(engine.url(tmp_path / "foreman.db")), "the database")


def test_commands_show_a_key_when_it_is_issued_and_never_again(
    tmp_path: Path, command: Command, secrets: Secrets
) -> None:
    opened(tmp_path).close()
    for name in ("first", "second"):
        secrets.add(name, command("keys", "create", "--org", "acme", "--name", name).strip())
    (its_id,) = (key["id"] for key in json.loads(command("keys", "list", "--json")) if key["name"] == "second")
    secrets.add("rotated", command("keys", "rotate", its_id, "--expires-in", "1h").strip())
    for arguments in (["keys", "revoke", its_id], ["keys", "list"], ["keys", "list", "--json"], ["check"], ["openapi"]):
        secrets.assert_not_in(command(*arguments), f"what `{' '.join(arguments)}` prints")
    for name, content in files_in(tmp_path).items():
        secrets.assert_not_in(content, name)
