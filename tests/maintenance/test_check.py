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

pytestmark = pytest.mark.sqlite


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
    assert check(served.file) == []
    told = run_check(served.file)
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
                assert checked_while_written(lambda: check(served.file)) == []
            told = checked_while_written(lambda: run_check(served.file).returncode)
        finally:
            stop.set()
        for writer in writers:
            writer.result(PATIENCE)
    assert told == 0
    assert check(served.file) == []


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

    INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, max_retries,
                      created_at, updated_at)
    VALUES ('acme', '{PARENT}', 1, '{RUN}', NULL, 'step', 'pending', '1', 3, 1, 1),
           ('acme', '{CHILD}', 1, '{RUN}', '{PARENT}', 'step', 'pending', '1', 3, 1, 1),
           ('acme', '{OTHER_TASK}', 2, '{OTHER_RUN}', NULL, 'step', 'pending', '1', 3, 1, 1),
           ('rival', '{THEIR_TASK}', 3, '{THEIR_RUN}', NULL, 'step', 'pending', '1', 3, 1, 1);

    INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
    VALUES ('acme', '{OLD}', 1, '{RUN}', '{CHILD}', 'key', '1', '["red","blue"]', 1, 1),
           ('acme', '{NEW}', 1, '{RUN}', '{CHILD}', 'key', '1', '["red"]', 2, 2),
           ('rival', '{THEIR_ENTRY}', 3, '{THEIR_RUN}', '{THEIR_TASK}', 'key', '1', '[]', 1, 1);
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


def redefined(index: str, condition: str = "", version: int = SCHEMA_VERSION) -> str:
    """Let the definition of an index be its own with something behind it, while its content stays as it is."""
    (sql,) = (sql for type_, name, sql in schema_of(version) if (type_, name) == ("index", index))
    return f"""
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = {quoted(f"{sql} {condition}")} WHERE name = '{index}';
        PRAGMA writable_schema = RESET;
        """


def as_line(rule: str, found: str, version: int = SCHEMA_VERSION) -> str:
    wrong = {each.name: each.wrong for each in (INTEGRITY, *RULES) if each.since <= version <= each.until}
    return f"{rule}: {wrong[rule]}: {found}" if rule in wrong else f"{rule}: {found}"


NEW_RUN = "INSERT INTO run (org_id, id, status, input_data, created_at, updated_at) VALUES"
NEW_TASK = (
    "INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries, "
    "created_at, updated_at) VALUES"
)
NEW_ENTRY = (
    "INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at) VALUES"
)
NEW_ACT = f"""
    INSERT INTO act (org_id, id, kind, filter, expected, created_at, updated_at)
    VALUES ('acme', '{OTHER_TASK}', 'cancel_tasks', '{{}}', 1, 1, 1)
    """
NEW_COUNTS = "INSERT INTO run_task_count (run_seq, parent_task_id, type, pending) VALUES"

OF_RUN, OF_PARENT = "run_seq = 1 AND parent_task_id = ''", f"run_seq = 1 AND parent_task_id = '{PARENT}'"

LONG = "x" * 256
MANY = json.dumps([str(number) for number in range(101)])

