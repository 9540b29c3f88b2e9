"""The commands that look after a database: `check`, `stats`, `prune`, `backup`, `restore`, `migrate`."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from foreman.backup import CopyFailed, summary, take, take_and_keep
from foreman.check import contents, snapshot, violations
from foreman.cli_common import Failure, WrongUsage, existing, failures, flags, opened, settings_of, text
from foreman.config import AGES, age
from foreman.database_file import SCHEMA_VERSION
from foreman.migrate import lacking, open_upgraded, plan
from foreman.restore import restore as restore_file
from foreman.retention import Amount, count, old
from foreman.retention import prune as prune_database
from foreman.schemas import ENDED
from foreman.stats import NoServer, lines, of_database, of_server
from foreman.stop_signals import interrupt, on_stop_signals


@click.command()
@flags("database")
def check(**given: str | None) -> None:
    """Verify the whole database, which is not changed: a line for each violation of an invariant."""
    settings = settings_of(given)
    found = 0
    with failures(settings), snapshot(Path(settings.database)) as view:
        for line in violations(view):
            click.echo(line)
            found += 1
        if not found:
            click.echo("ok: {} runs, {} tasks, {} entries".format(*contents(view)))
    if found:
        raise Failure(f"{found} violation{'s' if found > 1 else ''}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines for people.")
@flags("database", "host", "port")
def stats(as_json: bool, **given: str | None) -> None:
    """Show what is in the database, and what its server has done since it started."""
    settings = settings_of(given)
    with failures(settings):
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
    for line in lines(database, server):
        click.echo(line)


@click.command()
@click.option("--older-than", required=True, metavar="AGE", help="Delete runs that ended longer ago: 30d, 12h or 90m.")
@click.option("--status", default=",".join(ENDED), show_default=True, help="Only those that ended with one of these.")
@click.option("--org", callback=text, help="Only those of this organisation.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@flags("database")
def prune(older_than: str, status: str, org: str | None, dry_run: bool, **given: str | None) -> None:
    """Delete runs that ended long ago, with everything in them, a little at a time, also while the server runs."""
    settings = settings_of(given)
    which = old(_age(older_than), _ended(status), org)
    existing(settings)
    on_stop_signals(interrupt)
    # What is lost with the power is deleted again by the next prune; what the server writes is synced by the server.
    with opened(replace(settings, durability="normal")) as database:
        if dry_run:
            click.echo(f"would delete {count(database, which)}")
            return
        with _progress(count(database, which)) as progress:
            pruned = prune_database(database, which, threading.Event(), progress)
        click.echo(f"deleted {pruned}; gave back {pruned.bytes_given_back} bytes")


@click.command()
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
    database = Path(settings_of(given).database)
    begun = time.monotonic()
    os.nice(19)  # verifying takes a processor for a while: a server comes first
    with _copying():
        if keep is None:
            take(database, file)
        else:
            file = take_and_keep(database, file, keep)
        click.echo(f"{file}: {summary(file)}, {time.monotonic() - begun:.1f} seconds")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@flags("database")
def restore(file: Path, **given: str | None) -> None:
    """Put a copy of the backup FILE in the place of the database, which is kept; the server must be stopped."""
    database = Path(settings_of(given).database)
    with _copying():
        kept = restore_file(file, database)
        click.echo(f"{database}: {summary(database)}; " + (f"replaced {kept}" if kept else "there was none before"))
        version, missing = lacking(database)
        if missing:
            click.echo(
                f"{database} has schema version {version}: `migrate`, or the next start of the server, upgrades it"
            )


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@flags("database")
def migrate(dry_run: bool, **given: str | None) -> None:
    """Upgrade the database to the schema of this version, after a backup, as a start of the server does."""
    settings = settings_of(given)
    database = existing(settings)
    on_stop_signals(interrupt)  # clean up
    with failures(settings):
        if dry_run:
            for line in plan(database):
                click.echo(line)
            return
        open_upgraded(database, settings.durability, click.echo, create=False).close()
        click.echo(f"{database} has schema version {SCHEMA_VERSION}")


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


COMMANDS = (check, stats, prune, backup, restore, migrate)
