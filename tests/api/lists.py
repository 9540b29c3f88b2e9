"""Lists of runs and of tasks: all their pages, and the order in which they must be."""

from typing import Any

import httpx

from tests.support.api import Json, ok

# What lists can be sorted by, and the fields that hold it.
SORTS = {"created_at": "createdAt", "updated_at": "updatedAt", "started_at": "startedAt", "completed_at": "completedAt"}


def pages(client: httpx.Client, path: str, limit: int, **query: Any) -> list[Json]:
    """Every page of a list, one after the other until one is not full."""
    items: list[Json] = []
    totals = set()
    while True:
        answer = ok(client.get(path, params={"limit": limit, "offset": len(items), **query}))
        assert (answer["limit"], answer["offset"]) == (limit, len(items))
        totals.add(answer["total"])
        items += answer["items"]
        if len(answer["items"]) < limit:
            assert totals == {len(items)}
            return items


def in_order(items: list[Json], sort_by: str, sort_order: str) -> list[Json]:
    """The items as they must be listed: rows without a value last, ties by id."""
    field, descending = SORTS[sort_by], sort_order == "desc"
    with_value = [item for item in items if item[field] is not None]
    without = [item for item in items if item[field] is None]
    return [
        *sorted(with_value, key=lambda item: (item[field], item["id"]), reverse=descending),
        *sorted(without, key=lambda item: item["id"], reverse=descending),
    ]
