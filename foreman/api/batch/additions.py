"""Many new tasks and entries of one run in one request: what it says of them, and how they are stored.

A task may have a `ref`, a name that counts within the request, by which its other items say what belongs to the task.
"""

from collections.abc import Sequence
from itertools import islice
from operator import itemgetter

from flask import g

from foreman.api import run_data, tasks
from foreman.clock import new_ids
from foreman.db.engine import Transaction
from foreman.db.values import Row, as_list, as_rows
from foreman.http import schemas
from foreman.http.errors import Conflict
from foreman.http.fields import Text
from foreman.http.items import MOST_WRONG, Item
from foreman.http.protocol.problems import Detail

# What is wrong, by the place of an item and the name of its field.
Wrong = dict[int, dict[str, list[str]]]


class NewTask(tasks.CreateTask):
    """A new task among others of its run."""

    class Meta(tasks.CreateTask.Meta):
        exclude = ("run_id",)

    ref = Text(
        allow_none=True,
        metadata={"description": "What other items of the request call it.", "examples": ["fetch"]},
    )
    parent = Text(
        allow_none=True,
        metadata={
            "description": "The `ref` of its parent in the request; not together with `parentTaskId`.",
            "examples": ["crawl"],
        },
    )


class NewData(run_data.CreateData):
    """A new entry of run data, of a task that is new, too."""

    class Meta(run_data.CreateData.Meta):
        exclude = ("task_id",)

    task = Text(required=True, metadata={"description": "The `ref` of the task that wrote it.", "examples": ["fetch"]})


INSERT_TASKS = """
    INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, metadata, max_retries,
                      external_id, tags, created_at, updated_at)
    SELECT run.org_id, json_extract(item.value, '$[0]'), run.seq, run.id, json_extract(item.value, '$[1]'),
           json_extract(item.value, '$[2]'), 'pending', json_extract(item.value, '$[3]'),
           json_extract(item.value, '$[4]'), CAST(json_extract(item.value, '$[5]') AS BIGINT),
           json_extract(item.value, '$[6]'), json_extract(item.value, '$[7]'), :now, :now
    FROM run
    CROSS JOIN json_each(:items) AS item
    WHERE run.org_id = :org_id AND run.id = :run_id
    """

INSERT_DATA = """
    INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, metadata, created_at, updated_at)
    SELECT run.org_id, json_extract(item.value, '$[0]'), run.seq, run.id, json_extract(item.value, '$[1]'),
           json_extract(item.value, '$[2]'), json_extract(item.value, '$[3]'), json_extract(item.value, '$[4]'),
           json_extract(item.value, '$[5]'), :now, :now
    FROM run
    CROSS JOIN json_each(:items) AS item
    WHERE run.org_id = :org_id AND run.id = :run_id
    """

# What these take from each row: of `tasks.COLUMNS` id, parent_task_id, type, input_data, metadata, max_retries,
# external_id and tags, of `run_data.COLUMNS` id, task_id, key, value, tags and metadata.
_OF_TASK, _OF_ENTRY = itemgetter(0, 2, 4, 6, 9, 11, 18, 19), itemgetter(0, 2, 4, 5, 6, 7)

SELECT_HOLDERS = """
    SELECT task.external_id, task.id
    FROM json_each(:names) AS wanted
    CROSS JOIN task
    WHERE task.org_id = :org_id AND task.external_id = wanted.value
    """


def wrong_refs(items: Sequence[Item], *, of_new_run: bool = False) -> Wrong:
    """What is wrong with the refs of tasks, and with the parents that they name.

    :param of_new_run: whether the run has no other tasks yet
    """
    wrong: Wrong = {}
    places = places_of(items)
    for place, item in enumerate(items):
        if of_new_run and item["parent_task_id"] is not None:
            wrong[place] = {"parentTaskId": ["A new run has no other tasks: name one of the request, as parent."]}
        if item["ref"] is not None and places[item["ref"]] != place:
            wrong.setdefault(place, {})["ref"] = [f"Item {places[item['ref']]} has the same."]
        if item["parent"] is None:
            continue
        if item["parent_task_id"] is not None:
            wrong.setdefault(place, {})["parent"] = ["Not together with parentTaskId."]
        elif item["parent"] not in places:
            wrong.setdefault(place, {})["parent"] = ["No task of the request has this ref."]
    for place, fields in given_twice(items, "external_id").items():
        wrong.setdefault(place, {}).update(fields)
    if not wrong:
        _, circular = parents_first(items)
        wrong = {place: {"parent": ["The task would be its own ancestor."]} for place in circular}
    return dict(islice(wrong.items(), MOST_WRONG))


