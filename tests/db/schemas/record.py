"""Record databases of today's schema version, for the tests of later versions: `python -m tests.db.schemas.record`.

Today's server is asked over HTTP to make rows of every kind. What it answers to every question about them becomes
version_N.json, and its file version_N.sql, as text. With `ENGINE=postgres` the same is done on PostgreSQL, for
version_N_postgres.json and version_N_postgres.sql. To be run in the last commit before the version grows.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import httpx
import psycopg
from psycopg import sql

from foreman.auth import keys
from foreman.db.file import APPLICATION_ID, SCHEMA_VERSION
from foreman.db.postgres.schema import SCHEMA
from tests.db.schemas.earlier import HERE
from tests.support.api import Json, make_run, make_task, ok, put_data
from tests.support.engines import ON_POSTGRES, engine
from tests.support.running import running
from tests.support.statuses import RUN_STATUSES, TASK_STATUSES


def fill(client: httpx.Client) -> None:
    """Rows of every kind: all statuses, chains of tasks, entries with and without tags, and what deletions leave."""
    for number, status in enumerate(RUN_STATUSES):
        optional = {"metadata": {"number": number, "name": "Zoë"}} if number % 2 else {}
        run = make_run(client, {"text": "ä\u2028\U0001f600"}, **optional)
        task: Json | None = None
        for position, task_status in enumerate(TASK_STATUSES if number == 0 else TASK_STATUSES[number : number + 2]):
            linked = {"parentTaskId": task["id"]} if task and position % 3 else {}
            task = make_task(client, run, type=("fetch", "parse")[position % 2], maxRetries=position, **linked)
            for step in ("queued", "running", task_status) if task_status != "pending" else ():
                ok(client.patch(f"/tasks/{task['id']}", json={"status": step, "outputData": {"step": step}}))
            for key in ("page.1", f"of.{position}"):
                entry = put_data(client, task, key, [position, 1e3], tags=["raw", f"tag{position}"][: position % 3])
        ok(client.patch(f"/runs/{run['id']}/data/{entry['id']}/tags", json={"add": ["checked"], "remove": ["raw"]}))
        ok(client.delete(f"/runs/{run['id']}/data", params={"key": "of.0"}))
        for step in ("running", status) if status != "pending" else ():
            ok(client.patch(f"/runs/{run['id']}", json={"status": step, "errorData": {"code": number}}))
    exact = b'{"inputData": {"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}}'
    ok(client.post("/runs", content=exact, headers={"Content-Type": "application/json"}), 201)
    gone = make_run(client, "deleted")
    put_data(client, make_task(client, gone), "gone", tags=["gone"])
    ok(client.delete(f"/runs/{gone['id']}"))


def questions(client: httpx.Client) -> Iterator[str]:
    """The path of every list, and of every thing in it."""
    for order in ("created_at", "updated_at", "started_at", "completed_at"):
        yield f"/runs?sortBy={order}"
        yield f"/tasks?limit=3&sortBy={order}"
    yield from (f"/runs?limit=1&status={status}" for status in RUN_STATUSES)
    yield from (f"/tasks?limit=1&status={status}" for status in TASK_STATUSES)
    yield from ("/tasks?limit=1&type=fetch", "/tasks?limit=1&type=parse&status=failed")
    for run in ok(client.get("/runs?limit=100"))["items"]:
        path = f"/runs/{run['id']}"
        yield from (path, f"/tasks?limit=1&runId={run['id']}", f"{path}/data?limit=1", f"{path}/data?includeAll=true")
        yield from (f"{path}/data?limit=1&{query}" for query in ("tags=raw", "tags=raw,tag1", "keyStartsWith=page."))
        for task in ok(client.get(f"/tasks?limit=100&runId={run['id']}"))["items"]:
            yield from (f"/tasks/{task['id']}", f"/tasks?limit=1&parentTaskId={task['id']}")


def dump(file: Path) -> str:
    """A closed database as a script that makes the same again."""
    with closing(connect(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        lines = ["PRAGMA auto_vacuum = INCREMENTAL;", *connection.iterdump()]
    return "\n".join([*lines, f"PRAGMA application_id = {APPLICATION_ID};", f"PRAGMA user_version = {version};", ""])


def dump_postgres(url: str) -> str:
    """A database of PostgreSQL as a script that makes the same again in an empty one."""
    lines = [file.read_text(encoding="utf-8") for file in SCHEMA]
    lines.append("SET session_replication_role = replica;  -- what triggers maintain is here, too\n")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT fold_counts()")
        tables = connection.execute(
            """
            SELECT relname FROM pg_class
            WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)
            ORDER BY relname
            """
        ).fetchall()
        for (table,) in tables:
            lines.append(f"DELETE FROM {table};")
            for row in connection.execute(f"SELECT * FROM {table}".encode()):
                values = ", ".join(sql.Literal(value).as_string(connection) for value in row)
                lines.append(f"INSERT INTO {table} VALUES ({values});")
    lines += [
        f"SELECT setval('{table}_seq_seq', (SELECT coalesce(max(seq), 1) FROM {table}));"
        for table in ("run", "task", "run_data")
    ]
    return "\n".join([*lines, "RESET session_replication_role;", ""])


def record(directory: Path) -> dict[str, Any]:
    """Fill a database in this directory, or that of its name on PostgreSQL, and close it.

    :return: a valid key of each organisation, what `keys list` says, and by organisation the answer to each path
    """
    with running(directory / "foreman.db") as served:
        served.key("acme", name="revoked")
        keys.revoke(served.database, str(keys.every(served.database)[0]["id"]))
        served.key("acme", read_only=True)
        issued = {org_id: served.key(org_id) for org_id in ("acme", "rival")}
        answers: dict[str, dict[str, str]] = {}
        for org_id, key in issued.items():
            with served.client_with(key) as client:
                fill(client)
                answers[org_id] = {path: client.get(path).raise_for_status().text for path in questions(client)}
        listed = keys.every(served.database)
    return {"keys": issued, "listed": listed, "answers": answers}


def main() -> None:
    """Write the two files of this version."""
    name = f"version_{SCHEMA_VERSION}{'_postgres' if ON_POSTGRES else ''}"
    with tempfile.TemporaryDirectory(prefix="foreman-") as directory, engine.started():
        file = Path(directory) / "foreman.db"
        recorded = record(Path(directory))
        script = dump_postgres(engine.url(file)) if ON_POSTGRES else dump(file)
    (HERE / f"{name}.sql").write_text(script, encoding="utf-8")
    text = json.dumps(recorded, ensure_ascii=False, indent=0)
    (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
