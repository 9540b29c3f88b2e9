"""Foreman in plain Python: what every request is answered, whatever came before. No SQL, no Flask, no threads.

It says what docs/api.md promises in other words than `foreman/` does, and takes nothing from there.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import msgspec

from tests.api.run_data_model import Entry, answer_of_model, tags_of_model
from tests.support.api import Json
from tests.support.clock import iso
from tests.support.statuses import ENDED, RUN_STATUSES, SETTABLE, TASK_STATUSES

TIMES = ("created_at", "updated_at", "started_at", "completed_at")
MOST_TAGS = 100

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# What a client may fill with any JSON and gets back as it was sent.
OPAQUE = frozenset({"inputData", "outputData", "errorData", "metadata", "value"})

Item = TypeVar("Item", "Run", "Task")


# Requests and answers -----------------------------------------------------------------------------------------------


class Condition(NamedTuple):
    """What has to be so that the request is done: `If-Match` with PATCH and DELETE, `If-None-Match` with GET and HEAD.

    :ivar header: what the client sends
    :ivar states: of the items that the tags in it stand for; None for every one, an empty tuple for none
    :ivar is_malformed: whether the header is neither `*` nor a list of tags
    """

    header: str
    states: tuple[Any, ...] | None = ()
    is_malformed: bool = False


@dataclass(frozen=True)
class Request:
    """A request without its key.

    :ivar path: below the base path, not encoded
    :ivar query: parameters in their order; a name may repeat
    :ivar body: the JSON text of each field; None for no body
    :ivar condition: of a request about a single item
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: dict[str, str] | None = None
    condition: Condition | None = None

    def replacing(self, texts: dict[str, str]) -> "Request":
        """The same request, with each of these texts exchanged for another."""

        def changed(text: str) -> str:
            for old, new in texts.items():
                text = text.replace(old, new)
            return text

        return replace(
            self,
            path=changed(self.path),
            query=tuple((name, changed(value)) for name, value in self.query),
            body=None if self.body is None else {name: changed(text) for name, text in self.body.items()},
        )

    def texts(self) -> str:
        """All that it says, to be searched."""
        return "\n".join([self.path, *(value for _, value in self.query), *(self.body or {}).values()])


class Sent(NamedTuple):
    """JSON that has to be what was sent, to the letter."""

    text: str


@dataclass(frozen=True)
class Answer:
    """What the API has to answer.

    :ivar body: the JSON of the answer, with `Sent` for what is opaque. Of a 400: the names of the wrong fields, sorted
    :ivar location: the path of what was created, below the base path
    :ivar remaining: what is left of the key's rate limit; None when no key counts
    """

    status: int
    body: Any
    location: str | None = None
    remaining: int | None = None


def opaque(text: str | None) -> Sent | None:
    """Opaque JSON in an answer; one that is null cannot be told from none."""
    return None if text is None or text == "null" else Sent(text)


def told(body: bytes) -> Any:
    """An answer of the server in the form of `Answer.body`."""
    top = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    for name in ("items", "data"):
        if name in top:
            things = msgspec.json.decode(top.pop(name), type=list[dict[str, msgspec.Raw]])
            return {**_told(top), name: [_told(thing) for thing in things]}
    if "details" in top:
        error = _told(top)
        return error if not error["details"] else sorted(detail["field"] for detail in error["details"])
    return _told(top)


def _told(thing: dict[str, msgspec.Raw]) -> Json:
    return {
        name: opaque(bytes(value).decode()) if name in OPAQUE else json.loads(bytes(value))
        for name, value in thing.items()
    }


# What there is ------------------------------------------------------------------------------------------------------


@dataclass
class Key:
    """An API key.

    :ivar used: how many requests it has made
    """

    org_id: str
    read_only: bool = False
    revoked: bool = False
    used: int = 0


