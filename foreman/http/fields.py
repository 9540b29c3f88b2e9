"""Custom marshmallow fields, for values in bodies and query parameters."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from marshmallow import ValidationError, fields, validate

from foreman.vocabulary import CONTROLS, LONGEST_TEXT, MOST_TAGS

# marshmallow takes some microseconds for each value. Where there are hundreds, in `items.Items`, `are_right` of a field
# looks at all values together: whether it would load them as they are, and finds nothing wrong. It need not recognise
# all that are right, and raises TypeError for some that are not.

_CONTROL = re.compile(f"[{CONTROLS}]")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)

# A date-time of RFC 3339, section 5.6, with nanoseconds at most.
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))",
    re.ASCII | re.IGNORECASE,
)


class Id(fields.String):
    """A UUID in its usual form, converted to lower case."""

    default_error_messages = {"invalid_id": "Not a valid UUID."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).lower()
        if not _UUID.fullmatch(text):
            raise self.make_error("invalid_id")
        return text

    def are_right(self, values: Sequence[Any]) -> bool:
        """Whether all are UUIDs in lower case."""
        return all(_UUID.fullmatch(value) for value in {*values})


class IdOrNone(Id):
    """The same, or `none`."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        return "none" if value == "none" else super()._deserialize(value, attr, data, **kwargs)


class Time(fields.Field[int]):
    """A time (RFC 3339, section 5.6), converted to milliseconds since 1970 UTC.

    What is finer than a millisecond is rounded up, so that the time is on the same side of every stored one as before.
    """

    default_error_messages = {
        "invalid_time": "Not a time with a time zone, such as 2024-11-10T12:00:00.000Z; a plus sign is sent as %2B."
    }

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        given = _TIME.fullmatch(value) if isinstance(value, str) else None
        if given is None:
            raise self.make_error("invalid_time")
        second, fraction, sign, hours, minutes = given.groups()
        try:
            seconds = int(datetime.fromisoformat(second.upper()).replace(tzinfo=UTC).timestamp())
        except ValueError:
            raise self.make_error("invalid_time") from None
        if sign is not None:
            seconds -= (1 if sign == "+" else -1) * (int(hours) * 60 + int(minutes)) * 60
        nanoseconds = int((fraction or "").ljust(9, "0"))
        return seconds * 1000 + -(-nanoseconds // 1_000_000)


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

    def are_right(self, values: Sequence[Any]) -> bool:
        """Whether all are such texts."""
        return _are_texts(values)


class Name(Text):
    """Text that is shown on one line, perhaps of a terminal."""

    default_error_messages = {"control": "Must not contain control characters."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^[^{CONTROLS}]*$", **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if _CONTROL.search(text):
            raise self.make_error("control")
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
            if _are_texts(value, but=","):  # else one by one, to say which is not: that costs 4 microseconds each
                return value
        return super()._deserialize(value, attr, data, **kwargs)

    def are_right(self, values: Sequence[Any]) -> bool:
        """Whether all are such lists."""
        return all(type(tags) is list and len(tags) <= MOST_TAGS for tags in values) and _are_texts(
            list(chain.from_iterable(values)), but=","
        )


def _are_texts(values: Sequence[Any], but: str = "\x00") -> bool:
    """Whether all are texts of 1 to 255 characters without NUL, and without another character."""
    try:
        together = "".join(values)
    except TypeError:  # not all of them are text
        return False
    lengths = [len(value) for value in values] or [1]
    return min(lengths) >= 1 and max(lengths) <= LONGEST_TEXT and but not in together and "\x00" not in together


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

    def are_right(self, values: Sequence[Any]) -> bool:
        """Whether all are integers within the field's range."""
        return all(type(value) is int for value in values) and all_accepted(self, values)


class Flag(fields.Boolean):
    """`true` or `false` in a JSON body; nothing else is taken for one of them."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Switch(fields.String):
    """`true` or `false` in a query parameter, as that text."""

    default_error_messages = {"word": "Must be one of: true, false."}

    def __init__(self, *, load_default: str, metadata: dict[str, Any]) -> None:
        described = {"type": "boolean", "default": load_default == "true"}
        super().__init__(load_default=load_default, metadata={**described, **metadata})

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if value not in ("true", "false"):
            raise self.make_error("word")
        return str(value)


class Undecoded:
    """A field of a body that takes the text as it was sent, as `msgspec.Raw`; the others take the decoded value."""


class Opaque(Undecoded, fields.Field[str]):
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


def all_accepted(field: fields.Field[Any], values: Sequence[Any]) -> bool:
    """Whether the validators of a field accept all these values, which are of its type."""
    try:
        for value in {*values}:
            field._validate(value)
    except ValidationError:
        return False
    return True


class CommaList(fields.Field[list[str]]):
    """A comma-separated list in a query parameter; empty and repeated items are dropped."""

    def __init__(self, inner: fields.Field[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner or fields.String()

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[str]:
        return [self.inner.deserialize(item, attr, data) for item in dict.fromkeys(value.split(",")) if item]


class ByPath(fields.Field[dict[str, str]]):
    """Query parameters `NAME.PATH`, of any path, with NAME that of the field: texts by path, in order of the paths.

    `schemas.Query` gathers and validates them.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> dict[str, str]:
        return dict(sorted(value.items()))
