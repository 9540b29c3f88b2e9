"""The faults. Each is a function that begins one, holds it and ends it."""

import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from random import Random

import psycopg

from tests.chaos.nodes.clients import Load
from tests.chaos.nodes.front import CLOSED
from tests.chaos.nodes.site import Site

# Answers that a fault of PostgreSQL, or of a node, may give.
_OF_PROXY = ("502 of the proxy", "503 of the proxy", CLOSED)
_UNAVAILABLE = ("503 of a node", "503 of a node, perhaps stored", *_OF_PROXY)

# Seconds within which another node must lead after the one that did has died.
_LEADS_AGAIN = 10.0


@dataclass
class Stage:
    """Where a fault happens.

    :ivar notes: what it has measured besides, as words for the table
    :ivar violations: what it has seen that may not be, as lines
    """

    site: Site
    load: Load
    dice: Random
    long: bool
    notes: list[str]
    violations: list[str]

    def hold(self, seconds: float, long: float) -> None:
        """Let the fault last: so long, or longer in the long form."""
        time.sleep(long if self.long else seconds)


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    :ivar may: the kinds of failures that clients may see while it lasts
    :ivar only_long: whether it is left out of the short form
    """

    name: str
    do: Callable[[Stage], None]
    may: tuple[str, ...] = _UNAVAILABLE
    only_long: bool = False


def _nothing(stage: Stage) -> None:
    stage.hold(1, 10)


def _node_killed(stage: Stage) -> None:
    node = stage.dice.choice(stage.site.nodes)
    node.kill()
    stage.hold(2, 5)
    node.start()


def _leader_killed(stage: Stage) -> None:
    leader = stage.site.leader()
    if leader is None:
        stage.violations.append("no node leads")
        return
    leader.kill()
    begin = time.monotonic()
    while (now := stage.site.leader()) in (None, leader) and time.monotonic() < begin + 3 * _LEADS_AGAIN:
        time.sleep(0.05)
    took = time.monotonic() - begin
    stage.notes.append(f"another leads after {took:.1f} s")
    if now is None or took > _LEADS_AGAIN:
        stage.violations.append(f"{took:.1f} s after the leader's end {now.name if now else 'no node'} leads")
    leader.start()


def _rolling(stage: Stage) -> None:
    for node in stage.site.nodes:
        stage.site.restart(node, told=True)


def _stopped_untold(stage: Stage) -> None:
    for node in stage.site.nodes:
        stage.site.restart(node, told=False)


def _postgres_restarted(stage: Stage) -> None:
    stage.site.stop_postgres("fast")
    stage.site.start_postgres()


def _postgres_crashed(stage: Stage) -> None:
    stage.site.stop_postgres("immediate")
    stage.site.start_postgres()


def _postgres_down(stage: Stage) -> None:
    stage.site.stop_postgres("fast")
    stage.hold(6, 20)
    stage.site.start_postgres()


def _backends_killed(stage: Stage) -> None:
    with stage.site.connect() as connection:
        end = time.monotonic() + (30 if stage.long else 5)
        killed = 0
        while time.monotonic() < end:
            killed += connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'node%'"
            ).rowcount
            time.sleep(0.1)
    stage.notes.append(f"{killed} killed")


def _connections_exhausted(stage: Stage) -> None:
    with ExitStack() as stack, stage.site.connect() as admin:
        end = time.monotonic() + (20 if stage.long else 5)
        taken = 0
        while time.monotonic() < end:
            with suppress(psycopg.OperationalError):  # there is none left
                while True:
                    stack.enter_context(closing(stage.site.connect("hog")))
                    taken += 1
            # What the nodes still have, they lose, and whoever is faster gets it.
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'node%'")
    stage.notes.append(f"{taken} connections taken")


def _snapshot_left_open(stage: Stage) -> None:
    with stage.site.connect() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM run")
        stage.hold(5, 180)


def _locks_left_open(stage: Stage) -> None:
    hot = [next(reversed(stage.load.shared))]
    with stage.site.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT pg_current_xact_id(), id FROM run WHERE id = ANY(%s) FOR UPDATE", (hot,))
        stage.hold(5, 180)


def _redis_stopped(stage: Stage) -> None:
    stage.site.refuse_idle_redis()
    stage.site.redis.kill()
    stage.hold(3, 20)
    stage.site.redis.start()


def _redis_hangs(stage: Stage) -> None:
    stage.site.redis.send(signal.SIGSTOP)
    try:
        stage.hold(3, 20)
    finally:
        stage.site.redis.send(signal.SIGCONT)


# Until the setting is changed, nodes allow what they cannot count.
FAULTS = (
    Fault("none, for comparison", _nothing, ()),
    Fault("a node killed, and started again", _node_killed, _OF_PROXY),
    Fault("the leading node killed", _leader_killed, _OF_PROXY),
    Fault("nodes restarted in turn, the proxy told before", _rolling, ()),
    # A request may be on its way to a connection that the node closes because it is idle.
    Fault("nodes restarted in turn, by SIGTERM alone", _stopped_untold, (CLOSED, "502 of the proxy")),
    Fault("PostgreSQL restarted", _postgres_restarted),
    Fault("PostgreSQL crashed and started", _postgres_crashed),
    Fault("PostgreSQL down for a while", _postgres_down),
    Fault("sessions killed every 100 ms", _backends_killed),
    Fault("all connections taken by others", _connections_exhausted),
    Fault("a snapshot left open", _snapshot_left_open, ()),
    Fault("a row that four clients need left locked", _locks_left_open, ("503 of a node",)),
    Fault("Redis stopped (allow)", _redis_stopped, ()),
    Fault("Redis hangs (allow)", _redis_hangs, ()),
)

# With FOREMAN_RATE_LIMIT_OUTAGE=refuse.
REFUSING = (
    Fault("Redis stopped (refuse)", _redis_stopped, ("503 of a node",)),
    Fault("Redis hangs (refuse)", _redis_hangs, ("503 of a node",), only_long=True),
)
