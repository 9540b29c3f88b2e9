"""The declared paths of metadata: a background thread of a server that starts makes them those of its settings.

A path is declared first, so that the triggers see to every row that is added or changed from then on. Then it is filled
from the rows that are there already, and at last marked as filled: lists are filtered by it from then on. A path that
is no longer wanted goes the other way. Each step leaves the database sound, so whoever is next goes on from there.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from foreman.background.beside import beside
from foreman.db.engine import Database, Transaction
from foreman.db.failures import DatabaseError, to_trace
from foreman.db.values import as_list
from foreman.maintenance.gentle_writes import ShortTurns, Stopped

log = logging.getLogger(__name__)

TABLES = ("run", "task")

# Rows that are filled, or removed, in one statement: it takes a few milliseconds, unless they have megabytes of JSON.
AT_ONCE = 100

# Seconds that the start of a server waits for this: few rows are found by their metadata from the first request on.
MOMENT = 1.0

# Seconds until the next attempt, and for which a server that is stopping waits for this.
AGAIN, ENDING = 3.0, 5.0


@contextmanager
def declared(database: Database, paths: Sequence[str]) -> Iterator[None]:
    """Make these the declared paths, in a background thread, while the block lasts."""
    with beside(partial(_until_declared, database, paths), "metadata paths", ENDING) as thread:
        thread.join(MOMENT)
        yield


def _until_declared(database: Database, paths: Sequence[str], stopping: threading.Event) -> None:
    """Declare the paths, once no other server is doing that. Of several, the last one decides."""
    while not stopping.is_set():
        try:
            with database.alone() as alone:
                if alone:
                    declare(database, paths, stopping)
                    return
        except Stopped:
            return
        except (*DatabaseError, MemoryError) as error:
            log.error("Paths of metadata cannot be declared, and are tried again: %s", error, exc_info=to_trace(error))
        stopping.wait(AGAIN)


def declare(database: Database, paths: Sequence[str], stopping: threading.Event) -> None:
    """Make these the declared paths.

    :raises Stopped: when `stopping` was set before the end
    :raises DatabaseError: when the database cannot be written to, or is locked for too long
    """
    with database.read() as tx:
        filled: dict[str, int] = dict(tx.all("SELECT path, filled FROM metadata_path WHERE path > ''"))
    for path in filled:
        if path not in paths:
            _forget(database, path, stopping)
            log.info("The path of metadata %s is no longer declared", path)
    new = [path for path in paths if not filled.get(path)]
    if not new:
        return
    # Whoever has not seen the new paths must have ended before the rows are read.
    with database.after_others("metadata_path") as tx:
        tx.run(
            """
            INSERT INTO metadata_path (path)
            SELECT value FROM json_each(:paths) WHERE value <> ''
            ON CONFLICT (path) DO NOTHING
            """,
            paths=as_list(new),
        )  # fmt: skip
    for table in TABLES:
        _fill(database, table, stopping)
    with database.write() as tx:
        tx.run(
            "UPDATE metadata_path SET filled = 1 WHERE path IN (SELECT value FROM json_each(:paths))",
            paths=as_list(new),
        )  # fmt: skip
    log.info("Declared paths of metadata: %s", ", ".join(paths))


def _fill(database: Database, table: str, stopping: threading.Event) -> None:
    """Let the rows that there are be found by the declared paths."""
    newest, done = database.one(f"SELECT coalesce(max(seq), 0) FROM {table}"), 0
    filling = f"""
        INSERT INTO {table}_metadata (org_id, path, value, created_at, seq)
        {database.at_declared_paths(table)}
        ON CONFLICT (org_id, path, value, created_at, seq) DO NOTHING
        """
    with ShortTurns(database, stopping, lambda: None) as turns:
        while newest is not None and done < newest[0]:
            tx = turns.tx()
            last = tx.value(
                f"""
                SELECT max(seq)
                FROM (SELECT seq FROM {table} WHERE seq > :after ORDER BY seq LIMIT :limit) AS few
                """,
                after=done, limit=AT_ONCE,
            )  # fmt: skip
            if last is None:
                break
            # Or somebody could change the metadata between the read and the insert.
            tx.lock_rows(
                f"SELECT id FROM {table} WHERE seq > :after AND seq <= :last AND metadata IS NOT NULL ORDER BY id",
                after=done, last=last,
            )  # fmt: skip
            tx.run(filling, after=done, last=last)
            turns.end()  # or what is locked next would not be in the order of the ids
            done = last


def _forget(database: Database, path: str, stopping: threading.Event) -> None:
    """Remove a path, and all that is found by it."""
    with database.write() as tx:
        tx.run("UPDATE metadata_path SET filled = 0 WHERE path = :path", path=path)
    with database.read() as tx:
        organisations = _organisations(tx)
    with ShortTurns(database, stopping, lambda: None) as turns:
        for table in TABLES:
            for org_id in organisations:
                # Clients have locked such rows in any order. What this leaves to them is deleted at the end.
                while turns.tx().delete_unlocked(
                    f"{table}_metadata",
                    "org_id, path, value, created_at, seq",
                    "org_id = :org_id AND path = :path LIMIT :limit",
                    org_id=org_id, path=path, limit=AT_ONCE,
                ):  # fmt: skip
                    pass
        turns.end()
    with database.after_others("metadata_path") as tx:
        for org_id in _organisations(tx):
            for table in TABLES:
                tx.run(
                    f"DELETE FROM {table}_metadata WHERE org_id = :org_id AND path = :path", org_id=org_id, path=path
                )
        tx.run("DELETE FROM metadata_path WHERE path = :path", path=path)


def _organisations(tx: Transaction) -> list[str]:
    """All that may have runs."""
    return [org_id for (org_id,) in tx.all("SELECT DISTINCT org_id FROM run_count WHERE org_id > ''")]
