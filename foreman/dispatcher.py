"""Which thread serves which request.

Python computes on one thread at a time, and handing over costs more than most requests do. So one thread serves
requests as long as it gets on, and the others help when it is held up by a long query or a slow disk.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from waitress.task import ThreadedTaskDispatcher

# Seconds that a request may take before another thread serves the next ones.
HELD_UP = 0.005

# Seconds that work of no hurry waits at most while there are requests to serve.
POSTPONED = 0.005


# Seconds in line after which those that have kept a thread for long should come to an end.
_STUCK = 0.1

# Kinds of tasks: done in no time, perhaps computing for long, perhaps waiting for others of its kind.
SHORT, LONG, WAITING = range(3)


class Task(Protocol):
    """Something to do, such as answering the request of a connection."""

    queued_at: float  # set by the dispatcher

    def kind(self) -> int:
        """`SHORT`, `LONG` or `WAITING`."""

    def is_large(self) -> bool:
        """Whether it takes so much memory that only one such task is to be done at once."""

    def service(self) -> None:
        """Do it."""


class Work(NamedTuple):
    """What a thread has taken on."""

    do: Callable[[], None]
    kind: int = SHORT
    is_large: bool = False


class Dispatcher(ThreadedTaskDispatcher):
    """waitress's pool of threads, of which one leads: it does one task after the other.

    When one takes it longer than `HELD_UP`, another thread becomes the leader; the old one ends what it does and then
    stands by. Tasks that may keep their thread for long leave one to those that do not; see `_may_begin`.

    :param later: what has to be done after some tasks, best for many of them at once (see `do_later`)
    """

    def __init__(self, later: Callable[[], None]) -> None:
        super().__init__()
        self._later = later
        self._later_is_due: float | None = None  # None while nobody has asked for it
        self._leader: int | None = None  # the number of the thread; None when all sleep
        self._begun_at = 0.0  # when the leader began what it does
        self._watched = False  # whether one of the others looks at the leader now and then
        self._under_way = [0, 0, 0]  # how many tasks of each kind
        self._large = 0  # how many large tasks

    def add_task(self, task: Task) -> None:
        """Let a thread do this after what was added before."""
        with self.lock:
            task.queued_at = time.monotonic()
            self.queue.append(task)
            self._wake()

    def waiting(self) -> int:
        """How many tasks no thread has begun yet."""
        return len(self.queue)

    def is_stuck(self) -> bool:
        """Whether a task has waited for a thread for a while, and not only for others that wait."""
        since = time.monotonic() - _STUCK
        with self.lock:
            none_is_free = sum(self._under_way) >= len(self.threads)
            return any(task.queued_at < since and (none_is_free or task.kind() != WAITING) for task in self.queue)

    def do_later(self) -> None:
        """Let `later` be called when there is nothing else to do, or in `POSTPONED` seconds."""
        with self.lock:
            if self._later_is_due is None:
                self._later_is_due = time.monotonic() + POSTPONED
                self._wake()

    def handler_thread(self, thread_no: int) -> None:
        """What each thread does until it is told to stop."""
        work: Work | None = None
        while (work := self._next(thread_no, work)) is not None:
            try:
                work.do()
            except BaseException:
                self.logger.exception("Exception when servicing %r", work.do)

    def _next(self, thread_no: int, ended: Work | None) -> Work | None:
        """Wait for something to do; None when this thread has to end."""
        with self.lock:
            if ended is not None:
                self._under_way[ended.kind] -= 1
                self._large -= ended.is_large
            while self.stop_count == 0:
                now = time.monotonic()
                if self._leader in (None, thread_no) or now - self._begun_at > HELD_UP:
                    work = self._take(now)
                    if work is not None:
                        if self._leader != thread_no:
                            self._leader = thread_no
                            self._wake_watcher()
                        self._begun_at = now
                        return work
                    if self._leader == thread_no:
                        self._leader = None
                self._sleep()
            self.stop_count -= 1
            self.active_count -= 1
            self.threads.discard(thread_no)
            self.thread_exit_cv.notify()
            return None

    def _take(self, now: float) -> Work | None:
        if self._later_is_due is not None and (not self.queue or now > self._later_is_due):
            self._later_is_due = None
            return self._begin(Work(self._later))
        for position, task in enumerate(self.queue):
            work = Work(task.service, task.kind(), task.is_large())
            if self._may_begin(work):
                del self.queue[position]
                return self._begin(work)
        return None

    def _may_begin(self, work: Work) -> bool:
        """Whether a thread is left for short tasks then, or two when it is a long one. Large ones go one by one."""
        if work.is_large and self._large:
            return False
        if work.kind == SHORT:
            return True
        threads, long = len(self.threads), self._under_way[LONG]
        if work.kind == LONG and long >= max(1, threads - 2):
            return False
        return long + self._under_way[WAITING] < max(1, threads - 1)

    def _begin(self, work: Work) -> Work:
        self._under_way[work.kind] += 1
        self._large += work.is_large
        return work

    def _sleep(self) -> None:
        """Wait to be woken; when the leader has more to do than it has begun, one of the sleepers watches it."""
        self.active_count -= 1
        if self._has_more() and not self._watched:
            self._watched = True
            self.queue_cv.wait(HELD_UP)
            self._watched = False
        else:
            self.queue_cv.wait()
        self.active_count += 1

    def _wake(self) -> None:
        """Something has come: for the leader, if there is none, or else for a watcher."""
        if self._leader is None or not self._watched:
            self.queue_cv.notify()

    def _wake_watcher(self) -> None:
        """A sleeper has become the leader: another one has to watch it, when there is more to do."""
        if self._has_more() and not self._watched:
            self.queue_cv.notify()

    def _has_more(self) -> bool:
        return bool(self.queue) or self._later_is_due is not None
