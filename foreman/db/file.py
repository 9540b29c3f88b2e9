"""The database as a file: whether it is ours, and whether it is still where it was opened."""

import sqlite3
from pathlib import Path

# "FMAN" in the header of the file (https://www.sqlite.org/fileformat2.html, offset 68) tells our files from others.
APPLICATION_ID = 0x464D414E
SCHEMA_VERSION = 3

_MAGIC = b"SQLite format 3\x00"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


class NotAForemanDatabase(Exception):
    """The file is something else, or from a newer version; it has not been touched."""

    @classmethod
    def at(cls, path: Path | str) -> "NotAForemanDatabase":
        """The error that names the file."""
        return cls(f"{path} is not a Foreman database; it has not been changed")


class EarlierVersion(NotAForemanDatabase):
    """The file is ours and has to be upgraded; it has not been touched."""


def refuse_foreign_file(path: Path) -> None:
    """Look at the file's header without opening it as a database, so that a file of somebody else stays untouched.

    :raises NotAForemanDatabase: when the file, or the place for a new one, is not for us
    """
    refuse_loop(path)
    if path.exists() and not path.is_file():
        raise NotAForemanDatabase(f"{path} is {'a directory' if path.is_dir() else 'a device'}, not a database file")
    if not path.parent.is_dir():
        raise NotAForemanDatabase(f"{path.parent} does not exist: the database file cannot be created in it")
    if not path.exists() or path.stat().st_size == 0 or _creation_was_cut_off(path):
        return
    with path.open("rb") as file:
        header = file.read(100)
    application_id, in_wal_mode = int.from_bytes(header[68:72]), header[18:19] == b"\x02"
    # Without an id, in the mode before WAL, it may be ours: empty, or about to be created by another process.
    if not header.startswith(_MAGIC) or (application_id != APPLICATION_ID and (application_id != 0 or in_wal_mode)):
        raise NotAForemanDatabase.at(path)
    refuse_newer(path, int.from_bytes(header[60:64]))


def refuse_missing(path: Path) -> None:
    """Check that there is a file: only `serve` and `restore` make a database.

    :raises NotAForemanDatabase: when there is none; it says where was looked
    """
    refuse_loop(path)
    if not path.is_file():
        raise NotAForemanDatabase(f"{path.absolute()} {'is not a file' if path.exists() else 'does not exist'}")


def refuse_loop(path: Path) -> None:
    """Check that a path does not lead back to itself.

    :raises NotAForemanDatabase: when its symbolic links do
    """
    try:
        path.resolve()
    except RuntimeError:  # OSError from Python 3.13 on, and only when it is asked to be strict
        raise NotAForemanDatabase(f"{path.absolute()} leads in a circle of symbolic links") from None


def _creation_was_cut_off(path: Path) -> bool:
    """Whether SQLite will empty the file when it opens it, because power was lost while it was created.

    Until then its first page may be anything. The rollback journal says that the file had no page before
    (https://www.sqlite.org/fileformat2.html, section 3).
    """
    try:
        with path.resolve().with_name(f"{path.resolve().name}-journal").open("rb") as journal:
            header = journal.read(28)
    except FileNotFoundError:
        return False
    return header.startswith(_JOURNAL_MAGIC) and header[16:20] == b"\0\0\0\0"


def refuse_newer(path: Path | str, version: int) -> None:
    """Check the version of a file's schema.

    :raises NotAForemanDatabase: when it is one that this program does not know yet
    """
    if version > SCHEMA_VERSION:
        raise NotAForemanDatabase(
            f"{path} has schema version {version}, from a newer Foreman; this one knows versions up to "
            f"{SCHEMA_VERSION}; the file has not been changed"
        )


def refuse_earlier(path: Path | str, version: int) -> None:
    """Check the version of a file's schema before working with it.

    :raises EarlierVersion: when migrations are lacking
    """
    if version < SCHEMA_VERSION:
        raise EarlierVersion(
            f"{path} has schema version {version}, from an earlier Foreman; this one needs {SCHEMA_VERSION}: run "
            "`migrate`, or start the server, which upgrades it; the file has not been changed"
        )


class OpenFile:
    """A database file and its write-ahead log as they were when they were opened.

    Deleting or replacing a file does not stop a process that has it open: it would go on writing where nobody ever
    looks again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        target = path.resolve()  # SQLite follows links, and keeps the log beside the file itself
        self._log = target.with_name(f"{target.name}-wal")
        self._file = _identity(path)
        self._log_file: tuple[int, int] | None = None  # it is created when it is needed first

    def is_in_place(self) -> bool:
        """Whether the path still leads to the database that is open."""
        return _identity(self._path) == self._file

    def log_is_in_place(self) -> bool:
        """Whether its write-ahead log is still there, where the next process would look for it.

        To be asked after each commit: the first time, it finds out which file the log is.
        """
        found = _identity(self._log)
        self._log_file = self._log_file or found
        return found is not None and found == self._log_file


class DatabaseMoved(sqlite3.OperationalError):
    """The database file has been deleted, moved or replaced while it was open."""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
