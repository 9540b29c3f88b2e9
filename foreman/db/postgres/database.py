"""A PostgreSQL database: a pool of sessions, and a transaction for each request."""

import logging
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from foreman.db.engine import ObserveCommit, Sizes, Transaction
from foreman.db.failures import EngineError, Failure
from foreman.db.postgres.leader import Leader
from foreman.db.postgres.schema import shown
from foreman.db.postgres.session import Session
from foreman.db.values import Row

log = logging.getLogger(__name__)

# Seconds that a request waits for a connection, and for a lock that others hold.
_PATIENCE, _LOCK_PATIENCE = 3.0, 5.0

# Seconds after which the server ends a transaction whose process does nothing, as when its machine has died.
_IDLE_TRANSACTION = 30.0

# What every session is set to. Compiling statements never pays off for those of a request.
_SETTINGS = {
    "lock_timeout": f"{_LOCK_PATIENCE}s",
    "idle_in_transaction_session_timeout": f"{_IDLE_TRANSACTION}s",
    "default_transaction_isolation": "read committed",
    "jit": "off",
}

# So that a connection to a machine that has vanished is given up within seconds.
_NETWORK = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

# How many large values a row may have.
_VALUES = 4

# Seconds between two looks at all connections after one of them was lost.
_LOOK_AGAIN = 0.5


class _OfThread(threading.local):
    """Per-thread state.

    :ivar session: that of the request which the thread serves; None if it has not needed one yet
    :ivar most: bytes that it may read for its request; None for no limit
    """

    in_request = False
    session: Session | None = None
    most: int | None = None


