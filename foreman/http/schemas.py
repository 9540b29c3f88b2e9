"""What a request may say, as marshmallow schemas (what an answer looks like: `shapes`). Never touches the database."""

from collections.abc import Mapping
from typing import Any

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate, validates_schema
from werkzeug.datastructures import MultiDict

from foreman.http.fields import CommaList, Id, Integer, ListItem, Opaque, OpaqueObject, Tags, Text, TextFilter
from foreman.http.opaque_json import has_unpaired_surrogate
from foreman.vocabulary import RUN_STATUSES, TASK_STATUSES

SORT_ORDERS = ("desc", "asc")
LIST_SORTS = ("created_at", "updated_at", "started_at", "completed_at")
DATA_SORTS = ("created_at", "updated_at", "key")

# SQLite's integers have 64 bits (https://www.sqlite.org/datatype3.html).
LARGEST_OFFSET = 2**63 - 1

EXAMPLE_ID = "019315a4-7c3e-7b52-9d3f-1f0f6f3f2a10"
EXAMPLE_TIME = "2024-11-10T12:00:00.000Z"


def camel_case(name: str) -> str:
    """A Python name as it is in JSON and URLs."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class CamelCase(Schema):
    """A schema whose fields are snake_case in Python and camelCase outside."""

    class Meta:
        unknown = EXCLUDE  # answers may gain fields: clients that were generated before go on reading them

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Give the field its outer name."""
        field_obj.data_key = camel_case(field_name)

    def outer_names(self) -> tuple[str, ...]:
        """The names of its fields as they are in JSON and URLs, in order."""
        return tuple(str(field.data_key) for field in self.load_fields.values())


class Body(CamelCase):
    """A JSON body: fields that are not opaque are decoded, unknown ones ignored.

    `contract.takes` refuses unknown ones when the client asks for that.
    """

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def decode(self, data: Mapping[str, msgspec.Raw], **_: Any) -> dict[str, Any]:
        """Decode what will be validated; leave what will be stored.

        :raises ValidationError: when a text has an unpaired surrogate, a number is beyond what a float can hold, or a
            value is nested too deep
        """
        decoded: dict[str, Any] = {}
        errors: dict[str, list[str]] = {}
        for field in self.load_fields.values():
            name = str(field.data_key)
            if name in data:
                try:
                    decoded[name] = data[name] if isinstance(field, Opaque) else msgspec.json.decode(data[name])
                except (msgspec.DecodeError, RecursionError):
                    unpaired = has_unpaired_surrogate(data[name])
                    errors[name] = ["Must not contain an unpaired surrogate." if unpaired else "Not a valid value."]
        if errors:
            raise ValidationError(errors)
        return decoded


class Change(Body):
    """A body that changes what is there: what is absent stays as it is.

    `contract.takes` refuses one that has fields and not one known: a misspelt field would change nothing in silence.
    """


class Query(CamelCase):
    """Query parameters: an empty filter counts as absent; `contract.asks` refuses unknown parameters.

    A list may go on in a second parameter of the same name; others may be given only once.
    """

    class Meta:
        unknown = EXCLUDE

    @pre_load
    def gather(self, data: MultiDict[str, str], **_: Any) -> dict[str, str]:
        """One text for each parameter.

        :raises ValidationError: when a parameter that is no list is given more than once
        """
        gathered = {}
        for field in self.load_fields.values():
            name = str(field.data_key)
            values = data.getlist(name)
            if isinstance(field, CommaList):
                values = [",".join(values)]
            if len(values) > 1:
                raise ValidationError("Given more than once.", name)
            if values and (values[0] or not isinstance(field, CommaList | TextFilter)):
                gathered[name] = values[0]
        return gathered


def _opaque(example: Any, **kwargs: Any) -> Opaque:
    return Opaque(allow_none=True, metadata={"description": "Any JSON value.", "examples": [example]}, **kwargs)


def _metadata() -> OpaqueObject:
    return OpaqueObject(metadata={"type": "object", "description": "Anything to be kept with it.",
                                  "examples": [{"source": "nightly"}]})  # fmt: skip


class CreateRun(Body):
    """A new run."""

    input_data = _opaque({"customer": 42}, required=True)
    metadata = _metadata()


