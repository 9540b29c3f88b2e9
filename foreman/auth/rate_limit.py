"""Rate limits: requests are counted per API key, failed authentication per network.

The notation, the windows and the storage interface are Flask-Limiter's. Its hooks around every request are not used:
they support many limits at once and cost more than the query of a typical request. Here there is only one limit.

Strangers can create many counters of failures, so these have a table apart from that of the keys. Both are bounded.

Several nodes can share the counters (see `redis_counters`). Then what counts or decides exactly waits for the network:
`count`, `count_failure` and `let_in`, which are for a request's own thread. `is_used_up` and `would_let_in` never wait,
because the event loop asks them: they go by what this node has last seen.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from flask import Flask, Response, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse

from foreman.auth.addresses import network_of
from foreman.auth.counters import Counters, LocalCounters
from foreman.auth.let_in import LetIn
from foreman.http.errors import TooManyRequests

# Failed attempts that a network may make before it is locked out.
FAILED_ATTEMPTS = parse("120/minute")

# The response headers that tell the owner of a key how much is left.
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_REMEMBERED_COUNTERS = 10_000


class RateLimits:
    """The rate limits of one application, and their counters.

    :param limit: requests per API key; None for no limit
    :param shared: makes counters that other nodes share; what they say is kept in the given ones. If None, only this
        node counts
    :ivar refused: how many requests were refused because of their API key (`key`), and of their network (`address`)
    """

    def __init__(
        self, app: Flask, limit: RateLimitItem | None, shared: Callable[[LocalCounters], Counters] | None = None
    ) -> None:
        limiter = Limiter(get_remote_address, storage_uri="local://", strategy="fixed-window")
        # Registered beforehand, so that init_app prepares the storage but installs no hooks.
        app.extensions["limiter"] = {limiter}
        limiter.init_app(app)
        windows, failures = cast(LocalCounters, limiter.storage), LocalCounters()
        self._windows: Counters = windows if shared is None else shared(windows)
        self._failures: Counters = failures if shared is None else shared(failures)
        self._limit = limit
        self.refused = {"key": 0, "address": 0}
        self._let_in = LetIn()
        if limit is not None:
            self._counter = lru_cache(maxsize=_REMEMBERED_COUNTERS)(limit.key_for)
            app.after_request(self._show)

    def count(self, key_id: str) -> None:
        """Count a request of a key. May wait for the network.

        :raises TooManyRequests: if its limit is exceeded
        :raises CannotCount: if the shared counters are needed and cannot be reached
        """
        if self._limit is None:
            return
        counter = self._counter(key_id)
        requests = self._windows.incr(counter, self._limit.get_expiry())
        g.rate_limit = (self._limit.amount - requests, self._windows.get_expiry(counter))
        if requests > self._limit.amount:
            self.refused["key"] += 1
            raise TooManyRequests(f"Rate limit exceeded: {self._limit}", _retry_after(self._windows, counter))

    def count_failure(self, address: str | None) -> None:
        """Count a failed attempt to authenticate. May wait for the network.

        :raises TooManyRequests: if the address's network is locked out
        :raises CannotCount: if the shared counters are needed and cannot be reached
        """
        counter = FAILED_ATTEMPTS.key_for(network_of(address))
        if self._failures.incr(counter, FAILED_ATTEMPTS.get_expiry()) > FAILED_ATTEMPTS.amount:
            raise self._blocked(counter)

    def is_used_up(self, key_id: str) -> bool:
        """Whether `count` would raise, as far as this node knows. Counts nothing, and never waits."""
        return self._limit is not None and self._windows.last_seen(self._counter(key_id)) >= self._limit.amount

    def would_let_in(self, address: str | None, caller: str) -> bool:
        """Whether `let_in` would raise nothing, as far as this node knows. Remembers no caller, and never waits."""
        network = network_of(address)
        failures = self._failures.last_seen(FAILED_ATTEMPTS.key_for(network))
        return failures < FAILED_ATTEMPTS.amount or self._let_in.knows(network, caller)

    def let_in(self, address: str | None, caller: str) -> None:
        """Remember who has authenticated from where: that caller keeps working when others fail from there.

        May wait for the network the first time a caller is seen there.

        :raises TooManyRequests: if the address's network is locked out, and this caller has never been let in from
            there, as far as remembered
        :raises CannotCount: if the shared counters are needed and cannot be reached
        """
        network = network_of(address)
        if self._let_in.knows(network, caller):
            return
        counter = FAILED_ATTEMPTS.key_for(network)
        if self._failures.get(counter) >= FAILED_ATTEMPTS.amount:
            raise self._blocked(counter)
        self._let_in.add(network, caller)

    def _blocked(self, counter: str) -> TooManyRequests:
        self.refused["address"] += 1
        return TooManyRequests(
            "Too many failed attempts to authenticate from this address", _retry_after(self._failures, counter)
        )

    def _show(self, response: Response) -> Response:
        if self._limit is not None and "rate_limit" in g:
            remaining, renewed_at = g.rate_limit
            values = self._limit.amount, max(0, remaining), int(renewed_at)
            response.headers.extend(zip(HEADERS, map(str, values), strict=True))
        return response


def _retry_after(counters: Counters, counter: str) -> int:
    """Whole seconds until the counter's window ends, at least 1."""
    return max(1, math.ceil(counters.seconds_left(counter)))
