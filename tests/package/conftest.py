"""What `make binary` and `make wheel` have built, called as somebody who has nothing else would."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from foreman import __version__
from tests.support.source import ROOT

DIST = ROOT / "dist"

# No program is there: not Python, not a shell.
NO_PATH = {"PATH": "/nonexistent"}


@dataclass
class Program:
    """The program as it is called, in a directory of its own."""

    command: list[str | Path]
    directory: Path
    environment: dict[str, str]

    def run(self, *arguments: str | Path) -> str:
        """What a command that succeeds prints."""
        done = subprocess.run(
            [*self.command, *arguments], cwd=self.directory, env=self.environment, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    @contextmanager
    def serve(self, *arguments: str | Path) -> Iterator["Serving"]:
        """A server on a free port, in a process group of its own."""
        output, log = self.directory / "output", self.directory / "log"
        with output.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(
                [*self.command, "serve", "--port", "0", "--log-format", "text", *arguments],
                cwd=self.directory, env=self.environment, stdout=stdout, stderr=stderr, start_new_session=True,
            )  # fmt: skip
        try:
            yield Serving(process, output, log)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            output.unlink()
            log.unlink()


@dataclass
class Serving:
    """A server that runs, and the files that it writes its output and its log to."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    def wait_for(self, pattern: str, *, running: bool = True) -> re.Match[str]:
        """Wait until the output or the log has this; a server that has to be running meanwhile must not end."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self.written(), re.MULTILINE)):
            assert time.monotonic() < deadline, self.written()
            assert not running or self.process.poll() is None, self.written()
            time.sleep(0.02)
        return found

    def written(self) -> str:
        """Output and log."""
        return self.output.read_text() + self.log.read_text()

    @property
    def url(self) -> str:
        """Where it listens; a throwaway server prints that alone."""
        return self.wait_for(r"^(?:.*listens on )?(http://localhost:\d+)(?:$|, )")[1]

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture(scope="session")
def binary() -> Path:
    return DIST / "foreman"


@pytest.fixture
def one_file(binary: Path, tmp_path: Path) -> Program:
    """The binary, where nothing is installed; it unpacks itself into `unpacked`."""
    for name in ("here", "unpacked"):
        (tmp_path / name).mkdir()
    return Program([binary], tmp_path / "here", {**NO_PATH, "TMPDIR": str(tmp_path / "unpacked")})


@pytest.fixture(scope="session")
def wheel() -> Path:
    return DIST / f"foreman_ledger-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="session")
def environment_with_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment into which pip has installed the wheel and what it requires."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", place], check=True, timeout=120)
    pip: list[str | Path] = [
        place / "bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        wheel,
    ]
    subprocess.run(pip, check=True, timeout=300)
    return place


@pytest.fixture
def installed(environment_with_wheel: Path, tmp_path: Path) -> Program:
    """The command that the wheel brings."""
    return Program([environment_with_wheel / "bin/foreman"], tmp_path, NO_PATH)
