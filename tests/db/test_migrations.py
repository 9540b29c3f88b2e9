"""Upgrades: a database of an earlier version becomes one of today's, with every row, or stays as it is."""

import fcntl
import json
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import httpx
import pytest
from click.testing import CliRunner

from foreman import __version__
from foreman.auth import keys
from foreman.cli import main
from foreman.db import sqlite
from foreman.db.file import SCHEMA_VERSION, DatabaseMoved, NotAForemanDatabase
from foreman.db.schema import Migration, definition, migrations, since
from foreman.db.sqlite import SCHEMA, Database
from foreman.maintenance import backup
from foreman.maintenance.check import check
from foreman.maintenance.restore import restore
from foreman.maintenance.upgrade import UpgradeFailed, open_upgraded
from tests.db.schemas.earlier import EARLIER, create_earlier, recorded
from tests.db.schemas.record import dump
from tests.support.api import PLAIN, make_run, make_task, ok, put_data
from tests.support.commands import lines_until_it_listens, run_command, serving, uncovered
from tests.support.databases import make_newer, names, no_space, tree
from tests.support.proof import much
from tests.support.source import APP, ROOT
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.sqlite

KEPT = re.compile(rf"foreman\.db\.before-version-{SCHEMA_VERSION}-\d{{8}}T\d{{6}}Z")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of version 1, alone in its directory."""
    (tmp_path / "live").mkdir()
    return create_earlier(tmp_path / "live" / "foreman.db", 1)


def version_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version


def kept_beside(file: Path) -> list[Path]:
    """The backups; nothing else is there but the database."""
    kept = [name for name in names(file.parent) if KEPT.fullmatch(name)]
    assert names(file.parent) == [file.name, *kept]
    return [file.with_name(name) for name in kept]


def stop(process: "subprocess.Popen[str]") -> str:
    """What it has logged."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=PATIENCE)[1]


def migrate(file: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(APP), "migrate", "--database", str(file)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def with_cancelled_tasks(text: str, cancelled: Counter[str]) -> str:
    """What an answer from before version 3 has become: the same to the letter, and each run has `cancelledTasks`.

    :param cancelled: how many cancelled tasks the runs have that have some, by their ids
    """
    run = re.compile(r'{"id":"([^"]+)","orgId":"(?:[^{}]|{[^{}]*})*?"failedTasks":\d+(?=,"createdAt":)')
    return run.sub(lambda found: f'{found[0]},"cancelledTasks":{cancelled[found[1]]}', text)


# The files ----------------------------------------------------------------------------------------------------------


def test_migrations_are_numbered_without_gaps_up_to_the_version_of_the_schema() -> None:
    assert [migration.version for migration in migrations()] == list(range(1, SCHEMA_VERSION + 1))
    for migration in migrations():
        assert re.match(r"-- [A-Z].+\n", migration.script), migration
        assert migration.title in migration.script.partition("\n")[0]


def test_statements_of_a_migration_are_whole_and_end_no_transaction() -> None:
    for migration in migrations():
        assert re.search(r";\s*\Z", migration.script), migration
        assert not re.search(r"^\s*(PRAGMA|BEGIN\s*;|COMMIT|ROLLBACK|VACUUM)", migration.script, re.MULTILINE), (
            migration
        )


@pytest.mark.parametrize("version", EARLIER)
def test_upgraded_database_and_a_new_one_are_the_same(tmp_path: Path, version: int) -> None:
    new, upgraded = tmp_path / "new.db", create_earlier(tmp_path / "foreman.db", version)
    Database(new).close()
    open_upgraded(upgraded).close()
    described = []
    for file in (new, upgraded):
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
            schema = {(*row, definition(sql)) for *row, sql in rows}
            pragmas = ("user_version", "application_id", "auto_vacuum", "journal_mode", "encoding", "page_size")
            told = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas}
        described.append((schema, told))
    assert described[0] == described[1]
    assert len(described[0][0]) > 40


