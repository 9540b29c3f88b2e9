"""The whole benchmark: what is loaded, started, checked and measured, in this order."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from bench import cases, data, footprint, forms, pages, schedule, servers
from bench.cases import COMPARED, Case
from bench.contents import COMMON_TAGS, OWNERS, WORKERS, Work
from bench.cores import PINNED, pinnings
from bench.data import Progress, Sized
from bench.footprint import Footprint
from bench.load import LoadGenerator
from bench.pages import LARGE_RUN, Written
from bench.results import Results
from bench.schedule import Unit
from bench.servers import Server
from bench.targets import COMMIT, LIMITER, TAGS
from bench.traffic import Script
from bench.trees import THIS

SECTIONS = (
    "operations",
    "workflow",
    "pinned",
    "limiter",
    "commit",
    "tags",
    "batches",
    "keys",
    "sizes",
    "cursor",
    "footprint",
    "pages",
)


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    :param sizes: entries and runs of each database; the operations use a copy of the first
    :param rounds: how often everything is measured
    :param seconds: how long an operation is measured each time
    :param sized_seconds: how long a query form is measured each time
    :param rows: how many runs, tasks and entries the operations take in turn
    :param deletions: how many entries there are to delete in each way
    :param keyed: how many requests there are with an idempotency key, of each kind
    :param starts: how often the server is started to time it
    :param disk_entries: how many entries are stored to measure bytes on disk
    :param grown: how many runs, tasks and entries a database has in which pages are counted
    :param commits: how many rows each kind of write is for, then
    """

    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    rounds: int = 5
    seconds: float = 2
    sized_seconds: float = 1
    rows: int = 1000
    deletions: int = 60_000
    keyed: int = 150_000
    starts: int = 9
    disk_entries: int = 20_000
    grown: int = 100_000
    commits: int = 300


FULL = Plan()
QUICK = Plan((10_000, 50_000), 1, 0.6, 0.3, 500, 12_000, 20_000, 3, 4_000, 3_000, 60)


@dataclass(frozen=True)
class Measured:
    """All that a benchmark found out, and the cases that are compared with the floor.

    :ivar pages: what each kind of commit has written; None when not measured
    """

    results: Results
    footprint: Footprint
    operations: list[Case]
    sized: list[Sized]
    pages: dict[str, Written] | None = None


def run(
    plan: Plan, directory: Path, generator: LoadGenerator, progress: Progress, only: Sequence[str] = ()
) -> Measured:
    """Load, start, check and measure.

    :param directory: where the databases go; the caller removes it
    :param only: patterns of sections or names of cases to measure; everything when empty
    :raises Unsound: when a database is not sound, before or after it was measured
    """
    taken = Footprint()
    first, work_path, keys, work = _load_first(plan, directory, progress)
    operations = cases.operations(work, first.run_id, first.entries)
    sized = [first]
    if wanted("sizes", [form.title for form in forms.FORMS] + [forms.LIST_RUNS], only) or wanted("cursor", [], only):
        sized += [data.load_sized(directory / f"{size}.db", size, OWNERS, progress) for size in plan.sizes[1:]]
    units = _units(plan, operations, work, sized)
    units = [unit for unit in units if wanted(unit.section, [case.name for case in unit.cases], only)]
    if wanted("footprint", [], only):
        progress("starting the server again and again")
        footprint.measure_start(taken, data.copy(work_path, "start.db"), keys, plan.starts)
        progress("measuring bytes on disk")
        footprint.measure_disk(taken, directory, plan.disk_entries)

    written = None
    if wanted("pages", [], only):
        progress(f"loading a database of {plan.grown:,} runs, tasks and entries")
        path = directory / "grown.db"
        filling = THIS.fill(path, "grown", rows=plan.grown, entries=LARGE_RUN)
        written = pages.measure(THIS, path, filling.wait(), plan.commits)

    copies = {name: data.copy(work_path, f"{name}.db") for name in ("unlimited", "commit-each")}
    with ExitStack() as stack:
        running = {"work": stack.enter_context(servers.foreman(work_path, keys))}
        taken.idle = running["work"].resident()
        used = {case.server for unit in units for case in unit.cases}
        if "unlimited" in used:
            running["unlimited"] = stack.enter_context(servers.foreman(copies["unlimited"], keys, rate_limit="off"))
        if "commit-each" in used:
            server = servers.foreman(copies["commit-each"], keys, program=servers.COMMIT_EACH)
            running["commit-each"] = stack.enter_context(server)
        for each in sized:
            if str(each.entries) in used:
                own = keys if each is first else {OWNERS: servers.create_key(each.path, OWNERS)}
                running[str(each.entries)] = stack.enter_context(servers.foreman(each.path, own))
        with Server(servers.FLOOR, [], directory / "floor.log") as floor:
            all_servers = {**running, "floor": floor}
            floors = cases.floors()
            for nearest, *others in [unit.cases for unit in units if unit.section == "cursor"]:
                progress("going to the last page that is measured")
                for case in others:
                    forms.find_page(nearest, case, all_servers[case.server])
            progress("checking the answers")
            for case in [*floors, *(case for unit in units for case in unit.cases)]:
                cases.verify(case, all_servers[case.server])
            results = schedule.measure(units, floors, all_servers, generator, plan.rounds, progress)
        if not only:
            footprint.measure_memory(taken, running)
    for path in sorted(directory.glob("*.db")):
        progress(f"checking {path.name}")
        data.verify(path)
    return Measured(results, taken, operations, sized, written)


