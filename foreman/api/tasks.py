"""Tasks: create, read, change and list them."""

from collections.abc import Iterable
from typing import Any

from flask import Response, g
from marshmallow import fields, validate

from foreman import db
from foreman.clock import duration, iso, new_id, now_ms
from foreman.db.values import as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, created, fails, takes
from foreman.http.errors import NotFound, found
from foreman.http.fields import Id, Integer, Text, TextFilter
from foreman.http.opaque_json import raw
from foreman.http.paging import PLACES, page, read_page, select_page
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


class UpdateTask(schemas.Change):
    """A change of a task: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(TASK_STATUSES), metadata={"examples": ["completed"]})
    output_data = schemas.opaque({"title": "Example"})
    error_data = schemas.opaque({"message": "timed out"})
    metadata = schemas.metadata()
    queue_job_id = Text(metadata={"examples": ["job-17"]})


class ListTasks(schemas.Page):
    """Which tasks to list."""

    run_id = Id()
    status = schemas.statuses(*TASK_STATUSES)
    type = TextFilter()
    parent_task_id = Id()


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
    metadata = shapes.metadata()
    retry_count = shapes.count("How often it became retrying.")
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


TaskList = schemas.CamelCase.from_dict(shapes.page_of(Task), name="TaskList")


# The columns that `to_json` takes, in its order. Opaque JSON is read as bytes, which is what goes into the response.
COLUMNS = """
    task.id, task.run_id, task.parent_task_id, task.org_id, task.type, task.status,
    CAST(task.input_data AS BLOB), CAST(task.output_data AS BLOB), CAST(task.error_data AS BLOB),
    CAST(task.metadata AS BLOB), task.retry_count, task.max_retries,
    task.created_at, task.updated_at, task.queued_at, task.started_at, task.completed_at, task.queue_job_id
    """
OPAQUE = slice(6, 10)

SELECT_TASK = f"SELECT {COLUMNS} FROM task WHERE org_id = :org_id AND id = :id"

# The filters of the task list, one per query parameter; `status` is left to `select_page`.
CONDITIONS = {
    "run_id": "run_id = :run_id",
    "parent_task_id": "parent_task_id = :parent_task_id",
    "type": "type = :type",
}


@bp.post("/tasks")
@takes(CreateTask)
@answers(201, Task)
@fails(404)
def create_task(new: dict[str, Any]) -> Response:
    """Add a task to a run; it starts `pending`. The run, and the parent task in that run, must exist."""
    with db.write() as tx:
        missing = tx.value(
            """
            SELECT CASE
                WHEN NOT EXISTS (SELECT 1 FROM run WHERE org_id = :org_id AND id = :run_id) THEN 'Run'
                WHEN :parent_task_id IS NOT NULL AND NOT EXISTS (
                    SELECT 1 FROM task WHERE org_id = :org_id AND run_id = :run_id AND id = :parent_task_id
                ) THEN 'Parent task'
            END
            """,
            org_id=g.org_id, run_id=new["run_id"], parent_task_id=new["parent_task_id"],
        )  # fmt: skip
        if missing:
            raise NotFound(missing)
        task = tx.one(
            f"""
            INSERT INTO task (org_id, id, run_id, parent_task_id, type, status, input_data, metadata, max_retries,
                              created_at, updated_at)
            VALUES (:org_id, :id, :run_id, :parent_task_id, :type, 'pending', :input_data, :metadata, :max_retries,
                    :now, :now)
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=new_id(), run_id=new["run_id"], parent_task_id=new["parent_task_id"],
            type=new["type"], input_data=new["input_data"], metadata=new.get("metadata"),
            max_retries=new["max_retries"], now=now_ms(),
        )  # fmt: skip
    task = found(task, "Task")
    return created(to_json(task), f"/tasks/{task['id']}")


@bp.get("/tasks/<task_id>")
@answers(200, Task)
@fails(404)
def get_task(task_id: str) -> Response:
    """One task."""
    task = db.one(SELECT_TASK, org_id=g.org_id, id=task_id.lower())
    return answer(to_json(found(task, "Task")))


