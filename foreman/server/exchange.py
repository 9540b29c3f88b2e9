"""A request and its response: the application's, or an error in our envelope."""

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
from foreman.http.errors import MESSAGES, database_failed
from foreman.http.protocol.problems import Problem, code_of
from foreman.http.request_id import HEADER, sane_or_new
from foreman.http.security_headers import OF_ANSWERS, Headers, protected
from foreman.monitoring.request_log import Answered, answered, known_method
from foreman.server.parser import Request

if TYPE_CHECKING:
    from foreman.server.connection import Connection

log = logging.getLogger(__name__)

# Headers that describe one response, so they are dropped when an error takes its place.
_OF_THE_ANSWER = ("Location", "Retry-After", "ETag", "Idempotency-Replayed", "Content-Length", "Content-Type")

# What waitress quotes from a malformed request: it may be a key.
_QUOTED = re.compile(r' ".*', re.DOTALL)

# A body smaller than this (bytes) is sent together with its head.
_SENT_AT_ONCE = 65_536


class Exchange(WSGITask):
    """A request and its response: `run` calls the application, `pieces` returns what to send.

    :param before: the first try of the same request, if its response was too large for that
    :ivar environ: the WSGI environment that the application was called with; None if it was not called
    """

    environ: dict[str, Any] | None

    # waitress closes the connection after a response without a body; see `is_bodiless`.
    has_body = True

    def __init__(self, connection: "Connection", request: Request, before: "Exchange | None" = None) -> None:
        super().__init__(connection, request)
        self.body = b""
        self._before = before
        self._written: list[bytes] = []
        if request.is_cut:
            self.set_close_on_finish()

    def run(self) -> None:
        """Call the application, and collect its response."""
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
                raise RuntimeError("The application did not call start_response")
        except BaseException:  # even SystemExit: a request that was begun gets its response
            log.exception("Unexpected error in the application")
            self._say(InternalServerError("the application has failed"))

    def environment(self) -> dict[str, Any]:
        """The WSGI environment (PEP 3333)."""
        request = self.request
        if request.body_rcv is not None and not request.is_cut:
            request.get_body_stream().seek(0)  # a first try may have read it
        environ: dict[str, Any] = self.get_environment()
        environ["PATH_INFO"] = request.path  # waitress turns //api into /api
        if request.is_cut:
            environ["wsgi.input"], environ[BODY_NOT_READ] = BytesIO(), True
        if self._before is not None and self._before.environ is not None:
            environ[NOTED_BEFORE] = self._before.environ.get(NOTED)
        return environ

    @property
    def is_too_large(self) -> bool:
        """Whether the application asks for a second try, as a large request."""
        return self.environ is not None and TOO_LARGE_TO_TRY in self.environ

    @property
    def is_bodiless(self) -> bool:
        """Whether its status has no body (RFC 9110, section 6.4.1)."""
        return self.status.startswith(("204", "304"))

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's `start_response`: takes the head of the application's response (PEP 3333)."""
        self.status, self.response_headers = status, list(headers)
        self.complete = True
        return self._written.append

    def refuse(self, error: Exception) -> None:
        """Replace the application's response, because its commit failed."""
        kept = [each for each in self.response_headers if each[0] not in _OF_THE_ANSWER]
        request_id = dict(kept).get(HEADER, "")
        log.error("The commit of request %s failed", request_id, exc_info=error)
        answer = database_failed(error, self.request.headers.get("ACCEPT", ""), request_id)
        self.status, self.body = answer.status, answer.get_data()
        self.response_headers = [*kept, *answer.headers]

    def pieces(self) -> list[bytes]:
        """The response as bytes to send."""
        head_only = self.request.command == "HEAD" or self.is_bodiless
        self.content_length = 0 if self.is_bodiless else len(self.body)  # for HEAD only if the application gave none
        if self.is_bodiless or not head_only:
            self.response_headers = [each for each in self.response_headers if each[0] != "Content-Length"]
        head = self.build_response_header()
        if head_only:
            return [head]
        return [head + self.body] if len(self.body) < _SENT_AT_ONCE else [head, self.body]

    def build_response_header(self) -> bytes:
        """The head of the response. A server that is stopping announces that it closes the connection."""
        if self.channel.server.stopping.is_set() or self.request.is_cut:
            self.set_close_on_finish()
        head = super().build_response_header()
        if self.is_bodiless:  # it has no length, nor is that of any other response known (RFC 9110, section 8.6)
            head = head.replace(b"\r\nContent-Length: 0\r\n", b"\r\n", 1)
        return protected(head, self.response_headers)

    def tell(self) -> None:
        """Notify the server's observers of the response."""
        seconds, status = time.monotonic() - self.channel.arrived_at, int(self.status[:3])
        if self.environ is not None:
            told = answered(self.environ, status, self.response_headers, seconds)
        else:
            request_id, method = dict(self.response_headers)[HEADER], known_method(self.request.command)
            told = Answered(request_id, method, "none", status, self.channel.addr[0], None, None, seconds, now_ms())
        for observe in self.channel.server.observers:
            observe(told)

    def _say(self, error: Error) -> None:
        """Answer an error from outside the application as one of its own, and close the connection."""
        said = _QUOTED.sub("", str(error.body))
        message = MESSAGES.get(error.code) or (f"{error.reason}: {said}" if said else error.reason)
        request_id = sane_or_new(self.request.headers.get("X_REQUEST_ID", ""))
        problem = Problem(error.code, message, code_of(error.code))
        self.body, content_type = problem.sent(self.request.headers.get("ACCEPT", ""), request_id)
        self.status, self.environ = f"{error.code} {error.reason}", None
        about_body = [("Content-Type", content_type), ("Vary", "Accept")]
        self.response_headers = [*about_body, (HEADER, request_id), *OF_ANSWERS]
        if error.code == 503:
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
