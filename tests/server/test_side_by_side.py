"""Jobs that spend most of their time waiting: as many at a time as there are threads, and none of them leads."""

import threading
import time
from contextlib import closing
from functools import partial

import pytest

from foreman.server import dispatcher as module
from foreman.server.dispatcher import Dispatcher
from tests.server.jobs import Begin as BeginAnyhow
from tests.server.jobs import Job, Large, Long, Most, Sockets, Stuck, Waiting, happens
from tests.support.waiting import NEVER, until


@pytest.fixture
def begin(begin: BeginAnyhow) -> BeginAnyhow:
    """`begin(threads, *tasks, later=...)`: a dispatcher whose jobs run side by side."""
    return partial(begin, side_by_side=True)


# Threads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_as_many_jobs_run_at_a_time_as_there_are_threads(begin: BeginAnyhow, threads: int) -> None:
    jobs = [Stuck() for _ in range(threads + 1)]
    begin(threads, *jobs)
    assert all(happens(job.begun) for job in jobs[:-1])
    assert not jobs[-1].begun.is_set()
    assert len({job.thread for job in jobs[:-1]}) == threads
    jobs[0].free()
    assert happens(jobs[-1].begun)
    assert jobs[-1].thread is jobs[0].thread


def test_no_job_waits_until_another_one_has_taken_long(begin: BeginAnyhow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_UP", NEVER)
    dispatcher = begin(4)
    for _ in range(3):
        stuck = Stuck()
        dispatcher.add_task(stuck)
        assert happens(stuck.begun)
    job = Job()
    dispatcher.add_task(job)
    assert happens(job.done)


def test_jobs_begin_in_the_order_in_which_they_came(begin: BeginAnyhow) -> None:
    order: list[int] = []
    jobs = [Job(partial(order.append, number)) for number in range(200)]
    dispatcher = begin(1, *jobs[:100])
    for job in jobs[100:]:
        dispatcher.add_task(job)
    assert all(happens(job.done) for job in jobs)
    assert order == list(range(200))


def test_every_job_is_done_also_when_the_threads_fall_asleep_after_each(begin: BeginAnyhow) -> None:
    dispatcher = begin(4)
    for _ in range(300):
        job = Job()
        dispatcher.add_task(job)
        assert happens(job.done)


def test_jobs_from_many_threads_are_all_done_and_each_once(begin: BeginAnyhow) -> None:
    dispatcher = begin(4)
    lock, times = threading.Lock(), dict[int, int]()

    def count(number: int) -> None:
        time.sleep(0)  # let others run
        with lock:
            times[number] = times.get(number, 0) + 1

    jobs = [Job(partial(count, number)) for number in range(1600)]

    def add(mine: list[Job]) -> None:
        for job in mine:
            dispatcher.add_task(job)

    adders = [threading.Thread(target=add, args=(jobs[number::8],)) for number in range(8)]
    for adder in adders:
        adder.start()
    assert all(happens(job.done) for job in jobs)
    for adder in adders:
        adder.join()
    assert times == dict.fromkeys(range(1600), 1)


def test_threads_that_have_nothing_to_do_sleep(begin: BeginAnyhow) -> None:
    """None looks after another one now and then."""
    stuck = Stuck()
    dispatcher = begin(4, stuck)
    assert happens(stuck.begun)
    until(lambda: dispatcher.active_count == 1)
    woken = Most()

    def wait(timeout: float | None = None) -> bool:
        with woken.visited():
            return original(timeout)

    original, dispatcher._something.wait = dispatcher._something.wait, wait  # type: ignore[method-assign]
    time.sleep(module.HELD_UP * 10)
    assert woken.seen == 0


def test_job_that_raises_does_not_end_its_thread(begin: BeginAnyhow, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("mine")

    failing, next_one = Job(fail), Job()
    begin(1, failing, next_one)
    assert happens(next_one.done)
    assert next_one.thread is failing.thread
    [record] = caplog.records
    assert record.exc_info


# Which jobs may begin -----------------------------------------------------------------------------------------------


def test_jobs_that_wait_for_each_other_leave_one_thread_to_those_that_do_not(begin: BeginAnyhow) -> None:
    waiting, short = [Waiting() for _ in range(6)], [Job() for _ in range(20)]
    begin(4, *waiting, *short)
    assert all(happens(job.begun) for job in waiting[:3])
    assert all(happens(job.done) for job in short)
    assert not any(job.begun.is_set() for job in waiting[3:])
    waiting[1].free()
    assert happens(waiting[3].begun)


def test_long_jobs_leave_a_thread_to_those_that_wait_and_one_to_short_ones(begin: BeginAnyhow) -> None:
    long, waiting, short = [Long() for _ in range(4)], Waiting(), Job()
    begin(4, *long, waiting, short)
    assert all(happens(job.begun) for job in (*long[:2], waiting))
    assert happens(short.done)
    assert not any(job.begun.is_set() for job in long[2:])
    long[0].free()
    assert happens(long[2].begun)


def test_one_large_job_runs_at_a_time_on_a_thread_of_its_own(begin: BeginAnyhow) -> None:
    large, stuck, short = [Large(), Large()], Stuck(), Job()
    dispatcher = begin(2, *large, stuck, short)
    assert happens(large[0].begun)
    assert happens(short.done)
    assert large[0].thread not in dispatcher.threads
    assert not large[1].begun.is_set()
    large[0].free()
    assert happens(large[1].begun)


def test_dispatcher_is_stuck_when_a_job_has_waited_long_for_a_thread(
    begin: BeginAnyhow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STUCK", 0.0)
    stuck = [Stuck(), Stuck()]
    dispatcher = begin(2, *stuck)
    assert all(happens(job.begun) for job in stuck)
    assert not dispatcher.is_stuck()
    dispatcher.add_task(Job())
    until(dispatcher.is_stuck)
    stuck[0].free()
    until(lambda: not dispatcher.is_stuck())


# The event loop -----------------------------------------------------------------------------------------------------


def test_thread_that_shares_the_loop_runs_it_and_no_other_one(begin: BeginAnyhow) -> None:
    dispatcher = begin(4)
    threads: list[threading.Thread] = []
    with closing(Sockets(dispatcher)) as sockets:
        for _ in range(50):
            job = Job()
            sockets.happen(lambda: threads.append(threading.current_thread()))
            sockets.receive(job)
            assert happens(job.done)
            assert job.thread in dispatcher.threads
    assert set(threads) == {sockets._thread}


def test_events_are_handled_while_every_thread_is_stuck(begin: BeginAnyhow) -> None:
    stuck, handled = [Stuck(), Stuck()], threading.Event()
    with closing(Sockets(begin(2))) as sockets:
        sockets.receive(*stuck)
        assert all(happens(job.begun) for job in stuck)
        sockets.happen(handled.set)
        assert happens(handled)


def test_jobs_begin_while_the_loop_is_stuck_in_an_event(begin: BeginAnyhow) -> None:
    dispatcher = begin(2)
    received, added = Job(), Job()
    event = Stuck(lambda: dispatcher.add_task(received))
    with closing(Sockets(dispatcher)) as sockets:
        sockets.happen(event.service)
        assert happens(event.begun)
        assert happens(received.done)
        dispatcher.add_task(added)
        assert happens(added.done)
        event.free()


def test_loop_is_left_when_it_is_no_longer_shared(begin: BeginAnyhow) -> None:
    dispatcher = begin(1)
    sockets = Sockets(dispatcher)
    sockets.close()
    job = Job()
    dispatcher.add_task(job)
    assert happens(job.done)


# What has time until later ------------------------------------------------------------------------------------------


def test_later_is_called_once_for_all_who_asked(begin: BeginAnyhow) -> None:
    called: list[int] = []
    asked = threading.Event()

    def ask() -> None:
        for _ in range(3):
            dispatcher.do_later()
        asked.set()

    dispatcher: Dispatcher = begin(2, later=lambda: called.append(1))
    dispatcher.add_task(Job(ask))
    assert happens(asked)
    until(lambda: called)
    last = Job()
    dispatcher.add_task(last)
    assert happens(last.done)
    assert called == [1]


@pytest.mark.parametrize("blocked", [Long, Waiting])
def test_later_is_called_although_jobs_may_not_begin_yet(begin: BeginAnyhow, blocked: type[Stuck]) -> None:
    called = threading.Event()
    jobs = [blocked() for _ in range(4)]
    dispatcher = begin(3, *jobs, later=called.set)
    assert happens(jobs[0].begun)
    until(lambda: dispatcher.active_count == (1 if blocked is Long else 2))
    dispatcher.do_later()
    assert happens(called)


# The end ------------------------------------------------------------------------------------------------------------


def test_shutdown_ends_all_threads_and_cancels_what_nobody_has_begun(begin: BeginAnyhow) -> None:
    stuck, never = Stuck(), Job()
    dispatcher = begin(1, stuck, never)
    assert happens(stuck.begun)
    dispatcher.shutdown(timeout=0)
    assert never.cancelled
    assert not never.begun.is_set()
    stuck.free()
    until(lambda: not dispatcher.threads)


def test_threads_that_are_not_wanted_any_more_end_when_they_are_free(begin: BeginAnyhow) -> None:
    stuck = [Stuck() for _ in range(4)]
    dispatcher = begin(4, *stuck)
    assert all(happens(job.begun) for job in stuck)
    dispatcher.set_thread_count(1)
    for job in stuck[:3]:
        job.free()
    until(lambda: len(dispatcher.threads) == 1)
    stuck[3].free()
    last = Job()
    dispatcher.add_task(last)
    assert happens(last.done)
