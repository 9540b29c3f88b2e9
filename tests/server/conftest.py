"""What the tests of this room share."""

import pytest

from foreman.server import dispatcher
from tests.support.waiting import NEVER


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be done later, such as a commit, waits until there is no task."""
    monkeypatch.setattr(dispatcher, "POSTPONED", NEVER)
