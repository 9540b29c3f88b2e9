"""build/comparison.md: this tree relative to another one."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.cases import COMPARED
from bench.comparison import CONNECTIONS, Compared
from bench.cores import PINNED, UNPINNED
from bench.pages import LARGE_RUN
from bench.report import NOT_MEASURED, number, spread_of, table
from bench.results import Metric, Place, Results, Spread, p50, rate

HEAD = """\
# Comparison with {base}

{quick}*This* is the working tree, *base* is {base}. Each has a server of its own, over a database that its own code has
filled. Both are measured directly after each other, in {rounds} rounds of {seconds:g} s for each operation, in shuffled
order. Figures are medians over the rounds, with the minimum and the maximum in brackets. The ratio is this / base:
above 1 is better for requests/s, below 1 is better for p50.

*Pinned*: the server has one core, and the load generator another one. *Unpinned*: both run where the kernel puts them,
as users start them.
"""
QUICK = "**A quick run: its figures are rough.** "
PAGES = """\
## Pages per commit

What one commit adds to the write-ahead log, with one connection, as a mean. The databases have {rows:,} runs with a
task and an entry each, most of them completed, and a run with {entries:,} entries.

"""
ALL = "median of all"
# What is compared at each number of connections.
METRICS: dict[int, tuple[str, Metric]] = {COMPARED: ("requests/s", rate), 1: ("p50 ms", p50)}


@dataclass(frozen=True)
class ComparisonReport:
    """Everything that the report tells.

    :param base: the name of the revision
    :param grown: how many rows the databases have in which pages were counted
    """

    compared: Compared
    base: str
    rounds: int
    seconds: float
    grown: int
    quick: bool
    machine: Sequence[tuple[str, str]]

    def text(self) -> str:
        """The whole page."""
        head = HEAD.format(base=self.base, rounds=self.rounds, seconds=self.seconds, quick=QUICK if self.quick else "")
        parts = [head]
        if self._pinnings():
            parts += ["## Summary\n\n" + self.summary(), *self._operations()]
        if self.compared.left_out:
            rows = [[name, why] for name, why in self.compared.left_out.items()]
            parts.append("## Not compared\n\nThe base answers otherwise.\n\n" + table(["operation", "why"], rows, "ll"))
        if self.compared.written:
            pages = PAGES.format(rows=self.grown, entries=LARGE_RUN)
            parts.append(pages + self._pages())
        parts.append("## Machine\n\n" + table(["", ""], [list(line) for line in self.machine], "ll"))
        return "\n".join(parts)

    def summary(self) -> str:
        """The ratios of all operations, or of pages if only they were measured."""
        if not self._pinnings():
            return self._pages()
        columns = [(pinning, connections) for connections in CONNECTIONS for pinning in self._pinnings()]
        header = [
            f"{METRICS[connections][0].removesuffix(' ms')} at {connections}, {pinning}"
            for pinning, connections in columns
        ]
        ratios = {
            name: [self._ratio(pinning, name, connections) for pinning, connections in columns]
            for name in self.compared.names
        }
        rows = [[name, *(_bare(ratio) for ratio in each)] for name, each in ratios.items()]
        middles = [[ratio.middle for ratio in column if ratio] for column in zip(*ratios.values(), strict=True)]
        last = [number(median(column)) if column else NOT_MEASURED for column in middles]
        return table(["this / base", *header], [*rows, [ALL, *last]], "l" + "r" * len(columns))

    def _pinnings(self) -> list[str]:
        measured = {place.pinning for place in self.compared.results.places()}
        return [pinning for pinning in (PINNED, UNPINNED) if pinning in measured]

    def _ratio(self, pinning: str, name: str, connections: int) -> Spread | None:
        this, base = (Place(name, tree, connections, pinning) for tree in ("this", "base"))
        return self.compared.results.ratio(this, base, METRICS[connections][1])

    def _operations(self) -> list[str]:
        parts = []
        for connections in CONNECTIONS:
            unit, metric = METRICS[connections]
            for pinning in self._pinnings():
                results, rows = self.compared.results, []
                for name in self.compared.names:
                    places = [Place(name, tree, connections, pinning) for tree in ("this", "base")]
                    middles = [_middle(results, place, metric) for place in places]
                    errors = [str(results.errors(place)) for place in places]
                    rows.append([name, *middles, spread_of(self._ratio(pinning, name, connections)), *errors])
                header = ["operation", f"{unit}, this", f"{unit}, base", "ratio", "errors, this", "errors, base"]
                title = f"## {connections} connection{'s' if connections > 1 else ''}, {pinning}\n\n"
                parts.append(title + table(header, rows, "lrrrrr"))
        return parts

    def _pages(self) -> str:
        this, base = (self.compared.written[tree] for tree in ("this", "base"))
        rows = [
            [
                name,
                number(this[name].mean),
                number(base[name].mean),
                number(this[name].mean / base[name].mean),
                f"{this[name].bytes:,.0f}",
                f"{base[name].bytes:,.0f}",
            ]
            for name in this
        ]
        header = ["commit", "pages, this", "pages, base", "ratio", "bytes, this", "bytes, base"]
        return table(header, rows, "lrrrrr")


def _bare(ratio: Spread | None) -> str:
    return NOT_MEASURED if ratio is None else number(ratio.middle)


def _middle(results: Results, place: Place, metric: Metric) -> str:
    value = results.typical(place, metric)
    if value is None:
        return NOT_MEASURED
    return f"{value:,.0f}" if metric is rate else number(value)
