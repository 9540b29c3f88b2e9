"""Acts: cancel and retry a task, a run with its tasks, or all that meet a filter.

An act over a filter is stored (`stored.py`), and done in the background (`foreman/background/acts.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

import msgspec
from flask import Response, after_this_request, g, request
from marshmallow import validate

from foreman import db
from foreman.api import runs, tasks
from foreman.api.acts.cancel_and_retry import (
    CANCEL_TASK,
    RETRIED,
    RETRY_TASK,
    cancel_run,
    has_failed_tasks,
    hold_run,
    reopen_run,
    retry_failed_tasks,
)
from foreman.api.acts.steps import KINDS, beginning, count
from foreman.api.acts.stored import COLUMNS, Act, ActList, ListActs, page_of, refuse_too_many, to_json
from foreman.api.lists import run_list, task_list
from foreman.api.lists.label_filters import refuse_undeclared
from foreman.clock import new_id, now_ms
from foreman.db.application import current
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, accepted, answer, answers, asks, conditional, fails, represent, takes
from foreman.http.errors import Conflict, Invalid, NotFound, found
from foreman.http.fields import Integer
from foreman.http.protocol.etags import if_match
from foreman.vocabulary import ENDED

bp = Resource("acts", __name__, "Cancelling and retrying: a task, a run with its tasks, or all that meet a filter.")


class NoBody(schemas.Change):
    """No body, or an empty object."""

    def unknown_fields(self, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The names of all fields, each with a message."""
        return ((name, "This path takes no body: a filter goes into the query string.") for name in given)


class RetriedRun(runs.Run):
    """A run after its retry."""

    retried_tasks = shapes.count("How many tasks were failed, and are pending now.", 1)


def _filter_of(schema: type[schemas.Query], name: str) -> type[schemas.Query]:
    """The filters of a list, with how many rows the client expects to meet them."""
    fields_of = schema._declared_fields
    filters = {each: fields_of[each] for each in fields_of if each not in schemas.Page._declared_fields}
    expect = Integer(
        required=True,
        validate=validate.Range(0),
        metadata={"description": "How many meet the filter, as the list's `total` says: else nothing is done."},
    )
    return schemas.Query.from_dict({**filters, "expect": expect}, name=name)  # type: ignore[return-value]


FilterTasks = _filter_of(task_list.ListTasks, "FilterTasks")
FilterRuns = _filter_of(run_list.ListRuns, "FilterRuns")


def takes_no_body(view: Callable[..., Response]) -> Callable[..., Response]:
    """Refuse a body, which might be meant as a filter: without it an act would be about more than is meant."""

    @takes(NoBody, optional=True)
    @wraps(view)
    def without_body(_: dict[str, Any], **path: str) -> Response:
        return view(**path)

    return without_body


# One task or run ------------------------------------------------------------------------------------------------------


@bp.post("/tasks/<task_id>/cancel")
@takes_no_body
@answers(200, tasks.Task)
@fails(404)
@conditional
def cancel_task(task_id: str) -> Response:
    """Cancel a task. One that has ended stays as it is."""
    wanted = if_match()
    with db.write(single=wanted is None) as tx:
        if wanted is not None:
            tasks.check_state(tx, task_id, wanted)
        task = tx.one(
            f"{CANCEL_TASK} RETURNING {tasks.COLUMNS}", org_id=g.org_id, id=task_id.lower(), now=now_ms()
        ) or tx.one(tasks.SELECT_TASK, org_id=g.org_id, id=task_id.lower())
    return represent(tasks.to_json(found(task, "Task")))


@bp.post("/tasks/<task_id>/retry")
@takes_no_body
@answers(200, tasks.Task)
@fails(404, 409)
@conditional
def retry_task(task_id: str) -> Response:
    """Let a failed or cancelled task be `pending` again.

    It counts as a retry, whatever `maxRetries` says. A task that has not ended stays as it is. A completed one is a
    409, as is any that has ended in a strict run.
    """
    wanted = if_match()
    with db.write(single=wanted is None) as tx:
        if wanted is not None:
            tasks.check_state(tx, task_id, wanted)
        task = tx.one(f"{RETRY_TASK} RETURNING {tasks.COLUMNS}", org_id=g.org_id, id=task_id.lower(), now=now_ms())
        if task is None:
            task = found(tx.one(tasks.SELECT_TASK, org_id=g.org_id, id=task_id.lower()), "Task")
            tasks.refuse_to_leave_an_end(tx, task, "pending")
            if task[5] == "completed":
                raise Conflict("A completed task cannot become pending by a retry", code="terminal_status")
    return represent(tasks.to_json(task))


@bp.post("/runs/<run_id>/cancel")
@takes_no_body
@answers(200, runs.Run)
@fails(404)
@conditional
def cancel_run_and_tasks(run_id: str) -> Response:
    """Cancel a run and all its tasks that have not ended, in one transaction. A run that has ended keeps its status."""
    org_id, run_id, wanted = g.org_id, run_id.lower(), if_match()
    with db.write() as tx:
        if hold_run(tx, org_id, run_id) is None:
            raise NotFound("Run")
        if wanted is not None:
            runs.check_state(tx, run_id, wanted)
        cancel_run(tx, org_id, run_id, now_ms())
        run = tx.one(runs.SELECT_RUN, org_id=org_id, id=run_id)
    return represent(runs.to_json(found(run, "Run")))


