"""What a power loss takes: nothing that was answered with durability `full`.

A server runs in a process of its own, with every operation on its files recorded in one order with its answers. From
that history follows what a disk may hold when the power goes at any moment, and Foreman is started over it.
"""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from tests.promises.power.disk import SECTOR, Disk
from tests.promises.power.history import (
    Asked,
    Created,
    Deleted,
    DirectorySynced,
    Event,
    History,
    Image,
    Synced,
    Truncated,
    Written,
)
from tests.promises.power.survey import activity, answers_before_sync, survey
from tests.support.proof import FULL, much
from tests.support.source import ROOT

pytestmark = [pytest.mark.proof, pytest.mark.sqlite]

PATIENCE = 120  # seconds until a server under watch that does not end fails its test

# Requests of each client in the histories that only have to show one thing.
FEW = 25


def record(directory: Path, *arguments: str) -> History:
    """The history of a server under watch, whose database is on a disk: in memory a sync takes no time."""
    file = directory / "history"
    with TemporaryDirectory(dir="/var/tmp") as database:
        command = [sys.executable, "-m", "tests.promises.power.server_under_watch", database, str(file), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    history: History = pickle.loads(file.read_bytes())
    return history


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A history with durability `full`."""
    return record(tmp_path_factory.mktemp("full"))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Where images of the disk are laid out."""
    directory = tmp_path / "images"
    directory.mkdir()
    return directory


# The server ---------------------------------------------------------------------------------------------------------


def test_what_was_answered_survives_a_power_loss_at_any_moment(full: History, images: Path) -> None:
    result = survey(full, images, moments=much(120, 15))
    assert result.broken == []
    assert result.lost == []
    assert result.cuts == len(full.events)
    assert result.images > much(200, 25)


def test_answer_leaves_after_a_sync_of_the_log_that_begins_after_its_commit(full: History, images: Path) -> None:
    assert answers_before_sync(full, images) == []


def test_history_holds_commits_during_a_checkpoint(full: History) -> None:
    """The log is written to while its earlier frames are copied, and before the copies are synced."""
    databases, logs = full.files_named(full.database), full.files_named(full.log)
    during, not_synced = 0, False
    for event in full.events[: full.served]:
        match event:
            case Written(file) if file in databases:
                not_synced = True
            case Synced(file) if file in databases:
                not_synced = False
            case Synced(file) if file in logs:
                during += not_synced
    assert during >= 1


def test_history_holds_shared_commits_checkpoints_and_restarts_of_the_log(full: History) -> None:
    happened = activity(full)
    assert happened.answers == sum(len(client.states) - 1 for client in full.clients)
    assert happened.log_syncs < happened.answers
    assert happened.checkpoints >= 5
    assert happened.restarts >= 3


def test_nothing_is_written_past_the_watch(full: History) -> None:
    disk = Disk()
    for event in full.events[: full.served]:
        disk.play(event)
    assert set(full.files) == {full.database, full.log}
    assert disk.everything() == full.files


@pytest.mark.long
def test_with_durability_normal_a_power_loss_takes_answered_writes_but_breaks_nothing(
    tmp_path: Path, images: Path
) -> None:
    history = record(tmp_path, "--durability", "normal", "--requests", str(FEW))
    result = survey(history, images, moments=much(40, 10))
    assert result.lost
    assert result.broken == []
    assert answers_before_sync(history, images)


@pytest.mark.long
def test_what_was_answered_survives_a_power_loss_when_commits_checkpoint(tmp_path: Path, images: Path) -> None:
    history = record(tmp_path, "--in-commits", "--requests", str(FEW))
    result = survey(history, images, moments=much(40, 10))
    assert (result.broken, result.lost) == ([], [])
    assert answers_before_sync(history, images) == []


@pytest.mark.parametrize("durability", ["full", "normal"] if FULL else ["full"])
def test_power_loss_while_the_file_is_created_leaves_one_that_can_be_used(
    tmp_path: Path, images: Path, durability: str
) -> None:
    history = record(tmp_path, "--durability", durability, "--requests", "3")
    first = next(position for position, event in enumerate(history.events) if isinstance(event, Asked))
    # The beginning, until there are tables, is short and has most of the syncs; then comes page after page.
    for events, moments, parts in [(history.events[:20], 20, much(150, 30)), (history.events[:first], much(25, 8), 2)]:
        assert survey(replace(history, events=events), images, moments, parts).broken == []


# The proof itself ---------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_writer_that_answers_before_it_commits_is_caught(tmp_path: Path, images: Path) -> None:
    history = record(tmp_path, "--hasty", "--requests", str(FEW))
    result = survey(history, images, moments=0)
    assert result.lost
    assert result.broken == []
    assert answers_before_sync(history, images)


@pytest.mark.long
def test_disk_that_does_not_sync_the_database_file_is_caught(full: History, images: Path) -> None:
    databases = full.files_named(full.database)
    events = [
        event._replace(begun=0) if isinstance(event, Synced) and event.file in databases else event
        for event in full.events[:3000]
    ]
    result = survey(replace(full, events=events), images, moments=0)
    assert result.broken


def contents(*events: Event) -> set[bytes | None]:
    """What the file `a` may hold after these events, in a thousand power losses; None when it is not there."""
    disk = Disk()
    for event in events:
        disk.play(event)
    return {disk.any_of(Random(seed)).get("a") for seed in range(1000)}


NEW: list[Event] = [Created("a", 0), DirectorySynced(1)]
X, Y = b"x" * SECTOR, b"y" * SECTOR


def test_what_was_synced_is_there_and_what_was_written_since_may_be_in_any_part() -> None:
    before: list[Event] = [*NEW, Written(0, 0, X + X), Synced(0, 3)]
    assert contents(*before) == {X + X}
    assert contents(*before, Written(0, 0, Y + Y)) == {X + X, Y + X, X + Y, Y + Y}
    assert contents(*before, Truncated(0, SECTOR)) == {X + X, X}


def test_writes_that_were_not_synced_may_have_reached_the_disk_in_any_order() -> None:
    assert contents(*NEW, Written(0, 0, b"xx"), Written(0, 1, b"yy")) == {b"", b"xx", b"\0yy", b"xyy", b"xxy"}


def test_write_is_torn_only_at_the_borders_of_sectors() -> None:
    old = b"-" * 3 * SECTOR
    before: list[Event] = [*NEW, Written(0, 0, old), Synced(0, 3)]
    border = SECTOR - 10
    assert contents(*before, Written(0, 10, b"x" * SECTOR)) == {
        old[:10] + first + second + old[SECTOR + 10 :]
        for first in (old[:border], b"x" * border)
        for second in (old[:10], b"x" * 10)
    }


def test_write_during_a_sync_is_not_synced() -> None:
    assert contents(*NEW, Written(0, 0, X), Synced(0, 2)) == {b"", X}
    assert contents(*NEW, Written(0, 0, X), Synced(0, 3)) == {X}


def test_name_is_certain_after_a_sync_of_the_directory_only() -> None:
    assert contents(Created("a", 0), Written(0, 0, X), Synced(0, 2)) == {None, X}
    assert contents(Created("a", 0), Written(0, 0, X), Synced(0, 2), DirectorySynced(3)) == {X}
    replaced: list[Event] = [Deleted("a"), Created("a", 1), Written(1, 0, Y), Synced(1, 5)]
    assert contents(*NEW, *replaced) == {b"", None, Y}
    assert contents(*NEW, *replaced, DirectorySynced(6)) == {Y}


def test_without_a_power_loss_all_that_was_written_is_there() -> None:
    disk = Disk()
    for event in (Created("a", 0), Written(0, 4, b"tail"), Written(0, 0, b"head"), Truncated(0, 6), Created("b", 1)):
        disk.play(event)
    expected: Image = {"a": b"headta", "b": b""}
    assert disk.everything() == expected
    assert disk.certain() == {}
