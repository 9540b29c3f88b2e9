"""Commands that take long: a bar on a terminal, nothing for scripts; and Ctrl-C says what was done and what is left."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import takewhile
from pathlib import Path

import pytest

from foreman.db.file import SCHEMA_VERSION
from foreman.db.schema import Migration, definition, since
from foreman.db.sqlite import Database
from foreman.maintenance.check import check, snapshot, violations
from foreman.maintenance.progress import STEPS, Progress, attentive
from foreman.maintenance.upgrade import open_upgraded
from tests.db.schemas.earlier import create_earlier
from tests.support.commands import run_command
from tests.support.databases import ENDLESS, create, miscount, names, names_in, tree
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A database of today with a run that ended long ago, one of an earlier version, and a backup."""
    directory = tmp_path / "live"
    directory.mkdir()
    create_earlier(directory / "earlier.db", SCHEMA_VERSION - 1)
    create(directory / "copy.db", "saved")
    create(directory / "foreman.db", "one", "two")
    with closing(sqlite3.connect(directory / "foreman.db")) as connection, connection:
        connection.execute(
            "UPDATE run SET status = 'completed', started_at = 1, completed_at = 1 WHERE input_data = '\"one\"'"
        )
    return directory


COMMANDS = {
    "check": (["check", "--database", "foreman.db"], "ok: 2 runs"),
    "backup": (["backup", "new.db", "--database", "foreman.db"], " bytes, 2 runs, 0 tasks"),
    "restore": (["restore", "copy.db", "--database", "foreman.db"], " bytes, 1 runs, 0 tasks"),
    "migrate": (["migrate", "--database", "earlier.db"], f"earlier.db has schema version {SCHEMA_VERSION}"),
    "copy": (["copy", "--from", "foreman.db", "--to", "new.db"], "new.db: 4 rows"),
    "prune": (["prune", "--older-than", "30s", "--database", "foreman.db"], "deleted 1 runs"),
}


def call(live: Path, which: str) -> list[str]:
    """The command with whole paths."""
    return [str(live / text) if text.endswith(".db") else text for text in COMMANDS[which][0]]


# Bars ---------------------------------------------------------------------------------------------------------------


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """What a command writes to stdout, which is none, and to stderr, which is a terminal."""
    screen, terminal = pty.openpty()
    with closing(os.fdopen(terminal, "wb")):
        told = run_command(*arguments, stderr=terminal)
    with closing(os.fdopen(screen, "rb", buffering=0)) as shown:
        try:
            return told.stdout, shown.read(65536).decode()
        except OSError:  # Linux says EIO when nothing is left and nobody can write any more
            return told.stdout, ""


@pytest.mark.parametrize("which", COMMANDS)
def test_on_a_terminal_there_is_a_bar_on_stderr_that_comes_to_its_end(live: Path, which: str) -> None:
    stdout, shown = on_a_terminal(*call(live, which))
    assert COMMANDS[which][1] in stdout
    assert "100%" in shown
    assert "\x1b" not in stdout
    assert "%" not in stdout


@pytest.mark.parametrize("which", COMMANDS)
def test_scripts_get_no_bar(live: Path, which: str) -> None:
    done = run_command(*call(live, which))
    assert (done.returncode, done.stderr) == (0, "")
    assert COMMANDS[which][1] in done.stdout


@pytest.mark.parametrize("which", ["backup", "restore", "copy"])
def test_bar_says_what_is_being_done(live: Path, which: str) -> None:
    _, shown = on_a_terminal(*call(live, which))
    assert "Copying" in shown
    assert "Verifying" in shown
    assert shown.index("Copying") < shown.index("Verifying")


def test_migrate_that_has_nothing_to_do_shows_no_bar(live: Path) -> None:
    stdout, shown = on_a_terminal("migrate", "--database", str(live / "foreman.db"))
    assert (stdout, shown) == (f"{live / 'foreman.db'} has schema version {SCHEMA_VERSION}\n", "")


def test_failure_on_a_terminal_has_a_line_of_its_own_below_the_bar(live: Path) -> None:
    miscount(live / "foreman.db")
    stdout, shown = on_a_terminal(*call(live, "backup"))
    assert stdout == ""
    assert re.search(r"\nforeman: .+ is not sound, so it was not copied: .+\r\n$", shown), shown


