"""Database failures, classified in terms that do not depend on which database it is."""

import re
import sqlite3
from enum import Enum, auto


class Failure(Enum):
    """Why the database refused something."""

    UNAVAILABLE = auto()  # for now; also the default
    LOCKED = auto()  # by another process, or by other transactions
    UNKNOWN = auto()  # the connection was lost while it committed: it may be stored or not
    AGAIN = auto()  # nothing was written, and the same transaction can succeed when it is tried again
    INTERRUPTED = auto()  # by a timeout
    FULL = auto()  # its disk
    READ_ONLY = auto()
    DAMAGED = auto()
    TOO_LARGE = auto()  # a value or row; see `Database.begin`
    TOO_DEEP = auto()  # JSON nested deeper than the database can parse
    MISUSE = auto()  # a bug of ours


class EngineError(Exception):
    """What an engine raises that has no exceptions of its own in Python: its message is that of the engine."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


# What a database raises.
DatabaseError = (sqlite3.Error, EngineError)


# SQLite's primary result codes (https://www.sqlite.org/rescode.html).
_OF_CODE = {
    sqlite3.SQLITE_BUSY: Failure.LOCKED,
    sqlite3.SQLITE_INTERRUPT: Failure.INTERRUPTED,
    sqlite3.SQLITE_FULL: Failure.FULL,
    sqlite3.SQLITE_READONLY: Failure.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: Failure.DAMAGED,
    sqlite3.SQLITE_NOTADB: Failure.DAMAGED,
    sqlite3.SQLITE_TOOBIG: Failure.TOO_LARGE,
}

_MISUSE = (sqlite3.ProgrammingError, sqlite3.DataError, sqlite3.NotSupportedError, sqlite3.InterfaceError)

# The names of the schema's CHECKs on JSON. What they refuse is well-formed, or it would have been refused earlier: so
# it can only exceed the database's own limit of nesting.
_IS_JSON = re.compile(r"_is_json$")


def to_trace(error: BaseException) -> BaseException | None:
    """The error whose traceback belongs into the log; None where its message says it all."""
    says_it_all = isinstance(error, EngineError) and error.failure not in (Failure.MISUSE, Failure.DAMAGED)
    return None if says_it_all else error


def failure_of(error: BaseException) -> Failure:
    """Classify a failure of the database.

    :param error: what the database raised, or an exception caused by that (`__cause__`)
    """
    if isinstance(error, EngineError):
        return error.failure
    if isinstance(error, sqlite3.IntegrityError):
        return Failure.TOO_DEEP if _IS_JSON.search(str(error)) else Failure.MISUSE
    cause: BaseException | None = error
    while cause is not None and not hasattr(cause, "sqlite_errorcode"):
        cause = cause.__cause__
    found = _OF_CODE.get(getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF, Failure.UNAVAILABLE)
    return Failure.MISUSE if isinstance(error, _MISUSE) and found is not Failure.TOO_LARGE else found
