"""The run-data query: which entries match, in which order, and how many there are.

Key filters select keys of the run, tag filters select its entries by their tags. Both use indexes, so the cost grows
with the matches. The text of a statement depends on which filters are present, never on their values.
"""

from typing import Any

from marshmallow import fields, validate

from foreman import db
from foreman.db.values import RUN_SEQ, as_list, as_pairs, glob_range, prefix_range
from foreman.http import schemas
from foreman.http.fields import TextFilter
from foreman.http.paging.pages import PLACE, POSITION, TIEBREAK, Asked, within
from foreman.http.paging.walks import ORDERS, Walk, beyond, checked, numbered

DATA_SORTS = ("created_at", "updated_at", "key")


class QueryData(schemas.Query):
    """Which entries of a run. Key filters are joined by OR; tag filters narrow that further, by AND."""

    key = TextFilter(metadata={"description": "This key exactly."})
    keys = schemas.texts("Comma-separated keys, each exactly.")
    key_starts_with = schemas.texts("Comma-separated prefixes of keys, taken literally.")
    key_pattern = TextFilter(
        metadata={"description": "Glob for the whole key: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`; case-sensitive."},
    )
    tags = schemas.texts("Comma-separated tags.")
    tag_starts_with = schemas.texts("Comma-separated prefixes of tags, taken literally.")
    tag_mode = fields.String(
        load_default="any",
        validate=validate.OneOf(("any", "all")),
        metadata={"description": "Whether one of the tags (and one of the prefixes) must match, or all of them."},
    )
    include_all = fields.String(
        load_default="false",
        validate=validate.OneOf(("true", "false")),
        metadata={"description": "`true`: every matching entry, not only the newest matching one of each key."},
    )
    limit, offset = schemas.limit_of(100, 1000), schemas.offset_of()
    sort_by = schemas.sort_by_of(DATA_SORTS, "ties are sorted by creation, in the same direction")
    sort_order = schemas.sort_order_of()
    cursor, count, view = schemas.cursor(), schemas.count(), schemas.view()


# The columns that `run_data.to_json` takes, in its order. JSON is read as bytes, which is what goes into the response.
_COLUMNS = """
    run_data.id, run_data.run_id, run_data.task_id, run_data.org_id, run_data.key,
    {value}, CAST(run_data.tags AS BLOB), CAST(run_data.metadata AS BLOB),
    run_data.created_at, run_data.updated_at
    """
COLUMNS = _COLUMNS.format(value="CAST(run_data.value AS BLOB)")
OPAQUE, OPAQUE_OF_SUMMARY = slice(5, 8), slice(6, 8)
CREATED_AT = 8

# Each key filter selects keys of the run. UNION joins them: OR.
KEY_FILTERS = {
    "keys": f"""
        SELECT run_data_latest.key
        FROM run_data_latest
        WHERE run_seq = {RUN_SEQ} AND tag = '' AND run_data_latest.key IN (SELECT value FROM json_each(:keys))
        """,
    "key_starts_with": f"""
        SELECT run_data_latest.key
        FROM json_each(:key_ranges) AS prefix
        CROSS JOIN run_data_latest
        WHERE run_seq = {RUN_SEQ} AND tag = ''
          AND run_data_latest.key >= json_extract(prefix.value, '$[0]')
          AND run_data_latest.key < json_extract(prefix.value, '$[1]')
        """,
    "key_pattern": f"""
        SELECT run_data_latest.key
        FROM run_data_latest
        WHERE run_seq = {RUN_SEQ} AND tag = '' AND run_data_latest.key >= :glob_from AND run_data_latest.key < :glob_to
          AND glob(:key_pattern, run_data_latest.key)
        """,
}

