"""Database files without a server: made, looked at and spoilt, and what lies beside them."""

import errno
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

from foreman.clock import new_id
from foreman.db.sqlite import Database
from foreman.maintenance.check import check
from tests.support.waiting import until

# A query that does not end by itself.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

# SQLite lets triggers, and so cascading deletions, go 1,000 deep.
DEEPER_THAN_TRIGGERS = 1_200


def create(file: Path, *names: str) -> Path:
    """A database with a run of each of these names."""
    with closing(Database(file, "normal")) as database, database.write() as tx:
        for name in names:
            tx.run(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
                VALUES ('acme', :id, 'pending', json_quote(:name), 1, 1)
                """,
                id=new_id(), name=name,
            )  # fmt: skip
    return file


def names_in(file: Path) -> list[str]:
    """The names of a sound database's runs."""
    assert check(file) == []
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT json_extract(input_data, '$') FROM run ORDER BY seq").fetchall()
    return [name for (name,) in rows]


def fold_log_in(file: Path) -> None:
    """Checkpoint the log of a server: if the server is idle, it has nothing left to do, and changes nothing more."""

    def is_folded_in() -> bool:
        busy, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return not busy and frames == copied

    with closing(sqlite3.connect(file)) as connection:
        until(is_folded_in)


def miscount(file: Path) -> None:
    """Let an invariant of `check` be violated."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE run_count SET runs = runs + 5")


def make_newer(file: Path) -> None:
    """Let it be the database of a newer Foreman."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


# What makes foreman.db unfit for being copied, and what is said of it.
UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "foreman.db does not exist"),
    "foreign": (lambda file: file.write_bytes(b"a diary, not a database" * 200), "is not a Foreman database"),
    "newer": (make_newer, "from a newer Foreman"),
    "unsound": (miscount, "is not sound, so it was not copied: `check` finds 1 violation$"),
    "cut off": (lambda file: os.truncate(file, 20_480), "is not sound|malformed"),
}


def no_space(*_: object) -> NoReturn:
    """What the system says instead of doing something when the disk is full."""
    raise OSError(errno.ENOSPC, "No space left on device")


def names(directory: Path) -> list[str]:
    """What is in a directory, in order."""
    return sorted(path.name for path in directory.iterdir())


def tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every name with its mode and content, but for the log of a server, which may still be written."""
    return {
        path.name: (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in directory.iterdir()
        if path.suffix != ".log"
    }  # fmt: skip
