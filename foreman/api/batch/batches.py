"""Batches: up to 1,000 tasks or entries created or changed by one request, all of them or none."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from flask import Response, g
from marshmallow import ValidationError, fields, validates_schema

from foreman import db
from foreman.api import labels, run_data, tasks
from foreman.api.batch.additions import (
    NewTask,
    given_twice,
    insert_data,
    insert_tasks,
    refuse_taken,
    task_rows,
    wrong_refs,
)
from foreman.clock import new_ids, now_ms
from foreman.db.engine import Transaction
from foreman.db.values import RUN_SEQ, Row, as_list, as_rows
from foreman.http import schemas
from foreman.http.contract import BASE_PATH, Resource, answer, answers, fails, takes
from foreman.http.errors import Conflict, Invalid, NotFound, TooLargeToTry, found
from foreman.http.fields import Id
from foreman.http.items import MOST_WRONG, BodyWithItems, Item, Items
from foreman.http.paging.pages import LARGEST_PAGE
from foreman.http.protocol.etags import if_match
from foreman.http.protocol.problems import Detail
from foreman.vocabulary import ENDED

bp = Resource("batches", __name__, "Up to 1,000 tasks or entries in one request: all of them or none.")


class ChangedTask(tasks.UpdateTask):
    """A change of one task among others: what is absent stays as it is."""

    id = Id(required=True, metadata={"description": "The task.", "examples": [schemas.EXAMPLE_ID]})


class CreateTasks(BodyWithItems):
    """New tasks of a run."""

    items = Items(NewTask, required=True, metadata={"examples": [[{"type": "fetch-page", "inputData": 1}]]})

    @validates_schema
    def refs(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: if a ref is given twice, or a parent is not there or a descendant"""
        if wrong := wrong_refs(data["items"]):
            raise ValidationError({"items": wrong})


class CreateDataOfRun(BodyWithItems):
    """New entries of run data."""

    items = Items(
        run_data.CreateData,
        required=True,
        metadata={"examples": [[{"taskId": schemas.EXAMPLE_ID, "key": "sensor.temp.kitchen", "value": 21.5}]]},
    )


