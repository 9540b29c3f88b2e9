"""What answers look like, as marshmallow schemas: for the OpenAPI document only.

Answers are built by each resource's `to_json`; a test holds them against these shapes.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from foreman.http.schemas import EXAMPLE_ID, EXAMPLE_TIME, CamelCase
from foreman.vocabulary import RUN_STATUSES, TASK_STATUSES


def _id(description: str = "UUID, version 7: ids sort by time.", **kwargs: Any) -> fields.UUID:
    return fields.UUID(required=True, metadata={"description": description, "examples": [EXAMPLE_ID]}, **kwargs)


def _time(description: str, **kwargs: Any) -> fields.DateTime:
    description = f"{description} UTC, ISO 8601 with milliseconds."
    return fields.DateTime(required=True, metadata={"description": description, "examples": [EXAMPLE_TIME]}, **kwargs)


def _json(example: Any, description: str = "Any JSON value, as it was sent; null when there is none.") -> fields.Raw:
    return fields.Raw(required=True, allow_none=True, metadata={"description": description, "examples": [example]})


def _metadata() -> fields.Dict:
    return fields.Dict(required=True, allow_none=True, metadata={"examples": [{"source": "nightly"}]})


def _count(description: str, example: int = 0, **kwargs: Any) -> fields.Integer:
    metadata = {"description": description, "examples": [example], "minimum": 0}
    return fields.Integer(required=True, metadata=metadata, **kwargs)


def _text(example: str, **kwargs: Any) -> fields.String:
    return fields.String(required=True, metadata={"examples": [example]}, **kwargs)


def _status(*statuses: str) -> fields.String:
    return fields.String(required=True, validate=validate.OneOf(statuses), metadata={"examples": [statuses[0]]})


class Run(CamelCase):
    """A run: one piece of work, broken into tasks."""

    id = _id()
    org_id = _text("acme")
    status = _status(*RUN_STATUSES)
    input_data = _json({"customer": 42})
    output_data = _json({"answer": "yes"})
    error_data = _json(None)
    metadata = _metadata()
    total_tasks = _count("Tasks of the run.", 4)
    completed_tasks = _count("Those that are completed.", 2)
    failed_tasks = _count("Those that are failed.", 1)
    cancelled_tasks = _count("Those that are cancelled.", 1)
    created_at = _time("When the run was created.")
    updated_at = _time("When the run was last changed.")
    started_at = _time("When it first became running.", allow_none=True)
    completed_at = _time("When it ended: set exactly while it is completed, failed or cancelled.", allow_none=True)
    duration_ms = _count("Milliseconds from its start, else its creation, to its end.", 1234, allow_none=True)


class Task(CamelCase):
    """A task: one step of a run."""

    id = _id()
    run_id = _id("The run it belongs to.")
    parent_task_id = _id("The task of the same run that it is part of.", allow_none=True)
    org_id = _text("acme")
    type = _text("fetch-page")
    status = _status(*TASK_STATUSES)
    input_data = _json({"url": "https://example.com"})
    output_data = _json({"title": "Example"})
    error_data = _json(None)
    metadata = _metadata()
    retry_count = _count("How often it became retrying.")
    max_retries = _count("How often it may be tried again; kept for the workers.", 3)
    created_at = _time("When the task was created.")
    updated_at = _time("When the task was last changed.")
    queued_at = _time("When it first became queued.", allow_none=True)
    started_at = _time("When it first became running.", allow_none=True)
    completed_at = _time("When it ended: set exactly while it is completed, failed or cancelled.", allow_none=True)
    duration_ms = _count("Milliseconds from its start, else its creation, to its end.", 1234, allow_none=True)
    queue_job_id = fields.String(required=True, allow_none=True, metadata={"examples": ["job-17"]})


class RunData(CamelCase):
    """An entry of run data."""

    id = _id()
    run_id = _id("The run it belongs to.")
    task_id = _id("The task that wrote it.")
    org_id = _text("acme")
    key = _text("sensor.temp.kitchen")
    value = _json({"celsius": 21.5}, "Any JSON value, as it was sent.")
    tags = fields.List(fields.String(), required=True, metadata={"examples": [["building-A", "indoor"]]})
    metadata = _metadata()
    created_at = _time("When the entry was created.")
    updated_at = _time("When its tags were last changed.")


def _page_of(shape: type[Schema]) -> dict[str, fields.Field[Any]]:
    return {
        "items": fields.List(fields.Nested(shape), required=True),
        "total": _count("All that match, not only this page.", 1),
        "limit": _count("As asked for.", 20),
        "offset": _count("As asked for."),
    }


RunList = CamelCase.from_dict(_page_of(Run), name="RunList")
TaskList = CamelCase.from_dict(_page_of(Task), name="TaskList")


class Pagination(CamelCase):
    """Where a page of run data stands."""

    limit = _count("As asked for.", 100)
    offset = _count("As asked for.")
    total = _count("All that match, not only this page.", 1)


class RunDataPage(CamelCase):
    """A page of run data."""

    data = fields.List(fields.Nested(RunData), required=True)
    pagination = fields.Nested(Pagination, required=True)


class Deleted(CamelCase):
    """How many were deleted."""

    deleted = _count("Runs, or entries of run data.", 2)


class Services(CamelCase):
    """What the server needs."""

    database = fields.String(required=True, validate=validate.OneOf(("connected", "disconnected")))


class Health(CamelCase):
    """Whether the server works."""

    status = fields.String(required=True, validate=validate.OneOf(("healthy", "unhealthy")))
    timestamp = _time("Now.")
    environment = _text("production")
    services = fields.Nested(Services, required=True)


class Ready(CamelCase):
    """The server can take work."""

    status = fields.String(required=True, validate=validate.OneOf(("ready",)))
    timestamp = _time("Now.")


class RedisConfig(CamelCase):
    """The Redis server that carries the queues."""

    host = _text("localhost")
    port = _count("TCP port.", 6379)
    password = fields.String(metadata={"examples": ["secret"]})
    db = fields.Integer(metadata={"examples": [0]})


class QueuesConfig(CamelCase):
    """The names of the queues."""

    task_queue = _text("foreman-tasks")
    result_queue = _text("foreman-results")


class Config(CamelCase):
    """What clients read at their start."""

    version = _text("0.2.0")
    environment = _text("production")
    redis = fields.Nested(RedisConfig, required=True)
    queues = fields.Nested(QueuesConfig, required=True)


class ErrorDetail(CamelCase):
    """What is wrong with one field or parameter."""

    field = _text("limit")
    message = _text("Must be greater than or equal to 1 and less than or equal to 100.")


class Error(CamelCase):
    """Every answer that is an error."""

    error = _text("Validation failed")
    details = fields.List(fields.Nested(ErrorDetail), required=True)


SHAPES: dict[str, type[Schema]] = {
    shape.__name__: shape
    for shape in (Run, Task, RunData, RunList, TaskList, RunDataPage, Deleted, Health, Ready, Config, RedisConfig,
                  QueuesConfig, Error)
}  # fmt: skip
