"""The contract of an endpoint, declared by decorators: what it takes, what it returns, how it fails.

    @bp.post("/runs")
    @takes(CreateRun)
    @answers(201, Run)
    def create_run(new: dict) -> Response: ...

The decorators both validate requests and feed the OpenAPI document, so the two cannot disagree.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from wsgiref.types import WSGIEnvironment

import msgspec
from flask import Blueprint, Flask, Request, Response, after_this_request, g, request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.http import parse_list_header

from foreman.http.environ import BODY_NOT_READ
from foreman.http.errors import BodyNotRead, Invalid, UnsupportedMediaType
from foreman.http.opaque_json import decode_object
from foreman.http.protocol.etags import etag_of, is_known
from foreman.http.protocol.idempotency import once
from foreman.http.protocol.problems import Detail
from foreman.http.schemas import LONGEST_NAME, MOST_NAMES, Body, CamelCase, Change, Query
from foreman.vocabulary import LONG, READING_METHODS, SHORT, WAITING

BASE_PATH = "/api/v1"

View = TypeVar("View", bound=Callable[..., Any])


class Resource(Blueprint):
    """A blueprint that the OpenAPI document describes: its operations come together, under its name.

    :param description: one sentence that says what it is
    """

    def __init__(self, name: str, import_name: str, description: str) -> None:
        super().__init__(name, import_name)
        self.description = description

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a view; one that writes does so once for each `Idempotency-Key`."""
        if view_func is not None and set(options.get("methods", ())) - READING_METHODS:
            view_func = once(view_func, operation_of(view_func))
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


@dataclass
class Operation:
    """The contract of one view, as its decorators declare it."""

    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answers: dict[int, type[Schema]] = field(default_factory=dict)
    fails: set[int] = field(default_factory=set)
    needs_body: bool = True
    conditional: bool = False
    kept: bool = True
    cost: int | None = None
    admin: bool = False


def operation_of(view: Callable[..., Any]) -> Operation:
    """The contract of a view; a new, empty one if no decorator has made it yet."""
    if not hasattr(view, "operation"):
        view.operation = Operation()  # type: ignore[attr-defined]
    operation: Operation = view.operation  # type: ignore[attr-defined]
    return operation


