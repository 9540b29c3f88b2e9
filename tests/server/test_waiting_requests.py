"""Requests that wait for PostgreSQL, over HTTP: nobody waits for a thread because of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from foreman.config import Settings
from foreman.maintenance.opening import open_database
from foreman.server import dispatcher
from tests.support.api import PLAIN, TRUSTED, make_run, ok
from tests.support.engines import engine
from tests.support.moving import answering
from tests.support.running import Running
from tests.support.sessions import Aside, other, waiting_for_a_lock
from tests.support.waiting import NEVER, until

pytestmark = pytest.mark.postgres

CLIENTS = 16


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[str]:
    """The URL of a database as a role that may have three connections."""
    role = f"limited_{engine.name(tmp_path / 'foreman.db')[-20:]}"
    with engine.cluster.connect(engine.name(tmp_path / "foreman.db")) as connection:
        connection.execute(f'CREATE ROLE "{role}" LOGIN CONNECTION LIMIT 3'.encode())
        connection.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"'.encode())
        connection.execute(f'GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO "{role}"'.encode())
        yield engine.cluster.url(engine.name(tmp_path / "foreman.db"), role)
        connection.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"'.encode())


def test_requests_share_as_few_connections_as_they_get(limited: str) -> None:
    with answering(limited, threads=8) as url:

        def create(number: int) -> int:
            with httpx.Client(base_url=url, headers=TRUSTED, **PLAIN) as client:
                run = make_run(client, inputData=number)
                return sum(
                    client.patch(f"/runs/{run['id']}", json={"metadata": {"turn": turn}}).status_code == 200
                    for turn in range(20)
                )

        with ThreadPoolExecutor(CLIENTS) as pool:
            assert list(pool.map(create, range(CLIENTS))) == [20] * CLIENTS


def test_requests_are_served_while_as_many_as_there_are_threads_but_one_wait_for_locks(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if no other thread ever helps."""
    monkeypatch.setattr(dispatcher, "HELD_UP", NEVER)
    run = make_run(client)
    waiting = served.app.settings.threads - 1
    with ThreadPoolExecutor(waiting) as pool, other(served) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM run FOR UPDATE")
        key = served.key()

        def change(number: int) -> httpx.Response:
            with served.client_with(key) as mine:
                return mine.patch(f"/runs/{run['id']}", json={"metadata": {"number": number}})

        changes = [pool.submit(change, number) for number in range(waiting)]
        until(lambda: waiting_for_a_lock(served) == waiting)
        for _ in range(20):
            assert ok(client.get(f"/runs/{run['id']}"))["metadata"] is None
        holder.execute("ROLLBACK")
        assert all(change.result().status_code == 200 for change in changes)


def test_clients_that_leave_while_their_requests_wait_leave_nothing_behind(
    served: Running, client: httpx.Client
) -> None:
    run = make_run(client)
    with other(served) as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT 1 FROM run FOR UPDATE")
        key = served.key()
        for number in range(3):
            with served.client_with(key) as mine, pytest.raises(httpx.ReadTimeout):
                mine.patch(f"/runs/{run['id']}", json={"metadata": {"number": number}}, timeout=0.2)
        until(lambda: waiting_for_a_lock(served) == 3)
        holder.execute("ROLLBACK")
    until(lambda: waiting_for_a_lock(served) == 0)
    assert ok(client.get(f"/runs/{run['id']}"))["metadata"] is not None
    until(lambda: not any(served.server.dispatcher._under_way))


def test_pause_before_a_request_is_tried_again_holds_up_no_other(served: Running) -> None:
    with closing(open_database(Settings(database=served.location))) as database:  # nothing else uses this one
        database.wait_with(waits := Aside())
        database.pause(0.001)
    assert (waits.waited, waits.done) == (0, 1)
