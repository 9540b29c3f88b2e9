"""What commands that take long show on a terminal, and say when they are stopped."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from foreman.cli.options import Failure
from foreman.maintenance.progress import Progress
from foreman.stop_signals import interrupt, on_stop_signals

# Enough for a bar that moves, and not so many that drawing it takes time.
_POSITIONS = 1000

# Until then, the remaining time would be a wild guess.
_TELLING = 50


class Interrupted(Failure):
    """One line on stderr and exit status 130, as shells have it for Ctrl-C (128 and the number of the signal)."""

    exit_code = 130


class Bar(Progress):
    """A bar with the remaining time on stderr, on a terminal, from the first progress on; else nothing is shown."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._hidden = not sys.stderr.isatty()

    def at(self, part: float) -> None:
        """Draw it, when it looks different now."""
        self._shown.hidden = self._hidden
        position = min(_POSITIONS, int(part * _POSITIONS))
        if position < _TELLING:
            self._shown.last_eta = time.time()  # so click puts its next estimate off
        if position > self._shown.pos:
            self._shown.update(position - self._shown.pos)

    def doing(self, what: str) -> None:
        """Draw this before it from now on."""
        self._shown.label = f"{what:<9}"

    def beyond_return(self) -> None:
        """Heed no signal any more."""
        on_stop_signals(lambda: None)

    def end(self) -> None:
        """The work is done, also when less was to do than was thought. Nothing is drawn when there was no progress."""
        if self._shown.pos:
            self.at(1)

    def say(self, line: str) -> None:
        """Print a line on stdout, above the bar."""
        if not self._shown.hidden:
            click.echo("\r\x1b[K", nl=False, err=True)
        click.echo(line)

    @property
    def percent(self) -> int:
        """How far it is."""
        return int(self._shown.pos * 100 / _POSITIONS)


@contextmanager
def progress(doing: str, left: Callable[[], str]) -> Iterator[Bar]:
    """A bar for work that Ctrl-C and SIGTERM stop.

    :param left: what to say of it then: what was done and what was not
    :raises Interrupted: when it was stopped
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
