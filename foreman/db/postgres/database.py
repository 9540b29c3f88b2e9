"""A PostgreSQL database: a pool of sessions, and a transaction for each request."""

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from greenlet import greenlet
from psycopg_pool import ConnectionPool, PoolTimeout

from foreman.config import shown
from foreman.db.engine import ObserveCommit, Result, Sizes, Transaction, Waits
from foreman.db.failures import EngineError, Failure
from foreman.db.postgres.blocks import Block, Single
from foreman.db.postgres.connecting import AS_WRITTEN
from foreman.db.postgres.errors import engine_error
from foreman.db.postgres.leader import Leader
from foreman.db.postgres.session import NETWORK, NETWORK_OF_SERVER, Session, aside, configure
from foreman.db.values import Row

log = logging.getLogger(__name__)

# It warns of every attempt to connect, many times in a second, and of sessions that were closed on purpose. What
# matters of that is logged by the session in the background (`leader.py`).
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

# Seconds that a request waits for a connection, and for a lock that others hold.
_PATIENCE, _LOCK_PATIENCE = 3.0, 5.0

# Seconds within which a connection that is free is given. The pool takes 0 to be over before it has looked.
_AT_ONCE = 0.001

# Seconds that it waits when no connection could be made for `_PATIENCE` already: requests must not pile up.
_BRIEFLY = 0.25

# Seconds for which a failure to connect says something about the next attempt. Each may take 3 for every address of the
# server, and the pool tries twice before it calls that a failure.
_REMEMBERED = 30.0

# Seconds after which the server ends a transaction whose process does nothing, as when its machine has died.
_IDLE_TRANSACTION = 30.0

# What every session is set to. Indexes answer every statement of a request, whatever its values and the tables' sizes.
# So each is planned once, and no table is read as a whole where an index can be walked. Left alone, the planner chooses
# by what it guesses, and often plans anew to guess better, which takes longer than most statements. A nested loop looks
# up what it needs at each turn, instead of keeping all that it might need.
_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    **NETWORK_OF_SERVER,
    **AS_WRITTEN,
    "statement_timeout": "0",  # reads are interrupted, and writes wait for locks at most
    "lock_timeout": f"{_LOCK_PATIENCE}s",
    "idle_in_transaction_session_timeout": f"{_IDLE_TRANSACTION}s",
    "default_transaction_isolation": "read committed",
    "jit": "off",
}

# The advisory lock of `alone`: "FMAN" and a number.
_ALONE_LOCK = 0x464D414E_00000003

# How many large values a row may have.
_VALUES = 4


@dataclass
class _Request:
    """What a request has of a database.

    :ivar most: bytes that it may read at once; None for no limit
    :ivar session: None if it has not needed one yet
    """

    most: int | None
    session: Session | None = None


# The request that is being served; a thread may serve several, each as a coroutine.
_request: ContextVar[_Request | None] = ContextVar("request", default=None)


