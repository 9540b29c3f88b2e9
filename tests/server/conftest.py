"""What the tests of this room share."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foreman.server import dispatcher
from foreman.server.dispatcher import Dispatcher
from tests.server.jobs import Begin, Job, Stuck, nothing
from tests.support.waiting import NEVER, PATIENCE


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be done later, such as a commit, waits until there is no task."""
    monkeypatch.setattr(dispatcher, "POSTPONED", NEVER)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """`begin(threads, *tasks, later=...)`: a dispatcher whose threads find these tasks when they begin."""
    begun: list[Dispatcher] = []

    def begin_with(threads: int, *tasks: Job, later: Callable[[], None] = nothing, **options: Any) -> Dispatcher:
        made = Dispatcher(later, **options)
        begun.append(made)
        for task in tasks:
            made.add_task(task)
        made.set_thread_count(threads)
        return made

    yield begin_with
    while Stuck.all:
        Stuck.all.pop().free()
    for each in begun:
        each.shutdown(timeout=PATIENCE)
        assert not each.threads
