"""Pages of runs and of tasks: cut from an index first, so that only the rows of the page are read."""

from collections.abc import Sequence
from typing import Any

# What a list may be sorted by: the only texts from outside that choose a part of a statement, and they only choose.
COLUMNS = {column: column for column in ("created_at", "updated_at", "started_at", "completed_at")}
ORDERS = {
    "desc": "position DESC NULLS LAST, tiebreak DESC",
    "asc": "position ASC NULLS LAST, tiebreak ASC",
}


def select_page(
    table: str, conditions: Sequence[str], sort_by: str, sort_order: str, each_status: Sequence[str] = ()
) -> str:
    """A SELECT of `tiebreak` (the row's seq) and `position` (what it is sorted by) for the rows of one page.

    :param conditions: what every row must meet
    :param each_status: the statuses there are, when the list is narrowed by `:statuses`: each is read from the index
        in order and the results are merged, so that nothing is sorted
    """
    select = f"SELECT seq AS tiebreak, {COLUMNS[sort_by]} AS position FROM {table} WHERE {' AND '.join(conditions)}"
    if each_status:
        select = " UNION ALL ".join(
            f"{select} AND status = '{status}' AND '{status}' IN (SELECT value FROM json_each(:statuses))"
            for status in each_status
        )
    return f"{select} ORDER BY {ORDERS[sort_order]} LIMIT :limit OFFSET :offset"


def page(items: list[dict[str, Any]], total: int, limit: int, offset: int) -> dict[str, Any]:
    """The answer to a list of runs or tasks."""
    return {"items": items, "total": total, "limit": limit, "offset": offset}
