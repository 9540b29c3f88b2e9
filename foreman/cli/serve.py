"""The command `serve`."""

import errno
import json
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import click

from foreman import __version__
from foreman.api.acts.steps import work_of
from foreman.auth import keys
from foreman.background import last_uses
from foreman.background.acts import acting
from foreman.background.idempotency import swept
from foreman.background.metadata_paths import declared
from foreman.background.retention import daily
from foreman.cli import processes
from foreman.cli.keys import shown_or_taken_back
from foreman.cli.options import Failure, WrongUsage, failures, flags, settings_of
from foreman.cli.parent import Parent
from foreman.cli.processes import Child, Supervisor
from foreman.config import Settings, WrongSetting, is_postgres, shown, to_be_filled_in
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError, failure_of
from foreman.db.failures import Failure as Failures
from foreman.db.file import refuse_foreign_file
from foreman.db.server_lock import AlreadyServed, ServerLock, only_server
from foreman.factory import Foreman, create_app
from foreman.maintenance.opening import doubts as doubts_about
from foreman.maintenance.opening import open_database
from foreman.monitoring import logs
from foreman.server.listener import Port, refuse_address
from foreman.server.server import Server, url_of
from foreman.stop_signals import interrupt, on_stop_signals

log = logging.getLogger(__name__)

# The defaults of a throwaway server; its flags override them. Nobody may be reading its log: with a line for each
# request the pipe would fill up, and the server would block.
EPHEMERAL = {
    "auth": "trust",
    "port": "0",
    "rate_limit": "off",
    "rate_limit_storage": "memory",
    "processes": "1",
    "log_level": "warning",
}

FIRST_KEY = """\
Foreman {version} listens on {url}

This database has no API key yet, so here is the first one. It is never shown again:

    {key}

Try it:

    curl -X POST {url}/api/v1/runs -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'

API documentation: {url}/docs
"""

AGAIN = """\
Foreman {version} listens on {url}

Another API key: {create}

API documentation: {url}/docs
"""


@click.command()
@click.option(
    "--ephemeral",
    is_flag=True,
    help="Throwaway database, `trust`, free port, no rate limit; prints the URL on stdout; stops with its parent.",
)
@click.option(
    "--with-parent/--without-parent",
    default=None,
    help="Stop when the process that started this one ends.  [default: only with --ephemeral]",
)
@click.option(
    "--first-key",
    is_flag=True,
    help="Print how to begin: if the database has no key yet, a first one with an example.",
)
@flags()
def serve(ephemeral: bool, with_parent: bool | None, first_key: bool, **given: str | None) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    if ephemeral and given["database"] is not None:
        raise WrongUsage("--ephemeral uses its own database, so it excludes --database")
    parent = Parent()
    is_orphan = None
    with tempfile.TemporaryDirectory(prefix="foreman-") if ephemeral else nullcontext() as directory:
        if directory is not None:
            given = {**given, **{name: given[name] or text for name, text in EPHEMERAL.items()}}
            given["database"] = str(Path(directory) / "foreman.db")
        doubts: list[str] = []
        settings = settings_of(given, doubts.append)
        processes.refuse(settings)
        logs.set_up(settings)
        for doubt in doubts:
            log.warning(doubt)
        on_stop_signals(interrupt)  # an interrupted upgrade cleans up
        if ephemeral if with_parent is None else with_parent:
            if parent.has_ended():
                raise Failure("the parent process has already ended; to serve anyway, use --without-parent")
            if settings.processes == 1:
                parent.stop_at_its_end()
            else:
                is_orphan = parent.has_ended
        child = None
        if settings.processes > 1:
            child, settings = _forked(settings, is_orphan)
        with _to_be_served(settings) as (stopping, database):
            app, server = _server(settings, database)

            def stop() -> None:
                stopping()
                server.stop()

            on_stop_signals(stop)
            if ephemeral:
                click.echo(server.url)
            if child is None or child.is_first:
                for doubt in doubts_about(settings.database):
                    log.warning(doubt)
                if settings.auth == "keys":
                    _say_how_to_begin(server.url, settings, database, first_key=first_key)
                elif not ephemeral:
                    log.warning("FOREMAN_AUTH is trust: any well-formed key is taken at its word")
            if child is None:
                log.info("Foreman %s listens on %s, database %s", __version__, server.url, database.name)
            else:
                child.serves()
            with (
                database.served(),
                daily(database, settings.retention),
                swept(database, settings.idempotency),
                declared(database, settings.metadata_paths),
                last_uses.written(database, app.last_uses),
                acting(app, work_of),
            ):
                server.run()
            if child is None:
                log.info("Stopped")


