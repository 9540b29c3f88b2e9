"""What batches say of several new things at once: which of them belongs to which."""

from collections.abc import Sequence

from tests.promises.model.bodies import MOST_NAMED
from tests.promises.model.changes import taken_from
from tests.promises.model.exchange import Refused
from tests.promises.model.lists import Call
from tests.promises.model.things import Run, Task, with_id
from tests.support.api import Json

# Wrong fields, by the place of an item.
Wrong = dict[int, list[str]]


def named(wrong: Wrong, where: str) -> list[str]:
    """The full names of wrong fields of up to 20 items."""
    return [f"{where}.{place}.{name}" for place, names in list(wrong.items())[:MOST_NAMED] for name in names]


def given_twice(items: Sequence[Json], name: str) -> Wrong:
    """Items of which an earlier one has the same."""
    values = [item.get(name) for item in items]
    return {place: [name] for place, value in enumerate(values) if value is not None and value in values[:place]}


def wrong_refs(items: Sequence[Json], *, of_new_run: bool) -> Wrong:
    """What is wrong with refs, parents and external ids of new tasks."""
    refs = {item["ref"] for item in items if item.get("ref")}
    wrong: Wrong = {}
    twice = given_twice(items, "ref"), given_twice(items, "externalId")
    for place, item in enumerate(items):
        names = ["ref"] * (place in twice[0]) + ["externalId"] * (place in twice[1])
        if item.get("parentTaskId") is not None and of_new_run:
            names.append("parentTaskId")
        if item.get("parent") is not None and (item.get("parentTaskId") is not None or item["parent"] not in refs):
            names.append("parent")
        if names:
            wrong[place] = names
    return wrong or {place: ["parent"] for place in _first_of_each_circle(items)}


def _first_of_each_circle(items: Sequence[Json]) -> list[int]:
    """Of each circle of parents the item at which whoever starts from the first item that leads there gets into it."""
    found: list[int] = []
    circles: set[int] = set()
    for start in range(len(items)):
        line = [start]
        while (parent := parent_of(items, line[-1])) is not None and parent not in line:
            line.append(parent)
        if parent is not None and parent not in circles:
            circles |= set(line[line.index(parent) :])
            found.append(parent)
    return found


def parent_of(items: Sequence[Json], place: int) -> int | None:
    """The place of the item that is an item's parent."""
    refs = [item.get("ref") for item in items]
    parent = items[place].get("parent")
    return None if parent is None else refs.index(parent)


def parents_first(items: Sequence[Json]) -> list[int]:
    """The places in the order of creation: that of the request, but for a parent, which comes before its children."""
    order: list[int] = []

    def add(place: int | None) -> None:
        if place is not None and place not in order:
            add(parent_of(items, place))
            order.append(place)

    for place in range(len(items)):
        add(place)
    return order


def wrong_in_new_run(new: Json) -> list[str]:
    """What is wrong with how the tasks and entries of a new run belong together."""
    tasks, entries = new.get("tasks", []), new.get("data", [])
    refs = {task["ref"] for task in tasks if task.get("ref")}
    unknown = {place: ["task"] for place, entry in enumerate(entries) if entry["task"] not in refs}
    return named(wrong_refs(tasks, of_new_run=True), "tasks") + named(unknown, "data")


def wrong_in_new_tasks(new: Json) -> list[str]:
    """What is wrong with how new tasks belong together."""
    return named(wrong_refs(new["items"], of_new_run=False), "items")


def wrong_in_changes(new: Json) -> list[str]:
    """The same of changes."""
    return named(given_twice(new["items"], "id") or given_twice(new["items"], "externalId"), "items")


def refuse_missing(tasks: Sequence[Task], items: Sequence[Json], name: str) -> None:
    """:raises Refused: naming the items that name a task which is not among these"""
    there = {task.id for task in tasks}
    missing = {
        place: [name] for place, item in enumerate(items) if item.get(name) is not None and item[name] not in there
    }
    if missing:
        raise Refused.naming(404, named(missing, "items"))


def refuse_all_taken(call: Call, items: Sequence[Json], where: str) -> None:
    """:raises Refused: naming the items whose external id another task has"""
    tasks = {task.id: task for task in call.ledger.tasks_of(call.org_id)}
    taken: Wrong = {
        place: ["externalId"]
        for place, item in enumerate(items)
        if taken_from(call, Task, item.get("externalId"), tasks.get(item.get("id", "")))
    }
    if taken:
        raise Refused.naming(409, named(taken, where))


def add_tasks(call: Call, run: Run, items: Sequence[Json], where: str) -> list[Task]:
    """New tasks of a run, in the order of the request.

    :param where: what the answer calls them
    """
    made: dict[int, Task] = {}
    for place in parents_first(items):
        parent_place, parent = parent_of(items, place), None
        if parent_place is not None:
            parent = made[parent_place]
        elif items[place].get("parentTaskId") is not None:
            parent = with_id(run.tasks, items[place]["parentTaskId"], "Parent task")
        made[place] = add_task(call, run, parent, items[place], call.given.id(where, place))
    return [made[place] for place in range(len(items))]


def add_task(call: Call, run: Run, parent: Task | None, new: Json, task_id: str) -> Task:
    """A new task."""
    task = Task(
        number=len(call.ledger.tasks_made),
        org_id=call.org_id,
        id=task_id,
        run=run,
        parent=parent,
        type=new["type"],
        input_data=new["inputData"],
        metadata=new.get("metadata"),
        external_id=new.get("externalId"),
        tags=new.get("tags", []),
        max_retries=new.get("maxRetries", 3),
        created_at=call.now,
        updated_at=call.now,
    )
    call.ledger.add_task(task)
    return task
