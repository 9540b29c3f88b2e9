"""Upgrades: apply the migrations that an earlier database lacks, all or none, after a backup."""

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

from foreman.db.file import SCHEMA_VERSION, EarlierVersion, refuse_foreign_file, refuse_missing
from foreman.db.schema import Migration, set_version, since, statements
from foreman.db.sqlite import Database
from foreman.maintenance.backup import CopyFailed, link, now, sync, told, verified_copy
from foreman.maintenance.check import snapshot, violations
from foreman.maintenance.invariants.file import FILE
from foreman.maintenance.progress import NOBODY, Progress, attentive
from foreman.maintenance.restore import out_of_use

log = logging.getLogger(__name__)

# A backup has the name of the database, followed by this, the version to upgrade to, and the time.
_BEFORE = ".before-version-"

# The share of an upgrade's time that its backup takes. The rest depends on the migrations.
_BACKUP = 0.65

# How much room an upgrade may need, in sizes of the database: for the backup, for the rollback journal, and for tables
# that are written anew before the old ones are dropped.
_MOST_ROOM = 3

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
    """Open a database as a server does: one of an earlier version is upgraded first.

    If several processes do this at once, one upgrades the database and the others wait.

    :param tell: called with a line for the backup and for each migration
    :param create: create a new database if there is no file, or an empty one
    :raises UpgradeFailed: when it cannot be upgraded, such as when another process has it open
    :raises NotAForemanDatabase: when the file is not ours to write to
    """
    if not create:
        refuse_missing(path)
    refuse_foreign_file(path)
    with _turn(path.resolve().parent):
        try:
            return Database(path, durability, create=create)
        except EarlierVersion:
            _upgrade(path, tell, progress)
            return Database(path, durability, create=create)


def lacking(path: Path) -> tuple[int, tuple[Migration, ...]]:
    """The version of a database, and the migrations that it lacks. The database is not changed.

    :raises NotAForemanDatabase: when there is no such file, or it is something else, or from a newer version
    :raises sqlite3.Error: when the file cannot be read
    """
    with snapshot(path) as view:
        (version,) = view.execute("PRAGMA user_version").fetchone()
    return version, since(version)


def plan(path: Path) -> Iterator[str]:
    """What an upgrade would do, as lines. Nothing is changed.

    :raises UpgradeFailed: when there is no space for the backup
    :raises NotAForemanDatabase, sqlite3.Error: as `lacking`
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
    most = _MOST_ROOM * size
    note = "" if free >= most else ", so they might not fit"
    yield f"room: {free} bytes are free; the backup, the rollback journal and new tables need at most {most}{note}"


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Hold the lock for upgrades in a directory; wait while another process holds it.

    The lock is on the directory, so that it leaves no file behind. It is not on the database file, because closing that
    would drop the process's SQLite locks (https://www.sqlite.org/howtocorrupt.html, section 2.2). The kernel releases
    it when the process ends.
    """
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _upgrade(path: Path, tell: Tell, progress: Progress) -> None:
    """Back up the database and migrate it, while nobody else has it open.

    It is in rollback-journal mode meanwhile. The journal holds the original of each changed page. SQLite rolls back
    from it if the process dies, or the power fails, before the commit.
    """
    place = path.resolve()
    try:
        with told(f"{path} cannot be backed up"), out_of_use(place) as connection:
            connection.execute("COMMIT")  # a backup cannot be made inside a write transaction; the lock stays
            missing = since(connection.execute("PRAGMA user_version").fetchone()[0])
            kept = _back_up(place, connection, progress.stretch(0, _BACKUP))
            tell(f"{path} is backed up as {kept}")
            try:
                _apply(connection, missing, tell, progress)
            except UpgradeFailed as error:
                is_now = "it is as it was"
                if not _roll_back(connection):
                    is_now = f"the next start undoes what was changed, by {place}-journal, which must stay there"
                raise UpgradeFailed(f"{path} cannot be upgraded: {error}; {is_now}, and backed up as {kept}") from error
    except CopyFailed as error:
        raise UpgradeFailed(f"{error}; it needs schema version {SCHEMA_VERSION}, and has not been upgraded") from error


def _back_up(place: Path, connection: sqlite3.Connection, progress: Progress) -> Path:
    """Keep a copy beside the database. An identical copy that an earlier upgrade has left is used again."""
    prefix = f"{place.name}{_BEFORE}{SCHEMA_VERSION}-"
    with verified_copy(place, place.parent, connection, progress) as copy:
        for earlier in sorted(place.parent.glob(f"{glob.escape(prefix)}*")):
            if filecmp.cmp(copy, earlier, shallow=False):
                return earlier
        kept = link(copy, now(), prefix)
        sync(place.parent)
        return kept


def _apply(connection: sqlite3.Connection, missing: tuple[Migration, ...], tell: Tell, progress: Progress) -> None:
    """Apply migrations in one transaction, and check the structure of the file (the rules in `FILE`) before the commit.

    Foreign keys are off: with them, replacing a table would delete the rows that refer to it. And renaming a table
    changes nothing but its name, or views and triggers of others would go on to mean the old table
    (https://www.sqlite.org/lang_altertable.html, sections 2 and 7).

    The rest of `check` would take as long again as the backup, and nobody can work meanwhile. What a migration does to
    rows is covered by its tests.

    It rolls nothing back: after any exception, closing the connection does that at the latest.

    :raises UpgradeFailed: with what failed, and why
    """
    progress.doing("Upgrading")
    doing = "locking"
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA legacy_alter_table = ON")
    try:
        connection.execute("BEGIN IMMEDIATE")
        for migration in missing:
            doing, begun = f"migration {migration}", time.monotonic()
            with attentive(connection):
                for statement in statements(migration.script):
                    connection.execute(statement)
            set_version(connection, migration.version)
            tell(f"Migration {migration}: {time.monotonic() - begun:.1f} seconds")
        doing = "the check after the migrations"
        for violation in violations(connection, FILE):
            raise UpgradeFailed(f"{doing} found: {violation}")
        doing = "the commit"
        progress.beyond_return()
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise UpgradeFailed(f"{doing} failed: {error}") from error


def _roll_back(connection: sqlite3.Connection) -> bool:
    """Undo what an open transaction, or one that has failed, has written to the file.

    :return: whether that succeeded; if not, the journal undoes it when the file is next opened
    """
    with suppress(sqlite3.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    try:
        # After an error of the disk, ROLLBACK leaves the file and its journal to the next statement.
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()
    except sqlite3.Error:
        return False
    return True
