"""The run-data query: which entries match, in which order, and how many there are.

Key filters choose among the keys of the run, tag filters among the tags of its entries. Both are answered from
indexes, so the cost follows what matches. The text of a statement depends on which filters are present, never on what
they hold.
"""

from dataclasses import dataclass
from typing import Any

from foreman.opaque import as_list, as_pairs
from foreman.paging import ORDERS
from foreman.ranges import glob_range, prefix_range

# What an entry is answered from (`run_data.to_json`), in its order.
COLUMNS = """
    run_data.id, run_data.run_id, run_data.task_id, run_data.org_id, run_data.key, run_data.value,
    run_data.tags, run_data.metadata, run_data.created_at, run_data.updated_at
    """

# Each key filter selects keys of the run; UNION joins them, that is OR.
KEY_FILTERS = {
    "keys": """
        SELECT run_data_latest.key
        FROM run_data_latest
        WHERE org_id = :org_id AND run_id = :run_id AND tag = ''
          AND run_data_latest.key IN (SELECT value FROM json_each(:keys))
        """,
    "key_starts_with": """
        SELECT run_data_latest.key
        FROM json_each(:key_ranges) AS prefix
        CROSS JOIN run_data_latest
        WHERE org_id = :org_id AND run_id = :run_id AND tag = ''
          AND run_data_latest.key >= json_extract(prefix.value, '$[0]')
          AND run_data_latest.key < json_extract(prefix.value, '$[1]')
        """,
    "key_pattern": """
        SELECT run_data_latest.key
        FROM run_data_latest
        WHERE org_id = :org_id AND run_id = :run_id AND tag = ''
          AND run_data_latest.key >= :glob_from AND run_data_latest.key < :glob_to
          AND glob(:key_pattern, run_data_latest.key)
        """,
}

# Each tag filter selects entries of the run; INTERSECT joins them, that is AND. {tagged} is where they are looked up.
TAG_FILTERS = {
    ("tags", "any"): """
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM {tagged} AS tagged
        WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id
          AND tagged.tag IN (SELECT value FROM json_each(:tags)) {of_keys}
        """,
    # Only the entries with the rarest tag are looked at (counting beyond 1,000 would not pay).
    ("tags", "all"): """
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM {tagged} AS tagged
        WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id
          AND tagged.tag = (
              SELECT wanted.value
              FROM json_each(:tags) AS wanted
              ORDER BY (
                  SELECT count(*)
                  FROM (
                      SELECT 1 AS one
                      FROM run_data_tag AS counted
                      WHERE counted.org_id = :org_id AND counted.run_id = :run_id AND counted.tag = wanted.value
                      LIMIT 1000
                  ) AS some
              )
              LIMIT 1
          ) {of_keys}
          AND NOT EXISTS (
              SELECT 1
              FROM json_each(:tags) AS wanted
              WHERE NOT EXISTS (
                  SELECT 1
                  FROM run_data_tag AS other
                  WHERE other.org_id = :org_id AND other.run_id = :run_id
                    AND other.tag = wanted.value AND other.key = tagged.key AND other.seq = tagged.seq
              )
          )
        """,
    ("tag_starts_with", "any"): """
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM json_each(:tag_ranges) AS prefix
        CROSS JOIN {tagged} AS tagged
        WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id
          AND tagged.tag >= json_extract(prefix.value, '$[0]')
          AND tagged.tag < json_extract(prefix.value, '$[1]') {of_keys}
        """,
    ("tag_starts_with", "all"): """
        SELECT tagged.key, tagged.seq, tagged.created_at
        FROM json_each(:tag_ranges) AS prefix
        CROSS JOIN {tagged} AS tagged
        WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id
          AND tagged.tag >= json_extract(prefix.value, '$[0]')
          AND tagged.tag < json_extract(prefix.value, '$[1]') {of_keys}
        GROUP BY tagged.key, tagged.seq, tagged.created_at
        HAVING count(DISTINCT prefix.key) = json_array_length(:tag_ranges)
        """,
}


NEWEST_OF_EACH_KEY = """
    SELECT *
    FROM (
        SELECT matching.*, ROW_NUMBER() OVER (PARTITION BY matching.key ORDER BY matching.seq DESC) AS nth
        FROM ({matching}) AS matching
    ) AS ranked
    WHERE nth = 1
    """

# The entries, or with run_data_latest the newest entry of each key, that have one tag.
ONE_TAG = """
    SELECT tagged.key, tagged.seq, tagged.created_at
    FROM {table} AS tagged
    WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id AND {tag} {of_keys}
    """

TOTAL_OF_ONE_TAG = """
    SELECT {count}
    FROM {table} AS tagged
    WHERE tagged.org_id = :org_id AND tagged.run_id = :run_id AND {tag} {of_keys}
    """

POSITIONS = {"created_at": "created_at", "updated_at": "updated_at", "key": "key"}


@dataclass(frozen=True)
class DataQuery:
    """One query as two statements over the same bound values.

    `page` answers the rows of the page in order. `total` counts all matches; it is None when nothing narrows the
    query, because then the run's tally already knows.
    """

    page: str
    total: str | None
    values: dict[str, Any]


