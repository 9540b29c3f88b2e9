"""Where the repository's files are, and the source of the package."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
APP = ROOT / "app.py"
PACKAGE = ROOT / "foreman"


def modules() -> list[Path]:
    """Every Python file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def name_of(file: str | Path) -> str:
    """What a Python file is called: `api/runs.py` in the package, and by its name alone elsewhere."""
    path = Path(file)
    return path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name


def tree_of(file: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(file.read_text(encoding="utf-8"))
