"""`check` of a database of schema version 3, before its upgrade: each way of being unsound that version 4 has not."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from foreman.db.file import APPLICATION_ID
from foreman.db.schema import migrations, schema_of
from foreman.maintenance.check import check
from foreman.maintenance.invariants import RULES
from tests.maintenance.test_check import (
    CHILD,
    HASH,
    KEY,
    NEW,
    OLD,
    OTHER_RUN,
    OTHER_TASK,
    PARENT,
    RUN,
    THEIR_ENTRY,
    THEIR_RUN,
    THEIR_TASK,
    Broken,
    as_line,
    break_,
    redefined,
)

pytestmark = pytest.mark.sqlite

VERSION = 3

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
    """A small database of version 3 with known ids."""
    file = tmp_path_factory.mktemp("sound") / "foreman.db"
    with closing(sqlite3.connect(file)) as connection:
        for migration in migrations()[:VERSION]:
            connection.executescript(migration.script)
        connection.executescript(SOUND)
        connection.executescript(f"""
            INSERT INTO schema_migration VALUES ({VERSION}, 1, '1.0.0');
            PRAGMA application_id = {APPLICATION_ID};
            PRAGMA user_version = {VERSION};
            """)
    assert check(file) == []
    return file


BROKEN = {
    **{
        f"an index that has kept an entry of no row: {name}": Broken(
            f"""
            {redefined(name, "AND created_at > 1", VERSION)}
            UPDATE task            SET created_at = 8 WHERE id = '{CHILD}';
            UPDATE run_data        SET created_at = 8 WHERE org_id = 'rival';
            UPDATE run_data_tag    SET created_at = 8 WHERE org_id = 'rival';
            UPDATE run_data_latest SET created_at = 8 WHERE org_id = 'rival';
            {redefined(name, version=VERSION)}
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
def test_what_is_broken_is_named_and_nothing_else(sound: Path, tmp_path: Path, how: str) -> None:
    file = Path(shutil.copy(sound, tmp_path / "foreman.db"))
    script, expected, triggers, by_some = BROKEN[how]
    break_(file, script, triggers=triggers)
    optional = {as_line(rule, found, VERSION) for rule, found in by_some}
    lines = sorted(as_line(rule, found, VERSION) for rule, found in expected)
    assert sorted(line for line in check(file) if line not in optional) == lines


def test_every_rule_that_ends_with_this_version_is_broken_by_one_of_these() -> None:
    named = {rule for broken in BROKEN.values() for rule, _ in broken.expected}
    assert named >= {rule.name for rule in RULES if rule.until == VERSION}


def test_every_index_with_a_condition_is_counted() -> None:
    (counted,) = (rule.sql for rule in RULES if rule.name == "partial_index" and rule.until == VERSION)
    indexes = [(name, sql) for type_, name, sql in schema_of(VERSION) if type_ == "index" and " WHERE " in sql]
    assert len(indexes) == 3
    for name, sql in indexes:
        assert f"'{name}'" in counted
        assert f"INDEXED BY {name} WHERE {sql.partition(' WHERE ')[2]})" in counted
