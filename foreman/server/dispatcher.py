"""Which thread serves which request.

Python computes on one thread at a time, and handing over costs more than most requests do. So one thread serves
requests as long as it gets on, and the others help when it is held up by a long query or a slow disk.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from foreman.auth.holder import Holder
from foreman.vocabulary import LONG, SHORT, WAITING

log = logging.getLogger(__name__)

# Seconds that a request may take before another thread serves the next ones.
HELD_UP = 0.005

# Seconds that work of no hurry waits at most while there are requests to serve.
POSTPONED = 0.005

# Seconds in line after which those that have kept a thread for long should come to an end.
_STUCK = 0.1


class Task(Protocol):
    """Something to do, such as answering the request of a connection."""

    queued_at: float  # set by the dispatcher
    holder: Holder  # whose it is

    def kind(self) -> int:
        """`SHORT`, `LONG` or `WAITING`."""

    def is_large(self) -> bool:
        """Whether it takes so much memory that only one such task is to be done at once."""

    def fits(self) -> bool:
        """Whether there is room for what a large task makes."""

    def service(self) -> None:
        """Do it."""

    def refuse(self) -> None:
        """There was no room for it in time: do something smaller."""

    def cancel(self) -> None:
        """It will not be done."""


class Work(NamedTuple):
    """What a thread has taken on."""

    do: Callable[[], None]
    kind: int = SHORT


class Dispatcher:
    """A pool of threads, of which one leads: it does one task after the other.

    When one takes it longer than `HELD_UP`, another thread becomes the leader; the old one ends what it does and then
    stands by. Tasks that may keep their thread for long leave one to those that do not; see `_may_begin`. Large tasks
    are done one at a time, by a thread of their own: the C library keeps for each thread some of what it has freed.
    Organisations, and their keys, take turns there.

    :param later: what has to be done after some tasks, best for many of them at once (see `do_later`)
    """

    def __init__(self, later: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        self.threads: set[threading.Thread] = set()
        self.active_count = 0  # threads that do not sleep
        self._something = threading.Condition(self.lock)
        self._thread_ended = threading.Condition(self.lock)
        self._wanted = 0  # how many threads there are to be
        self._queues: tuple[deque[Task], ...] = (deque(), deque(), deque())  # of each kind
        self._large: deque[Task] = deque()
        self._turns: dict[str | Holder, int] = {}  # when who of those in this line last had a turn
        self._large_thread: threading.Thread | None = None  # begins with the first large task
        self._something_large = threading.Condition(self.lock)
        self._is_ending = False
        self._later = later
        self._later_is_due: float | None = None  # None while nobody has asked for it
        self._leader: threading.Thread | None = None  # None when all sleep
        self._begun_at = 0.0  # when the leader began what it does
        self._watched = False  # whether one of the others looks at the leader now and then
        self._under_way = [0, 0, 0]  # how many tasks of each kind

    def set_thread_count(self, count: int) -> None:
        """Have so many threads from now on; those that are too many end when they are free."""
        with self.lock:
            self._wanted = count
            for number in range(len(self.threads), count):
                thread = threading.Thread(target=self._serve, name=f"server-{number}", daemon=True)
                self.threads.add(thread)
                self.active_count += 1
                thread.start()
            self._something.notify_all()

    def shutdown(self, timeout: float = 5.0) -> None:
        """End all threads, at most in so many seconds, and cancel what none of them has begun."""
        self.set_thread_count(0)
        deadline = time.monotonic() + timeout
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
        """Let a thread do this after what was added before."""
        with self.lock:
            task.queued_at, kind = time.monotonic(), task.kind()
            if task.is_large():
                self._add_large(task)
            else:
                self._queues[kind].append(task)
                self._wake()

    def waiting(self) -> int:
        """How many tasks no thread has begun yet, those that wait for room not counted."""
        return sum(map(len, self._queues))

    def look_for_room(self) -> None:
        """There may be room for large tasks again."""
        with self.lock:
            self._something_large.notify()

    def is_stuck(self) -> bool:
        """Whether a task has waited for a thread for a while, and not only for others that wait."""
        since = time.monotonic() - _STUCK
        with self.lock:
            none_is_free = sum(self._under_way) >= len(self.threads)
            return any(
                queue[0].queued_at < since and (none_is_free or kind != WAITING)
                for kind, queue in enumerate(self._queues)
                if queue
            )

    def take_overdue(self, seconds: float) -> list[Task]:
        """The large tasks that have waited for room for longer than so many seconds; they will not be done."""
        since = time.monotonic() - seconds
        with self.lock:
            overdue = [task for task in self._large if task.queued_at < since]
            for task in overdue:
                self._large.remove(task)
            return overdue

    def is_short_of_room(self) -> bool:
        """Whether large tasks wait."""
        return bool(self._large)

    def do_later(self) -> None:
        """Let `later` be called when there is nothing else to do, or in `POSTPONED` seconds."""
        with self.lock:
            if self._later_is_due is None:
                self._later_is_due = time.monotonic() + POSTPONED
                self._wake()

    def _serve(self) -> None:
        """What each thread does until it is told to stop."""
        work: Work | None = None
        while (work := self._next(work)) is not None:
            try:
                work.do()
            except BaseException:
                log.exception("A task has failed: %r", work.do)

    def _add_large(self, task: Task) -> None:
        self._large.append(task)
        if self._large_thread is None and not self._is_ending:
            self._large_thread = threading.Thread(target=self._serve_large, name="server-large", daemon=True)
            self._large_thread.start()
        self._something_large.notify()

    def _serve_large(self) -> None:
        """What the thread for large tasks does until it is told to stop."""
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
                log.exception("A task has failed: %r", task)

    def _take_large(self) -> Task | None:
        """The first task of whoever has waited longest for a turn, and for which there is room."""

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

    def _next(self, ended: Work | None) -> Work | None:
        """Wait for something to do; None when this thread has to end."""
        thread = threading.current_thread()
        with self.lock:
            if ended is not None:
                self._under_way[ended.kind] -= 1
            while len(self.threads) <= self._wanted:
                now = time.monotonic()
                if self._leader in (None, thread) or now - self._begun_at > HELD_UP:
                    work = self._take(now)
                    if work is not None:
                        if self._leader is not thread:
                            self._leader = thread
                            self._wake_watcher()
                        self._begun_at = now
                        return work
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

    def _take(self, now: float) -> Work | None:
        if self._later_is_due is not None and (not self._has_tasks() or now > self._later_is_due):
            self._later_is_due = None
            return self._begin(Work(self._later))
        kinds = [kind for kind, queue in enumerate(self._queues) if queue and self._may_begin(kind)]
        if kinds:
            first = min(kinds, key=lambda kind: self._queues[kind][0].queued_at) if len(kinds) > 1 else kinds[0]
            return self._begin(Work(self._queues[first].popleft().service, first))
        return None

    def _may_begin(self, kind: int) -> bool:
        """Whether a thread is left for short tasks then, or two when it is a long one."""
        if kind == SHORT:
            return True
        threads, long = len(self.threads), self._under_way[LONG]
        if kind == LONG and long >= max(1, threads - 2):
            return False
        return long + self._under_way[WAITING] < max(1, threads - 1)

    def _begin(self, work: Work) -> Work:
        self._under_way[work.kind] += 1
        return work

    def _sleep(self) -> None:
        """Wait to be woken; when the leader has more to do than it has begun, one of the sleepers watches it."""
        self.active_count -= 1
        if self._has_more() and not self._watched:
            self._watched = True
            self._something.wait(HELD_UP)
            self._watched = False
        else:
            self._something.wait()
        self.active_count += 1

    def _wake(self) -> None:
        """Something has come: for the leader, if there is none, or else for a watcher."""
        if self._leader is None or not self._watched:
            self._something.notify()

    def _wake_watcher(self) -> None:
        """A sleeper has become the leader: another one has to watch it, when there is more to do."""
        if self._has_more() and not self._watched:
            self._something.notify()

    def _has_tasks(self) -> bool:
        return any(self._queues)

    def _has_more(self) -> bool:
        return self._has_tasks() or self._later_is_due is not None
