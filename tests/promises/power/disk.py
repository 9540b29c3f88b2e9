"""A disk under a history: what is certainly on it, and what else may be when the power goes.

A sync is the only promise. Of what a file was told after its last sync, any part may be there: writes may be missing,
torn at the borders of sectors, and have reached the disk in any order; names of files may be the old or the new ones.
The bytes around a write are safe, also those in the same sector: that is what SQLite counts on
(https://www.sqlite.org/psow.html).
"""

from collections import defaultdict
from collections.abc import Iterator
from random import Random

from tests.promises.power.history import (
    Created,
    Deleted,
    DirectorySynced,
    Event,
    Image,
    Synced,
    Truncated,
    Written,
)

SECTOR = 512

Change = Written | Truncated


class Disk:
    """The disk after the events that were played."""

    def __init__(self) -> None:
        self._position = 0
        self._names: dict[str, int] = {}
        self._unsynced_names: list[tuple[int, str, int | None]] = []  # position, name, file
        self._contents: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._unsynced: defaultdict[int, list[tuple[int, Change]]] = defaultdict(list)  # position, change
        self._latest: defaultdict[int, bytearray] = defaultdict(bytearray)

    def play(self, event: Event) -> None:
        """Let the next event of the history happen."""
        match event:
            case Created(name, file):
                self._unsynced_names.append((self._position, name, file))
            case Deleted(name):
                self._unsynced_names.append((self._position, name, None))
            case Written(file) | Truncated(file):
                self._unsynced[file].append((self._position, event))
                _change(self._latest[file], event)
            case Synced(file, begun):
                for position, change in self._unsynced[file]:
                    if position < begun:
                        _change(self._contents[file], change)
                self._unsynced[file] = [each for each in self._unsynced[file] if each[0] >= begun]
            case DirectorySynced(begun):
                for position, name, number in self._unsynced_names:
                    if position < begun:
                        _name(self._names, name, number)
                self._unsynced_names = [each for each in self._unsynced_names if each[0] >= begun]
        self._position += 1

    def certain(self) -> Image:
        """Nothing but what was synced."""
        return {name: bytes(self._contents[file]) for name, file in self._names.items()}

    def everything(self) -> Image:
        """All that was written, as after a crash of the process alone."""
        names = dict(self._names)
        for _, name, file in self._unsynced_names:
            _name(names, name, file)
        return {name: bytes(self._latest[file]) for name, file in names.items()}

    def any_of(self, random: Random) -> Image:
        """What was synced and a part of the rest; nothing may be among it, or all."""
        names = dict(self._names)
        last = {name: random.randint(0, len(self._unsynced_names)) for _, name, _ in self._unsynced_names}
        for number, (_, name, file) in enumerate(self._unsynced_names):
            if number < last[name]:
                _name(names, name, file)
        return {name: self._any_content(file, random) for name, file in names.items()}

    def _any_content(self, file: int, random: Random) -> bytes:
        content = bytearray(self._contents[file])
        changes = [change for _, change in self._unsynced[file]]
        if random.random() < 0.5:
            random.shuffle(changes)
        whole, torn = random.choice([(0.05, 0.05), (0.1, 0.8), (0.5, 0.0), (0.4, 0.3), (0.9, 0.1), (0.95, 0.0)])
        for change in changes:
            chance = random.random()
            if chance < whole:
                _change(content, change)
            elif chance < whole + torn:
                for piece in _sectors(change):
                    if random.random() < 0.5:
                        _change(content, piece)
        return bytes(content)


def _name(names: dict[str, int], name: str, file: int | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _change(content: bytearray, change: Change) -> None:
    size = change.size if isinstance(change, Truncated) else change.offset
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if isinstance(change, Truncated):
        del content[size:]
    else:
        content[size : size + len(change.content)] = change.content


def _sectors(change: Change) -> Iterator[Change]:
    """A write in pieces, each within one sector."""
    if isinstance(change, Truncated):
        yield change
        return
    begin, end = change.offset, change.offset + len(change.content)
    while begin < end:
        border = min(end, (begin // SECTOR + 1) * SECTOR)
        yield Written(change.file, begin, change.content[begin - change.offset : border - change.offset])
        begin = border
