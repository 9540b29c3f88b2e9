"""Many writers on one run: nothing they do may end in a deadlock."""

import threading
import time
from random import Random
from typing import Any

import msgspec

from tests.chaos.api import Api, decode, text
from tests.chaos.nodes.clients import Load
from tests.chaos.nodes.front import Unknown
from tests.support.statuses import TASK_STATUSES

WRITERS = 64

_TASKS, _KEYS = 16, 8


class HotRun:
    """A run that all writers change, each as fast as it can.

    :ivar answered: requests
    :ivar violations: answers that may not be, as lines
    """

    def __init__(self, load: Load) -> None:
        self.answered = 0
        self.violations: list[str] = []
        self._load = load
        self._end = 0.0
        with load.front("hot") as api:
            self._run_id = text(decode(api.send("POST", "/runs", b'{"inputData": {}}')[1])["id"])
            self._tasks = [self._task(api) for _ in range(_TASKS)]

    def work(self, seconds: float) -> None:
        """Let all of them write for so long."""
        self._end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def _write(self, number: int) -> None:
        dice = Random(number)
        entries: list[str] = []
        with self._load.front(f"hot {number}") as api:
            while time.monotonic() < self._end:
                try:
                    self._act(api, dice, entries)
                except Unknown as error:
                    self.violations.append(f"without a fault, {error} failed")
                self.answered += 1

    def _act(self, api: Api, dice: Random, entries: list[str]) -> None:
        data = f"/runs/{self._run_id}/data"
        kind = dice.randrange(10)
        if kind < 5:  # opposite changes of the same few tasks
            change = {"status": dice.choice(TASK_STATUSES)}
            self._expect(200, api, "PATCH", f"/tasks/{dice.choice(self._tasks)}", change)
        elif kind < 6:
            self._task(api, dice.choice(self._tasks))
        elif kind < 7:
            self._expect(200, api, "PATCH", f"/runs/{self._run_id}", {"status": dice.choice(("running", "completed"))})
        elif kind < 9 or not entries:
            body: dict[str, Any] = {"taskId": dice.choice(self._tasks), "key": f"k{dice.randrange(_KEYS)}", "value": 1,
                    "tags": [f"t{dice.randrange(6)}", f"u{dice.randrange(6)}"]}  # fmt: skip
            entries.append(text(decode(self._expect(201, api, "POST", data, body))["id"]))
        elif dice.random() < 0.5:
            tags = {"add": [f"t{dice.randrange(6)}"], "remove": [f"u{dice.randrange(6)}"]}
            self._expect((200, 404), api, "PATCH", f"{data}/{dice.choice(entries)}/tags", tags)
        elif dice.random() < 0.5:
            self._expect((200, 404), api, "DELETE", f"{data}?id={entries.pop()}")
        else:
            self._expect((200, 404), api, "DELETE", f"{data}?key=k{dice.randrange(_KEYS)}")

    def _task(self, api: Api, parent: str | None = None) -> str:
        body: dict[str, Any] = {"runId": self._run_id, "type": "hot", "inputData": {}, "parentTaskId": parent}
        return text(decode(self._expect(201, api, "POST", "/tasks", body))["id"])

    def _expect(self, expected: int | tuple[int, ...], api: Api, method: str, path: str, body: object = None) -> bytes:
        status, content = api.send(method, path, None if body is None else msgspec.json.encode(body))
        if status not in (expected if isinstance(expected, tuple) else (expected,)):
            self.violations.append(f"{method} {path} was answered {status}: {content[:200].decode(errors='replace')}")
        return content
