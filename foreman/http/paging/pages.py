"""Pages: which one is asked for, its rows, and the response with them."""

from collections.abc import Sequence
from contextlib import closing
from operator import itemgetter
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, request

from foreman import db
from foreman.db.values import Row
from foreman.http.contract import answer
from foreman.http.errors import Invalid, NotFound, TooLargeToTry
from foreman.http.paging.cursors import Place, cursor_of, place_of, scope_of
from foreman.http.paging.walks import BEHIND
from foreman.http.schemas import LARGEST_OFFSET

# Maximum bytes of opaque JSON on a page. A single item may be larger.
LARGEST_PAGE = 32_000_000

# The columns of `PLACE` in a row of `read_page`.
POSITION, TIEBREAK = -3, -2

# The sort columns of `read_page`.
PLACE = "page.position, page.tiebreak"


class Asked(NamedTuple):
    """Which page of a list is asked for, and how.

    :ivar limit: how many rows at most
    :ivar by_cursor: whether it is paged by cursor, and not by offset
    :ivar after: the place of the last row before the page; None on the first
    :ivar counted: whether the total is wanted
    :ivar summary: whether sizes are wanted in place of payloads
    :ivar scope: what the list is, for its cursors; empty without
    """

    limit: int
    offset: int
    sort_order: str
    by_cursor: bool = False
    after: Place | None = None
    counted: bool = True
    summary: bool = False
    scope: bytes = b""

    @classmethod
    def of(cls, wanted: dict[str, Any], kinds: Sequence[type] = (int, int)) -> "Asked":
        """What the validated query parameters of a request ask for.

        :param kinds: the types of what the list is sorted by
        :raises Invalid: if the cursor is not of this list, or there is an offset, too
        """
        cursor = wanted.get("cursor")
        scope = b"" if cursor is None else scope_of(g.org_id, request.path, wanted)
        if cursor is not None and wanted["offset"]:
            message = "Not together with a cursor, which says where the page begins."
            raise Invalid("Validation failed", [{"field": "offset", "message": message}])
        return cls(
            limit=wanted["limit"],
            offset=wanted["offset"],
            sort_order=wanted["sort_order"],
            by_cursor=cursor is not None,
            after=place_of(cursor, scope, kinds) if cursor else None,
            counted=wanted["count"] == "true",
            summary=wanted["view"] == "summary",
            scope=scope,
        )

    @property
    def bound(self) -> dict[str, Any]:
        """The values to bind to what cuts the page."""
        limit = self.limit + self.by_cursor
        values: dict[str, Any] = {
            "limit": limit,
            "offset": self.offset,
            "reach": min(limit + self.offset, LARGEST_OFFSET),
        }
        if self.after is None:
            return values
        position, tiebreak = self.after[0], self.after[-1]
        values |= {"after_position": position, "after_created_at": self.after[-2], "after_tiebreak": tiebreak}
        if isinstance(position, int):
            values["after_last"] = position + BEHIND if self.sort_order == "desc" else position - BEHIND
        return values


def cut(wanted: dict[str, Any]) -> dict[str, bool]:
    """How the page is cut that query parameters ask for, for `walks.cut_page`. The first cursor is empty."""
    return {"by_cursor": wanted.get("cursor") is not None, "after": bool(wanted.get("cursor"))}


def within(wanted: dict[str, Any]) -> str:
    """The condition that keeps the payload of the row after a page from being read, which only cursors need."""
    return "AND page.nth < :limit" if wanted.get("cursor") is not None else ""


class Page(NamedTuple):
    """The rows of a page in order, the total of the list (None if not wanted), and the cursor of the next page."""

    rows: list[tuple[Any, ...]]
    total: int | None
    next_cursor: str | None

    def members(self, asked: Asked) -> tuple[dict[str, Any], dict[str, Any]]:
        """The members `total` and `nextCursor` of the response, each only if it is asked for."""
        return (
            {"total": self.total} if asked.counted else {},
            {"nextCursor": self.next_cursor} if asked.by_cursor else {},
        )


def read_page(
    sql: str, asked: Asked, opaque: slice, /, places: Sequence[int] = (POSITION, TIEBREAK), **values: Any
) -> Page:
    """The rows of a page.

    They are sorted here. An ORDER BY would make SQLite hold all of them for the sort, whatever their size.

    :param sql: a statement whose last columns are `PLACE`, and the total. A page beyond the end still has
        one row for the total, in which everything else is NULL. The row after a page has nothing but its place
    :param opaque: the columns with opaque JSON
    :param places: the columns to sort by
    :raises NotFound: if there is no row at all, because the run that the list belongs to does not exist
    :raises Invalid: if the rows together exceed `LARGEST_PAGE`
    :raises TooLargeToTry: if they exceed what the request may read before its turn in the queue of large ones
    """
    rows: list[Row] = []
    size, to_try = 0, db.most()
    total, more, any_row = None, False, False
    with closing(db.each(sql, **asked.bound, **values)) as found:
        for row in found:
            any_row, total = True, row[-1]
            if row[0] is None:
                more = row[TIEBREAK] is not None
                continue
            for text in row[opaque]:
                if text is not None:
                    size += len(text)
            if to_try is not None and size > to_try:
                raise TooLargeToTry
            if size > LARGEST_PAGE and rows:
                message = f"The page would have more than {LARGEST_PAGE // 1_000_000} MB; ask for fewer at once."
                raise Invalid("Validation failed", [{"field": "limit", "message": message}])
            rows.append(row)
    if not any_row:
        raise NotFound("Run")
    place = itemgetter(*places)
    rows.sort(key=place, reverse=asked.sort_order == "desc")
    next_cursor = cursor_of(place(rows[-1]), asked.scope) if more else None
    return Page([row[:-3] for row in rows], total, next_cursor)


def listed(items: list[dict[str, Any]], page: Page, asked: Asked) -> dict[str, Any]:
    """The response body of a page of a list of runs or tasks."""
    total, next_cursor = page.members(asked)
    return {"items": items, **total, "limit": asked.limit, "offset": asked.offset, **next_cursor}


def linked(body: dict[str, Any], page: Page) -> Response:
    """The response with a page, and a link to the next one (RFC 8288).

    The link is relative, with nothing but a query (RFC 3986, section 5.2.2): so it is right behind a proxy that serves
    the API below another path.
    """
    response = answer(body)
    if page.next_cursor is not None:
        given = parse_qsl(request.query_string.decode(), keep_blank_values=True)
        kept = [(name, value) for name, value in given if name not in ("cursor", "offset")]
        response.headers["Link"] = f'<?{urlencode([*kept, ("cursor", page.next_cursor)])}>; rel="next"'
    return response


def by_cursor(items: list[dict[str, Any]], name: str, limit: int, scope: bytes) -> Response:
    """The response with a page of a list that is paged by cursor alone.

    :param items: those of the page, and the next one if there is one
    :param name: what they are sorted by
    """
    cursor = cursor_of([items[limit - 1][name]], scope) if len(items) > limit else None
    return linked({"items": items[:limit], "limit": limit, "nextCursor": cursor}, Page([], None, cursor))


def summary(item: dict[str, Any], sizes: dict[str, int | None]) -> dict[str, Any]:
    """An item with the sizes of its payloads in their place.

    :param sizes: by the names of the payloads, in bytes
    """
    return {f"{name}Bytes" if name in sizes else name: sizes.get(name, value) for name, value in item.items()}
