"""A tree against an earlier one: every operation on servers of both, in alternation, and pages per commit."""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import benchmark, cases, pages, servers
from bench.cases import COMPARED, Case
from bench.contents import Work
from bench.cores import cores, pinnings
from bench.data import Progress
from bench.load import LoadGenerator
from bench.pages import Written
from bench.results import Place, Results, Sample
from bench.servers import Server, ServerFailed
from bench.trees import THIS, Tree

SECTIONS = ("operations", "workflow", "pages")
CONNECTIONS = (COMPARED, 1)
_SEED = 1


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    :param rounds: how often everything is measured
    :param seconds: how long an operation is measured each time
    :param rows: how many runs, tasks and entries the operations take in turn
    :param deletions: how many entries there are to delete in each way
    :param grown: how many runs, tasks and entries a database has in which pages are counted
    :param commits: how many rows each kind of write is for, then
    """

    rounds: int = 12
    seconds: float = 1
    rows: int = 1000
    deletions: int = 60_000
    grown: int = 100_000
    commits: int = 300


FULL = Plan()
QUICK = Plan(3, 0.25, 300, 8_000, 3_000, 60)
ENTRIES = 10_000  # of the run that is queried; as many runs are listed


@dataclass
class Compared:
    """What a comparison found out.

    :ivar results: the trees' names are the servers of the places
    :ivar names: the operations, in the order of the report
    :ivar left_out: operations that the base does not have as this tree has them, and its response
    :ivar written: what each kind of commit has written, by tree
    """

    results: Results = field(default_factory=Results)
    names: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    written: dict[str, dict[str, Written]] = field(default_factory=dict)


def run(
    plan: Plan, base: Tree, directory: Path, generator: LoadGenerator, progress: Progress, only: Sequence[str] = ()
) -> Compared:
    """Load, start, check and measure both trees.

    :param directory: where the databases go; the caller removes it
    :param only: patterns of sections or names of operations to measure; everything when empty
    :raises Unsound: when a database is not sound after it was measured
    """
    compared, trees = Compared(), (THIS, base)
    titles = [case.name for case in cases.operations(Work(), "", ENTRIES)]
    names = [name for name in titles if benchmark.wanted(_section(name), [name], only)]
    if names:
        progress("loading the databases of both trees")
        sizes = {"entries": ENTRIES, "rows": plan.rows, "deletions": plan.deletions}
        filled = _fill(trees, directory, "operations", sizes)
        with ExitStack() as stack:
            running, asked = {}, {}
            for tree in trees:
                path, found = directory / f"operations-{tree.name}.db", filled[tree.name]
                running[tree.name] = stack.enter_context(servers.foreman(path, found["keys"], tree=tree.root))
                operations = cases.operations(Work(**found["work"]), found["run_id"], ENTRIES)
                asked[tree.name] = {case.name: case for case in operations if case.name in names}
            progress("checking the answers")
            compared.left_out = _verify(asked, running, base)
            compared.names = [name for name in names if name not in compared.left_out]
            compared.results = _measure(plan, compared.names, asked, running, generator, progress)
        _check(trees, directory, "operations", progress)
    if benchmark.wanted("pages", [], only):
        progress(f"loading databases of {plan.grown:,} runs, tasks and entries")
        filled = _fill(trees, directory, "grown", {"rows": plan.grown, "entries": pages.LARGE_RUN})
        for tree in trees:
            progress(f"counting pages ({tree.name})")
            path = directory / f"grown-{tree.name}.db"
            compared.written[tree.name] = pages.measure(tree, path, filled[tree.name], plan.commits)
        _check(trees, directory, "grown", progress)
    return compared


def _fill(trees: Sequence[Tree], directory: Path, kind: str, sizes: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Fill a database for each tree, all at the same time."""
    with ExitStack() as stack:
        fillings = {}
        for tree in trees:
            fillings[tree.name] = tree.fill(directory / f"{kind}-{tree.name}.db", kind, **sizes)
            stack.callback(fillings[tree.name].stop)
        return {name: filling.wait() for name, filling in fillings.items()}


def _check(trees: Sequence[Tree], directory: Path, kind: str, progress: Progress) -> None:
    for tree in trees:
        path = directory / f"{kind}-{tree.name}.db"
        progress(f"checking {path.name}")
        tree.verify(path)


def _verify(asked: Mapping[str, Mapping[str, Case]], running: Mapping[str, Server], base: Tree) -> dict[str, str]:
    """Check the first answers. What the base answers otherwise is not an error: it may be new.

    :raises ServerFailed: when an answer of this tree is wrong
    """
    different = {}
    for name in asked[base.name]:
        cases.verify(asked[THIS.name][name], running[THIS.name])
        try:
            cases.verify(asked[base.name][name], running[base.name])
        except ServerFailed as error:
            different[name] = str(error)[:200]
    return different


def _measure(
    plan: Plan,
    names: Sequence[str],
    asked: Mapping[str, Mapping[str, Case]],
    running: Mapping[str, Server],
    generator: LoadGenerator,
    progress: Progress,
) -> Results:
    """Measure in rounds. In each, everything is in shuffled order, and both trees directly after each other."""
    dice = random.Random(_SEED)
    results = Results()
    every = [(name, connections, pinning) for name in names for connections in CONNECTIONS for pinning in pinnings()]
    chunk = 0
    for round_number in range(1, plan.rounds + 1):
        dice.shuffle(every)
        for part, (name, connections, pinning) in enumerate(every, 1):
            chunk += 1
            progress(
                f"round {round_number} of {plan.rounds}, part {part} of {len(every)}: "
                f"{name}, {connections} connections, {pinning}"
            )
            trees = list(asked)
            if not all(_lasts(asked[tree][name], plan.seconds) for tree in trees):
                continue  # its requests are used up: its median is over fewer rounds
            dice.shuffle(trees)
            for tree in trees:
                case, server = asked[tree][name], running[tree]
                with cores(pinning, server):
                    target = server.target(case.org_id)
                    measurement = generator.run(target, case.script, connections, plan.seconds)
                results.samples.append(Sample(Place(name, tree, connections, pinning), chunk, measurement))
    return results


def _lasts(case: Case, seconds: float) -> bool:
    return case.script is None or case.script.lasts(seconds)


def _section(name: str) -> str:
    return "workflow" if name == "workflow" else "operations"
