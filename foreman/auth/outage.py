"""A circuit breaker: while a service fails, most requests do without it, and do not wait for it."""

import logging
import threading
import time

log = logging.getLogger(__name__)

# Seconds after a failure in which nobody tries again.
PAUSE = 1.0


class Outage:
    """Whether a service works, as far as those who have tried it know. For any thread; never blocks.

    After a failure nobody tries for `PAUSE` seconds, then one request does, and so on until one succeeds. The first
    failure is logged, and so is the recovery.

    :param service: what the log calls it
    :param meanwhile: what happens without it, for the log
    """

    def __init__(self, service: str, meanwhile: str) -> None:
        self._service, self._meanwhile = service, meanwhile
        self._lock = threading.Lock()
        self._is_on = False
        self._next_try = 0.0

    def may_try(self) -> bool:
        """Whether the caller shall try the service, and then call `worked` or `failed`."""
        if not self._is_on:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._next_try:
                return False
            self._next_try = now + PAUSE  # the caller tries, the others go on without
            return True

    def worked(self) -> None:
        """Note a success."""
        if not self._is_on:
            return
        with self._lock:
            was_on, self._is_on = self._is_on, False
        if was_on:
            log.warning("%s works again", self._service)

    def failed(self, reason: str) -> None:
        """Note a failure."""
        with self._lock:
            was_on, self._is_on = self._is_on, True
            self._next_try = time.monotonic() + PAUSE
        if not was_on:
            log.error("%s failed: %s; %s", self._service, reason, self._meanwhile)
