"""The OpenAPI 3.1 document, generated from the very schemas and decorators that the handlers use."""

import inspect
import re
from typing import Any, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from marshmallow import Schema, fields

from foreman import __version__
from foreman.http.contract import BASE_PATH, Operation, Resource, is_public, operation_of
from foreman.http.fields import CommaList, Id, OpaqueObject
from foreman.http.schemas import EXAMPLE_ID, LARGEST_OFFSET, Body, Change, camel_case
from foreman.http.shapes import Error

DESCRIPTION = """\
The small, trustworthy ledger of work: an application opens a **run**, breaks it into **tasks**, and lets the tasks
share **run data**, tagged key/value entries that are queried by key, prefix, glob and tag.

Every request needs an API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`. A key belongs to an organisation
and sees only its rows.

Unknown query parameters are refused with 400 wherever a key is needed. Unknown body fields are ignored, but a `PATCH`
with fields of which none is known is refused, and with `Prefer: handling=strict` (RFC 7240) every unknown field is.

Every error is an `Error`. An operation lists the responses to requests that follow this document. Other requests may
get a 405, or a 400, 417, 501 or 505 if they are not the HTTP/1.1 that this server speaks.
"""

MEANINGS = {
    200: "As asked.",
    201: "Created.",
    400: "The request is not valid; `details` says where.",
    401: "No API key, or one that is malformed, unknown or revoked.",
    403: "The API key may only read.",
    404: "No such thing in the caller's organisation.",
    408: "The request has not arrived in time.",
    413: "The body is larger than the server accepts.",
    415: "The body is declared to be something other than JSON.",
    429: "The rate limit is used up, or this address failed to authenticate too often.",
    431: "The request's headers are too large.",
    500: "An error of the server.",
    503: "The database is not available at the moment, the query takes too long, there is no room for more, "
    "or the rate limit cannot be checked.",
    507: "The disk of the database is full.",
}

