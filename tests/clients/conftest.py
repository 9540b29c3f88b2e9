"""Where `make test-clients` has installed generators and type checkers."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALLED = HERE.parent.parent / "build/clients"

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run(program, argument, ...)` in the test's directory: it must succeed."""

    def succeed(*command: str | Path) -> None:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    return succeed
