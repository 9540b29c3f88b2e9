"""The contract of an endpoint, written above it: what it takes, what it answers, how it fails.

    @bp.post("/runs")
    @takes(CreateRun)
    @answers(201, "Run")
    def create_run(new: dict) -> Response: ...

The decorators validate requests and feed the OpenAPI document alike, so the two cannot disagree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar
from wsgiref.types import WSGIEnvironment

import msgspec
from flask import Response, request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import Headers

from foreman.errors import BODY_NOT_READ, BodyNotRead, Detail, Invalid, UnsupportedMediaType
from foreman.opaque import decode_object
from foreman.schemas import Body, Query

BASE_PATH = "/api/v1"

View = TypeVar("View", bound=Callable[..., Any])


@dataclass
class Operation:
    """What the decorators of one view say."""

    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answers: dict[int, str] = field(default_factory=dict)
    fails: set[int] = field(default_factory=set)


def operation_of(view: Callable[..., Any]) -> Operation:
    """The contract of a view; an empty one when it has no decorators of this module yet."""
    if not hasattr(view, "operation"):
        view.operation = Operation()  # type: ignore[attr-defined]
    operation: Operation = view.operation  # type: ignore[attr-defined]
    return operation


def takes(schema: type[Body]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view's first argument is the request's JSON body, validated; a wrong one is answered 400, 413 or 415."""
    loader = schema()

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.body = schema
        operation.fails |= {400, 413, 415}

        @wraps(view)
        def with_body(**path: str) -> Any:
            if request.mimetype not in ("", "application/json") and not request.mimetype.endswith("+json"):
                raise UnsupportedMediaType
            body = request.get_data(cache=False)
            if BODY_NOT_READ in request.environ:
                raise BodyNotRead
            return view(_load(loader, decode_object(body)), **path)

        return with_body

    return decorate


def asks(schema: type[Query]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view's first argument is the request's query parameters, validated; wrong ones are answered 400."""
    loader = schema()

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        operation = operation_of(view)
        operation.query = schema
        operation.fails.add(400)

        @wraps(view)
        def with_query(**path: str) -> Any:
            return view(_load(loader, request.args), **path)

        return with_query

    return decorate


def answers(status: int, shape: str) -> Callable[[View], View]:
    """The view answers with this status and this shape of body (a name in `foreman.shapes`)."""

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


def _load(loader: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = loader.load(given)
    except ValidationError as error:
        raise Invalid("Validation failed", list(_details(error.normalized_messages()))) from None
    return loaded


def _details(messages: Any, path: str = "") -> list[Detail]:
    if isinstance(messages, list):
        return [{"field": path, "message": str(message)} for message in messages]
    return [
        detail
        for name, below in messages.items()
        for detail in _details(below, f"{path}.{name}" if path else str(name))
    ]
