"""A request's cost follows its answer, not the size of the database.

Every statement that the application runs is recorded while requests of all kinds are sent, to a database with many
rows that do not match any of them. SQLite says how it would answer each statement, and how much work each request was.
"""

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from foreman.db.sqlite import SCHEMA
from tests.db.sweep import (
    NARROWED,
    NARROWED_CHILDREN,
    OTHERS,
    PATHS,
    STEPS_AT_ONCE,
    WHERE_STATEMENTS_PASS,
    Statement,
    Sweep,
    fill,
    record_statements,
    send_all_kinds_of_requests,
)
from tests.support.running import running
from tests.support.source import modules, name_of, tree_of

pytestmark = [pytest.mark.proof, pytest.mark.sqlite]

RUNS_A_STATEMENT = re.compile(r"(tx|db)\.(one|all|each|value|run|locked|lock_rows|held)|read_page")


@dataclass(frozen=True)
class Step:
    """One line of SQLite's plan (https://www.sqlite.org/eqp.html), and the number of the line that it is part of."""

    detail: str
    part_of: int


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    sweep = Sweep()
    file = tmp_path_factory.mktemp("plans") / "foreman.db"
    with pytest.MonkeyPatch.context() as patched:

        class Counted(sqlite3.Connection):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                super().set_progress_handler(sweep.count, STEPS_AT_ONCE)

            def set_progress_handler(self, *_: object) -> None:
                """The one that counts stays."""

        patched.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Counted))
        with running(file, threads=1, metadata_paths=PATHS) as served, served.client() as client:
            fill(served)
            record_statements(sweep, patched)
            send_all_kinds_of_requests(sweep, served, client)
    with closing(sqlite3.connect(file)) as connection:
        for statement in sweep.statements.values():
            statement.plan = plan_of(connection, statement.sql, statement.values)
        yield sweep


def plan_of(connection: sqlite3.Connection, sql: str, values: dict[str, Any]) -> list[Step]:
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)
    return [Step(detail, part_of) for _, part_of, _, detail in rows]


# Plans --------------------------------------------------------------------------------------------------------------


def test_every_statement_in_the_source_was_recorded(sweep: Sweep) -> None:
    calls = [
        (name_of(file), call)
        for file in modules()
        if name_of(file) not in WHERE_STATEMENTS_PASS
        for call in ast.walk(tree_of(file))
        if isinstance(call, ast.Call) and RUNS_A_STATEMENT.fullmatch(ast.unparse(call.func))
    ]
    assert len(calls) > 20
    missing = [
        f"{file}:{call.lineno}"
        for file, call in calls
        if not any((file, line) in sweep.lines for line in range(call.lineno, (call.end_lineno or 0) + 1))
    ]
    assert missing == []


# What a plan may walk through: lists in the request, constants, and results of subqueries, which other steps bound.
BOUNDED = re.compile(
    r"""
    SCAN\ (
        \w+\ VIRTUAL\ TABLE\ INDEX\ .*     # json_each: the only virtual table there is
        | (\d+\ )?CONSTANT\ ROWS? | \d+-ROW\ VALUES\ CLAUSE
        | \(subquery-\d+\)
        | counted | cut | few | found | page(\ LEFT-JOIN)? | last | matching | ranked | wanted(_key|_tag)?
        | some | any_run | tag
        | item                             # those of the request
        | act\ USING\ INDEX\ act_to_do     # those that are not completed: an organisation has at most 100
        | metadata_path                    # those that the settings declare
    )
    """,
    re.VERBOSE,
)

# Scans of tables that are meant.
SCANS = {
    ("monitoring/health.py", "SCAN run"): "stops at the first row",
    ("background/idempotency.py", "SCAN idempotency_key"): "stops after a few rows",
    ("maintenance/prune.py", "SCAN run_count"): "a row for each organisation and status",
    ("background/metadata_paths.py", "SCAN run_count"): "a row for each organisation and status",
    ("monitoring/counts.py", "SCAN run_count"): "a row for each organisation and status",
    ("monitoring/counts.py", "SCAN organisation"): "a row for each organisation",
    ("monitoring/stats.py", "SCAN run_count"): "a row for each organisation and status",
    ("monitoring/stats.py", "SCAN api_key"): "a row for each key, when a person asks",
    ("background/acts.py", "SCAN act"): "the acts that are not completed; once an hour, all that there are",
    ("auth/keys.py", "SCAN api_key"): "`keys list` shows every key; whether there is any is known at the first row",
}


def test_no_statement_scans_a_table(sweep: Sweep) -> None:
    scans = [
        (step.detail, str(statement))
        for statement in sweep.statements.values()
        for step in statement.plan
        if step.detail.startswith("SCAN")
        and not BOUNDED.fullmatch(step.detail)
        and (statement.file, " ".join(step.detail.split()[:2])) not in SCANS
    ]
    assert scans == []


