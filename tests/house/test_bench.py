"""The benchmark's own statistics and report, and one tiny run of it. No figure is asserted: those are the machine's."""

import random
from pathlib import Path

import pytest

from bench import benchmark, contents, data, engines, load
from bench.benchmark import Plan
from bench.cases import Case, with_key
from bench.cores import PINNED, UNPINNED, pinnings
from bench.footprint import Footprint
from bench.forms import PAGES
from bench.load import Measurement, PurePython
from bench.report import Report, table
from bench.results import Place, Results, Sample, Spread, p50, p99, rate
from bench.schedule import Unit, chunks
from bench.targets import outcomes
from bench.traffic import Request, Script
from foreman.maintenance.check import check

pytestmark = pytest.mark.sqlite

FLOOR, CASE = Place("floor GET", "floor", 16), Place("get run", "work", 16)


def sample(place: Place, chunk: int, per_second: int) -> Sample:
    return Sample(place, chunk, Measurement(per_second, 1.0, 1.0, 2.0, 0))


def test_what_wrk_reports_is_read() -> None:
    output = "Running 10m test\nRESULT 1200 500000 1500 7000 3 42\nRequests/sec: 1\n"
    assert load.parse_wrk(output) == (Measurement(1200, 0.5, 1.5, 7.0, 3), 42)


def test_wrk_that_reports_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        load.parse_wrk("unable to connect to 127.0.0.1")


@pytest.mark.parametrize(("part", "value"), [(0, 1.0), (50, 3.0), (99, 4.0), (100, 4.0)])
def test_percentile(part: float, value: float) -> None:
    assert load.percentile([1.0, 2.0, 3.0, 4.0], part) == value


def test_ratio_compares_only_what_shares_a_chunk() -> None:
    samples = [sample(FLOOR, 1, 1000), sample(CASE, 1, 500), sample(FLOOR, 2, 100), sample(CASE, 2, 75)]
    results = Results([*samples, sample(CASE, 3, 7)])
    assert results.ratio(CASE, FLOOR, rate) == Spread(0.625, 0.5, 0.75)
    assert results.ratio(Place("other", "work", 16), FLOOR, rate) is None


def test_measurement_without_answers_has_a_rate_but_no_latency() -> None:
    results = Results([sample(FLOOR, 1, 1000), sample(CASE, 1, 0), sample(FLOOR, 2, 1000), sample(CASE, 2, 500)])
    assert results.typical(CASE, rate) == 250
    assert results.typical(CASE, p50) == 1.0
    assert results.ratio(CASE, FLOOR, p50) == Spread(1.0, 1.0, 1.0)
    nothing = Results([sample(FLOOR, 1, 1000), sample(CASE, 1, 0)])
    assert (nothing.typical(CASE, p99), nothing.ratio(CASE, FLOOR, p50)) == (None, None)


def test_outcome_is_met_missed_or_not_measured() -> None:
    results = Results([sample(FLOOR, 1, 1000), sample(CASE, 1, 800)])
    met = {outcome.what: outcome.met for outcome in outcomes(results, Footprint(idle=71), [10_000])}
    assert met["get run: relative to floor GET"] is True
    assert met["resident memory, idle"] is False
    assert met["get task: relative to floor GET"] is None


def test_script_goes_on_where_it_stopped() -> None:
    requests = [Request("GET", f"/{number}") for number in range(3)]
    assert Script(requests, position=4).upcoming(1) == (requests, 1)
    assert not Script(requests, once=True).lasts(1)


def test_request_on_the_wire() -> None:
    raw = Request("POST", "/x", b"{}").raw("h:1", "k")
    assert raw.startswith(b"POST /x HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer k\r\n")
    assert raw.endswith(b"Content-Length: 2\r\n\r\n{}")


