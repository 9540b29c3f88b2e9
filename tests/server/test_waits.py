"""Jobs that wait for sockets: others are done on the same thread meanwhile."""

import random
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from greenlet import greenlet

from foreman.server import dispatcher as module
from foreman.server.dispatcher import Dispatcher
from foreman.server.loop import READ
from foreman.vocabulary import SHORT, WAITING
from tests.server.jobs import Begin, Job, Large, Sockets, Stuck, happens, nothing
from tests.support.waiting import NEVER, until


@pytest.fixture
def begin(begin: Begin) -> Begin:
    """`begin(threads, *tasks, later=...)`: a dispatcher whose jobs may wait for sockets."""
    return partial(begin, coroutine=greenlet)


@pytest.fixture
def nobody_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job ever takes too long."""
    monkeypatch.setattr(module, "HELD_UP", NEVER)
    monkeypatch.setattr(module, "_LOOK_EVERY", NEVER)


class Asking(Job):
    """A job that waits for some sockets, one after the other."""

    def __init__(self, dispatcher: Dispatcher, *sockets: int, kind: int = SHORT) -> None:
        super().__init__(self._ask)
        self._dispatcher, self._sockets, self._kind = dispatcher, sockets, kind
        self.answers: list[bool] = []
        self.threads: set[threading.Thread] = set()

    def kind(self) -> int:
        return self._kind

    def _ask(self) -> None:
        for each in self._sockets:
            self.threads.add(threading.current_thread())
            self.answers.append(self._dispatcher.wait_for(each))
            self.threads.add(threading.current_thread())


class Shared:
    """A dispatcher that shares its loop."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher, self.sockets = dispatcher, Sockets(dispatcher)

    def ask(self, *sockets: int, kind: int = SHORT) -> Asking:
        """Add a job that waits for these sockets."""
        job = Asking(self.dispatcher, *sockets, kind=kind)
        self.sockets.receive(job)
        return job

    def asked(self, *sockets: int, kind: int = SHORT) -> Asking:
        """Add one, and wait until it waits for the first of them."""
        job = self.ask(*sockets, kind=kind)
        until(lambda: self.sockets.is_watched(sockets[0]))
        return job

    def do(self) -> Job:
        """Do a job that waits for nothing."""
        job = Job()
        self.sockets.receive(job)
        assert happens(job.done)
        return job


@pytest.fixture
def shared(begin: Begin) -> Iterator[Shared]:
    """A dispatcher with four threads."""
    made = Shared(begin(4))
    yield made
    made.sockets.close()


# Meanwhile ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_helps")
def test_others_are_done_on_the_same_thread_while_a_job_waits(shared: Shared) -> None:
    asking = shared.asked(1)
    others = [shared.do() for _ in range(10)]
    assert not asking.done.is_set()
    shared.sockets.answer(1)
    assert happens(asking.done)
    assert asking.answers == [True]
    assert asking.threads == {each.thread for each in others}


@pytest.mark.usefixtures("nobody_helps")
def test_jobs_go_on_in_the_order_of_their_answers(shared: Shared) -> None:
    asking = {number: shared.asked(number) for number in (1, 2, 3)}
    for number in (2, 3, 1):
        shared.sockets.answer(number)
        assert happens(asking[number].done)


def test_as_many_jobs_wait_at_a_time_as_there_are_threads(shared: Shared) -> None:
    for number in range(4):
        shared.asked(number)
    fifth = shared.ask(4)
    assert not fifth.begun.wait(0.05)
    shared.sockets.answer(2)
    assert happens(fifth.begun)
    for number in (0, 1, 3):
        shared.sockets.answer(number)
    until(lambda: shared.sockets.is_watched(4))
    shared.sockets.answer(4)
    assert happens(fifth.done)


def test_jobs_that_wait_for_each_other_leave_room_for_those_that_do_not(shared: Shared) -> None:
    for number in range(3):
        shared.asked(number, kind=WAITING)
    fourth = shared.ask(3, kind=WAITING)
    shared.do()
    assert not fourth.begun.is_set()
    shared.sockets.answer(0)
    assert happens(fourth.begun)
    until(lambda: shared.sockets.is_watched(3))
    for number in (1, 2, 3):
        shared.sockets.answer(number)
    assert happens(fourth.done)


def test_socket_is_watched_only_while_a_job_waits_for_it(shared: Shared) -> None:
    asking = shared.asked(1, 2)
    shared.sockets.answer(1)
    until(lambda: shared.sockets.is_watched(2))
    assert not shared.sockets.is_watched(1)
    shared.sockets.answer(2)
    assert happens(asking.done)
    assert not shared.sockets.is_watched(2)


