"""The two plots of the report, as SVG."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.cases import COMPARED, Case
from bench.forms import ALL, LATEST, LIST_RUNS
from bench.report import form_titles
from bench.results import Place, Results, p50, rate
from bench.targets import FLOOR_TARGETS

READ, WRITE, TARGET = "#4477aa", "#ccbb44", "#ee6677"
# Colours that stay apart for colour-blind readers (Paul Tol's "muted").
LINES = ["#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499", "#555555"]
MARKERS = "os^vD<>ph*"


def plot_ratios(results: Results, cases: Sequence[Case], path: Path) -> None:
    """Requests per second of each operation relative to its floor, with the targets."""
    bounds = {name: bound for name, _, bound in FLOOR_TARGETS}
    measured = []
    for case in cases:
        ratio = results.ratio(Place(case.name, "work", COMPARED), Place(case.floor, "floor", COMPARED), rate)
        if ratio is not None:
            measured.append((case, ratio))
    figure = Figure(figsize=(9, 1.6 + 0.32 * len(measured)), layout="constrained")
    axes = figure.add_subplot()
    for kind, colour in (("GET", READ), ("POST", WRITE)):
        mine = [(place, ratio) for place, (case, ratio) in enumerate(measured) if case.floor.endswith(kind)]
        if mine:
            axes.barh(
                [place for place, _ in mine],
                [ratio.middle for _, ratio in mine],
                xerr=[
                    [ratio.middle - ratio.least for _, ratio in mine],
                    [ratio.greatest - ratio.middle for _, ratio in mine],
                ],
                color=colour, height=0.7, label=f"relative to floor {kind} (line: least to greatest)",
                error_kw={"linewidth": 1, "ecolor": "#444444"},
            )  # fmt: skip
    with_target = [(place, bounds[case.name]) for place, (case, _) in enumerate(measured) if case.name in bounds]
    if with_target:
        axes.plot(
            [bound for _, bound in with_target], [place for place, _ in with_target],
            linestyle="none", marker="|", markersize=15, markeredgewidth=3, color=TARGET, label="target: at least",
        )  # fmt: skip
    axes.axvline(1, color="black", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(measured)), [case.name for case, _ in measured])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(f"requests/s at {COMPARED} connections relative to the floor (1 = Flask alone)")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    _save(figure, path)


def plot_sizes(results: Results, sizes: Sequence[int], path: Path) -> None:
    """The median latency of each query form against the size of the run."""
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True)
    for row, (same, what) in enumerate(((True, "same answer in every size"), (False, "matches grow with the size"))):
        for column, mode in enumerate((LATEST, ALL)):
            axes: Axes = panels[row][column]
            lines = [(form.title, form.name) for form in form_titles(same, mode)]
            if same and mode == LATEST:
                lines.append((LIST_RUNS, "list runs (with total)"))
            for number, (title, label) in enumerate(lines):
                points = [(size, results.typical(Place(title, str(size), 1), p50)) for size in sizes]
                known = [(size, spent) for size, spent in points if spent is not None]
                axes.plot(
                    [size for size, _ in known], [spent for _, spent in known],
                    color=LINES[number % len(LINES)], marker=MARKERS[number % len(MARKERS)], markersize=5, label=label,
                )  # fmt: skip
            axes.set_title(f"{mode}: {what}", fontsize="medium")
            axes.set_xscale("log")
            axes.set_xticks(list(sizes))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(labelbottom=True)
            if same:
                axes.set_ylim(bottom=0)
            elif axes.dataLim.height > 0:  # a logarithm needs something to show
                axes.set_yscale("log")
                axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel("entries of the run (log scale)")
            axes.set_ylabel("p50, ms" if same else "p50, ms (log scale)")
            axes.grid(alpha=0.3)
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize="small", frameon=False)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "foreman"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
