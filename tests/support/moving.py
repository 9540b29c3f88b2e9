"""Databases to be moved: random ones with everything in them, what they hold, and what their servers answer."""

import json
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
from flask.testing import FlaskClient

from foreman import clock
from foreman.auth import keys
from foreman.config import Settings
from foreman.db.engine import Database
from foreman.db.sqlite import Database as SQLite
from foreman.factory import create_app
from foreman.maintenance.moving.tables import TABLES
from foreman.maintenance.opening import open_database
from foreman.server.server import Server
from foreman.vocabulary import RUN_STATUSES, TASK_STATUSES
from tests.support.api import PLAIN

ORGANISATIONS = ("acme", "rival", "0-x")

# JSON that has to come out to the letter.
JSON = (
    "null", "1.10", "-0", "123456789012345678901234567890.0e-5", '"\\u0000 NUL"', '"\\ud83d"', '"\\u00e9 é 日本 😀"',
    '{"a" : [1,  2], "a":3}', "[]", '"\\\\N"', '"\\\\.\\t\\n"', '"' + "x" * 300_000 + '"', "[" * 50 + "]" * 50,
)  # fmt: skip
KEYS = ("a", "b", "é", "日本", "😀", "\ud7ff", "\ue000", "a'b\"c", "\\N", "\\.", "tab\tand\nline", "k" * 255, "*[?]")
TAGS = ("red", "blue", "grün", "😀", "\ue000", '"', "\\", "t" * 255, " ")

# What is asked of lists, and of the data of a run.
QUERIES = ("", "?sortBy=updated_at&sortOrder=asc", "?sortBy=started_at", "?sortBy=completed_at&limit=3&offset=2")
DATA_QUERIES = (
    "",
    "?includeAll=true",
    "?tags=red,blue&tagMode=any",
    "?keyStartsWith=k&includeAll=true",
    "?key=a",
    "?limit=2&offset=1",
)


class _Api:
    """Requests of one organisation to an application without a server."""

    def __init__(self, client: FlaskClient, org_id: str) -> None:
        self._client, self._headers = client, {"X-API-Key": f"fmn_test_{org_id}_1", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, body: str = "{}", *, may_fail: bool = False) -> Any:
        answer = self._client.open(f"/api/v1{path}", method=method, data=body.encode(), headers=self._headers)
        assert may_fail or answer.status_code < 300, (path, body[:200], answer.text)
        return answer.json


def fill(database: Database, seed: int, runs: int = 12) -> None:
    """Fill a database with random rows: changed, deleted, and made while the clock was set back."""
    chance = random.Random(seed)
    app = create_app(Settings(auth="trust", rate_limit=None, database=database.name), database)
    with database.write() as tx:
        tx.run("INSERT INTO metadata_path (path) VALUES ('n'), ('é.x')")
    for org_id in ORGANISATIONS:
        for read_only in (False, True):
            key = keys.issue(database, org_id, "prod", read_only=read_only, name=chance.choice([None, "é name"]))
            if chance.random() < 0.3:
                keys.revoke(database, keys.verify(database, key).key_id)  # type: ignore[union-attr]
        with app.test_client() as client:
            api = _Api(client, org_id)
            for _ in range(runs):
                _fill_run(api, chance)
        _label(database, org_id, random.Random(f"{seed} {org_id}"))
    clock.follow(0, 0)


def _label(database: Database, org_id: str, chance: random.Random) -> None:
    """Give some runs and tasks of an organisation tags, metadata and names of their own; and act, with a key."""
    with database.write() as tx:
        for table in ("run", "task"):
            for (row_id,) in tx.all(f"SELECT id FROM {table} WHERE org_id = :org_id", org_id=org_id):
                if chance.random() < 0.7:
                    tx.run(
                        f"""
                        UPDATE {table}
                        SET tags = :tags, external_id = :external_id, metadata = :metadata
                        WHERE org_id = :org_id AND id = :id
                        """,
                        org_id=org_id, id=row_id, tags=json.dumps(chance.sample(TAGS, chance.randrange(4))),
                        external_id=chance.choice([None, f"é{row_id}"]),
                        metadata=chance.choice(['{"n" : 1.0}', '{"n":null,"\u00e9":{"x":"ü"}}', '{"n":[1]}', None]),
                    )  # fmt: skip
        tx.run(
            """
            INSERT INTO act (id, org_id, kind, filter, expected, changed, position, created_at, updated_at)
            VALUES (:id, :org_id, 'cancel_tasks', '{"status": ["pending"]}', 3, 2, :id, 1, 2)
            """,
            id=f"01931588-d8e0-7000-8000-{chance.randrange(10**12):012}", org_id=org_id,
        )  # fmt: skip
        tx.run(
            """
            INSERT INTO idempotency_key (org_id, request, content, status_code, headers, body, created_at)
            VALUES (:org_id, 'request', 'content', 201, '{"Location": "/"}', '{"a": "é"}', 1)
            """,
            org_id=org_id,
        )


