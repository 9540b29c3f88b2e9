"""Custom marshmallow fields, for values in bodies and query parameters."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from foreman.vocabulary import LONGEST_TEXT, MOST_TAGS

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


class Id(fields.String):
    """A UUID in its usual form, converted to lower case."""

    default_error_messages = {"invalid_id": "Not a valid UUID."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).lower()
        if not _UUID.fullmatch(text):
            raise self.make_error("invalid_id")
        return text


class Text(fields.String):
    """Text of 1 to 255 characters without NUL, at which SQLite's text functions would stop."""

    default_error_messages = {
        "length": f"Must have 1 to {LONGEST_TEXT} characters.",
        "nul": "Must not contain the character NUL.",
    }

    def __init__(self, **kwargs: Any) -> None:
        described = {"minLength": 1, "maxLength": LONGEST_TEXT, "pattern": r"^[^\u0000]*$"}
        super().__init__(metadata={**described, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not 1 <= len(text) <= LONGEST_TEXT:
            raise self.make_error("length")
        if "\x00" in text:
            raise self.make_error("nul")
        return text


class Tag(Text):
    """A tag: text without commas, because queries separate tags by commas."""

    default_error_messages = {"comma": "Must not contain a comma."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": r"^[^\u0000,]*$", **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if "," in text:
            raise self.make_error("comma")
        return text


class Tags(fields.List[Any]):
    """At most 100 tags. A longer list is refused before its tags are validated: there may be too many."""

    default_error_messages = {"too_many": f"Longer than maximum length {MOST_TAGS}."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Tag(), validate=validate.Length(max=MOST_TAGS), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            if len(value) > MOST_TAGS:
                raise self.make_error("too_many")
            if _are_tags(value):  # else one by one, to say which is not: that costs 4 microseconds each
                return value
        return super()._deserialize(value, attr, data, **kwargs)


def _are_tags(values: list[Any]) -> bool:
    try:
        together = "".join(values)
    except TypeError:  # not all of them are text
        return False
    lengths = [len(value) for value in values] or [1]
    return min(lengths) >= 1 and max(lengths) <= LONGEST_TEXT and "," not in together and "\x00" not in together


class TextFilter(Text):
    """Text in a query parameter that filters a list; if empty, it does not filter."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"minLength": 0, **kwargs.pop("metadata", {})}, **kwargs)


class ListItem(Text):
    """Text in a comma-separated list; if empty, it is ignored."""

    def __init__(self, **kwargs: Any) -> None:
        described = {"minLength": 0, "pattern": r"^[^\u0000,]*$"}
        super().__init__(metadata={**described, **kwargs.pop("metadata", {})}, **kwargs)


class Integer(fields.Integer):
    """A JSON number without a fraction, or the digits of a query parameter. Booleans are refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # to JSON Schema, 3.0 is an integer
        if isinstance(value, str) and not self.strict and re.fullmatch(r"-?\d{1,20}", value, re.ASCII):
            value = int(value)
        if type(value) is not int:
            raise self.make_error("invalid")
        number: int = super()._deserialize(value, attr, data, **kwargs)
        return number


class Opaque(fields.Field[str]):
    """Any JSON value, kept as the exact text that was sent."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return str(bytes(value), "utf-8")


class OpaqueObject(Opaque):
    """A JSON object, kept as the exact text that was sent."""

    default_error_messages = {"not_an_object": "Not a JSON object."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text.startswith("{"):
            raise self.make_error("not_an_object")
        return text


class CommaList(fields.Field[list[str]]):
    """A comma-separated list in a query parameter; empty and repeated items are dropped."""

    def __init__(self, inner: fields.Field[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner or fields.String()

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[str]:
        return [self.inner.deserialize(item, attr, data) for item in dict.fromkeys(value.split(",")) if item]
