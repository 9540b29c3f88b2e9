"""`check`: nothing is said of a sound database, and each way of being unsound is named."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from foreman.auth import keys
from foreman.db.file import SCHEMA_VERSION, NotAForemanDatabase
from foreman.db.schema import schema_of
from foreman.db.sqlite import SCHEMA, Database
from foreman.maintenance.check import check, contents, snapshot, violations
from foreman.maintenance.invariants import RULES
from foreman.maintenance.invariants.file import INTEGRITY
from tests.support.api import make_run, make_task, ok, put_data
from tests.support.commands import run_command, uncovered, without_rights
from tests.support.databases import make_newer
from tests.support.running import Running
from tests.support.statuses import SETTABLE, TASK_STATUSES
from tests.support.waiting import PATIENCE


def run_check(file: Path, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`app.py check` in a process of its own."""
    return run_command("check", "--database", file, *arguments, **options)


def content(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with what is in it and when it was changed; not the index of a log, which SQLite makes as it likes."""
    return {
        file.name: (file.read_bytes(), file.stat().st_mtime_ns)
        for file in directory.iterdir()
        if not file.name.endswith("-shm")
    }


# Sound databases ----------------------------------------------------------------------------------------------------


def fill(client: httpx.Client) -> None:
    """All kinds of rows, in all the states that the API can bring them to."""
    for status in SETTABLE:
        run = make_run(client, {"n": 1.10}, metadata={"of": status})
        ok(client.patch(f"/runs/{run['id']}", json={"status": status, "outputData": [None], "errorData": "x"}))
    ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}))

    run, other = make_run(client), make_run(client)
    parent = make_task(client, run, type="\N{SNOWMAN} " * 100, metadata={})
    child = make_task(client, run, parentTaskId=parent["id"], maxRetries=0)
    for status in TASK_STATUSES:
        for type_ in ("fetch", "parse"):
            task = make_task(client, run, type=type_, parentTaskId=child["id"])
            for step in ("queued", "running", "retrying", "running", "completed", "pending", status, status):
                ok(client.patch(f"/tasks/{task['id']}", json={"status": step, "queueJobId": f"job-{step}"}))
        ok(client.patch(f"/tasks/{make_task(client, other)['id']}", json={"status": status}))

    for number in range(8):
        entry = put_data(client, task, f"key-{number % 3}", number, tags=["red", "blue", "red"][: number % 4])
        put_data(client, parent, "\u00e9\n'\"" * 50, {"deep": [[]]}, tags=["\N{SNOWMAN}" * 255], metadata={"a": None})
        change = {"add": [f"tag {n}" for n in range(90)], "remove": ["red"]}
        ok(client.patch(f"/runs/{run['id']}/data/{entry['id']}/tags", json=change))
    ok(client.delete(f"/runs/{run['id']}/data", params={"key": "key-1"}))
    last = put_data(client, task, "key-0", tags=["red"])
    ok(client.delete(f"/runs/{run['id']}/data", params={"id": last["id"]}))


def test_database_filled_through_the_api_has_no_violations(
    served: Running, client: httpx.Client, rival: httpx.Client
) -> None:
    fill(client)
    fill(rival)
    served.key("acme", read_only=True, name="reader")
    keys.revoke(served.database, keys.every(served.database)[0]["id"] or "")
    assert check(served.database.path) == []
    told = run_check(served.database.path)
    assert (told.returncode, told.stdout, told.stderr) == (0, "ok: 12 runs, 46 tasks, 26 entries\n", "")


def test_new_database_has_no_violations(tmp_path: Path) -> None:
    Database(tmp_path / "foreman.db").close()
    assert run_check(tmp_path / "foreman.db").stdout == "ok: 0 runs, 0 tasks, 0 entries\n"


def test_no_violations_in_the_middle_of_parallel_writes(served: Running) -> None:
    stop = threading.Event()
    written = count()

    def write(organisation: str) -> None:
        with served.client(organisation) as client:
            while not stop.is_set():
                run = make_run(client)
                task = make_task(client, run)
                entry = put_data(client, make_task(client, run, parentTaskId=task["id"]), "key", tags=["red", "blue"])
                for status in ("queued", "running", "completed"):
                    ok(client.patch(f"/tasks/{task['id']}", json={"status": status}))
                ok(client.patch(f"/runs/{run['id']}/data/{entry['id']}/tags", json={"add": ["new"], "remove": ["red"]}))
                put_data(client, task, "key", tags=["red"])
                ok(client.delete(f"/runs/{run['id']}/data", params={"id": entry["id"]}))
                next(written)

    def checked_while_written(work: Callable[[], object]) -> object:
        """What it answers when rows were written meanwhile; again and again until they were."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            before = next(written)
            answer = work()
            if next(written) > before + 1:
                return answer
        raise AssertionError("nothing was written")

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(write, organisation) for organisation in ("acme", "acme", "rival", "rival")]
        try:
            for _ in range(5):
                assert checked_while_written(lambda: check(served.database.path)) == []
            told = checked_while_written(lambda: run_check(served.database.path).returncode)
        finally:
            stop.set()
        for writer in writers:
            writer.result(PATIENCE)
    assert told == 0
    assert check(served.database.path) == []


# Unsound ones -------------------------------------------------------------------------------------------------------


def uuid(number: int) -> str:
    return f"00000000-0000-7000-8000-{number:012}"


KEY, RUN, OTHER_RUN, THEIR_RUN, PARENT, CHILD, OTHER_TASK, THEIR_TASK, OLD, NEW, THEIR_ENTRY = map(uuid, range(11))
HASH = "0123456789abcdef" * 4

