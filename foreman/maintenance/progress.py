"""Progress of long work, and the handling of signals while SQLite computes."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# SQLite virtual machine instructions between two calls of the progress handler: some 5 to 10 ms.
STEPS = 100_000


class Progress:
    """A receiver of progress. This one ignores it."""

    def at(self, part: float) -> None:
        """Note the part that is done, from 0 to 1. What this raises, such as a KeyboardInterrupt, ends the work."""

    def doing(self, what: str) -> None:
        """Note what is being done from now on, such as `Verifying`."""

    def beyond_return(self) -> None:
        """Note the point of no return: it is too late to stop, and the result is put in place in a moment."""

    def stretch(self, begin: float, end: float) -> "Progress":
        """The receiver for a part of the work, from `begin` to `end` of the whole."""
        return _Stretch(self, begin, end)


class _Stretch(Progress):
    def __init__(self, whole: Progress, begin: float, end: float) -> None:
        self._whole, self._begin, self._end = whole, begin, end

    def at(self, part: float) -> None:
        self._whole.at(self._begin + part * (self._end - self._begin))

    def doing(self, what: str) -> None:
        self._whole.doing(what)

    def beyond_return(self) -> None:
        self._whole.beyond_return()


class _Nobody(Progress):
    def stretch(self, begin: float, end: float) -> Progress:
        return self


NOBODY: Progress = _Nobody()


@contextmanager
def attentive(connection: sqlite3.Connection, look: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Call `look` every `STEPS` instructions while statements run, so that Python handles signals then.

    Otherwise signals wait for the end of the statement.

    :raises KeyboardInterrupt: when a signal's handler has raised it; likewise whatever `look` raises
    """
    raised: BaseException | None = None

    def on_steps() -> int:
        nonlocal raised
        try:
            look()
        except BaseException as error:
            raised = error
            return 1
        return 0

    connection.set_progress_handler(on_steps, STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        # A signal may also be handled before `on_steps` has begun: then sqlite3 ends the statement and forgets why.
        raise raised or KeyboardInterrupt from None
    finally:
        connection.set_progress_handler(None, 0)
