"""What commands share: flags, failures, and opening a database."""

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
from foreman.db.engine import Database
from foreman.db.failures import DatabaseError
from foreman.db.file import NotAForemanDatabase, refuse_missing
from foreman.maintenance.opening import open_database
from foreman.maintenance.upgrade import UpgradeFailed
from foreman.stop_signals import interrupt_at_ctrl_c

# Errors that mean, when they name no file, that the output cannot be written.
_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


class Failure(click.ClickException):
    """A failed command: one line on stderr and exit status 1."""

    def show(self, file: Any = None) -> None:
        """Print the line."""
        line = re.sub(r"\s*\n\s*", " ", self.format_message())
        click.echo(f"foreman: {line}", err=True)


class WrongUsage(Failure):
    """Wrong usage: one line on stderr and exit status 2."""

    exit_code = 2


class Commands(click.Group):
    """A command group that reports an OSError in one line, and whose overview does not truncate help texts."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and exit."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # a path in the output need not be UTF-8
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
        """List the commands, each with the first paragraph of its help text."""
        rows = [(name, inspect.cleandoc(each.help or "").partition("\n\n")[0]) for name, each in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl([(name, " ".join(about.split())) for name, about in sorted(rows)])


def flags(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options of the named settings, or of all that have a flag. Their values stay text for `config.of`."""

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
    """The settings, from a command's flags, the environment and the `.env` file.

    :param warn: called with a line for each setting that is probably a mistake; prints to stderr if not given
    :raises WrongUsage: if a value is invalid
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
    """The path of the database, which must exist: only `serve` and `restore` create one.

    :raises Failure: if it does not exist; the message names the path
    """
    path = Path(settings.database)
    with failures(settings):
        refuse_missing(path)
    return path


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """Open the database, which must exist. Any error of the database becomes a `Failure`."""
    with failures(settings), closing(open_database(settings, create=False, upgrade=False)) as database:
        yield database


@contextmanager
def failures(settings: Settings) -> Iterator[None]:
    """Turn the errors of a database into a `Failure`."""
    try:
        yield
    except (NotAForemanDatabase, UpgradeFailed) as error:
        raise Failure(str(error)) from None
    except DatabaseError as error:
        raise Failure(f"{settings.database}: {error}") from None


def text(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Option callback that accepts only UTF-8: command-line arguments may be any bytes.

    :raises click.BadParameter: if the value is not UTF-8
    """
    try:
        (value or "").encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not UTF-8", param=parameter) from None
    return value


def _warn(doubt: str) -> None:
    click.echo(f"foreman: warning: {doubt}", err=True)


def _of_system(error: OSError) -> str:
    """One line about an error of the operating system."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    return f"the output cannot be written: {reason}" if error.errno in _OF_OUTPUT else reason


def _flushed(status: Any) -> Any:
    """Flush stdout and stderr, and make sure that the interpreter's own flush at exit cannot fail.

    :return: the exit status: the given one, or 1 if it was 0 and a flush failed
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