def data_query(org_id: str, run_id: str, wanted: dict[str, Any]) -> DataQuery:
    """The statements that answer validated query parameters (`schemas.QueryData`) for one run."""
    latest = wanted["include_all"] == "false"
    keys = list(dict.fromkeys([*([wanted["key"]] if "key" in wanted else []), *wanted.get("keys", [])]))
    given = {**wanted, "keys": keys}
    key_filters = [select for name, select in KEY_FILTERS.items() if given.get(name)]
    tag_filters = [
        select for (name, mode), select in TAG_FILTERS.items() if given.get(name) and mode == wanted["tag_mode"]
    ]

    wanted_keys = of_keys = ""
    if key_filters == [KEY_FILTERS["keys"]] and len(keys) == 1:
        of_keys = "AND tagged.key = :only_key"
    elif key_filters:
        # Two prefixes may select the same key: UNION, and DISTINCT for a filter alone, count it once.
        wanted_keys = f"WITH wanted_key (key) AS (SELECT DISTINCT * FROM ({' UNION '.join(key_filters)}) AS matching)"
        of_keys = "AND tagged.key IN (SELECT wanted_key.key FROM wanted_key)"

    one_tag = not tag_filters or (tag_filters == [TAG_FILTERS["tags", wanted["tag_mode"]]] and len(wanted["tags"]) == 1)
    if one_tag:
        # Without tag filters it is the empty tag, which every entry has.
        tag = "tagged.tag = :only_tag" if tag_filters else "tagged.tag = ''"
        table = "run_data_latest" if latest else "run_data_tag"
        if wanted_keys:
            # From the keys to the entries: the other way round SQLite might walk through all entries in order.
            table = f"wanted_key CROSS JOIN {table}"
            of_keys = "AND tagged.key = wanted_key.key"
        matches = ONE_TAG.format(table=table, tag=tag, of_keys=of_keys)
        total = TOTAL_OF_ONE_TAG.format(
            count="count(*)" if latest else "coalesce(sum(tagged.entries), 0)",
            table="wanted_key CROSS JOIN run_data_latest" if wanted_keys else "run_data_latest",
            tag=tag,
            of_keys=of_keys,
        )
    else:
        matches = _with_tags(tag_filters, wanted["tag_mode"], latest, of_keys)
        total = f"SELECT count(*) FROM ({matches}) AS matching"
    if not key_filters and not tag_filters and not latest and wanted["sort_by"] != "key":
        cut = f"""
            SELECT seq AS tiebreak, {POSITIONS[wanted["sort_by"]]} AS position
            FROM run_data
            WHERE org_id = :org_id AND run_id = :run_id
            """
    elif wanted["sort_by"] == "updated_at":
        cut = f"""
            SELECT run_data.seq AS tiebreak, run_data.updated_at AS position
            FROM ({matches}) AS matching
            CROSS JOIN run_data ON run_data.seq = matching.seq
            """
    else:
        cut = f"SELECT seq AS tiebreak, {POSITIONS[wanted['sort_by']]} AS position FROM ({matches}) AS matching"
    order = ORDERS[wanted["sort_order"]]
    return DataQuery(
        page=f"""
            {wanted_keys}
            SELECT {COLUMNS}
            FROM ({cut} ORDER BY {order} LIMIT :limit OFFSET :offset) AS page
            CROSS JOIN run_data ON run_data.seq = page.tiebreak
            ORDER BY {order}
            """,
        total=f"{wanted_keys} {total}" if key_filters or tag_filters else None,
        values={"org_id": org_id, "run_id": run_id, **_bound(keys, wanted)},
    )


def _with_tags(tag_filters: list[str], mode: str, latest: bool, of_keys: str) -> str:
    """The entries, or with `latest` the newest entry of each key, that meet the tag filters."""
    # The newest entry with any of some tags is among the newest of each of them; other filters need every entry.
    table = "run_data_latest" if latest and mode == "any" and len(tag_filters) == 1 else "run_data_tag"
    matching = " INTERSECT ".join(select.format(tagged=table, of_keys=of_keys) for select in tag_filters)
    return (
        NEWEST_OF_EACH_KEY.format(matching=matching) if latest else f"SELECT DISTINCT * FROM ({matching}) AS matching"
    )


def _bound(keys: list[str], wanted: dict[str, Any]) -> dict[str, Any]:
    glob_from, glob_to = glob_range(wanted.get("key_pattern", ""))
    tags = wanted.get("tags", [])
    return {
        "only_key": keys[0] if keys else None,
        "only_tag": tags[0] if tags else None,
        "keys": as_list(keys),
        "key_ranges": as_pairs(prefix_range(prefix) for prefix in wanted.get("key_starts_with", [])),
        "key_pattern": wanted.get("key_pattern"),
        "glob_from": glob_from,
        "glob_to": glob_to,
        "tags": as_list(tags),
        "tag_ranges": as_pairs(prefix_range(prefix) for prefix in wanted.get("tag_starts_with", [])),
        "limit": wanted["limit"],
        "offset": wanted["offset"],
    }
