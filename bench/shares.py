"""Which groups of processes the processor's time goes to, as /proc tells."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Shares:
    """Shares of the time of all cores, from 0 to 1; or their seconds since the machine has started.

    :ivar nodes: servers of Foreman
    :ivar postgres: all processes of PostgreSQL
    :ivar generator: this process, and the load generators that it has started
    :ivar others: everything else
    """

    nodes: float
    postgres: float
    generator: float
    others: float
    idle: float

    @classmethod
    def mean(cls, shares: Sequence["Shares"]) -> "Shares":
        """The mean of several."""
        nodes, postgres, generator, others, idle = (
            mean(getattr(each, name) for each in shares) for name in cls.__dataclass_fields__
        )
        return cls(nodes, postgres, generator, others, idle)


@dataclass(frozen=True)
class Groups:
    """The processes of interest.

    :ivar nodes: their ids
    :ivar postmaster: the process that the others of PostgreSQL descend from
    """

    nodes: Sequence[int]
    postmaster: int

    def spent(self) -> Shares:
        """Seconds until now."""
        busy, idle = _of_machine()
        nodes = sum(_of_process(pid) for pid in self.nodes)
        postgres = _of_family(self.postmaster)
        own = os.times()
        generator = own.user + own.system + own.children_user + own.children_system
        return Shares(nodes, postgres, generator, busy - nodes - postgres - generator, idle)


def between(before: Shares, after: Shares) -> Shares:
    """The shares of the time between two moments."""
    spent = [getattr(after, name) - getattr(before, name) for name in Shares.__dataclass_fields__]
    nodes, postgres, generator, others, idle = (seconds / (sum(spent) or 1) for seconds in spent)
    return Shares(nodes, postgres, generator, max(0.0, others), idle)


def _of_machine() -> tuple[float, float]:
    """Busy and idle seconds of all cores."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    user, nice, system, idle, waiting, *others = (int(ticks) * _TICK for ticks in line.split()[1:9])
    return user + nice + system + sum(others), idle + waiting


def _of_process(pid: int) -> float:
    return sum(_fields(Path(f"/proc/{pid}/stat"))[1:3])


def _of_family(pid: int) -> float:
    """Seconds of a process, of its children, and of those that have ended."""
    living = sum(sum(own) for parent, *own, _, _ in map(_fields, _every()) if parent == pid)
    return sum(_fields(Path(f"/proc/{pid}/stat"))[1:]) + living


def _every() -> list[Path]:
    return [each / "stat" for each in Path("/proc").iterdir() if each.name.isdigit()]


def _fields(stat: Path) -> tuple[float, ...]:
    """The parent's id; the seconds of the process, as user and as system, and likewise of its children that have ended.

    Nothing, if it has ended itself.
    """
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return (0, 0, 0, 0, 0)
    return (int(fields[1]), *(int(ticks) * _TICK for ticks in fields[11:15]))
