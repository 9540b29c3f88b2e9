"""What was measured, and the statistics over it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from bench.cores import UNPINNED
from bench.load import Measurement

# A number that a measurement has given; None when nothing was answered.
Metric = Callable[[Measurement], float | None]


def rate(measurement: Measurement) -> float:
    """Requests per second."""
    return measurement.rate


def p50(measurement: Measurement) -> float | None:
    """The latency that half of the requests do not exceed."""
    return measurement.p50 if measurement.requests else None


def p99(measurement: Measurement) -> float | None:
    """The latency that 99 % of the requests do not exceed."""
    return measurement.p99 if measurement.requests else None


@dataclass(frozen=True)
class Place:
    """What was measured where: a case's name, its server's name, how many connections, and on which cores."""

    name: str
    server: str
    connections: int
    pinning: str = UNPINNED


@dataclass(frozen=True)
class Sample:
    """One measurement. What shares a chunk was measured within seconds, so that noise hits all of it alike."""

    place: Place
    chunk: int
    measurement: Measurement


@dataclass(frozen=True)
class Spread:
    """The median of a number of values, the least and the greatest."""

    middle: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """The spread of some values; None when there are none."""
        ascending = sorted(values)
        return cls(median(ascending), ascending[0], ascending[-1]) if ascending else None


@dataclass
class Results:
    """All samples of a benchmark."""

    samples: list[Sample] = field(default_factory=list)

    def places(self) -> list[Place]:
        """Everything that was measured, in the order of its first measurement."""
        return list(dict.fromkeys(sample.place for sample in self.samples))

    def at(self, place: Place) -> list[Measurement]:
        """The measurements of one place."""
        return [sample.measurement for sample in self.samples if sample.place == place]

    def typical(self, place: Place, metric: Metric) -> float | None:
        """The median over all rounds; None when it was not measured."""
        values = [value for measurement in self.at(place) if (value := metric(measurement)) is not None]
        return median(values) if values else None

    def errors(self, place: Place) -> int:
        """Errors of all rounds."""
        return sum(measurement.errors for measurement in self.at(place))

    def ratio(self, place: Place, to: Place, metric: Metric) -> Spread | None:
        """One place's metric relative to another's, within each chunk that has both."""
        return Spread.of(self._ratios(place, to, metric))

    def _ratios(self, place: Place, to: Place, metric: Metric) -> Iterator[float]:
        chunks: dict[int, dict[Place, list[float]]] = defaultdict(lambda: defaultdict(list))
        for sample in self.samples:
            if sample.place in (place, to) and (value := metric(sample.measurement)) is not None:
                chunks[sample.chunk][sample.place].append(value)
        for chunk in chunks.values():
            if place in chunk and to in chunk and (base := median(chunk[to])):
                yield median(chunk[place]) / base
