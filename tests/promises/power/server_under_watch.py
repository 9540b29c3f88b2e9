"""A server and its clients in one process, with every file operation recorded: `python -m` this, and see `--help`.

A process of its own, because the watch stays in SQLite for good.
"""

import argparse
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from pathlib import Path
from unittest.mock import patch

from foreman.config import Settings
from foreman.db import checkpoints
from foreman.db.sqlite import Database
from foreman.db.transactions import Writer
from foreman.factory import create_app
from foreman.server.connection import Connection
from foreman.server.server import Server
from tests.promises.power import clients
from tests.promises.power.history import Answered, Client, History, Recorder
from tests.promises.power.vfs import Watch
from tests.support.waiting import PATIENCE

CLIENTS = 6
DATABASE = "foreman.db"

# Pages in the write-ahead log before it is folded in: few, so that a short history holds many checkpoints. Those of the
# thread also come often.
FOLDED_IN_AFTER = 100
PAUSE = 0.005

_REQUEST_ID = re.compile(clients.REQUEST_ID.format(r"(\d+)", r"(\d+)").encode())


class HastyWriter(Writer):
    """A writer with a fault: it tells everybody of success before it commits."""

    def _try_to_commit(self) -> Exception | None:
        self._shared.decide(None)
        return super()._try_to_commit()


def connection_that_records(recorder: Recorder) -> type[Connection]:
    """A connection that records answers when they are about to leave: a client would see them later."""

    class RecordingConnection(Connection):
        def _send(self, *pieces: bytes) -> list[memoryview]:
            begins = _REQUEST_ID.search(pieces[0])
            if begins:
                recorder.append(Answered(int(begins[1]), int(begins[2])))
            return super()._send(*pieces)

    return RecordingConnection


def record(directory: Path, durability: str, requests: int, *, in_commits: bool = False) -> History:
    """Serve so many requests of each client over a new database in this directory.

    :param in_commits: let commits checkpoint, as they do when there is no thread for it
    :raises CannotWatch: when this SQLite cannot be watched
    """
    recorder = Recorder()
    watch = Watch(recorder)
    watch.install()
    settings = Settings(port=0, database=str(directory / DATABASE), rate_limit=None, durability=durability)
    with closing(Database(Path(settings.database), settings.durability)) as database:
        with database.write() as tx:
            tx.run(f"PRAGMA wal_autocheckpoint = {FOLDED_IN_AFTER}")
        server = Server(create_app(settings, database))
        server.connection_class = connection_that_records(recorder)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            with nullcontext() if in_commits else database.served():
                told = _let_clients_work(recorder, database, server.port, requests)
        finally:
            server.stop()
            thread.join()
        served, files = recorder.position(), _files(directory)
    watch.check()
    return History(recorder.events, told, DATABASE, served, files)


def _let_clients_work(recorder: Recorder, database: Database, port: int, requests: int) -> list[Client]:
    together = threading.Barrier(CLIENTS, timeout=PATIENCE)
    working = [clients.WritingClient(number, recorder, together) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda each: each.work(database, port, requests), working))


def _files(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir() if not each.name.endswith("-shm")}


def main() -> None:
    """Record a history and pickle it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("directory", type=Path, help="where the database is created")
    parser.add_argument("history", type=Path, help="the file for the history")
    parser.add_argument("--durability", default="full", choices=("full", "normal"))
    parser.add_argument("--hasty", action="store_true", help="let the writer answer before it commits")
    parser.add_argument("--in-commits", action="store_true", help="let commits checkpoint, and no thread")
    parser.add_argument("--requests", type=int, default=70, help="of each client")
    arguments = parser.parse_args()
    checkpoints.LONG, checkpoints.PAUSE = FOLDED_IN_AFTER, PAUSE
    with patch("foreman.db.sqlite.Writer", HastyWriter if arguments.hasty else Writer):
        history = record(arguments.directory, arguments.durability, arguments.requests, in_commits=arguments.in_commits)
    arguments.history.write_bytes(pickle.dumps(history))


if __name__ == "__main__":
    main()
