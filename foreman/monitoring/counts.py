"""Figures about the contents of a database, for `/metrics` and `stats`. Their cost does not grow with its size."""

from typing import NamedTuple

from foreman.db.engine import Transaction
from foreman.vocabulary import RUN_STATUSES, TASK_STATUSES


class Figures(NamedTuple):
    """How much there is in a database.

    :ivar runs: number by status, for all organisations together
    :ivar tasks: likewise
    """

    runs: dict[str, int]
    tasks: dict[str, int]


def figures(tx: Transaction) -> Figures:
    """Figures from the counts that triggers maintain.

    :raises DatabaseError: if the database cannot be read
    """
    runs = tx.all("SELECT status, sum(runs) FROM run_count GROUP BY status")
    tasks = tx.one(
        f"""
        SELECT {", ".join(f"coalesce(sum({status}), 0)" for status in TASK_STATUSES)}
        FROM (SELECT DISTINCT org_id FROM run_count) AS organisation
        JOIN org_task_count AS counted ON counted.org_id = organisation.org_id AND counted.type = ''
        """
    )
    return Figures(
        dict.fromkeys(RUN_STATUSES, 0) | dict(map(tuple, runs)),
        dict(zip(TASK_STATUSES, tasks or (), strict=True)),
    )
