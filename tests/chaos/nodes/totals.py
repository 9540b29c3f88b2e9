"""Whether totals are what counting gives, at every moment: both are read in one snapshot, again and again."""

import threading
import time

import psycopg

from tests.chaos.nodes.site import Site

# Seconds between two comparisons.
_BETWEEN = 1.0

_STATUSES = ("pending", "queued", "running", "completed", "failed", "cancelled", "retrying")
_COUNTED = ", ".join(f"count(*) FILTER (WHERE status = '{status}') AS {status}" for status in _STATUSES)
_COLUMNS = ", ".join(_STATUSES)
_NONE = " AND ".join(f"{status} = 0" for status in _STATUSES)

# For each total the rows in which it and the count differ.
_COMPARISONS = {
    "runs of an organisation": """
        SELECT * FROM (SELECT org_id, status, runs FROM run_count WHERE runs <> 0) AS kept
        FULL JOIN (SELECT org_id, status, count(*) AS runs FROM run GROUP BY org_id, status) AS counted
            USING (org_id, status, runs)
        WHERE kept IS NULL OR counted IS NULL
        """,
    "tasks of an organisation": f"""
        SELECT * FROM (SELECT org_id, {_COLUMNS} FROM org_task_count WHERE type = '' AND NOT ({_NONE})) AS kept
        FULL JOIN (SELECT org_id, {_COUNTED} FROM task GROUP BY org_id) AS counted USING (org_id, {_COLUMNS})
        WHERE kept IS NULL OR counted IS NULL
        """,
    "tasks of a run": f"""
        SELECT * FROM (
            SELECT run_seq, {_COLUMNS} FROM run_task_count WHERE type = '' AND parent_task_id = '' AND NOT ({_NONE})
        ) AS kept
        FULL JOIN (SELECT run_seq, {_COUNTED} FROM task GROUP BY run_seq) AS counted USING (run_seq, {_COLUMNS})
        WHERE kept IS NULL OR counted IS NULL
        """,
    "children of a task": f"""
        SELECT * FROM (
            SELECT parent_task_id, type, {_COLUMNS} FROM run_task_count
            WHERE type <> '' AND parent_task_id <> '' AND NOT ({_NONE})
        ) AS kept
        FULL JOIN (
            SELECT parent_task_id, type, {_COUNTED} FROM task
            WHERE parent_task_id IS NOT NULL GROUP BY parent_task_id, type
        ) AS counted USING (parent_task_id, type, {_COLUMNS})
        WHERE kept IS NULL OR counted IS NULL
        """,
    "entries and keys of a run": """
        SELECT * FROM (SELECT run_seq, entries, keys FROM run_data_count WHERE entries <> 0 OR keys <> 0) AS kept
        FULL JOIN (
            SELECT run_seq, count(*) AS entries, count(DISTINCT key) AS keys FROM run_data GROUP BY run_seq
        ) AS counted USING (run_seq, entries, keys)
        WHERE kept IS NULL OR counted IS NULL
        """,
}


class Totals:
    """Compares in the background, from the beginning of the `with` block to its end.

    :ivar compared: how often
    :ivar violations: differences, as lines
    """

    def __init__(self, site: Site) -> None:
        self.compared = 0
        self.violations: list[str] = []
        self._site = site
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Totals":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_BETWEEN):
            try:
                with self._site.connect() as connection:
                    while not self._stopped.wait(_BETWEEN):
                        begin = time.monotonic()
                        self._compare(connection)
                        self._stopped.wait(time.monotonic() - begin)  # never more than half of a core
            except psycopg.OperationalError:
                continue  # a fault

    def _compare(self, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for name, sql in _COMPARISONS.items():
                wrong = connection.execute(sql.encode()).fetchall()
                if wrong:
                    self.violations.append(f"{name}: {len(wrong)} differ from counting, such as {wrong[0]}")
        self.compared += 1
