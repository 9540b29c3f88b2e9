"""The contract of an endpoint, written above it: what it takes, what it answers, how it fails.

    @bp.post("/runs")
    @takes(CreateRun)
    @answers(201, Run)
    def create_run(new: dict) -> Response: ...

The decorators validate requests and feed the OpenAPI document alike, so the two cannot disagree.
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
from flask import Flask, Request, Response, after_this_request, g, request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.http import parse_list_header

from foreman.http.environ import BODY_NOT_READ
from foreman.http.errors import BodyNotRead, Detail, Invalid, UnsupportedMediaType
from foreman.http.opaque_json import decode_object
from foreman.http.schemas import Body, CamelCase, Change, Query
from foreman.vocabulary import LONG, READING_METHODS, SHORT, WAITING

BASE_PATH = "/api/v1"

# Of how many names that are not ours an answer says what is wrong, and how many characters it shows of each.
MOST_NAMES, LONGEST_NAME = 20, 100

View = TypeVar("View", bound=Callable[..., Any])


@dataclass
class Operation:
    """What the decorators of one view say."""

    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answers: dict[int, type[Schema]] = field(default_factory=dict)
    fails: set[int] = field(default_factory=set)
    cost: int | None = None


def operation_of(view: Callable[..., Any]) -> Operation:
    """The contract of a view; an empty one when it has no decorators of this module yet."""
    if not hasattr(view, "operation"):
        view.operation = Operation()  # type: ignore[attr-defined]
    operation: Operation = view.operation  # type: ignore[attr-defined]
    return operation


def takes(schema: type[Body]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view's first argument is the request's JSON body, validated; a wrong one is answered 400, 413 or 415.

    Unknown fields are ignored, because existing clients send some; but a change of none but unknown fields is refused,
    and so is every unknown field when the request prefers strict handling (RFC 7240, section 4.4).
    """
    loader = schema()
    known = loader.outer_names()
    refused = f"Unknown field; known are {', '.join(known)}."

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.body = schema
        operation.fails |= {400, 413, 415}

        @wraps(view)
        def with_body(**path: str) -> Any:
            asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # proxies are slow
            if asked.mimetype not in ("", "application/json") and not asked.mimetype.endswith("+json"):
                raise UnsupportedMediaType
            body = asked.get_data(cache=False)
            if BODY_NOT_READ in asked.environ:
                raise BodyNotRead
            given = decode_object(body)
            unknown: Iterable[str] = ()
            if _prefers_strict_handling(asked.headers):
                after_this_request(_say_that_it_was_strict)
                unknown = (name for name in given if name not in known)
            elif issubclass(schema, Change) and given.keys().isdisjoint(known):
                unknown = given
            return view(_load(loader, given, unknown, refused), **path)

        return with_body

    return decorate


def asks(schema: type[Query]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view's first argument is the request's query parameters, validated.

    Wrong and unknown ones are answered 400.
    """
    loader = schema()
    known = loader.outer_names()
    refused = f"Unknown parameter; known are {', '.join(known)}."

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.query = schema
        operation.fails.add(400)

        @wraps(view)
        def with_query(**path: str) -> Any:
            given = _parameters()
            unknown = (name for name in given if name not in known)
            return view(_load(loader, given, unknown, refused), **path)

        return with_query

    return decorate


def answers(status: int, shape: type[Schema]) -> Callable[[View], View]:
    """The view answers with this status and a body of this shape."""

    def decorate(view: View) -> View:
        operation_of(view).answers[status] = shape
        return view

    return decorate


def fails(*statuses: int) -> Callable[[View], View]:
    """The view may fail with these statuses, besides those that any request can meet."""

    def decorate(view: View) -> View:
        operation_of(view).fails |= set(statuses)
        return view

    return decorate


def public(view: View) -> View:
    """Mark a view that needs no key."""
    view.public = True  # type: ignore[attr-defined]
    return view


def is_public(view: Callable[..., Any]) -> bool:
    """Whether a view answers without a key."""
    return getattr(view, "public", False)


def costs(cost: int) -> Callable[[View], View]:
    """The view, which reads, costs the server more than others do: `LONG` or `WAITING`. Every write is `WAITING`."""

    def decorate(view: View) -> View:
        operation_of(view).cost = cost
        return view

    return decorate


def costs_of(app: Flask) -> Callable[[str, str], int]:
    """What requests cost, by method and path: for the server, which knows no paths of its own."""
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
    """JSON, with headers that are complete and plain ASCII: werkzeug would look through them again and again."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers as they are."""
        return self.headers


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    data = msgspec.json.encode(body)
    return Answer(data, status, [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])


def created(body: Any, path: str) -> Response:
    """A 201 answer with the new resource and where it is, below the base path."""
    response = answer(body, 201)
    response.headers["Location"] = BASE_PATH + path
    return response


def init_app(app: Flask) -> None:
    """Refuse query parameters where a view `asks` for none, as unknown ones are refused where it does.

    What needs no key is left alone: probes and browsers add parameters of their own, and there is nothing to narrow.
    """

    @app.before_request
    def refuse_parameters() -> None:
        if not request.query_string or "org_id" not in g or request.endpoint is None:
            return
        if operation_of(app.view_functions[request.endpoint]).query is not None:
            return
        if details := _one_each(_parameters(), "Unknown parameter; none is known here."):
            raise Invalid("Validation failed", details)


def _parameters() -> MultiDict[str, str]:
    """The query's parameters; werkzeug's own reading of them leaves or replaces what is not UTF-8.

    :raises Invalid: which names those that are not UTF-8
    """
    query = request.query_string.decode(errors="surrogateescape")
    given = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    wrong = (name for name, value in given if not _is_text(name + value))
    if details := _one_each(wrong, "Not UTF-8."):
        raise Invalid("Validation failed", details)
    return MultiDict(given)


def _is_text(decoded: str) -> bool:
    """Whether it is without surrogates, which stand for bytes that are not UTF-8."""
    try:
        decoded.encode()
    except UnicodeEncodeError:
        return False
    return True


def _prefers_strict_handling(headers: Headers) -> bool:
    """Whether a request says `Prefer: handling=strict`; the first of several counts (RFC 7240, section 2)."""
    preferences = headers.get("Prefer")
    for preference in parse_list_header(preferences) if preferences else ():
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "handling":
            return value.strip().strip('"').lower() == "strict"
    return False


def _say_that_it_was_strict(response: Response) -> Response:
    response.headers["Preference-Applied"] = "handling=strict"
    return response


def _load(loader: CamelCase, given: Mapping[str, Any], unknown: Iterable[str], refused: str) -> dict[str, Any]:
    """What is given, validated.

    :param unknown: the names in it that are to be refused
    :param refused: what is said of each of them
    :raises Invalid: which names all that is wrong
    """
    details = _one_each(unknown, refused)
    try:
        loaded: dict[str, Any] = loader.load(given)
    except ValidationError as error:
        details += _details(error.normalized_messages())
    if details:
        raise Invalid("Validation failed", details)
    return loaded


def _one_each(names: Iterable[str], message: str) -> list[Detail]:
    """A detail for each of the names, which a client may have chosen freely; not of all when they are too many."""
    shown = (name[:LONGEST_NAME].encode(errors="surrogateescape").decode(errors="replace") for name in names)
    return [{"field": name, "message": message} for name in islice(shown, MOST_NAMES)]


def _details(messages: Any, path: str = "") -> list[Detail]:
    if isinstance(messages, list):
        return [{"field": path, "message": str(message)} for message in messages]
    return [
        detail
        for name, below in messages.items()
        for detail in _details(below, f"{path}.{name}" if path else str(name))
    ]
