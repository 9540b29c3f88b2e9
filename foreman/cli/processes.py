"""Several server processes on one port: their supervisor starts them, replaces those that die, and stops them.

It forks them, and opens no database and starts no thread itself: a process inherits nothing from it that could be in a
broken state. What is open to all is only two kinds of pipes, by which each side notices the end of the other.
"""

import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import click

from foreman.cli.options import Failure, WrongUsage
from foreman.config import Settings, is_postgres
from foreman.server.listener import Port
from foreman.stop_signals import on_stop_signals, undisturbed

log = logging.getLogger(__name__)

# A process that serves less than so many seconds has died at once: its place then stays empty for a pause, which
# doubles each time up to the longest one.
_STEADY = 10.0
_PAUSE, _LONGEST_PAUSE = 0.5, 30.0

# How often each place is tried in vain, while nobody serves, before the supervisor gives up.
_ATTEMPTS = 6

# Seconds between two looks at the parent process, and at places whose pause may be over.
_LOOK_EVERY = 0.2

# Seconds between two SIGTERM to processes that shall drop in-flight requests; closer together they count as one.
_INSIST_EVERY = 1.1


def refuse(settings: Settings) -> None:
    """Refuse several processes where they could not do what one does.

    :raises WrongUsage: if so, with one line that says what to do
    """
    if settings.processes == 1:
        return
    said = f"FOREMAN_PROCESSES is {settings.processes}"
    if not is_postgres(settings.database):
        raise WrongUsage(f"{said}, but an SQLite file is served by one process: use 1, or a database on PostgreSQL")
    if settings.rate_limit is not None and settings.rate_limit_storage is None:
        raise WrongUsage(
            f"{said}, but each process would count requests for itself: set FOREMAN_RATE_LIMIT_STORAGE to a Redis "
            "server, or FOREMAN_RATE_LIMIT to off"
        )
    if settings.metrics_token is not None:
        raise WrongUsage(
            f"{said}, but GET /metrics would show another process each time: unset FOREMAN_METRICS_TOKEN, or start as "
            "many servers on ports of their own"
        )
    if not hasattr(socket, "SO_REUSEPORT"):
        raise WrongUsage(f"{said}, but on this system processes cannot share a port")


class Child:
    """What a server process knows of its supervisor.

    :param is_first: whether it is the first process at all: it speaks for the others, which start when it serves
    :param alive: the end of a pipe that is closed when the supervisor has ended
    :param tell: the end of a pipe to the supervisor
    """

    def __init__(self, alive: int, tell: int, *, is_first: bool) -> None:
        self.is_first = is_first
        self._alive, self._tell = alive, tell
        threading.Thread(target=self._stop_at_its_end, name="supervisor", daemon=True).start()

    def serves(self) -> None:
        """Tell the supervisor that this process accepts connections."""
        with suppress(BrokenPipeError):
            os.write(self._tell, b".")

    def _stop_at_its_end(self) -> None:
        """Send this process SIGTERM when the supervisor has ended, however that was: requests still finish."""
        os.read(self._alive, 1)
        os.kill(os.getpid(), signal.SIGTERM)


class _Place:
    """A server process, or the pause until the next one.

    :ivar pid: 0 while there is none
    :ivar heard: the end of a pipe from the process
    :ivar due: when to start the next one (`time.monotonic`)
    :ivar died_at_once: how many in a row have
    """

    def __init__(self) -> None:
        self.pid, self.heard = 0, -1
        self.serves = False
        self.begun = self.due = 0.0
        self.died_at_once = 0


