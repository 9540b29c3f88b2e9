"""The engine that the tests run on: SQLite, or with `ENGINE=postgres` a throwaway PostgreSQL."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foreman.config import Settings
from foreman.db.engine import Database, Transaction
from foreman.db.sqlite import Database as SQLite
from foreman.db.transactions import Transaction as TransactionOfSQLite
from foreman.maintenance.opening import open_database
from tests.support import memory
from tests.support.cluster import Cluster, cluster

ENGINE = os.environ.get("ENGINE") or "sqlite"

ON_POSTGRES = ENGINE == "postgres"

_TEMPLATE = "foreman_template"


def transaction_class() -> type[Transaction]:
    """The class of transactions, whose methods run every statement of a handler."""
    if ON_POSTGRES:
        from foreman.db.postgres.session import Session

        return Session
    return TransactionOfSQLite


class Engine:
    """The databases of a test: on SQLite its files; on PostgreSQL one for each name of a file."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None
        self._created: set[str] = set()

    @contextmanager
    def started(self) -> Iterator[None]:
        """Start a cluster, if this is PostgreSQL."""
        if not ON_POSTGRES:
            yield
            return
        with cluster(within=memory.directory()) as self._cluster:
            url = self._cluster.create(_TEMPLATE)
            open_database(Settings(database=url)).close()
            yield

    @property
    def cluster(self) -> Cluster:
        """The cluster of this process."""
        assert self._cluster is not None
        return self._cluster

    def url(self, file: Path) -> str:
        """What the settings call the database of this name."""
        return self.cluster.url(self.name(file)) if ON_POSTGRES else str(file)

    def name(self, file: Path) -> str:
        """The name of the database on PostgreSQL; it is created if there is none yet."""
        name = f"test_{hashlib.sha256(bytes(file.absolute())).hexdigest()[:16]}"
        if name not in self._created:
            self.cluster.create(name, _TEMPLATE)
            self._created.add(name)
        return name

    def variables(self, directory: Path) -> dict[str, str]:
        """What the environment of a command must have, so that it uses the database foreman.db of its directory."""
        return {"FOREMAN_DATABASE": self.url(directory / "foreman.db")} if ON_POSTGRES else {}

    def deadlocks(self) -> int:
        """How often transactions have waited for each other in a circle, since the start: never on SQLite."""
        return (self.cluster.directory / "log").read_bytes().count(b"deadlock detected") if ON_POSTGRES else 0

    def open(self, file: Path, settings: Settings) -> Database:
        """Open the database of this name, as a server does."""
        return open_database(settings) if ON_POSTGRES else SQLite(file, settings.durability)

    @contextmanager
    def forgotten(self) -> Iterator[None]:
        """Drop what was created in the block, because each database takes several MB."""
        before = set(self._created)
        yield
        for name in self._created - before:
            self.cluster.drop(name)
        self._created = before


engine = Engine()
