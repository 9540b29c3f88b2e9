"""`restore`: the backup is in the place of the database, which nobody had open and which is kept whole."""

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from foreman import clock
from foreman.maintenance.backup import CopyFailed, now
from foreman.maintenance.check import check, snapshot
from foreman.maintenance.restore import restore
from tests.support.api import make_run, ok
from tests.support.commands import run_command
from tests.support.contents import stored_runs
from tests.support.databases import UNFIT, create, fold_log_in, make_newer, names, names_in, no_space, tree
from tests.support.server_process import server_process
from tests.support.source import ROOT

pytestmark = pytest.mark.sqlite

NAME = re.compile(r"foreman\.db\.replaced-\d{8}T\d{6}Z")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "live").mkdir()
    return create(tmp_path / "live" / "foreman.db", "old")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return create(tmp_path / "backups" / "copy.db", "saved")


def kept_beside(target: Path) -> Path:
    """The one database that was replaced; nothing else is there but the target."""
    kept = [name for name in names(target.parent) if NAME.fullmatch(name)]
    assert names(target.parent) == sorted([target.name, *kept])
    assert len(kept) == 1
    return target.with_name(kept[0])


def left_by_a_crash(target: Path) -> Path:
    """Give a database a log that holds a run of its own, as a process that was killed leaves it."""
    live = target.with_name("live.db")
    shutil.copy(target, live)
    with closing(sqlite3.connect(live)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        with connection:
            connection.execute(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
                VALUES ('acme', '00000000-0000-7000-8000-000000000000', 'pending', '"in the log"', 1, 1)
                """
            )
        for ending in ("", "-wal", "-shm"):
            shutil.copy(f"{live}{ending}", f"{target}{ending}")
    live.unlink()
    return target


# What it does -------------------------------------------------------------------------------------------------------


def test_backup_takes_the_place_of_the_database_which_is_kept(target: Path, file: Path) -> None:
    before = tree(file.parent), file.stat().st_mtime_ns
    done = run_command("restore", file, "--database", target)
    assert (done.returncode, done.stderr) == (0, "")
    kept, size = kept_beside(target), target.stat().st_size
    assert done.stdout == f"{target}: {size} bytes, 1 runs, 0 tasks, 0 entries; replaced {kept}\n"
    assert (names_in(target), names_in(kept)) == (["saved"], ["old"])
    assert (tree(file.parent), file.stat().st_mtime_ns) == before


def test_backup_can_be_restored_where_no_database_is(target: Path, file: Path) -> None:
    target.unlink()
    done = run_command("restore", file, "--database", target)
    assert done.stdout.endswith(" bytes, 1 runs, 0 tasks, 0 entries; there was none before\n"), done.stderr
    assert names(target.parent) == ["foreman.db"]
    assert names_in(target) == ["saved"]


def test_log_that_has_lost_its_database_is_set_aside_and_not_applied(target: Path, file: Path) -> None:
    left_by_a_crash(target).unlink()
    target.with_name("foreman.db-journal").write_text("a journal")
    log = target.with_name("foreman.db-wal").read_bytes()
    assert restore(file, target) is None
    first, *aside = names(target.parent)
    assert first == "foreman.db"
    assert [re.sub("-[0-9TZ]+-", "-*-", name) for name in aside] == [
        f"foreman.db.replaced-*-{ending}" for ending in ("journal", "shm", "wal")
    ]
    assert target.with_name(aside[2]).read_bytes() == log
    assert names_in(target) == ["saved"]


def test_database_that_another_process_creates_meanwhile_is_not_replaced(
    target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.unlink()

    def create_it() -> datetime:
        create(target, "new")
        return now()

    monkeypatch.setattr("foreman.maintenance.restore.now", create_it)
    with pytest.raises(CopyFailed, match="File exists"):
        restore(file, target)
    assert names(target.parent) == ["foreman.db"]
    assert names_in(target) == ["new"]


def test_backup_with_a_log_is_restored_with_what_is_in_the_log_and_not_changed(target: Path, file: Path) -> None:
    left_by_a_crash(file)
    before = {name: content for name, content in tree(file.parent).items() if not name.endswith("-shm")}
    restore(file, target)
    assert names_in(target) == ["saved", "in the log"]
    assert {name: tree(file.parent)[name] for name in before} == before


def test_link_to_the_database_leads_to_the_restored_one(target: Path, file: Path, tmp_path: Path) -> None:
    link = tmp_path / "foreman.db"
    link.symlink_to(target)
    restore(file, link)
    assert link.is_symlink()
    assert (names_in(link), names_in(kept_beside(target))) == (["saved"], ["old"])


def test_restored_database_has_the_permissions_of_the_replaced_one(target: Path, file: Path) -> None:
    owner = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    target.chmod(0o640)
    os.chown(target, *owner)
    restore(file, target)
    status = target.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, *owner)


def test_database_is_kept_under_a_name_of_its_own_also_within_one_second(
    target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now_ms", lambda: 1_767_225_600_000)
    assert restore(file, target) == target.with_name("foreman.db.replaced-20260101T000000Z")
    assert restore(file, target) == target.with_name("foreman.db.replaced-20260101T000001Z")
    assert names_in(target.with_name("foreman.db.replaced-20260101T000000Z")) == ["old"]


@pytest.mark.parametrize("prepare", [make_newer, lambda target: os.truncate(target, 0)], ids=["newer", "empty"])
def test_database_of_a_newer_version_and_an_empty_file_can_be_replaced(
    target: Path, file: Path, prepare: Callable[[Path], None]
) -> None:
    prepare(target)
    restore(file, target)
    assert names_in(target) == ["saved"]
    assert kept_beside(target).exists()


# Who has it open ----------------------------------------------------------------------------------------------------


def test_database_of_a_running_server_is_refused_also_when_it_is_idle(target: Path, file: Path) -> None:
    with server_process(target) as server:
        for _ in range(2):  # before its first request and after
            fold_log_in(target)
            before = tree(target.parent)
            done = run_command("restore", file, "--database", target)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"foreman: {target} is in use: stop the server")
            assert done.stderr.count("\n") == 1
            assert tree(target.parent) == before
            run = make_run(server.client, "new")
    assert run["id"] in stored_runs(target)
    assert names_in(target) == ["old", "new", "new"]


@pytest.mark.parametrize("statement", ["SELECT * FROM run", "BEGIN IMMEDIATE"])
def test_database_that_any_process_has_open_is_refused(target: Path, file: Path, statement: str) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        connection.execute(statement).fetchall()
        done = run_command("restore", file, "--database", target)
        assert (done.returncode, "foreman.db is in use" in done.stderr) == (1, True)
    with snapshot(target):  # as `check` and `backup` have it open
        assert run_command("restore", file, "--database", target).returncode == 1
    assert names_in(target) == ["old"]
    assert names(target.parent) == ["foreman.db"]


def test_what_a_killed_server_left_in_its_log_is_kept_and_not_applied_to_the_backup(target: Path, file: Path) -> None:
    with server_process(target) as server:
        for number in range(3):
            make_run(server.client, number)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    for beside in (".log", ".db-server.lock"):
        target.with_suffix(beside).unlink()
    assert target.with_name("foreman.db-wal").stat().st_size > 0
    done = run_command("restore", file, "--database", target)
    assert done.returncode == 0, done.stderr
    assert names_in(kept_beside(target)) == ["old", 0, 1, 2]
    assert names_in(target) == ["saved"]
    with server_process(target) as server:
        assert ok(server.client.get("/runs"))["total"] == 1


def test_process_that_opened_the_database_just_before_can_write_to_neither(target: Path, file: Path) -> None:
    with closing(sqlite3.connect(target, isolation_level=None)) as late:
        restore(file, target)
        for statement in ("PRAGMA journal_mode = WAL", "DELETE FROM run"):
            with pytest.raises(sqlite3.OperationalError) as refused:
                late.execute(statement)
            assert refused.value.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED
    assert (names_in(target), names_in(kept_beside(target))) == (["saved"], ["old"])


# When it fails ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", UNFIT)
def test_backup_that_is_not_fit_leaves_the_database_as_it_is(target: Path, tmp_path: Path, name: str) -> None:
    spoil, words = UNFIT[name]
    file = create(tmp_path / "foreman.db", "saved")
    spoil(file)
    left_by_a_crash(target)
    before = tree(target.parent)
    with pytest.raises(CopyFailed, match=words):
        restore(file, target)
    assert tree(target.parent) == before


def test_database_itself_is_no_backup(target: Path) -> None:
    (target.parent / "link").symlink_to(target)
    for file in (target, target.parent / "link"):
        with pytest.raises(CopyFailed, match="is the database itself"):
            restore(file, target)


@pytest.mark.parametrize("content", [b"a diary, not a database" * 300, b"SQLite format 3\0" + b"\1" * 5000, None])
def test_something_else_is_not_replaced(target: Path, file: Path, content: bytes | None) -> None:
    target.unlink()
    if content is None:
        target.mkdir()
    else:
        target.write_bytes(content)
    before = tree(target.parent)
    with pytest.raises(CopyFailed, match="is not a Foreman database"):
        restore(file, target)
    with pytest.raises(CopyFailed, match="no does not exist"):
        restore(file, target.parent / "no" / "foreman.db")
    assert tree(target.parent) == before


def test_damaged_database_is_told_how_to_be_replaced(target: Path, file: Path) -> None:
    with target.open("r+b") as opened:
        opened.seek(100)
        opened.write(b"\xff" * 2000)
    before = tree(target.parent)
    with pytest.raises(CopyFailed, match=r"foreman.db is damaged, .* move it and its -wal away, then restore"):
        restore(file, target)
    assert tree(target.parent) == before


def test_failing_rename_leaves_the_database_under_its_one_name(
    target: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(CopyFailed, match=r"cannot be restored to .*: No space left on device"):
        restore(file, target)
    assert names(target.parent) == ["foreman.db"]
    assert names_in(target) == ["old"]


KILLED_BEFORE_EACH_CHANGE = """
import sys
from pathlib import Path
from foreman.maintenance.restore import restore
from tests.support.killed import kill_before_each_step

def change(directory, countdown):
    countdown.count_calls("chmod", "chown", "fsync", "link", "replace", "unlink")
    restore(directory / "copy.db", directory / "foreman.db")

kill_before_each_step(Path(sys.argv[1]), change)
"""


def test_kill_at_any_moment_loses_neither(tmp_path: Path) -> None:
    start = tmp_path / "start"
    start.mkdir()
    create(start / "copy.db", "saved")
    left_by_a_crash(create(start / "foreman.db", "old"))
    subprocess.run([sys.executable, "-c", KILLED_BEFORE_EACH_CHANGE, tmp_path], cwd=ROOT, timeout=60, check=True)
    states = sorted((path for path in tmp_path.iterdir() if path != start), key=lambda path: int(path.name))
    found = []
    for state in states:
        target = state / "foreman.db"
        old = ["old", "in the log"]
        kept = [path for path in state.iterdir() if NAME.fullmatch(path.name)]
        found.append((bool(kept), names_in(target)))
        assert found[-1] in [(False, old), (True, old), (True, ["saved"])]
        assert all(names_in(path) == old for path in kept)
        assert names_in(state / "copy.db") == ["saved"]
        restore(state / "copy.db", target)
        assert names_in(target) == ["saved"]
        assert old in [names_in(path) for path in state.iterdir() if NAME.fullmatch(path.name)]
        assert not any(target.with_name(f"foreman.db{ending}").exists() for ending in ("-wal", "-shm", "-journal"))
    assert found == sorted(found, key=lambda state: (state[0], state[1] == ["saved"]))
    assert len({repr(state) for state in found}) == 3, "not all states were seen"
    assert check(states[-1] / "foreman.db") == []
