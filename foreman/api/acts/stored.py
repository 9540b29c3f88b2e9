"""Acts over filters as they are stored, and shown: one of them, or a page of them."""

from collections.abc import Iterable
from typing import Any

import msgspec
from flask import Response, g, request
from marshmallow import fields, validate

from foreman import db
from foreman.api.acts.steps import KINDS
from foreman.clock import iso
from foreman.db.engine import Transaction
from foreman.http import schemas, shapes
from foreman.http.errors import Conflict
from foreman.http.paging.cursors import place_of, scope_of
from foreman.http.paging.pages import by_cursor

# Acts of an organisation that are not completed, at most.
MOST_UNFINISHED = 100

# Seconds between two looks at whether another request of the organisation has stored its act.
_LOOK_EVERY = 0.01

# Which acts have a status.
_WITH_STATUS = {"running": "completed_at IS NULL", "completed": "completed_at IS NOT NULL"}

COLUMNS = "id, kind, filter, expected, changed, created_at, updated_at, completed_at"


class ListActs(schemas.Query):
    """Which acts to list."""

    status = schemas.statuses(*_WITH_STATUS)
    limit = schemas.limit_of(20, 100)
    cursor = fields.String(metadata={"description": "The `nextCursor` of the page before."})


class Act(schemas.CamelCase):
    """What is done to all tasks, or all runs, that meet a filter."""

    id = shapes.uuid()
    kind = fields.String(required=True, validate=validate.OneOf(tuple(KINDS)), metadata={"examples": ["retry_tasks"]})
    filter = fields.Dict(required=True, metadata={"examples": [{"status": "failed"}]})
    expected = shapes.count("How many met the filter when it was asked for.", 17)
    changed = shapes.count("How many have been changed so far.", 12)
    status = shapes.status(*_WITH_STATUS)
    created_at = shapes.time("When it was asked for.")
    updated_at = shapes.time("When it last made progress.")
    completed_at = shapes.time("When it was done.", allow_none=True)


ActList = schemas.CamelCase.from_dict(shapes.cursor_page_of(Act, 20), name="ActList")


def refuse_too_many(tx: Transaction, org_id: str) -> None:
    """Check that an organisation may have one more act. Until the transaction ends, its others wait for that.

    :raises Conflict: if it has as many that are not completed as it may have
    """
    while not tx.claims(f"{org_id} acts"):
        db.pause(_LOOK_EVERY)
    unfinished = tx.value("SELECT count(*) FROM act WHERE org_id = :org_id AND completed_at IS NULL", org_id=org_id)
    if unfinished >= MOST_UNFINISHED:
        raise Conflict(f"{unfinished} acts are under way, which is the most at a time: wait until one is completed")


def page_of(wanted: dict[str, Any]) -> Response:
    """The response with a page of the organisation's acts.

    :param wanted: the parameters of `ListActs`
    :raises Invalid: if the cursor is not of this list
    """
    limit, scope = wanted["limit"], scope_of(g.org_id, request.path, wanted)
    conditions, values = ["org_id = :org_id"], {"org_id": g.org_id, "limit": limit + 1}
    statuses = set(wanted.get("status", ()))
    if len(statuses) == 1:
        conditions.append(_WITH_STATUS[statuses.pop()])
    if wanted.get("cursor"):
        (values["before"],) = place_of(wanted["cursor"], scope, (str,))
        conditions.append("id < :before")
    with db.read() as tx:
        acts = tx.all(
            f"SELECT {COLUMNS} FROM act WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit", **values
        )
    return by_cursor([to_json(act) for act in acts], "id", limit, scope)


def to_json(act: Iterable[Any]) -> dict[str, Any]:
    """The act object of the API, from a row of `COLUMNS`."""
    act_id, kind, given, expected, changed, created_at, updated_at, completed_at = act
    return {
        "id": act_id,
        "kind": kind,
        "filter": msgspec.Raw(given.encode()),
        "expected": expected,
        "changed": changed,
        "status": "running" if completed_at is None else "completed",
        "createdAt": iso(created_at),
        "updatedAt": iso(updated_at),
        "completedAt": iso(completed_at),
    }
