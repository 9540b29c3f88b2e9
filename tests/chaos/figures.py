"""What was measured in a soak, and the verdict about it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.load import percentile

# What is allowed. Machines are shared, so what depends on their speed is generous.
MEMORY_MIB = 8.0  # that the last quarter's median is above the second's; the first quarter is for warming up
DESCRIPTORS = 8  # likewise; and without load, after it above before it
LOG_MIB = 16.0  # the write-ahead log, at the median: twice the size from which on it is begun anew
LONGEST_LOG_MIB = 80.0  # and at any moment: on a disk that stalls it may have 64 MB before that makes anybody wait
# The probe's p99 in the last third, as a multiple of that in the first; of the quieter samples of each, for what the
# server does is in all of them, and what others do to the machine in some.
SLOWER = 5.0


@dataclass(frozen=True)
class Sample:
    """What was seen in a few seconds, and at their end.

    :ivar at: seconds since the start
    :ivar rate: requests answered per second
    :ivar resident: the server's memory (VmRSS), in MiB
    :ivar descriptors: its open files and sockets
    :ivar threads: its threads
    :ivar log: the size of the write-ahead log, in MiB
    :ivar busy: processor time per second
    :ivar probes: how long each probe took, in milliseconds
    """

    at: float
    rate: float
    resident: float
    descriptors: int
    threads: int
    log: float
    busy: float
    probes: tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """One line of the verdict."""

    what: str
    measured: str
    allowed: str
    kept: bool


@dataclass
class Figures:
    """A whole soak.

    :ivar samples: in order of time; at least four
    :ivar at_rest: descriptors without load, before and after
    :ivar answered: requests by kind and status
    :ivar unexpected: answers and errors that must not have been, as lines
    :ivar violations: what `app.py check` found, as lines
    """

    samples: list[Sample]
    at_rest: tuple[int, int]
    answered: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def verdict(self) -> list[Finding]:
        """Every bound, and whether it was kept."""
        second, last = self._part(2, 4), self._part(4, 4)
        grown = _median(last, lambda each: each.resident) - _median(second, lambda each: each.resident)
        opened = _median(last, lambda each: each.descriptors) - _median(second, lambda each: each.descriptors)
        begun = max(each.threads for each in last) - max(each.threads for each in second)
        before, after = self.at_rest
        first, third = _quieter_p99(self._part(1, 3)), _quieter_p99(self._part(3, 3))
        slowest = min(each.rate for each in self.samples)
        return [
            _at_most("memory, last quarter above second", grown, MEMORY_MIB, "MiB"),
            _at_most("descriptors, last quarter above second", opened, DESCRIPTORS),
            _at_most("descriptors without load, after above before", after - before, DESCRIPTORS),
            _at_most("threads, last quarter above second", begun, 0),
            _at_most("write-ahead log, median", _median(self.samples, lambda each: each.log), LOG_MIB, "MiB"),
            _at_most("write-ahead log, longest", max(each.log for each in self.samples), LONGEST_LOG_MIB, "MiB"),
            _at_most("p99 of the probe, last third as a multiple of first", third / first, SLOWER),
            Finding("requests per second in the slowest sample", f"{slowest:.0f}", "more than 0", slowest > 0),
            _at_most("unexpected answers", len(self.unexpected), 0),
            _at_most("violations found by check", len(self.violations), 0),
        ]

    def table(self) -> list[str]:
        """Lines for people: the medians of each quarter, the largest log, and how long all its probes took."""
        columns = ("quarter", "requests/s", "MiB", "descriptors", "threads", "log MiB", "processor", "p50 ms", "p99 ms")
        lines = ["  ".join(columns)]
        for number in range(1, 5):
            part = self._part(number, 4)
            figures = (
                f"{number}",
                f"{_median(part, lambda each: each.rate):.0f}",
                f"{_median(part, lambda each: each.resident):.1f}",
                f"{_median(part, lambda each: each.descriptors):.0f}",
                f"{_median(part, lambda each: each.threads):.0f}",
                f"{max(each.log for each in part):.1f}",
                f"{_median(part, lambda each: each.busy):.0%}",
                f"{p50(part):.1f}",
                f"{p99(part):.1f}",
            )
            lines.append("  ".join(figure.rjust(len(name)) for name, figure in zip(columns, figures, strict=True)))
        return lines

    def to_json(self) -> dict[str, Any]:
        """All of it, for a file."""
        samples = []
        for sample in self.samples:
            figures = {name: value for name, value in asdict(sample).items() if name != "probes"}
            samples.append({**figures, "p50": p50([sample]), "p99": p99([sample])})
        return {
            "samples": samples,
            "descriptorsWithoutLoad": self.at_rest,
            "answered": self.answered,
            "unexpected": self.unexpected,
            "violations": self.violations,
            "verdict": [asdict(finding) for finding in self.verdict()],
        }

    def _part(self, number: int, parts: int) -> Sequence[Sample]:
        """One of so many equal parts of the samples, counted from 1."""
        return self.samples[len(self.samples) * (number - 1) // parts : len(self.samples) * number // parts]


def p50(samples: Sequence[Sample]) -> float:
    """What half of the probes did not exceed, in milliseconds."""
    return percentile(_probes(samples), 50)


def p99(samples: Sequence[Sample]) -> float:
    """What 99 of 100 probes did not exceed, in milliseconds."""
    return percentile(_probes(samples), 99)


def _quieter_p99(samples: Sequence[Sample]) -> float:
    """What a quarter of the samples do not exceed with their own p99, in milliseconds."""
    return sorted(p99([each]) for each in samples)[len(samples) // 4]


def _at_most(what: str, measured: float, allowed: float, unit: str = "") -> Finding:
    return Finding(what, f"{measured:.3g} {unit}".rstrip(), f"at most {allowed:g} {unit}".rstrip(), measured <= allowed)


def _probes(samples: Sequence[Sample]) -> list[float]:
    return sorted(probe for sample in samples for probe in sample.probes)


def _median(samples: Sequence[Sample], figure: Callable[[Sample], float]) -> float:
    return median(figure(each) for each in samples)
