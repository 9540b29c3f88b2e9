"""Where the files of the top level are that the program reads."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped(name: str) -> Path:
    """The path of such a file. A wheel, and the one-file program, carry it inside the package."""
    inside = _PACKAGE / name
    return inside if inside.exists() else _PACKAGE.parent / name
