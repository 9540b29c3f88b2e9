"""Errors as they are sent: their codes, and their two forms.

One is the JSON envelope, `{"error": text, "details": [{"field", "message"}], "code": text}`. The other is the problem
details of RFC 9457, for clients that ask for them.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import msgspec
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

JSON, PROBLEM_JSON = "application/json", "application/problem+json"

# The page that the `type` of a problem leads to, and on which each code has a section.
CODES_PATH = "/docs/errors"


class Detail(TypedDict):
    """What is wrong with one field of a body or one query parameter."""

    field: str
    message: str


class Code(NamedTuple):
    """What a code says.

    :ivar status: the HTTP status that it comes with
    :ivar title: its name for people, the same each time
    :ivar when: when it is sent, in Markdown
    """

    status: int
    title: str
    when: str


CODES = {
    "validation_failed": Code(
        400,
        "Validation failed",
        "the request is invalid: `details` names the fields and parameters, up to 20 unknown ones; it is empty for a "
        "body that is no JSON object",
    ),
    "bad_request": Code(400, "Bad request", "the request is not HTTP as RFC 9112 has it; the connection is closed"),
    "unauthorized": Code(401, "Unauthorized", "no key, or one that is malformed, unknown, revoked or expired"),
    "forbidden": Code(403, "Forbidden", "the key lacks the scope: `write`, or `admin` for `/keys`"),
    "not_found": Code(404, "Not found", "the key's organisation has no such item, or there is no such path"),
    "method_not_allowed": Code(405, "Method not allowed", "the path does not take this method"),
    "request_timeout": Code(408, "Request timeout", "the request did not arrive in time; the connection is closed"),
    "conflict": Code(409, "Conflict", "what is asked for contradicts the state of the item"),
    "idempotency_in_progress": Code(
        409,
        "Idempotency key in use",
        "an earlier request with the same `Idempotency-Key` has been under way for 10 seconds: try again later",
    ),
    "terminal_status": Code(
        409,
        "Terminal status",
        "the task or run, or a task of the run, has ended with a status that it keeps: the message names that and the "
        "other one; nothing has changed",
    ),
    "count_differs": Code(
        409,
        "Count differs",
        "another number of tasks or runs meets the filter of the act than `expect` says; nothing has changed",
    ),
    "stale": Code(
        412, "Stale", "the item is no longer what `If-Match` says: read it again, and decide again; nothing has changed"
    ),
    "too_large": Code(413, "Too large", "the body is larger than `FOREMAN_MAX_BODY`"),
    "unsupported_media_type": Code(
        415, "Unsupported media type", "the body is declared to be something other than JSON"
    ),
    "range_not_satisfiable": Code(
        416, "Range not satisfiable", "a part of a file under `/docs` that the file does not have"
    ),
    "expectation_failed": Code(
        417, "Expectation failed", "the request expects something other than `100-continue`; the connection is closed"
    ),
    "idempotency_conflict": Code(
        422,
        "Idempotency key used otherwise",
        "another request, with another body or query, has had this `Idempotency-Key`; nothing has changed",
    ),
    "rate_limited": Code(
        429, "Rate limited", "the rate limit is used up: try again after `Retry-After` seconds; nothing has changed"
    ),
    "headers_too_large": Code(
        431,
        "Headers too large",
        "the request's headers are larger than 256 KB together, or more than 100; the connection is closed",
    ),
    "internal_error": Code(
        500, "Internal error", "a fault in the server; the log has the cause under the request's id"
    ),
    "not_implemented": Code(501, "Not implemented", "the body is sent in a transfer coding other than `chunked`"),
    "unavailable": Code(
        503,
        "Unavailable",
        "the server cannot handle the request now, and nothing has changed: try again after `Retry-After` seconds "
        "(another process holds the database, or its file has been moved; PostgreSQL cannot be reached; there is no "
        "room for one more large body or response; the rate limit cannot be checked)",
    ),
    "not_ready": Code(503, "Not ready", "only of `/ready`: the server cannot take work; `details` says why"),
    "query_too_slow": Code(503, "Query too slow", "the query took too long: narrow it down"),
    "outcome_unknown": Code(
        503,
        "Outcome unknown",
        "the connection to PostgreSQL was lost while it committed, or a proxy lost the one to Foreman, so that the "
        "change may be stored or not: read before sending it again",
    ),
    "database_read_only": Code(503, "Database is read-only", "the database cannot be written to at all"),
    "database_damaged": Code(503, "Database is damaged", "the database is damaged"),
    "http_version_not_supported": Code(505, "HTTP version not supported", "the request is not HTTP/1"),
    "disk_full": Code(507, "Disk is full", "the disk of the database is full; reads still work"),
}

# The code of an error that names none.
_OF_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    417: "expectation_failed",
    429: "rate_limited",
    431: "headers_too_large",
    501: "not_implemented",
    503: "unavailable",
    505: "http_version_not_supported",
}


class Problem(NamedTuple):
    """An error response, without its headers."""

    status: int
    message: str
    code: str
    details: Sequence[Detail] = ()

    def sent(self, accept: str, request_id: str) -> tuple[bytes, str]:
        """Its body and its media type.

        :param accept: the request's `Accept` header, or an empty text
        :param request_id: the request's id
        """
        envelope = {"error": self.message, "details": self.details, "code": self.code}
        if not prefers_problem(accept):
            return msgspec.json.encode(envelope), JSON
        known = CODES.get(self.code)
        described = {
            "type": f"{CODES_PATH}#{self.code}",
            "title": known.title if known else self.message,
            "status": self.status,
            "detail": self.message,
            **envelope,
            "requestId": request_id,
        }
        return msgspec.json.encode(described), PROBLEM_JSON


def code_of(status: int) -> str:
    """The code of an error of which no more than its status is known."""
    return _OF_STATUS.get(status, "bad_request" if status < 500 else "internal_error")


def prefers_problem(accept: str) -> bool:
    """Whether an `Accept` header (RFC 9110, section 12.5.1) asks for problem details in place of the envelope.

    It does if it names their type, and not with a lower weight than `application/json` or what includes that. Wildcards
    alone do not ask for them: nearly every client sends some.
    """
    if "problem" not in accept.lower():
        return False
    accepted = parse_accept_header(accept, MIMEAccept)
    asked = max((quality for name, quality in accepted if _type_of(name) == PROBLEM_JSON), default=0)
    return asked > 0 and asked >= accepted.quality(JSON)


def _type_of(media_range: str) -> str:
    """A media range without its parameters."""
    return media_range.partition(";")[0].strip().lower()