def test_rows_named_by_their_seq_are_looked_up_by_it(sweep: Sweep) -> None:
    """SQLite might as well go through all tasks of the organisation, in an index that begins with it."""
    named = [
        each
        for each in sweep.statements.values()
        if re.search(r"\bseq IN \(SELECT CAST\(value AS BIGINT\) FROM json_each", each.sql)
    ]
    assert named
    for statement in named:
        assert any("INTEGER PRIMARY KEY (rowid=?)" in step.detail for step in statement.plan), str(statement)


# Sorts and temporary tables that are meant: of what, by the file of the statement and the plan's line.
SORTS = {
    ("api/tasks.py", "USE TEMP B-TREE FOR ORDER BY"): "the tasks that match, in an order that their index is not in",
    ("api/runs.py", "USE TEMP B-TREE FOR ORDER BY"): "the runs that match, in an order that their index is not in",
    ("api/runs.py", "USE TEMP B-TREE FOR GROUP BY"): "the runs with any of the wanted prefixes of tags",
    ("api/runs.py", "USE TEMP B-TREE FOR count(DISTINCT)"): "the wanted prefixes that one run has",
    ("api/tasks.py", "USE TEMP B-TREE FOR GROUP BY"): "the tasks with any of the wanted prefixes of tags",
    ("api/tasks.py", "USE TEMP B-TREE FOR count(DISTINCT)"): "the wanted prefixes that one task has",
    ("api/acts/steps.py", "USE TEMP B-TREE FOR ORDER BY"): "what matches, in an order that its index is not in",
    ("db/removal.py", "USE TEMP B-TREE FOR ORDER BY"): "all tasks of the run, which are deleted in that order",
    ("api/acts/cancel_and_retry.py", "USE TEMP B-TREE FOR ORDER BY"): "the tasks to be changed: only PostgreSQL locks",
    ("background/metadata_paths.py", "USE TEMP B-TREE FOR ORDER BY"): "the rows to be read: only PostgreSQL locks",
    ("monitoring/counts.py", "USE TEMP B-TREE FOR GROUP BY"): "a row for each organisation and status",
    ("api/run_data.py", "USE TEMP B-TREE FOR ORDER BY"): "the matches, to find the page or the newest of each key; or "
    "the wanted tags, to find the rarest",
    ("api/run_data.py", "USE TEMP B-TREE FOR PART OF ORDER BY"): "the matches of one key, to find the newest",
    ("api/run_data.py", "USE TEMP B-TREE FOR DISTINCT"): "the matches, which may match for several tags",
    ("api/run_data.py", "USE TEMP B-TREE FOR GROUP BY"): "the entries with any of the wanted prefixes",
    ("api/run_data.py", "USE TEMP B-TREE FOR count(DISTINCT)"): "the wanted prefixes that one entry has",
    ("api/run_data.py", "UNION USING TEMP B-TREE"): "the keys that the key filters select",
    ("api/run_data.py", "INTERSECT USING TEMP B-TREE"): "the entries that the tag filters select",
}


def sorts_a_page_at_most(plan: list[Step], sort: Step) -> bool:
    """Whether it sorts only what a subquery with a limit returns: of `WalkLast` and `numbered` in http/paging/walks.py.

    That subquery may not sort itself: its own sort would be a part of it, beside something else.
    """
    beside = [step.detail for step in plan if step.part_of == sort.part_of and step is not sort]
    limited = [[f"CO-ROUTINE {name}", f"SCAN {name}"] for name in ("last", "cut")]
    return sort.detail == "USE TEMP B-TREE FOR ORDER BY" and beside in limited


def sorts(statement: Statement) -> list[str]:
    found = [
        step
        for step in statement.plan
        if "TEMP B-TREE" in step.detail and not sorts_a_page_at_most(statement.plan, step)
    ]
    # The right part, the last term, the last 2 terms: as versions of SQLite say it.
    return [re.sub(r"(RIGHT PART|LAST( \d+)? TERMS?) OF", "PART OF", step.detail) for step in found]


def test_no_statement_sorts_but_those_that_are_meant(sweep: Sweep) -> None:
    assert [
        (sort, str(statement))
        for statement in sweep.statements.values()
        for sort in sorts(statement)
        if (statement.file, sort) not in SORTS
    ] == []