def test_first_migrations_end_where_schema_sql_is() -> None:
    """So that `check` knows what each version has to have."""
    found = []
    for scripts in ([SCHEMA.read_text(encoding="utf-8")], [migration.script for migration in migrations()]):
        with closing(sqlite3.connect(":memory:")) as connection:
            for script in scripts:
                connection.executescript(script)
            rows = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
            found.append({(*row, definition(sql)) for *row, sql in rows})
    assert found[0] == found[1]


# What it does -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", EARLIER)
def test_server_upgrades_and_answers_every_question_as_before(tmp_path: Path, version: int) -> None:
    (tmp_path / "live").mkdir()
    file = create_earlier(tmp_path / "live" / "foreman.db", version)
    before = dump(file)
    told = recorded(version)
    with serving(tmp_path, "--database", file) as process:
        lines, url = lines_until_it_listens(process)
        (kept,) = [file.with_name(name) for name in names(file.parent) if KEPT.fullmatch(name)]
        assert str(kept) in lines[0]
        for migration, line in zip(since(version), lines[1:], strict=False):
            assert re.search(rf"{re.escape(str(migration))}: \d+\.\d seconds$", line)
        asked = 0
        for org_id, key in told["keys"].items():
            with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-Key": key}, **PLAIN) as client:
                answers = told["answers"][org_id]
                cancelled = Counter(
                    task["runId"]
                    for path, text in answers.items()
                    if re.fullmatch("/tasks/[^?]+", path) and (task := json.loads(text))["status"] == "cancelled"
                )
                assert cancelled.total() > 1
                for path, text in answers.items():
                    assert client.get(path).text == with_cancelled_tasks(text, cancelled), path
                    asked += 1
                task = make_task(client, make_run(client, "new"))
                put_data(client, task, "key", tags=["raw"])
                ok(client.patch(f"/tasks/{task['id']}", json={"status": "completed"}))
                ok(client.patch(f"/runs/{task['runId']}", json={"status": "completed"}))
        assert asked > 100
        assert "Traceback" not in stop(process)
    assert check(file) == []
    assert dump(kept) == before
    assert check(kept) == []
    with closing(Database(file)) as database:
        assert [{**key, "lastUsedAt": None} for key in keys.every(database)] == [
            {
                **listed,
                "scopes": ["read", "write"] if listed["access"] == "full" else ["read"],
                "expiresAt": None,
                "lastUsedAt": None,
            }
            for listed in told["listed"]
        ]


@pytest.mark.parametrize("version", EARLIER)
def test_views_triggers_and_tables_of_others_go_on_to_mean_the_same_tables(tmp_path: Path, version: int) -> None:
    file = create_earlier(tmp_path / "foreman.db", version)
    mine = {
        "mine_view": "CREATE VIEW mine_view AS SELECT id FROM task",
        "mine_trigger": "CREATE TRIGGER mine_trigger AFTER UPDATE ON run BEGIN UPDATE task SET type = type; END",
        "mine": "CREATE TABLE mine (org_id, task_id, FOREIGN KEY (org_id, task_id) REFERENCES task (org_id, id))",
    }
    with closing(sqlite3.connect(file)) as connection:
        for sql in mine.values():
            connection.execute(sql)
    with closing(open_upgraded(file)) as database:
        with database.write() as tx:
            tx.run("UPDATE run SET updated_at = updated_at + 1")
        with database.read() as tx:
            told = tx.all("SELECT name, sql FROM sqlite_schema WHERE name LIKE 'mine%'")
            assert dict(told) == mine
            assert tx.value("SELECT count(*) FROM mine_view") > 0


