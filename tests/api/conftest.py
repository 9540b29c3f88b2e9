"""What the tests of this room share."""

import pytest

from tests.support.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the API, which stands still until it is moved."""
    clock = Clock()
    for resource in ("runs", "tasks", "run_data", "batch.batches", "acts.endpoints", "acts.steps"):
        monkeypatch.setattr(f"foreman.api.{resource}.now_ms", clock)
    return clock
