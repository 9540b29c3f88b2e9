"""Every statement of the application can be answered by an index on PostgreSQL, too.

PostgreSQL says how it would answer each statement if reading a table as a whole were forbidden. What is left then is
what no index can answer. Which plan it really takes depends on what it knows about the rows.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from foreman.config import Settings
from foreman.db.postgres.database import Postgres
from tests.db.sweep import PATHS, Statement, Sweep, fill, record_statements, send_all_kinds_of_requests
from tests.support.contents import change
from tests.support.engines import engine
from tests.support.running import running

pytestmark = [pytest.mark.proof, pytest.mark.postgres]

Node = dict[str, Any]

# Tables that grow with what is stored. The others have a row for each organisation, or only those of the last second.
LARGE = {
    "run", "task", "run_data", "run_data_tag", "run_data_latest", "api_key", "run_task_total", "run_data_total",
    "run_tag", "task_tag", "run_metadata", "task_metadata",
}  # fmt: skip

# Scans of these tables that are meant: by file, table.
SCANS = {
    ("monitoring/health.py", "run"): "stops at the first row",
    ("background/metadata_paths.py", "run"): "the newest is the first from behind",
    ("background/metadata_paths.py", "task"): "the newest is the first from behind",
    ("api/acts/steps.py", "task"): "stops at the newest task",
    ("api/acts/steps.py", "run"): "stops at the newest run",
    ("auth/keys.py", "api_key"): "`keys list` shows every key; whether there is any is known at the first row",
    ("monitoring/stats.py", "api_key"): "a row for each key, when a person asks",
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    sweep = Sweep()
    file = tmp_path_factory.mktemp("plans") / "foreman.db"
    with engine.forgotten():
        with (
            pytest.MonkeyPatch.context() as patched,
            running(file, threads=1, metadata_paths=PATHS) as served,
            served.client() as client,
        ):
            fill(served)
            fill_every_run(served.location)
            change(served.location, "ANALYZE")
            record_statements(sweep, patched)
            send_all_kinds_of_requests(sweep, served, client)
        change(engine.url(file), "ANALYZE")
        database = engine.open(file, Settings(database=engine.url(file)))
        assert isinstance(database, Postgres)
        with database.write() as tx:
            for setting in ("enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off", "work_mem = 64"):
                tx.run(f"SET LOCAL {setting}")  # the last one: no table fits into memory, as none does that is large
            for statement in sweep.statements.values():
                text = tx.value(f"EXPLAIN (FORMAT JSON) {statement.sql}", **statement.values)
                (explained,) = text if isinstance(text, list) else json.loads(text)
                statement.plan = list(nodes(explained["Plan"]))
        database.close()
        yield sweep


def fill_every_run(location: str) -> None:
    """Add a task and an entry to each run, or the planner takes one run to have nearly everything."""
    change(
        location,
        """
        INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries, created_at, updated_at)
        SELECT org_id, 'of ' || id, seq, id, 'common', 'pending', '1', 3, 1, 1 FROM run;
        INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
        SELECT org_id, 'of ' || id, seq, id, 'of ' || id, 'common', '1', '["common"]', 1, 1 FROM run
        """,
    )


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for each in plan.get("Plans", []):
        yield from nodes(each)


def is_meant(statement: Statement, node: Node) -> bool:
    return (statement.file, node["Relation Name"]) in SCANS


def test_statements_of_all_kinds_were_recorded(sweep: Sweep) -> None:
    assert len(sweep.statements) > 100
    assert {"api/runs.py", "api/tasks.py", "auth/keys.py", "maintenance/prune.py", "db/removal.py"} <= {
        statement.file for statement in sweep.statements.values()
    }


def test_no_statement_needs_to_read_a_whole_table(sweep: Sweep) -> None:
    assert [
        (node["Relation Name"], str(statement))
        for statement in sweep.statements.values()
        for node in statement.plan
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE and not is_meant(statement, node)
    ] == []


def test_no_statement_needs_to_read_a_whole_index(sweep: Sweep) -> None:
    """That would be no better."""
    assert [
        (node.get("Relation Name"), node["Index Name"], str(statement))
        for statement in sweep.statements.values()
        for node in statement.plan
        if "Index Name" in node
        and "Index Cond" not in node
        and (node.get("Relation Name") or node["Index Name"].partition("_by_")[0]) in LARGE
        and not is_meant(statement, node)
    ] == []


def test_no_statement_takes_what_is_discouraged(sweep: Sweep) -> None:
    """Up to PostgreSQL 17 its price hides all other costs: then an index may be chosen for its order alone."""
    assert [
        str(statement)
        for statement in sweep.statements.values()
        for node in statement.plan
        if node["Total Cost"] > 1e9 or node.get("Disabled")
    ] == []