_COUNT = {"type": "integer", "format": "int64"}
_REQUEST_ID = {
    "description": "The request's id, as in the server's log; the client's own if it sent one.",
    "schema": {"type": "string"},
}
_RATE_LIMIT = {
    "X-RateLimit-Limit": {"description": "Requests that the key may make.", "schema": _COUNT},
    "X-RateLimit-Remaining": {"description": "Requests that are left.", "schema": _COUNT},
    "X-RateLimit-Reset": {"description": "When the limit is renewed, in seconds since 1970.", "schema": _COUNT},
}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": _COUNT}}
_CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}
_PREFERENCE_APPLIED = {
    "Preference-Applied": {
        "description": "`handling=strict`, when the request preferred that.",
        "schema": {"type": "string"},
    },
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`handling=strict` (RFC 7240): unknown fields in the body are refused with 400, not ignored.",
    "schema": {"type": "string", "examples": ["handling=strict"]},
}
_LOCATION = {"Location": {"description": "Where the new resource is.", "schema": {"type": "string"}}}


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of the app's routes, as JSON-ready data."""
    resources = {name: bp for name, bp in app.blueprints.items() if isinstance(bp, Resource)}
    marshmallow = MarshmallowPlugin(schema_name_resolver=lambda schema: _class_of(schema).__name__)
    spec = APISpec(
        title="Foreman",
        version=__version__,
        openapi_version="3.1.0",
        plugins=[marshmallow],
        info={"description": DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
        servers=[{"url": "/", "description": "This server."}],
        tags=[{"name": _tag(name), "description": resource.description} for name, resource in resources.items()],
        security=[{"bearer": []}, {"header": []}],
    )
    spec.components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "fmn_ENV_ORG_RANDOM"}
    )
    spec.components.security_scheme("header", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    converter = cast(OpenAPIConverter, marshmallow.converter)
    converter.add_attribute_function(_own_field)
    converter.add_attribute_function(_default_in_words)
    documented = [rule for rule in app.url_map.iter_rules() if operation_of(app.view_functions[rule.endpoint]).answers]
    for rule in sorted(documented, key=lambda rule: (list(resources).index(rule.endpoint.split(".")[0]), rule.rule)):
        operation = operation_of(app.view_functions[rule.endpoint])
        spec.path(
            path=re.sub(r"<(\w+)>", lambda match: f"{{{camel_case(match[1])}}}", rule.rule),
            operations={
                method.lower(): _describe(app, rule.endpoint, method, rule.rule, operation, converter)
                for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            },
        )
        if operation.body and issubclass(operation.body, Change):
            spec.components.schemas[operation.body.__name__] |= _one_known_field(operation.body)
    return spec.to_dict()


def _describe(
    app: Flask, endpoint: str, method: str, rule: str, operation: Operation, converter: OpenAPIConverter
) -> dict[str, Any]:
    name = endpoint.split(".")[1]
    unprefixed = not rule.startswith(BASE_PATH)
    summary, _, rest = (inspect.getdoc(app.view_functions[endpoint]) or "").partition("\n")
    described: dict[str, Any] = {
        "operationId": name + ("_without_base_path" if unprefixed else ""),
        "tags": [_tag(endpoint)],
        "summary": summary.replace("`", ""),
        "parameters": [
            *(_path_parameter(parameter) for parameter in re.findall(r"<(\w+)>", rule)),
            *(_query_parameter(field, converter) for field in _fields(operation.query)),
        ],
        "responses": {},
    }
    if rest.strip():
        described["description"] = rest.strip()
    if operation.body:
        described["parameters"].append(_PREFER)
        schema = converter.resolve_nested_schema(operation.body)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    needs_key = not is_public(app.view_functions[endpoint])
    if not needs_key:
        described["security"] = []
    failures = operation.fails | {408, 431, 500} | ({400, 401, 429, 503} if needs_key else set())
    failures |= {403, 507} if needs_key and method != "GET" else set()
    for status in sorted({*operation.answers, *failures}):
        shape = converter.resolve_nested_schema(operation.answers.get(status, Error))
        described["responses"][str(status)] = _response(status, shape, needs_key)
        if operation.body and status in (*operation.answers, 400):
            described["responses"][str(status)]["headers"] |= _PREFERENCE_APPLIED
    return described


def _response(status: int, shape: dict[str, Any], needs_key: bool) -> dict[str, Any]:
    headers = {"X-Request-Id": _REQUEST_ID}
    if needs_key and status not in (401, 408, 431):
        headers |= _RATE_LIMIT
    headers |= {201: _LOCATION, 401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}.get(status, {})
    return {
        "description": MEANINGS[status],
        "headers": headers,
        "content": {"application/json": {"schema": shape}},
    }


def _one_known_field(schema: type[Change]) -> dict[str, Any]:
    """JSON Schema for: a change that has fields has a known one."""
    return {
        "if": {"minProperties": 1},
        "then": {"anyOf": [{"required": [name]} for name in schema().outer_names()]},
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": camel_case(name),
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid", "examples": [EXAMPLE_ID]},
    }


def _query_parameter(field: fields.Field[Any], converter: OpenAPIConverter) -> dict[str, Any]:
    schema = converter.field2property(field)
    parameter: dict[str, Any] = {"name": field.data_key, "in": "query", "required": False, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if isinstance(field, CommaList):
        parameter |= {"style": "form", "explode": False}
    return parameter


def _own_field(self: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """What apispec cannot know of our custom fields.

    :param ret: what it knows
    """
    if isinstance(field, Id):
        return {"format": "uuid"}
    if isinstance(field, CommaList):
        return {"type": "array", "items": self.field2property(field.inner)}
    if isinstance(field, OpaqueObject):
        return {"type": "object", "additionalProperties": {}}
    if isinstance(field, fields.Integer):  # without a format, client generators assume 32 bits, or anything
        return {"format": "int64" if ret.get("maximum", LARGEST_OFFSET) >= 2**31 else "int32"}
    return {}


def _default_in_words(self: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Put the default of a body's field in its description: openapi-typescript calls fields with `default` required."""
    if not isinstance(field.parent, Body) or "default" not in ret:
        return {}
    default = ret.pop("default")
    unless_given = f"{'None' if default is None else default} unless given."
    return {"description": " ".join(filter(None, (ret.get("description"), unless_given)))}


def _fields(schema: type[Schema] | None) -> list[fields.Field[Any]]:
    return list(schema().fields.values()) if schema else []


def _tag(endpoint: str) -> str:
    return endpoint.split(".")[0].replace("_", " ")


def _class_of(schema: Any) -> type[Schema]:
    return schema if isinstance(schema, type) else type(schema)
