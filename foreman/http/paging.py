"""Paging by limit and offset: a page is cut from an index first, so that only its own rows are read."""

from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any

from foreman import db
from foreman.db.values import Row
from foreman.http.errors import Invalid, TooLargeToTry
from foreman.http.schemas import LIST_SORTS

# Maximum bytes of opaque JSON on a page. A single item may be larger.
LARGEST_PAGE = 32_000_000

_place = itemgetter(-3, -2)

# What a list may be sorted by. A client chooses among these; its own text never gets into a statement.
COLUMNS = {column: column for column in LIST_SORTS}
ORDERS = {
    "desc": "position DESC NULLS LAST, tiebreak DESC",
    "asc": "position ASC NULLS LAST, tiebreak ASC",
}

# The sort columns of `read_page`; rows without a position come last.
PLACES = {
    "desc": "coalesce(page.position, -1), page.tiebreak",
    "asc": "coalesce(page.position, 9223372036854775807), page.tiebreak",
}


def select_page(
    table: str,
    conditions: Sequence[str],
    sort_by: str,
    sort_order: str,
    statuses: Sequence[str] = (),
    *,
    sorted_by_index: bool = True,
) -> str:
    """A SELECT of `tiebreak` (the row's seq) and `position` (what it is sorted by) for the rows of one page.

    :param conditions: SQL that every row must meet
    :param statuses: the statuses to include, as literals of the code, never a client's text; empty for any. Each is
        read from the index in order and the results are merged, so that nothing is sorted
    :param sorted_by_index: whether an index has the rows that meet the conditions in this order. If not, they are found
        first and then sorted. Left to itself, SQLite might scan all rows in order instead
    """
    position = COLUMNS[sort_by] if sorted_by_index else f"+{COLUMNS[sort_by]}"
    select = f"SELECT seq AS tiebreak, {position} AS position FROM {table} WHERE {' AND '.join(conditions)}"
    if statuses:
        select = " UNION ALL ".join(f"{select} AND status = '{status}'" for status in statuses)
    return f"{select} ORDER BY {ORDERS[sort_order]} LIMIT :limit OFFSET :offset"


def read_page(sql: str, sort_order: str, opaque: slice, /, **values: Any) -> tuple[list[tuple[Any, ...]], int | None]:
    """The items of a page, in order, and the total of the whole list.

    They are sorted here. An ORDER BY would make SQLite hold all of them for the sort, whatever their size.

    :param sql: a statement whose last columns are `PLACES` of the order, and the total. A page beyond the end still has
        one row for the total, in which everything else is NULL
    :param opaque: the columns with opaque JSON
    :return: no items and None if there is no row at all: what the list would belong to does not exist
    :raises Invalid: if the items together exceed `LARGEST_PAGE`
    :raises TooLargeToTry: if they exceed what the request may read before its turn in the queue of large ones
    """
    rows: list[Row] = []
    size, to_try = 0, db.most()
    with closing(db.each(sql, **values)) as found:
        for row in found:
            size += sum(map(len, filter(None, row[opaque])))
            if to_try is not None and size > to_try:
                raise TooLargeToTry
            if size > LARGEST_PAGE and rows:
                message = f"The page would have more than {LARGEST_PAGE // 1_000_000} MB; ask for fewer at once."
                raise Invalid("Validation failed", [{"field": "limit", "message": message}])
            rows.append(row)
    if not rows:
        return [], None
    total: int = rows[0][-1]
    if rows[0][0] is None:
        return [], total
    rows.sort(key=_place, reverse=sort_order == "desc")
    return [row[:-3] for row in rows], total


def page(items: list[dict[str, Any]], total: int | None, limit: int, offset: int) -> dict[str, Any]:
    """The response body of a list of runs or tasks."""
    return {"items": items, "total": total, "limit": limit, "offset": offset}
