"""Waiting for what must happen soon."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 60  # seconds until what does not happen fails its test
NEVER = 2 * PATIENCE  # seconds that no test waits

Found = TypeVar("Found")


def until(condition: Callable[[], Found | None]) -> Found:
    """Wait until a condition holds, and return what it has found."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return found