# Each tag filter selects entries of the run. INTERSECT joins them: AND. {tagged} is the table to look them up in.
TAG_FILTERS = {
    ("tags", "any"): f"""
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM {{tagged}} AS tagged
        WHERE tagged.run_seq = {RUN_SEQ} AND tagged.tag IN (SELECT value FROM json_each(:tags)) {{of_keys}}
        """,
    # Scans only the entries with the rarest tag. IS NULL, not EXISTS: else PostgreSQL might read all tags of the run.
    ("tags", "all"): f"""
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM {{tagged}} AS tagged
        WHERE tagged.run_seq = {RUN_SEQ} AND tagged.tag = (SELECT tag FROM wanted_tag WHERE nth = 1) {{of_keys}}
          AND NOT EXISTS (
              SELECT 1
              FROM wanted_tag AS wanted
              WHERE wanted.nth > 1 AND (
                  SELECT 1
                  FROM run_data_tag AS other
                  WHERE other.run_seq = tagged.run_seq AND other.tag = wanted.tag
                    AND other.key = tagged.key AND other.seq = tagged.seq
              ) IS NULL
          )
        """,
    ("tag_starts_with", "any"): f"""
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM json_each(:tag_ranges) AS prefix
        CROSS JOIN {{tagged}} AS tagged
        WHERE tagged.run_seq = {RUN_SEQ}
          AND tagged.tag >= json_extract(prefix.value, '$[0]')
          AND tagged.tag < json_extract(prefix.value, '$[1]') {{of_keys}}
        """,
    ("tag_starts_with", "all"): f"""
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM json_each(:tag_ranges) AS prefix
        CROSS JOIN {{tagged}} AS tagged
        WHERE tagged.run_seq = {RUN_SEQ}
          AND tagged.tag >= json_extract(prefix.value, '$[0]')
          AND tagged.tag < json_extract(prefix.value, '$[1]') {{of_keys}}
        GROUP BY tagged.key, tagged.seq, tagged.created_at
        HAVING count(DISTINCT prefix.key) = json_array_length(:tag_ranges)
        """,
}

# The tags of `tags=`, numbered from the rarest. Counting the entries of a tag beyond 1,000 would not pay off.
WANTED_TAG = f"""
    wanted_tag (tag, nth) AS MATERIALIZED (
        SELECT wanted.value, ROW_NUMBER() OVER (
            ORDER BY (
                SELECT count(*)
                FROM (
                    SELECT 1 AS one
                    FROM run_data_tag AS counted
                    WHERE counted.run_seq = {RUN_SEQ} AND counted.tag = wanted.value
                    LIMIT 1000
                ) AS few
            )
        )
        FROM json_each(:tags) AS wanted
    )
    """

NEWEST_OF_EACH_KEY = """
    SELECT *
    FROM (
        SELECT matching.*, ROW_NUMBER() OVER (PARTITION BY matching.key ORDER BY matching.seq DESC) AS nth
        FROM ({matching}) AS matching
    ) AS ranked
    WHERE nth = 1
    """

# The entries with one tag, or all; from tables of keys, the newest such entry of each key.
OF_ONE_TAG = f"FROM {{table}} AS tagged WHERE tagged.run_seq = {RUN_SEQ} {{tag}} {{of_keys}}"

# Larger than every time and every seq.
BEYOND_ALL = 2**62

OF_PREFIX = "AND tagged.key >= :prefix_from AND tagged.key < :prefix_to"

# How many entries a run has, or keys: as it is maintained by triggers.
COUNTED = f"SELECT coalesce((SELECT {{column}} FROM run_data_count WHERE run_seq = {RUN_SEQ}), 0)"

# Which part of run_data_by_created_at an entry is in; the same for the index by last update.
NEVER_UPDATED, UPDATED = "(updated_at = created_at) = TRUE", "(updated_at = created_at) = FALSE"
UPDATED_BY_TIME = "updated_at <> created_at"

_UPDATED_AFTER = {"run_data.updated_at": "position", "run_data.seq": "tiebreak"}

FILTERS = {"key", *KEY_FILTERS, *(name for name, _ in TAG_FILTERS)}

POSITIONS = {column: column for column in DATA_SORTS}

