"""The two ends of a copy, whatever their engine: what is read from, and what is written to."""

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from foreman.config import is_postgres
from foreman.db.file import SCHEMA_VERSION, refuse_loop
from foreman.db.values import Row
from foreman.maintenance.moving.mending import Found
from foreman.maintenance.moving.parents import Order
from foreman.maintenance.moving.tables import Table
from foreman.packages import how_to_install_postgres

# What tells whether a database has changed: rows that were added, changed or deleted change one of these numbers, with
# a probability of a million to one. All of it is in indexes. `%` keeps the sums small.
SIGNS = (
    "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(updated_at % 1000003), 0) FROM run",
    "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(updated_at % 1000003), 0) FROM task",
    "SELECT count(*), coalesce(max(seq), 0), coalesce(sum(created_at % 1000003), 0) FROM run_data",
    "SELECT count(*), coalesce(sum(updated_at % 1000003), 0) FROM run_data WHERE updated_at <> created_at",
    "SELECT count(*), coalesce(sum(created_at % 1000003), 0), count(revoked_at) FROM api_key",
)


class MovingFailed(Exception):
    """It cannot be copied or imported. The message is one line that says why."""


class Refused(Exception):
    """The target refuses a row, or several of them together."""


class Origin(NamedTuple):
    """What is being copied into a database, as that remembers it until the end.

    :ivar kind: `copy` or `import`
    :ivar source: what messages call the source
    :ivar identity: what no other source has
    :ivar signs: what would be different if the source had changed; see `SIGNS`
    """

    kind: str
    source: str
    identity: str
    signs: str


class Readable(Protocol):
    """A database from which the rows of a copy are read.

    :ivar name: what messages call it, without a password
    """

    name: str

    def rows(self, table: Table, after: Row | None = None) -> Generator[Row, None, None]:
        """The rows of a table in the order of its primary key, one by one, from the one after this key on.

        :raises MovingFailed: when they cannot be read
        """

    def count(self, table: Table) -> int:
        """The number of rows."""


class Source(Readable, Protocol):
    """What is read from: a snapshot."""

    def identity(self) -> str:
        """What no other database has."""

    def signs(self) -> str:
        """What is different when the database has changed; see `SIGNS`."""

    def renew(self) -> None:
        """Take a new snapshot."""


class Target(Readable, Protocol):
    """What is written to. Until `finish` it is no database that anything else would open."""

    @property
    def remedy(self) -> str:
        """How to make room for another copy."""

    def begin(self, origin: Origin) -> None:
        """Prepare an empty database, or one that the same has been copied into before.

        :raises MovingFailed: when it is neither
        """

    def last(self, table: Table) -> Row | None:
        """The greatest key of a table."""

    def clear(self, tables: Iterable[Table]) -> None:
        """Delete all rows of these tables."""

    def write(self, table: Table, rows: Iterable[Row]) -> None:
        """Write rows in one transaction.

        :raises Refused: when a row cannot be stored here
        :raises MovingFailed: when it fails for another reason
        """

    def refused(self, table: Table, rows: Iterable[Row]) -> tuple[Row, str] | None:
        """The first of these rows that cannot be written, and why. Nothing is written."""

    def derive(self, parts: Iterable[tuple[Table, str]]) -> Generator[None, None, None]:
        """Fill tables from others, each by a SELECT, all in one transaction."""

    def complete(self) -> Generator[float, None, None]:
        """Create what makes writing slow, step by step: indexes and references. Yield what part of it is done.

        :raises MovingFailed: when the rows do not fit together
        """

    def finish(self) -> None:
        """Make it a database like any other."""