class Supervisor:
    """Runs a number of server processes on a shared port until a stop signal, or until its parent process ends.

    :param announce: called once all of them serve
    :param is_orphan: whether the parent has ended, so that this process shall end, too
    """

    def __init__(
        self, number: int, port: Port, announce: Callable[[], object], is_orphan: Callable[[], bool] | None
    ) -> None:
        self._port, self._announce, self._is_orphan = port, announce, is_orphan
        self._places = [_Place() for _ in range(number)]
        self._alive, self._alive_here = os.pipe()
        self._has_served = self._is_announced = False
        self._stopping = self._insisting = self._gave_up = False
        self._next_insistence = 0.0

    def run(self) -> Child:
        """Fork the server processes. Returns in each of them; the supervisor itself exits.

        :raises SystemExit: in the supervisor: with 0 after a stop signal, and with the status of the first process if
            that has ended before it served
        :raises Failure: if no process can be started
        """
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it is ignored, their statuses are lost
        on_stop_signals(self.stop)
        while not self._stopping or self._living():
            for place in self._due():
                if (child := self._start(place)) is not None:
                    return child
            self._wait()
        raise self._outcome()

    def stop(self) -> None:
        """Stop all processes; a second call abandons in-flight requests."""
        if self._stopping:
            self._insisting = True
        self._stopping = True
        self._next_insistence = time.monotonic() + _INSIST_EVERY
        for place in self._living():
            with suppress(ProcessLookupError):
                os.kill(place.pid, signal.SIGTERM)

    def _living(self) -> list[_Place]:
        return [place for place in self._places if place.pid]

    def _due(self) -> list[_Place]:
        """The places to fill now: first one, the others when it serves."""
        return [place for place in self._empty() if time.monotonic() >= place.due]

    def _empty(self) -> list[_Place]:
        """The places that shall not stay empty."""
        if self._stopping:
            return []
        wanted = self._places if self._has_served else self._places[:1]
        return [place for place in wanted if not place.pid]

    def _start(self, place: _Place) -> Child | None:
        """Fork a process. Returns twice: in the new one its `Child`."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):
                stream.flush()  # or both would write what is buffered
        with undisturbed():  # so that every signal finds either no new process, or one that is known
            if self._stopping:
                return None
            heard, tell = os.pipe()
            pid = os.fork()
            if pid == 0:
                on_stop_signals(_leave)
                os.close(heard)
                self._forget()
                return Child(self._alive, tell, is_first=not self._has_served)
            place.pid, place.heard, place.begun, place.serves = pid, heard, time.monotonic(), False
        os.close(tell)
        return None

    def _forget(self) -> None:
        """Close, in a new process, what is the supervisor's."""
        os.close(self._alive_here)
        for place in self._living():
            os.close(place.heard)
        self._port.close()

    def _wait(self) -> None:
        """Wait for news of the processes, or until something is due."""
        poll = select.poll()
        for place in self._living():
            poll.register(place.heard, select.POLLIN)
        looks = self._is_orphan is not None or self._insisting or self._empty()
        heard = {file for file, _ in poll.poll(_LOOK_EVERY * 1000 if looks else None)}
        for place in self._living():
            if place.heard in heard:
                self._hear(place)
        now = time.monotonic()
        if self._is_orphan is not None and not self._insisting and self._is_orphan():
            self.stop()
            self._insisting = True  # nobody waits for responses any more
        if self._insisting and now >= self._next_insistence:
            self.stop()

    def _hear(self, place: _Place) -> None:
        if not os.read(place.heard, 1):
            self._ended(place)
            return
        place.serves = self._has_served = True
        if self._is_announced:
            log.info("Process %d serves", place.pid)
        elif all(each.serves for each in self._places):
            self._is_announced = True
            self._announce()

    def _ended(self, place: _Place) -> None:
        """Note the end of a process, and when another one starts in its place."""
        pid, status = os.waitpid(place.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        os.close(place.heard)
        place.pid = 0
        how = f"status {code}" if code >= 0 else f"signal {-code}"
        if self._stopping:
            return
        if not self._has_served:
            if code > 0:  # it has said why
                sys.exit(code)
            raise Failure(f"the first process has ended with {how} before it served")
        if place.serves and time.monotonic() - place.begun >= _STEADY:
            place.died_at_once = 0
            place.due = time.monotonic()
        else:
            self._pause(place)
        log.warning("Process %d has ended with %s%s", pid, how, "" if self._gave_up else "; another one starts")

    def _pause(self, place: _Place) -> None:
        place.died_at_once += 1
        place.serves = False
        place.due = time.monotonic() + min(_PAUSE * 2 ** (place.died_at_once - 1), _LONGEST_PAUSE)
        if all(each.died_at_once >= _ATTEMPTS and not each.serves for each in self._places):
            self._gave_up = True
            self.stop()

    def _outcome(self) -> BaseException:
        """What ends the supervisor, after all processes have ended."""
        if self._gave_up:
            return Failure(f"no process could be started in {_ATTEMPTS} attempts")
        if not self._has_served:
            return click.Abort()
        log.info("Stopped")
        return SystemExit(0)


def _leave() -> NoReturn:
    """Handler of stop signals in a process that does not serve yet."""
    sys.exit(1)
