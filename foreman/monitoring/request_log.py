"""The request log: a line for every response, with its caller, route, status and duration."""

import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import msgspec
from flask import Request, g, request

from foreman.clock import iso, now_ms
from foreman.config import Settings
from foreman.db.application import Application
from foreman.http.environ import NOTED
from foreman.http.request_id import HEADER
from foreman.http.security_headers import Headers
from foreman.monitoring import logs

NAME = "foreman.request"

_encode = msgspec.json.Encoder().encode

# Names that need no quotes in a line of text.
_PLAIN = re.compile(r"[\w.:/-]*", re.ASCII)

# Seconds for which lines are buffered before they are written, and how many are kept while they cannot be.
_GATHERED_FOR = 0.05
_KEPT = 10_000

# Bytes that are written at once where processes share the log: what is longer may be cut up in a pipe (PIPE_BUF).
_UNDIVIDED = 4096

# Seconds that a stopping server waits for its last lines to be written.
_PATIENCE = 5.0

# Methods that logs and metrics name: a client may send any word as a method.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})


class Answered(NamedTuple):
    """A response that has been given.

    :ivar method: an HTTP method, or `other`
    :ivar route: the path with the names of its parts, such as `/api/v1/runs/<run_id>`, which cannot hold a secret;
        `none` when there is nothing at the path, or the request was not understood
    :ivar address: the client's
    :ivar org_id: the organisation of the key; None without a valid key
    :ivar key: the key's name, or its id when it has none; None without an issued key
    :ivar seconds: from the arrival of the whole request to its response, including the wait for the disk
    :ivar at: when, in milliseconds since 1970
    """

    request_id: str
    method: str
    route: str
    status: int
    address: str
    org_id: str | None
    key: str | None
    seconds: float
    at: int


Observer = Callable[[Answered], None]


def init_app(app: Application) -> "RequestLog":
    """Note the route of each request for the observers of its response."""

    @app.before_request
    def note() -> None:
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # proxies are slow
        noted = g._get_current_object()
        noted.route = asked.url_rule.rule if asked.url_rule else "none"
        asked.environ[NOTED] = noted

    return RequestLog(app.settings)


def answered(environ: dict[str, Any], status: int, headers: Headers, seconds: float) -> Answered:
    """What observers are told of a response of the application, or of middleware in front of it.

    :param environ: the WSGI environ of the request
    :param headers: of the response
    """
    noted = environ.get(NOTED)
    method, address = known_method(environ["REQUEST_METHOD"]), environ["REMOTE_ADDR"]
    if noted is None:
        request_id = dict(headers).get(HEADER, "")
        return Answered(request_id, method, "none", status, address, None, None, seconds, now_ms())
    org_id, key = noted.get("org_id"), noted.get("key_name")
    return Answered(noted.request_id, method, noted.route, status, address, org_id, key, seconds, now_ms())


def known_method(method: str | None) -> str:
    """The method if logs and metrics name it, else `other`."""
    return method if method in _METHODS else "other"


class RequestLog:
    """Buffers responses, and writes their lines in batches from a thread of its own.

    A single line, made by `logging`, costs ten times as much, not least because writing it releases the interpreter
    lock. And no request waits for a log that accepts no more lines: then the oldest ones are dropped.
    """

    def __init__(self, settings: Settings) -> None:
        self._line: Callable[[Answered], str] = text_line if logs.is_text(settings) else json_line
        self._is_shared = settings.processes > 1
        if self._is_shared:
            self._line = partial(self._line, process=os.getpid())
        self._wanted = settings.log_level in ("debug", "info")
        self._gathered: deque[Answered] = deque(maxlen=_KEPT)
        self._some = threading.Event()
        self._stopping = threading.Event()

    def answered(self, answered: Answered) -> None:
        """Buffer a response, if the log level includes its line."""
        if self._wanted:
            self._gathered.append(answered)
            if not self._some.is_set():
                self._some.set()

    @contextmanager
    def written(self) -> Iterator[None]:
        """Write buffered lines as long as the block lasts."""
        self._stopping.clear()
        thread = threading.Thread(target=self._write_now_and_then, name="request log", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._some.set()
            thread.join(_PATIENCE)

    def _write_now_and_then(self) -> None:
        while True:
            self._some.wait()
            stopping = self._stopping.wait(_GATHERED_FOR)
            self._some.clear()
            with suppress(OSError, ValueError):  # a log that cannot be written to must not stop the server
                lines = [self._line(self._gathered.popleft()) for _ in range(len(self._gathered))]
                for piece in _pieces(lines) if self._is_shared else ["".join(lines)]:
                    sys.stderr.write(piece)
                    sys.stderr.flush()
            if stopping:
                return


def _pieces(lines: list[str]) -> Iterator[str]:
    """The lines, joined as far as they are written undivided."""
    piece, size = "", 0
    for line in lines:
        length = len(line.encode())
        if size + length > _UNDIVIDED:
            yield piece
            piece, size = "", 0
        piece, size = piece + line, size + length
    yield piece


def json_line(answered: Answered, process: int | None = None) -> str:
    """A line of JSON; its first four fields are those of every log line.

    :param process: this one, if several share the log
    """
    return (
        _encode(
            {
                "time": iso(answered.at),
                "level": "INFO",
                "logger": NAME,
                "message": "answered",
                "method": answered.method,
                "route": answered.route,
                "status": answered.status,
                "durationMs": round(answered.seconds * 1000, 2),
                "org": answered.org_id,
                "key": answered.key,
                "address": answered.address,
                "requestId": answered.request_id,
                **({} if process is None else {"process": process}),
            }
        ).decode()
        + "\n"
    )


def text_line(answered: Answered, process: int | None = None) -> str:
    """A line of text, with fields as `name=value` (logfmt)."""
    written_by = "" if process is None else f"[{process}] "
    return (
        f"{iso(answered.at)} INFO    {written_by}{NAME}: answered method={answered.method} route={answered.route}"
        f" status={answered.status} durationMs={answered.seconds * 1000:.2f} org={answered.org_id or '-'}"
        f" key={_shown(answered.key)} address={answered.address} requestId={answered.request_id}\n"
    )


def _shown(name: str | None) -> str:
    """A name that a user has chosen, quoted if it might look like another field or line."""
    return name or "-" if _PLAIN.fullmatch(name or "") else _encode(name).decode()
