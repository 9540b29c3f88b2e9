"""What was answered, and when."""

import threading
import time
from collections import Counter
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# Answers that no fault excuses.
NEVER = ("500", "503 of a node without Retry-After", "other")


class Failed(NamedTuple):
    """A request that was not answered well."""

    at: float
    kind: str
    what: str


class Record:
    """All answers to all clients, by time (`time.monotonic`)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._successes: list[float] = []
        self._failures: list[Failed] = []
        self.slowest = 0.0
        self.runs = 0

    def succeeded(self, began: float) -> None:
        """Note an answer that was as it should be."""
        now = time.monotonic()
        with self._lock:
            self._successes.append(now)
            self.slowest = max(self.slowest, now - began)

    def failed(self, kind: str, what: str) -> None:
        """Note a request that has failed."""
        with self._lock:
            self._failures.append(Failed(time.monotonic(), kind, what))

    def created_run(self) -> None:
        """Note that a run was acknowledged."""
        with self._lock:
            self.runs += 1

    def failures(self, begin: float, end: float) -> list[Failed]:
        """What failed in that time."""
        with self._lock:
            return [each for each in self._failures if begin <= each.at < end]

    def kinds(self, begin: float, end: float) -> Counter[str]:
        """How often each kind of failure was in that time."""
        return Counter(each.kind for each in self.failures(begin, end))

    def successes(self, begin: float, end: float) -> list[float]:
        """When requests were answered well in that time."""
        with self._lock:
            return [each for each in self._successes if begin <= each < end]

    def buckets(self, begin: float, end: float) -> list[int]:
        """How many were answered well in each whole second from `begin`."""
        seconds = [0] * int(end - begin)
        for at in self.successes(begin, begin + len(seconds)):
            seconds[int(at - begin)] += 1
        return seconds

    def usual(self, begin: float, end: float) -> float:
        """The median of the seconds in that time."""
        return median(self.buckets(begin, end))

    def longest_gap(self, begin: float, end: float) -> float:
        """The longest time without a success, in seconds."""
        moments = [begin, *self.successes(begin, end), end]
        return max(later - earlier for earlier, later in pairwise(moments))
