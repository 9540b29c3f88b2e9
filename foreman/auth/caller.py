"""Authentication: runs before every request that needs a key.

A network with too many failed attempts is locked out, even with a valid key, so that keys cannot be guessed by brute
force. Keys that already worked from there keep working.
"""

import time
from typing import Protocol
from wsgiref.types import WSGIEnvironment

from flask import Request, g, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import HTTPException

from foreman.auth import keys
from foreman.auth.addresses import FORWARDED_FOR, MalformedHeader, client_address
from foreman.auth.holder import Holder
from foreman.auth.rate_limit import RateLimits
from foreman.db.application import Application
from foreman.http.contract import is_public, operation_of
from foreman.http.environ import NOTED, NOTED_BEFORE
from foreman.http.errors import Forbidden, Unauthorized
from foreman.vocabulary import READING_METHODS

# Seconds for which a valid key is cached, only to decide whether to wait for a body. The request itself is always
# authenticated.
_KNOWN_FOR = 1.0
_MOST_KNOWN = 10_000


def init_app(app: Application, limits: RateLimits) -> "Admission":
    """Authenticate every request, except for public views, and count it against the rate limit of its key."""
    admission = Admission(app, limits)

    @app.before_request
    def authenticate() -> None:
        # Looked up once: each use of one of Flask's proxies costs as much as a small function.
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if asked.method == "OPTIONS" or asked.endpoint is None or is_public(app.view_functions[asked.endpoint]):
            return  # without an endpoint it will be a 404 or 405, which gives nothing away
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
        if caller.read_only and asked.method not in READING_METHODS:
            raise Forbidden("This API key may only read")
        noted.org_id, noted.key_name = caller.org_id, caller.key_name

    def known_caller(asked: Request, presented: str) -> keys.Caller:
        address = asked.remote_addr
        try:
            caller = admission.caller_of(presented)
        except keys.MalformedKey:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key format") from None
        if caller is None:
            limits.count_failure(address)
            raise Unauthorized("Invalid API key")
        limits.let_in(address, caller.key_id)
        if not caller.read_only and asked.method not in READING_METHODS:
            admission.remember(presented, address, caller)
        return caller

    return admission


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
        """
        return keys.take_at_its_word(presented) if self._settings.auth == "trust" else keys.verify(self._db, presented)

    def remember(self, presented: str, address: str | None, caller: keys.Caller) -> None:
        """Cache a caller that was authenticated to write."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        holder, until = Holder(caller.org_id, caller.key_id), time.monotonic() + _KNOWN_FOR
        self._known[address, keys.fingerprint(presented)] = holder, until

    def known(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends a body to wait for, if its key is in the cache, else None.

        The event loop asks this, so it asks neither the database nor the network.
        """
        presented = self._presented_with_body(environ)
        if presented is None:
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
        presented = self._presented_with_body(environ)
        if presented is None:
            return None
        try:
            caller, address = self.caller_of(presented), self._address(environ)
        except (keys.MalformedKey, MalformedHeader):
            return None
        if caller is None or caller.read_only or self._limits.is_used_up(caller.key_id):
            return None
        if not self._limits.would_let_in(address, caller.key_id):
            return None
        return Holder(caller.org_id, caller.key_id)

    def holder_of(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sent a request; None if the application did not authenticate it."""
        caller = environ[NOTED].get("caller") if NOTED in environ else None
        return Holder(caller.org_id, caller.key_id) if caller is not None else None

    def _presented_with_body(self, environ: WSGIEnvironment) -> str | None:
        """The key of a request; None if there is none, if its view takes no body, or if the body is too large."""
        try:
            endpoint, _ = self._routes.match(environ["PATH_INFO"], environ["REQUEST_METHOD"])
            length = int(environ.get("CONTENT_LENGTH", "0"))
        except (HTTPException, ValueError):
            return None
        view = self._app.view_functions[endpoint]
        if is_public(view) or operation_of(view).body is None or length > self._settings.max_body:
            return None
        return presented_key(EnvironHeaders(environ))

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
