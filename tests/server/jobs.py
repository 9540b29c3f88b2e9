"""Jobs for a dispatcher, of which a test decides when they end, and an event loop whose events it makes."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar

from foreman.auth.holder import Holder
from foreman.server.dispatcher import Dispatcher, Waiter
from foreman.server.loop import READ
from foreman.vocabulary import LONG, SHORT, WAITING
from tests.support.waiting import NEVER, PATIENCE

Work = Callable[[], object]
Begin = Callable[..., Dispatcher]


class Job:
    """A task, and whether it is done or was cancelled."""

    def __init__(self, work: Work = lambda: None) -> None:
        self._work = work
        self.begun, self.done = threading.Event(), threading.Event()
        self.cancelled = False
        self.queued_at = 0.0
        self.holder = Holder("org", "key")
        self.thread: threading.Thread | None = None

    def kind(self) -> int:
        return SHORT

    def is_large(self) -> bool:
        return False

    def fits(self) -> bool:
        return True

    def service(self) -> None:
        self.thread = threading.current_thread()
        self.begun.set()
        try:
            self._work()
        finally:
            self.done.set()

    def cancel(self) -> None:
        self.cancelled = True

    def refuse(self) -> None:
        pass


class Stuck(Job):
    """A task that is not done before it is freed, which is at the end of the test at the latest."""

    all: ClassVar[list["Stuck"]] = []

    def __init__(self, at_first: Work = lambda: None) -> None:
        super().__init__(lambda: (at_first(), self._freed.wait()))
        self._freed = threading.Event()
        self.all.append(self)

    def free(self) -> None:
        self._freed.set()


class Waiting(Stuck):
    """A task that waits for others of its kind until it is freed."""

    def kind(self) -> int:
        return WAITING


class Long(Stuck):
    """A task that computes until it is freed."""

    def kind(self) -> int:
        return LONG


class Large(Stuck):
    """A task that takes much memory until it is freed."""

    def is_large(self) -> bool:
        return True


class Sockets:
    """An event loop whose events are what a test puts into it, and a thread that shares it."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        # Not a SimpleQueue: with a tiny timeout, CPython's sometimes waits for ever.
        self._events: queue.Queue[Work] = queue.Queue()
        self._most, self._is_closed = Most(), threading.Event()
        self._watched: dict[int, Waiter] = {}
        self._thread = threading.Thread(target=dispatcher.share_loop, args=(self,))
        self._thread.start()

    def happen(self, event: Work) -> None:
        self._events.put(event)

    def receive(self, *jobs: Job) -> None:
        def receive_all() -> None:
            for job in jobs:
                self._dispatcher.add_task(job)

        self.happen(receive_all)

    def want(self, watched: Waiter, events: int) -> None:
        if events:
            self._watched[watched.socket] = watched
        else:
            del self._watched[watched.socket]

    def answer(self, socket: int) -> None:
        """Let this socket be ready, if it is watched."""
        if (watched := self._watched.get(socket)) is not None:
            self.happen(lambda: watched.ready(READ))

    def watched(self, socket: int) -> Waiter:
        return self._watched[socket]

    def is_watched(self, socket: int) -> bool:
        return socket in self._watched

    def all_watched(self) -> list[int]:
        return list(self._watched)

    def wait(self, timeout: float | None) -> list[Work] | None:
        events: list[Work] = []
        with self._most.visited(), suppress(queue.Empty):
            events.append(self._events.get(timeout=NEVER if timeout is None else timeout))
        return None if self._is_closed.is_set() else events

    def handle(self, events: list[Work]) -> None:
        with self._most.visited():
            for event in events:
                event()

    def wake(self) -> None:
        self.happen(nothing)

    def end(self) -> None:
        self._is_closed.set()
        self.wake()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self.end()
        self.join()
        assert self._most.seen <= 1


class Most:
    """How many were inside at once at most."""

    def __init__(self) -> None:
        self.inside = self.seen = 0
        self._lock = threading.Lock()

    @contextmanager
    def visited(self) -> Iterator[None]:
        with self._lock:
            self.inside += 1
            self.seen = max(self.seen, self.inside)
        yield
        with self._lock:
            self.inside -= 1

    def visit(self) -> None:
        with self.visited():
            time.sleep(0)  # let others run


def happens(event: threading.Event) -> bool:
    return event.wait(PATIENCE)


def nothing() -> None:
    pass
