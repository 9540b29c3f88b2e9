"""A server that is killed again and again under load: what it has answered must be there when it is back.

Each client records what it sends and is told. After a kill the server starts again over the same file, and is asked for
all of that: what was acknowledged must be there to the digit, a write without an answer wholly or not at all.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median

from bench.servers import APP
from tests.chaos.api import BROKEN, Api, Unexpected
from tests.chaos.clients import Client, Ids
from tests.chaos.server import Server, check, create_key
from tests.chaos.verify import Verification
from tests.chaos.writes import SharedEntry

CLIENTS = 12

# Seconds from the server's answering again to the next kill.
SHORTEST, LONGEST = 0.05, 0.8

# Kills after which clients get a new run to share, so that comparing it does not take longer and longer.
SHARED_FOR = 5

Report = Callable[[str], None]


@dataclass
class Tally:
    """What happened.

    :ivar acknowledged: writes that were answered
    :ivar reads: reads that were answered and compared
    :ivar stored: writes without an answer that are stored
    :ivar not_stored: writes without an answer that are not
    :ivar restarts: seconds from each start of the process to its first answer
    :ivar violations: broken promises, as lines
    """

    kills: int = 0
    acknowledged: int = 0
    reads: int = 0
    stored: int = 0
    not_stored: int = 0
    restarts: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def summary(self) -> list[str]:
        """Lines for people."""
        under_way = self.stored + self.not_stored
        times = sorted(self.restarts)
        return [
            f"{self.kills} kills, {len(self.violations)} violations",
            f"{self.acknowledged} acknowledged writes and {self.reads} reads, each compared",
            f"{under_way} writes under way at kills: {self.stored} stored, {self.not_stored} not",
            f"first answer after a kill: {median(times):.2f} s in the middle, {times[-1]:.2f} s at most",
        ]


class Crash:
    """A server over a new database, its clients, and what has happened so far.

    :param directory: where the database will be
    :param seed: the same seed kills after the same times, and lets clients choose the same as far as answers allow
    :param program: what Python runs as the server
    :raises ServerFailed: when the server does not start
    """

    def __init__(self, directory: Path, seed: int, program: Sequence[str] = APP) -> None:
        self.tally = Tally()
        self._database = directory / "foreman.db"
        self._program = program
        self._dice = Random(seed)
        self._key = create_key(self._database)
        ids: Ids = {}
        self._owner = Client("owner", self._key, f"{seed} owner", ids)
        self._clients = [Client(f"c{number}", self._key, f"{seed} {number}", ids) for number in range(CLIENTS)]
        self._shared: dict[str, SharedEntry] = {}
        self._server = self._start()

    def run(self, kills: int, report: Report) -> Tally:
        """Kill the server so many times, or until a promise is broken.

        :param report: takes a line after each kill
        :raises ServerFailed: when the server does not start again, or a command fails
        """
        with ThreadPoolExecutor(CLIENTS) as pool:
            try:
                while self.tally.kills < kills and not self.tally.violations:
                    if self.tally.kills % SHARED_FOR == 0:
                        self._share()
                    report(self._kill(pool, last=self.tally.kills + 1 == kills))
                self._server.stop()
            finally:
                self._server.kill()
        self.tally.violations += check(self._database)
        return self.tally

    def _start(self) -> Server:
        return Server(self._database, self._key, program=self._program)

    def _share(self) -> None:
        with Api(self._server.port, self._key) as api:
            entry = self._owner.share(api)
        self._shared[entry.run_id] = entry
        for client in self._clients:
            client.join(entry)

    def _kill(self, pool: ThreadPoolExecutor, *, last: bool) -> str:
        """Let the clients work until the server is killed, start it again and compare; a line about it."""
        tally, before = self.tally, self._answered()
        after = self._dice.uniform(SHORTEST, LONGEST)
        killed = threading.Event()
        working = [pool.submit(client.work, self._server.port, killed) for client in self._clients]
        time.sleep(after)
        killed.set()
        self._server.kill()
        under_way = [(client, future.result()) for client, future in zip(self._clients, working, strict=True)]
        wrong = [line for client in self._clients for line in client.violations]
        if wrong:
            wrong.append(f"the log of the server ends with: {self._server.log()}")

        self._server = self._start()
        checking = pool.submit(check, self._database)
        in_flight = [(client, write) for client, write in under_way if write is not None]
        verification = Verification([self._owner, *self._clients], self._shared, in_flight)
        try:
            with Api(self._server.port, self._key) as api:
                verification.over(api, everything=last)
        except (*BROKEN, Unexpected) as error:
            verification.violations.append(f"comparing came to no end: {error!r}")
        tally.violations += [*wrong, *verification.violations, *checking.result()]

        tally.kills += 1
        tally.acknowledged, tally.reads = self._answered()
        tally.stored += len(verification.stored)
        tally.not_stored += len(verification.not_stored)
        tally.restarts.append(self._server.seconds_to_first_answer)
        outcome = f"{len(tally.violations)} VIOLATIONS" if tally.violations else "ok"
        return (
            f"kill {tally.kills} after {after:.2f} s: {tally.acknowledged - before[0]} writes acknowledged,"
            f" {len(in_flight)} under way ({len(verification.stored)} stored, {len(verification.not_stored)} not);"
            f" back after {tally.restarts[-1]:.2f} s: {outcome}"
        )

    def _answered(self) -> tuple[int, int]:
        """Writes and reads that were answered."""
        return sum(client.acknowledged for client in self._clients), sum(client.reads for client in self._clients)
