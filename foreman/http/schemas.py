"""Schemas of requests that endpoints share: base classes for bodies and query parameters, and common fields.

The schemas of a single endpoint are beside its handler.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, missing, pre_load, validate
from werkzeug.datastructures import MultiDict

from foreman.http.fields import (
    ByPath,
    CommaList,
    Id,
    Integer,
    ListItem,
    Opaque,
    OpaqueObject,
    Switch,
    Text,
    TextFilter,
    Time,
    Undecoded,
)
from foreman.http.opaque_json import has_unpaired_surrogate
from foreman.vocabulary import MOST_METADATA_PATHS

# Names chosen by a client that an error response lists at most, and the characters that it shows of each.
MOST_NAMES, LONGEST_NAME = 20, 100

SORT_ORDERS = ("desc", "asc")
LIST_SORTS = ("created_at", "updated_at", "started_at", "completed_at")

# Maximum number of ids in one filter.
MOST_IDS = 100

# SQLite's integers have 64 bits (https://www.sqlite.org/datatype3.html).
LARGEST_OFFSET = 2**63 - 1

# Schemas that are kept, of the requests with the same fields as earlier ones: clients choose which fields there are.
_MOST_NARROWED = 200

EXAMPLE_ID = "019315a4-7c3e-7b52-9d3f-1f0f6f3f2a10"
EXAMPLE_TIME = "2024-11-10T12:00:00.000Z"


def camel_case(name: str) -> str:
    """Convert a Python name to its form in JSON and URLs."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class CamelCase(Schema):
    """A schema whose fields are snake_case in Python and camelCase outside."""

    class Meta:
        unknown = EXCLUDE  # responses may gain fields: clients that were generated before must accept them

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the field its camelCase name."""
        field_obj.data_key = camel_case(field_name)

    def load_given(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The same as `load`, but faster: marshmallow goes through all fields, and most of a list are never given.

        A validator of the whole does not see the defaults of fields that are absent.

        :raises ValidationError: as `load` does
        """
        names = self._optional.intersection(given)
        narrowed = self._narrowed.get(names) or self._narrow(names)
        loaded: dict[str, Any] = narrowed.schema.load(given)
        return narrowed.defaults | loaded

    def _narrow(self, names: frozenset[str]) -> "_Narrowed":
        """The schema with these of its optional fields only, and the defaults of the others."""
        absent = {name: field for name, field in self.load_fields.items() if field.data_key in self._optional - names}
        schema = copy(self)
        schema.load_fields = {name: field for name, field in self.load_fields.items() if name not in absent}
        defaults = {name: field.load_default for name, field in absent.items() if field.load_default is not missing}
        narrowed = _Narrowed(schema, defaults)
        if len(self._narrowed) < _MOST_NARROWED:
            self._narrowed[names] = narrowed
        return narrowed

    @cached_property
    def _narrowed(self) -> dict[frozenset[str], "_Narrowed"]:
        return {}

    @cached_property
    def _optional(self) -> frozenset[str]:
        """The outer names of the fields that may be absent, and have no default that is made anew each time.

        A field by path has many names.
        """
        return frozenset(
            str(field.data_key)
            for field in self.load_fields.values()
            if not field.required and not callable(field.load_default) and not isinstance(field, ByPath)
        )

    def outer_names(self) -> tuple[str, ...]:
        """The camelCase names of its fields, in order."""
        return tuple(
            f"{field.data_key}.PATH" if isinstance(field, ByPath) else str(field.data_key)
            for field in self.load_fields.values()
        )

    def knows(self, name: str) -> bool:
        """Whether a camelCase name is that of a field."""
        return any(
            name.startswith(f"{field.data_key}.") if isinstance(field, ByPath) else name == field.data_key
            for field in self.load_fields.values()
        )


class _Narrowed(NamedTuple):
    schema: CamelCase
    defaults: dict[str, Any]


