"""Tasks: create, read, change and list them."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from flask import Response, g
from marshmallow import fields, validate
from msgspec import Raw

from foreman import db
from foreman.api import labels
from foreman.api.labels import UpdateTags
from foreman.api.lists import label_filters, task_list
from foreman.clock import duration, iso, new_id, now_ms
from foreman.db.application import current
from foreman.db.engine import Transaction
from foreman.db.values import as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answers, asks, conditional, created, fails, represent, takes
from foreman.http.errors import Conflict, NotFound, found
from foreman.http.fields import Id, Integer, Text
from foreman.http.opaque_json import NOTHING, raw
from foreman.http.paging.pages import PLACE, Asked, cut, linked, listed, read_page, summary, within
from foreman.http.paging.statements import built_once
from foreman.http.paging.walks import cut_page
from foreman.http.protocol.etags import check, if_match
from foreman.vocabulary import ENDED, TASK_STATUSES

bp = Resource("tasks", __name__, "The steps of a run.")


class CreateTask(schemas.Body):
    """A new task of a run."""

    run_id = Id(required=True, metadata={"examples": [schemas.EXAMPLE_ID]})
    parent_task_id = Id(
        allow_none=True,
        load_default=None,
        metadata={"description": "A task of the same run.", "examples": [schemas.EXAMPLE_ID]},
    )
    type = Text(required=True, metadata={"examples": ["fetch-page"]})
    input_data = schemas.opaque({"url": "https://example.com"}, required=True)
    metadata = schemas.metadata()
    max_retries = Integer(strict=True, load_default=3, validate=validate.Range(0, 10), metadata={"examples": [3]})
    external_id = labels.external_id()
    tags = labels.tags()


class UpdateTask(schemas.Change):
    """A change of a task: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(TASK_STATUSES), metadata={"examples": ["completed"]})
    output_data = schemas.opaque({"title": "Example"})
    error_data = schemas.opaque({"message": "timed out"})
    metadata = schemas.metadata()
    queue_job_id = Text(metadata={"examples": ["job-17"]})
    external_id = labels.external_id()
    tags = labels.tags()


class Task(schemas.CamelCase):
    """A task: one step of a run."""

    id = shapes.uuid()
    run_id = shapes.uuid("The run it belongs to.")
    parent_task_id = shapes.uuid("The task of the same run that it is part of.", allow_none=True)
    org_id = shapes.text("acme")
    type = shapes.text("fetch-page")
    status = shapes.status(*TASK_STATUSES)
    input_data = shapes.json({"url": "https://example.com"})
    output_data = shapes.json({"title": "Example"})
    error_data = shapes.json(None)
    input_data_bytes = shapes.size("inputData")
    output_data_bytes = shapes.size("outputData", allow_none=True)
    error_data_bytes = shapes.size("errorData", allow_none=True)
    metadata = shapes.metadata()
    retry_count = shapes.count("How often it became retrying, or pending by a retry.")
    max_retries = shapes.count("How often it may be tried again; kept for the workers.", 3)
    created_at = shapes.time("When the task was created.")
    updated_at = shapes.time("When the task was last changed.")
    queued_at = shapes.time("When it first became queued.", allow_none=True)
    started_at = shapes.time("When it first became running.", allow_none=True)
    completed_at = shapes.time(
        "When it ended: set exactly while it is completed, failed or cancelled.", allow_none=True
    )
    duration_ms = shapes.count("Milliseconds from its start, else its creation, to its end.", 1234, allow_none=True)
    queue_job_id = fields.String(required=True, allow_none=True, metadata={"examples": ["job-17"]})
    external_id = labels.shown_external_id()
    tags = labels.shown_tags()


TaskList = schemas.CamelCase.from_dict(shapes.page_of(Task), name="TaskList")


# The columns that `to_json` takes, in its order. Opaque JSON is read as bytes, which is what goes into the response.
_COLUMNS = """
    task.id, task.run_id, task.parent_task_id, task.org_id, task.type, task.status,
    {payloads},
    CAST(task.metadata AS BLOB), task.retry_count, task.max_retries,
    task.created_at, task.updated_at, task.queued_at, task.started_at, task.completed_at, task.queue_job_id,
    task.external_id, CAST(task.tags AS BLOB)
    """
COLUMNS = _COLUMNS.format(
    payloads="CAST(task.input_data AS BLOB), CAST(task.output_data AS BLOB), CAST(task.error_data AS BLOB)"
)
OPAQUE, OPAQUE_OF_SUMMARY = slice(6, 10), slice(9, 10)

