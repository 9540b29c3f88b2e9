"""Walks: how the rows of a list are found, from its start or from a cursor on.

A page is cut from walks first, so that only its own rows are read. A walk after a cursor begins in its index where the
cursor is, so that a page costs the same wherever it is. :after_position and :after_tiebreak are of the last row before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from foreman import db
from foreman.http.schemas import LIST_SORTS
from foreman.vocabulary import ENDED

# What a list may be sorted by. A client chooses among these; its own text never gets into a statement.
COLUMNS = {column: column for column in LIST_SORTS}
ORDERS = {"desc": "position DESC, tiebreak DESC", "asc": "position ASC, tiebreak ASC"}
BY_CREATION = {"desc": "created_at DESC, seq DESC", "asc": "created_at ASC, seq ASC"}
BEYOND = {"desc": "<", "asc": ">"}

# The position of a row that has no value to sort by: after all that have one, in order of creation.
BEHIND = 1_000_000_000_000_000
LAST = {"desc": f"created_at - {BEHIND}", "asc": f"created_at + {BEHIND}"}

# Each status is in an index as these two, each in order of creation.
NOT_STARTED, STARTED = "(started_at IS NULL) = TRUE", "(started_at IS NULL) = FALSE"

# The filters by time, of each column that has some: from a time on, and before a time.
FROM = {column: (f"{column[:-3]}_after", f"{column} >= :{column[:-3]}_after") for column in LIST_SORTS}
BEFORE = {column: (f"{column[:-3]}_before", f"{column} < :{column[:-3]}_before") for column in LIST_SORTS}

_BY_TIME = [name for limits in (FROM, BEFORE) for name, _ in limits.values()]


class Range(NamedTuple):
    """The limits of a time that filters give, as SQL: none or one at each end."""

    start: tuple[str, ...] = ()
    end: tuple[str, ...] = ()


@dataclass(frozen=True)
class Walk:
    """Rows of a table that an index has in the order of the page.

    :ivar conditions: SQL that every row must meet
    :ivar position: SQL of what they are sorted by; ties are broken by `seq`
    :ivar within: the limits of the position
    """

    table: str
    conditions: Sequence[str]
    position: str
    within: Range = field(default=Range())

    def matches(self) -> str:
        """A SELECT of one column, with a row for each row of the walk."""
        return f"SELECT 1 AS one FROM {self.table} WHERE {' AND '.join(self._all())}"

    def select(self, sort_order: str, *, after: bool) -> str:
        """A SELECT of `tiebreak` (the row's seq) and `position`.

        :param after: whether only of the rows after the cursor
        """
        met = self._after(sort_order) if after else self._all()
        return f"SELECT seq AS tiebreak, {self.position} AS position FROM {self.table} WHERE {' AND '.join(met)}"

    def _all(self) -> list[str]:
        return [*self.conditions, *self.within.start, *self.within.end]

    def _after(self, sort_order: str) -> list[str]:
        """The conditions after a cursor.

        It is within the limits already. The one at its end of the index is only checked, or SQLite might begin there.
        """
        start, end = self.within
        limits = [*start, *map(checked, end)] if sort_order == "desc" else [*map(checked, start), *end]
        return [*self.conditions, *limits, beyond(sort_order, **{self.position: "position", "seq": "tiebreak"})]


class WalkLast(Walk):
    """Rows without a value to sort by, which an index has in order of creation.

    :reach is how many of them the page can need: SQLite puts them into the order of the page before it merges them.
    :after_last is when the last row before was created, if it has no value either.
    """

    def select(self, sort_order: str, *, after: bool) -> str:
        """The same, in the order of the page already."""
        last = beyond(sort_order, created_at="last", seq="tiebreak")
        return f"""
            SELECT tiebreak, position
            FROM (
                SELECT seq AS tiebreak, {LAST[sort_order]} AS position
                FROM {self.table}
                WHERE {" AND ".join([*self.conditions, last] if after else self.conditions)}
                ORDER BY {BY_CREATION[sort_order]}
                LIMIT :reach
            ) AS last
            """


def find_and_sort(table: str, conditions: Sequence[str], sort_by: str, sort_order: str) -> Walk:
    """A walk of rows that no index has in order: they are found first, and then sorted.

    The position is an expression, because SQLite might otherwise scan all rows in order instead.
    """
    return Walk(table, conditions, f"coalesce({COLUMNS[sort_by]}, {LAST[sort_order]})")


def walk_statuses(
    table: str, conditions: Sequence[str], sort_by: str, sort_order: str, statuses: Sequence[str], *, timed: bool
) -> list[Walk]:
    """The walks of the rows with one of several statuses.

    :param statuses: as literals of the code, never a client's text
    :param timed: whether the indexes on the other times are by status, too. If not, `statuses` must be all there are,
        except when sorted by creation
    """
    of_status = {status: [*conditions, f"status = '{status}'"] for status in statuses}
    column = COLUMNS[sort_by]
    if sort_by == "created_at":
        return [Walk(table, [*of, part], column) for of in of_status.values() for part in (NOT_STARTED, STARTED)]
    with_time = list(of_status.values()) if timed else [[*conditions]]
    if sort_by == "updated_at":
        return [Walk(table, of, column) for of in with_time]
    walks = [Walk(table, [*of, f"{column} IS NOT NULL"], column) for of in with_time]
    if sort_by == "started_at":
        return walks + [WalkLast(table, [*of, NOT_STARTED], LAST[sort_order]) for of in of_status.values()]
    return walks + [
        WalkLast(table, [*of, part], LAST[sort_order])
        for status, of in of_status.items()
        if status not in ENDED
        for part in (NOT_STARTED, STARTED)
    ]


def ranges_in(wanted: Mapping[str, Any]) -> dict[str, Range]:
    """The limits of each time that has some, by its column."""
    ranges = {
        column: Range(*(tuple(sql for name, sql in (limits[column],) if name in wanted) for limits in (FROM, BEFORE)))
        for column in LIST_SORTS
    }
    return {column: limits for column, limits in ranges.items() if any(limits)}


def times_in(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The values to bind for the filters by time."""
    return {name: wanted[name] for name in _BY_TIME if name in wanted}


def checks_of(ranges: Mapping[str, Range]) -> list[str]:
    """The limits as conditions that are only checked."""
    return [checked(sql) for limits in ranges.values() for sql in (*limits.start, *limits.end)]


def walk_range(
    table: str, parts: Sequence[Sequence[str]], column: str, within: Range, sort_by: str, sort_order: str
) -> list[Walk]:
    """The walks of rows that an index has by a time, of those in its range.

    :param parts: conditions: the index has the rows of each in order of `column`
    :param column: the time
    """
    parts = [[*part, f"{column} IS NOT NULL"] if column in ("started_at", "completed_at") else part for part in parts]
    if column == sort_by:
        return [Walk(table, part, COLUMNS[column], within) for part in parts]
    return [find_and_sort(table, [*part, *within.start, *within.end], sort_by, sort_order) for part in parts]


def checked(condition: str) -> str:
    """The condition in a form for which no index is looked for: it is checked on the rows that others find."""
    return f"coalesce({condition}, FALSE)"


def beyond(sort_order: str, **after: str) -> str:
    """The condition for the rows after a cursor.

    :param after: for each column or expression that is sorted by, in order, which value of the cursor it is compared
        with: `position` with :after_position, and so on
    """
    return f"({', '.join(after)}) {BEYOND[sort_order]} ({', '.join(f':after_{value}' for value in after.values())})"


def count_of(walks: Sequence[Walk]) -> str:
    """A SELECT of how many rows all the walks have together. It reads each of them, from the index."""
    return f"SELECT count(*) FROM ({' UNION ALL '.join(walk.matches() for walk in walks)}) AS found"


def cut_page(walks: Sequence[Walk], sort_order: str, *, by_cursor: bool, after: bool) -> str:
    """A SELECT of the rows of one page, with `tiebreak` and `position`; with a cursor also `nth`.

    :param by_cursor: whether it is asked for with a cursor, see `pages.cut`
    :param after: whether that is not the first page
    """
    selects = [walk.select(sort_order, after=after) for walk in walks]
    page = db.merge(selects, ORDERS[sort_order])
    return numbered(page, ORDERS[sort_order]) if by_cursor else page


def numbered(page: str, order: str) -> str:
    """The rows of a page, and the number of each: one more is cut than is asked for, to know whether there is one."""
    return f"SELECT cut.*, ROW_NUMBER() OVER (ORDER BY {order}) AS nth FROM ({page}) AS cut"
