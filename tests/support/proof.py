"""How much of a long proof is tried: all of it in `make proof`, a part in `make test`."""

import os

from hypothesis import HealthCheck, settings

FULL = os.environ.get("PROOF") == "full"

# What is made up at random is the same each time.
REPRODUCIBLE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def much(full: int, short: int) -> int:
    """So many of something in `make proof`, fewer in `make test`."""
    return full if FULL else short