@bp.patch("/tasks/<task_id>")
@takes(UpdateTask)
@answers(200, Task)
@fails(404)
def update_task(change: dict[str, Any], task_id: str) -> Response:
    """Change a task's status, output, error, metadata or queue job; what is absent stays.

    Any status may follow any other, because queues and workers decide; the times and the retry count follow it. A value
    that is the same as before, to the letter, changes nothing, not even `updatedAt`.
    """
    with db.write() as tx:
        task = tx.one(
            f"""
            UPDATE task
            SET status       = coalesce(:status, status),
                output_data  = coalesce(:output_data, output_data),
                error_data   = coalesce(:error_data, error_data),
                metadata     = coalesce(:metadata, metadata),
                queue_job_id = coalesce(:queue_job_id, queue_job_id),
                updated_at   = :now,
                queued_at    = CASE WHEN :status = 'queued'  THEN coalesce(queued_at, :now)  ELSE queued_at  END,
                started_at   = CASE WHEN :status = 'running' THEN coalesce(started_at, :now) ELSE started_at END,
                completed_at = CASE WHEN coalesce(:status, status) = status THEN completed_at
                                    WHEN :status IN (SELECT value FROM json_each(:ended)) THEN :now
                               END,
                retry_count  = retry_count + CASE WHEN :status = 'retrying' AND status <> 'retrying' THEN 1 ELSE 0 END
            WHERE org_id = :org_id AND id = :id AND (
                :status <> status
                OR :output_data <> coalesce(output_data, 'null')
                OR :error_data <> coalesce(error_data, 'null')
                OR :metadata <> coalesce(metadata, '')
                OR :queue_job_id <> coalesce(queue_job_id, '')
            )
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=task_id.lower(), now=now_ms(), ended=as_list(ENDED),
            status=change.get("status"), output_data=change.get("output_data"),
            error_data=change.get("error_data"), metadata=change.get("metadata"),
            queue_job_id=change.get("queue_job_id"),
        ) or tx.one(SELECT_TASK, org_id=g.org_id, id=task_id.lower())  # fmt: skip
    return answer(to_json(found(task, "Task")))


@bp.get("/tasks")
@asks(ListTasks)
@answers(200, TaskList)
def list_tasks(wanted: dict[str, Any]) -> Response:
    """The organisation's tasks, of one run, parent, type or status when asked; newest first unless asked otherwise."""
    limit, offset = wanted["limit"], wanted["offset"]
    statuses = [status for status in TASK_STATUSES if status in wanted.get("status", ())]
    conditions = [condition for name, condition in CONDITIONS.items() if name in wanted]
    by_run_or_type = bool(conditions) and "parent_task_id" not in wanted
    rows_of_page = select_page(
        "task",
        ["org_id = :org_id", *conditions],
        wanted["sort_by"],
        wanted["sort_order"],
        # The indexes by run and by type order by status, then by time.
        statuses or (TASK_STATUSES if by_run_or_type else ()),
        sorted_by_index=wanted["sort_by"] == "created_at" or not (conditions or statuses),
    )
    tasks, total = read_page(
        # The children of a task are all in its own run, so in any other run there are none.
        f"""
        SELECT {COLUMNS}, {PLACES[wanted["sort_order"]]}, counted.total
        FROM (
            SELECT coalesce(sum(tasks), 0) AS total
            FROM task_count
            WHERE org_id = :org_id AND scope_id = coalesce(:parent_task_id, :run_id, '') AND type = coalesce(:type, '')
              AND status IN (SELECT value FROM json_each(:statuses))
              AND (:run_id IS NULL OR EXISTS (SELECT 1 FROM run WHERE org_id = :org_id AND id = :run_id))
              AND (:parent_task_id IS NULL OR EXISTS (
                  SELECT 1 FROM task
                  WHERE org_id = :org_id AND id = :parent_task_id AND run_id = coalesce(:run_id, run_id)
              ))
        ) AS counted
        LEFT JOIN ({rows_of_page}) AS page ON TRUE
        LEFT JOIN task ON task.seq = page.tiebreak
        """,
        wanted["sort_order"], OPAQUE,
        org_id=g.org_id, run_id=wanted.get("run_id"), parent_task_id=wanted.get("parent_task_id"),
        type=wanted.get("type"), statuses=as_list(statuses or TASK_STATUSES), limit=limit, offset=offset,
    )  # fmt: skip
    return answer(page([to_json(task) for task in tasks], total, limit, offset))


def to_json(task: Iterable[Any]) -> dict[str, Any]:
    """The task object of the API, from a row of `COLUMNS`."""
    (
        task_id, run_id, parent_task_id, org_id, type_, status,
        input_data, output_data, error_data, metadata, retry_count, max_retries,
        created_at, updated_at, queued_at, started_at, completed_at, queue_job_id,
    ) = task  # fmt: skip
    return {
        "id": task_id,
        "runId": run_id,
        "parentTaskId": parent_task_id,
        "orgId": org_id,
        "type": type_,
        "status": status,
        "inputData": raw(input_data),
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
