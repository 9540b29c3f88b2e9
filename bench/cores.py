"""Which processor cores the server and the load generator run on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from bench.servers import Server

PINNED, UNPINNED = "pinned", "unpinned"


def pinnings() -> list[str]:
    """What can be measured here: pinned takes a core for the server and another one for the load generator."""
    return [PINNED, UNPINNED] if len(os.sched_getaffinity(0)) > 1 else [UNPINNED]


@contextmanager
def cores(pinning: str, server: Server) -> Iterator[None]:
    """Pin the server, and this process with the generators that it starts, unless that is not wanted."""
    every = os.sched_getaffinity(0)
    if pinning == UNPINNED:
        yield
        return
    of_server, of_generator = sorted(every)[:2]
    server.pin({of_server})
    os.sched_setaffinity(0, {of_generator})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
        server.pin(every)
