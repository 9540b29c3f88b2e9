"""What there is: keys, runs, tasks, entries and acts, and what becomes of them when they change."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from tests.api.run_data_model import Entry
from tests.promises.model.exchange import Answer, Refused, Request, opaque
from tests.support.api import Json
from tests.support.clock import iso
from tests.support.statuses import ENDED

MOST_TAGS = 100

PAYLOADS = ("inputData", "outputData", "errorData", "value")


@dataclass
class Key:
    """An API key.

    :ivar used: how many requests it has made
    """

    org_id: str
    read_only: bool = False
    revoked: bool = False
    used: int = 0


@dataclass(kw_only=True, eq=False)
class Thing:
    """A run or task. Times are milliseconds since 1970, opaque JSON is its text; `number` is the order of creation."""

    number: int
    org_id: str
    id: str
    input_data: str
    metadata: str | None
    external_id: str | None
    tags: list[str]
    created_at: int
    updated_at: int
    status: str = "pending"
    output_data: str | None = None
    error_data: str | None = None
    started_at: int | None = None
    completed_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in ENDED

    def become(self, status: str, now: int) -> None:
        """Change the status, and what follows from it."""
        if status != self.status:
            self.completed_at = now if status in ENDED else None
            if status == "running" and self.started_at is None:
                self.started_at = now
            self.status, self.updated_at = status, now

    def to_json(self) -> Json:
        """What runs and tasks have in common in answers."""
        begun = self.created_at if self.started_at is None else self.started_at
        labels = {"externalId": self.external_id, "tags": self.tags or None}
        return {
            "id": self.id,
            "orgId": self.org_id,
            "status": self.status,
            "inputData": opaque(self.input_data),
            "outputData": opaque(self.output_data),
            "errorData": opaque(self.error_data),
            "metadata": opaque(self.metadata),
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            "startedAt": iso(self.started_at),
            "completedAt": iso(self.completed_at),
            "durationMs": None if self.completed_at is None else max(0, self.completed_at - begun),
            **{name: label for name, label in labels.items() if label is not None},
        }

    def to_summary(self) -> Json:
        """The same with the sizes of the payloads in their place."""
        texts = {"inputData": self.input_data, "outputData": self.output_data, "errorData": self.error_data}
        return summary(self.to_json(), texts)


@dataclass(kw_only=True, eq=False)
class Run(Thing):
    """A run, with its tasks and its run data in the order of insertion."""

    strict: bool = False
    tasks: list["Task"] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def failed(self) -> list["Task"]:
        """Its failed tasks."""
        return [task for task in self.tasks if task.status == "failed"]

    def cancel(self, now: int) -> None:
        """Cancel it, and all its tasks, as far as they have not ended."""
        for thing in (self, *self.tasks):
            if not thing.is_over:
                thing.become("cancelled", now)

    def to_json(self) -> Json:
        """The run object, its counters counted."""
        return {
            **super().to_json(),
            "totalTasks": len(self.tasks),
            **{f"{status}Tasks": sum(task.status == status for task in self.tasks) for status in ENDED},
            **({"strict": True} if self.strict else {}),
        }


@dataclass(kw_only=True, eq=False)
class Task(Thing):
    """A task."""

    run: Run
    parent: "Task | None"
    type: str
    max_retries: int
    retry_count: int = 0
    queue_job_id: str | None = None
    queued_at: int | None = None

    def become(self, status: str, now: int) -> None:
        """Change the status, and what follows from it."""
        if status != self.status:
            if status == "queued" and self.queued_at is None:
                self.queued_at = now
            self.retry_count += status == "retrying"
        super().become(status, now)

    def retry(self, now: int) -> None:
        """Let it be pending once more."""
        self.become("pending", now)
        self.retry_count += 1

    def to_json(self) -> Json:
        """The task object."""
        return {
            **super().to_json(),
            "runId": self.run.id,
            "parentTaskId": None if self.parent is None else self.parent.id,
            "type": self.type,
            "retryCount": self.retry_count,
            "maxRetries": self.max_retries,
            "queuedAt": iso(self.queued_at),
            "queueJobId": self.queue_job_id,
        }


@dataclass(kw_only=True)
class Act:
    """An act over a filter.

    :ivar kind: such as `retry_tasks`
    :ivar given: the filter as it was sent
    :ivar wanted: the filter as it was read
    :ivar newest: the number of the newest run, or task, when it was asked for
    """

    org_id: str
    id: str
    kind: str
    given: dict[str, str]
    wanted: Json
    newest: int
    expected: int
    created_at: int
    updated_at: int
    changed: int = 0
    completed_at: int | None = None

    def to_json(self) -> Json:
        """The act object."""
        return {
            "id": self.id,
            "kind": self.kind,
            "filter": self.given,
            "expected": self.expected,
            "changed": self.changed,
            "status": "running" if self.completed_at is None else "completed",
            "createdAt": iso(self.created_at),
            "updatedAt": iso(self.updated_at),
            "completedAt": iso(self.completed_at),
        }


def summary(item: Json, texts: dict[str, str | None]) -> Json:
    """An item with the sizes of its payloads in their place.

    :param texts: the payloads
    """
    sizes = {f"{name}Bytes": None if text is None else len(text.encode()) for name, text in texts.items()}
    return {name: value for name, value in item.items() if name not in PAYLOADS} | sizes


class Kept(NamedTuple):
    """A request that was carried out under an `Idempotency-Key`, and what it was answered."""

    request: Request
    answer: Answer
    kept_at: int


Item = TypeVar("Item", Run, Task)


class Ledger:
    """All that there is.

    :ivar declared: the paths of metadata by which lists are filtered
    :ivar now: the time
    :ivar kept: by organisation, method, path and key
    :ivar cursors: which list each is of, and of which place in it
    """

    def __init__(self, declared: tuple[str, ...]) -> None:
        self.declared = declared
        self.now = 1_700_000_000_000
        self.runs: list[Run] = []
        self.tasks: list[Task] = []
        self.acts: list[Act] = []
        # Also those that are deleted by now:
        self.runs_made: list[Run] = []
        self.tasks_made: list[Task] = []
        self.entries_made: list[Entry] = []
        self.acts_made: list[Act] = []
        self.kept: dict[tuple[str, str, str, str], Kept] = {}
        self.cursors: dict[str, tuple[Any, Any]] = {}

    def runs_of(self, org_id: str) -> list[Run]:
        """An organisation's runs, oldest first."""
        return [run for run in self.runs if run.org_id == org_id]

    def tasks_of(self, org_id: str) -> list[Task]:
        """An organisation's tasks, oldest first."""
        return [task for task in self.tasks if task.org_id == org_id]

    def ids_of(self, org_id: str) -> set[str]:
        """All that an organisation has an id for, or ever had."""
        entries = (entry.answer for entry in self.entries_made)
        things: list[Thing | Act] = [*self.runs_made, *self.tasks_made, *self.acts_made]
        return {
            *(thing.id for thing in things if thing.org_id == org_id),
            *(entry["id"] for entry in entries if entry["orgId"] == org_id),
        }

    def run(self, org_id: str, run_id: str) -> Run:
        """The run with this id."""
        return with_id(self.runs_of(org_id), run_id, "Run")

    def task(self, org_id: str, task_id: str) -> Task:
        """The task with this id."""
        return with_id(self.tasks_of(org_id), task_id, "Task")

    def holder(self, org_id: str, kind: type[Thing], external_id: str | None) -> Thing | None:
        """The run or task that has an external id."""
        things = self.runs_of(org_id) if kind is Run else self.tasks_of(org_id)
        return next((each for each in things if external_id is not None and each.external_id == external_id), None)

    def add_run(self, run: Run) -> None:
        """A new run."""
        self.runs.append(run)
        self.runs_made.append(run)

    def add_task(self, task: Task) -> None:
        """A new task."""
        self.tasks.append(task)
        self.tasks_made.append(task)
        task.run.tasks.append(task)


def with_id(items: Iterable[Item], item_id: str, what: str) -> Item:
    """The item with an id; upper case is the same.

    :raises Refused: when there is none
    """
    for item in items:
        if item.id == item_id.lower():
            return item
    raise Refused.because(404, f"{what} not found")
