"""The commands that maintain a database: `check`, `stats`, `prune`, `backup`, `restore`, `migrate`."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from foreman.cli.options import Failure, WrongUsage, failures, flags, opened, settings_of, text
from foreman.cli.progress import Interrupted, progress
from foreman.config import AGES, Settings, age, is_postgres, shown
from foreman.db.engine import Database
from foreman.db.file import SCHEMA_VERSION
from foreman.maintenance.backup import CopyFailed, summary, take, take_and_keep
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.opening import checking, open_database, plan, reading
from foreman.maintenance.prune import Amount, Old, count, old
from foreman.maintenance.prune import prune as prune_database
from foreman.maintenance.restore import restore as restore_file
from foreman.maintenance.upgrade import lacking
from foreman.maintenance.violations import Violation
from foreman.monitoring.stats import NoServer, lines, of_database, of_server
from foreman.stop_signals import on_stop_signals
from foreman.vocabulary import ENDED

# Violations that `check` shows of each invariant without `--all`.
_EXAMPLES = 5


@click.command()
@click.option("--all", "everything", is_flag=True, help="A line for each violation, for scripts, instead of examples.")
@flags("database")
def check(everything: bool, **given: str | None) -> None:
    """Verify every invariant of the database, without changing it. Show how often each is violated, with examples."""
    settings = settings_of(given)
    with failures(settings), checking(settings.database) as view:
        found = _Findings(everything)
        with progress("Checking", lambda: f"{found} so far, the rest was not checked") as bar:
            try:
                for violation in view.violations(bar):
                    found.add(violation, bar.say)
            finally:
                found.end_of_rule(bar.say)
        if not found.number:
            click.echo("ok: {} runs, {} tasks, {} entries".format(*view.contents()))
    if found.number:
        raise Failure(str(found))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@flags("database", "host", "port")
def stats(as_json: bool, **given: str | None) -> None:
    """Show what is in the database, and what its server has done since it started."""
    settings = settings_of(given)
    with failures(settings):
        database = of_database(settings.database)
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
@click.option(
    "--older-than", required=True, metavar="AGE", help="Minimum time since a run ended: 30d, 12h, 90m or 45s."
)
@click.option("--status", default=",".join(ENDED), show_default=True, help="Only runs with one of these statuses.")
@click.option("--org", callback=text, help="Only runs of this organisation.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@flags("database")
def prune(older_than: str, status: str, org: str | None, dry_run: bool, **given: str | None) -> None:
    """Delete runs that ended long ago, with everything in them, in small steps, even while the server runs."""
    settings = settings_of(given)
    age, statuses = _age(older_than), _ended(status)
    if dry_run:
        with failures(settings), reading(settings.database) as view:
            click.echo(f"would delete {count(view.tx, old(age, statuses, org))}")
        return
    # No sync at each commit: the next prune repeats what a power loss undoes, and a server syncs its own writes.
    with opened(replace(settings, durability="normal")) as database:
        pruned = _prune_with_a_bar(database, old(age, statuses, org))
    if is_postgres(settings.database):
        click.echo(f"deleted {pruned}; PostgreSQL keeps their space for new rows as soon as it has vacuumed")
    else:
        click.echo(f"deleted {pruned}; freed {pruned.bytes_given_back} bytes")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="FILE is a directory: write foreman-YYYYMMDDTHHMMSSZ.db there, and keep only the newest NUMBER of these.",
)
@flags("database")
def backup(file: Path, keep: int | None, **given: str | None) -> None:
    """Write a verified copy of the database to FILE, even while the server runs."""
    database = _file(settings_of(given), "`pg_dump` makes backups")
    begun = time.monotonic()
    os.nice(19)  # verifying keeps a core busy: a server comes first
    with _copying():
        with progress("Copying", lambda: f"no backup was written, and {file} is unchanged") as bar:
            if keep is None:
                take(database, file, bar)
            else:
                file = take_and_keep(database, file, keep, bar)
        click.echo(f"{file}: {summary(file)}, {time.monotonic() - begun:.1f} seconds")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@flags("database")
def restore(file: Path, **given: str | None) -> None:
    """Replace the database with a copy of the backup FILE, and keep the old one. The server must be stopped."""
    database = _file(settings_of(given), "`pg_restore` restores")
    with _copying():
        with progress("Copying", lambda: f"nothing was restored, and {database} is unchanged") as bar:
            kept = restore_file(file, database, bar)
        click.echo(f"{database}: {summary(database)}; " + (f"replaced {kept}" if kept else "there was none before"))
        version, missing = lacking(database)
        if missing:
            click.echo(
                f"{database} has schema version {version}: `migrate`, or the next start of the server, upgrades it"
            )


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
@flags("database")
def migrate(dry_run: bool, **given: str | None) -> None:
    """Back up the database and upgrade it to the schema of this version, as the server does when it starts."""
    settings = settings_of(given)
    name = shown(settings.database)
    with failures(settings):
        if dry_run:
            for line in plan(settings.database):
                click.echo(line)
            return
        with progress("Copying", lambda: f"nothing was upgraded, and {name} is unchanged") as bar:
            open_database(settings, bar.say, bar, create=False).close()
        click.echo(f"{name} has schema version {SCHEMA_VERSION}")


def _file(settings: Settings, instead: str) -> Path:
    """The database file.

    :param instead: what does on PostgreSQL what the command does here
    :raises Failure: if the database is on PostgreSQL
    """
    if is_postgres(settings.database):
        raise Failure(f"{shown(settings.database)} is on PostgreSQL, where {instead}: see docs/postgresql.md")
    return Path(settings.database)


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


def _counted(violations: int) -> str:
    return f"{violations} violation{'' if violations == 1 else 's'}"


class _Findings:
    """The report of `check`: a line for each violation, or for each violated rule its count and examples."""

    def __init__(self, everything: bool) -> None:
        self.number = 0
        self._everything = everything
        self._rule: tuple[str, str] | None = None
        self._of_rule = 0
        self._examples: list[str] = []

    def __str__(self) -> str:
        return _counted(self.number)

    def add(self, violation: Violation, say: Callable[[str], object]) -> None:
        """Add a violation. Those of one rule must come one after the other."""
        self.number += 1
        if self._everything:
            say(str(violation))
            return
        rule = violation.rule, violation.wrong
        if rule != self._rule:
            self.end_of_rule(say)
            self._rule = rule
        self._of_rule += 1
        if self._of_rule <= _EXAMPLES:
            self._examples.append(violation.row)

    def end_of_rule(self, say: Callable[[str], object]) -> None:
        """Print the count and examples of the current rule, if it has any."""
        if self._rule is not None:
            say(f"{': '.join(self._rule)}: {_counted(self._of_rule)}")
            for row in self._examples:
                say(f"    {row}")
            if self._of_rule > _EXAMPLES:
                say(f"    and {self._of_rule - _EXAMPLES} more: `check --all` shows them")
        self._rule, self._of_rule, self._examples = None, 0, []


def _prune_with_a_bar(database: Database, which: Old) -> Amount:
    """Prune with a progress bar. A stop signal ends it between two transactions."""
    stopping = threading.Event()
    on_stop_signals(stopping.set)
    with database.read() as tx:
        expected = count(tx, which)
    pruned = Amount()
    with progress("Deleting", lambda: "the next `prune` goes on from there") as bar:
        on_stop_signals(stopping.set)

        def told(so_far: Amount) -> None:
            nonlocal pruned
            pruned = so_far
            bar.at(so_far.rows() / max(1, expected.rows()))

        try:
            return prune_database(database, which, stopping, told)
        except Stopped:
            left = expected.without(pruned)
            what = f"{left} are" if left.rows() else "freeing disk space is"
            raise Interrupted(f"stopped: deleted {pruned}; {what} left for the next `prune`") from None


@contextmanager
def _copying() -> Iterator[None]:
    try:
        yield
    except CopyFailed as error:
        raise Failure(str(error)) from None


COMMANDS = (check, stats, prune, backup, restore, migrate)
