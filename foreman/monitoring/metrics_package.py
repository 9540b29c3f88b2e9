"""The optional package that `/metrics` needs, and how to install it."""

import shlex
import sys


def how_to_install(error: ModuleNotFoundError) -> str:
    """One line that names the missing package and the command that installs it."""
    from foreman.requirements import requirements  # only a start that fails needs it

    command = shlex.join([sys.executable, "-m", "pip", "install", *requirements(extra="metrics")])
    return f"{error.name} is not installed; install it with: {command}"
