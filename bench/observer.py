"""What a server and its disk do meanwhile: looked at several times a second, from outside."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Look:
    """What can be seen at one moment.

    :ivar at: when, by the monotonic clock
    :ivar log_bytes: size of the write-ahead log's file, which keeps its size when the log begins anew, up to a limit
    :ivar restarts: how often a checkpoint has let the log begin anew
    :ivar written: when the database file was last written, which only a checkpoint does, in nanoseconds
    :ivar io_stall: microseconds in which some process waited for a disk (`/proc/pressure/io`); 0 where unknown
    """

    at: float
    log_bytes: int
    restarts: int
    written: int
    io_stall: int


class Observer:
    """Looks again and again, in a thread, while its `with` block runs."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._log = database.with_name(f"{database.name}-wal")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.looks: list[Look] = []

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def look(self) -> Look:
        """What can be seen now."""
        header = b""
        log_bytes = 0
        if self._log.exists():
            log_bytes = self._log.stat().st_size
            with self._log.open("rb") as file:
                header = file.read(16)
        now = self._database.stat()
        return Look(
            time.monotonic(),
            log_bytes,
            int.from_bytes(header[12:16]),
            now.st_mtime_ns,
            _io_stall(),
        )

    def _watch(self) -> None:
        while not self._done.wait(_EVERY_SECONDS):
            self.looks.append(self.look())


def around(looks: Sequence[Look], begin: float, end: float) -> tuple[Look, Look] | None:
    """The last look before a time and the first one after it; None without looks."""
    if not looks:
        return None
    before = [look for look in looks if look.at <= begin]
    after = [look for look in looks if look.at >= end]
    return (before[-1] if before else looks[0], after[0] if after else looks[-1])


def _io_stall() -> int:
    try:
        some = Path("/proc/pressure/io").read_text(encoding="ascii").splitlines()[0]
    except (OSError, IndexError):
        return 0
    return int(some.rpartition("total=")[2])
