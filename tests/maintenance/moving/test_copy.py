"""A copy has everything that its source has, on whichever engine; and nothing else passes for one."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from foreman.cli.main import main
from foreman.db.server_lock import only_server
from foreman.db.sqlite import Database as SQLite
from foreman.maintenance.check import check
from foreman.maintenance.gentle_writes import Stopped
from foreman.maintenance.moving import writing
from foreman.maintenance.moving.copy import copy
from foreman.maintenance.moving.ends import MovingFailed, open_source, open_target
from foreman.maintenance.moving.verify import Verified
from foreman.maintenance.progress import NOBODY, Progress
from tests.support.api import PLAIN, TRUSTED
from tests.support.commands import assert_fails, environment, run_command
from tests.support.engines import ON_POSTGRES, engine
from tests.support.moving import answering, answers, random_file, rows_of_file, rows_on_postgres
from tests.support.source import APP
from tests.support.waiting import PATIENCE, until

# What is copied, and into what. Those that need PostgreSQL are left out on SQLite.
ALL_WAYS = ["sqlite", "postgres"] if ON_POSTGRES else ["sqlite"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random database, which is never changed."""
    return random_file(tmp_path_factory.mktemp("original") / "foreman.db", seed=7)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a batch have few rows."""
    monkeypatch.setattr(writing, "ROWS", 7)
    yield


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """`empty("postgres")`: a database without anything in it, as the settings name it."""
    made: list[str] = []

    def create(kind: str) -> str:
        name = f"copy_{len(made)}_{os.getpid()}"
        if kind == "sqlite":
            return str(tmp_path / f"{name}.db")
        made.append(name)
        return engine.cluster.create(name)

    yield create
    for name in made:
        engine.cluster.drop(name)


def moved(
    source: str | Path, target: str, progress: Progress = NOBODY, stopping: threading.Event | None = None
) -> list[Verified]:
    with open_source(str(source)) as at_source, open_target(target) as at_target:
        return copy(at_source, at_target, stopping or threading.Event(), progress)


def rows_of(database: str) -> dict[str, list[tuple[Any, ...]]]:
    return rows_on_postgres(database) if "://" in database else rows_of_file(Path(database))


def change(database: str, statement: str) -> None:
    """Run a statement, whatever triggers would do."""
    if "://" in database:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(statement.encode())
    else:
        with closing(sqlite3.connect(database)) as file, file:
            file.execute(statement)


def killed(source: str | Path, target: str, after: int) -> None:
    """Copy in a process that is killed before it commits a batch."""
    child = os.fork()
    if child == 0:
        steps = 0

        def count(batch: writing._Batch) -> object:
            nonlocal steps
            steps += 1
            if steps > after:
                os.kill(os.getpid(), signal.SIGKILL)
            return following(batch)

        following = writing._Batch.__next__
        writing._Batch.__next__ = count  # type: ignore[assignment,method-assign]
        try:
            moved(source, target)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


# Everything is copied -----------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_copy_of_a_file_has_every_row_and_is_sound(original: Path, empty: Callable[[str], str]) -> None:
    target = empty("sqlite")
    tables = moved(original, target)
    assert rows_of_file(Path(target)) == rows_of_file(original)
    assert check(Path(target)) == []
    assert {table.table: table.rows for table in tables} == {
        name: len(rows) for name, rows in rows_of_file(original).items()
    }


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(4))
def test_copy_to_postgres_and_back_is_the_same(tmp_path: Path, empty: Callable[[str], str], seed: int) -> None:
    first = random_file(tmp_path / "foreman.db", seed, runs=5)
    places = [str(first), empty("postgres"), empty("postgres"), empty("sqlite")]
    checksums = [moved(source, target) for source, target in pairwise(places)]
    assert checksums[0] == checksums[1] == checksums[2]
    assert rows_of(places[3]) == rows_of(places[0])
    assert rows_of(places[2]) == {name: sorted(rows) for name, rows in rows_of(places[0]).items()}
    assert check(Path(places[3])) == []


def test_what_is_copied_has_everything_that_may_be_lost(original: Path) -> None:
    found = rows_of_file(original)
    assert all(found.values())
    assert {row[6] for row in found["run_data_latest"]} == {0, 1}
    assert any(row[8] for row in found["api_key"])
    assert any("\\u0000" in str(row) for row in found["run_data"])


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_copy_answers_as_the_original_does(original: Path, empty: Callable[[str], str], kind: str) -> None:
    target = empty(kind)
    moved(original, target)
    with answering(str(original)) as url:
        expected = answers(url)
    with answering(target) as url:
        assert answers(url) == expected
    assert len(expected) > 300


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_copy_goes_on_after_the_last_row(original: Path, empty: Callable[[str], str], kind: str) -> None:
    """Sequences continue, triggers count, indexes and references are there again."""
    target = empty(kind)
    moved(original, target)
    before = rows_of(target)
    with answering(target) as url, httpx.Client(base_url=url, headers=TRUSTED, **PLAIN) as client:
        total = client.get("/runs").json()["total"]
        run = client.post("/runs", json={"inputData": None}).json()
        task = client.post("/tasks", json={"runId": run["id"], "type": "a", "inputData": None}).json()
        body = {"taskId": task["id"], "key": "a", "value": 1, "tags": ["red"]}
        assert client.post(f"/runs/{run['id']}/data", json=body).status_code == 201
        assert client.get("/runs").json()["total"] == total + 1
        assert client.get(f"/runs/{run['id']}").json()["totalTasks"] == 1
        assert client.get(f"/runs/{run['id']}/data?tags=red").json()["pagination"]["total"] == 1
    after = rows_of(target)
    for table in ("run", "task", "run_data"):
        assert len(after[table]) == len(before[table]) + 1
        assert max(after[table])[0] > max(before[table])[0]
    if kind == "sqlite":
        assert check(Path(target)) == []


@pytest.mark.postgres
def test_schema_of_a_copy_is_that_of_a_new_database(
    original: Path, empty: Callable[[str], str], tmp_path: Path
) -> None:
    target = empty("postgres")
    moved(original, target)
    shown = []
    for url in (target, engine.url(tmp_path / "new")):
        with psycopg.connect(url) as connection:
            shown.append(
                connection.execute(
                    """
                    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
                    UNION ALL
                    SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
                    WHERE connamespace = 'public'::regnamespace
                    UNION ALL
                    SELECT 'trigger', tgname, tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger
                    WHERE NOT tgisinternal
                    UNION ALL
                    SELECT 'table', relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
                    ORDER BY 1, 2, 3
                    """
                ).fetchall()
            )
    assert shown[0] == shown[1]


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_database_without_rows_is_copied_and_may_be_copied_into(
    tmp_path: Path, empty: Callable[[str], str], kind: str
) -> None:
    SQLite(tmp_path / "none.db").close()
    target = empty(kind)
    moved(tmp_path / "none.db", target)
    moved(random_file(tmp_path / "some.db", seed=1, runs=2), target)
    assert rows_of(target)["run"] == rows_of_file(tmp_path / "some.db")["run"]


# Until it is complete it is no database -----------------------------------------------------------------------------


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", ALL_WAYS)
def test_killed_copy_goes_on_where_it_was(original: Path, empty: Callable[[str], str], kind: str) -> None:
    target = empty(kind)
    for after in (3, 8, 50, 200, 400):
        killed(original, target, after)
        before = number_of_rows(target)
        for command in (["serve", "--port", "0"], ["check"], ["keys", "list"], ["stats"]):
            if kind == "sqlite" or command[0] == "serve":
                done = run_command(*command, "--database", target)
                assert done.returncode == 1
                assert "unfinished copy of another database" in done.stderr
        assert number_of_rows(target) == before
    assert before > 100
    moved(original, target)
    assert rows_of(target) == {name: sorted(rows) for name, rows in rows_of_file(original).items()} or kind == "sqlite"
    assert rows_of(target)["run_data"] == rows_of_file(original)["run_data"]
    if kind == "sqlite":
        assert rows_of(target) == rows_of_file(original)
        assert check(Path(target)) == []


def number_of_rows(database: str) -> int:
    """Rows that are committed in an unfinished copy."""
    return sum(map(len, rows_of(database).values()))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", ALL_WAYS)
@pytest.mark.parametrize("moment", ["Copying", "Indexing", "Verifying"])
def test_stopped_copy_goes_on_where_it_was(original: Path, empty: Callable[[str], str], kind: str, moment: str) -> None:
    target, stopping = empty(kind), threading.Event()

    class Stop(Progress):
        def doing(self, what: str) -> None:
            if what == moment:
                stopping.set()

    with pytest.raises(Stopped):
        moved(original, target, Stop(), stopping)
    with pytest.raises(MovingFailed, match=r"unfinished copy of .*, not of .*to begin anew, d"):
        moved(random_file(original.with_name(f"{kind}-{moment}.db"), seed=2, runs=1), target)
    moved(original, target)
    assert rows_of(target)["run_data"] == rows_of_file(original)["run_data"]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", ALL_WAYS)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run SET metadata = '{}', updated_at = updated_at + 1 WHERE seq = 3",
        "UPDATE run_data SET tags = '[]', updated_at = updated_at + 1 WHERE seq = (SELECT min(seq) FROM run_data)",
        "UPDATE api_key SET revoked_at = 5 WHERE revoked_at IS NULL",
        "DELETE FROM run_data WHERE seq = (SELECT max(seq) FROM run_data)",
    ],
)
def test_source_that_has_changed_since_is_not_copied_on(
    tmp_path: Path, empty: Callable[[str], str], kind: str, statement: str
) -> None:
    source, target = random_file(tmp_path / "foreman.db", seed=3, runs=3), empty(kind)
    killed(source, target, 40)
    change(str(source), statement)
    with pytest.raises(MovingFailed, match=r"has changed since its copy into .* began"):
        moved(source, target)


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_source_that_changes_meanwhile_is_not_copied_in_the_end(
    tmp_path: Path, empty: Callable[[str], str], kind: str
) -> None:
    source, target = random_file(tmp_path / "foreman.db", seed=3, runs=2), empty(kind)

    class Write(Progress):
        def doing(self, what: str) -> None:
            if what == "Verifying":
                change(str(source), "UPDATE run SET updated_at = updated_at + 1 WHERE seq = 1")

    with pytest.raises(MovingFailed, match=r"has changed since its copy into .* began"):
        moved(source, target, Write())
    assert "unfinished copy" in run_command("serve", "--port", "0", "--database", target).stderr


# Verification -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL_WAYS)
@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("api_key", "UPDATE api_key SET environment = 'prof' WHERE id = (SELECT max(id) FROM api_key)"),
        ("run", "UPDATE run SET input_data = '1.1' WHERE seq = (SELECT max(seq) FROM run WHERE input_data = '1.10')"),
        ("task", "UPDATE task SET retry_count = retry_count + 1 WHERE seq = 4"),
        ("run_data", "UPDATE run_data SET created_at = created_at - 1 WHERE seq = (SELECT min(seq) FROM run_data)"),
        ("run_data", "DELETE FROM run_data WHERE seq = (SELECT max(seq) FROM run_data)"),
        ("run_data_tag", "UPDATE run_data_tag SET tag = 'gray' WHERE tag = 'red'"),
        ("run_data_latest", "UPDATE run_data_latest SET in_order = 1 - in_order"),
        ("run_count", "UPDATE {run_count} SET runs = runs + 1"),
        ("run_task_count", "DELETE FROM {run_task_count} WHERE type = 'a'"),
        ("run_data_count", "UPDATE {run_data_count} SET keys = keys + 1"),
    ],
)
def test_changed_value_is_found_and_its_table_named(
    original: Path, empty: Callable[[str], str], kind: str, table: str, statement: str
) -> None:
    target = empty(kind)

    class Spoil(Progress):
        def doing(self, what: str) -> None:
            if what == "Verifying":
                changed = statement
                for name in ("run_count", "run_task_count", "run_data_count"):
                    changed = changed.replace(
                        f"{{{name}}}", name.replace("_count", "_total") if kind == "postgres" else name
                    )
                change(target, changed)

    with pytest.raises(MovingFailed, match=f"the table {table} is not the same: .*the first that differs is {table} "):
        moved(original, target, Spoil())


# What cannot be copied ----------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_json_too_deep_for_sqlite_names_its_row(tmp_path: Path, empty: Callable[[str], str]) -> None:
    source, target, deep = empty("postgres"), empty("sqlite"), "[" * 3_000 + "]" * 3_000
    moved(random_file(tmp_path / "foreman.db", seed=5, runs=3), source)
    change(source, f"UPDATE run_data SET value = '{deep}' WHERE seq = (SELECT max(seq) FROM run_data)")
    with pytest.raises(MovingFailed, match=r"run_data [0-9a-f-]{36} cannot be stored in .*run_data_value_is_json"):
        moved(source, target)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"UPDATE run SET metadata = '{{\"a\":{'[' * 1500}{']' * 1500}}}' WHERE seq = 2", "document_is_json"),
        ("UPDATE task SET queue_job_id = 'a' || char(0) WHERE seq = 3", "NUL"),
        ("UPDATE task SET retry_count = 3000000000 WHERE seq = 3", "out of range"),
    ],
)
def test_what_postgres_refuses_names_its_row(
    tmp_path: Path, empty: Callable[[str], str], statement: str, reason: str
) -> None:
    source, target = random_file(tmp_path / "foreman.db", seed=5, runs=3), empty("postgres")
    with engine.cluster.connect() as connection:
        connection.execute(f"ALTER DATABASE {target.rpartition('/')[2]} SET max_stack_depth = '150kB'".encode())
    change(str(source), statement)
    with pytest.raises(MovingFailed, match=rf"(run|task) [0-9a-f-]{{36}} cannot be stored in .*{reason}"):
        moved(source, target)
    assert "unfinished copy" in run_command("serve", "--port", "0", "--database", target).stderr


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_database_with_rows_is_not_copied_into(original: Path, empty: Callable[[str], str], kind: str) -> None:
    target = empty(kind)
    moved(original, target)
    before = rows_of(target)
    assert_fails(run_command("copy", "--from", original, "--to", target), 1, "has rows already")
    assert rows_of(target) == before


@pytest.mark.sqlite
def test_file_of_something_else_is_not_copied_into(original: Path, tmp_path: Path) -> None:
    for name, statement in (("diary.db", "CREATE TABLE diary (day)"), ("id.db", "PRAGMA application_id = 3")):
        change(str(tmp_path / name), statement)
        before = (tmp_path / name).read_bytes()
        assert_fails(run_command("copy", "--from", original, "--to", tmp_path / name), 1, "is not a Foreman database")
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.postgres
def test_database_of_something_else_is_not_copied_into(original: Path, empty: Callable[[str], str]) -> None:
    target = empty("postgres")
    change(target, "CREATE TABLE diary (day date)")
    assert_fails(run_command("copy", "--from", original, "--to", target), 1, "has tables of something else")


@pytest.mark.sqlite
def test_source_with_a_server_is_not_copied(original: Path, empty: Callable[[str], str]) -> None:
    with only_server(original):
        assert_fails(run_command("copy", "--from", original, "--to", empty("sqlite")), 1, "already has a server")


@pytest.mark.postgres
def test_source_and_target_with_a_server_are_not_copied(original: Path, empty: Callable[[str], str]) -> None:
    served = empty("postgres")
    with answering(served) as _:
        until(lambda: "is being served" in run_command("copy", "--from", served, "--to", empty("sqlite")).stderr)
        assert_fails(run_command("copy", "--from", original, "--to", served), 1, "is being served")


@pytest.mark.postgres
def test_copy_takes_its_time_whatever_the_timeouts_of_a_database_are(
    original: Path, empty: Callable[[str], str]
) -> None:
    source, target = empty("postgres"), empty("postgres")
    moved(original, source)
    for url in (source, target):
        for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
            change(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET {timeout} = '5s'")
    with open_source(source) as read, open_target(target) as written:
        for end in (read, written):
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                assert end._connection.execute(f"SHOW {timeout}".encode()).fetchone() == ("0",)  # type: ignore[union-attr]


@pytest.mark.postgres
def test_copy_without_the_library_of_postgresql_ends_with_one_line(
    original: Path, empty: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available')")
    done = subprocess.run(
        [sys.executable, APP, "copy", "--from", original, "--to", empty("postgres")],
        cwd=tmp_path, env=environment(PYTHONPATH=str(tmp_path)), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert_fails(done, 1, "psycopg[binary] is not installed", "no pq wrapper available")


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_database_is_not_copied_into_itself(original: Path, empty: Callable[[str], str], kind: str) -> None:
    target = empty(kind)
    moved(original, target)
    assert_fails(run_command("copy", "--from", target, "--to", target), 1, "are the same database")


@pytest.mark.parametrize("kind", ALL_WAYS)
def test_command_prints_rows_and_checksums(original: Path, empty: Callable[[str], str], kind: str) -> None:
    done = run_command("copy", "--from", original, "--to", empty(kind))
    assert (done.returncode, done.stderr) == (0, "")
    head, *tables, end = done.stdout.splitlines()
    assert head.split() == ["table", "rows", "SHA-256"]
    assert [line.split()[0] for line in tables] == list(rows_of_file(original))
    assert [int(line.split()[1]) for line in tables] == [len(rows) for rows in rows_of_file(original).values()]
    assert f"{original} is copied to " in end


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "no.db", "--to", "new.db"], "no.db does not exist"),
        (["--from", "mysql://x", "--to", "new.db"], "--from is 'mysql://x'; allowed: "),
        (["--from", "mysql://me:secret@x", "--to", "new.db"], "--from is (hidden); allowed: "),
        (["--from", "no.db", "--to", ""], "--to is ''; allowed: "),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], words: str) -> None:
    done = run_command("copy", *arguments)
    assert_fails(done, 1 if "exist" in words else 2, words)
    assert "secret" not in done.stderr


@pytest.mark.parametrize("kind", ALL_WAYS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_signal_ends_the_command_between_batches_and_it_goes_on(
    original: Path, empty: Callable[[str], str], tmp_path: Path, kind: str, number: signal.Signals
) -> None:
    target = empty(kind)
    child = os.fork()
    if child == 0:
        handle = os.open(tmp_path / "stderr", os.O_WRONLY | os.O_CREAT)
        sys.stderr = os.fdopen(handle, "w")
        writing.ROWS = 7
        following, steps = writing._Batch.__next__, iter(range(100))

        def count(batch: writing._Batch) -> Any:
            if next(steps, None) == 99:
                os.kill(os.getpid(), number)
            return following(batch)

        writing._Batch.__next__ = count  # type: ignore[assignment,method-assign]
        try:
            main(["copy", "--from", str(original), "--to", target])
        except SystemExit as end:
            os._exit(int(end.code or 0))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    said = (tmp_path / "stderr").read_text()
    assert re.fullmatch(r"foreman: stopped at \d+ %: the same command goes on from there\n", said), said
    assert 50 < number_of_rows(target) < 150
    moved(original, target)
    assert rows_of(target)["run_data"] == rows_of_file(original)["run_data"]
