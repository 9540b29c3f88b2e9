"""SQL values: rows, and how lists (as JSON arrays), prefixes and globs (as ranges) are bound.

Text sorts by code point. The length of keys and tags is limited, and that limits the ranges.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from foreman.vocabulary import LONGEST_TEXT, TASK_STATUSES

# A row of a result: the values of its columns, in order.
Row = tuple[Any, ...]

# The seq of the run :run_id, by which what belongs to it is found; NULL if the organisation has no such run.
RUN_SEQ = "(SELECT run.seq FROM run WHERE run.org_id = :org_id AND run.id = :run_id)"

# The number of tasks in a row of counts, which has a column for each status.
ALL_TASKS = " + ".join(TASK_STATUSES)

LAST_CHARACTER = "\U0010ffff"

# Characters of rows that `as_rows` binds at once: the statement takes several times as much memory.
_ROWS_AT_ONCE = 250_000

# Sorts after every key and tag.
BEYOND = LAST_CHARACTER * (LONGEST_TEXT + 1)

_GLOB_MAGIC = re.compile(r"[*?\[]")


def prefix_range(prefix: str) -> tuple[str, str]:
    """The range of texts that start with a prefix: the first of them, and the first text after them all."""
    kept = prefix.rstrip(LAST_CHARACTER)
    if not kept:
        return prefix, BEYOND
    successor = ord(kept[-1]) + 1
    if successor == 0xD800:  # surrogates are not characters; text cannot hold them
        successor = 0xE000
    return prefix, kept[:-1] + chr(successor)


def glob_range(pattern: str) -> tuple[str, str]:
    """The range of a glob's literal prefix, up to its first wildcard. Everything that the glob matches is in it."""
    return prefix_range(_GLOB_MAGIC.split(pattern, maxsplit=1)[0])


def as_list(items: Iterable[str | int] | None) -> str | None:
    """A list as one JSON value to bind, which the statement unpacks with `json_each`; None stays None."""
    return None if items is None else msgspec.json.encode(list(items)).decode()


def as_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs as one JSON value to bind: a list of lists of two."""
    return msgspec.json.encode(list(pairs)).decode()


def as_rows(rows: Iterable[Sequence[str | int | None]]) -> Iterator[str]:
    """Rows as JSON values to bind, each a list of lists: one, unless the rows are large."""
    some: list[Sequence[str | int | None]] = []
    size = 0
    for row in rows:
        length = sum(len(value) for value in row if isinstance(value, str))
        if some and size + length > _ROWS_AT_ONCE:
            yield msgspec.json.encode(some).decode()
            some, size = [], 0
        some.append(row)
        size += length
    if some:
        yield msgspec.json.encode(some).decode()
