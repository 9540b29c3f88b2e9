"""Servers as users start them: processes of `app.py serve` on loopback, each over a database file of its own."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.load import HOST, TIMEOUT, Target
from bench.traffic import Request

ROOT = Path(__file__).parent.parent
APP = [str(ROOT / "app.py")]
COMMIT_EACH = ["-m", "bench.commit_each"]
ONE_AT_A_TIME = ["-m", "bench.one_at_a_time"]
FLOOR = ["-m", "bench.floor"]

# On, and never reached.
RATE_LIMIT = "1000000000/minute"

_POLL_SECONDS = 0.005


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: servers are stopped, and databases removed."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not interrupt that
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)


class ServerFailed(Exception):
    """A server did not start or answered wrongly."""


class Server:
    """A server process, from its start to the end of the `with` block.

    :param program: what Python runs
    :param arguments: the command line
    :param log: where its log goes
    :param keys: an API key for each organisation
    :param tree: whose code runs
    """

    def __init__(
        self,
        program: list[str],
        arguments: list[str],
        log: Path,
        keys: Mapping[str, str] | None = None,
        tree: Path = ROOT,
    ) -> None:
        port = _free_port()
        self._port, self.keys = port, keys or {}
        self._log = log
        begin = time.perf_counter()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *program, *arguments, "--port", str(port)],
                stdout=output, stderr=output, cwd=log.parent, env=environment(tree),
            )  # fmt: skip
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        self.seconds_to_first_answer = time.perf_counter() - begin

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def target(self, org_id: str = "") -> Target:
        """Where load for an organisation goes."""
        return Target(self._port, self.keys.get(org_id, "none"))

    def ask(self, request: Request, org_id: str = "") -> tuple[int, Any]:
        """Send one request; the answer's status and JSON."""
        connection = http.client.HTTPConnection(HOST, self._port, timeout=TIMEOUT)
        try:
            connection.request(request.method, request.path, request.body, request.headers(self.target(org_id).key))
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def answer(self, request: Request, org_id: str = "") -> Any:
        """Send one request; the JSON of its response.

        :raises ServerFailed: when its status is not 2xx
        """
        status, answer = self.ask(request, org_id)
        if status > 299:
            raise ServerFailed(f"{request.method} {request.path} is answered {status}: {str(answer)[:500]}")
        return answer

    def pin(self, cores: set[int]) -> None:
        """Let the process run on these cores only. Threads that it starts later inherit that from the one that does."""
        for thread in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(int(thread.name), cores)

    def resident(self) -> float:
        """The memory that it occupies, in MiB (VmRSS)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def stop(self) -> None:
        """Stop the process and wait for its end."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.ask(Request("GET", "/health"))
            except (OSError, http.client.HTTPException):
                time.sleep(_POLL_SECONDS)
            except ValueError:  # the floor answers, but has no /health: 404 in HTML
                return
            else:
                return
        raise ServerFailed(f"a server did not start: {self._log.read_text(encoding='utf-8')[-2000:]}")


def foreman(
    database: Path,
    keys: Mapping[str, str],
    *,
    url: str | None = None,
    program: list[str] | None = None,
    rate_limit: str = RATE_LIMIT,
    threads: int | None = None,
    log: Path | None = None,
    tree: Path = ROOT,
) -> Server:
    """A Foreman server with the default settings, but for a limit that is never reached.

    :param url: what the settings call the database, if not by its path
    :param program: what Python runs; the tree's `app.py` when not given
    :param threads: how many handle requests; as usual when not given
    :param log: where its log goes; beside the database when not given
    """
    arguments = ["serve", "--database", url or str(database), "--rate-limit", rate_limit]
    if threads is not None:
        arguments += ["--threads", str(threads)]
    return Server(program or [str(tree / "app.py")], arguments, log or database.with_suffix(".log"), keys, tree)


def create_key(database: Path, org_id: str, tree: Path = ROOT, url: str | None = None) -> str:
    """A new API key, by the command that users type."""
    command = [sys.executable, str(tree / "app.py"), "keys", "create", "--org", org_id]
    return subprocess.run(
        [*command, "--database", url or str(database)],
        check=True, capture_output=True, text=True, cwd=database.parent, env=environment(tree),
    ).stdout.strip()  # fmt: skip


def environment(tree: Path = ROOT) -> dict[str, str]:
    """This process's environment without settings of Foreman, but for the number of threads: it may be compared.

    :param tree: whose code a process imports
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FOREMAN_") or name == "FOREMAN_THREADS"
    }
    return {**kept, "PYTHONPATH": str(tree)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
