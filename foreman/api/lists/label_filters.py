"""Filters of lists by label: external id, tags, and what the metadata has at declared paths.

Without ids, one of them leads to the rows: the external id, else the tags, else the prefixes of tags, else the first
path. The others are checked on the rows that it finds.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from marshmallow import fields, validate

from foreman import db
from foreman.db.engine import Transaction
from foreman.db.values import RUN_SEQ, as_list, as_pairs, prefix_range
from foreman.http import schemas
from foreman.http.errors import Invalid, NotReady
from foreman.http.fields import ByPath, Text
from foreman.http.paging.walks import Range, Walk, checked, find_and_sort
from foreman.vocabulary import IS_METADATA_PATH


class ListLabelled(schemas.Listed):
    """The filters by label."""

    external_id = Text(metadata={"description": "The one with this external id."})
    tags = schemas.texts("Comma-separated tags.")
    tag_starts_with = schemas.texts("Comma-separated prefixes of tags, taken literally.")
    tag_mode = fields.String(
        load_default="any",
        validate=validate.OneOf(("any", "all")),
        metadata={"description": "Whether one of the tags (and one of the prefixes) must match, or all of them."},
    )
    metadata = ByPath(metadata={"description": "Those with exactly this text, number, true, false or null there."})


# The filters as conditions that lead to the rows. {table} is `run` or `task`, {of} says among whose tags to look.
LEADING = {
    ("external_id", ""): "org_id = :org_id AND external_id = :external_id",
    ("tags", "any"): """
        seq IN (
            SELECT tagged.seq
            FROM {table}_tag AS tagged
            WHERE {of} AND tagged.tag IN (SELECT value FROM json_each(:tags))
        )
        """,
    # Reads only the rows with the rarest tag. Counting those of a tag beyond 1,000 would not pay off.
    ("tags", "all"): """
        seq IN (
            WITH wanted_tag (tag, nth) AS MATERIALIZED (
                SELECT wanted.value, ROW_NUMBER() OVER (
                    ORDER BY (
                        SELECT count(*)
                        FROM (
                            SELECT 1 AS one
                            FROM {table}_tag AS tagged
                            WHERE {of} AND tagged.tag = wanted.value
                            LIMIT 1000
                        ) AS few
                    )
                )
                FROM json_each(:tags) AS wanted
            )
            SELECT tagged.seq
            FROM {table}_tag AS tagged
            WHERE {of} AND tagged.tag = (SELECT tag FROM wanted_tag WHERE nth = 1)
              AND NOT EXISTS (
                  SELECT 1
                  FROM wanted_tag AS wanted
                  WHERE wanted.nth > 1 AND (
                      SELECT 1
                      FROM {table}_tag AS other
                      WHERE other.org_id = :org_id AND other.tag = wanted.tag
                        AND other.created_at = tagged.created_at AND other.seq = tagged.seq
                  ) IS NULL
              )
        )
        """,
    ("tag_starts_with", "any"): """
        seq IN (
            SELECT tagged.seq
            FROM json_each(:tag_ranges) AS prefix
            CROSS JOIN {table}_tag AS tagged
            WHERE {of} AND tagged.tag >= json_extract(prefix.value, '$[0]')
              AND tagged.tag < json_extract(prefix.value, '$[1]')
        )
        """,
    ("tag_starts_with", "all"): """
        seq IN (
            SELECT tagged.seq
            FROM json_each(:tag_ranges) AS prefix
            CROSS JOIN {table}_tag AS tagged
            WHERE {of} AND tagged.tag >= json_extract(prefix.value, '$[0]')
              AND tagged.tag < json_extract(prefix.value, '$[1]')
            GROUP BY tagged.seq
            HAVING count(DISTINCT prefix.key) = json_array_length(:tag_ranges)
        )
        """,
}
LEADING_PATH = """
    seq IN (
        SELECT valued.seq
        FROM {table}_metadata AS valued
        WHERE valued.org_id = :org_id AND valued.path = :path_{nth} AND valued.value = :value_{nth}
    )
    """

# The same as conditions that are checked on rows which others lead to.
CHECKED = {
    ("external_id", ""): checked("external_id = :external_id"),
    ("tags", "any"): """
        EXISTS (
            SELECT 1 FROM json_each({table}.tags) AS own WHERE own.value IN (SELECT value FROM json_each(:tags))
        )
        """,
    ("tags", "all"): """
        NOT EXISTS (
            SELECT 1
            FROM json_each(:tags) AS wanted
            WHERE NOT EXISTS (SELECT 1 FROM json_each({table}.tags) AS own WHERE own.value = wanted.value)
        )
        """,
    ("tag_starts_with", "any"): """
        EXISTS (
            SELECT 1
            FROM json_each({table}.tags) AS own
            CROSS JOIN json_each(:tag_ranges) AS prefix
            WHERE own.value >= json_extract(prefix.value, '$[0]') AND own.value < json_extract(prefix.value, '$[1]')
        )
        """,
    ("tag_starts_with", "all"): """
        NOT EXISTS (
            SELECT 1
            FROM json_each(:tag_ranges) AS prefix
            WHERE NOT EXISTS (
                SELECT 1
                FROM json_each({table}.tags) AS own
                WHERE own.value >= json_extract(prefix.value, '$[0]') AND own.value < json_extract(prefix.value, '$[1]')
            )
        )
        """,
}
CHECKED_PATH = """
    (
        SELECT 1
        FROM {table}_metadata AS valued
        WHERE valued.org_id = :org_id AND valued.path = :path_{nth} AND valued.value = :value_{nth}
          AND valued.created_at = {table}.created_at AND valued.seq = {table}.seq
    ) IS NOT NULL
    """

SELECT_DECLARED = """
    SELECT metadata_path.path, metadata_path.filled
    FROM json_each(:paths) AS wanted
    CROSS JOIN metadata_path
    WHERE metadata_path.path = wanted.value
    """

# Where the rows with one tag are in order of creation, and those with one value at a path.
OF_ORGANISATION, OF_RUN = "tagged.org_id = :org_id", f"tagged.run_seq = {RUN_SEQ}"
WITH_TAG = ["org_id = :org_id", "tag = :only_tag"]
WITH_TAG_IN_RUN = [f"run_seq = {RUN_SEQ}", "tag = :only_tag"]
WITH_VALUE = ["org_id = :org_id", "path = :path_0", "value = :value_0"]


def are_in(wanted: dict[str, Any]) -> bool:
    """Whether there is a filter by label in validated query parameters (`ListLabelled`)."""
    return any(wanted.get(name) for name in ("external_id", "tags", "tag_starts_with", "metadata"))


def checks(table: str, wanted: dict[str, Any]) -> list[str]:
    """The filters by label as conditions that are only checked.

    :param table: `run` or `task`
    """
    return _those_in(wanted, CHECKED, CHECKED_PATH, table=table)


def walks(
    table: str, wanted: dict[str, Any], others: Sequence[str], within: Range | None = None, *, in_run: bool = False
) -> list[Walk]:
    """The walks of the rows that a filter by label leads to.

    :param table: `run` or `task`
    :param others: conditions besides those of labels, the run and the time of creation, to be checked
    :param within: the limits of the time of creation
    :param in_run: whether only of the run :run_id
    """
    within = within or Range()
    leading = _those_in(wanted, LEADING, LEADING_PATH, table=table, of=OF_RUN if in_run else OF_ORGANISATION)
    rest = checks(table, wanted)[1:]
    if wanted["sort_by"] == "created_at" and not rest and not others:
        if len(wanted.get("tags", ())) == 1:
            return [Walk(f"{table}_tag", WITH_TAG_IN_RUN if in_run else WITH_TAG, "created_at", within)]
        if wanted.get("metadata") and not in_run:
            return [Walk(f"{table}_metadata", WITH_VALUE, "created_at", within)]
    run = [f"coalesce(run_seq, 0) = {RUN_SEQ}"] if in_run else []
    limits = [checked(sql) for sql in (*within.start, *within.end)]
    conditions = [leading[0], *rest, *others, *run, *limits]
    return [find_and_sort(table, conditions, wanted["sort_by"], wanted["sort_order"])]


def bound(wanted: dict[str, Any]) -> dict[str, Any]:
    """The values to bind for the filters by label."""
    if not are_in(wanted):
        return {}
    tags, paths = wanted.get("tags", []), wanted.get("metadata", {})
    return {
        "external_id": wanted.get("external_id"),
        "tags": as_list(tags),
        "only_tag": tags[0] if tags else None,
        "tag_ranges": as_pairs(prefix_range(prefix) for prefix in wanted.get("tag_starts_with", [])),
        **{f"path_{nth}": path for nth, path in enumerate(paths)},
        **{f"value_{nth}": value for nth, value in enumerate(paths.values())},
    }


def refuse_undeclared(wanted: dict[str, Any], declared: Sequence[str], tx: Transaction | None = None) -> None:
    """Check that every path of metadata that is asked for can be looked up.

    What counts is what the database says: servers of one database may be about to be restarted with other settings.

    :param declared: the paths in the settings
    :param tx: the transaction in which they are to be looked up; None for one of its own
    :raises Invalid: if one is not declared
    :raises NotReady: while one has just been declared, and not all rows are found by it yet
    """
    paths = wanted.get("metadata")
    if not paths:
        return
    possible = as_list(path for path in paths if IS_METADATA_PATH.fullmatch(path))
    with db.read() if tx is None else nullcontext(tx) as found_in:
        filled: dict[str, int] = dict(found_in.all(SELECT_DECLARED, paths=possible))
    message = "Not declared: add the path to the setting FOREMAN_METADATA_PATHS."
    missing = [path for path in paths if not filled.get(path)]
    if unknown := [f"metadata.{path}"[: schemas.LONGEST_NAME] for path in missing if path not in declared]:
        raise Invalid("Validation failed", [{"field": name, "message": message} for name in unknown])
    if missing:
        raise NotReady("What is found by this path of metadata is still being prepared")


def _those_in(wanted: dict[str, Any], conditions: dict[tuple[str, str], str], of_path: str, **parts: str) -> list[str]:
    """The conditions of the filters that are given, in the order in which they may lead."""
    modes = ("", wanted["tag_mode"])
    of_names = [sql.format(**parts) for (name, mode), sql in conditions.items() if wanted.get(name) and mode in modes]
    return [*of_names, *(of_path.format(nth=nth, **parts) for nth in range(len(wanted.get("metadata", ()))))]
