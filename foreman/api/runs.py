"""Runs: open, read, change, delete and list them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from flask import Response, g
from marshmallow import ValidationError, fields, validate, validates_schema
from msgspec import Raw

from foreman import db
from foreman.api import labels, run_data, tasks
from foreman.api.batch.additions import (
    NewData,
    NewTask,
    data_rows,
    insert_data,
    insert_tasks,
    refuse_taken,
    task_rows,
    wrong_refs,
    wrong_tasks,
)
from foreman.api.labels import UpdateTags
from foreman.api.lists import label_filters, run_list
from foreman.clock import duration, iso, new_id, now_ms
from foreman.db.application import current
from foreman.db.engine import Transaction
from foreman.db.removal import delete_run_and_all_in_it
from foreman.db.values import ALL_TASKS, as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, conditional, created, fails, represent, takes
from foreman.http.errors import Conflict, NotFound, found
from foreman.http.fields import Flag
from foreman.http.items import BodyWithItems, Items
from foreman.http.opaque_json import NOTHING, raw
from foreman.http.paging.pages import PLACE, Asked, cut, linked, listed, read_page, summary, within
from foreman.http.paging.statements import built_once
from foreman.http.paging.walks import cut_page
from foreman.http.protocol.etags import check, if_match
from foreman.vocabulary import ENDED, RUN_STATUSES

bp = Resource("runs", __name__, "Pieces of work, from start to end.")


class CreateRun(BodyWithItems):
    """A new run, with its first tasks and their run data if they are known already."""

    input_data = schemas.opaque({"customer": 42}, required=True)
    metadata = schemas.metadata()
    external_id = labels.external_id()
    tags = labels.tags()
    strict = Flag(
        load_default=False,
        metadata={"description": "Whether it and its tasks keep the status that they end with.", "examples": [True]},
    )
    tasks = Items(NewTask, fewest=0, metadata={"examples": [[{"ref": "fetch", "type": "fetch-page", "inputData": 1}]]})
    data = Items(
        NewData,
        fewest=0,
        metadata={"description": "Entries of these tasks.", "examples": [[]]},
    )

    @validates_schema
    def refs(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: if a ref is given twice, or names no task, or an ancestor as a descendant"""
        new_tasks = data.get("tasks", [])
        wrong = {
            "tasks": wrong_refs(new_tasks, of_new_run=True),
            "data": wrong_tasks(data.get("data", []), new_tasks),
        }
        if any(wrong.values()):
            raise ValidationError({name: places for name, places in wrong.items() if places})


