"""What `/metrics` needs besides, and is installed only where somebody wants it."""

import shlex
import sys

from foreman.resources import shipped


def how_to_install(error: ModuleNotFoundError) -> str:
    """Which package is not there, and the command that installs it."""
    lines = shipped("requirements-metrics.in").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    command = shlex.join([sys.executable, "-m", "pip", "install", *wanted])
    return f"{error.name} is not installed; install it with: {command}"
