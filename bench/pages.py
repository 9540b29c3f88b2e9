"""Pages in the write-ahead log for each commit: what a write costs the disk, on a database that has been used."""

from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from bench.contents import WORKERS
from bench.servers import ServerFailed, foreman
from bench.traffic import Request, delete, patch, post
from bench.trees import Tree
from bench.wal import FRAME_HEADER_BYTES, WriteAheadLog

LARGE_RUN = 10_000  # entries

FEW, MANY = "run with one entry", "run with many entries"
NAMES = (
    "create run",
    "create task",
    "update task, just created",
    "update task, old and pending",
    "update run, just created",
    "update run, old and pending",
    f"create run data with 2 tags, {FEW}",
    f"create run data with 2 tags, {MANY}",
    f"patch tags, {FEW}",
    f"patch tags, {MANY}",
    f"delete run data, {FEW}",
    f"delete run data, {MANY}",
)


@dataclass(frozen=True)
class Written:
    """What commits have written, each of one request.

    :param pages: of each commit
    """

    pages: Sequence[int]
    page_bytes: int

    @property
    def mean(self) -> float:
        """Pages per commit."""
        return mean(self.pages)

    @property
    def bytes(self) -> float:
        """Bytes per commit."""
        return self.mean * (self.page_bytes + FRAME_HEADER_BYTES)


def measure(tree: Tree, path: Path, grown: dict[str, Any], times: int) -> dict[str, Written]:
    """Send every kind of write to a server over a grown database, with one connection, and count pages.

    :param grown: what is in the database, as `fill.py` reports it
    :param times: how many rows each kind of write is for
    :raises ServerFailed: when a request fails, or is not a commit of its own
    """
    with foreman(path, grown["keys"], tree=tree.root) as server:
        server.answer(_new_run(), WORKERS)  # only a server that has written has a log
        with WriteAheadLog(path) as log:
            counts: dict[str, list[int]] = {name: [] for name in NAMES}
            writes, answer = _writes(grown, times), None
            with suppress(StopIteration):
                while True:
                    name, request = writes.send(answer)
                    answer = server.answer(request, WORKERS)
                    commits = log.commits()
                    if len(commits) != 1:
                        raise ServerFailed(f"{name}: one request has been {len(commits)} commits")
                    counts[name] += commits
            return {name: Written(pages, log.page_bytes) for name, pages in counts.items()}


def _writes(grown: dict[str, Any], times: int) -> Generator[tuple[str, Request], Any, None]:
    """The writes, each with what it counts as. It is sent the response to each."""
    begun, done = {"status": "running"}, {"status": "completed", "outputData": {"answer": "yes"}}
    retag = {"add": ["used"], "remove": ["raw"]}
    pending, ended, large = (grown[name] for name in ("pending", "ended", "large"))

    for run_id, task_id, _ in pending[:times]:  # before any other task is in the same pages
        for change in (begun, done):
            yield "update task, old and pending", patch(f"/tasks/{task_id}", change)
        for change in (begun, done):
            yield "update run, old and pending", patch(f"/runs/{run_id}", change)
    for number in range(times):
        run_id = (yield "create run", _new_run())["id"]
        yield "update run, just created", patch(f"/runs/{run_id}", begun)
        new_task = post("/tasks", {"runId": run_id, "type": "step", "inputData": {"part": 1}})
        task_id = (yield "create task", new_task)["id"]
        yield "update task, just created", patch(f"/tasks/{task_id}", begun)
        yield f"create run data with 2 tags, {FEW}", _new_entry(run_id, task_id, number)
        yield "update task, just created", patch(f"/tasks/{task_id}", done)
        yield "update run, just created", patch(f"/runs/{run_id}", done)
    for number in range(times):
        yield f"create run data with 2 tags, {MANY}", _new_entry(large[0][0], large[0][1], number)
    for what, rows in ((FEW, ended), (MANY, large)):
        for run_id, _, entry_id in rows[:times]:
            yield f"patch tags, {what}", patch(f"/runs/{run_id}/data/{entry_id}/tags", retag)
        for run_id, _, entry_id in rows[times : 2 * times]:
            yield f"delete run data, {what}", delete(f"/runs/{run_id}/data", id=entry_id)


def _new_run() -> Request:
    return post("/runs", {"inputData": {"customer": 42, "source": "nightly"}})


def _new_entry(run_id: str, task_id: str, number: int) -> Request:
    entry = {"taskId": task_id, "key": f"area{number % 10}.sensor{number:04d}", "value": {"celsius": 21.5}}
    return post(f"/runs/{run_id}/data", {**entry, "tags": ["raw", "europe"]})
