"""Several nodes on one database: the load of one organisation on one of them, and split between two."""

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import fmean

from bench.cases import COMPARED, Case
from bench.data import Progress
from bench.load import LoadGenerator, Measurement
from bench.results import Place, Results, Sample
from bench.servers import Server
from bench.shares import Groups, Shares, between
from bench.traffic import Script

ONE, TWO = "1 node", "2 nodes"
CONNECTIONS = 2 * COMPARED
_SEED = 1


@dataclass
class Loads:
    """What was measured.

    :ivar results: the servers of the places are `ONE` and `TWO`
    :ivar shares: of the processor, by place
    """

    results: Results = field(default_factory=Results)
    shares: dict[Place, list[Shares]] = field(default_factory=dict)


def measure(
    cases: Sequence[Case],
    nodes: Sequence[Server],
    postmaster: int,
    generator: LoadGenerator,
    rounds: int,
    seconds: float,
    progress: Progress,
) -> Loads:
    """Measure every case in every round: as many connections to the first node alone, and shared by the first two.

    :param cases: whose requests may be sent more than once
    """
    dice, loads = random.Random(_SEED), Loads()
    groups = Groups([node.pid for node in nodes], postmaster)
    ways: Mapping[str, Sequence[Server]] = {ONE: nodes[:1], TWO: nodes[:2]}
    parts = {(name, case.name): split(case, len(some)) for name, some in ways.items() for case in cases}
    chunk = 0
    for round_number in range(1, rounds + 1):
        for case in dice.sample(cases, len(cases)):
            chunk += 1
            for name in dice.sample([*ways], len(ways)):
                progress(f"round {round_number} of {rounds}: {case.name}, {name}")
                place, before = Place(case.name, name, CONNECTIONS), groups.spent()
                measured = _at_once(parts[name, case.name], ways[name], generator, seconds)
                loads.shares.setdefault(place, []).append(between(before, groups.spent()))
                loads.results.samples.append(Sample(place, chunk, measured))
    return loads


def split(case: Case, number: int) -> list[Case]:
    """The case as so many, each with a part of the requests, if there are as many: no two change the same row."""
    assert case.script is not None
    requests = case.script.requests
    if len(requests) < number:
        return [replace(case, script=Script(requests)) for _ in range(number)]
    return [replace(case, script=Script(requests[first::number])) for first in range(number)]


def _at_once(parts: Sequence[Case], nodes: Sequence[Server], generator: LoadGenerator, seconds: float) -> Measurement:
    """Measure each part on a node of its own, all at the same time, with a generator for each."""
    with ThreadPoolExecutor(len(nodes)) as pool:
        running = [
            pool.submit(generator.run, node.target(part.org_id), part.script, CONNECTIONS // len(nodes), seconds)
            for part, node in zip(parts, nodes, strict=True)
        ]
        return together([each.result() for each in running])


def together(measured: Sequence[Measurement]) -> Measurement:
    """Simultaneous measurements as one. The median is the mean of theirs, the 99th percentile the greatest."""
    return Measurement(
        requests=sum(each.requests for each in measured),
        seconds=fmean(each.seconds for each in measured),
        p50=fmean(each.p50 for each in measured),
        p99=max(each.p99 for each in measured),
        errors=sum(each.errors for each in measured),
    )
