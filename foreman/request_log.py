"""A line in the log for every answer: who asked for what, what came of it, and how long it took."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask, Response, g, request

NAME = "foreman.request"

log = logging.getLogger(NAME)

_NOTED = "foreman.noted"

# A client may send any word as a method; logs and metrics know these.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Answered(NamedTuple):
    """An answer that has been given.

    :ivar method: an HTTP method, or `other`
    :ivar route: the path with the names of its parts, such as `/api/v1/runs/<run_id>`, which cannot hold a secret;
        `none` when there is nothing at the path, or the request was not understood
    :ivar address: the client's
    :ivar org_id: whose key it was; None without a good key
    :ivar key: the key's name, or its id when it has none; None without an issued key
    :ivar seconds: from the arrival of the whole request to the answer, with the wait for the disk
    """

    request_id: str
    method: str
    route: str
    status: int
    address: str
    org_id: str | None
    key: str | None
    seconds: float


Observer = Callable[[Answered], None]


class Noted(NamedTuple):
    """What only the application knows of a request: see `Answered`."""

    route: str = "none"
    org_id: str | None = None
    key: str | None = None


def init_app(app: Flask) -> None:
    """Note what the log needs to know; our server finds it, and tells the `observers` of each answer."""
    request_log = app.extensions["request_log"] = RequestLog()
    app.extensions["observers"] = [request_log.answered]

    @app.after_request
    def note(response: Response) -> Response:
        if request.url_rule is not None:
            request.environ[_NOTED] = Noted(request.url_rule.rule, g.get("org_id"), g.get("key_name"))
        return response


def noted(environ: dict[str, Any]) -> Noted:
    """What the application has noted of a request."""
    found: Noted = environ.get(_NOTED, Noted())
    return found


def known_method(method: str | None) -> str:
    """The method, or `other`."""
    return method if method in _METHODS else "other"


class RequestLog:
    """Gathers answers and writes their lines later, many at once, which costs a third of writing each by itself."""

    def __init__(self) -> None:
        self._gathered: deque[Answered] = deque()

    def answered(self, answered: Answered) -> None:
        """Take an answer, when lines are wanted."""
        if log.isEnabledFor(logging.INFO):
            self._gathered.append(answered)

    def write(self) -> None:
        """Write the lines of what has been gathered."""
        while self._gathered:
            _write_line(self._gathered.popleft())


def _write_line(answered: Answered) -> None:
    log.info(
        "answered",
        extra={
            "method": answered.method,
            "route": answered.route,
            "status": answered.status,
            "durationMs": round(answered.seconds * 1000, 2),
            "org": answered.org_id,
            "key": answered.key,
            "address": answered.address,
            "requestId": answered.request_id,
        },
    )
