"""What clients know to be stored, and the writes that change it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos import model
from tests.chaos.api import Object, raw, text, texts

Kind = Literal["run", "task", "entry", "tags"]


@dataclass
class Part:
    """What one client has in one run.

    :ivar client: its name
    :ivar run_id: empty until the run is created
    :ivar run: the run itself, where it is the client's own; for its counters see `run_now`
    :ivar tasks: by id, in the order of their creation
    :ivar entries: by id, in the order of their creation
    :ivar tags: the client's own on the entry that all clients tag, in the order in which they were added
    """

    client: str
    run_id: str = ""
    run: Object | None = None
    tasks: dict[str, Object] = field(default_factory=dict)
    entries: dict[str, Object] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)

    def run_now(self) -> Object:
        """The run with the counters that follow from the tasks of this part."""
        return {**(self.run or {}), **model.counters(self.tasks.values())}


@dataclass(frozen=True)
class SharedEntry:
    """An entry that all clients tag, each with tags that begin with its name."""

    run_id: str
    id: str

    @staticmethod
    def tags_of(client: str, entry: Object) -> list[str]:
        """The tags of one client on it, in their order."""
        return [tag for tag in texts(entry["tags"]) if tag.partition(".")[0] == client]


@dataclass(frozen=True)
class Write:
    """One write as it is sent, and what it must do.

    :ivar part: what it changes
    :ivar kind: of the things that it changes; `tags` are the client's own on the shared entry
    :ivar ids: of the things that it changes or deletes; empty when it creates one
    :ivar after: what `seen` gives after it, from the thing as the server then has it (see `model`); None: it deletes
    """

    part: Part
    kind: Kind
    method: str
    path: str
    body: bytes | None = None
    ids: tuple[str, ...] = ()
    after: Callable[[Object], Object] | None = None

    def __str__(self) -> str:
        return f"{self.part.client}: {self.method} {self.path}"

    @property
    def creates(self) -> bool:
        """Whether there is something new after it."""
        return not self.ids

    def before(self) -> Object:
        """What `seen` gives without it; for a change of one thing."""
        if self.kind == "run":
            return self.part.run_now()
        if self.kind == "tags":
            return {"tags": raw(self.part.tags)}
        return (self.part.tasks if self.kind == "task" else self.part.entries)[self.ids[0]]

    def seen(self, thing: Object) -> Object:
        """What this write answers for, of a thing as the server has it."""
        return {"tags": raw(SharedEntry.tags_of(self.part.client, thing))} if self.kind == "tags" else thing

    def keep(self, got: Object | None) -> None:
        """Record that it is stored; `got` is the thing as the server has it now, None when it is deleted."""
        if got is None:
            for each in self.ids:
                del self.part.entries[each]
        elif self.kind == "run":
            self.part.run_id, self.part.run = text(got["id"]), got
        elif self.kind == "tags":
            self.part.tags = SharedEntry.tags_of(self.part.client, got)
        else:
            things = self.part.tasks if self.kind == "task" else self.part.entries
            things[text(got["id"])] = got