class Body(CamelCase):
    """A JSON body: unknown fields are ignored, opaque ones stay raw, and the others are decoded.

    `contract.takes` refuses unknown fields if the client asks for that.
    """

    @pre_load
    def decode(self, data: Mapping[str, msgspec.Raw], **_: Any) -> dict[str, Any]:
        """Decode the fields that will be validated; leave opaque ones as they are.

        :raises ValidationError: if a text has an unpaired surrogate, a number is beyond what a float can hold, or a
            value is nested too deep
        """
        decoded: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for field in self.load_fields.values():
            name = str(field.data_key)
            if name in data:
                try:
                    decoded[name] = data[name] if isinstance(field, Undecoded) else msgspec.json.decode(data[name])
                except (msgspec.DecodeError, RecursionError):
                    unpaired = has_unpaired_surrogate(data[name])
                    errors[name] = ["Must not contain an unpaired surrogate." if unpaired else "Not a valid value."]
        if errors:
            raise ValidationError(errors)
        return decoded

    def unknown_fields(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The names of unknown fields, each with a message. `contract.takes` refuses them if the client asks for that.

        :param given: the body as it was sent
        """
        known = self.outer_names()
        message = f"Unknown field; known are {', '.join(known)}."
        return ((name, message) for name in given if name not in known)


class Change(Body):
    """The body of a partial update: absent fields stay as they are. A required field is none that it changes.

    One whose fields are all unknown is refused: a misspelt field would silently change nothing.
    """

    def changes(self) -> tuple[str, ...]:
        """The names of the fields that it can change."""
        return tuple(name for name, field in self.load_fields.items() if not field.required)

    def all_unknown_fields(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The names of unknown fields, each with a message, if there are no others; else nothing."""
        return self.unknown_fields(given) if self._changeable.isdisjoint(given) else iter(())

    @cached_property
    def _changeable(self) -> frozenset[str]:
        return frozenset(map(camel_case, self.changes()))


class Query(CamelCase):
    """Query parameters: an empty filter counts as absent; `contract.asks` refuses unknown parameters.

    A list may continue in a second parameter of the same name; other parameters may be given only once.
    """

    @pre_load
    def gather(self, data: MultiDict[str, str], **_: Any) -> dict[str, Any]:
        """One text for each parameter; the parts of a list are joined.

        :raises ValidationError: if a parameter that is not a list is given more than once
        """
        gathered: dict[str, Any] = {}
        for field in self.load_fields.values():
            name = str(field.data_key)
            if isinstance(field, ByPath):
                if by_path := _by_path(name, data):
                    gathered[name] = by_path
                continue
            if name not in data:
                continue
            values = data.getlist(name)
            if isinstance(field, CommaList):
                values = [",".join(values)]
            if len(values) > 1:
                raise ValidationError("Given more than once.", name)
            if values and (values[0] or not isinstance(field, CommaList | TextFilter)):
                gathered[name] = values[0]
        return gathered

    def load_none(self) -> dict[str, Any] | None:
        """What no parameters at all load to; None if that is not allowed."""
        try:
            loaded: dict[str, Any] = self.load(MultiDict())
        except ValidationError:
            return None
        return loaded


# An empty text is none: no metadata is found by it, and to ignore it would find everything.
_TEXT = Text()


def _by_path(name: str, data: MultiDict[str, str]) -> dict[str, str]:
    """The texts of the parameters that begin with this name and a dot, by the rest of their names.

    :raises ValidationError: if one is no such text, or is given more than once
    """
    found, errors = {}, {}
    for each in data:
        if not each.startswith(f"{name}."):
            continue
        values = data.getlist(each)
        shown = each[:LONGEST_NAME]
        if len(values) > 1:
            errors[shown] = ["Given more than once."]
        else:
            try:
                found[each.removeprefix(f"{name}.")] = _TEXT.deserialize(values[0])
            except ValidationError as error:
                errors[shown] = list(error.messages)
    if len(found) > MOST_METADATA_PATHS:
        errors[name] = [f"Given for more than {MOST_METADATA_PATHS} paths."]
    if errors:
        raise ValidationError(dict(islice(errors.items(), MOST_NAMES)))
    return found


def opaque(example: Any, **kwargs: Any) -> Opaque:
    """A field of opaque JSON, such as `example`."""
    return Opaque(allow_none=True, metadata={"description": "Any JSON value.", "examples": [example]}, **kwargs)


def metadata() -> OpaqueObject:
    """The field `metadata`."""
    return OpaqueObject(metadata={"type": "object", "description": "Anything to be kept with it.",
                                  "examples": [{"source": "nightly"}]})  # fmt: skip


def limit_of(usual: int, most: int) -> Integer:
    """The parameter `limit`, with its default and its maximum."""
    return Integer(load_default=usual, validate=validate.Range(1, most), metadata={"description": "How many at most."})


def offset_of() -> Integer:
    """The parameter `offset`."""
    return Integer(
        load_default=0,
        validate=validate.Range(0, LARGEST_OFFSET),
        metadata={"description": "How many to skip first."},
    )


def sort_by_of(columns: tuple[str, ...], remark: str) -> fields.String:
    """The parameter `sortBy`; its default is the first column."""
    return fields.String(
        load_default=columns[0],
        validate=validate.OneOf(columns),
        metadata={"description": f"What to sort by; {remark}."},
    )


def sort_order_of() -> fields.String:
    """The parameter `sortOrder`."""
    return fields.String(
        load_default="desc",
        validate=validate.OneOf(SORT_ORDERS),
        metadata={"description": "Largest or smallest first."},
    )


def view() -> fields.String:
    """The parameter `view`: how much of each item is wanted."""
    return fields.String(
        load_default="full",
        validate=validate.OneOf(("full", "summary")),
        metadata={"description": "`summary`: the sizes of the payloads in place of the payloads."},
    )


def cursor() -> fields.String:
    """The parameter `cursor`: which page is wanted."""
    return fields.String(
        metadata={"description": "The `nextCursor` of the page before; empty for the first page. Without an offset."}
    )


def count() -> Switch:
    """The parameter `count`: whether the total is wanted."""
    return Switch(
        load_default="true",
        metadata={"description": "`false`: without the total, which then need not be counted."},
    )


class View(Query):
    """How much of one thing is wanted."""

    view = view()


class Page(Query):
    """The page and order of a list of runs or tasks."""

    limit, offset = limit_of(20, 100), offset_of()
    sort_by, sort_order = sort_by_of(LIST_SORTS, "the rows without a value come last"), sort_order_of()
    cursor, count, view = cursor(), count(), view()


def _from(what: str) -> Time:
    return Time(metadata={"description": f"Those that {what} at this time or later.", "examples": [EXAMPLE_TIME]})


def _before(what: str) -> Time:
    return Time(metadata={"description": f"Those that {what} before this time.", "examples": [EXAMPLE_TIME]})


class Listed(Page):
    """The filters that lists of runs and of tasks have in common."""

    ids = CommaList(
        Id(),
        validate=validate.Length(max=MOST_IDS),
        metadata={"description": f"Comma-separated ids, at most {MOST_IDS}."},
    )
    created_after, created_before = _from("were created"), _before("were created")
    updated_after, updated_before = _from("were last changed"), _before("were last changed")
    started_after, started_before = _from("first became running"), _before("first became running")
    completed_after, completed_before = _from("ended"), _before("ended")


def statuses(*allowed: str) -> CommaList:
    """The parameter `status`: one or several of the allowed ones."""
    return CommaList(
        fields.String(validate=validate.OneOf(allowed)),
        metadata={"description": f"One status or a comma-separated list: {', '.join(allowed)}."},
    )


def texts(description: str) -> CommaList:
    """A parameter that is a comma-separated list."""
    return CommaList(ListItem(), metadata={"description": description})