class UpdateTasks(BodyWithItems):
    """Changes of tasks, of any runs."""

    items = Items(
        ChangedTask, required=True, metadata={"examples": [[{"id": schemas.EXAMPLE_ID, "status": "completed"}]]}
    )

    @validates_schema
    def once_each(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: if a task or an external id is there twice: their order would decide"""
        wrong = given_twice(data["items"], "id") or given_twice(data["items"], "external_id")
        if wrong:
            raise ValidationError({"items": wrong})


class Tasks(schemas.CamelCase):
    """The tasks of a batch, in the order of the request."""

    items = fields.List(fields.Nested(tasks.Task), required=True)


class Entries(schemas.CamelCase):
    """The entries of a batch, in the order of the request."""

    items = fields.List(fields.Nested(run_data.RunData), required=True)


SELECT_TASKS_OF_RUN = """
    SELECT task.id
    FROM json_each(:ids) AS wanted
    CROSS JOIN task
    WHERE task.org_id = :org_id AND task.id = wanted.value AND task.run_id = :run_id
    """

SELECT_TASKS = f"""
    SELECT {tasks.COLUMNS}
    FROM json_each(:ids) AS wanted
    CROSS JOIN task
    WHERE task.org_id = :org_id AND task.id = wanted.value
    """

# The fields that a change may have: where each is in an item, and what it sets.
NEW_VALUES = {
    "status": "json_extract(listed.value, '$[1]') AS new_status",
    "output_data": "json_extract(listed.value, '$[2]') AS new_output_data",
    "error_data": "json_extract(listed.value, '$[3]') AS new_error_data",
    "metadata": "json_extract(listed.value, '$[4]') AS new_metadata",
    "queue_job_id": "json_extract(listed.value, '$[5]') AS new_queue_job_id",
    "external_id": "json_extract(listed.value, '$[6]') AS new_external_id",
    "tags": "json_extract(listed.value, '$[7]') AS new_tags",
}
SET = {name: f"{name} = new_{name}" for name in NEW_VALUES} | {
    "status": f"status = new_status, {tasks.FOLLOWS_FROM_STATUS.format(status='new_status')}",
    **{
        name: f"{name} = {tasks.NEW_DOCUMENT.format(name=name, new=f'new_{name}')}"
        for name in ("output_data", "error_data")
    },
    "external_id": "external_id = nullif(new_external_id, '')",
    "tags": "tags = nullif(new_tags, '[]')",
}
IS_CHANGED = tasks.IS_CHANGED | {
    "external_id": "{new} <> coalesce(external_id, '')",
    "tags": "{new} <> coalesce(tags, '[]')",
}


@bp.post("/runs/<run_id>/tasks/batch")
@takes(CreateTasks)
@answers(201, Tasks)
@fails(404, 409)
def create_tasks(new: dict[str, Any], run_id: str) -> Response:
    """Add up to 1,000 tasks to a run, all of them or none.

    A task may have a `ref`, which another one may name as its `parent`, in any order. `items` of the response are in
    the order of the request.
    """
    items, run_id = new["items"], run_id.lower()
    with db.write() as tx:
        found(tx.held(run_data.SELECT_RUN, org_id=g.org_id, run_id=run_id), "Run")
        _refuse_missing(tx, run_id, items, "parent_task_id", "Parent task")
        refuse_taken(tx, items)
        now = now_ms()
        rows = task_rows(run_id, items, now)
        insert_tasks(tx, run_id, rows, now)
    return _created([tasks.to_json(row) for row in rows], f"/tasks?runId={run_id}")


@bp.post("/runs/<run_id>/data/batch")
@takes(CreateDataOfRun)
@answers(201, Entries)
@fails(404)
def create_entries(new: dict[str, Any], run_id: str) -> Response:
    """Add up to 1,000 entries to a run, all of them or none.

    Of several with the same key the last is the latest. `items` of the response are in the order of the request.
    """
    items, run_id = new["items"], run_id.lower()
    with db.write() as tx:
        found(tx.held(run_data.SELECT_RUN, org_id=g.org_id, run_id=run_id), "Run")
        _refuse_missing(tx, run_id, items, "task_id", "Task")
        tx.lock_rows(
            f"""
            SELECT run_data_latest.key
            FROM run_data_latest
            WHERE run_seq = {RUN_SEQ} AND tag = '' AND run_data_latest.key IN (SELECT value FROM json_each(:keys))
            ORDER BY run_data_latest.key
            """,
            org_id=g.org_id, run_id=run_id, keys=as_list(dict.fromkeys(item["key"] for item in items)),
        )  # fmt: skip
        now = now_ms()
        rows = [
            run_data.new_row(g.org_id, data_id, run_id, item["task_id"], now, item)
            for item, data_id in zip(items, new_ids(len(items)), strict=True)
        ]
        insert_data(tx, run_id, rows, now)
    return _created([run_data.to_json(row) for row in rows], f"/runs/{run_id}/data")


@bp.patch("/tasks/batch")
@takes(UpdateTasks)
@answers(200, Tasks)
@fails(404, 409)
def update_tasks(change: dict[str, Any]) -> Response:
    """Change up to 1,000 tasks, all of them or none; what is absent from an item stays.

    Each item is the `id` of a task and what a change of that task alone may have. `items` of the response are in the
    order of the request. `If-Match` goes only with a change of one task.
    """
    if if_match() is not None:
        message = "Goes only with a change of one task: a batch is of many."
        raise Invalid("Validation failed", [{"field": "If-Match", "message": message}])
    items = change["items"]
    ids = as_list(item["id"] for item in items)
    with db.write() as tx:
        tx.lock_rows(
            "SELECT id FROM task WHERE org_id = :org_id AND id IN (SELECT value FROM json_each(:ids)) ORDER BY id",
            org_id=g.org_id, ids=ids,
        )  # fmt: skip
        refuse_taken(tx, items)
        now = now_ms()
        for names, alike in _by_fields(items).items():
            for some in as_rows(map(_row_of, alike)):
                tx.run(_update(names), org_id=g.org_id, items=some, now=now, ended=as_list(ENDED))
        rows = _read(tx, ids)
        missing = [place for place, item in enumerate(items) if item["id"] not in rows]
        _refuse(missing, "id", "Task")
        _refuse_to_leave_ends(items, rows)
    return answer({"items": [tasks.to_json(rows[item["id"]]) for item in items]})


def _by_fields(items: Iterable[Item]) -> dict[tuple[str, ...], list[Item]]:
    """Changes by the fields that they have; those without any are left out."""
    groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        groups[tuple(name for name in NEW_VALUES if name in item)].append(item)
    groups.pop((), None)
    return groups


def _row_of(change: Item) -> list[str | None]:
    """What to bind for a change of a task."""
    new = change | labels.bound(change)
    return [change["id"], *(new.get(name) for name in NEW_VALUES)]


def _update(names: Sequence[str]) -> str:
    """The statement that changes these fields of tasks, with the meaning of `tasks.update_task`.

    It names no other field: SQLite would keep what it has of each task until all of them are found.
    """
    return f"""
        WITH item AS MATERIALIZED (
            SELECT json_extract(listed.value, '$[0]') AS of_task, {", ".join(NEW_VALUES[name] for name in names)}
            FROM json_each(:items) AS listed
        )
        UPDATE task
        SET updated_at = :now, {", ".join(SET[name] for name in names)}
        FROM item
        WHERE task.org_id = :org_id AND task.id = item.of_task
          AND ({" OR ".join(IS_CHANGED[name].format(new=f"new_{name}") for name in names)})
          {f"AND NOT ({tasks.LEAVES_AN_END_FOR_GOOD.format(status='new_status')})" if "status" in names else ""}
        """


def _read(tx: Transaction, ids: str | None) -> dict[str, Row]:
    """Tasks by their ids.

    :raises Invalid: if they are too large for a response
    :raises TooLargeToTry: if they exceed what the request may read before its turn in the queue of large ones
    """
    rows: dict[str, Row] = {}
    size, to_try = 0, db.most()
    with closing(tx.each(SELECT_TASKS, org_id=g.org_id, ids=ids)) as each:
        for row in each:
            size += sum(len(text) for text in row[tasks.OPAQUE] if text is not None)
            if to_try is not None and size > to_try:
                raise TooLargeToTry
            if size > LARGEST_PAGE and rows:
                message = f"The response would have more than {LARGEST_PAGE // 1_000_000} MB; change fewer at once."
                raise Invalid("Validation failed", [{"field": "items", "message": message}])
            rows[row[0]] = row
    return rows


def _refuse_missing(tx: Transaction, run_id: str, items: Sequence[Item], name: str, what: str) -> None:
    """Refuse items that name a task which the run does not have.

    :raises NotFound: if there are any
    """
    wanted = dict.fromkeys(item[name] for item in items if item[name] is not None)
    if wanted:
        there = {id_ for (id_,) in tx.all(SELECT_TASKS_OF_RUN, org_id=g.org_id, run_id=run_id, ids=as_list(wanted))}
        missing = [place for place, item in enumerate(items) if item[name] is not None and item[name] not in there]
        _refuse(missing, schemas.camel_case(name), what)


def _refuse(missing: Sequence[int], field: str, what: str) -> None:
    if missing:
        places = [f"items.{place}.{field}" for place in missing[:MOST_WRONG]]
        raise NotFound(what, [{"field": place, "message": f"{what} not found"} for place in places])


def _refuse_to_leave_ends(items: Sequence[Item], rows: Mapping[str, Row]) -> None:
    """Refuse tasks of strict runs another status than the one that they have ended with.

    :param rows: the tasks by id, as they are after the change
    :raises Conflict: if there are any, naming the items
    """
    kept = [(place, rows[item["id"]][5], item["status"]) for place, item in enumerate(items) if item.get("status")]
    refused: list[Detail] = [
        {"field": f"items.{place}.status", "message": f"A {before} task of a strict run cannot become {status}"}
        for place, before, status in kept
        if before != status
    ]
    if refused:
        raise Conflict(refused[0]["message"], code="terminal_status", details=refused[:MOST_WRONG])


def _created(items: list[dict[str, Any]], path: str) -> Response:
    """A 201 response with new items, and where they are."""
    response = answer({"items": items}, 201)
    response.headers["Location"] = BASE_PATH + path
    return response
