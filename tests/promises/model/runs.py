"""Runs, and what is in them."""

from tests.promises.model import batches, run_data
from tests.promises.model.bodies import NEW_RUN, RUN_CHANGE, TAGS_CHANGE, fields_of
from tests.promises.model.changes import (
    change,
    changed,
    check,
    read,
    refuse_taken,
    refuse_to_leave_an_end,
    states_wanted,
    tags_after,
)
from tests.promises.model.exchange import Answer, Do
from tests.promises.model.lists import Call, Pages, in_order, page_of, shown
from tests.promises.model.queries import KEYS_WANTED, RUNS_WANTED, TAGS_WANTED, TREE_WANTED, VIEW, parameters_of
from tests.promises.model.things import Run, Task
from tests.support.api import Json
from tests.support.clock import iso


def create_run(call: Call) -> Do:
    new = fields_of(call.request, NEW_RUN, batches.wrong_in_new_run)
    tasks, entries = new.get("tasks", []), new.get("data", [])

    def do() -> Answer:
        refuse_taken(call, Run, new.get("externalId"))
        batches.refuse_all_taken(call, tasks, "tasks")
        run = Run(
            number=len(call.ledger.runs_made),
            org_id=call.org_id,
            id=call.given.id(),
            input_data=new["inputData"],
            metadata=new.get("metadata"),
            external_id=new.get("externalId"),
            tags=new.get("tags", []),
            created_at=call.now,
            updated_at=call.now,
            strict=new.get("strict", False),
        )
        call.ledger.add_run(run)
        made = batches.add_tasks(call, run, tasks, "tasks")
        of_ref = {item["ref"]: task for item, task in zip(tasks, made, strict=True) if item.get("ref")}
        added = [
            run_data.add_entry(call, of_ref[entry["task"]], entry, call.given.id("data", place))
            for place, entry in enumerate(entries)
        ]
        beside = {"tasks": [task.to_json() for task in made], "data": [entry.answer for entry in added]}
        item = run.to_json()
        body = item | {name: things for name, things in beside.items() if name in new}
        return Answer(201, body, f"/runs/{run.id}", item)

    return do


def list_runs(call: Call) -> Do:
    wanted = parameters_of(call.request, RUNS_WANTED)
    return lambda: page_of(call, lambda: call.ledger.runs_of(call.org_id), wanted)


def get_run(call: Call, run_id: str) -> Do:
    wanted = parameters_of(call.request, VIEW)
    return lambda: read(shown(call.ledger.run(call.org_id, run_id), wanted), call.request.condition)


def change_run(call: Call, run_id: str) -> Do:
    new, states = fields_of(call.request, RUN_CHANGE), states_wanted(call.request.condition)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        check(states, run.to_json())
        refuse_taken(call, Run, new.get("externalId"), run)
        refuse_to_leave_an_end(run, new.get("status", run.status))
        change(run, new, call.now)
        return changed(run.to_json())

    return do


def change_tags_of_run(call: Call, run_id: str) -> Do:
    new, states = fields_of(call.request, TAGS_CHANGE), states_wanted(call.request.condition)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        check(states, run.to_json())
        change(run, {"tags": tags_after(run.tags, new)}, call.now)
        return changed(run.to_json())

    return do


def delete_run(call: Call, run_id: str) -> Do:
    states = states_wanted(call.request.condition)

    def do() -> Answer:
        run, ledger = call.ledger.run(call.org_id, run_id), call.ledger
        check(states, run.to_json())
        ledger.runs.remove(run)
        ledger.tasks = [task for task in ledger.tasks if task.run is not run]
        return Answer(200, {"deleted": 1})

    return do


# What is in a run -----------------------------------------------------------------------------------------------------


def get_tree(call: Call, run_id: str) -> Do:
    limit = parameters_of(call.request, TREE_WANTED).get("limit", 1000)

    def do() -> Answer:
        run = call.ledger.run(call.org_id, run_id)
        oldest = [task for _, task in in_order(run.tasks, "created_at", descending=False)][:limit]

        def with_children(task: Task) -> Json:
            return {**task.to_summary(), "children": [with_children(each) for each in oldest if each.parent is task]}

        tops = [with_children(task) for task in oldest if task.parent not in oldest]
        total = len(run.tasks)
        return Answer(200, {"tasks": tops, "total": total, "truncated": total > limit})

    return do


def list_keys(call: Call, run_id: str) -> Do:
    wanted = parameters_of(call.request, KEYS_WANTED)
    pages = Pages(call, {"cursor": "", **wanted}, 100)

    def do() -> Answer:
        entries = call.ledger.run(call.org_id, run_id).entries
        items = []
        for key in sorted({entry.key for entry in entries}):
            of_key = [entry for entry in entries if entry.key == key]
            items.append({"key": key, "entries": len(of_key), "newestAt": iso(of_key[-1].created_at)})
        return _alphabetical(pages, items, "key", wanted.get("keyStartsWith", ""))

    return do


def list_tags(call: Call, run_id: str) -> Do:
    wanted = parameters_of(call.request, TAGS_WANTED)
    pages = Pages(call, {"cursor": "", **wanted}, 100)

    def do() -> Answer:
        entries = call.ledger.run(call.org_id, run_id).entries
        items = []
        for tag in sorted({tag for entry in entries for tag in entry.tags}):
            with_tag = [entry for entry in entries if tag in entry.tags]
            items.append({"tag": tag, "entries": len(with_tag), "keys": len({entry.key for entry in with_tag})})
        return _alphabetical(pages, items, "tag", wanted.get("tagStartsWith", ""))

    return do


def _alphabetical(pages: Pages, items: list[Json], name: str, prefix: str) -> Answer:
    ordered = [((item[name],), item) for item in items if item[name].startswith(prefix)]
    page, next_cursor = pages.cut(ordered, descending=False)
    return Answer(200, {"items": page, "limit": pages.limit, "nextCursor": next_cursor}, next_cursor=next_cursor)
