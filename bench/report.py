"""docs/performance.md: the targets, the tables and the machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import COMPARED, FLOOR_GET, FLOOR_POST, Case
from bench.data import Sized
from bench.footprint import PAYLOAD, Footprint
from bench.forms import ALL, FORMS, LATEST, LIST_RUNS, Form
from bench.results import Place, Results, Spread, p50, rate
from bench.targets import COMMIT, LIMITER, TAGS, Outcome, growth
from bench.traffic import REQUESTS_OF_WORKFLOW

NOT_MEASURED = "-"

QUICK = "**A quick run: its figures are rough.** "
HEAD = """\
# Performance

{quick}Written by `make bench`; do not edit.

The server runs as users start it, with its default settings: API keys, full durability, and the rate limiter on (with a
limit that is never reached). The *floor* is the least that Flask can do on waitress as it is, with as many threads: a
GET that answers `{{"ok": true}}`, and a POST that parses its JSON first, without a key, a limit, validation or a
database. Foreman lets one of its threads lead, so it can come out above the floor. Ratios hold on other machines too;
requests per second are this machine's, with the load generator running on it as well.

Everything is measured in one run of {rounds} for each operation, in shuffled order; what is compared is measured
within seconds of each other. Figures are medians over the rounds, with the least and the greatest in brackets.
"""
WORKFLOW = """\
A workflow is a run with five tasks, each set running and then completed, five entries of run data, one query and the
end of the run: {requests} requests, of which the table counts each. {per_second}

Queries ask a run of 10,000 entries with 1,000 keys; the list of runs has 10,000.

