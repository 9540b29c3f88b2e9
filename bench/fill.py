"""Fill a new database with the application of any tree: `python -m bench.fill TREE DATABASE KIND SIZES`.

Every row is written by a request to the tree's own WSGI application, so this works whatever its schema is. It has no
HTTP server between, and no sync for each request. What was written is reported as JSON.

Nothing here may import `foreman`, nor may the other modules that it uses: the package is to be the tree's.
"""

import io
import json
import os
import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.contents import OWNERS, WORKERS, Work, gone_key, key_name, key_of, status_of, tags_of
from bench.servers import create_key
from bench.traffic import Request, patch, post

_REQUESTS_PER_COMMIT = 500
_SAMPLE = 2000
_UNFINISHED = 0.1


class Refused(Exception):
    """The application has refused a request."""


class Application:
    """The WSGI application of a tree, over a new database."""

    def __init__(self, tree: Path, database: Path) -> None:
        settings = {"DATABASE": str(database), "DURABILITY": "normal", "RATE_LIMIT": "off", "LOG_LEVEL": "error"}
        os.environ.update({f"FOREMAN_{name}": value for name, value in settings.items()})
        sys.path.insert(0, str(tree))
        import app  # the tree's

        assert Path(app.__file__).is_relative_to(tree), app.__file__
        self._app: Any = app.create_app()
        self.keys = {org_id: create_key(database, org_id, tree) for org_id in (OWNERS, WORKERS)}
        # Where a tree can leave a transaction open for the next request, that saves half of the time.
        self._shared = getattr(self._app, "database", None)
        if not all(hasattr(self._shared, name) for name in ("begin", "end", "commit")):
            self._shared = None
        self._sent = 0

    def send(self, request: Request, org_id: str) -> dict[str, Any]:
        """Send a request; its response's JSON.

        :raises Refused: when its status is not 2xx
        """
        statuses: list[str] = []
        if self._shared is not None:
            self._shared.begin(None)
        response = self._app.wsgi_app(self._environ(request, org_id), lambda status, *_: statuses.append(status))
        try:
            body = b"".join(response)
        finally:
            if hasattr(response, "close"):
                response.close()
        self._sent += 1
        if self._shared is not None:
            self._shared.end()
            if self._sent % _REQUESTS_PER_COMMIT == 0:
                self._shared.commit()
        if not statuses[0].startswith("2"):
            raise Refused(f"{request.method} {request.path} is answered {statuses[0]}: {body[:500]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def close(self) -> None:
        """Commit everything, and close the database."""
        if self._shared is not None:
            self._shared.commit()
            self._shared.close()

    def _environ(self, request: Request, org_id: str) -> dict[str, Any]:
        body = request.body or b""
        return {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": "",
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_AUTHORIZATION": f"Bearer {self.keys[org_id]}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
        }


class Ledger:
    """What an organisation writes, each by one request; returns its id."""

    def __init__(self, application: Application, org_id: str) -> None:
        self._application, self._org_id = application, org_id

    def run(self, number: int = 42) -> str:
        """A new run."""
        return self._id(post("/runs", {"inputData": {"customer": number, "source": "nightly"}}))

    def task(self, run_id: str) -> str:
        """A new task."""
        return self._id(post("/tasks", {"runId": run_id, "type": "step", "inputData": {"part": 1}}))

    def entry(self, run_id: str, task_id: str, key: str, tags: Iterable[str], number: int = 150) -> str:
        """A new entry of run data."""
        value = {"celsius": round(number / 7, 3), "unit": "C"}
        return self._id(post(f"/runs/{run_id}/data", {"taskId": task_id, "key": key, "value": value, "tags": [*tags]}))

    def move(self, path: str, *statuses: str) -> None:
        """Give a run or task these statuses, one after the other."""
        for status in statuses:
            output = {"outputData": {"answer": "yes"}} if status == "completed" else {}
            self._id(patch(path, {"status": status, **output}))

    def large_run(self, entries: int) -> tuple[str, str, list[str]]:
        """A run with a task and so many entries; the ids of all three."""
        dice = random.Random(entries)
        run_id = self.run()
        self.move(f"/runs/{run_id}", "running")
        task_id = self.task(run_id)
        ids = [
            self.entry(run_id, task_id, key_name(key_of(number, entries)), tags_of(number, entries, dice), number)
            for number in range(entries)
        ]
        return run_id, task_id, ids

    def _id(self, request: Request) -> str:
        return str(self._application.send(request, self._org_id)["id"])


def operations(application: Application, entries: int, rows: int, deletions: int) -> dict[str, Any]:
    """The database of the operations: a run with `entries` entries, as many runs, and rows that are changed."""
    owner, worker, dice = Ledger(application, OWNERS), Ledger(application, WORKERS), random.Random(entries)
    run_id, _, _ = owner.large_run(entries)
    for number in range(1, entries):
        other, status = owner.run(number), status_of(dice)
        if status != "pending":
            owner.move(f"/runs/{other}", status)
    work = Work()
    for _ in range(rows):
        work.run_ids.append(worker.run())
        work.task_ids.append(worker.task(work.run_ids[-1]))
        work.entry_ids.append(worker.entry(work.run_ids[-1], work.task_ids[-1], "result", ["new", "raw"]))
    work = replace(work, delete_run_id=worker.run(), delete_keys=[f"old.{number}" for number in range(deletions)])
    task_id = worker.task(work.delete_run_id)
    for number, key in enumerate(work.delete_keys):
        work.delete_ids.append(worker.entry(work.delete_run_id, task_id, gone_key(number), ["new", "raw"]))
        worker.entry(work.delete_run_id, task_id, key, ["new", "raw"])
    return {"run_id": run_id, "work": asdict(work)}


def grown(application: Application, rows: int, entries: int) -> dict[str, Any]:
    """A database that has been used: `rows` runs with a task and an entry each, and one run with `entries` entries.

    Most runs and tasks have gone from pending to running and to completed; the others are pending.
    """
    worker, dice = Ledger(application, WORKERS), random.Random(rows)
    pending: list[tuple[str, str, str]] = []
    ended: list[tuple[str, str, str]] = []
    for number in range(rows):
        run_id = worker.run(number)
        task_id = worker.task(run_id)
        finished = dice.random() > _UNFINISHED
        if finished:
            worker.move(f"/runs/{run_id}", "running")
            worker.move(f"/tasks/{task_id}", "running")
        entry_id = worker.entry(run_id, task_id, "result", ["raw", "europe"], number)
        if finished:
            worker.move(f"/tasks/{task_id}", "completed")
            worker.move(f"/runs/{run_id}", "completed")
        (ended if finished else pending).append((run_id, task_id, entry_id))
    large = worker.large_run(entries)
    for each in (pending, ended, large[2]):
        dice.shuffle(each)
    return {
        "pending": pending[:_SAMPLE],
        "ended": ended[:_SAMPLE],
        "large": [(large[0], large[1], entry_id) for entry_id in large[2][:_SAMPLE]],
    }


KINDS: dict[str, Callable[..., dict[str, Any]]] = {"operations": operations, "grown": grown}


def main() -> None:
    """Fill the database that the command line names, and report."""
    tree, database, kind, sizes = sys.argv[1:]
    application = Application(Path(tree), Path(database))
    filled = KINDS[kind](application, **json.loads(sizes))
    application.close()
    sys.stdout.write(json.dumps({"keys": application.keys, **filled}))


if __name__ == "__main__":
    main()
