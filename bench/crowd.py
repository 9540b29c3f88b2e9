"""Connections that are always busy, in one thread: each sends its next write as soon as it has the last response."""

import gc
import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bench.load import HOST, Target
from bench.traffic import Request, post

VALUE_BYTES = (1_000, 10_000)
_RECEIVE = 65_536


@dataclass(frozen=True, slots=True)
class Wait:
    """One request: when it began, by the monotonic clock, how long it took, and the status of its response."""

    begin: float
    seconds: float
    status: int

    @property
    def end(self) -> float:
        """When its response was there."""
        return self.begin + self.seconds


class Writes:
    """Creates of runs, tasks and entries of run data in turn, with values of 1 to 10 KB.

    :param rows: ids of runs, each with the id of a task of it
    """

    def __init__(self, rows: Sequence[tuple[str, str]], dice: random.Random) -> None:
        self._rows, self._dice = rows, dice
        self._text = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz ", k=4 * VALUE_BYTES[1]))
        self._number = 0

    def value(self) -> str:
        """A text of random length."""
        length = self._dice.randint(*VALUE_BYTES)
        begin = self._dice.randrange(len(self._text) - length)
        return self._text[begin : begin + length]

    def next(self) -> Request:
        """The next write."""
        self._number += 1
        run_id, task_id = self._dice.choice(self._rows)
        value = {"text": self.value()}
        if self._number % 3 == 0:
            return post("/runs", {"inputData": value})
        if self._number % 3 == 1:
            return post("/tasks", {"runId": run_id, "type": "step", "inputData": value})
        entry = {"taskId": task_id, "key": f"result.{self._number}", "value": value, "tags": ["raw", "europe"]}
        return post(f"/runs/{run_id}/data", entry)


@dataclass
class _Connection:
    socket: socket.socket
    begin: float = 0.0
    received: bytes = b""

    def send(self, raw: bytes) -> None:
        self.received, self.begin = b"", time.monotonic()
        self.socket.sendall(raw)

    def receive(self) -> Wait | None:
        """The finished request, or None while the response is incomplete."""
        part = self.socket.recv(_RECEIVE)
        if not part:
            raise ConnectionError("the server has closed a connection")
        self.received += part
        head, _, body = self.received.partition(b"\r\n\r\n")
        _, found, length = head.lower().partition(b"\r\ncontent-length:")
        if not found or len(body) < int(length.split(b"\r\n")[0]):
            return None
        return Wait(self.begin, time.monotonic() - self.begin, int(head[9:12]))


def keep_busy(target: Target, next_request: Callable[[], Request], connections: int, seconds: float) -> list[Wait]:
    """Send requests over so many connections for so many seconds; every request with its wait.

    :raises ConnectionError: when the server closes a connection
    """

    def raw() -> bytes:
        return next_request().raw(f"{HOST}:{target.port}", target.key)

    waits: list[Wait] = []
    begin = time.monotonic()
    with _without_garbage_collection(), selectors.DefaultSelector() as selector:
        crowd = [_Connection(socket.create_connection((HOST, target.port))) for _ in range(connections)]
        try:
            for connection in crowd:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(raw())
            waiting = connections
            while waiting:
                for key, _ in selector.select():
                    wait = key.data.receive()
                    if wait is None:
                        continue
                    waits.append(wait)
                    if wait.end - begin < seconds:
                        key.data.send(raw())
                    else:  # what has begun is waited for, or the longest wait would be missed
                        waiting -= 1
        finally:
            for connection in crowd:
                connection.socket.close()
    return waits


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """The collector would look at all waits now and then: 190 ms for 1,000,000, which would look like a slow server."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
