"""The packages that pyproject.toml names. Parsing it is not for serving: import this where it is needed."""

import tomllib

from foreman.resources import shipped


def requirements(extra: str | None = None) -> list[str]:
    """What pyproject.toml says the program needs, such as `flask==3.1.3`; with an extra, what only that needs."""
    project = tomllib.loads(shipped("pyproject.toml").read_text(encoding="utf-8"))["project"]
    named: list[str] = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return named
