"""Backups: verified copies of a database, put in place atomically."""

import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from foreman import clock
from foreman.db.file import APPLICATION_ID, NotAForemanDatabase, refuse_loop
from foreman.maintenance.check import contents, snapshot, violations
from foreman.maintenance.progress import NOBODY, Progress

# Suffixes of the files that SQLite keeps beside a database, and reads with it (https://www.sqlite.org/tempfiles.html).
ENDINGS = ("-wal", "-shm", "-journal")

_PAGES = 2048  # copied at a time: 8 MB
_COPYING = 0.15  # share of the time that a verified copy takes
_KEPT = re.compile(r"foreman-\d{8}T\d{6}Z\.db")


class CopyFailed(Exception):
    """A copy failed. The message is one line that says why. Unless it says otherwise, what was there is as it was."""


def take(source: Path, target: Path, progress: Progress = NOBODY) -> None:
    """Back up a database to a file, even while a server writes to it. An earlier backup is replaced.

    At every moment, even if this process is killed, the file's name stands for what was there before, or for the
    complete copy: verified, synced to disk, and a snapshot of one moment after the call.

    :raises CopyFailed: when there is no backup
    """
    with told(f"{source} cannot be copied to {target}"):
        refuse_loop(target)
        place = target.resolve()
        _refuse(source, place)
        with verified_copy(source, place.parent, progress=progress) as copy:
            progress.beyond_return()
            copy.replace(place)
            sync_name(place)


def take_and_keep(source: Path, directory: Path, number: int, progress: Progress = NOBODY) -> Path:
    """Back up a database to `foreman-YYYYMMDDTHHMMSSZ.db` (UTC) in a directory, and delete the oldest such files there.

    :param number: how many to keep; the new one is always among them
    :return: the new file
    :raises CopyFailed: when there is no backup, and nothing was deleted; or when an old one cannot be deleted
    """
    begun = now()
    with told(f"{source} cannot be copied into {directory}"):
        if not directory.is_dir():
            raise CopyFailed(f"{directory} is not a directory, which --keep needs")
        with verified_copy(source, directory, progress=progress) as copy:
            progress.beyond_return()
            file = link(copy, begun, "foreman-", ".db")
        sync_name(file)
    with told(f"{file} is written, but older backups cannot be deleted"):
        _delete_oldest(directory, file, number)
    return file


def summary(file: Path) -> str:
    """The contents of a database: `45056 bytes, 1 runs, 2 tasks, 3 entries`.

    :raises CopyFailed: when it cannot be read
    """
    with told(f"{file} cannot be read"), snapshot(file) as view:
        return "{} bytes, {} runs, {} tasks, {} entries".format(file.stat().st_size, *contents(view))


@contextmanager
def verified_copy(
    source: Path, directory: Path, reader: sqlite3.Connection | None = None, progress: Progress = NOBODY
) -> Iterator[Path]:
    """A verified copy, synced to disk, in a temporary file that is deleted at the end unless it was renamed.

    A killed process leaves it behind, as `.foreman-*.partial`.

    :param reader: a connection to the source that keeps others from opening it
    :raises CopyFailed: when the copy violates an invariant
    :raises NotAForemanDatabase: when the source is not a Foreman database, or from a newer version
    :raises sqlite3.Error: when the source cannot be read or the copy cannot be written
    :raises OSError: when the copy cannot be written
    """
    handle, name = tempfile.mkstemp(".partial", ".foreman-", directory)
    os.close(handle)
    copy = Path(name)
    try:
        with snapshot(source) if reader is None else nullcontext(reader) as view:
            progress.doing("Copying")
            _copy(view, copy, progress.stretch(0, _COPYING))
        progress.doing("Verifying")
        with snapshot(copy) as view:
            found = sum(1 for _ in violations(view, progress=progress.stretch(_COPYING, 1)))
        if found:
            number = f"{found} violation{'' if found == 1 else 's'}"
            raise CopyFailed(f"{source} is not sound, so it was not copied: `check` finds {number}")
        copy.chmod(_permissions(source, copy))
        sync(copy)
        yield copy
    finally:
        for file in (copy, *beside(copy)):
            file.unlink(missing_ok=True)


def beside(file: Path) -> list[Path]:
    """The files that SQLite may keep beside a database."""
    return [file.with_name(file.name + ending) for ending in ENDINGS]


