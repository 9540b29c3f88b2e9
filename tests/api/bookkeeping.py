"""What the contract says about statuses, times and retries, in plain Python."""

from dataclasses import dataclass

from tests.support.api import Json
from tests.support.clock import iso
from tests.support.statuses import ENDED


@dataclass
class Bookkeeping:
    """Of a run."""

    created: int
    status: str = "pending"
    updated: int | None = None
    started: int | None = None
    completed: int | None = None

    def change(self, status: str, now: int) -> None:
        """Give it a status, which it may have already."""
        if status == self.status:
            return
        self.status, self.updated = status, now
        if status == "running" and self.started is None:
            self.started = now
        self.completed = now if status in ENDED else None

    def expected(self) -> Json:
        """The fields of the answer that follow from it."""
        began = self.created if self.started is None else self.started
        return {
            "status": self.status,
            "createdAt": iso(self.created),
            "updatedAt": iso(self.created if self.updated is None else self.updated),
            "startedAt": iso(self.started),
            "completedAt": iso(self.completed),
            "durationMs": None if self.completed is None else self.completed - began,
        }


@dataclass
class TaskBookkeeping(Bookkeeping):
    """Of a task."""

    queued: int | None = None
    retries: int = 0

    def change(self, status: str, now: int) -> None:
        if status != self.status:
            if status == "queued" and self.queued is None:
                self.queued = now
            self.retries += status == "retrying"
        super().change(status, now)

    def expected(self) -> Json:
        return {**super().expected(), "queuedAt": iso(self.queued), "retryCount": self.retries}


def assert_follows(answer: Json, model: Bookkeeping) -> None:
    """The run or task is as it must be."""
    expected = model.expected()
    assert {field: answer[field] for field in expected} == expected