def _forked(settings: Settings, is_orphan: Callable[[], bool] | None) -> tuple[Child, Settings]:
    """Start the server processes. Returns only in these, with the port that they share."""
    with _listening(settings):
        port = Port(settings.host, settings.port)

    def announce() -> None:
        url, number = url_of(settings.host, port.number), settings.processes
        name = shown(settings.database)
        log.info("Foreman %s listens on %s, database %s, %d processes", __version__, url, name, number)

    child = Supervisor(settings.processes, port, announce, is_orphan).run()
    return child, replace(settings, port=port.number)


@contextmanager
def _to_be_served(settings: Settings) -> Iterator[tuple[Callable[[], object], Database]]:
    """Lock the database, upgrade and open it, and check that it can be written to.

    :return: what to call when the server is about to stop, and the database
    """
    if is_postgres(settings.database):  # any number of servers may use it
        with failures(settings):
            with _listening(settings):
                refuse_address(settings.host, settings.port, shared=settings.processes > 1)
            with closing(open_database(settings)) as shared:
                shared.prove_writable()
                yield lambda: None, shared
        return
    path = Path(settings.database)
    with failures(settings):
        refuse_foreign_file(path)
        if path.exists() and not os.access(path, os.W_OK):  # SQLite would read it, and leave a -wal file beside it
            raise Failure(f"{path.absolute()} cannot be written to: permission denied")
        with ExitStack() as stack:
            lock = stack.enter_context(_only_server(path))
            with _listening(settings):  # first, or a start that fails would leave an upgraded or empty database
                refuse_address(settings.host, settings.port)
            database: Database = stack.enter_context(closing(open_database(settings)))
            try:
                database.prove_writable()
            except DatabaseError as error:
                if failure_of(error) is not Failures.LOCKED:  # locked means writable, but not right now
                    raise Failure(f"{path.absolute()} cannot be written to: {error}") from None
            yield lock.stopping, database


@contextmanager
def _only_server(path: Path) -> Iterator[ServerLock]:
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(only_server(path))
        except AlreadyServed as error:
            raise Failure(str(error)) from None
        except OSError as error:
            raise Failure(f"{path.absolute()} cannot be written to: {error.filename}: {error.strerror}") from None
        yield lock


def _server(settings: Settings, database: Database) -> tuple[Foreman, Server]:
    try:
        with _listening(settings):
            app = create_app(settings, database)
            return app, Server(app)
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None


@contextmanager
def _listening(settings: Settings) -> Iterator[None]:
    """Make a failure to listen on the address in the settings one line."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a valid host name"
        raise Failure(f"cannot listen on {settings.host}:{settings.port}: {reason}{_way_out(error)}") from None


def _way_out(error: Exception) -> str:
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return "; choose another port with --port or FOREMAN_PORT (0 for any free one)"
        case errno.EACCES:
            return "; choose port 1024 or higher with --port"
        case _:
            return "; choose another address with --host"


def _say_how_to_begin(url: str, settings: Settings, database: Database, *, first_key: bool) -> None:
    create = _to_paste("keys", "create", "--org", "NAME", database=settings.database)
    if keys.exist(database):
        if first_key:
            click.echo(AGAIN.format(version=__version__, url=url, create=create))
    elif first_key:
        with shown_or_taken_back(database, keys.issue(database, "default", "dev", name="first")) as key:
            body = json.dumps({"inputData": {"hello": "world"}})
            click.echo(FIRST_KEY.format(version=__version__, url=url, key=key, body=body))
    else:
        log.warning("There is no API key yet; create one with: %s", create)


def _to_paste(*command: str, database: str) -> str:
    """A command of this program that works when pasted into a shell, at least in the same directory.

    A password of the database has to be filled in.
    """
    called = sys.argv[:1]
    if Path(called[0]).name == "__main__.py":
        called = [sys.orig_argv[0], "-m", "foreman"]
    elif called[0].endswith(".py"):
        called = [sys.orig_argv[0], *called]
    if database != Settings().database or os.environ.get("FOREMAN_DATABASE"):
        place = to_be_filled_in(database) if is_postgres(database) else str(Path(database).absolute())
        command = (*command, "--database", place)
    return shlex.join([*called, *command])