INDEXED = [
    r"/runs\?(status=\w+&)?(cursor=&)?sortBy=.*",
    r"/runs\?(status=\w+&)?createdAfter=[^&]*&sortBy=created_at&.*",
    r"/tasks\?(cursor=&)?sortBy=.*",
    r"/tasks\?updatedBefore=[^&]*&(cursor=&)?sortBy=updated_at&.*",
    r"/runs/RUN/tasks\?parentTaskId=none&.*sortBy=created_at&.*",
    r"/(runs|tasks)\?tags=rare&tagMode=\w+&sortBy=created_at&.*",
    r"/(runs|tasks)\?tagMode=\w+&metadata.n=2&sortBy=created_at&.*",
    r"/tasks\?tags=rare&tagMode=\w+&runId=RUN&sortBy=created_at&.*",
    r"/runs/RUN/(keys|tags|tree).*",
    r"/tasks\?(runId|parentTaskId|type|status)=[\w%]+&sortBy=created_at&.*",
    r"/tasks\?runId=\w+&status=[\w%]+&sortBy=created_at&.*",
    r"/runs/RUN/data\?tagMode=any&includeAll=true&.*",
    r"/runs/RUN/data\?tagMode=any&includeAll=false&sortBy=(created_at|key)&.*",
    r"/runs/RUN/data\?keys=rarer&tagMode=any&includeAll=true&sortBy=(created_at|key)&.*",
]


@pytest.mark.parametrize("requests", INDEXED)
def test_lists_in_the_order_of_an_index_sort_nothing(sweep: Sweep, requests: str) -> None:
    about = [each for each in sweep.statements.values() if re.fullmatch(f"GET {requests}", each.request)]
    assert about
    assert {sort for statement in about for sort in sorts(statement)} == set()


def triggers() -> dict[str, list[str]]:
    """The statements of each trigger, with parameters for the values of the old and the new row."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    bodies = {name: re.sub(r"--.*", "", sql).split("BEGIN", 1)[1].rsplit("END", 1)[0] for name, sql in found}
    # raise() is for triggers only.
    bodies = {name: re.sub(r"\braise\(ABORT, '[^']*'\)", "1", body) for name, body in bodies.items()}
    return {
        name: [re.sub(r"\b(new|old)\.(\w+)", r":\1_\2", each) for each in body.split(";") if each.strip()]
        for name, body in bodies.items()
    }


@pytest.mark.parametrize("name", triggers())
def test_triggers_scan_nothing_and_sort_only_the_tags_of_an_entry(name: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        for statement in triggers()[name]:
            values = dict.fromkeys(re.findall(r":(\w+)", statement), "[]")
            plan = plan_of(connection, statement, values)
            for step in plan:
                assert not step.detail.startswith("SCAN") or BOUNDED.fullmatch(step.detail), statement
                assert "TEMP B-TREE" not in step.detail or subtracts(step, plan), statement


def subtracts(step: Step, plan: list[Step]) -> bool:
    """Whether a sort is a part of EXCEPT, which SQLite carries out in one way or, from 3.53 on, by merging."""
    return step.detail == "EXCEPT USING TEMP B-TREE" or any(each.detail == "MERGE (EXCEPT)" for each in plan)


# Work ---------------------------------------------------------------------------------------------------------------

# Requests that may look at more rows than they answer.
DEAR = {
    r"GET /runs/RUN/data\?tagMode=\w+&includeAll=false&sortBy=updated_at&.*": "everything matches: the newest entry of "
    "every key of the run is looked at, because tags change when entries were updated",
}


@pytest.mark.parametrize(
    "requests",
    [
        r"GET /runs\?.*",
        r"GET /tasks\?sortBy=.*",
        r"GET /tasks\?(runId|parentTaskId)=.*",
        r"GET /tasks\?(type|status)=.*",
        r"GET /runs/RUN/data\?tagMode=.*",
        r"GET /runs/RUN/data\?key.*&tagMode=any&.*",
        r"GET /runs/RUN/data\?key.*&tagMode=all&.*",
        r"GET /runs/RUN/data\?tag(s|StartsWith)=.*",
        r"GET /[\w/]+",
        r"POST .*",
        r"PATCH .*",
        r"DELETE .*",
    ],
)
def test_work_does_not_grow_with_rows_that_do_not_match(sweep: Sweep, requests: str) -> None:
    about = {
        request: steps
        for request, steps in sweep.steps.items()
        if re.fullmatch(requests, request) and "common" not in request
    }
    assert about
    dear = [
        (steps, request)
        for request, steps in about.items()
        if steps > 1.5 * OTHERS and not any(re.fullmatch(meant, request) for meant in DEAR)
    ]
    assert sorted(dear, reverse=True)[:5] == [], f"{len(dear)} of {len(about)}"


@pytest.mark.parametrize("query", NARROWED)
def test_work_does_not_grow_with_rows_that_only_one_of_two_filters_matches(sweep: Sweep, query: str) -> None:
    counting = 20_000 if "tagMode=all" in query else 0  # up to 1,000 entries of each tag, to find the rarest
    assert sweep.steps[f"GET /runs/RUN/data?{query}"] < counting + OTHERS


@pytest.mark.parametrize("query", NARROWED_CHILDREN)
def test_children_are_not_looked_for_among_all_tasks_of_their_type_and_status(sweep: Sweep, query: str) -> None:
    assert sweep.steps[f"GET /tasks?parentTaskId=PARENT&{query}"] < OTHERS
    assert sweep.steps[f"GET /tasks?runId=RUN&parentTaskId=PARENT&{query}"] < OTHERS