def _fill_run(api: _Api, chance: random.Random) -> None:
    def document() -> str:
        return chance.choice(JSON[:-2]) if chance.random() < 0.9 else chance.choice(JSON)

    def labels() -> str:
        names = {"externalId": f"{chance.choice(KEYS)[:200]} {chance.random()}"} if chance.random() < 0.5 else {}
        return json.dumps({**names, "tags": chance.sample(TAGS, chance.randrange(4))})[1:-1]

    run = api("POST", "/runs", f'{{"inputData": {document()}, "metadata": {{"n" : 1.0}}, {labels()}}}')["id"]
    tasks: list[str] = []
    for _ in range(chance.randrange(6)):
        parent = json.dumps(chance.choice([None, *tasks]))
        made = f'"type":"{chance.choice("abc")}","inputData":{document()},"parentTaskId":{parent},{labels()}'
        body = f'{{"runId":"{run}",{made}}}'
        tasks.append(api("POST", "/tasks", body)["id"])
    for task in tasks:
        for _ in range(chance.randrange(4)):
            status = chance.choice(TASK_STATUSES)
            api("PATCH", f"/tasks/{task}", f'{{"status":"{status}","outputData":{document()},"queueJobId":"é"}}')
    for _ in range(chance.randrange(25) if tasks else 0):
        clock.follow(chance.choice([0, 0, 0, -5_000]), 0)  # so that some keys are not in order
        tags = json.dumps(chance.sample(TAGS, chance.randrange(4)))
        entry = {"taskId": chance.choice(tasks), "key": chance.choice(KEYS)}
        body = f'{json.dumps(entry)[:-1]}, "value":{document()}, "tags":{tags}}}'
        made = api("POST", f"/runs/{run}/data", body)["id"]
        if chance.random() < 0.3:
            change = json.dumps({"add": chance.sample(TAGS, 2), "remove": chance.sample(TAGS, 2)})
            api("PATCH", f"/runs/{run}/data/{made}/tags", change)
        if chance.random() < 0.2:
            api("DELETE", f"/runs/{run}/data?id={made}")
    for _ in range(chance.randrange(3)):
        api("PATCH", f"/runs/{run}", f'{{"status":"{chance.choice(RUN_STATUSES[1:])}","errorData":{document()}}}')
    if chance.random() < 0.1:
        api("DELETE", f"/runs/{run}")


def random_file(file: Path, seed: int, runs: int = 12) -> Path:
    """An SQLite database with random rows."""
    with closing(SQLite(file, "normal")) as database:
        fill(database, seed, runs)
    return file


def rows_of_file(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of an SQLite file, by table, but for the history of its schema."""
    with closing(sqlite3.connect(file)) as connection:
        return {
            table.name: connection.execute(
                f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {table.where} "
                f"ORDER BY {', '.join(table.key)}"
            ).fetchall()
            for table in TABLES
        }


def rows_on_postgres(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """The same of a database on PostgreSQL."""
    with psycopg.connect(url) as connection:
        found = {}
        for table in TABLES:
            order = ", ".join(str(table.columns.index(column) + 1) for column in table.key)
            query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE {table.where}"
            rows = connection.execute(f"{query} ORDER BY {order}".encode()).fetchall()
            found[table.name] = sorted(tuple(int(v) if hasattr(v, "as_tuple") else v for v in row) for row in rows)
        return found


@contextmanager
def answering(database: str, **others: Any) -> Iterator[str]:
    """A server for a database, named as in the settings, that takes every key at its word; its URL."""
    settings = Settings(database=database, auth="trust", port=0, rate_limit=None, log_level="warning", **others)
    with closing(open_database(settings)) as opened, opened.served():
        server = Server(create_app(settings, opened))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.port}/api/v1"
        finally:
            server.stop()
            thread.join(20)


def answers(url: str) -> dict[tuple[str, str], bytes]:
    """All that a server answers to GET: lists, runs, tasks and run data of each organisation."""
    found: dict[tuple[str, str], bytes] = {}
    for org_id in ORGANISATIONS:
        with httpx.Client(base_url=url, headers={"X-API-Key": f"fmn_test_{org_id}_1"}, **PLAIN) as client:

            def ask(path: str, client: httpx.Client = client, org_id: str = org_id) -> Any:
                answer = client.get(path)
                assert answer.status_code == 200, answer.text
                found[org_id, path] = answer.content
                return json.loads(answer.content)

            for what in ("/runs", "/tasks"):
                statuses = RUN_STATUSES if what == "/runs" else TASK_STATUSES
                for query in (*QUERIES, *(f"?status={status}" for status in statuses)):
                    ask(f"{what}{query}")
            for run in ask("/runs?limit=100")["items"]:
                ask(f"/runs/{run['id']}")
                ask(f"/tasks?runId={run['id']}&type=a")
                for query in DATA_QUERIES:
                    ask(f"/runs/{run['id']}/data{query}")
            for task in ask("/tasks?limit=100")["items"]:
                ask(f"/tasks/{task['id']}")
                ask(f"/tasks?parentTaskId={task['id']}")
    return found