def test_every_floored_chunk_has_the_floor_and_nothing_is_left_out() -> None:
    floor = Case("floor GET", "floor", None)
    floored = [Unit("operations", (Case(str(number), "work", None),), 1, 0.1, floored=True) for number in range(8)]
    pair = Unit("limiter", (Case("a", "work", None), Case("b", "work", None)), 16, 0.1, repeat=2)
    found = [[case.name for case in chunk.cases] for chunk in chunks([*floored, pair], [floor], random.Random(1))]
    assert sum(names.count("floor GET") for names in found) == 2
    assert sorted(name for names in found for name in names if name.isdigit()) == list("01234567")
    assert sum(sorted(names) == ["a", "b"] for names in found) == 2


def test_pinned_and_unpinned_share_no_chunk_but_each_has_the_floor() -> None:
    case, floor = Case("get run", "work", None), Case("floor GET", "floor", None)
    units = [Unit("any", (case,), 1, 0.1, floored=True, pinning=pinning) for pinning in (PINNED, UNPINNED)]
    found = chunks(units, [floor], random.Random(1))
    assert sorted(chunk.pinning for chunk in found) == [PINNED, UNPINNED]
    assert all(len(chunk.cases) == 2 for chunk in found)


@pytest.mark.parametrize("entries", [10_000, 50_000])
def test_fixed_keys_and_rare_tags_do_not_grow(entries: int) -> None:
    keys = [contents.key_of(number, entries) for number in range(entries)]
    assert len(set(keys)) == contents.KEYS
    assert {keys.count(number) for number in (900, 950, 999)} == {contents.ENTRIES_PER_FIXED_KEY}
    dice = random.Random(1)
    tags = [contents.tags_of(number, entries, dice) for number in range(entries)]
    tagged = [number for number in range(entries) if "rare-both" in tags[number]]
    assert len({keys[number] for number in tagged}) == len(tagged) == 100
    assert sum("pair-a" in each for each in tags) == sum("pair-b" in each for each in tags) == 200
    assert sum({"pair-a", "pair-b"} <= {*each} for each in tags) == 200


def test_loaded_databases_are_sound(tmp_path: Path) -> None:
    first = data.load_sized(tmp_path / "first.db", 10_000, "acme", lambda _: None)
    data.load_work(first.path, "acme", 5, 5)
    data.bytes_per_entry(tmp_path / "disk.db", 10, 100, 3)
    assert check(first.path) == check(tmp_path / "disk.db") == []


@pytest.mark.long
def test_benchmark_fails_when_a_database_is_unsound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(sizes=(10_000,), rounds=1, seconds=0.1, sized_seconds=0.1, rows=20, deletions=1500)
    monkeypatch.setattr(data, "check", lambda _: ["started: it is running"] * 2)
    with pytest.raises(engines.Unsound, match=r"^work.db is not sound: 2 violations, such as started: it is running$"):
        benchmark.run(plan, tmp_path, PurePython(), lambda _: None)


def test_table() -> None:
    assert table(["a", "b"], [["1", "2"]], "lr") == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


@pytest.mark.long
def test_tiny_run_with_the_pure_python_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    verify = data.verify

    def verify_(path: Path) -> None:
        checked.append(path.name)
        verify(path)

    monkeypatch.setattr(data, "verify", verify_)
    plan = Plan(sizes=(10_000,), rounds=1, seconds=0.1, sized_seconds=0.1, rows=20, deletions=1500)
    only = ["get run", "create run", "delete run data by id", "workflow", *PAGES]
    measured = benchmark.run(plan, tmp_path, PurePython(), lambda _: None, only)
    assert {place.name for place in measured.results.places()} == {
        *only,
        with_key("create run"),
        "floor GET",
        "floor POST",
    }
    assert all(measured.results.errors(place) == 0 for place in measured.results.places())
    assert checked == ["work.db", "10000.db", "commit-each.db", "unlimited.db", "work.db"]

    report = Report(
        measured.results, measured.footprint, outcomes(measured.results, measured.footprint, [10_000]),
        measured.operations, measured.sized, [("Python", "3")], 1, 0.1, True, ("a.svg", "b.svg"),
    )  # fmt: skip
    text = report.text()
    assert "| get run: relative to floor GET | ≥ 0.75 |" in text
    assert ("### 16 connections, one core" in text) == (PINNED in pinnings())
    assert str(tmp_path) not in text