class Postgres:
    """An open PostgreSQL database; see `engine.Database`.

    :param url: where it is
    :param connections: the most connections that it uses
    """

    # Nearly all of a request's time its thread waits for the server.
    serves_side_by_side = True

    def __init__(self, url: str, connections: int) -> None:
        self.url = url
        self.name = shown(url)
        self._local = _OfThread()
        self._observe: ObserveCommit = lambda *_: None
        self._looked_at = 0.0
        self._looking = threading.Lock()
        self._sessions: set[Session] = set()
        self._pool = ConnectionPool(
            url,
            connection_class=Session,
            kwargs={"autocommit": True, "application_name": "foreman", **_NETWORK},
            min_size=0,
            max_size=connections,
            timeout=_PATIENCE,
            configure=self._configure,
            reset=None,
            reconnect_timeout=1.0,
            num_workers=2,
            open=True,
        )

    # Reading ----------------------------------------------------------------------------------------------------------

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a single statement, which is a transaction by itself."""
        for last in (False, True):
            with self._session() as session:
                try:
                    return session.one(sql, **values)
                except EngineError as error:
                    if last or not self._is_worth_another_try(error, session):
                        raise
        raise AssertionError

    def each(self, sql: str, /, **values: Any) -> Generator[Row, None, None]:
        """The rows of a single statement: a transaction by itself, until they are read or closed."""
        with self._session() as session:
            yield from session.each(sql, **values)

    def read(self) -> "_Block":
        """`with db.read() as tx:` a snapshot of the database, whatever writers do meanwhile."""
        return _Block(self, b"ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def write(self) -> "_Block":
        """`with db.write() as tx:` a transaction that is on disk once the block has ended without an error."""
        return _Block(self, b"")

    @contextmanager
    def _session(self) -> Iterator[Session]:
        session = self.take()
        session.reading(True)
        try:
            yield session
        finally:
            session.reading(False)
            self.give_back(session)

    # Requests ---------------------------------------------------------------------------------------------------------

    def begin(self, most: int | None) -> None:
        """Begin a request on this thread: it keeps the first connection that it takes.

        :param most: how many bytes it may read at once, roughly: more fails with `Failure.TOO_LARGE`. None for no limit
        """
        self._local.in_request, self._local.most = True, most

    def end(self) -> None:
        """End this thread's request. What it wrote is on disk already."""
        local = self._local
        local.in_request, local.most = False, None
        if local.session is not None:
            session, local.session = local.session, None
            self.give_back(session)

    def commit(self) -> None:
        """Nothing: each request has committed."""

    @property
    def most(self) -> int | None:
        """Bytes that this thread may read for its request; None for no limit."""
        return self._local.most

    def take(self) -> Session:
        """The session of the request that this thread serves, or one to be given back.

        :raises EngineError: when there is none in time
        """
        local = self._local
        session = local.session
        if session is None:
            try:
                session = self._pool.getconn()
            except (PoolTimeout, psycopg.Error) as error:
                raise EngineError(Failure.UNAVAILABLE, f"no connection to the database: {error}") from error
            if local.in_request:
                local.session = session
        session.most = None if local.most is None else local.most // _VALUES
        return session

    def give_back(self, session: Session) -> None:
        """Give back a session, unless the request that this thread serves keeps it."""
        local = self._local
        if session.closed or session.broken:
            if local.session is session:
                local.session = None
            self._sessions.discard(session)
            self._pool.putconn(session)
        elif local.session is not session:
            self._pool.putconn(session)

    def _is_worth_another_try(self, error: EngineError, session: Session) -> bool:
        """Whether the same statement may succeed on another connection. Those that are lost are replaced first."""
        if error.failure is not Failure.AGAIN:
            return False
        if session.broken or session.closed:
            self.look_at_connections()
        return True

    def look_at_connections(self) -> None:
        """Drop the idle connections that are lost: where one is, the others often are, too."""
        with self._looking:
            if time.monotonic() - self._looked_at > _LOOK_AGAIN:
                self._looked_at = time.monotonic()
                self._pool.check()

    def open_readers(self, number: int) -> None:
        """Nothing: connections are opened when they are needed."""

    def interrupt_reads(self, seconds: float) -> None:
        """Interrupt reads that have taken longer than `seconds`: they fail with `Failure.INTERRUPTED`."""
        for session in list(self._sessions):
            session.interrupt(seconds)

    # Writing ----------------------------------------------------------------------------------------------------------

    def observe_commits(self, observe: ObserveCommit) -> None:
        """Let this be called after each commit. It must not raise."""
        self._observe = observe

    def committed(self, seconds: float, error: Exception | None) -> None:
        """Note that a commit has ended."""
        self._observe(1, seconds, error)

    def prove_writable(self) -> int:
        """Begin to write.

        :return: the schema version
        :raises EngineError: when the database cannot be written to
        """
        with self.write() as tx:
            tx.value("SELECT pg_current_xact_id()")
            return int(tx.value("SELECT max(version) FROM schema_migration"))

    def version(self) -> int:
        """The schema version."""
        (version,) = self.one("SELECT max(version) FROM schema_migration") or (0,)
        return int(version)

    def sizes(self) -> Sizes:
        """The size of the database. Its log and its disk are the server's."""
        (size,) = self.one("SELECT pg_database_size(current_database())") or (0,)
        return Sizes(size, None, None)

    def free_space(self) -> None:
        """Unknown: the disk is the server's."""

    def give_space_back(self, tx: Transaction) -> int:
        """None: autovacuum keeps it for the next rows."""
        return 0

    @contextmanager
    def served(self) -> Iterator[None]:
        """Fold counts and follow the server's clock in the background, as long as the block lasts."""
        self._leader = Leader(self.url, _NETWORK)
        self._leader.start()
        try:
            yield
        finally:
            self._leader.stop()

    def leads(self) -> bool:
        """Whether this process does what one does for all that serve the database, such as retention."""
        return self._leader.leads()

    def close(self) -> None:
        """Close all connections. No other thread may be using the database."""
        self._pool.close()

    def _configure(self, session: Session) -> None:
        for name, value in _SETTINGS.items():
            session.execute("SELECT set_config(%s, %s, false)", (name, value), prepare=False)
        self._sessions.add(session)


class _Block:
    """A transaction as a `with` block.

    :param mode: what follows BEGIN
    """

    def __init__(self, database: Postgres, mode: bytes) -> None:
        self._database, self._mode = database, mode

    def __enter__(self) -> Session:
        self._session = self._database.take()
        self._session.reading(bool(self._mode))
        try:
            self._session.begin(self._mode)
        except BaseException:
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
            elif self._mode:
                session.end()
            else:
                self._commit(session)
        finally:
            session.reading(False)
            if session.broken or session.closed:
                database.look_at_connections()
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
