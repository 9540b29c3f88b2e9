"""In-memory counters of rate limits: a storage for Flask-Limiter.

The library's own in-memory storage starts a thread every hundredth of a second under load, to evict expired counters.
That costs several times what counting does. Here, counters are evicted when there are too many of them.
"""

import threading
import time
from typing import Protocol

from limits.storage import Storage

# Maximum number of counters: more than keys, or networks, are usually active at once. Each takes about 200 bytes.
_REMEMBERED = 10_000

# Two ends of a counter's window that differ by less, in seconds, are that of one window: none is shorter than a second.
_SAME_WINDOW = 0.5


class Counters(Protocol):
    """What rate limits need of their counters. Where others share them, `incr` and `get` may wait for the network."""

    def incr(self, key: str, expiry: int) -> int:
        """Increment a counter and return it. Its window lasts `expiry` seconds from its first increment."""

    def get(self, key: str) -> int:
        """The counter in its window; 0 if it has none."""

    def last_seen(self, key: str) -> int:
        """The same as far as this node knows. Never waits: the event loop may ask."""

    def seconds_left(self, key: str) -> float:
        """Seconds until the end of the counter's window; 0 if it has none. Never waits."""

    def get_expiry(self, key: str) -> float:
        """When the counter's window ends, in seconds since 1970; now if it has none. Never waits."""


class LocalCounters(Storage):
    """Counters that expire; see https://limits.readthedocs.io/en/stable/custom-storage.html.

    When there are too many, the lowest ones are evicted. So each limit needs a storage of its own: then the counters
    that have reached it are the ones that stay, and to evict one takes reaching the limit thousands of times.
    """

    STORAGE_SCHEME = ["local"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._counters: dict[str, tuple[int, float]] = {}  # the count, and when its window ends by the monotonic clock
        self._lock = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions of the storage, which raises none: a placeholder."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Increment a counter and return it. Its window lasts `expiry` seconds from its first increment."""
        now = time.monotonic()
        with self._lock:
            counted, until = self._counters.get(key, (0, 0.0))
            if until <= now:
                counted, until = 0, now + expiry
                if len(self._counters) >= _REMEMBERED:
                    self._forget(now)
            self._counters[key] = (counted + amount, until)
        return counted + amount

    def get(self, key: str) -> int:
        """The counter in its window; 0 if it has none."""
        counted, until = self._counters.get(key, (0, 0.0))
        return counted if until > time.monotonic() else 0

    last_seen = get  # only this node counts

    def note(self, key: str, counted: int, seconds: float) -> None:
        """Take over a counter that is kept elsewhere. From there it was reported that its window ends in `seconds`.

        Of several reports about one window the earliest end is kept: each was under way for a while.
        """
        now = time.monotonic()
        until = now + seconds
        with self._lock:
            known = self._counters.get(key)
            if known is not None and abs(until - known[1]) < _SAME_WINDOW:
                until = min(until, known[1])
            elif known is None and len(self._counters) >= _REMEMBERED:
                self._forget(now)
            self._counters[key] = (counted, until)

    def seconds_left(self, key: str) -> float:
        """Seconds until the end of the counter's window; 0 if it has none."""
        return max(0.0, self._counters.get(key, (0, 0.0))[1] - time.monotonic())

    def get_expiry(self, key: str) -> float:
        """When the counter's window ends, in seconds since 1970 by the present clock; now if it has none."""
        return time.time() + self.seconds_left(key)

    def check(self) -> bool:
        """Whether the storage works: always."""
        return True

    def reset(self) -> int:
        """Remove all counters; return how many there were."""
        with self._lock:
            number = len(self._counters)
            self._counters.clear()
        return number

    def clear(self, key: str) -> None:
        """Remove one counter."""
        with self._lock:
            self._counters.pop(key, None)

    def _forget(self, now: float) -> None:
        """Evict expired counters, then the lowest ones, among equals those that expire first, until 90 % are left."""
        alive = [(counted, until, key) for key, (counted, until) in self._counters.items() if until > now]
        alive.sort()
        self._counters = {key: (counted, until) for counted, until, key in alive[-(_REMEMBERED * 9 // 10) :]}
