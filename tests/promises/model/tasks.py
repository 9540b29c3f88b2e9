"""Tasks, one by one and in batches."""

from tests.promises.model import batches
from tests.promises.model.bodies import NEW_TASK, NEW_TASKS, TAGS_CHANGE, TASK_CHANGE, TASK_CHANGES, fields_of
from tests.promises.model.changes import (
    change,
    changed,
    check,
    keeps_its_end,
    read,
    refuse_taken,
    refuse_to_leave_an_end,
    states_wanted,
    tags_after,
)
from tests.promises.model.exchange import Answer, Do, Refused
from tests.promises.model.lists import Call, page_of, shown
from tests.promises.model.queries import TASKS_OF_RUN_WANTED, TASKS_WANTED, VIEW, parameters_of
from tests.promises.model.things import Task, with_id


def create_task(call: Call) -> Do:
    new = fields_of(call.request, NEW_TASK)

    def do() -> Answer:
        run, parent = call.ledger.run(call.org_id, new["runId"]), None
        if new.get("parentTaskId") is not None:
            parent = with_id(run.tasks, new["parentTaskId"], "Parent task")
        refuse_taken(call, Task, new.get("externalId"))
        item = batches.add_task(call, run, parent, new, call.given.id()).to_json()
        return Answer(201, item, f"/tasks/{item['id']}", item)

    return do


def list_tasks(call: Call) -> Do:
    wanted = parameters_of(call.request, TASKS_WANTED)
    return lambda: page_of(call, lambda: call.ledger.tasks_of(call.org_id), wanted)


def list_tasks_of_run(call: Call, run_id: str) -> Do:
    wanted = parameters_of(call.request, TASKS_OF_RUN_WANTED)
    return lambda: page_of(call, lambda: call.ledger.run(call.org_id, run_id).tasks, wanted)


def get_task(call: Call, task_id: str) -> Do:
    wanted = parameters_of(call.request, VIEW)
    return lambda: read(shown(call.ledger.task(call.org_id, task_id), wanted), call.request.condition)


def change_task(call: Call, task_id: str) -> Do:
    new, states = fields_of(call.request, TASK_CHANGE), states_wanted(call.request.condition)

    def do() -> Answer:
        task = call.ledger.task(call.org_id, task_id)
        check(states, task.to_json())
        refuse_taken(call, Task, new.get("externalId"), task)
        refuse_to_leave_an_end(task, new.get("status", task.status))
        change(task, new, call.now)
        return changed(task.to_json())

    return do


def change_tags_of_task(call: Call, task_id: str) -> Do:
    new, states = fields_of(call.request, TAGS_CHANGE), states_wanted(call.request.condition)

    def do() -> Answer:
        task = call.ledger.task(call.org_id, task_id)
        check(states, task.to_json())
        change(task, {"tags": tags_after(task.tags, new)}, call.now)
        return changed(task.to_json())

    return do


# Batches --------------------------------------------------------------------------------------------------------------


def create_tasks(call: Call, run_id: str) -> Do:
    items = fields_of(call.request, NEW_TASKS, batches.wrong_in_new_tasks)["items"]

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        batches.refuse_missing(run.tasks, items, "parentTaskId")
        batches.refuse_all_taken(call, items, "items")
        tasks = batches.add_tasks(call, run, items, "items")
        return Answer(201, {"items": [task.to_json() for task in tasks]}, f"/tasks?runId={run.id}")

    return do


def change_tasks(call: Call) -> Do:
    items = fields_of(call.request, TASK_CHANGES, batches.wrong_in_changes)["items"]
    if states_wanted(call.request.condition) is not None:
        raise Refused.wrong("If-Match")

    def do() -> Answer:
        batches.refuse_all_taken(call, items, "items")
        own = {task.id: task for task in call.ledger.tasks_of(call.org_id)}
        batches.refuse_missing(list(own.values()), items, "id")
        tasks = [own[item["id"]] for item in items]
        kept = {
            place: ["status"]
            for place, (task, item) in enumerate(zip(tasks, items, strict=True))
            if keeps_its_end(task) and item.get("status", task.status) != task.status
        }
        if kept:
            raise Refused.naming(409, batches.named(kept, "items"), "terminal_status")
        for task, item in zip(tasks, items, strict=True):
            change(task, item, call.now)
        return Answer(200, {"items": [task.to_json() for task in tasks]})

    return do
