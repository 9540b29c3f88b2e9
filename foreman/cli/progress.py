"""The progress bar of long commands, and their message when they are interrupted."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from foreman.cli.options import Failure
from foreman.maintenance.progress import Progress
from foreman.stop_signals import interrupt, on_stop_signals

# Positions of the bar: enough to move visibly, few enough to draw cheaply.
_POSITIONS = 1000

# The position from which the remaining time is estimated. Before, it would be a wild guess.
_TELLING = 50


class Interrupted(Failure):
    """An interrupted command: one line on stderr and exit status 130, as in shells after Ctrl-C (128 + SIGINT)."""

    exit_code = 130


class Bar(Progress):
    """A progress bar with the remaining time, on stderr if that is a terminal. It appears with the first progress."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._hidden = not sys.stderr.isatty()

    def at(self, part: float) -> None:
        """Redraw the bar if its position has changed."""
        self._shown.hidden = self._hidden
        position = min(_POSITIONS, int(part * _POSITIONS))
        if position < _TELLING:
            self._shown.last_eta = time.time()  # so that click postpones its next estimate
        if position > self._shown.pos:
            self._shown.update(position - self._shown.pos)

    def doing(self, what: str) -> None:
        """Set the bar's label."""
        self._shown.label = f"{what:<9}"

    def beyond_return(self) -> None:
        """Ignore stop signals from now on."""
        on_stop_signals(lambda: None)

    def end(self) -> None:
        """Fill the bar, even if there was less work than expected. Draws nothing if there was no progress."""
        if self._shown.pos:
            self.at(1)

    def say(self, line: str) -> None:
        """Print a line on stdout, above the bar."""
        if not self._shown.hidden:
            click.echo("\r\x1b[K", nl=False, err=True)
        click.echo(line)

    @property
    def percent(self) -> int:
        """The progress in percent, rounded down."""
        return int(self._shown.pos * 100 / _POSITIONS)


@contextmanager
def progress(doing: str, left: Callable[[], str]) -> Iterator[Bar]:
    """A progress bar for work that stop signals interrupt.

    :param doing: the bar's label
    :param left: says, for the message of `Interrupted`, what was done and what was not
    :raises Interrupted: on a stop signal
    """
    with click.progressbar(length=_POSITIONS, file=sys.stderr, hidden=True) as shown:
        bar = Bar(shown)
        bar.doing(doing)
        on_stop_signals(interrupt)
        try:
            yield bar
            bar.end()
        except KeyboardInterrupt:
            raise Interrupted(f"stopped at {bar.percent} %: {left()}") from None
