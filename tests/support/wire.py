"""A client that sends any bytes it likes, and sees every byte of the answers."""

import http.client
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.support.api import Json
from tests.support.running import Running
from tests.support.waiting import PATIENCE


@dataclass
class Answer:
    """An answer as it came over the wire."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Json:
        assert self.headers["Content-Type"] == "application/json"
        body: Json = json.loads(self.body)
        return body


class Wire:
    """One connection, with nothing between the test and its bytes."""

    def __init__(self, served: Running, key: str | None = None) -> None:
        self.key = key or served.key()
        self._socket = socket.create_connection(("127.0.0.1", served.server.port), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(self, method: str, path: str, body: Any = None, version: str = "1.1", **headers: str) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {path if path.startswith('/docs') else '/api/v1' + path} HTTP/{version}",
            "Host: x",
            f"X-API-Key: {self.key}",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        if content:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join([*lines, "\r\n"]).encode() + content

    def send(self, method: str, path: str, body: Any = None, version: str = "1.1", **headers: str) -> None:
        self.send_all(self.request(method, path, body, version, **headers))

    def send_all(self, *requests: bytes) -> None:
        self._socket.sendall(b"".join(requests))

    def try_to_send(self, data: bytes) -> None:
        """Send as much as the server takes."""
        with suppress(OSError):
            self._socket.sendall(data)

    def send_urgent(self, data: bytes) -> None:
        """Send TCP's urgent data."""
        self._socket.send(data, socket.MSG_OOB)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def status_or_end(self) -> int | None:
        """The status of the next answer; None when the connection ends without one."""
        try:
            return self.receive().status
        except (AssertionError, ConnectionError):
            return None

    def receive(self, *, to_head: bool = False) -> Answer:
        """The next answer; also a body that should not be there would be taken for the answer after it."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1."), line
        status, headers = int(line.split()[1]), http.client.parse_headers(self._file)
        length = 0 if to_head or status == 304 else int(headers["Content-Length"])
        return Answer(status, headers, self._file.read(length))

    def read_some(self) -> None:
        """Make room for more to arrive."""
        self._file.read(1_000_000)

    def is_silent(self) -> bool:
        """Whether nothing has arrived."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(PATIENCE)
        return False

    def is_closed(self) -> bool:
        """Wait for the server to close the connection, or to say more."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def reset(self) -> None:
        """Go away without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


def refused(wire: Wire, status: int) -> str:
    """The message of an error that ends the connection."""
    answer = wire.receive()
    assert answer.status == status, answer.body
    assert answer.headers["Connection"] == "close"
    assert answer.headers["X-Request-Id"]
    body = answer.json()
    assert list(body) == ["error", "details", "code"]
    assert wire.is_closed()
    message: str = body["error"]
    return message
