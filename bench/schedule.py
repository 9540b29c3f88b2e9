"""The order of measuring: rounds of shuffled chunks; what is compared with each other shares a chunk."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cases import Case
from bench.cores import UNPINNED, cores
from bench.data import Progress
from bench.load import LoadGenerator
from bench.results import Place, Results, Sample
from bench.servers import Server

# How many units share one measurement of the floor.
_UNITS_PER_FLOOR = 6
_SEED = 1


@dataclass(frozen=True)
class Unit:
    """Cases that are measured one after the other; with `floored` together with the floor.

    :param section: the part of the benchmark it belongs to
    :param seconds: how long each case is measured
    :param repeat: how often it is measured in a round
    :param pinning: which cores the server and the load generator run on
    """

    section: str
    cases: tuple[Case, ...]
    connections: int
    seconds: float
    floored: bool = False
    repeat: int = 1
    pinning: str = UNPINNED


@dataclass(frozen=True)
class Chunk:
    """What is measured one after the other, within seconds."""

    cases: list[Case]
    connections: int
    seconds: float
    pinning: str


def measure(
    units: Sequence[Unit],
    floors: Sequence[Case],
    servers: Mapping[str, Server],
    generator: LoadGenerator,
    rounds: int,
    progress: Progress,
) -> Results:
    """Measure every unit in every round."""
    dice = random.Random(_SEED)
    results = Results()
    chunk_number = 0
    for round_number in range(1, rounds + 1):
        round_of_chunks = chunks(units, floors, dice)
        for part, chunk in enumerate(round_of_chunks, 1):
            chunk_number += 1
            for case in chunk.cases:
                if case.script is not None and not case.script.lasts(chunk.seconds):
                    continue  # its requests are used up: its median is over fewer rounds
                progress(
                    f"round {round_number} of {rounds}, part {part} of {len(round_of_chunks)}: "
                    f"{case.name} ({case.server}), {chunk.connections} connections, {chunk.pinning}"
                )
                server = servers[case.server]
                with cores(chunk.pinning, server):
                    measurement = generator.run(
                        server.target(case.org_id), case.script, chunk.connections, chunk.seconds
                    )
                place = Place(case.name, case.server, chunk.connections, chunk.pinning)
                results.samples.append(Sample(place, chunk_number, measurement))
    return results


def chunks(units: Sequence[Unit], floors: Sequence[Case], dice: random.Random) -> list[Chunk]:
    """One round."""
    chunked = [
        Chunk(list(unit.cases), unit.connections, unit.seconds, unit.pinning)
        for unit in units
        if not unit.floored
        for _ in range(unit.repeat)
    ]
    for connections, pinning in sorted({(unit.connections, unit.pinning) for unit in units if unit.floored}):
        here = (connections, pinning)
        floored = [unit for unit in units if unit.floored and (unit.connections, unit.pinning) == here]
        dice.shuffle(floored)
        for start in range(0, len(floored), _UNITS_PER_FLOOR):
            together = floored[start : start + _UNITS_PER_FLOOR]
            cases = [*floors, *(case for unit in together for case in unit.cases)]
            chunked.append(Chunk(cases, connections, together[0].seconds, pinning))
    for chunk in chunked:
        dice.shuffle(chunk.cases)
    dice.shuffle(chunked)
    return chunked
