"""What a database engine gives to the application: SQLite (`sqlite.py`) or PostgreSQL (`postgres/`)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from foreman.db.values import Row
from foreman.pending import Pending

if TYPE_CHECKING:  # an optional package
    from greenlet import greenlet


Result = TypeVar("Result")


class Waits(Protocol):
    """How requests wait, so that their thread serves others meanwhile."""

    def wait_for(self, socket: int) -> bool:
        """Wait until a socket can be read. If this returns False, the caller has to block until it can."""

    def aside(self, do: Callable[[], Result]) -> Result:
        """Do something that blocks for long, on a thread of its own."""


class Rows(Protocol):
    """Rows that are read one by one, until the last or until they are closed."""

    def __iter__(self) -> Iterator[Row]: ...

    def close(self) -> object:
        """Read no more of them."""


class Transaction(Protocol):
    """Runs statements with bound values (`:name`) in one transaction.

    A list is bound as one JSON value, see `values.as_list`. A value or row that is larger than the request may read
    fails with `Failure.TOO_LARGE`, see `Database.begin`.
    """

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row, or None."""

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Every row."""

    def each(self, sql: str, /, **values: Any) -> Rows:
        """The rows, one by one."""

    def value(self, sql: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""

    def run(self, sql: str, /, **values: Any) -> int:
        """Run a statement; return how many rows it changed, those changed by triggers not counted."""

    def locked(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a SELECT from one table, or None. Until the transaction ends nobody else can change it."""

    def lock_rows(self, sql: str, /, **values: Any) -> None:
        """Lock all rows of a SELECT from one table, in its order: until the end of the transaction, against changes.

        Whoever changes several does so first. If all use the same order, no two wait for each other.
        """

    def update(self, table: str, change: str, condition: str, /, **values: Any) -> int:
        """Change the rows that meet a condition now, and lock them in the order of their ids; return how many.

        :param table: with `seq` and `id`
        :param change: what follows SET
        """

    def delete_unlocked(self, table: str, key: str, condition: str, /, **values: Any) -> int:
        """Delete the rows that meet a condition, but those that another transaction has locked; return how many.

        It waits for nobody, so there is no order to keep.

        :param key: the columns of the primary key
        :param condition: what follows WHERE
        """

    def held(self, sql: str, /, **values: Any) -> Row | None:
        """The same as `locked`, but others may do so, too; only `locked`, a change and a deletion wait."""

    def claims(self, name: str) -> bool:
        """Claim a name for this transaction, until it ends; False while another transaction has it."""


class Block(Protocol):
    """A transaction as a `with` block."""

    def __enter__(self) -> Transaction: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Sizes(NamedTuple):
    """Bytes of a database: its data, its write-ahead log and what is free on its disk; None if that cannot be known."""

    database: int
    log: int | None
    free: int | None


# Called after each commit with the number of blocks in it, its duration in seconds, and its error or None.
ObserveCommit = Callable[[int, float, Exception | None], object]


class Database(Protocol):
    """An open database.

    :ivar name: what messages call it, without a password
    """

    name: str

    @property
    def coroutine(self) -> "type[greenlet] | None":
        """What makes a request a coroutine, where requests wait for a server, see `wait_with`; else None."""

    def read(self, *, patience: float = 0.0) -> Block:
        """`with db.read() as tx:` a snapshot of the database, whatever writers do meanwhile.

        :param patience: seconds by which it may take longer than others, see `interrupt_reads`
        """

    def one(self, sql: str, /, **values: Any) -> Row | None:
        """The first row of a single statement, which is a transaction by itself."""

    def each(self, sql: str, /, **values: Any) -> Rows:
        """The rows of a single statement: a transaction by itself, until they are read or closed."""

    def write(self, *, single: bool = False) -> Block:
        """`with db.write() as tx:` a transaction that is on disk once the block has ended without an error.

        In a request, see `begin`, it is on disk once the commit that `end` returns has succeeded.

        :param single: whether one statement at most changes anything. PostgreSQL makes each a transaction by itself
            then, which spares two round trips
        """

    def begin(self, most: int | None) -> None:
        """Begin the request that the caller serves: a thread, or a coroutine.

        :param most: how many bytes it may read at once, roughly: more fails with `Failure.TOO_LARGE`. None for no limit
        """

    def end(self) -> Pending | None:
        """End the request that the caller serves.

        :return: the commit that decides about what it wrote, if that is not decided yet
        """

    def commit(self) -> None:
        """Commit what requests have left open."""

    @property
    def most(self) -> int | None:
        """Bytes that the caller may read for its request; None for no limit."""

    def merge(self, selects: Sequence[str], order: str) -> str:
        """A SELECT of one page of the rows of several, each of which an index has in order.

        :param selects: of the columns `tiebreak` and `position`, at most a few by which the page is ordered
        :param order: what comes after ORDER BY
        :return: it takes :limit, :offset and their sum :reach
        """

    def octets(self, text: str) -> str:
        """SQL for the number of bytes of a text, as UTF-8; large ones are not read for it if the engine can avoid that.

        :param text: the name of a column
        """

    def at_declared_paths(self, table: str) -> str:
        """A SELECT of what the metadata of some rows has at the declared paths, as `schema.sql` keeps it.

        :param table: `run` or `task`
        :return: it takes :after and :last, between which the `seq` of the rows is; the first is not one of them
        """

    def open_readers(self, number: int) -> None:
        """Prepare for `number` threads."""

    def interrupt_reads(self, seconds: float) -> None:
        """Interrupt reads that have taken longer than `seconds` and their patience: they fail with
        `Failure.INTERRUPTED`.
        """

    def wait_with(self, waits: Waits) -> None:
        """Let requests wait in this way."""

    def pause(self, seconds: float) -> None:
        """Let the request that calls this wait."""

    def observe_commits(self, observe: ObserveCommit) -> None:
        """Let this be called after each commit. It must not raise."""

    def prove_writable(self) -> int:
        """Write something that changes nothing.

        :return: the schema version
        :raises DatabaseError: when the database cannot be written to
        """

    def sizes(self) -> Sizes:
        """How large it is.

        :raises OSError, DatabaseError: when that cannot be found out
        """

    def give_space_back(self, tx: Transaction) -> int:
        """Give some free space back to the file system, and return how many bytes; 0 if there is none to give."""

    def free_space(self) -> int | None:
        """Bytes that are free on its disk; None if its disk is not of this machine.

        :raises OSError: when that cannot be found out
        """

    def after_others(self, table: str) -> AbstractContextManager[Transaction]:
        """A transaction that begins after all that have read a table have ended, and before any other can read it.

        It must be short.
        """

    def alone(self) -> AbstractContextManager[bool]:
        """Whether no other process that serves the database is in such a block, as long as the block lasts."""

    def served(self) -> AbstractContextManager[None]:
        """Do in the background what a served database needs, as long as the block lasts."""

    def leads(self) -> bool:
        """Whether this process does what one does for all that serve the database, such as retention."""

    def close(self) -> None:
        """Close all connections. No other thread may be using the database."""