def may_be_replaced(file: Path) -> bool:
    """Whether a file is empty or ours, of any version: what a newer Foreman has written can be replaced, too."""
    with file.open("rb") as opened:
        header = opened.read(100)
    return not header or header[68:72] == APPLICATION_ID.to_bytes(4)


def now() -> datetime:
    """The current time, UTC, in whole seconds."""
    return datetime.fromtimestamp(clock.now_ms() // 1000, UTC)


def link(file: Path, moment: datetime, prefix: str, suffix: str = "") -> Path:
    """Give a file a second name in its directory, `prefixYYYYMMDDTHHMMSSZsuffix`.

    If that name is taken, it is that of the next free second. Unlike a rename, this never replaces a file.

    :return: the second name
    """
    while True:
        name = file.with_name(f"{prefix}{moment:%Y%m%dT%H%M%SZ}{suffix}")
        try:
            name.hardlink_to(file)
            return name
        except FileExistsError:
            moment += timedelta(seconds=1)


def sync(path: Path) -> None:
    """Sync a file's content, or a directory's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_name(file: Path) -> None:
    """Sync the name of a file that is in its place to disk.

    :raises CopyFailed: when that fails; it says that the file is in its place nevertheless
    """
    with told(f"{file} is in its place, but a power loss could still undo that: its directory cannot be synced"):
        sync(file.parent)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn errors of files and databases into one line.

    :raises CopyFailed: with what failed, and why
    """
    try:
        yield
    except NotAForemanDatabase as error:
        raise CopyFailed(str(error)) from None
    except OSError as error:
        raise CopyFailed(f"{what}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise CopyFailed(f"{what}: {error}") from error


def _copy(view: sqlite3.Connection, copy: Path, progress: Progress) -> None:
    """Copy a snapshot of a database with SQLite's backup API (https://www.sqlite.org/backup.html).

    The API starts over whenever another connection has written, unless the source's connection has a transaction open,
    as here. Then it reads one snapshot, and in WAL mode nobody waits for it. A checkpoint cannot go beyond that
    snapshot (https://www.sqlite.org/wal.html, section 2.2), so the log grows until the end. Hence there are no pauses.
    """

    def on_step(_status: int, remaining: int, total: int) -> None:
        _after_step(written)
        progress.at(1 - remaining / max(1, total))

    with (
        closing(sqlite3.connect(copy, isolation_level=None)) as connection,
        copy.open("rb") as written,
    ):
        # Nobody reads the copy before it is complete, so it needs no journal, and SQLite need not sync it.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        view.backup(connection, pages=_PAGES, progress=on_step)


def _after_step(written: BinaryIO) -> None:
    """Sync step by step: if all of it came at the end, a server's commits would have to wait longer for the disk.

    Python also handles signals, such as Ctrl-C, between steps.
    """
    os.fsync(written.fileno())


def _refuse(source: Path, target: Path) -> None:
    """Check that a backup may be written to the target."""
    if not target.parent.is_dir():
        raise CopyFailed(f"{target.parent} does not exist: the backup cannot be written into it")
    if target.is_dir():
        raise CopyFailed(f"{target} is a directory; to keep several backups in it, use --keep")
    if target.exists() and not target.is_file():
        raise CopyFailed(f"{target} is not a file that can be replaced")
    if target.exists() and source.exists() and target.samefile(source):
        raise CopyFailed(f"{target} is the database itself")
    if target.exists() and not may_be_replaced(target):
        raise CopyFailed(f"{target} is not a backup of Foreman's, so it is not replaced")
    if target.name.endswith(ENDINGS):
        raise CopyFailed(f"{target} has the name of a file that SQLite keeps beside a database")
    for log in beside(target):
        if log.exists():
            raise CopyFailed(f"{log} exists: {target} is in use, or was when its server crashed")


def _permissions(source: Path, copy: Path) -> int:
    """The source's permissions, without those of groups and others if they would let in somebody else."""
    ours, theirs = copy.stat(), source.stat()
    same = (ours.st_uid, ours.st_gid) == (theirs.st_uid, theirs.st_gid)
    return stat.S_IMODE(theirs.st_mode) & (0o666 if same else 0o600)


def _delete_oldest(directory: Path, newest: Path, number: int) -> None:
    others = [
        file
        for file in directory.iterdir()
        if _KEPT.fullmatch(file.name) and file != newest and file.is_file() and not file.is_symlink()
    ]
    for file in sorted(others, reverse=True)[number - 1 :]:
        file.unlink()
