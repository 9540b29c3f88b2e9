"""Clients that write, and remember what they were told."""

import http.client
import json
import threading
from random import Random
from typing import Any

import msgspec

from foreman.auth import keys
from foreman.db.sqlite import Database
from tests.promises.power.history import Answered, Asked, Client, Recorder, State
from tests.support.statuses import SETTABLE, TASK_STATUSES
from tests.support.waiting import PATIENCE

REQUEST_ID = "client-{}.{}"

_Object = dict[str, msgspec.Raw]
_decode = msgspec.json.Decoder(_Object).decode

TAGS = ("red", "green", "blue", "new", "old")


class WritingClient:
    """One client, alone in its organisation: it sends one request after the other, each chosen at random.

    :param number: its number among the clients, which also seeds what it chooses
    :param together: where the clients wait until all of them have a key
    """

    def __init__(self, number: int, recorder: Recorder, together: threading.Barrier) -> None:
        self._number = number
        self._recorder = recorder
        self._together = together
        self._random = Random(number)
        self._org_id = f"client-{number}"
        self._key = ""
        self._objects: dict[tuple[str, str], _Object] = {}
        self._states: list[State] = [{}]
        self._runs: list[str] = []
        self._tasks: list[tuple[str, str]] = []  # ids of run and task

    def work(self, database: Database, port: int, requests: int) -> Client:
        """Get a key, send so many requests, and tell what was true after each answer."""
        step = self._ask()
        self._key = keys.issue(database, self._org_id, "test")
        self._recorder.append(Answered(self._number, step))
        self._remember()
        self._together.wait()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        actions = {
            self._create_run: 3,
            self._change_run: 3,
            self._create_task: 5,
            self._change_task: 8,
            self._create_data: 6,
            self._change_tags: 4,
            self._delete_data: 2,
            self._fail: 1,
        }
        self._create_run()
        self._create_task()
        self._create_data()
        for action in self._random.choices(list(actions), list(actions.values()), k=requests - 3):
            action()
        self._connection.close()
        return Client(self._org_id, self._key, self._states)

    def _create_run(self) -> None:
        run = self._send(201, "POST", "/runs", {"inputData": self._opaque(), "metadata": {"by": self._org_id}})
        self._runs.append(_text(run["id"]))
        self._keep("run", run)

    def _change_run(self) -> None:
        change = {"status": self._random.choice(SETTABLE), "outputData": self._opaque()}
        self._keep("run", self._send(200, "PATCH", f"/runs/{self._random.choice(self._runs)}", change))

    def _create_task(self) -> None:
        run_id = self._random.choice(self._runs)
        parents = [task_id for of_run, task_id in self._tasks if of_run == run_id]
        body = {"runId": run_id, "type": self._random.choice(("fetch", "parse")), "inputData": self._opaque()}
        if parents and self._random.random() < 0.5:
            body["parentTaskId"] = self._random.choice(parents)
        task = self._send(201, "POST", "/tasks", body)
        self._tasks.append((run_id, _text(task["id"])))
        self._keep("task", task)

    def _change_task(self) -> None:
        _, task_id = self._random.choice(self._tasks)
        change = {"status": self._random.choice(TASK_STATUSES[1:]), "outputData": self._opaque()}
        self._keep("task", self._send(200, "PATCH", f"/tasks/{task_id}", change))

    def _create_data(self) -> None:
        run_id, task_id = self._random.choice(self._tasks)
        key = f"key.{self._random.randrange(5)}"
        tags = self._random.sample(TAGS, self._random.randrange(4))
        body = {"taskId": task_id, "key": key, "value": self._opaque(), "tags": tags}
        self._keep("entry", self._send(201, "POST", f"/runs/{run_id}/data", body))

    def _change_tags(self) -> None:
        entries = self._entries()
        if not entries:
            self._create_data()
            return
        entry = self._random.choice(entries)
        change = {"add": self._random.sample(TAGS, 2), "remove": self._random.sample(TAGS, 2)}
        path = f"/runs/{_text(entry['runId'])}/data/{_text(entry['id'])}/tags"
        self._keep("entry", self._send(200, "PATCH", path, change))

    def _delete_data(self) -> None:
        entries = self._entries()
        if not entries:
            self._create_data()
            return
        entry = self._random.choice(entries)
        name = self._random.choice(("id", "key"))
        gone = [each for each in entries if each["runId"] == entry["runId"] and each[name] == entry[name]]
        answer = self._send(200, "DELETE", f"/runs/{_text(entry['runId'])}/data?{name}={_text(entry[name])}")
        if int(bytes(answer["deleted"])) != len(gone):
            raise AssertionError(f"{len(gone)} entries were to be deleted: {answer}")
        for each in gone:
            del self._objects["entry", _text(each["id"])]
        self._remember()

    def _fail(self) -> None:
        run_id, missing = self._random.choice(self._runs), "00000000-0000-7000-8000-000000000000"
        self._send(404, "POST", f"/runs/{run_id}/data", {"taskId": missing, "key": "key.0", "value": 1})
        self._remember()

    def _entries(self) -> list[_Object]:
        return [entry for (kind, _), entry in self._objects.items() if kind == "entry"]

    def _opaque(self) -> Any:
        """Mostly small, now and then larger than a page of the database."""
        size = self._random.choice((1, 10, 10, 100, 100, 1000, 6000))
        return {"number": self._random.random(), "text": self._random.choice("abc") * size}

    def _ask(self) -> int:
        step = len(self._states) - 1
        self._recorder.append(Asked(self._number, step))
        return step

    def _send(self, status: int, method: str, path: str, body: Any = None) -> _Object:
        step = self._ask()
        headers = {
            "X-API-Key": self._key,
            "X-Request-Id": REQUEST_ID.format(self._number, step),
            "Content-Type": "application/json",
        }
        self._connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        with self._connection.getresponse() as response:
            content = response.read()
        if response.status != status:
            raise AssertionError(f"{method} {path} was answered {response.status}: {content!r}")
        return _decode(content)

    def _keep(self, kind: str, answer: _Object) -> None:
        self._objects[kind, _text(answer["id"])] = answer
        if kind == "task":
            self._count_tasks(_text(answer["runId"]))
        self._remember()

    def _count_tasks(self, run_id: str) -> None:
        """The run's counters follow its tasks."""
        statuses = [
            _text(task["status"])
            for (kind, _), task in self._objects.items()
            if kind == "task" and _text(task["runId"]) == run_id
        ]
        counters = {
            "totalTasks": len(statuses),
            "completedTasks": statuses.count("completed"),
            "failedTasks": statuses.count("failed"),
            "cancelledTasks": statuses.count("cancelled"),
        }
        raw = {name: msgspec.Raw(str(count).encode()) for name, count in counters.items()}
        self._objects["run", run_id] = {**self._objects["run", run_id], **raw}

    def _remember(self) -> None:
        state = {name: msgspec.json.encode(each) for name, each in self._objects.items()}
        self._states.append({("key", self._key): self._org_id.encode(), **state})


def _text(raw: msgspec.Raw) -> str:
    return msgspec.json.decode(raw, type=str)
