"""The measurement of the longest waits: what it makes of waits, and one short run. No speed is asserted."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from bench import stall
from bench.crowd import Wait
from bench.observer import Look, Observer, around
from bench.servers import ROOT
from bench.stall import report, stalls
from tests.support.waiting import until

pytestmark = pytest.mark.sqlite

QUIET, ANEW = Look(0, 100, 1, 5, 0), Look(9, 200, 2, 6, 30_000)


def test_long_waits_that_overlap_are_one_stall() -> None:
    waits = [Wait(1, 0.3, 201), Wait(1.1, 0.4, 201), Wait(1.45, 0.2, 201), Wait(3, 0.15, 201), Wait(4, 0.09, 201)]
    found = stalls(waits, [], [])
    assert [(each.begin, each.longest, each.requests) for each in found] == [(1, 0.4, 3), (3, 0.15, 1)]


@pytest.mark.parametrize(
    ("probe", "reason"), [((1.1, 0.3), "disk"), ((0.9, 0.3), "disk"), ((1.1, 0.01), "unknown"), ((5.0, 0.9), "unknown")]
)
def test_stall_is_explained_by_a_probe_that_had_to_wait_as_well(probe: tuple[float, float], reason: str) -> None:
    (found,) = stalls([Wait(1, 0.4, 201)], [probe], [QUIET, ANEW])
    assert found.reason == reason


def test_looks_are_those_just_before_and_after() -> None:
    looks = [Look(at, 0, 0, 0, 0) for at in range(10)]
    assert around(looks, 2.5, 4.5) == (looks[2], looks[5])
    assert around(looks, -1, 99) == (looks[0], looks[9])
    assert around([], 1, 2) is None


def test_report_lists_long_waits_by_the_time_since_the_first_request() -> None:
    waits = [Wait(1, 0.002, 201), Wait(3.5, 0.4, 503)]
    text = report(waits, [(3.6, 0.001)], [QUIET, ANEW])
    assert "| 2.5 | 400 | 1 | 1.00 | 0.0 to 0.0 | yes, log begun anew | 30 | unknown |" in text
    assert "errors: 1" in text
    assert "None." in report(waits[:1], [], [])


def test_observer_stops_with_its_block(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"x")
    threads = threading.active_count()
    with Observer(tmp_path / "x.db") as observer:
        look = observer.look()
    assert threading.active_count() == threads
    assert (look.log_bytes, look.restarts) == (0, 0)


@pytest.mark.long
def test_tiny_run_writes_a_report_and_leaves_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "stall.md"
    stall.main(["--minutes", "0.02", "--gigabytes", "0.001", "--directory", str(tmp_path), "--output", str(output)])
    assert "Responses that were errors: 0" in output.read_text(encoding="utf-8")
    assert str(output) in capsys.readouterr().out
    assert [each.name for each in tmp_path.iterdir()] == ["stall.md"]


@pytest.mark.long
def test_sigterm_stops_the_server_and_removes_the_database(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.stall", "--minutes", "5", "--gigabytes", "0.001"]
    command += ["--directory", str(tmp_path), "--output", str(tmp_path / "stall.md")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith("writing") for line in process.stderr)
        until(lambda: running_with(tmp_path))
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert running_with(tmp_path) == []
    assert [*tmp_path.iterdir()] == []


def running_with(path: Path) -> list[str]:
    """The command lines of processes that name a path, but for the benchmark itself."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(file.read_text(errors="replace"))
    return [each for each in found if str(path) in each and "--gigabytes" not in each]
