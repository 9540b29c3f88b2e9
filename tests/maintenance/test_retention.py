"""`prune` and the daily retention: what ended long ago goes, completely; everything else stays, at every moment."""

import logging
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.background import retention
from foreman.background.retention import daily
from foreman.cli.main import main
from foreman.clock import now_ms
from foreman.config import age
from foreman.db import removal
from foreman.db.engine import Database, Transaction
from foreman.db.removal import (
    ENTRIES_AT_ONCE,
    TASKS_AT_ONCE,
    OldRun,
    delete_empty_run,
    delete_some_entries,
    delete_tasks,
)
from foreman.db.sqlite import Database as SQLite
from foreman.db.values import Row
from foreman.maintenance import prune as pruning
from foreman.maintenance.gentle_writes import ShortTurns, Stopped
from foreman.maintenance.prune import Amount, Old, count, old, prune
from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data
from tests.support.commands import assert_fails, run, run_command, serving, uncovered, url_of, without_rights
from tests.support.contents import looking, rows, size_of, violations_in
from tests.support.databases import DEEPER_THAN_TRIGGERS, fold_log_in
from tests.support.engines import ON_POSTGRES, engine, transaction_class
from tests.support.running import Running
from tests.support.statuses import ENDED
from tests.support.waiting import PATIENCE, until

DAY = 86_400_000

# What is said of the space of what was deleted, on PostgreSQL.
KEPT = "PostgreSQL keeps their space for new rows as soon as it has vacuumed"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(served: Running) -> Command:
    """`app.py prune` in a process of its own, beside the server."""

    def prune_command(*arguments: str, database: object = served.location) -> "subprocess.CompletedProcess[str]":
        return run_command("prune", "--database", database, *arguments)

    return prune_command


def make_old(served: Running, client: httpx.Client, status: str, days: float, filled: bool = True) -> Json:
    """A run that has ended so many days ago; with two tasks and three entries."""
    run = make_run(client)
    if filled:
        task = make_task(client, run)
        child = make_task(client, run, parentTaskId=task["id"])
        for number in range(3):
            put_data(client, child, f"key-{number % 2}", tags=["red", "blue"][:number])
    ok(client.patch(f"/runs/{run['id']}", json={"status": status}))
    with served.database.write() as tx:
        tx.run(
            "UPDATE run SET completed_at = :then WHERE org_id = :org_id AND id = :id",
            then=now_ms() - int(days * DAY), org_id=run["orgId"], id=run["id"],
        )  # fmt: skip
    return run


