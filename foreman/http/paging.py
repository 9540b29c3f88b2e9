"""Pages of lists: cut from an index first, so that only the rows of the page are read."""

from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any

from foreman import db
from foreman.db.values import Row
from foreman.http.errors import Invalid, TooLargeToTry

# Bytes of opaque JSON on one page; a single item may be larger.
LARGEST_PAGE = 32_000_000

_place = itemgetter(-3, -2)

# What a list may be sorted by: the only texts from outside that choose a part of a statement, and they only choose.
COLUMNS = {column: column for column in ("created_at", "updated_at", "started_at", "completed_at")}
ORDERS = {
    "desc": "position DESC NULLS LAST, tiebreak DESC",
    "asc": "position ASC NULLS LAST, tiebreak ASC",
}

# The columns that `read_page` sorts by; rows without a position come last.
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

    :param conditions: what every row must meet
    :param statuses: which statuses are wanted, in words of the code's own; none for any. Each is read from the index
        in order and the results are merged, so that nothing is sorted
    :param sorted_by_index: whether an index has the rows that meet the conditions in this order. If not, they are
        found first and sorted then; SQLite left alone might walk through all rows in order instead
    """
    position = COLUMNS[sort_by] if sorted_by_index else f"+{COLUMNS[sort_by]}"
    select = f"SELECT seq AS tiebreak, {position} AS position FROM {table} WHERE {' AND '.join(conditions)}"
    if statuses:
        select = " UNION ALL ".join(f"{select} AND status = '{status}'" for status in statuses)
    return f"{select} ORDER BY {ORDERS[sort_order]} LIMIT :limit OFFSET :offset"


def read_page(sql: str, sort_order: str, opaque: slice, /, **values: Any) -> tuple[list[tuple[Any, ...]], int | None]:
    """The items of a page in order, as long as they fit into one answer, and the total of the whole list.

    They are not sorted by the statement, which would keep all of them for it, whatever their size.

    :param sql: a statement whose last columns are `PLACES` of the order, and the total. The total stands in one row at
        least, so that a page beyond the end has a total too: there everything else is NULL
    :param opaque: which columns have opaque JSON
    :return: no items and None when there is no row, so nothing that such a list could be of
    :raises Invalid: when it is more than `LARGEST_PAGE` together
    :raises TooLargeToTry: when it is more than may be read before it is the request's turn
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
    """The answer to a list of runs or tasks."""
    return {"items": items, "total": total, "limit": limit, "offset": offset}