class UpdateRun(schemas.Change):
    """A change of a run: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(RUN_STATUSES[1:]), metadata={"examples": ["running"]})
    output_data = schemas.opaque({"answer": "yes"})
    error_data = schemas.opaque({"message": "out of memory"})
    metadata = schemas.metadata()
    external_id = labels.external_id()
    tags = labels.tags()


class Run(schemas.CamelCase):
    """A run: one piece of work, broken into tasks."""

    id = shapes.uuid()
    org_id = shapes.text("acme")
    status = shapes.status(*RUN_STATUSES)
    input_data = shapes.json({"customer": 42})
    output_data = shapes.json({"answer": "yes"})
    error_data = shapes.json(None)
    input_data_bytes = shapes.size("inputData")
    output_data_bytes = shapes.size("outputData", allow_none=True)
    error_data_bytes = shapes.size("errorData", allow_none=True)
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
    external_id = labels.shown_external_id()
    tags = labels.shown_tags()
    strict = fields.Boolean(
        metadata={
            "description": "True if it and its tasks keep the status that they end with; else absent.",
            "examples": [True],
        }
    )
    tasks = fields.List(
        fields.Nested(tasks.Task),
        metadata={"description": "Its tasks, only in the response to a request that has some.", "examples": [[]]},
    )
    data = fields.List(
        fields.Nested(run_data.RunData),
        metadata={"description": "Its run data, only in the response to a request that has some.", "examples": [[]]},
    )


RunList = schemas.CamelCase.from_dict(shapes.page_of(Run), name="RunList")


# The columns that `to_json` takes, in its order. Opaque JSON is read as bytes, which is what goes into the response.
_COLUMNS = """
    run.id, run.org_id, run.status,
    {payloads},
    CAST(run.metadata AS BLOB),
    {counters},
    run.created_at, run.updated_at, run.started_at, run.completed_at,
    run.external_id, CAST(run.tags AS BLOB), run.strict
    """
_COUNTERS = f"coalesce({ALL_TASKS}, 0), coalesce(completed, 0), coalesce(failed, 0), coalesce(cancelled, 0)"
_PAYLOADS = "CAST(run.input_data AS BLOB), CAST(run.output_data AS BLOB), CAST(run.error_data AS BLOB)"
COLUMNS = _COLUMNS.format(payloads=_PAYLOADS, counters=_COUNTERS)
COLUMNS_WITHOUT_TASKS = _COLUMNS.format(payloads=_PAYLOADS, counters="0, 0, 0, 0")
OPAQUE, OPAQUE_OF_SUMMARY = slice(3, 7), slice(6, 7)

JOIN_TASKS = """
    LEFT JOIN run_task_count AS tasks ON tasks.run_seq = run.seq AND tasks.parent_task_id = '' AND tasks.type = ''
    """

ONE_RUN = f"FROM run {JOIN_TASKS} WHERE run.org_id = :org_id AND run.id = :id"

SELECT_RUN = f"SELECT {COLUMNS} {ONE_RUN}"


@bp.post("/runs")
@takes(CreateRun)
@answers(201, Run)
@fails(409)
@conditional
def create_run(new: dict[str, Any]) -> Response:
    """Open a run in the caller's organisation; it starts `pending`.

    `tasks` and `data` create its first tasks and entries with it, all of them or nothing. The response then has these,
    too, in the order of the request.
    """
    items, data = new.get("tasks", []), new.get("data", [])
    with db.write(single=not items) as tx:
        run_id, now = new_id(), now_ms()
        run = tx.one(
            f"""
            INSERT INTO run (org_id, id, status, input_data, metadata, external_id, tags, created_at, updated_at,
                             strict)
            VALUES (:org_id, :id, 'pending', :input_data, :metadata, nullif(:external_id, ''), nullif(:tags, '[]'),
                    :now, :now, :strict)
            {labels.unless_taken(new)}
            RETURNING {COLUMNS_WITHOUT_TASKS}
            """,
            org_id=g.org_id, id=run_id, input_data=new["input_data"], metadata=new.get("metadata"), now=now,
            strict=int(new["strict"]), **labels.bound(new),
        )  # fmt: skip
        if run is None:
            labels.refuse_taken(tx, "run", new)
        new_tasks, entries = [], []
        if items:
            refuse_taken(tx, items, "tasks")
            new_tasks = task_rows(run_id, items, now)
            insert_tasks(tx, run_id, new_tasks, now)
        if data:
            entries = data_rows(run_id, data, items, new_tasks, now)
            insert_data(tx, run_id, entries, now)
    body, beside = to_json(found(run, "Run")), {}
    if "tasks" in new:
        body["totalTasks"], beside["tasks"] = len(new_tasks), [tasks.to_json(task) for task in new_tasks]
    if "data" in new:
        beside["data"] = [run_data.to_json(entry) for entry in entries]
    return created(body, f"/runs/{run_id}", **beside)


@bp.get("/runs/<run_id>")
@asks(schemas.View)
@answers(200, Run)
@fails(404)
@conditional
def get_run(wanted: dict[str, Any], run_id: str) -> Response:
    """One run, with the exact counters of its tasks."""
    if wanted["view"] == "summary":
        run = db.one(f"SELECT {columns_of_summary()} {ONE_RUN}", org_id=g.org_id, id=run_id.lower())
        return represent(to_summary(found(run, "Run")))
    run = db.one(SELECT_RUN, org_id=g.org_id, id=run_id.lower())
    return represent(to_json(found(run, "Run")))


@bp.patch("/runs/<run_id>")
@takes(UpdateRun)
@answers(200, Run)
@fails(404, 409)
@conditional
def update_run(change: dict[str, Any], run_id: str) -> Response:
    """Change a run's status, output, error, metadata, external id or tags; what is absent stays.

    Any status may follow any other but `pending`, to which a run cannot go back; a strict run keeps the status that it
    ends with. A value that is the same as before, to the letter, changes nothing, not even `updatedAt`.
    """
    wanted, status = if_match(), change.get("status")
    with db.write() as tx:
        if wanted is not None:
            check_state(tx, run_id, wanted)
        labels.refuse_other(tx, "run", run_id.lower(), change)
        tx.run(
            _update(labels.given(change)),
            org_id=g.org_id, id=run_id.lower(), now=now_ms(), ended=as_list(ENDED), status=status,
            output_data=change.get("output_data"), error_data=change.get("error_data"),
            metadata=change.get("metadata"), **labels.bound(change),
        )  # fmt: skip
        run = found(tx.one(SELECT_RUN, org_id=g.org_id, id=run_id.lower()), "Run")
        refuse_to_leave_an_end(run, status)
    return represent(to_json(run))


@cache
def _update(labelled: tuple[str, ...]) -> str:
    """The statement that changes a run.

    :param labelled: which labels it changes
    """
    return f"""
        UPDATE run
        SET status       = coalesce(:status, status),
            output_data  = {tasks.NEW_DOCUMENT.format(name="output_data", new=":output_data")},
            error_data   = {tasks.NEW_DOCUMENT.format(name="error_data", new=":error_data")},
            metadata     = coalesce(:metadata, metadata),
            {labels.sets(labelled)}
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
            {labels.changes(labelled)}
        ) AND NOT (
            strict = 1 AND coalesce(:status, status) <> status
            AND status IN (SELECT value FROM json_each(:ended))
        )
        """


@bp.patch("/runs/<run_id>/tags")
@takes(UpdateTags)
@answers(200, Run)
@fails(404)
@conditional
def update_run_tags(change: dict[str, Any], run_id: str) -> Response:
    """Remove tags from a run, then add those it does not have; the others keep their order.

    When that leaves the tags as they are, it leaves `updatedAt` too.
    """
    which = {"org_id": g.org_id, "id": run_id.lower()}
    wanted = if_match()
    with db.write() as tx:
        run = tx.locked("SELECT coalesce(tags, '[]') FROM run WHERE org_id = :org_id AND id = :id", **which)
        (before,) = found(run, "Run")
        if wanted is not None:
            check(wanted, to_json(found(tx.one(SELECT_RUN, **which), "Run")))
        tags = labels.changed_tags(before, change, "run")
        tx.run(
            """
            UPDATE run
            SET tags = nullif(:tags, '[]'), updated_at = :now
            WHERE org_id = :org_id AND id = :id AND :tags <> coalesce(tags, '[]')
            """,
            **which, tags=tags, now=now_ms(),
        )  # fmt: skip
        run = tx.one(SELECT_RUN, **which)
    return represent(to_json(found(run, "Run")))


@bp.delete("/runs/<run_id>")
@answers(200, shapes.Deleted)
@fails(404)
@conditional
def delete_run(run_id: str) -> Response:
    """Delete a run, whatever its status, with its tasks and its run data."""
    wanted = if_match()
    with db.write() as tx:
        if wanted is not None:
            check_state(tx, run_id, wanted)
        deleted = delete_run_and_all_in_it(tx, g.org_id, run_id.lower())
        if not deleted:
            raise NotFound("Run")
    return answer({"deleted": deleted})


@bp.get("/runs")
@asks(run_list.ListRuns)
@answers(200, RunList)
def list_runs(wanted: dict[str, Any]) -> Response:
    """The organisation's runs, newest first unless asked otherwise; ties are broken by id."""
    label_filters.refuse_undeclared(wanted, current.settings.metadata_paths)
    asked = Asked.of(wanted)
    page = read_page(
        _select_page(wanted), asked, OPAQUE_OF_SUMMARY if asked.summary else OPAQUE,
        org_id=g.org_id, **run_list.bound(wanted),
    )  # fmt: skip
    runs = [to_summary(run) if asked.summary else to_json(run) for run in page.rows]
    return linked(listed(runs, page, asked), page)


