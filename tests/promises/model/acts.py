"""Acts: cancelling and retrying a task, a run with its tasks, or all that meet a filter."""

from collections.abc import Callable

from tests.promises.model.changes import changed, check, keeps_its_end, refuse_to_leave_an_end, states_wanted
from tests.promises.model.exchange import Answer, Do, Refused, Request
from tests.promises.model.lists import Call, Pages, meets, refuse_undeclared
from tests.promises.model.queries import ACTS_WANTED, EXPECT, METADATA, RUN_FILTERS, TASK_FILTERS, parameters_of
from tests.promises.model.things import Act, Ledger, Run, Task
from tests.support.api import Json

RETRIED = ("failed", "cancelled")
ACT_STATUSES = ("running", "completed")

# Milliseconds after which an act that is completed is forgotten.
FORGOTTEN_AFTER = 7 * 86_400_000


# One task or run ------------------------------------------------------------------------------------------------------


def cancel_task(call: Call, task_id: str) -> Do:
    states = states_wanted(call.request.condition)

    def do() -> Answer:
        task = call.ledger.task(call.org_id, task_id)
        check(states, task.to_json())
        if not task.is_over:
            task.become("cancelled", call.now)
        return changed(task.to_json())

    return do


def retry_task(call: Call, task_id: str) -> Do:
    states = states_wanted(call.request.condition)

    def do() -> Answer:
        task = call.ledger.task(call.org_id, task_id)
        check(states, task.to_json())
        refuse_to_leave_an_end(task, "pending")
        if task.status == "completed":
            raise Refused.because(409, "A completed task cannot become pending by a retry", "terminal_status")
        if task.status in RETRIED:
            task.retry(call.now)
        return changed(task.to_json())

    return do


def cancel_run(call: Call, run_id: str) -> Do:
    states = states_wanted(call.request.condition)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        check(states, run.to_json())
        run.cancel(call.now)
        return changed(run.to_json())

    return do


def retry_run(call: Call, run_id: str) -> Do:
    states = states_wanted(call.request.condition)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        check(states, run.to_json())
        failed = run.failed
        reopens = run.status in RETRIED or (run.is_over and bool(failed))
        if reopens:
            refuse_to_leave_an_end(run, "running")
        for task in failed:
            refuse_to_leave_an_end(task, "pending")
        for task in failed:
            task.retry(call.now)
        if reopens:
            run.become("running", call.now)
        return Answer(200, {**run.to_json(), "retriedTasks": len(failed)}, item=run.to_json())

    return do


# All that meet a filter -----------------------------------------------------------------------------------------------


def act_on(kind: str) -> Callable[[Call], Do]:
    """How an act of this kind, such as `retry_tasks`, is asked for."""
    noun = kind.partition("_")[2]

    def ask(call: Call) -> Do:
        wanted = read_filter(call.request)
        given: dict[str, list[str]] = {}
        for name, value in call.request.query:
            given.setdefault(name, []).append(value)
        given.pop("expect", None)

        def do() -> Answer:
            expected = wanted["expect"]
            refuse_undeclared(call.ledger, wanted)
            number = len(meeting(call.ledger, call.org_id, kind, wanted))
            if number != expected:
                message = f"{number} {noun} meet the filter, and not {expected}: nothing is done"
                raise Refused.because(409, message, "count_differs")
            act = Act(
                org_id=call.org_id,
                id=call.given.id(),
                kind=kind,
                given={name: ",".join(values) for name, values in given.items()},
                wanted=wanted,
                newest=len(call.ledger.tasks_made if noun == "tasks" else call.ledger.runs_made) - 1,
                expected=number,
                created_at=call.now,
                updated_at=call.now,
            )
            call.ledger.acts.append(act)
            call.ledger.acts_made.append(act)
            return Answer(202, act.to_json(), f"/acts/{act.id}")

        return do

    return ask


def read_filter(request: Request) -> Json:
    """The filter that a request for an act says; none of its parts may be empty."""
    filters = TASK_FILTERS if request.path.startswith("/tasks") else RUN_FILTERS
    wanted = parameters_of(request, {**filters, **EXPECT}, "expect")
    empty = [name for name in dict(request.query) if not name.startswith(METADATA) and wanted.get(name) in (None, [])]
    if empty:
        raise Refused.wrong(*empty)
    return wanted


def meeting(ledger: Ledger, org_id: str, kind: str, wanted: Json) -> list[Task] | list[Run]:
    """The tasks or runs that meet a filter."""
    if kind.endswith("tasks"):
        return [task for task in ledger.tasks_of(org_id) if meets(task, wanted)]
    return [run for run in ledger.runs_of(org_id) if meets(run, wanted)]


def get_act(call: Call, act_id: str) -> Do:
    def do() -> Answer:
        for act in call.ledger.acts:
            if (act.org_id, act.id) == (call.org_id, act_id.lower()):
                return Answer(200, act.to_json())
        raise Refused.because(404, "Act not found")

    return do


def list_acts(call: Call) -> Do:
    wanted = parameters_of(call.request, ACTS_WANTED)
    pages = Pages(call, {"cursor": "", **wanted}, 20)

    def do() -> Answer:
        own = [act.to_json() for act in reversed(call.ledger.acts) if act.org_id == call.org_id]
        ordered = [((act["id"],), act) for act in own if act["status"] in (wanted.get("status") or ACT_STATUSES)]
        page, next_cursor = pages.cut(ordered, descending=True)
        return Answer(200, {"items": page, "limit": pages.limit, "nextCursor": next_cursor}, next_cursor=next_cursor)

    return do


def carry_out(ledger: Ledger) -> list[Act]:
    """What the background does: all acts that are not completed, in the order in which they were asked for."""
    to_do = [act for act in ledger.acts if act.completed_at is None]
    for act in to_do:
        for thing in meeting(ledger, act.org_id, act.kind, act.wanted):
            if thing.number <= act.newest:
                act.changed += _act_on(thing, act, ledger.now)
        act.updated_at = act.completed_at = ledger.now
    return to_do


def _act_on(thing: Task | Run, act: Act, now: int) -> bool:
    """Change a task or run; return whether it was not left alone."""
    if act.kind.startswith("cancel"):
        if thing.is_over:
            return False
        if isinstance(thing, Run):
            thing.cancel(now)
        else:
            thing.become("cancelled", now)
        return True
    if thing.status not in RETRIED or keeps_its_end(thing):
        return False
    if isinstance(thing, Task):
        thing.retry(now)
        return True
    for task in thing.failed:
        if task.completed_at is not None and task.completed_at <= act.created_at:  # the others have failed since then
            task.retry(now)
    thing.become("running", now)
    return True


def forget(ledger: Ledger) -> None:
    """Forget the acts that were completed long ago."""
    ledger.acts = [
        act for act in ledger.acts if act.completed_at is None or act.completed_at >= ledger.now - FORGOTTEN_AFTER
    ]