def test_parts_of_the_work_add_up_to_the_whole() -> None:
    told: list[object] = []

    class Told(Progress):
        def at(self, part: float) -> None:
            told.append(part)

        def doing(self, what: str) -> None:
            told.append(what)

        def beyond_return(self) -> None:
            told.append("beyond")

    second = Told().stretch(0.5, 1.0)
    second.doing("Verifying")
    second.at(0.5)
    second.stretch(0.5, 1.0).at(1)
    second.beyond_return()
    assert told == ["Verifying", 0.75, 1.0, "beyond"]


def test_progress_of_check_grows_from_0_to_1(live: Path) -> None:
    parts: list[float] = []

    class Told(Progress):
        def at(self, part: float) -> None:
            parts.append(part)

    with snapshot(live / "foreman.db") as view:
        assert list(violations(view, progress=Told())) == []
    assert parts == sorted(parts)
    assert len(set(parts)) > 10
    assert parts[-1] == 1


# Signals ------------------------------------------------------------------------------------------------------------


class Rung(Exception):
    """A signal has come."""


def ring(*_: object) -> None:
    raise Rung


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Lets a signal come a moment later, whose handler raises `Rung`."""
    before = signal.signal(signal.SIGALRM, ring)
    yield lambda: (signal.setitimer(signal.ITIMER_REAL, 0.2), None)[1]
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_signal_ends_a_statement_that_would_go_on_for_ever(alarm: Callable[[], None]) -> None:
    alarm()
    with closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises((Rung, KeyboardInterrupt)), attentive(connection):
            connection.execute(ENDLESS)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_who_looks_may_end_the_statement_and_is_not_asked_any_more() -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise Rung

    with closing(sqlite3.connect(":memory:")) as connection:
        with pytest.raises(Rung), attentive(connection, look):
            connection.execute(ENDLESS)
        connection.execute(f"{ENDLESS.replace('FROM n)', f'FROM n WHERE i < {STEPS})')}")
    assert looks == 3


def test_other_errors_of_sqlite_stay_what_they_are() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError, match="no such table: missing"),
        attentive(connection),
    ):
        connection.execute("SELECT * FROM missing")


def test_migration_that_takes_long_can_be_stopped_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alarm: Callable[[], None]
) -> None:
    file = create_earlier(tmp_path / "foreman.db", SCHEMA_VERSION - 1, "DELETE")
    before = tree(tmp_path)["foreman.db"]
    slow = Migration(SCHEMA_VERSION + 1, "Take long", f"-- Take long\nCREATE TABLE slow AS {ENDLESS};\n")
    monkeypatch.setattr("foreman.maintenance.upgrade.since", lambda version: (*since(version), slow))

    def tell(line: str) -> None:
        if line.startswith("Migration"):
            alarm()

    with pytest.raises((Rung, KeyboardInterrupt)):
        open_upgraded(file, tell=tell)
    assert tree(tmp_path)["foreman.db"] == before


@BOTH
def test_signal_in_a_function_that_sqlite_calls_is_no_damage(
    live: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    called = False

    def signalled_once(sql: str) -> str:
        nonlocal called
        if not called:
            called = True
            signal.raise_signal(number)  # to this thread: a command has no other, but what runs the tests may
        return definition(sql)

    monkeypatch.setattr("foreman.maintenance.check.definition", signalled_once)
    before = signal.signal(number, ring)
    found: list[object] = []
    try:
        with snapshot(live / "foreman.db") as view, pytest.raises(Rung):
            found.extend(violations(view))
    finally:
        signal.signal(number, before)
    assert (called, found) == (True, [])


WAITS = """
import sys, time
from foreman.cli import progress
from foreman.cli.main import main
from foreman.maintenance import backup, check, gentle_writes

def wait(*_):
    print("here", flush=True)
    sys.stdin.readline()

