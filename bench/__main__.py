"""The command: `python -m bench`."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import benchmark, comparison, load, machine, plots, trees
from bench.comparison_report import ComparisonReport
from bench.data import Progress
from bench.engines import Unsound
from bench.load import LoadGenerator
from bench.report import Report, kept_section
from bench.servers import ROOT, ServerFailed, end_on_sigterm
from bench.targets import outcomes

REPORT = ROOT / "docs" / "performance.md"
QUICK_REPORT = ROOT / "build" / "performance.md"
COMPARISON = ROOT / "build" / "comparison.md"
ENGINES = ROOT / "build" / "postgres.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark, or compare with another tree or engine, and write the report."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    generator = load.generator(chosen.generator)
    begin = time.monotonic()

    def progress(text: str) -> None:
        line = f"[{time.monotonic() - begin:5.0f} s] {text}"
        sys.stderr.write(f"\r\033[K{line[:118]}" if sys.stderr.isatty() else f"{line}\n")
        sys.stderr.flush()

    try:
        measure = _compare_engines if chosen.engine else _compare if chosen.base else _benchmark
        summary, output = measure(chosen, generator, progress)
    except (Unsound, ServerFailed, trees.NoSuchRevision) as error:
        parser.exit(1, f"\n{error}\n")
    progress("done")
    sys.stdout.write(f"\n{summary}\n{output}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes: smaller sizes, and short rounds")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME",
        help=f"measure these sections or cases only, also as patterns; sections: {', '.join(benchmark.SECTIONS)}; "
        f"with --base {', '.join(comparison.SECTIONS)}; with --engine operations, workflow, sizes, nodes, dispatcher",
    )  # fmt: skip
    against = parser.add_mutually_exclusive_group()
    against.add_argument("--base", metavar="REVISION", help="compare this tree with a revision of the repository")
    against.add_argument("--engine", choices=("postgres",), help="compare a throwaway PostgreSQL with SQLite")
    parser.add_argument(
        "--output", type=Path,
        help="where the report goes, its plots beside it (docs/performance.md; build/ with --quick, --only, --base or "
        "--engine)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--generator", choices=("wrk", "python"), help="what makes the load (wrk where installed)")
    return parser


def _benchmark(chosen: argparse.Namespace, generator: LoadGenerator, progress: Progress) -> tuple[str, Path]:
    """Measure this tree; the summary, and where the report is."""
    plan = benchmark.QUICK if chosen.quick else benchmark.FULL
    plan = replace(plan, rounds=chosen.rounds or plan.rounds)
    output: Path = chosen.output or (QUICK_REPORT if chosen.quick or chosen.only else REPORT)
    with tempfile.TemporaryDirectory(prefix="foreman-bench-") as directory:
        measured = benchmark.run(plan, Path(directory), generator, progress, chosen.only)
    output.parent.mkdir(parents=True, exist_ok=True)
    sizes = [sized.entries for sized in measured.sized]
    ratio_plot, size_plot = output.with_name("performance-ratio.svg"), output.with_name("performance-size.svg")
    plots.plot_ratios(measured.results, measured.operations, ratio_plot)
    plots.plot_sizes(measured.results, sizes, size_plot)
    report = Report(
        measured.results, measured.footprint, outcomes(measured.results, measured.footprint, sizes),
        measured.operations, measured.sized, machine.describe(generator.name),
        plan.rounds, plan.seconds, chosen.quick, (ratio_plot.name, size_plot.name), measured.pages, plan.grown,
        kept_section(output.read_text(encoding="utf-8")) if output.exists() else "",
    )  # fmt: skip
    output.write_text(report.text(), encoding="utf-8")
    return report.summary(), output


def _compare(chosen: argparse.Namespace, generator: LoadGenerator, progress: Progress) -> tuple[str, Path]:
    """Measure this tree and another one; the summary, and where the report is."""
    plan = comparison.QUICK if chosen.quick else comparison.FULL
    plan = replace(plan, rounds=chosen.rounds or plan.rounds)
    output: Path = chosen.output or COMPARISON
    with tempfile.TemporaryDirectory(prefix="foreman-bench-") as directory:
        base = trees.check_out(chosen.base, Path(directory) / "base")
        compared = comparison.run(plan, base, Path(directory), generator, progress, chosen.only)
    report = ComparisonReport(
        compared, trees.name_of(chosen.base), plan.rounds, plan.seconds, plan.grown, chosen.quick,
        machine.describe(generator.name),
    )  # fmt: skip
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(report.text(), encoding="utf-8")
    return report.summary(), output


def _compare_engines(chosen: argparse.Namespace, generator: LoadGenerator, progress: Progress) -> tuple[str, Path]:
    """Measure this tree on both engines; the section for docs/performance.md, and where the report is."""
    # They need what only the tests and a server on PostgreSQL need.
    from bench import engine_comparison, postgres
    from bench.engine_report import EngineReport

    plan = engine_comparison.QUICK if chosen.quick else engine_comparison.FULL
    plan = replace(plan, rounds=chosen.rounds or plan.rounds)
    output: Path = chosen.output or ENGINES
    with tempfile.TemporaryDirectory(prefix="foreman-bench-") as directory, postgres.running() as server:
        measured = engine_comparison.run(plan, server, Path(directory), generator, progress, chosen.only)
        described = server.describe()
    report = EngineReport(
        measured, plan.rounds, plan.seconds, plan.rows, chosen.quick, [*machine.describe(generator.name), described]
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(report.text(), encoding="utf-8")
    return report.section(), output


if __name__ == "__main__":
    end_on_sigterm()
    main()
