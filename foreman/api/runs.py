"""Runs: open, read, change, delete and list them."""

from collections.abc import Iterable
from typing import Any

from flask import Response, g
from marshmallow import fields, validate
from msgspec import Raw

from foreman import db
from foreman.clock import duration, iso, new_id, now_ms
from foreman.db.removal import delete_run_and_all_in_it
from foreman.db.values import ALL_TASKS, as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, created, fails, takes
from foreman.http.errors import NotFound, found
from foreman.http.opaque_json import raw
from foreman.http.paging import PLACE, cut_page, page, read_page, walk_statuses
from foreman.vocabulary import ENDED, RUN_STATUSES

bp = Resource("runs", __name__, "Pieces of work, from start to end.")


class CreateRun(schemas.Body):
    """A new run."""

    input_data = schemas.opaque({"customer": 42}, required=True)
    metadata = schemas.metadata()


class UpdateRun(schemas.Change):
    """A change of a run: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(RUN_STATUSES[1:]), metadata={"examples": ["running"]})
    output_data = schemas.opaque({"answer": "yes"})
    error_data = schemas.opaque({"message": "out of memory"})
    metadata = schemas.metadata()


class ListRuns(schemas.Page):
    """Which runs to list."""

    status = schemas.statuses(*RUN_STATUSES)


class Run(schemas.CamelCase):
    """A run: one piece of work, broken into tasks."""

    id = shapes.uuid()
    org_id = shapes.text("acme")
    status = shapes.status(*RUN_STATUSES)
    input_data = shapes.json({"customer": 42})
    output_data = shapes.json({"answer": "yes"})
    error_data = shapes.json(None)
    metadata = shapes.metadata()
    total_tasks = shapes.count("Tasks of the run.", 4)
    completed_tasks = shapes.count("Those that are completed.", 2)
    failed_tasks = shapes.count("Those that are failed.", 1)
    cancelled_tasks = shapes.count("Those that are cancelled.", 1)
    created_at = shapes.time("When the run was created.")
    updated_at = shapes.time("When the run was last changed.")
    started_at = shapes.time("When it first became running.", allow_none=True)
    completed_at = shapes.time(
        "When it ended: set exactly while it is completed, failed or cancelled.", allow_none=True
    )
    duration_ms = shapes.count("Milliseconds from its start, else its creation, to its end.", 1234, allow_none=True)


RunList = schemas.CamelCase.from_dict(shapes.page_of(Run), name="RunList")


# The columns that `to_json` takes, in its order. Opaque JSON is read as bytes, which is what goes into the response.
_COLUMNS = """
    run.id, run.org_id, run.status,
    CAST(run.input_data AS BLOB), CAST(run.output_data AS BLOB), CAST(run.error_data AS BLOB),
    CAST(run.metadata AS BLOB),
    {counters},
    run.created_at, run.updated_at, run.started_at, run.completed_at
    """
COLUMNS = _COLUMNS.format(
    counters=f"coalesce({ALL_TASKS}, 0), coalesce(completed, 0), coalesce(failed, 0), coalesce(cancelled, 0)"
)
COLUMNS_WITHOUT_TASKS = _COLUMNS.format(counters="0, 0, 0, 0")
OPAQUE = slice(3, 7)

JOIN_TASKS = """
    LEFT JOIN run_task_count AS tasks ON tasks.run_seq = run.seq AND tasks.parent_task_id = '' AND tasks.type = ''
    """

SELECT_RUN = f"SELECT {COLUMNS} FROM run {JOIN_TASKS} WHERE run.org_id = :org_id AND run.id = :id"


@bp.post("/runs")
@takes(CreateRun)
@answers(201, Run)
def create_run(new: dict[str, Any]) -> Response:
    """Open a run in the caller's organisation; it starts `pending`."""
    with db.write(single=True) as tx:
        run_id = new_id()
        run = tx.one(
            f"""
            INSERT INTO run (org_id, id, status, input_data, metadata, created_at, updated_at)
            VALUES (:org_id, :id, 'pending', :input_data, :metadata, :now, :now)
            RETURNING {COLUMNS_WITHOUT_TASKS}
            """,
            org_id=g.org_id, id=run_id, input_data=new["input_data"], metadata=new.get("metadata"), now=now_ms(),
        )  # fmt: skip
    return created(to_json(found(run, "Run")), f"/runs/{run_id}")


@bp.get("/runs/<run_id>")
@answers(200, Run)
@fails(404)
def get_run(run_id: str) -> Response:
    """One run, with the exact counters of its tasks."""
    run = db.one(SELECT_RUN, org_id=g.org_id, id=run_id.lower())
    return answer(to_json(found(run, "Run")))


