"""Faults of PostgreSQL: a clear error while they last, nothing acknowledged is lost, and then it goes on by itself."""

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from foreman.db.postgres import database as pool
from tests.support.api import Json, assert_error, change_task, make_run, make_task, ok, put_data
from tests.support.contents import change, looking, stored_runs, violations_in
from tests.support.engines import engine
from tests.support.running import Running, Start
from tests.support.server_process import server_process
from tests.support.sessions import other, waiting_for_a_lock
from tests.support.waiting import until

pytestmark = pytest.mark.postgres

WRITERS = 6


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a request wait for less than a second, or each of these tests takes many."""
    monkeypatch.setattr(pool, "_PATIENCE", 0.5)
    monkeypatch.setitem(pool._SETTINGS, "lock_timeout", "0.2s")


@pytest.fixture
def served(start: Start, tmp_path: Path) -> Running:
    """A server on a database whose commits are safe from a crash of PostgreSQL, as they are unless set otherwise."""
    name = engine.name(tmp_path / "foreman.db")
    with engine.cluster.connect() as connection:
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on'.encode())
    return start()


def end_sessions(served: Running) -> int:
    """End the server's sessions, and wait until they have ended; return how many there were."""
    with looking(served.location) as select:
        return len(
            select(
                """
                SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name LIKE 'foreman%'
                """
            )
        )


def is_unavailable(response: httpx.Response) -> None:
    assert_error(response, 503)
    assert int(response.headers["Retry-After"]) >= 1


def is_unknown(response: httpx.Response) -> bool:
    """Whether a refusal says that the write may have been stored. If not, it was not, and may be sent again."""
    if "Retry-After" in response.headers:
        is_unavailable(response)
        return False
    assert (
        assert_error(response, 503)["error"] == "It is not known whether this is stored: read before sending it again"
    )
    return True


def until_it_goes_on(client: httpx.Client) -> Json:
    """Wait until writes succeed again, without any help; meanwhile they are refused. Return the first new run."""
    made: list[Json] = []

    def succeeds() -> bool:
        response = client.post("/runs", json={"inputData": "again"})
        if response.status_code != 201:
            is_unknown(response)
            return False
        made.append(response.json())
        return True

    until(succeeds)
    return made[0]


class Writers:
    """Clients that create runs as fast as they can, in the block.

    :ivar acknowledged: the ids of the runs that were answered with 201
    :ivar refused: how many others were
    :ivar unknown: how many of these may have been stored
    """

    def __init__(self, clients: list[httpx.Client]) -> None:
        self.acknowledged: list[str] = []
        self.refused = self.unknown = 0
        self._clients = clients
        self._stop = threading.Event()

    def __enter__(self) -> "Writers":
        self._pool = ThreadPoolExecutor(len(self._clients))
        self._written = [self._pool.submit(self._write, client) for client in self._clients]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._written:
            each.result()
        self._pool.shutdown()

    def _write(self, client: httpx.Client) -> None:
        while not self._stop.is_set():
            response = client.post("/runs", json={"inputData": 1})
            if response.status_code == 201:
                self.acknowledged.append(response.json()["id"])
            else:
                self.refused += 1
                self.unknown += is_unknown(response)
                time.sleep(0.01)

    def wait_for_more(self) -> None:
        """Until runs have been created that were not when this was called."""
        so_far = len(self.acknowledged)
        until(lambda: len(self.acknowledged) > so_far + WRITERS)


@pytest.fixture
def clients(served: Running) -> Iterator[list[httpx.Client]]:
    made = [served.client() for _ in range(WRITERS)]
    yield made
    for each in made:
        each.close()


@contextmanager
def stopped(mode: str) -> Iterator[None]:
    """No server of PostgreSQL in the block."""
    engine.cluster.stop(mode)
    try:
        yield
    finally:
        engine.cluster.start()


# The server of PostgreSQL is away -----------------------------------------------------------------------------------


