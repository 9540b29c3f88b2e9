"""A server that is killed under load keeps what it has acknowledged, and the harness that says so would notice."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.servers import ServerFailed
from foreman.api import tasks
from foreman.http.contract import answer
from tests.chaos import __main__ as command
from tests.chaos import model
from tests.chaos.api import Api, Object, Unexpected, decode, raw, text
from tests.chaos.clients import Client
from tests.chaos.crash import Crash, Tally
from tests.chaos.server import ORG, check, create_key
from tests.chaos.verify import Contents, Verification
from tests.chaos.writes import Part, SharedEntry, Write
from tests.support.proof import much
from tests.support.running import Running
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.proof

# One that answers too early loses something in more than half of all kills, and the first loss ends the test.
KILLS_UNTIL_CAUGHT = 40


# The server ---------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_nothing_acknowledged_is_lost_when_the_server_is_killed_again_and_again(tmp_path: Path) -> None:
    lines: list[str] = []
    tally = Crash(tmp_path, seed=2024).run(much(10, 2), lines.append)
    assert tally.violations == []
    assert len(lines) == tally.kills == len(tally.restarts) == much(10, 2)
    assert tally.acknowledged > 0
    assert tally.reads > 0
    assert tally.stored + tally.not_stored > 0


@pytest.mark.sqlite
@pytest.mark.long
def test_server_that_answers_before_it_commits_is_caught(tmp_path: Path) -> None:
    crash = Crash(tmp_path, seed=2024, program=["-m", "tests.chaos.answer_early"])
    tally = crash.run(KILLS_UNTIL_CAUGHT, lambda _: None)
    assert tally.violations


@pytest.mark.sqlite
@pytest.mark.long
def test_server_that_fails_after_the_kill_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def over(*_: object, **__: object) -> None:
        raise Unexpected("GET", "/runs", 500, b"{}")

    monkeypatch.setattr(Verification, "over", over)
    tally = Crash(tmp_path, seed=2024).run(2, lambda _: None)
    assert tally.kills == 1
    assert "GET /runs was answered 500" in tally.violations[0]


# What is noticed when the server is back ----------------------------------------------------------------------------

RUN, PARENT, TASK, ENTRY, SAME_KEY, TAGGED, NEW = (f"{number:08x}-0000-7000-8000-000000000000" for number in range(7))
CREATED, LATER = (raw(f"2024-01-01T00:00:0{second}.000Z") for second in (0, 2))

NEW_TASK = {"runId": RUN, "type": "fetch", "inputData": 7}
NEW_ENTRY = {"taskId": TASK, "key": "new", "value": 7, "tags": ["red", "new"]}
CHANGE = {"status": "completed", "outputData": 7}
TAGS = {"add": ["new"], "remove": ["green"]}


def created(thing_id: str) -> Object:
    """What the server chooses when something is created."""
    return {"id": raw(thing_id), "createdAt": CREATED}


class World:
    """A client with a run, another client that writes to it too, and what the server has in it.

    The server has what the clients were told, until a test changes it.
    """

    def __init__(self) -> None:
        self.client, self.other = (Client(name, "key", name, {}) for name in ("c0", "c1"))
        self.part = Part("c0", RUN, model.new_run({"inputData": 1}, created(RUN)), tags=["c0.1", "c0.2"])
        for task_id, parent in ((PARENT, None), (TASK, PARENT)):
            task = {"runId": RUN, "type": "fetch", "inputData": 1.5, "parentTaskId": parent}
            self.part.tasks[task_id] = model.new_task(task, created(task_id))
        for entry_id, tags in ((ENTRY, ["red", "green"]), (SAME_KEY, []), (TAGGED, self.part.tags)):
            entry = {"taskId": TASK, "key": "k", "value": None, "tags": tags}
            self.part.entries[entry_id] = model.new_entry(RUN, entry, created(entry_id))
        self.client.runs.append(self.part)
        self.other.shared.append(Part("c1", RUN, tags=["c1.1"]))

        self.run = self.part.run_now()
        self.tasks, self.entries = dict(self.part.tasks), dict(self.part.entries)
        # How the tags of several clients are mixed is free.
        self.change(self.entries, TAGGED, tags=["c0.1", "c1.1", "c0.2"], updatedAt=LATER)

    def change(self, things: dict[str, Object], thing_id: str, **members: Any) -> None:
        """Change members of a thing of the server or a client."""
        things[thing_id] = {**things[thing_id], **{name: raw(value) for name, value in members.items()}}

    def count(self, **counters: int) -> Object:
        """The run that the server has, with other counters from now on."""
        self.run |= {name: raw(count) for name, count in counters.items()}
        return self.run

    def verification(self, *in_flight: Write) -> Verification:
        """What is found, with these writes under way at the kill."""
        verification = Verification(
            [self.client, self.other], {RUN: SharedEntry(RUN, TAGGED)}, [(self.client, write) for write in in_flight]
        )
        verification.compare(RUN, Contents(self.run, self.tasks, self.entries))
        return verification


@pytest.fixture
def world() -> World:
    return World()


def test_what_was_acknowledged_and_is_there_is_no_violation(world: World) -> None:
    assert world.verification().violations == []


def test_lost_run_is_noticed(world: World) -> None:
    verification = world.verification()
    verification.compare(RUN, None)
    assert verification.violations == [f"run {RUN}: acknowledged, and not there"]


Step = Callable[[World], object]

DAMAGE: dict[str, tuple[Step, str]] = {
    "lost task": (lambda w: w.tasks.pop(TASK), f"task {TASK}: acknowledged, and not there"),
    "lost entry": (lambda w: w.entries.pop(ENTRY), f"entry {ENTRY}: acknowledged, and not there"),
    "lost shared entry": (lambda w: w.entries.pop(TAGGED), f"entry {TAGGED}: acknowledged, and not there"),
    "lost change": (
        lambda w: w.change(w.part.tasks, TASK, queueJobId="c0.7"),
        f'task {TASK}: queueJobId is null, not "c0.7"',
    ),
    "other digits": (
        lambda w: w.change(w.tasks, TASK, inputData=1.25),
        f"task {TASK}: inputData is 1.25, not 1.5",
    ),
    "lost tag": (
        lambda w: w.change(w.entries, ENTRY, tags=["red"]),
        f'entry {ENTRY}: tags is ["red"], not ["red","green"]',
    ),
    "lost shared tag": (
        lambda w: w.change(w.entries, TAGGED, tags=["c0.1", "c0.2"]),
        f"entry {TAGGED}: tags of c1: [], not ['c1.1']",
    ),
    "shared tags out of order": (
        lambda w: w.change(w.entries, TAGGED, tags=["c0.2", "c1.1", "c0.1"]),
        f"entry {TAGGED}: tags of c0: ['c0.2', 'c0.1'], not ['c0.1', 'c0.2']",
    ),
    "shared tag of nobody": (
        lambda w: w.change(w.entries, TAGGED, tags=["c0.1", "c1.1", "c0.2", "c2.1"]),
        f"entry {TAGGED}: nobody has added c2.1",
    ),
    "wrong counter": (lambda w: w.count(completedTasks=1), f"run {RUN}: completedTasks is 1, not 0"),
    "deletion undone": (
        lambda w: w.part.entries.pop(ENTRY),
        f"entry {ENTRY}: there, and nobody has sent it so, or it was deleted",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed(world: World, damage: str) -> None:
    step, line = DAMAGE[damage]
    step(world)
    assert world.verification().violations == [line]


class UnderWay(NamedTuple):
    """A write that has no answer when the server is killed.

    :ivar whole: what the server does when it stores it
    :ivar half: what it must never do
    :ivar line: what is said about the half
    """

    write: Callable[[Part], Write]
    whole: Step
    half: Step
    line: str


def store(things: dict[str, Object], thing: Object) -> Object:
    things[text(thing["id"])] = thing
    return thing


def new_task() -> Object:
    return model.new_task(NEW_TASK, created(NEW))


def new_entry() -> Object:
    return model.new_entry(RUN, NEW_ENTRY, created(NEW))


def changed(before: Object) -> Object:
    return model.changed(before, CHANGE, {**before, "updatedAt": LATER})


UNDER_WAY: dict[str, UnderWay] = {
    "new task": UnderWay(
        lambda part: Write(part, "task", "POST", "/tasks", after=partial(model.new_task, NEW_TASK)),
        lambda w: (store(w.tasks, new_task()), w.count(totalTasks=3)),
        lambda w: store(w.tasks, new_task()),
        f"run {RUN}: totalTasks is 2, not 3",
    ),
    "new entry": UnderWay(
        lambda part: Write(part, "entry", "POST", "/data", after=partial(model.new_entry, RUN, NEW_ENTRY)),
        lambda w: store(w.entries, new_entry()),
        lambda w: store(w.entries, {**new_entry(), "tags": raw(["red"])}),
        f"entry {NEW}: there, and nobody has sent it so, or it was deleted",
    ),
    "change of the run": UnderWay(
        lambda part: Write(
            part, "run", "PATCH", "/runs", ids=(RUN,), after=partial(model.changed, part.run_now(), CHANGE)
        ),
        lambda w: w.run.update(changed(w.run)),
        lambda w: w.run.update(outputData=raw(7)),
        "c0: PATCH /runs: without an answer, and stored by half: outputData is 7, not null",
    ),
    "change of a task": UnderWay(
        lambda part: Write(
            part, "task", "PATCH", "/tasks", ids=(TASK,), after=partial(model.changed, part.tasks[TASK], CHANGE)
        ),
        lambda w: (store(w.tasks, changed(w.tasks[TASK])), w.count(completedTasks=1)),
        lambda w: w.change(w.tasks, TASK, outputData=7),
        "c0: PATCH /tasks: without an answer, and stored by half: outputData is 7, not null",
    ),
    "change of tags": UnderWay(
        lambda part: Write(
            part, "entry", "PATCH", "/tags", ids=(ENTRY,), after=partial(model.tagged, part.entries[ENTRY], TAGS)
        ),
        lambda w: w.change(w.entries, ENTRY, tags=["red", "new"], updatedAt=LATER),
        lambda w: w.change(w.entries, ENTRY, tags=["red", "green", "new"]),
        'c0: PATCH /tags: without an answer, and stored by half: tags is ["red","green","new"], not ["red","green"]',
    ),
    "change of shared tags": UnderWay(
        lambda part: Write(
            part, "tags", "PATCH", "/tags", ids=(TAGGED,), after=lambda _: {"tags": raw(["c0.2", "c0.3"])}
        ),
        lambda w: w.change(w.entries, TAGGED, tags=["c1.1", "c0.2", "c0.3"]),
        lambda w: w.change(w.entries, TAGGED, tags=["c0.1", "c1.1", "c0.2", "c0.3"]),
        'c0: PATCH /tags: without an answer, and stored by half: tags is ["c0.1","c0.2","c0.3"], not ["c0.1","c0.2"]',
    ),
    "deletion of a key": UnderWay(
        lambda part: Write(part, "entry", "DELETE", "/data", ids=(ENTRY, SAME_KEY)),
        lambda w: (w.entries.pop(ENTRY), w.entries.pop(SAME_KEY)),
        lambda w: w.entries.pop(SAME_KEY),
        "c0: DELETE /data: without an answer, and stored by half",
    ),
}


@pytest.mark.parametrize("name", UNDER_WAY)
def test_write_without_an_answer_may_be_stored_wholly_and_is_known_then(world: World, name: str) -> None:
    write = UNDER_WAY[name].write(world.part)
    UNDER_WAY[name].whole(world)
    verification = world.verification(write)
    assert (verification.violations, verification.stored, verification.not_stored) == ([], [write], [])
    assert world.verification().violations == []


@pytest.mark.parametrize("name", UNDER_WAY)
def test_write_without_an_answer_may_be_missing_wholly(world: World, name: str) -> None:
    write = UNDER_WAY[name].write(world.part)
    verification = world.verification(write)
    assert (verification.violations, verification.stored, verification.not_stored) == ([], [], [write])


@pytest.mark.parametrize("name", UNDER_WAY)
def test_write_of_which_a_half_is_stored_is_noticed(world: World, name: str) -> None:
    write = UNDER_WAY[name].write(world.part)
    UNDER_WAY[name].half(world)
    assert UNDER_WAY[name].line in world.verification(write).violations


# What is noticed at a real server -----------------------------------------------------------------------------------


@dataclass
class Worked:
    """A server, and a client that has worked with it."""

    served: Running
    client: Client
    api: Api
    in_flight: list[Write] = field(default_factory=list)

    def violations(self, *, everything: bool = True) -> list[str]:
        verification = Verification([self.client], {}, [(self.client, write) for write in self.in_flight])
        verification.over(self.api, everything=everything)
        return verification.violations

    def work(self, enough: Callable[[Client], bool]) -> None:
        """Let the client send requests until it has had enough."""
        stop = threading.Event()
        thread = threading.Thread(target=self.client.work, args=(self.served.server.port, stop))
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while thread.is_alive() and not enough(self.client) and time.monotonic() < deadline:
            time.sleep(0.01)
        stop.set()
        thread.join()
        assert enough(self.client)

    def damage(self, statement: str, **values: Any) -> None:
        with self.served.database.write() as tx:
            assert tx.run(statement, **values) > 0


@pytest.fixture
def worked(served: Running) -> Iterator[Worked]:
    key = served.key(ORG)
    with Api(served.server.port, key) as api:
        worked = Worked(served, Client("c0", key, "1", {}), api)
        worked.work(lambda client: client.acknowledged > 150 and any(part.entries for part in client.runs))
        yield worked


def test_client_is_told_what_the_model_says_and_finds_it_again(worked: Worked) -> None:
    assert worked.client.violations == []
    assert worked.client.reads > 0
    assert worked.violations() == []


def test_runs_and_tasks_that_are_gone_or_too_many_are_noticed(worked: Worked) -> None:
    assert worked.violations(everything=False) == []
    lost = worked.client.runs[0]
    worked.damage("DELETE FROM run WHERE id = :id", id=lost.run_id)
    runs, there = len(worked.client.runs), len(worked.client.runs) - 1
    assert worked.violations(everything=False)[0] == f"there are {there} runs, and there should be {runs}"
    assert f"run {lost.run_id}: acknowledged, and not there" in worked.violations()

    _, content = worked.api.send("POST", "/runs", b'{"inputData": null}')
    _, content = worked.api.send("POST", "/runs", b'{"inputData": null}')
    assert f"run {text(decode(content)['id'])}: there, and nobody has sent it so" in worked.violations()


def test_run_that_was_created_without_an_answer_is_known_then(worked: Worked) -> None:
    body = {"inputData": {"by": "c0.new"}}
    writes = [
        Write(Part("c0"), "run", "POST", "/runs", raw_body, after=partial(model.new_run, each))
        for each, raw_body in ((body, bytes(raw(body))), ({"inputData": "never sent"}, b""))
    ]
    _, content = worked.api.send("POST", "/runs", writes[0].body)
    verification = Verification([worked.client], {}, [(worked.client, write) for write in writes])
    verification.over(worked.api, everything=True)
    assert (verification.violations, verification.stored, verification.not_stored) == ([], writes[:1], writes[1:])
    assert worked.client.runs[-1].run_id == text(decode(content)["id"])


def test_entry_that_is_not_found_by_its_tags_is_noticed(worked: Worked) -> None:
    part = worked.client.runs[0]
    task_id = next(iter(part.tasks))
    body = {"taskId": task_id, "key": "k", "value": "never sent before", "tags": ["red", "unusual"]}
    path = f"/runs/{part.run_id}/data"
    write = Write(part, "entry", "POST", path, bytes(raw(body)), after=partial(model.new_entry, part.run_id, body))
    worked.api.send("POST", path, write.body)
    worked.damage("DELETE FROM run_data_tag WHERE tag = 'unusual'")
    worked.in_flight = [write]
    (line,) = worked.violations()
    assert "not found by its tags ['red', 'unusual']" in line


@pytest.mark.parametrize("request_line", ["POST /tasks: ", "PATCH /tasks/", "GET /tasks/"])
def test_wrong_answer_is_noticed(worked: Worked, monkeypatch: pytest.MonkeyPatch, request_line: str) -> None:
    right = tasks.to_json
    monkeypatch.setattr(tasks, "to_json", lambda task: {**right(task), "retryCount": 77})

    def wrong(client: Client) -> bool:
        return any(f"c0: {request_line}" in line and "retryCount is 77, not" in line for line in client.violations)

    worked.work(wrong)


def test_wrong_number_of_deleted_entries_is_noticed(worked: Worked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "foreman.api.run_data.answer", lambda body: answer({"deleted": 77} if "deleted" in body else body)
    )
    worked.work(lambda client: any('{"deleted":77} instead of ' in line for line in client.violations))


def test_status_that_must_not_be_is_noticed(worked: Worked) -> None:
    worked.damage("UPDATE api_key SET revoked_at = 1")
    worked.work(lambda client: bool(client.violations))
    assert "was answered 401" in worked.client.violations[0]


def test_connection_that_breaks_before_the_kill_is_noticed(worked: Worked) -> None:
    worked.served.stop()
    worked.work(lambda client: bool(client.violations))
    assert "a connection broke while the server ran" in worked.client.violations[0]


def test_id_that_is_given_twice_is_noticed(worked: Worked) -> None:
    part = worked.client.runs[0]
    write = Write(part, "task", "POST", "/tasks", after=partial(model.new_task, NEW_TASK))
    worked.client.keep(write, next(iter(part.tasks.values())))
    assert "was given before" in worked.client.violations[0]


# Commands -----------------------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_check_finds_what_is_wrong_in_the_file(tmp_path: Path) -> None:
    database = tmp_path / "foreman.db"
    create_key(database)
    assert check(database) == []
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO run_count (org_id, status, runs) VALUES ('chaos', 'pending', 5)")
    (line,) = check(database)
    assert line.startswith("run_count: ")


@pytest.mark.parametrize(("violations", "status"), [([], 0), (["task 7: acknowledged, and not there"], 1)])
def test_command_says_what_was_found(
    violations: list[str],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Crashed:
        def __init__(self, *_: object) -> None:
            pass

        def run(self, kills: int, _report: object) -> Tally:
            return Tally(kills, 100, 50, 3, 4, [0.5, 0.7], violations)

    monkeypatch.setattr(command, "Crash", Crashed)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path / "database"))
    (tmp_path / "database").mkdir()
    assert command.main(["crash", "--kills", "2"]) == status
    output = capsys.readouterr().out
    assert f"2 kills, {len(violations)} violations" in output
    assert "7 writes under way at kills: 3 stored, 4 not" in output
    assert all(line in output for line in violations)
    assert (tmp_path / "database").exists() == bool(status)


@pytest.mark.parametrize(
    ("error", "status", "kept"), [(ServerFailed("it did not start"), 1, True), (KeyboardInterrupt(), 130, False)]
)
def test_command_that_does_not_come_to_its_end_says_so(
    error: BaseException,
    status: int,
    kept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(command, "Crash", fail)
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: str(tmp_path / "database"))
    (tmp_path / "database").mkdir()
    assert command.main(["crash"]) == status
    assert capsys.readouterr().err == ("chaos: it did not start\n" if kept else "")
    assert (tmp_path / "database").exists() == kept


@pytest.mark.parametrize("arguments", [["crash", "--kills", "0"], ["soak", "--minutes", "-1"], []])
def test_wrong_usage_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m tests.chaos" in capsys.readouterr().err