@dataclass
class Run:
    """A run. Times are milliseconds since 1970; `number` is the order of insertion, opaque JSON is its text."""

    number: int
    org_id: str
    id: str
    input_data: str
    metadata: str | None
    created_at: int
    updated_at: int
    status: str = "pending"
    output_data: str | None = None
    error_data: str | None = None
    started_at: int | None = None
    completed_at: int | None = None
    tasks: list["Task"] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def to_json(self) -> Json:
        """The run object, its counters counted."""
        return {
            "id": self.id,
            "orgId": self.org_id,
            "totalTasks": len(self.tasks),
            "completedTasks": sum(task.status == "completed" for task in self.tasks),
            "failedTasks": sum(task.status == "failed" for task in self.tasks),
            "cancelledTasks": sum(task.status == "cancelled" for task in self.tasks),
            **_common(self),
        }


@dataclass
class Task:
    """A task, in the terms of `Run`."""

    number: int
    org_id: str
    id: str
    run: Run
    parent: "Task | None"
    type: str
    input_data: str
    metadata: str | None
    max_retries: int
    created_at: int
    updated_at: int
    status: str = "pending"
    output_data: str | None = None
    error_data: str | None = None
    retry_count: int = 0
    queue_job_id: str | None = None
    queued_at: int | None = None
    started_at: int | None = None
    completed_at: int | None = None

    def to_json(self) -> Json:
        """The task object."""
        return {
            "id": self.id,
            "runId": self.run.id,
            "parentTaskId": None if self.parent is None else self.parent.id,
            "orgId": self.org_id,
            "type": self.type,
            "retryCount": self.retry_count,
            "maxRetries": self.max_retries,
            "queuedAt": iso(self.queued_at),
            "queueJobId": self.queue_job_id,
            **_common(self),
        }


def _common(thing: Run | Task) -> Json:
    begun = thing.created_at if thing.started_at is None else thing.started_at
    return {
        "status": thing.status,
        "inputData": opaque(thing.input_data),
        "outputData": opaque(thing.output_data),
        "errorData": opaque(thing.error_data),
        "metadata": opaque(thing.metadata),
        "createdAt": iso(thing.created_at),
        "updatedAt": iso(thing.updated_at),
        "startedAt": iso(thing.started_at),
        "completedAt": iso(thing.completed_at),
        "durationMs": None if thing.completed_at is None else max(0, thing.completed_at - begun),
    }


CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 412: "stale"}


# What a request may say ---------------------------------------------------------------------------------------------


class Refused(Exception):
    """The request is answered with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.status, self.body = status, body

    @classmethod
    def because(cls, status: int, error: str) -> "Refused":
        """An error without details."""
        return cls(status, {"error": error, "details": [], "code": CODES[status]})


class Wrong(Exception):
    """A value that is not allowed; `where` is the place in it, such as `.3` in a list."""

    def __init__(self, where: str = "") -> None:
        super().__init__(where)
        self.where = where


Read = Callable[[Any], Any]


def an_id(value: Any) -> str:
    """A UUID; upper case is read as lower case."""
    if not isinstance(value, str) or not UUID.fullmatch(value.lower()):
        raise Wrong
    return value.lower()


def a_text(value: Any) -> str:
    """1 to 255 characters without NUL."""
    if not isinstance(value, str) or not 1 <= len(value) <= 255 or "\0" in value:
        raise Wrong
    return value


def one_of(*allowed: str) -> Read:
    """One of these words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise Wrong
        return value

    return read


def the_tags(value: Any) -> list[str]:
    """At most 100 texts without commas."""
    if not isinstance(value, list):
        raise Wrong
    for place, tag in enumerate(value):
        try:
            if "," in a_text(tag):
                raise Wrong
        except Wrong:
            raise Wrong(f".{place}") from None
    if len(value) > MOST_TAGS:
        raise Wrong
    return value


def retries(value: Any) -> int:
    """A whole number from 0 to 10."""
    if type(value) is not int or not 0 <= value <= 10:
        raise Wrong
    return value


def or_null(read: Read) -> Read:
    """The same, or null."""
    return lambda value: None if value is None else read(value)


