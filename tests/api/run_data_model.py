"""The query of run data in plain Python: which entries match, and which of them are on the page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.api import Json


@dataclass
class Entry:
    """An entry as the model knows it. Entries are in the order of insertion."""

    number: int
    key: str
    tags: list[str]
    created_at: int
    updated_at: int
    answer: Json


def glob(pattern: str, text: str) -> bool:
    """SQLite's GLOB (https://www.sqlite.org/lang_expr.html#glob) by its own rules."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    if not text:
        return False
    if pattern[0] == "[":
        allowed, rest = bracket(pattern)
        return allowed(text[0]) and glob(rest, text[1:])
    return pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def bracket(pattern: str) -> tuple[Callable[[str], bool], str]:
    """Which characters the `[...]` that the pattern begins with allows, and the pattern after it.

    A `]` that comes first is a member; so are a `^` that does not come first and a `-` with nothing before or after
    it to make a range. What is never closed allows nothing.
    """
    inside = pattern[1:]
    inverted = inside.startswith("^")
    inside = inside[1:] if inverted else inside
    end = inside.find("]", 1)
    if end == -1:
        return lambda _: False, ""
    inside, rest = inside[:end], inside[end + 1 :]
    ranges, before, position = [], "", 0
    while position < len(inside):
        letter = inside[position]
        if letter == "-" and before and position + 1 < len(inside):
            position += 1
            ranges.append((before, inside[position]))
            before = ""
        else:
            ranges.append((letter, letter))
            before = "" if letter == "]" else letter
        position += 1
    return lambda letter: any(low <= letter <= high for low, high in ranges) != inverted, rest


def wanted_key(key: str, query: Json) -> bool:
    exact, prefixes = [query.get("key", ""), *query.get("keys", [])], query.get("keyStartsWith", [])
    pattern = query.get("keyPattern", "")
    if not any([*exact, *prefixes, pattern]):
        return True
    return (
        key in exact
        or any(key.startswith(prefix) for prefix in prefixes if prefix)
        or (pattern != "" and glob(pattern, key))
    )


def wanted_tags(tags: list[str], query: Json) -> bool:
    enough = all if query.get("tagMode") == "all" else any
    wanted = [tag for tag in query.get("tags", []) if tag]
    prefixes = [prefix for prefix in query.get("tagStartsWith", []) if prefix]
    return (not wanted or enough(tag in tags for tag in wanted)) and (
        not prefixes or enough(any(tag.startswith(prefix) for tag in tags) for prefix in prefixes)
    )


def in_order(entries: list[Entry], query: Json) -> list[tuple[Any, Entry]]:
    """The entries that match, each with what it is sorted by."""
    matching = [entry for entry in entries if wanted_key(entry.key, query) and wanted_tags(entry.tags, query)]
    if query.get("includeAll") != "true":
        matching = list({entry.key: entry for entry in matching}.values())
    sort_by: str = query.get("sortBy", "created_at")
    has_tags = any(query.get("tags", [])) or any(query.get("tagStartsWith", []))
    # The clock may have been set back: then the order of creation is not that of insertion.
    tied = "created_at" if sort_by == "key" and not has_tags else sort_by
    ordered = [((getattr(entry, sort_by), getattr(entry, tied), entry.number), entry) for entry in matching]
    return sorted(ordered, key=lambda each: each[0], reverse=query.get("sortOrder") != "asc")


def answer_of_model(entries: list[Entry], query: Json) -> tuple[list[Json], int]:
    """The entries of the page, and how many match."""
    ordered = in_order(entries, query)
    offset = query.get("offset", 0)
    return [entry.answer for _, entry in ordered[offset : offset + query.get("limit", 100)]], len(ordered)


def tags_of_model(before: list[str], add: list[str], remove: list[str]) -> list[str]:
    tags = [tag for tag in before if tag not in remove]
    for tag in add:
        if tag not in tags:
            tags.append(tag)
    return tags
