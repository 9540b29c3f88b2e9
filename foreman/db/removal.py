"""Deleting a run with everything in it: in one go, or in pieces that leave others time in between.

Deleting only the run's row would also do, through foreign keys. But a chain of more than 1,000 child tasks is deeper
than SQLite lets triggers nest (https://www.sqlite.org/limits.html, section 10). And the triggers of each entry would
maintain what is deleted a moment later.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from foreman.db.engine import Transaction
from foreman.db.values import RUN_SEQ, as_list

# Entries and tasks in one piece: it takes a few milliseconds, unless they have many tags or megabytes of JSON.
ENTRIES_AT_ONCE = 25
TASKS_AT_ONCE = 100

# Newest first: a child is newer than its parent, so deletes in this order cascade to nothing outside a piece.
SELECT_TASKS = f"SELECT seq FROM task WHERE run_seq = {RUN_SEQ} ORDER BY seq DESC"

# Of the run only: a task of another run may have got the seq of one that was deleted meanwhile. The plus: else SQLite
# might look for them among all tasks of the run, which are in an index.
SOME_TASKS = f"seq IN (SELECT CAST(value AS BIGINT) FROM json_each(:tasks)) AND +run_seq = {RUN_SEQ}"

OLD_RUN = """
    SELECT 1 FROM run WHERE org_id = :org_id AND id = :run_id AND status = :status AND completed_at < :before
    """


class OldRun(NamedTuple):
    """A run that ended with this status before a time, in milliseconds since 1970."""

    org_id: str
    run_id: str
    status: str
    before: int


def delete_run_and_all_in_it(tx: Transaction, org_id: str, run_id: str) -> int:
    """Delete a run with its data and tasks.

    :return: how many runs were deleted: 1, or 0 if the organisation has no such run
    """
    which = {"org_id": org_id, "run_id": run_id}
    tx.locked("SELECT 1 FROM run WHERE org_id = :org_id AND id = :run_id", **which)
    tx.lock_rows(f"SELECT id FROM task WHERE run_seq = {RUN_SEQ} ORDER BY id", **which)
    # The triggers of entries maintain what is derived from them. With that gone first, they find nothing to do.
    tx.run(f"DELETE FROM run_data_count WHERE run_seq = {RUN_SEQ}", **which)
    tx.run(f"DELETE FROM run_data_latest WHERE run_seq = {RUN_SEQ}", **which)
    tx.run(f"DELETE FROM run_data_tag WHERE run_seq = {RUN_SEQ}", **which)
    tx.run(f"DELETE FROM run_data WHERE run_seq = {RUN_SEQ}", **which)
    for tasks in groups(tx.all(SELECT_TASKS, **which)):
        tx.run(f"DELETE FROM task WHERE {SOME_TASKS}", tasks=as_list(tasks), **which)
    return tx.run("DELETE FROM run WHERE org_id = :org_id AND id = :run_id", **which)


# The functions below keep counters and totals exact. They do nothing to a run that a client has resumed, by a change of
# its status. Each locks the run first: so a client that resumes it, or adds to it, does so before or after the whole
# transaction, and not to a half of what is there.


def delete_some_entries(tx: Transaction, run: OldRun) -> int:
    """Delete a few entries, with the same keys if possible, because those are adjacent under each tag.

    :return: how many
    """
    if not _is_locked(tx, run):
        return 0
    return tx.run(
        f"""
        DELETE FROM run_data
        WHERE seq IN (
            SELECT seq FROM run_data WHERE run_seq = {RUN_SEQ} ORDER BY key, created_at, seq LIMIT :limit
        )
        """,
        **run._asdict(), limit=ENTRIES_AT_ONCE,
    )  # fmt: skip


def delete_tasks(tx: Transaction, run: OldRun, tasks: Sequence[int]) -> int:
    """Delete one of the `groups` of tasks. All newer groups have to be gone.

    Entries that were added since the others were deleted go first: none may be left without its task.

    :return: how many
    """
    if not _is_locked(tx, run):
        return 0
    tx.lock_rows(f"SELECT id FROM task WHERE {SOME_TASKS} ORDER BY id", tasks=as_list(tasks), **run._asdict())
    tx.run(f"DELETE FROM run_data WHERE run_seq = {RUN_SEQ}", **run._asdict())
    deleted = tx.run(f"DELETE FROM task WHERE {SOME_TASKS}", tasks=as_list(tasks), **run._asdict())
    return len(tasks) if deleted else 0  # SQLite does not count rows deleted by a cascade


def delete_empty_run(tx: Transaction, run: OldRun) -> int:
    """Delete the run, with the little that may have been added to it meanwhile.

    :return: how many: 1, or 0 if it has been resumed
    """
    if not _is_locked(tx, run):
        return 0
    return tx.run("DELETE FROM run WHERE org_id = :org_id AND id = :run_id", **run._asdict())


def _is_locked(tx: Transaction, run: OldRun) -> bool:
    """Lock a run until the transaction ends, if it is still old."""
    return tx.locked(OLD_RUN, **run._asdict()) is not None


def groups(tasks: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The rows of `SELECT_TASKS` in groups, to be deleted one after the other."""
    remaining = (seq for (seq,) in tasks)
    while some := list(islice(remaining, TASKS_AT_ONCE)):
        yield some
