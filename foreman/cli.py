"""The command line: what each command is told, does and prints."""

import json
import logging
import os
import shlex
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from foreman import create_app, keys, logs
from foreman.backup import CopyFailed, summary, take, take_and_keep
from foreman.check import contents, snapshot, violations
from foreman.config import AGES, Settings, WrongSetting, age, load
from foreman.database_file import SCHEMA_VERSION, NotAForemanDatabase
from foreman.db import Database
from foreman.migrate import UpgradeFailed, lacking, open_upgraded, plan
from foreman.restore import restore as restore_file
from foreman.retention import Amount, count, daily, old
from foreman.retention import prune as prune_database
from foreman.schemas import ENDED
from foreman.server import Server
from foreman.stats import NoServer, of_database, of_server
from foreman.stats import lines as stats_lines
from foreman.stop_signals import interrupt, on_stop_signals
from foreman.version import VERSION

log = logging.getLogger(__name__)

FIRST_KEY = """\
Foreman {version} listens on {url}

This database has no API key yet, so here is the first one. It is shown only now:

    {key}

Try it:

    curl -X POST {url}/api/v1/runs -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'

Documentation of the API: {url}/docs
"""


class Failure(click.ClickException):
    """One line on stderr and exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"foreman: {self.format_message()}", err=True)


class WrongUsage(Failure):
    """One line on stderr and exit status 2."""

    exit_code = 2


def flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for settings; all that have a flag when none is named. Their texts go to `config.load` as they are."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(fields(Settings)):
            about = field.metadata
            if about["flag"] and (not names or field.name in names):
                help_text = f"{about['meaning'][0].upper()}{about['meaning'][1:]} [{about['variable']}]"
                command = click.option(about["flag"], field.name, metavar="VALUE", help=help_text)(command)
        return command

    return decorate


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="foreman")
def main() -> None:
    """Foreman: the small, trustworthy ledger of work.

    Settings come from flags, else from environment variables (in brackets), else from a .env file.
    """


@main.command()
@click.option("--ephemeral", is_flag=True, help="Throwaway database, `trust`, free port; prints the URL on stdout.")
@click.option("--first-key", is_flag=True, help="Print a first key with an example when the database has none.")
@flags()
def serve(ephemeral: bool, first_key: bool, **given: str | None) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    # Nobody may be reading its log: a line for each request would fill the pipe, and then nothing goes on.
    defaults = {"auth": "trust", "port": "0", "log_level": "warning"} if ephemeral else {}
    settings = _load({**given, **{name: given[name] or text for name, text in defaults.items()}})
    logs.set_up(settings)
    with tempfile.TemporaryDirectory(prefix="foreman-") if ephemeral else nullcontext() as directory:
        if directory is not None:
            settings = replace(settings, database=str(Path(directory) / "foreman.db"))
        on_stop_signals(interrupt)  # during an upgrade, clean up
        with _database(settings, open_upgraded) as database:
            try:
                server = Server(create_app(settings, database), database, settings)
            except WrongSetting as error:
                raise WrongUsage(str(error)) from None
            except OSError as error:
                raise Failure(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from None
            server.stop_on_signals()
            if settings.auth == "trust":
                log.warning("FOREMAN_AUTH is trust: any well-formed key is taken at its word")
            elif not keys.exist(database):
                if first_key:
                    key = keys.issue(database, "default", "dev", name="first")
                    body = json.dumps({"inputData": {"hello": "world"}})
                    click.echo(FIRST_KEY.format(version=VERSION, url=server.url, key=key, body=body))
                else:
                    log.warning("There is no API key yet; create one with: %s keys create --org NAME", _program())
            if ephemeral:
                click.echo(server.url)
            log.info("Foreman %s listens on %s, database %s", VERSION, server.url, settings.database)
            with daily(database, settings.retention):
                server.run()
            log.info("Stopped")


@main.group("keys")
def keys_group() -> None:
    """Issue, list and revoke API keys."""


@keys_group.command("create")
@click.option("--org", required=True, help="Organisation that the key speaks for: a-z, 0-9 and -.")
@click.option("--env", default="prod", show_default=True, help="Environment, a part of the key: a-z, 0-9 and -.")
@click.option("--read-only", is_flag=True, help="The key may read but not write.")
@click.option("--name", help="What the key is for, to be shown by `keys list`.")
@flags("database")
def create_key(org: str, env: str, read_only: bool, name: str | None, **given: str | None) -> None:
    """Issue a key and print it: it is shown only now."""
    with _database(_load(given)) as database:
        try:
            click.echo(keys.issue(database, org, env, read_only=read_only, name=name))
        except keys.MalformedKey as error:
            raise WrongUsage(str(error)) from None


@keys_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@flags("database")
def list_keys(as_json: bool, **given: str | None) -> None:
    """Show which keys there are, never the keys themselves."""
    with _database(_load(given)) as database:
        rows = keys.every(database)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    columns = ["id", "orgId", "environment", "access", "createdAt", "revokedAt", "name"]
    table = [columns, *([row[column] or "-" for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@keys_group.command("revoke")
@click.argument("key_id", metavar="ID")
@flags("database")
def revoke_key(key_id: str, **given: str | None) -> None:
    """Make the key with this id (see `keys list`) invalid from now on."""
    with _database(_load(given)) as database:
        if not keys.revoke(database, key_id.lower()):
            raise Failure(f"there is no valid key with the id {key_id}")
    click.echo(f"revoked {key_id.lower()}")


@main.command()
@flags("database")
def check(**given: str | None) -> None:
    """Verify the whole database, which is not changed: a line for each violation of an invariant."""
    settings = _load(given)
    found = 0
    with _failures(settings), snapshot(Path(settings.database)) as view:
        for line in violations(view):
            click.echo(line)
            found += 1
        if not found:
            click.echo("ok: {} runs, {} tasks, {} entries".format(*contents(view)))
    if found:
        raise Failure(f"{found} violation{'s' if found > 1 else ''}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines for people.")
@flags("database", "host", "port")
def stats(as_json: bool, **given: str | None) -> None:
    """Show what is in the database, and what its server has done since it started."""
    settings = _load(given)
    with _failures(settings):
        database = of_database(Path(settings.database))
    server: dict[str, Any] | str
    try:
        server = of_server(settings)
    except NoServer as error:
        server = str(error)
    if as_json:
        shown = {"database": database, "server": None if isinstance(server, str) else server}
        click.echo(json.dumps(shown, indent=2))
        return
    for line in stats_lines(database, server):
        click.echo(line)


@main.command()
@click.option("--older-than", required=True, metavar="AGE", help="Delete runs that ended longer ago: 30d, 12h or 90m.")
@click.option("--status", default=",".join(ENDED), show_default=True, help="Only those that ended with one of these.")
@click.option("--org", help="Only those of this organisation.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@flags("database")
def prune(older_than: str, status: str, org: str | None, dry_run: bool, **given: str | None) -> None:
    """Delete runs that ended long ago, with everything in them, a little at a time, also while the server runs."""
    settings = _load(given)
    which = old(_age(older_than), _ended(status), org)
    if not Path(settings.database).exists():
        raise Failure(f"{settings.database} does not exist")
    on_stop_signals(interrupt)
    # What is lost with the power is deleted again by the next prune; what the server writes is synced by the server.
    with _database(replace(settings, durability="normal")) as database:
        if dry_run:
            click.echo(f"would delete {count(database, which)}")
            return
        with _progress(count(database, which)) as progress:
            pruned = prune_database(database, which, threading.Event(), progress)
        click.echo(f"deleted {pruned}; gave back {pruned.bytes_given_back} bytes")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="FILE is a directory: write foreman-YYYYMMDDTHHMMSSZ.db there, delete all but so many of the newest.",
)
@flags("database")
def backup(file: Path, keep: int | None, **given: str | None) -> None:
    """Write a verified copy of the database to FILE, also while the server runs."""
    database = Path(_load(given).database)
    begun = time.monotonic()
    os.nice(19)  # verifying takes a processor for a while: a server comes first
    with _copying():
        if keep is None:
            take(database, file)
        else:
            file = take_and_keep(database, file, keep)
        click.echo(f"{file}: {summary(file)}, {time.monotonic() - begun:.1f} seconds")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@flags("database")
def restore(file: Path, **given: str | None) -> None:
    """Put a copy of the backup FILE in the place of the database, which is kept; the server must be stopped."""
    database = Path(_load(given).database)
    with _copying():
        kept = restore_file(file, database)
        click.echo(f"{database}: {summary(database)}; " + (f"replaced {kept}" if kept else "there was none before"))
        version, missing = lacking(database)
        if missing:
            click.echo(
                f"{database} has schema version {version}: `migrate`, or the next start of the server, upgrades it"
            )


@main.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@flags("database")
def migrate(dry_run: bool, **given: str | None) -> None:
    """Upgrade the database to the schema of this version, after a backup, as a start of the server does."""
    settings = _load(given)
    database = Path(settings.database)
    if not database.exists():
        raise Failure(f"{database} does not exist")
    on_stop_signals(interrupt)  # clean up
    with _failures(settings):
        if dry_run:
            for line in plan(database):
                click.echo(line)
            return
        open_upgraded(database, settings.durability, click.echo).close()
        click.echo(f"{database} has schema version {SCHEMA_VERSION}")


@main.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, not to stdout.")
def openapi(output: Path | None) -> None:
    """Write the OpenAPI document."""
    from foreman.openapi import document  # generating it needs a library that serving does not

    with tempfile.TemporaryDirectory(prefix="foreman-") as directory:
        settings = Settings(database=str(Path(directory) / "foreman.db"))
        with _database(settings) as database:
            text = json.dumps(document(create_app(settings, database)), indent=2) + "\n"
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


@main.command()
def licenses() -> None:
    """Name everything that is inside, with version and licence, and print the texts of the licences."""
    from foreman.licenses import parts  # reads files that nothing else needs

    everything = parts()
    for part in everything:
        click.echo(part.heading)
    for part in everything:
        click.echo("\n".join(["", "-" * 80, part.heading, part.home, *("\n" + text for text in part.texts)]))


def _program() -> str:
    """How this program was called, to be pasted before the name of a command."""
    called = sys.argv[:1]
    if called[0].endswith(".py"):
        called = [sys.orig_argv[0], *called]
    return shlex.join(called)


def _load(given: dict[str, str | None]) -> Settings:
    try:
        return load(given)
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None


def _age(text: str) -> int:
    try:
        return age(text)
    except ValueError:
        raise WrongUsage(f"--older-than is {text!r}; allowed: {AGES}") from None


def _ended(text: str) -> list[str]:
    statuses = [status for status in text.split(",") if status]
    if not statuses or not set(statuses) <= set(ENDED):
        raise WrongUsage(f"--status is {text!r}; allowed: {', '.join(ENDED)}, separated by commas")
    return statuses


@contextmanager
def _progress(expected: Amount) -> Iterator[Callable[[Amount], object]]:
    """A bar on stderr for people, nothing for scripts."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=expected.rows(), label="Deleting", file=sys.stderr) as bar:
        yield lambda pruned: bar.update(pruned.rows() - bar.pos)


@contextmanager
def _copying() -> Iterator[None]:
    on_stop_signals(interrupt)
    try:
        yield
    except CopyFailed as error:
        raise Failure(str(error)) from None


@contextmanager
def _database(settings: Settings, open_it: Callable[[Path, str], Database] = Database) -> Iterator[Database]:
    with _failures(settings), closing(open_it(Path(settings.database), settings.durability)) as database:
        yield database


@contextmanager
def _failures(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (NotAForemanDatabase, UpgradeFailed, OSError) as error:
        raise Failure(str(error)) from None
    except sqlite3.Error as error:
        raise Failure(f"{settings.database}: {error}") from None
