"""Lists of objects in bodies, each validated by a schema of its own: the items of a batch."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
from marshmallow import Schema, ValidationError, fields, missing, validate

from foreman.http.contract import shown
from foreman.http.errors import Invalid
from foreman.http.fields import Opaque, OpaqueObject, Undecoded, all_accepted
from foreman.http.opaque_json import decode_object, first_of_list, items_of, split_list
from foreman.http.schemas import MOST_NAMES, Body, Change
from foreman.vocabulary import MOST_ITEMS

Item = dict[str, Any]

# Items of which an error response says what is wrong with them, at most.
MOST_WRONG = 20

_split = first_of_list(msgspec.Raw, MOST_ITEMS)


class Items(Undecoded, fields.List[Any]):
    """A list of up to 1,000 objects. An error names the item by its place, from 0: `items.17.key`.

    Each is loaded to a dict of all fields of its schema; what is absent and has no default is None. A `Change` has only
    those that are there.

    marshmallow takes many times as long for an item as its JSON takes to be parsed. So all items are parsed and looked
    at together, one field after the other. If something is not plainly right, marshmallow takes one item after the
    other: it decides, and says what is wrong.

    :param fewest: how many items there must be at least
    """

    default_error_messages = {
        "too_few": "Shorter than minimum length {fewest}.",
        "too_many": f"Longer than maximum length {MOST_ITEMS}.",
        "no_object": "Not a JSON object.",
    }

    def __init__(self, schema: type[Body], *, fewest: int = 1, **kwargs: Any) -> None:
        super().__init__(fields.Nested(schema), validate=validate.Length(fewest, MOST_ITEMS), **kwargs)
        self._fewest = fewest
        self.loader = schema()
        self._changes = self.loader.changes() if isinstance(self.loader, Change) else ()
        self._is_change = isinstance(self.loader, Change)

    def unknown_fields(self, value: msgspec.Raw) -> Iterator[tuple[str, str]]:
        """The names of unknown fields in the items, with the items' places, each with a message.

        :param value: the list as it was sent; what is not a list of objects has no fields
        """
        try:
            items = split_list(value, _split)
        except (msgspec.DecodeError, RecursionError):
            return
        for place, item in enumerate(items):
            try:
                given = decode_object(bytes(item))
            except Invalid:
                continue
            for name, message in self.loader.unknown_fields(given):
                yield f"{place}.{name}", message

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        try:
            items = self._load_together(value)
        except (msgspec.DecodeError, RecursionError, TypeError):
            items = None
        return self._load_each(value) if items is None else items

    # Together ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _decoder(self) -> "msgspec.json.Decoder[msgspec.Struct]":
        """Reads items that have the fields which are required, whatever is in these."""
        named = {name: str(field.data_key) for name, field in self.loader.load_fields.items()}
        described: list[Any] = [
            (
                name,
                msgspec.Raw if isinstance(field, Undecoded) else object,
                *(() if field.required else (msgspec.UNSET,)),
            )
            for name, field in self.loader.load_fields.items()
        ]
        described.sort(key=len)  # those without a default have to come first
        return first_of_list(msgspec.defstruct("Given", described, rename=named, gc=False), MOST_ITEMS)

    def _load_together(self, value: msgspec.Raw) -> list[Item] | None:
        """All items, if they are plainly right. Else None, or an exception."""
        given = items_of(self._decoder.decode(value))
        if not 0 < len(given) <= MOST_ITEMS:
            return None
        columns: dict[str, list[Any]] = {}
        for name, field in self.loader.load_fields.items():
            column = _load_column(field, [getattr(item, name) for item in given], fill=not self._is_change)
            if column is None:
                return None
            columns[name] = column
        if self._is_change:
            items = [
                {name: value for name, value in zip(columns, item, strict=True) if value is not msgspec.UNSET}
                for item in zip(*columns.values(), strict=True)
            ]
            # Of an item without changes all fields may be unknown.
            required = len(columns) - len(self._changes)
            return items if min(map(len, items)) > required else None
        return [dict(zip(columns, item, strict=True)) for item in zip(*columns.values(), strict=True)]

    # One after the other ----------------------------------------------------------------------------------------------

    def _load_each(self, value: msgspec.Raw) -> list[Item]:
        try:
            given = split_list(value, _split)
        except (msgspec.DecodeError, RecursionError):
            raise self.make_error("invalid") from None
        if len(given) < self._fewest:
            raise self.make_error("too_few", fewest=self._fewest)
        if len(given) > MOST_ITEMS:
            raise self.make_error("too_many")
        items: list[Item] = []
        wrong: dict[int, Any] = {}
        for place, item in enumerate(given):
            try:
                items.append(self._load(item))
            except ValidationError as error:
                wrong[place] = error.messages
                if len(wrong) == MOST_WRONG:
                    break
        if wrong:
            raise ValidationError(wrong)
        return items

    def _load(self, item: msgspec.Raw) -> Item:
        try:
            given = decode_object(bytes(item))
        except Invalid:
            raise self.make_error("no_object") from None
        unknown = self.loader.all_unknown_fields(given) if isinstance(self.loader, Change) else ()
        if wrong := {shown(name): [message] for name, message in islice(unknown, MOST_NAMES)}:
            raise ValidationError(wrong)
        loaded: Item = self.loader.load(given)
        return loaded if self._is_change else {name: loaded.get(name) for name in self.loader.load_fields}


def _load_column(field: fields.Field[Any], column: list[Any], *, fill: bool) -> list[Any] | None:
    """The values of one field as they are loaded. None if something may be wrong, or may be loaded as another value.

    :param fill: whether what is absent gets the default
    """
    given = [value for value in column if value is not msgspec.UNSET]
    if isinstance(field, Opaque):
        given = [str(value, "utf-8") for value in given]
        if isinstance(field, OpaqueObject) and not all(text.startswith("{") for text in given):
            return None
    elif not _are_right(field, [value for value in given if value is not None or not field.allow_none]):
        return None
    if len(given) == len(column):
        return given
    default, remaining = field.load_default if fill else msgspec.UNSET, iter(given)
    if not callable(default):
        default = None if default is missing else default
        return [default if value is msgspec.UNSET else next(remaining) for value in column]
    return [default() if value is msgspec.UNSET else next(remaining) for value in column]


def _are_right(field: fields.Field[Any], values: list[Any]) -> bool:
    """Whether a field would load all these values as they are. It may be no although it would."""
    if type(field) is fields.String:
        return all(type(value) is str for value in values) and all_accepted(field, values)
    return hasattr(field, "are_right") and field.are_right(values)


class BodyWithItems(Body):
    """A body that has `Items`."""

    @cached_property
    def _lists(self) -> list[Items]:
        return [field for field in self.load_fields.values() if isinstance(field, Items)]

    @cached_property
    def _without_lists(self) -> Schema:
        others = {name: field for name, field in self.declared_fields.items() if not isinstance(field, Items)}
        return Body.from_dict(others, name=f"{type(self).__name__}WithoutLists")()

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Validate a body. One without lists is validated without what is about them, which takes as long as the rest.

        :raises ValidationError: if something is wrong
        """
        if any(field.required or field.data_key in data for field in self._lists):
            return super().load(data, **kwargs)
        return self._without_lists.load(data, **kwargs)

    def unknown_fields(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The names of unknown fields, those in items included, each with a message."""
        yield from super().unknown_fields(given)
        for field in self._lists:
            outer = str(field.data_key)
            if outer in given:
                for name, message in field.unknown_fields(given[outer]):
                    yield f"{outer}.{name}", message
