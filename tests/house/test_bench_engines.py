"""The benchmark's comparison of PostgreSQL with SQLite. No figure of the machine is asserted."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import data, engine_comparison, engines, nodes, postgres
from bench.cases import Case
from bench.engine_comparison import DISPATCHERS, READS, WRITES, Measured, Plan
from bench.engine_report import EngineReport
from bench.load import Measurement, PurePython
from bench.nodes import ONE, TWO, Loads
from bench.report import ON_POSTGRES, kept_section
from bench.results import Place, Results, Sample
from bench.shares import Groups, Shares, between
from bench.traffic import Request, Script
from foreman.maintenance.opening import reading

TINY = Plan(sizes=(10_000,), rounds=1, seconds=0.1, sized_seconds=0.1, rows=40, deletions=1500)


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_shares_of_the_processor_are_those_of_each_group() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ntime.sleep(600)"
    groups = Groups([], os.getpid())  # this process and its children stand in for PostgreSQL, too
    before = groups.spent()
    child = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE)
    try:
        spin(0.2)
        assert child.stdout is not None
        child.stdout.readline()
        node = Groups([child.pid], os.getpid()).spent()
        after = groups.spent()
    finally:
        child.kill()
        child.communicate()
    assert node.nodes > 0.25
    assert after.postgres - before.postgres > 0.45
    assert 0.15 < after.generator - before.generator < after.postgres - before.postgres
    assert groups.spent().postgres > after.postgres - 0.05  # what has ended still counts, in ticks of 10 ms


def test_shares_between_two_moments_are_parts_of_one() -> None:
    before, after = Shares(1, 2, 3, 4, 5), Shares(2, 4, 3, 5, 5)
    assert between(before, after) == Shares(0.25, 0.5, 0, 0.25, 0)
    assert between(before, before) == Shares(0, 0, 0, 0, 0)


def test_load_is_split_into_requests_that_no_two_nodes_share() -> None:
    requests = [Request("GET", f"/{number}") for number in range(5)]
    first, second = nodes.split(Case("get run", "any", Script(requests)), 2)
    assert first.script is not None
    assert second.script is not None
    assert (first.script.requests, second.script.requests) == (requests[::2], requests[1::2])
    same = nodes.split(Case("create run", "any", Script(requests[:1])), 2)
    assert [each.script.requests for each in same if each.script] == [requests[:1]] * 2


def test_simultaneous_measurements_add_up() -> None:
    both = nodes.together([Measurement(100, 1.0, 1.0, 5.0, 1), Measurement(300, 1.0, 3.0, 4.0, 0)])
    assert both == Measurement(400, 1.0, 2.0, 5.0, 1)


def test_report_marks_what_misses_its_target() -> None:
    def samples(name: str, values: dict[str, int], connections: int) -> list[Sample]:
        return [
            Sample(Place(name, server, connections), 1, Measurement(count, 1, 1000 / count, 9, 0))
            for server, count in values.items()
        ]

    operations = [Case("get run", "", None), Case("create run", "", None, floor="floor POST")]
    results = Results(
        [
            *samples("get run", {"PostgreSQL": 400, "SQLite": 1000}, 16),
            *samples("create run", {"PostgreSQL": 400, "SQLite": 1000}, 16),
            *samples("create run", {"PostgreSQL": 900, "SQLite": 1000}, 1),
            *samples("list runs", {"10000": 1000, "50000": 400}, 1),
            *samples("key, latest per key", {"10000": 1000, "50000": 800}, 1),
            *samples("get run", {name: 100 * (nth + 1) for nth, (name, _, _) in enumerate(DISPATCHERS)}, 16),
        ]
    )
    split = Results(samples("get run", {ONE: 100, TWO: 150}, 32))
    shares = {Place("get run", name, 32): [Shares(0.5, 0.25, 0.1, 0.1, 0.05)] for name in (ONE, TWO)}
    measured = Measured(results, operations, [10_000, 50_000], Loads(split, shares))
    report = EngineReport(measured, 1, 0.1, 10, True, [("Python", "3")])
    text = report.text()
    assert "| get run | read | 0.400 | - | ≥ 0.5 | **no** |" in text
    assert "| create run | write | 0.400 | 0.900 | ≥ 0.4 | yes |" in text
    assert "worst query (key, latest per key) | ≤ 2 | 1.25 | yes |" in text
    assert "| p50 of list runs: 50,000 runs relative to 10,000 | ≤ 2 | 2.50 | **no** |" in text
    assert "| get run | 2 nodes | 150 | 6.67 | 0 | 50% | 25% | 10% | 10% | 5% | 1.50 |" in text
    assert "| get run | 16 | 100 | 200 | 300 | 400 | 3.00 |" in text
    assert report.section() in text


def test_section_about_postgresql_is_kept() -> None:
    section = f"{ON_POSTGRES}\n\nSlower.\n\n### Two nodes\n\nFaster.\n"
    assert kept_section(f"# Performance\n\nText.\n\n{section}\n## Machine\n\nOne.\n") == section
    assert kept_section("# Performance\n") == ""


@pytest.mark.postgres
def test_loaded_database_on_postgresql_is_sound_and_its_counts_are_folded(tmp_path: Path) -> None:
    with postgres.running() as server:
        path = tmp_path / "first.db"
        data.load_work(path, "acme", 5, 600, server)
        engines.verify(server, path)
        with reading(server.url(path)) as found:
            assert found.tx.value("SELECT sum(entries) FROM run_data_total") == 5 + 1 + 2 * 600
            assert found.tx.value("SELECT count(*) FROM run_data_change") == 0
            assert found.tx.value("SELECT current_setting('fsync')") == "on"


@pytest.mark.long
@pytest.mark.postgres
def test_tiny_comparison_of_the_engines(tmp_path: Path) -> None:
    only = ["get run", "create run", "delete run data by id", "workflow", "key, latest per key", "nodes", "dispatcher"]
    with postgres.running() as server:
        measured = engine_comparison.run(TINY, server, tmp_path, PurePython(), lambda _: None, only)
    places = measured.results.places()
    assert all(measured.results.errors(place) == 0 for place in places)
    assert {place.name for place in places} == {*only[:5], *READS, *WRITES}
    assert {place.server for place in places} == {
        "PostgreSQL", "SQLite", "10000", *(name for name, _, _ in DISPATCHERS),
    }  # fmt: skip
    split = measured.loads.results
    assert {(place.name, place.server) for place in split.places()} == {
        (name, servers) for name in (*READS, *WRITES) for servers in (ONE, TWO)
    }
    assert all(split.errors(place) == 0 for place in split.places())
    assert all(0.5 < sum(vars(shares).values()) < 1.5 for each in measured.loads.shares.values() for shares in each)
    assert "| create run | write |" in EngineReport(measured, 1, 0.1, 40, True, []).text()
