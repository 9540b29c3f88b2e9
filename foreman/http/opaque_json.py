"""Opaque JSON: clients get back what they stored, digit for digit, so it is never decoded and encoded again."""

import re
import secrets
from itertools import count, takewhile
from typing import Any

import msgspec

from foreman.http.errors import TOO_DEEP, Invalid

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode

# Surrogates are the escapes from \ud800 to \udfff.
_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]")
_BROKEN_ESCAPE = re.compile(rb"\\u[Dd](?![0-9A-Fa-f]{3})")

NOTHING = msgspec.Raw(b"null")


def first_of_list(type_: Any, most: int) -> "msgspec.json.Decoder[msgspec.Struct]":
    """A decoder of JSON arrays to a Struct with the first `most` items and one more, if there are so many.

    What comes after those is skipped, so it takes no memory. Where there are fewer items, `msgspec.UNSET` ends them.
    """
    items = [(f"item_{number}", type_, msgspec.UNSET) for number in range(most + 1)]
    return msgspec.json.Decoder(msgspec.defstruct("FirstOfList", items, array_like=True))


def split_list(text: msgspec.Raw, decoder: "msgspec.json.Decoder[msgspec.Struct]") -> list[msgspec.Raw]:
    r"""Split a JSON array into its items, each still the exact text that was sent.

    :param decoder: what `first_of_list` returns for the type `msgspec.Raw`
    :raises msgspec.ValidationError: if it is not an array
    :raises RecursionError: if it is nested too deep
    """
    try:
        return items_of(decoder.decode(text))
    except msgspec.DecodeError as error:
        if isinstance(error, msgspec.ValidationError):
            raise
    # The text is JSON, so it has an unpaired surrogate.
    surrogates = _Surrogates(bytes(text))
    return [surrogates.back_in(item) for item in items_of(decoder.decode(surrogates.marked))]


def items_of(first: msgspec.Struct) -> list[Any]:
    """The items that a decoder of `first_of_list` has found."""
    return list(takewhile(lambda item: item is not msgspec.UNSET, msgspec.structs.astuple(first)))


def decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    r"""Split a JSON object into its members, each still the exact text that was sent.

    Unpaired surrogates (`"\ud83d"`) are allowed: RFC 8259's grammar has them, whatever they mean (section 8.2).

    :raises Invalid: if the body is not a JSON object in UTF-8 (RFC 8259, section 8.1)
    """
    try:
        body.decode("utf-8")  # msgspec does not check the encoding of what it keeps raw
        try:
            return _decode_object(body)
        except msgspec.DecodeError as error:
            if isinstance(error, msgspec.ValidationError) or not _SURROGATE.search(body):
                raise
        return _decode_object_with_surrogates(body)
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8") from None
    except msgspec.ValidationError:
        raise Invalid("The body must be a JSON object") from None
    except msgspec.DecodeError as error:
        raise Invalid(f"The body is not JSON: {_reason(error)}") from None
    except RecursionError:
        raise Invalid(TOO_DEEP) from None


class _Surrogates:
    """JSON that msgspec refuses, perhaps only because of unpaired surrogates, with marks that make it readable.

    A mark stands in place of the beginning of each surrogate escape. Escaped backslashes are marked first, so that none
    is taken for the beginning of an escape. All of it is `bytes.replace`, which takes little time and memory whatever
    is in the text.

    :ivar marked: the text with the marks
    :raises msgspec.DecodeError: if an escape is malformed
    """

    def __init__(self, text: bytes) -> None:
        self._mark = _absent_from(text)
        self._backslash, self._escape = self._mark + b"b", self._mark + b"u"
        text = text.replace(rb"\\", self._backslash)
        if _BROKEN_ESCAPE.search(text):
            raise msgspec.DecodeError("invalid character in unicode escape")
        self.marked = text.replace(rb"\ud", self._escape + b"d").replace(rb"\uD", self._escape + b"D")

    def back_in(self, part: msgspec.Raw) -> msgspec.Raw:
        """A part of the marked text as it was sent."""
        text = bytes(part)
        if self._mark not in text:
            return part
        return msgspec.Raw(text.replace(self._escape, rb"\u").replace(self._backslash, rb"\\"))

    def back_in_name(self, name: str) -> str:
        """The same of a decoded name, with backslashes decoded, too."""
        return name.replace(self._escape.decode(), r"\u").replace(self._backslash.decode(), "\\")


def _decode_object_with_surrogates(body: bytes) -> dict[str, msgspec.Raw]:
    """The same, for a body that msgspec refuses, perhaps only because of unpaired surrogates.

    :raises msgspec.DecodeError: if it is not JSON for another reason
    """
    surrogates = _Surrogates(body)
    try:
        members = _decode_object(surrogates.marked)
    except msgspec.DecodeError as error:
        raise type(error)(str(error).partition(" (byte ")[0]) from None  # its byte offset counts the marks
    return {surrogates.back_in_name(name): surrogates.back_in(value) for name, value in members.items()}


def _absent_from(body: bytes) -> bytes:
    """A random mark that does not occur in the body. It is valid within a JSON string, and nowhere else in JSON.

    Its only DEL is its first byte, so that it cannot overlap with itself.
    """
    return next(mark for size in count(1) if (mark := b"\x7f" + secrets.token_urlsafe(size).encode()) not in body)


def has_unpaired_surrogate(value: msgspec.Raw) -> bool:
    """Whether a string or a name in a JSON value has an unpaired surrogate."""
    try:
        _skip(value)
    except msgspec.DecodeError:
        return True  # the only valid JSON that msgspec refuses
    except RecursionError:
        pass
    return False


def raw(text: bytes | None) -> msgspec.Raw:
    """Stored JSON of a column that may be NULL, to be spliced into a response as it is; null if there is none.

    A page has hundreds of them: for a column that is never NULL, `msgspec.Raw` alone takes half the time.
    """
    return NOTHING if text is None else msgspec.Raw(text)


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ").lower()