def wrong_tasks(entries: Sequence[Item], items: Sequence[Item]) -> Wrong:
    """What is wrong with the refs by which entries name their tasks."""
    places = places_of(items)
    unknown = (place for place, entry in enumerate(entries) if entry["task"] not in places)
    return {place: {"task": ["No task of the request has this ref."]} for place in islice(unknown, MOST_WRONG)}


def places_of(items: Sequence[Item]) -> dict[str, int]:
    """The place of each ref; the first, if several tasks have it."""
    return {item["ref"]: place for place, item in reversed([*enumerate(items)]) if item["ref"] is not None}


def parents_first(items: Sequence[Item]) -> tuple[list[int], list[int]]:
    """The order in which each task comes after its parent, else that of the request.

    A child always has a greater `seq` than its parent, see `db.removal`.

    :return: the places in this order, and one place of each circle of parents
    """
    places = places_of(items)
    parents = [None if item["parent"] is None else places[item["parent"]] for item in items]
    order: list[int] = []
    circular: list[int] = []
    seen: set[int] = set()
    for start in range(len(items)):
        line: list[int] = []  # it, its parent, and so on
        place: int | None = start
        while place is not None and place not in seen:
            seen.add(place)
            line.append(place)
            place = parents[place]
        if place in line:
            circular.append(place)
        order += reversed(line)
    return order, circular


def task_rows(run_id: str, items: Sequence[Item], now: int) -> list[Row]:
    """The rows of new tasks in the order of the request. In the order of their ids each comes after its parent.

    :param items: whose refs are right
    """
    order, _ = parents_first(items)
    ids = dict(zip(order, new_ids(len(items)), strict=True))
    places = places_of(items)
    return [
        tasks.new_row(
            g.org_id, ids[place], run_id,
            item["parent_task_id"] if item["parent"] is None else ids[places[item["parent"]]],
            now, item,
        )
        for place, item in enumerate(items)
    ]  # fmt: skip


def data_rows(run_id: str, entries: Sequence[Item], items: Sequence[Item], rows: Sequence[Row], now: int) -> list[Row]:
    """The rows of new entries whose tasks are new, too, in the order of the request.

    :param entries: whose tasks are among `items`
    :param rows: those of `task_rows`
    """
    ids = {ref: rows[place][0] for ref, place in places_of(items).items()}
    return [
        run_data.new_row(g.org_id, data_id, run_id, ids[entry["task"]], now, entry)
        for entry, data_id in zip(entries, new_ids(len(entries)), strict=True)
    ]


def given_twice(items: Sequence[Item], name: str) -> Wrong:
    """Items whose value of a field another one has, too."""
    first: dict[str, int] = {}
    given = ((place, item[name]) for place, item in enumerate(items) if item.get(name) is not None)
    twice = ((place, value) for place, value in given if first.setdefault(value, place) != place)
    outer = schemas.camel_case(name)
    return {place: {outer: [f"Item {first[value]} has the same."]} for place, value in islice(twice, MOST_WRONG)}


def refuse_taken(tx: Transaction, items: Sequence[Item], where: str = "items") -> None:
    """Check that no other task has an external id that items have. On PostgreSQL another may still get it meanwhile.

    :param items: new tasks, or changes with the task's `id`
    :param where: what the request calls the items
    :raises Conflict: if one has, naming it and the items
    """
    places = {item["external_id"]: place for place, item in enumerate(items) if item.get("external_id")}
    if not places:
        return
    holders = tx.all(SELECT_HOLDERS, org_id=g.org_id, names=as_list(places))
    taken = sorted((places[name], holder) for name, holder in holders if items[places[name]].get("id") != holder)
    if taken:
        message = "The task {} has this externalId"
        details: list[Detail] = [
            {"field": f"{where}.{place}.externalId", "message": message.format(holder)}
            for place, holder in taken[:MOST_WRONG]
        ]
        raise Conflict(message.format(taken[0][1]), details=details)


def insert_tasks(tx: Transaction, run_id: str, rows: Sequence[Row], now: int) -> None:
    """Store new tasks of a run that exists, as do the parents of those that are not among them."""
    for some in as_rows(map(_OF_TASK, sorted(rows, key=itemgetter(0)))):
        tx.run(INSERT_TASKS, org_id=g.org_id, run_id=run_id, items=some, now=now)


def insert_data(tx: Transaction, run_id: str, rows: Sequence[Row], now: int) -> None:
    """Store new entries of a run that exists, as do their tasks."""
    for some in as_rows(map(_OF_ENTRY, rows)):
        tx.run(INSERT_DATA, org_id=g.org_id, run_id=run_id, items=some, now=now)