@built_once
def _select_page(wanted: dict[str, Any]) -> str:
    """The statement of a page of the list."""
    total = run_list.count(wanted) if wanted["count"] == "true" else "SELECT NULL AS total"
    page = cut_page(run_list.walks(wanted), wanted["sort_order"], **cut(wanted))
    return f"""
        SELECT {columns_of_summary() if wanted["view"] == "summary" else COLUMNS}, {PLACE}, counted.total
        FROM ({total}) AS counted
        LEFT JOIN ({page}) AS page ON TRUE
        LEFT JOIN run ON run.seq = page.tiebreak {within(wanted)}
        {JOIN_TASKS}
        """


def columns_of_summary() -> str:
    """The columns that `to_summary` takes, in its order: those of `to_json`, with sizes in place of payloads."""
    sizes = (db.octets(f"run.{name}") for name in ("input_data", "output_data", "error_data"))
    return _COLUMNS.format(payloads=", ".join(sizes), counters=_COUNTERS)


def to_summary(run: Sequence[Any]) -> dict[str, Any]:
    """The run object of the API without its payloads, from a row of `columns_of_summary`."""
    sizes = dict(zip(("inputData", "outputData", "errorData"), run[3:6], strict=True))
    return summary(to_json([*run[:3], NOTHING, None, None, *run[6:]]), sizes)


def check_state(tx: Transaction, run_id: str, wanted: frozenset[str]) -> None:
    """Compare a run, which nobody else can change or delete, nor add to, until the transaction ends.

    :param wanted: entity tags, see `etags.if_match`
    :raises NotFound: if there is no such run
    :raises PreconditionFailed: if it has none of these tags
    """
    which = {"org_id": g.org_id, "id": run_id.lower()}
    tx.locked("SELECT 1 FROM run WHERE org_id = :org_id AND id = :id", **which)
    check(wanted, to_json(found(tx.one(SELECT_RUN, **which), "Run")))


def refuse_to_leave_an_end(run: Sequence[Any], status: str | None) -> None:
    """Refuse a strict run another status than the one that it has ended with.

    :param run: a row of `COLUMNS`, as it is after the change
    :param status: that it was to have; None for any
    :raises Conflict: if it does not have it
    """
    before, strict = run[2], run[-1]
    if strict and status not in (None, before):
        raise Conflict(f"A {before} run that is strict cannot become {status}", code="terminal_status")


def to_json(run: Iterable[Any]) -> dict[str, Any]:
    """The run object of the API, from a row of `COLUMNS`."""
    (
        run_id, org_id, status, input_data, output_data, error_data, metadata,
        total_tasks, completed_tasks, failed_tasks, cancelled_tasks,
        created_at, updated_at, started_at, completed_at, external_id, tags, strict,
    ) = run  # fmt: skip
    item = {
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
    item = labels.labelled(item, external_id, tags)
    return item | {"strict": True} if strict else item
