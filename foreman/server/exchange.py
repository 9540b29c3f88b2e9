"""A request and its answer: what the application makes of it, or an error in our envelope."""

import logging
import re
import time
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any

from waitress.task import WSGITask
from waitress.utilities import Error, InternalServerError

from foreman.clock import now_ms
from foreman.http.environ import BODY_NOT_READ, NOTED, NOTED_BEFORE, TOO_LARGE_TO_TRY
from foreman.http.errors import MESSAGES, database_failed, envelope
from foreman.http.request_id import HEADER, sane_or_new
from foreman.http.security_headers import OF_ANSWERS, Headers, protected
from foreman.monitoring.request_log import Answered, answered, known_method
from foreman.server.parser import Request

if TYPE_CHECKING:
    from foreman.server.connection import Connection

log = logging.getLogger(__name__)

# Headers that speak of one answer and not of its request.
_OF_THE_ANSWER = ("Location", "Retry-After", "Content-Length", "Content-Type")

# What waitress repeats of a malformed request, which may be a key.
_QUOTED = re.compile(r' ".*', re.DOTALL)

# Bytes up to which head and body are sent as one.
_SENT_AT_ONCE = 65_536


class Exchange(WSGITask):
    """A request and its answer: `run` lets the application make it, `pieces` is what is sent.

    :param before: the same request, when it has been tried before and was too large for that
    :ivar environ: what the application was called with; None when it was not asked
    """

    environ: dict[str, Any] | None

    def __init__(self, connection: "Connection", request: Request, before: "Exchange | None" = None) -> None:
        super().__init__(connection, request)
        self.body = b""
        self._before = before
        self._written: list[bytes] = []
        if request.is_cut:
            self.set_close_on_finish()

    def run(self) -> None:
        """Let the application make the answer."""
        self.start()
        request = self.request
        if request.error:
            self._say(request.error)
            return
        try:
            parts = self.channel.server.application(self.environment(), self.start_response)
            try:
                self.body = b"".join([*self._written, *parts])
            finally:
                if hasattr(parts, "close"):
                    parts.close()
            if not self.complete:
                raise RuntimeError("The application has not called start_response")
        except BaseException:  # also SystemExit: what has begun is ended in any case
            log.exception("The application has failed")
            self._say(InternalServerError("the application has failed"))

    def environment(self) -> dict[str, Any]:
        """What the application is called with (PEP 3333)."""
        request = self.request
        if request.body_rcv is not None and not request.is_cut:
            request.get_body_stream().seek(0)  # it may have been read before
        environ: dict[str, Any] = self.get_environment()
        environ["PATH_INFO"] = request.path  # waitress takes //api for /api
        if request.is_cut:
            environ["wsgi.input"], environ[BODY_NOT_READ] = BytesIO(), True
        if self._before is not None and self._before.environ is not None:
            environ[NOTED_BEFORE] = self._before.environ.get(NOTED)
        return environ

    @property
    def is_too_large(self) -> bool:
        """Whether the application says that it has to be tried again as a large one."""
        return self.environ is not None and TOO_LARGE_TO_TRY in self.environ

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """What the application calls with the head of its answer (PEP 3333)."""
        self.status, self.response_headers = status, list(headers)
        self.complete = True
        return self._written.append

    def refuse(self, error: Exception) -> None:
        """Say, in place of the application's answer, that the commit has failed."""
        kept = [each for each in self.response_headers if each[0] not in _OF_THE_ANSWER]
        log.error("The commit of request %s has failed", dict(kept).get(HEADER), exc_info=error)
        answer = database_failed(error)
        self.status, self.body = answer.status, answer.get_data()
        self.response_headers = [*kept, *answer.headers]

    def pieces(self) -> list[bytes]:
        """The answer as it is sent."""
        head_only = self.request.command == "HEAD" or not self.has_body
        if self.has_body:
            self.content_length = len(self.body)  # of an answer to HEAD only when the application has not said it
        if not head_only:
            self.response_headers = [each for each in self.response_headers if each[0] != "Content-Length"]
        head = self.build_response_header()
        if head_only:
            return [head]
        return [head + self.body] if len(self.body) < _SENT_AT_ONCE else [head, self.body]

    def build_response_header(self) -> bytes:
        """The head of the answer; while the server stops, it says that the connection will close."""
        if self.channel.server.stopping.is_set() or self.request.is_cut:
            self.set_close_on_finish()
        return protected(super().build_response_header(), self.response_headers)

    def tell(self) -> None:
        """Tell the server's observers of the answer."""
        seconds, status = time.monotonic() - self.channel.arrived_at, int(self.status[:3])
        if self.environ is not None:
            told = answered(self.environ, status, self.response_headers, seconds)
        else:
            request_id, method = dict(self.response_headers)[HEADER], known_method(self.request.command)
            told = Answered(request_id, method, "none", status, self.channel.addr[0], None, None, seconds, now_ms())
        for observe in self.channel.server.observers:
            observe(told)

    def _say(self, error: Error) -> None:
        """Answer an error from outside of the application in the one envelope; the connection ends with it."""
        said = _QUOTED.sub("", str(error.body))
        self.body = envelope(MESSAGES.get(error.code) or (f"{error.reason}: {said}" if said else error.reason))
        self.status, self.environ = f"{error.code} {error.reason}", None
        request_id = sane_or_new(self.request.headers.get("X_REQUEST_ID", ""))
        self.response_headers = [("Content-Type", "application/json"), (HEADER, request_id), *OF_ANSWERS]
        if error.code == 503:
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
