"""What the query string of a request may say."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.promises.model.bodies import Wrong, a_text, an_id, one_of
from tests.promises.model.exchange import Refused, Request
from tests.support.api import Json
from tests.support.statuses import RUN_STATUSES, TASK_STATUSES

TIMES = ("created_at", "updated_at", "started_at", "completed_at")
RANGES = tuple(
    f"{what}{side}" for what in ("created", "updated", "started", "completed") for side in ("After", "Before")
)

MOST_IDS = 100

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Parameter(NamedTuple):
    """A parameter.

    :ivar is_filter: whether it counts as absent when it is empty
    :ivar is_list: whether it is separated by commas, and goes on in others of its name
    """

    read: Callable[[str], Any]
    is_filter: bool = False
    is_list: bool = False


# Stands for all parameters `metadata.PATH`.
METADATA = "metadata."


def number(least: int, most: int) -> Parameter:
    """The digits of a number in this range."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", value) or not least <= int(value) <= most:
            raise Wrong
        return int(value)

    return Parameter(read)


def commas(read: Callable[[str], Any], most: int | None = None) -> Parameter:
    """A comma-separated list; empty items do not count, and repeated ones count once."""

    def read_all(value: str) -> list[Any]:
        items = [read(item) for item in dict.fromkeys(value.split(",")) if item]
        if most is not None and len(items) > most:
            raise Wrong
        return items

    return Parameter(read_all, is_filter=True, is_list=True)


def a_time(value: str) -> int:
    """A time with its zone, in milliseconds since 1970. A finer one is rounded up."""
    parts = TIME.fullmatch(value)
    if parts is None:
        raise Wrong
    try:
        second = datetime.fromisoformat(parts[1] + parts[3])
    except ValueError:
        raise Wrong from None
    return int(second.timestamp()) * 1000 + -(-int((parts[2] or "0").ljust(9, "0")) // 1_000_000)


def an_id_or_none(value: str) -> str:
    """A UUID, or `none`."""
    return value if value == "none" else an_id(value)


def any_text(value: str) -> str:
    """Anything."""
    return value


Parameters = Mapping[str, Parameter]

VIEW: Parameters = {"view": Parameter(one_of("full", "summary"))}
PAGE: Parameters = {
    "limit": number(1, 100),
    "offset": number(0, 2**63 - 1),
    "sortBy": Parameter(one_of(*TIMES)),
    "sortOrder": Parameter(one_of("desc", "asc")),
    "cursor": Parameter(any_text),
    "count": Parameter(one_of("true", "false")),
    **VIEW,
}
TAG_FILTERS: Parameters = {
    "tags": commas(a_text),
    "tagStartsWith": commas(a_text),
    "tagMode": Parameter(one_of("any", "all")),
}
FILTERS: Parameters = {
    "ids": commas(an_id, MOST_IDS),
    **{name: Parameter(a_time) for name in RANGES},
    "externalId": Parameter(a_text),
    **TAG_FILTERS,
    METADATA: Parameter(a_text, is_filter=True),
}
RUN_FILTERS: Parameters = {**FILTERS, "status": commas(one_of(*RUN_STATUSES))}
TASK_OF_RUN_FILTERS: Parameters = {
    **FILTERS,
    "status": commas(one_of(*TASK_STATUSES)),
    "type": Parameter(a_text, is_filter=True),
    "types": commas(a_text),
    "parentTaskId": Parameter(an_id_or_none),
}
TASK_FILTERS: Parameters = {**TASK_OF_RUN_FILTERS, "runId": Parameter(an_id)}

RUNS_WANTED: Parameters = {**PAGE, **RUN_FILTERS}
TASKS_OF_RUN_WANTED: Parameters = {**PAGE, **TASK_OF_RUN_FILTERS}
TASKS_WANTED: Parameters = {**PAGE, **TASK_FILTERS}
DATA_WANTED: Parameters = {
    **PAGE,
    "limit": number(1, 1000),
    "sortBy": Parameter(one_of("created_at", "updated_at", "key")),
    "key": Parameter(a_text, is_filter=True),
    "keys": commas(a_text),
    "keyStartsWith": commas(a_text),
    "keyPattern": Parameter(a_text, is_filter=True),
    **TAG_FILTERS,
    "includeAll": Parameter(one_of("true", "false")),
}
DATA_UNWANTED: Parameters = {"key": Parameter(a_text), "id": Parameter(an_id)}
TREE_WANTED: Parameters = {"limit": number(1, 1000)}
KEYS_WANTED: Parameters = {
    "keyStartsWith": Parameter(a_text, is_filter=True),
    "limit": number(1, 1000),
    "cursor": Parameter(any_text),
}
TAGS_WANTED: Parameters = {"tagStartsWith": KEYS_WANTED["keyStartsWith"], **KEYS_WANTED}
TAGS_WANTED = {name: parameter for name, parameter in TAGS_WANTED.items() if name != "keyStartsWith"}
ACTS_WANTED: Parameters = {
    "limit": number(1, 100),
    "status": commas(one_of("running", "completed")),
    "cursor": Parameter(any_text),
}
EXPECT: Parameters = {"expect": number(0, 10**20)}


def parameters_of(request: Request, known: Parameters, *required: str) -> Json:
    """The parameters of a request; those of paths of metadata by path, in `metadata`.

    :raises Refused: when one is wrong, unknown or missing, or is given twice and is no list
    """
    names = dict.fromkeys(name for name, _ in request.query)
    unknown = [name for name in names if name not in known and not (METADATA in known and name.startswith(METADATA))]
    texts: dict[str, str] = {}
    paths: dict[str, str] = {}
    for name, parameter in known.items():  # before the values of any are looked at
        if name == METADATA:
            paths = _paths(request, parameter, unknown)
            continue
        values = [value for each, value in request.query if each == name]
        if parameter.is_list and values:
            values = [",".join(values)]
        if len(values) > 1:
            raise Refused.wrong(name, *unknown)
        if values and not (values[0] == "" and parameter.is_filter):
            texts[name] = values[0]
    given: Json = {"metadata": paths} if paths else {}
    wrong = [*unknown, *(name for name in required if name not in texts)]
    for name, text in texts.items():
        try:
            given[name] = known[name].read(text)
        except Wrong:
            wrong.append(name)
    if wrong:
        raise Refused.wrong(*wrong)
    return given


def _paths(request: Request, parameter: Parameter, unknown: list[str]) -> dict[str, str]:
    """What is to be at paths of metadata.

    :raises Refused: when something is wrong with one, naming these and the unknown parameters
    """
    paths, wrong = {}, []
    for name in dict.fromkeys(name for name, _ in request.query if name.startswith(METADATA)):
        values = [value for each, value in request.query if each == name]
        try:
            if len(values) > 1:
                raise Wrong
            paths[name.removeprefix(METADATA)] = parameter.read(values[0])
        except Wrong:
            wrong.append(name)
    if wrong:
        raise Refused.wrong(*wrong, *unknown)
    return paths
