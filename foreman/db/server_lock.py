"""One server a database: a lock beside the file, which its process loses when it ends, however it ends.

It is in a file of its own because closing any descriptor of the database file would make the process lose SQLite's
locks (https://www.sqlite.org/howtocorrupt.html, section 2.2). A server that is killed leaves that file behind, with no
lock on it. Only the command `serve` takes it: other WSGI servers may have the application in several processes.
"""

import fcntl
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

# What the file's name has behind that of the database.
ENDING = "-server.lock"

# Seconds that the next server waits for one that is stopping: longer than requests under way have to finish.
_PATIENCE_WITH_STOPPING = 30.0

# Seconds in which a server that has just locked the file has written who it is.
_PATIENCE_WITH_UNKNOWN = 1.0

_LOOK_EVERY = 0.05


class AlreadyServed(Exception):
    """Another server has the database. The message is one line that names its process."""


class _Holder(NamedTuple):
    """Who has locked the file.

    :ivar process: as people read it; None when it is not known, or has ended
    """

    process: str | None
    is_stopping: bool


class ServerLock:
    """A lock that this process holds."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def say(self, *more: str) -> None:
        """Write down who this is. A disk that is full keeps no server from starting or stopping."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, " ".join([str(os.getpid()), platform.node(), *more]).encode() + b"\n", 0)

    def stopping(self) -> None:
        """Let the next server wait instead of refusing to start: this one only finishes what has begun."""
        self.say("stopping")


@contextmanager
def only_server(database: Path) -> Iterator[ServerLock]:
    """Be the one server of a database file, which need not exist yet, until the end of the block.

    :param database: any path that leads to it
    :raises AlreadyServed: when another process is
    :raises OSError: when the directory cannot be written to
    """
    place = database.resolve()
    file = place.with_name(f"{place.name}{ENDING}")
    handle = _locked(file, place)
    try:
        lock = ServerLock(handle)
        lock.say()
        yield lock
    finally:
        with suppress(OSError):
            if _is_at(file, handle):  # the directory may have been moved
                file.unlink()  # before it is unlocked: afterwards it may be another server's
        os.close(handle)


def _locked(file: Path, database: Path) -> int:
    """Lock the file, waiting for a server that is stopping; its descriptor."""
    begun, told = time.monotonic(), False
    while True:
        handle = _opened(file)
        try:
            if _lock(handle):
                if _is_at(file, handle):  # else who had it has ended, and deleted it
                    if _is_writable(handle):
                        return handle
                    file.unlink()  # another user's server was killed
                os.close(handle)
                continue
            holder = _holder(handle)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if holder.is_stopping and not told:
            log.info("Waiting for %s, which is stopping", holder.process or "a server")
            told = True
        if time.monotonic() - begun >= _patience(holder):
            process = holder.process or "another process"
            raise AlreadyServed(
                f"{database} has a server already, {process}: stop that one, or choose another database"
            )
        time.sleep(_LOOK_EVERY)


def _opened(file: Path) -> int:
    """Open the file, which is made when it is not there."""
    while True:
        with suppress(FileNotFoundError):
            try:
                return os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            except PermissionError:
                return os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            os.fchmod(handle, 0o644)  # so that every user is told who has it
            return handle


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: Path, handle: int) -> bool:
    """Whether the file that is open is the one that others will find."""
    try:
        return os.path.samestat(file.stat(follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False


def _is_writable(handle: int) -> bool:
    return fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR


def _holder(handle: int) -> _Holder:
    words = os.pread(handle, 300, 0).decode(errors="replace").split(" ")
    if len(words) < 2 or not words[0].isdecimal():
        return _Holder(None, is_stopping=False)
    pid, host = words[0], words[1].strip()
    is_stopping = words[-1].strip() == "stopping"
    if host != platform.node():  # such as that of another container
        return _Holder(f"process {pid} on {host}", is_stopping)
    return _Holder(f"process {pid}" if _is_alive(int(pid)) else None, is_stopping)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _patience(holder: _Holder) -> float:
    if holder.is_stopping:
        return _PATIENCE_WITH_STOPPING
    return 0 if holder.process else _PATIENCE_WITH_UNKNOWN
