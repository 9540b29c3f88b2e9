"""Requests, what they have to be answered, and answers of the server in the same form."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec

from tests.support.api import Json

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What a client may fill with any JSON and gets back as it was sent.
OPAQUE = frozenset({"inputData", "outputData", "errorData", "metadata", "value"})

# Where an answer has further things.
NESTED = frozenset({"items", "data", "tasks", "children"})

# The code of an error that has only one.
CODES = {
    400: "validation_failed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "stale",
    422: "idempotency_conflict",
}


class Condition(NamedTuple):
    """What has to be so that the request is done: `If-Match` with PATCH and DELETE, `If-None-Match` with GET and HEAD.

    :ivar header: what the client sends
    :ivar states: of the items that the tags in it stand for; None for every one, an empty tuple for none
    :ivar is_malformed: whether the header is neither `*` nor a list of tags
    """

    header: str
    states: tuple[Any, ...] | None = ()
    is_malformed: bool = False


@dataclass(frozen=True)
class Request:
    """A request without its API key.

    :ivar path: below the base path, not encoded
    :ivar query: parameters in their order; a name may repeat
    :ivar body: JSON
    :ivar condition: of a request about a single item
    :ivar once: its `Idempotency-Key`
    :ivar is_strict: whether it wants unknown fields refused
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    condition: Condition | None = None
    once: str | None = None
    is_strict: bool = False

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method in ("GET", "HEAD")

    def replacing(self, texts: dict[str, str]) -> "Request":
        """The same request, with each of these texts exchanged for another."""

        def changed(text: str) -> str:
            for old, new in texts.items():
                text = text.replace(old, new)
            return text

        return replace(
            self,
            path=changed(self.path),
            query=tuple((name, changed(value)) for name, value in self.query),
            body=None if self.body is None else changed(self.body),
        )

    def texts(self) -> str:
        """All that it says, to be searched."""
        return "\n".join([self.path, *(value for _, value in self.query), self.body or ""])


class Sent(NamedTuple):
    """JSON that has to be what was sent, to the letter."""

    text: str


@dataclass(frozen=True)
class Answer:
    """What the API has to answer.

    :ivar body: the JSON of the answer, with `Sent` for what is opaque. Of an error with details: its code and the names
        of the wrong fields, sorted
    :ivar location: the path of what was created, below the base path
    :ivar item: the state of the single item for which there is an entity tag
    :ivar next_cursor: where the next page begins
    :ivar is_replayed: whether it is the answer to an earlier request
    :ivar remaining: what is left of the key's rate limit; None when no key counts
    """

    status: int
    body: Any
    location: str | None = None
    item: Json | None = None
    next_cursor: str | None = None
    is_replayed: bool = False
    remaining: int | None = None


# What a request does once it has been read.
Do = Callable[[], Answer]


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.answer = Answer(status, body)

    @classmethod
    def because(cls, status: int, error: str, code: str | None = None) -> "Refused":
        """An error without details."""
        return cls(status, {"error": error, "details": [], "code": code or CODES[status]})

    @classmethod
    def naming(cls, status: int, fields: Iterable[str], code: str | None = None) -> "Refused":
        """An error that names fields."""
        return cls(status, {"code": code or CODES[status], "fields": sorted(set(fields))})

    @classmethod
    def wrong(cls, *fields: str) -> "Refused":
        """A request that is invalid."""
        return cls.naming(400, fields)


def opaque(text: str | None) -> Sent | None:
    """Opaque JSON in an answer; one that is null cannot be told from none."""
    return None if text is None or text == "null" else Sent(text)


def told(body: bytes) -> Any:
    """An answer of the server in the form of `Answer.body`."""
    answer = _told(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    if answer.get("details"):
        return {"code": answer["code"], "fields": sorted({detail["field"] for detail in answer["details"]})}
    return answer


def _told(thing: dict[str, msgspec.Raw]) -> Json:
    answer: Json = {}
    for name, value in thing.items():
        if name in OPAQUE:
            answer[name] = opaque(bytes(value).decode())
        elif name in NESTED:
            answer[name] = [_told(each) for each in msgspec.json.decode(value, type=list[dict[str, msgspec.Raw]])]
        else:
            answer[name] = json.loads(bytes(value))
    return answer
