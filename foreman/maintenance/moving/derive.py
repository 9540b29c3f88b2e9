"""What follows from runs, tasks and entries: tags, the newest entry of each key, and counts, as one SELECT for a table.

These are for rows whose order of insertion is that of their creation, as after an import. Both engines understand them.
"""

from foreman.maintenance.moving.tables import DERIVED, Table
from foreman.vocabulary import TASK_STATUSES

_BY_STATUS = ", ".join(f"sum(CASE WHEN status = '{status}' THEN 1 ELSE 0 END)" for status in TASK_STATUSES)

_SELECTS = {
    "run_tag": ("SELECT org_id, tag.value, created_at, seq FROM run CROSS JOIN json_each(run.tags) AS tag",),
    "task_tag": (
        "SELECT org_id, tag.value, created_at, seq, run_seq FROM task CROSS JOIN json_each(task.tags) AS tag",
    ),
    "run_data_tag": (
        """
        SELECT run_data.run_seq, tag.value, run_data.key, run_data.seq, run_data.created_at
        FROM run_data
        CROSS JOIN json_each(run_data.tags) AS tag
        """,
    ),
    "run_data_latest": (
        "SELECT run_seq, '', key, max(seq), max(created_at), count(*), 1 FROM run_data GROUP BY run_seq, key",
        """
        SELECT run_seq, tag, key, max(seq), max(created_at), count(*), 1
        FROM run_data_tag
        GROUP BY run_seq, tag, key
        """,
    ),
    "run_count": ("SELECT org_id, status, count(*) FROM run GROUP BY org_id, status",),
    "org_task_count": (
        f"SELECT org_id, '', {_BY_STATUS} FROM task GROUP BY org_id",
        f"SELECT org_id, type, {_BY_STATUS} FROM task GROUP BY org_id, type",
    ),
    "run_task_count": (
        f"SELECT run_seq, '', '', {_BY_STATUS} FROM task GROUP BY run_seq",
        f"SELECT run_seq, '', type, {_BY_STATUS} FROM task GROUP BY run_seq, type",
        f"""
        SELECT run_seq, parent_task_id, '', {_BY_STATUS}
        FROM task
        WHERE parent_task_id IS NOT NULL
        GROUP BY run_seq, parent_task_id
        """,
        f"""
        SELECT run_seq, parent_task_id, type, {_BY_STATUS}
        FROM task
        WHERE parent_task_id IS NOT NULL
        GROUP BY run_seq, parent_task_id, type
        """,
    ),
    "run_data_count": ("SELECT run_seq, count(DISTINCT key), count(*) FROM run_data GROUP BY run_seq",),
}

# Tables with what fills them, in this order.
PARTS: tuple[tuple[Table, str], ...] = tuple((table, select) for table in DERIVED for select in _SELECTS[table.name])
