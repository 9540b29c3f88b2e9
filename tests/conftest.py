"""The real thing for each test: a server on loopback over a database file of its own."""

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.auth import keys
from foreman.config import Settings
from foreman.db.sqlite import Database
from foreman.factory import Foreman, create_app
from foreman.server.server import Server

Json = dict[str, Any]

# Loading certificates takes longer than most tests, and nothing here is encrypted.
PLAIN: Any = {"timeout": 30, "verify": False}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these to `make test-packages` and `make test-clients`, which get what they need: they run when named."""
    apart = [Path(__file__).parent / name for name in ("clients", "package")]
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    unnamed = not any(each.is_relative_to(collection_path) for each in named)
    return True if collection_path in apart and unnamed else None


def pytest_report_header() -> str:
    return f"sqlite: {sqlite3.sqlite_version}"


@dataclass
class Running:
    """A server under test, its database and clients for it."""

    url: str
    app: Foreman
    database: Database
    server: Server
    thread: threading.Thread

    def key(self, org_id: str = "acme", **options: Any) -> str:
        return keys.issue(self.database, org_id, "test", **options)

    def client(self, org_id: str = "acme", **options: Any) -> httpx.Client:
        """A client of an organisation, with a key of its own."""
        return self.client_with(self.key(org_id, **options))

    def client_with(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, **PLAIN)

    def anonymous(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", **PLAIN)

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


Start = Callable[..., Running]


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, to be copied: making one takes as long as most tests, because it must be on disk."""
    path = tmp_path_factory.mktemp("new") / "foreman.db"
    Database(path).close()
    return path


@pytest.fixture
def start(tmp_path: Path, new_database: Path) -> Iterator[Start]:
    """`start(rate_limit=..., auth="trust")`: a server with these settings on the test's database file."""
    running: list[Running] = []

    def start_server(**settings: Any) -> Running:
        quiet = Settings(port=0, database=str(tmp_path / "foreman.db"), rate_limit=None, log_level="warning")
        chosen = replace(quiet, **settings)
        if not Path(chosen.database).exists():
            shutil.copyfile(new_database, chosen.database)
        database = Database(Path(chosen.database), chosen.durability)
        app = create_app(chosen, database)
        server = Server(app)
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append(Running(f"http://127.0.0.1:{server.port}", app, database, server, thread))
        return running[-1]

    yield start_server
    for each in running:
        each.stop()
        each.database.close()


@pytest.fixture
def served(start: Start) -> Running:
    """A server with the usual settings, without a rate limit."""
    return start()


@pytest.fixture
def client(served: Running) -> Iterator[httpx.Client]:
    """The organisation acme."""
    with served.client("acme") as client:
        yield client


@pytest.fixture
def rival(served: Running) -> Iterator[httpx.Client]:
    """Another organisation."""
    with served.client("rival") as client:
        yield client


def make_run(client: httpx.Client, input_data: Any = None, **fields: Any) -> Json:
    """A new run."""
    return ok(client.post("/runs", json={"inputData": input_data, **fields}), 201)


def make_task(client: httpx.Client, run: Json, **fields: Any) -> Json:
    """A new task of a run."""
    return ok(client.post("/tasks", json={"runId": run["id"], "type": "step", "inputData": None, **fields}), 201)


def put_data(client: httpx.Client, task: Json, key: str, value: Any = None, **fields: Any) -> Json:
    """A new entry of the task's run."""
    body = {"taskId": task["id"], "key": key, "value": value, **fields}
    return ok(client.post(f"/runs/{task['runId']}/data", json=body), 201)


def ok(response: httpx.Response, status: int = 200) -> Json:
    """The body of an answer that must have this status."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    body: Json = response.json()
    return body


def assert_error(response: httpx.Response, status: int, *fields: str) -> Json:
    """An error answer: the envelope, the status, and a detail for each of the fields."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"]
    body: Json = response.json()
    assert set(body) == {"error", "details"}
    assert isinstance(body["error"], str)
    assert body["error"]
    assert all(set(detail) == {"field", "message"} for detail in body["details"])
    assert [detail["field"] for detail in body["details"]] == list(fields)
    return body
