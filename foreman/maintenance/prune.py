"""Pruning: finds old runs, and deletes them while a server works."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from foreman.clock import now_ms
from foreman.db.engine import Database, Transaction
from foreman.db.removal import SELECT_TASKS, OldRun, delete_empty_run, delete_some_entries, delete_tasks, groups
from foreman.db.values import ALL_TASKS, RUN_SEQ, Row, as_list
from foreman.maintenance.gentle_writes import ShortTurns
from foreman.vocabulary import ENDED

# Runs that are looked up at once.
_RUNS = 100

# Beyond this number of tasks, listing them takes too long to be done while others wait for the lock.
_MANY = 1_000


@dataclass
class Amount:
    """How much is old, or was deleted. `bytes_given_back` went to the file system."""

    runs: int = 0
    tasks: int = 0
    entries: int = 0
    bytes_given_back: int = 0

    def __str__(self) -> str:
        return f"{self.runs} runs, {self.tasks} tasks, {self.entries} entries"

    def rows(self) -> int:
        """The total number of rows."""
        return self.runs + self.tasks + self.entries

    def without(self, other: "Amount") -> "Amount":
        """What is left after `other`; never negative, although something may have been added since it was counted."""
        return Amount(
            max(0, self.runs - other.runs), max(0, self.tasks - other.tasks), max(0, self.entries - other.entries)
        )


@dataclass(frozen=True)
class Old:
    """Which runs are old: those that ended before a time.

    :ivar before: milliseconds since 1970
    :ivar statuses: which they ended with
    :ivar org_id: whose they are; None for all organisations
    """

    before: int
    statuses: Sequence[str] = ENDED
    org_id: str | None = None


def old(age: int, statuses: Sequence[str] = ENDED, org_id: str | None = None) -> Old:
    """The runs that ended more than `age` milliseconds ago."""
    return Old(now_ms() - age, statuses, org_id)


def count(tx: Transaction, which: Old) -> Amount:
    """How much there is to delete."""
    amount = Amount()
    for org_id, status in _scopes(tx, which):
        row = tx.one(
            f"""
            SELECT count(*), coalesce(sum({ALL_TASKS}), 0), coalesce(sum(data.entries), 0)
            FROM run
            LEFT JOIN run_task_count AS tasks
                   ON tasks.run_seq = run.seq AND tasks.parent_task_id = '' AND tasks.type = ''
            LEFT JOIN run_data_count AS data ON data.run_seq = run.seq
            WHERE run.org_id = :org_id AND run.status = :status AND run.completed_at < :before
            """,
            org_id=org_id, status=status, before=which.before,
        )  # fmt: skip
        runs, tasks, entries = row or (0, 0, 0)
        amount.runs, amount.tasks, amount.entries = amount.runs + runs, amount.tasks + tasks, amount.entries + entries
    return amount


def prune(
    database: Database,
    which: Old,
    stopping: threading.Event,
    progress: Callable[[Amount], object] = lambda _: None,
) -> Amount:
    """Delete old runs with everything in them, and give their space back to the file system.

    The database is sound between the short transactions that this uses. So it may stop anywhere, and the next call goes
    on from there. A run that a client resumes meanwhile stays, with what is left of it.

    :param progress: called now and then with how much has been deleted so far; it may take its time
    :raises Stopped: when `stopping` was set before the end
    :raises DatabaseError: when the database cannot be written to, or another process keeps it locked
    """
    pruned = Amount()
    with ShortTurns(database, stopping, lambda: progress(pruned)) as turns:
        for run in _runs(database, turns, which):
            while deleted := delete_some_entries(turns.tx(), run):
                pruned.entries += deleted
            for tasks in groups(_tasks(database, turns, run)):
                pruned.tasks += delete_tasks(turns.tx(), run, tasks)
            pruned.runs += delete_empty_run(turns.tx(), run)
        pruned.bytes_given_back = _give_space_back(database, turns)
        turns.end()
    return pruned


def _runs(database: Database, turns: ShortTurns, which: Old) -> Iterator[OldRun]:
    """Find old runs, in batches. Each has to be deleted, or no longer be old, when the next one is asked for."""
    with database.read() as tx:
        scopes = _scopes(tx, which)
    for org_id, status in scopes:
        while True:
            turns.end()  # commit, or runs that were just deleted would be found again
            with database.read() as tx:
                found = tx.all(
                    """
                    SELECT org_id, id, status
                    FROM run
                    WHERE org_id = :org_id AND status = :status AND completed_at < :before
                    ORDER BY completed_at
                    LIMIT :limit
                    """,
                    org_id=org_id, status=status, before=which.before, limit=_RUNS,
                )  # fmt: skip
            if not found:
                break
            for of_org, run_id, of_status in found:
                yield OldRun(of_org, run_id, of_status, which.before)


def _scopes(tx: Transaction, which: Old) -> list[tuple[str, str]]:
    """Organisations and statuses that may have old runs."""
    found = tx.all(
        """
        SELECT org_id, status FROM run_count
        WHERE runs > 0 AND org_id = coalesce(:org_id, org_id) AND status IN (SELECT value FROM json_each(:statuses))
        """,
        org_id=which.org_id, statuses=as_list(which.statuses),
    )  # fmt: skip
    return [(org_id, status) for org_id, status in found]


def _tasks(database: Database, turns: ShortTurns, run: OldRun) -> list[Row]:
    """The run's tasks, newest first."""
    which = {"org_id": run.org_id, "run_id": run.run_id}
    counted = database.one(
        f"""
        SELECT {ALL_TASKS}
        FROM run_task_count
        WHERE run_seq = {RUN_SEQ} AND parent_task_id = '' AND type = ''
        """,
        **which,
    )
    if counted and counted[0] > _MANY:
        turns.end()
    with database.read() as tx:
        return tx.all(SELECT_TASKS, **which)


def _give_space_back(database: Database, turns: ShortTurns) -> int:
    """Give free space back to the file system; return how many bytes."""
    given = 0
    while some := database.give_space_back(turns.tx()):
        given += some
    return given
