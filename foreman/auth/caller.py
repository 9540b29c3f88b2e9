"""Who is calling: runs before every request that needs a key.

An address that fails too often is refused whatever key it presents next, so that keys cannot be guessed at speed; keys
that have worked from there before go on working.
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

# Seconds that a key which was found valid is taken for valid when the server decides whether to wait for a body. The
# request itself is always checked.
_KNOWN_FOR = 1.0
_MOST_KNOWN = 10_000


def init_app(app: Application, limits: RateLimits) -> "Admission":
    """Check the key of every request but those for public views, and count it against its rate limit."""
    admission = Admission(app, limits)

    @app.before_request
    def authenticate() -> None:
        # Each use of Flask's proxies costs as much as a small function.
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]
        if asked.method == "OPTIONS" or asked.endpoint is None or is_public(app.view_functions[asked.endpoint]):
            return  # without an endpoint it will be a 404 or 405, which tells nobody anything
        presented = presented_key(asked.headers)
        if presented is None:
            raise Unauthorized("Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        noted = g._get_current_object()
        caller = noted.caller = known_caller(asked, presented)
        before = asked.environ.get(NOTED_BEFORE)
        if before is None:
            limits.count(caller.key_id)
        elif "rate_limit" in before:  # the same request was counted when it was tried first
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
    """Whose bodies the server waits for: it asks when it has the head of a request, and not all of its body yet."""

    def __init__(self, app: Application, limits: RateLimits) -> None:
        self._app, self._settings, self._db, self._limits = app, app.settings, app.database, limits
        self._routes = app.url_map.bind("")
        # By address and the key's hash: who may write from there, and until when that is remembered.
        self._known: dict[tuple[str | None, str], tuple[Holder, float]] = {}

    def caller_of(self, presented: str) -> keys.Caller | None:
        """Who a key speaks for; None when it is not valid.

        :raises MalformedKey: when the text cannot be a key
        """
        return keys.take_at_its_word(presented) if self._settings.auth == "trust" else keys.verify(self._db, presented)

    def remember(self, presented: str, address: str | None, caller: keys.Caller) -> None:
        """Take note of a caller that was let in to write."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        holder, until = Holder(caller.org_id, caller.key_id), time.monotonic() + _KNOWN_FOR
        self._known[address, keys.fingerprint(presented)] = holder, until

    def known(self, environ: WSGIEnvironment) -> Holder | None:
        """Who sends a body that is wanted, when the key was found valid a moment ago. Asks nobody."""
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
        """Who sends a body; None when the request will be answered without it, such as for want of a valid key."""
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
        """Who has sent a request that has been authenticated."""
        caller = environ[NOTED].get("caller") if NOTED in environ else None
        return Holder(caller.org_id, caller.key_id) if caller is not None else None

    def _presented_with_body(self, environ: WSGIEnvironment) -> str | None:
        """The key of a request whose view takes a body of this length."""
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
        """The client's, as the application will see it.

        :raises MalformedHeader: when it comes through the trusted proxy, which says nothing that can be believed
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
