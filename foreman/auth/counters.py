"""Rate-limit counters in this process: a storage for Flask-Limiter.

The library's own storage in memory starts a thread every hundredth of a second under load, to forget what has expired;
that cost several times what counting does. Here, counters are forgotten when there are too many of them.
"""

import threading
import time

from limits.storage import Storage

# More counters than keys, or addresses, that are usually there at once. Each takes about 200 bytes.
_REMEMBERED = 10_000


class LocalCounters(Storage):
    """Counters that expire; see https://limits.readthedocs.io/en/stable/custom-storage.html.

    When there are too many, those that have counted least are forgotten. So one storage is for one limit: then what has
    used it up is what is kept, and whoever wants it forgotten has to use it up thousands of times.
    """

    STORAGE_SCHEME = ["local"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._counters: dict[str, tuple[int, float]] = {}  # how often, and until when it counts: by the monotonic clock
        self._lock = threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may go wrong: nothing that has a name."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a window of `expiry` seconds from the first time on; how often it has been until now."""
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
        """How often it has been counted in its window."""
        counted, until = self._counters.get(key, (0, 0.0))
        return counted if until > time.monotonic() else 0

    def seconds_left(self, key: str) -> float:
        """How long its window lasts; 0 when it has none."""
        return max(0.0, self._counters.get(key, (0, 0.0))[1] - time.monotonic())

    def get_expiry(self, key: str) -> float:
        """When its window ends, in seconds since 1970 as the clock is now; now when it has none."""
        return time.time() + self.seconds_left(key)

    def check(self) -> bool:
        """Whether it works."""
        return True

    def reset(self) -> int:
        """Forget all counters; how many there were."""
        with self._lock:
            number = len(self._counters)
            self._counters.clear()
        return number

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._lock:
            self._counters.pop(key, None)

    def _forget(self, now: float) -> None:
        """Make room: those that have expired go, then those that count least, of these the ones that expire first."""
        alive = [(counted, until, key) for key, (counted, until) in self._counters.items() if until > now]
        alive.sort()
        self._counters = {key: (counted, until) for counted, until, key in alive[-(_REMEMBERED * 9 // 10) :]}
