"""Data files that the program reads, such as `schema.sql`."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The path of a data file: inside the package in a wheel or the executable, else in the repository's top level."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