class Original(Protocol):
    """A snapshot of a database of the TypeScript original. Values are as the target has them, but not mended.

    :ivar name: what messages call it, without a password
    """

    name: str

    def count(self, table: str) -> int:
        """The number of rows."""

    def organisations(self) -> dict[str, str]:
        """The organisations, each with the name that it has here.

        :raises MovingFailed: when two would have the same
        """

    def task_order(self) -> Order:
        """The order of tasks in which each comes after its parent."""

    def runs(self) -> Generator[Found, None, None]:
        """The runs in order of time."""

    def tasks(self) -> Generator[Found, None, None]:
        """The tasks in order of time: `run_seq` is None without a run of the same organisation."""

    def entries(self) -> Generator[Found, None, None]:
        """The entries in order: with `own_task` if that is of its run, and its run's `first_task` if it has any."""


def refuse_another(name: str, found: dict[str, str], origin: Origin, remedy: str) -> None:
    """Check that an unfinished copy is of this origin, and can be gone on with.

    :param name: what messages call the copy
    :param found: what it remembers
    :param remedy: how to make room for another one
    :raises MovingFailed: when it cannot
    """
    if (found["kind"], found["identity"]) != (origin.kind, origin.identity):
        raise MovingFailed(
            f"{name} is an unfinished {found['kind']} of {found['source']}, not of {origin.source}; to begin anew, "
            f"{remedy}"
        )
    if found["version"] != str(SCHEMA_VERSION):
        raise MovingFailed(f"{name} was begun with another version of Foreman; to begin anew, {remedy}")
    if found["signs"] != origin.signs:
        raise MovingFailed(changed(origin.source, name, remedy))


def changed(source: str, target: str, remedy: str) -> str:
    """The line that says that a source has changed since a copy of it began."""
    return (
        f"{source} has changed since its copy into {target} began, so that is of no use: stop all servers of "
        f"{source}, {remedy}, and copy it again"
    )


def open_source(database: str) -> AbstractContextManager[Source]:
    """A snapshot of a database that nobody serves. It is never written to.

    :param database: as in the settings
    :raises MovingFailed: when it is served, or cannot be read
    :raises NotAForemanDatabase: when it is none, or of another version
    """
    if is_postgres(database):
        _refuse_missing_package()
        from foreman.maintenance.moving.of_postgres import source_on_postgres

        return source_on_postgres(database)
    from foreman.maintenance.moving.of_sqlite import source_on_sqlite

    return source_on_sqlite(Path(database))


def open_target(database: str) -> AbstractContextManager[Target]:
    """A database to copy into, which is created if it is an SQLite file that does not exist.

    :param database: as in the settings
    :raises MovingFailed: when it is served, or cannot be written to
    :raises NotAForemanDatabase: when it is something else
    """
    if is_postgres(database):
        _refuse_missing_package()
        from foreman.maintenance.moving.of_postgres import target_on_postgres

        return target_on_postgres(database)
    from foreman.maintenance.moving.of_sqlite import target_on_sqlite

    return target_on_sqlite(Path(database))


def open_original(url: str) -> AbstractContextManager[Original]:
    """A snapshot of a database of the original, which is never written to.

    :raises MovingFailed: when it cannot be reached, or is something else
    :raises NotAForemanDatabase: when that is no URL
    """
    _refuse_missing_package()
    from foreman.maintenance.moving.original import original_on_postgres

    return original_on_postgres(url)


def refuse_same(source: str, target: str) -> None:
    """Check that two databases are not the same.

    :raises MovingFailed: when they are
    :raises NotAForemanDatabase: when one cannot be reached
    """
    if is_postgres(source) and is_postgres(target):
        _refuse_missing_package()
        from foreman.maintenance.moving.of_postgres import is_same

        same = is_same(source, target)
    elif is_postgres(source) or is_postgres(target):
        return
    else:
        for path in (source, target):
            refuse_loop(Path(path))
        same = Path(source).resolve() == Path(target).resolve()
    if same:
        raise MovingFailed("the source and the target are the same database")


def _refuse_missing_package() -> None:
    try:
        import psycopg  # noqa: F401  # an optional package
    except ImportError as error:
        raise MovingFailed(f"the database is on PostgreSQL, but {how_to_install_postgres(error)}") from None
