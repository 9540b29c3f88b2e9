"""A row becomes JSON to the letter: the fields in their order, texts escaped, opaque JSON and times exact.

What is expected is put together here, value by value and without what the application uses for it: however the
application makes the bytes, they must stay the same.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from foreman.api import run_data, runs, tasks
from foreman.http.contract import answer
from foreman.http.paging.pages import Asked, Page, listed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# All other control characters are escaped by their numbers, and nothing else is escaped.
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class Opaque(str):
    """JSON that is kept as it is."""


class Time(int):
    """Milliseconds since 1970."""


TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["\x00\x1f\x7f", '"\\/', "\U0001f600\u2028"]
)
IDS = st.uuids().map(str)
COUNTS = st.integers(0, 2**63 - 1)
SENT = ["null", "1.10", "-1e400", "1" * 30, '"\\ud83d"', '{"a" : [ ]}', '"é"', '"\\/"']
OPAQUE = (st.sampled_from(SENT) | TEXTS.map(json.dumps)).map(Opaque)
# From the year 1000 to 9999.
TIMES = (st.integers(-30_610_224_000_000, 253_402_300_799_999) | st.sampled_from([-1, 0, 999, 1_700_000_000_007])).map(
    Time
)
NONE = st.none()


def things(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with these fields, in this order."""
    return st.tuples(*fields.values()).map(lambda values: dict(zip(fields, values, strict=True)))


# The fields of each resource, but for `durationMs`, in the order of the API; it is that of the columns, too.
RUNS = things(
    {
        "id": IDS,
        "orgId": TEXTS,
        "status": TEXTS,
        "inputData": OPAQUE,
        "outputData": OPAQUE | NONE,
        "errorData": OPAQUE | NONE,
        "metadata": OPAQUE | NONE,
        "totalTasks": COUNTS,
        "completedTasks": COUNTS,
        "failedTasks": COUNTS,
        "cancelledTasks": COUNTS,
        "createdAt": TIMES,
        "updatedAt": TIMES,
        "startedAt": TIMES | NONE,
        "completedAt": TIMES | NONE,
        "externalId": TEXTS | NONE,
        "tags": OPAQUE | NONE,
    }
)
TASKS = things(
    {
        "id": IDS,
        "runId": IDS,
        "parentTaskId": IDS | NONE,
        "orgId": TEXTS,
        "type": TEXTS,
        "status": TEXTS,
        "inputData": OPAQUE,
        "outputData": OPAQUE | NONE,
        "errorData": OPAQUE | NONE,
        "metadata": OPAQUE | NONE,
        "retryCount": COUNTS,
        "maxRetries": COUNTS,
        "createdAt": TIMES,
        "updatedAt": TIMES,
        "queuedAt": TIMES | NONE,
        "startedAt": TIMES | NONE,
        "completedAt": TIMES | NONE,
        "queueJobId": TEXTS | NONE,
        "externalId": TEXTS | NONE,
        "tags": OPAQUE | NONE,
    }
)
ENTRIES = things(
    {
        "id": IDS,
        "runId": IDS,
        "taskId": IDS,
        "orgId": TEXTS,
        "key": TEXTS,
        "value": OPAQUE,
        "tags": OPAQUE,
        "metadata": OPAQUE | NONE,
        "createdAt": TIMES,
        "updatedAt": TIMES,
    }
)


# Fields that are left out if they are not set.
OPTIONAL = ("externalId", "tags")


def row(thing: dict[str, Any]) -> tuple[Any, ...]:
    """The thing as the database has it: opaque JSON is read as bytes."""
    return tuple(value.encode() if isinstance(value, Opaque) else value for value in thing.values())


def with_duration(thing: dict[str, Any]) -> dict[str, Any]:
    """The thing with `durationMs` behind `completedAt`."""
    created, started, completed = thing["createdAt"], thing["startedAt"], thing["completedAt"]
    took = None if completed is None else max(0, completed - (created if started is None else started))
    fields = list(thing.items())
    behind = list(thing).index("completedAt") + 1
    return dict([*fields[:behind], ("durationMs", took), *fields[behind:]])


def written(value: Any) -> str:
    """A value as JSON."""
    match value:
        case None:
            return "null"
        case Opaque():
            return str(value)
        case Time():
            time = EPOCH + timedelta(milliseconds=int(value))
            return f'"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"'
        case int():
            return str(value)
    return '"' + re.sub(r'[\x00-\x1f"\\]', lambda each: ESCAPES.get(each[0]) or f"\\u{ord(each[0]):04x}", value) + '"'


def an_object(thing: dict[str, Any]) -> bytes:
    shown = {name: value for name, value in thing.items() if name not in OPTIONAL or value is not None}
    return ("{" + ",".join(f'"{name}":{written(value)}' for name, value in shown.items()) + "}").encode()


@given(run=RUNS)
def test_run_is_written_to_the_letter(run: dict[str, Any]) -> None:
    assert answer(runs.to_json((*row(run), 0))).get_data() == an_object(with_duration(run))


@given(task=TASKS)
def test_task_is_written_to_the_letter(task: dict[str, Any]) -> None:
    assert answer(tasks.to_json(row(task))).get_data() == an_object(with_duration(task))


@given(entry=ENTRIES)
def test_entry_is_written_to_the_letter(entry: dict[str, Any]) -> None:
    assert answer(run_data.to_json(row(entry))).get_data() == an_object(entry)


@given(found=st.lists(RUNS, max_size=3), total=COUNTS)
def test_page_is_written_to_the_letter(found: list[dict[str, Any]], total: int) -> None:
    items = b",".join(an_object(with_duration(run)) for run in found)
    rows = [(*row(run), 0) for run in found]
    body = answer(
        listed([runs.to_json(each) for each in rows], Page(rows, total, None), Asked(20, 0, "desc"))
    ).get_data()
    assert body == b'{"items":[%b],"total":%d,"limit":20,"offset":0}' % (items, total)


@given(text=TEXTS)
def test_texts_are_escaped_as_json_asks_for(text: str) -> None:
    assert json.loads(written(text)) == text
