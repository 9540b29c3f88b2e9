"""What all commands have in common: their flags, how they fail, and how they open a database."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from foreman.config import Settings, WrongSetting, load
from foreman.database_file import NotAForemanDatabase
from foreman.db import Database
from foreman.migrate import UpgradeFailed


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


def settings_of(given: dict[str, str | None]) -> Settings:
    """The settings, with the flags that a command was given.

    :raises WrongUsage: when a value is not allowed
    """
    try:
        return load(given)
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None


@contextmanager
def opened(settings: Settings, open_it: Callable[[Path, str], Database] = Database) -> Iterator[Database]:
    """The database, open; whatever goes wrong with it is a `Failure`."""
    with failures(settings), closing(open_it(Path(settings.database), settings.durability)) as database:
        yield database


@contextmanager
def failures(settings: Settings) -> Iterator[None]:
    """Turn what can go wrong with a database into a `Failure`."""
    try:
        yield
    except (NotAForemanDatabase, UpgradeFailed, OSError) as error:
        raise Failure(str(error)) from None
    except sqlite3.Error as error:
        raise Failure(f"{settings.database}: {error}") from None
