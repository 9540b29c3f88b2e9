"""How often: requests are counted per API key, failed authentication per address.

The notation, the windows and the kinds of storage are Flask-Limiter's. Its hooks around every request are not used:
they serve many limits at once and cost more than the query that a request is about, and there is one limit here.
"""

import time
from functools import lru_cache

from flask import Flask, Response, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse

from foreman import counters  # noqa: F401  # registers the storage
from foreman.errors import TooManyRequests

# What an address may fail before its keys are not looked at any more.
FAILED_ATTEMPTS = parse("120/minute")

_REMEMBERED_COUNTERS = 10_000
_REMEMBERED_CALLERS = 10_000


class RateLimits:
    """The counters of one application.

    :param limit: what each API key may do; None for no limit
    :ivar refused: how often a request was refused for its API key, and for its address
    """

    def __init__(self, app: Flask, limit: RateLimitItem | None) -> None:
        limiter = Limiter(get_remote_address, storage_uri="local://", strategy="fixed-window")
        # Known already, so that init_app prepares the storage and leaves the hooks out.
        app.extensions["limiter"] = {limiter}
        limiter.init_app(app)
        self._storage = limiter.storage
        self._limit = limit
        self.refused = {"key": 0, "address": 0}
        self._let_in: set[tuple[str | None, str]] = set()
        if limit is not None:
            self._counter = lru_cache(maxsize=_REMEMBERED_COUNTERS)(limit.key_for)
            app.after_request(self._show)

    def count(self, key_id: str) -> None:
        """Count a request of a key.

        :raises TooManyRequests: when its limit is used up
        """
        if self._limit is None:
            return
        counter = self._counter(key_id)
        requests = self._storage.incr(counter, self._limit.get_expiry())
        renewed_at = self._storage.get_expiry(counter)
        g.rate_limit = (self._limit.amount - requests, renewed_at)
        if requests > self._limit.amount:
            self.refused["key"] += 1
            raise TooManyRequests(f"Rate limit exceeded: {self._limit}", _seconds_until(renewed_at))

    def count_failure(self, address: str | None) -> None:
        """Count a failed attempt to authenticate.

        :raises TooManyRequests: when the address may not fail any more
        """
        counter = FAILED_ATTEMPTS.key_for(str(address))
        if self._storage.incr(counter, FAILED_ATTEMPTS.get_expiry()) > FAILED_ATTEMPTS.amount:
            raise self._blocked(counter)

    def let_in(self, address: str | None, caller: str) -> None:
        """Take note of who has authenticated from where: that goes on working when others fail from there.

        :raises TooManyRequests: when the address has failed too often, and this caller has not been let in from there
        """
        if (address, caller) in self._let_in:
            return
        counter = FAILED_ATTEMPTS.key_for(str(address))
        if self._storage.get(counter) >= FAILED_ATTEMPTS.amount:
            raise self._blocked(counter)
        if len(self._let_in) >= _REMEMBERED_CALLERS:
            self._let_in.clear()
        self._let_in.add((address, caller))

    def _blocked(self, counter: str) -> TooManyRequests:
        self.refused["address"] += 1
        return TooManyRequests(
            "Too many failed attempts to authenticate from this address",
            _seconds_until(self._storage.get_expiry(counter)),
        )

    def _show(self, response: Response) -> Response:
        if self._limit is not None and "rate_limit" in g:
            remaining, renewed_at = g.rate_limit
            response.headers.extend(
                (
                    ("X-RateLimit-Limit", str(self._limit.amount)),
                    ("X-RateLimit-Remaining", str(max(0, remaining))),
                    ("X-RateLimit-Reset", str(int(renewed_at))),
                )
            )
        return response


def _seconds_until(timestamp: float) -> int:
    return max(1, int(timestamp - time.time()) + 1)
