"""The lists of tasks: their filters, and how the tasks that match are found.

One filter leads to the tasks by an index, the others are checked on the tasks that it finds: the ids do, if they are
given, else the parent, else a label (`label_filters`), else the run, else a range of what the list is sorted by, else
the first range, else the type or the status.
"""

from collections.abc import Sequence
from typing import Any

from foreman.api.lists import label_filters
from foreman.db.values import RUN_SEQ, as_list
from foreman.http import schemas
from foreman.http.fields import Id, IdOrNone, TextFilter
from foreman.http.paging.walks import (
    NOT_STARTED,
    STARTED,
    Range,
    Walk,
    checked,
    checks_of,
    count_of,
    find_and_sort,
    ranges_in,
    times_in,
    walk_range,
    walk_statuses,
)
from foreman.vocabulary import TASK_STATUSES


class ListTasksOfRun(label_filters.ListLabelled):
    """Which tasks of a run to list."""

    status = schemas.statuses(*TASK_STATUSES)
    type = TextFilter()
    types = schemas.texts("Comma-separated types, each exactly.")
    parent_task_id = IdOrNone(metadata={"description": "Tasks of this one; `none`: those that are of no other."})


class ListTasks(ListTasksOfRun):
    """Which tasks to list."""

    run_id = Id()


OF_ORGANISATION = "org_id = :org_id"

# The filters as conditions that lead to the tasks by an index.
LEADING = {
    "ids": "id IN (SELECT value FROM json_each(:ids))",
    "parent_task_id": "parent_task_id = :parent_task_id",
    "run_id": f"run_seq = {RUN_SEQ}",
    "type": "type = :type",
    "types": "type IN (SELECT value FROM json_each(:types))",
}

