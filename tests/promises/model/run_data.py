"""Run data: entries, one by one and in batches."""

from collections.abc import Callable

from tests.api.run_data_model import Entry, in_order
from tests.promises.model import batches
from tests.promises.model.bodies import NEW_ENTRIES, NEW_ENTRY, TAGS_CHANGE, fields_of
from tests.promises.model.changes import changed, check, read, states_wanted, tags_after
from tests.promises.model.exchange import Answer, Do, Refused, opaque
from tests.promises.model.lists import Call, Pages, Place
from tests.promises.model.queries import DATA_UNWANTED, DATA_WANTED, VIEW, parameters_of
from tests.promises.model.things import Run, Task, summary, with_id
from tests.support.api import Json
from tests.support.clock import iso


def create_entry(call: Call, run_id: str) -> Do:
    new = fields_of(call.request, NEW_ENTRY)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        task = with_id(run.tasks, new["taskId"], "Task")
        item = add_entry(call, task, new, call.given.id()).answer
        return Answer(201, item, f"/runs/{run.id}/data/{item['id']}", item)

    return do


def create_entries(call: Call, run_id: str) -> Do:
    items = fields_of(call.request, NEW_ENTRIES)["items"]

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        batches.refuse_missing(run.tasks, items, "taskId")
        tasks = {task.id: task for task in run.tasks}
        added = [
            add_entry(call, tasks[item["taskId"]], item, call.given.id("items", place))
            for place, item in enumerate(items)
        ]
        return Answer(201, {"items": [entry.answer for entry in added]}, f"/runs/{run.id}/data")

    return do


def add_entry(call: Call, task: Task, new: Json, data_id: str) -> Entry:
    """A new entry. What is kept besides its answer is the value as it was sent."""
    now, tags = call.now, new.get("tags", [])
    answer = {
        "id": data_id,
        "runId": task.run.id,
        "taskId": task.id,
        "orgId": call.org_id,
        "key": new["key"],
        "value": opaque(new["value"]),
        "tags": tags,
        "metadata": opaque(new.get("metadata")),
        "createdAt": iso(now),
        "updatedAt": iso(now),
    }
    entry = Entry(len(call.ledger.entries_made), new["key"], tags, now, now, answer)
    call.ledger.entries_made.append(entry)
    task.run.entries.append(entry)
    return entry


def shown(entry: Entry, wanted: Json) -> Json:
    """An entry in the view that is wanted."""
    if wanted.get("view") != "summary":
        return entry.answer
    value = entry.answer["value"]
    return summary(entry.answer, {"value": "null" if value is None else value.text})


def query_data(call: Call, run_id: str) -> Do:
    wanted = parameters_of(call.request, DATA_WANTED)
    usual = {"sortBy": "created_at", "sortOrder": "desc", "tagMode": "any", "includeAll": "false"}
    pages = Pages(call, wanted, 100, **usual)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        ordered = in_order(run.entries, wanted)
        by: Callable[[Place], object] = lambda place: place  # noqa: E731
        if wanted.get("sortBy") == "key" and wanted.get("includeAll") != "true":
            by = lambda place: place[0]  # noqa: E731  # each key is shown once
        page, next_cursor = pages.cut(ordered, descending=wanted.get("sortOrder") != "asc", by=by)
        pagination = pages.members(len(ordered), next_cursor)
        body = {"data": [shown(entry, wanted) for entry in page], "pagination": pagination}
        return Answer(200, body, next_cursor=next_cursor)

    return do


def get_entry(call: Call, run_id: str, data_id: str) -> Do:
    wanted = parameters_of(call.request, VIEW)
    return lambda: read(shown(_entry(call, run_id, data_id), wanted), call.request.condition)


def change_tags_of_entry(call: Call, run_id: str, data_id: str) -> Do:
    new, states = fields_of(call.request, TAGS_CHANGE), states_wanted(call.request.condition)

    def do() -> Answer:
        entry = _entry(call, run_id, data_id)
        check(states, entry.answer)
        tags = tags_after(entry.tags, new)
        if tags != entry.tags:
            entry.tags, entry.updated_at = tags, call.now
            entry.answer = {**entry.answer, "tags": tags, "updatedAt": iso(call.now)}
        return changed(entry.answer)

    return do


def delete_data(call: Call, run_id: str) -> Do:
    unwanted = parameters_of(call.request, DATA_UNWANTED)
    if len(unwanted) != 1:
        raise Refused.wrong("key")
    states = states_wanted(call.request.condition)
    if states is not None and "key" in unwanted:
        raise Refused.wrong("If-Match")

    def do() -> Answer:
        run: Run = call.ledger.run(call.org_id, run_id)
        if states is not None:
            check(states, _entry(call, run_id, unwanted["id"]).answer)
        kept = [
            entry
            for entry in run.entries
            if entry.key != unwanted.get("key") and entry.answer["id"] != unwanted.get("id")
        ]
        deleted = len(run.entries) - len(kept)
        if not deleted:
            raise Refused.because(404, "Entry not found")
        run.entries = kept
        return Answer(200, {"deleted": deleted})

    return do


def _entry(call: Call, run_id: str, data_id: str) -> Entry:
    for run in call.ledger.runs_of(call.org_id):
        for entry in run.entries:
            if (run.id, entry.answer["id"]) == (run_id.lower(), data_id.lower()):
                return entry
    raise Refused.because(404, "Entry not found")
