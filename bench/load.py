"""The load generators: wrk when it is installed, because it leaves the processor to the server; else plain Python."""

import http.client
import itertools
import json
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.traffic import Request, Script, workflow

HERE = Path(__file__).parent
HOST = "127.0.0.1"
TIMEOUT = 30

_RESULT = re.compile(r"^RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Target:
    """Where load goes: a port on loopback, and the API key to present."""

    port: int
    key: str = "none"


@dataclass(frozen=True)
class Measurement:
    """What one measurement gave. Times are in milliseconds; errors are answers beyond 2xx and broken connections."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


class LoadGenerator(Protocol):
    """Anything that keeps a number of connections busy for some seconds. `script` None means workflows."""

    name: str

    def run(self, target: Target, script: Script | None, connections: int, seconds: float) -> Measurement:
        """Send requests, each connection one after the other, and measure."""


class Wrk:
    """https://github.com/wg/wrk, by a Lua script that reports from its `done` hook."""

    name = "wrk"

    def run(self, target: Target, script: Script | None, connections: int, seconds: float) -> Measurement:
        """Run wrk and read its report."""
        with tempfile.TemporaryDirectory(prefix="foreman-bench-") as directory:
            if script is None:
                # A thread of wrk's does not tell its script which connection an answer came on: one thread for each.
                command = [f"-t{connections}", "-s", str(HERE / "workflow.lua")]
                arguments = [target.key]
            else:
                requests, skip = script.upcoming(seconds)
                file = Path(directory) / "requests"
                raw = (request.raw(f"{HOST}:{target.port}", target.key) for request in requests)
                file.write_bytes(b"".join(request + b"\0" for request in raw))
                command, arguments = ["-t1", "-s", str(HERE / "list.lua")], [str(file), str(skip)]
            url = f"http://{HOST}:{target.port}"
            connected = [f"-c{connections}", f"--timeout={TIMEOUT}s", "-d600s"]
            wrk = subprocess.Popen(
                ["wrk", *command, *connected, url, "--", *arguments], stdout=subprocess.PIPE, text=True
            )
            try:
                # wrk counts whole seconds only; interrupted, it stops and reports what it has measured until then.
                time.sleep(seconds)
                wrk.send_signal(signal.SIGINT)
                output, _ = wrk.communicate(timeout=TIMEOUT)
            finally:
                wrk.kill()
                wrk.wait()
        measurement, position = parse_wrk(output)
        if script is not None:
            script.position += position - skip
        return measurement


def parse_wrk(output: str) -> tuple[Measurement, int]:
    """What the Lua scripts reported, and how far they came in their requests.

    :raises ValueError: when they reported nothing
    """
    match = _RESULT.search(output)
    if match is None:
        raise ValueError(f"wrk reported nothing: {output!r}")
    requests, duration, p50, p99, errors, position = (int(number) for number in match.groups())
    return Measurement(requests, duration / 1e6, p50 / 1e3, p99 / 1e3, errors), position


class PurePython:
    """Threads with a connection each. It takes much of the processor, so only its ratios mean something."""

    name = "pure Python"

    def run(self, target: Target, script: Script | None, connections: int, seconds: float) -> Measurement:
        """Run the threads and put together what they measured."""
        requests, skip = script.upcoming(seconds) if script else ([], 0)
        turn = itertools.count(skip)
        latencies: list[float] = []
        errors: list[Exception | int] = []
        end = time.perf_counter() + seconds

        def send(connection: http.client.HTTPConnection, request: Request) -> bytes:
            begin = time.perf_counter()
            connection.request(request.method, request.path, request.body, request.headers(target.key))
            response = connection.getresponse()
            body = response.read()
            latencies.append(time.perf_counter() - begin)
            if response.status > 299:
                errors.append(response.status)
            return body

        def keep_busy() -> None:
            connection = http.client.HTTPConnection(HOST, target.port, timeout=TIMEOUT)
            try:
                while time.perf_counter() < end:
                    if script is not None:
                        send(connection, requests[next(turn) % len(requests)])
                        continue
                    steps, answer = workflow(), None
                    with suppress(StopIteration):
                        while time.perf_counter() < end:
                            answer = json.loads(send(connection, steps.send(answer)))
            except Exception as error:
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=keep_busy) for _ in range(connections)]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - begin
        if script is not None:
            script.position += next(turn) - skip
        latencies.sort()
        p50, p99 = (percentile(latencies, part) * 1e3 for part in (50, 99))
        return Measurement(len(latencies), took, p50, p99, len(errors))


def percentile(ascending: list[float], part: float) -> float:
    """The value that `part` percent of the values do not exceed; 0 without values."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, int(len(ascending) * part / 100))]


def generator(name: str | None = None) -> LoadGenerator:
    """The generator of this name (`wrk` or `python`); without a name the best one that is installed."""
    if name is None:
        name = "wrk" if shutil.which("wrk") else "python"
    return Wrk() if name == "wrk" else PurePython()
