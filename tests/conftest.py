"""The real thing for each test: a server on loopback over a database file of its own."""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.routing import Rule

from foreman.db.sqlite import Database
from tests.support.cluster import version
from tests.support.engines import ON_POSTGRES, engine
from tests.support.running import Running, Start, running


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these to `make test-packages` and `make test-clients`, which get what they need: they run when named."""
    apart = [Path(__file__).parent / name for name in ("clients", "package")]
    named = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    unnamed = not any(each.is_relative_to(collection_path) for each in named)
    return True if collection_path in apart and unnamed else None


def pytest_report_header() -> str:
    return f"postgres: {version()}" if ON_POSTGRES else f"sqlite: {sqlite3.sqlite_version}"


@pytest.fixture(scope="session", autouse=True)
def engine_is_started() -> Iterator[None]:
    with engine.started():
        yield


@pytest.fixture(autouse=True)
def databases_are_dropped() -> Iterator[None]:
    with engine.forgotten():
        yield


@pytest.fixture(autouse=True)
def log_of_a_command_ends_with_it() -> Iterator[None]:
    """Forget the stream to which a command in this process has logged: it is closed."""
    level = logging.root.level
    yield
    for handler in logging.root.handlers[:]:
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            logging.root.removeHandler(handler)
    logging.root.setLevel(level)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are about the other engine."""
    other = "sqlite" if ON_POSTGRES else "postgres"
    left_out = [item for item in items if item.get_closest_marker(other)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker(other)]


@pytest.fixture(scope="session", autouse=True)
def routes_are_compiled_once() -> Iterator[None]:
    """Keep what werkzeug compiles of each route: doing that again for every server takes as long as a short test."""
    compile_builder, kept = Rule._compile_builder, {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        route = rule.rule, append_unknown
        if route not in kept:
            kept[route] = compile_builder(rule, append_unknown)
        return kept[route]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Rule, "_compile_builder", compile_once)
        yield


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, to be copied: making one takes as long as most tests, because it must be on disk."""
    path = tmp_path_factory.mktemp("new") / "foreman.db"
    Database(path).close()
    return path


@pytest.fixture
def start(tmp_path: Path, new_database: Path) -> Iterator[Start]:
    """`start(rate_limit=..., auth="trust")`: a server with these settings on the test's database file."""
    with ExitStack() as started:

        def start_server(**settings: Any) -> Running:
            file = Path(settings.get("database", tmp_path / "foreman.db"))
            if not ON_POSTGRES and not file.exists():
                shutil.copyfile(new_database, file)
            return started.enter_context(running(file, **settings))

        yield start_server


@pytest.fixture
def served(start: Start) -> Running:
    """A server with the usual settings, without a rate limit."""
    return start()


@pytest.fixture
def client(served: Running) -> Iterator[httpx.Client]:
    """The organisation acme."""
    with served.client("acme") as client:
        yield client


@pytest.fixture
def rival(served: Running) -> Iterator[httpx.Client]:
    """Another organisation."""
    with served.client("rival") as client:
        yield client
