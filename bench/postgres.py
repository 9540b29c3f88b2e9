"""A throwaway PostgreSQL that loses nothing either, for the time of a benchmark: its commits wait for the disk."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bench.engines import Load, Row
from foreman.db.postgres.database import Postgres
from foreman.db.postgres.leader import fold
from foreman.db.postgres.schema import prepare
from foreman.db.postgres.statements import for_driver
from tests.support.cluster import Cluster, cluster, version

# Nothing is lost, and caches are as large as on a server that has the machine for itself. All else is PostgreSQL's
# default, which is named where a cluster of the tests has another value.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "autovacuum_naptime": "1min",
}

# Rows that are loaded in a transaction. In a larger one, a row that each of them changes is found ever more slowly.
_TOGETHER = 500


class Server:
    """PostgreSQL: each database is one of a cluster."""

    name = "PostgreSQL"

    def __init__(self, of: Cluster) -> None:
        self._cluster = of
        self._created: set[str] = set()

    def url(self, path: Path) -> str:
        """The URL of the database; it is created if there is none yet."""
        name = path.stem
        if name not in self._created:
            self._created.add(name)
            prepare(self._cluster.create(name), lambda _: None)
        return self._cluster.url(name)

    @contextmanager
    def loading(self, path: Path) -> Iterator[Load]:
        """Load, fold the counts, vacuum and analyse."""
        with closing(Postgres(self.url(path), 1)) as database:

            def load(statement: str, rows: Sequence[Row]) -> None:
                for first in range(0, len(rows), _TOGETHER):
                    with database.write() as session, session.cursor() as cursor:
                        session.run("SET LOCAL synchronous_commit = off")
                        cursor.executemany(for_driver(statement), rows[first : first + _TOGETHER])

            yield load
        with self._cluster.connect(path.stem) as connection:
            fold(connection)
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def size(self, path: Path) -> int:
        """What the tables and indexes of a database take."""
        with self._cluster.connect(path.stem) as connection:
            (size,) = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
        assert isinstance(size, int)
        return size

    @property
    def pid(self) -> int:
        """The process that all others of the cluster descend from."""
        return int((self._cluster.directory / "postmaster.pid").read_text(encoding="utf-8").split()[0])

    def describe(self) -> tuple[str, str]:
        """Its version and settings, as (name, value)."""
        settings = ", ".join(f"{name} = {value}" for name, value in SETTINGS.items())
        return self.name, f"{version()}, {settings}"


@contextmanager
def running() -> Iterator[Server]:
    """A new cluster until the end of the block."""
    with cluster(**SETTINGS) as started:
        yield Server(started)
