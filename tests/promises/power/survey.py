"""The proof over a history: the power goes at its moments, and Foreman starts again over what the disk held."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from foreman.api import run_data, run_data_query, runs, tasks
from foreman.auth import keys
from foreman.db.sqlite import Database
from foreman.maintenance.check import check
from tests.promises.power.disk import Disk
from tests.promises.power.history import (
    Answered,
    Asked,
    Client,
    Created,
    DirectorySynced,
    Event,
    History,
    Image,
    State,
    Synced,
    Written,
)

_WAL_HEADER, _FRAME_HEADER = 32, 24  # bytes (https://www.sqlite.org/fileformat2.html#walformat)

_ROWS: dict[str, tuple[str, Callable[[Iterable[Any]], dict[str, Any]]]] = {
    "run": (
        f"SELECT {runs.COLUMNS} FROM run {runs.JOIN_TASKS} WHERE run.org_id = :org_id",
        runs.to_json,
    ),
    "task": (f"SELECT {tasks.COLUMNS} FROM task WHERE task.org_id = :org_id", tasks.to_json),
    "entry": (f"SELECT {run_data_query.COLUMNS} FROM run_data WHERE run_data.org_id = :org_id", run_data.to_json),
}


@dataclass
class Found:
    """What Foreman finds after the power has come back.

    :ivar states: of each client
    :ivar faults: why the database is not sound; empty when it is
    """

    states: list[State] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Restart:
    """Starts over images of the disk, once over each.

    :param directory: where the images are laid out; it is emptied
    :ivar found: what there was, by a digest of the image
    """

    def __init__(self, directory: Path, history: History) -> None:
        self.found: dict[bytes, Found] = {}
        self._directory = directory
        self._clients = history.clients
        self._database = directory / history.database

    def over(self, image: Image) -> Found:
        """What Foreman finds when it is started over these files."""
        digest = hashlib.blake2b()
        for name, content in sorted(image.items()):
            digest.update(f"{name} {len(content)} ".encode() + content)
        key = digest.digest()
        if key not in self.found:
            self.found[key] = self._start(image)
        return self.found[key]

    def _start(self, image: Image) -> Found:
        for file in self._directory.iterdir():
            file.unlink()
        for name, content in image.items():
            (self._directory / name).write_bytes(content)
        try:
            with closing(Database(self._database)) as database:
                return Found([_state(database, client) for client in self._clients], check(self._database))
        except Exception as error:  # whatever keeps Foreman from starting
            return Found(faults=[repr(error)])


@dataclass
class Survey:
    """What power losses did.

    :ivar cuts: moments at which the power went
    :ivar images: different contents of the disk that Foreman was started over
    :ivar lost: answers that had left and spoke of what was gone
    :ivar broken: databases that were not sound, and requests of which only a part was there
    """

    cuts: int = 0
    images: int = 0
    lost: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def survey(history: History, directory: Path, moments: int, parts: int = 2) -> Survey:
    """Cut the power after every event of a history, so that nothing is there but what was synced.

    After so many events, chosen at random among those since the first request, all that was written is there in another
    image, and parts of it in so many others; after each answer, one part.

    :param directory: where the images are laid out
    """
    first = next((position for position, event in enumerate(history.events) if isinstance(event, Asked)), 0)
    chosen = set(Random(moments).sample(range(first, len(history.events)), moments))
    result, restart, disk, progress = Survey(), Restart(directory, history), Disk(), _Progress(history.clients)
    found = restart.over(disk.certain())
    for position, event in enumerate(history.events):
        disk.play(event)
        progress.play(event)
        result.cuts += 1
        when = f"power lost after event {position}, "
        if isinstance(event, Synced | DirectorySynced):
            found = restart.over(disk.certain())
        if not isinstance(event, Written):  # which changes nothing that is certain
            progress.judge(found, when + "only what was synced is there", result)
        if position in chosen:
            progress.judge(restart.over(disk.everything()), when + "all that was written is there", result)
        for part in range(parts if position in chosen else isinstance(event, Answered)):
            image = disk.any_of(Random(f"{position} {part}"))
            progress.judge(restart.over(image), when + f"part {part} of what was written is there", result)
    result.images = len(restart.found)
    return result


class _Progress:
    """How far the clients were, and whether what is found agrees with that."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self._asked = [0] * len(clients)
        self._answered = [0] * len(clients)

    def play(self, event: Event) -> None:
        """Follow the clients through the next event."""
        match event:
            case Asked(client, step):
                self._asked[client] = step + 1
            case Answered(client, step):
                self._answered[client] = step + 1

    def steps(self, found: Found) -> list[int | None]:
        """How many steps of each client are there; None when what is there is none of its states."""
        return [
            next((steps for steps in range(asked, -1, -1) if client.states[steps] == state), None)
            for client, asked, state in zip(self._clients, self._asked, found.states, strict=True)
        ]

    def judge(self, found: Found, when: str, result: Survey) -> None:
        """Note what was lost and what is broken. What was asked but not answered may be there, wholly, or not."""
        if found.faults:
            result.broken.append(f"{when}: {found.faults}")
            return
        for client, answered, steps in zip(self._clients, self._answered, self.steps(found), strict=True):
            if steps is None:
                result.broken.append(f"{when}: {client.org_id} is in none of its states")
            elif steps < answered:
                result.lost.append(f"{when}: {client.org_id} has {steps} of the {answered} steps it was answered")


