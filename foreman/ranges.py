"""Prefixes and globs as ranges of text, so that an index answers them.

Text sorts by code point, and a key or tag has at most 255 characters; that is what bounds the ranges.
"""

import re

LARGEST = "\U0010ffff"
# Larger than every key and tag.
BEYOND = LARGEST * 256

_GLOB_MAGIC = re.compile(r"[*?\[]")


def prefix_range(prefix: str) -> tuple[str, str]:
    """The first text that starts with the prefix, and the first one after them all."""
    kept = prefix.rstrip(LARGEST)
    if not kept:
        return prefix, BEYOND
    successor = ord(kept[-1]) + 1
    if successor == 0xD800:  # surrogates are not characters; text cannot hold them
        successor = 0xE000
    return prefix, kept[:-1] + chr(successor)


def glob_range(pattern: str) -> tuple[str, str]:
    """The range of the part of a glob before its first wildcard: everything the glob matches is in it."""
    return prefix_range(_GLOB_MAGIC.split(pattern, maxsplit=1)[0])
