"""What a fault did, and the table for people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.nodes.record import NEVER, Record

# The share of the usual rate that has to be reached, and within how many seconds of the fault's end.
SHARE, WITHIN = 0.95, 10.0

# Seconds over which a rate is a mean. One second has some 150 requests, which vary by 8% by chance alone.
WINDOW = 3

COLUMNS = ("fault", "times", "failed requests", "longest gap", "to 95%", "lost", "twice", "besides")


@dataclass
class Effect:
    """One round of a fault.

    :ivar usual: requests per second before it
    :ivar kinds: failures of requests, from its begin until the load was as usual again
    :ivar gap: the longest time without a success, in seconds
    :ivar recovered: seconds from its end until the load was as usual again; None if it was not while looked at
    :ivar violations: broken promises, as lines
    """

    fault: str
    usual: float
    kinds: Counter[str]
    gap: float
    recovered: float | None
    notes: Sequence[str] = ()
    violations: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How much was acknowledged and is not there."""
        return sum("acknowledged, and not there" in line for line in self.violations)

    @property
    def twice(self) -> int:
        """How much is there without having been sent, or more than once."""
        return sum("nobody has sent it" in line or "stored 2 times" in line for line in self.violations)

    def broken(self, may: Sequence[str]) -> list[str]:
        """What may not be, as lines.

        :param may: the kinds of failures that are allowed
        """
        lines = [f"{self.fault}: {line}" for line in self.violations]
        for kind, number in self.kinds.items():
            if kind not in may or any(never in kind for never in NEVER):
                lines.append(f"{self.fault}: {number} requests failed with {kind}")
        if self.recovered is None or self.recovered > WITHIN:
            after = "never" if self.recovered is None else f"after {self.recovered:.0f} s"
            lines.append(f"{self.fault}: {SHARE:.0%} of {self.usual:.0f} requests per second {after}")
        return lines


def recovered(record: Record, usual: float, begin: float, end: float) -> float | None:
    """Seconds from `begin` until the first `WINDOW` seconds whose mean rate is `SHARE` of the usual one."""
    buckets = record.buckets(begin, end)
    for second in range(len(buckets) - WINDOW + 1):
        if sum(buckets[second : second + WINDOW]) >= SHARE * usual * WINDOW:
            return float(second)
    return None


def table(effects: Sequence[Effect]) -> list[str]:
    """A row for each kind of fault, as Markdown."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---:|---|---:|---:|---:|---:|---|"]
    for name in dict.fromkeys(effect.fault for effect in effects):
        rounds = [effect for effect in effects if effect.fault == name]
        kinds = sum((effect.kinds for effect in rounds), Counter())
        slowest = [effect.recovered for effect in rounds]
        cells = (
            name,
            str(len(rounds)),
            ", ".join(f"{number} × {kind}" for kind, number in sorted(kinds.items())) or "none",  # noqa: RUF001
            f"{max(effect.gap for effect in rounds):.1f} s",
            "not reached" if None in slowest else f"{max(each for each in slowest if each is not None):.0f} s",
            str(sum(effect.lost for effect in rounds)),
            str(sum(effect.twice for effect in rounds)),
            "; ".join(note for effect in rounds for note in effect.notes),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines
