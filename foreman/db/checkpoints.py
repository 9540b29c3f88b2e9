"""Checkpoints: a thread of its own copies the write-ahead log into the database file, so that no commit has to.

See https://www.sqlite.org/wal.html, sections 3.3 and 6, and `walCheckpoint` in SQLite's wal.c. A passive checkpoint
blocks nobody, but under constant writes it never catches up with the writer, and only a log that has been copied to its
last frame is begun anew. So the thread copies almost everything while others write. When the log has grown long
enough, it takes the writer's turn for the few frames that are left.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from foreman.db.transactions import Writer

log = logging.getLogger(__name__)

# Seconds between two checkpoints while there are commits, and after one that has failed.
PAUSE, PAUSE_AFTER_FAILURE = 0.25, 5.0

# Frames in the log from which on it is begun anew: each holds a page, so this is 8 MB. If the last of several
# checkpoints has taken longer than SLOW seconds, as on a disk that stalls, nobody shall wait for the next one, until
# the log is 64 MB long.
LONG, LONGEST = 2_000, 16_000
SLOW = 0.05

# The most frames that are copied while others wait for the writer's turn, until the log is 64 MB long.
FEW = 500

# Bytes that a longer log is cut down to once it is begun anew, such as after a backup.
LOG_SIZE_LIMIT = 16 * 1024**2

# Passive checkpoints in a row. SQLite syncs the database file only after one during which nobody has committed. The
# first copies the most and takes longest. The next ones are short, so that one of them ends with the sync.
_PASSES = 3


class Copied(NamedTuple):
    """The result of a checkpoint, in frames: how many there are in the log, and how many of them have been copied."""

    frames: int
    copied: int


class Checkpoints:
    """The thread that checkpoints the write-ahead log, from `start` to `stop`.

    Meanwhile commits do not checkpoint; however the thread ends, they do so again.

    :param connect: opens a connection with the log of the file that is in place now
    :param generation: of the file that the writer uses; see `Database`
    :raises sqlite3.Error: when the file cannot be opened
    """

    def __init__(
        self, writer: Writer, connect: Callable[[], sqlite3.Connection], generation: Callable[[], int]
    ) -> None:
        self._writer, self._connect, self._generation_now = writer, connect, generation
        self._generation = generation()
        self._connection = connect()  # ahead: later there may be no file descriptors left
        self._stopping = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="checkpoints")

    def start(self) -> None:
        """Start the thread."""
        self._writer.checkpoint_in_commits(False)
        try:
            self._thread.start()
        except BaseException:
            self._writer.checkpoint_in_commits(True)
            self._connection.close()
            raise

    def stop(self) -> None:
        """Let the thread end, and wait for it."""
        self._stopping.set()
        self._writer.checkpoint_wanted.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._writer.checkpoint_wanted.wait()
                if not self._stopping.wait(PAUSE_AFTER_FAILURE if self._failing else PAUSE):
                    self._writer.checkpoint_wanted.clear()
                    self._checkpoint()
        finally:
            self._connection.close()
            self._writer.checkpoint_in_commits(True)

    def _checkpoint(self) -> None:
        """Checkpoint, and log the first failure of several in a row: the others would fill the log with the same."""
        try:
            self._follow()
            self._copy()
        except Exception as error:  # also MemoryError, which sqlite3 raises for SQLITE_NOMEM
            self._writer.checkpoint_wanted.set()  # try again, even if nobody can write any more
            if not self._failing:
                log.error("The write-ahead log cannot be checkpointed, and grows: %s", error)
            self._failing = True
        else:
            if self._failing:
                log.info("The write-ahead log is checkpointed again")
            self._failing = False

    def _follow(self) -> None:
        """Go on with the file that the writer has gone on with."""
        generation = self._generation_now()
        if generation != self._generation:
            followed = self._connect()
            self._connection.close()
            self._connection, self._generation = followed, generation
            self._writer.checkpoint_in_commits(False)

    def _copy(self) -> None:
        done, took = self._timed_pass()
        for _ in range(_PASSES - 1):
            if done is not None:
                done, took = self._timed_pass()
        if done is None:
            self._writer.checkpoint_wanted.set()  # somebody else checkpoints: there may be a rest
            return
        rest = done.frames - done.copied
        if rest > FEW:
            self._writer.checkpoint_wanted.set()  # somebody reads an old snapshot, or writes faster than this copies
        if done.frames >= LONGEST or (done.frames >= LONG and rest <= FEW and took < SLOW):
            with self._writer.between_transactions():
                self._pass()

    def _timed_pass(self) -> tuple[Copied | None, float]:
        """A passive checkpoint, and how many seconds it has taken."""
        begun = time.monotonic()
        return self._pass(), time.monotonic() - begun

    def _pass(self) -> Copied | None:
        """A passive checkpoint.

        :return: None when another process was checkpointing
        """
        with self._writer.checkpointing:
            busy, frames, copied = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return None if busy else Copied(frames, copied)