ORDERS_BY_KEY = {
    "desc": "position DESC, created_at DESC, tiebreak DESC",
    "asc": "position ASC, created_at ASC, tiebreak ASC",
}


def columns_of_summary() -> str:
    """The columns that `run_data.to_summary` takes, in its order: those of `to_json`, with the size of the value."""
    return _COLUMNS.format(value=db.octets("run_data.value"))


def kinds(wanted: dict[str, Any]) -> tuple[type, ...]:
    """The types of what a page is sorted by."""
    return (str if wanted["sort_by"] == "key" else int, *(int for _ in places(wanted)[1:]))


def places(wanted: dict[str, Any]) -> tuple[int, ...]:
    """The columns that a page is sorted by.

    Entries of the same key are in the order of the index that they are found in: run_data_by_key has them by creation,
    the others by insertion. That is the same, unless the clock was set back.
    """
    return (POSITION, CREATED_AT, TIEBREAK) if _is_by_key(wanted) else (POSITION, TIEBREAK)


def data_query(wanted: dict[str, Any], asked: Asked) -> str:
    """The statement for validated query parameters (`QueryData`) of one run, to be run by `pages.read_page`.

    It takes :org_id, :run_id and the values of `bound`. It returns no row if the run does not exist.
    """
    latest = wanted["include_all"] == "false"
    keys = _keys(wanted)
    given = {**wanted, "keys": keys}
    key_filters = [select for name, select in KEY_FILTERS.items() if given.get(name)]
    tag_filters = [
        select for (name, mode), select in TAG_FILTERS.items() if given.get(name) and mode == wanted["tag_mode"]
    ]

    common = []
    of_keys = _of_one_filter(given, latest) if len(key_filters) == 1 else ""
    of_keys_on_page = _of_prefix_after(wanted) if of_keys == OF_PREFIX and asked.after else of_keys
    if key_filters and not of_keys:
        # Two prefixes may select the same key: UNION, and DISTINCT for a filter alone, count it once.
        common = [f"wanted_key (key) AS (SELECT DISTINCT * FROM ({' UNION '.join(key_filters)}) AS matching)"]
        of_keys = "AND tagged.key IN (SELECT wanted_key.key FROM wanted_key)"

    one_tag = not tag_filters or (tag_filters == [TAG_FILTERS["tags", wanted["tag_mode"]]] and len(wanted["tags"]) == 1)
    if one_tag:
        tag = "AND tagged.tag = :only_tag" if tag_filters else "AND tagged.tag = ''"
        table = "run_data_latest" if latest else "run_data_tag" if tag_filters else "run_data"
        # CROSS JOIN: from keys to entries. The other way round, SQLite might scan all entries in order.
        from_keys = "wanted_key CROSS JOIN " if common else ""
        if common:
            of_keys = of_keys_on_page = "AND tagged.key = wanted_key.key"
            if asked.after and wanted["sort_by"] == "key" and not latest:
                of_keys_on_page += _of_key_after(wanted)
        of_entries = OF_ONE_TAG.format(
            table=f"{from_keys}{table}", tag="" if table == "run_data" else tag, of_keys=of_keys_on_page
        )
        matches = f"SELECT tagged.key, tagged.seq, tagged.created_at {of_entries}"
        if given.get("key_pattern") and not common:  # globs can be slow: each key is looked at once
            common = [f"matching AS MATERIALIZED ({matches})"]
            matches = "SELECT * FROM matching"
            total = "SELECT count(*) FROM matching"
        elif not key_filters and not tag_filters:
            total = COUNTED.format(column="keys" if latest else "entries")
        else:
            keys_found = OF_ONE_TAG.format(table=f"{from_keys}run_data_latest", tag=tag, of_keys=of_keys)
            total = f"SELECT {'count(*)' if latest else 'coalesce(sum(tagged.entries), 0)'} {keys_found}"
    else:
        if wanted["tag_mode"] == "all" and wanted.get("tags"):
            common.append(WANTED_TAG)
        common.append(f"matching AS MATERIALIZED ({_with_tags(tag_filters, wanted['tag_mode'], latest, of_keys)})")
        matches = "SELECT * FROM matching"
        total = "SELECT count(*) FROM matching"

    return f"""
        {f"WITH {', '.join(common)}" if common else ""}
        SELECT {columns_of_summary() if asked.summary else COLUMNS}, {PLACE},
               {f"({total})" if asked.counted else "NULL"} AS total
        FROM run
        LEFT JOIN ({_cut(wanted, asked, matches)}) AS page ON TRUE
        LEFT JOIN run_data ON run_data.seq = page.tiebreak {within(wanted)}
        WHERE run.org_id = :org_id AND run.id = :run_id
        """


