"""What `/metrics` needs besides, and is installed only where somebody wants it."""

import shlex
import sys

from foreman.resources import requirements


def how_to_install(error: ModuleNotFoundError) -> str:
    """Which package is not there, and the command that installs it."""
    command = shlex.join([sys.executable, "-m", "pip", "install", *requirements(extra="metrics")])
    return f"{error.name} is not installed; install it with: {command}"
