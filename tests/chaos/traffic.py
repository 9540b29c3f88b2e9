"""Mixed traffic for a soak: as many requests as a server takes, over data that stays about as large as it is."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.chaos.api import BROKEN, Api, Unexpected
from tests.support.statuses import SETTABLE, TASK_STATUSES

# The server must be told so; a body that is larger is refused.
MAX_BODY = 100_000

_MOST_LINES = 100


_RUNS, _TASKS, _KEYS = 4, 20, 12  # of one visitor, and in each of its runs
_TAGS = tuple(f"{color}-{number}" for color in ("red", "green", "blue") for number in range(4))
_NOBODY = "00000000-0000-7000-8000-000000000000"

QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"includeAll": "true"},
    {"includeAll": "true", "sortBy": "updated_at", "sortOrder": "asc"},
    {"sortBy": "key", "limit": "5", "offset": "3"},
    {"key": "key.1"},
    {"keys": "key.1,key.2,key.30", "includeAll": "true"},
    {"keyStartsWith": "key.1"},
    {"keyPattern": "key.[1-3]*", "includeAll": "true"},
    {"tags": "red-1"},
    {"tags": "red-1,blue-2"},
    {"tags": "red-1,blue-2", "tagMode": "all", "includeAll": "true"},
    {"tagStartsWith": "green-"},
    {"tagStartsWith": "red-,blue-", "tagMode": "all"},
    {"keyStartsWith": "key.", "tags": "green-0", "tagStartsWith": "re,gr", "tagMode": "any"},
)

LISTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/runs", {}),
    ("/runs", {"status": "completed,failed", "sortBy": "completed_at"}),
    ("/runs", {"sortBy": "updated_at", "sortOrder": "asc", "limit": "5", "offset": "10"}),
    ("/tasks", {"type": "fetch", "status": "running"}),
    ("/tasks", {"sortBy": "started_at", "limit": "10"}),
)


class Answered(NamedTuple):
    """How many requests of a kind were answered with a status."""

    kind: str
    status: int


class Run:
    """A run of a visitor, and what is in it."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.tasks: list[str] = []
        self.entries: dict[str, str] = {}  # id to key


