"""Thread scheduling: which thread serves which request.

Under the GIL one thread computes at a time, and a switch of threads costs more than most requests do. So one thread
serves requests as long as it makes progress. The others step in when a long query or a slow disk holds it up.

Where jobs wait for a server, each is a coroutine (https://greenlet.readthedocs.io). While one waits for an answer, its
thread does others, and the event loop waits for the answer, too. So there is still only one thread that computes.

The leader also looks after the event loop whenever it has nothing else to do. So a request is read, served and answered
by one thread, and no other one is woken for it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from foreman.auth.holder import Holder
from foreman.server.loop import READ
from foreman.vocabulary import LONG, SHORT, WAITING

if TYPE_CHECKING:  # an optional package
    from greenlet import greenlet

log = logging.getLogger(__name__)

# Seconds that a job may take before another thread takes over the queue.
HELD_UP = 0.005

# Seconds that deferrable work waits at most while jobs are queued.
POSTPONED = 0.005

# Seconds after which a busy leader looks at the event loop between two jobs, and `share_loop` if the leader is held up.
_LOOK_EVERY = 0.005

# Seconds in the queue after which jobs that have long occupied a thread should be ended.
_STUCK = 0.1


Result = TypeVar("Result")

# What an event loop has waited for.
Events = list[Any]


class Task(Protocol):
    """A job for the thread pool, such as serving a connection's request; not a task of the ledger."""

    queued_at: float  # set by the dispatcher
    holder: Holder  # on whose behalf

    def kind(self) -> int:
        """Its cost class: `SHORT`, `LONG` or `WAITING`."""

    def is_large(self) -> bool:
        """Whether it takes so much memory that only one such job may run at a time."""

    def fits(self) -> bool:
        """Whether there is quota for the output of a large job."""

    def service(self) -> None:
        """Run it."""

    def refuse(self) -> None:
        """Do something smaller instead: there was no quota for it in time."""

    def cancel(self) -> None:
        """Note that it will not run."""


class SharedLoop(Protocol):
    """An event loop, as far as the leader knows it. One thread at a time runs it."""

    def wait(self, timeout: float | None) -> Events | None:
        """Wait up to `timeout` seconds for events, or as long as it likes. None if it is no longer shared."""

    def handle(self, events: Events) -> None:
        """Handle what `wait` has returned."""

    def wake(self) -> None:
        """Make `wait` return soon, or the next one if none is under way."""

    def want(self, watched: "Waiter", events: int) -> None:
        """Watch a socket for these events from now on; 0 for none."""


class Work(NamedTuple):
    """What a thread is running: a job, what was deferred, or the event loop, which has no cost class.

    :ivar job: its coroutine, if it may wait for sockets
    """

    do: Callable[[], object]
    kind: int | None
    job: "greenlet | None" = None


class Waiter:
    """A job that waits until a socket can be read, as the event loop knows it, or for another thread.

    :param job: its coroutine
    :param thread: where it runs: a coroutine stays on its thread
    :param socket: a file descriptor; -1 if it waits for no socket
    :param found: called when the socket can be read
    :ivar kind: the job's cost class
    :ivar goes_on: whether it has been told to
    """

    def __init__(self, job: "greenlet", thread: "_Thread", socket: int, found: "Callable[[Waiter], object]") -> None:
        self.job, self.thread, self.socket, self._found = job, thread, socket, found
        self.kind: int | None = None
        self.goes_on = False

    def ready(self, _events: int) -> None:
        """Note that the socket can be read."""
        self._found(self)

    def fail(self) -> None:
        """Do the same: the job finds out what is wrong when it reads."""
        self._found(self)


class _Thread(threading.Thread):
    """A thread of the pool.

    :ivar waiting: its jobs that wait
    :ivar going_on: those of them that can go on
    """

    def __init__(self, serve: "Callable[[_Thread], None]", number: int) -> None:
        super().__init__(target=serve, args=[self], name=f"server-{number}", daemon=True)
        self.waiting: dict[greenlet, Waiter] = {}
        self.going_on: deque[Waiter] = deque()

    def resume(self) -> Work:
        """The first job that can go on."""
        waiter = self.going_on.popleft()
        del self.waiting[waiter.job]
        return Work(waiter.job.switch, waiter.kind, waiter.job)