@bp.post("/runs/<run_id>/retry")
@takes_no_body
@answers(200, RetriedRun)
@fails(404, 409)
@conditional
def retry_run(run_id: str) -> Response:
    """Let all failed tasks of a run be `pending` again, and the run be `running`, in one transaction.

    A failed or cancelled run becomes `running` even if none of its tasks has failed; a completed one does not. A strict
    run in which that would change something that has ended is a 409.
    """
    org_id, run_id, wanted = g.org_id, run_id.lower(), if_match()
    with db.write() as tx:
        held = hold_run(tx, org_id, run_id)
        if held is None:
            raise NotFound("Run")
        if wanted is not None:
            runs.check_state(tx, run_id, wanted)
        now = now_ms()
        if held.strict:
            _refuse_to_retry(held.status, has_failed_tasks(tx, org_id, run_id))
        retried = 0 if held.strict else retry_failed_tasks(tx, org_id, run_id, now)
        if held.status in RETRIED or (held.status in ENDED and retried):
            reopen_run(tx, org_id, run_id, now)
        run = found(tx.one(runs.SELECT_RUN, org_id=org_id, id=run_id), "Run")
    return represent(runs.to_json(run), retriedTasks=retried)


def _refuse_to_retry(status: str, has_failed: bool) -> None:
    """Refuse what would change in a strict run.

    :param status: the run's
    :param has_failed: whether it has failed tasks
    """
    if status in RETRIED or (status in ENDED and has_failed):
        raise Conflict(f"A {status} run that is strict cannot become running", code="terminal_status")
    if has_failed:
        raise Conflict("A failed task of a strict run cannot become pending", code="terminal_status")


# All that meet a filter -----------------------------------------------------------------------------------------------


@bp.post("/tasks/cancel")
@takes_no_body
@asks(FilterTasks)
@answers(202, Act)
@fails(409)
def cancel_tasks(wanted: dict[str, Any]) -> Response:
    """Cancel all tasks that meet a filter and have not ended, in the background."""
    return _act("cancel_tasks", wanted)


@bp.post("/tasks/retry")
@takes_no_body
@asks(FilterTasks)
@answers(202, Act)
@fails(409)
def retry_tasks(wanted: dict[str, Any]) -> Response:
    """Retry all failed and cancelled tasks that meet a filter, in the background; but none of strict runs."""
    return _act("retry_tasks", wanted)


@bp.post("/runs/cancel")
@takes_no_body
@asks(FilterRuns)
@answers(202, Act)
@fails(409)
def cancel_runs(wanted: dict[str, Any]) -> Response:
    """Cancel all runs that meet a filter and have not ended, each with its tasks, in the background."""
    return _act("cancel_runs", wanted)


@bp.post("/runs/retry")
@takes_no_body
@asks(FilterRuns)
@answers(202, Act)
@fails(409)
def retry_runs(wanted: dict[str, Any]) -> Response:
    """Retry all failed and cancelled runs that meet a filter, with their failed tasks, in the background.

    Strict ones are left alone.
    """
    return _act("retry_runs", wanted)


@bp.get("/acts/<act_id>")
@answers(200, Act)
@fails(404)
def get_act(act_id: str) -> Response:
    """How far an act over a filter is. It is forgotten seven days after it has been completed."""
    act = db.one(f"SELECT {COLUMNS} FROM act WHERE org_id = :org_id AND id = :id", org_id=g.org_id, id=act_id.lower())
    return answer(to_json(found(act, "Act")))


@bp.get("/acts")
@asks(ListActs)
@answers(200, ActList)
def list_acts(wanted: dict[str, Any]) -> Response:
    """The organisation's acts over filters, newest first."""
    return page_of(wanted)


def _act(kind: str, wanted: dict[str, Any]) -> Response:
    """Store an act, for the background to carry out.

    :raises Invalid: if a filter is empty, or the request has an `If-Match`
    :raises Conflict: if another number of tasks or runs meets the filter than is expected, or too many acts are under
        way
    """
    if if_match() is not None:
        message = "Goes only with an act on one task or run: this one is about many."
        raise Invalid("Validation failed", [{"field": "If-Match", "message": message}])
    # As they were sent: a list may be continued in a second parameter of the same name.
    given = {name: ",".join(request.args.getlist(name)) for name in request.args if name != "expect"}
    _refuse_empty(given, wanted)
    # Not in the block below, because others could write nothing meanwhile. What is created since then is left alone.
    with db.read() as tx:
        meet, position = count(tx, g.org_id, kind, given), beginning(tx, kind)
    with db.write() as tx:
        refuse_undeclared(wanted, current.settings.metadata_paths, tx)
        if meet != wanted["expect"]:
            message = f"{meet} {KINDS[kind].table}s meet the filter, and not {wanted['expect']}: nothing is done"
            raise Conflict(message, code="count_differs")
        refuse_too_many(tx, g.org_id)
        act_id = new_id()
        act = tx.one(
            f"""
            INSERT INTO act (org_id, id, kind, filter, expected, position, created_at, updated_at)
            VALUES (:org_id, :id, :kind, :filter, :expected, :position, :now, :now)
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=act_id, kind=kind, filter=msgspec.json.encode(given).decode(), expected=meet,
            position=position, now=now_ms(),
        )  # fmt: skip
    after_this_request(_tell_the_background)
    return accepted(to_json(found(act, "Act")), f"/acts/{act_id}")


def _refuse_empty(given: dict[str, str], wanted: dict[str, Any]) -> None:
    """Refuse filters that are empty, such as by a variable that is not set: a list ignores them, but acts last.

    :param given: the filters as they were sent
    :raises Invalid: if there are any
    """
    full = {schemas.camel_case(name) for name, value in wanted.items() if value not in ("", [])}
    empty = [name for name in given if name not in full and "." not in name]
    if empty:
        message = "Must not be empty: leave the filter out if it is not meant."
        raise Invalid("Validation failed", [{"field": name, "message": message} for name in empty])


def _tell_the_background(response: Response) -> Response:
    """Let it look for acts. Now, because an `Idempotency-Key` makes a transaction last until after the view."""
    current.act_is_asked_for.set()
    return response
