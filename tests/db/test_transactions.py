"""The database file under many threads and processes: the shared commit, snapshots, opening and closing."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from foreman.db.file import APPLICATION_ID, SCHEMA_VERSION, NotAForemanDatabase
from foreman.db.sqlite import Database
from foreman.db.transactions import Commit, Transaction
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite

connect = partial(sqlite3.connect, isolation_level=None)

Block = Callable[[Transaction], object]


class Watched(sqlite3.Connection):
    """A connection that remembers its statements, and fails to commit when told."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements: list[str] = []
        self.refusal: Exception | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT" and self.refusal:
            raise self.refusal
        self.statements.append(sql)
        return super().execute(sql, parameters)

    @property
    def commits(self) -> int:
        return self.statements.count("COMMIT")


class Turn:
    """The writer's lock, which tells when a thread is about to wait for it."""

    def __init__(self, database: Database) -> None:
        writer = database.write()
        self.lock, self.asked = writer._turn, threading.Semaphore(0)
        writer._turn = self  # type: ignore[assignment]

    def wait_until_asked(self) -> None:
        """Return when one more thread waits for the lock, or has it."""
        assert self.asked.acquire(timeout=PATIENCE)

    def acquire(self, blocking: bool = True) -> bool:
        if blocking or not self.lock.locked():
            self.asked.release()
        return self.lock.acquire(blocking)

    def release(self) -> None:
        self.lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "foreman.db"