def test_without_a_database_everything_is_503_until_it_is_back(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with stopped("fast"):
        for _ in range(2):
            is_unavailable(client.post("/runs", json={"inputData": 1}))
            is_unavailable(client.get(f"/runs/{run['id']}"))
            is_unavailable(client.delete(f"/runs/{run['id']}"))
        assert_error(httpx.get(f"{served.url}/ready"), 503, "database")
    again = until_it_goes_on(client)
    assert stored_runs(served.location) == {run["id"], again["id"]}
    until(lambda: httpx.get(f"{served.url}/ready").status_code == 200)
    assert violations_in(served.location) == []


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_acknowledged_survives_a_restart_of_the_database_under_load(
    served: Running, clients: list[httpx.Client], mode: str
) -> None:
    with Writers(clients) as writers:
        writers.wait_for_more()
        with stopped(mode):
            until(lambda: writers.refused)
        writers.wait_for_more()
    stored = stored_runs(served.location)
    assert set(writers.acknowledged) <= stored
    assert len(stored) <= len(writers.acknowledged) + writers.unknown
    assert len(set(writers.acknowledged)) == len(writers.acknowledged)
    assert violations_in(served.location) == []


def test_server_that_is_killed_keeps_what_it_acknowledged_and_another_one_goes_on(tmp_path: Path) -> None:
    file, acknowledged = tmp_path / "foreman.db", set[str]()
    with server_process(file) as server:
        killing = threading.Timer(0.5, server.process.send_signal, [signal.SIGKILL])
        killing.start()
        with suppress(httpx.TransportError):
            while True:
                acknowledged.add(make_run(server.client)["id"])
        killing.join()
    assert acknowledged
    with server_process(file) as server:
        assert acknowledged <= stored_runs(engine.url(file))
        make_run(server.client)
    assert violations_in(engine.url(file)) == []


# Sessions are ended -------------------------------------------------------------------------------------------------


def test_sessions_that_are_ended_while_they_are_idle_are_replaced(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    for _ in range(3):
        assert end_sessions(served) >= 1
        assert ok(client.get(f"/runs/{run['id']}")) == run
        assert end_sessions(served) >= 1
        make_run(client)
    assert ok(client.get("/runs"))["total"] == 4


def test_sessions_that_are_ended_again_and_again_lose_nothing(served: Running, clients: list[httpx.Client]) -> None:
    with Writers(clients) as writers:
        for _ in range(15):
            writers.wait_for_more()
            end_sessions(served)
        writers.wait_for_more()
    stored = stored_runs(served.location)
    assert set(writers.acknowledged) <= stored
    assert len(stored) <= len(writers.acknowledged) + writers.unknown
    assert violations_in(served.location) == []


def test_query_whose_session_is_ended_is_sent_again(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with other(served) as holder, ThreadPoolExecutor(1) as pool_of_one:
        holder.execute("LOCK TABLE run IN ACCESS EXCLUSIVE MODE")
        answer = pool_of_one.submit(client.get, f"/runs/{run['id']}")
        until(lambda: waiting_for_a_lock(served))
        with holder.transaction(force_rollback=True):
            holder.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"
            )
        holder.rollback()
        assert ok(answer.result()) == run


# Locks --------------------------------------------------------------------------------------------------------------


def test_lock_of_another_session_is_503_with_retry_after_and_reading_goes_on(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    with other(served) as holder:
        holder.execute("LOCK TABLE run IN SHARE MODE")
        for _ in range(2):
            is_unavailable(client.post("/runs", json={"inputData": 1}))
            is_unavailable(client.patch(f"/runs/{run['id']}", json={"status": "running"}))
            assert ok(client.get(f"/runs/{run['id']}")) == run
    make_run(client)
    assert ok(client.get("/runs"))["total"] == 2


def test_write_that_waits_for_a_lock_goes_on_when_it_is_free(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(pool._SETTINGS, "lock_timeout", "20s")
    end_sessions(served)
    run = make_run(client)
    with other(served) as holder, ThreadPoolExecutor(1) as one:
        holder.execute("SELECT 1 FROM run FOR UPDATE")
        change = one.submit(client.patch, f"/runs/{run['id']}", json={"status": "running"})
        until(lambda: waiting_for_a_lock(served))
        assert not change.done()
        holder.rollback()
        assert ok(change.result())["status"] == "running"


def test_loser_of_a_deadlock_is_tried_again_and_succeeds(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DELETE takes the run before its tasks; somebody else has a task and wants the run."""
    monkeypatch.setitem(pool._SETTINGS, "lock_timeout", "20s")
    end_sessions(served)
    run = make_run(client)
    task = make_task(client, run)
    put_data(client, task, "key")
    with other(served) as rival, ThreadPoolExecutor(2) as threads:
        rival.execute("SET deadlock_timeout = '60s'")  # so that it is not the one that loses
        rival.execute("SELECT 1 FROM task FOR UPDATE")
        deletion = threads.submit(client.delete, f"/runs/{run['id']}")
        until(lambda: waiting_for_a_lock(served))
        rival.execute("UPDATE run SET updated_at = updated_at")  # goes on when the deletion has been given up
        rival.commit()
        assert ok(deletion.result()) == {"deleted": 1}
    with looking(served.location) as select:
        until(lambda: select("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(1,)])
    assert stored_runs(served.location) == set()
    assert violations_in(served.location) == []


def test_transaction_that_loses_every_time_is_503(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    raise_at_each_new_run(served, "40001")
    is_unavailable(client.post("/runs", json={"inputData": 1}))
    assert ok(client.get("/runs"))["items"] == [run]
    change(served.location, "DROP TRIGGER fail ON run")
    make_run(client)


def test_transaction_that_has_lost_a_few_times_succeeds_and_happens_once(served: Running, client: httpx.Client) -> None:
    change(served.location, "CREATE SEQUENCE tried")  # which no rollback undoes
    raise_at_each_new_run(served, "40001", "nextval('tried') <= 3")
    make_run(client)
    assert ok(client.get("/runs"))["total"] == 1
    with looking(served.location) as select:
        assert select("SELECT last_value FROM tried") == [(4,)]


def raise_at_each_new_run(served: Running, state: str, when: str = "true") -> None:
    """Let the database refuse new runs with this SQLSTATE."""
    change(
        served.location,
        f"""
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {when} THEN RAISE EXCEPTION 'it is as in a test' USING ERRCODE = '{state}'; END IF;
            RETURN new;
        END
        $$;
        CREATE TRIGGER fail BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION fail()
        """,
    )


# What the database refuses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status", "message"),
    [
        ("53100", 507, "The disk of the database is full"),
        ("53200", 503, "The database is not available at the moment"),  # out of memory
        ("53300", 503, "The database is not available at the moment"),  # too many connections
        ("55P03", 503, "The database is not available at the moment"),  # a lock
        ("57P03", 503, "The database is not available at the moment"),  # it is starting
        ("57014", 503, "The query takes too long: narrow it down"),
        ("58030", 503, "The database is not available at the moment"),  # an I/O error
        ("XX001", 503, "The database is damaged"),
        ("25006", 503, "The database cannot be written to"),
    ],
)
def test_what_the_database_refuses_is_answered_by_its_kind_and_undone(
    served: Running, client: httpx.Client, state: str, status: int, message: str
) -> None:
    run = make_run(client)
    raise_at_each_new_run(served, state)
    response = client.post("/runs", json={"inputData": 1})
    assert assert_error(response, status)["error"] == message
    assert "it is as in a test" not in response.text
    assert ok(client.get(f"/runs/{run['id']}")) == run
    change(served.location, "DROP TRIGGER fail ON run")
    make_run(client)
    assert ok(client.get("/runs"))["total"] == 2


def test_database_that_became_read_only_is_503_and_reading_goes_on(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    name = served.location.rpartition("/")[2]
    with engine.cluster.connect() as administrator:
        administrator.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        end_sessions(served)
        for _ in range(2):
            response = client.patch(f"/runs/{run['id']}", json={"status": "running"})
            assert assert_error(response, 503)["error"] == "The database cannot be written to"
            assert ok(client.get(f"/runs/{run['id']}")) == run
        administrator.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    until(lambda: client.patch(f"/runs/{run['id']}", json={"status": "running"}).status_code == 200)
    assert ok(client.get(f"/runs/{run['id']}"))["status"] == "running"


def test_database_that_takes_no_connections_is_503_until_it_does(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    name = served.location.rpartition("/")[2]
    with engine.cluster.connect() as administrator:
        administrator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        is_unavailable(client.post("/runs", json={"inputData": 1}))
        is_unavailable(client.get(f"/runs/{run['id']}"))
        administrator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
    until_it_goes_on(client)
    assert ok(client.get("/runs"))["total"] == 2


def test_when_others_have_all_connections_it_is_503_until_there_are_some(start: Start) -> None:
    engine.cluster.stop("fast")
    engine.cluster.start(max_connections="16")
    taken: list[psycopg.Connection[Any]] = []
    try:
        served = start()
        with served.client() as client:
            run = make_run(client)
            end_sessions(served)
            with suppress(psycopg.OperationalError):
                while True:
                    taken.append(engine.cluster.connect())
            assert taken
            is_unavailable(client.post("/runs", json={"inputData": 1}))
            is_unavailable(client.get(f"/runs/{run['id']}"))
            for each in taken:
                each.close()
            until_it_goes_on(client)
            assert ok(client.get("/runs"))["total"] == 2
        served.stop()
    finally:
        for each in taken:
            each.close()
        engine.cluster.stop("fast")
        engine.cluster.start()


# Memory, time -------------------------------------------------------------------------------------------------------


def test_commit_that_fails_is_503_and_nothing_is_stored(served: Running, client: httpx.Client) -> None:
    """At the commit, PostgreSQL checks what was put off until then."""
    change(
        served.location,
        """
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no memory' USING ERRCODE = '53200'; END
        $$;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON run DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION fail()
        """,
    )
    response = client.post("/runs", json={"inputData": 1})
    is_unavailable(response)
    assert "Location" not in response.headers
    assert ok(client.get("/runs"))["total"] == 0
    change(served.location, "DROP TRIGGER fail ON run")
    make_run(client)


def test_session_that_ends_within_the_commit_is_503_and_not_tried_again(served: Running, client: httpx.Client) -> None:
    """Whether it is stored, nobody knows: so it may not be done once more, and the client is told so."""
    change(
        served.location,
        """
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(5); RETURN NULL; END
        $$;
        CREATE SEQUENCE tried;
        CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON run DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (nextval('tried') > 0) EXECUTE FUNCTION fail()
        """,
    )
    assert is_unknown(client.post("/runs", json={"inputData": 1}))
    with looking(served.location) as select:
        assert select("SELECT last_value FROM tried") == [(1,)]
    change(served.location, "DROP TRIGGER fail ON run")
    make_run(client)
    assert ok(client.get("/runs"))["total"] == 1


def test_task_is_changed_once_whatever_happens_to_sessions(served: Running, client: httpx.Client) -> None:
    """A retry is counted when a task becomes `retrying`: a change that is done twice would show."""
    task = change_task(client, make_task(client, make_run(client)), status="running")
    for number in range(1, 6):
        end_sessions(served)
        assert change_task(client, task, status="retrying")["retryCount"] == number
        end_sessions(served)
        change_task(client, task, status="running")
