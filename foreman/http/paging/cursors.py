"""Cursors: the place of a row in a list, as an opaque text.

A cursor is base64url (RFC 4648, section 5) without padding, of a digest and the place as JSON. The digest is of the
place and of what the list is, so a cursor that was cut off, changed or taken from another list is refused. It is no
secret: a place that somebody makes up is a place in their own list, and its values are bound.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from foreman.http.errors import Invalid
from foreman.vocabulary import LONGEST_TEXT

# A part of the digest: cursors of other versions are refused.
_VERSION = 1

_DIGEST_BYTES = 12

# Characters: of a key of 255 characters, each escaped in JSON, and two numbers.
_LONGEST = 4096

# Times, and their distances from the present that `walks.BEHIND` makes, are far from this; sums of them fit 64 bits.
_LARGEST = 2**62

# Parameters that may differ from page to page.
_OF_A_PAGE = {"limit", "offset", "cursor", "count", "view"}

Place = tuple[int | str, ...]

_decode = msgspec.json.Decoder(list[int | str]).decode


def scope_of(org_id: str, path: str, wanted: Mapping[str, Any]) -> bytes:
    """What a list is: whose, where, and with which filters and order."""
    kept = sorted((name, value) for name, value in wanted.items() if name not in _OF_A_PAGE)
    return msgspec.json.encode([_VERSION, org_id, path.lower(), kept])


def cursor_of(place: Sequence[int | str], scope: bytes) -> str:
    """The cursor of a place in the list of this scope."""
    encoded = msgspec.json.encode(place)
    return base64.urlsafe_b64encode(_digest(encoded, scope) + encoded).decode().rstrip("=")


def place_of(cursor: str, scope: bytes, kinds: Sequence[type]) -> Place:
    """The place of a cursor.

    :param kinds: the types of its values
    :raises Invalid: if it is no cursor of the list of this scope
    """
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        decoded = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        place = tuple(_decode(decoded[_DIGEST_BYTES:]))
        valid = cursor == cursor_of(place, scope) and len(place) == len(kinds) and all(map(_is_a, place, kinds))
    except (ValueError, msgspec.MsgspecError):
        valid = False
    if not valid:
        message = "Not a cursor of this list with these filters and this order."
        raise Invalid("Validation failed", [{"field": "cursor", "message": message}])
    return place


def _digest(place: bytes, scope: bytes) -> bytes:
    return hashlib.sha256(len(place).to_bytes(4, "big") + place + scope).digest()[:_DIGEST_BYTES]


def _is_a(value: int | str, kind: type) -> bool:
    """Whether a value may be in a row: an integer, or a key."""
    if isinstance(value, str):
        return kind is str and 1 <= len(value) <= LONGEST_TEXT and "\x00" not in value
    return kind is int and -_LARGEST < value < _LARGEST