# The filters as conditions that are checked on the tasks that others lead to. coalesce: else SQLite might look for a
# task's children among all tasks of the run, or of the type.
CHECKED = {
    "parent_task_id": checked(LEADING["parent_task_id"]),
    "no_parent": "parent_task_id IS NULL",
    "run_id": f"coalesce(run_seq, 0) = {RUN_SEQ}",
    "type": "coalesce(type, '') = :type",
    "types": checked(LEADING["types"]),
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

# Where the numbers of those tasks of a run are that are part of another one: a row for each of these.
CHILDREN = f"""
    run_task_count AS counted
    WHERE counted.run_seq = {RUN_SEQ} AND counted.parent_task_id > '' AND counted.type = coalesce(:type, '')
    """

# The end of a SELECT that has a row only if the run :run_id exists.
IF_THE_RUN_EXISTS = "FROM run WHERE run.org_id = :org_id AND run.id = :run_id"


def walks(wanted: dict[str, Any]) -> list[Walk]:
    """The walks of the tasks that validated query parameters (`ListTasks`) want."""
    filters, ranges, statuses = _filters(wanted), ranges_in(wanted), _statuses(wanted)
    sort_by, sort_order = wanted["sort_by"], wanted["sort_order"]
    one_of = f"coalesce(status, '') IN ({literals(statuses)})"
    each = [f"status = {literals([status])}" for status in statuses]
    labels = label_filters.checks("task", wanted)

    def led_by(*names: str) -> list[str]:
        checks = [CHECKED[name] for name in CHECKED if name in filters and name not in names]
        return [OF_ORGANISATION, *(LEADING[name] for name in names if name in filters), *checks, *labels]

    if "ids" in filters:
        conditions = [*led_by("ids"), one_of, *checks_of(ranges)]
        return [find_and_sort("task", conditions, sort_by, sort_order)]
    if "parent_task_id" in filters:
        return _by_creation([[*led_by("parent_task_id"), one_of]], ranges, sort_by, sort_order)
    if labels:
        within = ranges.pop("created_at", Range())
        others = [CHECKED[name] for name in CHECKED if name in filters and name != "run_id"]
        others += [*([one_of] if wanted.get("status") else []), *checks_of(ranges)]
        return label_filters.walks("task", wanted, others, within, in_run="run_id" in filters)
    if "run_id" in filters:
        conditions = led_by("run_id", "type")
        return _by_creation([[*conditions, status] for status in each], ranges, sort_by, sort_order)
    column = sort_by if sort_by in ranges else next(iter(ranges), "created_at")
    if column != "created_at":
        within = ranges.pop(column)
        conditions = [*led_by(), *([one_of] if wanted.get("status") else []), *checks_of(ranges)]
        return walk_range("task", [conditions], column, within, sort_by, sort_order)
    if "type" in filters:
        return _by_creation([[*led_by("type"), status] for status in each], ranges, sort_by, sort_order)
    if "types" in filters:
        limits = ranges.pop("created_at", Range())
        conditions = [*led_by("types"), *limits.start, *limits.end, *checks_of(ranges)]
        return [find_and_sort("task", [*conditions, status], sort_by, sort_order) for status in each]
    if ranges:
        parts = [[*led_by(), status, started] for status in each for started in (NOT_STARTED, STARTED)]
        return _by_creation(parts, ranges, sort_by, sort_order)
    if sort_by == "created_at" or not wanted.get("status"):
        return walk_statuses("task", led_by(), sort_by, sort_order, statuses, timed=False)
    return [find_and_sort("task", [*led_by(), status], sort_by, sort_order) for status in each]


def _by_creation(parts: Sequence[Sequence[str]], ranges: dict[str, Range], sort_by: str, sort_order: str) -> list[Walk]:
    """The walks of tasks that an index has by creation.

    :param parts: conditions: the index has the tasks of each in that order
    """
    within = ranges.pop("created_at", Range())
    parts = [[*part, *checks_of(ranges)] for part in parts]
    return walk_range("task", parts, "created_at", within, sort_by, sort_order)


def checks(wanted: dict[str, Any]) -> list[str]:
    """The conditions that tasks meet that the parameters want, for tasks that are found in another way."""
    filters = _filters(wanted)
    one_of = f"coalesce(status, '') IN ({literals(_statuses(wanted))})"
    ids = [checked(LEADING["ids"])] if "ids" in filters else []
    return [
        checked(OF_ORGANISATION),
        one_of,
        *ids,
        *(CHECKED[name] for name in CHECKED if name in filters),
        *checks_of(ranges_in(wanted)),
        *label_filters.checks("task", wanted),
    ]


def count(wanted: dict[str, Any]) -> str:
    """The SQL of the `total` of the list: from the counts that are kept, if nothing matters that they do not know."""
    filters = _filters(wanted)
    parts = " + ".join(_statuses(wanted))
    if label_filters.are_in(wanted):
        return f"({count_of(walks(wanted))})"
    if filters & {"ids", "types"} or times_in(wanted) or ("no_parent" in filters and "run_id" not in filters):
        return f"({count_of(walks(wanted))})"
    of = next((name for name in ("parent_task_id", "run_id") if name in filters), "all")
    total = f"coalesce((SELECT {parts} FROM {COUNTS[of]}), 0)"
    return f"{total} - coalesce((SELECT sum({parts}) FROM {CHILDREN}), 0)" if "no_parent" in filters else total


def bound(wanted: dict[str, Any]) -> dict[str, Any]:
    """The values to bind for the filters."""
    types = wanted.get("types", [])
    return {
        "run_id": wanted.get("run_id"),
        "parent_task_id": wanted.get("parent_task_id"),
        "type": wanted.get("type", types[0] if len(types) == 1 else None),
        "types": as_list(types),
        "ids": as_list(wanted.get("ids", [])),
        **label_filters.bound(wanted),
        **times_in(wanted),
    }


def _filters(wanted: dict[str, Any]) -> set[str]:
    """The names in `LEADING` and `CHECKED` of the filters that are given. A single one of `types` is a `type`."""
    filters = {name for name in LEADING if wanted.get(name)}
    if wanted.get("parent_task_id") == "none":
        filters = filters - {"parent_task_id"} | {"no_parent"}
    if len(wanted.get("types", [])) == 1 and "type" not in filters:
        filters = filters - {"types"} | {"type"}
    return filters


def _statuses(wanted: dict[str, Any]) -> list[str]:
    return [status for status in TASK_STATUSES if status in (wanted.get("status") or TASK_STATUSES)]


def literals(statuses: Sequence[str]) -> str:
    """Statuses as SQL: those of the code, never a client's text."""
    return ", ".join(f"'{status}'" for status in statuses)