def _of_one_filter(wanted: dict[str, Any], latest: bool) -> str:
    """What the only key filter says of an entry itself, without looking up keys first; empty if it does not pay off."""
    if len(wanted["keys"]) == 1:
        return "AND tagged.key = :only_key"
    if len(wanted.get("key_starts_with", ())) == 1:
        return OF_PREFIX
    if wanted.get("key_pattern") and latest and not any(wanted.get(name) for name, _ in TAG_FILTERS):
        return "AND tagged.key >= :glob_from AND tagged.key < :glob_to AND glob(:key_pattern, tagged.key)"
    return ""


def _of_prefix_after(wanted: dict[str, Any]) -> str:
    """The same as `OF_PREFIX`, for a page after a cursor.

    Sorted by key, the cursor is in the range. The end of the range that is before it is only checked, or SQLite might
    begin there.
    """
    if wanted["sort_by"] != "key":
        return OF_PREFIX
    if wanted["sort_order"] == "desc":
        return f"AND tagged.key >= :prefix_from AND {checked('tagged.key < :prefix_to')}"
    return f"AND {checked('tagged.key >= :prefix_from')} AND tagged.key < :prefix_to"


def bound(wanted: dict[str, Any]) -> dict[str, Any]:
    """The values to bind to the statement of `data_query`."""
    glob_from, glob_to = glob_range(wanted.get("key_pattern", ""))
    keys, tags = _keys(wanted), wanted.get("tags", [])
    prefixes = [prefix_range(prefix) for prefix in wanted.get("key_starts_with", [])]
    prefix_from, prefix_to = prefixes[0] if prefixes else (None, None)
    return {
        "only_key": keys[0] if keys else None,
        "only_tag": tags[0] if tags else None,
        "keys": as_list(keys),
        "prefix_from": prefix_from,
        "prefix_to": prefix_to,
        "key_ranges": as_pairs(prefixes),
        "key_pattern": wanted.get("key_pattern"),
        "glob_from": glob_from,
        "glob_to": glob_to,
        "tags": as_list(tags),
        "tag_ranges": as_pairs(prefix_range(prefix) for prefix in wanted.get("tag_starts_with", [])),
    }


def _keys(wanted: dict[str, Any]) -> list[str]:
    """The keys that `key` and `keys` name."""
    return list(dict.fromkeys([*([wanted["key"]] if "key" in wanted else []), *wanted.get("keys", [])]))


def _cut(wanted: dict[str, Any], asked: Asked, matches: str) -> str:
    """A SELECT of one page: `tiebreak` (the entry's seq) and `position` (what it is sorted by)."""
    order = (ORDERS_BY_KEY if _is_by_key(wanted) else ORDERS)[wanted["sort_order"]]
    page = _in_order(wanted, matches, order, after=asked.after is not None)
    return numbered(page, order) if asked.by_cursor else page


