"""Cancelling and retrying tasks and runs: one of them, or some of many.

The rules are the same for all. To cancel changes what has not ended. To retry changes what has failed or was cancelled,
unless a strict run keeps it so. The times are those of a PATCH to the same status.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from foreman.api.lists.run_list import checks as checks_of_runs
from foreman.api.lists.task_list import checks as checks_of_tasks
from foreman.api.lists.task_list import literals
from foreman.db.engine import Transaction
from foreman.db.values import RUN_SEQ, as_list
from foreman.vocabulary import ENDED, RUN_STATUSES, TASK_STATUSES

# What is cancelled, and what is retried.
UNFINISHED_TASKS = tuple(status for status in TASK_STATUSES if status not in ENDED)
UNFINISHED_RUNS = tuple(status for status in RUN_STATUSES if status not in ENDED)
RETRIED = ("failed", "cancelled")


# Statuses as conditions that are only checked. coalesce: else SQLite might look for all rows with them.
_TASK_IS_UNFINISHED = f"coalesce(status, '') IN ({literals(UNFINISHED_TASKS)})"
_RUN_IS_UNFINISHED = f"coalesce(status, '') IN ({literals(UNFINISHED_RUNS)})"
_IS_RETRIED = f"coalesce(status, '') IN ({literals(RETRIED)})"
_IS_OF_NO_STRICT_RUN = "NOT EXISTS (SELECT 1 FROM run WHERE run.seq = task.run_seq AND run.strict = 1)"

_CANCEL = "status = 'cancelled', updated_at = :now, completed_at = :now"
_RETRY_TASK = "status = 'pending', updated_at = :now, completed_at = NULL, retry_count = retry_count + 1"
_REOPEN_RUN = "status = 'running', updated_at = :now, started_at = coalesce(started_at, :now), completed_at = NULL"

# One task.
_ONE = "WHERE org_id = :org_id AND id = :id"
CANCEL_TASK = f"UPDATE task SET {_CANCEL} {_ONE} AND {_TASK_IS_UNFINISHED}"
RETRY_TASK = f"UPDATE task SET {_RETRY_TASK} {_ONE} AND {_IS_RETRIED} AND {_IS_OF_NO_STRICT_RUN}"

# Some of the tasks of one run.
_UNFINISHED_OF_RUN = f"FROM task WHERE run_seq = :run_seq AND status IN ({literals(UNFINISHED_TASKS)})"
_FAILED_OF_RUN = "FROM task WHERE run_seq = :run_seq AND status = 'failed' AND completed_at <= :before"

# Some of many, by their seqs.
_NAMED = "seq IN (SELECT CAST(value AS BIGINT) FROM json_each(:named))"

# Several tasks are locked in this order before they are changed, as in batches.
_TASKS_IN_ORDER = "SELECT id FROM task WHERE {} ORDER BY id"


# One run --------------------------------------------------------------------------------------------------------------


class Held(NamedTuple):
    """A run that nobody else changes, or adds tasks to, until the end of the transaction."""

    status: str
    strict: int


def hold_run(tx: Transaction, org_id: str, run_id: str) -> Held | None:
    """Lock a run; None if the organisation has no such run."""
    row = tx.locked("SELECT status, strict FROM run WHERE org_id = :org_id AND id = :id", org_id=org_id, id=run_id)
    return None if row is None else Held(*row)


def cancel_run(tx: Transaction, org_id: str, run_id: str, now: int) -> None:
    """Cancel the run, unless it has ended, and all its tasks that have not ended."""
    unfinished = f"run_seq = {RUN_SEQ} AND status IN ({literals(UNFINISHED_TASKS)})"
    tx.update("task", _CANCEL, unfinished, org_id=org_id, run_id=run_id, now=now)
    tx.run(f"UPDATE run SET {_CANCEL} {_ONE} AND {_RUN_IS_UNFINISHED}", org_id=org_id, id=run_id, now=now)


def has_failed_tasks(tx: Transaction, org_id: str, run_id: str) -> bool:
    """Whether a task of the run is failed."""
    some = f"SELECT 1 FROM task WHERE run_seq = {RUN_SEQ} AND status = 'failed' LIMIT 1"
    return tx.one(some, org_id=org_id, run_id=run_id) is not None


def retry_failed_tasks(tx: Transaction, org_id: str, run_id: str, now: int) -> int:
    """Retry all failed tasks of a run that is not strict; return how many."""
    failed = f"run_seq = {RUN_SEQ} AND status = 'failed'"
    return tx.update("task", _RETRY_TASK, failed, org_id=org_id, run_id=run_id, now=now)


def reopen_run(tx: Transaction, org_id: str, run_id: str, now: int) -> None:
    """Let a run that has ended be running again."""
    tx.run(f"UPDATE run SET {_REOPEN_RUN} {_ONE}", org_id=org_id, id=run_id, now=now)


# Some of many ---------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """What one step towards all of them was: how many it changed, and whether it has done with those it was about."""

    changed: int
    done: bool


def cancel_tasks(tx: Transaction, tasks: Sequence[int], wanted: dict[str, Any], **values: Any) -> Step:
    """Cancel those of some tasks that still meet a filter and have not ended.

    :param tasks: their seqs
    :param wanted: the filter, as validated parameters of the list
    :param values: those of the filter, and `now`
    """
    conditions = " AND ".join([_NAMED, _TASK_IS_UNFINISHED, *checks_of_tasks(wanted)])
    tx.lock_rows(_TASKS_IN_ORDER.format(_NAMED), named=as_list(tasks))
    return Step(tx.run(f"UPDATE task SET {_CANCEL} WHERE {conditions}", named=as_list(tasks), **values), True)


def retry_tasks(tx: Transaction, tasks: Sequence[int], wanted: dict[str, Any], **values: Any) -> Step:
    """Retry those of some tasks that still meet a filter, are failed or cancelled, and are not of a strict run."""
    conditions = " AND ".join([_NAMED, _IS_RETRIED, _IS_OF_NO_STRICT_RUN, *checks_of_tasks(wanted)])
    tx.lock_rows(_TASKS_IN_ORDER.format(_NAMED), named=as_list(tasks))
    return Step(tx.run(f"UPDATE task SET {_RETRY_TASK} WHERE {conditions}", named=as_list(tasks), **values), True)


def cancel_runs(tx: Transaction, runs: Sequence[int], wanted: dict[str, Any], **values: Any) -> Step:
    """Cancel a few tasks of a run, and with the last of them the run: if it still meets a filter and has not ended.

    :param runs: the seq of one run
    :param values: those of the filter, `now`, and `most`: how many tasks at once
    """
    (seq,) = runs
    if not _hold(tx, seq, [_RUN_IS_UNFINISHED, *checks_of_runs(wanted)], values):
        return Step(0, True)
    tasks = _locked_tasks(tx, _UNFINISHED_OF_RUN, run_seq=seq, most=values["most"])
    tx.run(f"UPDATE task SET {_CANCEL} WHERE {_NAMED} AND {_TASK_IS_UNFINISHED}", named=tasks, now=values["now"])
    if tx.one(f"SELECT 1 {_UNFINISHED_OF_RUN} LIMIT 1", run_seq=seq) is not None:
        return Step(0, False)
    return Step(tx.run(f"UPDATE run SET {_CANCEL} WHERE seq = :seq", seq=seq, now=values["now"]), True)


def retry_runs(tx: Transaction, runs: Sequence[int], wanted: dict[str, Any], **values: Any) -> Step:
    """Retry a few failed tasks of a run, and with the last of them reopen the run.

    If it still meets a filter, is failed or cancelled, and is not strict.

    :param runs: the seq of one run
    :param values: the same, and `before`: tasks that failed later than that have failed again since then
    """
    (seq,) = runs
    if not _hold(tx, seq, [_IS_RETRIED, "coalesce(strict, 0) = 0", *checks_of_runs(wanted)], values):
        return Step(0, True)
    before = values["before"]
    tasks = _locked_tasks(tx, _FAILED_OF_RUN, run_seq=seq, before=before, most=values["most"])
    tx.run(
        f"UPDATE task SET {_RETRY_TASK} WHERE {_NAMED} AND coalesce(status, '') = 'failed' AND completed_at <= :before",
        named=tasks, before=before, now=values["now"],
    )  # fmt: skip
    if tx.one(f"SELECT 1 {_FAILED_OF_RUN} LIMIT 1", run_seq=seq, before=before) is not None:
        return Step(0, False)
    return Step(tx.run(f"UPDATE run SET {_REOPEN_RUN} WHERE seq = :seq", seq=seq, now=values["now"]), True)


def _locked_tasks(tx: Transaction, some: str, **values: Any) -> str | None:
    """Lock a few tasks; return their seqs as they are bound. They may have changed before they were locked.

    :param some: which, as what follows `SELECT seq`
    :param values: what that needs, and `most`: how many
    """
    tasks = as_list(seq for (seq,) in tx.all(f"SELECT seq {some} LIMIT :most", **values))
    tx.lock_rows(_TASKS_IN_ORDER.format(_NAMED), named=tasks)
    return tasks


def _hold(tx: Transaction, seq: int, conditions: Sequence[str], values: dict[str, Any]) -> bool:
    """Lock a run if it meets the conditions."""
    return (
        tx.locked(f"SELECT 1 FROM run WHERE seq = :seq AND {' AND '.join(conditions)}", seq=seq, **values) is not None
    )