SOUND = f"""
    INSERT INTO api_key (id, org_id, environment, read_only, hash_prefix, hash, created_at)
    VALUES ('{KEY}', 'acme', 'test', 0, '{HASH[:16]}', '{HASH}', 1);

    INSERT INTO run (org_id, id, status, input_data, created_at, updated_at, started_at)
    VALUES ('acme', '{RUN}', 'running', '1', 1, 1, 1),
           ('acme', '{OTHER_RUN}', 'pending', '1', 1, 1, NULL),
           ('rival', '{THEIR_RUN}', 'pending', '1', 1, 1, NULL);

    INSERT INTO task (org_id, id, run_id, parent_task_id, type, status, input_data, max_retries, created_at, updated_at)
    VALUES ('acme', '{PARENT}', '{RUN}', NULL, 'step', 'pending', '1', 3, 1, 1),
           ('acme', '{CHILD}', '{RUN}', '{PARENT}', 'step', 'pending', '1', 3, 1, 1),
           ('acme', '{OTHER_TASK}', '{OTHER_RUN}', NULL, 'step', 'pending', '1', 3, 1, 1),
           ('rival', '{THEIR_TASK}', '{THEIR_RUN}', NULL, 'step', 'pending', '1', 3, 1, 1);

    INSERT INTO run_data (org_id, id, run_id, task_id, key, value, tags, created_at, updated_at)
    VALUES ('acme', '{OLD}', '{RUN}', '{CHILD}', 'key', '1', '["red","blue"]', 1, 1),
           ('acme', '{NEW}', '{RUN}', '{CHILD}', 'key', '1', '["red"]', 2, 2),
           ('rival', '{THEIR_ENTRY}', '{THEIR_RUN}', '{THEIR_TASK}', 'key', '1', '[]', 1, 1);
    """


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small database with known ids."""
    file = tmp_path_factory.mktemp("sound") / "foreman.db"
    Database(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(SOUND)
    assert check(file) == []
    return file


@pytest.fixture
def file(sound: Path, tmp_path: Path) -> Path:
    """A copy of it, to be broken."""
    return Path(shutil.copy(sound, tmp_path / "foreman.db"))


def break_(file: Path, script: str, *, triggers: bool = True, ignore_checks: bool = True) -> None:
    """Run a script in spite of constraints; without triggers, nothing follows what it changes."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(f"PRAGMA ignore_check_constraints = {ignore_checks}")
        dropped = [] if triggers else connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        dropped = list(dropped)
        for name, _ in dropped:
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(script)
        for _, sql in dropped:
            connection.execute(sql)


class Broken(NamedTuple):
    """How the database is broken, and by rule what is said: the ends of lines, after the sentence of the rule.

    :ivar by_some: what only some versions of SQLite say beside that
    """

    script: str
    expected: list[tuple[str, str]]
    triggers: bool = True
    by_some: Sequence[tuple[str, str]] = ()


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def redefined(index: str, condition: str = "") -> str:
    """Let the definition of an index be its own with something behind it, while its content stays as it is."""
    (sql,) = (sql for type_, name, sql in schema_of(SCHEMA_VERSION) if (type_, name) == ("index", index))
    return f"""
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = {quoted(f"{sql} {condition}")} WHERE name = '{index}';
        PRAGMA writable_schema = RESET;
        """


def as_line(rule: str, found: str) -> str:
    wrong = {rule.name: rule.wrong for rule in (INTEGRITY, *RULES)}
    return f"{rule}: {wrong[rule]}: {found}" if rule in wrong else f"{rule}: {found}"


NEW_RUN = "INSERT INTO run (org_id, id, status, input_data, created_at, updated_at) VALUES"
NEW_TASK = "INSERT INTO task (org_id, id, run_id, type, status, input_data, max_retries, created_at, updated_at) VALUES"
NEW_ENTRY = "INSERT INTO run_data (org_id, id, run_id, task_id, key, value, tags, created_at, updated_at) VALUES"

LONG = "x" * 256
MANY = json.dumps([str(number) for number in range(101)])

