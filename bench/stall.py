"""The longest waits of writes under full load, on a large database that goes on growing: `make bench-stall`."""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.cases import COMPARED
from bench.contents import WORKERS
from bench.crowd import Wait, Writes, keep_busy
from bench.data import INSERT_ENTRY, INSERT_RUN, INSERT_TASK, insert, verify
from bench.engines import SQLITE
from bench.load import percentile
from bench.observer import Look, Observer, around
from bench.report import number, table
from bench.servers import ROOT, create_key, end_on_sigterm, environment, foreman
from foreman.clock import new_id, now_ms

LONG_SECONDS = 0.1
_ENTRIES_OF_RUN = 50
_GB = 1_000_000_000
# A probe that took this share of a wait explains it.
_SHARE = 0.5

HEAD = """\
# Longest waits

{connections} connections created runs, tasks and entries with values of 1 to 10 KB for {minutes:g} minutes. The
database had {before:.1f} GB before and {after:.1f} GB after. Beside the server, a probe wrote 4 KB to another file on
the same disk every 50 ms and waited until they were on disk.

"""
WAITS = """\
## Waits above {long:.0f} ms

Waits that overlap are one line, with the longest of them. *Probe*: its slowest write in this time. *Log*: size of the
write-ahead log before and after. *Checkpoint*: whether pages were copied from the log to the database; under full load
that happens several times a second. *Disks*: by how much the time grew that processes have waited for disks,
as the kernel counts it. *Reason*: `disk` if the probe waited, too, for at least half of the time; else `unknown`, such
as other programs on the processor, or the moment in which the log is begun anew, for which writes wait.

"""


@dataclass(frozen=True)
class Stall:
    """Long waits that overlap.

    :ivar longest: the longest of them, in seconds
    :ivar requests: how many there are
    :ivar probe: the slowest write of the probe in that time, in seconds; None when there was none
    :ivar looks: what could be seen before and after
    """

    begin: float
    end: float
    longest: float
    requests: int
    probe: float | None
    looks: tuple[Look, Look] | None

    @property
    def reason(self) -> str:
        """What explains the wait, as far as that can be seen."""
        if self.probe is not None and self.probe >= _SHARE * self.longest:
            return "disk"
        return "unknown"


def stalls(waits: Sequence[Wait], probes: Sequence[tuple[float, float]], looks: Sequence[Look]) -> list[Stall]:
    """The long waits, those that overlap together, in the order of their time.

    :param probes: when each write of the probe began, and how long it took
    """
    groups: list[list[Wait]] = []
    for wait in sorted((wait for wait in waits if wait.seconds > LONG_SECONDS), key=lambda wait: wait.begin):
        if groups and wait.begin <= max(other.end for other in groups[-1]):
            groups[-1].append(wait)
        else:
            groups.append([wait])
    found = []
    for group in groups:
        begin, end = group[0].begin, max(wait.end for wait in group)
        meanwhile = [seconds for at, seconds in probes if at < end and at + seconds > begin]
        longest = max(wait.seconds for wait in group)
        found.append(Stall(begin, end, longest, len(group), max(meanwhile, default=None), around(looks, begin, end)))
    return found


def grow(path: Path, gigabytes: float, progress: Callable[[str], None]) -> list[tuple[str, str]]:
    """Make a database of this size, by inserts without a sync for each; some of its runs, each with its task."""
    dice = random.Random(1)
    writes = Writes([], dice)
    rows: list[tuple[str, str]] = []
    with SQLITE.loading(path) as load:
        while path.stat().st_size < gigabytes * _GB:
            now = now_ms()
            new = [(new_id(), new_id()) for _ in range(50)]
            common = {"org_id": WORKERS, "status": "running", "input_data": "{}", "now": now}
            insert(load, INSERT_RUN, ({**common, "id": run_id} for run_id, _ in new))
            insert(load, INSERT_TASK, ({**common, "id": task_id, "run_id": run_id} for run_id, task_id in new))
            entry = {"org_id": WORKERS, "tags": '["raw", "europe"]', "now": now}
            insert(
                load,
                INSERT_ENTRY,
                (
                    {**entry, "id": new_id(), "run_id": run_id, "task_id": task_id, "key": f"result.{number}",
                     "value": f'"{writes.value()}"'}
                    for run_id, task_id in new
                    for number in range(_ENTRIES_OF_RUN)
                ),
            )  # fmt: skip
            rows += new
            progress(f"growing the database: {path.stat().st_size / _GB:.1f} of {gigabytes:g} GB")
    dice.shuffle(rows)
    return rows[:10_000]


