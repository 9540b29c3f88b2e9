"""The real server as a process that can be killed and looked at from outside, and the commands beside it."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from bench.servers import APP, ROOT, ServerFailed
from foreman.db.sqlite import Database
from tests.chaos.api import Api
from tests.support.commands import without_settings
from tests.support.waiting import PATIENCE

ORG = "chaos"

_LISTENS = re.compile(r"listens on http://localhost:(\d+)")
_POLL = 0.005


class Server:
    """`app.py serve` without a rate limit, from its start to the end of the `with` block.

    :param database: its file
    :param key: with which the server is asked whether it answers
    :param program: what Python runs in place of `app.py`
    :param options: further ones of `serve`
    :ivar port: where it listens on loopback
    :ivar seconds_to_first_answer: from the start of the process
    :raises ServerFailed: when it does not start
    """

    def __init__(self, database: Path, key: str, *, program: Sequence[str] = APP, options: Sequence[str] = ()) -> None:
        # Any free port: one that was free a moment ago may be somebody's by now.
        command = ["serve", "--database", str(database), "--port", "0", "--rate-limit", "off", *options]
        self._log = database.with_suffix(".log")
        begin = time.perf_counter()
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *program, *command],
                stdout=output, stderr=output, cwd=database.parent, env=_environment(),
            )  # fmt: skip
        self.pid = self._process.pid
        try:
            self.port = self._wait_for_port()
            with Api(self.port, key) as api:
                api.get("/runs?limit=1")
        except BaseException:
            self.kill()
            raise
        self.seconds_to_first_answer = time.perf_counter() - begin

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self.stop()

    def kill(self) -> None:
        """End the process at once (SIGKILL): it cannot do anything about it."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End the process in good order.

        :raises ServerFailed: when it does not end, or not well
        """
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed("the server did not stop") from None
        if status:
            raise ServerFailed(f"the server ended with status {status}: {self.log()}")

    def log(self) -> str:
        """The end of what it has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def _wait_for_port(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            listens = _LISTENS.search(self.log())
            if listens:
                return int(listens[1])
            time.sleep(_POLL)
        raise ServerFailed(f"the server did not start: {self.log()}")


def create_key(database: Path) -> str:
    """A new API key, by the command that users type; the database is made when it is not there."""
    Database(database).close()
    return issue_key(database, database.parent)


def issue_key(database: Path | str, directory: Path) -> str:
    """A new API key for a database that is there: a file, or the URL of one on PostgreSQL."""
    return _command("keys", "create", "--org", ORG, database=database, directory=directory, allowed=(0,)).strip()


def check(database: Path) -> list[str]:
    """What `app.py check --all` finds, a line for each violation."""
    output = _command("check", "--all", database=database, directory=database.parent, allowed=(0, 1))
    return [line for line in output.splitlines() if not line.startswith("ok: ")]


def _command(*arguments: str, database: Path | str, directory: Path, allowed: Sequence[int]) -> str:
    done = subprocess.run(
        [sys.executable, *APP, *arguments, "--database", str(database)],
        capture_output=True, text=True, cwd=directory, env=_environment(), timeout=PATIENCE,
    )  # fmt: skip
    if done.returncode not in allowed or (done.returncode and not done.stdout):
        raise ServerFailed(f"{arguments[0]} ended with status {done.returncode}: {done.stderr}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Without settings, and wherever it is started with this Foreman."""
    return {**without_settings(), "PYTHONPATH": str(ROOT)}
