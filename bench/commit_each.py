"""Foreman without group commit, to measure what that gains: `python -m bench.commit_each serve ...`.

Whoever ends a turn as the writer commits, even when others wait, and waits until it is done. Nothing that a user can
set does this.
"""

from collections import deque
from typing import Any

from foreman.cli.main import main
from foreman.db.transactions import Writer


class _Nobody(deque[None]):
    """A queue that always looks empty: who ends a turn sees nobody to leave the commit to."""

    def __bool__(self) -> bool:
        return False


def commit_each() -> None:
    """Make every writer of this process commit at the end of each turn."""
    begin = Writer.__init__

    def begin_with_nobody(self: Writer, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        if not isinstance(self._waiting, deque):
            raise TypeError("Writer has changed: bench/commit_each.py must follow")
        self._waiting = _Nobody()

    Writer.__init__ = begin_with_nobody  # type: ignore[method-assign]
    Writer.defer = lambda *_: None  # type: ignore[method-assign]


if __name__ == "__main__":
    commit_each()
    main()
