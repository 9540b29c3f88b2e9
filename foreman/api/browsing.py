"""What a person browses a run by: its tasks as a tree, and the keys and tags of its run data."""

from typing import Any

from flask import Response, g, request
from marshmallow import fields

from foreman import db
from foreman.api import tasks
from foreman.api.lists import task_list
from foreman.clock import iso
from foreman.db.engine import Rows
from foreman.db.values import RUN_SEQ, Row, prefix_range
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, costs, fails
from foreman.http.errors import NotFound
from foreman.http.fields import TextFilter
from foreman.http.paging.cursors import place_of, scope_of
from foreman.http.paging.pages import PLACE, Asked, by_cursor, read_page
from foreman.http.paging.walks import cut_page
from foreman.vocabulary import LONG

bp = Resource("browsing", __name__, "What is in a run.")

# Tasks of a tree at most, and how deep they may be: parsers of JSON refuse what is nested much deeper.
MOST_TASKS, DEEPEST = 1_000, 100

# The tasks of a run, oldest first: so a parent comes before its children.
OLDEST_FIRST = {"sort_by": "created_at", "sort_order": "asc", "tag_mode": "any"}


class AskTree(schemas.Query):
    """How much of the tree."""

    limit = schemas.limit_of(MOST_TASKS, MOST_TASKS)


class AskKeys(schemas.Query):
    """Which keys."""

    key_starts_with = TextFilter(metadata={"description": "A prefix of keys, taken literally."})
    limit = schemas.limit_of(100, 1000)
    cursor = fields.String(metadata={"description": "The `nextCursor` of the page before."})


class AskTags(schemas.Query):
    """Which tags."""

    tag_starts_with = TextFilter(metadata={"description": "A prefix of tags, taken literally."})
    limit = schemas.limit_of(100, 1000)
    cursor = fields.String(metadata={"description": "The `nextCursor` of the page before."})


class TaskOfTree(tasks.Task):
    """A task without its payloads, and its children."""

    children = fields.List(fields.Nested(lambda: TaskOfTree()), required=True)


class Tree(schemas.CamelCase):
    """The tasks of a run, each with its children, oldest first."""

    tasks = fields.List(fields.Nested(TaskOfTree), required=True)
    total = shapes.count("All tasks of the run.", 4)
    truncated = fields.Boolean(required=True, metadata={"description": "Whether some are left out."})


class KeyOfRun(schemas.CamelCase):
    """A key of run data."""

    key = shapes.text("sensor.temp.kitchen")
    entries = shapes.count("Entries with this key.", 3)
    newest_at = shapes.time("When the newest of them was created.")


class TagOfRun(schemas.CamelCase):
    """A tag of run data."""

    tag = shapes.text("building-A")
    entries = shapes.count("Entries with this tag.", 3)
    keys = shapes.count("Keys that these entries have.", 2)


KeyList = schemas.CamelCase.from_dict(shapes.cursor_page_of(KeyOfRun), name="KeyList")
TagList = schemas.CamelCase.from_dict(shapes.cursor_page_of(TagOfRun), name="TagList")


@bp.get("/runs/<run_id>/tree")
@asks(AskTree)
@answers(200, Tree)
@fails(404)
@costs(LONG)
def get_tree_of_run(wanted: dict[str, Any], run_id: str) -> Response:
    """The tasks of a run without their payloads, each with its children: the oldest 1,000, 100 deep."""
    asked = Asked(wanted["limit"], 0, "asc")
    of_run = {**OLDEST_FIRST, "run_id": run_id.lower()}
    page = read_page(
        f"""
        SELECT {tasks.columns_of_summary()}, {PLACE}, counted.total
        FROM (SELECT {task_list.count(of_run)} AS total {task_list.IF_THE_RUN_EXISTS}) AS counted
        LEFT JOIN ({cut_page(task_list.walks(of_run), "asc", by_cursor=False, after=False)}) AS page ON TRUE
        LEFT JOIN task ON task.seq = page.tiebreak
        """,
        asked, tasks.OPAQUE_OF_SUMMARY, org_id=g.org_id, **task_list.bound(of_run),
    )  # fmt: skip
    roots, shown = _nested([tasks.to_summary(task) for task in page.rows])
    return answer({"tasks": roots, "total": page.total, "truncated": shown < (page.total or 0)})


