"""The soak's harness: what it sends and measures, and that each of its bounds can fail. No speed is asserted."""

import json
import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.servers import ServerFailed
from tests.chaos import __main__ as command
from tests.chaos import soak as soak_module
from tests.chaos.figures import Figures, Sample
from tests.chaos.server import ORG, Server
from tests.chaos.soak import Clients, Look, soak
from tests.chaos.traffic import MAX_BODY, Answered, Visitor
from tests.support.running import Running, Start

SAMPLES = 24

KINDS = {
    Answered("create run", 201),
    Answered("change run", 200),
    Answered("create task", 201),
    Answered("change task", 200),
    Answered("create entry", 201),
    Answered("change tags", 200),
    Answered("delete entry", 200),
    Answered("delete key", 200),
    Answered("get", 200),
    Answered("list", 200),
    Answered("query", 200),
    Answered("too large", 413),
    Answered("not found", 404),
    Answered("not valid", 400),
    Answered("not JSON", 400),
}


def flat() -> Figures:
    """A soak in which nothing grew."""
    sample = Sample(0, 1000, 50, 30, 5, 4, 0.9, (5.0,) * 99 + (20.0,))
    return Figures([replace(sample, at=number * 5.0) for number in range(SAMPLES)], (20, 20))


def figures(change: Callable[[int, Sample], Sample]) -> Figures:
    """A soak with each of its samples changed."""
    plain = flat()
    return replace(plain, samples=[change(number, sample) for number, sample in enumerate(plain.samples)])


LEAKS = {
    "memory, last quarter above second": figures(
        lambda number, sample: replace(sample, resident=sample.resident + number)
    ),
    "descriptors, last quarter above second": figures(
        lambda number, sample: replace(sample, descriptors=sample.descriptors + number)
    ),
    "descriptors without load, after above before": replace(flat(), at_rest=(20, 40)),
    "threads, last quarter above second": figures(
        lambda number, sample: replace(sample, threads=sample.threads + (number == SAMPLES - 1))
    ),
    "write-ahead log, median": figures(lambda number, sample: replace(sample, log=17 if number > 3 else 4)),
    "write-ahead log, longest": figures(lambda number, sample: replace(sample, log=81 if number == 3 else 4)),
    "p99 of the probe, last third as a multiple of first": figures(
        lambda number, sample: replace(sample, probes=(5.0,) * 90 + (5.0 + number**2,) * 10)
    ),
    "requests per second in the slowest sample": figures(
        lambda number, sample: replace(sample, rate=0 if number == 7 else 1000)
    ),
    "unexpected answers": replace(flat(), unexpected=["GET /runs was answered 500"]),
    "violations found by check": replace(
        flat(), violations=["run_count: a number of runs differs from a count of the rows"]
    ),
}


def broken(measured: Figures) -> list[str]:
    """The bounds that were not kept."""
    return [finding.what for finding in measured.verdict() if not finding.kept]


def test_nothing_is_broken_when_all_is_flat() -> None:
    assert broken(flat()) == []


@pytest.mark.parametrize("what", LEAKS)
def test_leak_breaks_its_bound_and_no_other(what: str) -> None:
    assert broken(LEAKS[what]) == [what]


def test_every_bound_has_been_broken_here() -> None:
    assert {finding.what for finding in flat().verdict()} == set(LEAKS)


def test_disk_of_a_shared_machine_that_is_slow_for_a_while_is_no_drift() -> None:
    stalled = (5.0,) * 90 + (400.0,) * 10
    assert (
        broken(figures(lambda number, sample: replace(sample, probes=stalled) if number in range(17, 22) else sample))
        == []
    )


def test_warming_up_in_the_first_quarter_is_no_leak() -> None:
    assert broken(figures(lambda number, sample: replace(sample, resident=30.0 + 4 * min(number, 5)))) == []


def test_table_has_the_medians_of_the_quarters() -> None:
    measured = figures(lambda number, sample: replace(sample, resident=float(number)))
    memory = [line.split()[2] for line in measured.table()[1:]]
    assert memory == ["2.5", "8.5", "14.5", "20.5"]


