"""Opaque JSON: what clients store with us and get back to the digit, so it is never parsed and printed again."""

import re
import secrets
from itertools import count

import msgspec

from foreman.http.errors import TOO_DEEP, Invalid

# Documents nested at least this deep are always accepted; where beyond it they are refused depends on the Python
# and SQLite in use.
SAFE_NESTING = 500

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode

# Surrogates are the escapes from \ud800 to \udfff.
_SURROGATE = re.compile(rb"\\u[Dd][89A-Fa-f]")
_BROKEN_ESCAPE = re.compile(rb"\\u[Dd](?![0-9A-Fa-f]{3})")

NOTHING = msgspec.Raw(b"null")


def decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    r"""The members of a JSON object, each still as the text it was sent as.

    Unpaired surrogates (`"\ud83d"`) may be in it: RFC 8259's grammar has them, whatever they mean (section 8.2).

    :raises Invalid: when the body is not a JSON object in UTF-8 (RFC 8259, section 8.1)
    """
    try:
        body.decode("utf-8")  # msgspec does not look into what it keeps raw
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
    """The same, for a body that msgspec refuses because of unpaired surrogates, if of nothing else.

    It gets to read the body with a mark in place of what these escapes begin with; then the mark is taken out of the
    members again. Escaped backslashes are marked before, so that none of them is taken for the beginning of an escape.
    All of it is `bytes.replace`, which takes little time and memory whatever is in the body.

    :raises msgspec.DecodeError: when it is not JSON for another reason
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
        raise type(error)(str(error).partition(" (byte ")[0]) from None  # it has counted the marks

    def unmarked(name: str) -> str:
        return name.replace(escape.decode(), r"\u").replace(backslash.decode(), "\\")

    for name, value in members.items():
        if mark in bytes(value):
            members[name] = msgspec.Raw(bytes(value).replace(escape, rb"\u").replace(backslash, rb"\\"))
    return {unmarked(name): value for name, value in members.items()}


def _absent_from(body: bytes) -> bytes:
    """A random text that the body does not have. It may stand in a JSON string, and nowhere else in JSON.

    It begins with the only DEL in it, so that it cannot overlap with itself.
    """
    return next(mark for size in count(1) if (mark := b"\x7f" + secrets.token_urlsafe(size).encode()) not in body)


def has_unpaired_surrogate(value: msgspec.Raw) -> bool:
    """Whether a text or name in a value, which is JSON, has one."""
    try:
        _skip(value)
    except msgspec.DecodeError:
        return True  # the only thing in JSON that it refuses
    except RecursionError:
        pass
    return False


def raw(text: bytes | None) -> msgspec.Raw:
    """Stored JSON, to be spliced into an answer as it is; null when there is none."""
    return NOTHING if text is None else msgspec.Raw(text)


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ").lower()
