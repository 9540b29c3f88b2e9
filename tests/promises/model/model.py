"""The model: who may ask, what for, and what is answered to a request that was sent before."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.promises.model import acts, run_data, runs, tasks
from tests.promises.model.exchange import Answer, Do, Refused, Request
from tests.promises.model.lists import Call, Given
from tests.promises.model.things import Kept, Key, Ledger
from tests.support.api import Json

KEY_FORM = re.compile(r"fmn_[a-z0-9-]{1,64}_[a-z0-9-]{1,64}_[A-Za-z0-9]{1,128}")

# Characters of an answer up to which all of it is kept to be given again.
LARGEST_KEPT = 65_536

# Milliseconds after which it is forgotten.
FORGOTTEN_AFTER = 86_400_000

ID = r"([^/]+)"

ROUTES: list[tuple[str, str, Callable[..., Do]]] = [
    ("POST", "/runs", runs.create_run),
    ("GET", "/runs", runs.list_runs),
    ("POST", "/runs/cancel", acts.act_on("cancel_runs")),
    ("POST", "/runs/retry", acts.act_on("retry_runs")),
    ("GET", f"/runs/{ID}", runs.get_run),
    ("PATCH", f"/runs/{ID}", runs.change_run),
    ("DELETE", f"/runs/{ID}", runs.delete_run),
    ("PATCH", f"/runs/{ID}/tags", runs.change_tags_of_run),
    ("GET", f"/runs/{ID}/tags", runs.list_tags),
    ("GET", f"/runs/{ID}/keys", runs.list_keys),
    ("GET", f"/runs/{ID}/tree", runs.get_tree),
    ("GET", f"/runs/{ID}/tasks", tasks.list_tasks_of_run),
    ("POST", f"/runs/{ID}/tasks/batch", tasks.create_tasks),
    ("POST", f"/runs/{ID}/cancel", acts.cancel_run),
    ("POST", f"/runs/{ID}/retry", acts.retry_run),
    ("POST", "/tasks", tasks.create_task),
    ("GET", "/tasks", tasks.list_tasks),
    ("PATCH", "/tasks/batch", tasks.change_tasks),
    ("POST", "/tasks/cancel", acts.act_on("cancel_tasks")),
    ("POST", "/tasks/retry", acts.act_on("retry_tasks")),
    ("GET", f"/tasks/{ID}", tasks.get_task),
    ("PATCH", f"/tasks/{ID}", tasks.change_task),
    ("PATCH", f"/tasks/{ID}/tags", tasks.change_tags_of_task),
    ("POST", f"/tasks/{ID}/cancel", acts.cancel_task),
    ("POST", f"/tasks/{ID}/retry", acts.retry_task),
    ("POST", f"/runs/{ID}/data", run_data.create_entry),
    ("GET", f"/runs/{ID}/data", run_data.query_data),
    ("DELETE", f"/runs/{ID}/data", run_data.delete_data),
    ("POST", f"/runs/{ID}/data/batch", run_data.create_entries),
    ("GET", f"/runs/{ID}/data/{ID}", run_data.get_entry),
    ("PATCH", f"/runs/{ID}/data/{ID}/tags", run_data.change_tags_of_entry),
    ("GET", "/acts", acts.list_acts),
    ("GET", f"/acts/{ID}", acts.get_act),
]


class Model(Ledger):
    """All organisations.

    :param config: what the three routes below `/config` answer, by path
    :param limit: how many requests a key may make
    :param declared: the paths of metadata by which lists are filtered
    """

    def __init__(self, config: dict[str, Json], limit: int, declared: tuple[str, ...]) -> None:
        super().__init__(declared)
        self.config = config
        self.limit = limit
        self.keys: dict[str, Key] = {}

    def answer(self, request: Request, key: str | None, given: Given) -> Answer:
        """What the request has to be answered; does what the request asks for.

        :param key: which API key it presents
        """
        caller = None
        try:
            caller = self._caller(key)
            caller.used += 1
            if caller.read_only and not request.reads:
                raise Refused.because(403, "This API key may only read")
            answer = self._answer(Call(self, request, caller.org_id, given))
        except Refused as refused:
            answer = refused.answer
        return replace(
            answer,
            body=None if request.method == "HEAD" else answer.body,
            remaining=None if caller is None else self.limit - caller.used,
        )

    def forget(self) -> None:
        """Forget what is old: acts that are completed, and requests that were carried out under a key."""
        acts.forget(self)
        self.kept = {name: kept for name, kept in self.kept.items() if kept.kept_at >= self.now - FORGOTTEN_AFTER}

    def _caller(self, key: str | None) -> Key:
        if key is None:
            raise Refused.because(401, "Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        if not KEY_FORM.fullmatch(key):
            raise Refused.because(401, "Invalid API key format")
        caller = self.keys.get(key)
        if caller is None or caller.revoked:
            raise Refused.because(401, "Invalid API key")
        return caller

    def _answer(self, call: Call) -> Answer:
        """The answer to who may ask: at once if the same request was carried out before."""
        request = call.request
        if request.reads:
            return self._read(call)()
        if request.once is None:
            return self._read(call)()
        if not 1 <= len(request.once) <= 255:
            raise Refused.wrong("Idempotency-Key")
        do = self._read(call)
        name = call.org_id, request.method, request.path.lower(), request.once
        kept = self.kept.get(name)
        if kept is None:
            answer = do()
            self.kept[name] = Kept(request, _as_kept(answer), self.now)
            return answer
        if (kept.request.query, kept.request.body) != (request.query, request.body):
            message = "This Idempotency-Key was sent with another request: a new request needs a new key"
            raise Refused.because(422, message)
        return replace(kept.answer, is_replayed=True)

    def _read(self, call: Call) -> Do:
        """What the request asks for.

        :raises Refused: when it says something that is not allowed
        """
        method = "GET" if call.request.method == "HEAD" else call.request.method
        if call.request.path in self.config:
            return lambda: Answer(200, self.config[call.request.path])
        for its_method, pattern, read in ROUTES:
            found = re.fullmatch(pattern, call.request.path)
            if found and its_method == method:
                return read(call, *found.groups())
        raise NotImplementedError(f"{method} {call.request.path}")


def _as_kept(answer: Answer) -> Answer:
    """What is kept of an answer: of a large one, the ids alone."""
    if len(json.dumps(answer.body, ensure_ascii=False).encode()) <= LARGEST_KEPT:
        return answer
    body: Any = {"id": answer.body["id"]} if "id" in answer.body else {}
    for name in ("items", "tasks", "data"):
        if name in answer.body:
            body[name] = [{"id": each["id"]} for each in answer.body[name]]
    return replace(answer, body=body)
