"""A throwaway Redis on loopback: Debian's redis-server, which keeps everything in memory."""

import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.support.programs import need
from tests.support.waiting import PATIENCE, until


@dataclass
class RedisServer:
    """A Redis server, which forgets everything when it stops.

    :ivar password: what clients have to send; none if empty
    """

    directory: Path
    port: int
    password: str = ""
    _processes: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, at the same port each time."""
        command = [need("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--appendonly", "no", "--dir", str(self.directory), "--logfile", "log"]
        command += ["--requirepass", self.password] if self.password else []
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self._processes.append(process)

        def answers() -> bool:
            assert process.poll() is None, (self.directory / "log").read_text()
            try:
                return bool(self.client().ping())
            except redis.ConnectionError:
                return False

        until(answers)

    def stop(self) -> None:
        """Stop it, if it runs: who connects is refused at once."""
        while self._processes:
            process = self._processes.pop()
            process.kill()  # also one that hangs
            process.wait(PATIENCE)

    def hang(self) -> None:
        """Let it answer nobody: connections to it are made, and then wait."""
        self._processes[-1].send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._processes[-1].send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(port=self.port, password=self.password or None, socket_timeout=PATIENCE)


@contextmanager
def redis_server(password: str = "") -> Iterator[RedisServer]:
    """A new server until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="foreman-redis-") as name:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        server = RedisServer(Path(name), port, password)
        try:
            server.start()
            yield server
        finally:
            server.stop()