BROKEN = {
    # The file
    "a dropped trigger": Broken("DROP TRIGGER run_deleted", [("schema", "type='trigger' name='run_deleted'")]),
    "a dropped index": Broken("DROP INDEX task_by_type", [("schema", "type='index' name='task_by_type'")]),
    "a dropped table": Broken(
        "DROP TABLE api_key",
        [
            ("schema", "type='index' name='api_key_by_hash_prefix'"),
            ("schema", "type='table' name='api_key'"),
            ("unchecked", "not checked because of 'no such table: api_key': id, key_hash, key_read_only, key_name"),
        ],
    ),
    "a version that no migration led to": Broken(
        "UPDATE schema_migration SET version = 1",
        [("schema_migration", f"newest=1 user_version={SCHEMA_VERSION}")],
    ),
    "a version that is not told": Broken(
        "PRAGMA user_version = 0", [("schema_migration", f"newest={SCHEMA_VERSION} user_version=0")]
    ),
    "an index that has lost a row": Broken(
        f"""
        {redefined("run_by_created_at", "WHERE seq > 1")}
        REINDEX run_by_created_at;
        {redefined("run_by_created_at")}
        """,
        [
            ("integrity", "row 1 missing from index run_by_created_at"),
            ("integrity", "wrong # of entries in index run_by_created_at"),
        ],
    ),
    **{
        f"an index that has kept an entry of no row: {name}": Broken(
            f"""
            {redefined(name, "AND created_at > 1")}
            UPDATE task            SET created_at = 8 WHERE id = '{CHILD}';
            UPDATE run_data        SET created_at = 8 WHERE org_id = 'rival';
            UPDATE run_data_tag    SET created_at = 8 WHERE org_id = 'rival';
            UPDATE run_data_latest SET created_at = 8 WHERE org_id = 'rival';
            {redefined(name)}
            """,
            [("partial_index", f"name='{name}' entries={counted + 1} counted={counted}"), *counted_in_it],
            by_some=[("integrity", f"wrong # of entries in index {name}")],
        )
        for name, counted, counted_in_it in (
            (
                "task_by_parent",
                1,
                [
                    ("task_count", f"org_id='acme' scope_id='{PARENT}' type='{kind}' status='pending' kept=1 counted=2")
                    for kind in ("", "step")
                ],
            ),
            ("run_data_key_by_created_at", 3, []),
            ("run_data_latest_by_created_at", 2, []),
        )
    },
    "an index with another definition": Broken(
        redefined("run_by_created_at", "WHERE seq > 1"),
        [("definition", "type='index' name='run_by_created_at'")],
        by_some=[("integrity", "wrong # of entries in index run_by_created_at")],
    ),
    "a trigger with another definition": Broken(
        """
        DROP TRIGGER run_deleted;
        CREATE TRIGGER run_deleted AFTER DELETE ON run BEGIN SELECT 1; END;
        """,
        [("definition", "type='trigger' name='run_deleted'")],
    ),
    "a table with another definition": Broken(
        "ALTER TABLE run_count ADD COLUMN note TEXT",
        [("definition", "type='table' name='run_count'")],
    ),
    "a null in spite of NOT NULL": Broken(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'read_only   INTEGER NOT NULL', 'read_only   INTEGER')
        WHERE name = 'api_key';
        PRAGMA writable_schema = RESET;
        UPDATE api_key SET read_only = NULL;
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'read_only   INTEGER', 'read_only   INTEGER NOT NULL')
        WHERE name = 'api_key';
        """,
        [("integrity", "NULL value in api_key.read_only")],
    ),
    # References
    "a task whose run is gone": Broken(
        f"DELETE FROM run WHERE id = '{OTHER_RUN}'; DELETE FROM run_tally WHERE run_id = '{OTHER_RUN}'",
        [
            ("foreign_key", "table='task' seq=3 parent='run'"),
            ("task_run", f"org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}'"),
        ],
    ),
    "a task in a run of another organisation": Broken(
        f"""
        UPDATE task SET run_id = '{OTHER_RUN}' WHERE id = '{THEIR_TASK}';
        DELETE FROM run_data WHERE id = '{THEIR_ENTRY}';
        UPDATE run_tally SET total_tasks = 0 WHERE run_id = '{THEIR_RUN}';
        UPDATE task_count SET scope_id = '{OTHER_RUN}' WHERE scope_id = '{THEIR_RUN}';
        """,
        [
            ("foreign_key", "table='task' seq=4 parent='run'"),
            ("task_run", f"org_id='rival' id='{THEIR_TASK}' run_id='{OTHER_RUN}'"),
        ],
    ),
    "a task whose parent is gone": Broken(
        f"DELETE FROM task WHERE id = '{PARENT}'",
        [
            ("foreign_key", "table='task' seq=2 parent='task'"),
            ("task_parent", f"org_id='acme' id='{CHILD}' run_id='{RUN}' parent_task_id='{PARENT}'"),
        ],
    ),
    "a parent in another run": Broken(
        f"""
        UPDATE task SET parent_task_id = '{PARENT}' WHERE id = '{OTHER_TASK}';
        UPDATE task_count SET tasks = 2 WHERE scope_id = '{PARENT}';
        """,
        [
            ("foreign_key", "table='task' seq=3 parent='task'"),
            ("task_parent", f"org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}' parent_task_id='{PARENT}'"),
        ],
    ),
    "a parent in another organisation": Broken(
        f"""
        UPDATE task SET parent_task_id = '{PARENT}' WHERE id = '{THEIR_TASK}';
        INSERT INTO task_count SELECT 'rival', '{PARENT}', type, status, tasks FROM task_count
        WHERE scope_id = '{THEIR_RUN}';
        """,
        [
            ("foreign_key", "table='task' seq=4 parent='task'"),
            ("task_parent", f"org_id='rival' id='{THEIR_TASK}' run_id='{THEIR_RUN}' parent_task_id='{PARENT}'"),
        ],
    ),
    "a task that is its own parent": Broken(
        f"""
        UPDATE task SET parent_task_id = id WHERE id = '{OTHER_TASK}';
        INSERT INTO task_count SELECT org_id, '{OTHER_TASK}', type, status, tasks FROM task_count
        WHERE scope_id = '{OTHER_RUN}';
        """,
        [("task_parent_cycle", f"org_id='acme' id='{OTHER_TASK}' parent_task_id='{OTHER_TASK}'")],
    ),
    "a cycle of two parents": Broken(
        f"""
        UPDATE task SET parent_task_id = '{CHILD}' WHERE id = '{PARENT}';
        INSERT INTO task_count SELECT org_id, '{CHILD}', type, status, tasks FROM task_count
        WHERE scope_id = '{PARENT}';
        """,
        [("task_parent_cycle", f"org_id='acme' id='{PARENT}' parent_task_id='{CHILD}'")],
    ),
    "an entry whose run is gone": Broken(
        f"""
        DELETE FROM task WHERE id = '{THEIR_TASK}';
        DELETE FROM run WHERE id = '{THEIR_RUN}';
        DELETE FROM run_tally WHERE run_id = '{THEIR_RUN}';
        """,
        [
            ("foreign_key", "table='run_data' seq=3 parent='task'"),
            ("foreign_key", "table='run_data' seq=3 parent='run'"),
            ("run_data_run", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}'"),
            ("run_data_task", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' task_id='{THEIR_TASK}'"),
        ],
    ),
    "an entry of a task in another run": Broken(
        f"UPDATE run_data SET task_id = '{OTHER_TASK}' WHERE id = '{OLD}'",
        [
            ("foreign_key", "table='run_data' seq=1 parent='task'"),
            ("run_data_task", f"org_id='acme' id='{OLD}' run_id='{RUN}' task_id='{OTHER_TASK}'"),
        ],
    ),
    "an entry of a task in another organisation": Broken(
        f"UPDATE run_data SET task_id = '{CHILD}' WHERE id = '{THEIR_ENTRY}'",
        [
            ("foreign_key", "table='run_data' seq=3 parent='task'"),
            ("run_data_task", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' task_id='{CHILD}'"),
        ],
    ),
    # Values
    "a key's id that is no UUID": Broken(
        "UPDATE api_key SET id = 'key'", [("id", "table='api_key' org_id='acme' id='key'")]
    ),
    "an entry's id in upper case": Broken(
        f"UPDATE run_data SET id = replace(id, '8000', '800A') WHERE id = '{NEW}'",
        [("id", f"table='run_data' org_id='acme' id='{NEW.replace('8000', '800A')}'")],
    ),
    "a run's id with a character too many": Broken(
        f"{NEW_RUN} ('acme', '{uuid(99)}0', 'pending', '1', 1, 1)",
        [("id", f"table='run' org_id='acme' id='{uuid(99)}0'")],
    ),
    "a task's id without hyphens": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99).replace('-', '')}', '{RUN}', 'x', 'pending', '1', 3, 1, 1)",
        [("id", f"table='task' org_id='acme' id='{uuid(99).replace('-', '')}'")],
    ),
    "a run's id in two organisations": Broken(
        f"{NEW_RUN} ('rival', '{RUN}', 'pending', '1', 1, 1)",
        [("id_unique", f"table='run' org_id='acme' id='{RUN}' times=2")],
    ),
    "a task's id in two organisations": Broken(
        f"{NEW_TASK} ('rival', '{CHILD}', '{THEIR_RUN}', 'x', 'pending', '1', 3, 1, 1)",
        [("id_unique", f"table='task' org_id='acme' id='{CHILD}' times=2")],
    ),
    "an entry's id in two runs": Broken(
        f"{NEW_ENTRY} ('acme', '{OLD}', '{OTHER_RUN}', '{OTHER_TASK}', 'key', '1', '[]', 1, 1)",
        [("id_unique", f"table='run_data' org_id='acme' id='{OLD}' times=2")],
    ),
    "a run and a task with one id": Broken(
        f"{NEW_RUN} ('acme', '{OTHER_TASK}', 'pending', '1', 1, 1)",
        [("id_unique", f"table='run and task' org_id='acme' id='{OTHER_TASK}' times=2")],
    ),
    "a run in no known status": Broken(
        f"UPDATE run SET status = 'lost' WHERE id = '{RUN}'",
        [("status", f"table='run' org_id='acme' id='{RUN}' status='lost'")],
    ),
    "a task in no known status": Broken(
        f"UPDATE task SET status = 'lost' WHERE id = '{CHILD}'",
        [("status", f"table='task' org_id='acme' id='{CHILD}' status='lost'")],
    ),
    "an empty type": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', '{RUN}', '', 'pending', '1', 3, 1, 1)",
        [("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")],
    ),
    "a type that is too long": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', '{RUN}', '{LONG}', 'pending', '1', 3, 1, 1)",
        [("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")],
    ),
    "a type with a NUL": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', '{RUN}', 'a' || char(0), 'pending', '1', 3, 1, 1)",
        [("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")],
    ),
    "a name of a queue job with a NUL": Broken(
        f"UPDATE task SET queue_job_id = 'a' || char(0) WHERE id = '{CHILD}'",
        [("text", f"table='task' column='queue_job_id' org_id='acme' id='{CHILD}'")],
    ),
    "an empty name of a queue job": Broken(
        f"UPDATE task SET queue_job_id = '' WHERE id = '{CHILD}'",
        [("text", f"table='task' column='queue_job_id' org_id='acme' id='{CHILD}'")],
    ),
    "an empty key": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', '{RUN}', '{CHILD}', '', '1', '[]', 1, 1)",
        [("text", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
    ),
    "a key that is too long": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', '{RUN}', '{CHILD}', '{LONG}', '1', '[]', 1, 1)",
        [("text", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
    ),
    "a key with a NUL": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', '{RUN}', '{CHILD}', 'a' || char(0) || 'b', '1', '[]', 1, 1)",
        [("text", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
    ),
    **{
        f"{table}.{column} that is not JSON": Broken(
            f"UPDATE {table} SET {column} = '[1' WHERE id = '{identity}'",
            [
                ("json", f"table='{table}' column='{column}' org_id='acme' id='{identity}'"),
            ],
        )
        for table, identity, columns in (
            ("run", RUN, ("input_data", "output_data", "error_data", "metadata")),
            ("task", CHILD, ("input_data", "output_data", "error_data", "metadata")),
            ("run_data", OLD, ("value", "metadata")),
        )
        for column in columns
    },
    "tags that are not JSON": Broken(
        f"UPDATE run_data SET tags = '[\"red\"' WHERE id = '{NEW}'",
        [
            ("json", f"table='run_data' column='tags' org_id='acme' id='{NEW}'"),
            ("run_data_tag_extra", f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=2"),
        ],
        triggers=False,
    ),
    **{
        f"metadata of a {table} that is not an object": Broken(
            f"UPDATE {table} SET metadata = 'null' WHERE id = '{identity}'",
            [("metadata", f"table='{table}' org_id='acme' id='{identity}'")],
        )
        for table, identity in (("run", RUN), ("task", CHILD), ("run_data", OLD))
    },
    "tags that are not an array": Broken(
        f"""UPDATE run_data SET tags = '{{"a":"red"}}' WHERE id = '{NEW}'""",
        [("tags", f"org_id='acme' id='{NEW}' type='object' tags=0")],
    ),
    "too many tags": Broken(
        f"UPDATE run_data SET tags = '{MANY}' WHERE id = '{NEW}'",
        [("tags", f"org_id='acme' id='{NEW}' type='array' tags=101")],
    ),
    "a tag that is a number": Broken(
        f"UPDATE run_data SET tags = '[5]' WHERE id = '{NEW}'",
        [
            ("tag", f"org_id='acme' id='{NEW}' tag=5"),
        ],
    ),
    "a tag with a comma": Broken(
        f"""UPDATE run_data SET tags = '["red","a,b"]' WHERE id = '{NEW}'""",
        [("tag", f"org_id='acme' id='{NEW}' tag='a,b'")],
    ),
    "a tag that is too long": Broken(
        f"""UPDATE run_data SET tags = '["{LONG}"]' WHERE id = '{NEW}'""",
        [("tag", f"org_id='acme' id='{NEW}' tag='{LONG}'")],
    ),
    "an empty tag": Broken(
        f"""UPDATE run_data SET tags = '["red",""]' WHERE id = '{NEW}'""",
        [("tag", f"org_id='acme' id='{NEW}' tag=''")],
        triggers=False,
    ),
    "a repeated tag": Broken(
        f"""UPDATE run_data SET tags = '["red","red"]' WHERE id = '{NEW}'""",
        [("tag_repeated", f"org_id='acme' id='{NEW}'")],
    ),
    "a hash that is too short": Broken(
        "UPDATE api_key SET hash = substr(hash, 2), hash_prefix = substr(hash, 2, 16)",
        [("key_hash", f"org_id='acme' id='{KEY}'")],
    ),
    "a hash in upper case": Broken(
        "UPDATE api_key SET hash = upper(hash), hash_prefix = upper(hash_prefix)",
        [("key_hash", f"org_id='acme' id='{KEY}'")],
    ),
    "a prefix of another hash": Broken(
        "UPDATE api_key SET hash_prefix = '0123456789abcdee'", [("key_hash", f"org_id='acme' id='{KEY}'")]
    ),
    "a key that is neither read-only nor not": Broken(
        "UPDATE api_key SET read_only = 2", [("key_read_only", f"org_id='acme' id='{KEY}' read_only=2")]
    ),
    "a key's organisation with a space": Broken(
        "UPDATE api_key SET org_id = 'acme inc'", [("key_name", f"org_id='acme inc' id='{KEY}' environment='test'")]
    ),
    "a key without an organisation": Broken(
        "UPDATE api_key SET org_id = ''", [("key_name", f"org_id='' id='{KEY}' environment='test'")]
    ),
    "a key's environment that is too long": Broken(
        f"UPDATE api_key SET environment = '{LONG[:65]}'",
        [("key_name", f"org_id='acme' id='{KEY}' environment='{LONG[:65]}'")],
    ),
    "a key's environment in upper case": Broken(
        "UPDATE api_key SET environment = 'Test'", [("key_name", f"org_id='acme' id='{KEY}' environment='Test'")]
    ),
    # Statuses
    "a run that has ended without a time": Broken(
        f"UPDATE run SET status = 'failed' WHERE id = '{RUN}'",
        [("ended", f"table='run' org_id='acme' id='{RUN}' status='failed' completed_at=None")],
    ),
    "a task that has not ended with a time": Broken(
        f"UPDATE task SET completed_at = 5 WHERE id = '{CHILD}'",
        [("ended", f"table='task' org_id='acme' id='{CHILD}' status='pending' completed_at=5")],
    ),
    "a run that is running without a start": Broken(
        f"UPDATE run SET started_at = NULL WHERE id = '{RUN}'",
        [("started", f"table='run' org_id='acme' id='{RUN}'")],
    ),
    "a task that is running without a start": Broken(
        f"UPDATE task SET status = 'running' WHERE id = '{CHILD}'",
        [("started", f"table='task' org_id='acme' id='{CHILD}'")],
    ),
    "a run that is pending with a start": Broken(
        f"UPDATE run SET started_at = 5 WHERE id = '{OTHER_RUN}'",
        [("not_started", f"org_id='acme' id='{OTHER_RUN}' started_at=5")],
    ),
    "a task that is queued without a time": Broken(
        f"UPDATE task SET status = 'queued' WHERE id = '{CHILD}'", [("queued", f"org_id='acme' id='{CHILD}'")]
    ),
    "a task that is retrying for no time": Broken(
        f"UPDATE task SET status = 'retrying' WHERE id = '{CHILD}'",
        [("retries", f"org_id='acme' id='{CHILD}' status='retrying' retry_count=0 max_retries=3")],
    ),
    "a negative number of retries": Broken(
        f"UPDATE task SET retry_count = -1 WHERE id = '{CHILD}'",
        [("retries", f"org_id='acme' id='{CHILD}' status='pending' retry_count=-1 max_retries=3")],
    ),
    "too many retries allowed": Broken(
        f"UPDATE task SET max_retries = 11 WHERE id = '{CHILD}'",
        [("retries", f"org_id='acme' id='{CHILD}' status='pending' retry_count=0 max_retries=11")],
    ),
    # What triggers keep
    "a run without a tally": Broken(
        f"DELETE FROM run_tally WHERE run_id = '{OTHER_RUN}'",
        [("run_tally_missing", f"org_id='acme' id='{OTHER_RUN}'")],
    ),
    "a tally without a run": Broken(
        f"INSERT INTO run_tally (org_id, run_id) VALUES ('rival', '{RUN}')",
        [
            ("foreign_key", "table='run_tally' seq=None parent='run'"),
            ("run_tally_extra", f"org_id='rival' run_id='{RUN}'"),
        ],
    ),
    **{
        f"a wrong {counter}": Broken(
            f"UPDATE run_tally SET {counter} = 7 WHERE run_id = '{RUN}'",
            [("run_tally", f"org_id='acme' run_id='{RUN}' counter='{counter}' kept=7 counted={counted}")],
        )
        for counter, counted in {
            "total_tasks": 2,
            "completed_tasks": 0,
            "failed_tasks": 0,
            "data_entries": 2,
            "data_keys": 1,
        }.items()
    },
    "tallies that were not kept": Broken(
        f"""
        UPDATE task SET status = 'completed', completed_at = 1 WHERE id = '{CHILD}';
        UPDATE task SET status = 'failed', completed_at = 1 WHERE id = '{PARENT}';
        UPDATE task_count SET status = 'completed' WHERE scope_id = '{PARENT}';
        UPDATE task_count SET tasks = 1 WHERE org_id = 'acme' AND scope_id = '';
        DELETE FROM task_count WHERE scope_id = '{RUN}';
        INSERT INTO task_count SELECT 'acme', scope.value, type.value, status.value, 1
        FROM json_each('["","{RUN}"]') AS scope, json_each('["","step"]') AS type,
             json_each('["completed","failed"]') AS status;
        """,
        [
            ("run_tally", f"org_id='acme' run_id='{RUN}' counter='completed_tasks' kept=0 counted=1"),
            ("run_tally", f"org_id='acme' run_id='{RUN}' counter='failed_tasks' kept=0 counted=1"),
        ],
        triggers=False,
    ),
    "a wrong cancelled_tasks": Broken(
        f"UPDATE run_tally SET cancelled_tasks = 7 WHERE run_id = '{RUN}'",
        [("run_tally_cancelled", f"org_id='acme' run_id='{RUN}' kept=7 counted=0")],
    ),
    "a wrong count of runs": Broken(
        "UPDATE run_count SET runs = 5 WHERE org_id = 'acme' AND status = 'pending'",
        [("run_count", "org_id='acme' status='pending' kept=5 counted=1")],
    ),
    "a negative count of runs": Broken(
        "INSERT INTO run_count VALUES ('acme', 'failed', -1)",
        [("run_count", "org_id='acme' status='failed' kept=-1 counted=0")],
    ),
    "a count of runs that is missing": Broken(
        "DELETE FROM run_count WHERE org_id = 'rival'",
        [("run_count", "org_id='rival' status='pending' kept=0 counted=1")],
    ),
    "a count of no runs": Broken(
        "INSERT INTO run_count VALUES ('nobody', 'failed', 1)",
        [("run_count", "org_id='nobody' status='failed' kept=1 counted=0")],
    ),
    **{
        f"a wrong count of tasks of {whose}": Broken(
            f"UPDATE task_count SET tasks = 9 WHERE org_id = 'acme' AND scope_id = '{scope}' AND type = '{kind}'",
            [("task_count", f"org_id='acme' scope_id='{scope}' type='{kind}' status='pending' kept=9 counted={tasks}")],
        )
        for whose, scope, kind, tasks in (
            ("an organisation", "", "", 3),
            ("an organisation and type", "", "step", 3),
            ("a run", RUN, "", 2),
            ("a run and type", RUN, "step", 2),
            ("a parent", PARENT, "", 1),
            ("a parent and type", PARENT, "step", 1),
        )
    },
    "a negative count of tasks": Broken(
        "INSERT INTO task_count VALUES ('acme', '', '', 'failed', -1)",
        [("task_count", "org_id='acme' scope_id='' type='' status='failed' kept=-1 counted=0")],
    ),
    "a count of tasks that is missing": Broken(
        f"DELETE FROM task_count WHERE scope_id = '{PARENT}' AND type = ''",
        [("task_count", f"org_id='acme' scope_id='{PARENT}' type='' status='pending' kept=0 counted=1")],
    ),
    "a count of no tasks": Broken(
        f"INSERT INTO task_count VALUES ('acme', '{CHILD}', 'x', 'failed', 1)",
        [("task_count", f"org_id='acme' scope_id='{CHILD}' type='x' status='failed' kept=1 counted=0")],
    ),
    "an entry without the row of a tag": Broken(
        "DELETE FROM run_data_tag WHERE tag = 'blue'; DELETE FROM run_data_latest WHERE tag = 'blue'",
        [("run_data_tag_missing", f"org_id='acme' id='{OLD}' run_id='{RUN}' tag='blue'")],
        triggers=False,
    ),
    "an entry without the row of all entries": Broken(
        "DELETE FROM run_data_tag WHERE org_id = 'rival'; DELETE FROM run_data_latest WHERE org_id = 'rival'",
        [("run_data_tag_missing", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' tag=''")],
        triggers=False,
    ),
    **{
        f"a row of a tag with another {column}": Broken(
            f"""
            UPDATE run_data_tag    SET {column} = {value!r}, created_at = 9 WHERE tag = 'blue';
            UPDATE run_data_latest SET {column} = {value!r}, created_at = 9 WHERE tag = 'blue';
            """,
            [
                ("run_data_tag_missing", f"org_id='acme' id='{OLD}' run_id='{RUN}' tag='blue'"),
                ("run_data_tag_extra", f"org_id={org_id!r} run_id={run_id!r} tag='blue' key={key!r} seq={seq}"),
            ],
        )
        for column, value, org_id, run_id, key, seq in (
            ("org_id", "rival", "rival", RUN, "key", 1),
            ("run_id", OTHER_RUN, "acme", OTHER_RUN, "key", 1),
            ("key", "another", "acme", RUN, "another", 1),
            ("seq", 9, "acme", RUN, "key", 9),
        )
    },
    "a row of all entries without an entry": Broken(
        f"INSERT INTO run_data_tag VALUES ('acme', '{RUN}', '', 'key', 9, 1)",
        [("run_data_tag_extra", f"org_id='acme' run_id='{RUN}' tag='' key='key' seq=9")],
    ),
    "a tag that its entry has not": Broken(
        f"INSERT INTO run_data_tag VALUES ('acme', '{RUN}', 'blue', 'key', 2, 2)",
        [("run_data_tag_extra", f"org_id='acme' run_id='{RUN}' tag='blue' key='key' seq=2")],
    ),
    "a tag with another time than its entry's": Broken(
        "UPDATE run_data_tag SET created_at = 7 WHERE tag = 'red' AND seq = 1",
        [("run_data_tag_time", f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=1 created_at=7 entrys=1")],
    ),
    "a latest entry that is not": Broken(
        "UPDATE run_data_latest SET seq = 1 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=1 created_at=2 entries=2 "
                "newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a latest entry with another time than its own": Broken(
        "UPDATE run_data_latest SET created_at = 1 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=2 created_at=1 entries=2 "
                "newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a wrong number of entries": Broken(
        "UPDATE run_data_latest SET entries = 3 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=2 created_at=2 entries=3 "
                "newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a negative number of entries": Broken(
        "UPDATE run_data_latest SET entries = -2 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                f"org_id='acme' run_id='{RUN}' tag='red' key='key' seq=2 created_at=2 entries=-2 "
                "newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a latest entry that is missing": Broken(
        "DELETE FROM run_data_latest WHERE tag = 'blue'",
        [
            (
                "run_data_latest",
                f"org_id='acme' run_id='{RUN}' tag='blue' key='key' seq=None created_at=None "
                "entries=None newest_seq=1 newest_created_at=1 counted=1",
            )
        ],
    ),
    **{
        f"a latest entry of none, with another {column}": Broken(
            f"INSERT INTO run_data_latest VALUES ('{org_id}', '{run_id}', '{tag}', '{key}', 1, 1, 1)",
            [("run_data_latest_extra", f"org_id={org_id!r} run_id={run_id!r} tag={tag!r} key={key!r}")],
        )
        for column, org_id, run_id, tag, key in (
            ("organisation", "rival", RUN, "red", "key"),
            ("run", "acme", OTHER_RUN, "red", "key"),
            ("tag", "acme", RUN, "green", "key"),
            ("key", "acme", RUN, "red", "a\nb"),
        )
    },
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_named_and_nothing_else(file: Path, how: str) -> None:
    script, expected, triggers, by_some = BROKEN[how]
    break_(file, script, triggers=triggers)
    lines = sorted(as_line(rule, found) for rule, found in expected)
    optional = {as_line(rule, found) for rule, found in by_some}
    assert sorted(line for line in check(file) if line not in optional) == lines
    with closing(sqlite3.connect(file)) as another:
        another.execute("SELECT * FROM sqlite_schema")  # now there is a log, as while a server runs
        assert sorted(line for line in check(file) if line not in optional) == lines


def test_every_rule_is_broken_by_one_of_these() -> None:
    named = {rule for broken in BROKEN.values() for rule, _ in broken.expected}
    assert named == {rule.name for rule in (INTEGRITY, *RULES)} | {"unchecked"}


def test_every_index_with_a_condition_is_counted() -> None:
    (counted,) = (rule.sql for rule in RULES if rule.name == "partial_index")
    indexes = [(name, sql) for type_, name, sql in schema_of(SCHEMA_VERSION) if type_ == "index" and " WHERE " in sql]
    assert len(indexes) == 3
    for name, sql in indexes:
        assert f"'{name}'" in counted
        assert f"INDEXED BY {name} WHERE {sql.partition(' WHERE ')[2]})" in counted


def test_every_check_of_the_schema_is_broken_by_one_of_these(sound: Path, tmp_path: Path) -> None:
    failed = set()
    for number, (script, _, triggers, _) in enumerate(BROKEN.values()):
        file = Path(shutil.copy(sound, tmp_path / f"{number}.db"))
        try:
            break_(file, script, triggers=triggers, ignore_checks=False)
        except sqlite3.DatabaseError as error:
            failed |= set(re.findall(r"CHECK constraint failed: (\w+)", str(error)))
    assert failed == set(re.findall(r"CONSTRAINT (\w+)\s+CHECK", SCHEMA.read_text()))


def test_command_prints_each_broken_rule_with_a_count_and_the_rows_then_how_many_and_exits_1(file: Path) -> None:
    break_(file, "UPDATE run_tally SET total_tasks = 7; UPDATE api_key SET environment = 'Test'")
    told = run_check(file)
    assert told.returncode == 1
    assert told.stderr == "foreman: 4 violations\n"
    lines = told.stdout.splitlines()
    assert lines[:4] == [
        "key_name: the organisation or environment of an API key cannot be part of a key: 1 violation",
        f"    org_id='acme' id='{KEY}' environment='Test'",
        "run_tally: a run's counter differs from a count of the rows: 3 violations",
        f"    org_id='acme' run_id='{RUN}' counter='total_tasks' kept=7 counted=2",
    ]
    assert len(lines) == 6


MANY = "UPDATE run_tally SET total_tasks = 70, completed_tasks = 70, failed_tasks = 70"


def test_command_shows_five_examples_of_a_rule_and_says_how_many_more_there_are(file: Path) -> None:
    break_(file, f"{MANY}; DROP TRIGGER run_deleted")
    found = check(file)
    of_counters = [line.rpartition(": ")[2] for line in found if line.startswith("run_tally: ")]
    assert len(of_counters) == 9
    told = run_check(file)
    assert told.stderr == f"foreman: {len(found)} violations\n"
    lines = told.stdout.splitlines()
    first = lines.index("run_tally: a run's counter differs from a count of the rows: 9 violations")
    assert lines[first + 1 : first + 6] == [f"    {row}" for row in of_counters[:5]]
    assert lines[first + 6] == "    and 4 more: `check --all` shows them"
    assert len([line for line in lines if not line.startswith(" ")]) == len({line.partition(":")[0] for line in found})


def test_command_does_not_speak_of_more_when_the_examples_are_all(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        runs = [run for (run,) in connection.execute("SELECT id FROM run ORDER BY id")]
    break_(
        file,
        f"UPDATE run_tally SET total_tasks = 70; UPDATE run_tally SET failed_tasks = 70 WHERE run_id > '{runs[0]}'",
    )
    told = run_check(file)
    assert "run_tally: a run's counter differs from a count of the rows: 5 violations" in told.stdout
    assert "more" not in told.stdout


def test_command_prints_a_line_for_each_violation_when_asked_for_all(file: Path) -> None:
    break_(file, f"{MANY}; DROP TRIGGER run_deleted")
    told = run_check(file, "--all")
    assert told.returncode == 1
    assert told.stdout.splitlines() == check(file)
    assert told.stderr == f"foreman: {len(check(file))} violations\n"


def test_command_counts_one_violation_as_one(file: Path) -> None:
    break_(file, "DROP TRIGGER run_deleted")
    assert run_check(file).stderr == "foreman: 1 violation\n"


def test_text_that_is_not_utf_8_is_shown_as_far_as_it_can_be(file: Path) -> None:
    break_(file, f"INSERT INTO run_data_latest VALUES ('acme', '{RUN}', CAST(x'61ff' AS TEXT), 'key', 2, 2, 1)")
    assert check(file) == [
        as_line("run_data_latest_extra", f"org_id='acme' run_id='{RUN}' tag='a\N{REPLACEMENT CHARACTER}' key='key'")
    ]


# Damaged files ------------------------------------------------------------------------------------------------------


def pages(file: Path) -> tuple[int, int]:
    """The size of a page in bytes, and how many there are."""
    size = int.from_bytes(file.read_bytes()[16:18])
    return size, file.stat().st_size // size


@pytest.mark.parametrize("byte", [b"\x00", b"\xff", b"a"])
def test_damage_is_reported_whichever_page_is_overwritten(sound: Path, tmp_path: Path, byte: bytes) -> None:
    size, number = pages(sound)
    assert number > 20
    silent = []
    for page in range(number):
        file = Path(shutil.copy(sound, tmp_path / "foreman.db"))
        start = max(page * size, 100)  # the file's header is left: without it, it is not ours
        with file.open("r+b") as opened:
            opened.seek(start)
            opened.write(byte * ((page + 1) * size - start))
        lines = check(file)
        if not lines or any("\n" in line for line in lines):
            silent.append(page)
    assert silent == []


def test_findings_of_sqlite_are_all_counted(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    Database(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"""
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
            {NEW_RUN.removesuffix("VALUES")} SELECT 'acme', 'run' || i, 'pending', 'null', i, i FROM n;
            {redefined("run_by_created_at", "WHERE seq > 300")}
            REINDEX run_by_created_at;
            {redefined("run_by_created_at")}
            """)
    lost = [line for line in check(file) if "missing from index run_by_created_at" in line]
    assert len(lost) == 300


def test_file_that_was_cut_off_is_reported(file: Path) -> None:
    size, number = pages(file)
    os.truncate(file, number // 2 * size)
    assert check(file) != []


def test_command_reports_damage_without_a_traceback(file: Path) -> None:
    size, number = pages(file)
    with file.open("r+b") as opened:
        opened.seek(number // 2 * size)
        opened.write(b"\xff" * size)
    told = run_check(file, "--all")
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    assert lines[0].startswith("integrity: SQLite finds: ")
    assert "***" not in told.stdout
    assert told.stderr in (f"foreman: {len(lines)} violations\n", "foreman: 1 violation\n")


def test_errors_that_are_no_damage_are_not_taken_for_it(file: Path) -> None:
    with snapshot(file) as view:
        view.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            list(violations(view))


# One view, and nothing changed --------------------------------------------------------------------------------------


def test_all_is_read_in_one_view_whatever_is_written_meanwhile(file: Path) -> None:
    with snapshot(file) as view:
        break_(file, "DELETE FROM run_tally; DROP TRIGGER run_deleted")
        assert list(violations(view)) == []
        assert contents(view) == (3, 4, 3)
    assert len(check(file)) == 4


def test_view_cannot_be_written_to(file: Path) -> None:
    with snapshot(file) as view, pytest.raises(sqlite3.OperationalError, match="readonly"):
        view.execute("DELETE FROM run")


def test_closed_database_is_left_as_it_was(file: Path) -> None:
    before = content(file.parent)
    assert run_check(file).returncode == 0
    assert content(file.parent) == before
    assert [each.name for each in file.parent.iterdir()] == ["foreman.db"]


@pytest.mark.parametrize("through_a_link", [False, True])
def test_log_that_a_crash_has_left_is_read_and_left_as_it_was(file: Path, tmp_path: Path, through_a_link: bool) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE run_tally SET data_keys = 7 WHERE org_id = 'rival'")
        connection.commit()
        for ending in ("", "-wal"):
            shutil.copy(f"{file}{ending}", crashed)
    before = content(crashed)
    assert before["foreman.db-wal"][0]
    path = crashed / "foreman.db"
    if through_a_link:
        path = tmp_path / "link.db"
        path.symlink_to(crashed / "foreman.db")
    told = run_check(path, "--all")
    assert told.stdout.count("\n") == 1
    assert "counter='data_keys' kept=7 counted=1" in told.stdout
    assert content(crashed) == before


def test_journal_that_a_crash_has_left_is_not_rolled_back(file: Path, tmp_path: Path) -> None:
    """A file is in this mode only until the end of its first start, and during an upgrade."""
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE run SET input_data = json_quote(hex(zeroblob(100000)))")
        for ending in ("", "-journal"):
            shutil.copy(f"{file}{ending}", crashed)
        connection.execute("ROLLBACK")
    before = content(crashed)
    told = run_check(crashed / "foreman.db")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"foreman: {crashed / 'foreman.db'}: a change, such as an upgrade, was interrupted: ")
    assert content(crashed) == before


def check_without_rights(file: Path) -> "subprocess.CompletedProcess[str]":
    """`app.py check` where permissions hold for root too."""
    return run_check(file, preexec_fn=without_rights, env=uncovered())


@pytest.mark.parametrize(("of_file", "of_directory"), [(0o444, 0o755), (0o644, 0o555), (0o444, 0o555)])
def test_database_that_may_only_be_read_is_checked_and_nothing_is_left_beside_it(
    file: Path, of_file: int, of_directory: int
) -> None:
    file.chmod(of_file)
    file.parent.chmod(of_directory)
    try:
        told = check_without_rights(file)
    finally:
        file.parent.chmod(0o755)
    assert told.stdout == "ok: 3 runs, 4 tasks, 3 entries\n", told.stderr
    assert [each.name for each in file.parent.iterdir()] == ["foreman.db"]


def test_file_that_may_not_be_read_is_one_clear_line(file: Path) -> None:
    file.chmod(0)
    told = check_without_rights(file)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == f"foreman: {file}: Permission denied\n"


# Files that are not ours --------------------------------------------------------------------------------------------


def of_a_newer_version(file: Path) -> None:
    Database(file).close()
    make_newer(file)


def of_somebody_else(file: Path, journal_mode: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
        connection.execute("CREATE TABLE diary (entry)")


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "{} does not exist"),
    "in a missing directory": (lambda file: file.parent.rmdir(), "{} does not exist"),
    "a directory": (lambda file: file.mkdir(), "{} is not a file"),
    "empty": (lambda file: file.touch(), "{} is not a Foreman database; it has not been changed"),
    "a text": (
        lambda file: file.write_text("Dear diary,\n" * 100), "{} is not a Foreman database; it has not been changed"
    ),
    "a database of somebody else": (
        lambda file: of_somebody_else(file, "DELETE"), "{} is not a Foreman database; it has not been changed"
    ),
    "a database of somebody else with a log": (
        lambda file: of_somebody_else(file, "WAL"), "{} is not a Foreman database; it has not been changed"
    ),
    "of a newer version": (of_a_newer_version, "{} has schema version 99, from a newer Foreman; "),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "place").mkdir()
    yield tmp_path / "place" / "foreman.db"


@pytest.mark.parametrize("what", OTHERS)
def test_file_that_is_not_ours_is_one_clear_line_and_left_as_it_was(place: Path, what: str) -> None:
    make, message = OTHERS[what]
    make(place)
    before = content(place.parent) if place.is_file() else None
    told = run_check(place)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("foreman: " + message.format(place))
    assert told.stderr.count("\n") == 1
    assert before == (content(place.parent) if place.is_file() else None)
    with pytest.raises(NotAForemanDatabase):
        check(place)


def test_command_has_help_and_names_a_wrong_setting() -> None:
    assert "FOREMAN_DATABASE" in run_command("check", "--help").stdout
    wrong = run_command("check", "--database", "postgresql://localhost/foreman")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("foreman: --database is 'postgresql://localhost/foreman'; allowed: ")