class Dispatcher:
    """A thread pool with a leader, which runs one job after the other.

    When a job takes longer than `HELD_UP`, another thread becomes the leader. The old one finishes its job and then
    stands by. Jobs that may occupy a thread for long leave one to short jobs (see `_may_begin`). A leader without a job
    runs the event loop, if there is one (see `share_loop`).

    Large jobs run one at a time on a thread of their own, because the C library's allocator keeps some of the memory
    that each thread has freed. In their queue organisations take turns, and so do the keys of an organisation.

    Jobs that wait for sockets (see `wait_for`) are coroutines. There are at most as many as threads, and each stays on
    its thread, whoever leads when it goes on.

    :param later: work that is best done once for many jobs (see `do_later`)
    :param coroutine: makes a job a coroutine; None if jobs do not wait for sockets
    """

    def __init__(self, later: Callable[[], None], coroutine: "type[greenlet] | None" = None) -> None:
        self._coroutine = coroutine
        self.lock = threading.Lock()
        self.threads: set[_Thread] = set()
        self.active_count = 0  # threads that are not asleep
        self._something = threading.Condition(self.lock)
        self._thread_ended = threading.Condition(self.lock)
        self._wanted = 0  # target number of threads
        self._queues: tuple[deque[Task], ...] = (deque(), deque(), deque())  # one for each cost class
        self._large: deque[Task] = deque()
        self._turns: dict[str | Holder, int] = {}  # each caller's last turn in the queue of large jobs
        self._large_thread: threading.Thread | None = None  # started by the first large job
        self._something_large = threading.Condition(self.lock)
        self._is_ending = False
        self._later = later
        self._later_is_due: float | None = None  # None unless it was asked for
        self._leader: threading.Thread | None = None  # None when all are asleep
        self._begun_at = 0.0  # when the leader began its present work
        # Whether a sleeping thread, or `_watch`, wakes now and then to look at the leader. Where both do, one of them
        # may forget the other, and a thread is woken needlessly.
        self._watched = False
        self._under_way = [0, 0, 0]  # how many jobs are running, by cost class
        self._loop: SharedLoop | None = None
        self._waited_in: SharedLoop | None = None  # the same, also when it is no longer shared
        self._is_looking = False  # whether a thread runs the event loop
        self._is_waiting = False  # whether that is the leader, and it waits for events
        self._looked_at = 0.0  # when the event loop was run last
        self._leader_works = threading.Condition(self.lock)  # for `_watch`
        self._is_resting = False  # whether `_watch` waits for that, because the leader waits for events

    def set_thread_count(self, count: int) -> None:
        """Resize the pool. Surplus threads end once they are free."""
        with self.lock:
            self._wanted = count
            for number in range(len(self.threads), count):
                thread = _Thread(self._serve, number)
                self.threads.add(thread)
                self.active_count += 1
                thread.start()
            self._something.notify_all()

    def shutdown(self, timeout: float = 5.0, turn: Callable[[], None] | None = None) -> None:
        """Wait up to `timeout` seconds for all threads to end, then cancel the jobs that none has begun.

        :param turn: runs the event loop once, for jobs that still wait for sockets
        """
        self.set_thread_count(0)
        deadline = time.monotonic() + timeout
        while turn is not None and any(self._under_way) and time.monotonic() < deadline:
            turn()
        with self.lock:
            self._is_ending = True
            self._something_large.notify()
            while (self.threads or self._large_thread) and (remaining := deadline - time.monotonic()) > 0:
                self._thread_ended.wait(remaining)
            if self.threads or self._large_thread:
                log.warning("%d threads are still busy", len(self.threads) + (self._large_thread is not None))
            for queue in (*self._queues, self._large):
                while queue:
                    queue.popleft().cancel()

    def add_task(self, task: Task) -> None:
        """Queue a job."""
        with self.lock:
            task.queued_at, kind = time.monotonic(), task.kind()
            if task.is_large():
                self._add_large(task)
            else:
                self._queues[kind].append(task)
                self._wake()

    def look_for_room(self) -> None:
        """Look at the large jobs again: there may be quota for one now."""
        with self.lock:
            self._something_large.notify()

    def is_stuck(self) -> bool:
        """Whether a job has been queued for too long, unless it only waits for other `WAITING` jobs."""
        since = time.monotonic() - _STUCK
        with self.lock:
            none_is_free = sum(self._under_way) >= len(self.threads)
            return any(
                queue[0].queued_at < since and (none_is_free or kind != WAITING)
                for kind, queue in enumerate(self._queues)
                if queue
            )

    def take_overdue(self, seconds: float) -> list[Task]:
        """Remove and return the large jobs that have waited for quota longer than `seconds`."""
        since = time.monotonic() - seconds
        with self.lock:
            overdue = [task for task in self._large if task.queued_at < since]
            for task in overdue:
                self._large.remove(task)
            return overdue

    def is_short_of_room(self) -> bool:
        """Whether any large job is queued."""
        return bool(self._large)

    def do_later(self) -> None:
        """Schedule `later`: it is called when the pool has nothing else to do, or after `POSTPONED` seconds."""
        with self.lock:
            if self._later_is_due is None:
                self._later_is_due = time.monotonic() + POSTPONED
                self._wake()

    def share_loop(self, loop: SharedLoop) -> None:
        """Let the leader run the event loop, and run it on this thread while the leader is held up.

        Returns when the loop is no longer shared, and no other thread is running it any more.
        """
        with self.lock:
            self._loop = self._waited_in = loop
        while (work := self._watch()) is not None:
            work.do()
        with self.lock:
            self._something.notify()  # one of the sleeping threads watches the leader from now on

    def wait_for(self, socket: int) -> bool:
        """Let the job that calls this wait until a socket can be read; its thread does others meanwhile.

        :return: False at once if the caller is no coroutine, or no loop was shared: it has to block until then
        """
        loop, waiter = self._waited_in, self._waiter(socket)
        if loop is None or waiter is None:
            return False
        loop.want(waiter, READ)
        self._wait(waiter)
        return True

    def aside(self, do: Callable[[], Result]) -> Result:
        """Let the job that calls this wait until a thread of its own has done something that blocks for long.

        :return: what `do` returns, or raises
        """
        waiter = self._waiter(-1)
        if waiter is None:
            return do()
        done: Future[Result] = Future()

        def do_it() -> None:
            try:
                done.set_result(do())
            except BaseException as error:
                done.set_exception(error)
            self._go_on(waiter)

        try:
            threading.Thread(target=do_it, name="server-aside", daemon=True).start()
        except RuntimeError:  # there may be no more threads
            return do()
        self._wait(waiter)  # also if it is done already
        return done.result()

    def _waiter(self, socket: int) -> Waiter | None:
        """The job that calls this, as one that waits; None if it is no coroutine of the pool."""
        thread = threading.current_thread()
        if self._coroutine is None or not isinstance(thread, _Thread):
            return None
        job = self._coroutine.getcurrent()
        return None if job.parent is None else Waiter(job, thread, socket, self._note_answer)

    def _wait(self, waiter: Waiter) -> None:
        """Turn to other jobs until this one can go on: what `_serve` has called to run it returns."""
        waiter.thread.waiting[waiter.job] = waiter
        if waiter.job.parent is not None:
            waiter.job.parent.switch()

    def _note_answer(self, waiter: Waiter) -> None:
        """Note that its socket can be read, on the thread that runs the loop."""
        if self._waited_in is not None and not waiter.goes_on:
            self._waited_in.want(waiter, 0)  # or the loop would find it again and again, while its thread is held up
            self._go_on(waiter)

    def _go_on(self, waiter: Waiter) -> None:
        """Let the job of a waiter go on, as soon as its thread is free."""
        with self.lock:
            if waiter.goes_on:
                return
            waiter.goes_on = True
            waiter.thread.going_on.append(waiter)
            if self._leader is not waiter.thread:  # then it may be asleep
                self._something.notify_all()
            elif self._is_waiting and self._loop is not None:
                self._loop.wake()

    def _serve(self, thread: _Thread) -> None:
        """The main loop of a pool thread."""
        work: Work | None = None
        while (work := self._next(thread, work)) is not None:
            try:
                work.do()
            except BaseException:
                log.exception("Unexpected error in %r", work.do)

    def _add_large(self, task: Task) -> None:
        self._large.append(task)
        if self._large_thread is None and not self._is_ending:
            self._large_thread = threading.Thread(target=self._serve_large, name="server-large", daemon=True)
            self._large_thread.start()
        self._something_large.notify()

    def _serve_large(self) -> None:
        """The main loop of the thread for large jobs."""
        while True:
            with self.lock:
                while (task := self._take_large()) is None:
                    if self._is_ending:
                        self._large_thread = None
                        self._thread_ended.notify()
                        return
                    self._something_large.wait()
            try:
                task.service()
            except BaseException:
                log.exception("Unexpected error in %r", task)

    def _take_large(self) -> Task | None:
        """Dequeue the first large job with quota, of the organisation and key whose last turn was longest ago."""

        def last_turn(task: Task) -> tuple[int, int, float]:
            return self._turns.get(task.holder.org, 0), self._turns.get(task.holder, 0), task.queued_at

        for task in sorted(self._large, key=last_turn):
            if task.fits():
                self._large.remove(task)
                now = max(self._turns.values(), default=0) + 1
                self._turns |= {task.holder.org: now, task.holder: now}
                if not self._large:
                    self._turns.clear()
                return task
        return None

    def _next(self, thread: _Thread, before: Work | None) -> Work | None:
        """Wait for work; None if this thread has to end.

        :param before: what it did before; a job may have ended, or wait
        """
        with self.lock:
            if before is not None:
                self._end(before, thread)
            while len(self.threads) <= self._wanted or thread.waiting:
                now = time.monotonic()
                if self._leader in (None, thread) or self._is_held_up(HELD_UP, now):
                    work = self._take(now, thread)
                    if work is not None:
                        if self._leader is not thread:
                            self._leader = thread
                            self._wake_watcher()
                        self._begun_at = now
                        return work
                elif thread.going_on:
                    return thread.resume()
                if self._leader is thread:
                    self._leader = None
                self._sleep()
            self.active_count -= 1
            self.threads.discard(thread)
            if self._leader is thread:
                self._leader = None
                self._something.notify()
            self._thread_ended.notify()
            return None

    def _end(self, work: Work, thread: _Thread) -> None:
        if work.job is not None and not work.job.dead:
            thread.waiting[work.job].kind = work.kind
        elif work.kind is not None:
            self._under_way[work.kind] -= 1
            if self._is_waiting and self._has_tasks():
                self._wake()  # one of them may begin now

    def _watch(self) -> Work | None:
        """Wait until the leader is held up, and return what to do in its place; None if the loop is not shared."""
        with self.lock:
            while self._loop is not None or self._is_looking:
                now = time.monotonic()
                if self._leader is None:
                    if not self._is_looking or self._has_more():
                        self._something.notify()
                elif self._is_held_up(_LOOK_EVERY, now):
                    if self._has_more():
                        self._something.notify()
                    if (loop := self._free_loop()) is not None:
                        self._is_looking = True
                        return Work(partial(self._look, loop, None), None)
                self._is_resting = self._is_waiting and now - self._looked_at > _LOOK_EVERY
                self._watched = True
                self._leader_works.wait(None if self._is_resting else _LOOK_EVERY)
                self._watched = self._is_resting = False
            return None

    def _is_held_up(self, seconds: float, now: float) -> bool:
        """Whether the leader has been at its present work longer than that. Waiting for events is no work."""
        return not self._is_waiting and now - self._begun_at > seconds

    def _free_loop(self) -> SharedLoop | None:
        """The event loop, unless a thread is running it."""
        return None if self._is_looking else self._loop

    def _look(self, loop: SharedLoop, timeout: float | None) -> None:
        """Run the event loop once: wait for events, and handle them."""
        try:
            events = loop.wait(timeout)
            self._end_waiting()
            if events is None:
                self._loop = None
            else:
                loop.handle(events)
        finally:
            with self.lock:
                self._is_looking = self._is_waiting = False
                self._looked_at = time.monotonic()
                if self._loop is None:
                    self._leader_works.notify()

    def _end_waiting(self) -> None:
        with self.lock:
            if self._is_waiting:
                self._is_waiting, self._begun_at = False, time.monotonic()
                if self._is_resting:
                    self._leader_works.notify()

    def _take(self, now: float, thread: _Thread) -> Work | None:
        """What the leader does next: a job, what was deferred, or the event loop if it has to be looked at first."""
        kinds, due, loop = self._ready(), self._later_is_due, self._free_loop()
        has_looked = loop is None or self._looked_at >= self._begun_at
        looked_lately = has_looked or now - self._looked_at < _LOOK_EVERY
        if due is not None and (now > due or (not self._has_tasks() and has_looked)):
            self._later_is_due = None
            return self._begin(self._later, SHORT)
        if thread.going_on and looked_lately:
            return thread.resume()
        if kinds and looked_lately:
            first = min(kinds, key=lambda kind: self._queues[kind][0].queued_at) if len(kinds) > 1 else kinds[0]
            return self._begin(self._queues[first].popleft().service, first)
        if loop is not None:
            self._is_looking = self._is_waiting = True
            timeout = self._timeout(due, now, is_busy=bool(kinds or thread.going_on))
            return Work(partial(self._look, loop, timeout), None)
        return None

    def _timeout(self, due: float | None, now: float, *, is_busy: bool) -> float | None:
        """How long the leader may wait for events: not at all if there is work for it, or until there will be."""
        if is_busy or (due is not None and not self._has_tasks()):
            return 0
        return None if due is None else max(due - now, 0)

    def _ready(self) -> list[int]:
        """The cost classes of which a queued job may begin: none, if there are more threads than wanted."""
        if len(self.threads) > self._wanted:
            return []
        return [kind for kind, queue in enumerate(self._queues) if queue and self._may_begin(kind)]

    def _may_begin(self, kind: int) -> bool:
        """Whether that leaves a thread for short jobs; two threads if it is a long one.

        Jobs that wait count like those that run, so there are never more than threads.
        """
        if kind == SHORT:
            return sum(self._under_way) < len(self.threads)
        threads, long = len(self.threads), self._under_way[LONG]
        if kind == LONG and long >= max(1, threads - 2):
            return False
        return long + self._under_way[WAITING] < max(1, threads - 1)

    def _begin(self, do: Callable[[], None], kind: int) -> Work:
        self._under_way[kind] += 1
        if self._coroutine is None:
            return Work(do, kind)
        job = self._coroutine(do)
        return Work(job.switch, kind, job)

    def _sleep(self) -> None:
        """Wait to be woken, or until there is something to do.

        If more work is queued, one of the sleeping threads wakes regularly to watch the leader.
        """
        self.active_count -= 1
        if self._has_more() and not self._watched:
            self._watched = True
            self._something.wait(HELD_UP)
            self._watched = False
        else:
            self._something.wait()
        self.active_count += 1

    def _wake(self) -> None:
        """Announce new work to the leader. Wake one if there is none; wake a watcher if nobody watches."""
        if self._is_waiting and self._loop is not None:
            self._loop.wake()
        elif self._leader is None or not self._watched:
            self._something.notify()

    def _wake_watcher(self) -> None:
        """Replace the watcher that has become the leader, if there is more work."""
        if self._has_more() and not self._watched:
            self._something.notify()

    def _has_tasks(self) -> bool:
        return any(self._queues)

    def _has_more(self) -> bool:
        return self._has_tasks() or self._later_is_due is not None
