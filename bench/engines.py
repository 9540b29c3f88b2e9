"""Where a benchmark's databases are: in files of SQLite, or on a server of PostgreSQL (`postgres.py`).

A database is named by a path. On PostgreSQL there is no such file, but the log of the database's server lies beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from foreman.db.sqlite import Database
from foreman.maintenance.opening import checking
from foreman.maintenance.progress import NOBODY

Row = dict[str, Any]

# Runs a statement once for every row, all in one transaction.
Load = Callable[[str, Sequence[Row]], None]


class Unsound(Exception):
    """A database is not one that a server could have written, so what was measured on it means nothing."""


class Engine(Protocol):
    """An engine with its databases.

    :ivar name: what reports call it
    """

    name: str

    def url(self, path: Path) -> str:
        """What the settings call the database of this name."""

    def loading(self, path: Path) -> AbstractContextManager[Load]:
        """Load a database, which is new or has been loaded before; at the end it is as after a while without writes."""

    def size(self, path: Path) -> int:
        """Bytes on disk."""


class Files:
    """SQLite: each database is a file."""

    name = "SQLite"

    def url(self, path: Path) -> str:
        """The file."""
        return str(path)

    @contextmanager
    def loading(self, path: Path) -> Iterator[Load]:
        """Load without a sync for each commit."""
        with closing(Database(path, "normal")) as database:

            def load(statement: str, rows: Sequence[Row]) -> None:
                with database.write() as tx:
                    for row in rows:
                        tx.run(statement, **row)

            yield load

    def size(self, path: Path) -> int:
        """The size of the file, without its log."""
        return path.stat().st_size


SQLITE = Files()


def verify(engine: Engine, path: Path) -> None:
    """Check that a database holds what a server could have written.

    :raises Unsound: when `check` finds something
    """
    with checking(engine.url(path)) as snapshot:
        violations = list(snapshot.violations(NOBODY))
    if violations:
        raise Unsound(f"{path.stem} on {engine.name} has {len(violations)} violations, such as {violations[0]}")
