"""Which of several nodes leads, and what becomes of that when something fails."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from foreman.db.postgres import leader
from foreman.db.postgres.leader import Leader
from foreman.db.postgres.session import NETWORK_OF_SERVER
from tests.support.engines import engine
from tests.support.waiting import until

pytestmark = pytest.mark.postgres


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Leader]]:
    """Two nodes that try to lead more often than usual, the first of which does."""
    monkeypatch.setattr(leader, "_TRY_EVERY", 0.1)
    monkeypatch.setattr(leader, "_FOLD_EVERY", 0.1)
    monkeypatch.setattr(leader, "_AFTER_FAILURE", 0.5)
    url = engine.url(tmp_path / "foreman.db")
    with ExitStack() as stopping:
        started = []
        for _ in range(2):
            node = Leader(url)
            node.start()
            stopping.callback(node.stop)
            started.append(node)
            until(started[0].leads)
        yield started


def test_one_node_leads_and_another_one_when_it_stops(nodes: list[Leader]) -> None:
    first, second = nodes
    assert not second.leads()
    first.stop()
    assert not first.leads()
    until(second.leads)


def test_another_node_leads_when_the_leaders_session_ends(nodes: list[Leader], tmp_path: Path) -> None:
    first, second = nodes
    with engine.cluster.connect() as connection:
        connection.execute(
            """
            SELECT pg_terminate_backend(pid, 10000)
            FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND datname = %s
            """,
            (engine.name(tmp_path / "foreman.db"),),
        )
    until(second.leads)
    until(lambda: not first.leads())


def test_another_node_leads_when_the_leader_fails_in_an_unforeseen_way(
    nodes: list[Leader], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes

    def fold(connection: "psycopg.Connection[object]") -> None:
        if connection is first._connection:
            raise ValueError("unforeseen")

    monkeypatch.setattr(leader, "fold", fold)
    until(second.leads)
    assert not first.leads()
    assert first._thread.is_alive()


def test_failure_is_logged_once_and_so_is_its_end(
    nodes: list[Leader], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", leader.__name__)
    attempts: list[int] = []

    def follow_clock(_: "psycopg.Connection[object]") -> None:
        attempts.append(1)
        if len(attempts) < 6:
            raise psycopg.OperationalError("it is as in a test")

    def said(text: str) -> int:
        return sum(text in record.message for record in caplog.records)

    monkeypatch.setattr(leader, "_AFTER_FAILURE", 0.01)
    monkeypatch.setattr(leader, "follow_clock", follow_clock)
    for each in nodes:
        each._look_at_clock = 0.0
    until(lambda: said("PostgreSQL works again"))
    assert said("PostgreSQL fails, and is tried again every second: it is as in a test") <= len(nodes)


def test_the_server_looks_whether_the_leaders_machine_is_still_there(nodes: list[Leader]) -> None:
    def settings() -> list[object]:
        connection = nodes[1]._connection
        if connection is None:
            return []
        return [row for name in NETWORK_OF_SERVER for row in connection.execute(f"SHOW {name}".encode())]

    until(lambda: settings() == [("5",), ("1",), ("3",), ("8000",)])