@pytest.mark.parametrize("version", [1, 2, 3])  # version 4 has marked them
def test_upgrade_finds_the_keys_whose_entries_were_created_while_the_clock_was_set_back(
    tmp_path: Path, version: int
) -> None:
    file = create_earlier(tmp_path / "foreman.db", version)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        many = "SELECT run_id, key FROM run_data GROUP BY run_id, key HAVING count(*) > 1 ORDER BY run_id, key"
        (run_id, key), *others = connection.execute(many).fetchall()
        newest = connection.execute("SELECT max(seq) FROM run_data WHERE run_id = ? AND key = ?", (run_id, key))
        (seq,) = newest.fetchone()
        for table in ("run_data", "run_data_tag", "run_data_latest"):
            connection.execute(f"UPDATE {table} SET created_at = created_at - 1000000 WHERE seq = ?", (seq,))
    with closing(open_upgraded(file)) as database, database.read() as tx:
        marked = tx.all(
            """
            SELECT run.id, kept.key, kept.in_order
            FROM run_data_latest AS kept JOIN run ON run.seq = kept.run_seq
            WHERE kept.entries > 1 AND kept.tag = '' ORDER BY run.id, kept.key
            """
        )
        assert [tuple(row) for row in marked] == [(run_id, key, 0), *((*other, 1) for other in others)]
        assert others
    assert check(file) == []


def test_version_is_recorded_with_the_time_and_the_version_of_foreman(old: Path, tmp_path: Path) -> None:
    begun = int(time.time() * 1000)
    open_upgraded(old).close()
    new = tmp_path / "new.db"
    Database(new).close()
    for file, versions in ((old, list(range(2, SCHEMA_VERSION + 1))), (new, [SCHEMA_VERSION])):
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT * FROM schema_migration ORDER BY version").fetchall()
        assert [version for version, *_ in rows] == versions
        assert all(begun <= applied_at <= time.time() * 1000 for _, applied_at, _ in rows)
        assert {foreman for *_, foreman in rows} == {__version__}


def test_command_upgrades_without_serving_and_then_finds_nothing_to_do(old: Path) -> None:
    done = run_command("migrate", "--database", old)
    assert (done.returncode, done.stderr) == (0, "")
    (kept,) = kept_beside(old)
    first, *steps, last = done.stdout.splitlines()
    assert first == f"{old} is backed up as {kept}"
    for migration, step in zip(since(1), steps, strict=True):
        assert re.fullmatch(rf"Migration {re.escape(str(migration))}: \d\.\d seconds", step)
    assert last == f"{old} has schema version {SCHEMA_VERSION}"
    again = run_command("migrate", "--database", old)
    assert (again.returncode, again.stdout) == (0, f"{last}\n")
    assert kept_beside(old) == [kept]
    assert run_command("migrate", "--database", old.with_name("no.db")).stderr == (
        f"foreman: {old.with_name('no.db')} does not exist\n"
    )