@pytest.mark.long
def test_visitor_sends_every_kind_of_request_and_gets_what_it_expects(start: Start) -> None:
    served = start(max_body=MAX_BODY)
    visitor = Visitor(served.server.port, served.key(ORG), "1")
    for _ in range(5000):
        visitor.act()
        if set(visitor.answered) == KINDS:
            break
    visitor.close()
    assert visitor.unexpected == []
    assert set(visitor.answered) == KINDS
    assert visitor.sent == sum(visitor.answered.values())


@pytest.mark.long
def test_visitor_notices_answers_that_it_does_not_expect(served: Running) -> None:
    visitor = Visitor(served.server.port, served.key(ORG), "1")
    for _ in range(5000):  # until a body that should be too large is taken
        visitor.act()
        if visitor.unexpected:
            break
    visitor.close()
    assert "POST /runs was answered 201" in visitor.unexpected[0]


@pytest.mark.long
def test_visitor_leaves_no_entries_in_runs_that_it_is_done_with(start: Start) -> None:
    served = start(max_body=MAX_BODY)
    visitor = Visitor(served.server.port, served.key(ORG), "1")
    for _ in range(1500):
        visitor.act()
        if visitor.answered[Answered("create run", 201)] == 12:
            break
    visitor.close()
    assert visitor.answered[Answered("create run", 201)] == 12
    with served.database.read() as tx:
        assert 1 <= tx.value("SELECT count(DISTINCT run_id) FROM run_data") <= 4


def test_look_sees_files_threads_and_memory_of_a_process(tmp_path: Path) -> None:
    before = Look.at(os.getpid())
    (tmp_path / "file").write_bytes(b"")
    files = [(tmp_path / "file").open("rb") for _ in range(10)]
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    memory = mmap.mmap(-1, 20 * 1024**2)  # of its own, where the allocator might use again what others have freed
    memory.write(bytes(len(memory)))
    after = Look.at(os.getpid())
    for file in files:
        file.close()
    done.set()
    thread.join()
    assert after.descriptors == before.descriptors + 10
    assert after.threads == before.threads + 1
    assert after.resident > before.resident + len(memory) / 1024**2 / 2
    memory.close()
    assert after.cpu_seconds > 0


@pytest.mark.sqlite
@pytest.mark.long
def test_soak_of_a_few_seconds(tmp_path: Path) -> None:
    lines: list[str] = []
    measured = soak(tmp_path, 3, 4, lines.append)
    assert len(measured.samples) == len(lines) >= 4
    assert measured.unexpected == []
    assert measured.violations == []
    for sample in measured.samples:
        assert sample.rate > 0
        assert sample.resident > 10
        assert sample.descriptors > measured.at_rest[0]
        assert sample.threads > 1
        assert sample.log > 0
        assert sample.probes
    assert measured.answered["create run 201"] >= 4


@pytest.mark.sqlite
@pytest.mark.long
def test_server_that_dies_ends_the_soak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[Server] = []

    def start(*arguments: Any, **options: Any) -> Server:
        running.append(Server(*arguments, **options))
        return running[0]

    monkeypatch.setattr(soak_module, "Server", start)
    with pytest.raises(ServerFailed, match="the probe failed"):
        soak(tmp_path, 60, 1, lambda _: running[0].kill())


def test_clients_without_answers_end_the_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak_module, "PATIENCE", 0.5)
    with pytest.raises(ServerFailed, match="nothing was answered"), Clients(1, "none", 1):
        pass


@pytest.mark.parametrize(
    ("measured", "status", "word"), [(flat(), 0, "ok"), (LEAKS["write-ahead log, longest"], 1, "BROKEN")]
)
def test_command_says_the_verdict_and_writes_the_figures(
    measured: Figures,
    status: int,
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "soak", lambda *_: measured)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path / "database"))
    (tmp_path / "database").mkdir()
    output = tmp_path / "figures.json"
    assert command.main(["soak", "--minutes", "0.01", "--output", str(output)]) == status
    assert f"{word:6}  write-ahead log, longest: " in capsys.readouterr().out
    written = json.loads(output.read_text(encoding="utf-8"))
    assert len(written["samples"]) == SAMPLES
    assert [each["what"] for each in written["verdict"] if not each["kept"]] == broken(measured)
    assert (tmp_path / "database").exists() == bool(status)
