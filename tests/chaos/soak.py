"""The highest load for a while: is everything as flat at its end as in its middle?

A process of client threads sends mixed traffic; this one looks at the server from outside, and sends the same small
request again and again to see how long it takes.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from bench.servers import ServerFailed
from tests.chaos.api import BROKEN, Api, Unexpected, decode, text
from tests.chaos.figures import DESCRIPTORS, Figures, Sample, p50, p99
from tests.chaos.server import Server, check, create_key
from tests.chaos.traffic import MAX_BODY, Traffic, keep_busy
from tests.support.waiting import PATIENCE

BETWEEN_PROBES = 0.05  # seconds
SHORTEST_SAMPLE, LONGEST_SAMPLE = 0.5, 5.0  # seconds
SETTLED = 10.0  # seconds in which the server must have closed the connections of clients that are gone
SAMPLES = 48  # about so many, within these bounds

PROBED = b'{"inputData": {"probe": 1}}'

Report = Callable[[str], None]


class Look(NamedTuple):
    """A server process from outside (/proc), see `Sample`."""

    resident: float
    descriptors: int
    threads: int
    cpu_seconds: float

    @classmethod
    def at(cls, pid: int) -> "Look":
        """How it is now."""
        process = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="ascii").splitlines())
        times = (process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]  # see proc(5)
        return cls(
            int(status["VmRSS"].split()[0]) / 1024,
            len(list((process / "fd").iterdir())),
            int(status["Threads"]),
            sum(int(ticks) for ticks in times) / os.sysconf("SC_CLK_TCK"),
        )


def soak(directory: Path, seconds: float, threads: int, report: Report) -> Figures:
    """Load a server for so long.

    :param directory: where its database will be
    :param threads: of clients
    :param report: takes a line after each sample
    :raises ServerFailed: when the server or its clients fail
    """
    database = directory / "foreman.db"
    key = create_key(database)
    with Server(database, key, options=["--max-body", str(MAX_BODY)]) as server:
        before = Look.at(server.pid).descriptors
        with Clients(server.port, key, threads) as clients:
            try:
                samples = _watch(server, key, database, clients, seconds, report)
            except (*BROKEN, Unexpected) as error:
                raise ServerFailed(
                    f"the probe failed: {error!r}; the server's log ends with: {server.log()}"
                ) from error
            traffic = clients.stop()
        figures = Figures(samples, (before, _at_rest(server, before)))
        figures.violations = check(database)
    figures.answered = {f"{kind} {status}": times for (kind, status), times in sorted(traffic.answered.items())}
    figures.unexpected = traffic.unexpected
    return figures


class Clients:
    """The process of client threads, from its first answer to the end of the `with` block.

    :raises ServerFailed: when nothing is answered
    """

    def __init__(self, port: int, key: str, threads: int) -> None:
        # A new interpreter: what this one has must not be copied into it.
        processes = multiprocessing.get_context("spawn")
        self._stop, self._answers = processes.Event(), processes.Value("Q", 0)
        self._results, results = processes.Pipe(duplex=False)
        self._process = processes.Process(
            target=keep_busy, args=(port, key, threads, self._stop, self._answers, results), daemon=True
        )
        self._process.start()
        results.close()  # so that the end of the process is the end of the pipe

    def __enter__(self) -> "Clients":
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if not self._process.is_alive() or time.monotonic() > deadline:
                self._end()
                raise ServerFailed("nothing was answered")
            time.sleep(BETWEEN_PROBES)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def answers(self) -> int:
        """How many requests were answered so far."""
        answers: int = self._answers.value
        return answers

    def stop(self) -> Traffic:
        """Let the threads end; what they sent.

        :raises ServerFailed: when they do not
        """
        self._stop.set()
        try:
            if self._results.poll(PATIENCE):
                traffic: Traffic = self._results.recv()
                return traffic
        except EOFError:
            pass
        raise ServerFailed("the clients did not end well")

    def _end(self) -> None:
        self._process.terminate()
        self._process.join()
        self._process.close()
        self._results.close()


def _watch(server: Server, key: str, database: Path, clients: Clients, seconds: float, report: Report) -> list[Sample]:
    """Samples one after the other, for so many seconds; at least four."""
    length = min(max(seconds / SAMPLES, SHORTEST_SAMPLE), LONGEST_SAMPLE)
    log = Path(f"{database}-wal")
    samples: list[Sample] = []
    begin = time.perf_counter()
    with Api(server.port, key) as api:
        _, run = api.send("POST", "/runs", PROBED)
        probed = f"/runs/{text(decode(run)['id'])}"
        while len(samples) < 4 or time.perf_counter() - begin < seconds:
            since, answers, before = time.perf_counter(), clients.answers(), Look.at(server.pid)
            probes = []
            while time.perf_counter() - since < length:
                sent = time.perf_counter()
                api.get(probed)
                probes.append((time.perf_counter() - sent) * 1000)
                time.sleep(BETWEEN_PROBES)
            look, now = Look.at(server.pid), time.perf_counter()
            sample = Sample(
                at=now - begin,
                rate=(clients.answers() - answers) / (now - since),
                resident=look.resident,
                descriptors=look.descriptors,
                threads=look.threads,
                log=log.stat().st_size / 1024**2,
                busy=(look.cpu_seconds - before.cpu_seconds) / (now - since),
                probes=tuple(probes),
            )
            samples.append(sample)
            report(
                f"{sample.rate:6.0f} requests/s, {sample.resident:6.1f} MiB, {sample.descriptors:3} descriptors,"
                f" {sample.threads} threads, log {sample.log:4.1f} MiB, processor {sample.busy:4.0%},"
                f" probe {p50([sample]):5.1f} ms, p99 {p99([sample]):5.1f} ms"
            )
    return samples


def _at_rest(server: Server, before: int) -> int:
    """The server's descriptors when it has closed the connections of clients that are gone, or had the time for it."""
    deadline = time.monotonic() + SETTLED
    while (now := Look.at(server.pid).descriptors) > before + DESCRIPTORS and time.monotonic() < deadline:
        time.sleep(BETWEEN_PROBES)
    return now