def answers_before_sync(history: History, directory: Path) -> list[str]:
    """The answers that left before a sync of the log that begins after the commit they speak of.

    :param directory: where images of the disk are laid out: what a commit brought is found by starting over the
        files as they were when its last frame was written
    """
    logs, disk, progress = history.files_named(history.log), Disk(), _Progress(history.clients)
    restart, committed_steps = Restart(directory, history), [0] * len(history.clients)
    committed: dict[tuple[int, int], int] = {}  # where in the history, by client and step
    synced = 0  # what is in the log from before this position is on disk
    commit_ends_at: int | None = None
    early: list[str] = []
    for position, event in enumerate(history.events):
        disk.play(event)
        progress.play(event)
        match event:
            case Written(file, offset, content) if file in logs and len(content) == _FRAME_HEADER:
                # The last frame of a transaction says how many pages the database has then, the others say 0.
                commit_ends_at = offset + _FRAME_HEADER if any(content[4:8]) else None
            case Written(file, offset) if file in logs and offset == commit_ends_at:
                for client, steps in enumerate(progress.steps(restart.over(disk.everything()))):
                    assert steps is not None, f"{history.clients[client].org_id} is in none of its states"
                    committed |= {(client, step): position for step in range(committed_steps[client], steps)}
                    committed_steps[client] = steps
            case Synced(file, begun) if file in logs:
                synced = max(synced, begun)
            case Answered(client, step) if history.clients[client].changed(step):
                commit = committed.get((client, step))
                if commit is None or commit >= synced:
                    early.append(f"event {position} answers step {step} of client {client}, committed at {commit}")
    return early


@dataclass
class Activity:
    """How much happened in a history.

    :ivar checkpoints: how often the log was folded into the database file, each of which ends with a sync of that file
    :ivar restarts: how often the log was begun anew
    """

    answers: int = 0
    log_syncs: int = 0
    checkpoints: int = 0
    restarts: int = -1  # the first header is a start


def activity(history: History) -> Activity:
    """Count what happened in a history."""
    logs, databases = history.files_named(history.log), history.files_named(history.database)
    result = Activity(answers=len({event for event in history.events if isinstance(event, Answered)}))
    in_log_mode = False
    for event in history.events:
        match event:
            case Created(_, file) if file in logs:
                in_log_mode = True
            case Synced(file) if file in logs:
                result.log_syncs += 1
            case Synced(file) if file in databases and in_log_mode:
                result.checkpoints += 1
            case Written(file, 0, content) if file in logs and len(content) == _WAL_HEADER:
                result.restarts += 1
    return result


def _state(database: Database, client: Client) -> State:
    """What the API would answer this client: its key, and every object of its organisation."""
    caller = keys.verify(database, client.key)
    state: State = {} if caller is None else {("key", client.key): caller.org_id.encode()}
    with database.read() as tx:
        for kind, (sql, to_json) in _ROWS.items():
            objects = [to_json(row) for row in tx.all(sql, org_id=client.org_id)]
            state |= {(kind, each["id"]): msgspec.json.encode(each) for each in objects}
    return state