ONE_TASK = "FROM task WHERE org_id = :org_id AND id = :id"

# Whether the run of a task is strict: 1 or 0.
IS_STRICT = """
    SELECT run.strict FROM task JOIN run ON run.seq = task.run_seq WHERE task.org_id = :org_id AND task.id = :id
    """

SELECT_TASK = f"SELECT {COLUMNS} {ONE_TASK}"
SELECT_PARENT = "SELECT 1 FROM task WHERE org_id = :org_id AND id = :id AND run_id = :run_id"

# What follows from a change of status. {status} is the new one; if it is NULL, nothing follows.
FOLLOWS_FROM_STATUS = """
    queued_at    = CASE WHEN {status} = 'queued'  THEN coalesce(queued_at, :now)  ELSE queued_at  END,
    started_at   = CASE WHEN {status} = 'running' THEN coalesce(started_at, :now) ELSE started_at END,
    completed_at = CASE WHEN coalesce({status}, status) = status THEN completed_at
                        WHEN {status} IN (SELECT value FROM json_each(:ended)) THEN :now
                   END,
    retry_count  = retry_count + CASE WHEN {status} = 'retrying' AND status <> 'retrying' THEN 1 ELSE 0 END
    """

# Whether a task would leave the status that it has ended with, in a run that is strict.
LEAVES_AN_END_FOR_GOOD = """
    coalesce({status}, status) <> status AND status IN (SELECT value FROM json_each(:ended))
    AND EXISTS (SELECT 1 FROM run WHERE run.seq = task.run_seq AND run.strict = 1)
    """

# An opaque document of a run or task after a change to {new}; as before if that is NULL. Where there is none, JSON's
# null leaves it so: it is no change, even among others.
NEW_DOCUMENT = "coalesce(nullif({new}, coalesce({name}, 'null')), {name})"

# Whether a task is changed by a new value, by field; not if {new} is NULL.
IS_CHANGED = {
    "status": "{new} <> status",
    "output_data": "{new} <> coalesce(output_data, 'null')",
    "error_data": "{new} <> coalesce(error_data, 'null')",
    "metadata": "{new} <> coalesce(metadata, '')",
    "queue_job_id": "{new} <> coalesce(queue_job_id, '')",
}


