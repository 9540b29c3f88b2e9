"""Data files that the program reads, such as `schema.sql`."""

import tomllib
from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The path of a data file: inside the package in a wheel or the executable, else in the repository's top level."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name


def requirements(extra: str | None = None) -> list[str]:
    """What pyproject.toml says the program needs, such as `flask==3.1.3`; with an extra, what only that needs."""
    project = tomllib.loads(shipped("pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: list[str] = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return named
