"""The list of runs: its filters, and how the runs that match are found.

One filter leads to the runs by an index, the others are checked on the runs that it finds: the ids do, if they are
given, else a label (`label_filters`), else a range of what the list is sorted by, else the first range, else the
status.
"""

from typing import Any

from foreman.api.lists import label_filters
from foreman.db.values import as_list
from foreman.http import schemas
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
from foreman.vocabulary import RUN_STATUSES


class ListRuns(label_filters.ListLabelled):
    """Which runs to list."""

    status = schemas.statuses(*RUN_STATUSES)


OF_ORGANISATION = "org_id = :org_id"

OF_STATUS = checked("status IN (SELECT value FROM json_each(:statuses))")

IDS = "id IN (SELECT value FROM json_each(:ids))"

# From the counts that are kept, if nothing but the status matters.
COUNT = """
    SELECT coalesce(sum(runs), 0) AS total
    FROM run_count
    WHERE org_id = :org_id AND status IN (SELECT value FROM json_each(:statuses))
    """


def walks(wanted: dict[str, Any]) -> list[Walk]:
    """The walks of the runs that validated query parameters (`ListRuns`) want."""
    sort_by, sort_order, ranges = wanted["sort_by"], wanted["sort_order"], ranges_in(wanted)
    statuses = _statuses(wanted)
    if wanted.get("ids"):
        checks = [OF_STATUS, *checks_of(ranges), *label_filters.checks("run", wanted)]
        return [find_and_sort("run", [OF_ORGANISATION, IDS, *checks], sort_by, sort_order)]
    if label_filters.are_in(wanted):
        within = ranges.pop("created_at", Range())
        others = [*([OF_STATUS] if wanted.get("status") else []), *checks_of(ranges)]
        return label_filters.walks("run", wanted, others, within)
    if ranges:
        column = sort_by if sort_by in ranges else next(iter(ranges))
        within = ranges.pop(column)
        parts = [[OF_ORGANISATION, f"status = '{status}'", *checks_of(ranges)] for status in statuses]
        if column == "created_at":
            parts = [[*part, started] for part in parts for started in (NOT_STARTED, STARTED)]
        return walk_range("run", parts, column, within, sort_by, sort_order)
    return walk_statuses("run", [OF_ORGANISATION], sort_by, sort_order, statuses, timed=True)


def checks(wanted: dict[str, Any]) -> list[str]:
    """The conditions that runs meet that the parameters want, for runs that are found in another way."""
    ids = [checked(IDS)] if wanted.get("ids") else []
    labels = label_filters.checks("run", wanted)
    return [checked(OF_ORGANISATION), OF_STATUS, *ids, *checks_of(ranges_in(wanted)), *labels]


def count(wanted: dict[str, Any]) -> str:
    """A SELECT of the `total` of the list."""
    if wanted.get("ids") or times_in(wanted) or label_filters.are_in(wanted):
        return f"SELECT ({count_of(walks(wanted))}) AS total"
    return COUNT


def bound(wanted: dict[str, Any]) -> dict[str, Any]:
    """The values to bind for the filters."""
    return {
        "statuses": as_list(_statuses(wanted)),
        "ids": as_list(wanted.get("ids", [])),
        **label_filters.bound(wanted),
        **times_in(wanted),
    }


def _statuses(wanted: dict[str, Any]) -> list[str]:
    return [status for status in RUN_STATUSES if status in (wanted.get("status") or RUN_STATUSES)]
