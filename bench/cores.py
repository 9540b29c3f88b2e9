"""Which processor cores the server and the load generator run on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    of_server = min(every)
    # Two threads of one core would share its arithmetic.
    of_generator = min(every - _threads_of_core(of_server), default=max(every))
    server.pin({of_server})
    os.sched_setaffinity(0, {of_generator})
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)
        server.pin(every)


def _threads_of_core(thread: int) -> set[int]:
    """The threads of the processor core that a thread belongs to; just that one where the kernel does not say."""
    file = Path(f"/sys/devices/system/cpu/cpu{thread}/topology/thread_siblings_list")
    if not file.exists():
        return {thread}
    ranges = (part.split("-") for part in file.read_text(encoding="ascii").strip().split(","))
    return {each for first, *last in ranges for each in range(int(first), int((last or [first])[0]) + 1)}
