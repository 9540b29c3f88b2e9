"""API keys over the API: issue, list, rotate and revoke those of the caller's organisation.

Only keys with the scope `admin` may do so. `keys` has what this shares with the command line.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, g
from marshmallow import ValidationError, fields, validate, validates_schema

from foreman import db
from foreman.auth import keys
from foreman.auth.keys import COLUMNS, SCOPES, to_json
from foreman.clock import now_ms
from foreman.db.values import Row
from foreman.http import schemas, shapes
from foreman.http.contract import (
    BASE_PATH,
    Resource,
    answer,
    answers,
    asks,
    conditional,
    fails,
    for_admins,
    not_kept,
    represent,
    takes,
)
from foreman.http.errors import Conflict, Forbidden, Invalid, found
from foreman.http.fields import Integer, Name, Time
from foreman.http.protocol.etags import check, if_match

bp = Resource("keys", __name__, "The organisation's API keys: for keys with the scope `admin`.")

# The longest life of a key, in seconds: about 100 years. And the last time that ISO 8601 writes with four digits.
_LONGEST, _LAST_TIME = 3_155_760_000, 253_402_300_799_999

# Seconds for which the old key stays valid after a rotation, unless asked otherwise.
_OVERLAP = 86_400


class Environment(fields.String):
    """The environment in a key."""

    default_error_messages = {"environment": "Must have 1 to 64 characters of a-z, 0-9 and -."}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if not keys.IS_PART.fullmatch(text):
            raise self.make_error("environment")
        return text


def _seconds(lowest: int, description: str, example: int | None, **kwargs: Any) -> Integer:
    """A number of seconds from now, as `expires_in` of RFC 6749, section 5.1."""
    return Integer(
        strict=True,
        validate=validate.Range(lowest, _LONGEST),
        metadata={"description": description, "examples": [example]},
        **kwargs,
    )


class CreateKey(schemas.Body):
    """A new key. Without `expiresAt` and `expiresIn` it does not expire."""

    name = Name(metadata={"description": "What the key is for.", "examples": ["build server"]})
    environment = Environment(
        metadata={
            "description": "A part of the key; that of the caller's own key unless given.",
            "pattern": f"^{keys.PART}$",
            "examples": ["prod"],
        }
    )
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        validate=validate.Length(1, len(SCOPES)),
        metadata={
            "description": "What the key may do. Every key may `read`; `read` and `write` unless given.",
            "examples": [["read", "write"]],
        },
    )
    expires_at = Time(metadata={"description": "From when on it is refused.", "examples": ["2099-01-01T00:00:00.000Z"]})
    expires_in = _seconds(1, "The same in seconds from now; not together with `expiresAt`.", 7_776_000)

    @validates_schema
    def one_end(self, data: Mapping[str, Any], **_: Any) -> None:
        """:raises ValidationError: if both ends are given"""
        if "expires_at" in data and "expires_in" in data:
            raise ValidationError("Not together with expiresAt.", "expiresIn")


class RotateKey(schemas.Body):
    """How long the two keys live."""

    expires_in = _seconds(
        0,
        "Seconds until the old key is refused, unless it expires earlier; 0 for at once.",
        3600,
        load_default=_OVERLAP,
    )
    new_expires_in = _seconds(
        1, "Seconds until the new key is refused; null for never. Needed if the old key expires.", None, allow_none=True
    )


class ListKeys(schemas.Query):
    """The page of the list."""

    limit, offset = schemas.limit_of(20, 100), schemas.offset_of()


class ApiKey(schemas.CamelCase):
    """An API key: what it may do, and how long. Never the key itself."""

    id = shapes.uuid()
    org_id = shapes.text("acme")
    environment = shapes.text("prod")
    name = shapes.text("build server", allow_none=True)
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)), required=True, metadata={"examples": [["read", "write"]]}
    )
    created_at = shapes.time("When it was issued.")
    expires_at = shapes.time("From when on it is refused.", allow_none=True)
    last_used_at = shapes.time("When it was last used, known after a minute at most.", allow_none=True)
    revoked_at = shapes.time("When it was revoked.", allow_none=True)


class IssuedApiKey(ApiKey):
    """A new API key, with the key itself, which is never shown again."""

    key = shapes.text("fmn_prod_acme_...")


class ApiKeyList(schemas.CamelCase):
    """A page of the organisation's keys."""

    items = fields.List(fields.Nested(ApiKey), required=True)
    total = shapes.count("All keys of the organisation, not only this page.", 1)
    limit = shapes.count("As asked for.", 20)
    offset = shapes.count("As asked for.")


SELECT_KEY = f"SELECT {COLUMNS} FROM api_key WHERE org_id = :org_id AND id = :id"


