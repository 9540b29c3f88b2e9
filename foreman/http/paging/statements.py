"""Statements of lists: each is built once for all requests that differ only in their values.

To build one takes longer than to run it. What it is built from does not have the values, so it cannot depend on them.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from foreman.db.application import current

# Parameters of which one of a few words is chosen.
_CHOSEN = {"sort_by", "sort_order", "tag_mode", "view", "count"}

# Statements that are kept for each list, of about 5 KB: clients choose which parameters there are.
_MOST = 500

# What stands for any text.
_TEXT = "?"

P = ParamSpec("P")

Build = Callable[Concatenate[dict[str, Any], P], str]


def built_once(build: Build[P]) -> Build[P]:
    """Keep the statements that a function builds from validated query parameters.

    :param build: of the list's parameters it gets those that were given. A word that is chosen from a few is there
        itself, as are statuses and `none`. Another text is `"?"`, a number 0, and of a list there are as many items, up
        to two. Its other arguments are texts of the code
    """
    kept: dict[tuple[Any, ...], str] = {}

    @wraps(build)
    def statement(wanted: dict[str, Any], /, *others: P.args, **named: P.kwargs) -> str:
        shape = tuple([(name, _shape_of(name, value)) for name, value in wanted.items()])
        kind = shape, others, *named.values(), type(current.database)
        found = kept.get(kind)
        if found is None:
            found = build(dict(shape), *others, **named)
            if len(kept) < _MOST:
                kept[kind] = found
        return found

    return statement


def _shape_of(name: str, value: Any) -> Any:
    """What a statement may know of a parameter."""
    if name in _CHOSEN or value is None:
        return value
    if isinstance(value, str):
        return value if name == "parent_task_id" and value == "none" else value and _TEXT
    if isinstance(value, list):
        return tuple(sorted(set(value))) if name == "status" else (_TEXT,) * min(len(value), 2)
    return (_TEXT,) * len(value) if isinstance(value, dict) else 0
