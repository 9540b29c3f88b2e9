"""After a kill: whether what the server has is what its clients were told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.chaos.api import Api, Object, decode_list, number, text, texts
from tests.chaos.clients import Client, difference
from tests.chaos.writes import Part, SharedEntry, Write

_PAGE, _PAGE_OF_ENTRIES = 100, 1000

Things = dict[str, Object]


@dataclass
class Contents:
    """What the server has in one run, things by their ids."""

    run: Object
    tasks: Things = field(default_factory=dict)
    entries: Things = field(default_factory=dict)

    @classmethod
    def fetch(cls, api: Api, run_id: str) -> "Contents | None":
        """All that the server has in a run; None when it has no such run."""
        if api.send("GET", f"/runs/{run_id}")[0] == 404:
            return None
        contents = cls(api.get(f"/runs/{run_id}"))
        for task in _pages(api, "/tasks", "items", _PAGE, runId=run_id):
            contents.tasks[text(task["id"])] = task
        for entry in _pages(api, f"/runs/{run_id}/data", "data", _PAGE_OF_ENTRIES, includeAll="true"):
            contents.entries[text(entry["id"])] = entry
        return contents


class Verification:
    """The comparison after one kill. Nobody may be writing.

    :param clients: all that have ever written
    :param shared: the entries that all clients tag, by run
    :param in_flight: the writes that had no answer when the server was killed
    :ivar violations: broken promises, as lines
    :ivar stored: writes without an answer that are stored, wholly
    :ivar not_stored: writes without an answer of which nothing is stored
    """

    def __init__(
        self, clients: Iterable[Client], shared: Mapping[str, SharedEntry], in_flight: Iterable[tuple[Client, Write]]
    ) -> None:
        self.violations: list[str] = []
        self.stored: list[Write] = []
        self.not_stored: list[Write] = []
        self._stored_entries: list[Object] = []
        self._clients = list(clients)
        self._shared = shared
        self._in_flight = list(in_flight)
        self._parts: dict[str, list[Part]] = {}
        for client in self._clients:
            for part in (*client.runs, *client.shared):
                self._parts.setdefault(part.run_id, []).append(part)

    def over(self, api: Api, *, everything: bool) -> None:
        """Compare every run that was written to since the last time, and the number of all runs and tasks.

        :param everything: compare every run there is
        """
        self._settle_new_runs(api)
        touched = {run_id for client in self._clients for run_id in client.touched}
        touched |= {write.part.run_id for _, write in self._in_flight}
        for run_id in [each for each in self._parts if everything or each in touched]:
            self.compare(run_id, Contents.fetch(api, run_id))
        for client in self._clients:
            client.touched.clear()

        self._count("runs", len(self._parts), api)
        self._count("tasks", sum(len(part.tasks) for parts in self._parts.values() for part in parts), api)
        for entry in self._stored_entries:
            self._look_for(entry, api)

    def compare(self, run_id: str, contents: Contents | None) -> None:
        """Compare what the server has in a run with what clients have in it; settle their writes without an answer.

        :param contents: None when the server has no such run
        """
        parts = self._parts[run_id]
        if contents is None:
            self.violations.append(f"run {run_id}: acknowledged, and not there")
            return
        by_kind = {"run": {run_id: contents.run}, "task": contents.tasks}
        for client, write in self._in_flight:
            if write.part.run_id == run_id and not _creates_run(write):
                self.settle(client, write, by_kind.get(write.kind, contents.entries))

        expected = Part("", run=next(part.run for part in parts if part.run is not None))
        for part in parts:
            expected.tasks |= part.tasks
            expected.entries |= part.entries
        shared = self._shared.get(run_id)
        if shared is not None and shared.id in contents.entries:
            got = contents.entries[shared.id]
            self._compare_tags(parts, got)
            changed = {name: got[name] for name in ("tags", "updatedAt")}
            expected.entries[shared.id] = {**expected.entries[shared.id], **changed}
        self._compare("run", {run_id: expected.run_now()}, {run_id: contents.run})
        self._compare("task", expected.tasks, contents.tasks)
        self._compare("entry", expected.entries, contents.entries)

    def settle(self, client: Client, write: Write, things: Things) -> None:
        """Find out whether a write without an answer is stored, and record what it did.

        :param things: as the server has them, of the kind that it creates, changes or deletes
        """
        got: Object | None = None
        stored = torn = False
        if write.after is None:
            left = [each for each in write.ids if each in things]
            stored, torn = not left, 0 < len(left) < len(write.ids)
        elif write.creates:
            # All that clients send carries their names and a number: no other write makes the same thing.
            made = [thing for thing in things.values() if write.after(thing) == thing]
            got, stored = (made[0] if made else None), bool(made)
            if len(made) > 1:
                self.violations.append(f"{write}: without an answer, and stored {len(made)} times")
        elif write.ids[0] in things:
            got = things[write.ids[0]]
            stored = write.after(got) == write.seen(got)
            torn = not stored and write.before() != write.seen(got)

        if torn:
            wrong = f": {difference(write.before(), write.seen(got))}" if got else ""
            self.violations.append(f"{write}: without an answer, and stored by half{wrong}")
        elif stored:
            client.keep(write, got)
            self.stored.append(write)
            if write.kind == "entry" and got is not None:
                self._stored_entries.append(got)
        else:
            self.not_stored.append(write)

    def _settle_new_runs(self, api: Api) -> None:
        new: Things = {}
        missing = number(api.get("/runs?limit=1")["total"]) - len(self._parts)
        runs = _pages(api, "/runs", "items", _PAGE, sortOrder="desc")
        while len(new) < missing and (run := next(runs, None)) is not None:
            if text(run["id"]) not in self._parts:
                new[text(run["id"])] = run
        for client, write in self._in_flight:
            if _creates_run(write):
                self.settle(client, write, new)
                if write.part.run_id:
                    self._parts[write.part.run_id] = [write.part]
        self.violations += [f"run {each}: there, and nobody has sent it so" for each in new.keys() - self._parts.keys()]

    def _compare(self, kind: str, expected: Things, got: Things) -> None:
        for each in sorted(expected.keys() - got.keys()):
            self.violations.append(f"{kind} {each}: acknowledged, and not there")
        for each in sorted(got.keys() - expected.keys()):
            self.violations.append(f"{kind} {each}: there, and nobody has sent it so, or it was deleted")
        for each in sorted(expected.keys() & got.keys()):
            if expected[each] != got[each]:
                self.violations.append(f"{kind} {each}: {difference(expected[each], got[each])}")

    def _compare_tags(self, parts: list[Part], got: Object) -> None:
        """Each client's tags on the shared entry are there in its order; how those of several are mixed is free."""
        for part in parts:
            there = SharedEntry.tags_of(part.client, got)
            if there != part.tags:
                self.violations.append(f"entry {text(got['id'])}: tags of {part.client}: {there}, not {part.tags}")
        known = {tag for part in parts for tag in SharedEntry.tags_of(part.client, got)}
        self.violations += [
            f"entry {text(got['id'])}: nobody has added {tag}" for tag in texts(got["tags"]) if tag not in known
        ]

    def _count(self, what: str, expected: int, api: Api) -> None:
        total = number(api.get(f"/{what}?limit=1")["total"])
        if total != expected:
            self.violations.append(f"there are {total} {what}, and there should be {expected}")

    def _look_for(self, entry: Object, api: Api) -> None:
        """Find an entry by all of its tags."""
        run_id, tags = text(entry["runId"]), texts(entry["tags"])
        found = _pages(api, f"/runs/{run_id}/data", "data", _PAGE_OF_ENTRIES,
                       includeAll="true", tagMode="all", tags=",".join(tags))  # fmt: skip
        if entry not in found:
            self.violations.append(f"entry {text(entry['id'])}: not found by its tags {tags}")


def _creates_run(write: Write) -> bool:
    return write.kind == "run" and write.creates


def _pages(api: Api, path: str, items: str, limit: int, **query: str) -> Iterator[Object]:
    """Everything in a list, page by page."""
    offset, size = 0, limit
    while size == limit:
        page = decode_list(api.get(f"{path}?{urlencode({**query, 'limit': limit, 'offset': offset})}")[items])
        yield from page
        size = len(page)
        offset += size