def number(least: int, most: int) -> Read:
    """The digits of a number in this range."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", value) or not least <= int(value) <= most:
            raise Wrong
        return int(value)

    return read


def commas(read: Read) -> Read:
    """A comma-separated list; empty items do not count."""
    return lambda value: [read(item) for item in value.split(",") if item]


# Fields whose text is kept, not read: any JSON, and any JSON object.
ANY, AN_OBJECT = object(), object()

METADATA: Json = {"metadata": AN_OBJECT}
NEW_RUN = {"inputData": ANY, **METADATA}
RUN_CHANGE = {"status": one_of(*SETTABLE), "outputData": ANY, "errorData": ANY, **METADATA}
NEW_TASK = {
    "runId": an_id,
    "parentTaskId": or_null(an_id),
    "type": a_text,
    "inputData": ANY,
    "maxRetries": retries,
    **METADATA,
}
TASK_CHANGE = {**RUN_CHANGE, "status": one_of(*TASK_STATUSES), "queueJobId": a_text}
NEW_ENTRY = {"taskId": an_id, "key": a_text, "value": ANY, "tags": the_tags, **METADATA}
TAGS_CHANGE = {"add": the_tags, "remove": the_tags}

PAGE = {
    "limit": number(1, 100),
    "offset": number(0, 2**63 - 1),
    "sortBy": one_of(*TIMES),
    "sortOrder": one_of("desc", "asc"),
}
RUNS_WANTED = {**PAGE, "status": commas(one_of(*RUN_STATUSES))}
TASKS_WANTED = {
    **PAGE,
    "status": commas(one_of(*TASK_STATUSES)),
    "runId": an_id,
    "parentTaskId": an_id,
    "type": a_text,
}
DATA_WANTED = {
    **PAGE,
    "key": a_text,
    "keys": commas(a_text),
    "keyStartsWith": commas(a_text),
    "keyPattern": a_text,
    "tags": commas(a_text),
    "tagStartsWith": commas(a_text),
    "tagMode": one_of("any", "all"),
    "includeAll": one_of("true", "false"),
    "limit": number(1, 1000),
    "sortBy": one_of("created_at", "updated_at", "key"),
}
DATA_UNWANTED = {"key": a_text, "id": an_id}

LISTS = frozenset({"status", "keys", "keyStartsWith", "tags", "tagStartsWith"})
# Those that count as absent when they are empty.
FILTERS = LISTS | {"type", "key", "keyPattern"}


def fields_of(body: dict[str, str] | None, known: Json, *required: str) -> Json:
    """The known fields of a body; the text of those that are opaque.

    :raises Refused: when one is wrong, or a required one is missing
    """
    given, wrong = {}, [name for name in required if name not in (body or {})]
    for name, text in (body or {}).items():
        read = known.get(name)
        try:
            if read is ANY or (read is AN_OBJECT and text.startswith("{")):
                given[name] = text
            elif read is AN_OBJECT:
                raise Wrong
            elif read is not None:
                given[name] = read(json.loads(text))
        except Wrong as error:
            wrong.append(name + error.where)
    if wrong:
        raise Refused(400, sorted(wrong))
    return given


def parameters_of(query: Sequence[tuple[str, str]], known: Mapping[str, Read], keep_empty: bool = False) -> Json:
    """The known parameters of a query.

    :param keep_empty: whether an empty text is a wrong one instead of none
    :raises Refused: when one is wrong, or is given twice and is no list
    """
    given: Json = {}
    wrong = []
    for name, read in known.items():
        values = [value for each, value in query if each == name]
        if name in LISTS:
            values = [",".join(values)]
        if len(values) > 1:
            raise Refused(400, [name])
        if not values or (values[0] == "" and name in FILTERS and not keep_empty):
            continue
        try:
            given[name] = read(values[0])
        except Wrong:
            wrong.append(name)
    if wrong:
        raise Refused(400, sorted(wrong))
    return given


# The model ----------------------------------------------------------------------------------------------------------


class Model:
    """All organisations.

    :param config: what the three routes below `/config` answer, by path
    :param limit: how many requests a key may make
    """

    def __init__(self, config: dict[str, Json], limit: int) -> None:
        self.config = config
        self.limit = limit
        self.now = 1_700_000_000_000
        self.keys: dict[str, Key] = {}
        self.runs: list[Run] = []
        self.tasks: list[Task] = []
        # Also those that are deleted by now:
        self.runs_made: list[Run] = []
        self.tasks_made: list[Task] = []
        self.entries_made: list[Entry] = []

    def answer(self, request: Request, key: str | None, new_id: Callable[[], str]) -> Answer:
        """What the request has to be answered; does what the request asks for.

        :param key: which key it presents
        :param new_id: the id that the server has given to what it created; asked only when something has to be created
        """
        caller = None
        try:
            caller = self._caller(key)
            caller.used += 1
            if caller.read_only and request.method not in ("GET", "HEAD"):
                raise Refused.because(403, "This API key may only read")
            status, body, location = self._answer(request, caller.org_id, new_id)
        except Refused as refused:
            status, body, location = refused.status, refused.body, None
        remaining = None if caller is None else self.limit - caller.used
        return Answer(status, None if request.method == "HEAD" else body, location, remaining)

    def runs_of(self, org_id: str) -> list[Run]:
        """An organisation's runs, oldest first."""
        return [run for run in self.runs if run.org_id == org_id]

    def tasks_of(self, org_id: str) -> list[Task]:
        """An organisation's tasks, oldest first."""
        return [task for task in self.tasks if task.org_id == org_id]

    def ids_of(self, org_id: str) -> set[str]:
        """All that an organisation has an id for, or ever had."""
        entries = (entry.answer for entry in self.entries_made)
        return {
            *(run.id for run in self.runs_made if run.org_id == org_id),
            *(task.id for task in self.tasks_made if task.org_id == org_id),
            *(entry["id"] for entry in entries if entry["orgId"] == org_id),
        }

    def _caller(self, key: str | None) -> Key:
        if key is None:
            raise Refused.because(401, "Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY")
        if not re.fullmatch(r"fmn_[a-z0-9-]{1,64}_[a-z0-9-]{1,64}_[A-Za-z0-9]{1,128}", key):
            raise Refused.because(401, "Invalid API key format")
        caller = self.keys.get(key)
        if caller is None or caller.revoked:
            raise Refused.because(401, "Invalid API key")
        return caller

    def _answer(self, request: Request, org_id: str, new_id: Callable[[], str]) -> tuple[int, Any, str | None]:
        """Status, body and location."""
        method = "GET" if request.method == "HEAD" else request.method
        query, body = request.query, request.body
        match method, request.path.strip("/").split("/"):
            case "POST", ["runs"]:
                return self._create_run(org_id, fields_of(body, NEW_RUN, "inputData"), new_id)
            case "GET", ["runs"]:
                return 200, self._list_runs(org_id, parameters_of(query, RUNS_WANTED)), None
            case "GET", ["runs", run_id]:
                return _read(self._run(org_id, run_id).to_json(), request.condition)
            case "PATCH", ["runs", run_id]:
                change, states = fields_of(body, RUN_CHANGE), _wanted(request.condition)
                run = self._run(org_id, run_id)
                _check(states, run.to_json())
                return 200, self._change(run, change), None
            case "DELETE", ["runs", run_id]:
                states = _wanted(request.condition)
                run = self._run(org_id, run_id)
                _check(states, run.to_json())
                return 200, self._delete_run(run), None
            case "POST", ["tasks"]:
                new = fields_of(body, NEW_TASK, "runId", "type", "inputData")
                return self._create_task(org_id, new, new_id)
            case "GET", ["tasks"]:
                return 200, self._list_tasks(org_id, parameters_of(query, TASKS_WANTED)), None
            case "GET", ["tasks", task_id]:
                return _read(self._task(org_id, task_id).to_json(), request.condition)
            case "PATCH", ["tasks", task_id]:
                change, states = fields_of(body, TASK_CHANGE), _wanted(request.condition)
                task = self._task(org_id, task_id)
                _check(states, task.to_json())
                return 200, self._change(task, change), None
            case "POST", ["runs", run_id, "data"]:
                new = fields_of(body, NEW_ENTRY, "taskId", "key", "value")
                return self._create_entry(self._run(org_id, run_id), new, new_id)
            case "GET", ["runs", run_id, "data"]:
                wanted = parameters_of(query, DATA_WANTED)
                return 200, self._query_data(self._run(org_id, run_id), wanted), None
            case "DELETE", ["runs", run_id, "data"]:
                unwanted = parameters_of(query, DATA_UNWANTED, keep_empty=True)
                if len(unwanted) != 1:
                    raise Refused(400, ["key"])
                states = _wanted(request.condition)
                if states is not None and "key" in unwanted:
                    raise Refused(400, ["If-Match"])
                run = self._run(org_id, run_id)
                if states is not None:
                    _check(states, self._entry(org_id, run_id, unwanted["id"]).answer)
                return 200, self._delete_data(run, unwanted), None
            case "GET", ["runs", run_id, "data", data_id]:
                return _read(self._entry(org_id, run_id, data_id).answer, request.condition)
            case "PATCH", ["runs", run_id, "data", data_id, "tags"]:
                change, states = fields_of(body, TAGS_CHANGE), _wanted(request.condition)
                entry = self._entry(org_id, run_id, data_id)
                _check(states, entry.answer)
                return 200, self._change_tags(entry, change), None
            case "GET", ["config", *_]:
                return 200, self.config[request.path], None
        raise NotImplementedError(f"{request.method} {request.path}")

    # Runs and tasks

    def _run(self, org_id: str, run_id: str) -> Run:
        return _with_id(self.runs_of(org_id), run_id, "Run")

    def _task(self, org_id: str, task_id: str) -> Task:
        return _with_id(self.tasks_of(org_id), task_id, "Task")

    def _create_run(self, org_id: str, new: Json, new_id: Callable[[], str]) -> tuple[int, Json, str]:
        run = Run(
            number=len(self.runs_made),
            org_id=org_id,
            id=new_id(),
            input_data=new["inputData"],
            metadata=new.get("metadata"),
            created_at=self.now,
            updated_at=self.now,
        )
        self.runs.append(run)
        self.runs_made.append(run)
        return 201, run.to_json(), f"/runs/{run.id}"

    def _create_task(self, org_id: str, new: Json, new_id: Callable[[], str]) -> tuple[int, Json, str]:
        run, parent = self._run(org_id, new["runId"]), None
        if new.get("parentTaskId") is not None:
            parent = _with_id(run.tasks, new["parentTaskId"], "Parent task")
        task = Task(
            number=len(self.tasks_made),
            org_id=org_id,
            id=new_id(),
            run=run,
            parent=parent,
            type=new["type"],
            input_data=new["inputData"],
            metadata=new.get("metadata"),
            max_retries=new.get("maxRetries", 3),
            created_at=self.now,
            updated_at=self.now,
        )
        self.tasks.append(task)
        self.tasks_made.append(task)
        run.tasks.append(task)
        return 201, task.to_json(), f"/tasks/{task.id}"

    def _change(self, thing: Run | Task, change: Json) -> Json:
        before = thing.to_json()
        status = change.get("status", thing.status)
        if status != thing.status:
            thing.completed_at = self.now if status in ENDED else None
            if status == "running" and thing.started_at is None:
                thing.started_at = self.now
            if isinstance(thing, Task):
                if status == "queued" and thing.queued_at is None:
                    thing.queued_at = self.now
                thing.retry_count += status == "retrying"
            thing.status = status
        thing.output_data = change.get("outputData", thing.output_data)
        thing.error_data = change.get("errorData", thing.error_data)
        thing.metadata = change.get("metadata", thing.metadata)
        if isinstance(thing, Task):
            thing.queue_job_id = change.get("queueJobId", thing.queue_job_id)
        if thing.to_json() != before:
            thing.updated_at = self.now
        return thing.to_json()

    def _delete_run(self, run: Run) -> Json:
        self.runs.remove(run)
        self.tasks = [task for task in self.tasks if task.run is not run]
        return {"deleted": 1}

    def _list_runs(self, org_id: str, wanted: Json) -> Json:
        statuses = wanted.get("status") or RUN_STATUSES
        return _page([run for run in self.runs_of(org_id) if run.status in statuses], wanted)

    def _list_tasks(self, org_id: str, wanted: Json) -> Json:
        statuses = wanted.get("status") or TASK_STATUSES
        return _page(
            [
                task
                for task in self.tasks_of(org_id)
                if task.status in statuses
                and wanted.get("type", task.type) == task.type
                and wanted.get("runId", task.run.id) == task.run.id
                and ("parentTaskId" not in wanted or (task.parent and task.parent.id) == wanted["parentTaskId"])
            ],
            wanted,
        )

    # Run data

    def _entry(self, org_id: str, run_id: str, data_id: str) -> Entry:
        for run in self.runs_of(org_id):
            for entry in run.entries:
                if (run.id, entry.answer["id"]) == (run_id.lower(), data_id.lower()):
                    return entry
        raise Refused.because(404, "Entry not found")

    def _create_entry(self, run: Run, new: Json, new_id: Callable[[], str]) -> tuple[int, Json, str]:
        task = _with_id(run.tasks, new["taskId"], "Task")
        tags = tags_of_model([], new.get("tags", []), [])
        answer = {
            "id": new_id(),
            "runId": run.id,
            "taskId": task.id,
            "orgId": run.org_id,
            "key": new["key"],
            "value": opaque(new["value"]),
            "tags": tags,
            "metadata": opaque(new.get("metadata")),
            "createdAt": iso(self.now),
            "updatedAt": iso(self.now),
        }
        entry = Entry(len(self.entries_made), new["key"], tags, self.now, self.now, answer)
        self.entries_made.append(entry)
        run.entries.append(entry)
        return 201, answer, f"/runs/{run.id}/data/{answer['id']}"

    def _query_data(self, run: Run, wanted: Json) -> Json:
        entries, total = answer_of_model(run.entries, wanted)
        page = {"limit": wanted.get("limit", 100), "offset": wanted.get("offset", 0), "total": total}
        return {"data": entries, "pagination": page}

    def _change_tags(self, entry: Entry, change: Json) -> Json:
        tags = tags_of_model(entry.tags, change.get("add", []), change.get("remove", []))
        if len(tags) > MOST_TAGS:
            raise Refused(400, ["add"])
        if tags == entry.tags:
            return entry.answer
        entry.tags, entry.updated_at = tags, self.now
        entry.answer = {**entry.answer, "tags": tags, "updatedAt": iso(self.now)}
        return entry.answer

    def _delete_data(self, run: Run, unwanted: Json) -> Json:
        kept = [
            entry
            for entry in run.entries
            if entry.key != unwanted.get("key") and entry.answer["id"] != unwanted.get("id")
        ]
        deleted = len(run.entries) - len(kept)
        if not deleted:
            raise Refused.because(404, "Entry not found")
        run.entries = kept
        return {"deleted": deleted}