@bp.patch("/runs/<run_id>")
@takes(UpdateRun)
@answers(200, Run)
@fails(404)
def update_run(change: dict[str, Any], run_id: str) -> Response:
    """Change a run's status, output, error or metadata; what is absent stays.

    Any status may follow any other but `pending`, to which a run cannot go back. A value that is the same as before, to
    the letter, changes nothing, not even `updatedAt`.
    """
    with db.write() as tx:
        tx.run(
            """
            UPDATE run
            SET status       = coalesce(:status, status),
                output_data  = coalesce(:output_data, output_data),
                error_data   = coalesce(:error_data, error_data),
                metadata     = coalesce(:metadata, metadata),
                updated_at   = :now,
                started_at   = CASE WHEN :status = 'running' THEN coalesce(started_at, :now) ELSE started_at END,
                completed_at = CASE WHEN coalesce(:status, status) = status THEN completed_at
                                    WHEN :status IN (SELECT value FROM json_each(:ended)) THEN :now
                               END
            WHERE org_id = :org_id AND id = :id AND (
                :status <> status
                OR :output_data <> coalesce(output_data, 'null')
                OR :error_data <> coalesce(error_data, 'null')
                OR :metadata <> coalesce(metadata, '')
            )
            """,
            org_id=g.org_id, id=run_id.lower(), now=now_ms(), ended=as_list(ENDED),
            status=change.get("status"), output_data=change.get("output_data"),
            error_data=change.get("error_data"), metadata=change.get("metadata"),
        )  # fmt: skip
        run = tx.one(SELECT_RUN, org_id=g.org_id, id=run_id.lower())
    return answer(to_json(found(run, "Run")))


@bp.delete("/runs/<run_id>")
@answers(200, shapes.Deleted)
@fails(404)
def delete_run(run_id: str) -> Response:
    """Delete a run, whatever its status, with its tasks and its run data."""
    with db.write() as tx:
        deleted = delete_run_and_all_in_it(tx, g.org_id, run_id.lower())
        if not deleted:
            raise NotFound("Run")
    return answer({"deleted": deleted})


@bp.get("/runs")
@asks(ListRuns)
@answers(200, RunList)
def list_runs(wanted: dict[str, Any]) -> Response:
    """The organisation's runs, newest first unless asked otherwise; ties are broken by id."""
    limit, offset = wanted["limit"], wanted["offset"]
    statuses = [status for status in RUN_STATUSES if status in (wanted.get("status") or RUN_STATUSES)]
    walks = walk_statuses("run", ["org_id = :org_id"], wanted["sort_by"], wanted["sort_order"], statuses, timed=True)
    runs, total = read_page(
        f"""
        SELECT {COLUMNS}, {PLACE}, counted.total
        FROM (
            SELECT coalesce(sum(runs), 0) AS total
            FROM run_count
            WHERE org_id = :org_id AND status IN (SELECT value FROM json_each(:statuses))
        ) AS counted
        LEFT JOIN ({cut_page(walks, wanted["sort_order"])}) AS page ON TRUE
        LEFT JOIN run ON run.seq = page.tiebreak
        {JOIN_TASKS}
        """,
        wanted["sort_order"], OPAQUE,
        org_id=g.org_id, statuses=as_list(statuses), limit=limit, offset=offset,
    )  # fmt: skip
    return answer(page([to_json(run) for run in runs], total, limit, offset))


def to_json(run: Iterable[Any]) -> dict[str, Any]:
    """The run object of the API, from a row of `COLUMNS`."""
    (
        run_id, org_id, status, input_data, output_data, error_data, metadata,
        total_tasks, completed_tasks, failed_tasks, cancelled_tasks,
        created_at, updated_at, started_at, completed_at,
    ) = run  # fmt: skip
    return {
        "id": run_id,
        "orgId": org_id,
        "status": status,
        "inputData": Raw(input_data),
        "outputData": raw(output_data),
        "errorData": raw(error_data),
        "metadata": raw(metadata),
        "totalTasks": total_tasks,
        "completedTasks": completed_tasks,
        "failedTasks": failed_tasks,
        "cancelledTasks": cancelled_tasks,
        "createdAt": iso(created_at),
        "updatedAt": iso(updated_at),
        "startedAt": iso(started_at),
        "completedAt": iso(completed_at),
        "durationMs": duration(created_at, started_at, completed_at),
    }
