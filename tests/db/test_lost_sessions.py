"""Sessions that end while they are used, or while nobody uses them: what the application is told, and what is left."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import psycopg
import pytest

from foreman.config import Settings
from foreman.db.failures import EngineError, Failure
from foreman.db.postgres.database import Postgres
from foreman.db.postgres.session import Session
from foreman.maintenance.opening import open_database
from tests.support.engines import engine
from tests.support.sessions import Aside
from tests.support.waiting import NEVER, PATIENCE, until

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    opened = open_database(Settings(database=engine.url(tmp_path / "foreman.db")))
    assert isinstance(opened, Postgres)
    with closing(opened):
        opened.version()  # so that it has a session
        yield opened


def end_sessions(tmp_path: Path) -> None:
    with engine.cluster.connect() as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            (engine.name(tmp_path / "foreman.db"),),
        ).fetchall()
    assert ended


def cut(session: Session) -> None:
    with socket.socket(fileno=os.dup(session.pgconn.socket)) as connection:
        connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def outage(tmp_path: Path) -> Iterator[None]:
    name = engine.name(tmp_path / "foreman.db")
    with engine.cluster.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        try:
            end_sessions(tmp_path)
            yield
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())


def seconds_to_fail(database: Postgres) -> float:
    begun = time.monotonic()
    with pytest.raises(EngineError) as failed:
        database.version()
    assert failed.value.failure is Failure.UNAVAILABLE
    return time.monotonic() - begun


def test_a_read_goes_on_with_another_session(database: Postgres, tmp_path: Path) -> None:
    version = database.version()
    end_sessions(tmp_path)
    assert database.version() == version


def test_a_block_that_cannot_begin_may_be_tried_again(database: Postgres, tmp_path: Path) -> None:
    database.begin(None)
    database.version()  # which keeps its session for the request
    end_sessions(tmp_path)
    with pytest.raises(EngineError) as failed, database.write():
        pass
    assert failed.value.failure is Failure.AGAIN
    with database.write() as tx:
        assert tx.value("SELECT 1") == 1
    database.end()


def test_a_block_that_is_cut_off_may_be_tried_again(database: Postgres, tmp_path: Path) -> None:
    with pytest.raises(EngineError) as failed, database.write() as tx:
        end_sessions(tmp_path)
        tx.value("SELECT 1")
    assert failed.value.failure is Failure.AGAIN


def test_a_block_whose_commit_is_cut_off_may_not_be_tried_again(database: Postgres, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="the commit may have failed") as failed, database.write() as tx:
        tx.value("SELECT 1")
        end_sessions(tmp_path)
    assert failed.value.failure is Failure.UNKNOWN


@pytest.mark.parametrize("prepared", [False, True])
def test_a_single_statement_that_is_cut_off_before_its_end_may_be_tried_again(
    database: Postgres, tmp_path: Path, prepared: bool
) -> None:
    with pytest.raises(EngineError) as failed, database.write(single=True) as tx:
        for _ in range(3 if prepared else 1):
            tx.value("SELECT pg_sleep(:seconds)", seconds=0.0)
        end_sessions(tmp_path)
        tx.value("SELECT pg_sleep(:seconds)", seconds=0.0)
    assert failed.value.failure is Failure.AGAIN


@pytest.mark.parametrize(("statement", "values"), [("VALUES (:id)", {"id": 1}), ("VALUES (1)", {})])
def test_a_single_statement_that_is_cut_off_after_its_end_may_not_be_tried_again(
    database: Postgres, statement: str, values: dict[str, int]
) -> None:
    with database.write() as tx:
        tx.run("CREATE TABLE kept (id integer)")
        tx.run(
            """
            CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END
            $$
            """
        )
        tx.run(
            "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION fail()"
        )
    with pytest.raises(EngineError, match="may have been committed") as failed, database.write(single=True) as tx:
        tx.run(f"INSERT INTO kept {statement}", **values)
    assert failed.value.failure is Failure.UNKNOWN


def test_a_single_statement_whose_connection_is_cut_off_may_not_be_tried_again(database: Postgres) -> None:
    with pytest.raises(EngineError, match="may have been committed") as failed, database.write(single=True) as tx:
        assert isinstance(tx, Session)
        tx.value("SELECT 1")
        cut(tx)
        tx.value("SELECT 1")
    assert failed.value.failure is Failure.UNKNOWN


@pytest.mark.parametrize("single", [False, True])
def test_a_write_of_which_nobody_knows_whether_it_is_stored_is_a_failed_commit(
    database: Postgres, single: bool
) -> None:
    commits: list[Exception | None] = []
    database.observe_commits(lambda _changes, _seconds, error: commits.append(error))
    with pytest.raises(EngineError) as failed, database.write(single=single) as tx:
        assert isinstance(tx, Session)
        tx.value("SELECT 1")
        cut(tx)
        if single:
            tx.value("SELECT 1")
    assert failed.value.failure is Failure.UNKNOWN
    assert commits == [failed.value]


@pytest.mark.parametrize("single", [False, True])
def test_a_commit_for_which_the_server_gives_up_because_its_disk_is_full_may_be_stored(
    database: Postgres, single: bool
) -> None:
    """Where it cannot go on with its log, it says why and ends."""

    def give_up(*_: object, **__: object) -> None:
        raise psycopg.errors.DiskFull("No space left on device")

    with pytest.raises(EngineError) as failed, ExitStack() as lost, database.write(single=single) as tx:
        assert isinstance(tx, Session)
        tx.value("SELECT 1")
        lost.enter_context(patch.object(Session, "broken", property(lambda _: True)))
        lost.enter_context(patch.object(Session, "wait", give_up))
        if single:
            tx.value("SELECT 1")
    assert failed.value.failure is Failure.UNKNOWN


def test_a_snapshot_that_is_cut_off_at_its_end_has_been_read(database: Postgres, tmp_path: Path) -> None:
    with database.read() as tx:
        version = tx.value("SELECT max(version) FROM schema_migration")
        end_sessions(tmp_path)
    assert version == database.version()


def test_reads_of_a_database_that_hangs_are_interrupted_without_a_wait(database: Postgres) -> None:
    told, hanging = threading.Event(), threading.Event()

    def interrupt(_: Session, __: float) -> None:
        told.set()
        hanging.wait(PATIENCE)

    with patch.object(Session, "interrupt", interrupt), database.read():
        until(lambda: any(session.is_overdue(0.0) for session in database._sessions))
        for _ in range(3):  # the second and third time, while it still hangs
            database.interrupt_reads(0.0)
        assert told.wait(PATIENCE)
        assert sum(thread.name == "interruption" for thread in threading.enumerate()) == 1
        hanging.set()


def test_a_read_that_goes_on_although_it_was_cancelled_is_cancelled_again(database: Postgres) -> None:
    cancel, attempts = Session.cancel_safe, []

    def fail_at_first(session: Session, **options: float) -> None:
        attempts.append(session)
        if len(attempts) == 1:
            raise psycopg.errors.CancellationTimeout("the network lost it")
        cancel(session, **options)

    with patch.object(Session, "cancel_safe", fail_at_first), ThreadPoolExecutor() as other:
        reading = other.submit(database.one, "SELECT pg_sleep(:seconds)", seconds=NEVER)
        while not reading.done():
            database.interrupt_reads(0.1)
            time.sleep(0.05)
        with pytest.raises(EngineError) as failed:
            reading.result()
    assert failed.value.failure is Failure.INTERRUPTED
    assert len(attempts) > 1


def test_the_end_of_a_read_that_is_being_cancelled_holds_up_no_other(database: Postgres) -> None:
    database.wait_with(waits := Aside())

    def release() -> None:
        until(lambda: waits.done > before)
        cancelling.close()

    with ThreadPoolExecutor() as other, ExitStack() as cancelling, database.read() as tx:
        assert isinstance(tx, Session)
        before = waits.done
        cancelling.enter_context(tx._reading)
        ending = other.submit(release)
    ending.result()
    assert waits.done == before + 1


def test_the_end_of_rows_of_which_no_more_are_wanted_holds_up_no_other(database: Postgres) -> None:
    database.wait_with(waits := Aside())
    rows = database.each("SELECT generate_series(1, :last)", last=10_000_000)
    assert next(rows) == (1,)
    before = waits.done
    rows.close()
    assert waits.done == before + 1
    assert database.version()


def test_a_session_that_ended_while_nobody_used_it_is_replaced(database: Postgres, tmp_path: Path) -> None:
    sessions = [database.take() for _ in range(5)]
    for session in sessions:
        database.give_back(session)
    end_sessions(tmp_path)
    with database.write() as tx:
        assert tx.value("SELECT 1") == 1


def test_an_outage_that_has_lasted_is_answered_soon_and_its_end_is_noticed_at_once(
    database: Postgres, tmp_path: Path
) -> None:
    with outage(tmp_path):
        patient, brief = seconds_to_fail(database), seconds_to_fail(database)
        database._failed_to_connect_at -= 60  # nobody has asked since: that says nothing about now
        later = seconds_to_fail(database)
    assert brief < patient / 2 < later
    assert database.version()


def test_requests_that_fail_in_an_outage_leave_nothing_behind(
    database: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foreman.db.postgres.database._PATIENCE", 0.05)
    monkeypatch.setattr("foreman.db.postgres.database._BRIEFLY", 0.01)
    with outage(tmp_path):
        for _ in range(100):
            seconds_to_fail(database)
        until(lambda: seconds_to_fail(database) and len(database._pool._waiting) < 10)
    monkeypatch.undo()
    assert database.version()


def test_an_outage_that_ends_in_time_is_not_noticed(database: Postgres, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as others:
        with outage(tmp_path):
            waiting = [others.submit(database.version) for _ in range(3)]
            until(lambda: database._unreachable_since)
        assert all(each.result() for each in waiting)


def test_a_lost_session_says_nothing_about_whether_the_database_can_be_written_to(
    database: Postgres, tmp_path: Path
) -> None:
    begin = Session.begin
    ended: list[Session] = []

    def begin_and_lose(session: Session, how: bytes = b"") -> None:
        begin(session, how)
        if not ended:
            ended.append(session)
            end_sessions(tmp_path)

    with patch.object(Session, "begin", begin_and_lose):
        assert database.prove_writable() == database.version()


def test_sessions_that_have_ended_are_forgotten(database: Postgres, tmp_path: Path) -> None:
    for _ in range(3):
        end_sessions(tmp_path)
        database.version()
    database.interrupt_reads(60)
    assert not any(session.closed for session in database._sessions)


def test_ctrl_c_cancels_the_statement(database: Postgres, tmp_path: Path) -> None:
    """Or it would keep its locks until it ends."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt), database.write() as tx:
            tx.value("SELECT pg_sleep(:seconds)", seconds=NEVER)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with engine.cluster.connect() as connection:
        active = connection.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = %s AND state = 'active'",
            (engine.name(tmp_path / "foreman.db"),),
        ).fetchall()
    assert active == []


def test_closed_session_keeps_nothing_that_it_has_read(database: Postgres) -> None:
    """It is part of a cycle of references, which Python frees at some later time."""
    session = database.take()
    session.one("SELECT repeat('x', 1000000)")
    results = [session._statements.pgresult]
    session.close()
    results.append(session._statements.pgresult)
    assert [each is None for each in results] == [False, True]
    database.give_back(session)
