"""PostgreSQL against SQLite in one run: every operation in alternation, cost against size, and several nodes."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench import cases, data, engines, forms, nodes, schedule, servers
from bench.benchmark import wanted
from bench.cases import COMPARED, Case
from bench.contents import OWNERS, WORKERS
from bench.data import Progress, Sized
from bench.engines import SQLITE, Engine
from bench.load import LoadGenerator
from bench.nodes import Loads
from bench.postgres import Server as Postgres
from bench.results import Results
from bench.schedule import Unit
from bench.servers import Server

SECTIONS = ("operations", "workflow", "sizes", "nodes", "dispatcher")

# What is measured on several nodes, and with another dispatcher.
READS = ("get run", "list runs, page of 20", "query by prefix, 100 rows")
WRITES = ("create run", "update task", "create run data")

# How the dispatcher serves requests: the name of a server, its program and its threads.
DISPATCHERS = (
    ("one at a time", servers.ONE_AT_A_TIME, 8),
    ("4 at a time", None, 4),
    ("8 at a time", None, 8),
    ("16 at a time", None, 16),
)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    :param sizes: entries and runs of each database; the first is that of the operations
    :param rounds: how often everything is measured
    :param seconds: how long an operation is measured each time
    :param sized_seconds: how long a query form is measured each time
    :param rows: how many runs, tasks and entries the operations take in turn
    :param deletions: how many entries there are to delete in each way
    """

    sizes: tuple[int, ...] = (10_000, 1_000_000)
    rounds: int = 5
    seconds: float = 2
    sized_seconds: float = 1
    rows: int = 1000
    deletions: int = 60_000


FULL = Plan()
QUICK = Plan((10_000, 50_000), 1, 0.6, 0.3, 500, 12_000)


@dataclass
class Measured:
    """What was found out.

    :ivar results: the servers of the places are engines, sizes and dispatchers
    :ivar operations: the cases of the operations that were measured, in the order of the report
    :ivar sizes: the databases on PostgreSQL
    :ivar loads: of nodes
    """

    results: Results = field(default_factory=Results)
    operations: list[Case] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    loads: Loads = field(default_factory=Loads)


def run(
    plan: Plan,
    postgres: Postgres,
    directory: Path,
    generator: LoadGenerator,
    progress: Progress,
    only: Sequence[str] = (),
) -> Measured:
    """Load, start, check and measure.

    :param directory: where the files go; the caller removes it
    :param only: patterns of sections or names of operations to measure; everything when empty
    :raises Unsound: when a database is not sound, before or after it was measured
    """
    benchmark = _Benchmark(plan, postgres, directory, progress, only)
    with ExitStack() as stack:
        benchmark.start(stack)
        progress("checking the answers")
        for unit in benchmark.units:
            for case in unit.cases:
                cases.verify(case, benchmark.servers[case.server])
        measured = Measured(operations=benchmark.operations, sizes=[sized.entries for sized in benchmark.sized])
        measured.results = schedule.measure(benchmark.units, [], benchmark.servers, generator, plan.rounds, progress)
        if wanted("nodes", [], only):
            measured.loads = nodes.measure(
                benchmark.sample, benchmark.nodes, postgres.pid, generator, plan.rounds, plan.seconds, progress
            )
    for engine, path in benchmark.loaded:
        progress(f"checking {path.stem} ({engine.name})")
        engines.verify(engine, path)
    return measured


