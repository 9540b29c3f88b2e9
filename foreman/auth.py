"""Who is calling: runs before every request that needs a key.

An address that fails too often is refused whatever key it presents next, so that keys cannot be guessed at speed; keys
that have worked from there before go on working.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, g, request

from foreman import keys
from foreman.config import Settings
from foreman.db import Database
from foreman.errors import Forbidden, Unauthorized
from foreman.rate_limit import RateLimits

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Mark a view that needs no key."""
    view.public = True  # type: ignore[attr-defined]
    return view


def is_public(view: Callable[..., Any]) -> bool:
    """Whether a view answers without a key."""
    return getattr(view, "public", False)


def init_app(app: Flask, settings: Settings, db: Database) -> None:
    """Check the key of every request but those for public views, and count it against its rate limit."""
    limits = app.extensions["rate_limits"] = RateLimits(app, settings.rate_limit)

    @app.before_request
    def authenticate() -> None:
        if request.method == "OPTIONS" or request.endpoint is None or is_public(app.view_functions[request.endpoint]):
            return  # without an endpoint it will be a 404 or 405, which tells nobody anything
        presented = presented_key()
        if presented is None:
            raise Unauthorized("Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        caller = known_caller(presented)
        limits.count(caller.key_id)
        if caller.read_only and request.method not in _READING:
            raise Forbidden("This API key may only read")
        g.org_id, g.key_name = caller.org_id, caller.key_name

    def known_caller(presented: str) -> keys.Caller:
        address = request.remote_addr
        try:
            caller = keys.take_at_its_word(presented) if settings.auth == "trust" else keys.verify(db, presented)
        except keys.MalformedKey:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key format") from None
        if caller is None:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key")
        limits.let_in(address, caller.key_id)
        return caller


def presented_key() -> str | None:
    """The key in the request's headers: `Authorization: Bearer` (RFC 6750, section 2.1), else `X-API-Key`."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return request.headers.get("X-API-Key", "").strip() or None