def _nested(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """The tasks that have no parent, each with its children in it, and how many there are in all.

    A child may be older than its parent by a clock that was set back. Without its parent it is shown beside the others.

    :param found: the oldest first
    """
    all_tasks = {task["id"]: {**task, "children": []} for task in found}
    roots: list[dict[str, Any]] = []
    for task in all_tasks.values():
        parent = all_tasks.get(task["parentTaskId"])
        (roots if parent is None else parent["children"]).append(task)
    shown, level, next_level = 0, [], roots
    for _ in range(DEEPEST):
        level, next_level = next_level, [child for task in next_level for child in task["children"]]
        shown += len(level)
    for task in level:
        task["children"] = []
    return roots, shown


@bp.get("/runs/<run_id>/keys")
@asks(AskKeys)
@answers(200, KeyList)
@fails(404)
@costs(LONG)
def list_keys_of_run(wanted: dict[str, Any], run_id: str) -> Response:
    """The keys of a run's data in alphabetical order, each with the number and the newest time of its entries."""
    start, values, scope = _from(wanted, wanted.get("key_starts_with", ""))
    keys = db.each(
        f"""
        SELECT page.key, page.entries, page.created_at
        FROM run
        LEFT JOIN (
            SELECT latest.key, latest.entries, latest.created_at
            FROM run_data_latest AS latest
            WHERE latest.run_seq = {RUN_SEQ} AND latest.tag = ''
              AND latest.key {start} :start AND latest.key < :before
            ORDER BY latest.key
            LIMIT :limit
        ) AS page ON TRUE
        WHERE run.org_id = :org_id AND run.id = :run_id
        """,
        org_id=g.org_id, run_id=run_id.lower(), **values,
    )  # fmt: skip
    items = [{"key": key, "entries": entries, "newestAt": iso(newest)} for key, entries, newest in _found(keys)]
    return by_cursor(items, "key", wanted["limit"], scope)


@bp.get("/runs/<run_id>/tags")
@asks(AskTags)
@answers(200, TagList)
@fails(404)
@costs(LONG)
def list_tags_of_run(wanted: dict[str, Any], run_id: str) -> Response:
    """The tags of a run's data in alphabetical order, each with how many entries and keys it has."""
    start, values, scope = _from(wanted, wanted.get("tag_starts_with", ""))
    # From each tag the index is asked for the next one, however many keys are between them.
    tags = db.each(
        f"""
        WITH RECURSIVE page (tag, nth) AS (
            SELECT min(first.tag), 1
            FROM run_data_latest AS first
            WHERE first.run_seq = {RUN_SEQ} AND first.tag {start} :start AND first.tag < :before
            UNION ALL
            SELECT (
                       SELECT min(next.tag)
                       FROM run_data_latest AS next
                       WHERE next.run_seq = {RUN_SEQ} AND next.tag > page.tag AND next.tag < :before
                   ),
                   page.nth + 1
            FROM page
            WHERE page.tag IS NOT NULL AND page.nth < :limit
        )
        SELECT page.tag,
               (
                   SELECT sum(counted.entries)
                   FROM run_data_latest AS counted
                   WHERE counted.run_seq = run.seq AND counted.tag = page.tag
               ),
               (
                   SELECT count(*)
                   FROM run_data_latest AS counted
                   WHERE counted.run_seq = run.seq AND counted.tag = page.tag
               )
        FROM run
        LEFT JOIN page ON page.tag IS NOT NULL
        WHERE run.org_id = :org_id AND run.id = :run_id
        """,
        org_id=g.org_id, run_id=run_id.lower(), **values,
    )  # fmt: skip
    items = [{"tag": tag, "entries": entries, "keys": keys} for tag, entries, keys in _found(tags)]
    return by_cursor(items, "tag", wanted["limit"], scope)


def _from(wanted: dict[str, Any], prefix: str) -> tuple[str, dict[str, Any], bytes]:
    """Where a page in alphabetical order begins.

    :return: how the first text is compared with :start, the values to bind, and the scope of cursors
    :raises Invalid: if the cursor is not of this list
    """
    start, before = prefix_range(prefix)
    scope = scope_of(g.org_id, request.path, wanted)
    values = {"start": start, "before": before, "limit": wanted["limit"] + 1}
    if not wanted.get("cursor"):
        return ">=" if prefix else ">", values, scope
    (after,) = place_of(wanted["cursor"], scope, (str,))
    return ">", {**values, "start": after}, scope


def _found(rows: Rows) -> list[Row]:
    """The rows of a page, in order. One without anything in it says only that the run exists.

    :raises NotFound: if there is none at all
    """
    found = list(rows)
    if not found:
        raise NotFound("Run")
    return sorted(row for row in found if row[0] is not None)
