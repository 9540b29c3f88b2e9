"""Errors of the driver and the server, classified. See https://www.postgresql.org/docs/current/errcodes-appendix.html."""

import re

import psycopg
from psycopg import errors

from foreman.db.failures import EngineError, Failure

# By SQLSTATE, or its class in two characters.
_OF_STATE = {
    "08": Failure.AGAIN,  # the connection is lost
    "21": Failure.MISUSE,
    "22021": Failure.MISUSE,  # bytes that are no UTF-8, and NUL
    "22": Failure.MISUSE,
    "23503": Failure.AGAIN,  # what it refers to was deleted meanwhile: next time it is not found
    "23": Failure.MISUSE,
    "25006": Failure.READ_ONLY,
    "25P03": Failure.AGAIN,  # idle in transaction for too long
    "40": Failure.AGAIN,  # a deadlock, or not serializable
    "42": Failure.MISUSE,
    "42501": Failure.READ_ONLY,  # the role may not
    "53100": Failure.FULL,
    "54001": Failure.TOO_DEEP,  # of the stack, by JSON
    "55P03": Failure.LOCKED,
    "57014": Failure.INTERRUPTED,
    "57P01": Failure.AGAIN,  # this connection's process was told to end
    "57P02": Failure.AGAIN,  # another process has crashed, so all have to begin anew
    "XX001": Failure.DAMAGED,
    "XX002": Failure.DAMAGED,
}

# Indexes that a change may find full of what another has added since it looked: next time it is seen.
_TAKEN_MEANWHILE = ("run_by_external_id", "task_by_external_id")

_NUL = re.compile(r"NUL \(0x00\)")


def engine_error(error: psycopg.Error) -> EngineError:
    """The error for the application. It is to be raised from the driver's.

    Its message is the server's, without what that adds about the statement and the values of rows.
    """
    return EngineError(failure(error), " ".join((error.diag.message_primary or str(error)).split()))


def failure(error: psycopg.Error) -> Failure:
    """Classify an error of a statement that was not a COMMIT."""
    state = error.sqlstate
    if error.diag.constraint_name == "blob_is_not_too_large":
        return Failure.TOO_LARGE
    if error.diag.constraint_name == "document_is_json":  # of what is well-formed, so it is nested too deep
        return Failure.TOO_DEEP
    if error.diag.constraint_name in _TAKEN_MEANWHILE:
        return Failure.AGAIN
    if state is None:
        # Without a state it is not from the server, but from the driver, or from libpq: what that reports as the result
        # of a command, such as a connection that was closed meanwhile, is a DatabaseError and nothing more exact.
        if isinstance(error, errors.ConnectionTimeout):
            return Failure.UNAVAILABLE
        lost = isinstance(error, psycopg.OperationalError) or type(error) is psycopg.DatabaseError
        return Failure.AGAIN if lost else Failure.MISUSE
    return _OF_STATE.get(state, _OF_STATE.get(state[:2], Failure.UNAVAILABLE))


def is_nul(error: psycopg.DataError) -> bool:
    """Whether a value had a NUL, which no text of PostgreSQL can have."""
    return _NUL.search(str(error)) is not None
