"""A request as a task: what the application makes of it, or an error in our envelope."""

import logging
import re
import time
from typing import Any

from waitress.task import ErrorTask, WSGITask

from foreman.clock import now_ms
from foreman.errors import MESSAGES, database_failed, envelope
from foreman.parser import LARGE
from foreman.request_id import HEADER, sane_or_new
from foreman.request_log import Answered, answered, known_method
from foreman.security_headers import OF_ANSWERS, Headers, protected

log = logging.getLogger(__name__)

# Headers that speak of one answer and not of its request.
_OF_THE_ANSWER = ("Location", "Retry-After", "Content-Length", "Content-Type")


# What waitress repeats of a malformed request, which may be a key.
_QUOTED = re.compile(r' ".*', re.DOTALL)


class JSONErrorTask(ErrorTask):
    """An answer to a request that never reached the application, such as malformed HTTP."""

    def execute(self) -> None:
        """Answer waitress's error in the one envelope."""
        error = self.request.error
        said = _QUOTED.sub("", str(error.body))
        body = envelope(MESSAGES.get(error.code) or (f"{error.reason}: {said}" if said else error.reason))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        request_id = sane_or_new(self.channel.requests[0].headers.get("X_REQUEST_ID", ""))
        self.response_headers += [(HEADER, request_id), *OF_ANSWERS]
        if error.code == 503:
            self.response_headers.append(("Retry-After", "1"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
        method = known_method(self.channel.requests[0].command)
        address = self.channel.addr[0]
        _tell(self, Answered(request_id, method, "none", error.code, address, None, None, _seconds(self), now_ms()))


class Task(WSGITask):
    """A request: `run` lets the application make the answer, `service` sends it."""

    body = b""
    error: BaseException | None = None

    def run(self) -> None:
        """Let the application make the answer; what it cannot handle is raised by `service`."""
        self.start()
        try:
            parts = self.channel.server.application(self.get_environment(), self.start_response)
            try:
                self.body = b"".join(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
        except BaseException as error:  # also SystemExit: what has begun is ended in any case
            self.error = error

    def start_response(self, status: str, headers: Headers, exc_info: Any = None) -> None:
        """What the application calls with the head of its answer (PEP 3333)."""
        self.status, self.response_headers = status, headers
        self.complete = True

    def refuse(self, error: Exception) -> None:
        """Say, in place of the application's answer, that the commit has failed."""
        kept = [each for each in self.response_headers if each[0] not in _OF_THE_ANSWER]
        log.error("The commit of request %s has failed", dict(kept).get(HEADER), exc_info=error)
        answer = database_failed(error)
        self.status, self.body = answer.status, answer.get_data()
        self.response_headers = [*kept, *answer.headers]

    def service(self) -> None:
        """Send the answer."""
        if self.error is not None:
            raise RuntimeError("the application failed") from self.error
        head_only = self.request.command == "HEAD" or not self.has_body
        if not head_only:
            self.content_length = len(self.body)
            self.response_headers = [each for each in self.response_headers if each[0] != "Content-Length"]
        head, body = self.build_response_header(), b"" if head_only else self.body
        pieces = [head + body] if len(body) < LARGE else [head, body]
        try:
            for piece in pieces:
                self.channel.write_soon(piece)
        except OSError:
            self.close_on_finish = True
        self.wrote_header = True
        _tell(self, answered(self.environ, int(self.status[:3]), self.response_headers, _seconds(self)))

    def build_response_header(self) -> bytes:
        """The head of the answer; while the server stops, it says that the connection will close."""
        if self.channel.stopping.is_set():
            self.set_close_on_finish()
        return protected(super().build_response_header(), self.response_headers)


def _tell(task: JSONErrorTask | Task, answered: Answered) -> None:
    """Tell the server's observers of an answer."""
    for observe in task.channel.observers:
        observe(answered)


def _seconds(task: JSONErrorTask | Task) -> float:
    """Since the whole request had arrived."""
    return float(time.monotonic() - task.channel.queued_at)
