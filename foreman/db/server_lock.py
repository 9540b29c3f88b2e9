"""The server lock: one server per database. The kernel releases it when its process ends, however that ends.

The lock is on a file of its own, because closing any descriptor of the database file would drop the process's SQLite
locks (https://www.sqlite.org/howtocorrupt.html, section 2.2). A killed server leaves that file behind, unlocked. Only
the command `serve` takes the lock: other WSGI servers may run the application in several processes.
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

# Suffix of the lock file's name, after the database's.
ENDING = "-server.lock"

# Seconds that a new server waits for one that is stopping: longer than in-flight requests get to finish.
_PATIENCE_WITH_STOPPING = 30.0

# Seconds within which a server that has just locked the file writes its process id.
_PATIENCE_WITH_UNKNOWN = 1.0

_LOOK_EVERY = 0.05


class AlreadyServed(Exception):
    """Another server has the database. The message is one line that names its process."""


class _Holder(NamedTuple):
    """The owner of the lock.

    :ivar process: for people to read; None if it is unknown, or has ended
    """

    process: str | None
    is_stopping: bool


class ServerLock:
    """The lock, held by this process."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def say(self, *more: str) -> None:
        """Write the owner into the file. A full disk must not keep a server from starting or stopping."""
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, " ".join([str(os.getpid()), platform.node(), *more]).encode() + b"\n", 0)

    def stopping(self) -> None:
        """Let the next server wait instead of refusing to start: this one only finishes in-flight requests."""
        self.say("stopping")


@contextmanager
def only_server(database: Path) -> Iterator[ServerLock]:
    """Hold the server lock of a database file, which need not exist yet, until the end of the block.

    :param database: any path that leads to it
    :raises AlreadyServed: when another process holds the lock
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
    """Lock the file, waiting for a server that is stopping; return the file descriptor."""
    begun, told = time.monotonic(), False
    while True:
        handle = _opened(file)
        try:
            if _lock(handle):
                if _is_at(file, handle):  # else its owner has ended, and deleted it
                    if _is_writable(handle):
                        return handle
                    file.unlink()  # it was left by a killed server of another user
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
                f"{database} already has a server, {process}: stop that one, or choose another database"
            )
        time.sleep(_LOOK_EVERY)


def _opened(file: Path) -> int:
    """Open the lock file, or create it."""
    while True:
        with suppress(FileNotFoundError):
            try:
                return os.open(file, os.O_RDWR | os.O_NOFOLLOW)
            except PermissionError:
                return os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            os.fchmod(handle, 0o644)  # so that every user can read whose it is
            return handle


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: Path, handle: int) -> bool:
    """Whether the open file is the one that others find at its path."""
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
    except PermissionError:  # it belongs to another user
        return True
    return True


def _patience(holder: _Holder) -> float:
    if holder.is_stopping:
        return _PATIENCE_WITH_STOPPING
    return 0 if holder.process else _PATIENCE_WITH_UNKNOWN
