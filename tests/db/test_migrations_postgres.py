"""Upgrades on PostgreSQL: a next version that is invented here is reached in one transaction, or not at all."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from foreman.config import Settings
from foreman.db.file import SCHEMA_VERSION, EarlierVersion, NotAForemanDatabase
from foreman.db.postgres import catalog, connecting, schema
from foreman.db.postgres.snapshot import snapshot
from foreman.maintenance import check_postgres
from foreman.maintenance.opening import open_database, plan, reading
from tests.db.schemas.earlier import HERE
from tests.maintenance.test_check import SOUND
from tests.support.api import PLAIN
from tests.support.engines import engine
from tests.support.moving import answering

pytestmark = pytest.mark.postgres

THIS, NEXT = SCHEMA_VERSION, SCHEMA_VERSION + 1

TITLE = "Priorities"

SCRIPT = """
ALTER TABLE task ADD COLUMN priority integer NOT NULL DEFAULT 0 CONSTRAINT priority_is_small CHECK (priority < 10);
CREATE INDEX task_by_priority ON task (org_id, priority, seq);
"""

NewVersion = Callable[..., None]


def executed(url: str, script: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())


def state(url: str) -> tuple[str, list[tuple[object, ...]]]:
    """The schema and the versions of a database."""
    with psycopg.connect(url) as connection:
        versions = connection.execute("SELECT version FROM schema_migration ORDER BY version").fetchall()
        return catalog.recorded(connection), versions


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database of this version with some rows."""
    name = engine.url(tmp_path / "foreman.db")
    executed(name, SOUND)
    return name


@pytest.fixture
def new_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewVersion:
    """`new_version(script)`: from now on this program has a next version, to which this migration leads."""

    def release(script: str = SCRIPT, *, recorded_from: str = SCRIPT) -> None:
        migrations, catalogs = tmp_path / "migrations", tmp_path / "catalogs"
        migrations.mkdir(exist_ok=True)
        catalogs.mkdir(exist_ok=True)
        (migrations / f"{NEXT:04}_next.sql").write_text(f"-- {TITLE}\n{script}")
        file = tmp_path / "new.sql"
        file.write_text(recorded_from)
        url = engine.url(tmp_path / "of-the-next-version.db")
        executed(url, recorded_from)
        with psycopg.connect(url) as connection:
            (catalogs / f"{NEXT:04}.json").write_text(catalog.recorded(connection))
        (catalogs / f"{THIS:04}.json").write_text(json.dumps(catalog.catalog_of(THIS)))
        monkeypatch.setattr(schema, "MIGRATIONS", migrations)
        monkeypatch.setattr(schema, "SCHEMA", (*schema.SCHEMA, file))
        monkeypatch.setattr(catalog, "_DIRECTORY", catalogs)
        monkeypatch.setattr(schema, "SCHEMA_VERSION", NEXT)

    return release


def test_start_upgrades_and_says_how_long_it_took(url: str, new_version: NewVersion) -> None:
    new_version()
    told: list[str] = []
    open_database(Settings(database=url), told.append).close()
    (line,) = told
    assert line.startswith(f"Migration {NEXT:04}: {TITLE}: ")
    assert state(url)[1] == [(THIS,), (NEXT,)]
    with snapshot(url) as view:
        assert view.version == NEXT
        assert list(check_postgres.violations(view)) == []


@pytest.mark.parametrize("version", range(4, SCHEMA_VERSION))
def test_database_of_an_earlier_version_is_upgraded_and_answers_as_before(version: int) -> None:
    name = engine.cluster.create(f"of_version_{version}")
    try:
        executed(name, (HERE / f"version_{version}_postgres.sql").read_text(encoding="utf-8"))
        open_database(Settings(database=name)).close()
        with snapshot(name) as view:
            assert view.version == THIS
            assert list(check_postgres.violations(view)) == []
        told = json.loads((HERE / f"version_{version}_postgres.json").read_text(encoding="utf-8"))
        with answering(name) as url:
            for org_id, key in told["keys"].items():
                with httpx.Client(base_url=url, headers={"X-API-Key": key}, **PLAIN) as client:
                    answers = {path: client.get(path).text for path in told["answers"][org_id]}
                assert answers == told["answers"][org_id]
    finally:
        engine.cluster.drop(f"of_version_{version}")


