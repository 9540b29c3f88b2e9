"""The one JSON error envelope: `{"error": text, "details": [{"field", "message"}]}`.

Handlers raise; only this module builds the answer. The exceptions form one tree under `APIError`.
"""

import logging
from collections.abc import Mapping
from typing import TypedDict

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NotFoundHTTP

from foreman.db.failures import DatabaseError, Failure, failure_of
from foreman.db.values import Row
from foreman.http.environ import TOO_LARGE_TO_TRY

log = logging.getLogger(__name__)

TOO_DEEP = "The body is nested too deep"

# Shorter than werkzeug's, which speak to people with a browser.
MESSAGES = {
    404: "Not found",  # existing clients compare it
    405: "This path does not take this method",
    413: "The body is larger than this server accepts",
}


class Detail(TypedDict):
    """What is wrong with one field of a body or one query parameter."""

    field: str
    message: str


DatabaseFailure = tuple[int, str, list[Detail], dict[str, str]]

# What a failure of the database is answered: status, message, details, headers. Where waiting does not help there is no
# Retry-After.
_UNAVAILABLE: DatabaseFailure = (503, "The database is not available at the moment", [], {"Retry-After": "1"})
_DATABASE_FAILURES: dict[Failure, DatabaseFailure] = {
    Failure.INTERRUPTED: (503, "The query takes too long: narrow it down", [], {"Retry-After": "1"}),
    Failure.FULL: (507, "The disk of the database is full", [], {}),
    Failure.READ_ONLY: (503, "The database cannot be written to", [], {}),
    Failure.DAMAGED: (503, "The database is damaged", [], {}),
}


class APIError(Exception):
    """An answer that is an error.

    :param status: the HTTP status
    :param message: what the caller may read
    :param details: one entry per field that is wrong
    :param headers: further headers of the answer
    """

    def __init__(
        self,
        status: int,
        message: str,
        details: list[Detail] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []
        self.headers = headers or {}


class Invalid(APIError):
    """400: the request says something that is not allowed."""

    def __init__(self, message: str, details: list[Detail] | None = None) -> None:
        super().__init__(400, message, details)


class Unauthorized(APIError):
    """401: no key, or not a good one. Carries the challenge that RFC 9110, section 11.6.1 asks for."""

    def __init__(self, message: str) -> None:
        super().__init__(401, message, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(APIError):
    """403: the key is good, but not for this."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message)


class NotFound(APIError):
    """404: no such thing, or it belongs to another organisation; the answer does not tell which."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"{what} not found")


def found(row: Row | None, what: str) -> Row:
    """The row, when there is one.

    :raises NotFound: when there is none
    """
    if row is None:
        raise NotFound(what)
    return row


class UnsupportedMediaType(APIError):
    """415: the body is declared to be something other than JSON."""

    def __init__(self) -> None:
        super().__init__(415, "The body must be JSON: send Content-Type: application/json")


class TooManyRequests(APIError):
    """429: the rate limit of this key or address is used up.

    :param retry_after: seconds until the limit is renewed
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(429, message, headers={"Retry-After": str(retry_after)})


class TooLargeToTry(Exception):
    """The answer is larger than may be made at any time: the server tries again when it is its turn."""


class BodyNotRead(APIError):
    """503: the body was not waited for, because the request seemed to have no valid key, and now it has one."""

    def __init__(self) -> None:
        super().__init__(503, "The request has to be sent again", headers={"Retry-After": "1"})


def envelope(message: str, details: list[Detail] | None = None) -> bytes:
    """The body of an error answer."""
    return msgspec.json.encode({"error": message, "details": details or []})


def init_app(app: Flask) -> None:
    """Answer every exception with the envelope, werkzeug's and unforeseen ones included."""

    @app.before_request
    def no_slash_too_many() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # werkzeug takes it for one slash
            raise NotFoundHTTP

    @app.errorhandler(APIError)
    def api_error(error: APIError) -> Response:
        return _answer(error.status, error.message, error.details, error.headers)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        kept = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        message = MESSAGES.get(error.code or 500) or error.description or error.name
        return _answer(error.code or 500, message, [], kept)

    @app.errorhandler(DatabaseError)
    def database_error(error: DatabaseError) -> Response:
        match failure_of(error):
            case Failure.MISUSE:
                return unforeseen(error)
            case Failure.TOO_DEEP:
                return _answer(400, TOO_DEEP, [], {})
            case Failure.TOO_LARGE:
                return try_again(error)
            case Failure.INTERRUPTED:
                log.warning("Request %s has read for too long", g.request_id)
            case _:
                log.error("The database cannot serve request %s", g.request_id, exc_info=error)
        return database_failed(error)

    @app.errorhandler(TooLargeToTry)
    def try_again(_: Exception) -> Response:
        request.environ[TOO_LARGE_TO_TRY] = True
        return _answer(413, MESSAGES[413], [], {})  # what the database refuses whoever's turn it is

    @app.errorhandler(MemoryError)
    def no_memory(error: MemoryError) -> Response:
        log.error("There is no memory for request %s", g.request_id, exc_info=error)
        return database_failed(error)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("Unforeseen error in request %s", g.request_id, exc_info=error)
        return _answer(500, "Internal server error", [], {})


def database_failed(error: BaseException) -> Response:
    """The answer to a request that the database could not serve.

    :param error: what it said, or an error that was caused by that
    """
    return _answer(*_DATABASE_FAILURES.get(failure_of(error), _UNAVAILABLE))


def _answer(status: int, message: str, details: list[Detail], headers: Mapping[str, str]) -> Response:
    return Response(envelope(message, details), status, dict(headers), content_type="application/json")
