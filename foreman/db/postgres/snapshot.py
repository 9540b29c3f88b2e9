"""A snapshot of a whole database, for commands that only read it, with as few rights as that takes."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from foreman.config import shown
from foreman.db.engine import Sizes
from foreman.db.failures import EngineError, Failure
from foreman.db.file import NotAForemanDatabase
from foreman.db.postgres.connecting import MAY_READ, connected
from foreman.db.postgres.errors import engine_error
from foreman.db.postgres.schema import refuse_empty, version_in
from foreman.db.postgres.session import Session, configure
from foreman.db.postgres.statements import for_driver

# Statements of a check read whole tables. What they sort and hash may take this much memory at once before it goes to
# the server's disk.
_SETTINGS = {
    "lock_timeout": "5s",
    "work_mem": "64MB",
    "jit": "off",
}


class Snapshot(Session):
    """A session in one transaction that only reads, and sees what had been committed when it began.

    :ivar name: what messages call the database
    :ivar version: of its schema
    """

    name: str
    version: int

    def rows(self, sql: str, /, **values: Any) -> "Generator[tuple[Iterable[str], tuple[Any, ...]]]":
        """The rows of a statement, one by one, each with the names of its columns. If it fails, others still work.

        :raises EngineError: when it fails
        """
        self.run("SAVEPOINT statement")
        try:
            with self.cursor() as cursor:
                for row in cursor.stream(for_driver(sql), values, size=1):
                    yield [column.name for column in cursor.description or ()], row
        except psycopg.Error as error:
            self.run("ROLLBACK TO SAVEPOINT statement")
            raise engine_error(error) from error
        self.run("RELEASE SAVEPOINT statement")

    def sizes(self) -> Sizes:
        """The size of the database. Its log and its disk are the server's."""
        return Sizes(self.value("SELECT pg_database_size(current_database())"), None, None)


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """A snapshot of a database, whatever is written to it meanwhile.

    :raises NotAForemanDatabase: when it cannot be reached or read, is empty or something else, or from a newer version
    :raises EngineError: when a statement fails for another reason
    """
    name = shown(url)
    with connected(url, Snapshot, MAY_READ) as view:
        configure(view, _SETTINGS)
        view.begin(b"ISOLATION LEVEL REPEATABLE READ READ ONLY")
        view.name, view.version = name, version_in(view, name)
        refuse_empty(name, view.version)
        try:
            yield view
        except EngineError as error:
            if error.failure is Failure.READ_ONLY:
                raise NotAForemanDatabase(f"{name}: {error}: {MAY_READ}") from None
            raise
