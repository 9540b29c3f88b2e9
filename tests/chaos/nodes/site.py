"""The site: three nodes, HAProxy, PostgreSQL and Redis, all on loopback."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from bench.servers import ServerFailed
from tests.chaos.nodes.processes import Node, Redis
from tests.chaos.nodes.proxy import Proxy
from tests.chaos.server import issue_key
from tests.support.cluster import Cluster, cluster
from tests.support.waiting import until

NODES = 3
THREADS = 8  # of each node

_DATABASE = "foreman"
_MOST_CONNECTIONS = 60

# As a server should have it: what is answered is on disk.
SAFE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": str(_MOST_CONNECTIONS),
    "log_min_messages": "warning",
}

# The number of `foreman.db.postgres.leader`'s lock, as pg_locks shows it.
_LEADER = "locktype = 'advisory' AND classid = x'464d414e'::integer::oid AND objid = 2 AND granted"


class Site:
    """Everything that runs.

    Each node has a role of its own, which tells whose a session is, and all act as the one that owns the tables.

    :ivar key: of the organisation whose clients use it
    """

    def __init__(self, directory: Path, postgres: Cluster) -> None:
        self.directory, self.postgres = directory, postgres
        postgres.create(_DATABASE)
        self._admin("CREATE ROLE foreman")
        self._admin("CREATE ROLE hog LOGIN")
        self._admin("GRANT CREATE ON SCHEMA public TO foreman")
        for number in range(1, NODES + 1):
            self._admin(f"CREATE ROLE node{number} LOGIN IN ROLE foreman")
            self._admin(f"ALTER ROLE node{number} SET role TO foreman")
        self.redis = Redis(directory)
        self.settings = {
            "FOREMAN_RATE_LIMIT": "100000000/minute",
            "FOREMAN_RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{self.redis.port}/0",
            "FOREMAN_RATE_LIMIT_OUTAGE": "allow",
            "FOREMAN_THREADS": str(THREADS),
            "FOREMAN_LOG_FORMAT": "text",
            "FOREMAN_LOG_LEVEL": "warning",
        }
        self.nodes = [
            Node(name, directory, postgres.url(_DATABASE, name), self.settings)
            for name in (f"node{number}" for number in range(1, NODES + 1))
        ]
        self.key = ""
        self.proxy = Proxy(directory, self.nodes)

    def start(self) -> None:
        """Start everything, the nodes all at once on an empty database, and wait until it answers.

        :raises ServerFailed: when it does not
        """
        for each in (self.redis, *self.nodes, self.proxy):
            each.start()
        for listening in (self.redis, *self.nodes, self.proxy):
            listening.wait_until_it_listens()
        self.key = issue_key(self.postgres.url(_DATABASE, self.nodes[0].name), self.directory)
        until(lambda: self.leader() is not None)

    def end(self) -> None:
        """End everything but PostgreSQL at once."""
        for each in (self.proxy, *self.nodes, self.redis):
            each.kill()

    def connect(self, role: str = "postgres", **options: Any) -> "psycopg.Connection[tuple[Any, ...]]":
        """A connection to the database that commits each statement."""
        return psycopg.connect(
            self.postgres.url(_DATABASE, role), autocommit=True, connect_timeout=3, application_name="chaos", **options
        )

    def leader(self) -> Node | None:
        """The node that leads; None if there is none at the moment, or PostgreSQL does not say."""
        try:
            with self.connect() as connection:
                row = connection.execute(
                    f"SELECT usename FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {_LEADER}"
                ).fetchone()
        except psycopg.Error:
            return None
        return next((node for node in self.nodes if row and node.name == row[0]), None)

    def restart(self, node: Node, *, told: bool) -> None:
        """Stop a node in good order and start it again.

        :param told: whether the proxy is told before
        :raises ServerFailed: when it does not stop, or does not start
        """
        if told:
            self.proxy.use(node, use=False)
            time.sleep(1)
        node.stop()
        node.start()
        node.wait_until_it_listens()
        if told:
            self.proxy.use(node, use=True)
        time.sleep(1)  # until the proxy knows

    def stop_postgres(self, mode: str) -> None:
        """Stop PostgreSQL: `immediate` as after a crash."""
        self.postgres.stop(mode)

    def start_postgres(self) -> None:
        """Start PostgreSQL again, and wait until it takes connections."""
        self.postgres.start(**SAFE)

    def set(self, name: str, value: str) -> None:
        """Change a setting of all nodes, which are restarted for it one after the other."""
        for node in self.nodes:
            if node.environment[name] != value:
                node.environment[name] = value
                self.restart(node, told=True)

    def sessions(self) -> dict[tuple[str, str], int]:
        """How many sessions each node has in each state."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT usename, state, count(*) FROM pg_stat_activity WHERE usename LIKE 'node%' GROUP BY 1, 2"
            ).fetchall()
        return {(name, state): number for name, state, number in rows}

    def deadlocks(self) -> int:
        """All that PostgreSQL has ever found. Its statistics forget them at a crash, its log does not."""
        log = (self.postgres.directory / "log").read_text(encoding="utf-8", errors="replace")
        with self.connect() as connection:
            (counted,) = connection.execute("SELECT sum(deadlocks)::integer FROM pg_stat_database").fetchone() or (0,)
        return max(int(counted), log.count("deadlock detected"))

    def refuse_idle_redis(self) -> None:
        """Check that the nodes count in Redis.

        :raises ServerFailed: when they do not
        """
        import redis

        with redis.Redis(port=self.redis.port) as client:
            if not client.dbsize():
                raise ServerFailed("the nodes count nothing in Redis")

    def _admin(self, statement: LiteralString) -> None:
        with self.postgres.connect(_DATABASE) as connection:
            connection.execute(statement)


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    """A running site until the end of the block."""
    with ExitStack() as stack:
        built = Site(directory, stack.enter_context(cluster(**SAFE)))
        stack.callback(built.end)
        built.start()
        yield built
