"""Clients that write at random and record all of it: each owns what it creates, so its own order is the truth."""

import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from tests.chaos import model
from tests.chaos.api import BROKEN, Api, Object, Unexpected, decode, decode_list, number, raw, text, texts
from tests.chaos.writes import Kind, Part, SharedEntry, Write
from tests.support.statuses import SETTABLE, TASK_STATUSES

# A client goes on with its newest runs only, so that what one kill can touch does not grow.
ACTIVE_RUNS = 4

_MOST_SHARED_TAGS = 6
_TAGS = ("red", "green", "blue", "new", "old", "rare", "some", "other")

Action = TypeVar("Action")

# Whose each id is: an id that is given twice is seen at once, by any client.
Ids = dict[str, Write]


class Client:
    """One client: it sends one request after the other, each chosen at random.

    :param name: of the client; all that it sends carries it
    :param seed: the same seed chooses the same, as long as the server answers the same
    :param ids: of all that any client has created
    :ivar runs: what it has in its own runs, the newest last
    :ivar shared: what it has in runs that several clients share, the newest last
    :ivar touched: the runs that it has written to since somebody cleared this
    :ivar violations: answers that were wrong, as lines
    """

    def __init__(self, name: str, key: str, seed: str, ids: Ids) -> None:
        self.name = name
        self.runs: list[Part] = []
        self.shared: list[Part] = []
        self.touched: set[str] = set()
        self.violations: list[str] = []
        self.acknowledged = 0
        self.reads = 0
        self._key = key
        self._ids = ids
        self._shared_entry: SharedEntry | None = None
        self._random = Random(seed)
        self._sent = 0
        self._in_flight: Write | None = None
        self._writes: dict[Callable[[], Write], int] = {
            self._create_run: 1,
            self._change_run: 3,
            self._create_task: 6,
            self._create_child: 3,
            self._change_task: 10,
            self._create_entry: 7,
            self._change_tags: 4,
            self._change_shared_tags: 3,
            self._delete_entry: 2,
            self._delete_key: 2,
        }
        self._looks: dict[Callable[[Api], str | None], int] = {
            self._look_at_run: 2,
            self._look_at_task: 1,
            self._look_at_latest: 2,
            self._look_at_tagged: 1,
        }

    def work(self, port: int, killed: threading.Event) -> Write | None:
        """Send requests until the server is killed; the write that was under way then, if it was one.

        :param killed: set right before the server is killed, and before nothing else
        """
        with Api(port, self._key) as api:
            try:
                while not killed.is_set():
                    self._step(api)
            except BROKEN as error:
                if not killed.is_set():
                    self.violations.append(f"{self.name}: a connection broke while the server ran: {error!r}")
                return self._in_flight
            except Unexpected as error:
                self.violations.append(f"{self.name}: {error}")
        return None

    def share(self, api: Api) -> SharedEntry:
        """Create a run with an entry for all clients to write to."""
        self._perform(api, self._create_run())
        part = self.runs[-1]
        self._perform(api, self._new_task(part, None))
        part.tags = [f"{self.name}.0"]
        self._perform(api, self._new_entry(part, part.tags))
        return SharedEntry(part.run_id, next(iter(part.entries)))

    def join(self, entry: SharedEntry) -> None:
        """Write to a run of somebody else's from now on."""
        self._shared_entry = entry
        self.shared.append(Part(self.name, entry.run_id))

    def keep(self, write: Write, got: Object | None) -> None:
        """Record that a write is stored, see `Write.keep`."""
        write.keep(got)
        if write.creates and got is not None:
            if write.kind == "run":
                self.runs.append(write.part)
            if self._ids.setdefault(text(got["id"]), write) is not write:
                self.violations.append(f"{write}: the id {text(got['id'])} was given before")
        self.touched.add(write.part.run_id)

    def _step(self, api: Api) -> None:
        if not self.runs:
            self._perform(api, self._create_run())
        elif self._random.random() < 0.2:
            wrong = self._choose(self._looks)(api)
            self.reads += 1
            if wrong:
                self.violations.append(f"{self.name}: {wrong}")
        else:
            self._perform(api, self._choose(self._writes)())

    def _perform(self, api: Api, write: Write) -> None:
        self._in_flight = write
        status, content = api.send(write.method, write.path, write.body)
        self._in_flight = None
        if status != (201 if write.creates else 200):
            raise Unexpected(write.method, write.path, status, content)
        got = decode(content)
        self.acknowledged += 1
        if write.after is None:
            if number(got["deleted"]) != len(write.ids):
                self.violations.append(f"{write}: {content.decode()} instead of {len(write.ids)}")
            self.keep(write, None)
            return
        expected = write.after(got)
        if write.seen(got) != expected:
            self.violations.append(f"{write}: {difference(expected, write.seen(got))}")
        self.keep(write, got)

    # What it writes -------------------------------------------------------------------------------------------------

    def _create_run(self) -> Write:
        body = {"inputData": self._opaque(), "metadata": {"by": self.name}}
        return self._write(Part(self.name), "run", "POST", "/runs", body, after=partial(model.new_run, body))

    def _change_run(self) -> Write:
        part = self._random.choice(self.runs[-ACTIVE_RUNS:])
        change = self._change(SETTABLE)
        after = partial(model.changed, part.run_now(), change)
        return self._write(part, "run", "PATCH", f"/runs/{part.run_id}", change, (part.run_id,), after)

    def _create_task(self) -> Write:
        return self._new_task(self._part(), None)

    def _create_child(self) -> Write:
        part = self._part()
        parents = list(part.tasks)[-10:]
        return self._new_task(part, self._random.choice(parents) if parents else None)

    def _new_task(self, part: Part, parent: str | None) -> Write:
        body: dict[str, Any] = {
            "runId": part.run_id,
            "type": self._random.choice(("fetch", "parse")),
            "inputData": self._opaque(),
            "maxRetries": self._random.randrange(11),
        }
        if parent is not None:
            body["parentTaskId"] = parent
        return self._write(part, "task", "POST", "/tasks", body, after=partial(model.new_task, body))

    def _change_task(self) -> Write:
        part = self._part()
        if not part.tasks:
            return self._new_task(part, None)
        task_id = self._random.choice(list(part.tasks))
        change = {**self._change(TASK_STATUSES), "queueJobId": f"{self.name}.{self._sent}"}
        after = partial(model.changed, part.tasks[task_id], change)
        return self._write(part, "task", "PATCH", f"/tasks/{task_id}", change, (task_id,), after)

    def _create_entry(self) -> Write:
        part = self._part()
        if not part.tasks:
            return self._new_task(part, None)
        return self._new_entry(part, self._random.sample(_TAGS, self._random.randrange(6)))

    def _new_entry(self, part: Part, tags: list[str]) -> Write:
        body = {
            "taskId": self._random.choice(list(part.tasks)),
            "key": f"{self.name}.{self._random.randrange(4)}",
            "value": self._opaque(),
            "tags": list(tags),
            "metadata": {"by": self.name},
        }
        after = partial(model.new_entry, part.run_id, body)
        return self._write(part, "entry", "POST", f"/runs/{part.run_id}/data", body, after=after)

    def _change_tags(self) -> Write:
        part = self._part()
        if not part.entries:
            return self._create_entry()
        entry_id = self._random.choice(list(part.entries))
        change = {"add": self._random.sample(_TAGS, 3), "remove": self._random.sample(_TAGS, 3)}
        after = partial(model.tagged, part.entries[entry_id], change)
        return self._write(part, "entry", "PATCH", _tags_path(part.run_id, entry_id), change, (entry_id,), after)

    def _change_shared_tags(self) -> Write:
        if self._shared_entry is None:
            return self._create_entry()
        part, entry_id = self.shared[-1], self._shared_entry.id
        change = {"add": [f"{self.name}.{self._sent}"], "remove": part.tags[: 1 - _MOST_SHARED_TAGS]}
        tags = {"tags": raw(model.tags_after(part.tags, change))}
        path = _tags_path(part.run_id, entry_id)
        return self._write(part, "tags", "PATCH", path, change, (entry_id,), lambda _: tags)

    def _delete_entry(self) -> Write:
        part = self._part()
        if not part.entries:
            return self._create_entry()
        entry_id = self._random.choice(list(part.entries))
        return self._write(part, "entry", "DELETE", _data_path(part, id=entry_id), ids=(entry_id,))

    def _delete_key(self) -> Write:
        part = self._part()
        if not part.entries:
            return self._create_entry()
        key = text(self._random.choice(list(part.entries.values()))["key"])
        ids = tuple(entry_id for entry_id, entry in part.entries.items() if text(entry["key"]) == key)
        return self._write(part, "entry", "DELETE", _data_path(part, key=key), ids=ids)

    def _write(
        self,
        part: Part,
        kind: Kind,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        ids: tuple[str, ...] = (),
        after: Callable[[Object], Object] | None = None,
    ) -> Write:
        self._sent += 1
        content = None if body is None else msgspec.json.encode(body)
        return Write(part, kind, method, path, content, ids, after)

    # What it looks at -----------------------------------------------------------------------------------------------

    def _look_at_run(self, api: Api) -> str | None:
        part = self._random.choice(self.runs[-ACTIVE_RUNS:])
        path = f"/runs/{part.run_id}"
        return _wrong(path, part.run_now(), api.get(path))

    def _look_at_task(self, api: Api) -> str | None:
        part = self._part()
        if not part.tasks:
            return None
        path = f"/tasks/{self._random.choice(list(part.tasks))}"
        return _wrong(path, part.tasks[path.rpartition("/")[2]], api.get(path))

    def _look_at_latest(self, api: Api) -> str | None:
        part = self._part()
        newest = {text(entry["key"]): entry for entry in part.entries.values()}
        if not newest:
            return None
        key = self._random.choice(list(newest))
        path = _data_path(part, key=key)
        return _wrong_list(path, [newest[key]], api.get(path))

    def _look_at_tagged(self, api: Api) -> str | None:
        part = self._random.choice(self.runs[-ACTIVE_RUNS:])
        tags = self._random.sample(_TAGS, 2)
        path = _data_path(part, tags=",".join(tags), tagMode="all", includeAll="true", limit=1000, sortOrder="asc")
        expected = [entry for entry in part.entries.values() if set(tags) <= set(texts(entry["tags"]))]
        return _wrong_list(path, expected, api.get(path))

    # What it chooses ------------------------------------------------------------------------------------------------

    def _choose(self, actions: dict[Action, int]) -> Action:
        return self._random.choices(list(actions), list(actions.values()))[0]

    def _part(self) -> Part:
        return self._random.choice([*self.runs[-ACTIVE_RUNS:], *self.shared[-1:]])

    def _change(self, statuses: tuple[str, ...]) -> dict[str, Any]:
        """A change of everything that a run and a task have alike, so that half of it would be seen."""
        return {
            "status": self._random.choice(statuses),
            "outputData": self._opaque(),
            "errorData": self._opaque(),
            "metadata": {"by": f"{self.name}.{self._sent}"},
        }

    def _opaque(self) -> msgspec.Raw:
        """JSON that no other has; mostly small, now and then larger than a page of the database, or than many."""
        filling = self._random.choice("abc") * self._random.choice((1, 1, 10, 10, 100, 100, 1000, 6000, 40_000))
        digits = self._random.randrange(10**30)
        return msgspec.Raw(f'{{"by": "{self.name}.{self._sent}", "exact": {digits}.10, "fill": "{filling}"}}'.encode())


def difference(expected: Object, got: Object) -> str:
    """What is different in an object that is not as expected."""
    names = [name for name in {**expected, **got} if expected.get(name) != got.get(name)]
    return "; ".join(f"{name} is {_short(got.get(name))}, not {_short(expected.get(name))}" for name in names)


def _wrong(path: str, expected: Object, got: Object) -> str | None:
    return None if got == expected else f"GET {path}: {difference(expected, got)}"


def _wrong_list(path: str, expected: list[Object], answer: Object) -> str | None:
    got = decode_list(answer["data"])
    if got == expected:
        return None
    ids = [[text(entry["id"]) for entry in entries] for entries in (got, expected)]
    return f"GET {path}: answered {ids[0]}, not {ids[1]}, or with other contents"


def _data_path(part: Part, **query: Any) -> str:
    return f"/runs/{part.run_id}/data?{urlencode(query)}"


def _tags_path(run_id: str, entry_id: str) -> str:
    return f"/runs/{run_id}/data/{entry_id}/tags"


def _short(value: msgspec.Raw | None) -> str:
    shown = "absent" if value is None else bytes(value).decode()
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