@pytest.fixture
def database(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database with two tables: `note`, and `reference` to notes that is checked at the commit only."""
    with monkeypatch.context() as patched:
        patched.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Watched))
        database = Database(file)
    with database.write() as tx:
        tx.run("CREATE TABLE note (text TEXT NOT NULL PRIMARY KEY)")
        tx.run("CREATE TABLE reference (text TEXT NOT NULL REFERENCES note (text) DEFERRABLE INITIALLY DEFERRED)")
    watched(database).statements.clear()
    yield database
    database.close()


def watched(database: Database) -> Watched:
    connection = database.write()._connection
    assert isinstance(connection, Watched)
    return connection


def insert(text: str) -> Block:
    return lambda tx: tx.run("INSERT INTO note (text) VALUES (:text)", text=text)


def insert_and_raise(text: str, error: BaseException) -> Block:
    def block(tx: Transaction) -> None:
        insert(text)(tx)
        raise error

    return block


def insert_what_cannot_be_committed(tx: Transaction) -> None:
    tx.run("INSERT INTO reference (text) VALUES ('missing')")


def write(database: Database, block: Block) -> None:
    with database.write() as tx:
        block(tx)


def stored(file: Path) -> list[str]:
    """The notes that a process of its own would see now."""
    with closing(connect(file)) as other:
        return [text for (text,) in other.execute("SELECT text FROM note ORDER BY text")]


def in_thread(work: Callable[[], object]) -> Future[object]:
    future: Future[object] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def in_one_batch(database: Database, first: Block, *others: Block) -> list[BaseException | None]:
    """Run the blocks on a thread each, the first one ending when all the others wait; answer how each ended."""
    turn, all_wait = Turn(database), threading.Event()

    def hold(tx: Transaction) -> None:
        assert all_wait.wait(PATIENCE)
        first(tx)

    futures = []
    for block in (hold, *others):
        futures.append(in_thread(partial(write, database, block)))
        turn.wait_until_asked()
    all_wait.set()
    return [future.exception(PATIENCE) for future in futures]


# One commit for many ------------------------------------------------------------------------------------------------


def test_threads_that_wait_for_their_turn_share_one_commit(database: Database, file: Path) -> None:
    ends = in_one_batch(database, *(insert(f"{number:02}") for number in range(17)))
    assert ends == [None] * 17
    assert stored(file) == [f"{number:02}" for number in range(17)]
    assert watched(database).commits == 1


def test_writes_one_after_another_have_a_commit_each(database: Database, file: Path) -> None:
    for number in range(3):
        write(database, insert(str(number)))
        assert watched(database).commits == number + 1
        assert stored(file) == [str(each) for each in range(number + 1)]


def test_write_is_on_disk_when_its_block_has_been_left(database: Database, file: Path) -> None:
    seen: list[bool] = []

    def write_and_look(number: int) -> None:
        for turn in range(25):
            write(database, insert(f"{number}-{turn}"))
            seen.append(f"{number}-{turn}" in stored(file))

    futures = [in_thread(partial(write_and_look, number)) for number in range(8)]
    assert [future.exception(PATIENCE) for future in futures] == [None] * 8
    assert seen == [True] * 200
    assert len(stored(file)) == 200


def test_nobody_is_told_of_success_before_the_shared_commit(database: Database) -> None:
    turn = Turn(database)
    second_waits, second_is_inside, go_on = threading.Event(), threading.Event(), threading.Event()
    commits_when_told: list[int] = []

    def first(tx: Transaction) -> None:
        assert second_waits.wait(PATIENCE)
        insert("first")(tx)

    def second(tx: Transaction) -> None:
        second_is_inside.set()
        assert go_on.wait(PATIENCE)
        insert("second")(tx)

    def write_and_count(block: Block) -> None:
        write(database, block)
        commits_when_told.append(watched(database).commits)

    futures = []
    for block in (first, second):
        futures.append(in_thread(partial(write_and_count, block)))
        turn.wait_until_asked()
    second_waits.set()
    assert second_is_inside.wait(PATIENCE)  # the first block has been left, and the transaction is still open
    assert watched(database).commits == 0
    assert not futures[0].done()
    go_on.set()
    assert [future.exception(PATIENCE) for future in futures] == [None, None]
    assert commits_when_told == [1, 1]


# A block that raises ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number_that_raises", [0, 1, 2, 3])
def test_block_that_raises_rolls_back_only_itself(database: Database, file: Path, number_that_raises: int) -> None:
    error = ValueError("mine")
    blocks = [insert_and_raise(str(n), error) if n == number_that_raises else insert(str(n)) for n in range(4)]
    ends = in_one_batch(database, *blocks)
    assert ends == [error if n == number_that_raises else None for n in range(4)]
    assert stored(file) == [str(n) for n in range(4) if n != number_that_raises]
    assert watched(database).commits == 1


def test_many_blocks_that_raise_among_many_that_do_not(database: Database, file: Path) -> None:
    errors = [ValueError(number) for number in range(20)]
    blocks = [insert_and_raise(f"{n:02}", errors[n]) if n % 3 else insert(f"{n:02}") for n in range(20)]
    assert in_one_batch(database, *blocks) == [errors[n] if n % 3 else None for n in range(20)]
    assert stored(file) == [f"{n:02}" for n in range(20) if n % 3 == 0]
    assert watched(database).commits == 1


def test_last_in_line_commits_for_the_others_also_when_it_raises(database: Database, file: Path) -> None:
    error = ValueError("mine")
    assert in_one_batch(database, insert("first"), insert_and_raise("last", error)) == [None, error]
    assert stored(file) == ["first"]


def test_blocks_of_one_batch_see_what_earlier_ones_wrote_and_not_what_was_rolled_back(database: Database) -> None:
    seen: list[list[str]] = []

    def look(tx: Transaction) -> None:
        seen.append([text for (text,) in tx.all("SELECT text FROM note")])

    in_one_batch(database, insert("kept"), look)
    in_one_batch(database, insert_and_raise("gone", ValueError()), look)
    assert seen == [["kept"], ["kept"]]


@pytest.mark.parametrize("error", [ValueError, sqlite3.OperationalError, MemoryError, SystemExit, KeyboardInterrupt])
def test_thread_that_dies_inside_leaves_no_lock_and_no_changes(
    database: Database, file: Path, error: type[BaseException]
) -> None:
    died = in_thread(lambda: write(database, insert_and_raise("gone", error())))
    assert isinstance(died.exception(PATIENCE), error)
    assert in_thread(lambda: write(database, insert("next"))).exception(PATIENCE) is None
    assert stored(file) == ["next"]
    with closing(connect(file, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")  # the writer holds no lock on the file either


def test_failed_statement_rolls_back_what_the_block_did_before(database: Database, file: Path) -> None:
    write(database, insert("there"))

    def block(tx: Transaction) -> None:
        insert("before")(tx)
        insert("there")(tx)

    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        write(database, block)
    assert stored(file) == ["there"]


# A commit that fails ------------------------------------------------------------------------------------------------


def test_commit_that_fails_fails_every_member_and_stores_nothing(database: Database, file: Path) -> None:
    own_error = ValueError("mine")
    ends = in_one_batch(
        database,
        insert("a"),
        insert_what_cannot_be_committed,
        insert("b"),
        insert_and_raise("c", own_error),
        insert("d"),
    )
    failures = [ends[0], ends[1], ends[2], ends[4]]
    assert all(isinstance(end, sqlite3.OperationalError) for end in failures)
    assert all("FOREIGN KEY constraint failed" in str(end) for end in failures)
    assert len(set(map(id, failures))) == 4  # an error that is raised on two threads would mix their tracebacks
    assert ends[3] is own_error
    assert stored(file) == []
    write(database, insert("next"))
    assert stored(file) == ["next"]


@pytest.mark.parametrize("refusal", [sqlite3.OperationalError("disk I/O error"), MemoryError("out of memory")])
def test_commit_that_the_machine_refuses_fails_every_member_and_stores_nothing(
    database: Database, file: Path, refusal: Exception
) -> None:
    watched(database).refusal = refusal
    ends = in_one_batch(database, insert("a"), insert("b"), insert("c"))
    assert [str(end) for end in ends] == [f"commit failed: {refusal}"] * 3
    assert all(isinstance(end, sqlite3.OperationalError) for end in ends)
    assert stored(file) == []
    with pytest.raises(sqlite3.OperationalError, match=str(refusal)):
        write(database, insert("alone"))
    watched(database).refusal = None
    write(database, insert("next"))
    assert stored(file) == ["next"]


def test_batches_after_one_that_failed_are_not_blamed(database: Database, file: Path) -> None:
    for turn in range(3):
        ends = in_one_batch(database, insert(f"bad {turn}"), insert_what_cannot_be_committed)
        assert all(isinstance(end, sqlite3.OperationalError) for end in ends)
        assert in_one_batch(database, insert(f"good {turn}"), insert(f"too {turn}")) == [None, None]
    assert stored(file) == ["good 0", "good 1", "good 2", "too 0", "too 1", "too 2"]


# A transaction that SQLite rolls back by itself ---------------------------------------------------------------------


def roll_back_everything(tx: Transaction) -> None:
    tx.run("INSERT OR ROLLBACK INTO note (text) VALUES ('there')")


def test_rollback_of_the_whole_transaction_fails_the_earlier_members(database: Database, file: Path) -> None:
    write(database, insert("there"))
    ends = in_one_batch(database, insert("a"), roll_back_everything)
    assert isinstance(ends[0], sqlite3.OperationalError)
    assert isinstance(ends[1], sqlite3.IntegrityError)
    assert stored(file) == ["there"]
    assert in_one_batch(database, insert("b"), insert("c")) == [None, None]
    assert stored(file) == ["b", "c", "there"]


def test_rollback_of_the_whole_transaction_leaves_those_who_come_after_it_alone(database: Database, file: Path) -> None:
    write(database, insert("there"))
    ends = in_one_batch(database, roll_back_everything, insert("a"), insert("b"))
    assert isinstance(ends[0], sqlite3.IntegrityError)
    assert ends[1:] == [None, None]
    assert stored(file) == ["a", "b", "there"]


@pytest.mark.parametrize("earlier", [[], ["earlier"]])
def test_block_is_not_a_success_when_it_ignores_that_everything_was_rolled_back(
    database: Database, file: Path, earlier: list[str]
) -> None:
    write(database, insert("there"))

    def ignore(tx: Transaction) -> None:
        insert("a")(tx)
        with suppress(sqlite3.IntegrityError):
            roll_back_everything(tx)

    ends = in_one_batch(database, *map(insert, earlier), ignore)
    assert all(isinstance(end, sqlite3.OperationalError) for end in ends)
    assert stored(file) == ["there"]
    write(database, insert("next"))
    assert stored(file) == ["next", "there"]


def test_full_disk_fails_exactly_those_whose_changes_are_not_stored(database: Database, file: Path) -> None:
    with database.read() as view:
        pages = view.value("PRAGMA page_count")
    write(database, lambda tx: tx.run(f"PRAGMA max_page_count = {pages + 4}"))
    texts = ["early 0", "early 1", "large " * 20_000, "late 0", "late 1"]
    ends = in_one_batch(database, *map(insert, texts))
    assert isinstance(ends[2], sqlite3.OperationalError)
    assert stored(file) == [text for text, end in zip(texts, ends, strict=True) if end is None]
    write(database, lambda tx: tx.run("PRAGMA max_page_count = 1000000"))
    write(database, insert(texts[2]))
    assert texts[2] in stored(file)


# Threads that leave their blocks before the commit -------------------------------------------------------------------


def leave(database: Database, *blocks: Block) -> Commit:
    """Run the blocks as a request of the server would; answer the commit that decides about them."""
    writer = database.write()
    writer.defer()
    try:
        for block in blocks:
            write(database, block)
    finally:
        commit = writer.deferred()
    assert commit is not None
    return commit


def leave_in_thread(database: Database, *blocks: Block) -> Commit:
    commit = in_thread(partial(leave, database, *blocks)).result(PATIENCE)
    assert isinstance(commit, Commit)
    return commit


def test_deferring_thread_leaves_its_block_before_the_commit(database: Database, file: Path) -> None:
    commit = leave(database, insert("new"))
    assert not commit.decided.is_set()
    assert watched(database).commits == 0
    assert stored(file) == []
    with database.read() as view:
        assert view.value("SELECT count(*) FROM note") == 0
    database.write().commit()
    assert commit.decided.is_set()
    assert commit.error is None
    commit.check()
    assert watched(database).commits == 1
    assert stored(file) == ["new"]


def test_deferred_blocks_of_one_thread_and_of_others_share_one_commit(database: Database, file: Path) -> None:
    commits = [
        leave(database, insert("a"), insert("b")),
        leave(database, insert("c")),
        *(leave_in_thread(database, insert(text)) for text in "def"),
    ]
    assert len(set(commits)) == 1
    assert (watched(database).commits, stored(file)) == (0, [])
    database.write().commit()
    assert (watched(database).commits, stored(file)) == (1, list("abcdef"))


def test_deferring_threads_that_wait_for_their_turn_leave_the_commit_to_whoever_asks_for_it(
    database: Database, file: Path
) -> None:
    turn = Turn(database)
    with turn.lock:
        futures = [in_thread(partial(leave, database, insert(text))) for text in "abcd"]
        for _ in futures:
            turn.wait_until_asked()
    assert len({future.result(PATIENCE) for future in futures}) == 1
    assert (watched(database).commits, stored(file)) == (0, [])
    database.write().commit()
    assert (watched(database).commits, stored(file)) == (1, list("abcd"))


def test_blocks_after_a_commit_wait_for_the_next_one(database: Database, file: Path) -> None:
    first = leave(database, insert("a"))
    database.write().commit()
    second = leave(database, insert("b"))
    assert second is not first
    assert not second.decided.is_set()
    assert stored(file) == ["a"]
    database.write().commit()
    assert second.decided.is_set()
    assert stored(file) == ["a", "b"]


def test_later_block_sees_what_earlier_ones_left_uncommitted(database: Database) -> None:
    seen: list[list[str]] = []
    leave(database, insert("a"))
    leave_in_thread(database, lambda tx: seen.append([text for (text,) in tx.all("SELECT text FROM note")]))
    assert seen == [["a"]]


def test_commit_without_anything_left_open_does_nothing(database: Database) -> None:
    database.write().commit()
    assert watched(database).statements == []


def test_commit_waits_for_the_block_under_way_and_takes_it_along(database: Database, file: Path) -> None:
    turn, go_on = Turn(database), threading.Event()

    def hold(tx: Transaction) -> None:
        insert("under way")(tx)
        assert go_on.wait(PATIENCE)

    leaving = in_thread(partial(leave, database, hold))
    turn.wait_until_asked()
    committing = in_thread(database.write().commit)
    turn.wait_until_asked()
    assert watched(database).commits == 0
    go_on.set()
    assert committing.exception(PATIENCE) is None
    commit = leaving.result(PATIENCE)
    assert isinstance(commit, Commit)
    assert commit.decided.is_set()
    assert stored(file) == ["under way"]


@pytest.mark.usefixtures("database")
def test_closing_commits_what_was_left_open(file: Path) -> None:
    database = Database(file)
    commit = leave(database, insert("kept"))
    assert stored(file) == []
    database.close()
    assert commit.decided.is_set()
    assert commit.error is None
    assert stored(file) == ["kept"]


def test_there_is_no_commit_to_wait_for_when_no_block_was_left(database: Database) -> None:
    writer = database.write()
    assert writer.deferred() is None
    writer.defer()
    assert writer.deferred() is None
    leave(database, insert("a"))
    assert writer.deferred() is None
    writer.defer()
    assert writer.deferred() is None


def test_thread_waits_again_after_it_asked_for_the_commit(database: Database, file: Path) -> None:
    commit = leave(database, insert("a"))
    write(database, insert("b"))
    assert stored(file) == ["a", "b"]
    assert commit.decided.is_set()


def test_other_threads_wait_while_one_defers(database: Database, file: Path) -> None:
    database.write().defer()
    assert in_thread(lambda: write(database, insert("a"))).exception(PATIENCE) is None
    assert stored(file) == ["a"]
    assert database.write().deferred() is None


@pytest.mark.parametrize("refusal", [None, sqlite3.OperationalError("disk I/O error")])
def test_callbacks_are_called_once_and_on_the_thread_that_commits(
    database: Database, file: Path, refusal: Exception | None
) -> None:
    calls: list[tuple[str, threading.Thread, bool, Exception | None, list[str]]] = []
    commit = leave(database, insert("new"))

    def callback(name: str) -> None:
        turn_is_free = in_thread(database.write().commit).exception(PATIENCE) is None
        assert turn_is_free
        calls.append((name, threading.current_thread(), commit.decided.is_set(), commit.error, stored(file)))

    commit.then(partial(callback, "first"))
    commit.then(partial(callback, "second"))
    assert calls == []
    watched(database).refusal = refusal

    def work() -> threading.Thread:
        database.write().commit()
        return threading.current_thread()

    committer = in_thread(work).result(PATIENCE)
    here = threading.current_thread()
    commit.then(partial(callback, "late"))
    outcome = (True, refusal, [] if refusal else ["new"])
    told = [("first", committer, *outcome), ("second", committer, *outcome), ("late", here, *outcome)]
    assert calls == told
    watched(database).refusal = None
    leave(database, insert("next"))
    database.write().commit()
    assert calls == told


@pytest.mark.parametrize("error", [None, sqlite3.OperationalError("disk I/O error")])
def test_callback_that_comes_while_the_others_are_told_sees_how_it_ended(error: Exception | None) -> None:
    """Else a request that is a moment late would be answered as a success though nothing is stored."""
    commit, seen = Commit(), []

    class Lock:
        """The commit's lock; somebody else's callback comes right when it is released for the first time."""

        def __init__(self) -> None:
            self.lock, self.late = commit._lock, [lambda: seen.append((commit.decided.is_set(), commit.error))]

        def __enter__(self) -> None:
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()
            while self.late:
                commit.then(self.late.pop())

    commit._lock = Lock()  # type: ignore[assignment]
    commit.decide(error)
    assert seen == [(True, error)]


def test_every_write_is_on_disk_when_its_callback_is_called(database: Database, file: Path) -> None:
    writer = database.write()
    seen: list[bool] = []

    def look(text: str) -> None:
        seen.append(text in stored(file))

    def leave_often(number: int) -> None:
        for turn in range(25):
            text = f"{number}-{turn}"
            writer.defer()
            write(database, insert(text))
            commit = writer.deferred()
            if commit is None:  # another thread has committed it already
                look(text)
            else:
                commit.then(partial(look, text))
            if turn % 3 == 0 or turn == 24:
                writer.commit()  # also for the threads that wait: whoever defers sees to it

    def write_often(number: int) -> None:
        for turn in range(25):
            text = f"{number}-{turn}"
            write(database, insert(text))
            look(text)

    futures = [in_thread(partial((leave_often, write_often)[number % 2], number)) for number in range(8)]
    assert [future.exception(PATIENCE) for future in futures] == [None] * 8
    assert seen == [True] * 200
    assert len(stored(file)) == 200


def test_block_of_a_thread_that_waits_commits_for_those_that_defer(database: Database, file: Path) -> None:
    commit = leave(database, insert("deferred"))
    write(database, insert("waited"))
    assert commit.decided.is_set()
    assert commit.error is None
    assert stored(file) == ["deferred", "waited"]
    assert watched(database).commits == 1


def test_block_of_a_thread_that_waits_commits_for_those_that_defer_also_when_it_raises(
    database: Database, file: Path
) -> None:
    commit = leave(database, insert("deferred"))
    with pytest.raises(ValueError, match="mine"):
        write(database, insert_and_raise("gone", ValueError("mine")))
    assert commit.decided.is_set()
    assert commit.error is None
    assert stored(file) == ["deferred"]


@pytest.mark.parametrize("refusal", [None, sqlite3.OperationalError("disk I/O error")])
def test_thread_that_waits_is_told_by_the_commit_that_a_deferring_one_left_to_others(
    database: Database, file: Path, refusal: Exception | None
) -> None:
    turn, other_waits = Turn(database), threading.Event()
    statements_when_told: list[str] = []

    def hold(tx: Transaction) -> None:
        assert other_waits.wait(PATIENCE)
        insert("waited")(tx)

    def write_and_tell() -> None:
        try:
            write(database, hold)
        finally:
            statements_when_told.extend(watched(database).statements)

    waiting = in_thread(write_and_tell)
    turn.wait_until_asked()
    deferring = in_thread(partial(leave, database, insert("deferred")))
    turn.wait_until_asked()
    other_waits.set()
    commit = deferring.result(PATIENCE)
    assert isinstance(commit, Commit)
    assert not commit.decided.is_set()
    assert not waiting.done()
    assert stored(file) == []
    watched(database).refusal = refusal
    database.write().commit()
    assert str(waiting.exception(PATIENCE)) == (f"commit failed: {refusal}" if refusal else "None")
    assert ("ROLLBACK" if refusal else "COMMIT") in statements_when_told
    assert commit.error is refusal
    assert stored(file) == ([] if refusal else ["deferred", "waited"])


def test_first_block_that_raises_in_a_deferring_thread_leaves_nothing_open(database: Database, file: Path) -> None:
    writer = database.write()
    writer.defer()
    with pytest.raises(ValueError, match="mine"):
        write(database, insert_and_raise("gone", ValueError("mine")))
    assert writer.deferred() is None
    with closing(connect(file, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody holds a lock on the file
    write(database, insert("next"))
    assert stored(file) == ["next"]


@pytest.mark.parametrize("refusal", [None, sqlite3.OperationalError("disk I/O error")])
def test_block_that_raises_after_others_undoes_only_itself_and_waits_for_their_commit(
    database: Database, file: Path, refusal: Exception | None
) -> None:
    """Its error may come from what the others wrote, such as a duplicate of it, which may never be stored."""
    writer = database.write()
    commit = leave_in_thread(database, insert("a"))
    writer.defer()
    with pytest.raises(sqlite3.IntegrityError):
        write(database, lambda tx: (insert("gone")(tx), insert("a")(tx)))
    assert writer.deferred() is commit
    assert leave_in_thread(database, insert("b")) is commit
    assert not commit.decided.is_set()
    watched(database).refusal = refusal
    writer.commit()
    assert commit.error is refusal
    assert stored(file) == ([] if refusal else ["a", "b"])


def test_second_block_of_a_thread_that_raises_keeps_the_first(database: Database, file: Path) -> None:
    writer = database.write()
    writer.defer()
    write(database, insert("kept"))
    with pytest.raises(ValueError, match="mine"):
        write(database, insert_and_raise("gone", ValueError("mine")))
    commit = writer.deferred()
    assert commit is not None
    writer.commit()
    assert commit.error is None
    assert stored(file) == ["kept"]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, MemoryError])
def test_deferring_thread_that_dies_inside_leaves_no_lock_and_no_changes(
    database: Database, file: Path, error: type[BaseException]
) -> None:
    commit = leave(database, insert("kept"))
    died = in_thread(lambda: leave(database, insert_and_raise("gone", error())))
    assert isinstance(died.exception(PATIENCE), error)
    assert leave_in_thread(database, insert("next")) is commit
    database.write().commit()
    assert stored(file) == ["kept", "next"]


def test_deferred_commit_that_fails_tells_everybody_and_stores_nothing(database: Database, file: Path) -> None:
    told: list[Exception | None] = []

    def tell(commit: Commit) -> None:
        told.append(commit.error)

    blocks = [insert("a"), insert_what_cannot_be_committed, insert("b")]
    commits = [leave_in_thread(database, block) for block in blocks]
    for each in commits:
        each.then(partial(tell, each))
    database.write().commit()
    assert len(told) == 3
    assert all("FOREIGN KEY constraint failed" in str(error) for error in told)
    failures = []
    for each in commits:
        with pytest.raises(sqlite3.OperationalError, match="commit failed: FOREIGN KEY") as failure:
            each.check()
        failures.append(failure.value)
    assert len(set(map(id, failures))) == 3
    assert stored(file) == []
    commit = leave(database, insert("next"))
    database.write().commit()
    assert commit.error is None
    assert stored(file) == ["next"]


@pytest.mark.parametrize("refusal", [sqlite3.OperationalError("disk I/O error"), MemoryError("out of memory")])
def test_deferred_commit_that_the_machine_refuses_leaves_nothing_open(
    database: Database, file: Path, refusal: Exception
) -> None:
    commit = leave(database, insert("a"), insert("b"))
    watched(database).refusal = refusal
    database.write().commit()
    assert commit.error is refusal
    watched(database).refusal = None
    with closing(connect(file, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
    write(database, insert("next"))
    assert stored(file) == ["next"]


def test_thread_learns_in_its_next_block_that_the_one_before_is_not_stored(database: Database, file: Path) -> None:
    writer = database.write()
    writer.defer()
    write(database, insert("lost"))
    watched(database).refusal = sqlite3.OperationalError("disk I/O error")
    writer.commit()
    watched(database).refusal = None
    meanwhile = leave_in_thread(database, insert("somebody else's"))
    entered: list[Transaction] = []
    with pytest.raises(sqlite3.OperationalError, match="commit failed: disk I/O error"):
        write(database, entered.append)
    assert entered == []
    commit = writer.deferred()
    assert commit is not None
    assert str(commit.error) == "disk I/O error"
    writer.commit()
    assert meanwhile.error is None
    assert stored(file) == ["somebody else's"]
    leave(database, insert("the thread's next request"))
    writer.commit()
    assert stored(file) == ["somebody else's", "the thread's next request"]


def test_thread_goes_on_when_the_block_before_was_committed_meanwhile(database: Database, file: Path) -> None:
    writer = database.write()
    writer.defer()
    write(database, insert("a"))
    writer.commit()
    write(database, insert("b"))
    commit = writer.deferred()
    assert commit is not None
    assert not commit.decided.is_set()
    assert stored(file) == ["a"]
    writer.commit()
    assert commit.error is None
    assert stored(file) == ["a", "b"]


def test_rollback_of_the_whole_transaction_fails_the_blocks_that_were_left_open(database: Database, file: Path) -> None:
    write(database, insert("there"))
    told: list[Exception | None] = []
    commit = leave_in_thread(database, insert("a"))
    commit.then(lambda: told.append(commit.error))
    with pytest.raises(sqlite3.IntegrityError):
        leave(database, roll_back_everything)
    assert len(told) == 1
    assert isinstance(told[0], sqlite3.OperationalError)
    assert stored(file) == ["there"]
    assert leave(database, insert("next")) is not commit
    database.write().commit()
    assert stored(file) == ["next", "there"]


@pytest.mark.parametrize("earlier", [[], ["earlier"]])
def test_deferred_block_is_not_a_success_when_it_ignores_that_everything_was_rolled_back(
    database: Database, file: Path, earlier: list[str]
) -> None:
    write(database, insert("there"))
    commits = [leave_in_thread(database, insert(text)) for text in earlier]

    def ignore(tx: Transaction) -> None:
        insert("a")(tx)
        with suppress(sqlite3.IntegrityError):
            roll_back_everything(tx)

    with pytest.raises(sqlite3.OperationalError):
        leave(database, ignore)
    assert all(commit.error for commit in commits)
    database.write().commit()
    assert stored(file) == ["there"]


def test_full_disk_fails_exactly_those_deferred_blocks_whose_changes_are_not_stored(
    database: Database, file: Path
) -> None:
    with database.read() as view:
        pages = view.value("PRAGMA page_count")
    write(database, lambda tx: tx.run(f"PRAGMA max_page_count = {pages + 4}"))
    texts = ["early 0", "early 1", "large " * 20_000, "late 0", "late 1"]
    commits: dict[str, Commit] = {}
    for text in texts:
        with suppress(sqlite3.OperationalError):
            commits[text] = leave(database, insert(text))
    database.write().commit()
    assert texts[2] not in commits
    assert stored(file) == [text for text, commit in commits.items() if commit.error is None]
    write(database, lambda tx: tx.run("PRAGMA max_page_count = 1000000"))


# Another process ----------------------------------------------------------------------------------------------------


def test_lock_of_another_process_fails_writes_until_it_is_gone(database: Database, file: Path) -> None:
    write(database, lambda tx: tx.run("PRAGMA busy_timeout = 1"))
    entered: list[Transaction] = []
    with closing(connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        futures = [in_thread(lambda: write(database, entered.append)) for _ in range(8)]
        ends = [future.exception(PATIENCE) for future in futures]
        assert [str(end) for end in ends] == ["database is locked"] * 8
        assert all(isinstance(end, sqlite3.OperationalError) for end in ends)
        assert entered == []
        with database.read() as view:
            assert view.value("SELECT count(*) FROM note") == 0
        other.execute("ROLLBACK")
    assert in_one_batch(database, insert("a"), insert("b")) == [None, None]
    assert stored(file) == ["a", "b"]


def test_write_waits_for_the_lock_of_another_process(database: Database, file: Path) -> None:
    with closing(connect(file, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO note (text) VALUES ('theirs')")
        begins = threading.Event()
        watched(database).set_trace_callback(lambda sql: begins.set() if sql == "BEGIN IMMEDIATE" else None)
        future = in_thread(lambda: write(database, insert("ours")))
        begins.wait(PATIENCE)
        assert not future.done()
        other.execute("COMMIT")
        assert future.exception(PATIENCE) is None
    assert stored(file) == ["ours", "theirs"]


def test_two_servers_on_one_file_lose_nothing(database: Database, file: Path) -> None:
    def write_often(server: Database, number: int) -> None:
        for turn in range(25):
            write(server, insert(f"{number}-{turn}"))

    with closing(Database(file)) as second:
        futures = [in_thread(partial(write_often, each, n)) for n, each in enumerate([database, second] * 3)]
        assert [future.exception(PATIENCE) for future in futures] == [None] * 6
    assert len(stored(file)) == 150


WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from foreman.db.sqlite import Database

database = Database(Path(sys.argv[1]))
for number in range(1_000_000):
    with database.write() as tx:
        tx.run("INSERT INTO note (text) VALUES (:text)", text=f"{number:06}")
    print(number, flush=True)
    if number == 20:
        with database.write() as tx:
            tx.run("INSERT INTO note (text) VALUES ('unfinished')")
            print("inside", flush=True)
            sys.stdin.read()
"""


@pytest.mark.parametrize("durability", ["full", "normal"])
def test_acknowledged_writes_survive_a_killed_process(database: Database, file: Path, durability: str) -> None:
    script = WRITE_UNTIL_KILLED.replace("Path(sys.argv[1])", f"Path(sys.argv[1]), {durability!r}")
    with subprocess.Popen(
        [sys.executable, "-c", script, file], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line.strip())
            if told[-1] == "inside":
                process.kill()
    assert told == [*(str(number) for number in range(21)), "inside"]
    assert stored(file) == [f"{number:06}" for number in range(21)]
    write(database, insert("next"))  # the killed process has left no lock
    with database.read() as view:
        assert view.value("PRAGMA integrity_check") == "ok"


# Reading ------------------------------------------------------------------------------------------------------------


def test_readers_do_not_wait_for_a_writer_and_do_not_see_what_is_not_committed(database: Database) -> None:
    with database.write() as tx:
        insert("new")(tx)
        with database.read() as view:
            assert view.value("SELECT count(*) FROM note") == 0
        assert database.one("SELECT 1 FROM note") is None
    with database.read() as view:
        assert view.value("SELECT count(*) FROM note") == 1


def test_reader_sees_one_unchanging_view_whatever_writers_do_meanwhile(database: Database) -> None:
    write(database, insert("old"))
    with database.read() as view:
        assert view.value("SELECT count(*) FROM note") == 1
        for number in range(3):
            write(database, insert(str(number)))  # which does not wait for the reader
        write(database, lambda tx: tx.run("DELETE FROM note WHERE text = 'old'"))
        assert [text for (text,) in view.all("SELECT text FROM note")] == ["old"]
    with database.read() as view:
        assert [text for (text,) in view.all("SELECT text FROM note ORDER BY text")] == ["0", "1", "2"]


def test_threads_read_side_by_side_each_its_own_view(database: Database) -> None:
    together = threading.Barrier(4)

    def read() -> int:
        with database.read() as view:
            before = view.value("SELECT count(*) FROM note")
            together.wait(PATIENCE)  # all four are inside
            together.wait(PATIENCE)
            assert view.value("SELECT count(*) FROM note") == before
        with database.read() as view:
            count: int = view.value("SELECT count(*) FROM note")
            return count

    futures = [in_thread(read) for _ in range(3)]
    together.wait(PATIENCE)
    write(database, insert("new"))
    together.wait(PATIENCE)
    assert [future.result(PATIENCE) for future in futures] == [1, 1, 1]


def test_reader_cannot_write(database: Database, file: Path) -> None:
    with database.read() as view, pytest.raises(sqlite3.OperationalError, match="readonly"):
        insert("smuggled")(view)
    assert stored(file) == []


def test_reader_goes_on_after_an_error_inside(database: Database) -> None:
    with pytest.raises(ValueError, match="mine"), database.read():
        raise ValueError("mine")
    with pytest.raises(sqlite3.OperationalError, match="no such table"), database.read() as view:
        view.one("SELECT 1 FROM missing")
    write(database, insert("new"))
    with database.read() as view:
        assert view.value("SELECT count(*) FROM note") == 1


# Opening and closing ------------------------------------------------------------------------------------------------


def count_one_run(org_id: str) -> Block:
    sql = "INSERT INTO run_count (org_id, status, runs) VALUES (:org_id, 'pending', 1)"
    return lambda tx: tx.run(sql, org_id=org_id)


def organisations(file: Path) -> list[str]:
    with closing(connect(file)) as other:
        return [org_id for (org_id,) in other.execute("SELECT org_id FROM run_count ORDER BY org_id")]


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_connections_are_set_up_as_promised(file: Path, durability: str, synchronous: int) -> None:
    with closing(Database(file, durability)) as database:
        for block in (database.write(), database.read()):
            with block as tx:
                assert tx.value("PRAGMA synchronous") == synchronous
                assert tx.value("PRAGMA foreign_keys") == 1
                assert tx.value("PRAGMA journal_mode") == "wal"
                assert tx.value("PRAGMA busy_timeout") >= 1000


def test_file_says_what_it_is(file: Path) -> None:
    Database(file).close()
    header = file.read_bytes()[:100]
    assert int.from_bytes(header[68:72]) == APPLICATION_ID
    assert int.from_bytes(header[60:64]) == SCHEMA_VERSION


def test_closing_folds_the_log_into_the_file(file: Path, tmp_path: Path) -> None:
    database = Database(file)
    write(database, lambda tx: tx.run("CREATE TABLE note (text TEXT)"))
    write(database, insert("kept"))
    assert Path(f"{file}-wal").stat().st_size > 0
    for read in (lambda: database.one("SELECT 1 FROM note"), database.read):  # connections of two other threads
        in_thread(read).result(PATIENCE)
    database.close()
    assert [each.name for each in tmp_path.iterdir()] == [file.name]
    assert stored(file) == ["kept"]


def test_closing_succeeds_when_the_log_cannot_be_folded_into_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if "wal_checkpoint" in sql:
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, parameters)

    monkeypatch.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Full))
    with closing(Database(file)) as database:
        write(database, lambda tx: tx.run("CREATE TABLE note (text TEXT)"))
        write(database, insert("kept"))
    assert stored(file) == ["kept"]


