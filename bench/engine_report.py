"""build/postgres.md: PostgreSQL relative to SQLite, by size, and with several nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.cases import COMPARED, FLOOR_POST, Case
from bench.engine_comparison import DISPATCHERS, READS, WRITES, Measured
from bench.nodes import CONNECTIONS as CONNECTIONS_OF_NODES
from bench.nodes import ONE, TWO
from bench.report import (
    GROWING,
    NOT_MEASURED,
    ON_POSTGRES,
    QUICK,
    SAME,
    number,
    outcome_table,
    size_tables,
    spread_of,
    table,
)
from bench.results import Place, Results, Spread, p50, rate
from bench.shares import Shares
from bench.targets import Outcome, of_sizes
from foreman.config import THREADS_ON_POSTGRES

POSTGRES, SQLITE = "PostgreSQL", "SQLite"

# At least this share of SQLite's requests per second.
READS_TARGET, WRITES_TARGET = 0.5, 0.4

# At most this many times the latency in the smallest size, and at least this many times one node's requests per second.
SIZES_TARGET, NODES_TARGET = 2.0, 1.6

HEAD = """\
{quick}One server with a database on PostgreSQL, and one with an SQLite file, both with default settings and full
durability (`fsync`, `synchronous_commit` and `full_page_writes` are on). PostgreSQL runs on the same machine, as does
the load generator. Each operation is measured on both in alternation, in {rounds} of {seconds:g} s, in shuffled order.
The ratio is that of requests per second, PostgreSQL / SQLite: a median over the rounds, with the minimum and the
maximum in brackets. The target at {compared} connections is {reads:g} for reads and {writes:g} for writes.

"""
SIZES = """\
p50 on PostgreSQL with one connection. Each size has its own database, with one run of that many entries and as many
runs as entries, and {rows:,} runs with one entry.

"""
NODES = """\
{connections} connections send requests of one organisation, all to one node, or half of them to each of two, which
share a database. The processor's share is of all cores; *others* is whatever else runs on the machine.

"""
DISPATCHER = """\
Requests per second of one node on PostgreSQL. *One at a time* waits for each answer of PostgreSQL before it turns to
the next request; otherwise as many requests wait at the same time.

