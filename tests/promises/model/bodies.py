"""What the body of a request may say, field by field."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.promises.model.exchange import UUID, Refused, Request
from tests.promises.model.things import MOST_TAGS
from tests.support.api import Json
from tests.support.statuses import SETTABLE, TASK_STATUSES

MOST_ITEMS, MOST_NAMED = 1000, 20

Texts = dict[str, str]


class Wrong(Exception):
    """A value that is not allowed; the places in it, such as `.3` in a list. An empty text stands for all of it."""

    def __init__(self, *places: str) -> None:
        super().__init__(*places)
        self.places = places or ("",)


# From the JSON text of a field, or the text of a parameter.
Read = Callable[[str], Any]


# Values ---------------------------------------------------------------------------------------------------------------


def an_id(value: Any) -> str:
    """A UUID; upper case is read as lower case."""
    if not isinstance(value, str) or not UUID.fullmatch(value.lower()):
        raise Wrong
    return value.lower()


def a_text(value: Any) -> str:
    """1 to 255 characters without NUL."""
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or "\0" in value:
        raise Wrong
    return value


def one_of(*allowed: str) -> Callable[[Any], str]:
    """One of these words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Wrong
        return value

    return read


def the_tags(value: Any) -> list[str]:
    """At most 100 texts without commas. Each counts once."""
    if not isinstance(value, list) or len(value) > MOST_TAGS:
        raise Wrong
    wrong = []
    for place, tag in enumerate(value):
        try:
            if "," in a_text(tag):
                raise Wrong
        except Wrong:
            wrong.append(f".{place}")
    if wrong:
        raise Wrong(*wrong)
    return list(dict.fromkeys(value))


def retries(value: Any) -> int:
    """A whole number from 0 to 10."""
    if type(value) is not int or not 0 <= value <= 10:
        raise Wrong
    return value


def a_flag(value: Any) -> bool:
    """`true` or `false`."""
    if type(value) is not bool:
        raise Wrong
    return value


