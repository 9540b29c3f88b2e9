"""Upgrades: a database of an earlier version gets the migrations that it lacks: all of them or none, after a backup."""

import fcntl
import filecmp
import glob
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from foreman.db.file import SCHEMA_VERSION, EarlierVersion, refuse_foreign_file
from foreman.db.schema import Migration, set_version, since, statements
from foreman.db.sqlite import Database
from foreman.maintenance.backup import CopyFailed, link, now, sync, told, verified_copy
from foreman.maintenance.check import snapshot, violations
from foreman.maintenance.invariants import FILE
from foreman.maintenance.progress import NOBODY, Progress, attentive
from foreman.maintenance.restore import out_of_use

log = logging.getLogger(__name__)

# What is backed up has the name of the database with this, the version that it gets, and the time behind it.
_BEFORE = ".before-version-"

# The part of an upgrade that its backup takes; the rest depends on the migrations.
_BACKUP = 0.95

Tell = Callable[[str], object]


class UpgradeFailed(Exception):
    """The database is as it was. The message is one line that says why."""


def open_upgraded(
    path: Path,
    durability: str = "full",
    tell: Tell = log.info,
    progress: Progress = NOBODY,
    *,
    create: bool = True,
) -> Database:
    """Open a database as a server does: when it is of an earlier version, it is upgraded first.

    Of several processes that do this at once, one upgrades it and the others wait.

    :param tell: is given a line for the backup and for each migration
    :param create: make a new database where there is no file, or an empty one
    :raises UpgradeFailed: when it cannot be upgraded, such as when another process has it open
    :raises NotAForemanDatabase: when the file is not ours to write to
    """
    refuse_foreign_file(path)
    with _turn(path.resolve().parent):
        try:
            return Database(path, durability, create=create)
        except EarlierVersion:
            _upgrade(path, tell, progress)
            return Database(path, durability, create=create)


def lacking(path: Path) -> tuple[int, tuple[Migration, ...]]:
    """The version of a database, which is not changed, and the migrations that it lacks.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises sqlite3.Error: when the file cannot be read
    """
    with snapshot(path) as view:
        (version,) = view.execute("PRAGMA user_version").fetchone()
    return version, since(version)


def plan(path: Path) -> Iterator[str]:
    """What an upgrade would do, in lines. Nothing is changed.

    :raises UpgradeFailed: when there is no room for the backup; or as `lacking`
    """
    with snapshot(path) as view:
        version, size = view.execute(
            "SELECT user_version, page_count * page_size FROM pragma_user_version, pragma_page_count, pragma_page_size"
        ).fetchone()
    missing = since(version)
    if not missing:
        yield f"{path} has schema version {version}: nothing to do"
        return
    place = path.resolve()
    free = shutil.disk_usage(place.parent).free
    yield f"{path} has schema version {version}, this Foreman needs {SCHEMA_VERSION}"
    yield f"would write a backup of {size} bytes to {place}{_BEFORE}{SCHEMA_VERSION}-{now():%Y%m%dT%H%M%SZ}"
    yield from (f"would apply {migration}" for migration in missing)
    if free < size:
        raise UpgradeFailed(f"{place.parent} has no room for the backup: {free} bytes are free")
    yield f"room: {free} bytes are free; the backup, and what may have to be undone, need at most {2 * size}"


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Wait until no other process upgrades a database in a directory, and keep them waiting.

    The lock is on the directory, so that it leaves no file behind; and closing a file of its own must not make a
    process lose SQLite's locks (https://www.sqlite.org/howtocorrupt.html, section 2.2). It ends with the process.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _upgrade(path: Path, tell: Tell, progress: Progress) -> None:
    """Back the database up and change it, while nobody else has it open.

    It has no write-ahead log meanwhile: SQLite keeps what changes in a rollback journal, as large as the pages that
    change, and undoes them from it when the process, or the power, is lost before the commit.
    """
    place = path.resolve()
    try:
        with told(f"{path} cannot be backed up"), out_of_use(place) as connection:
            connection.execute("COMMIT")  # a backup cannot be made from within it; the lock stays
            missing = since(connection.execute("PRAGMA user_version").fetchone()[0])
            kept = _back_up(place, connection, progress.stretch(0, _BACKUP))
            tell(f"{path} is backed up as {kept}")
            try:
                _apply(connection, missing, tell, progress)
            except UpgradeFailed as error:
                raise UpgradeFailed(
                    f"{path} cannot be upgraded: {error}; it is as it was, and backed up as {kept}"
                ) from error
    except CopyFailed as error:
        raise UpgradeFailed(f"{error}; it needs schema version {SCHEMA_VERSION}, and has not been upgraded") from error


def _back_up(place: Path, connection: sqlite3.Connection, progress: Progress) -> Path:
    """Keep a copy beside the database: the one that an upgrade before has left, when it is the same."""
    prefix = f"{place.name}{_BEFORE}{SCHEMA_VERSION}-"
    with verified_copy(place, place.parent, connection, progress) as copy:
        for earlier in sorted(place.parent.glob(f"{glob.escape(prefix)}*")):
            if filecmp.cmp(copy, earlier, shallow=False):
                return earlier
        kept = link(copy, now(), prefix)
        sync(place.parent)
        return kept


def _apply(connection: sqlite3.Connection, missing: tuple[Migration, ...], tell: Tell, progress: Progress) -> None:
    """Apply migrations in one transaction, and check the file as a whole before its end.

    Foreign keys are off: with them, replacing a table would delete what refers to it
    (https://www.sqlite.org/lang_altertable.html, section 7).

    The rest of `check` would take as long again as the backup, in which nobody can work. What a migration does to rows
    is what its tests are for.

    :raises UpgradeFailed: with what has failed, and why; then all is undone
    """
    progress.doing("Upgrading")
    doing = "the lock"
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.execute("BEGIN IMMEDIATE")
        for migration in missing:
            doing, begun = f"migration {migration}", time.monotonic()
            with attentive(connection):
                for statement in statements(migration.script):
                    connection.execute(statement)
            set_version(connection, migration.version)
            tell(f"Migration {migration}: {time.monotonic() - begun:.1f} seconds")
        doing = "what must hold after the migrations"
        for violation in violations(connection, FILE):
            raise UpgradeFailed(f"{doing} does not: {violation}")
        doing = "the commit"
        progress.beyond_return()
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise UpgradeFailed(f"{doing} has failed: {error}") from error
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # then the journal undoes it when the file is opened next
                connection.execute("ROLLBACK")
