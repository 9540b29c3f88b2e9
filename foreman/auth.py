"""Who is calling, and how often: runs before every request that needs a key.

Requests are counted against the rate limit by the key's id, failed authentication by the caller's address. An address
that fails too often is refused whatever key it presents next, so that keys cannot be guessed at speed; keys that
have worked from there before go on working.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from flask import Flask, Response, g, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import parse

from foreman import keys
from foreman.config import Settings
from foreman.db import Database
from foreman.errors import Forbidden, TooManyRequests, Unauthorized

FAILED_ATTEMPTS = parse("120/minute")

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_REMEMBERED_CALLERS = 10_000

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Mark a view that needs no key."""
    view.public = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask, settings: Settings, db: Database) -> None:
    """Check the key of every request but those for public views, and count it against its rate limit."""
    limiter = Limiter(get_remote_address, storage_uri="memory://", strategy="fixed-window")
    # Already registered, so that init_app prepares the storage but hooks nothing of its own into each request: its
    # general machinery costs more than the query that a request is about, and there is one limit only.
    app.extensions["limiter"] = {limiter}
    limiter.init_app(app)
    storage = limiter.storage
    limit = settings.rate_limit
    worked_before: dict[tuple[str | None, str], None] = {}

    @lru_cache(maxsize=_REMEMBERED_CALLERS)
    def counter_of(key_id: str) -> str:
        assert limit is not None
        return limit.key_for(key_id)

    @app.before_request
    def authenticate() -> None:
        if request.method == "OPTIONS" or request.endpoint is None or is_public(app.view_functions[request.endpoint]):
            return  # without an endpoint it will be a 404 or 405, which tells nobody anything
        presented = presented_key()
        if presented is None:
            raise Unauthorized("Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        caller = known_caller(presented)
        if caller.read_only and request.method not in _READING:
            raise Forbidden("This API key may only read")
        g.org_id = caller.org_id
        if limit is not None:
            count_request(caller.key_id)

    def known_caller(presented: str) -> keys.Caller:
        address = request.remote_addr
        try:
            caller = keys.take_at_its_word(presented) if settings.auth == "trust" else keys.verify(db, presented)
        except keys.MalformedKey:
            raise failed(address, "Invalid API key format") from None
        if caller is None:
            raise failed(address, "Invalid API key")
        if (address, caller.key_id) not in worked_before:
            if storage.get(FAILED_ATTEMPTS.key_for(str(address))) >= FAILED_ATTEMPTS.amount:
                raise blocked(address)
            if len(worked_before) >= _REMEMBERED_CALLERS:
                worked_before.clear()
            worked_before[address, caller.key_id] = None
        return caller

    def failed(address: str | None, message: str) -> Unauthorized | TooManyRequests:
        failures = storage.incr(FAILED_ATTEMPTS.key_for(str(address)), FAILED_ATTEMPTS.get_expiry())
        return blocked(address) if failures > FAILED_ATTEMPTS.amount else Unauthorized(message)

    def blocked(address: str | None) -> TooManyRequests:
        return TooManyRequests(
            "Too many failed attempts to authenticate from this address",
            _seconds_until(storage.get_expiry(FAILED_ATTEMPTS.key_for(str(address)))),
        )

    def count_request(key_id: str) -> None:
        assert limit is not None
        counter = counter_of(key_id)
        requests = storage.incr(counter, limit.get_expiry())
        g.rate_limit = (requests, storage.get_expiry(counter))
        if requests > limit.amount:
            raise TooManyRequests(f"Rate limit exceeded: {limit}", _seconds_until(g.rate_limit[1]))

    @app.after_request
    def show_limit(response: Response) -> Response:
        if limit is not None and "rate_limit" in g:
            requests, renewed_at = g.rate_limit
            response.headers["X-RateLimit-Limit"] = str(limit.amount)
            response.headers["X-RateLimit-Remaining"] = str(max(0, limit.amount - requests))
            response.headers["X-RateLimit-Reset"] = str(int(renewed_at))
        return response


def is_public(view: Callable[..., Any]) -> bool:
    """Whether a view answers without a key."""
    return getattr(view, "public", False)


def presented_key() -> str | None:
    """The key in the request's headers: `Authorization: Bearer` (RFC 6750, section 2.1), else `X-API-Key`."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return request.headers.get("X-API-Key", "").strip() or None


def _seconds_until(timestamp: float) -> int:
    return max(1, int(timestamp - time.time()) + 1)