def measure(directory: Path, minutes: float, gigabytes: float, progress: Callable[[str], None]) -> str:
    """Grow a database, load its server, and report.

    :raises Unsound: when the database is not sound afterwards
    """
    path = directory / "stall.db"
    rows = grow(path, gigabytes, progress)
    before = path.stat().st_size
    keys = {WORKERS: create_key(path, WORKERS)}
    writes = Writes(rows, random.Random(2))
    with (directory / "probe.log").open("wb") as output:
        probe = subprocess.Popen(
            [sys.executable, "-m", "bench.probe", str(directory / "probe")], stdout=output, env=environment()
        )
    try:
        with foreman(path, keys) as server, Observer(path) as observer:
            progress(f"writing for {minutes:g} minutes")
            waits = keep_busy(server.target(WORKERS), writes.next, COMPARED, minutes * 60)
    finally:
        probe.kill()
        probe.wait()
    lines = (directory / "probe.log").read_text(encoding="ascii").splitlines()
    probes = [(float(at), float(took)) for at, _, took in (line.partition(" ") for line in lines) if took]
    progress("checking the database")
    verify(path)
    head = HEAD.format(connections=COMPARED, minutes=minutes, before=before / _GB, after=path.stat().st_size / _GB)
    return head + report(waits, probes, observer.looks)


def report(waits: Sequence[Wait], probes: Sequence[tuple[float, float]], looks: Sequence[Look]) -> str:
    """The figures and the list of long waits."""
    ascending, of_probe = sorted(wait.seconds * 1e3 for wait in waits), sorted(took * 1e3 for _, took in probes)
    rows = [
        [what, *(number(percentile(values, part)) for part in (50, 99, 99.9, 99.99, 100)), f"{len(values):,}"]
        for what, values in (("writes, ms", ascending), ("probe, ms", of_probe))
    ]
    failed = sum(wait.status > 299 for wait in waits)
    begin = min((wait.begin for wait in waits), default=0.0)
    listed = [
        [
            f"{stall.begin - begin:.1f}",
            f"{stall.longest * 1e3:.0f}",
            str(stall.requests),
            "-" if stall.probe is None else number(stall.probe * 1e3),
            *_seen(stall.looks),
            stall.reason,
        ]
        for stall in stalls(waits, probes, looks)
    ]
    header = [
        "at, s",
        "longest, ms",
        "requests",
        "probe, ms",
        "log, MB",
        "checkpoint",
        "waited for disks, ms",
        "reason",
    ]
    return (
        table(["", "p50", "p99", "p99.9", "p99.99", "longest", "number"], rows, "lrrrrrr")
        + f"\nResponses that were errors: {failed}\n\n"
        + WAITS.format(long=LONG_SECONDS * 1e3)
        + (table(header, listed, "rrrrrlrl") if listed else "None.\n")
    )


def _seen(looks: tuple[Look, Look] | None) -> list[str]:
    if looks is None:
        return ["-", "-", "-"]
    before, after = looks
    copied = "yes" if before.written != after.written else "no"
    return [
        f"{before.log_bytes / 1e6:.1f} to {after.log_bytes / 1e6:.1f}",
        f"{copied}, log begun anew" if before.restarts != after.restarts else copied,
        f"{(after.io_stall - before.io_stall) / 1e3:.0f}",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.stall", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long the load lasts (10)")
    parser.add_argument("--gigabytes", type=float, default=5, help="size of the database before (5)")
    parser.add_argument("--directory", type=Path, default=ROOT / "build", help="on the disk to be measured (build/)")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "stall.md", help="where the report goes")
    chosen = parser.parse_args(arguments)

    def progress(text: str) -> None:
        sys.stderr.write(f"\r\033[K{text}" if sys.stderr.isatty() else f"{text}\n")
        sys.stderr.flush()

    for directory in (chosen.directory, chosen.output.parent):
        directory.mkdir(parents=True, exist_ok=True)
    # Not in the directory for temporary files, which may be in memory.
    with tempfile.TemporaryDirectory(prefix="stall-", dir=chosen.directory) as directory:
        text = measure(Path(directory), chosen.minutes, chosen.gigabytes, progress)
    described = table(["", ""], [list(line) for line in machine.describe("this process")], "ll")
    chosen.output.write_text(f"{text}\n## Machine\n\n{described}", encoding="utf-8")
    sys.stdout.write(f"\n{text}\n{chosen.output}\n")


if __name__ == "__main__":
    end_on_sigterm()
    main()
