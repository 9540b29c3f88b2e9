"""Entries that one statement adds on PostgreSQL leave behind what they would leave if they were added one by one."""

import json
import random
from collections.abc import Sequence
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.api import Json, make_run, make_task
from tests.support.contents import looking, violations_in
from tests.support.running import Running
from tests.support.sessions import other

pytestmark = pytest.mark.postgres

# The seq, run, task, key, tags and time of an entry.
Entry = tuple[int, str, str, str, str, int]

INSERT = """
    INSERT INTO run_data (seq, org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
    SELECT CAST(item ->> 0 AS bigint), org_id, item ->> 0, seq, id, item ->> 2, item ->> 3, '1', item ->> 4,
           CAST(item ->> 5 AS bigint), CAST(item ->> 5 AS bigint)
    FROM json_array_elements(%s) AS item
    JOIN run ON run.id = item ->> 1
    """

LATEST = "SELECT run_seq, tag, key, seq, created_at, entries, in_order FROM run_data_latest"


def insert(session: "psycopg.Connection[Any]", entries: Sequence[Entry]) -> None:
    session.execute(INSERT, [json.dumps(entries)])


def wrong_in(served: Running) -> list[str]:
    """What is wrong with what triggers maintain; the entries themselves have no proper ids here."""
    return [each for each in violations_in(served.location) if each.startswith("run_data_")]


@pytest.fixture
def runs(client: httpx.Client) -> list[tuple[Json, Json]]:
    """Two runs, each with its task."""
    two = [make_run(client) for _ in range(2)]
    return [(run, make_task(client, run)) for run in two]


@pytest.mark.parametrize("seed", range(5))
def test_entries_of_one_statement_are_counted_as_one_by_one(
    served: Running, runs: list[tuple[Json, Json]], seed: int
) -> None:
    chance = random.Random(seed)
    statements: list[list[Entry]] = []
    seqs = list(range(1, 400))
    if seed % 2:
        chance.shuffle(seqs)
    while seqs:
        statement: list[Entry] = []
        for _ in range(min(len(seqs), chance.choice([1, 1, 2, 5, 40]))):
            run, task = chance.choice(runs)
            key, tags = chance.choice("abcdefgh"), json.dumps(chance.sample(["s", "t", "u"], chance.randrange(4)))
            seq = seqs.pop(0)
            at = 1000 + seq if chance.random() < 0.99 else 1000
            statement.append((seq, run["id"], task["id"], key, tags, at))
        statements.append(statement)

    with other(served) as session:
        for statement in statements:
            for entry in statement:
                insert(session, [entry])
        one_by_one = set(session.execute(LATEST))
        session.rollback()
        for statement in statements:
            insert(session, statement)
        assert set(session.execute(LATEST)) == one_by_one
    assert {in_order for *_, in_order in one_by_one} == {0, 1}
    assert wrong_in(served) == []


@pytest.mark.usefixtures("runs")
def test_statement_that_adds_no_entry_changes_nothing(served: Running) -> None:
    with other(served) as session:
        insert(session, [])
    with looking(served.location) as select:
        assert select(LATEST) == []
        assert select("SELECT sum(keys), sum(entries) FROM run_data_count") == [(0, 0)]


@pytest.mark.parametrize("before", [0, 3])
def test_any_entry_whose_task_is_of_another_run_is_refused(
    served: Running, runs: list[tuple[Json, Json]], before: int
) -> None:
    (run, task), (_, foreign) = runs
    entries = [(seq, run["id"], task["id"], "key", "[]", 1) for seq in range(1, before + 1)]
    with other(served) as session, pytest.raises(psycopg.errors.ForeignKeyViolation):
        insert(session, [*entries, (9, run["id"], foreign["id"], "key", "[]", 1)])


def test_entries_of_one_key_change_its_rows_once_and_not_for_each_of_them(
    served: Running, runs: list[tuple[Json, Json]]
) -> None:
    ((run, task), _) = runs
    tags = json.dumps(["a", "b", "c"])
    with other(served) as session:
        for first in (1, 101):
            insert(session, [(seq, run["id"], task["id"], "key", tags, seq) for seq in range(first, first + 100)])
        written = session.execute(
            "SELECT n_tup_ins, n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'run_data_latest'"
        ).fetchone()
    # Four rows are inserted by the first statement and changed by the second; that of all entries once more in each.
    assert written == (4, 6)
    assert wrong_in(served) == []
