"""Figures about what is in a database, at a cost that does not grow with it: for `/metrics` and `stats`."""

import shutil
from pathlib import Path
from typing import NamedTuple

from foreman.db.transactions import Transaction
from foreman.vocabulary import RUN_STATUSES, TASK_STATUSES


class Figures(NamedTuple):
    """How much there is in a database.

    :ivar runs: how many in each status, of all organisations together
    :ivar tasks: the same of tasks
    """

    runs: dict[str, int]
    tasks: dict[str, int]


class Sizes(NamedTuple):
    """In bytes: the database file, its write-ahead log, and what is free on their file system."""

    database: int
    log: int
    free: int


def figures(tx: Transaction) -> Figures:
    """What the maintained counts say.

    :raises DatabaseError: when the database cannot be read
    """
    runs = tx.all("SELECT status, sum(runs) FROM run_count GROUP BY status")
    tasks = tx.all(
        """
        SELECT task_count.status, sum(task_count.tasks)
        FROM (SELECT DISTINCT org_id FROM run_count) AS organisation
        JOIN task_count ON task_count.org_id = organisation.org_id AND scope_id = '' AND type = ''
        GROUP BY task_count.status
        """
    )
    return Figures(
        dict.fromkeys(RUN_STATUSES, 0) | dict(map(tuple, runs)),
        dict.fromkeys(TASK_STATUSES, 0) | dict(map(tuple, tasks)),
    )


def sizes(path: Path) -> Sizes:
    """The sizes of the files that a database is.

    :raises OSError: when it is gone
    """
    file = path.resolve()
    log = file.with_name(f"{file.name}-wal")
    return Sizes(file.stat().st_size, log.stat().st_size if log.exists() else 0, shutil.disk_usage(file.parent).free)