def test_answer_that_comes_twice_counts_once(shared: Shared) -> None:
    asking = shared.asked(1)
    waiter = shared.sockets.watched(1)
    shared.sockets.happen(partial(waiter.ready, READ))
    shared.sockets.happen(waiter.fail)
    assert happens(asking.done)
    shared.sockets.happen(partial(waiter.ready, READ))
    shared.do()
    assert asking.answers == [True]


def test_what_is_wrong_with_a_socket_ends_the_wait_for_it(shared: Shared) -> None:
    asking = shared.asked(1)
    shared.sockets.happen(shared.sockets.watched(1).fail)
    assert happens(asking.done)


def test_failure_of_a_job_that_has_waited_ends_no_other(shared: Shared, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        assert shared.dispatcher.wait_for(1)
        raise ValueError("mine")

    failing, asking = Job(fail), shared.asked(2)
    shared.sockets.receive(failing)
    until(lambda: shared.sockets.is_watched(1))
    shared.sockets.answer(1)
    assert happens(failing.done)
    shared.sockets.answer(2)
    assert happens(asking.done)
    [record] = caplog.records
    assert record.exc_info


# Several threads ----------------------------------------------------------------------------------------------------


def test_job_goes_on_on_its_thread_whoever_leads(shared: Shared) -> None:
    asking, stuck = shared.asked(1, 2), Stuck()
    shared.sockets.receive(stuck)
    assert happens(stuck.begun)
    other = shared.do()
    assert {stuck.thread} == asking.threads
    assert other.thread is not stuck.thread
    shared.sockets.answer(1)
    until(lambda: not shared.sockets.is_watched(1))
    shared.do()
    assert not asking.done.is_set()
    stuck.free()
    until(lambda: shared.sockets.is_watched(2))
    shared.sockets.answer(2)
    assert happens(asking.done)
    assert asking.threads == {stuck.thread}


def test_answer_wakes_the_thread_of_a_job_that_no_longer_leads(shared: Shared) -> None:
    asking, stuck = shared.asked(1), Stuck()
    shared.sockets.receive(stuck)
    assert happens(stuck.begun)
    shared.do()
    stuck.free()
    until(lambda: shared.dispatcher.active_count <= 1)
    shared.sockets.answer(1)
    assert happens(asking.done)
    assert asking.threads == {stuck.thread}


def test_every_job_is_done_and_each_on_one_thread(shared: Shared) -> None:
    """Whatever the order of answers, and although now and then a thread is held up."""
    dice = random.Random(1)
    jobs = [
        Asking(shared.dispatcher, *(10 * number + each for each in range(dice.randrange(4)))) for number in range(300)
    ]
    stuck = [Stuck() for _ in range(20)]
    for number, job in enumerate(jobs):
        shared.sockets.receive(job)
        if number % 15 == 0:
            shared.sockets.receive(stuck[number // 15])
    ended = threading.Event()

    def free() -> None:
        for each in stuck:
            happens(each.begun)
            each.free()

    def answer() -> None:
        while not ended.is_set():
            for each in dice.sample(watched, len(watched)) if (watched := shared.sockets.all_watched()) else []:
                shared.sockets.answer(each)
            ended.wait(0.0001)

    helpers = [threading.Thread(target=each) for each in (free, answer)]
    for helper in helpers:
        helper.start()
    assert all(happens(job.done) for job in jobs)
    ended.set()
    for helper in helpers:
        helper.join()
    assert all(all(job.answers) and len(job.threads) <= 1 for job in jobs)


# Who has to wait in another way -------------------------------------------------------------------------------------


def test_who_is_no_job_has_to_wait_in_another_way(shared: Shared) -> None:
    assert not shared.dispatcher.wait_for(1)
    assert not shared.sockets.is_watched(1)


def test_large_job_has_to_wait_in_another_way(shared: Shared) -> None:
    answers: list[bool] = []
    large = Large(lambda: answers.append(shared.dispatcher.wait_for(1)))
    shared.sockets.receive(large)
    assert happens(large.begun)
    large.free()
    assert happens(large.done)
    assert answers == [False]


def test_without_a_shared_loop_jobs_have_to_wait_in_another_way(begin: Begin) -> None:
    dispatcher = begin(1)
    asking = Asking(dispatcher, 1)
    dispatcher.add_task(asking)
    assert happens(asking.done)
    assert asking.answers == [False]


def test_without_coroutines_jobs_have_to_wait_in_another_way(begin: Begin) -> None:
    shared = Shared(begin(1, coroutine=None))
    asking = shared.ask(1)
    assert happens(asking.done)
    assert asking.answers == [False]
    shared.sockets.close()


# The end ------------------------------------------------------------------------------------------------------------


def test_answers_still_come_when_the_loop_is_no_longer_shared(begin: Begin) -> None:
    """The server runs it until all requests are served."""
    shared = Shared(begin(2))
    asking = shared.asked(1, 2)
    shared.sockets.end()
    shared.sockets.join()
    shared.sockets.watched(1).ready(READ)
    until(lambda: shared.sockets.is_watched(2))
    shared.sockets.watched(2).ready(READ)
    assert happens(asking.done)
    assert asking.answers == [True, True]


def test_shutdown_turns_the_loop_as_long_as_jobs_wait(begin: Begin) -> None:
    shared = Shared(begin(2))
    asking = [shared.asked(1, 2), shared.asked(3)]
    shared.sockets.close()

    def turn() -> None:
        for each in shared.sockets.all_watched():
            shared.sockets.watched(each).ready(READ)

    shared.dispatcher.shutdown(turn=turn)
    assert all(job.done.is_set() for job in asking)
    assert not shared.dispatcher.threads


def test_shutdown_leaves_jobs_that_wait_too_long(begin: Begin, caplog: pytest.LogCaptureFixture) -> None:
    shared = Shared(begin(2))
    asking = shared.asked(1)
    shared.sockets.close()
    shared.dispatcher.shutdown(0.1, turn=nothing)
    assert [record.getMessage() for record in caplog.records] == ["1 threads are still busy"]
    shared.sockets.watched(1).ready(READ)
    assert happens(asking.done)
    until(lambda: not shared.dispatcher.threads)


def test_threads_that_are_not_wanted_any_more_end_after_their_waiting_jobs(begin: Begin) -> None:
    """Meanwhile they run the loop, if nobody else does, and begin nothing new."""
    shared = Shared(begin(4))
    asking, stuck = [shared.asked(1)], Stuck()
    shared.sockets.receive(stuck)
    assert happens(stuck.begun)
    asking += [shared.asked(2), shared.asked(3)]  # on another thread
    stuck.free()
    shared.dispatcher.set_thread_count(1)
    new = shared.ask(4)
    for number in (3, 1, 2):
        shared.sockets.answer(number)
    assert all(happens(job.done) for job in asking)
    until(lambda: shared.sockets.is_watched(4))
    assert len(shared.dispatcher.threads) == 1
    shared.sockets.answer(4)
    assert happens(new.done)
    shared.sockets.close()


# What blocks --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("nobody_helps")
def test_what_blocks_is_done_on_another_thread_while_others_are_done(shared: Shared) -> None:
    free, results = threading.Event(), list[str]()

    def block() -> str:
        assert happens(free)
        return threading.current_thread().name

    blocking = Job(lambda: results.append(shared.dispatcher.aside(block)))
    shared.sockets.receive(blocking)
    assert happens(blocking.begun)
    other = shared.do()
    free.set()
    assert happens(blocking.done)
    assert results == ["server-aside"]
    assert other.thread is blocking.thread


def test_what_fails_aside_fails_in_the_job(shared: Shared) -> None:
    def fail() -> None:
        raise ValueError("mine")

    caught: list[str] = []

    def ask() -> None:
        with pytest.raises(ValueError, match="mine") as raised:
            shared.dispatcher.aside(fail)
        caught.append(str(raised.value))

    job = Job(ask)
    shared.sockets.receive(job)
    assert happens(job.done)
    assert caught == ["mine"]


def test_where_no_thread_can_be_started_a_job_blocks_by_itself(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads: list[threading.Thread] = []
    job = Job(lambda: threads.append(shared.dispatcher.aside(threading.current_thread)))
    shared.sockets.receive(job)
    assert happens(job.done)
    assert threads == [job.thread]


def test_who_is_no_job_blocks_by_itself(shared: Shared) -> None:
    assert shared.dispatcher.aside(threading.current_thread) is threading.current_thread()


def test_loop_rests_while_a_job_that_could_go_on_has_to_wait_for_its_thread(shared: Shared) -> None:
    asking, stuck = shared.asked(1), Stuck()
    shared.sockets.receive(stuck)
    assert happens(stuck.begun)
    shared.sockets.answer(1)
    until(lambda: not shared.sockets.is_watched(1))
    stuck.free()
    assert happens(asking.done)