def test_new_database_has_what_an_upgraded_one_has(url: str, new_version: NewVersion) -> None:
    new_version()
    open_database(Settings(database=url)).close()
    new = engine.cluster.create("of_the_new_version")
    try:
        open_database(Settings(database=new)).close()
        assert state(new) == (state(url)[0], [(NEXT,)])
    finally:
        engine.cluster.drop("of_the_new_version")


def test_dry_run_says_what_would_be_done_and_changes_nothing(url: str, new_version: NewVersion) -> None:
    new_version()
    before = state(url)
    lines = list(plan(url))
    assert lines[0] == f"{url} has schema version {THIS}, this Foreman needs {NEXT}"
    assert lines[1] == f"would apply {NEXT:04}: {TITLE}"
    assert "pg_dump" in lines[2]
    assert state(url) == before


def test_earlier_version_is_checked_as_it_is_and_otherwise_to_be_upgraded_first(
    url: str, new_version: NewVersion
) -> None:
    new_version()
    with snapshot(url) as view:
        assert list(check_postgres.violations(view)) == []
    with pytest.raises(EarlierVersion, match="run `migrate`"), reading(url):
        pass
    with pytest.raises(EarlierVersion, match="run `migrate`"):
        open_database(Settings(database=url), upgrade=False)


@pytest.mark.parametrize("exists", [True, False])
def test_nodes_that_start_at_once_share_one_upgrade(url: str, new_version: NewVersion, exists: bool) -> None:
    new_version()
    if not exists:
        url = engine.cluster.create("new_for_all")
    told: list[str] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        open_database(Settings(database=url), told.append).close()

    try:
        with ThreadPoolExecutor(4) as nodes:
            for node in [nodes.submit(start) for _ in range(4)]:
                node.result()
        assert len(told) == int(exists)
        assert state(url)[1] == ([(THIS,), (NEXT,)] if exists else [(NEXT,)])
    finally:
        engine.cluster.drop("new_for_all")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"{SCRIPT} UPDATE task SET priority = 10;", 'failed: new row for relation "task" violates check constraint'),
        (f"{SCRIPT} SELECT nonsense;", 'failed: column "nonsense" does not exist'),
        ("CREATE INDEX CONCURRENTLY task_by_priority ON task (org_id)", "cannot "),
        ("ALTER TABLE task ADD COLUMN priority bigint;", "found that the constraint task.priority_is_small is missing"),
    ],
)
def test_migration_that_fails_changes_nothing_and_is_named(
    url: str, new_version: NewVersion, script: str, reason: str
) -> None:
    new_version(script)
    before = state(url)
    with pytest.raises(NotAForemanDatabase) as failed:
        open_database(Settings(database=url))
    message = str(failed.value)
    assert message.startswith(f"{url} cannot be upgraded: ")
    assert reason in message
    assert message.endswith("; it is as it was")
    assert "found" in reason or f"migration {NEXT:04}: {TITLE}" in message
    assert state(url) == before


def test_node_waits_for_the_upgrade_of_another_one_as_long_as_it_takes(
    url: str, new_version: NewVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_version()
    monkeypatch.setitem(connecting.OF_COMMANDS, "lock_timeout", "50ms")
    with psycopg.connect(url) as other, ThreadPoolExecutor(1) as node:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (schema.LOCK,))
        started = node.submit(lambda: open_database(Settings(database=url)).close())
        time.sleep(0.5)
        assert not started.done()
        other.commit()
        started.result()
    assert state(url)[1] == [(THIS,), (NEXT,)]


def test_migration_waits_for_a_client_only_so_long(
    url: str, new_version: NewVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_version()
    monkeypatch.setitem(connecting.OF_COMMANDS, "lock_timeout", "100ms")
    with psycopg.connect(url) as client:
        client.execute("SELECT FROM task")
        with pytest.raises(NotAForemanDatabase, match="canceling statement due to lock timeout"):
            open_database(Settings(database=url))
    open_database(Settings(database=url)).close()
    assert state(url)[1] == [(THIS,), (NEXT,)]