def test_what_was_written_is_there_when_the_file_is_opened_again(file: Path) -> None:
    for number in range(3):
        with closing(Database(file)) as database:
            with database.read() as view:
                assert view.value("SELECT count(*) FROM run_count") == number
            with database.write() as tx:
                tx.run(
                    "INSERT INTO run_count (org_id, status, runs) VALUES (:org_id, 'pending', 1)", org_id=str(number)
                )


def test_empty_file_becomes_a_database(file: Path) -> None:
    file.touch()
    Database(file).close()
    assert int.from_bytes(file.read_bytes()[68:72]) == APPLICATION_ID


def other_database(file: Path) -> None:
    with closing(connect(file)) as other:
        other.execute("CREATE TABLE theirs (text TEXT)")


def newer_foreman(file: Path) -> None:
    Database(file).close()
    with closing(connect(file)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda file: file.write_text("Dear diary,\n"), "is not a Foreman database"),
        (lambda file: file.write_bytes(b"\0" * 4096), "is not a Foreman database"),
        (lambda file: file.write_bytes(b"SQLite format 3\0"), "is not a Foreman database"),
        (lambda file: file.write_bytes(b"SQLite format 3\0" + b"\1" * 4080), "is not a Foreman database"),
        (other_database, "is not a Foreman database"),
        (newer_foreman, f"has schema version {SCHEMA_VERSION + 1}, from a newer Foreman"),
    ],
)
def test_file_of_somebody_else_is_refused_and_stays_untouched(
    file: Path, make: Callable[[Path], object], says: str
) -> None:
    make(file)
    before = file.read_bytes()
    with pytest.raises(NotAForemanDatabase, match=says) as refused:
        Database(file)
    assert str(file) in str(refused.value)
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_newer_version_that_is_only_in_the_log_yet_is_refused(file: Path) -> None:
    Database(file).close()
    with closing(connect(file)) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        before = file.read_bytes()
        assert int.from_bytes(before[60:64]) == SCHEMA_VERSION
        with pytest.raises(NotAForemanDatabase, match="newer Foreman"):
            Database(file)
        assert file.read_bytes() == before
        assert newer.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION + 1,)


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAForemanDatabase, match="is a directory"):
        Database(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_directory_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotAForemanDatabase, match="does not exist"):
        Database(tmp_path / "missing" / "foreman.db")
    assert list(tmp_path.iterdir()) == []


