"""Which thread does what: one leads as long as it gets on, and others help when it does not."""

import threading
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from greenlet import greenlet

from foreman.config import Settings
from foreman.db.sqlite import Database
from foreman.factory import create_app
from foreman.http.contract import costs_of
from foreman.server import dispatcher as module
from foreman.server.dispatcher import Dispatcher
from foreman.vocabulary import LONG, SHORT, WAITING
from tests.server.jobs import Begin, Job, Large, Long, Most, Sockets, Stuck, Waiting, happens
from tests.support.waiting import NEVER, PATIENCE, until


@pytest.fixture(params=[None, greenlet], ids=["jobs", "coroutines"])
def begin(begin: Begin, request: pytest.FixtureRequest) -> Begin:
    """The same of jobs that may wait for sockets, and do not."""
    return partial(begin, coroutine=request.param)


@pytest.fixture
def nobody_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No task ever takes too long."""
    monkeypatch.setattr(module, "HELD_UP", NEVER)


# The leader ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_helps")
@pytest.mark.parametrize("threads", [1, 4])
def test_tasks_are_done_in_the_order_in_which_they_came(begin: Begin, threads: int) -> None:
    order: list[int] = []
    tasks = [Job(lambda number=number: order.append(number)) for number in range(200)]  # type: ignore[misc]
    dispatcher = begin(threads, *tasks[:100])
    for task in tasks[100:]:
        dispatcher.add_task(task)
    assert all(happens(task.done) for task in tasks)
    assert order == list(range(200))


@pytest.mark.usefixtures("nobody_helps")
def test_one_thread_works_at_a_time_as_long_as_it_gets_on(begin: Begin) -> None:
    most = Most()
    tasks = [Job(most.visit) for _ in range(1000)]
    dispatcher = begin(8, *tasks[:200])

    def add(number: int) -> None:
        for task in tasks[200 + number :: 8]:
            dispatcher.add_task(task)

    adders = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for adder in adders:
        adder.start()
    assert all(happens(task.done) for task in tasks)
    assert most.seen == 1
    for adder in adders:
        adder.join(PATIENCE)


@pytest.mark.usefixtures("nobody_helps")
def test_every_task_is_done_also_when_the_threads_fall_asleep_after_each(begin: Begin) -> None:
    dispatcher = begin(4)
    for _ in range(300):
        task = Job()
        dispatcher.add_task(task)
        assert happens(task.done)


def test_tasks_from_many_threads_are_all_done(begin: Begin) -> None:
    dispatcher = begin(4)
    tasks = [[Job() for _ in range(200)] for _ in range(8)]

    def add(mine: list[Job]) -> None:
        for task in mine:
            dispatcher.add_task(task)
            dispatcher.do_later()

    adders = [threading.Thread(target=add, args=(mine,)) for mine in tasks]
    for adder in adders:
        adder.start()
    assert all(happens(task.done) for mine in tasks for task in mine)
    for adder in adders:
        adder.join(PATIENCE)


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_task_that_raises_does_not_end_its_thread(
    begin: Begin, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error("mine")

    failing, next_one = Job(fail), Job()
    begin(1, failing, next_one)
    assert happens(next_one.done)
    assert next_one.thread is failing.thread
    [record] = caplog.records
    assert record.exc_info
    assert isinstance(record.exc_info[1], error)


# Help for a leader that is held up ----------------------------------------------------------------------------------


def test_another_thread_goes_on_when_a_task_is_stuck(begin: Begin) -> None:
    stuck, next_one = Stuck(), Job()
    begin(2, stuck, next_one)
    assert happens(next_one.done)
    assert not stuck.done.is_set()
    assert next_one.thread is not stuck.thread


def test_another_thread_goes_on_with_what_comes_while_a_task_is_stuck(begin: Begin) -> None:
    stuck = Stuck()
    dispatcher = begin(2, stuck)
    assert happens(stuck.begun)
    for _ in range(20):
        task = Job()
        dispatcher.add_task(task)
        assert happens(task.done)
    assert not stuck.done.is_set()


def test_thread_that_helps_becomes_the_leader(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not hesitate before each of the next tasks, as it would if it only helped out."""
    most = Most()
    stuck = Stuck()
    first = Job(lambda: monkeypatch.setattr(module, "HELD_UP", NEVER))
    others = [Job(most.visit) for _ in range(100)]
    begin(4, stuck, first, *others)
    assert all(happens(task.done) for task in others)
    assert {task.thread for task in others} == {first.thread}
    assert most.seen == 1
    assert not stuck.done.is_set()


