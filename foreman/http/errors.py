"""The errors that requests end with. Handlers raise subclasses of `APIError`; only this module builds the response."""

import logging
from collections.abc import Mapping

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound as NotFoundHTTP

from foreman.db.failures import DatabaseError, Failure, failure_of, to_trace
from foreman.db.values import Row
from foreman.http.environ import TOO_LARGE_TO_TRY
from foreman.http.protocol.problems import Detail, Problem, code_of

log = logging.getLogger(__name__)

TOO_DEEP = "The body is nested too deep"

# In place of werkzeug's longer messages, which address people with a browser.
MESSAGES = {
    404: "Not found",  # existing clients compare this text
    405: "This path does not take this method",
    413: "The body is larger than this server accepts",
}


# What a database failure is for the client. There is a Retry-After only where waiting helps.
_UNAVAILABLE = Problem(503, "The database is not available at the moment", "unavailable")
_DATABASE_FAILURES = {
    Failure.UNKNOWN: Problem(
        503, "It is not known whether this is stored: read before sending it again", "outcome_unknown"
    ),
    Failure.INTERRUPTED: Problem(503, "The query takes too long: narrow it down", "query_too_slow"),
    Failure.FULL: Problem(507, "The disk of the database is full", "disk_full"),
    Failure.READ_ONLY: Problem(503, "The database cannot be written to", "database_read_only"),
    Failure.DAMAGED: Problem(503, "The database is damaged", "database_damaged"),
}
_WAITING_HELPS = {"unavailable", "query_too_slow"}


class APIError(Exception):
    """An error response.

    :param status: the HTTP status
    :param message: shown to the client
    :param details: one entry per invalid field
    :param headers: additional response headers
    :param code: one of `problems.CODES`; by default the usual one of the status
    """

    def __init__(
        self,
        status: int,
        message: str,
        details: list[Detail] | None = None,
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details or []
        self.headers = headers or {}
        self.code = code or code_of(status)


class Invalid(APIError):
    """400: the request is invalid."""

    def __init__(self, message: str, details: list[Detail] | None = None) -> None:
        super().__init__(400, message, details, code="validation_failed")


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

    def __init__(self, what: str, details: list[Detail] | None = None) -> None:
        super().__init__(404, f"{what} not found", details)


def found(row: Row | None, what: str) -> Row:
    """The row, if there is one.

    :raises NotFound: if there is none
    """
    if row is None:
        raise NotFound(what)
    return row


class Conflict(APIError):
    """409: what is asked for contradicts the state of what it is about.

    :param code: says which contradiction it is, where a client may want to tell
    """

    def __init__(self, message: str, code: str = "conflict", details: list[Detail] | None = None) -> None:
        super().__init__(409, message, details, code=code)


class PreconditionFailed(APIError):
    """412: the item is no longer the one that `If-Match` names (RFC 9110, section 13.1.1). Nothing has changed."""

    def __init__(self, message: str = "It has changed since it was read: read it again") -> None:
        super().__init__(412, message, code="stale")


class IdempotencyConflict(APIError):
    """422: another request has had this `Idempotency-Key`."""

    def __init__(self) -> None:
        message = "This Idempotency-Key was sent with another request: a new request needs a new key"
        super().__init__(422, message, code="idempotency_conflict")


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


class NotReady(APIError):
    """503: the server is still preparing what is asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message, headers={"Retry-After": "1"})


class TooLargeToTry(Exception):
    """The response is too large to build right away: the server retries the request in the queue of large ones."""


class BodyNotRead(APIError):
    """503: the body was not read, because the request was going to be refused; by now it would not be.

    For example, its key has been issued in the meantime.
    """

    def __init__(self) -> None:
        super().__init__(503, "The request has to be sent again", headers={"Retry-After": "1"})


def init_app(app: Flask) -> None:
    """Turn every exception into an error response, including werkzeug's and unexpected ones."""

    @app.before_request
    def no_slash_too_many() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # werkzeug would collapse it to one slash
            raise NotFoundHTTP

    @app.errorhandler(APIError)
    def api_error(error: APIError) -> Response:
        return _answer(Problem(error.status, error.message, error.code, error.details), error.headers)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        kept = {name: value for name, value in error.get_headers() if name != "Content-Type"}
        status = error.code or 500
        message = MESSAGES.get(status) or error.description or error.name
        return _answer(Problem(status, message, code_of(status)), kept)

    def database_error(error: Exception) -> Response:
        match failure_of(error):
            case Failure.MISUSE:
                return unforeseen(error)
            case Failure.TOO_DEEP:
                return _answer(Problem(400, TOO_DEEP, "validation_failed"), {})
            case Failure.TOO_LARGE:
                return try_again(error)
            case Failure.INTERRUPTED:
                log.warning("Request %s was interrupted: its query took too long", g.request_id)
            case _:
                log.error("The database cannot serve request %s: %s", g.request_id, error, exc_info=to_trace(error))
        return database_failed(error, *_asked())

    for each in DatabaseError:
        app.register_error_handler(each, database_error)

    @app.errorhandler(TooLargeToTry)
    def try_again(_: Exception) -> Response:
        request.environ[TOO_LARGE_TO_TRY] = True
        # This is sent only if the database refuses the retry, too.
        return _answer(Problem(413, MESSAGES[413], code_of(413)), {})

    @app.errorhandler(MemoryError)
    def no_memory(error: MemoryError) -> Response:
        log.error("Out of memory in request %s", g.request_id, exc_info=error)
        return database_failed(error, *_asked())

    @app.errorhandler(Exception)
    def unforeseen(error: Exception) -> Response:
        log.error("Unexpected error in request %s", g.request_id, exc_info=error)
        return _answer(Problem(500, "Internal server error", "internal_error"), {})


def database_failed(error: BaseException, accept: str, request_id: str) -> Response:
    """The response to a request that the database failed. It needs no application context.

    :param error: the database's error, or one that it caused
    :param accept: the request's `Accept` header, or an empty text
    :param request_id: the request's id
    """
    problem = _DATABASE_FAILURES.get(failure_of(error), _UNAVAILABLE)
    headers = {"Retry-After": "1"} if problem.code in _WAITING_HELPS else {}
    return _response(problem, headers, accept, request_id)


def _answer(problem: Problem, headers: Mapping[str, str]) -> Response:
    """The error response to the current request."""
    return _response(problem, headers, *_asked())


def _asked() -> tuple[str, str]:
    """The `Accept` header and the id of the current request."""
    return request.headers.get("Accept", ""), g.request_id


def _response(problem: Problem, headers: Mapping[str, str], accept: str, request_id: str) -> Response:
    body, content_type = problem.sent(accept, request_id)
    return Response(body, problem.status, {**headers, "Vary": "Accept"}, content_type=content_type)
