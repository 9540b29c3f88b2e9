"""`backup`: the copy is sound and of one moment, and what was there is replaced by nothing less."""

import errno
import os
import re
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from foreman import clock
from foreman.maintenance import backup
from foreman.maintenance.backup import CopyFailed, take, take_and_keep
from foreman.maintenance.check import check
from tests.support.api import make_run, make_task, ok, put_data
from tests.support.commands import run_command
from tests.support.databases import UNFIT, create, names, names_in, tree
from tests.support.running import Running
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.sqlite

LARGE = "x" * 3_000_000


def rows(file: Path) -> list[str]:
    """All that is in a database, as SQL."""
    with closing(sqlite3.connect(file)) as connection:
        return list(connection.iterdump())


def pages_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return int(pages)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "live").mkdir()
    return create(tmp_path / "live" / "foreman.db", "one", "two")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where backups go."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


# The copy -----------------------------------------------------------------------------------------------------------


def test_backup_of_a_served_database_is_a_sound_copy_in_one_file(
    served: Running, client: httpx.Client, place: Path
) -> None:
    task = make_task(client, make_run(client, {"n": 1.10}))
    put_data(client, task, "key", tags=["red"])
    make_run(client)
    done = run_command("backup", place / "copy.db", "--database", served.file)
    size = (place / "copy.db").stat().st_size
    told = rf"{re.escape(str(place))}/copy.db: {size} bytes, 2 runs, 1 tasks, 1 entries, \d+\.\d seconds\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(told, done.stdout), done.stdout
    assert names(place) == ["copy.db"]
    assert check(place / "copy.db") == []
    assert rows(place / "copy.db") == rows(served.file)


def test_writes_go_on_meanwhile_and_the_backup_is_of_the_moment_it_began(
    served: Running, client: httpx.Client, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make_run(client, LARGE)
    before = rows(served.file)
    steps = 0

    def write(_: object) -> None:
        nonlocal steps
        steps += 1
        if steps < 20:
            make_run(client, "meanwhile")

    monkeypatch.setattr(backup, "_after_step", write)
    monkeypatch.setattr(backup, "_PAGES", 200)
    take(served.file, place / "copy.db")
    assert ok(client.get("/runs"))["total"] == 3 + min(steps, 19)
    assert rows(place / "copy.db") == before
    assert steps == -(-pages_of(place / "copy.db") // 200) > 5, "it began again"
    with closing(sqlite3.connect(served.file)) as connection:  # the server checkpoints, too: one at a time
        until(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0))


def test_backup_amid_parallel_writers_holds_what_was_answered_before_and_of_each_what_came_first(
    served: Running, place: Path
) -> None:
    stop = threading.Event()
    answered: list[list[str]] = [[], [], []]

    def write(ids: list[str]) -> None:
        with served.client() as client:
            while not stop.is_set():
                run = make_run(client)
                make_task(client, run)
                ids.append(run["id"])

    with ThreadPoolExecutor(3) as threads:
        writers = [threads.submit(write, ids) for ids in answered]
        try:
            while not all(answered):
                time.sleep(0.01)
            before = {run_id for ids in answered for run_id in ids}
            done = run_command("backup", place / "copy.db", "--database", served.file)
        finally:
            stop.set()
        for writer in writers:
            writer.result(PATIENCE)
    assert done.returncode == 0, done.stderr
    assert check(place / "copy.db") == []
    with closing(sqlite3.connect(place / "copy.db")) as connection:
        stored = {run_id for (run_id,) in connection.execute("SELECT id FROM run")}
    assert before <= stored
    for ids in answered:
        there = [run_id in stored for run_id in ids]
        assert there == sorted(there, reverse=True)
        assert not there[-1], "it was written after the backup"


def test_copy_is_on_disk_before_it_has_its_name_and_then_the_name_is(
    database: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def record_sync(handle: int) -> None:
        fsync(handle)
        steps.append(("sync", os.fstat(handle).st_ino))

    def record_replace(old: Path, new: Path) -> None:
        steps.append(("rename", old.stat().st_ino))
        replace(old, new)

    monkeypatch.setattr(backup, "_after_step", lambda _: None)
    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    take(database, place / "copy.db")
    copy = (place / "copy.db").stat().st_ino
    assert steps == [("sync", copy), ("rename", copy), ("sync", place.stat().st_ino)]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444])
