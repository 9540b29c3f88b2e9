"""The benchmark's comparison with another tree, and its count of pages. No figure of the machine is asserted."""

import importlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from bench import comparison, pages, trees
from bench.comparison import Compared, Plan
from bench.comparison_report import ComparisonReport
from bench.cores import PINNED, UNPINNED, pinnings
from bench.load import Measurement, PurePython
from bench.pages import Written
from bench.results import Place, Results, Sample
from bench.servers import ROOT
from bench.trees import THIS
from bench.wal import WriteAheadLog

pytestmark = pytest.mark.sqlite

TINY = Plan(rounds=1, seconds=0.1, rows=20, deletions=1500, grown=30, commits=2)

needs_git = pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None,
    reason="these are files without their repository, or git is not installed",
)


@pytest.fixture
def command() -> ModuleType:
    """The command, which needs what `make bench` installs for its plots."""
    pytest.importorskip("matplotlib")
    return importlib.import_module("bench.__main__")


@pytest.fixture
def connection(tmp_path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    for statement in (
        "PRAGMA page_size = 4096",
        "PRAGMA journal_mode = WAL",
        "CREATE TABLE t (x)",
        "CREATE TABLE u (x)",
    ):
        connection.execute(statement)
    return connection


def insert(connection: sqlite3.Connection, *tables: str) -> None:
    connection.execute("BEGIN")
    for table in tables:
        connection.execute(f"INSERT INTO {table} VALUES (1)")
    connection.execute("COMMIT")


def test_log_tells_the_pages_of_each_commit(connection: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(connection), WriteAheadLog(tmp_path / "x.db") as log:
        assert log.commits() == []
        insert(connection, "t")
        insert(connection, "t", "u")
        assert log.commits() == [1, 2]
        assert log.page_bytes == 4096
        assert log.commits() == []


def test_log_that_begins_anew_after_a_checkpoint_is_counted_from_its_beginning(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    with closing(connection), WriteAheadLog(tmp_path / "x.db") as log:
        for _ in range(3):
            insert(connection, "t", "u")
        assert log.commits() == [2, 2, 2]
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        insert(connection, "u")
        assert log.commits() == [1]  # not what is left over behind it


def test_written_has_means() -> None:
    written = Written([10, 12], 4096)
    assert (written.mean, written.bytes) == (11, 11 * 4120)


def test_revision_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    for revision in ("no-such-revision", "--help"):
        with pytest.raises(trees.NoSuchRevision, match=revision):
            trees.check_out(revision, tmp_path / "base")


def test_revision_cannot_be_checked_out_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(trees.NoSuchRevision, match="git is not installed"):
        trees.check_out("HEAD", tmp_path / "base")


@needs_git
def test_revision_is_checked_out_without_a_trace_in_the_repository(tmp_path: Path) -> None:
    worktrees = sorted((ROOT / ".git").glob("worktrees/*"))
    base = trees.check_out("HEAD", tmp_path / "base")
    assert (base.name, base.root) == ("base", tmp_path / "base")
    assert (base.root / "foreman" / "factory.py").is_file()
    assert sorted((ROOT / ".git").glob("worktrees/*")) == worktrees


@pytest.mark.long
def test_grown_database_has_runs_that_ended_and_runs_that_wait(tmp_path: Path) -> None:
    found = THIS.fill(tmp_path / "grown.db", "grown", rows=40, entries=1000).wait()
    assert len(found["pending"]) + len(found["ended"]) == 40
    assert len(found["ended"]) > len(found["pending"]) > 0
    assert len({run_id for run_id, _, _ in found["large"]}) == 1
    THIS.verify(tmp_path / "grown.db")
    written = pages.measure(THIS, tmp_path / "grown.db", found, 2)
    assert [*written] == [*pages.NAMES]
    assert all(min(each.pages) > 0 and each.page_bytes == 4096 for each in written.values())


def test_report_has_the_ratios_of_rate_and_of_latency() -> None:
    def samples(connections: int, this: Measurement, base: Measurement) -> list[Sample]:
        both = (("this", this), ("base", base))
        return [Sample(Place("get run", tree, connections, PINNED), 1, measured) for tree, measured in both]

    results = Results(
        [
            *samples(16, Measurement(300, 1, 1, 2, 0), Measurement(200, 1, 1, 2, 0)),
            *samples(1, Measurement(300, 1, 3, 4, 0), Measurement(200, 1, 4, 5, 0)),
            Sample(Place("get run", "this", 16, UNPINNED), 2, Measurement(400, 1, 1, 2, 0)),
        ]
    )
    written = {"this": {"create run": Written([6], 4096)}, "base": {"create run": Written([12], 4096)}}
    compared = Compared(results, ["get run"], {"claim": "404"}, written)
    report = ComparisonReport(compared, "v1", 1, 0.1, 30, True, [("Python", "3")])
    assert "| get run | 1.50 | - | 0.750 | - |\n| median of all | 1.50 | - | 0.750 | - |" in report.summary()
    text = report.text()
    assert "| get run | 300 | 200 | 1.50 | 0 | 0 |" in text
    assert "| claim | 404 |" in text
    assert "| create run | 6.00 | 12.0 | 0.500 | 24,720 | 49,440 |" in text


@needs_git
@pytest.mark.long
def test_tiny_comparison_with_the_last_commit(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    base = trees.check_out("HEAD", tmp_path / "base")
    only = ["get run", "create run", "delete run data by key", "query by tags all*", "workflow", "pages"]
    compared = comparison.run(TINY, base, tmp_path, PurePython(), lambda _: None, only)
    assert compared.left_out == {}
    places = compared.results.places()
    assert {place.pinning for place in places} == {*pinnings()}
    assert {place.name for place in places} == {*compared.names}
    # Deletions end when there is nothing left to delete, which may be before their last round.
    lasting = [place for place in places if not place.name.startswith("delete")]
    assert len(lasting) == (len(compared.names) - 1) * 4 * len(pinnings())
    assert all(compared.results.errors(place) == 0 for place in places)
    assert [*compared.written["this"]] == [*compared.written["base"]] == [*pages.NAMES]
    assert os.sched_getaffinity(0) == cores


@needs_git
@pytest.mark.long
def test_command_compares_and_leaves_the_reports_of_the_benchmark_alone(
    command: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(comparison, "QUICK", TINY)
    before = command.REPORT.read_bytes()
    output = tmp_path / "comparison.md"
    command.main(["--quick", "--base", "HEAD", "--only", "pages", "--output", str(output)])
    assert output.read_text(encoding="utf-8").startswith("# Comparison with HEAD (")
    assert "| create task |" in capsys.readouterr().out
    assert command.REPORT.read_bytes() == before


def test_command_ends_with_the_reason_when_there_is_no_such_revision(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["--base", "no-such-revision", "--generator", "python"])
    assert "no-such-revision cannot be checked out" in capsys.readouterr().err
