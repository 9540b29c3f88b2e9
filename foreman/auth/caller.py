"""Authentication: runs before every request that needs a key.

A network with too many failed attempts is locked out, even with a valid key, so that keys cannot be guessed by brute
force. Keys that already worked from there keep working.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol
from wsgiref.types import WSGIEnvironment

from flask import Request, g, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import HTTPException

from foreman.auth import keys
from foreman.auth.addresses import FORWARDED_FOR, MalformedHeader, client_address
from foreman.auth.holder import Holder
from foreman.auth.last_uses import LastUses
from foreman.auth.rate_limit import RateLimits
from foreman.clock import now_ms
from foreman.db.application import Application
from foreman.http.contract import is_public, operation_of
from foreman.http.environ import NOTED, NOTED_BEFORE
from foreman.http.errors import Forbidden, Unauthorized
from foreman.vocabulary import READING_METHODS

# Seconds for which a valid key is cached, only to decide whether to wait for a body. The request itself is always
# authenticated.
_KNOWN_FOR = 1.0
_MOST_KNOWN = 10_000

View = Callable[..., Any]


def init_app(app: Application, limits: RateLimits, last_uses: LastUses) -> "Admission":
    """Authenticate every request, except for public views, and count it against the rate limit of its key.

    :param last_uses: notes when issued keys are used
    """
    admission = Admission(app, limits)

    @app.before_request
    def authenticate() -> None:
        # Looked up once: each use of one of Flask's proxies costs as much as a small function.
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if asked.method == "OPTIONS" or asked.endpoint is None:
            return  # without an endpoint it will be a 404 or 405, which gives nothing away
        view = app.view_functions[asked.endpoint]
        if is_public(view):
            return
        presented = presented_key(asked.headers)
        if presented is None:
            raise Unauthorized("Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        noted = g._get_current_object()
        caller = noted.caller = known_caller(asked, presented)
        before = asked.environ.get(NOTED_BEFORE)
        if before is None:
            limits.count(caller.key_id)
        elif "rate_limit" in before:  # this is a retry; the request was counted at the first attempt
            noted.rate_limit = before.rate_limit
        if (refusal := refused(caller, asked.method, view)) is not None:
            raise Forbidden(refusal)
        noted.org_id, noted.key_name = caller.org_id, caller.key_name

    def known_caller(asked: Request, presented: str) -> keys.Caller:
        address = asked.remote_addr
        try:
            caller = admission.caller_of(presented)
        except keys.MalformedKey:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key format") from None
        except keys.ExpiredKey:
            limits.count_failure(address)
            raise Unauthorized("This API key has expired") from None
        if caller is None:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key")
        limits.let_in(address, caller.key_id)
        if caller.key_name is not None:
            last_uses.note(caller.key_id)
        if not caller.read_only and asked.method not in READING_METHODS:
            admission.remember(presented, address, caller)
        return caller

    return admission


def refused(caller: keys.Caller, method: str, view: View) -> str | None:
    """Why a caller may not use a view, for the client; None if it may. The scope `admin` does not need `write`."""
    if operation_of(view).admin:
        return None if caller.admin else "This API key may not manage keys"
    return "This API key may only read" if caller.read_only and method not in READING_METHODS else None


class Admission:
    """Admission of bodies: whether to wait for one. The server asks this once it has the head of the request."""

    def __init__(self, app: Application, limits: RateLimits) -> None:
        self._app, self._settings, self._db, self._limits = app, app.settings, app.database, limits
        self._routes = app.url_map.bind("")
        # A cache by address and the key's hash: who may write from there, and when the entry expires.
        self._known: dict[tuple[str | None, str], tuple[Holder, float]] = {}

    def caller_of(self, presented: str) -> keys.Caller | None:
        """The caller whose key this is; None if the key is not valid.

        :raises MalformedKey: if the text does not have the format of a key
        :raises ExpiredKey: if the key has expired
        """
        return keys.take_at_its_word(presented) if self._settings.auth == "trust" else keys.verify(self._db, presented)

    def remember(self, presented: str, address: str | None, caller: keys.Caller) -> None:
        """Cache a caller that was authenticated to write."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        known_for = _KNOWN_FOR
        if caller.expires_at is not None:
            known_for = min(known_for, (caller.expires_at - now_ms()) / 1000)
        holder, until = Holder(caller.org_id, caller.key_id), time.monotonic() + known_for
        self._known[address, keys.fingerprint(presented)] = holder, until

    def known(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends a body to wait for, if its key is in the cache, else None.

        The event loop asks this, so it asks neither the database nor the network.
        """
        asked = self._asked_with_body(environ)
        if asked is None:
            return None
        view, presented = asked
        if operation_of(view).admin:  # the cache does not say who may manage keys
            return None
        try:
            found = self._known.get((self._address(environ), keys.fingerprint(presented)))
        except MalformedHeader:
            return None
        if found is None or time.monotonic() >= found[1] or self._limits.is_used_up(found[0].key):
            return None
        return found[0]

    def wants_body(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends a body to wait for; None if the request will be refused anyway, for example for an invalid key.

        Asks the database, so a pool thread asks this. It does not ask the network.
        """
        asked = self._asked_with_body(environ)
        if asked is None:
            return None
        view, presented = asked
        try:
            caller, address = self.caller_of(presented), self._address(environ)
        except (keys.MalformedKey, keys.ExpiredKey, MalformedHeader):
            return None
        if caller is None or refused(caller, environ["REQUEST_METHOD"], view) is not None:
            return None
        if self._limits.is_used_up(caller.key_id):
            return None
        if not self._limits.would_let_in(address, caller.key_id):
            return None
        return Holder(caller.org_id, caller.key_id)

    def holder_of(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sent a request; None if the application did not authenticate it."""
        caller = environ[NOTED].get("caller") if NOTED in environ else None
        return Holder(caller.org_id, caller.key_id) if caller is not None else None

    def _asked_with_body(self, environ: WSGIEnvironment) -> tuple[View, str] | None:
        """The view and the key of a request; None if it lacks one, or if the view takes no body, or none so large."""
        try:
            endpoint, _ = self._routes.match(environ["PATH_INFO"], environ["REQUEST_METHOD"])
            length = int(environ.get("CONTENT_LENGTH", "0"))
        except (HTTPException, ValueError):
            return None
        view = self._app.view_functions[endpoint]
        if is_public(view) or operation_of(view).body is None or length > self._settings.max_body:
            return None
        presented = presented_key(EnvironHeaders(environ))
        return None if presented is None else (view, presented)

    def _address(self, environ: WSGIEnvironment) -> str | None:
        """The client's address, as the application will see it.

        :raises MalformedHeader: if the trusted proxy's `X-Forwarded-For` is malformed
        """
        address: str | None = environ.get("REMOTE_ADDR")
        if address is not None and address == self._settings.trusted_proxy and FORWARDED_FOR in environ:
            return client_address(environ[FORWARDED_FOR])
        return address


class _Headers(Protocol):
    def get(self, name: str, default: str, /) -> str: ...


def presented_key(headers: _Headers) -> str | None:
    """The key in a request's headers: `Authorization: Bearer` (RFC 6750, section 2.1), else `X-API-Key`."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("X-API-Key", "").strip() or None