class UpdateRun(Change):
    """A change of a run: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(RUN_STATUSES[1:]), metadata={"examples": ["running"]})
    output_data = _opaque({"answer": "yes"})
    error_data = _opaque({"message": "out of memory"})
    metadata = _metadata()


class CreateTask(Body):
    """A new task of a run."""

    run_id = Id(required=True, metadata={"examples": [EXAMPLE_ID]})
    parent_task_id = Id(allow_none=True, load_default=None,
                        metadata={"description": "A task of the same run.", "examples": [EXAMPLE_ID]})  # fmt: skip
    type = Text(required=True, metadata={"examples": ["fetch-page"]})
    input_data = _opaque({"url": "https://example.com"}, required=True)
    metadata = _metadata()
    max_retries = Integer(strict=True, load_default=3, validate=validate.Range(0, 10), metadata={"examples": [3]})


class UpdateTask(Change):
    """A change of a task: what is absent stays as it is."""

    status = fields.String(validate=validate.OneOf(TASK_STATUSES), metadata={"examples": ["completed"]})
    output_data = _opaque({"title": "Example"})
    error_data = _opaque({"message": "timed out"})
    metadata = _metadata()
    queue_job_id = Text(metadata={"examples": ["job-17"]})


class CreateData(Body):
    """A new entry of run data."""

    task_id = Id(required=True,
                 metadata={"description": "The task of the run that wrote it.", "examples": [EXAMPLE_ID]})  # fmt: skip
    key = Text(required=True, metadata={"examples": ["sensor.temp.kitchen"]})
    value = _opaque({"celsius": 21.5}, required=True)
    tags = Tags(load_default=list, metadata={"examples": [["building-A", "indoor"]]})
    metadata = _metadata()


class UpdateTags(Change):
    """Tags to remove, then tags to add."""

    add = Tags(load_default=list, metadata={"examples": [["checked"]]})
    remove = Tags(load_default=list, metadata={"examples": [["unchecked"]]})


def _limit(usual: int, most: int) -> Integer:
    return Integer(load_default=usual, validate=validate.Range(1, most), metadata={"description": "How many at most."})


def _offset() -> Integer:
    return Integer(
        load_default=0,
        validate=validate.Range(0, LARGEST_OFFSET),
        metadata={"description": "How many to pass over first."},
    )


def _sort_by(columns: tuple[str, ...], remark: str) -> fields.String:
    return fields.String(
        load_default=columns[0],
        validate=validate.OneOf(columns),
        metadata={"description": f"What to sort by; {remark}."},
    )


def _sort_order() -> fields.String:
    return fields.String(
        load_default="desc",
        validate=validate.OneOf(SORT_ORDERS),
        metadata={"description": "Largest or smallest first."},
    )


class Page(Query):
    """Which part of a list, in which order."""

    limit, offset = _limit(20, 100), _offset()
    sort_by, sort_order = _sort_by(LIST_SORTS, "the rows without a value come last"), _sort_order()


def _statuses(*allowed: str) -> CommaList:
    return CommaList(
        fields.String(validate=validate.OneOf(allowed)),
        metadata={"description": f"One status or a comma-separated list: {', '.join(allowed)}."},
    )


class ListRuns(Page):
    """Which runs."""

    status = _statuses(*RUN_STATUSES)


class ListTasks(Page):
    """Which tasks."""

    run_id = Id()
    status = _statuses(*TASK_STATUSES)
    type = TextFilter()
    parent_task_id = Id()


def _texts(description: str) -> CommaList:
    return CommaList(ListItem(), metadata={"description": description})


class QueryData(Query):
    """Which entries of a run. The key filters are joined by OR, the tag filters narrow that further by AND."""

    key = TextFilter(metadata={"description": "This key exactly."})
    keys = _texts("Comma-separated keys, each exactly.")
    key_starts_with = _texts("Comma-separated prefixes of keys, taken literally.")
    key_pattern = TextFilter(
        metadata={"description": "Glob for the whole key: `*`, `?`, `[abc]`, `[a-z]`, `[^a]`; case-sensitive."},
    )
    tags = _texts("Comma-separated tags.")
    tag_starts_with = _texts("Comma-separated prefixes of tags, taken literally.")
    tag_mode = fields.String(
        load_default="any",
        validate=validate.OneOf(("any", "all")),
        metadata={"description": "Whether one of the tags (and one of the prefixes) must match, or all of them."},
    )
    include_all = fields.String(
        load_default="false",
        validate=validate.OneOf(("true", "false")),
        metadata={"description": "`true`: every matching entry, not only the newest matching one of each key."},
    )
    limit, offset = _limit(100, 1000), _offset()
    sort_by, sort_order = _sort_by(DATA_SORTS, "ties are in the order of insertion"), _sort_order()


class DeleteData(Query):
    """Which entries to delete: all of a key, or one by its id."""

    key = Text(metadata={"description": "Delete all entries with this key; not together with `id`.",
                         "examples": ["temp-data"]})  # fmt: skip
    id = Id(metadata={"description": "Delete this entry; not together with `key`."})

    @validates_schema
    def exactly_one(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: unless exactly one of the two is given"""
        if len(data) != 1:
            raise ValidationError("Exactly one of key and id is required.", "key")
