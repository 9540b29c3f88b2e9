"""`check` on PostgreSQL: what is broken in rows is named as on SQLite, and so is what only PostgreSQL has."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from foreman.db.file import SCHEMA_VERSION
from foreman.db.postgres.catalog import recorded
from foreman.db.postgres.snapshot import Snapshot
from foreman.maintenance.check_postgres import violations
from foreman.maintenance.invariants import RULES
from foreman.maintenance.invariants.postgres import OF_POSTGRES
from foreman.maintenance.invariants.rule import POSTGRES, SQLITE, rules_for
from tests.db.postgres_catalog import FILE
from tests.maintenance.test_check import BROKEN, NEW, OTHER_TASK, RUN, SOUND, Broken, uuid
from tests.support.engines import engine

pytestmark = pytest.mark.postgres

TABLES = ("run", "task", "run_data", "run_data_tag", "run_data_latest", "api_key")

# What SQLite's tests break that is not there on PostgreSQL: a file, a text with a NUL, tables of counts that can be
# changed.
OF_SQLITE = re.compile(
    r"PRAGMA|DROP |CREATE |ALTER |char\(0\)|(?:run|org_task|run_task|run_data)_count|writable_schema"
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small database with known ids, which tests change only in transactions that they roll back."""
    name = engine.url(tmp_path_factory.mktemp("sound") / "foreman.db")
    with psycopg.connect(name, autocommit=True) as connection:
        connection.execute(SOUND.encode())
    return name


@pytest.fixture
def view(url: str) -> Iterator[Snapshot]:
    """A transaction that may change the database, to be checked in it."""
    with Snapshot.connect(url, autocommit=True) as view:
        view.begin()
        view.name, view.version = "broken", SCHEMA_VERSION
        yield view
        view.undo()


def found(view: Snapshot) -> list[str]:
    return [f"{each.rule}: {each.row}" for each in violations(view)]