class Visitor:
    """One client: mostly with a connection that is kept alive, now and then with a new one.

    :ivar sent: requests that were answered
    :ivar answered: requests by kind and status
    :ivar unexpected: what must not have happened, as lines; the first of them
    """

    def __init__(self, port: int, key: str, seed: str) -> None:
        self.sent = 0
        self.answered: Counter[Answered] = Counter()
        self.unexpected: list[str] = []
        self._api = Api(port, key)
        self._random = Random(seed)
        self._runs: deque[Run] = deque()
        self._actions: dict[Callable[[], None], int] = {
            self._create_run: 1,
            self._change_run: 4,
            self._create_task: 4,
            self._change_task: 15,
            self._create_entry: 14,
            self._change_tags: 8,
            self._delete_entry: 8,
            self._get: 15,
            self._list: 6,
            self._query: 20,
            self._fail: 3,
            self._api.close: 2,
        }

    def act(self) -> None:
        """Do the next thing, which may take several requests, or none."""
        try:
            if not self._runs:
                self._create_run()
            self._random.choices(list(self._actions), list(self._actions.values()))[0]()
        except (*BROKEN, Unexpected) as error:
            if len(self.unexpected) < _MOST_LINES:
                self.unexpected.append(f"{error!r}")

    def close(self) -> None:
        """Close the connection."""
        self._api.close()

    def _send(self, kind: str, expected: int, method: str, path: str, body: Any = None) -> Any:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self._api.send(method, path, content)
        self.sent += 1
        self.answered[Answered(kind, status)] += 1
        if status != expected:
            raise Unexpected(method, path, status, answer)
        return json.loads(answer)

    def _create_run(self) -> None:
        if len(self._runs) == _RUNS:
            self._retire(self._runs.popleft())
        run = self._send("create run", 201, "POST", "/runs", {"inputData": self._value(), "metadata": {"soak": True}})
        self._runs.append(Run(run["id"]))
        self._create_task()

    def _retire(self, run: Run) -> None:
        """Leave a run, without the entries that nobody would delete any more."""
        for key in set(run.entries.values()):
            self._send("delete key", 200, "DELETE", f"/runs/{run.id}/data?key={key}")

    def _change_run(self) -> None:
        change = {"status": self._random.choice(SETTABLE), "outputData": self._value()}
        self._send("change run", 200, "PATCH", f"/runs/{self._run().id}", change)

    def _create_task(self) -> None:
        run = self._run()
        if len(run.tasks) == _TASKS:
            self._change_task()
            return
        body = {"runId": run.id, "type": self._random.choice(("fetch", "parse")), "inputData": self._value()}
        if run.tasks and self._random.random() < 0.5:
            body["parentTaskId"] = self._random.choice(run.tasks)
        run.tasks.append(self._send("create task", 201, "POST", "/tasks", body)["id"])

    def _change_task(self) -> None:
        tasks = self._run().tasks
        if tasks:
            change = {"status": self._random.choice(TASK_STATUSES[1:]), "outputData": self._value()}
            self._send("change task", 200, "PATCH", f"/tasks/{self._random.choice(tasks)}", change)

    def _create_entry(self) -> None:
        run = self._run()
        if not run.tasks:
            self._delete_entry()
            return
        key = f"key.{self._random.randrange(_KEYS)}"
        tags = self._random.sample(_TAGS, self._random.randrange(5))
        body = {"taskId": self._random.choice(run.tasks), "key": key, "value": self._value(), "tags": tags}
        run.entries[self._send("create entry", 201, "POST", f"/runs/{run.id}/data", body)["id"]] = key

    def _change_tags(self) -> None:
        run = self._run()
        if run.entries:
            change = {"add": self._random.sample(_TAGS, 2), "remove": self._random.sample(_TAGS, 2)}
            path = f"/runs/{run.id}/data/{self._random.choice(list(run.entries))}/tags"
            self._send("change tags", 200, "PATCH", path, change)

    def _delete_entry(self) -> None:
        run = self._run()
        if not run.entries:
            return
        entry_id, key = self._random.choice(list(run.entries.items()))
        if self._random.random() < 0.8:
            self._send("delete entry", 200, "DELETE", f"/runs/{run.id}/data?id={entry_id}")
            del run.entries[entry_id]
        else:
            self._send("delete key", 200, "DELETE", f"/runs/{run.id}/data?key={key}")
            run.entries = {each: other for each, other in run.entries.items() if other != key}

    def _get(self) -> None:
        run = self._run()
        paths = [f"/runs/{run.id}", *(f"/tasks/{each}" for each in run.tasks[-1:])]
        paths += [f"/runs/{run.id}/data/{each}" for each in list(run.entries)[:1]]
        self._send("get", 200, "GET", self._random.choice(paths))

    def _list(self) -> None:
        run = self._run()
        path, query = self._random.choice((*LISTS, ("/tasks", {"runId": run.id})))
        self._send("list", 200, "GET", f"{path}?{urlencode(query)}")

    def _query(self) -> None:
        query = urlencode(self._random.choice(QUERIES))
        self._send("query", 200, "GET", f"/runs/{self._run().id}/data?{query}")

    def _fail(self) -> None:
        kind = self._random.randrange(20)
        if kind == 0:
            self._send("too large", 413, "POST", "/runs", b'{"inputData": "' + b"x" * MAX_BODY + b'"}')
        elif kind < 7:
            self._send("not found", 404, "PATCH", f"/tasks/{_NOBODY}", {"status": "running"})
        elif kind < 14:
            self._send("not valid", 400, "GET", f"/runs/{self._run().id}/data?limit=0")
        else:
            self._send("not JSON", 400, "POST", "/tasks", b'{"runId": ')

    def _run(self) -> Run:
        return self._random.choice(self._runs)

    def _value(self) -> Any:
        size = self._random.choice((1, 10, 10, 100, 100, 1000, 6000, 20_000))
        return {"number": self._random.random(), "text": self._random.choice("abc") * size}


class Traffic(NamedTuple):
    """What visitors sent.

    :ivar answered: requests by kind and status
    :ivar unexpected: what must not have happened, as lines; the first of them
    """

    answered: dict[Answered, int]
    unexpected: list[str]


def keep_busy(port: int, key: str, threads: int, stop: Event, answers: Any, results: Connection) -> None:
    """What a process of visitors does: send requests until it is told to stop, then send its `Traffic`.

    :param answers: a `multiprocessing.Value` that counts the requests answered so far
    """
    visitors = [Visitor(port, key, str(number)) for number in range(threads)]

    def visit(visitor: Visitor) -> None:
        while not stop.is_set():
            before = visitor.sent
            visitor.act()
            with answers.get_lock():
                answers.value += visitor.sent - before
        visitor.close()

    working = [threading.Thread(target=visit, args=(visitor,)) for visitor in visitors]
    for each in working:
        each.start()
    for each in working:
        each.join()
    answered = sum((visitor.answered for visitor in visitors), Counter())
    results.send(Traffic(dict(answered), [line for visitor in visitors for line in visitor.unexpected]))
