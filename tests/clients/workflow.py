"""A workflow through a client that openapi-python-client has made as `foreman_client`: `workflow.py URL KEY`.

Its types are checked against that client, and it is run with it.
"""

import sys
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from foreman_client import AuthenticatedClient
from foreman_client.api.config import get_config, get_queues
from foreman_client.api.health import get_health
from foreman_client.api.run_data import create_data, delete_data, get_data, query_data, update_tags
from foreman_client.api.runs import create_run, delete_run, get_run, list_runs, update_run
from foreman_client.api.tasks import create_task, get_task, list_tasks, update_task
from foreman_client.models import (
    Config,
    CreateData,
    CreateRun,
    CreateRunMetadata,
    CreateTask,
    Deleted,
    Error,
    Health,
    ListRunsStatusItem,
    ListTasksStatusItem,
    QueryDataIncludeAll,
    QueryDataTagMode,
    QueuesConfig,
    Run,
    RunData,
    RunDataPage,
    RunList,
    RunStatus,
    Task,
    TaskList,
    TaskStatus,
    UpdateRun,
    UpdateRunStatus,
    UpdateTags,
    UpdateTask,
    UpdateTaskStatus,
)

OPAQUE: list[Any] = [None, True, 21.5, 10**30, "text", "", [1, [2], {}], {"a": {"b": None}}, [], {}]

Answer = TypeVar("Answer")


def main(url: str, key: str) -> None:
    """Every operation once, and every kind of opaque JSON there and back."""
    client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)

    for value in OPAQUE:
        made = a(Run, create_run.sync(client=client, body=CreateRun(input_data=value)))
        assert made.input_data == value
        assert made.metadata is None
        assert made.output_data is None
        assert (made.started_at, made.completed_at, made.duration_ms) == (None, None, None)
        change = UpdateRun(status=UpdateRunStatus.COMPLETED, output_data=value, error_data=value)
        ended = a(Run, update_run.sync(made.id, client=client, body=change))
        assert ended.output_data == ended.error_data == value
        assert ended.status is RunStatus.COMPLETED
        assert ended.duration_ms is not None
        assert ended.duration_ms >= 0
        assert a(Run, get_run.sync(made.id, client=client)) == ended
        assert a(Deleted, delete_run.sync(made.id, client=client)).deleted == 1

    metadata = CreateRunMetadata.from_dict({"source": "nightly", "depth": [1, None]})
    run = a(Run, create_run.sync(client=client, body=CreateRun(input_data=1, metadata=metadata)))
    assert run.metadata is not None
    assert run.metadata.to_dict() == metadata.to_dict()
    assert isinstance(run.id, UUID)
    assert (datetime.now(UTC) - run.created_at).total_seconds() < 3600

    parent = a(Task, create_task.sync(client=client, body=CreateTask(run_id=run.id, type_="plan", input_data=None)))
    assert parent.max_retries == 3
    assert (parent.parent_task_id, parent.queue_job_id) == (None, None)
    step = CreateTask(run_id=run.id, type_="step", input_data=[1], parent_task_id=parent.id, max_retries=0)
    task = a(Task, create_task.sync(client=client, body=step))
    assert (task.parent_task_id, task.max_retries, task.input_data) == (parent.id, 0, [1])
    moved = UpdateTask(status=UpdateTaskStatus.RUNNING, queue_job_id="job-17")
    assert a(Task, update_task.sync(task.id, client=client, body=moved)).started_at is not None
    assert a(Task, get_task.sync(task.id, client=client)).status is TaskStatus.RUNNING
    wanted = [ListTasksStatusItem.RUNNING, ListTasksStatusItem.FAILED]
    tasks = a(TaskList, list_tasks.sync(client=client, run_id=run.id, status=wanted))
    assert [each.id for each in tasks.items] == [task.id]
    runs = a(RunList, list_runs.sync(client=client, status=[ListRunsStatusItem.PENDING], limit=1))
    assert (runs.items[0].id, runs.items[0].total_tasks, runs.limit) == (run.id, 2, 1)

    for value in OPAQUE:
        body = CreateData(task_id=task.id, key="reading", value=value, tags=["roof", "raw"])
        entry = a(RunData, create_data.sync(run.id, client=client, body=body))
        assert (entry.value, entry.tags) == (value, ["roof", "raw"])
        assert a(RunData, get_data.sync(run.id, entry.id, client=client)) == entry
    change_of_tags = UpdateTags(add=["checked"], remove=["raw"])
    entry = a(RunData, update_tags.sync(run.id, entry.id, client=client, body=change_of_tags))
    assert entry.tags == ["roof", "checked"]
    latest = a(RunDataPage, query_data.sync(run.id, client=client, keys=["reading", "other"]))
    assert [each.id for each in latest.data] == [entry.id]
    tagged = query_data.sync(
        run.id,
        client=client,
        key_starts_with=["read", "x"],
        tags=["roof", "raw"],
        tag_mode=QueryDataTagMode.ALL,
        include_all=QueryDataIncludeAll.TRUE,
    )
    assert a(RunDataPage, tagged).pagination.total == len(OPAQUE) - 1
    assert a(RunDataPage, query_data.sync(run.id, client=client, tags=[])).pagination.total == 1
    assert a(Deleted, delete_data.sync(run.id, client=client, id=entry.id)).deleted == 1
    both = a(Error, delete_data.sync(run.id, client=client, id=entry.id, key="reading"))
    assert both.details[0].field == "key"
    assert a(Deleted, delete_data.sync(run.id, client=client, key="reading")).deleted == len(OPAQUE) - 1

    assert a(Health, get_health.sync(client=client)).services.database == "connected"
    assert a(Config, get_config.sync(client=client)).queues == a(QueuesConfig, get_queues.sync(client=client))
    assert a(Deleted, delete_run.sync(run.id, client=client)).deleted == 1
    assert a(Error, get_run.sync(run.id, client=client)).error == "Run not found"


def a(kind: type[Answer], answer: object) -> Answer:
    """The answer, which must be of this kind."""
    assert isinstance(answer, kind), answer
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
