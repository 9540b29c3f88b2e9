"""The OpenAPI 3.1 document, generated from the very schemas and decorators that the handlers use."""

import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard, cast

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from foreman import __version__
from foreman.db.application import Application
from foreman.http.contract import BASE_PATH, Operation, Resource, is_public, operation_of
from foreman.http.fields import ByPath, CommaList, Id, IdOrNone, OpaqueObject, Text, Time
from foreman.http.items import Items
from foreman.http.protocol.idempotency import KEY, LONGEST_KEY, REPLAYED
from foreman.http.protocol.problems import PROBLEM_JSON
from foreman.http.schemas import EXAMPLE_ID, LARGEST_OFFSET, Body, Change, camel_case
from foreman.http.shapes import Error, Problem
from foreman.vocabulary import READING_METHODS

ID_OR_NONE = "^(none|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$"

DESCRIPTION = """\
The small, trustworthy ledger of work: an application opens a **run**, breaks it into **tasks**, and lets the tasks
share **run data**, tagged key/value entries that are queried by key, prefix, glob and tag.

Every request needs an API key, as `Authorization: Bearer KEY` or `X-API-Key: KEY`. A key belongs to an organisation
and sees only its rows.

Unknown query parameters are refused with 400 wherever a key is needed. Unknown body fields are ignored, but a `PATCH`
with fields of which none is known is refused, and with `Prefer: handling=strict` (RFC 7240) every unknown field is.

Every error is an `Error`, or a `Problem` (RFC 9457) if the request's `Accept` names `application/problem+json`. The
`code` says what it is. An operation lists the responses to requests that follow this document. Other requests may
get a 405, or a 400, 417, 501 or 505 if they are not the HTTP/1.1 that this server speaks.
"""

MEANINGS = {
    200: "As asked.",
    201: "Created.",
    202: "Accepted: it is being done in the background.",
    304: "The client has it already: it has the tag that `If-None-Match` names.",
    400: "The request is not valid; `details` says where.",
    401: "No API key, or one that is malformed, unknown, revoked or expired.",
    403: "The API key may only read, or may not manage keys.",
    404: "No such thing in the caller's organisation.",
    408: "The request has not arrived in time.",
    409: "What is asked for contradicts the state of the item, or an earlier request with the key is under way.",
    412: "It has changed since it had the tag that `If-Match` names.",
    413: "The body is larger than the server accepts.",
    415: "The body is declared to be something other than JSON.",
    422: "Another request has had this `Idempotency-Key`.",
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
_IDEMPOTENCY_KEY = {
    "name": KEY,
    "in": "header",
    "required": False,
    "description": "Makes it safe to send the request again: it is carried out once, and the first response repeated.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "examples": ["order-4711"]},
}
_REPLAYED = {
    REPLAYED: {
        "description": "`true`, when the response is that of an earlier request; of more than 64 KB, its ids alone.",
        "schema": {"type": "string"},
    },
}
_ETAG = {"ETag": {"description": "The entity tag of this state of the item.", "schema": {"type": "string"}}}
_LINK = {
    "Link": {
        "description": 'The next page, with `rel="next"` (RFC 8288), if there is one and `cursor` was given.',
        "schema": {"type": "string"},
    },
}
_LOCATION = {"Location": {"description": "Where the new resource is.", "schema": {"type": "string"}}}


def _tags(name: str, description: str) -> dict[str, Any]:
    """A header of conditional requests (RFC 9110, section 13.1)."""
    one = r'(W/)?"[!#-~\u0080-\u00ff]*"'
    schema = {"type": "string", "pattern": rf"^(\*|{one}( *, *{one})*)$", "examples": ['"9b1c0d6f3a57e2849f06c1ab"']}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


_IF_NONE_MATCH = _tags("If-None-Match", "Entity tags that the client knows, or `*`: 304 if it is one of them.")
_IF_MATCH = _tags("If-Match", "Entity tags that the item must have one of, or `*`: else 412, and nothing changes.")


def document(app: Application) -> dict[str, Any]:
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
        for change in _changes(operation.body):
            spec.components.schemas[change.__name__] |= _one_known_field(change)
    return spec.to_dict()


def _describe(
    app: Application, endpoint: str, method: str, rule: str, operation: Operation, converter: OpenAPIConverter
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
            *(
                parameter
                for field in _fields(operation.query)
                for parameter in _query_parameters(field, converter, app.settings.metadata_paths)
            ),
        ],
        "responses": {},
    }
    if rest.strip():
        described["description"] = rest.strip()
    if _has_fields(operation.body):
        described["parameters"].append(_PREFER)
        schema = converter.resolve_nested_schema(operation.body)
        content = {"application/json": {"schema": schema}}
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    if operation.conditional and 201 not in operation.answers:
        described["parameters"].append(_IF_NONE_MATCH if method == "GET" else _IF_MATCH)
    is_write = method not in READING_METHODS
    if is_write:
        described["parameters"].append(_IDEMPOTENCY_KEY)
    needs_key = not is_public(app.view_functions[endpoint])
    if not needs_key:
        described["security"] = []
    failures = operation.fails | {408, 431, 500} | ({400, 401, 429, 503} if needs_key else set())
    failures |= {403, 409, 422, 507} if is_write else set()
    failures |= {412} if operation.conditional and is_write and 201 not in operation.answers else set()
    for status in sorted({*operation.answers, *failures}):
        shape = converter.resolve_nested_schema(operation.answers.get(status, Error))
        response = described["responses"][str(status)] = _response(status, shape, needs_key)
        if status not in operation.answers:
            response["content"][PROBLEM_JSON] = {"schema": converter.resolve_nested_schema(Problem)}
        if operation.conditional and status in operation.answers and method != "DELETE":
            response["headers"] |= _ETAG
        if is_write and status in operation.answers:
            response["headers"] |= _REPLAYED
        if _has_fields(operation.body) and status in (*operation.answers, 400):
            response["headers"] |= _PREFERENCE_APPLIED
        if status in operation.answers and "cursor" in [field.name for field in _fields(operation.query)]:
            response["headers"] |= _LINK
    if operation.conditional and method == "GET":
        unchanged = {name: each for name, each in _response(304, {}, needs_key).items() if name != "content"}
        described["responses"]["304"] = unchanged | {"headers": unchanged["headers"] | _ETAG}
    return described