"""
SIZES = """\
One connection. Each size has a database of its own, with one run of so many entries, with 1,000 keys and 50 tags that
are on about 2% of the entries each, and as many runs as entries. Pages have up to 100 rows.
"""


@dataclass(frozen=True)
class Report:
    """Everything that the report tells.

    :param operations: the cases that are compared with the floor
    :param plots: the files of the two plots, relative to the report
    """

    results: Results
    footprint: Footprint
    outcomes: Sequence[Outcome]
    operations: Sequence[Case]
    sized: Sequence[Sized]
    machine: Sequence[tuple[str, str]]
    rounds: int
    seconds: float
    quick: bool
    plots: tuple[str, str]

    def text(self) -> str:
        """The whole page."""
        parts = [self._head(), self._targets(), self._operations(), self._comparisons(), self._sizes()]
        return "\n".join([*parts, self._footprint(), self._machine()])

    def _head(self) -> str:
        rounds = f"{self.rounds} round{'s' if self.rounds > 1 else ''} of {self.seconds:g} s"
        return HEAD.format(quick=QUICK if self.quick else "", rounds=rounds)

    def summary(self) -> str:
        """The table of targets."""
        return table(["what", "target", "measured", "met"], self._outcomes(), "lrrl")

    def _targets(self) -> str:
        return f"## Targets\n\nAt {COMPARED} connections; costs against size at one.\n\n" + self.summary()

    def _outcomes(self) -> list[list[str]]:
        return [
            [
                outcome.what,
                f"{'≥' if outcome.at_least else '≤'} {outcome.bound:g} {outcome.unit}".strip(),
                _spread(outcome.measured, outcome.unit),
                {True: "yes", False: "**no**", None: NOT_MEASURED}[outcome.met],
            ]
            for outcome in self.outcomes
        ]

    def _operations(self) -> str:
        names = {FLOOR_GET: "", FLOOR_POST: ""} | {case.name: case.floor for case in self.operations}
        parts = []
        for connections in (COMPARED, 1):
            rows = []
            for name, floor in names.items():
                place = Place(name, "work" if floor else "floor", connections)
                ratio = self.results.ratio(place, Place(floor, "floor", connections), rate) if floor else None
                rows.append([name, *self._figures(place), _spread(ratio) if floor else "", floor])
            header = ["operation", "requests/s", "p50 ms", "p99 ms", "errors", "ratio", "to the"]
            parts.append(
                f"### {connections} connection{'s' if connections > 1 else ''}\n\n{table(header, rows, 'lrrrrrl')}"
            )
        return (
            "## Operations\n\n"
            f"![Requests per second relative to the floor]({self.plots[0]})\n\n"
            + WORKFLOW.format(requests=REQUESTS_OF_WORKFLOW, per_second=self._workflows())
            + "\n".join(parts)
        )

    def _workflows(self) -> str:
        per_second = self.results.typical(Place("workflow", "work", COMPARED), rate)
        if per_second is None:
            return ""
        return f"At {COMPARED} connections that is {per_second / REQUESTS_OF_WORKFLOW:.0f} workflows/s."

    def _comparisons(self) -> str:
        servers = {LIMITER: ("work", "unlimited"), COMMIT: ("work", "commit-each"), TAGS: ("work", "work")}
        rows = [
            [name, *self._figures(Place(name, server, COMPARED))]
            for names, of in servers.items()
            for name, server in zip(names, of, strict=True)
        ]
        return f"## Comparisons\n\nAt {COMPARED} connections, each pair measured in turn.\n\n" + table(
            ["case", "requests/s", "p50 ms", "p99 ms", "errors"], rows, "lrrrr"
        )

    def _sizes(self) -> str:
        sizes = [sized.entries for sized in self.sized]
        header = ["query", *(f"p50 ms at {size:,}" for size in sizes), "largest / smallest"]
        align = "l" + "r" * (len(sizes) + 1)

        def cost(title: str, shown: str) -> list[str]:
            spent = (self.results.typical(Place(title, str(size), 1), p50) for size in sizes)
            return [shown, *(_number(value) for value in spent), _spread(growth(self.results, title, sizes))]

        def part(same: bool, mode: str) -> list[list[str]]:
            return [cost(form.title, form.title) for form in FORMS if form.same is same and form.mode == mode]

        return (
            "## Cost against size\n\n"
            f"![Median latency against size]({self.plots[1]})\n\n"
            f"{SIZES}\nSame answer in every size (of `no filter, includeAll` the page; its total is the size):\n\n"
            + table(
                header, [*part(True, LATEST), *part(True, ALL), cost(LIST_RUNS, f"{LIST_RUNS}, total included")], align
            )
            + "\nWhat matches grows with the size, so the cost may:\n\n"
            + table(header, [*part(False, LATEST), *part(False, ALL)], align)
        )

    def _footprint(self) -> str:
        footprint = self.footprint
        rows = [
            ["start to first answer", _number(footprint.start, "s")],
            ["importing Flask, marshmallow and Flask-Limiter alone", _number(footprint.imports, "s")],
            ["resident memory, idle", _number(footprint.idle, "MiB")],
            *(
                [f"resident memory after the benchmark, server `{_server_title(name)}`", _number(used, "MiB")]
                for name, used in footprint.used.items()
            ),
            *(
                [f"disk per entry with a value of {PAYLOAD:,} bytes and {tags or 'no'} tags", f"{per_entry:,.0f} bytes"]
                for tags, per_entry in footprint.bytes_per_entry.items()
            ),
            *(
                [
                    f"disk per entry with a value of 30 bytes and one tag, and a run: {sized.entries:,} of both",
                    f"{sized.file_bytes / sized.entries:,.0f} bytes",
                ]
                for sized in self.sized
            ),
        ]
        return "## Start, memory and disk\n\n" + table(["what", "measured"], rows, "lr")

    def _machine(self) -> str:
        return "## Machine\n\n" + table(["", ""], [list(line) for line in self.machine], "ll")

    def _figures(self, place: Place) -> list[str]:
        if not self.results.at(place):
            return [NOT_MEASURED] * 4
        per_second = self.results.typical(place, rate)
        middle, slow = (self.results.typical(place, metric) for metric in (p50, lambda measured: measured.p99))
        return [f"{per_second:,.0f}", _number(middle), _number(slow), str(self.results.errors(place))]


def form_titles(same: bool, mode: str) -> list[Form]:
    """The query forms of one panel of the plot."""
    return [form for form in FORMS if form.same is same and form.mode == mode]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], align: str) -> str:
    """A table in Markdown; `align` has a letter for each column, l or r."""
    marks = {"l": "---", "r": "---:"}
    lines = [header, [marks[letter] for letter in align], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return NOT_MEASURED
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f} {unit}".strip()


def _spread(spread: Spread | None, unit: str = "") -> str:
    if spread is None:
        return NOT_MEASURED
    middle = _number(spread.middle, unit)
    if spread.least == spread.greatest:
        return middle
    return f"{middle} ({_number(spread.least)}-{_number(spread.greatest)})"


def _server_title(name: str) -> str:
    return {"work": "operations", "unlimited": "no limit", "commit-each": "a commit each"}.get(
        name
    ) or f"{int(name):,} entries"