def _read(item: Json, condition: Condition | None) -> tuple[int, Json | None, None]:
    """The answer to who reads an item: nothing if it has the item already."""
    if condition is not None and condition.is_malformed:
        raise Refused(400, ["If-None-Match"])
    known = condition is not None and (condition.states is None or item in condition.states)
    return (304, None, None) if known else (200, item, None)


def _wanted(condition: Condition | None) -> tuple[Any, ...] | None:
    """The states of which one has to be; None if any will do."""
    if condition is not None and condition.is_malformed:
        raise Refused(400, ["If-Match"])
    return None if condition is None else condition.states


def _check(states: tuple[Any, ...] | None, item: Json) -> None:
    """:raises Refused: when the item is in none of the states"""
    if states is not None and item not in states:
        raise Refused.because(412, "It has changed since it was read: read it again")


def _with_id(items: Iterable[Item], item_id: str, what: str) -> Item:
    for item in items:
        if item.id == item_id.lower():
            return item
    raise Refused.because(404, f"{what} not found")


def _page(items: Sequence[Run] | Sequence[Task], wanted: Json) -> Json:
    """A page of a list: ties in the order of insertion. What has no value comes last, in the order of creation."""
    sort_by, descending = wanted.get("sortBy", "created_at"), wanted.get("sortOrder", "desc") == "desc"

    def in_order(some: Iterable[Run | Task]) -> list[Run | Task]:
        return sorted(
            some, key=lambda item: (getattr(item, sort_by) or item.created_at, item.number), reverse=descending
        )

    ordered = [
        *in_order(item for item in items if getattr(item, sort_by) is not None),
        *in_order(item for item in items if getattr(item, sort_by) is None),
    ]
    limit, offset = wanted.get("limit", 20), wanted.get("offset", 0)
    shown = [item.to_json() for item in ordered[offset : offset + limit]]
    return {"items": shown, "total": len(items), "limit": limit, "offset": offset}
