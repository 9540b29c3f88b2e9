"""A session: one connection to the server, on which transactions run one after the other."""

import select
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import error_from_result
from psycopg.generators import execute
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.waiting import Ready, Wait

from foreman.db.engine import Result, Waits
from foreman.db.failures import EngineError, Failure
from foreman.db.postgres.errors import engine_error, is_nul
from foreman.db.postgres.statements import adapt, for_driver
from foreman.db.postgres.stream import PreparedStream
from foreman.db.values import Row

# So that either side gives up a connection within seconds when the other's machine has vanished: libpq's parameters,
# and the server's settings. Otherwise the server would keep the session's locks for two hours.
NETWORK = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
NETWORK_OF_SERVER = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "8000",
}

# Rows that are received at once where they are read one by one and are small. For 100 of them, 1 at once takes
# 0.5 ms, 2 take 0.37, 8 take 0.3.
_AT_ONCE = 2

# Executions after which a statement is prepared, and how many are kept prepared.
_PREPARED_AFTER, _PREPARED = 1, 400

# What poll(2) is asked for.
_POLLED = {Wait.R: select.POLLIN, Wait.W: select.POLLOUT, Wait.RW: select.POLLIN | select.POLLOUT}

# Seconds that a request to cancel a statement may take.
_CANCELLING = 2.0

# In place of NUL in a value, which no text of PostgreSQL can have. Only ids in a path may have it, and no id has this:
# so what is looked up is not found all the same.
_REPLACEMENT = "\ufffd"


