"""Optional packages, and how to install them."""

import shlex
import sys


def how_to_install(error: ModuleNotFoundError, extra: str = "metrics") -> str:
    """One line that names the missing package and the command that installs it. An executable has no such command.

    :param extra: the extra in pyproject.toml that it is part of
    """
    if hasattr(sys, "frozen"):
        return f"{error.name} is not part of this executable: see docs/install.md for other ways to install Foreman"
    from foreman.requirements import requirements  # only a start that fails needs it

    command = shlex.join([sys.executable, "-m", "pip", "install", *requirements(extra=extra)])
    return f"{error.name} is not installed; install it with: {command}"


def how_to_install_postgres(error: ImportError) -> str:
    """The same for what only PostgreSQL needs, where a package is missing, or a library that it needs."""
    if isinstance(error, ModuleNotFoundError):
        return how_to_install(error, "postgres")
    reason = str(error).partition("\n")[0]  # psycopg is there, but not the library of PostgreSQL that it uses
    return f"{how_to_install(ModuleNotFoundError(name='psycopg[binary]'), 'postgres')} ({reason})"
