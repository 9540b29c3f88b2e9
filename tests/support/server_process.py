"""A server in a process of its own, whose limits can be changed and which can be killed."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.api import GUESS, PLAIN
from tests.support.engines import engine
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE, until

# Resident memory in MiB that no clients make the server exceed; docs/reliability.md states it.
MOST_MEMORY = 512


@dataclass
class ServerProcess:
    """`app.py serve` over a database file, and a client of acme."""

    process: "subprocess.Popen[str]"
    client: httpx.Client

    def limit(self, what: int, soft: int) -> None:
        """Change a limit of the running process (RLIMIT_...), as `prlimit` would."""
        _, hard = resource.prlimit(self.process.pid, what)
        resource.prlimit(self.process.pid, what, (soft, hard))

    def memory(self) -> float:
        """The most resident memory that the process has had, in MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("there is no such line")


@contextmanager
def server_process(file: Path, *options: str) -> Iterator[ServerProcess]:
    """Serve this database until the end of the block, with every key taken at its word; the log is beside the file.

    On PostgreSQL it is the database of this name. There is no rate limit: clients that write as fast as they can would
    reach it on a fast machine.
    """
    command = [sys.executable, "app.py", "serve", "--port", "0", "--auth", "trust", "--rate-limit", "off"]
    command += ["--database", engine.url(file), *options]
    log = file.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stderr=output, text=True)

    def listens() -> bool:
        assert process.poll() is None
        return "listens on " in log.read_text()

    try:
        until(listens)
        url = log.read_text().partition("listens on ")[2].split(",")[0]
        with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-Key": GUESS}, **PLAIN) as client:
            yield ServerProcess(process, client)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
