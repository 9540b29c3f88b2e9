"""Putting a backup into the place of the database, which is kept."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from foreman.db.file import APPLICATION_ID, NotAForemanDatabase, refuse_loop
from foreman.maintenance.backup import CopyFailed, beside, link, now, sync, told, verified_copy
from foreman.maintenance.progress import NOBODY, Progress

# What is kept has the name of the database with this and the time behind it.
_REPLACED = ".replaced-"


def restore(file: Path, target: Path, progress: Progress = NOBODY) -> Path | None:
    """Replace a database, which nobody may have open, by a copy of a backup. The backup is not changed.

    A kill or a loss of power leaves one of these states, in this order, and never loses anything:

    - the database as it was, perhaps with its log folded in;
    - the same, with a second name of the same file, NAME.replaced-...;
    - the backup in its place, and what it replaced under NAME.replaced-...

    In all of them a temporary file, `.foreman-*.partial`, may lie beside it, and restoring can be done again.

    :return: where the replaced database is kept, complete in one file; None when there was none
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
    if not target.is_file() or not _may_be_replaced(target):
        raise NotAForemanDatabase.at(target)


def _may_be_replaced(target: Path) -> bool:
    """Whether it is empty or ours, of whatever version: also what a newer Foreman has written can be replaced."""
    with target.open("rb") as opened:
        header = opened.read(100)
    return not header or header[68:72] == APPLICATION_ID.to_bytes(4)


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
        sync(target.parent)
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
    sync(target.parent)


@contextmanager
def out_of_use(target: Path) -> Iterator[sqlite3.Connection]:
    """Keep everybody else out of a database that is in one file: with its log folded in, and gone.

    A connection in WAL mode holds a shared lock on the database as long as it is open, also when it is idle. Leaving
    that mode needs an exclusive lock, which locking_mode = EXCLUSIVE keeps until the end
    (https://www.sqlite.org/wal.html, sections 6 and 9). A process that has opened the file without having read from it
    yet finds it in the mode before WAL. There SQLite refuses to write to a file that has been renamed
    (SQLITE_READONLY_DBMOVED), so that it cannot make a log which would then lie beside the restored database.

    :return: the connection that keeps them out, also when the transaction that it has open has ended; it keeps its
        rollback journal open, which therefore must not be deleted while it may write
    :raises CopyFailed: when any process has it open, or it is damaged
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
                f"{target} is damaged, so its log cannot be folded in: move it and its -wal away, then restore"
            ) from error
        raise
