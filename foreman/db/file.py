"""The database file: whether it is ours, and whether it is still at its path."""

import sqlite3
from pathlib import Path

from foreman.db.schema import migrations

# "FMAN" in the file's header (https://www.sqlite.org/fileformat2.html, offset 68) tells our files from others.
APPLICATION_ID = 0x464D414E

# "FMCP": of a file that another database is being copied into.
UNFINISHED_ID = 0x464D4350

SCHEMA_VERSION = migrations()[-1].version

_MAGIC = b"SQLite format 3\x00"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")


class NotAForemanDatabase(Exception):
    """The file is not a Foreman database, or is from a newer version. It has not been touched."""

    @classmethod
    def at(cls, path: Path | str) -> "NotAForemanDatabase":
        """The error for the file at this path."""
        return cls(f"{path} is not a Foreman database; it has not been changed")


class EarlierVersion(NotAForemanDatabase):
    """The file is ours and needs an upgrade. It has not been touched."""


class UnfinishedCopy(NotAForemanDatabase):
    """Another database was being copied or imported into it, and that has not come to its end."""

    @classmethod
    def called(cls, name: Path | str) -> "UnfinishedCopy":
        """The error for the database of this name."""
        return cls(
            f"{name} is the unfinished copy of another database: run the command that began it again, or delete it"
        )


def refuse_foreign_file(path: Path) -> None:
    """Check a file's header without opening it as a database, so that somebody else's file stays untouched.

    :raises NotAForemanDatabase: when the file is not ours, or a new one cannot be created there
    :raises UnfinishedCopy: when a copy into it has not come to its end
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
    if header.startswith(_MAGIC) and application_id == UNFINISHED_ID:
        raise UnfinishedCopy.called(path)
    # Without an id and in rollback-journal mode it may be ours: empty, or being created by another process.
    if not header.startswith(_MAGIC) or (application_id != APPLICATION_ID and (application_id != 0 or in_wal_mode)):
        raise NotAForemanDatabase.at(path)
    refuse_newer(path, int.from_bytes(header[60:64]))


def refuse_missing(path: Path) -> None:
    """Check that the file exists: only `serve` and `restore` create a database.

    :raises NotAForemanDatabase: when it does not; the message has the absolute path
    """
    refuse_loop(path)
    if not path.is_file():
        raise NotAForemanDatabase(f"{path.absolute()} {'is not a file' if path.exists() else 'does not exist'}")


def refuse_loop(path: Path) -> None:
    """Check that a path's symbolic links do not form a loop.

    :raises NotAForemanDatabase: when they do
    """
    try:
        path.resolve()
    except RuntimeError:  # until Python 3.12; later versions raise OSError, and only in strict mode
        raise NotAForemanDatabase(f"{path.absolute()} leads into a loop of symbolic links") from None


def _creation_was_cut_off(path: Path) -> bool:
    """Whether SQLite will empty the file when it opens it, because the power failed while it was being created.

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
    """Check that a schema version is not too new.

    :raises NotAForemanDatabase: when this program does not know it yet
    """
    if version > SCHEMA_VERSION:
        raise NotAForemanDatabase(
            f"{path} has schema version {version}, from a newer Foreman; this one knows versions up to "
            f"{SCHEMA_VERSION}; the file has not been changed"
        )


def refuse_earlier(path: Path | str, version: int) -> None:
    """Check that a schema version is not too old.

    :raises EarlierVersion: when the database lacks migrations
    """
    if version < SCHEMA_VERSION:
        raise EarlierVersion(
            f"{path} has schema version {version}, from an earlier Foreman; this one needs {SCHEMA_VERSION}: run "
            "`migrate`, or start the server, which upgrades it; the file has not been changed"
        )


class OpenFile:
    """The identities of a database file and its write-ahead log, as of when they were opened.

    A process that has a file open goes on writing to it after the file was deleted or replaced, where nobody would ever
    look.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        target = path.resolve()  # SQLite follows links, and keeps the log beside the file itself
        self._log = target.with_name(f"{target.name}-wal")
        self._file = _identity(path)
        self._log_file: tuple[int, int] | None = None  # the log is created on first use

    def is_in_place(self) -> bool:
        """Whether the path still leads to the open database."""
        return _identity(self._path) == self._file

    def log_is_in_place(self) -> bool:
        """Whether the write-ahead log is still where the next process would look for it.

        To be called after each commit: the first call finds out which file the log is.
        """
        found = _identity(self._log)
        self._log_file = self._log_file or found
        return found is not None and found == self._log_file


class DatabaseMoved(sqlite3.OperationalError):
    """The database file was deleted, moved or replaced while it was open."""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
