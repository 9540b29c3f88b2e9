"""Run data: the tagged key/value entries that the tasks of a run share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flask import Response, g
from marshmallow import ValidationError, fields, validates_schema
from msgspec import Raw

from foreman import db
from foreman.api.labels import UpdateTags, changed_tags
from foreman.api.run_data_query import (
    COLUMNS,
    OPAQUE,
    OPAQUE_OF_SUMMARY,
    QueryData,
    bound,
    columns_of_summary,
    data_query,
    kinds,
    places,
)
from foreman.clock import iso, new_id, now_ms
from foreman.db.values import RUN_SEQ, as_list
from foreman.http import schemas, shapes
from foreman.http.contract import Resource, answer, answers, asks, conditional, costs, created, fails, represent, takes
from foreman.http.errors import Invalid, NotFound, found
from foreman.http.fields import Id, Tags, Text
from foreman.http.opaque_json import NOTHING, raw
from foreman.http.paging.pages import Asked, linked, read_page, summary
from foreman.http.protocol.etags import check, if_match
from foreman.vocabulary import LONG

bp = Resource("run_data", __name__, "What the tasks of a run share.")


class CreateData(schemas.Body):
    """A new entry of run data."""

    task_id = Id(
        required=True,
        metadata={"description": "The task of the run that wrote it.", "examples": [schemas.EXAMPLE_ID]},
    )
    key = Text(required=True, metadata={"examples": ["sensor.temp.kitchen"]})
    value = schemas.opaque({"celsius": 21.5}, required=True)
    tags = Tags(load_default=list, metadata={"examples": [["building-A", "indoor"]]})
    metadata = schemas.metadata()


class DeleteData(schemas.Query):
    """Which entries to delete: all of a key, or one by its id."""

    key = Text(metadata={"description": "Delete all entries with this key; not together with `id`.",
                         "examples": ["temp-data"]})  # fmt: skip
    id = Id(metadata={"description": "Delete this entry; not together with `key`."})

    @validates_schema
    def exactly_one(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: unless exactly one of the two is given"""
        if len(data) != 1:
            raise ValidationError("Exactly one of key and id is required.", "key")


class RunData(schemas.CamelCase):
    """An entry of run data."""

    id = shapes.uuid()
    run_id = shapes.uuid("The run it belongs to.")
    task_id = shapes.uuid("The task that wrote it.")
    org_id = shapes.text("acme")
    key = shapes.text("sensor.temp.kitchen")
    value = shapes.json({"celsius": 21.5}, "Any JSON value, as it was sent.")
    value_bytes = shapes.size("value")
    tags = fields.List(fields.String(), required=True, metadata={"examples": [["building-A", "indoor"]]})
    metadata = shapes.metadata()
    created_at = shapes.time("When the entry was created.")
    updated_at = shapes.time("When its tags were last changed.")


class Pagination(schemas.CamelCase):
    """The position of a page within all matches."""

    limit = shapes.count("As asked for.", 100)
    offset = shapes.count("As asked for.")
    total = shapes.total()
    next_cursor = shapes.next_cursor()


class RunDataPage(schemas.CamelCase):
    """A page of run data."""

    data = fields.List(fields.Nested(RunData), required=True)
    pagination = fields.Nested(Pagination, required=True)


ONE_ENTRY = f"FROM run_data WHERE run_data.run_seq = {RUN_SEQ} AND run_data.id = :id"

SELECT_ENTRY = f"SELECT {COLUMNS} {ONE_ENTRY}"

SELECT_RUN = "SELECT 1 FROM run WHERE org_id = :org_id AND id = :run_id"