def test_link_to_the_database_leads_to_the_upgraded_one(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(old)
    open_upgraded(link).close()
    assert link.is_symlink()
    assert version_of(old) == SCHEMA_VERSION
    assert len(kept_beside(old)) == 1


def test_what_a_killed_server_left_in_its_log_is_upgraded_and_backed_up(old: Path) -> None:
    live = Path(shutil.copy(old, old.with_name("live.db")))
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("UPDATE api_key SET name = 'in the log'")
        connection.commit()
        for ending in ("", "-wal", "-shm"):
            shutil.copy(f"{live}{ending}", f"{old}{ending}")
    live.unlink()
    open_upgraded(old).close()
    for file in (old, *kept_beside(old)):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT DISTINCT name FROM api_key").fetchall() == [("in the log",)]


def test_kept_backup_can_be_restored_in_the_place_of_the_upgraded_database(old: Path) -> None:
    before = dump(old)
    open_upgraded(old).close()
    (kept,) = kept_beside(old)
    restore(kept, old)
    assert (dump(old), version_of(old)) == (before, 1)


# A dry run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("journal_mode", ["WAL", "DELETE"])
def test_dry_run_says_what_would_be_done_and_changes_nothing(tmp_path: Path, journal_mode: str) -> None:
    (tmp_path / "live").mkdir()
    file = create_earlier(tmp_path / "live" / "foreman.db", 1, journal_mode)
    before = tree(file.parent), file.stat().st_mtime_ns
    done = run_command("migrate", "--dry-run", "--database", file)
    assert (done.returncode, done.stderr) == (0, "")
    versions, copy, *steps, room = done.stdout.splitlines()
    size = file.stat().st_size
    assert versions == f"{file} has schema version 1, this Foreman needs {SCHEMA_VERSION}"
    assert copy.startswith(f"would write a backup of {size} bytes to {file}.before-version-{SCHEMA_VERSION}-")
    assert steps == [f"would apply {migration}" for migration in since(1)]
    assert re.fullmatch(rf"room: \d+ bytes are free; .+ need at most {3 * size}", room)
    assert (tree(file.parent), file.stat().st_mtime_ns) == before


def test_dry_run_of_a_database_that_is_up_to_date_says_so(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    Database(file).close()
    done = run_command("migrate", "--dry-run", "--database", file)
    assert (done.returncode, done.stdout) == (0, f"{file} has schema version {SCHEMA_VERSION}: nothing to do\n")


def test_dry_run_warns_when_the_room_might_not_do(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = old.stat().st_size
    for free, warned in ((2 * size, True), (3 * size, False)):
        usage = shutil._ntuple_diskusage(10**9, 10**9 - free, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        done = CliRunner().invoke(main.main, ["migrate", "--dry-run", "--database", str(old)])
        assert done.exit_code == 0
        assert (", so they might not fit" in done.output) == warned


def test_dry_run_fails_when_there_is_no_room(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    done = CliRunner().invoke(main.main, ["migrate", "--dry-run", "--database", str(old)])
    assert done.exit_code == 1
    assert f"foreman: {old.parent} has no room for the backup: 1000 bytes are free\n" in done.output


# Who has it open ----------------------------------------------------------------------------------------------------


def test_of_two_processes_that_upgrade_at_once_one_does_and_the_other_waits(old: Path) -> None:
    directory = os.open(old.parent, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)  # so that both are at this point before one of them goes on
    with ExitStack() as stack:
        processes = [stack.enter_context(migrate(old)) for _ in range(2)]
        for process in processes:
            stack.callback(process.kill)
        for process in processes:
            until(lambda pid=process.pid: str(old.parent) in links(Path(f"/proc/{pid}/fd")))  # type: ignore[misc]
        os.close(directory)
        printed = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    assert sorted(output.count("Migration") for output in printed) == [0, len(since(1))]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(kept_beside(old)) == 1
    assert check(old) == []


def links(directory: Path) -> set[str]:
    """Where the links in a directory lead, as far as they are still there."""
    found = set()
    for link in directory.iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            continue
    return found


def test_old_server_keeps_its_database_until_it_stops_and_cannot_come_back(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier_program:
        earlier_program.setattr("foreman.db.file.SCHEMA_VERSION", 1)
        with closing(Database(old)) as database:
            before = dump(old)
            for command in (["serve", "--port", "0"], ["migrate"]):
                refused = run_command(*command, "--database", old)
                assert refused.returncode == 1
                assert refused.stderr == (
                    f"foreman: {old} is in use: stop the server, and whatever else has it open, first; it needs schema "
                    f"version {SCHEMA_VERSION}, and has not been upgraded\n"
                )
            assert dump(old) == before
            with database.write() as tx:
                tx.run("UPDATE api_key SET name = 'still mine'")
        assert run_command("migrate", "--database", old).returncode == 0
        with pytest.raises(NotAForemanDatabase, match="from a newer Foreman"):
            Database(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT DISTINCT name FROM api_key").fetchall() == [("still mine",)]


def test_program_that_was_just_starting_notices_an_upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "foreman.db"
    Database(file).close()
    switch = sqlite._switch_to_wal

    def upgraded_meanwhile(connection: sqlite3.Connection) -> None:
        make_newer(file)
        switch(connection)

    monkeypatch.setattr(sqlite, "_switch_to_wal", upgraded_meanwhile)
    with pytest.raises(NotAForemanDatabase, match="from a newer Foreman"):
        Database(file)


def test_running_server_does_not_go_on_with_a_database_of_an_earlier_version(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    with closing(Database(file)) as database:
        before = dump(old)
        for ending in ("", "-wal", "-shm"):
            Path(f"{file}{ending}").unlink()
        shutil.copy(old, file)
        for words in ("deleted, moved or replaced", "schema version 1, from an earlier Foreman"):
            with pytest.raises(sqlite3.OperationalError, match=words), database.write() as tx:
                tx.run("DELETE FROM api_key")
        with pytest.raises(DatabaseMoved):
            database.open_readers(1)
        assert dump(file) == before


# Other commands -----------------------------------------------------------------------------------------------------


def test_commands_that_only_read_work_and_leave_the_version(old: Path, tmp_path: Path) -> None:
    before = tree(old.parent)
    assert run_command("check", "--database", old).stdout == "ok: 12 runs, 30 tasks, 50 entries\n"
    copy = tmp_path / "copy.db"
    assert run_command("backup", copy, "--database", old).returncode == 0
    assert (version_of(copy), dump(copy)) == (1, dump(old))
    assert tree(old.parent) == before


def test_check_knows_what_an_earlier_version_had(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript("DROP TRIGGER run_deleted; DROP INDEX task_by_type")
    assert [line.partition(": type")[2] for line in check(old)] == [
        "='index' name='task_by_type'",
        "='trigger' name='run_deleted'",
    ]


@pytest.mark.parametrize(
    "command", [["keys", "list"], ["keys", "create", "--org", "acme"], ["prune", "--older-than", "1d"]]
)
def test_commands_that_write_ask_for_an_upgrade_and_change_nothing(old: Path, command: list[str]) -> None:
    before = tree(old.parent)
    refused = run_command(*command, "--database", old)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"foreman: {old} has schema version 1, from an earlier Foreman; this one needs {SCHEMA_VERSION}: run "
        "`migrate`, or start the server, which upgrades it; the file has not been changed\n"
    )
    assert tree(old.parent) == before


def test_restoring_an_earlier_version_says_that_the_next_start_upgrades_it(old: Path, tmp_path: Path) -> None:
    target = tmp_path / "foreman.db"
    done = run_command("restore", old, "--database", target)
    assert done.stdout.splitlines()[1] == (
        f"{target} has schema version 1: `migrate`, or the next start of the server, upgrades it"
    )
    assert version_of(target) == 1
    open_upgraded(target).close()
    assert check(target) == []


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_newer_version_is_refused_and_not_changed(old: Path, options: list[str]) -> None:
    make_newer(old)
    before = tree(old.parent)
    refused = run_command("migrate", *options, "--database", old)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"foreman: {old} has schema version 99, from a newer Foreman")
    assert refused.stderr.count("\n") == 1
    assert tree(old.parent) == before


def test_server_that_cannot_listen_upgrades_nothing(old: Path) -> None:
    before = tree(old.parent)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        refused = run_command("serve", "--port", str(taken.getsockname()[1]), "--database", old)
    assert refused.returncode == 1
    assert "cannot listen on 127.0.0.1" in refused.stderr
    assert tree(old.parent) == before


# When it fails ------------------------------------------------------------------------------------------------------


class Failing(NamedTuple):
    """What comes after the real migrations, and what is said."""

    script: str
    words: str


FAILING = {
    "a wrong statement": Failing("DROP TABLE run_count;\nCREATE TABEL x (y);", 'near "TABEL": syntax error'),
    "rows that break a constraint": Failing("UPDATE run SET status = 'lost';", "CHECK constraint failed: run_status"),
    "a table that others refer to": Failing("DELETE FROM run;", "foreign_key: a row refers to"),
    "less than the schema": Failing("DROP INDEX task_by_type;", "schema: missing from the database"),
}


@pytest.mark.parametrize("name", FAILING)
def test_migration_that_fails_leaves_the_database_as_it_was(
    old: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    script, words = FAILING[name]
    before = dump(old)
    bad = Migration(SCHEMA_VERSION + 1, "Break it", f"-- Break it\n{script}\n")
    monkeypatch.setattr("foreman.maintenance.upgrade.since", lambda version: (*since(version), bad))
    told = ""
    for _ in range(2):  # as a service manager starts it again
        done = CliRunner().invoke(main.main, ["migrate", "--database", str(old)])
        (kept,) = kept_beside(old)
        assert done.exit_code == 1
        (told,) = done.stderr.splitlines()
        assert told.startswith(f"foreman: {old} cannot be upgraded: ")
        assert words in told
        assert told.endswith(f"; it is as it was, and backed up as {kept}")
        assert "foreign_key" in words or "schema" in words or f"migration {bad.version:04}: Break it failed" in told
        assert (dump(old), version_of(old)) == (before, 1)
        assert (dump(kept), version_of(kept)) == (before, 1)
    monkeypatch.undo()
    open_upgraded(old).close()
    assert check(old) == []


def test_backup_that_does_not_fit_stops_the_upgrade(old: Path) -> None:
    before = dump(old)
    limit = old.stat().st_size // 2
    refused = run_command(
        "serve", "--port", "0", "--database", old,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env=uncovered(),
    )  # fmt: skip
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"foreman: {old} cannot be backed up: ")
    assert line.endswith(f"; it needs schema version {SCHEMA_VERSION}, and has not been upgraded")
    assert kept_beside(old) == []
    assert (dump(old), version_of(old)) == (before, 1)


def add_large_entries(file: Path) -> None:
    """Too many for SQLite to keep what it changes in memory up to the commit."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(
            """
            WITH RECURSIVE number AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM number WHERE n < 1500)
            INSERT INTO run_data (id, org_id, run_id, task_id, key, value, tags, created_at, updated_at)
            SELECT printf('018c0000-0000-7000-8000-%012x', n), org_id, run_id, task_id, 'large.' || n,
                   '"' || hex(zeroblob(2000)) || '"', '[]', created_at, updated_at
            FROM number, (SELECT * FROM run_data LIMIT 1)
            """
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def test_upgrade_for_which_there_is_no_room_leaves_the_database_as_it_was(old: Path) -> None:
    """Also if it has already changed the file."""
    add_large_entries(old)
    before, size = dump(old), old.stat().st_size
    limit = size + 100_000
    refused = run_command(
        "migrate", "--database", old,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env=uncovered(),
    )  # fmt: skip
    (kept,) = kept_beside(old)
    assert refused.returncode == 1
    assert refused.stderr.endswith(f"; it is as it was, and backed up as {kept}\n")
    assert old.stat().st_size == size
    assert (dump(old), version_of(old)) == (before, 1)


def test_upgrade_that_cannot_be_undone_says_that_the_journal_is_needed(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql in ("COMMIT", "ROLLBACK") and self.in_transaction and self.total_changes > 10:
                raise sqlite3.OperationalError("disk I/O error")
            if sql == "SELECT 1 FROM sqlite_schema":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    before = dump(old)
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Failing))
    with pytest.raises(UpgradeFailed) as failed:
        open_upgraded(old)
    monkeypatch.undo()
    assert f"; the next start undoes what was changed, by {old}-journal, which must stay there" in str(failed.value)
    assert dump(old) == before


def test_upgrade_that_is_interrupted_is_undone_at_once(
    old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a statement that has read only some of its rows keeps the connection from being closed."""
    add_large_entries(old)
    reading: list[sqlite3.Cursor] = []

    def interrupted(connection: sqlite3.Connection, _version: int) -> NoReturn:
        reading.append(connection.execute("SELECT * FROM run_data"))
        reading[0].fetchone()
        raise KeyboardInterrupt

    before, size = dump(old), old.stat().st_size
    monkeypatch.setattr("foreman.maintenance.upgrade.set_version", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_upgraded(old)
    alone = Path(shutil.copyfile(old, tmp_path / "without-journal.db"))
    reading.clear()
    assert alone.stat().st_size == size
    assert (dump(alone), version_of(alone)) == (before, 1)
    assert len(kept_beside(old)) == 1


def break_counter(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE run_tally SET total_tasks = 99 WHERE total_tasks = 7")
        connection.commit()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _, patch: patch.setattr(backup, "_after_step", no_space), "No space left on device"),
        (lambda _, patch: patch.setattr(os, "link", no_space), "No space left on device"),
        (lambda file, _: break_counter(file), "is not sound, so it was not copied"),
    ],
    ids=["a full disk", "no room for the name", "an unsound database"],
)
def test_failing_backup_stops_the_upgrade(
    old: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path, pytest.MonkeyPatch], None], words: str
) -> None:
    spoil(old, monkeypatch)
    before = dump(old)
    with pytest.raises(UpgradeFailed, match=words) as failed:
        open_upgraded(old)
    assert "\n" not in str(failed.value)
    assert kept_beside(old) == []
    assert (dump(old), version_of(old)) == (before, 1)


KILLED_BEFORE_EACH_CHANGE = """
import sqlite3, sys
from functools import partial
from pathlib import Path
from foreman.maintenance.upgrade import open_upgraded
from tests.support.killed import kill_before_each_step
from tests.support.proof import much

def upgrade(directory, countdown):
    class Counted(sqlite3.Connection):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            super().execute("PRAGMA cache_size = 1")  # so that changes are in the file before their commit

        def execute(self, sql, *values):
            if not sql.lstrip().startswith("SELECT"):
                countdown.step()
            return super().execute(sql, *values)

    sqlite3.connect = partial(sqlite3.connect, factory=Counted)
    countdown.count_calls("chmod", "fsync", "link", "open", "unlink")
    open_upgraded(directory / "foreman.db")

kill_before_each_step(Path(sys.argv[1]), upgrade, much(1, 5))
"""


@pytest.mark.proof
def test_kill_at_any_moment_leaves_one_version_or_the_other_and_the_next_start_finishes(tmp_path: Path) -> None:
    (tmp_path / "start").mkdir()
    before = dump(create_earlier(tmp_path / "start" / "foreman.db", 1))
    killed = [sys.executable, "-c", KILLED_BEFORE_EACH_CHANGE, str(tmp_path)]
    subprocess.run(killed, cwd=ROOT, timeout=5 * PATIENCE, check=True)  # more than 150 upgrades in `make proof`
    states = sorted((path for path in tmp_path.iterdir() if path.name != "start"), key=lambda path: int(path.name))
    found, undone = [], 0
    for state in states:
        file = state / "foreman.db"
        journal = file.with_name("foreman.db-journal")
        undone += journal.exists() and journal.read_bytes().startswith(bytes.fromhex("d9d505f920a163d7"))
        kept = [path for path in state.iterdir() if KEPT.fullmatch(path.name)]
        assert all(dump(path) == before for path in kept)
        version = version_of(file)
        assert version == SCHEMA_VERSION or dump(file) == before
        assert version == 1 or len(kept) == 1
        found.append((bool(kept), version))
        open_upgraded(file).close()
        assert version_of(file) == SCHEMA_VERSION
        assert len([path for path in state.iterdir() if KEPT.fullmatch(path.name)]) == 1
        assert not any(file.with_name(f"foreman.db{ending}").exists() for ending in ("-wal", "-shm", "-journal"))
    assert found == sorted(found)
    assert len(set(found)) == 3, "not all states were seen"
    assert undone, "no change was in the file before its commit"
    assert [state for state in states[:: much(1, 4)] if check(state / "foreman.db")] == []


CUT_OFF = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in ("journal_mode = DELETE", "locking_mode = EXCLUSIVE", "cache_size = 1"):
    connection.execute(f"PRAGMA {statement}")
connection.execute("BEGIN IMMEDIATE")
for text in ("one", "another"):
    connection.execute("UPDATE run_data SET value = json_quote(?)", [text])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_commands_that_only_read_do_not_undo_an_upgrade_that_was_cut_off_but_say_who_does(
    old: Path, tmp_path: Path
) -> None:
    before = dump(old)
    subprocess.run([sys.executable, "-c", CUT_OFF, old], timeout=PATIENCE, check=False)
    cut_off = tree(old.parent)
    assert names(old.parent) == ["foreman.db", "foreman.db-journal"]
    for command in (["check"], ["migrate", "--dry-run"], ["backup", tmp_path / "copy.db"]):
        refused = run_command(*command, "--database", old)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "`migrate`, or the server at its start, rolls it back" in refused.stderr
        assert tree(old.parent) == cut_off
    assert run_command("migrate", "--database", old).returncode == 0
    assert dump(*kept_beside(old)) == before
    assert check(old) == []