def takes(schema: type[Body], *, optional: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Pass the validated JSON body as the view's first argument; an invalid one is a 400, 413 or 415.

    Unknown fields are ignored, because existing clients send some. There are two exceptions. A change whose fields are
    all unknown is refused. And so is any unknown field if the request prefers strict handling (RFC 7240, section 4.4).

    :param optional: whether no body at all stands for an empty object
    """
    loader = schema()

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.body, operation.needs_body = schema, not optional
        operation.fails |= {400, 413, 415}

        @wraps(view)
        def with_body(**path: str) -> Any:
            asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # proxies are slow
            if asked.mimetype not in ("", "application/json") and not asked.mimetype.endswith("+json"):
                raise UnsupportedMediaType
            body = asked.get_data()  # kept, because the view may be called again
            if BODY_NOT_READ in asked.environ:
                raise BodyNotRead
            given = {} if optional and not body else decode_object(body)
            unknown: Iterable[tuple[str, str]] = ()
            if _prefers_strict_handling(asked.headers):
                after_this_request(_say_that_it_was_strict)
                unknown = loader.unknown_fields(given)
            elif isinstance(loader, Change):
                unknown = loader.all_unknown_fields(given)
            return view(_load(loader, given, unknown), **path)

        return with_body

    return decorate


def asks(schema: type[Query]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Pass the validated query parameters as the view's first argument.

    Invalid and unknown ones are a 400.
    """
    loader = schema()
    known = loader.outer_names()
    refused = f"Unknown parameter; known are {', '.join(known)}."

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.query = schema
        operation.fails.add(400)

        of_none = loader.load_none()

        @wraps(view)
        def with_query(**path: str) -> Any:
            if of_none is not None and not request.query_string:
                return view({**of_none}, **path)
            given = _parameters()
            unknown = ((name, refused) for name in given if name not in known and not loader.knows(name))
            return view(_load(loader, given, unknown), **path)

        return with_query

    return decorate


def answers(status: int, shape: type[Schema]) -> Callable[[View], View]:
    """Declare that the view responds with this status and a body of this schema."""

    def decorate(view: View) -> View:
        operation_of(view).answers[status] = shape
        return view

    return decorate


def fails(*statuses: int) -> Callable[[View], View]:
    """Declare the error statuses of the view, besides those that any request can get."""

    def decorate(view: View) -> View:
        operation_of(view).fails |= set(statuses)
        return view

    return decorate


def conditional(view: View) -> View:
    """Declare that the view is about a single item with an entity tag, see `represent` and `etags.if_match`.

    A reading view answers `If-None-Match` with 304; one that changes or deletes takes `If-Match`, and fails with 412;
    one that creates does neither.
    """
    operation_of(view).conditional = True
    return view


def public(view: View) -> View:
    """Mark a view that needs no key."""
    view.public = True  # type: ignore[attr-defined]
    return view


def is_public(view: Callable[..., Any]) -> bool:
    """Whether a view needs no key."""
    return getattr(view, "public", False)


def for_admins(view: View) -> View:
    """Declare that the view takes keys with the scope `admin` only; others get a 403, whether they read or write."""
    operation = operation_of(view)
    operation.admin = True
    operation.fails.add(403)
    return view


def not_kept(view: View) -> View:
    """Mark a view whose response must not be stored, not even to be given again: it has a secret."""
    operation_of(view).kept = False
    return view


def costs(cost: int) -> Callable[[View], View]:
    """Declare the cost class of a reading view that is not `SHORT`: `LONG` or `WAITING`. Every write is `WAITING`."""

    def decorate(view: View) -> View:
        operation_of(view).cost = cost
        return view

    return decorate


def costs_of(app: Flask) -> Callable[[str, str], int]:
    """The cost class of requests by method and path, for the server: it does not know the routes."""
    paths: dict[int, list[str]] = {LONG: [], WAITING: []}
    for rule in app.url_map.iter_rules():
        operation = operation_of(app.view_functions[rule.endpoint])
        if operation.cost is not None:
            paths[operation.cost].append(re.sub("<[^>]*>", "[^/]+", re.escape(rule.rule)))
    costly = re.compile(f"(?P<long>{'|'.join(paths[LONG])})|(?P<waiting>{'|'.join(paths[WAITING])})")

    def cost_of(method: str, path: str) -> int:
        if method not in READING_METHODS:
            return WAITING
        found = costly.fullmatch(path)
        return SHORT if found is None else LONG if found["long"] else WAITING

    return cost_of


class Answer(Response):
    """A JSON response. Its headers are complete and ASCII, so werkzeug need not go through them again."""

    default_mimetype = None  # a 304 has none

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers, unprocessed."""
        return self.headers


def answer(body: Any, status: int = 200) -> Response:
    """A JSON response."""
    data = msgspec.json.encode(body)
    return Answer(data, status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])


def represent(body: dict[str, Any], status: int = 200, **beside: Any) -> Response:
    """A JSON response with a single item, and its entity tag; to a read by a client that has it, 304 without a body.

    :param beside: members that the response has and the item has not
    :raises Invalid: if the request reads, and its `If-None-Match` is malformed
    """
    data = msgspec.json.encode(body)
    tag, environ = etag_of(data), request.environ
    if "HTTP_IF_NONE_MATCH" in environ and environ["REQUEST_METHOD"] in READING_METHODS and is_known(tag, environ):
        return Answer(b"", 304, [("ETag", tag)])
    if beside:
        data = msgspec.json.encode(body | beside)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(data))), ("ETag", tag)]
    return Answer(data, status, headers)


def created(body: dict[str, Any], path: str, **beside: Any) -> Response:
    """A 201 response with the new resource, its entity tag and its `Location`.

    :param path: the resource's path, below the base path
    :param beside: members that the response has and the resource has not
    """
    response = represent(body, 201, **beside)
    response.headers["Location"] = BASE_PATH + path
    return response


def accepted(body: Any, path: str) -> Response:
    """A 202 response with what will be done in the background, and its `Location`.

    :param path: where it can be seen, below the base path
    """
    response = answer(body, 202)
    response.headers["Location"] = BASE_PATH + path
    return response


def init_app(app: Flask) -> None:
    """Refuse all query parameters of views without `asks`, just as views with it refuse unknown ones.

    Views that need no key are exempt: probes and browsers add parameters of their own, and there is nothing to filter.
    """

    @app.before_request
    def refuse_parameters() -> None:
        if not request.query_string or "org_id" not in g or request.endpoint is None:
            return
        if operation_of(app.view_functions[request.endpoint]).query is not None:
            return
        if details := _one_each((name, "Unknown parameter; none is known here.") for name in _parameters()):
            raise Invalid("Validation failed", details)


def _parameters() -> MultiDict[str, str]:
    """Parse the query string. werkzeug's own parser would keep or replace what is not UTF-8.

    :raises Invalid: if parameters are not UTF-8; it lists them
    """
    query = request.query_string.decode(errors="surrogateescape")
    given = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    if details := _one_each((name, "Not UTF-8.") for name, value in given if not _is_text(name + value)):
        raise Invalid("Validation failed", details)
    return MultiDict(given)


def _is_text(decoded: str) -> bool:
    """Whether a decoded text has no surrogates, which stand for bytes that are not UTF-8."""
    try:
        decoded.encode()
    except UnicodeEncodeError:
        return False
    return True


def _prefers_strict_handling(headers: Headers) -> bool:
    """Whether a request has `Prefer: handling=strict`; of several, the first counts (RFC 7240, section 2)."""
    preferences = headers.get("Prefer")
    for preference in parse_list_header(preferences) if preferences else ():
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "handling":
            return value.strip().strip('"').lower() == "strict"
    return False


def _say_that_it_was_strict(response: Response) -> Response:
    response.headers["Preference-Applied"] = "handling=strict"
    return response


def _load(loader: CamelCase, given: Mapping[str, Any], unknown: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Validate a body or query against its schema.

    :param unknown: the names in it to refuse, each with the message
    :raises Invalid: if anything is wrong; it lists everything that is
    """
    details = _one_each(unknown)
    try:
        loaded = loader.load_given(given)
    except ValidationError as error:
        details += _details(error.normalized_messages())
    if details:
        raise Invalid("Validation failed", details)
    return loaded


def _one_each(refused: Iterable[tuple[str, str]]) -> list[Detail]:
    """A detail for each name and message. Names come from clients, so their number and their length are capped."""
    return [{"field": shown(name), "message": message} for name, message in islice(refused, MOST_NAMES)]


def shown(name: str) -> str:
    """A name that a client has chosen, as an error shows it: not longer than others, and in UTF-8."""
    return name[:LONGEST_NAME].encode(errors="surrogateescape").decode(errors="replace")


def _details(messages: Any, path: str = "") -> list[Detail]:
    if isinstance(messages, list):
        return [{"field": path, "message": str(message)} for message in messages]
    return [
        detail
        for name, below in messages.items()
        for detail in _details(below, f"{path}.{name}" if path else str(name))
    ]