@bp.post("/runs/<run_id>/data")
@takes(CreateData)
@answers(201, RunData)
@fails(404)
@conditional
def create_data(new: dict[str, Any], run_id: str) -> Response:
    """Add an entry. Keys may repeat: each entry is kept, the newest of a key is its latest."""
    with db.write(single=True) as tx:
        entry = tx.one(
            f"""
            INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, metadata,
                                  created_at, updated_at)
            SELECT task.org_id, :id, task.run_seq, task.run_id, task.id, :key, :value, :tags, :metadata, :now, :now
            FROM task
            WHERE task.org_id = :org_id AND task.id = :task_id AND task.run_id = :run_id
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, id=new_id(), run_id=run_id.lower(), task_id=new["task_id"], key=new["key"],
            value=new["value"], tags=as_list(dict.fromkeys(new["tags"])), metadata=new.get("metadata"), now=now_ms(),
        )  # fmt: skip
        if entry is None:
            found(tx.one(SELECT_RUN, org_id=g.org_id, run_id=run_id.lower()), "Run")
            raise NotFound("Task")
    body = to_json(entry)
    return created(body, f"/runs/{body['runId']}/data/{body['id']}")


@bp.get("/runs/<run_id>/data")
@asks(QueryData)
@answers(200, RunDataPage)
@fails(404)
@costs(LONG)
def query_data(wanted: dict[str, Any], run_id: str) -> Response:
    """Query entries by key, prefix, glob and tag: the newest matching entry of each key, or with `includeAll` all."""
    asked = Asked.of(wanted, kinds(wanted))
    page = read_page(
        data_query(wanted, asked), asked, OPAQUE_OF_SUMMARY if asked.summary else OPAQUE, places(wanted),
        org_id=g.org_id, run_id=run_id.lower(), **bound(wanted),
    )  # fmt: skip
    entries = [to_summary(entry) if asked.summary else to_json(entry) for entry in page.rows]
    total, next_cursor = page.members(asked)
    pagination = {"limit": asked.limit, "offset": asked.offset, **total, **next_cursor}
    return linked({"data": entries, "pagination": pagination}, page)


@bp.get("/runs/<run_id>/data/<data_id>")
@asks(schemas.View)
@answers(200, RunData)
@fails(404)
@conditional
def get_data(wanted: dict[str, Any], run_id: str, data_id: str) -> Response:
    """One entry by its id."""
    which = {"org_id": g.org_id, "run_id": run_id.lower(), "id": data_id.lower()}
    if wanted["view"] == "summary":
        entry = db.one(f"SELECT {columns_of_summary()} {ONE_ENTRY}", **which)
        return represent(to_summary(found(entry, "Entry")))
    entry = db.one(SELECT_ENTRY, **which)
    return represent(to_json(found(entry, "Entry")))


@bp.patch("/runs/<run_id>/data/<data_id>/tags")
@takes(UpdateTags)
@answers(200, RunData)
@fails(404)
@conditional
def update_tags(change: dict[str, Any], run_id: str, data_id: str) -> Response:
    """Remove tags from an entry, then add those it does not have; the others keep their order.

    When that leaves the tags as they are, it leaves `updatedAt` too.
    """
    wanted = if_match()
    with db.write() as tx:
        # The run comes first, as wherever entries change: so this and a deletion of the run do not wait for each other.
        found(tx.held(SELECT_RUN, org_id=g.org_id, run_id=run_id.lower()), "Entry")
        entry = tx.locked(
            f"SELECT seq, tags FROM run_data WHERE run_seq = {RUN_SEQ} AND id = :id",
            org_id=g.org_id, run_id=run_id.lower(), id=data_id.lower(),
        )  # fmt: skip
        seq, tags_before = found(entry, "Entry")
        if wanted is not None:
            which = {"org_id": g.org_id, "run_id": run_id.lower(), "id": data_id.lower()}
            check(wanted, to_json(found(tx.one(SELECT_ENTRY, **which), "Entry")))
        tags = changed_tags(tags_before, change, "entry")
        entry = tx.one(
            f"""
            UPDATE run_data
            SET tags = :tags, updated_at = :now
            WHERE seq = :seq AND org_id = :org_id AND tags <> :tags
            RETURNING {COLUMNS}
            """,
            org_id=g.org_id, seq=seq, tags=tags, now=now_ms(),
        ) or tx.one(SELECT_ENTRY, org_id=g.org_id, run_id=run_id.lower(), id=data_id.lower())  # fmt: skip
    return represent(to_json(found(entry, "Entry")))


@bp.delete("/runs/<run_id>/data")
@asks(DeleteData)
@answers(200, shapes.Deleted)
@fails(404)
@conditional
def delete_data(which: dict[str, Any], run_id: str) -> Response:
    """Delete all entries of a key, or one entry by its id.

    Exactly one of `key` and `id` is required: both together, or neither, is a 400. `If-Match` goes only with `id`.
    """
    wanted = if_match()
    if wanted is not None and "key" in which:
        message = "Goes only with id: a key may have several entries."
        raise Invalid("Validation failed", [{"field": "If-Match", "message": message}])
    with db.write() as tx:
        found(tx.held(SELECT_RUN, org_id=g.org_id, run_id=run_id.lower()), "Run")
        if wanted is not None:
            entry = tx.locked(SELECT_ENTRY, org_id=g.org_id, run_id=run_id.lower(), id=which["id"])
            check(wanted, to_json(found(entry, "Entry")))
        if "key" in which:
            deleted = tx.run(
                f"DELETE FROM run_data WHERE run_seq = {RUN_SEQ} AND key = :key",
                org_id=g.org_id, run_id=run_id.lower(), key=which["key"],
            )  # fmt: skip
        else:
            deleted = tx.run(
                f"DELETE FROM run_data WHERE run_seq = {RUN_SEQ} AND id = :id",
                org_id=g.org_id, run_id=run_id.lower(), id=which["id"],
            )  # fmt: skip
        if not deleted:
            raise NotFound("Entry")
    return answer({"deleted": deleted})


def to_summary(entry: Sequence[Any]) -> dict[str, Any]:
    """The run-data object of the API without its value, from a row of `columns_of_summary`."""
    return summary(to_json([*entry[:5], NOTHING, *entry[6:]]), {"value": entry[5]})


def new_row(org_id: str, data_id: str, run_id: str, task_id: str, now: int, new: dict[str, Any]) -> tuple[Any, ...]:
    """The row of `COLUMNS` of a new entry.

    :param new: its fields as `CreateData` has them
    """
    tags = as_list(dict.fromkeys(new["tags"]))
    return data_id, run_id, task_id, org_id, new["key"], new["value"], tags, new["metadata"], now, now


def to_json(entry: Iterable[Any]) -> dict[str, Any]:
    """The run-data object of the API, from a row of `COLUMNS`."""
    data_id, run_id, task_id, org_id, key, value, tags, metadata, created_at, updated_at = entry
    return {
        "id": data_id,
        "runId": run_id,
        "taskId": task_id,
        "orgId": org_id,
        "key": key,
        "value": Raw(value),
        "tags": Raw(tags),
        "metadata": raw(metadata),
        "createdAt": iso(created_at),
        "updatedAt": iso(updated_at),
    }
