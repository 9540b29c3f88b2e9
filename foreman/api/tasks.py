"""Tasks: create, read, change and list them."""

from collections.abc import Iterable
from typing import Any

from flask import Response, g
from marshmallow import fields, validate
from msgspec import Raw

from foreman import db
from foreman.clock import duration, iso, new_id, now_ms
from foreman.db.values import RUN_SEQ, as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, created, fails, takes
from foreman.http.errors import NotFound, found
from foreman.http.fields import Id, Integer, Text, TextFilter
from foreman.http.opaque_json import raw
from foreman.http.paging import PLACE, cut_page, find_and_sort, page, read_page, walk, walk_statuses
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

# The filters of the task list, one per query parameter except `status`.
CONDITIONS = {"run_id": f"run_seq = {RUN_SEQ}", "type": "type = :type"}

# Those of a task's children. coalesce: else SQLite might look for them among all tasks of the run, or of the type.
CHILDREN = {
    "parent_task_id": "parent_task_id = :parent_task_id",
    "run_id": f"coalesce(run_seq, 0) = {RUN_SEQ}",
    "type": "coalesce(type, '') = :type",
}

# Where the numbers of tasks are, in a column for each status: of a task's children, of a run, of the organisation. A
# task's children are all in its own run, so in any other run there are none.
COUNTS = {
    "parent_task_id": """
        task AS parent
        JOIN run_task_count AS counted ON counted.run_seq = parent.run_seq AND counted.parent_task_id = parent.id
        WHERE parent.org_id = :org_id AND parent.id = :parent_task_id
          AND parent.run_id = coalesce(:run_id, parent.run_id) AND counted.type = coalesce(:type, '')
        """,
    "run_id": f"""
        run_task_count AS counted
        WHERE counted.run_seq = {RUN_SEQ} AND counted.parent_task_id = '' AND counted.type = coalesce(:type, '')
        """,
    "all": "org_task_count AS counted WHERE counted.org_id = :org_id AND counted.type = coalesce(:type, '')",
}


@bp.post("/tasks")
@takes(CreateTask)
@answers(201, Task)
@fails(404)
def create_task(new: dict[str, Any]) -> Response:
    """Add a task to a run; it starts `pending`. The run, and the parent task in that run, must exist."""
    with db.write(single=True) as tx:
        task = tx.one(
            f"""
            INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, metadata,
                              max_retries, created_at, updated_at)
            SELECT run.org_id, :id, run.seq, run.id, :parent_task_id, :type, 'pending', :input_data, :metadata,
                   :max_retries, :now, :now
            FROM run
            WHERE run.org_id = :org_id AND run.id = :run_id AND (CAST(:parent_task_id AS TEXT) IS NULL OR EXISTS (
                SELECT 1
                FROM task AS parent
                WHERE parent.org_id = :org_id AND parent.id = :parent_task_id AND parent.run_seq = run.seq
            ))
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=new_id(), run_id=new["run_id"], parent_task_id=new["parent_task_id"],
            type=new["type"], input_data=new["input_data"], metadata=new.get("metadata"),
            max_retries=new["max_retries"], now=now_ms(),
        )  # fmt: skip
        if task is None:
            found(tx.one("SELECT 1 FROM run WHERE org_id = :org_id AND id = :id",
                         org_id=g.org_id, id=new["run_id"]), "Run")  # fmt: skip
            raise NotFound("Parent task")
    body = to_json(task)
    return created(body, f"/tasks/{body['id']}")


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
    with db.write(single=True) as tx:
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
    statuses = [status for status in TASK_STATUSES if status in (wanted.get("status") or TASK_STATUSES)]
    of = "parent_task_id" if "parent_task_id" in wanted else "run_id" if "run_id" in wanted else "all"
    tasks, total = read_page(
        f"""
        SELECT {COLUMNS}, {PLACE}, counted.total
        FROM (SELECT coalesce((SELECT {" + ".join(statuses)} FROM {COUNTS[of]}), 0) AS total) AS counted
        LEFT JOIN ({cut_page(_walks(wanted, statuses), wanted["sort_order"])}) AS page ON TRUE
        LEFT JOIN task ON task.seq = page.tiebreak
        """,
        wanted["sort_order"], OPAQUE,
        org_id=g.org_id, run_id=wanted.get("run_id"), parent_task_id=wanted.get("parent_task_id"),
        type=wanted.get("type"), limit=limit, offset=offset,
    )  # fmt: skip
    return answer(page([to_json(task) for task in tasks], total, limit, offset))


def _walks(wanted: dict[str, Any], statuses: list[str]) -> list[str]:
    """How the rows of the list are found: the SELECTs that its page is cut from."""
    sort_by, sort_order = wanted["sort_by"], wanted["sort_order"]
    of_parent = "parent_task_id" in wanted
    filters = CHILDREN if of_parent else CONDITIONS
    conditions = ["org_id = :org_id", *(filters[name] for name in filters if name in wanted)]
    if len(conditions) == 1 and (sort_by == "created_at" or not wanted.get("status")):
        return walk_statuses("task", conditions, sort_by, sort_order, statuses, timed=False)
    literals = [f"'{status}'" for status in statuses]
    if of_parent:
        of_statuses = [[*conditions, f"coalesce(status, '') IN ({', '.join(literals)})"]]
    else:
        of_statuses = [[*conditions, f"status = {literal}"] for literal in literals]
    if sort_by == "created_at":
        return [walk("task", of, sort_by) for of in of_statuses]
    return [find_and_sort("task", of, sort_by, sort_order) for of in of_statuses]


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
