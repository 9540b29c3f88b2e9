"""What all commands have in common: their flags, how they fail, and how they open a database."""

import errno
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from foreman.cli.doubts import doubts
from foreman.config import Settings, WrongSetting, of, variables
from foreman.db.failures import DatabaseError
from foreman.db.file import NotAForemanDatabase, refuse_missing
from foreman.db.sqlite import Database
from foreman.maintenance.upgrade import UpgradeFailed
from foreman.stop_signals import interrupt_at_ctrl_c

# What is said without the name of a file when what a command prints cannot be written.
_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


class Failure(click.ClickException):
    """One line on stderr and exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        line = re.sub(r"\s*\n\s*", " ", self.format_message())
        click.echo(f"foreman: {line}", err=True)


class WrongUsage(Failure):
    """One line on stderr and exit status 2."""

    exit_code = 2


class Commands(click.Group):
    """A group of commands that fail with one line whatever the system refuses, and whose overview is not cut off."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # a path need not be UTF-8
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        if sys.stderr is None:
            sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # for as long as the program runs
        interrupt_at_ctrl_c()
        status: Any = 1
        try:
            super().main(*args, **kwargs)
        except SystemExit as end:
            status = end.code
        except OSError as error:
            with suppress(OSError):
                Failure(_of_system(error)).show()
        sys.exit(_flushed(status))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first paragraph of what each is about."""
        rows = [(name, inspect.cleandoc(each.help or "").partition("\n\n")[0]) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(about.split())) for name, about in sorted(rows)])


def flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options for settings; all that have a flag when none is named. Their texts go to `config.load` as they are."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for field in reversed(fields(Settings)):
            about = field.metadata
            if about["flag"] and (not names or field.name in names):
                meaning = f"{about['meaning'][0].upper()}{about['meaning'][1:]}"
                help_text = f"{meaning}  [{about['variable']}; default: {about['default'] or 'none'}]"
                command = click.option(about["flag"], field.name, metavar="VALUE", help=help_text)(command)
        return command

    return decorate


def settings_of(given: dict[str, str | None], warn: Callable[[str], object] | None = None) -> Settings:
    """The settings, with the flags that a command was given.

    :param warn: is given a line for each setting that is probably a mistake; stderr when not given
    :raises WrongUsage: when a value is not allowed
    """
    try:
        environment = variables()
        settings = of(environment, given)
    except WrongSetting as error:
        raise WrongUsage(str(error)) from None
    for doubt in doubts(settings, environment):
        (warn or _warn)(doubt)
    return settings


def existing(settings: Settings) -> Path:
    """The path of the database, which is there: only `serve` and `restore` make one.

    :raises Failure: when it is not; the line says where was looked
    """
    path = Path(settings.database)
    with failures(settings):
        refuse_missing(path)
    return path


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The database, which is there, open; whatever goes wrong with it is a `Failure`."""
    with failures(settings), closing(Database(Path(settings.database), settings.durability, create=False)) as database:
        yield database


@contextmanager
def failures(settings: Settings) -> Iterator[None]:
    """Turn what can go wrong with a database into a `Failure`."""
    try:
        yield
    except (NotAForemanDatabase, UpgradeFailed) as error:
        raise Failure(str(error)) from None
    except DatabaseError as error:
        raise Failure(f"{settings.database}: {error}") from None


def text(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """The value of an option that has to be text: arguments of a command may be any bytes.

    :raises click.BadParameter: when it is not UTF-8
    """
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8", param=parameter) from None
    return value


def _warn(doubt: str) -> None:
    click.echo(f"foreman: warning: {doubt}", err=True)


def _of_system(error: OSError) -> str:
    """What the system has refused, in words."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    return f"the output cannot be written: {reason}" if error.errno in _OF_OUTPUT else reason


def _flushed(status: Any) -> Any:
    """Write what is still to be written, and let Python's own end find nothing to complain about.

    :return: the exit status
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError as error:
            if error.errno != errno.EPIPE and not status:
                with suppress(OSError):
                    Failure(_of_system(error)).show()
            status = status or 1
            with suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())  # https://docs.python.org/3/library/signal.html#note-on-sigpipe
                os.close(null)
    return status
