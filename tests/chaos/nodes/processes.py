"""Processes of the site: each ends with this one, whatever happens."""

import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.servers import APP, ROOT, ServerFailed
from tests.chaos.api import HOST
from tests.support.commands import without_settings
from tests.support.waiting import PATIENCE

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Process:
    """A program that can be stopped, killed and started again.

    :param name: for its log
    :param command: what runs
    :param environment: variables besides those of this process that are not settings of Foreman
    """

    def __init__(self, name: str, command: Sequence[str], directory: Path, **environment: str) -> None:
        self.name = name
        self.environment = environment
        self.log = directory / f"{name}.log"
        self._command, self._directory = command, directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its number while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it. It may need a while until it answers."""
        libc = ctypes.CDLL(None)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self._directory,
                env={**without_settings(), "PYTHONPATH": str(ROOT), **self.environment},
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
            )  # fmt: skip

    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once: it cannot do anything about it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> float:
        """End it in good order.

        :return: seconds that it took
        :raises ServerFailed: when it does not end, or not well
        """
        assert self._process is not None
        begin = time.monotonic()
        self.send(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"{self.name} did not stop within {PATIENCE} seconds") from None
        if status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise ServerFailed(f"{self.name} ended with status {status}: {self.said()[-2000:]}")
        return time.monotonic() - begin

    def said(self) -> str:
        """What it has written."""
        return self.log.read_text(encoding="utf-8", errors="replace")


class Listening(Process):
    """A program that listens on a port of loopback."""

    port: int

    def wait_until_it_listens(self) -> None:
        """Wait until it accepts connections.

        :raises ServerFailed: when it does not
        """
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.is_running():
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            time.sleep(0.02)
        raise ServerFailed(f"{self.name} did not start: {self.said()[-2000:]}")


class Node(Listening):
    """A Foreman server.

    :param url: of its database
    :param settings: of Foreman, besides its address and database
    """

    def __init__(self, name: str, directory: Path, url: str, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        super().__init__(
            name, [sys.executable, *APP, "serve", "--port", str(self.port)], directory,
            FOREMAN_DATABASE=url, **settings,
        )  # fmt: skip

    def threads(self) -> int:
        """How many threads it has."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("Threads:")[2].split()[0])

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


class Redis(Listening):
    """A Redis server that keeps nothing on disk."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        super().__init__(
            "redis", ["redis-server", "--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"],
            directory,
        )  # fmt: skip


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
    return port