class Postgres:
    """An open PostgreSQL database; see `engine.Database`.

    :param url: where it is
    :param connections: the most connections that it uses
    :param durability: `full`: a commit waits until it is on the server's disk; `normal`: it does not
    """

    coroutine: type[greenlet] | None = greenlet

    def __init__(self, url: str, connections: int, durability: str = "full") -> None:
        self.url = url
        self._durability = durability
        self.name = shown(url)
        self._observe: ObserveCommit = lambda *_: None
        self._waits: Waits | None = None
        self._sessions: set[Session] = set()
        self._unreachable_since: float | None = None  # since when no connection could be made
        self._failed_to_connect_at = 0.0
        self._interrupting: threading.Thread | None = None
        self._leader: Leader | None = None
        self._pool = ConnectionPool(
            url,
            connection_class=Session,
            kwargs={"autocommit": True, "application_name": "foreman", "client_encoding": "utf8", **NETWORK},
            min_size=0,
            max_size=connections,
            timeout=_PATIENCE,
            configure=self._configure,
            reset=None,
            # After a failure it would try nothing for a second, not even for others who wait.
            reconnect_timeout=0.0,
            reconnect_failed=self._cannot_connect,
            num_workers=2,
            open=True,
        )

    # Reading ----------------------------------------------------------------------------------------------------------

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a single statement, which is a transaction by itself."""
        return _at_second_try(partial(self._one, sql, values))

    def _one(self, sql: str, values: dict[str, Any]) -> Row | None:
        with self._session() as session:
            return session.one(sql, **values)

    def each(self, sql: str, /, **values: Any) -> Generator[Row, None, None]:
        """The rows of a single statement: a transaction by itself, until they are read or closed."""
        with self._session() as session:
            yield from session.each(sql, **values)

    def read(self, *, patience: float = 0.0) -> Block:
        """`with db.read() as tx:` a snapshot of the database, whatever writers do meanwhile.

        :param patience: seconds by which it may take longer than others
        """
        return Block(self, b"ISOLATION LEVEL REPEATABLE READ READ ONLY", patience)

    def write(self, *, single: bool = False) -> Block | Single:
        """`with db.write() as tx:` a transaction that is on disk once the block has ended without an error.

        :param single: whether one statement at most changes anything: each is a transaction by itself
        """
        return Single(self) if single else Block(self, b"")

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
        """Begin the request that the caller serves: it keeps the first connection that it takes.

        :param most: how many bytes it may read at once, roughly: more fails with `Failure.TOO_LARGE`. None for no limit
        """
        _request.set(_Request(most))

    def end(self) -> None:
        """End the request that the caller serves. What it wrote is on disk already."""
        request = _request.get()
        _request.set(None)
        if request is not None and request.session is not None:
            if request.most is None:  # libpq's buffer keeps the size of the largest row
                request.session.close()
            self._pool.putconn(request.session)

    def commit(self) -> None:
        """Nothing: each request has committed."""

    @property
    def most(self) -> int | None:
        """Bytes that the caller may read for its request; None for no limit."""
        request = _request.get()
        return request.most if request is not None else None

    def take(self) -> Session:
        """The session of the request that the caller serves, or one to be given back.

        :raises EngineError: when there is none in time
        """
        request = _request.get()
        if request is None:
            session = self._from_pool()
            session.limit(None)
            return session
        if request.session is None:
            request.session = self._from_pool()
        request.session.limit(None if request.most is None else request.most // _VALUES)
        return request.session

    def _from_pool(self) -> Session:
        """A session of the pool: one that is free, which is the rule, or the first that will be."""
        with suppress(psycopg.Error):
            session = self._pool.getconn(_AT_ONCE)
            if not session.is_lost():
                self._unreachable_since = None
                return session
            self._pool.putconn(session)
        return aside(self._waits, self._from_pool_in_time)

    def _from_pool_in_time(self) -> Session:
        """A session of the pool that is given back, or made, within the time that a request waits for it.

        The pool tries to connect when it is asked, and only then: so it is asked again and again.
        """
        begun = time.monotonic()
        deadline = max(self._outage_since(begun) + _PATIENCE, begun + _BRIEFLY)
        while (now := time.monotonic()) < deadline:
            try:
                session = self._pool.getconn(min(_BRIEFLY, deadline - now))
            except PoolTimeout:
                continue
            except psycopg.Error as error:
                raise EngineError(Failure.UNAVAILABLE, f"no connection to the database: {error}") from error
            if not session.is_lost():
                self._unreachable_since = None
                return session
            self._pool.putconn(session)  # which replaces it
        raise EngineError(Failure.UNAVAILABLE, f"no connection to the database within {now - begun:.1f} seconds")

    def _cannot_connect(self, pool: "ConnectionPool[Session]") -> None:
        """Note that a connection could not be made, and let the pool forget who has given up waiting for it.

        It would do so with the next connection, and keep until then what each of them was doing.
        """
        now = time.monotonic()
        self._unreachable_since, self._failed_to_connect_at = self._outage_since(now), now
        with pool._lock:
            still_waiting = [each for each in pool._waiting if each.error is None]
            pool._waiting.clear()
            pool._waiting.extend(still_waiting)

    def _outage_since(self, now: float) -> float:
        """Since when no connection could be made; now, if nothing is known of an outage."""
        since = self._unreachable_since
        return now if since is None or now - self._failed_to_connect_at > _REMEMBERED else since

    def give_back(self, session: Session) -> None:
        """Give back a session, unless the request that the caller serves keeps it."""
        request = _request.get()
        if request is None or request.session is not session:
            self._pool.putconn(session)
        elif session.closed or session.broken:
            request.session = None
            self._pool.putconn(session)

    def wait_with(self, waits: Waits) -> None:
        """Let requests wait in this way."""
        self._waits = waits
        for session in self._sessions:
            session.waits = waits

    def pause(self, seconds: float) -> None:
        """Let the request that calls this wait."""
        aside(self._waits, partial(time.sleep, seconds))

    def open_readers(self, number: int) -> None:
        """Nothing: connections are opened when they are needed."""

    def merge(self, selects: Sequence[str], order: str) -> str:
        """A SELECT of one page of the rows of several.

        PostgreSQL merges no SELECTs that have conditions, but would sort all of their rows. So it takes from each as
        many as the page can need.
        """
        first = [f"(SELECT * FROM ({select}) AS walk ORDER BY {order} LIMIT :reach)" for select in selects]
        return f"SELECT * FROM ({' UNION ALL '.join(first)}) AS merged ORDER BY {order} LIMIT :limit OFFSET :offset"

    def octets(self, text: str) -> str:
        """SQL for the number of bytes of a text. PostgreSQL knows it without reading one that is stored apart."""
        return f"octet_length({text})"

    def at_declared_paths(self, table: str) -> str:
        """A SELECT of what the metadata of some rows has at the declared paths."""
        return f"""
            SELECT org_id, found.path, found.value, created_at, seq
            FROM {table}
            CROSS JOIN LATERAL declared_metadata({table}.metadata) AS found
            WHERE seq > :after AND seq <= :last
            """

    def interrupt_reads(self, seconds: float) -> None:
        """Interrupt reads that have taken longer than `seconds`: they fail with `Failure.INTERRUPTED`.

        Another thread does that, because a server that hangs takes seconds to be told.
        """
        sessions = list(self._sessions)
        self._sessions.difference_update(session for session in sessions if session.closed)
        overdue = [session for session in sessions if not session.closed and session.is_overdue(seconds)]
        if overdue and not (self._interrupting and self._interrupting.is_alive()):
            self._interrupting = threading.Thread(
                target=_interrupt, args=(overdue, seconds), name="interruption", daemon=True
            )
            self._interrupting.start()

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
        return _at_second_try(self._prove_writable)

    def _prove_writable(self) -> int:
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
    def after_others(self, table: str) -> Iterator[Transaction]:
        """A transaction that locks a table, after all that have read it have ended.

        What wants to read it waits behind this, so this does not wait for long.
        """
        with Block(self, b"") as session:
            session.lock_table(table, _BRIEFLY)
            yield session

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process is in such a block: an advisory lock of a session outside of the pool says so."""
        options: dict[str, Any] = NETWORK
        try:
            connection = psycopg.connect(self.url, autocommit=True, application_name="foreman", **options)
        except psycopg.Error as error:
            raise engine_error(error) from error
        with closing(connection):
            (taken,) = connection.execute("SELECT pg_try_advisory_lock(%s)", (_ALONE_LOCK,)).fetchone() or (False,)
            yield bool(taken)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Fold counts and follow the server's clock in the background, as long as the block lasts."""
        self._leader = Leader(self.url)
        self._leader.start()
        try:
            yield
        finally:
            self._leader.stop()
            self._leader = None

    def leads(self) -> bool:
        """Whether this process does what one does for all that serve the database, such as retention."""
        return self._leader is not None and self._leader.leads()

    def close(self) -> None:
        """Close all connections. No other thread may be using the database."""
        self._pool.close()

    def _configure(self, session: Session) -> None:
        configure(session, _SETTINGS)
        if self._durability == "normal":
            configure(session, {"synchronous_commit": "off"})
        elif session.execute("SHOW synchronous_commit").fetchone() == ("off",):
            configure(session, {"synchronous_commit": "on"})
        self._unreachable_since = None
        session.waits = self._waits
        self._sessions.add(session)


def _at_second_try(do: Callable[[], Result]) -> Result:
    """The result of something that stores nothing: done again, on another connection, if the first was lost."""
    try:
        return do()
    except EngineError as error:
        if error.failure is not Failure.AGAIN:
            raise
    return do()


def _interrupt(sessions: list[Session], seconds: float) -> None:
    for session in sessions:
        session.interrupt(seconds)