@bp.post("/tasks")
@takes(CreateTask)
@answers(201, Task)
@fails(404, 409)
@conditional
def create_task(new: dict[str, Any]) -> Response:
    """Add a task to a run; it starts `pending`. The run, and the parent task in that run, must exist."""
    with db.write(single=True) as tx:
        task = tx.one(
            f"""
            INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, metadata,
                              max_retries, external_id, tags, created_at, updated_at)
            SELECT run.org_id, :id, run.seq, run.id, :parent_task_id, :type, 'pending', :input_data, :metadata,
                   :max_retries, nullif(:external_id, ''), nullif(:tags, '[]'), :now, :now
            FROM run
            WHERE run.org_id = :org_id AND run.id = :run_id AND (CAST(:parent_task_id AS TEXT) IS NULL OR EXISTS (
                SELECT 1
                FROM task AS parent
                WHERE parent.org_id = :org_id AND parent.id = :parent_task_id AND parent.run_seq = run.seq
            ))
            {labels.unless_taken(new)}
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=new_id(), run_id=new["run_id"], parent_task_id=new["parent_task_id"],
            type=new["type"], input_data=new["input_data"], metadata=new.get("metadata"),
            max_retries=new["max_retries"], now=now_ms(), **labels.bound(new),
        )  # fmt: skip
        if task is None:
            found(tx.one("SELECT 1 FROM run WHERE org_id = :org_id AND id = :id",
                         org_id=g.org_id, id=new["run_id"]), "Run")  # fmt: skip
            if new["parent_task_id"] is not None:
                found(
                    tx.one(SELECT_PARENT, org_id=g.org_id, run_id=new["run_id"], id=new["parent_task_id"]),
                    "Parent task",
                )
            labels.refuse_taken(tx, "task", new)
            raise NotFound("Run")
    body = to_json(task)
    return created(body, f"/tasks/{body['id']}")


@bp.get("/tasks/<task_id>")
@asks(schemas.View)
@answers(200, Task)
@fails(404)
@conditional
def get_task(wanted: dict[str, Any], task_id: str) -> Response:
    """One task."""
    if wanted["view"] == "summary":
        task = db.one(f"SELECT {columns_of_summary()} {ONE_TASK}", org_id=g.org_id, id=task_id.lower())
        return represent(to_summary(found(task, "Task")))
    task = db.one(SELECT_TASK, org_id=g.org_id, id=task_id.lower())
    return represent(to_json(found(task, "Task")))


@bp.patch("/tasks/<task_id>")
@takes(UpdateTask)
@answers(200, Task)
@fails(404, 409)
@conditional
def update_task(change: dict[str, Any], task_id: str) -> Response:
    """Change a task's status, output, error, metadata, queue job, external id or tags; what is absent stays.

    Any status may follow any other, because queues and workers decide; the times and the retry count follow it. A task
    of a strict run keeps the status that it ends with. A value that is the same as before, to the letter, changes
    nothing, not even `updatedAt`.
    """
    wanted, status = if_match(), change.get("status")
    with db.write(single=wanted is None) as tx:
        if wanted is not None:
            check_state(tx, task_id, wanted)
        labels.refuse_other(tx, "task", task_id.lower(), change)
        task = tx.one(
            _update(labels.given(change)),
            org_id=g.org_id, id=task_id.lower(), now=now_ms(), ended=as_list(ENDED), status=status,
            output_data=change.get("output_data"), error_data=change.get("error_data"),
            metadata=change.get("metadata"), queue_job_id=change.get("queue_job_id"),
            **labels.bound(change),
        )  # fmt: skip
        if task is None:
            task = found(tx.one(SELECT_TASK, org_id=g.org_id, id=task_id.lower()), "Task")
            refuse_to_leave_an_end(tx, task, status)
    return represent(to_json(task))


@cache
def _update(labelled: tuple[str, ...]) -> str:
    """The statement that changes a task.

    :param labelled: which labels it changes
    """
    return f"""
        UPDATE task
        SET status       = coalesce(:status, status),
            output_data  = {NEW_DOCUMENT.format(name="output_data", new=":output_data")},
            error_data   = {NEW_DOCUMENT.format(name="error_data", new=":error_data")},
            metadata     = coalesce(:metadata, metadata),
            queue_job_id = coalesce(:queue_job_id, queue_job_id),
            {labels.sets(labelled)}
            updated_at   = :now,
            {FOLLOWS_FROM_STATUS.format(status=":status")}
        WHERE org_id = :org_id AND id = :id
          AND ({" OR ".join(changed.format(new=f":{name}") for name, changed in IS_CHANGED.items())}
               {labels.changes(labelled)})
          AND NOT ({LEAVES_AN_END_FOR_GOOD.format(status=":status")})
        RETURNING {COLUMNS}
        """


@bp.patch("/tasks/<task_id>/tags")
@takes(UpdateTags)
@answers(200, Task)
@fails(404)
@conditional
def update_task_tags(change: dict[str, Any], task_id: str) -> Response:
    """Remove tags from a task, then add those it does not have; the others keep their order.

    When that leaves the tags as they are, it leaves `updatedAt` too.
    """
    which = {"org_id": g.org_id, "id": task_id.lower()}
    wanted = if_match()
    with db.write() as tx:
        task = tx.locked("SELECT coalesce(tags, '[]') FROM task WHERE org_id = :org_id AND id = :id", **which)
        (before,) = found(task, "Task")
        if wanted is not None:
            check(wanted, to_json(found(tx.one(SELECT_TASK, **which), "Task")))
        tags = labels.changed_tags(before, change, "task")
        task = tx.one(
            f"""
            UPDATE task
            SET tags = nullif(:tags, '[]'), updated_at = :now
            WHERE org_id = :org_id AND id = :id AND :tags <> coalesce(tags, '[]')
            RETURNING {COLUMNS}
            """,
            **which, tags=tags, now=now_ms(),
        ) or tx.one(SELECT_TASK, **which)  # fmt: skip
    return represent(to_json(found(task, "Task")))


@bp.get("/tasks")
@asks(task_list.ListTasks)
@answers(200, TaskList)
def list_tasks(wanted: dict[str, Any]) -> Response:
    """The organisation's tasks, of one run, parent, type or status when asked; newest first unless asked otherwise."""
    return _page_of(wanted)


@bp.get("/runs/<run_id>/tasks")
@asks(task_list.ListTasksOfRun)
@answers(200, TaskList)
@fails(404)
def list_tasks_of_run(wanted: dict[str, Any], run_id: str) -> Response:
    """The tasks of one run, which must exist; newest first unless asked otherwise."""
    return _page_of({**wanted, "run_id": run_id.lower()}, task_list.IF_THE_RUN_EXISTS)


def _page_of(wanted: dict[str, Any], only_if: str = "") -> Response:
    """The response with a page of tasks.

    :param only_if: what must exist, as the end of a SELECT
    """
    label_filters.refuse_undeclared(wanted, current.settings.metadata_paths)
    asked = Asked.of(wanted)
    page = read_page(
        _select_page(wanted, only_if), asked, OPAQUE_OF_SUMMARY if asked.summary else OPAQUE,
        org_id=g.org_id, **task_list.bound(wanted),
    )  # fmt: skip
    tasks = [to_summary(task) if asked.summary else to_json(task) for task in page.rows]
    return linked(listed(tasks, page, asked), page)


@built_once
def _select_page(wanted: dict[str, Any], only_if: str) -> str:
    """The statement of a page of the list."""
    total = task_list.count(wanted) if wanted["count"] == "true" else "NULL"
    page = cut_page(task_list.walks(wanted), wanted["sort_order"], **cut(wanted))
    return f"""
        SELECT {columns_of_summary() if wanted["view"] == "summary" else COLUMNS}, {PLACE}, counted.total
        FROM (SELECT {total} AS total {only_if}) AS counted
        LEFT JOIN ({page}) AS page ON TRUE
        LEFT JOIN task ON task.seq = page.tiebreak {within(wanted)}
        """


def columns_of_summary() -> str:
    """The columns that `to_summary` takes, in its order: those of `to_json`, with sizes in place of payloads."""
    sizes = (db.octets(f"task.{name}") for name in ("input_data", "output_data", "error_data"))
    return _COLUMNS.format(payloads=", ".join(sizes))


def to_summary(task: Sequence[Any]) -> dict[str, Any]:
    """The task object of the API without its payloads, from a row of `columns_of_summary`."""
    sizes = dict(zip(("inputData", "outputData", "errorData"), task[6:9], strict=True))
    return summary(to_json([*task[:6], NOTHING, None, None, *task[9:]]), sizes)


def new_row(
    org_id: str, task_id: str, run_id: str, parent_task_id: str | None, now: int, new: dict[str, Any]
) -> tuple[Any, ...]:
    """The row of `COLUMNS` of a new task.

    :param new: its fields as `CreateTask` has them
    """
    return (
        task_id, run_id, parent_task_id, org_id, new["type"], TASK_STATUSES[0], new["input_data"], None, None,
        new["metadata"], 0, new["max_retries"], now, now, None, None, None, None,
        new["external_id"], as_list(dict.fromkeys(new["tags"])) if new["tags"] else None,
    )  # fmt: skip


def check_state(tx: Transaction, task_id: str, wanted: frozenset[str]) -> None:
    """Compare a task, which nobody else can change until the transaction ends.

    :param wanted: entity tags, see `etags.if_match`
    :raises NotFound: if there is no such task
    :raises PreconditionFailed: if it has none of these tags
    """
    check(wanted, to_json(found(tx.locked(SELECT_TASK, org_id=g.org_id, id=task_id.lower()), "Task")))


def refuse_to_leave_an_end(tx: Transaction, task: Sequence[Any], status: str | None) -> None:
    """Refuse a task of a strict run another status than the one that it has ended with.

    :param task: a row of `COLUMNS`, as it is after the change
    :param status: that it was to have; None for any
    :raises Conflict: if it does not have it
    """
    task_id, before = task[0], task[5]
    if status in (None, before) or before not in ENDED:
        return
    if tx.value(IS_STRICT, org_id=g.org_id, id=task_id):
        raise Conflict(f"A {before} task of a strict run cannot become {status}", code="terminal_status")


def to_json(task: Iterable[Any]) -> dict[str, Any]:
    """The task object of the API, from a row of `COLUMNS`."""
    (
        task_id, run_id, parent_task_id, org_id, type_, status,
        input_data, output_data, error_data, metadata, retry_count, max_retries,
        created_at, updated_at, queued_at, started_at, completed_at, queue_job_id,
        external_id, tags,
    ) = task  # fmt: skip
    item = {
        "id": task_id,
        "runId": run_id,
        "parentTaskId": parent_task_id,
        "orgId": org_id,
        "type": type_,
        "status": status,
        "inputData": Raw(input_data),
        "outputData": raw(output_data),
        "errorData": raw(error_data),
        "metadata": raw(metadata),
        "retryCount": retry_count,
        "maxRetries": max_retries,
        "createdAt": iso(created_at),
        "updatedAt": iso(updated_at),
        "queuedAt": iso(queued_at),
        "startedAt": iso(started_at),
        "completedAt": iso(completed_at),
        "durationMs": duration(created_at, started_at, completed_at),
        "queueJobId": queue_job_id,
    }
    return labels.labelled(item, external_id, tags)
