"""Paging by limit and offset: a page is cut from an index first, so that only its own rows are read."""

from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any

from foreman import db
from foreman.db.values import Row
from foreman.http.errors import Invalid, TooLargeToTry
from foreman.http.schemas import LARGEST_OFFSET, LIST_SORTS
from foreman.vocabulary import ENDED

# Maximum bytes of opaque JSON on a page. A single item may be larger.
LARGEST_PAGE = 32_000_000

# The columns of `PLACE` in a row of `read_page`.
POSITION, TIEBREAK = -3, -2

# What a list may be sorted by. A client chooses among these; its own text never gets into a statement.
COLUMNS = {column: column for column in LIST_SORTS}
ORDERS = {"desc": "position DESC, tiebreak DESC", "asc": "position ASC, tiebreak ASC"}
BY_CREATION = {"desc": "created_at DESC, seq DESC", "asc": "created_at ASC, seq ASC"}

# The position of a row that has no value to sort by: after all that have one, in order of creation.
LAST = {"desc": "created_at - 1000000000000000", "asc": "created_at + 1000000000000000"}

# The sort columns of `read_page`.
PLACE = "page.position, page.tiebreak"

# Each status is in an index as these two, each in order of creation.
NOT_STARTED, STARTED = "(started_at IS NULL) = TRUE", "(started_at IS NULL) = FALSE"


def cut_page(walks: Sequence[str], sort_order: str) -> str:
    """A SELECT of the rows of one page, with `tiebreak` and `position`.

    :param walks: SELECTs of `walk` and `walk_last`
    """
    return db.merge(walks, ORDERS[sort_order])


def walk(table: str, conditions: Sequence[str], sort_by: str) -> str:
    """A SELECT of `tiebreak` (the row's seq) and `position` (what it is sorted by), of rows that an index has in order.

    :param conditions: SQL that every row must meet
    """
    return f"SELECT seq AS tiebreak, {COLUMNS[sort_by]} AS position FROM {table} WHERE {' AND '.join(conditions)}"


def walk_last(table: str, conditions: Sequence[str], sort_order: str) -> str:
    """The same for rows without a value to sort by, which an index has in order of creation.

    :reach is how many of them the page can need: SQLite puts them into the order of the page before it merges them.
    """
    return f"""
        SELECT tiebreak, position
        FROM (
            SELECT seq AS tiebreak, {LAST[sort_order]} AS position
            FROM {table}
            WHERE {" AND ".join(conditions)}
            ORDER BY {BY_CREATION[sort_order]}
            LIMIT :reach
        ) AS last
        """


def find_and_sort(table: str, conditions: Sequence[str], sort_by: str, sort_order: str) -> str:
    """The same for rows that no index has in order: they are found first, and then sorted.

    The position is an expression, because SQLite might otherwise scan all rows in order instead.
    """
    position = f"coalesce({COLUMNS[sort_by]}, {LAST[sort_order]})"
    return f"SELECT seq AS tiebreak, {position} AS position FROM {table} WHERE {' AND '.join(conditions)}"


def walk_statuses(
    table: str, conditions: Sequence[str], sort_by: str, sort_order: str, statuses: Sequence[str], *, timed: bool
) -> list[str]:
    """The walks of the rows with one of several statuses.

    :param statuses: as literals of the code, never a client's text
    :param timed: whether the indexes on the other times are by status, too. If not, `statuses` must be all there are,
        except when sorted by creation
    """
    of_status = {status: [*conditions, f"status = '{status}'"] for status in statuses}
    if sort_by == "created_at":
        return [walk(table, [*of, part], sort_by) for of in of_status.values() for part in (NOT_STARTED, STARTED)]
    with_time = list(of_status.values()) if timed else [[*conditions]]
    if sort_by == "updated_at":
        return [walk(table, of, sort_by) for of in with_time]
    walks = [walk(table, [*of, f"{COLUMNS[sort_by]} IS NOT NULL"], sort_by) for of in with_time]
    if sort_by == "started_at":
        return walks + [walk_last(table, [*of, NOT_STARTED], sort_order) for of in of_status.values()]
    return walks + [
        walk_last(table, [*of, part], sort_order)
        for status, of in of_status.items()
        if status not in ENDED
        for part in (NOT_STARTED, STARTED)
    ]


def read_page(
    sql: str, sort_order: str, opaque: slice, /, places: Sequence[int] = (POSITION, TIEBREAK), **values: Any
) -> tuple[list[tuple[Any, ...]], int | None]:
    """The items of a page, in order, and the total of the whole list.

    They are sorted here. An ORDER BY would make SQLite hold all of them for the sort, whatever their size.

    :param sql: a statement whose last columns are `PLACE`, and the total. A page beyond the end still has
        one row for the total, in which everything else is NULL
    :param opaque: the columns with opaque JSON
    :param places: the columns to sort by
    :return: no items and None if there is no row at all: what the list would belong to does not exist
    :raises Invalid: if the items together exceed `LARGEST_PAGE`
    :raises TooLargeToTry: if they exceed what the request may read before its turn in the queue of large ones
    """
    rows: list[Row] = []
    size, to_try = 0, db.most()
    reach = min(values["limit"] + values["offset"], LARGEST_OFFSET)
    with closing(db.each(sql, reach=reach, **values)) as found:
        for row in found:
            for text in row[opaque]:
                if text is not None:
                    size += len(text)
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
    rows.sort(key=itemgetter(*places), reverse=sort_order == "desc")
    return [row[:-3] for row in rows], total


def page(items: list[dict[str, Any]], total: int | None, limit: int, offset: int) -> dict[str, Any]:
    """The response body of a list of runs or tasks."""
    return {"items": items, "total": total, "limit": limit, "offset": offset}