def _in_order(wanted: dict[str, Any], matches: str, order: str, *, after: bool) -> str:
    """The entries of a page.

    :param after: whether only of those after the cursor
    """
    position, sort_order = POSITIONS[wanted["sort_by"]], wanted["sort_order"]
    page = f"ORDER BY {order} LIMIT :limit OFFSET :offset"
    unfiltered = not any(wanted.get(name) for name in FILTERS)
    if unfiltered and wanted["include_all"] == "true" and position != "key":
        of_run = f"run_seq = {RUN_SEQ}"
        # The last update of an entry that was never updated is its creation.
        updated = UPDATED if position == "created_at" else UPDATED_BY_TIME
        never = Walk("run_data", [of_run, NEVER_UPDATED], "created_at")
        walks = [never, Walk("run_data", [of_run, updated], position)]
        return db.merge([walk.select(sort_order, after=after) for walk in walks], order)
    if position == "updated_at":
        return f"""
            SELECT run_data.seq AS tiebreak, run_data.updated_at AS position
            FROM ({matches}) AS matching
            CROSS JOIN run_data
            WHERE run_data.seq = matching.seq
            {f"AND {beyond(sort_order, **_UPDATED_AFTER)}" if after else ""}
            {page}
            """
    if position == "created_at" and (wanted.get("key_starts_with") or wanted.get("key_pattern")):
        position = "+created_at"  # else SQLite might scan all keys in order instead of those of the range
    return f"""
        SELECT seq AS tiebreak, {position} AS position, created_at
        FROM ({matches}) AS matching
        {f"WHERE {_after(wanted, position)}" if after else ""}
        {page}
        """


def _after(wanted: dict[str, Any], position: str) -> str:
    """The condition for the entries after a cursor.

    When only the newest entry of each key is wanted, a key that has got another one since has been on the page of the
    one before. Of a single key the index has the entries in order of what comes next. Several are looked up one by one:
    the condition is only checked, or SQLite might look for what is after the cursor once for each of them.
    """
    sort_order = wanted["sort_order"]
    if position != "key":
        return beyond(sort_order, **{position: "position"}, seq="tiebreak")
    if wanted["include_all"] == "false":
        after = beyond(sort_order, key="position")
    else:
        tied = {"created_at": "created_at"} if _is_by_key(wanted) else {}
        of_key = {} if _is_of_one_key(wanted) else {"key": "position"}
        after = beyond(sort_order, **of_key, **tied, seq="tiebreak")
    several = len(_keys(wanted)) + len(wanted.get("key_starts_with", [])) > 1 or wanted.get("key_pattern")
    return checked(after) if several else after


def _of_key_after(wanted: dict[str, Any]) -> str:
    """Conditions by which the entries of each key are looked up from the cursor on, if it is the cursor's key."""
    column, value = ("created_at", ":after_created_at") if _is_by_key(wanted) else ("seq", ":after_tiebreak")
    beyond_or_at, farthest = ("<=", BEYOND_ALL) if wanted["sort_order"] == "desc" else (">=", f"-{BEYOND_ALL}")
    return f"""
        AND {checked(f"wanted_key.key {beyond_or_at} :after_position")}
        AND tagged.{column} {beyond_or_at} CASE WHEN wanted_key.key = :after_position THEN {value} ELSE {farthest} END
        """


def _is_of_one_key(wanted: dict[str, Any]) -> bool:
    return len(_keys(wanted)) == 1 and not wanted.get("key_starts_with") and not wanted.get("key_pattern")


def _is_by_key(wanted: dict[str, Any]) -> bool:
    """Whether index run_data_by_key has the entries in order."""
    has_tags = wanted.get("tags") or wanted.get("tag_starts_with")
    return wanted["sort_by"] == "key" and wanted["include_all"] == "true" and not has_tags


def _with_tags(tag_filters: list[str], mode: str, latest: bool, of_keys: str) -> str:
    """The entries, or with `latest` the newest entry of each key, that meet the tag filters."""
    # The newest entry with any of several tags is the newest with one of them. Other filters need every entry.
    table = "run_data_latest" if latest and mode == "any" and len(tag_filters) == 1 else "run_data_tag"
    matching = " INTERSECT ".join(select.format(tagged=table, of_keys=of_keys) for select in tag_filters)
    return (
        NEWEST_OF_EACH_KEY.format(matching=matching) if latest else f"SELECT DISTINCT * FROM ({matching}) AS matching"
    )
