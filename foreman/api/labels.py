"""Labels of runs and tasks: a name of the client's own (`externalId`) and tags, by which they are found."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from flask import g
from marshmallow import fields
from msgspec import Raw

from foreman.db.engine import Transaction
from foreman.db.failures import EngineError, Failure
from foreman.db.values import as_list
from foreman.http import schemas
from foreman.http.errors import Conflict, Invalid
from foreman.http.fields import Tags, Text
from foreman.vocabulary import MOST_TAGS


class UpdateTags(schemas.Change):
    """Tags to remove, then tags to add."""

    add = Tags(load_default=list, metadata={"examples": [["checked"]]})
    remove = Tags(load_default=list, metadata={"examples": [["unchecked"]]})


# What follows the rows of an INSERT that may have an external id that is taken: it inserts nothing then. PostgreSQL
# waits for others that insert the same at this moment.
UNLESS_TAKEN = "ON CONFLICT (org_id, external_id) WHERE external_id IS NOT NULL DO NOTHING"

# What an UPDATE sets, and that it changes something, by the field of the change.
_SETS = {"external_id": "external_id = nullif(:external_id, ''),", "tags": "tags = nullif(:tags, '[]'),"}
_CHANGES = {"external_id": "OR :external_id <> coalesce(external_id, '')", "tags": "OR :tags <> coalesce(tags, '[]')"}

# Who has an external id, and for whom else it is taken.
_HOLDER = {
    table: f"SELECT id FROM {table} WHERE org_id = :org_id AND external_id = :external_id" for table in ("run", "task")
}
_OTHER_HOLDER = {
    table: f"""
        SELECT other.id
        FROM {table} AS changed
        CROSS JOIN {table} AS other
        WHERE changed.org_id = :org_id AND changed.id = :id
          AND other.org_id = :org_id AND other.external_id = :external_id AND other.id <> :id
        """
    for table in ("run", "task")
}


def external_id() -> Text:
    """The field `externalId` of a body."""
    return Text(
        allow_none=True,
        metadata={
            "description": "A name of the client's own for it, which no other of the organisation has.",
            "examples": ["order-17"],
        },
    )


def tags() -> Tags:
    """The field `tags` of a body."""
    return Tags(metadata={"description": "All its tags, in order.", "examples": [["nightly", "eu"]]})


def shown_external_id() -> fields.String:
    """The field `externalId` of a response; only if it is set."""
    return fields.String(metadata={"description": "The client's own name for it.", "examples": ["order-17"]})


def shown_tags() -> fields.List[str]:
    """The field `tags` of a response; only if there are any."""
    return fields.List(fields.String(), metadata={"examples": [["nightly", "eu"]]})


def bound(labels: Mapping[str, Any]) -> dict[str, Any]:
    """The values to bind for the labels in a body: an empty text for no external id, an empty list for no tags."""
    return {
        "external_id": labels.get("external_id") or "",
        "tags": as_list(dict.fromkeys(labels["tags"])) if "tags" in labels else "[]",
    }


def unless_taken(new: Mapping[str, Any]) -> str:
    """What follows the rows of the INSERT of something new."""
    return UNLESS_TAKEN if new.get("external_id") else ""


def given(change: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the labels that a change has."""
    return tuple([name for name in _SETS if name in change])


def sets(names: Sequence[str]) -> str:
    """What an UPDATE sets for a change of these labels."""
    return " ".join(_SETS[name] for name in names)


def changes(names: Sequence[str]) -> str:
    """That this changes something, to be added to other such conditions."""
    return " ".join(_CHANGES[name] for name in names)


def refuse_taken(tx: Transaction, table: str, new: Mapping[str, Any]) -> None:
    """Say that nothing was inserted because the external id is taken, if it has one.

    :param table: `run` or `task`
    :raises Conflict: naming who has it
    :raises EngineError: when that has just been deleted: the same can succeed now
    """
    if new.get("external_id"):
        holder = tx.one(_HOLDER[table], org_id=g.org_id, external_id=new["external_id"])
        if holder is None:
            raise EngineError(Failure.AGAIN, "the external id was taken, and is free again")
        raise _taken(table, holder[0])


def refuse_other(tx: Transaction, table: str, item_id: str, change: Mapping[str, Any]) -> None:
    """Check, before a change, that no other has its external id.

    On PostgreSQL another may get it before the change is made. Then that fails, and the request is tried again.

    :param table: `run` or `task`
    :raises Conflict: naming who has it
    """
    if change.get("external_id"):
        holder = tx.one(_OTHER_HOLDER[table], org_id=g.org_id, id=item_id, external_id=change["external_id"])
        if holder is not None:
            raise _taken(table, holder[0])


def _taken(table: str, holder: str) -> Conflict:
    return Conflict(f"The {table} {holder} has this externalId")


def changed_tags(tags: str, change: Mapping[str, Any], what: str) -> str:
    """The tags after a change (`UpdateTags`), to be bound: others keep their order.

    :param tags: those before, as they are stored
    :param what: whose they are, for the message
    :raises Invalid: if they would be too many
    """
    before: list[str] = msgspec.json.decode(tags)
    removed = set(change["remove"])
    after = dict.fromkeys([*(tag for tag in before if tag not in removed), *change["add"]])
    if len(after) > MOST_TAGS:
        message = f"The {what} would have {len(after)} tags; {MOST_TAGS} are allowed."
        raise Invalid("Validation failed", [{"field": "add", "message": message}])
    return as_list(after) or "[]"


def labelled(item: dict[str, Any], external_id: str | None, tags: bytes | None) -> dict[str, Any]:
    """An object of the API with those of its labels that are set."""
    if external_id is not None:
        item["externalId"] = external_id
    if tags is not None:
        item["tags"] = Raw(tags)
    return item
