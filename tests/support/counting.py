"""What there is, counted row by row in plain Python, and what the database says of it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.statuses import TASK_STATUSES

Rows = set[tuple[Any, ...]]

# Runs a SELECT.
Select = Callable[[str], list[tuple[Any, ...]]]


def counted(select: Select) -> dict[str, Rows]:
    """What there is, by the names of the tables that are kept of it."""
    runs = select("SELECT org_id, status FROM run")
    tasks = select("SELECT org_id, run_seq, coalesce(parent_task_id, ''), type, status FROM task")
    entries = select("SELECT run_seq, key, seq, created_at FROM run_data")
    tags = select(
        """
        SELECT run_data.run_seq, tag.value, run_data.key, run_data.seq, run_data.created_at
        FROM run_data, json_each(run_data.tags) AS tag
        """
    )
    of_org = Counter(
        (org_id, counted_as, status) for org_id, _, _, type_, status in tasks for counted_as in ("", type_)
    )
    of_run = Counter(
        (run_seq, counted_for, counted_as, status)
        for _, run_seq, parent, type_, status in tasks
        for counted_for in {"", parent}
        for counted_as in ("", type_)
    )
    keys = {(run_seq, key) for run_seq, key, *_ in entries}
    of_all = [(run_seq, "", key, seq, created_at) for run_seq, key, seq, created_at in entries]
    newest: dict[tuple[Any, ...], tuple[int, int]] = {}
    for *where, seq, created_at in sorted(tags + of_all, key=lambda row: row[3]):
        newest[tuple(where)] = (seq, created_at)
    held = Counter(row[:3] for row in tags + of_all)
    return {
        "run_count": {(*key, n) for key, n in Counter(runs).items()},
        "org_task_count": {(*key, n) for key, n in of_org.items()},
        "run_task_count": {(*key, n) for key, n in of_run.items()},
        "run_data_count": {
            (run_seq, sum(key[0] == run_seq for key in keys), n)
            for run_seq, n in Counter(entry[0] for entry in entries).items()
        },
        "run_data_tag": set(tags),
        "run_data_latest": {(*where, *newest[where], n) for where, n in held.items()},
    }


def kept(select: Select) -> dict[str, Rows]:
    """What the triggers have kept. A count of zero is as good as none."""
    selects = {
        "run_count": "SELECT org_id, status, runs FROM run_count WHERE runs <> 0",
        "run_data_count": "SELECT run_seq, keys, entries FROM run_data_count WHERE keys <> 0 OR entries <> 0",
        "run_data_tag": "SELECT run_seq, tag, key, seq, created_at FROM run_data_tag",
        "run_data_latest": "SELECT run_seq, tag, key, seq, created_at, entries FROM run_data_latest",
    }
    by_status = {"org_task_count": "org_id, type", "run_task_count": "run_seq, parent_task_id, type"}
    rows = {table: set(select(sql)) for table, sql in selects.items()}
    for table, of in by_status.items():
        places = len(of.split(","))
        rows[table] = {
            (*row[:places], status, number)
            for row in select(f"SELECT {of}, {', '.join(TASK_STATUSES)} FROM {table}")
            for status, number in zip(TASK_STATUSES, row[places:], strict=True)
            if number
        }
    return rows