def test_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotAForemanDatabase):
        Database(tmp_path / "file" / "foreman.db")


def test_creation_that_was_cut_off_begins_anew(file: Path) -> None:
    with closing(connect(file)) as killed:
        killed.execute("PRAGMA auto_vacuum = INCREMENTAL")  # writes the file's first page
    assert file.stat().st_size > 0
    Database(file).close()
    assert int.from_bytes(file.read_bytes()[68:72]) == APPLICATION_ID


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA auto_vacuum",
        "BEGIN IMMEDIATE",
        "CREATE TABLE run_data",
        "PRAGMA user_version",
        "COMMIT",
        "PRAGMA journal",
    ],
)
def test_second_server_may_start_while_the_first_creates_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    reached, second_is_done = threading.Event(), threading.Event()

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            if statement in sql and not reached.is_set():
                reached.set()
                second_is_done.wait(0.2)  # or it waits for us
            return super().execute(sql, parameters)

    def open_and_write(org_id: str) -> None:
        with closing(Database(file)) as database:
            write(database, count_one_run(org_id))

    monkeypatch.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Slow))
    first = in_thread(partial(open_and_write, "first"))
    assert reached.wait(PATIENCE)
    second = in_thread(partial(open_and_write, "second"))
    second.add_done_callback(lambda _: second_is_done.set())
    assert [first.exception(PATIENCE), second.exception(PATIENCE)] == [None, None]
    assert organisations(file) == ["first", "second"]


@pytest.mark.parametrize("attempt", range(10))
def test_several_servers_may_create_the_same_file_at_once(file: Path, attempt: int) -> None:
    together = threading.Barrier(4)

    def start(org_id: str) -> None:
        together.wait(PATIENCE)
        with closing(Database(file)) as database:
            write(database, count_one_run(org_id))

    futures = [in_thread(partial(start, str(number))) for number in range(4)]
    assert [future.exception(PATIENCE) for future in futures] == [None] * 4, attempt
    assert organisations(file) == ["0", "1", "2", "3"]
    with closing(connect(file)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert other.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
