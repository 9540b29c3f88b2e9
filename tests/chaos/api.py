"""A client's connection to the API, and the API's objects as they are answered."""

import http.client
from types import TracebackType
from typing import Any

import msgspec

HOST = "127.0.0.1"
BASE = "/api/v1"
TIMEOUT = 30  # seconds until an answer that does not come is an error

# An object as it was answered: each member as the text that it was, so that numbers are compared digit for digit.
Object = dict[str, msgspec.Raw]

NULL = msgspec.Raw(b"null")

# What a broken connection raises.
BROKEN = (OSError, http.client.HTTPException)


class Api:
    """One connection of a client. It is kept alive, and opened again after it was closed."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The status and body of the answer to one request; the path is one below the API's.

        :raises OSError, http.client.HTTPException: when there is no whole answer (`BROKEN`)
        """
        self._connection.request(method, BASE + path, body, self._headers)
        with self._connection.getresponse() as response:
            return response.status, response.read()

    def get(self, path: str) -> Object:
        """The object at a path.

        :raises Unexpected: when the answer is not 200
        """
        status, content = self.send("GET", path)
        if status != 200:
            raise Unexpected("GET", path, status, content)
        return decode(content)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Unexpected(Exception):
    """An answer with another status than the request must have."""

    def __init__(self, method: str, path: str, status: int, content: bytes) -> None:
        super().__init__(f"{method} {path} was answered {status}: {content[:300].decode(errors='replace')}")


decode = msgspec.json.Decoder(Object).decode
decode_list = msgspec.json.Decoder(list[Object]).decode


def raw(value: Any) -> msgspec.Raw:
    """A value as JSON; what is raw already stays as it is."""
    return msgspec.Raw(msgspec.json.encode(value))


def text(value: msgspec.Raw) -> str:
    """The text that a member holds."""
    return msgspec.json.decode(value, type=str)


def texts(value: msgspec.Raw) -> list[str]:
    """The list of texts that a member holds."""
    return msgspec.json.decode(value, type=list[str])


def number(value: msgspec.Raw) -> int:
    """The integer that a member holds."""
    return msgspec.json.decode(value, type=int)