@bp.post("/keys")
@takes(CreateKey)
@answers(201, IssuedApiKey)
@for_admins
@not_kept
def create_key(new: dict[str, Any]) -> Response:
    """Issue a key in the caller's organisation. The answer has the key itself, which is never shown again.

    A key can give no scope that it does not have.
    """
    scopes = new.get("scopes", ["read", "write"])
    _refuse_to_give(write="write" in scopes)
    # The time is looked at in the block: a request that is sent again does not get there, however late it is.
    with db.write(single=True) as tx:
        key, row = keys.insert(
            tx, g.org_id, new.get("environment", g.caller.environment), read_only="write" not in scopes,
            admin="admin" in scopes, expires_at=_end_of(new, now_ms()), name=new.get("name"),
        )  # fmt: skip
    return _issued(key, row)


@bp.get("/keys")
@asks(ListKeys)
@answers(200, ApiKeyList)
@for_admins
def list_keys(wanted: dict[str, Any]) -> Response:
    """The organisation's keys, oldest first, with those that are revoked or expired; never the keys themselves."""
    limit, offset = wanted["limit"], wanted["offset"]
    with db.read() as tx:
        total = tx.value("SELECT count(*) FROM api_key WHERE org_id = :org_id", org_id=g.org_id)
        rows = tx.all(
            f"SELECT {COLUMNS} FROM api_key WHERE org_id = :org_id ORDER BY id LIMIT :limit OFFSET :offset",
            org_id=g.org_id, limit=limit, offset=offset,
        )  # fmt: skip
    return answer({"items": [to_json(row) for row in rows], "total": total, "limit": limit, "offset": offset})


@bp.get("/keys/<key_id>")
@answers(200, ApiKey)
@fails(404)
@conditional
@for_admins
def get_key(key_id: str) -> Response:
    """One key, never the key itself."""
    return represent(to_json(found(db.one(SELECT_KEY, org_id=g.org_id, id=key_id.lower()), "API key")))


@bp.delete("/keys/<key_id>")
@answers(200, ApiKey)
@fails(404)
@conditional
@for_admins
def revoke_key(key_id: str) -> Response:
    """Revoke a key at once. It stays in the list; revoking it again changes nothing.

    A key may revoke itself. If no other key with the scope `admin` is left, only the command line can issue one.
    """
    wanted = if_match()
    with db.write() as tx:
        if wanted is not None:
            check(wanted, to_json(found(tx.locked(SELECT_KEY, org_id=g.org_id, id=key_id.lower()), "API key")))
        tx.run(
            "UPDATE api_key SET revoked_at = :now WHERE org_id = :org_id AND id = :id AND revoked_at IS NULL",
            org_id=g.org_id, id=key_id.lower(), now=now_ms(),
        )  # fmt: skip
        row = tx.one(SELECT_KEY, org_id=g.org_id, id=key_id.lower())
    return answer(to_json(found(row, "API key")))


@bp.post("/keys/<key_id>/rotate")
@takes(RotateKey, optional=True)
@answers(201, IssuedApiKey)
@fails(404, 409)
@for_admins
@not_kept
def rotate_key(wanted: dict[str, Any], key_id: str) -> Response:
    """Issue a successor with the same name, environment and scopes; the old key stays valid for a while.

    The answer has the new key itself, which is never shown again. Each of the two has a rate limit of its own.
    """
    with db.write() as tx:
        old, now = found(tx.locked(SELECT_KEY, org_id=g.org_id, id=key_id.lower()), "API key"), now_ms()
        if (reason := keys.why_not_to_rotate(old, now)) is not None:
            raise Conflict(f"The API key {reason}")
        shown = to_json(old)
        _refuse_to_give(write="write" in shown["scopes"])
        if shown["expiresAt"] is not None and "new_expires_in" not in wanted:
            problem = "Needed, because the old key expires: seconds, or null for never."
            raise Invalid("Validation failed", [{"field": "newExpiresIn", "message": problem}])
        new_expires_in = wanted.get("new_expires_in")
        expires_at = None if new_expires_in is None else now + new_expires_in * 1000
        key, row = keys.rotate(tx, old, now + wanted["expires_in"] * 1000, expires_at)
    return _issued(key, row)


def _end_of(new: dict[str, Any], now: int) -> int | None:
    """When a new key expires, in milliseconds since 1970; None for never.

    :raises Invalid: if that is past, or beyond what can be shown
    """
    expires_at: int | None = now + new["expires_in"] * 1000 if "expires_in" in new else new.get("expires_at")
    if expires_at is not None and not now < expires_at <= _LAST_TIME:
        problem = "Must be in the future." if expires_at <= now else "Must be before the year 10000."
        raise Invalid("Validation failed", [{"field": "expiresAt", "message": problem}])
    return expires_at


def _refuse_to_give(*, write: bool) -> None:
    """Check that the caller has what it gives.

    :raises Forbidden: if it may not write itself
    """
    if write and g.caller.read_only:
        raise Forbidden("This API key may not give the scope write")


def _issued(key: str, row: Row) -> Response:
    """A 201 response with a new key. It has no entity tag: nobody else is ever answered this."""
    shown = to_json(row)
    response = answer({**shown, "key": key}, 201)
    response.headers["Location"] = f"{BASE_PATH}/keys/{shown['id']}"
    return response
