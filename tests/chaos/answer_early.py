"""A broken Foreman, to show that it is caught: it answers before it commits.

`python -m tests.chaos.answer_early serve ...` starts it. Nothing that a user can set does this.
"""

from collections.abc import Callable

from foreman.cli.main import main
from foreman.db.transactions import Commit


def answer_early() -> None:
    """Make this process answer writes at once, whether or not they are stored later."""

    def at_once(_commit: Commit, callback: Callable[[], object]) -> None:
        callback()

    Commit.then = at_once  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    answer_early()
    main()
