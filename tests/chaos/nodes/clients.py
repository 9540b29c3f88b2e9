"""Clients of the site: they find out what became of a write without an answer, and send it again if need be."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from random import Random
from urllib.parse import urlencode

from tests.chaos.api import TIMEOUT, Api, Object, Unexpected, decode_list, number, text
from tests.chaos.clients import Client, Ids
from tests.chaos.nodes.front import Front, Unknown
from tests.chaos.nodes.record import Record
from tests.chaos.nodes.site import Site
from tests.chaos.verify import Contents, Things, Verification
from tests.chaos.writes import SharedEntry, Write

# Seconds between two looks for a write without an answer. A node that was killed may have sent its COMMIT right before:
# what is not there the second time is not stored.
_LOOK_AGAIN = 1.0

_NEWEST_RUNS = 300

_LISTS = (
    ("/runs", {"limit": "20"}),
    ("/runs", {"status": "completed,failed", "sortBy": "completed_at", "limit": "20"}),
    ("/tasks", {"type": "fetch", "status": "running", "limit": "20"}),
    ("/tasks", {"sortBy": "updated_at", "limit": "20"}),
)


class Patient(Client):
    """A client that goes on whatever happens.

    :ivar stored: writes without an answer that turned out to be stored
    :ivar not_stored: those that were not, and were sent again
    """

    def __init__(self, name: str, key: str, seed: str, ids: Ids, record: Record) -> None:
        super().__init__(name, key, seed, ids)
        self.stored = self.not_stored = 0
        self._record = record

    def keep(self, write: Write, got: Object | None) -> None:
        super().keep(write, got)
        if write.kind == "run" and write.creates:
            self._record.created_run()

    def step(self, api: Api) -> None:
        """Send the next request, until it is answered or has had its effect."""
        self._step(api)

    def _perform(self, api: Api, write: Write) -> None:
        while True:
            try:
                super()._perform(api, write)
            except Unknown:
                if self._is_stored(api, write):
                    self.stored += 1
                    return
                self.not_stored += 1
            else:
                return

    def _is_stored(self, api: Api, write: Write) -> bool:
        for last in (False, True):
            settlement = Verification([self], {}, [])
            settlement.settle(self, write, _things(api, write))
            self.violations += settlement.violations
            if settlement.stored or settlement.violations:
                return True
            if not last:
                time.sleep(_LOOK_AGAIN)
        return False


class Reader:
    """Reads lists, whose totals have to include every run that was acknowledged before."""

    def __init__(self, record: Record, seed: str) -> None:
        self.violations: list[str] = []
        self._record, self._dice = record, Random(seed)

    def step(self, api: Api) -> None:
        """Read one."""
        path, query = self._dice.choice(_LISTS)
        before = self._record.runs
        total = number(api.get(f"{path}?{urlencode(query)}")["total"])
        if query == _LISTS[0][1] and total < before:
            self.violations.append(f"GET {path}: {total} in all, and {before} runs were acknowledged before")


class Load:
    """Clients at work, each on a thread, from the beginning of the `with` block to its end.

    :param writers: how many clients write, and read what is theirs
    :param sharing: how many of them write to one run, too
    :param readers: how many read lists
    :param pace: seconds from one request of a client to the next, on average
    :ivar offered: requests per second, as far as all are answered in time
    """

    def __init__(
        self, site: Site, seed: int, *, writers: int = 10, sharing: int = 4, readers: int = 5, pace: float = 0.12
    ) -> None:
        self.record = Record()
        ids: Ids = {}
        names = [f"c{number}" for number in range(writers)]
        self.owner = Patient("owner", site.key, f"{seed} owner", ids, self.record)
        self.clients = [Patient(name, site.key, f"{seed} {name}", ids, self.record) for name in names]
        self.sharing = self.clients[:sharing]
        self.readers = [Reader(self.record, f"{seed} r{number}") for number in range(readers)]
        self.shared: dict[str, SharedEntry] = {}
        self._site, self._pace, self._seed = site, pace, seed
        self._fronts: list[Front] = []
        self.offered = (writers + readers) / pace
        self._stopped = threading.Event()
        self._working = threading.Condition()
        self._paused = False
        self._busy = 0
        self._threads = [
            threading.Thread(target=self._work, args=(each,), daemon=True) for each in (*self.clients, *self.readers)
        ]

    def __enter__(self) -> "Load":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._go_on()
        for front in self._fronts:
            front.stopped.set()
        deadline = time.monotonic() + 2 * TIMEOUT
        for each in self._threads:
            each.join(max(0.0, deadline - time.monotonic()))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nobody sends anything until the end of the block, and nothing is under way.

        :raises Unexpected: when a client does not come to an end with what it is doing
        """
        with self._working:
            self._paused = True
            if not self._working.wait_for(lambda: self._busy == 0, 90):
                raise Unexpected("A", "client", 0, b"does not come to an end with its request")
        try:
            yield
        finally:
            self._go_on()

    def front(self, name: str = "chaos", pace: float = 0.0) -> Front:
        """A connection for somebody."""
        return Front(self._site.proxy.port, self._site.key, self.record, Random(f"{self._seed} {name}"), pace)

    def violations(self) -> list[str]:
        """What clients have seen that may not be, as lines; each once."""
        everybody: list[Patient | Reader] = [self.owner, *self.clients, *self.readers]
        found = [line for each in everybody for line in each.violations]
        for each in everybody:
            each.violations.clear()
        return found

    def _go_on(self) -> None:
        with self._working:
            self._paused = False
            self._working.notify_all()

    def _work(self, client: Patient | Reader) -> None:
        front = self.front(repr(client), self._pace)
        with front as api:
            self._fronts.append(front)
            while not self._stopped.is_set():
                with self._working:
                    self._working.wait_for(lambda: not self._paused)
                    self._busy += 1
                try:
                    client.step(api)
                except Exception as error:  # a thread that ended would be missed by nobody
                    if not self._stopped.is_set():
                        client.violations.append(f"{error!r}")
                        time.sleep(1)
                finally:
                    with self._working:
                        self._busy -= 1
                        self._working.notify_all()


def _things(api: Api, write: Write) -> Things:
    """What the server has of the kind that a write creates, changes or deletes."""
    if write.kind == "run" and write.creates:
        pages = range(0, _NEWEST_RUNS, 100)
        lists = (api.get(f"/runs?limit=100&offset={offset}&sortOrder=desc")["items"] for offset in pages)
        return {text(run["id"]): run for runs in lists for run in islice(decode_list(runs), 100)}
    contents = Contents.fetch(api, write.part.run_id)
    if contents is None:
        raise Unexpected("GET", f"/runs/{write.part.run_id}", 404, b"acknowledged, and not there")
    if write.kind == "run":
        return {write.part.run_id: contents.run}
    return contents.tasks if write.kind == "task" else contents.entries
