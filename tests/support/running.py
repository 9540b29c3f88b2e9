"""A server in a thread of this process, whose inside tests can look at and change."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from foreman.api.acts.steps import work_of
from foreman.auth import keys
from foreman.background.acts import acting
from foreman.background.metadata_paths import declared
from foreman.config import Settings
from foreman.db.engine import Database
from foreman.db.failures import EngineError, failure_of
from foreman.db.sqlite import Database as SQLite
from foreman.factory import Foreman, create_app
from foreman.server.connection import Connection
from foreman.server.server import Server
from tests.support.api import PLAIN
from tests.support.engines import ON_POSTGRES, engine


@dataclass
class Running:
    """A server under test, its database and clients for it."""

    url: str
    app: Foreman
    database: Database
    server: Server
    thread: threading.Thread

    @property
    def location(self) -> str:
        """What the settings call the database."""
        return self.app.settings.database

    @property
    def sqlite(self) -> SQLite:
        """The database, for tests that are about SQLite."""
        assert isinstance(self.database, SQLite)
        return self.database

    @property
    def file(self) -> Path:
        """The database's file, for tests that are about SQLite."""
        return self.sqlite.path

    def key(self, org_id: str = "acme", **options: Any) -> str:
        return keys.issue(self.database, org_id, "test", **options)

    def client(self, org_id: str = "acme", **options: Any) -> httpx.Client:
        """A client of an organisation, with a key of its own."""
        return self.client_with(self.key(org_id, **options))

    def client_with(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, **PLAIN)

    def anonymous(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", **PLAIN)

    def connections(self) -> list[Connection]:
        """Those that are open."""
        return self.server.connections()

    @contextmanager
    def refusing_commits(self, error: Exception) -> Iterator[None]:
        """Let commits fail in the block as the engine fails: what was to be committed is undone."""
        if ON_POSTGRES:
            with refusing_commits(error):
                yield
            return
        writer = self.sqlite.write()

        def refuse() -> Exception:
            writer._connection.execute("ROLLBACK")
            writer.observe(writer._shared.members, 0.0, error)
            return error

        with patch.object(writer, "_try_to_commit", refuse):
            yield

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def refusing_commits(error: Exception) -> Iterator[None]:
    """Let commits fail in the block as PostgreSQL fails."""
    from foreman.db.postgres.blocks import Block
    from foreman.db.postgres.database import Postgres
    from foreman.db.postgres.session import Session

    def refuse(session: Session) -> None:
        session.undo()
        raise EngineError(failure_of(error), str(error))

    def in_a_block(database: Postgres, *, single: bool = False) -> Block:  # noqa: ARG001
        return Block(database, b"")

    with patch.object(Session, "end", refuse), patch.object(Postgres, "write", in_a_block):
        yield


Start = Callable[..., Running]


@contextmanager
def running(file: Path, **settings: Any) -> Iterator[Running]:
    """A server over a database file until the end of the block: quiet and with no rate limit, unless set otherwise."""
    quiet = Settings(port=0, rate_limit=None, log_level="warning")
    chosen = replace(quiet, **{**settings, "database": engine.url(file)})
    with (
        closing(engine.open(file, chosen)) as database,
        database.served(),
        declared(database, chosen.metadata_paths),
    ):
        app = create_app(chosen, database)
        server = Server(app)
        thread = threading.Thread(target=server.run)
        thread.start()
        served = Running(f"http://127.0.0.1:{server.port}", app, database, server, thread)
        try:
            with acting(app, work_of):
                yield served
        finally:
            served.stop()
