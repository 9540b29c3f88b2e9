"""Opaque JSON: clients get back what they stored, digit for digit, so it is never decoded and encoded again."""

import re
import secrets
from itertools import count

import msgspec

from foreman.http.errors import TOO_DEEP, Invalid

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode

# Surrogates are the escapes from \ud800 to \udfff.
_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]")
_BROKEN_ESCAPE = re.compile(rb"\\u[Dd](?![0-9A-Fa-f]{3})")

NOTHING = msgspec.Raw(b"null")


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


def _decode_object_with_surrogates(body: bytes) -> dict[str, msgspec.Raw]:
    """The same, for a body that msgspec refuses, perhaps only because of unpaired surrogates.

    msgspec reads the body with a mark in place of the beginning of each surrogate escape. Then the mark is taken out of
    the members again. Escaped backslashes are marked first, so that none is taken for the beginning of an escape. All
    of it is `bytes.replace`, which takes little time and memory whatever is in the body.

    :raises msgspec.DecodeError: if it is not JSON for another reason
    """
    mark = _absent_from(body)
    backslash, escape = mark + b"b", mark + b"u"
    body = body.replace(rb"\\", backslash)
    if _BROKEN_ESCAPE.search(body):
        raise msgspec.DecodeError("invalid character in unicode escape")
    body = body.replace(rb"\ud", escape + b"d").replace(rb"\uD", escape + b"D")
    try:
        members = _decode_object(body)
    except msgspec.DecodeError as error:
        raise type(error)(str(error).partition(" (byte ")[0]) from None  # its byte offset counts the marks

    def unmarked(name: str) -> str:
        return name.replace(escape.decode(), r"\u").replace(backslash.decode(), "\\")

    for name, value in members.items():
        if mark in bytes(value):
            members[name] = msgspec.Raw(bytes(value).replace(escape, rb"\u").replace(backslash, rb"\\"))
    return {unmarked(name): value for name, value in members.items()}


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