def or_null(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, or null."""
    return lambda value: None if value is None else read(value)


# Bodies ---------------------------------------------------------------------------------------------------------------


def decoded(read: Callable[[Any], Any]) -> Read:
    """What JSON stands for."""
    return lambda text: read(json.loads(text))


def any_json(text: str) -> str:
    """Any JSON, as it was sent."""
    return text


def an_object(text: str) -> str:
    """A JSON object, as it was sent."""
    if not text.startswith("{"):
        raise Wrong
    return text


def members(text: str) -> Texts:
    """The texts of the members of an object."""
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        raise Wrong from None
    return {name: bytes(value).decode() for name, value in raw.items()}


@dataclass(frozen=True)
class Body:
    """The fields of an object.

    :ivar changes: those that a change can have, of which at least one must be known if there is any; None if it is none
    """

    fields: Mapping[str, "Read | Items"]
    required: tuple[str, ...] = ()
    changes: frozenset[str] | None = None

    def __call__(self, texts: Texts) -> Json:
        """The known fields.

        :raises Wrong: naming those that are wrong or missing, and the unknown ones of a change without others
        """
        unknown = [name for name in texts if name not in self.fields]
        if self.changes is not None and unknown and not self.changes & texts.keys():
            raise Wrong(*(f".{name}" for name in unknown))
        given, wrong = {}, [f".{name}" for name in self.required if name not in texts]
        for name, read in self.fields.items():
            if name in texts:
                try:
                    given[name] = read(texts[name])
                except Wrong as error:
                    wrong += [f".{name}{place}" for place in error.places]
        if wrong:
            raise Wrong(*wrong)
        return given

    def unknown(self, texts: Texts) -> list[str]:
        """The places of all unknown fields, those in items included."""
        found = [f".{name}" for name in texts if name not in self.fields]
        for name, read in self.fields.items():
            if name in texts and isinstance(read, Items):
                found += [f".{name}{place}" for place in read.unknown(texts[name])]
        return found


@dataclass(frozen=True)
class Items:
    """A list of objects."""

    body: Body
    fewest: int = 1

    def __call__(self, text: str) -> list[Json]:
        """The fields of each.

        :raises Wrong: naming what is wrong in up to 20 of them
        """
        texts = self.split(text)
        if not self.fewest <= len(texts) <= MOST_ITEMS:
            raise Wrong
        items, wrong = [], {}
        for place, each in enumerate(texts):
            try:
                items.append(self.body(members(each)))
            except Wrong as error:
                wrong[place] = [f".{place}{below}" for below in error.places]
        if wrong:
            raise Wrong(*(below for places in list(wrong.values())[:MOST_NAMED] for below in places))
        return items

    def unknown(self, text: str) -> list[str]:
        """The places of unknown fields."""
        try:
            texts = self.split(text)
        except Wrong:
            return []
        found = []
        for place, each in enumerate(texts):
            if each.startswith("{"):
                found += [f".{place}{below}" for below in self.body.unknown(members(each))]
        return found

    @staticmethod
    def split(text: str) -> list[str]:
        """The texts of the items."""
        try:
            return [bytes(each).decode() for each in msgspec.json.decode(text, type=list[msgspec.Raw])]
        except msgspec.ValidationError:
            raise Wrong from None


def fields_of(request: Request, body: Body, together: Callable[[Json], Iterable[str]] = lambda _: ()) -> Json:
    """The known fields of a request's body.

    :param together: what is wrong with fields that are right each by itself
    :raises Refused: when one is wrong, a required one is missing, or one is unknown and must not be
    """
    texts = members(request.body or "{}")
    wrong = body.unknown(texts)[:MOST_NAMED] if request.is_strict else []
    try:
        given = body(texts)
        wrong += [f".{name}" for name in together(given)]
    except Wrong as error:
        wrong += error.places
    if wrong:
        raise Refused.wrong(*(place[1:] for place in wrong))
    return given


def change_of(fields: Mapping[str, Read], required: tuple[str, ...] = (), **others: Read) -> Body:
    """A change; `others` are fields that it cannot change."""
    return Body({**fields, **others}, required, frozenset(fields))


METADATA: dict[str, Read] = {"metadata": an_object}
LABELS: dict[str, Read] = {"externalId": decoded(or_null(a_text)), "tags": decoded(the_tags)}
RESULTS: dict[str, Read] = {"outputData": any_json, "errorData": any_json, **METADATA, **LABELS}

# Of a task, whatever it belongs to.
_TASK: dict[str, Read] = {
    "parentTaskId": decoded(or_null(an_id)),
    "type": decoded(a_text),
    "inputData": any_json,
    "maxRetries": decoded(retries),
    **METADATA,
    **LABELS,
}
_ENTRY: dict[str, Read] = {"key": decoded(a_text), "value": any_json, "tags": decoded(the_tags), **METADATA}
_CHANGED_TASK: dict[str, Read] = {
    "status": decoded(one_of(*TASK_STATUSES)),
    **RESULTS,
    "queueJobId": decoded(a_text),
}
_REFS: dict[str, Read] = {"ref": decoded(or_null(a_text)), "parent": decoded(or_null(a_text))}

NEW_TASK = Body({"runId": decoded(an_id), **_TASK}, ("runId", "type", "inputData"))
NEW_TASK_OF_RUN = Body({**_TASK, **_REFS}, ("type", "inputData"))
NEW_ENTRY = Body({"taskId": decoded(an_id), **_ENTRY}, ("taskId", "key", "value"))
NEW_ENTRY_OF_NEW_TASK = Body({"task": decoded(a_text), **_ENTRY}, ("task", "key", "value"))
NEW_RUN = Body(
    {
        "inputData": any_json,
        **METADATA,
        **LABELS,
        "strict": decoded(a_flag),
        "tasks": Items(NEW_TASK_OF_RUN, 0),
        "data": Items(NEW_ENTRY_OF_NEW_TASK, 0),
    },
    ("inputData",),
)
RUN_CHANGE = change_of({"status": decoded(one_of(*SETTABLE)), **RESULTS})
TASK_CHANGE = change_of(_CHANGED_TASK)
TAGS_CHANGE = change_of({"add": decoded(the_tags), "remove": decoded(the_tags)})
NEW_TASKS = Body({"items": Items(NEW_TASK_OF_RUN)}, ("items",))
NEW_ENTRIES = Body({"items": Items(NEW_ENTRY)}, ("items",))
TASK_CHANGES = Body({"items": Items(change_of(_CHANGED_TASK, ("id",), id=decoded(an_id)))}, ("items",))
