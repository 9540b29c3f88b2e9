"""Restoring: puts a backup in the place of the database, which is kept under another name."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from foreman.db.file import NotAForemanDatabase, refuse_loop
from foreman.maintenance.backup import (
    CopyFailed,
    beside,
    link,
    may_be_replaced,
    now,
    sync,
    sync_name,
    told,
    verified_copy,
)
from foreman.maintenance.progress import NOBODY, Progress

# A kept database has the name of the original, followed by this and the time.
_REPLACED = ".replaced-"


def restore(file: Path, target: Path, progress: Progress = NOBODY) -> Path | None:
    """Replace a database, which nobody may have open, with a copy of a backup. The backup is not changed.

    A kill or a power failure leaves one of these states, in this order, and never loses anything:

    - the database as it was, perhaps with its log checkpointed;
    - the same, with a second name for the same file, NAME.replaced-...;
    - the backup in its place, and what it replaced under NAME.replaced-...

    In each of them a temporary file, `.foreman-*.partial`, may lie beside it, and the restore can be run again.

    :return: where the replaced database is kept, complete in one file; None if there was none
    :raises CopyFailed: when the backup is not a sound Foreman database, or the database cannot be replaced
    """
    with told(f"{file} cannot be restored to {target}"):
        refuse_loop(target)
        place = target.resolve()
        _refuse(file, place)
        with verified_copy(file, place.parent, progress=progress) as copy:
            if place.exists():
                return _replace(place, copy, progress)
            progress.beyond_return()
            _create(place, copy)
            return None


def _refuse(file: Path, target: Path) -> None:
    if not target.parent.is_dir():
        raise CopyFailed(f"{target.parent} does not exist: the database cannot be created in it")
    if not target.exists():
        return
    if file.exists() and file.samefile(target):
        raise CopyFailed(f"{file} is the database itself")
    if not target.is_file() or not may_be_replaced(target):
        raise NotAForemanDatabase.at(target)


def _replace(target: Path, copy: Path, progress: Progress) -> Path:
    replaced = target.stat()
    os.chown(copy, replaced.st_uid, replaced.st_gid)  # so that the server can open it
    copy.chmod(stat.S_IMODE(replaced.st_mode))
    sync(copy)
    with out_of_use(target):
        for log in beside(target):  # the index of a log that a crash has left, and an empty journal
            log.unlink(missing_ok=True)
        progress.beyond_return()
        kept = link(target, now(), f"{target.name}{_REPLACED}")
        try:
            sync(target.parent)
            copy.replace(target)
        except BaseException:
            kept.unlink()
            raise
        sync_name(target)
    return kept


def _create(target: Path, copy: Path) -> None:
    """Put the copy where no database is. A log without its database would be applied to the copy, so it is renamed."""
    moment = now()
    for log in beside(target):
        if log.exists():
            link(log, moment, f"{target.name}{_REPLACED}", log.name.removeprefix(target.name))
            log.unlink()
    sync(target.parent)
    target.hardlink_to(copy)  # unlike a rename, this fails when a server has just created a database there
    sync_name(target)


@contextmanager
def out_of_use(target: Path) -> Iterator[sqlite3.Connection]:
    """Lock everybody else out of a database. Its log is checkpointed and removed, so it is a single file.

    A connection in WAL mode holds a shared lock on the database as long as it is open, even when idle. Leaving that
    mode needs an exclusive lock, which locking_mode = EXCLUSIVE keeps until the end
    (https://www.sqlite.org/wal.html, sections 6 and 9). A process that has opened the file, but not read from it yet,
    finds it in rollback-journal mode. There SQLite refuses to write to a file that has been renamed
    (SQLITE_READONLY_DBMOVED), so it cannot create a log which would then lie beside the restored database.

    :return: the connection that holds the lock, even after the transaction that it has open has ended; it keeps its
        rollback journal open, so that must not be deleted while the connection may write
    :raises CopyFailed: when any process has the database open, or it is damaged
    """
    try:
        with closing(sqlite3.connect(target, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
            yield connection
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise CopyFailed(f"{target} is in use: stop the server, and whatever else has it open, first") from None
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise CopyFailed(
                f"{target} is damaged, so its log cannot be checkpointed: move it and its -wal away, then restore"
            ) from error
        raise
