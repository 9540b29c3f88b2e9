"""Sessions on PostgreSQL beside those of a server, and what the server's wait for."""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from tests.support.contents import looking
from tests.support.running import Running

Result = TypeVar("Result")


class Aside:
    """Waits as if no loop was shared, and counts how often, and what is done aside."""

    def __init__(self) -> None:
        self.waited = self.done = 0

    def wait_for(self, _socket: int) -> bool:
        self.waited += 1
        return False

    def aside(self, do: Callable[[], Result]) -> Result:
        self.done += 1
        return do()


def other(served: Running) -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection that has nothing to do with the server."""
    return psycopg.connect(served.location)


def waiting_for_a_lock(served: Running) -> int:
    """How many sessions of the server wait for a lock."""
    with looking(served.location) as select:
        return len(
            select(
                """
                SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'foreman' AND wait_event_type = 'Lock'
                """
            )
        )