def _response(status: int, shape: dict[str, Any], needs_key: bool) -> dict[str, Any]:
    headers = {"X-Request-Id": _REQUEST_ID}
    if needs_key and status not in (401, 408, 431):
        headers |= _RATE_LIMIT
    headers |= {201: _LOCATION, 202: _LOCATION, 401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}.get(status, {})
    return {
        "description": MEANINGS[status],
        "headers": headers,
        "content": {"application/json": {"schema": shape}},
    }


def _changes(body: type[Schema] | None) -> list[type[Change]]:
    """The changes that a body is, or has as its items."""
    listed = [type(field.loader) for field in _fields(body) if isinstance(field, Items)]
    return [schema for schema in (body, *listed) if _has_fields(schema) and issubclass(schema, Change)]


def _one_known_field(schema: type[Change]) -> dict[str, Any]:
    """JSON Schema for: a change that has fields, besides those that are required, has a known one."""
    names = schema().changes()
    return {
        "if": {"minProperties": 1 + len(schema().load_fields) - len(names)},
        "then": {"anyOf": [{"required": [camel_case(name)]} for name in names]},
    }


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": camel_case(name),
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid", "examples": [EXAMPLE_ID]},
    }


def _has_fields(body: type[Schema] | None) -> TypeGuard[type[Schema]]:
    """Whether there is a body to describe: some operations take one only to refuse what is in it."""
    return body is not None and bool(body._declared_fields)


def _query_parameters(
    field: fields.Field[Any], converter: OpenAPIConverter, paths: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The parameter of a field; one for each of the declared paths, if it is a filter by path."""
    if isinstance(field, ByPath):
        schema = converter.field2property(Text())
        for path in paths:
            yield {
                "name": f"{field.data_key}.{path}",
                "in": "query",
                "required": False,
                "schema": schema,
                "description": field.metadata["description"],
            }
    else:
        yield _query_parameter(field, converter)


def _query_parameter(field: fields.Field[Any], converter: OpenAPIConverter) -> dict[str, Any]:
    schema = converter.field2property(field)
    parameter: dict[str, Any] = {"name": field.data_key, "in": "query", "required": field.required, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if isinstance(field, CommaList):
        parameter |= {"style": "form", "explode": False}
    return parameter


def _own_field(self: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """What apispec cannot know of our custom fields.

    :param ret: what it knows
    """
    if isinstance(field, IdOrNone):
        return {"pattern": ID_OR_NONE}
    if isinstance(field, Id):
        return {"format": "uuid"}
    if isinstance(field, Time):
        return {"type": "string", "format": "date-time"}
    if isinstance(field, CommaList):
        most = {"maxItems": ret.pop("maxLength")} if "maxLength" in ret else {}
        return {"type": "array", "items": self.field2property(field.inner), **most}
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
