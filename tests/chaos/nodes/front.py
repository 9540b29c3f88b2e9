"""A client's way in: through the proxy, with the manners that docs/api.md asks for."""

import threading
import time
from random import Random

from tests.chaos.api import BASE, BROKEN, Api, Unexpected
from tests.chaos.nodes.proxy import MARK
from tests.chaos.nodes.record import Record

# What HAProxy does instead of a 502 when a node dies that has got a request, unless it was the client's first: a client
# may not send it again by itself if it writes.
CLOSED = "closed by the proxy"

# What a node says whose connection to PostgreSQL was lost while it committed.
PERHAPS_STORED = b"It is not known whether this is stored"

# Seconds of pause after a failure, at most: what Retry-After says everywhere here.
_PAUSE = 1.0


class Unknown(Exception):
    """A write has failed in a way that leaves open whether it happened."""


class Front(Api):
    """A connection to the proxy.

    A read is sent until it is answered. A write is sent once: whoever sent it has to find out whether it happened.

    :param pace: seconds from one request to the next, on average, as long as answers come in time; 0 for as fast as
        they come
    """

    def __init__(self, port: int, key: str, record: Record, dice: Random, pace: float = 0.0) -> None:
        super().__init__(port, key)
        self.stopped = threading.Event()
        self._record, self._dice, self._pace = record, dice, pace
        self._next = 0.0

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The answer, unless it is 5xx.

        :raises Unknown: when it is one to a write, or there is none
        """
        while True:
            self._wait_for_turn()
            began = time.monotonic()
            answer = self._try(method, path, body)
            if answer is not None:
                self._record.succeeded(began)
                return answer
            time.sleep(self._dice.uniform(0.5, 1) * _PAUSE)
            if method != "GET":
                raise Unknown(f"{method} {path}")
            if self.stopped.is_set():
                raise Unexpected(method, path, 0, b"nothing, until the end")

    def _wait_for_turn(self) -> None:
        """Wait until the next request is due. What was missed meanwhile is not made up for."""
        if self._pace:
            now = time.monotonic()
            time.sleep(max(0.0, self._next - now))
            self._next = max(self._next, now) + self._dice.uniform(0.5, 1.5) * self._pace

    def _try(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes] | None:
        try:
            self._connection.request(method, BASE + path, body, self._headers)
            with self._connection.getresponse() as response:
                content = response.read()
        except BROKEN as error:
            self.close()
            self._record.failed(CLOSED, f"{method} {path}: {error!r}")
            return None
        if response.status < 500:
            return response.status, content
        of_proxy = response.getheader(MARK) is not None
        kind = f"{response.status} of {'the proxy' if of_proxy else 'a node'}"
        if response.status == 500:
            kind = "500"
        elif PERHAPS_STORED in content:
            kind += ", perhaps stored"
        elif response.getheader("Retry-After") is None:
            kind += " without Retry-After"
        self._record.failed(kind, f"{method} {path}: {content[:200].decode(errors='replace')}")
        return None
