"""The JSON envelope of every error: `{"error": text, "details": [{"field", "message"}]}`.

Handlers raise subclasses of `APIError`; only this module builds the response.
"""

import logging
from collections.abc import Mapping
from typing import TypedDict

import msgspec
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NotFoundHTTP

from foreman.db.failures import DatabaseError, Failure, failure_of, to_trace
from foreman.db.values import Row
from foreman.http.environ import TOO_LARGE_TO_TRY

log = logging.getLogger(__name__)

TOO_DEEP = "The body is nested too deep"

# In place of werkzeug's longer messages, which address people with a browser.
MESSAGES = {
    404: "Not found",  # existing clients compare this text
    405: "This path does not take this method",
    413: "The body is larger than this server accepts",
}


class Detail(TypedDict):
    """What is wrong with one field of a body or one query parameter."""

    field: str
    message: str


DatabaseFailure = tuple[int, str, list[Detail], dict[str, str]]

# The response to a database failure: status, message, details, headers. There is no Retry-After where waiting does not
# help.
_UNAVAILABLE: DatabaseFailure = (503, "The database is not available at the moment", [], {"Retry-After": "1"})
_DATABASE_FAILURES: dict[Failure, DatabaseFailure] = {
    Failure.UNKNOWN: (503, "It is not known whether this is stored: read before sending it again", [], {}),
    Failure.INTERRUPTED: (503, "The query takes too long: narrow it down", [], {"Retry-After": "1"}),
    Failure.FULL: (507, "The disk of the database is full", [], {}),
    Failure.READ_ONLY: (503, "The database cannot be written to", [], {}),
    Failure.DAMAGED: (503, "The database is damaged", [], {}),
}


class APIError(Exception):
    """An error response.

    :param status: the HTTP status
    :param message: shown to the client
    :param details: one entry per invalid field
    :param headers: additional response headers
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
    """400: the request is invalid."""

    def __init__(self, message: str, details: list[Detail] | None = None) -> None:
        super().__init__(400, message, details)


class Unauthorized(APIError):
    """401: no key, or an invalid one. Carries the challenge that RFC 9110, section 11.6.1 requires."""

    def __init__(self, message: str) -> None:
        super().__init__(401, message, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(APIError):
    """403: the key is valid, but does not permit this."""

    def __init__(self, message: str) -> None:
        super().__init__(403, message)


class NotFound(APIError):
    """404: there is no such resource, or it belongs to another organisation; the response does not tell which."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"{what} not found")


def found(row: Row | None, what: str) -> Row:
    """The row, if there is one.

    :raises NotFound: if there is none
    """
    if row is None:
        raise NotFound(what)
    return row


class UnsupportedMediaType(APIError):
    """415: the body is declared to be something other than JSON."""

    def __init__(self) -> None:
        super().__init__(415, "The body must be JSON: send Content-Type: application/json")


class TooManyRequests(APIError):
    """429: the rate limit of this key or address is exceeded.

    :param retry_after: seconds until the limit resets
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(429, message, headers={"Retry-After": str(retry_after)})


class CannotCount(APIError):
    """503: the request cannot be counted against its rate limit.

    :param retry_after: seconds until it may work again
    """

    def __init__(self, retry_after: int) -> None:
        message = "The rate limit cannot be checked at the moment"
        super().__init__(503, message, headers={"Retry-After": str(retry_after)})


class TooLargeToTry(Exception):
    """The response is too large to build right away: the server retries the request in the queue of large ones."""


class BodyNotRead(APIError):
    """503: the body was not read, because the request was going to be refused; by now it would not be.

    For example, its key has been issued in the meantime.
    """

    def __init__(self) -> None:
        super().__init__(503, "The request has to be sent again", headers={"Retry-After": "1"})


def envelope(message: str, details: list[Detail] | None = None) -> bytes:
    """The JSON body of an error response."""
    return msgspec.json.encode({"error": message, "details": details or []})


def init_app(app: Flask) -> None:
    """Turn every exception into the envelope, including werkzeug's and unexpected ones."""

    @app.before_request
    def no_slash_too_many() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # werkzeug would collapse it to one slash
            raise NotFoundHTTP

    @app.errorhandler(APIError)
    def api_error(error: APIError) -> Response:
        return _answer(error.status, error.message, error.details, error.headers)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        kept = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        message = MESSAGES.get(error.code or 500) or error.description or error.name
        return _answer(error.code or 500, message, [], kept)

    def database_error(error: Exception) -> Response:
        match failure_of(error):
            case Failure.MISUSE:
                return unforeseen(error)
            case Failure.TOO_DEEP:
                return _answer(400, TOO_DEEP, [], {})
            case Failure.TOO_LARGE:
                return try_again(error)
            case Failure.INTERRUPTED:
                log.warning("Request %s was interrupted: its query took too long", g.request_id)
            case _:
                log.error("The database cannot serve request %s: %s", g.request_id, error, exc_info=to_trace(error))
        return database_failed(error)

    for each in DatabaseError:
        app.register_error_handler(each, database_error)

    @app.errorhandler(TooLargeToTry)
    def try_again(_: Exception) -> Response:
        request.environ[TOO_LARGE_TO_TRY] = True
        return _answer(413, MESSAGES[413], [], {})  # sent only if the database refuses the retry, too

    @app.errorhandler(MemoryError)
    def no_memory(error: MemoryError) -> Response:
        log.error("Out of memory in request %s", g.request_id, exc_info=error)
        return database_failed(error)

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("Unexpected error in request %s", g.request_id, exc_info=error)
        return _answer(500, "Internal server error", [], {})


def database_failed(error: BaseException) -> Response:
    """The response to a request that the database failed.

    :param error: the database's error, or one that it caused
    """
    return _answer(*_DATABASE_FAILURES.get(failure_of(error), _UNAVAILABLE))


def _answer(status: int, message: str, details: list[Detail], headers: Mapping[str, str]) -> Response:
    return Response(envelope(message, details), status, dict(headers), content_type="application/json")
