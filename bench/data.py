"""Databases loaded straight into the engine, with the schema's triggers at work, before a server starts.

What they hold is in `contents.py`.
"""

import json
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.contents import COMMON_TAGS, KEYS, Work, gone_key, key_name, key_of, status_of, tags_of
from bench.engines import SQLITE, Engine, Load, Row, Unsound
from foreman.clock import new_id, now_ms
from foreman.maintenance.check import check

Progress = Callable[[str], None]

_BATCH = 20_000
_DAY_MS = 86_400_000

INSERT_RUN = """
    INSERT INTO run (org_id, id, status, input_data, metadata, created_at, updated_at, started_at, completed_at)
    VALUES (:org_id, :id, :status, :input_data, NULL, :now, :now,
            CASE WHEN :status <> 'pending' THEN :now END, CASE WHEN :status = 'completed' THEN :now END)
    """
INSERT_TASK = """
    INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries, created_at, updated_at)
    SELECT org_id, :id, seq, id, 'step', 'pending', '{"part": 1}', 3, :now, :now
    FROM run
    WHERE org_id = :org_id AND id = :run_id
    """
INSERT_ENTRY = """
    INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, metadata, created_at, updated_at)
    SELECT org_id, :id, seq, id, :task_id, :key, :value, :tags, NULL, :now, :now
    FROM run
    WHERE org_id = :org_id AND id = :run_id
    """


@dataclass
class Sized:
    """A database with a run of so many entries, and as many runs."""

    path: Path
    entries: int
    run_id: str
    file_bytes: int


def load_sized(path: Path, entries: int, org_id: str, progress: Progress, engine: Engine = SQLITE) -> Sized:
    """Make a database with `entries` entries in one run, and as many runs.

    :param entries: a multiple of 10,000
    """
    dice = random.Random(entries)
    begin = now_ms() - _DAY_MS
    with engine.loading(path) as load:
        run_id, task_id = new_id(), new_id()
        first = {"org_id": org_id, "id": run_id, "status": "running", "input_data": "{}", "now": begin}
        insert(load, INSERT_RUN, [first])
        insert(load, INSERT_TASK, [{"org_id": org_id, "id": task_id, "run_id": run_id, "now": begin}])
        runs = (
            {
                "org_id": org_id,
                "id": new_id(),
                "status": status_of(dice),
                "input_data": f'{{"customer": {number}, "source": "nightly"}}',
                "now": begin + number,
            }
            for number in range(1, entries)
        )
        insert(load, INSERT_RUN, runs, lambda done: progress(f"loading {done:,} of {entries:,} runs"))
        rows = (
            {
                "org_id": org_id,
                "id": new_id(),
                "run_id": run_id,
                "task_id": task_id,
                "key": key_name(key_of(number, entries)),
                "value": f'{{"celsius": {number / 7:.3f}, "unit": "C"}}',
                "tags": json.dumps(tags_of(number, entries, dice)),
                "now": begin + number,
            }
            for number in range(entries)
        )
        insert(load, INSERT_ENTRY, rows, lambda done: progress(f"loading {done:,} of {entries:,} entries"))
    return Sized(path, entries, run_id, engine.size(path))


def load_work(path: Path, org_id: str, rows: int, deletions: int, engine: Engine = SQLITE) -> Work:
    """Add what the operations need: runs with a task and an entry each, and entries to delete."""
    work = Work()
    now = now_ms()
    with engine.loading(path) as load:
        work.run_ids = [new_id() for _ in range(rows + 1)]
        work.task_ids = [new_id() for _ in work.run_ids]
        work.entry_ids = [new_id() for _ in work.run_ids]
        common = {"org_id": org_id, "status": "pending", "input_data": '{"customer": 42}', "now": now}
        insert(load, INSERT_RUN, ({**common, "id": run_id} for run_id in work.run_ids))
        insert(
            load,
            INSERT_TASK,
            (
                {"org_id": org_id, "id": task_id, "run_id": run_id, "now": now}
                for run_id, task_id in zip(work.run_ids, work.task_ids, strict=True)
            ),
        )
        entry = {"org_id": org_id, "key": "result", "value": '{"celsius": 21.5}', "tags": '["new", "raw"]', "now": now}
        insert(
            load,
            INSERT_ENTRY,
            (
                {**entry, "id": entry_id, "run_id": run_id, "task_id": task_id}
                for run_id, task_id, entry_id in zip(work.run_ids, work.task_ids, work.entry_ids, strict=True)
            ),
        )
        work.delete_run_id, task_id = work.run_ids.pop(), work.task_ids.pop()
        work.entry_ids.pop()
        work.delete_ids = [new_id() for _ in range(deletions)]
        work.delete_keys = [f"old.{number}" for number in range(deletions)]
        entry |= {"run_id": work.delete_run_id, "task_id": task_id}
        gone = enumerate(work.delete_ids)
        insert(load, INSERT_ENTRY, ({**entry, "id": data_id, "key": gone_key(number)} for number, data_id in gone))
        insert(load, INSERT_ENTRY, ({**entry, "id": new_id(), "key": key} for key in work.delete_keys))
    return work


def bytes_per_entry(path: Path, entries: int, payload: int, tags: int) -> float:
    """How much a database file grows by an entry whose value has `payload` bytes, with so many of the 50 tags."""
    dice = random.Random(tags)
    with SQLITE.loading(path) as load:
        run_id, task_id, now = new_id(), new_id(), now_ms()
        run = {"org_id": "acme", "id": run_id, "status": "running", "input_data": "{}", "now": now}
        insert(load, INSERT_RUN, [run])
        insert(load, INSERT_TASK, [{"org_id": "acme", "id": task_id, "run_id": run_id, "now": now}])
    before = path.stat().st_size
    with SQLITE.loading(path) as load:
        rows = (
            {
                "org_id": "acme",
                "id": new_id(),
                "run_id": run_id,
                "task_id": task_id,
                "key": key_name(number % KEYS),
                "value": json.dumps("x" * (payload - 2)),
                "tags": json.dumps(dice.sample(COMMON_TAGS, tags)),
                "now": now + number,
            }
            for number in range(entries)
        )
        insert(load, INSERT_ENTRY, rows)
    return (path.stat().st_size - before) / entries


def verify(path: Path) -> None:
    """Check that a database holds what a server could have written.

    :raises Unsound: when `check` finds something
    """
    violations = check(path)
    if violations:
        raise Unsound(f"{path.name} is not sound: {len(violations)} violations, such as {violations[0]}")


def copy(path: Path, name: str) -> Path:
    """A copy of a database that is closed, beside it."""
    return Path(shutil.copyfile(path, path.with_name(name)))


def insert(load: Load, statement: str, rows: Iterable[Row], progress: Callable[[int], None] = lambda _: None) -> None:
    """Run the statement for every row, in transactions of a size that stays in memory."""
    batch: list[Row] = []
    for done, row in enumerate(rows, 1):
        batch.append(row)
        if len(batch) == _BATCH:
            load(statement, batch)
            batch.clear()
            progress(done)
    if batch:
        load(statement, batch)
