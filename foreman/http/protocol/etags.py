"""Entity tags and conditional requests (RFC 9110, sections 8.8.3 and 13): who changes an item says which state it saw.

A tag is a hash of the representation's bytes, so it is strong and nothing is stored for it. Tags are compared weakly
all the same, also for `If-Match`. A proxy that compresses a response marks its tag as weak, such as nginx, and the
client has no other to send back: `W/"x"` stands for the state whose tag was `"x"`.
"""

import re
from hashlib import blake2b
from typing import Any
from wsgiref.types import WSGIEnvironment

import msgspec
from flask import request

from foreman.http.errors import Invalid, PreconditionFailed

# Bytes of a hash.
_SIZE = 12

# An entity tag (RFC 9110, section 8.8.3), its mark of weakness apart.
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def etag_of(representation: bytes) -> str:
    """The strong entity tag of a representation, in quotes."""
    return f'"{blake2b(representation, digest_size=_SIZE).hexdigest()}"'


def is_known(tag: str, environ: WSGIEnvironment) -> bool:
    """Whether the client has the representation with this tag, as its `If-None-Match` says (section 13.1.2).

    :param environ: of a request with that header
    :raises Invalid: if the header is malformed
    """
    tags = _parse("If-None-Match", environ["HTTP_IF_NONE_MATCH"])
    return tags is None or tag in tags


def if_match() -> frozenset[str] | None:
    """The tags of the request's `If-Match` (section 13.1.1): the change is wanted only of an item with one of them.

    :return: None if any item will do: without the header, and for `*`. What does not exist is a 404 in any case
    :raises Invalid: if the header is malformed
    """
    header = request.environ.get("HTTP_IF_MATCH")
    return None if header is None else _parse("If-Match", header)


def check(wanted: frozenset[str], item: Any) -> None:
    """Compare an item, which nobody else may change until the transaction ends, with `if_match`.

    :param item: the body of a response with it
    :raises PreconditionFailed: if it has none of these tags
    """
    if etag_of(msgspec.json.encode(item)) not in wanted:
        raise PreconditionFailed


def _parse(name: str, header: str) -> frozenset[str] | None:
    """The tags of a list, without their marks of weakness; None for `*`. Empty elements are ignored (section 5.6.1).

    :raises Invalid: if it is neither
    """
    if header.strip(" \t") == "*":
        return None
    tags = frozenset(_TAG.findall(header))
    between = _TAG.sub("\x00", header).split(",")  # no header has a NUL of its own
    if not tags or any(each.strip(" \t") not in ("", "\x00") for each in between):
        message = 'Must be "*" or entity tags in quotes, separated by commas.'
        raise Invalid("Validation failed", [{"field": name, "message": message}])
    return tags
