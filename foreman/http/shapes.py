"""Fields and schemas of responses that endpoints share, in marshmallow, for the OpenAPI document only.

The response schemas of a single endpoint are beside its handler. Responses are built by each resource's `to_json`; a
test checks them against their schemas.
"""

from typing import Any

from marshmallow import Schema, fields, validate

from foreman.http.schemas import EXAMPLE_ID, EXAMPLE_TIME, CamelCase


def uuid(description: str = "UUID, version 7: ids sort by time.", **kwargs: Any) -> fields.UUID:
    """A field for an id."""
    return fields.UUID(required=True, metadata={"description": description, "examples": [EXAMPLE_ID]}, **kwargs)


def time(description: str, **kwargs: Any) -> fields.DateTime:
    """A field for a time."""
    description = f"{description} UTC, ISO 8601 with milliseconds."
    return fields.DateTime(required=True, metadata={"description": description, "examples": [EXAMPLE_TIME]}, **kwargs)


def json(example: Any, description: str = "Any JSON value, as it was sent; null when there is none.") -> fields.Raw:
    """A field for opaque JSON, which a summary has not."""
    description += " Not in a summary."
    return fields.Raw(allow_none=True, metadata={"description": description, "examples": [example]})


def size(what: str, **kwargs: Any) -> fields.Integer:
    """A field for the size of opaque JSON, which only a summary has."""
    description = f"Bytes of `{what}`, in a summary{'; null when there is none' if kwargs else ''}."
    return fields.Integer(metadata={"description": description, "examples": [17], "minimum": 0}, **kwargs)


def metadata() -> fields.Dict:
    """The field `metadata`."""
    return fields.Dict(required=True, allow_none=True, metadata={"examples": [{"source": "nightly"}]})


def count(description: str, example: int = 0, *, required: bool = True, **kwargs: Any) -> fields.Integer:
    """A field for a non-negative number, of things or of milliseconds."""
    metadata = {"description": description, "examples": [example], "minimum": 0}
    return fields.Integer(required=required, metadata=metadata, **kwargs)


def total() -> fields.Integer:
    """The field `total` of a page."""
    return count("All that match, not only this page. Not with `count=false`.", 1, required=False)


def next_cursor() -> fields.String:
    """The field `nextCursor` of a page."""
    description = "What `cursor` must be for the next page; null on the last one. Only if `cursor` was given."
    return fields.String(allow_none=True, metadata={"description": description, "examples": [None]})


def text(example: str, **kwargs: Any) -> fields.String:
    """A field for text."""
    return fields.String(required=True, metadata={"examples": [example]}, **kwargs)


def status(*statuses: str) -> fields.String:
    """A field for one of these statuses."""
    return fields.String(required=True, validate=validate.OneOf(statuses), metadata={"examples": [statuses[0]]})


def page_of(shape: type[Schema]) -> dict[str, fields.Field[Any]]:
    """The fields of a page of a list."""
    return {
        "items": fields.List(fields.Nested(shape), required=True),
        "total": total(),
        "limit": count("As asked for.", 20),
        "offset": count("As asked for."),
        "next_cursor": next_cursor(),
    }


class Deleted(CamelCase):
    """The response to a deletion."""

    deleted = count("Runs, or entries of run data.", 2)


class ErrorDetail(CamelCase):
    """What is wrong with one field or parameter."""

    field = text("limit")
    message = text("Must be greater than or equal to 1 and less than or equal to 100.")


class Error(CamelCase):
    """The response to every failed request."""

    error = text("Validation failed")
    details = fields.List(fields.Nested(ErrorDetail), required=True)
    code = fields.String(
        required=True,
        metadata={"description": "What it is, for programs; there may be more.", "examples": ["validation_failed"]},
    )


class Problem(Error):
    """The same as problem details (RFC 9457), for requests whose `Accept` names their media type."""

    type = text("/docs/errors#validation_failed")
    title = text("Validation failed")
    status = fields.Integer(required=True, metadata={"description": "The HTTP status.", "examples": [400],
                                                     "maximum": 599})  # fmt: skip
    detail = text("Validation failed")
    request_id = text("4d1f0e6c1c8b4c0c9d0b7a0c2f1e3d5a")


def cursor_page_of(item: type[Schema], usual: int = 100) -> dict[str, Any]:
    """The fields of a page of a list that is paged by cursor alone.

    :param usual: the `limit` unless another is given
    """
    return {
        "items": fields.List(fields.Nested(item), required=True),
        "limit": count("As asked for.", usual),
        "next_cursor": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "Where the next page begins; null on the last one.", "examples": ["kzEV..."]},
        ),
    }
