"""The commands that move house: `copy` and `import-original`."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields

import click

from foreman.cli.options import Failure, WrongUsage, flags, settings_of
from foreman.cli.progress import Bar, Interrupted, progress
from foreman.config import Settings, is_postgres
from foreman.db.failures import DatabaseError
from foreman.db.file import NotAForemanDatabase
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving.copy import copy as copy_database
from foreman.maintenance.moving.ends import MovingFailed, open_original, open_source, open_target, refuse_same
from foreman.maintenance.moving.import_original import import_original as import_into
from foreman.maintenance.moving.import_original import survey
from foreman.maintenance.moving.verify import Verified
from foreman.stop_signals import on_stop_signals

_CAST = next(field.metadata for field in fields(Settings) if field.name == "database")


def _database(_: click.Context, parameter: click.Parameter, value: str) -> str:
    """Option callback: a database as `FOREMAN_DATABASE` may name it."""
    try:
        cast: str = _CAST["cast"](value)
    except ValueError:
        shown = "(hidden)" if "@" in value else repr(value)
        raise WrongUsage(f"{parameter.opts[0]} is {shown}; allowed: {_CAST['allowed']}") from None
    return cast


@click.command()
@click.option("--from", "source", required=True, callback=_database, metavar="DATABASE", help="What is copied.")
@click.option(
    "--to", "target", required=True, callback=_database, metavar="DATABASE", help="An empty database, or a new file."
)
def copy(source: str, target: str) -> None:
    """Copy a database to another file or engine, with keys and ids, and verify the copy. Stop its servers before.

    Both are named as FOREMAN_DATABASE may be. If it is stopped or killed, the same command goes on from there.
    """
    begun = time.monotonic()
    with _moving():
        refuse_same(source, target)
        with (
            _stoppable("Copying", "the same command goes on from there") as (stopping, bar),
            open_source(source) as at_source,
            open_target(target) as at_target,
        ):
            tables = copy_database(at_source, at_target, stopping, bar)
            names = at_source.name, at_target.name
    _show(tables)
    click.echo(f"{names[0]} is copied to {names[1]}: {_rows(tables)} rows, {time.monotonic() - begun:.1f} seconds")


@click.command("import-original")
@click.argument("url", callback=_database)
@click.option("--dry-run", is_flag=True, help="Show what would be mended, and import nothing.")
@click.option("--strict", is_flag=True, help="Import nothing if any row breaks a rule.")
@flags("database")
def import_original(url: str, dry_run: bool, strict: bool, **given: str | None) -> None:
    """Import a PostgreSQL database of the TypeScript original into an empty database, or a new file.

    Rows that break a rule are listed, and mended or left out; see docs/moving.md. The original is only read.
    """
    if not is_postgres(url):
        raise WrongUsage(f"{url!r} is not the URL of a database on PostgreSQL")
    settings = settings_of(given)
    with (
        _moving(),
        _stoppable("Reading", "nothing was imported; the same command begins anew") as (stopping, bar),
        open_original(url) as source,
    ):
        if dry_run or strict:
            found = survey(source, bar.say, stopping, bar)
            if dry_run:
                click.echo(f"would import {found}")
                return
            if found.mended or found.left_out:
                raise MovingFailed(
                    f"nothing was imported: {found.mended} faults would be mended and {found.left_out} rows left out"
                )
        with open_target(settings.database) as target:
            imported = import_into(source, target, bar.say, stopping, bar)
            name = target.name
    click.echo(f"{source.name} is imported into {name}: {imported}")
    click.echo("It has no API keys: `keys create` makes new ones")


def _show(tables: list[Verified]) -> None:
    """A table of what was verified."""
    lines = [("table", "rows", "SHA-256"), *((each.table, f"{each.rows}", each.checksum) for each in tables)]
    widths = [max(len(line[column]) for line in lines) for column in range(2)]
    for name, rows, checksum in lines:
        click.echo(f"{name:<{widths[0]}}  {rows:>{widths[1]}}  {checksum}")


def _rows(tables: list[Verified]) -> int:
    return sum(each.rows for each in tables)


@contextmanager
def _stoppable(doing: str, left: str) -> Iterator[tuple[threading.Event, Bar]]:
    """A progress bar for work that the first stop signal ends at the next good moment, and a second one at once."""
    stopping = threading.Event()

    def stop() -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    with progress(doing, lambda: left) as bar:
        on_stop_signals(stop)
        try:
            yield stopping, bar
        except Stopped:
            raise Interrupted(f"stopped at {bar.percent} %: {left}") from None


@contextmanager
def _moving() -> Iterator[None]:
    """Turn errors into one line."""
    try:
        yield
    except (MovingFailed, NotAForemanDatabase, *DatabaseError) as error:
        raise Failure(str(error)) from None


COMMANDS = (copy, import_original)
