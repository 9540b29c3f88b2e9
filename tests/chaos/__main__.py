"""The command: `python -m tests.chaos`."""

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.servers import ServerFailed, end_on_sigterm
from tests.chaos.api import BROKEN, Unexpected
from tests.chaos.crash import Crash
from tests.chaos.nodes.figures import table
from tests.chaos.nodes.run import Nodes
from tests.chaos.soak import soak

MOST_LINES = 30

Report = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Treat a server roughly.

    :param arguments: of the command line
    :returns: 0 when the server kept its promises, 1 when not, 130 after Ctrl-C
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands = parser.add_subparsers(required=True)
    crashing = commands.add_parser("crash", help="kill the server again and again under load: nothing may be lost")
    crashing.add_argument("--kills", type=_count, default=200, help="how often (%(default)s)")
    crashing.add_argument("--seed", type=int, help="what is chosen at random (another each time)")
    crashing.set_defaults(run=_crash)
    soaking = commands.add_parser("soak", help="the highest load for a while: memory, files and times must stay flat")
    soaking.add_argument("--minutes", type=_duration, default=3, help="how long (%(default)s)")
    soaking.add_argument("--threads", type=_count, default=8, help="of clients (%(default)s)")
    soaking.add_argument("--output", type=Path, help="write the figures to this file, as JSON")
    soaking.set_defaults(run=_soak)
    several = commands.add_parser("nodes", help="several nodes on one PostgreSQL, while all that they need fails")
    several.add_argument("--long", action="store_true", help="minutes for what takes time to show, and more rounds")
    several.add_argument("--rounds", type=_count, help="how often all faults are gone through (1; long: 3)")
    several.add_argument("--only", default="", help="faults with this in their name")
    several.add_argument("--seed", type=int, help="what is chosen at random (another each time)")
    several.set_defaults(run=_nodes)
    chosen = parser.parse_args(arguments)

    directory = Path(tempfile.mkdtemp(prefix="foreman-chaos-"))
    begin = time.monotonic()
    kept = False
    try:
        kept = chosen.run(
            chosen, directory, lambda line: print(f"[{time.monotonic() - begin:5.0f} s] {line}", flush=True)
        )
    except (ServerFailed, Unexpected, *BROKEN) as error:
        print(f"chaos: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        shutil.rmtree(directory)
        return 130
    if kept:
        shutil.rmtree(directory)
        return 0
    print(f"The database is kept in {directory}")
    return 1


def _crash(chosen: argparse.Namespace, directory: Path, report: Report) -> bool:
    seed = random.randrange(2**32) if chosen.seed is None else chosen.seed
    report(f"{chosen.kills} kills, --seed {seed}")
    tally = Crash(directory, seed).run(chosen.kills, report)
    _print("", *tally.violations[:MOST_LINES], *tally.summary())
    return not tally.violations


def _soak(chosen: argparse.Namespace, directory: Path, report: Report) -> bool:
    report(f"{chosen.minutes:g} minutes, {chosen.threads} clients")
    figures = soak(directory, chosen.minutes * 60, chosen.threads, report)
    if chosen.output:
        chosen.output.write_text(json.dumps(figures.to_json(), indent=2) + "\n", encoding="utf-8")
    findings = figures.verdict()
    _print("", *figures.unexpected[:MOST_LINES], *figures.violations[:MOST_LINES], *figures.table(), "")
    for finding in findings:
        _print(
            f"{'ok    ' if finding.kept else 'BROKEN'}  {finding.what}: {finding.measured} (allowed: {finding.allowed})"
        )
    return all(finding.kept for finding in findings)


def _nodes(chosen: argparse.Namespace, directory: Path, report: Report) -> bool:
    seed = random.randrange(2**32) if chosen.seed is None else chosen.seed
    report(f"--seed {seed}, logs in {directory}")
    end_on_sigterm()
    nodes = Nodes(directory, seed, report, long=chosen.long)
    hot_seconds = 0 if chosen.only else 600 if chosen.long else 10
    try:
        nodes.run(chosen.rounds or (3 if chosen.long else 1), hot_seconds, chosen.only)
    finally:
        _print("", *table(nodes.effects), "", *nodes.summary, *nodes.broken[:MOST_LINES])
    return not nodes.broken


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _duration(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError(text)
    return number


def _print(*lines: str) -> None:
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