class Session(psycopg.Connection[Row]):
    """A connection that runs statements as `engine.Transaction`. Outside of `begin` each is a transaction by itself.

    :ivar most: limit in bytes of a row; None for no limit
    :ivar waits: how it waits; None for psycopg's own way, in which Ctrl-C cancels the statement
    """

    waits: Waits | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.most: int | None = None
        self._limited: int | None = None
        self.prepare_threshold, self.prepared_max = _PREPARED_AFTER, _PREPARED
        adapt(self.adapters)
        self._statements = _Statements(self)
        self._had_values = False
        self._stream = PreparedStream(self)
        self._poll = select.poll()
        self._poll.register(self.pgconn.socket, select.POLLIN)
        self._reading = threading.Lock()
        self._reading_since: float | None = None

    @property
    def has_run(self) -> bool:
        """Whether the last statement may have run to its end, whatever became of its transaction then.

        One without values is sent in the simple protocol, which reports the end only after the commit.
        """
        return not self._had_values or self._statements.has_run

    def is_lost(self) -> bool:
        """Whether it ended while nobody used it.

        That costs no round trip: between two transactions the server says nothing but farewell.
        """
        try:
            if self._poll.poll(0):
                self._statements.execute("")
        except psycopg.Error:
            return True
        return False

    def limit(self, most: int | None) -> None:
        """Limit the bytes of each value and row that is read from now on; None for no limit."""
        self.most = most
        if most != self._limited:
            with suppress(EngineError):  # whoever uses the session learns of what is wrong with it
                self._command(b"RESET foreman.largest" if most is None else b"SET foreman.largest = %d" % most)
                self._limited = most

    def close(self) -> None:
        """Close it, and forget what was read last: it would stay until Python looks for cycles of references."""
        super().close()
        self._statements, self._stream = _Statements(self), PreparedStream(self)

    # Transactions -----------------------------------------------------------------------------------------------------

    def begin(self, how: bytes = b"") -> None:
        """Begin a transaction.

        :param how: its mode, such as `READ ONLY`
        """
        self._command(b"BEGIN " + how)

    def end(self) -> None:
        """Commit. If that fails for another reason than the server's word, it is not known whether it is stored."""
        try:
            result = self._command(b"COMMIT")
        except EngineError as error:
            if self.broken:
                raise EngineError(Failure.UNKNOWN, f"the commit may have failed: {error}") from error
            raise
        if result != b"COMMIT":
            raise EngineError(Failure.UNAVAILABLE, "the transaction was rolled back")

    def lock_table(self, table: str, patience: float) -> None:
        """Lock a table until the transaction ends: others cannot even read it.

        :param patience: seconds to wait for transactions that have read it
        """
        self._command(f"SET LOCAL lock_timeout = '{patience}s'".encode())
        self._command(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())

    def undo(self) -> None:
        """Roll back, if a transaction is open and the connection is not lost."""
        if not self.closed and self.pgconn.transaction_status != TransactionStatus.IDLE:
            with suppress(EngineError):
                self._command(b"ROLLBACK")

    def _command(self, command: bytes) -> bytes:
        """Run a command without values; return its tag. It costs less than a statement."""
        try:
            self.pgconn.send_query(command)
            result = self.wait(execute(self.pgconn))[-1]
        except psycopg.Error as error:
            raise engine_error(error) from error
        if result.status != ExecStatus.COMMAND_OK:
            refused = error_from_result(result, encoding="utf-8")
            raise engine_error(refused) from refused
        return result.command_status or b""

    # Statements -------------------------------------------------------------------------------------------------------

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row, or None."""
        row = self._run(sql, values).fetchone()
        if row is not None:
            self._measure(row)
        return row

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row."""
        return self._run(sql, values).fetchall()

    def each(self, sql: str, /, **values: Any) -> Generator[Row, None, None]:
        """The rows, one by one. Until they are read or closed, the session can run nothing else."""
        at_once = _AT_ONCE if self.most is not None else 1
        try:
            for row in self._stream.stream(for_driver(sql), _without_nul(values), size=at_once):
                self._measure(row)
                yield row
        except psycopg.Error as error:
            raise engine_error(error) from error

    def value(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self._run(sql, values).fetchone()
        return row[0] if row else None

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; return how many rows it changed, those changed by triggers not counted."""
        return self._run(sql, values).rowcount

    def locked(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a SELECT from one table, or None. Until the transaction ends nobody else can change it."""
        return self.one(f"{sql} FOR UPDATE", **values)

    def lock_rows(self, sql: str, /, **values: Any) -> None:
        """Lock all rows of a SELECT from one table, in its order: nobody else can change or delete them.

        Others can refer to them. Whoever adds several children would wait for their parents in an order of its own.
        """
        self.value(f"SELECT count(*) FROM ({sql} FOR NO KEY UPDATE) AS locked", **values)

    def update(self, table: str, change: str, condition: str, /, **values: Any) -> int:
        """Change the rows that meet a condition now, and lock them in the order of their ids; return how many.

        In one statement: with `lock_rows` before it, it might find others to lock that meet the condition by then.
        """
        found = f"SELECT seq FROM {table} WHERE {condition} ORDER BY id FOR NO KEY UPDATE"
        return self.run(f"UPDATE {table} SET {change} WHERE seq IN ({found})", **values)

    def delete_unlocked(self, table: str, key: str, condition: str, /, **values: Any) -> int:
        """Delete the rows that meet a condition, but those that another transaction has locked; return how many."""
        found = f"SELECT {key} FROM {table} WHERE {condition} FOR UPDATE SKIP LOCKED"
        return self.run(f"DELETE FROM {table} WHERE ({key}) IN ({found})", **values)

    def held(self, sql: str, /, **values: Any) -> Row | None:
        """The same as `locked`, but others may do so, too; only `locked`, a change of its key and a deletion wait."""
        return self.one(f"{sql} FOR KEY SHARE", **values)

    def claims(self, name: str) -> bool:
        """Claim a name for this transaction, until it ends; False while another transaction has it.

        Two names share a lock if their hashes are the same, which then waits for nothing.
        """
        return bool(self.value("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))", name=name))

    def _run(self, sql: str, values: dict[str, Any]) -> "psycopg.Cursor[Row]":
        self._had_values = bool(values)
        try:
            return self._statements.execute(for_driver(sql), values)
        except psycopg.DataError as error:
            if not is_nul(error):
                raise engine_error(error) from error
        except psycopg.Error as error:
            raise engine_error(error) from error
        return self._run(sql, _without_nul(values))

    def _measure(self, row: Row) -> None:
        """Fail if a row is larger than the request may read.

        :raises EngineError: if so
        """
        if self.most is not None and sum(len(value) for value in row if type(value) is bytes) > self.most:
            raise EngineError(Failure.TOO_LARGE, "a row is larger than this request may read")

    # Waiting ----------------------------------------------------------------------------------------------------------

    def wait(self, gen: PQGen[Result], *args: Any, **options: Any) -> Result:
        """Send and receive for a generator of psycopg's until it has its result, and return that."""
        if self.waits is None:
            return super().wait(gen, *args, **options)
        try:
            wanted = next(gen)
            while True:
                wanted = gen.send(self._ready(wanted))
        except StopIteration as end:
            result: Result = end.value
            return result

    def _ready(self, wanted: Wait) -> Ready:
        """Wait until the connection can be read or written, as wanted."""
        if wanted == Wait.R and self.waits is not None and self.waits.wait_for(self.pgconn.socket):
            return Ready.R
        poll = select.poll()
        poll.register(self.pgconn.socket, _POLLED[wanted])
        [(_, events)] = poll.poll()
        return Ready((events & ~select.POLLOUT and Ready.R) | (events & ~select.POLLIN and Ready.W))

    # Interruption -----------------------------------------------------------------------------------------------------

    def reading(self, begins: bool, patience: float = 0.0) -> None:
        """Note that reading begins or ends, for `interrupt`.

        :param patience: seconds by which it begins later, for `interrupt`
        """
        if not self._reading.acquire(blocking=False):  # it is being cancelled
            aside(self.waits, self._reading.acquire)
        self._reading_since = time.monotonic() + patience if begins else None
        self._reading.release()

    def is_overdue(self, seconds: float) -> bool:
        """Whether a read has taken longer than `seconds`."""
        since = self._reading_since
        return since is not None and time.monotonic() - since > seconds

    def interrupt(self, seconds: float) -> None:
        """Cancel a read that has taken longer than `seconds`. For any thread; it may take a moment."""
        with self._reading:  # so that the next statement on this connection does not begin meanwhile
            if self.is_overdue(seconds):
                self._reading_since = time.monotonic()  # if it goes on all the same, it is cancelled again
                with suppress(psycopg.Error):
                    self.cancel_safe(timeout=_CANCELLING)

    def _try_cancel(self, *, timeout: float = 5.0) -> None:
        """Cancel a statement of which no more rows are wanted, as psycopg does by itself."""
        aside(self.waits, partial(super()._try_cancel, timeout=timeout))


class _Statements(psycopg.Cursor[Row]):
    """A cursor that knows whether a statement that has failed did so before its end.

    With the extended protocol the server reports the end of a statement before it commits its transaction
    (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY): the report of a failure then
    comes after that of a success. psycopg raises the one, and only this inner part of it sees both.
    """

    has_run = False

    def _check_results(self, results: "list[PGresult]") -> None:
        self.has_run = any(each.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK) for each in results)
        super()._check_results(results)


def aside(waits: Waits | None, do: Callable[[], Result]) -> Result:
    """Do something that blocks. What it waits for may be up to other requests of the same thread.

    :param waits: how requests wait; None for those that may block
    """
    return do() if waits is None else waits.aside(do)


def configure(connection: "psycopg.Connection[Any]", settings: Mapping[str, str]) -> None:
    """Change settings of a session, in one round trip."""
    calls = ", ".join("set_config(%s, %s, false)" for _ in settings)
    connection.execute(f"SELECT {calls}".encode(), [each for pair in settings.items() for each in pair], prepare=False)


def _without_nul(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.replace("\x00", _REPLACEMENT) if isinstance(value, str) else value for name, value in values.items()
    }
