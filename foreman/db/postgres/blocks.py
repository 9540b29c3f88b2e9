"""Transactions as `with` blocks: of several statements, or of one each."""

import time
from contextlib import suppress
from types import TracebackType
from typing import Protocol

import psycopg

from foreman.db.failures import EngineError, Failure
from foreman.db.postgres.session import Session


class _Sessions(Protocol):
    """Whose sessions they use: `Postgres`."""

    def take(self) -> Session: ...

    def give_back(self, session: Session) -> None: ...

    def committed(self, seconds: float, error: Exception | None) -> None: ...


class Block:
    """A transaction as a `with` block.

    :param mode: what follows BEGIN
    :param patience: seconds by which it may read for longer than others
    """

    def __init__(self, database: "_Sessions", mode: bytes, patience: float = 0.0) -> None:
        self._database, self._mode, self._patience = database, mode, patience

    def __enter__(self) -> Session:
        self._session = self._database.take()
        self._session.reading(bool(self._mode), self._patience)
        try:
            self._session.begin(self._mode)
        except BaseException:
            self._session.reading(False)
            self._database.give_back(self._session)
            raise
        return self._session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, database = self._session, self._database
        try:
            if kind is not None:
                session.undo()
                if isinstance(error, EngineError) and error.failure is Failure.READ_ONLY:
                    session.close()  # it would stay so when the database no longer is, and on a server that was demoted
            elif self._mode:
                with suppress(EngineError):  # whatever is wrong with the session, everything has been read
                    session.end()
            else:
                self._commit(session)
        finally:
            session.reading(False)
            database.give_back(session)

    def _commit(self, session: Session) -> None:
        begun, failed = time.monotonic(), None
        try:
            session.end()
        except Exception as error:
            failed = error
            raise
        finally:
            self._database.committed(time.monotonic() - begun, failed)


class Single:
    """A `with` block in which each statement is a transaction by itself."""

    def __init__(self, database: "_Sessions") -> None:
        self._database = database

    def __enter__(self) -> Session:
        self._session = self._database.take()
        self._session.most = None  # a row that was committed is answered, however large: the request must not run again
        self._begun_at = time.monotonic()
        return self._session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        session, database = self._session, self._database
        seconds = time.monotonic() - self._begun_at
        try:
            if error is None:
                database.committed(seconds, None)
            elif isinstance(error, EngineError):
                if error.failure is Failure.READ_ONLY:
                    session.close()  # see Block
                elif _is_unknown(session, error):
                    unknown = EngineError(Failure.UNKNOWN, f"the statement may have been committed: {error}")
                    database.committed(seconds, unknown)
                    raise unknown from error
                elif error.failure is Failure.FULL:
                    database.committed(seconds, error)
        finally:
            database.give_back(session)


def _is_unknown(session: Session, error: EngineError) -> bool:
    """Whether the connection was lost, so that it is not known whether the statement was committed.

    It is known if the server said that it ends the connection before it said that the statement had run.
    """
    told = isinstance(error.__cause__, psycopg.errors.AdminShutdown) and not session.has_run
    return (session.broken or session.closed) and not told
