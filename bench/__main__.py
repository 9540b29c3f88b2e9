"""The command: `python -m bench`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench import benchmark, load, machine, plots
from bench.data import Unsound
from bench.report import Report
from bench.servers import ROOT
from bench.targets import outcomes

REPORT = ROOT / "docs" / "performance.md"
QUICK_REPORT = ROOT / "build" / "performance.md"


def main() -> None:
    """Run the benchmark and write its report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under two minutes: smaller sizes, one short round")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME",
        help=f"measure these sections or cases only, also as patterns; sections: {', '.join(benchmark.SECTIONS)}",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path,
        help="where the report goes, its plots beside it (docs/performance.md; with --quick or --only build/)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--generator", choices=("wrk", "python"), help="what makes the load (wrk where installed)")
    chosen = parser.parse_args()

    plan = benchmark.QUICK if chosen.quick else benchmark.FULL
    if chosen.rounds:
        plan = plan.__class__(**{**vars(plan), "rounds": chosen.rounds})
    output: Path = chosen.output or (QUICK_REPORT if chosen.quick or chosen.only else REPORT)
    generator = load.generator(chosen.generator)
    begin = time.monotonic()

    def progress(text: str) -> None:
        line = f"[{time.monotonic() - begin:5.0f} s] {text}"
        sys.stderr.write(f"\r\033[K{line[:118]}" if sys.stderr.isatty() else f"{line}\n")
        sys.stderr.flush()

    with tempfile.TemporaryDirectory(prefix="foreman-bench-") as directory:
        try:
            measured = benchmark.run(plan, Path(directory), generator, progress, chosen.only)
        except Unsound as error:
            parser.exit(1, f"\n{error}\n")

    output.parent.mkdir(parents=True, exist_ok=True)
    sizes = [sized.entries for sized in measured.sized]
    ratio_plot, size_plot = output.with_name("performance-ratio.svg"), output.with_name("performance-size.svg")
    plots.plot_ratios(measured.results, measured.operations, ratio_plot)
    plots.plot_sizes(measured.results, sizes, size_plot)
    report = Report(
        measured.results, measured.footprint, outcomes(measured.results, measured.footprint, sizes),
        measured.operations, measured.sized, machine.describe(generator.name),
        plan.rounds, plan.seconds, chosen.quick, (ratio_plot.name, size_plot.name),
    )  # fmt: skip
    output.write_text(report.text(), encoding="utf-8")
    progress("done")
    sys.stdout.write(f"\n{report.summary()}\n{output}\n")


if __name__ == "__main__":
    main()
