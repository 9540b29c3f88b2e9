"""What the server takes besides time per request: its start, memory and disk."""

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.data import bytes_per_entry
from bench.results import Spread
from bench.servers import Server, foreman

PAYLOAD = 1000
IMPORTS = "import flask, marshmallow, flask_limiter"


@dataclass
class Footprint:
    """Seconds, MiB and bytes; None is what was not measured.

    :param bytes_per_entry: by the number of tags, for entries with a value of `PAYLOAD` bytes
    """

    start: float | None = None
    imports: float | None = None
    start_ratio: Spread | None = None
    idle: float | None = None
    used: dict[str, float] = field(default_factory=dict)
    bytes_per_entry: dict[int, float] = field(default_factory=dict)


def measure_start(footprint: Footprint, database: Path, keys: Mapping[str, str], times: int) -> None:
    """From the start of the process to its first answer, against importing the libraries that it needs."""
    starts, imports = [], []
    for _ in range(times):
        with foreman(database, keys) as server:
            starts.append(server.seconds_to_first_answer)
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True, cwd=database.parent)
        imports.append(time.perf_counter() - begin)
    footprint.start, footprint.imports = median(starts), median(imports)
    footprint.start_ratio = Spread.of(start / alone for start, alone in zip(starts, imports, strict=True))


def measure_disk(footprint: Footprint, directory: Path, entries: int) -> None:
    """Bytes on disk per entry."""
    for tags in (0, 3):
        footprint.bytes_per_entry[tags] = bytes_per_entry(directory / f"disk-{tags}.db", entries, PAYLOAD, tags)


def measure_memory(footprint: Footprint, servers: Mapping[str, Server]) -> None:
    """The memory of each server now."""
    footprint.used = {name: server.resident() for name, server in servers.items()}