@contextmanager
def without_constraints(view: Snapshot, *, triggers: bool) -> Iterator[None]:
    """Let no constraint keep statements in the block from anything, and triggers only on demand."""
    for table, name in view.all(
        "SELECT CAST(CAST(conrelid AS regclass) AS text), CAST(conname AS text) FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid <> 0 AND connamespace = CAST('public' AS regnamespace)"
    ):
        view.run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    view.run("ALTER DOMAIN document DROP CONSTRAINT document_is_json")
    for table in TABLES:
        view.run(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        if triggers:
            view.run(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    yield
    for table in TABLES:
        view.run(f"ALTER TABLE {table} ENABLE TRIGGER ALL")


ON_BOTH = {rule.name for rule in (*RULES, *OF_POSTGRES) if rule.only != SQLITE}

# Where the two differ, and why.
DIFFERENT = {
    # There is no version that a file tells beside the newest migration.
    "a version that no migration led to": Broken(
        "UPDATE schema_migration SET version = 1", [("schema_migration", "newest=1")]
    ),
    # Changes of counts tell the type '' of a task from that which stands for all.
    "an empty type": Broken(
        BROKEN["an empty type"].script, [("text", f"table='task' column='type' org_id='acme' id='{uuid(99)}'")]
    ),
    # Items of an array are texts here.
    "a tag that is a number": Broken(
        BROKEN["a tag that is a number"].script, [("tag", f"org_id='acme' id='{NEW}' tag='5'")]
    ),
    # Nobody can unpack them.
    "tags that are not an array": Broken(
        BROKEN["tags that are not an array"].script,
        [
            ("tags", f"org_id='acme' id='{NEW}' type='object' tags=0"),
            ("unchecked", "tag, run_data_tag_missing, run_data_tag_extra"),
        ],
        triggers=False,
    ),
    **{
        f"tags of a {table} that are an object": Broken(
            BROKEN[f"tags of a {table} that are an object"].script,
            [
                *BROKEN[f"tags of a {table} that are an object"].expected,
                ("unchecked", f"tag_of_run_or_task, {table}_tag"),
            ],
            triggers=False,
        )
        for table in ("run", "task")
    },
    # Who changes the parent of a task changes no counts.
    "a task that is its own parent": Broken(
        f"UPDATE task SET parent_task_id = id WHERE id = '{OTHER_TASK}'",
        [
            ("task_parent_cycle", f"org_id='acme' id='{OTHER_TASK}' parent_task_id='{OTHER_TASK}'"),
            *(
                (
                    "run_task_count",
                    f"run_seq=2 parent_task_id='{OTHER_TASK}' type='{type_}' status='pending' kept=0 counted=1",
                )
                for type_ in ("", "step")
            ),
        ],
    ),
    # No trigger of run_data_tag keeps run_data_latest.
    "a tag that its entry has not": Broken(
        BROKEN["a tag that its entry has not"].script,
        [
            ("run_data_tag_extra", "run_seq=1 tag='blue' key='key' seq=2"),
            (
                "run_data_latest",
                "run_seq=1 tag='blue' key='key' seq=1 created_at=1 entries=1 "
                "newest_seq=2 newest_created_at=2 counted=2",
            ),
        ],
    ),
}

IN_ROWS = {name: broken for name, broken in BROKEN.items() if not OF_SQLITE.search(broken.script)} | DIFFERENT


def test_sound_database_has_no_violations(view: Snapshot) -> None:
    assert found(view) == []


@pytest.mark.parametrize("how", IN_ROWS)
def test_what_is_broken_in_rows_is_named_as_on_sqlite(view: Snapshot, how: str) -> None:
    broken = IN_ROWS[how]
    with without_constraints(view, triggers=broken.triggers):
        view.execute(broken.script.encode())
    expected = {f"{rule}: {row}" for rule, row in broken.expected if rule in {*ON_BOTH, "unchecked"}}
    of_the_schema = ("schema: type='constraint'", "definition: type='domain' name='document'", "count_extra")
    lines = {line for line in found(view) if not line.startswith(of_the_schema)}
    assert lines == expected


# What is there on PostgreSQL alone, and so are these.
OF_POSTGRES_ALONE = {
    "a dropped trigger": ("DROP TRIGGER run_deleted ON run", ["schema: type='trigger' name='run.run_deleted'"]),
    "a trigger that is off": (
        "ALTER TABLE run DISABLE TRIGGER run_deleted", ["definition: type='trigger' name='run.run_deleted'"]
    ),
    "a reference that nothing keeps": (
        "ALTER TABLE run_data DISABLE TRIGGER ALL; ALTER TABLE run_data ENABLE TRIGGER USER",
        ["definition: type='constraint' name='run_data.run_data_run_seq_fkey'"],
    ),
    "a dropped index": ("DROP INDEX task_by_type", ["schema: type='index' name='task_by_type'"]),
    "an index with another definition": (
        "DROP INDEX task_by_type; CREATE INDEX task_by_type ON task (org_id, type)",
        ["definition: type='index' name='task_by_type'"],
    ),
    "a function with another body": (
        """
        CREATE OR REPLACE FUNCTION run_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$
        """,
        ["definition: type='function' name='run_deleted()'"],
    ),
    "a function in SQL with another body": (
        "CREATE OR REPLACE FUNCTION instr(value text, part text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 0",
        ["definition: type='function' name='instr(value text, part text)'"],
    ),
    "a view with another definition": (
        "CREATE OR REPLACE VIEW run_count AS SELECT org_id, status, sum(runs)::bigint AS runs FROM run_total "
        "GROUP BY 1, 2",
        [
            "definition: type='view' name='run_count'",
            "run_count: org_id='acme' status='pending' kept=0 counted=1",
            "run_count: org_id='acme' status='running' kept=0 counted=1",
            "run_count: org_id='rival' status='pending' kept=0 counted=1",
        ],
    ),
    "a column of another type": (
        "ALTER TABLE task ALTER COLUMN retry_count TYPE bigint", ["definition: type='table' name='task'"]
    ),
    "a column without NOT NULL": (
        "ALTER TABLE task ALTER COLUMN input_data DROP NOT NULL", ["definition: type='table' name='task'"]
    ),
    "a text that sorts by another rule": (
        'ALTER TABLE api_key ALTER COLUMN name TYPE text COLLATE "POSIX"', ["definition: type='table' name='api_key'"]
    ),
    "a table that a crash empties": (
        "ALTER TABLE count_fold SET UNLOGGED", ["definition: type='table' name='count_fold'"]
    ),
    "a constraint that not all rows meet": (
        """
        ALTER TABLE task DROP CONSTRAINT retry_count_is_not_negative;
        ALTER TABLE task ADD CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0) NOT VALID
        """,
        ["definition: type='constraint' name='task.retry_count_is_not_negative'"],
    ),
    "a dropped table": (
        "DROP TABLE api_key",
        [
            "schema: type='constraint' name='api_key.admin_is_boolean'",
            "schema: type='constraint' name='api_key.api_key_pkey'",
            "schema: type='constraint' name='api_key.read_only_is_boolean'",
            "schema: type='index' name='api_key_by_hash_prefix'",
            "schema: type='index' name='api_key_by_org'",
            "schema: type='index' name='api_key_pkey'",
            "schema: type='table' name='api_key'",
            "unchecked: id, key_hash, key_read_only, key_name, key_admin",
        ],
    ),
    "a domain that allows more": (
        "ALTER DOMAIN document DROP CONSTRAINT document_is_json", ["definition: type='domain' name='document'"]
    ),
    "a sequence that begins again": (
        "ALTER SEQUENCE run_seq_seq MAXVALUE 100 CYCLE", ["definition: type='sequence' name='run_seq_seq'"]
    ),
    "a rule that swallows changes": (
        "CREATE RULE swallow AS ON DELETE TO run_change DO INSTEAD NOTHING",
        ["foreign_code: type='rule' name='run_change.swallow'"],
    ),
    "a function that would be called instead": (
        """
        CREATE FUNCTION run_data_latest_less(bigint, text, text, integer) RETURNS void LANGUAGE sql BEGIN ATOMIC END
        """,
        ["foreign_code: type='function' name='run_data_latest_less(bigint, text, text, integer)'"],
    ),
    "a sequence that is behind": (
        "ALTER TABLE run ALTER seq RESTART WITH 2; ALTER TABLE task ALTER seq RESTART WITH 4",
        ["sequence: table='run' last_value=2 newest=3", "sequence: table='task' last_value=4 newest=4"],
    ),
    "two rows that say what was folded": (
        """
        ALTER TABLE count_fold DROP CONSTRAINT count_fold_pkey;
        INSERT INTO count_fold (folded_below) VALUES ('0')
        """,
        [
            "count_fold: rows=2",
            "schema: type='constraint' name='count_fold.count_fold_pkey'",
            "schema: type='index' name='count_fold_pkey'",
            "unchecked: count_change, count_extra, run_count, org_task_count, run_task_count, run_data_count",
        ],
    ),
    "changes that are passed over": (
        "SELECT fold_counts(); INSERT INTO run_change (org_id, status, runs, xid) VALUES ('acme', 'failed', 1, '1')",
        ["count_change: table='run_change' changes=1"],
    ),
    "a total of a run that does not exist": (
        """
        INSERT INTO run_task_total (run_seq, parent_task_id, type, failed) VALUES (9, '', 'x', 1);
        INSERT INTO run_data_total VALUES (9, 0, 1);
        """,
        [
            "count_extra: table='run_data_total' run_seq=9 parent_task_id=None type=None",
            "count_extra: table='run_task_total' run_seq=9 parent_task_id='' type='x'",
        ],
    ),
    "a wrong total": (
        """
        SELECT fold_counts();
        UPDATE run_total SET runs = 5 WHERE org_id = 'rival';
        UPDATE org_task_total SET failed = -1 WHERE org_id = 'acme' AND type = '';
        UPDATE run_task_total SET pending = 7 WHERE run_seq = 2 AND type = 'step';
        UPDATE run_data_total SET keys = 7 WHERE run_seq = 1;
        """,
        [
            "org_task_count: org_id='acme' type='' status='failed' kept=-1 counted=0",
            "run_count: org_id='rival' status='pending' kept=5 counted=1",
            "run_data_count: run_seq=1 keys=7 entries=2 counted_keys=1 counted_entries=2",
            "run_task_count: run_seq=2 parent_task_id='' type='step' status='pending' kept=7 counted=1",
        ],
    ),
    "a wrong change": (
        "INSERT INTO run_data_change (run_seq, keys, entries) VALUES (2, 0, 1)",
        ["run_data_count: run_seq=2 keys=0 entries=1 counted_keys=0 counted_entries=0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", OF_POSTGRES_ALONE)
def test_what_is_broken_on_postgres_alone_is_named_and_nothing_else(view: Snapshot, how: str) -> None:
    script, expected = OF_POSTGRES_ALONE[how]
    view.execute(script.encode())
    assert sorted(found(view)) == expected


def test_every_rule_is_broken_by_one_of_these() -> None:
    named = {rule for broken in IN_ROWS.values() for rule, _ in broken.expected}
    named |= {line.partition(":")[0] for _, expected in OF_POSTGRES_ALONE.values() for line in expected}
    assert named >= {rule.name for rule in rules_for(POSTGRES, SCHEMA_VERSION, (*RULES, *OF_POSTGRES))}


def test_sound_database_stays_sound_while_changes_are_folded(view: Snapshot) -> None:
    view.run("SELECT fold_counts()")
    assert found(view) == []
    view.run("DELETE FROM run WHERE id = :id", id=RUN)  # its totals are left until the next fold
    assert found(view) == []
    view.run("SELECT fold_counts()")
    assert found(view) == []


def test_who_tunes_storage_and_adds_indexes_of_their_own_is_not_told_of_it(view: Snapshot) -> None:
    view.run("ALTER TABLE run SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01)")
    view.run("CREATE INDEX of_their_own ON run (created_at)")
    view.run("CREATE TABLE of_their_own_too (id text PRIMARY KEY)")
    view.run("CREATE FUNCTION of_their_own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    view.run("CREATE TRIGGER of_their_own AFTER INSERT ON run FOR EACH ROW EXECUTE FUNCTION of_their_own()")
    view.run("CREATE RULE of_their_own AS ON INSERT TO of_their_own_too DO INSTEAD NOTHING")
    assert found(view) == []


def test_what_this_version_consists_of_is_recorded(view: Snapshot) -> None:
    """After a change of the schema: `python -m tests.db.postgres_catalog`, which is the same on every PostgreSQL."""
    assert recorded(view) == FILE.read_text()