# The indexes with a condition: how many rows meet it once one is made to, and a change of that row's place.
PARTIAL = (
    ("run_by_started_at", 1, "", f"UPDATE run SET created_at = 8, started_at = 8 WHERE id = '{RUN}'"),
    (
        "run_by_completed_at",
        1,
        f"UPDATE run SET status = 'failed', completed_at = 1 WHERE id = '{OTHER_RUN}'",
        f"UPDATE run SET created_at = 8, completed_at = 8 WHERE id = '{OTHER_RUN}'",
    ),
    (
        "task_by_started_at",
        1,
        f"UPDATE task SET started_at = 1 WHERE id = '{CHILD}'",
        f"UPDATE task SET created_at = 8, started_at = 8 WHERE id = '{CHILD}'",
    ),
    (
        "task_by_completed_at",
        1,
        f"UPDATE task SET status = 'failed', completed_at = 1 WHERE id = '{CHILD}'",
        f"UPDATE task SET created_at = 8, completed_at = 8 WHERE id = '{CHILD}'",
    ),
    ("task_by_parent", 1, "", f"UPDATE task SET created_at = 8 WHERE id = '{CHILD}'"),
    (
        "run_data_by_updated_at",
        1,
        "UPDATE run_data SET updated_at = 5 WHERE org_id = 'rival'",
        """
        UPDATE run_data        SET created_at = 8, updated_at = 9 WHERE org_id = 'rival';
        UPDATE run_data_latest SET created_at = 8 WHERE run_seq = 3
        """,
    ),
    (
        "run_data_latest_by_created_at",
        2,
        "",
        """
        UPDATE run_data        SET created_at = 8, updated_at = 8 WHERE org_id = 'rival';
        UPDATE run_data_latest SET created_at = 8 WHERE run_seq = 3
        """,
    ),
    (
        "run_by_external_id",
        1,
        f"UPDATE run SET external_id = 'mine' WHERE id = '{RUN}'",
        f"UPDATE run SET created_at = 8, external_id = 'yours' WHERE id = '{RUN}'",
    ),
    (
        "task_by_external_id",
        1,
        f"UPDATE task SET external_id = 'mine' WHERE id = '{CHILD}'",
        f"UPDATE task SET created_at = 8, external_id = 'yours' WHERE id = '{CHILD}'",
    ),
    ("act_to_do", 1, NEW_ACT, "UPDATE act SET created_at = 8, id = 'another'"),
)
# The rows that SQLite misses in them, as it numbers them.
LOST = {
    "run_by_started_at": (1,),
    "run_by_completed_at": (2,),
    "task_by_started_at": (2,),
    "task_by_completed_at": (2,),
    "task_by_parent": (2,),
    "run_data_by_updated_at": (3,),
    "run_data_latest_by_created_at": (1, 4),
    "run_by_external_id": (1,),
    "task_by_external_id": (2,),
    "act_to_do": (1,),
}

