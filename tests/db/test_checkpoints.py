"""The thread that checkpoints the write-ahead log: commits do not, the log stays short, and nothing stops it."""

import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foreman.db import checkpoints
from foreman.db.checkpoints import Checkpoints
from foreman.db.file import DatabaseMoved
from foreman.db.sqlite import Database
from tests.support.api import make_run
from tests.support.databases import stored_runs
from tests.support.server_process import server_process
from tests.support.waiting import NEVER, PATIENCE, until

PAGE = 4096

connect = partial(sqlite3.connect, isolation_level=None)


class Refusing(sqlite3.Connection):
    """A connection that refuses checkpoints while there is a refusal."""

    refusal: BaseException | None = None
    refused = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql and Refusing.refusal is not None:
            Refusing.refused += 1
            raise Refusing.refusal
        return super().execute(sql, parameters)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> type[Refusing]:
    monkeypatch.setattr(Refusing, "refusal", None)
    monkeypatch.setattr(Refusing, "refused", 0)
    monkeypatch.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Refusing))
    return Refusing


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check often, and call a short log a long one."""
    for name, value in {"PAUSE": 0.001, "PAUSE_AFTER_FAILURE": 0.001, "LONG": 50}.items():
        monkeypatch.setattr(checkpoints, name, value)


@pytest.fixture
def file(tmp_path: Path, new_database: Path) -> Path:
    return Path(shutil.copyfile(new_database, tmp_path / "foreman.db"))


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    with closing(Database(file, "normal")) as opened:
        yield opened


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}-wal")


def write(database: Database, number: int, pages: int = 1) -> None:
    """Write a row that fills so many pages."""
    with database.write() as tx:
        tx.run(
            "INSERT INTO run_count (org_id, status, runs) VALUES (:org_id, 'pending', 1)",
            org_id=f"{number:08}" + "x" * (PAGE * pages - 100),
        )


def written(file: Path) -> int:
    """How many rows have been written."""
    with closing(connect(file)) as other:
        return int(other.execute("SELECT count(*) FROM run_count").fetchone()[0])


def in_the_file_itself(file: Path, directory: Path) -> int:
    """How many rows have been written, as far as they have been copied out of the log."""
    with closing(connect(shutil.copyfile(file, directory / "without-log.db"))) as copy:
        return int(copy.execute("SELECT count(*) FROM run_count").fetchone()[0])


def until_copied(look: Callable[[], bool]) -> None:
    """Wait until the file itself shows something. While a checkpoint is half done, it may not even be readable."""

    def shows() -> bool:
        with suppress(sqlite3.DatabaseError):
            return look()
        return False

    until(shows)


def autocheckpoint(database: Database) -> int:
    """The pages in the log from which on commits checkpoint it; 0 if they never do."""
    with database.write() as tx:
        return int(tx.value("PRAGMA wal_autocheckpoint"))


def times_begun(file: Path) -> int:
    """How often the log was begun anew (https://www.sqlite.org/fileformat2.html#walformat)."""
    with log_of(file).open("rb") as log:
        return int.from_bytes(log.read(32)[12:16])


@contextmanager
def constant_writes(database: Database, first: int = 0) -> Iterator[None]:
    """Threads that write as fast as they can, until the end of the block."""
    threads = 3
    ending, failures = threading.Event(), list[BaseException]()

    def write_on(number: int) -> None:
        try:
            while not ending.is_set():
                write(database, number)
                number += threads
        except BaseException as error:
            failures.append(error)

    writing = [threading.Thread(target=write_on, args=(number,)) for number in range(first, first + threads)]
    for thread in writing:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in writing:
            thread.join(PATIENCE)
    assert failures == []


def counted_turns(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """An item for each turn of the writer that is taken from now on. It is not really taken."""
    turns = list[int]()

    def turn() -> AbstractContextManager[None]:
        turns.append(1)
        return nullcontext()

    monkeypatch.setattr(database.write(), "between_transactions", turn)
    return turns


# Who checkpoints ----------------------------------------------------------------------------------------------------


def test_commits_checkpoint_when_there_is_no_thread_for_it(database: Database, file: Path) -> None:
    for number in range(150):
        write(database, number, pages=20)
    assert log_of(file).stat().st_size < 1_500 * PAGE


def test_no_commit_checkpoints_while_there_is_a_thread_for_it(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "PAUSE", NEVER)
    before = file.read_bytes()
    with database.served():
        for number in range(150):
            write(database, number, pages=20)
        assert file.read_bytes() == before
        assert log_of(file).stat().st_size > 3_000 * PAGE


def test_commits_checkpoint_again_when_the_thread_has_ended(database: Database) -> None:
    with database.served():
        assert autocheckpoint(database) == 0
    assert autocheckpoint(database) == 1_000


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_commits_checkpoint_again_when_the_thread_has_died(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: Checkpoints) -> None:
        raise SystemExit

    monkeypatch.setattr(Checkpoints, "_checkpoint", die)
    with database.served():
        write(database, 1)
        until(lambda: autocheckpoint(database) == 1_000)


def test_server_copies_what_was_written_into_the_file_without_being_asked(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    with server_process(file) as server:
        run = make_run(server.client)
        copy = tmp_path / "copy.db"
        until_copied(lambda: run["id"] in stored_runs(Path(shutil.copyfile(file, copy))))
    assert not log_of(file).exists()


# The length of the log ----------------------------------------------------------------------------------------------


def test_log_is_begun_anew_again_and_again_under_constant_writes(database: Database, file: Path) -> None:
    with database.served():
        write(database, 100_000_000)
        with constant_writes(database):
            begun = times_begun(file)
            until(lambda: times_begun(file) > begun + 20)
        assert database.one("PRAGMA integrity_check")[0] == "ok"  # type: ignore[index]


def test_waiting_writes_are_committed_before_the_rest_of_the_log_is_copied(database: Database) -> None:
    writer = database.write()
    database.begin(None)
    write(database, 1)
    commit = database.end()
    assert commit is not None
    assert not commit.decided.is_set()
    with writer.between_transactions():
        assert not writer._connection.in_transaction
    assert commit.decided.is_set()
    commit.check()


def test_nobody_waits_for_a_slow_disk_until_the_log_is_very_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns, numbers = counted_turns(database, monkeypatch), iter(range(1_000))
    thread = Checkpoints(database.write(), database._connect_to_log, lambda: 0)  # not started

    def turns_after(rows: int) -> int:
        for _ in range(rows):
            write(database, next(numbers), pages=10)
        turns.clear()
        thread._copy()
        return len(turns)

    monkeypatch.setattr(checkpoints, "LONGEST", 200)
    with closing(thread._connection), closing(connect(database.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM run").fetchone()  # keeps the log from being begun anew
        monkeypatch.setattr(checkpoints, "SLOW", 0.0)
        assert turns_after(10) == 0
        monkeypatch.setattr(checkpoints, "SLOW", NEVER)
        assert turns_after(0) == 1
        monkeypatch.setattr(checkpoints, "SLOW", 0.0)
        assert turns_after(10) == 1


def test_nobody_waits_for_more_than_a_few_pages_of_the_log(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = counted_turns(database, monkeypatch)
    monkeypatch.setattr(checkpoints, "SLOW", NEVER)
    thread = Checkpoints(database.write(), database._connect_to_log, lambda: 0)  # not started
    with closing(thread._connection), closing(connect(database.path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM run").fetchone()  # so that what follows cannot be copied
        for number in range(10):
            write(database, number, pages=10)
        for few, wanted in ((50, 0), (500, 1)):
            monkeypatch.setattr(checkpoints, "FEW", few)
            thread._copy()
            assert len(turns) == wanted


def test_what_is_written_during_a_checkpoint_is_copied_by_the_next_at_once(
    database: Database, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = Checkpoints(database.write(), database._connect_to_log, lambda: 0)  # not started
    passes = list[int]()

    def written_during() -> checkpoints.Copied | None:
        copied = Checkpoints._pass(thread)
        passes.append(1)
        if len(passes) < 3:
            write(database, len(passes))
        return copied

    monkeypatch.setattr(thread, "_pass", written_during)
    with closing(thread._connection):
        write(database, 0)
        thread._copy()
        assert in_the_file_itself(file, tmp_path) == 3


def test_log_that_grew_beside_a_long_read_becomes_short_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foreman.db.sqlite.LOG_SIZE_LIMIT", 100 * PAGE)
    with closing(Database(file, "normal")) as database, database.served():
        with closing(connect(file)) as other:
            write(database, 0)
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM run_count").fetchone()
            for number in range(1, 50):
                write(database, number, pages=20)
            assert log_of(file).stat().st_size > 900 * PAGE
            assert other.execute("SELECT count(*) FROM run_count").fetchone() == (1,)
        with constant_writes(database, first=50):
            until(lambda: log_of(file).stat().st_size <= 100 * PAGE)


def test_what_is_left_by_a_read_is_copied_when_it_ends_even_if_nobody_writes(
    database: Database, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FEW", 0)
    with database.served(), closing(connect(file)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM run_count").fetchone()
        for number in range(20):
            write(database, number)
        assert in_the_file_itself(file, tmp_path) == 0
        other.execute("COMMIT")
        until_copied(lambda: in_the_file_itself(file, tmp_path) == 20)


def test_closing_leaves_no_log(file: Path) -> None:
    with closing(Database(file)) as database, database.served(), constant_writes(database):
        until(lambda: database.one("SELECT 1 FROM run_count LIMIT 1"))
    assert not log_of(file).exists()


# Faults, and other processes ----------------------------------------------------------------------------------------


def test_failing_checkpoint_is_logged_once_and_the_thread_goes_on(
    refusing: type[Refusing], file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "foreman.db.checkpoints")
    for failure in (sqlite3.OperationalError("database or disk is full"), MemoryError("no memory")):
        caplog.clear()
        with closing(Database(file)) as database, database.served():
            refusing.refusal, refusing.refused = failure, 0
            write(database, hash(failure))
            until(lambda: refusing.refused >= 5)
            assert [record.message for record in caplog.records] == [
                f"The write-ahead log cannot be checkpointed, and grows: {failure}"
            ]
            refusing.refusal = None
            until(lambda: len(caplog.records) == 2)
            assert caplog.records[1].message == "The write-ahead log is checkpointed again"
            until_copied(lambda: in_the_file_itself(file, tmp_path) == written(file))


def replace_by_a_copy(file: Path, aside: Path) -> None:
    """Let another database, with the same rows, take the place of the file."""
    other = aside.with_name("other.db")
    with closing(connect(file)) as live, closing(connect(other)) as copy:
        live.backup(copy)
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).rename(aside.with_name(aside.name + ending))
    other.rename(file)


def write_until_it_succeeds(database: Database, number: int) -> None:
    """The first write after the file was replaced fails, because it went to the one that was replaced."""
    with pytest.raises(sqlite3.OperationalError):
        write(database, number)
    write(database, number)


def test_file_that_took_the_place_of_another_is_checkpointed_and_the_other_is_left_alone(
    database: Database, file: Path, tmp_path: Path
) -> None:
    aside = tmp_path / "aside.db"
    with database.served():
        write(database, 1)
        until_copied(lambda: in_the_file_itself(file, tmp_path) == 1)
        replace_by_a_copy(file, aside)
        write_until_it_succeeds(database, 2)
        for number in range(3, 60):
            write(database, number)
        until_copied(lambda: in_the_file_itself(file, tmp_path) == 59)
        until(lambda: autocheckpoint(database) == 0)
        assert in_the_file_itself(aside, tmp_path) <= 2
    for each in (file, aside):
        with closing(connect(each)) as other:
            assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_commits_checkpoint_a_file_that_took_the_place_of_another_until_the_thread_can_open_it(
    database: Database, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect_to_log, tried, may_open = database._connect_to_log, threading.Event(), threading.Event()

    def connect_later() -> sqlite3.Connection:
        if not may_open.is_set():
            tried.set()
            raise sqlite3.OperationalError("unable to open database file")
        return connect_to_log()

    may_open.set()
    monkeypatch.setattr(database, "_connect_to_log", connect_later)
    with database.served():
        write(database, 1)
        may_open.clear()
        replace_by_a_copy(file, tmp_path / "aside.db")
        write_until_it_succeeds(database, 2)
        assert tried.wait(PATIENCE)
        assert autocheckpoint(database) == 1_000
        may_open.set()
        until(lambda: autocheckpoint(database) == 0)


def test_file_that_is_replaced_while_it_is_opened_is_not_checkpointed(
    database: Database, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = database._connect

    def opened_just_before() -> sqlite3.Connection:
        connection = opened()
        replace_by_a_copy(file, tmp_path / "aside.db")
        return connection

    write(database, 1)
    monkeypatch.setattr(database, "_connect", opened_just_before)
    with pytest.raises(DatabaseMoved):
        database._connect_to_log()


def test_commit_whose_log_was_deleted_waits_for_a_checkpoint_under_way(database: Database, file: Path) -> None:
    """Or SQLite would refuse the one that saves what was written."""
    write(database, 1)
    log_of(file).unlink()
    with database.write().checkpointing, ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write, database, 2)
        with pytest.raises(TimeoutError):
            writing.result(timeout=0.2)
        database.write().checkpointing.release()
        writing.result(PATIENCE)
        database.write().checkpointing.acquire()
    assert written(file) == 2


def test_other_processes_may_write_read_and_checkpoint_meanwhile(database: Database, file: Path) -> None:
    with database.served(), closing(Database(file, "normal")) as second:
        write(database, 100_000_000)
        with constant_writes(database):
            begun = times_begun(file)
            for number in range(50):
                write(second, 50_000_000 + number)
                with closing(connect(file)) as other:
                    other.execute(f"PRAGMA wal_checkpoint({('PASSIVE', 'FULL', 'TRUNCATE')[number % 3]})").fetchone()
            until(lambda: times_begun(file) != begun)
        assert database.one("PRAGMA integrity_check")[0] == "ok"  # type: ignore[index]


def test_log_is_begun_anew_after_every_checkpoint_that_finds_it_long(file: Path, database: Database) -> None:
    """However much was written since the last one: more each time, and less."""
    one = Checkpoints(
        database._writer, database._connect_to_log, lambda: database._generation
    )  # no thread: between these checkpoints there is what this test writes
    for turn, pages in enumerate((70, 60, 90, 200, 60, 500)):
        write(database, 2 * turn, pages)
        one._checkpoint()
        write(database, 2 * turn + 1)
        assert times_begun(file) == turn + 1
    one._connection.close()