def test_copy_can_be_read_by_nobody_who_cannot_read_the_database(database: Path, place: Path, mode: int) -> None:
    (place / "copy.db").touch(0o666)
    database.chmod(mode)
    take(database, place / "copy.db")
    assert stat.S_IMODE((place / "copy.db").stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_copy_that_belongs_to_another_group_is_for_its_owner_alone(database: Path, place: Path) -> None:
    database.chmod(0o664)
    os.chown(database, -1, 12345)
    take(database, place / "copy.db")
    assert stat.S_IMODE((place / "copy.db").stat().st_mode) == 0o600


# When it fails ------------------------------------------------------------------------------------------------------


def beside_the_database(name: str) -> Callable[[Path, Path], Path]:
    return lambda database, _: database.with_name(name)


def in_place(name: str, prepare: Callable[[Path, Path], object]) -> Callable[[Path, Path], Path]:
    def target(database: Path, place: Path) -> Path:
        prepare(database, place / name)
        return place / name

    return target


def make_another_database(file: Path, mode: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE somebody_elses (x)")


REFUSED: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "a missing directory": (lambda _, place: place / "no" / "copy.db", "backups/no does not exist"),
    "a directory": (lambda _, place: place, "backups is a directory; .+ use --keep"),
    "a pipe": (in_place("copy.db", lambda _, target: os.mkfifo(target)), "copy.db is not a file that can be replaced"),
    "the database": (lambda database, _: database, "foreman.db is the database itself"),
    "a link to the database": (
        in_place("copy.db", lambda database, target: target.symlink_to(database)),
        "foreman.db is the database itself",
    ),
    "another name of the database": (
        in_place("copy.db", lambda database, target: target.hardlink_to(database)),
        "copy.db is the database itself",
    ),
    "the log of the database": (beside_the_database("foreman.db-wal"), "foreman.db-wal has the name of a file that"),
    "the journal of a database": (beside_the_database("other.db-journal"), "has the name of a file that"),
    "a file of somebody else's": (
        in_place("copy.db", lambda _, target: target.write_text("precious")),
        "copy.db is not a backup of Foreman's, so it is not replaced",
    ),
    "a database of another program": (
        in_place("copy.db", lambda _, target: make_another_database(target, "DELETE")),
        "copy.db is not a backup of Foreman's, so it is not replaced",
    ),
    "a database of another program in WAL mode": (
        in_place("copy.db", lambda _, target: make_another_database(target, "WAL")),
        "copy.db is not a backup of Foreman's, so it is not replaced",
    ),
    "a database in use": (
        in_place("copy.db", lambda _, target: target.with_name("copy.db-wal").touch()),
        "copy.db-wal exists: .*copy.db is in use",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_place_that_is_not_for_a_backup_is_refused_and_left_as_it_is(database: Path, place: Path, name: str) -> None:
    choose, words = REFUSED[name]
    target = choose(database, place)
    before = tree(database.parent), tree(place)
    with pytest.raises(CopyFailed, match=words) as failure:
        take(database, target)
    assert "\n" not in str(failure.value)
    assert (tree(database.parent), tree(place)) == before


@pytest.mark.parametrize("name", UNFIT)
def test_database_that_cannot_be_copied_leaves_the_last_backups_as_they_are(
    database: Path, place: Path, name: str
) -> None:
    create(place / "copy.db", "last")
    create(place / "foreman-20200101T000000Z.db", "kept")
    spoil, words = UNFIT[name]
    spoil(database)
    before = tree(database.parent), tree(place)
    with pytest.raises(CopyFailed, match=words):
        take(database, place / "copy.db")
    with pytest.raises(CopyFailed, match=words):
        take_and_keep(database, place, 1)
    assert (tree(database.parent), tree(place)) == before


def test_copy_whose_directory_cannot_be_synced_says_that_it_is_in_its_place(
    database: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def fail_for_directories(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail_for_directories)
    with pytest.raises(CopyFailed, match=r"copy\.db is in its place, but .* cannot be synced: Input/output error$"):
        take(database, place / "copy.db")
    assert check(place / "copy.db") == []
    with pytest.raises(CopyFailed, match=r"foreman-\w+\.db is in its place, but .* cannot be synced"):
        take_and_keep(database, place, 1)


def test_full_disk_is_one_line_and_leaves_the_last_backup(database: Path, place: Path) -> None:
    create(database, LARGE)
    create(place / "copy.db", "last")
    before = tree(place)
    done = run_command(
        "backup", place / "copy.db", "--database", database,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"foreman: \S+foreman.db cannot be copied to \S+copy.db: .+\n", done.stderr), done.stderr
    assert tree(place) == before


STOPS_WHILE_IT_COPIES = """
import sys, time
from foreman.cli.main import main
from foreman.maintenance import backup

def stop(*_):
    print("copying", flush=True)
    time.sleep(60)

backup._after_step = stop
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_backup_that_is_stopped_leaves_the_last_one(database: Path, place: Path, number: signal.Signals) -> None:
    create(place / "copy.db", "last")
    before = tree(place)
    command = [sys.executable, "-c", STOPS_WHILE_IT_COPIES, "backup", str(place / "copy.db")]
    command += ["--database", str(database)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "copying\n"
        process.send_signal(number)
        _, told = process.communicate(timeout=PATIENCE)
    after = tree(place)
    if number == signal.SIGKILL:
        left = [name for name in after if re.fullmatch(r"\.foreman-\w+\.partial(-\w+)?", name)]
        assert left
        for name in left:
            del after[name]
    else:
        assert process.returncode == 130
        assert told == f"foreman: stopped at 0 %: no backup was written, and {place / 'copy.db'} is unchanged\n"
    assert after == before
    take(database, place / "copy.db")
    assert names_in(place / "copy.db") == ["one", "two"]


# --keep -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`at(3)`: it is the third second of 2026."""
    return lambda second: monkeypatch.setattr(clock, "now_ms", lambda: 1_767_225_600_000 + second * 1000 + 999)


At = Callable[[int], None]


def test_oldest_backups_are_deleted_and_nothing_else(database: Path, place: Path, at: At) -> None:
    others = [
        "foreman.db", "foreman-20200101T000000Z.db.gz", "foreman-20200101T000000Z.db-journal", "notes.txt",
        "Foreman-20200101T000000Z.db", "my-foreman-20200101T000000Z.db", "foreman-20200101T000000Z-1.db",
        "foreman-2020010xT000000Z.db", "foreman-20200101T000000.db", "foreman-20200101T000000Z.db\n",
    ]  # fmt: skip
    for name in others:
        (place / name).write_text(name)
    (place / "foreman-20200103T000000Z.db").mkdir()
    (place / "foreman-20200104T000000Z.db").symlink_to("notes.txt")
    create(place / "foreman-20200105T000000Z.db", "oldest")
    before = tree(place)
    for second in range(4):
        at(second)
        take_and_keep(create(database, f"at {second}"), place, 3)
    after = tree(place)
    kept = [f"foreman-20260101T00000{second}Z.db" for second in (1, 2, 3)]
    assert [name for name in sorted(after) if name not in before] == kept
    assert set(before) - set(after) == {"foreman-20200105T000000Z.db"}
    assert {name: after[name] for name in before if name in after} == {
        name: content for name, content in before.items() if name in after
    }
    assert [names_in(place / name)[-1] for name in kept] == ["at 1", "at 2", "at 3"]


def test_backups_of_one_second_get_the_names_of_the_next(database: Path, place: Path, at: At) -> None:
    at(7)
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: take_and_keep(database, place, 100), range(6)))
    assert sorted(file.name for file in taken) == [f"foreman-20260101T0000{second:02}Z.db" for second in range(7, 13)]
    assert names(place) == sorted(file.name for file in taken)
    assert all(names_in(file) == ["one", "two"] for file in taken)


def test_new_backup_is_kept_when_the_clock_went_back(database: Path, place: Path, at: At) -> None:
    for second in (30, 20, 10):
        at(second)
        new = take_and_keep(database, place, 2)
        assert new.exists()
    assert names(place) == ["foreman-20260101T000010Z.db", "foreman-20260101T000030Z.db"]


def test_old_backup_that_cannot_be_deleted_is_told_and_the_new_one_kept(
    database: Path, place: Path, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(1)
    take_and_keep(database, place, 1)
    at(2)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "foreman-20260101T000001Z.db":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    told = "foreman-20260101T000002Z.db is written, but older backups cannot be deleted: Operation not permitted"
    with pytest.raises(CopyFailed, match=told):
        take_and_keep(database, place, 1)
    assert names(place) == ["foreman-20260101T000001Z.db", "foreman-20260101T000002Z.db"]


def test_command_keeps_as_many_as_it_is_told_and_names_the_new_one(database: Path, place: Path) -> None:
    create(place / "foreman-20200101T000000Z.db", "old")
    done = run_command("backup", "--keep", 1, place, "--database", database)
    assert done.returncode == 0, done.stderr
    (name,) = names(place)
    assert re.fullmatch(r"foreman-20\d{6}T\d{6}Z\.db", name)
    assert done.stdout.startswith(f"{place / name}: ")
    assert done.stdout.count("\n") == 1

    for arguments, status, words in [
        (["backup", "--keep", "0", place], 2, "--keep"),
        (["backup", "--keep", "7", place / "no"], 1, "foreman: .*no is not a directory"),
        (["backup", place], 1, "foreman: .*is a directory; .+ use --keep"),
    ]:
        done = run_command(*arguments, "--database", database)
        assert (done.returncode, done.stdout) == (status, "")
        assert re.search(words, done.stderr)
        assert status == 2 or done.stderr.count("\n") == 1
    assert names(place) == [name]