BROKEN = {
    # The file
    "a dropped trigger": Broken("DROP TRIGGER run_deleted", [("schema", "type='trigger' name='run_deleted'")]),
    "a dropped index": Broken("DROP INDEX task_by_type", [("schema", "type='index' name='task_by_type'")]),
    "a dropped table": Broken(
        "DROP TABLE api_key",
        [
            ("schema", "type='index' name='api_key_by_hash_prefix'"),
            ("schema", "type='index' name='api_key_by_org'"),
            ("schema", "type='table' name='api_key'"),
            (
                "unchecked",
                "not checked because of 'no such table: api_key': id, key_hash, key_read_only, key_name, key_admin",
            ),
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
            {fill};
            {redefined(name, "AND created_at > 1")}
            {change};
            {redefined(name)}
            """,
            [("partial_index", f"name='{name}' entries={counted + 1} counted={counted}")],
            by_some=[("integrity", f"wrong # of entries in index {name}")],
        )
        for name, counted, fill, change in PARTIAL
    },
    **{
        f"an index with a condition that has lost its rows: {name}": Broken(
            f"""
            {fill};
            {redefined(name, "AND created_at > 8")}
            REINDEX {name};
            {redefined(name)}
            """,
            [
                ("partial_index", f"name='{name}' entries=0 counted={counted}"),
                *(("integrity", f"row {row} missing from index {name}") for row in LOST[name]),
            ],
            by_some=[("integrity", f"wrong # of entries in index {name}")],
        )
        for name, counted, fill, _ in PARTIAL
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
        UPDATE sqlite_schema SET sql = replace(sql, 'read_only    INTEGER NOT NULL', 'read_only    INTEGER')
        WHERE name = 'api_key';
        PRAGMA writable_schema = RESET;
        UPDATE api_key SET read_only = NULL;
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, 'read_only    INTEGER', 'read_only    INTEGER NOT NULL')
        WHERE name = 'api_key';
        """,
        [("integrity", "NULL value in api_key.read_only")],
    ),
    # References
    "a task whose run is gone": Broken(
        f"DELETE FROM run WHERE id = '{OTHER_RUN}'",
        [
            ("foreign_key", "table='task' seq=3 parent='run'"),
            ("task_run", f"org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}'"),
            ("run_seq", f"table='task' org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}' run_seq=2"),
            *(
                ("run_task_count", f"run_seq=2 parent_task_id='' type='{type_}' status='pending' kept=0 counted=1")
                for type_ in ("", "step")
            ),
        ],
    ),
    "a task in a run of another organisation": Broken(
        f"""
        UPDATE task SET run_seq = 2, run_id = '{OTHER_RUN}' WHERE id = '{THEIR_TASK}';
        DELETE FROM run_data WHERE id = '{THEIR_ENTRY}';
        DELETE FROM run_task_count WHERE run_seq = 3;
        UPDATE run_task_count SET pending = 2 WHERE run_seq = 2;
        """,
        [
            ("task_run", f"org_id='rival' id='{THEIR_TASK}' run_id='{OTHER_RUN}'"),
            ("run_seq", f"table='task' org_id='rival' id='{THEIR_TASK}' run_id='{OTHER_RUN}' run_seq=2"),
        ],
    ),
    "a task with the seq of another run": Broken(
        f"""
        UPDATE task SET run_seq = 1 WHERE id = '{OTHER_TASK}';
        DELETE FROM run_task_count WHERE run_seq = 2;
        UPDATE run_task_count SET pending = 3 WHERE run_seq = 1 AND parent_task_id = '';
        """,
        [("run_seq", f"table='task' org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}' run_seq=1")],
    ),
    "a task with the seq of no run": Broken(
        f"""
        UPDATE task SET run_seq = 9 WHERE id = '{OTHER_TASK}';
        UPDATE run_task_count SET run_seq = 9 WHERE run_seq = 2;
        """,
        [
            ("foreign_key", "table='task' seq=3 parent='run'"),
            ("run_seq", f"table='task' org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}' run_seq=9"),
            *[("count_extra", "table='run_task_count' run_seq=9")] * 2,
        ],
    ),
    "an entry with the seq of another run": Broken(
        f"""
        UPDATE run_data        SET run_seq = 2 WHERE id = '{THEIR_ENTRY}';
        UPDATE run_data_latest SET run_seq = 2 WHERE run_seq = 3;
        UPDATE run_data_count  SET run_seq = 2 WHERE run_seq = 3;
        """,
        [("run_seq", f"table='run_data' org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' run_seq=2")],
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
        {NEW_COUNTS} (2, '{PARENT}', '', 1), (2, '{PARENT}', 'step', 1);
        """,
        [("task_parent", f"org_id='acme' id='{OTHER_TASK}' run_id='{OTHER_RUN}' parent_task_id='{PARENT}'")],
    ),
    "a parent in another organisation": Broken(
        f"""
        UPDATE task SET parent_task_id = '{PARENT}' WHERE id = '{THEIR_TASK}';
        {NEW_COUNTS} (3, '{PARENT}', '', 1), (3, '{PARENT}', 'step', 1);
        """,
        [
            ("foreign_key", "table='task' seq=4 parent='task'"),
            ("task_parent", f"org_id='rival' id='{THEIR_TASK}' run_id='{THEIR_RUN}' parent_task_id='{PARENT}'"),
        ],
    ),
    "a task that is its own parent": Broken(
        f"""
        UPDATE task SET parent_task_id = id WHERE id = '{OTHER_TASK}';
        {NEW_COUNTS} (2, '{OTHER_TASK}', '', 1), (2, '{OTHER_TASK}', 'step', 1);
        """,
        [("task_parent_cycle", f"org_id='acme' id='{OTHER_TASK}' parent_task_id='{OTHER_TASK}'")],
    ),
    "a cycle of two parents": Broken(
        f"""
        UPDATE task SET parent_task_id = '{CHILD}' WHERE id = '{PARENT}';
        {NEW_COUNTS} (1, '{CHILD}', '', 1), (1, '{CHILD}', 'step', 1);
        """,
        [("task_parent_cycle", f"org_id='acme' id='{PARENT}' parent_task_id='{CHILD}'")],
    ),
    "an entry whose run is gone": Broken(
        f"""
        DELETE FROM task WHERE id = '{THEIR_TASK}';
        DELETE FROM run WHERE id = '{THEIR_RUN}';
        """,
        [
            ("foreign_key", "table='run_data' seq=3 parent='run'"),
            ("run_seq", f"table='run_data' org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' run_seq=3"),
            ("run_data_run", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}'"),
            ("run_data_task", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' task_id='{THEIR_TASK}'"),
            ("run_data_count", "run_seq=3 keys=0 entries=0 counted_keys=1 counted_entries=1"),
        ],
    ),
    "an entry whose task is gone": Broken(
        f"DELETE FROM task WHERE id = '{THEIR_TASK}'",
        [("run_data_task", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' task_id='{THEIR_TASK}'")],
    ),
    "an entry of a task in another run": Broken(
        f"UPDATE run_data SET task_id = '{OTHER_TASK}' WHERE id = '{OLD}'",
        [("run_data_task", f"org_id='acme' id='{OLD}' run_id='{RUN}' task_id='{OTHER_TASK}'")],
    ),
    "an entry of a task in another organisation": Broken(
        f"UPDATE run_data SET task_id = '{CHILD}' WHERE id = '{THEIR_ENTRY}'",
        [("run_data_task", f"org_id='rival' id='{THEIR_ENTRY}' run_id='{THEIR_RUN}' task_id='{CHILD}'")],
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
        f"{NEW_TASK} ('acme', '{uuid(99).replace('-', '')}', 1, '{RUN}', 'x', 'pending', '1', 3, 1, 1)",
        [("id", f"table='task' org_id='acme' id='{uuid(99).replace('-', '')}'")],
    ),
    "a run's id in two organisations": Broken(
        f"{NEW_RUN} ('rival', '{RUN}', 'pending', '1', 1, 1)",
        [("id_unique", f"table='run' org_id='acme' id='{RUN}' times=2")],
    ),
    "a task's id in two organisations": Broken(
        f"{NEW_TASK} ('rival', '{CHILD}', 3, '{THEIR_RUN}', 'x', 'pending', '1', 3, 1, 1)",
        [("id_unique", f"table='task' org_id='acme' id='{CHILD}' times=2")],
    ),
    "an entry's id in two runs": Broken(
        f"{NEW_ENTRY} ('acme', '{OLD}', 2, '{OTHER_RUN}', '{OTHER_TASK}', 'key', '1', '[]', 1, 1)",
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
        [
            ("status", f"table='task' org_id='acme' id='{CHILD}' status='lost'"),
            *(  # they have no column for it
                (rule, f"{of} type='{type_}' status='lost' kept=0 counted=1")
                for rule, of in (
                    ("org_task_count", "org_id='acme'"),
                    ("run_task_count", "run_seq=1 parent_task_id=''"),
                    ("run_task_count", f"run_seq=1 parent_task_id='{PARENT}'"),
                )
                for type_ in ("", "step")
            ),
        ],
    ),
    "an empty type": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', 1, '{RUN}', '', 'pending', '1', 3, 1, 1)",
        [
            ("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'"),
            # It is taken for the type that stands for all.
            ("org_task_count", "org_id='acme' type='' status='pending' kept=4 counted=5"),
            ("run_task_count", "run_seq=1 parent_task_id='' type='' status='pending' kept=3 counted=4"),
        ],
    ),
    "a type that is too long": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', 1, '{RUN}', '{LONG}', 'pending', '1', 3, 1, 1)",
        [("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")],
    ),
    "a type with a NUL": Broken(
        f"{NEW_TASK} ('acme', '{uuid(99)}', 1, '{RUN}', 'a' || char(0), 'pending', '1', 3, 1, 1)",
        [("nul", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")],
    ),
    "a name of a queue job with a NUL": Broken(
        f"UPDATE task SET queue_job_id = 'a' || char(0) WHERE id = '{CHILD}'",
        [("nul", f"table='task' column='queue_job_id' org_id='acme' id='{CHILD}'")],
    ),
    "an empty name of a queue job": Broken(
        f"UPDATE task SET queue_job_id = '' WHERE id = '{CHILD}'",
        [("text", f"table='task' column='queue_job_id' org_id='acme' id='{CHILD}'")],
    ),
    "an empty key": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', 1, '{RUN}', '{CHILD}', '', '1', '[]', 1, 1)",
        [("text", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
    ),
    "a key that is too long": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', 1, '{RUN}', '{CHILD}', '{LONG}', '1', '[]', 1, 1)",
        [("text", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
    ),
    "a key with a NUL": Broken(
        f"{NEW_ENTRY} ('acme', '{uuid(99)}', 1, '{RUN}', '{CHILD}', 'a' || char(0) || 'b', '1', '[]', 1, 1)",
        [("nul", f"table='run_data' column='key' org_id='acme' id='{uuid(99)}'")],
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
            ("run_data_tag_extra", "run_seq=1 tag='red' key='key' seq=2"),
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
        [
            ("tag", f"org_id='acme' id='{NEW}' tag=''"),
            ("run_data_tag_missing", f"org_id='acme' id='{NEW}' run_id='{RUN}' tag=''"),
        ],
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
        f"a wrong count of {status} tasks of {whose}": Broken(
            f"UPDATE {table} SET {status} = 9 WHERE {condition} AND type = '{type_}'",
            [(table, f"{of} type='{type_}' status='{status}' kept=9 counted={tasks if status == 'pending' else 0}")],
        )
        for status in TASK_STATUSES
        for whose, table, condition, of, type_, tasks in (
            ("an organisation", "org_task_count", "org_id = 'acme'", "org_id='acme'", "", 3),
            ("an organisation and type", "org_task_count", "org_id = 'acme'", "org_id='acme'", "step", 3),
            ("a run", "run_task_count", OF_RUN, "run_seq=1 parent_task_id=''", "", 2),
            ("a run and type", "run_task_count", OF_RUN, "run_seq=1 parent_task_id=''", "step", 2),
            ("a parent", "run_task_count", OF_PARENT, f"run_seq=1 parent_task_id='{PARENT}'", "", 1),
            ("a parent and type", "run_task_count", OF_PARENT, f"run_seq=1 parent_task_id='{PARENT}'", "step", 1),
        )
    },
    "counts of tasks that were not kept": Broken(
        f"UPDATE task SET status = 'completed', completed_at = 1 WHERE id = '{CHILD}'",
        [
            (rule, f"{of} type='{type_}' status='{status}' kept={kept} counted={counted}")
            for rule, of, pending in (
                ("org_task_count", "org_id='acme'", 3),
                ("run_task_count", "run_seq=1 parent_task_id=''", 2),
                ("run_task_count", f"run_seq=1 parent_task_id='{PARENT}'", 1),
            )
            for type_ in ("", "step")
            for status, kept, counted in (("pending", pending, pending - 1), ("completed", 0, 1))
        ],
        triggers=False,
    ),
    "a negative count of an organisation's tasks": Broken(
        "UPDATE org_task_count SET failed = -1 WHERE org_id = 'acme' AND type = ''",
        [("org_task_count", "org_id='acme' type='' status='failed' kept=-1 counted=0")],
    ),
    "a negative count of a run's tasks": Broken(
        f"UPDATE run_task_count SET failed = -1 WHERE {OF_RUN} AND type = ''",
        [("run_task_count", "run_seq=1 parent_task_id='' type='' status='failed' kept=-1 counted=0")],
    ),
    "a count of an organisation's tasks that is missing": Broken(
        "DELETE FROM org_task_count WHERE org_id = 'rival' AND type = 'step'",
        [("org_task_count", "org_id='rival' type='step' status='pending' kept=0 counted=1")],
    ),
    "a count of a run's tasks that is missing": Broken(
        f"DELETE FROM run_task_count WHERE {OF_PARENT} AND type = ''",
        [("run_task_count", f"run_seq=1 parent_task_id='{PARENT}' type='' status='pending' kept=0 counted=1")],
    ),
    "a count of no tasks of an organisation": Broken(
        "INSERT INTO org_task_count (org_id, type, failed) VALUES ('nobody', 'x', 1)",
        [("org_task_count", "org_id='nobody' type='x' status='failed' kept=1 counted=0")],
    ),
    "a count of no tasks of a run": Broken(
        f"INSERT INTO run_task_count (run_seq, parent_task_id, type, failed) VALUES (1, '{CHILD}', 'x', 1)",
        [("run_task_count", f"run_seq=1 parent_task_id='{CHILD}' type='x' status='failed' kept=1 counted=0")],
    ),
    "a count of tasks without a run": Broken(
        "INSERT INTO run_task_count (run_seq, parent_task_id, type) VALUES (9, '', '')",
        [("count_extra", "table='run_task_count' run_seq=9")],
    ),
    "a count of entries without a run": Broken(
        "INSERT INTO run_data_count VALUES (9, 0, 0)", [("count_extra", "table='run_data_count' run_seq=9")]
    ),
    **{
        f"{number} {column} of a run": Broken(
            f"UPDATE run_data_count SET {column} = {number} WHERE run_seq = 1",
            [("run_data_count", f"run_seq=1 {kept} counted_keys=1 counted_entries=2")],
        )
        for column, number, kept in (
            ("keys", 7, "keys=7 entries=2"),
            ("keys", -1, "keys=-1 entries=2"),
            ("entries", 7, "keys=1 entries=7"),
            ("entries", -1, "keys=1 entries=-1"),
        )
    },
    "a count of entries that is missing": Broken(
        "DELETE FROM run_data_count WHERE run_seq = 3",
        [("run_data_count", "run_seq=3 keys=0 entries=0 counted_keys=1 counted_entries=1")],
    ),
    "a count of no entries": Broken(
        "INSERT INTO run_data_count VALUES (2, 1, 1)",
        [("run_data_count", "run_seq=2 keys=1 entries=1 counted_keys=0 counted_entries=0")],
    ),
    "an entry without the row of a tag": Broken(
        "DELETE FROM run_data_tag WHERE tag = 'blue'; DELETE FROM run_data_latest WHERE tag = 'blue'",
        [("run_data_tag_missing", f"org_id='acme' id='{OLD}' run_id='{RUN}' tag='blue'")],
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
                ("run_data_tag_extra", f"run_seq={run_seq} tag='blue' key={key!r} seq={seq}"),
            ],
        )
        for column, value, run_seq, key, seq in (
            ("run_seq", 2, 2, "key", 1),
            ("key", "another", 1, "another", 1),
            ("seq", 9, 1, "key", 9),
        )
    },
    "a row of the tag '', which no entry has": Broken(
        "INSERT INTO run_data_tag VALUES (1, '', 'key', 2, 2)",
        [
            ("run_data_tag_extra", "run_seq=1 tag='' key='key' seq=2"),
            (
                "run_data_latest",
                "run_seq=1 tag='' key='key' seq=2 created_at=2 entries=2 newest_seq=2 newest_created_at=2 counted=1",
            ),
        ],
        triggers=False,
    ),
    "a tag that its entry has not": Broken(
        "INSERT INTO run_data_tag VALUES (1, 'blue', 'key', 2, 2)",
        [("run_data_tag_extra", "run_seq=1 tag='blue' key='key' seq=2")],
    ),
    "a tag with another time than its entry's": Broken(
        "UPDATE run_data_tag SET created_at = 7 WHERE tag = 'red' AND seq = 1",
        [("run_data_tag_time", "run_seq=1 tag='red' key='key' seq=1 created_at=7 entrys=1")],
    ),
    "a latest entry that is not": Broken(
        "UPDATE run_data_latest SET seq = 1 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                "run_seq=1 tag='red' key='key' seq=1 created_at=2 entries=2 newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a latest entry with another time than its own": Broken(
        "UPDATE run_data_latest SET created_at = 1 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                "run_seq=1 tag='red' key='key' seq=2 created_at=1 entries=2 newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a wrong number of entries": Broken(
        "UPDATE run_data_latest SET entries = 3 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                "run_seq=1 tag='red' key='key' seq=2 created_at=2 entries=3 newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a negative number of entries": Broken(
        "UPDATE run_data_latest SET entries = -2 WHERE tag = 'red'",
        [
            (
                "run_data_latest",
                "run_seq=1 tag='red' key='key' seq=2 created_at=2 entries=-2 "
                "newest_seq=2 newest_created_at=2 counted=2",
            )
        ],
    ),
    "a latest entry that is missing": Broken(
        "DELETE FROM run_data_latest WHERE tag = 'blue'",
        [
            (
                "run_data_latest",
                "run_seq=1 tag='blue' key='key' seq=None created_at=None "
                "entries=None newest_seq=1 newest_created_at=1 counted=1",
            )
        ],
    ),
    "a latest entry of all that is missing": Broken(
        "DELETE FROM run_data_latest WHERE run_seq = 3",
        [
            (
                "run_data_latest",
                "run_seq=3 tag='' key='key' seq=None created_at=None "
                "entries=None newest_seq=3 newest_created_at=1 counted=1",
            )
        ],
        triggers=False,
    ),
    "a key that is not in order, but marked so": Broken(
        """
        UPDATE run_data        SET created_at = 9 WHERE seq = 1;
        UPDATE run_data_tag    SET created_at = 9 WHERE seq = 1;
        UPDATE run_data_latest SET created_at = 9 WHERE seq = 1;
        """,
        [
            (
                "run_data_latest_in_order",
                "run_seq=1 tag='' key='key' in_order=1 seq=2 created_at=2 created_before=9",
            )
        ],
    ),
    "a mark that is neither true nor false": Broken(
        "UPDATE run_data_latest SET in_order = 2 WHERE run_seq = 3",
        [
            (
                "run_data_latest_in_order",
                "run_seq=3 tag='' key='key' in_order=2 seq=3 created_at=1 created_before=None",
            )
        ],
    ),
    **{
        f"a latest entry of none, with another {column}": Broken(
            f"INSERT INTO run_data_latest VALUES ({run_seq}, '{tag}', '{key}', 1, 1, 1, 1)",
            [("run_data_latest_extra", f"run_seq={run_seq} tag={tag!r} key={key!r}")],
            triggers=False,
        )
        for column, run_seq, tag, key in (
            ("run", 2, "red", "key"),
            ("run, of all", 2, "", "key"),
            ("tag", 1, "green", "key"),
            ("key", 1, "red", "a\nb"),
            ("key, of all", 1, "", "a\nb"),
        )
    },
    # How runs and tasks are found
    **{
        f"an external id of a {table} that is {what}": Broken(
            f"UPDATE {table} SET external_id = '{value}' WHERE id = '{id_}'",
            [("external_id", f"table='{table}' org_id='acme' id='{id_}'")],
        )
        for table, id_ in (("run", RUN), ("task", CHILD))
        for what, value in (("empty", ""), ("long", LONG))
    },
    "an external id with a NUL": Broken(
        f"UPDATE run SET external_id = 'a' || char(0) WHERE id = '{RUN}'",
        [("external_id_nul", f"table='run' org_id='acme' id='{RUN}'")],
    ),
    **{
        f"tags of a {table} that are {what}": Broken(
            f"UPDATE {table} SET tags = {quoted(tags)} WHERE id = '{id_}'; DELETE FROM {table}_tag",
            [
                ("tags_of_run_or_task", f"table='{table}' org_id='acme' id='{id_}'"),
                *((f"{table}_tag", f"found='missing' org_id='acme' tag='{tag}' created_at=1 {of}") for tag in missing),
            ],
            triggers=False,
        )
        for table, id_, of in (("run", RUN, "seq=1"), ("task", CHILD, "seq=2 run_seq=1"))
        for what, tags, missing in (("an object", "{}", []), ("too many", MANY, json.loads(MANY)))
    },
    **{
        f"a tag of a {table} that {what}": Broken(
            f"UPDATE {table} SET tags = {quoted(json.dumps([tag]))} WHERE id = '{id_}'",
            [("tag_of_run_or_task", f"table='{table}' org_id='acme' id='{id_}' tag='{tag}'")],
        )
        for table, id_ in (("run", RUN), ("task", CHILD))
        for what, tag in (("is empty", ""), ("is long", LONG), ("has a comma", "a,b"))
    },
    "a tag that a run has twice": Broken(
        f"UPDATE run SET tags = '[\"a\",\"a\"]' WHERE id = '{RUN}'; INSERT INTO run_tag VALUES ('acme', 'a', 1, 1)",
        [("tag_of_run_or_task_repeated", f"table='run' org_id='acme' id='{RUN}'")],
        triggers=False,
    ),
    "a tag of a run by which it is not found": Broken(
        f"UPDATE run SET tags = '[\"a\"]' WHERE id = '{RUN}'",
        [("run_tag", "found='missing' org_id='acme' tag='a' created_at=1 seq=1")],
        triggers=False,
    ),
    "a tag that a task does not have": Broken(
        "INSERT INTO task_tag VALUES ('acme', 'a', 1, 2, 1)",
        [("task_tag", "found='extra' org_id='acme' tag='a' created_at=1 seq=2 run_seq=1")],
    ),
    "a task that is found by its tag in another run": Broken(
        f"""
        UPDATE task SET tags = '["a"]' WHERE id = '{CHILD}';
        INSERT INTO task_tag VALUES ('acme', 'a', 1, 2, 3);
        """,
        [
            ("task_tag", "found='missing' org_id='acme' tag='a' created_at=1 seq=2 run_seq=1"),
            ("task_tag", "found='extra' org_id='acme' tag='a' created_at=1 seq=2 run_seq=3"),
        ],
        triggers=False,
    ),
    **{
        f"metadata by which a {table} is not found": Broken(
            f"""
            INSERT INTO metadata_path VALUES ('team', 1), ('of.it', 1);
            UPDATE {table} SET metadata = '{{"team": "ml", "of": {{"it": 1.50}}}}' WHERE id = '{id_}';
            """,
            [
                (f"{table}_metadata", f"found='missing' org_id='acme' path='team' value='ml' created_at=1 seq={seq}"),
                (
                    f"{table}_metadata",
                    f"found='missing' org_id='acme' path='of.it' value='1.50' created_at=1 seq={seq}",
                ),
            ],
            triggers=False,
        )
        for table, id_, seq in (("run", RUN, 1), ("task", CHILD, 2))
    },
    "metadata by which a run is found although it is another's": Broken(
        f"""
        INSERT INTO metadata_path VALUES ('team', 1);
        UPDATE run SET metadata = '{{"team": null}}' WHERE id = '{RUN}';
        INSERT INTO run_metadata VALUES ('acme', 'team', 'ml', 1, 1);
        """,
        [("run_metadata", "found='extra' org_id='acme' path='team' value='ml' created_at=1 seq=1")],
    ),
    "a declared path that is empty": Broken(
        "INSERT INTO metadata_path VALUES ('', 1)", [("metadata_path", "path='' filled=1")]
    ),
    "a declared path that is filled in part": Broken(
        "INSERT INTO metadata_path VALUES ('team', 2)", [("metadata_path", "path='team' filled=2")]
    ),
    "a run that is strict in another way": Broken(
        f"UPDATE run SET strict = 2 WHERE id = '{RUN}'", [("run_strict", f"org_id='acme' id='{RUN}' strict=2")]
    ),
    # Acts and keys
    **{
        f"an act with {what}": Broken(
            f"{NEW_ACT}; UPDATE act SET {change}",
            [("act", f"org_id='acme' id='{OTHER_TASK}' kind={kind!r} changed={changed}")],
        )
        for what, change, kind, changed in (
            ("an unknown kind", "kind = 'pause'", "pause", 0),
            ("a filter that is no JSON", "filter = 'x'", "cancel_tasks", 0),
            ("a negative number", "changed = -1", "cancel_tasks", -1),
        )
    },
    "a key that is an administrator's in another way": Broken(
        "UPDATE api_key SET admin = 2", [("key_admin", f"org_id='acme' id='{KEY}' admin=2")]
    ),
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
    assert named == {rule.name for rule in (INTEGRITY, *RULES) if rule.until >= SCHEMA_VERSION} | {"unchecked"}


def test_every_index_with_a_condition_is_counted() -> None:
    (counted,) = (rule.sql for rule in RULES if rule.name == "partial_index" and rule.until >= SCHEMA_VERSION)
    indexes = [(name, sql) for type_, name, sql in schema_of(SCHEMA_VERSION) if type_ == "index" and " WHERE " in sql]
    assert [name for name, *_ in PARTIAL] == [name for name, _ in indexes]
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
    break_(file, "UPDATE run_data_count SET keys = 7; UPDATE api_key SET environment = 'Test'")
    told = run_check(file)
    assert told.returncode == 1
    assert told.stderr == "foreman: 3 violations\n"
    lines = told.stdout.splitlines()
    assert lines[:4] == [
        "key_name: the organisation or environment of an API key cannot be part of a key: 1 violation",
        f"    org_id='acme' id='{KEY}' environment='Test'",
        "run_data_count: the stored number of a run's keys or entries differs from a count of the rows: 2 violations",
        "    run_seq=1 keys=7 entries=2 counted_keys=1 counted_entries=2",
    ]
    assert len(lines) == 5


ORG_TASK_COUNT = (
    "org_task_count: the stored numbers of an organisation's tasks of a type ('' for all) "
    "differ from a count of the rows"
)
MANY = "UPDATE org_task_count SET running = 70, completed = 70, failed = 70 WHERE type = '' OR org_id = 'acme'"


def test_command_shows_five_examples_of_a_rule_and_says_how_many_more_there_are(file: Path) -> None:
    break_(file, f"{MANY}; DROP TRIGGER run_deleted")
    found = check(file)
    of_counters = [line.rpartition(": ")[2] for line in found if line.startswith("org_task_count: ")]
    assert len(of_counters) == 9
    told = run_check(file)
    assert told.stderr == f"foreman: {len(found)} violations\n"
    lines = told.stdout.splitlines()
    first = lines.index(f"{ORG_TASK_COUNT}: 9 violations")
    assert lines[first + 1 : first + 6] == [f"    {row}" for row in of_counters[:5]]
    assert lines[first + 6] == "    and 4 more: `check --all` shows them"
    assert len([line for line in lines if not line.startswith(" ")]) == len({line.partition(":")[0] for line in found})


def test_command_does_not_speak_of_more_when_the_examples_are_all(file: Path) -> None:
    break_(
        file,
        """
        UPDATE org_task_count SET running = 70;
        UPDATE org_task_count SET failed = 70 WHERE org_id = 'acme' AND type = '';
        """,
    )
    told = run_check(file)
    assert f"{ORG_TASK_COUNT}: 5 violations" in told.stdout
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
    break_(file, "INSERT INTO run_data_latest VALUES (1, CAST(x'61ff' AS TEXT), 'key', 2, 2, 1, 1)")
    assert check(file) == [as_line("run_data_latest_extra", "run_seq=1 tag='a\N{REPLACEMENT CHARACTER}' key='key'")]


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
        break_(file, "UPDATE org_task_count SET running = 7 WHERE org_id = 'rival'; DROP TRIGGER run_deleted")
        assert list(violations(view)) == []
        assert contents(view) == (3, 4, 3)
    assert len(check(file)) == 3


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
        connection.execute("UPDATE run_data_count SET keys = 7 WHERE run_seq = 3")
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
    assert "run_seq=3 keys=7 entries=1 counted_keys=1 counted_entries=1" in told.stdout
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
    wrong = run_command("check", "--database", "mysql://localhost/foreman")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("foreman: --database is 'mysql://localhost/foreman'; allowed: ")