"""
NODES_HEADER = ["operation", "servers", "requests/s", "p50 ms", "errors", "nodes", "PostgreSQL", "generator", "others",
                "idle", "2 nodes / 1"]  # fmt: skip


@dataclass(frozen=True)
class EngineReport:
    """Everything that the report tells.

    :param rows: how many runs of one entry are beside the large ones
    """

    measured: Measured
    rounds: int
    seconds: float
    rows: int
    quick: bool
    machine: Sequence[tuple[str, str]]

    def text(self) -> str:
        """The whole page."""
        parts = [
            "# PostgreSQL and SQLite",
            self.section(),
            *self._operations(),
            *self._sizes(),
            *self._dispatcher(),
            "## Machine\n\n" + table(["", ""], [list(line) for line in self.machine], "ll"),
        ]
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    def section(self) -> str:
        """What docs/performance.md has of it."""
        parts = [f"{ON_POSTGRES}\n\n{self._head()}" + self._ratios()]
        if self.measured.sizes and self._worst()[0].measured:
            parts.append(outcome_table(self._worst()))
        return "\n".join([*parts, *self._nodes()])

    @property
    def _results(self) -> Results:
        return self.measured.results

    def _head(self) -> str:
        return HEAD.format(
            quick=QUICK if self.quick else "", rounds=f"{self.rounds} round{'s' if self.rounds > 1 else ''}",
            seconds=self.seconds, compared=COMPARED, reads=READS_TARGET, writes=WRITES_TARGET,
        )  # fmt: skip

    def _ratios(self) -> str:
        """Each operation at both numbers of connections, and whether the target is met; then the medians."""
        rows: list[list[str]] = []
        middles: dict[tuple[str, int], list[float]] = {}
        for case in self.measured.operations:
            kind, target = _target(case)
            many, one = (self._ratio(case.name, connections) for connections in (COMPARED, 1))
            for connections, spread in ((COMPARED, many), (1, one)):
                if spread is not None:
                    middles.setdefault((kind, connections), []).append(spread.middle)
            met = NOT_MEASURED if many is None else "yes" if many.middle >= target else "**no**"
            rows.append([case.name, kind, spread_of(many), spread_of(one), f"≥ {target:g}", met])
        for kind in ("read", "write"):
            values = [middles.get((kind, connections)) for connections in (COMPARED, 1)]
            if any(values):
                medians = (number(median(column)) if column else NOT_MEASURED for column in values)
                rows.append([f"median of all {kind}s", kind, *medians, "", ""])
        header = ["operation", "kind", f"ratio at {COMPARED}", "ratio at 1", "target", "met"]
        return table(header, rows, "llrrrl")

    def _ratio(self, name: str, connections: int) -> Spread | None:
        postgres, sqlite = (Place(name, engine, connections) for engine in (POSTGRES, SQLITE))
        return self._results.ratio(postgres, sqlite, rate)

    def _operations(self) -> list[str]:
        """The figures behind the ratios."""
        parts = []
        header = ["operation", *(f"{what}, {engine}" for what in ("requests/s", "p50 ms", "errors")
                                 for engine in (POSTGRES, SQLITE))]  # fmt: skip
        for connections in (COMPARED, 1) if self.measured.operations else ():
            rows = []
            for case in self.measured.operations:
                places = [Place(case.name, engine, connections) for engine in (POSTGRES, SQLITE)]
                errors = (str(self._results.errors(place)) for place in places)
                rows.append([case.name, *(self._rate(place) for place in places),
                             *(number(self._results.typical(place, p50)) for place in places), *errors])  # fmt: skip
            title = f"## Operations, {connections} connection{'s' if connections > 1 else ''}\n\n"
            parts.append(title + table(header, rows, "lrrrrrr"))
        return parts

    def _rate(self, place: Place, results: Results | None = None) -> str:
        value = (results or self._results).typical(place, rate)
        return NOT_MEASURED if value is None else f"{value:,.0f}"

    def _worst(self) -> list[Outcome]:
        return of_sizes(self._results, self.measured.sizes, SIZES_TARGET)

    def _sizes(self) -> list[str]:
        if not self.measured.sizes:
            return []
        same, growing = size_tables(self._results, self.measured.sizes)
        return [f"## Cost against size\n\n{SIZES.format(rows=self.rows)}{SAME}\n{same}\n{GROWING}\n{growing}"]

    def _nodes(self) -> list[str]:
        results, rows = self.measured.loads.results, []
        for name in (*READS, *WRITES):
            places = {servers: Place(name, servers, CONNECTIONS_OF_NODES) for servers in (ONE, TWO)}
            ratio = spread_of(results.ratio(places[TWO], places[ONE], rate))
            for servers, place in places.items():
                if place in self.measured.loads.shares:
                    shares = Shares.mean(self.measured.loads.shares[place])
                    middle, errors = number(results.typical(place, p50)), str(results.errors(place))
                    percent = [f"{getattr(shares, group):.0%}" for group in Shares.__dataclass_fields__]
                    last = ratio if servers == TWO else ""
                    rows.append([name, servers, self._rate(place, results), middle, errors, *percent, last])
        if not rows:
            return []
        text = NODES.format(connections=CONNECTIONS_OF_NODES)
        return [f"### Two nodes\n\n{text}{table(NODES_HEADER, rows, 'll' + 'r' * 9)}"]

    def _dispatcher(self) -> list[str]:
        names = [name for name, _, _ in DISPATCHERS]
        (usual,) = [name for name, program, threads in DISPATCHERS if not program and threads == THREADS_ON_POSTGRES]
        rows = []
        for connections in (COMPARED, 1):
            for operation in (*READS, *WRITES):
                places = {name: Place(operation, name, connections) for name in names}
                if self._results.at(places[usual]):
                    rates = (self._rate(place) for place in places.values())
                    ratio = self._results.ratio(places[usual], places[names[0]], rate)
                    rows.append([operation, str(connections), *rates, spread_of(ratio)])
        if not rows:
            return []
        header = ["operation", "connections", *names, f"{usual} / {names[0]}"]
        return [f"## Dispatcher\n\n{DISPATCHER}{table(header, rows, 'l' + 'r' * (len(names) + 2))}"]


def _target(case: Case) -> tuple[str, float]:
    return ("write", WRITES_TARGET) if case.floor == FLOOR_POST else ("read", READS_TARGET)