class _Benchmark:
    """The databases and servers, and what is measured on them.

    :ivar loaded: the databases
    :ivar servers: by the names that the cases have
    :ivar nodes: two servers of one database
    :ivar sample: the cases for nodes and dispatchers
    """

    def __init__(
        self, plan: Plan, postgres: Postgres, directory: Path, progress: Progress, only: Sequence[str]
    ) -> None:
        self._plan, self._postgres, self._directory = plan, postgres, directory
        self._progress, self._only = progress, only
        self.loaded: list[tuple[Engine, Path]] = []
        self.servers: dict[str, Server] = {}
        self.nodes: list[Server] = []
        self.sized: list[Sized] = []
        self.units: list[Unit] = []
        self.operations: list[Case] = []
        self.sample: list[Case] = []

    def start(self, stack: ExitStack) -> None:
        """Load the databases, start their servers, and note what there is to measure.

        :param stack: where the servers end
        """
        titles = [form.title for form in forms.FORMS] + [forms.LIST_RUNS]
        if wanted("sizes", titles, self._only):
            self._start_sizes(stack, [title for title in titles if wanted("sizes", [title], self._only)])
        on_postgres = self._start_operations(stack, self._postgres)
        on_sqlite = self._start_operations(stack, SQLITE)
        pairs = [
            pair
            for pair in zip(on_postgres, on_sqlite, strict=True)
            if wanted(_section(pair[0]), [pair[0].name], self._only)
        ]
        self.operations = [case for case, _ in pairs]
        self.units += [
            Unit(_section(pair[0]), pair, connections, self._plan.seconds)
            for pair in pairs
            for connections in (COMPARED, 1)
        ]
        self.sample = [case for case in on_postgres if case.name in (*READS, *WRITES)]
        if wanted("nodes", [], self._only):
            self.nodes = [self.servers[self._postgres.name], self._another(stack, "another node")]
        if wanted("dispatcher", [], self._only):
            for name, program, threads in DISPATCHERS:
                self.servers[name] = self._another(stack, name, program, threads)
            self.units += [
                Unit("dispatcher", tuple(replace(case, server=name) for name, _, _ in DISPATCHERS), connections,
                     self._plan.seconds)
                for case in self.sample
                for connections in (COMPARED, 1)
            ]  # fmt: skip

    def _start_operations(self, stack: ExitStack, engine: Engine) -> list[Case]:
        """Start a server of an engine; the operations as cases for it."""
        path, entries = self._directory / f"operations-{engine.name}.db".lower(), self._plan.sizes[0]
        sized = data.load_sized(path, entries, OWNERS, self._progress, engine)
        self._progress(f"loading rows for the operations ({engine.name})")
        work = data.load_work(path, WORKERS, self._plan.rows, self._plan.deletions, engine)
        self.loaded.append((engine, path))
        engines.verify(engine, path)  # before hours are spent on it
        keys = {org: servers.create_key(path, org, url=engine.url(path)) for org in (OWNERS, WORKERS)}
        server = servers.foreman(path, keys, url=engine.url(path))
        self.servers[engine.name] = stack.enter_context(server)
        return [replace(case, server=engine.name) for case in cases.operations(work, sized.run_id, entries)]

    def _start_sizes(self, stack: ExitStack, titles: Sequence[str]) -> None:
        """Start a server for each size."""
        for entries in self._plan.sizes:
            path = self._directory / f"{entries}.db"
            sized = data.load_sized(path, entries, OWNERS, self._progress, self._postgres)
            # Small runs beside the large one: what the planner expects of a run is the mean.
            data.load_work(path, WORKERS, self._plan.rows, 1, self._postgres)
            self.sized.append(sized)
            self.loaded.append((self._postgres, path))
            url = self._postgres.url(path)
            keys = {OWNERS: servers.create_key(path, OWNERS, url=url)}
            self.servers[str(entries)] = stack.enter_context(servers.foreman(path, keys, url=url))
        same = [tuple(forms.cases_of(form, each, str(each.entries)) for each in self.sized) for form in forms.FORMS]
        same.append(tuple(forms.list_runs(each, str(each.entries)) for each in self.sized))
        self.units += [Unit("sizes", each, 1, self._plan.sized_seconds) for each in same if each[0].name in titles]

    def _another(
        self, stack: ExitStack, name: str, program: list[str] | None = None, threads: int | None = None
    ) -> Server:
        """Another node on the database of the operations."""
        ((_, path),) = [each for each in self.loaded if each[0] is self._postgres and "operations" in each[1].stem]
        first = self.servers[self._postgres.name]
        log = path.with_name(f"{name}.log".replace(" ", "-"))
        node = servers.foreman(
            path, first.keys, url=self._postgres.url(path), program=program, threads=threads, log=log
        )
        return stack.enter_context(node)


def _section(case: Case) -> str:
    return "workflow" if case.script is None else "operations"