def test_old_leader_stands_by_when_it_is_free_again(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Stuck(), Stuck()
    dispatcher = begin(2, old, new)
    assert happens(new.begun)
    monkeypatch.setattr(module, "HELD_UP", NEVER)
    others = [Job() for _ in range(20)]
    for task in others:
        dispatcher.add_task(task)
    old.free()
    assert happens(old.done)
    until(lambda: dispatcher.active_count == 1)  # the other one sleeps
    assert not any(task.begun.is_set() for task in others)
    new.free()
    assert all(happens(task.done) for task in others)
    assert {task.thread for task in others} == {new.thread}


def test_old_leader_helps_in_its_turn(begin: Begin) -> None:
    old, new, last = Stuck(), Stuck(), Job()
    dispatcher = begin(2, old, new)
    assert happens(new.begun)
    dispatcher.add_task(last)
    old.free()
    assert happens(last.done)
    assert last.thread is old.thread
    assert not new.done.is_set()


def test_all_threads_but_one_may_be_stuck_one_after_another(begin: Begin) -> None:
    dispatcher = begin(4)
    stuck, others = [Stuck() for _ in range(3)], [Job() for _ in range(20)]
    for task in stuck:
        dispatcher.add_task(task)
        assert happens(task.begun)
    for each in others:
        dispatcher.add_task(each)
    assert all(happens(each.done) for each in others)
    assert not any(task.done.is_set() for task in stuck)


def test_all_threads_but_one_may_be_stuck_in_tasks_that_came_at_once(begin: Begin) -> None:
    stuck = [Stuck() for _ in range(3)]
    others = [Job() for _ in range(20)]
    begin(4, *stuck, *others)
    assert all(happens(each.done) for each in others)
    assert not any(task.done.is_set() for task in stuck)


def test_sleeping_threads_help_also_when_a_leader_is_stuck_in_the_midst_of_others(begin: Begin) -> None:
    """Nothing comes any more that could wake them up."""
    tasks: list[Job] = [Stuck() if number in (0, 5, 11) else Job() for number in range(20)]
    begin(4, *tasks)
    assert all(happens(task.done) for task in tasks if not isinstance(task, Stuck))


def test_what_waits_while_all_threads_are_stuck_is_done_when_one_is_free(begin: Begin) -> None:
    stuck = [Stuck(), Stuck()]
    dispatcher = begin(2, *stuck)
    assert all(happens(task.begun) for task in stuck)
    others = [Job() for _ in range(20)]
    for task in others:
        dispatcher.add_task(task)
    assert not any(task.begun.is_set() for task in others)
    stuck[1].free()
    assert all(happens(task.done) for task in others)
    assert not stuck[0].done.is_set()


# The event loop -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_helps")
def test_thread_that_receives_a_task_does_it(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_EVERY", NEVER)
    receivers: list[threading.Thread] = []
    tasks = [Job() for _ in range(50)]
    dispatcher = begin(4)
    with closing(Sockets(dispatcher)) as sockets:
        for task in tasks:
            sockets.happen(lambda: receivers.append(threading.current_thread()))
            sockets.receive(task)
            assert happens(task.done)
    assert {task.thread for task in tasks[1:]} == {tasks[-1].thread}
    assert receivers[-1] is tasks[-1].thread


@pytest.mark.parametrize("threads", [1, 4])
def test_events_are_handled_while_the_leader_is_stuck(begin: Begin, threads: int) -> None:
    stuck, handled = Stuck(), threading.Event()
    dispatcher = begin(threads)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(stuck)
        assert happens(stuck.begun)
        sockets.happen(handled.set)
        assert happens(handled)
        for _ in range(20):
            task = Job()
            sockets.receive(task)
            assert task.done.wait(0 if threads == 1 else PATIENCE) == (threads > 1)
        assert not stuck.done.is_set()
        stuck.free()


def test_tasks_are_done_while_the_leader_is_stuck_in_an_event(begin: Begin) -> None:
    """Such as a part of an upload that is written to a slow disk."""
    received, added = Job(), Job()
    dispatcher = begin(2)
    event = Stuck(lambda: dispatcher.add_task(received))
    with closing(Sockets(dispatcher)) as sockets:
        sockets.happen(event.service)
        assert happens(event.begun)
        assert happens(received.done)
        dispatcher.add_task(added)
        assert happens(added.done)
        assert not event.done.is_set()
        event.free()


def test_leader_that_is_free_again_does_what_others_add(begin: Begin) -> None:
    """Also if another thread still waits for events in its place."""
    dispatcher = begin(1)
    with closing(Sockets(dispatcher)) as sockets:
        for _ in range(5):
            stuck, handled, task = Stuck(), threading.Event(), Job()
            sockets.receive(stuck)
            assert happens(stuck.begun)
            sockets.happen(handled.set)
            assert happens(handled)
            time.sleep(0.02)  # usually enough for the other one to wait for events again,
            stuck.free()
            assert happens(stuck.done)
            time.sleep(0.02)  # and for the leader to find that out
            dispatcher.add_task(task)
            assert happens(task.done)


def test_tasks_received_at_once_are_done_while_the_first_is_stuck(begin: Begin) -> None:
    stuck, others = Stuck(), [Job() for _ in range(20)]
    dispatcher = begin(2)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(stuck, *others)
        assert all(happens(task.done) for task in others)
        assert not stuck.done.is_set()
        stuck.free()


@pytest.mark.usefixtures("nobody_helps")
def test_leader_that_waits_for_events_does_what_others_add(begin: Begin) -> None:
    called = threading.Event()
    dispatcher = begin(2, later=called.set)
    with closing(Sockets(dispatcher)):
        for _ in range(50):
            task = Job()
            dispatcher.add_task(task)
            assert happens(task.done)
        dispatcher.do_later()
        assert happens(called)


def test_leader_that_waits_for_events_begins_a_long_task_when_another_one_has_ended(begin: Begin) -> None:
    first, second = Long(), Long()
    dispatcher = begin(3)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(first, second)
        assert happens(first.begun)
        task = Job()
        sockets.receive(task)
        assert happens(task.done)
        assert not second.begun.is_set()
        first.free()
        assert happens(second.begun)
        second.free()


@pytest.mark.usefixtures("nobody_helps", "no_hurry")
def test_later_is_called_after_the_tasks_that_have_arrived_meanwhile(begin: Begin) -> None:
    order: list[str] = []
    called = threading.Event()

    def ask() -> None:
        dispatcher.do_later()
        order.append("task")

    def later() -> None:
        order.append("later")
        called.set()

    def ask_when_more_has_arrived() -> None:
        sockets.receive(Job(ask))
        ask()

    dispatcher = begin(1, later=later)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(Job(ask_when_more_has_arrived))
        assert happens(called)
    assert order == ["task", "task", "later"]


@pytest.mark.usefixtures("no_hurry")
def test_later_is_called_after_tasks_that_may_not_begin_yet(begin: Begin) -> None:
    order: list[str] = []
    called = threading.Event()

    def later() -> None:
        order.append("later")
        called.set()

    dispatcher = begin(2, later=later)
    first, second = Waiting(), Waiting(lambda: order.append("task"))
    second.free()
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(first)
        assert happens(first.begun)
        ask, another = Job(dispatcher.do_later), Job()
        sockets.receive(second, ask)
        assert happens(ask.done)
        sockets.receive(another)
        assert happens(another.done)
        first.free()
        assert happens(called)
    assert order == ["task", "later"]


@pytest.mark.usefixtures("nobody_helps")
def test_events_are_handled_although_there_are_always_tasks(begin: Begin) -> None:
    enough = threading.Event()

    def go_on() -> None:
        if not enough.is_set():
            dispatcher.add_task(Job(go_on))

    dispatcher = begin(1)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(Job(go_on))
        sockets.happen(enough.set)
        assert happens(enough)


def test_tasks_are_done_while_the_leader_is_stuck_after_the_loop_has_ended(begin: Begin) -> None:
    """As when the server stops: the thread that ran the loop no longer watches the leader."""
    dispatcher = begin(4)
    with closing(Sockets(dispatcher)) as sockets:
        until(lambda: dispatcher.active_count <= 1)
        brief = [Job(lambda: time.sleep(0.001)) for _ in range(20)]
        stuck, last = Stuck(), Job()
        sockets.receive(*brief[:10], Job(sockets.end), *brief[10:], stuck, last)
        assert happens(last.done)
        assert not stuck.done.is_set()
        stuck.free()


def test_leader_that_has_waited_for_events_is_not_held_up_when_they_come(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HELD_UP", "_LOOK_EVERY"):
        monkeypatch.setattr(module, name, 0.5)
    handlers: list[threading.Thread] = []
    task = Job()

    def handle() -> None:
        handlers.append(threading.current_thread())
        dispatcher.add_task(task)
        time.sleep(0.05)  # enough for others to step in

    dispatcher = begin(4)
    with closing(Sockets(dispatcher)) as sockets:
        until(lambda: dispatcher.active_count == 1)
        time.sleep(0.6)
        sockets.happen(handle)
        assert happens(task.done)
    assert handlers == [task.thread]


def test_no_thread_wakes_while_nothing_happens(begin: Begin) -> None:
    before = {thread.native_id for thread in threading.enumerate()}
    dispatcher = begin(4)
    with closing(Sockets(dispatcher)) as sockets:
        sockets.receive(Job())

        def switches() -> list[str]:
            mine = {thread.native_id for thread in threading.enumerate()} - before
            told = [Path(f"/proc/self/task/{thread}/status").read_text(encoding="ascii") for thread in mine]
            return sorted(line for text in told for line in text.splitlines() if "voluntary_ctxt_switches" in line)

        def are_asleep() -> bool:
            seen = switches()
            time.sleep(0.1)
            return seen == switches()

        until(are_asleep)


# What has time until later ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_helps", "no_hurry")
@pytest.mark.parametrize("threads", [1, 4])
def test_later_is_called_once_for_all_who_asked_and_after_the_tasks(begin: Begin, threads: int) -> None:
    order: list[str] = []
    called = threading.Event()

    def ask() -> None:
        dispatcher.do_later()
        order.append("task")

    def later() -> None:
        order.append("later")
        called.set()

    dispatcher = begin(0, *(Job(ask) for _ in range(5)), later=later)
    dispatcher.set_thread_count(threads)
    assert happens(called)
    until(lambda: dispatcher.active_count == 0)
    assert order == ["task"] * 5 + ["later"]
    called.clear()
    dispatcher.do_later()
    assert happens(called)
    until(lambda: dispatcher.active_count == 0)
    assert order == ["task"] * 5 + ["later"] * 2


def test_later_is_not_called_when_nobody_asks(begin: Begin) -> None:
    called = threading.Event()
    tasks = [Job() for _ in range(20)]
    dispatcher = begin(2, *tasks, later=called.set)
    assert all(happens(task.done) for task in tasks)
    until(lambda: dispatcher.active_count == 0)
    assert not called.is_set()


@pytest.mark.usefixtures("nobody_helps")
@pytest.mark.parametrize("threads", [1, 4])
def test_later_is_called_although_tasks_that_ask_for_it_keep_coming(
    begin: Begin, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POSTPONED", 0.1)
    called, enough = threading.Event(), threading.Event()

    def go_on() -> None:
        dispatcher.do_later()
        if not enough.is_set():
            dispatcher.add_task(Job(go_on))

    dispatcher = begin(threads, later=called.set)
    dispatcher.add_task(Job(go_on))
    assert happens(called)
    enough.set()


@pytest.mark.parametrize("waiting", [0, 20])
def test_later_is_called_while_the_leader_that_asked_for_it_is_stuck(begin: Begin, waiting: int) -> None:
    called = threading.Event()
    stuck, others = Stuck(lambda: dispatcher.do_later()), [Job() for _ in range(waiting)]
    dispatcher = begin(0, stuck, *others, later=called.set)
    dispatcher.set_thread_count(2)
    assert happens(called)
    assert all(happens(task.done) for task in others)
    assert not stuck.done.is_set()


def test_later_is_called_for_somebody_else_while_the_leader_is_stuck(begin: Begin) -> None:
    called, stuck = threading.Event(), Stuck()
    dispatcher = begin(2, stuck, later=called.set)
    assert happens(stuck.begun)
    for _ in range(20):
        dispatcher.do_later()
        assert happens(called)
        called.clear()
    assert not stuck.done.is_set()


def test_tasks_are_done_while_later_takes_long(begin: Begin) -> None:
    later = Stuck()
    dispatcher = begin(2, later=later.service)
    dispatcher.do_later()
    assert happens(later.begun)
    for _ in range(20):
        task = Job()
        dispatcher.add_task(task)
        assert happens(task.done)
    assert not later.done.is_set()


def test_who_asks_while_later_is_being_called_is_not_forgotten(begin: Begin) -> None:
    calls: list[int] = []
    twice = threading.Event()

    def later() -> None:
        calls.append(1)
        if len(calls) == 1:
            dispatcher.do_later()
        else:
            twice.set()

    dispatcher = begin(1, later=later)
    dispatcher.do_later()
    assert happens(twice)


def test_later_that_raises_is_called_again_and_ends_no_thread(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    called = threading.Event()

    def later() -> None:
        called.set()
        raise ValueError("mine")

    dispatcher = begin(1, later=later)
    for _ in range(2):
        called.clear()
        dispatcher.do_later()
        assert happens(called)
    task = Job()
    dispatcher.add_task(task)
    assert happens(task.done)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["mine", "mine"]


# The end ------------------------------------------------------------------------------------------------------------


def start(dispatcher: Dispatcher, count: int) -> list[threading.Thread]:
    before = set(threading.enumerate())
    dispatcher.set_thread_count(count)
    started = [each for each in threading.enumerate() if each not in before]
    assert len(started) == count
    return started


def end(threads: list[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(PATIENCE)
    return not any(thread.is_alive() for thread in threads)


@pytest.mark.usefixtures("nobody_helps")
def test_shutdown_ends_all_threads(begin: Begin) -> None:
    tasks = [Job() for _ in range(20)]
    dispatcher = begin(0, *tasks)
    threads = start(dispatcher, 4)
    assert all(happens(task.done) for task in tasks)
    dispatcher.shutdown(timeout=PATIENCE)
    assert end(threads)


@pytest.mark.usefixtures("nobody_helps")
def test_shutdown_gives_up_on_a_thread_that_is_stuck_and_cancels_what_nobody_has_begun(begin: Begin) -> None:
    stuck, others = Stuck(), [Job() for _ in range(3)]
    dispatcher = begin(0, stuck, *others)
    threads = start(dispatcher, 3)
    assert happens(stuck.begun)
    dispatcher.shutdown(timeout=0.01)
    assert [task.cancelled for task in others] == [True] * 3
    assert not stuck.done.is_set()
    stuck.free()
    assert end(threads)
    assert not any(task.begun.is_set() for task in others)


# Tasks that wait for each other -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_tasks_that_wait_for_each_other_leave_one_thread_to_those_that_do_not(begin: Begin, threads: int) -> None:
    waiting, others = [Waiting() for _ in range(threads + 1)], [Job() for _ in range(5)]
    begin(threads, *waiting, *others)
    assert all(happens(job.done) for job in others)
    until(lambda: sum(job.begun.is_set() for job in waiting) == threads - 1)
    for number, job in enumerate(waiting):  # each that ends lets the next one begin
        assert happens(job.begun)
        assert sum(job.begun.is_set() for job in waiting) <= number + threads - 1
        job.free()
    assert all(happens(job.done) for job in waiting)


def test_single_thread_does_tasks_that_may_wait_as_well(begin: Begin) -> None:
    waiting, other = Waiting(), Job()
    begin(1, waiting, other)
    assert happens(waiting.begun)
    waiting.free()
    assert happens(other.done)


# Long tasks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [3, 4, 6])
def test_long_tasks_leave_a_thread_to_those_that_wait_and_one_to_short_ones(begin: Begin, threads: int) -> None:
    long, waiting, others = [Long() for _ in range(threads)], [Waiting(), Waiting()], [Job() for _ in range(5)]
    begin(threads, *long, *waiting, *others)
    assert all(happens(job.done) for job in others)
    assert happens(waiting[0].begun)
    assert sum(job.begun.is_set() for job in long) == threads - 2
    assert not waiting[1].begun.is_set()
    for job in [*long, *waiting]:
        job.free()
    assert all(happens(job.done) for job in [*long, *waiting])


def test_tasks_that_wait_leave_no_thread_to_long_ones(begin: Begin) -> None:
    waiting, long, other = [Waiting(), Waiting(), Waiting()], Long(), Job()
    begin(4, *waiting, long, other)
    assert happens(other.done)
    assert all(happens(job.begun) for job in waiting)
    assert not long.begun.is_set()
    waiting[0].free()
    assert happens(long.begun)


@pytest.mark.parametrize("threads", [1, 2])
def test_few_threads_do_long_tasks_as_well(begin: Begin, threads: int) -> None:
    long, other = [Long(), Long()], Job()
    begin(threads, *long, other)
    assert happens(long[0].begun)
    assert other.done.wait(0 if threads == 1 else PATIENCE) == (threads == 2)
    assert not long[1].begun.is_set()
    long[0].free()
    assert happens(long[1].begun)
    long[1].free()
    assert happens(other.done)


# Large tasks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_one_large_task_is_done_at_a_time_and_the_others_go_on(begin: Begin, threads: int) -> None:
    large, others = [Large() for _ in range(3)], [Job() for _ in range(5)]
    begin(threads, *large, *others)
    for number, job in enumerate(large):
        assert happens(job.begun)
        if threads > 1:
            assert all(happens(other.done) for other in others)
        assert sum(job.begun.is_set() for job in large) == number + 1
        job.free()
    assert all(happens(job.done) for job in [*large, *others])


def test_large_task_that_raises_lets_the_next_one_begin(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("a task of a test")

    bad, good = Large(fail), Large()
    bad.free()
    begin(2, bad, good)
    assert happens(good.begun)
    assert "a task of a test" in caplog.text


@pytest.mark.parametrize("kind", [Stuck, Long])
def test_dispatcher_is_stuck_when_a_task_has_waited_long_for_a_thread(
    begin: Begin, monkeypatch: pytest.MonkeyPatch, kind: type[Stuck]
) -> None:
    monkeypatch.setattr(module, "_STUCK", 0.01)
    stuck, job = [kind(), Stuck()], kind()
    job.free()
    dispatcher = begin(2, *stuck)
    assert all(happens(each.begun) for each in stuck)
    assert not dispatcher.is_stuck()
    dispatcher.add_task(job)
    until(dispatcher.is_stuck)
    stuck[0].free()
    assert happens(job.done)
    assert not dispatcher.is_stuck()


def test_dispatcher_is_not_stuck_when_tasks_wait_for_each_other(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STUCK", -1.0)
    waiting = [Waiting(), Waiting()]
    dispatcher = begin(2, *waiting)
    assert happens(waiting[0].begun)
    assert not dispatcher.is_stuck()


def test_dispatcher_is_stuck_when_a_task_that_may_wait_finds_no_thread(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STUCK", -1.0)
    long = Long()
    dispatcher = begin(1, long, Waiting())
    assert happens(long.begun)
    assert dispatcher.is_stuck()


@pytest.mark.parametrize(
    ("method", "path", "cost"),
    [
        ("GET", "/api/v1/runs", SHORT),
        ("GET", "/api/v1/runs/1", SHORT),
        ("GET", "/api/v1/runs/1/data", LONG),
        ("HEAD", "/api/v1/runs/1/data", LONG),
        ("GET", "/api/v1/runs/1/data/2", SHORT),
        ("GET", "/api/v1/runs/1/2/data", SHORT),
        ("GET", "/data", SHORT),
        ("GET", "/ready", WAITING),
        ("GET", "/api/v1/ready", WAITING),
        ("GET", "/nothing/ready", SHORT),
        ("GET", "", SHORT),
        ("POST", "/api/v1/runs/1/data", WAITING),
        ("PATCH", "/nothing", WAITING),
    ],
)
def test_request_costs_what_its_endpoint_says(tmp_path: Path, method: str, path: str, cost: int) -> None:
    settings = Settings(database=str(tmp_path / "foreman.db"))
    with closing(Database(Path(settings.database))) as database:
        assert costs_of(create_app(settings, database))(method, path) == cost
