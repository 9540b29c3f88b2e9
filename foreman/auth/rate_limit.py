"""How often: requests are counted per API key, failed authentication per network.

The notation, the windows and the kinds of storage are Flask-Limiter's. Its hooks around every request are not used:
they serve many limits at once and cost more than the query that a request is about, and there is one limit here.

What strangers can make many of is counted apart from what keys are counted by, in tables of a bounded size.
"""

import math
from functools import lru_cache
from typing import cast

from flask import Flask, Response, g
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse

from foreman.auth.addresses import network_of
from foreman.auth.counters import LocalCounters
from foreman.auth.let_in import LetIn
from foreman.http.errors import TooManyRequests

# What a network may fail before its keys are not looked at any more.
FAILED_ATTEMPTS = parse("120/minute")

# What tells the owner of a key how much is left.
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")

_REMEMBERED_COUNTERS = 10_000


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
        self._windows = cast(LocalCounters, limiter.storage)
        self._failures = LocalCounters()
        self._limit = limit
        self.refused = {"key": 0, "address": 0}
        self._let_in = LetIn()
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
        requests = self._windows.incr(counter, self._limit.get_expiry())
        g.rate_limit = (self._limit.amount - requests, self._windows.get_expiry(counter))
        if requests > self._limit.amount:
            self.refused["key"] += 1
            raise TooManyRequests(f"Rate limit exceeded: {self._limit}", _retry_after(self._windows, counter))

    def count_failure(self, address: str | None) -> None:
        """Count a failed attempt to authenticate.

        :raises TooManyRequests: when the address's network may not fail any more
        """
        counter = FAILED_ATTEMPTS.key_for(network_of(address))
        if self._failures.incr(counter, FAILED_ATTEMPTS.get_expiry()) > FAILED_ATTEMPTS.amount:
            raise self._blocked(counter)

    def is_used_up(self, key_id: str) -> bool:
        """Whether `count` would raise. Nothing is counted."""
        return self._limit is not None and self._windows.get(self._counter(key_id)) >= self._limit.amount

    def would_let_in(self, address: str | None, caller: str) -> bool:
        """Whether `let_in` would raise nothing. Nothing is counted or noted."""
        network = network_of(address)
        failures = self._failures.get(FAILED_ATTEMPTS.key_for(network))
        return failures < FAILED_ATTEMPTS.amount or self._let_in.knows(network, caller)

    def let_in(self, address: str | None, caller: str) -> None:
        """Take note of who has authenticated from where: that goes on working when others fail from there.

        :raises TooManyRequests: when the address's network has failed too often, and this caller has not been let in
            from there
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


def _retry_after(counters: LocalCounters, counter: str) -> int:
    """Whole seconds until its window has ended: 1 or more."""
    return max(1, math.ceil(counters.seconds_left(counter)))