def _load_first(plan: Plan, directory: Path, progress: Progress) -> tuple[Sized, Path, dict[str, str], Work]:
    """The smallest database, and a copy of it with more rows for the operations; both take the same keys."""
    first = data.load_sized(directory / f"{plan.sizes[0]}.db", plan.sizes[0], OWNERS, progress)
    keys = {org_id: servers.create_key(first.path, org_id) for org_id in (OWNERS, WORKERS)}
    work_path = data.copy(first.path, "work.db")
    progress("loading rows for the operations")
    work = data.load_work(work_path, WORKERS, plan.rows, plan.deletions)
    data.verify(work_path)  # before hours are spent on it
    return first, work_path, keys, work


def _units(plan: Plan, operations: Sequence[Case], work: Work, sized: Sequence[Sized]) -> list[Unit]:
    """Everything there is to measure."""
    every = [
        Unit("workflow" if case.script is None else "operations", (case,), connections, plan.seconds, floored=True)
        for connections in (COMPARED, 1)
        for case in operations
    ]
    if PINNED in pinnings():
        every += [
            Unit("pinned", (case,), connections, plan.seconds, floored=True, pinning=PINNED)
            for connections in (COMPARED, 1)
            for case in operations
            if not case.name.startswith("delete")  # there are not enough entries to delete
        ]
    create = [
        request for case in operations if case.name == "create run" and case.script for request in case.script.requests
    ]
    read = [
        request for case in operations if case.name == "get run" and case.script for request in case.script.requests
    ]
    pairs = {
        "limiter": [
            Case(name, server, Script(read)) for name, server in zip(LIMITER, ("work", "unlimited"), strict=True)
        ],
        "commit": [
            Case(name, server, Script(create), 201)
            for name, server in zip(COMMIT, ("work", "commit-each"), strict=True)
        ],
        "tags": [
            Case(name, "work", Script(cases.entries(work, tags)), 201)
            for name, tags in zip(TAGS, (COMMON_TAGS[:20], []), strict=True)
        ],
    }
    every += [Unit(section, tuple(pair), COMPARED, plan.seconds, repeat=3) for section, pair in pairs.items()]
    every += [Unit("batches", pair, COMPARED, plan.seconds, repeat=3) for pair in cases.batches(work)]
    every += [Unit("keys", pair, COMPARED, plan.seconds, repeat=3) for pair in cases.keyed(work, plan.keyed)]
    every += [
        Unit("sizes", tuple(forms.cases_of(form, each, str(each.entries)) for each in sized), 1, plan.sized_seconds)
        for form in forms.FORMS
    ]
    lists = tuple(forms.list_runs(each, str(each.entries)) for each in sized)
    pages = forms.pages_by_cursor(sized[-1], str(sized[-1].entries))
    return [
        *every,
        Unit("sizes", lists, 1, plan.sized_seconds),
        Unit("cursor", pages, 1, plan.sized_seconds, repeat=3),
    ]


def wanted(section: str, names: Sequence[str], only: Sequence[str]) -> bool:
    """Whether one of the patterns `only` names a section or something in it; without patterns everything is wanted."""
    return not only or any(fnmatchcase(name, pattern) for pattern in only for name in (section, *names))
