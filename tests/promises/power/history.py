"""What happened while a server was watched: operations on files and answers to clients, in one order."""

import threading
from dataclasses import dataclass
from typing import NamedTuple

# What a client has been told: objects of the API as answered, by kind and id.
State = dict[tuple[str, str], bytes]

# Contents of files by name: what a disk holds.
Image = dict[str, bytes]


class Created(NamedTuple):
    """A new file got this name. Files are numbered, because a name may stand for several one after another."""

    name: str
    file: int


class Deleted(NamedTuple):
    """The name is gone."""

    name: str


class Written(NamedTuple):
    """Bytes of a file were replaced or appended."""

    file: int
    offset: int
    content: bytes


class Truncated(NamedTuple):
    """A file was cut off, or extended with zeros."""

    file: int
    size: int


class Synced(NamedTuple):
    """A file was synced: what happened to it before the sync began (a position in the history) is on disk."""

    file: int
    begun: int


class DirectorySynced(NamedTuple):
    """The directory was synced: the names of files are on disk as they were when it began."""

    begun: int


class Asked(NamedTuple):
    """A client began its next step."""

    client: int
    step: int


class Answered(NamedTuple):
    """The server began to send the answer that ends a step."""

    client: int
    step: int


Event = Created | Deleted | Written | Truncated | Synced | DirectorySynced | Asked | Answered


class Recorder:
    """The events so far. Threads may append at the same time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._lock = threading.Lock()

    def append(self, event: Event) -> None:
        """Add what has just happened."""
        with self._lock:
            self.events.append(event)

    def position(self) -> int:
        """How many events there are: where the next one will be."""
        with self._lock:
            return len(self.events)


@dataclass(frozen=True)
class Client:
    """A client, alone in its organisation.

    :ivar states: what is true for it after 0, 1, 2... steps; the first step is that its key is issued
    """

    org_id: str
    key: str
    states: list[State]

    def changed(self, step: int) -> bool:
        """Whether the step changed anything; one that failed did not."""
        return self.states[step] != self.states[step + 1]


@dataclass(frozen=True)
class History:
    """A watched server from its start to its stop.

    :ivar database: the name of the database file
    :ivar served: how many events there were when the last client had ended
    :ivar files: the files at that moment, read from the disk itself
    """

    events: list[Event]
    clients: list[Client]
    database: str
    served: int
    files: Image

    @property
    def log(self) -> str:
        """The name of the write-ahead log."""
        return f"{self.database}-wal"

    def files_named(self, name: str) -> set[int]:
        """The numbers of the files that had this name."""
        return {event.file for event in self.events if isinstance(event, Created) and event.name == name}
