"""What a write makes of an object, as docs/api.md says it: only ids and times are taken from the server.

`got` is always the object as the server has it after the write.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.chaos.api import NULL, Object, number, raw, text, texts
from tests.chaos.server import ORG
from tests.support.statuses import ENDED

Body = Mapping[str, Any]


_MILLISECOND = timedelta(milliseconds=1)


def counters(tasks: Iterable[Object]) -> Object:
    """The counters of a run with these tasks."""
    statuses = [text(task["status"]) for task in tasks]
    return {
        "totalTasks": raw(len(statuses)),
        "completedTasks": raw(statuses.count("completed")),
        "failedTasks": raw(statuses.count("failed")),
        "cancelledTasks": raw(statuses.count("cancelled")),
    }


def new_run(body: Body, got: Object) -> Object:
    """A run as created."""
    return {
        **_begun(got),
        "status": raw("pending"),
        **_members(body, "inputData", "metadata"),
        **dict.fromkeys(("outputData", "errorData"), NULL),
        **counters([]),
    }


def new_task(body: Body, got: Object) -> Object:
    """A task as created."""
    return {
        **_begun(got),
        "status": raw("pending"),
        **_members(body, "runId", "parentTaskId", "type", "inputData", "metadata"),
        **dict.fromkeys(("outputData", "errorData", "queuedAt", "queueJobId"), NULL),
        "retryCount": raw(0),
        "maxRetries": raw(body.get("maxRetries", 3)),
    }


def new_entry(run_id: str, body: Body, got: Object) -> Object:
    """An entry of run data as created."""
    begun = _begun(got)
    return {
        **{name: begun[name] for name in ("id", "orgId", "createdAt", "updatedAt")},
        "runId": raw(run_id),
        **_members(body, "taskId", "key", "value", "tags", "metadata"),
    }


def changed(before: Object, change: Body, got: Object) -> Object:
    """A run (its counters left aside) or a task after a PATCH."""
    after = {**before, **{name: raw(value) for name, value in change.items()}}
    if after == before:
        return before
    now = after["updatedAt"] = got["updatedAt"]
    was = text(before["status"])
    becomes = change.get("status", was)
    if becomes == "queued" and before["queuedAt"] == NULL:
        after["queuedAt"] = now
    if becomes == "running" and before["startedAt"] == NULL:
        after["startedAt"] = now
    if becomes != was:
        after["completedAt"] = now if becomes in ENDED else NULL
        if becomes == "retrying":
            after["retryCount"] = raw(number(before["retryCount"]) + 1)
    after["durationMs"] = _duration(after)
    return after


def tagged(before: Object, change: Body, got: Object) -> Object:
    """An entry after a PATCH of its tags."""
    tags = raw(tags_after(texts(before["tags"]), change))
    return before if tags == before["tags"] else {**before, "tags": tags, "updatedAt": got["updatedAt"]}


def tags_after(before: Iterable[str], change: Body) -> list[str]:
    """Tags after some are removed, and then those added that are missing."""
    return list(dict.fromkeys([*(tag for tag in before if tag not in change["remove"]), *change["add"]]))


def _begun(got: Object) -> Object:
    """What a run and a task have alike when they are created."""
    times = dict.fromkeys(("startedAt", "completedAt", "durationMs"), NULL)
    return {"id": got["id"], "orgId": raw(ORG), "createdAt": got["createdAt"], "updatedAt": got["createdAt"], **times}


def _members(body: Body, *names: str) -> Object:
    return {name: raw(body.get(name)) for name in names}


def _duration(after: Object) -> msgspec.Raw:
    if after["completedAt"] == NULL:
        return NULL
    begin = after["createdAt"] if after["startedAt"] == NULL else after["startedAt"]
    took = datetime.fromisoformat(text(after["completedAt"])) - datetime.fromisoformat(text(begin))
    return raw(max(0, took // _MILLISECOND))
