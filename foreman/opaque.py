"""Opaque JSON: what clients store with us and get back to the digit, so it is never parsed and printed again."""

from collections.abc import Iterable

import msgspec

from foreman.errors import TOO_DEEP, Invalid

# Documents nested at least this deep are always accepted; where beyond it they are refused depends on the Python
# and SQLite in use.
SAFE_NESTING = 500

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

# Opaque documents that one resource may have: a run's or task's input, output, error and metadata, each from a body.
MOST_IN_ONE = 4

NOTHING = msgspec.Raw(b"null")


def decode_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, each still as the text it was sent as.

    :raises Invalid: when the body is not a JSON object in UTF-8 (RFC 8259, section 8.1)
    """
    try:
        body.decode("utf-8")  # msgspec does not look into what it keeps raw
        return _decode_object(body)
    except UnicodeDecodeError:
        raise Invalid("The body is not UTF-8") from None
    except msgspec.ValidationError:
        raise Invalid("The body must be a JSON object") from None
    except msgspec.DecodeError as error:
        raise Invalid(f"The body is not JSON: {_reason(error)}") from None
    except RecursionError:
        raise Invalid(TOO_DEEP) from None


def raw(text: bytes | None) -> msgspec.Raw:
    """Stored JSON, to be spliced into an answer as it is; null when there is none."""
    return NOTHING if text is None else msgspec.Raw(text)


def _reason(error: msgspec.DecodeError) -> str:
    return str(error).removeprefix("JSON is malformed: ").lower()


def as_list(items: Iterable[str | int] | None) -> str | None:
    """A list as the one JSON value that a statement binds and takes apart with `json_each`; None stays None."""
    return None if items is None else msgspec.json.encode(list(items)).decode()


def as_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as one JSON value to bind: a list of lists of two."""
    return msgspec.json.encode(list(pairs)).decode()