def fill_run(database: Database, run: Json, task: Json, tasks: int, entries: int, value: str = "1") -> None:
    """Add a chain of child tasks and many entries to a run."""
    with database.write() as tx:
        parent = task["id"]
        for number in range(tasks):
            parent, above = f"00000000-0000-7000-8000-{number:012}", parent
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, parent_task_id, type, status, input_data, max_retries,
                                  created_at, updated_at)
                SELECT org_id, :id, seq, id, :above, 'step', 'pending', '1', 3, 1, 1
                FROM run WHERE org_id = :org_id AND id = :run_id
                """,
                org_id=run["orgId"], id=parent, run_id=run["id"], above=above,
            )  # fmt: skip
        for number in range(entries):
            tx.run(
                """
                INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
                SELECT org_id, :id, seq, id, :task_id, :key, :value, '["red"]', 1, 1
                FROM run WHERE org_id = :org_id AND id = :run_id
                """,
                org_id=run["orgId"], id=f"00000000-0000-7000-9000-{number:012}", run_id=run["id"], task_id=task["id"],
                key=f"key-{number % 7}", value=value,
            )  # fmt: skip


def make_large(served: Running, client: httpx.Client, tasks: int, entries: int, value: str = "1") -> Json:
    """An old run of which several pieces have to be deleted."""
    run = make_run(client)
    fill_run(served.database, run, make_task(client, run), tasks, entries, value)
    ok(client.patch(f"/runs/{run['id']}", json={"status": "completed"}))
    with served.database.write() as tx:
        tx.run("UPDATE run SET completed_at = 1 WHERE org_id = 'acme' AND id = :id", id=run["id"])
    return run


def ids(client: httpx.Client) -> set[str]:
    return {run["id"] for run in ok(client.get("/runs?limit=100"))["items"]}


# What is deleted ----------------------------------------------------------------------------------------------------


def test_runs_that_ended_long_enough_ago_are_deleted_and_no_others(
    served: Running, client: httpx.Client, rival: httpx.Client, command: Command
) -> None:
    for status in ENDED:
        make_old(served, client, status, 31)
    make_old(served, rival, "completed", 30.01)
    kept = {make_old(served, client, status, 29.99)["id"] for status in ("completed", "failed")}
    pending, running = make_run(client), make_run(client)
    ok(client.patch(f"/runs/{running['id']}", json={"status": "running"}))
    with served.database.write() as tx:
        tx.run("UPDATE run SET created_at = 1, updated_at = 1 WHERE completed_at IS NULL")
        tx.run("UPDATE run SET started_at = 1 WHERE status = 'running'")
    told = command("--older-than", "30d")
    assert told.returncode == 0, told.stderr
    space = KEPT if ON_POSTGRES else r"freed \d+ bytes"
    assert re.fullmatch(rf"deleted 4 runs, 8 tasks, 12 entries; {space}\n", told.stdout)
    assert told.stderr == ""
    assert ids(client) == {*kept, pending["id"], running["id"]}
    assert ids(rival) == set()
    assert ok(client.get("/tasks"))["total"] == 4
    assert violations_in(served.location) == []
    again = command("--older-than", "30d").stdout
    assert again == f"deleted 0 runs, 0 tasks, 0 entries; {KEPT if ON_POSTGRES else 'freed 0 bytes'}\n"


def test_status_and_organisation_narrow_it_down(
    served: Running, client: httpx.Client, rival: httpx.Client, command: Command
) -> None:
    completed, failed = (make_old(served, client, status, 2) for status in ("completed", "failed"))
    theirs = make_old(served, rival, "failed", 2)
    assert command("--older-than", "1d", "--org", "acm").stdout.startswith("deleted 0 runs")
    assert command("--older-than", "1d", "--org", "acme", "--status", "failed,cancelled").stdout.startswith(
        "deleted 1 r"
    )
    assert (ids(client), ids(rival)) == ({completed["id"]}, {theirs["id"]})
    assert_error(client.get(f"/runs/{failed['id']}"), 404)


def test_dry_run_says_what_would_go_and_changes_nothing(
    served: Running, client: httpx.Client, command: Command
) -> None:
    make_old(served, client, "completed", 2)
    make_old(served, client, "failed", 2)
    before = rows(served.location)
    told = command("--older-than", "1d", "--dry-run")
    assert (told.returncode, told.stdout) == (0, "would delete 2 runs, 4 tasks, 6 entries\n")
    assert rows(served.location) == before


@pytest.mark.postgres
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_age_is_counted_by_the_databases_clock(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
) -> None:  # fmt: skip
    make_old(served, client, "completed", 0)
    ahead = time.time_ns() + 7_200_000_000_000
    monkeypatch.setattr("foreman.clock.time.time_ns", lambda: ahead)
    monkeypatch.setattr("foreman.clock._ahead", 0)  # and so that it is put back
    monkeypatch.setattr("foreman.stop_signals.signal.signal", lambda *_: None)
    with pytest.raises(SystemExit):
        main(["prune", "--older-than", "1h", "--database", served.location, *options])
    assert "delete 0 runs" in (said := capsys.readouterr().out) or "deleted 0 runs" in said


@pytest.mark.sqlite
def test_dry_run_works_where_the_database_may_only_be_read(tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    SQLite(file).close()
    for mode, directory_mode in ((0o444, 0o755), (0o444, 0o555)):
        file.chmod(mode)
        tmp_path.chmod(directory_mode)
        told = run(tmp_path, "prune", "--older-than", "1d", "--dry-run", preexec_fn=without_rights, env=uncovered())
        assert (told.returncode, told.stdout, told.stderr) == (0, "would delete 0 runs, 0 tasks, 0 entries\n", "")
    tmp_path.chmod(0o755)


# In pieces ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def every_statement_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foreman.maintenance.gentle_writes.HOLD", 0.0)
    monkeypatch.setattr("foreman.maintenance.gentle_writes.PAUSE", 0.0)


@pytest.mark.usefixtures("every_statement_a_turn")
def test_interrupted_anywhere_it_leaves_a_sound_database_and_another_one_finishes(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(served, client, TASKS_AT_ONCE * 2, ENTRIES_AT_ONCE * 15 + 1)
    make_old(served, client, "failed", 2)
    kept = make_old(served, client, "failed", 0)
    transaction_of_engine: Any = transaction_class()
    delete = transaction_of_engine.run
    interrupted = 0
    counted: set[tuple[int, int, int]] = set()
    while interrupted < 100:
        statements_left = 4  # of which three stay: the first may find nothing to do any more

        def run(self: Transaction, sql: str, /, **values: Any) -> int:
            nonlocal statements_left
            statements_left -= 1
            deleted: int = delete(self, sql, **values)
            if not statements_left:
                raise KeyboardInterrupt  # the statement is undone: only what was committed before stays
            return deleted

        with monkeypatch.context() as patched:
            patched.setattr(transaction_of_engine, "run", run)
            try:
                prune(served.database, old(DAY), threading.Event())
                break
            except KeyboardInterrupt:
                interrupted += 1
        assert violations_in(served.location) == []
        counted.add(size_of(served.location))
    assert len(counted) > 5
    assert violations_in(served.location) == []
    assert ids(client) == {kept["id"]}


@pytest.mark.usefixtures("every_statement_a_turn")
def test_every_commit_is_sound_and_counters_are_exact_for_readers_meanwhile(
    served: Running, client: httpx.Client
) -> None:
    run = make_large(served, client, TASKS_AT_ONCE + 5, ENTRIES_AT_ONCE * 2)
    seen = []

    def look(_: Amount) -> None:
        answer = client.get(f"/runs/{run['id']}")
        if answer.status_code == 200:
            tasks = ok(client.get("/tasks", params={"runId": run["id"], "limit": 1}))["total"]
            entries = ok(client.get(f"/runs/{run['id']}/data", params={"includeAll": "true"}))["pagination"]["total"]
            assert ok(answer)["totalTasks"] == tasks
            seen.append((tasks, entries))
        assert violations_in(served.location) == []

    pruned = prune(served.database, old(DAY), threading.Event(), look)
    assert (pruned.runs, pruned.tasks, pruned.entries) == (1, TASKS_AT_ONCE + 6, ENTRIES_AT_ONCE * 2)
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) >= 3


def test_chain_of_children_may_be_deeper_than_triggers_go(served: Running, client: httpx.Client) -> None:
    make_large(served, client, DEEPER_THAN_TRIGGERS, 0)
    pruned = prune(served.database, old(DAY), threading.Event())
    assert (pruned.runs, pruned.tasks) == (1, DEEPER_THAN_TRIGGERS + 1)
    assert violations_in(served.location) == []


@pytest.mark.usefixtures("every_statement_a_turn")
def test_run_that_is_taken_up_again_meanwhile_stays(served: Running, client: httpx.Client) -> None:
    run = make_large(served, client, TASKS_AT_ONCE, ENTRIES_AT_ONCE * 3)
    told: list[str] = []

    def take_up(_: Amount) -> None:
        if not told:
            ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}))
        told.append("once")

    prune(served.database, old(DAY), threading.Event(), take_up)
    kept = ok(client.get(f"/runs/{run['id']}"))
    assert (kept["status"], kept["totalTasks"]) == ("running", TASKS_AT_ONCE + 1)
    left = ok(client.get(f"/runs/{run['id']}/data?includeAll=true"))["pagination"]["total"]
    assert ENTRIES_AT_ONCE <= left < ENTRIES_AT_ONCE * 3
    assert violations_in(served.location) == []


def test_no_piece_touches_a_run_that_is_not_old(served: Running, client: httpx.Client) -> None:
    run = make_old(served, client, "completed", 0)
    before = now_ms() - DAY
    with served.database.write() as tx:
        tasks = [seq for (seq,) in tx.all("SELECT seq FROM task ORDER BY seq DESC")]
        for wrong in (
            OldRun("acme", run["id"], "completed", before),
            OldRun("acme", run["id"], "failed", now_ms() + DAY),
            OldRun("rival", run["id"], "completed", now_ms() + DAY),
        ):
            assert delete_some_entries(tx, wrong) == delete_tasks(tx, wrong, tasks) == delete_empty_run(tx, wrong) == 0


@pytest.mark.usefixtures("every_statement_a_turn")
def test_what_a_client_adds_to_a_run_while_it_is_emptied_goes_with_it(served: Running, client: httpx.Client) -> None:
    run = make_large(served, client, TASKS_AT_ONCE, ENTRIES_AT_ONCE)
    added = 0

    def add(pruned: Amount) -> None:
        nonlocal added
        if not pruned.tasks or added == 2:
            return
        answer = client.post("/tasks", json={"runId": run["id"], "type": "late", "inputData": None})
        if answer.status_code == 201:
            put_data(client, ok(answer, 201), "late")
            added += 1

    prune(served.database, old(DAY), threading.Event(), add)
    assert added
    assert ok(client.get("/runs"))["total"] == ok(client.get("/tasks"))["total"] == 0
    assert violations_in(served.location) == []


@pytest.mark.usefixtures("every_statement_a_turn")
def test_entry_that_a_client_adds_to_an_old_task_meanwhile_is_not_left_without_it(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_large(served, client, 0, 0)
    (task,) = ok(client.get("/tasks"))["items"]
    find_tasks = pruning._tasks

    def add_first(database: Database, turns: ShortTurns, which: OldRun) -> list[Row]:
        turns.end()
        put_data(client, task, "late")
        return find_tasks(database, turns, which)

    def resume(pruned: Amount) -> None:
        if pruned.tasks:
            ok(client.patch(f"/runs/{run['id']}", json={"status": "running"}))

    monkeypatch.setattr(pruning, "_tasks", add_first)
    assert prune(served.database, old(DAY), threading.Event(), resume).tasks == 1
    assert ok(client.get(f"/runs/{run['id']}"))["status"] == "running"
    assert violations_in(served.location) == []


@pytest.mark.sqlite
def test_task_of_another_run_that_has_got_the_seq_of_a_deleted_one_stays(served: Running, client: httpx.Client) -> None:
    emptied, other = make_large(served, client, 0, 0), make_run(client)
    with served.database.read() as tx:
        tasks = [row[0] for row in tx.all("SELECT seq FROM task")]
    which = OldRun("acme", emptied["id"], "completed", now_ms())
    with served.database.write() as tx:
        assert delete_tasks(tx, which, tasks) == 1
    kept = make_task(client, other)
    with served.database.read() as tx:
        assert [row[0] for row in tx.all("SELECT seq FROM task")] == tasks
    with served.database.write() as tx:
        assert delete_tasks(tx, which, tasks) == 0
    assert ok(client.get("/tasks"))["items"] == [kept]


# Making way ---------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_between_turns_the_lock_is_free_for_others(served: Running, client: httpx.Client) -> None:
    make_large(served, client, 0, ENTRIES_AT_ONCE * 40)
    written = 0

    class Watched(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal written
            with closing(sqlite3.connect(served.file, timeout=0, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
            assert timeout is not None
            assert timeout >= 0.015
            written += 1
            return False

    prune(served.database, old(DAY), Watched())
    assert written >= 2


@pytest.mark.postgres
def test_between_turns_no_transaction_is_open(served: Running, client: httpx.Client) -> None:
    make_large(served, client, 0, ENTRIES_AT_ONCE * 40)
    looked = 0

    class Watched(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal looked
            with looking(served.location) as select:
                assert select(
                    """
                    SELECT query FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'foreman' AND xact_start IS NOT NULL
                    """
                ) == []  # fmt: skip
            looked += 1
            return False

    prune(served.database, old(DAY), Watched())
    assert looked >= 2


def test_turn_ends_before_the_next_statement_once_it_has_lasted_long_enough(
    served: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("foreman.maintenance.gentle_writes.time.monotonic", lambda: clock[0])
    pauses: list[float | None] = []

    class Paused(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    with ShortTurns(served.database, Paused(), lambda: None) as turns:
        for seconds in (0.004, 0.004, 0.004, 0.5, 0.0):
            turns.tx()
            clock[0] += seconds
    assert pauses == [pytest.approx(0.015), pytest.approx(0.5)]


def test_server_in_another_process_goes_on_writing_while_everything_is_pruned(
    served: Running, client: httpx.Client, rival: httpx.Client, command: Command
) -> None:
    for _ in range(3):
        make_old(served, rival, "completed", 2)
    done = threading.Event()
    made: list[str] = []

    def write() -> None:
        while not done.is_set():
            made.append(make_run(client)["id"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        told = command("--older-than", "1d")
    finally:
        done.set()
        writer.join(PATIENCE)
    assert told.stdout.startswith("deleted 3 runs"), told.stderr
    assert ok(client.get("/runs"))["total"] == len(made) > 0
    assert violations_in(served.location) == []


# Space --------------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_space_is_given_back_and_the_line_says_how_much(
    served: Running, client: httpx.Client, command: Command
) -> None:
    make_large(served, client, 0, 400, '"' + "x" * 10_000 + '"')
    fold_log_in(served.file)
    with closing(sqlite3.connect(served.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before = served.file.stat().st_size
    told = command("--older-than", "1d")
    (given,) = map(int, re.findall(r"freed (\d+) bytes", told.stdout))
    after = served.file.stat().st_size
    assert before - after == given > 4_000_000
    assert served.file.with_name("foreman.db-wal").stat().st_size == 0
    assert violations_in(served.location) == []


# Locks the byte of the file in argv that a checkpoint locks (WAL_CKPT_LOCK in SQLite's wal.c).
CHECKPOINT = """
import fcntl, sys
with open(sys.argv[1], "r+b") as log_index:
    fcntl.lockf(log_index, fcntl.LOCK_EX, 1, 121)
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.sqlite
def test_space_is_given_back_although_another_process_checkpoints_at_the_end(
    served: Running, client: httpx.Client, command: Command
) -> None:
    make_large(served, client, 0, 4, '"' + "x" * 10_000 + '"')
    fold_log_in(served.file)
    index, log = served.file.with_name("foreman.db-shm"), served.file.with_name("foreman.db-wal")
    with subprocess.Popen(
        [sys.executable, "-c", CHECKPOINT, index], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin and other.stdout and other.stdout.readline() == b"locked\n"
        with ThreadPoolExecutor(1) as threads:
            pruning = threads.submit(command, "--older-than", "1d")
            until(lambda: ok(client.get("/runs"))["total"] == 0)
            time.sleep(0.5)  # until it has tried to checkpoint
            other.stdin.close()
        assert pruning.result().stdout.startswith("deleted 1 runs")
    assert log.stat().st_size == 0


# The command --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "30", "d", "0d", "-1d", "1.5h", "30w", "30 d", "30D", "\u0663\u0660d", "1234567d", "1d2h"]
)
def test_wrong_age_is_wrong_usage(command: Command, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        age(text)
    if text in ("30", "-1d", ""):
        assert_fails(command(f"--older-than={text}"), 2, f"--older-than is {text!r}", "30d, 12h, 90m or 45s")


def test_ages() -> None:
    assert (age("30d"), age("12h"), age("90m"), age("45s")) == (30 * DAY, 12 * 3_600_000, 90 * 60_000, 45_000)


@pytest.mark.parametrize("status", ["running", "completed,pending", "", "done"])
def test_status_that_is_not_an_end_is_wrong_usage(command: Command, status: str) -> None:
    assert_fails(command("--older-than", "1d", "--status", status), 2, "--status", "completed, failed, cancelled")


def test_without_an_age_it_is_wrong_usage(command: Command) -> None:
    told = command()
    assert (told.returncode, told.stdout) == (2, "")
    assert "--older-than" in told.stderr


@pytest.mark.sqlite
def test_file_that_is_not_there_is_a_failure_and_is_not_made(command: Command, tmp_path: Path) -> None:
    assert_fails(command("--older-than", "1d", database=tmp_path / "other.db"), 1, "other.db does not exist")
    assert not (tmp_path / "other.db").exists()


# Once a day ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "foreman.background.retention")
    return lambda: [record.message for record in caplog.records if record.name == "foreman.background.retention"]


def test_server_prunes_by_itself_again_and_again_and_logs_a_line_each_time(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(retention, "FIRST", 0.05)
    monkeypatch.setattr(retention, "DAY", 0.05)
    kept = make_old(served, client, "completed", 0)
    with daily(served.database, DAY):
        for times in (1, 2):
            run, line = make_old(served, client, "failed", 2), "deleted 1 runs, 2 tasks, 3 entries"
            until(lambda times=times, line=line: sum(line in each for each in lines()) == times)  # type: ignore[misc]
            assert client.get(f"/runs/{run['id']}").status_code == 404
    assert ids(client) == {kept["id"]}
    assert violations_in(served.location) == []


def test_failure_is_logged_and_tried_again(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(retention, "FIRST", 0.0)
    monkeypatch.setattr(retention, "HOUR", 0.05)
    make_old(served, client, "failed", 2)
    working = removal.delete_empty_run

    def fail(*_: Any) -> int:
        monkeypatch.setattr("foreman.maintenance.prune.delete_empty_run", working)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("foreman.maintenance.prune.delete_empty_run", fail)
    with daily(served.database, DAY):
        until(lambda: ids(client) == set())
    assert any("has failed" in line for line in lines())


@pytest.mark.usefixtures("every_statement_a_turn")
def test_it_stops_in_the_middle_when_another_node_leads_and_goes_on_when_this_one_does_again(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST", 0.0)
    monkeypatch.setattr(retention, "LOOK_EVERY", 0.01)
    make_large(served, client, TASKS_AT_ONCE, ENTRIES_AT_ONCE * 20)
    leads, asked = threading.Event(), list[bool]()
    leads.set()

    def answer() -> bool:
        asked.append(leads.is_set())
        if len(asked) == 5:
            leads.clear()
        return asked[-1]

    monkeypatch.setattr(served.database, "leads", answer)
    with daily(served.database, DAY):
        until(lambda: asked.count(False) > 3)
        left = ok(client.get("/runs"))["items"]
        assert [run["totalTasks"] for run in left] == [TASKS_AT_ONCE + 1]
        leads.set()
        until(lambda: ids(client) == set())


def test_it_stops_in_the_middle_when_the_server_stops(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST", 0.0)
    monkeypatch.setattr("foreman.maintenance.gentle_writes.HOLD", 0.0)
    monkeypatch.setattr(retention, "ENDING", PATIENCE)
    run = make_large(served, client, TASKS_AT_ONCE, ENTRIES_AT_ONCE * 20)
    begun, told = threading.Event(), list[threading.Event]()
    original = removal.delete_some_entries

    def watched(
        database: Database, which: Old, stopping: threading.Event, progress: Callable[[Amount], object]
    ) -> Amount:
        told.append(stopping)
        return prune(database, which, stopping, progress)

    def held(tx: Transaction, run: OldRun) -> int:
        begun.set()
        assert told[0].wait(PATIENCE)
        return original(tx, run)

    monkeypatch.setattr(retention, "prune", watched)
    monkeypatch.setattr("foreman.maintenance.prune.delete_some_entries", held)
    with daily(served.database, DAY):
        assert begun.wait(PATIENCE)
    assert not any(thread.name == "retention" for thread in threading.enumerate())
    left = ok(client.get(f"/runs/{run['id']}/data?includeAll=true"))["pagination"]["total"]
    assert left >= ENTRIES_AT_ONCE * 10
    assert violations_in(served.location) == []


def test_server_stops_although_a_statement_of_it_hangs(
    served: Running, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(retention, "FIRST", 0.0)
    monkeypatch.setattr(retention, "ENDING", 0.05)
    hanging, ended = threading.Event(), threading.Event()

    def hang(*_: object) -> Amount:
        hanging.set()
        assert ended.wait(PATIENCE)
        raise Stopped

    monkeypatch.setattr(retention, "prune", hang)
    with daily(served.database, DAY):
        assert hanging.wait(PATIENCE)
    assert any("still busy" in line for line in lines())
    ended.set()
    until(lambda: not any(thread.name == "retention" for thread in threading.enumerate()))


def test_told_to_stop_it_begins_no_turn(served: Running, client: httpx.Client) -> None:
    run = make_old(served, client, "completed", 2)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Stopped):
        prune(served.database, old(DAY), stopping)
    assert ids(client) == {run["id"]}


def test_without_the_setting_there_is_no_thread(served: Running) -> None:
    with daily(served.database, None):
        assert not any(thread.name == "retention" for thread in threading.enumerate())


def test_server_with_the_setting_stops_promptly(tmp_path: Path) -> None:
    with serving(tmp_path, "--retention", "1d", "--database", engine.url(tmp_path / "foreman.db")) as server:
        url_of(server)
        server.terminate()
        log = server.communicate(timeout=PATIENCE)[1]
        assert server.returncode == 0
    assert "Stopped" in log


def test_count_is_what_prune_deletes(served: Running, client: httpx.Client) -> None:
    for status in ("completed", "cancelled"):
        make_old(served, client, status, 2)
    with served.database.read() as tx:
        expected = count(tx, old(DAY))
    assert (expected.rows(), str(expected)) == (12, "2 runs, 4 tasks, 6 entries")
    assert str(prune(served.database, old(DAY), threading.Event())) == str(expected)