{change}
main(sys.argv[1:])
"""

WHILE_IT_COPIES = "backup._after_step = wait"
AT_THE_LAST_RULE = """
rows = check._rows
last = check.rules_for(check.SQLITE, check.SCHEMA_VERSION, check.RULES)[-1]
check._rows = lambda view, sql, values: (wait() if sql == last.sql else None, rows(view, sql, values))[1]
"""
AFTER_A_TURN = """
gentle_writes.HOLD = 0
at = progress.Bar.at
progress.Bar.at = lambda bar, part: (at(bar, part), part and wait())
"""
IN_THE_END = "progress.Bar.beyond_return = lambda bar, before=progress.Bar.beyond_return: (before(bar), wait())"


def signalled(number: signal.Signals, change: str, *arguments: str, go_on: bool = False) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command that has got a signal at a certain point."""
    command = [sys.executable, "-c", WAITS.format(change=change), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        before = "".join(takewhile("here\n".__ne__, lines))
        process.send_signal(number)
        stdout, stderr = process.communicate("\n" if go_on else None, timeout=PATIENCE)
    return process.returncode, before + stdout, stderr


@BOTH
@pytest.mark.parametrize(("which", "left"), [
    ("backup", "no backup was written, and {live}/new.db is unchanged"),
    ("restore", "nothing was restored, and {live}/foreman.db is unchanged"),
    ("migrate", "nothing was upgraded, and {live}/earlier.db is unchanged"),
])  # fmt: skip
def test_copying_that_is_stopped_says_that_nothing_is_done_and_leaves_everything(
    live: Path, which: str, left: str, number: signal.Signals
) -> None:
    before = tree(live)
    status, stdout, stderr = signalled(number, WHILE_IT_COPIES, *call(live, which))
    assert (status, stdout) == (130, "")
    assert stderr == f"foreman: stopped at 0 %: {left.format(live=live)}\n"
    after = tree(live)
    if which == "migrate":  # it has folded the log in
        assert names(live) == sorted(before)
        with closing(sqlite3.connect(live / "earlier.db")) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION - 1,)
    else:
        assert after == before


@BOTH
def test_check_that_is_stopped_shows_what_it_has_found_and_says_that_the_rest_is_unknown(
    live: Path, number: signal.Signals
) -> None:
    with closing(sqlite3.connect(live / "foreman.db")) as connection, connection:
        connection.execute("UPDATE run_count SET runs = 7")
    status, stdout, stderr = signalled(number, AT_THE_LAST_RULE, *call(live, "check"))
    assert status == 130
    first, *rows = stdout.splitlines()
    assert first.startswith("run_count: the stored number of an organisation's runs in a status differs from ")
    assert first.endswith(": 2 violations")
    assert [row.partition("=")[0] for row in rows] == ["    org_id"] * 2
    assert re.fullmatch(r"foreman: stopped at \d+ %: 2 violations so far, the rest was not checked\n", stderr)


@BOTH
def test_prune_that_is_stopped_says_what_is_deleted_and_what_is_left_and_the_next_one_goes_on(
    live: Path, number: signal.Signals
) -> None:
    with closing(Database(live / "foreman.db")) as database:
        run = database.one("SELECT seq, id FROM run WHERE status = 'completed'")
        assert run is not None
        for number_of_task in range(3):
            with database.write() as tx:
                tx.run(
                    """
                    INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries,
                                      created_at, updated_at)
                    VALUES ('acme', :id, :run_seq, :run_id, 'step', 'pending', '{}', 3, 1, 1)
                    """,
                    id=f"00000000-0000-7000-8000-{number_of_task:012}", run_seq=run[0], run_id=run[1],
                )  # fmt: skip
    status, stdout, stderr = signalled(number, AFTER_A_TURN, *call(live, "prune"))
    assert (status, stdout) == (130, "")
    assert stderr == (
        "foreman: stopped: deleted 0 runs, 3 tasks, 0 entries; "
        "1 runs, 0 tasks, 0 entries are left for the next `prune`\n"
    )
    assert check(live / "foreman.db") == []
    assert run_command(*call(live, "prune")).stdout.startswith("deleted 1 runs, 0 tasks, 0 entries")


@BOTH
@pytest.mark.parametrize("which", ["backup", "restore", "migrate"])
def test_signal_at_the_last_moment_is_not_heeded_and_the_work_is_done(
    live: Path, which: str, number: signal.Signals
) -> None:
    status, stdout, stderr = signalled(number, IN_THE_END, *call(live, which), go_on=True)
    assert (status, stderr) == (0, "")
    assert COMMANDS[which][1] in stdout
    if which == "restore":
        assert names_in(live / "foreman.db") == ["saved"]
