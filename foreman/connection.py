"""A connection: waitress's, but that errors have our envelope and that an answer waits for the commit it speaks of."""

import logging
import threading
from functools import partial
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask, WSGITask

from foreman.dispatcher import Dispatcher
from foreman.errors import MESSAGES, database_failed, envelope
from foreman.request_id import HEADER, new_request_id
from foreman.security_headers import OF_ANSWERS, Headers, protected
from foreman.transactions import Commit, Writer

log = logging.getLogger(__name__)

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

# Headers that speak of one answer and not of its request.
_OF_THE_ANSWER = ("Location", "Retry-After", "Content-Length", "Content-Type")


class Parser(HTTPRequestParser):
    """A request as it arrives."""

    def parse_header(self, header_plus: bytes) -> None:
        """Take the head of the request apart.

        :raises ParsingError: also for what waitress's own parser stumbles over, such as a URL with half an address
        """
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Malformed head") from None


class JSONErrorTask(ErrorTask):
    """An answer to a request that never reached the application, such as malformed HTTP."""

    def execute(self) -> None:
        """Answer waitress's error in the one envelope."""
        error = self.request.error
        body = envelope(MESSAGES.get(error.code) or (f"{error.reason}: {error.body}" if error.body else error.reason))
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.response_headers += [(HEADER, new_request_id()), *OF_ANSWERS]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


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
        try:
            self.channel.write_soon(self.build_response_header() + (b"" if head_only else self.body))
        except OSError:
            self.close_on_finish = True
        self.wrote_header = True

    def build_response_header(self) -> bytes:
        """The head of the answer; while the server stops, it says that the connection will close."""
        if self.channel.stopping.is_set():
            self.set_close_on_finish()
        return protected(super().build_response_header(), self.response_headers)


class Connection(HTTPChannel):
    """A connection of a server; `of` makes the class of its own for each server.

    While a request waits for its commit, the connection keeps it, so that nothing else is read or answered meanwhile.
    """

    parser_class = Parser
    error_task_class = JSONErrorTask
    stopping: threading.Event
    writer: Writer
    dispatcher: Dispatcher
    _ran: Task | None = None

    @classmethod
    def of(cls, stopping: threading.Event, writer: Writer, dispatcher: Dispatcher) -> "type[Connection]":
        """The class for the connections of one server.

        :param stopping: set when the server stops
        :param writer: whose commits the answers wait for
        :param dispatcher: whose threads serve the requests
        """
        return type(cls.__name__, (cls,), {"stopping": stopping, "writer": writer, "dispatcher": dispatcher})

    def service(self) -> None:
        """Let the application handle the request, and answer it, at once or when its changes are on disk."""
        if self.requests[0].error:
            super().service()
            return
        task = self._ran = Task(self, self.requests[0])
        self.writer.defer()
        task.run()
        commit = self.writer.deferred()
        if commit is None:
            super().service()
        else:
            commit.then(partial(self._answer, task, commit))
            self.dispatcher.do_later()

    def may_wait(self) -> bool:
        """Whether the request may have to wait for the writer's turn."""
        request = self.requests[0]
        return not request.error and request.command not in _READING

    def task_class(self, _channel: HTTPChannel, _request: HTTPRequestParser) -> Task | None:
        """What waitress calls for the request's task: the one that has been run."""
        return self._ran

    def _answer(self, task: Task, commit: Commit) -> None:
        """Answer a request whose commit is decided. Errors end here: they must not keep others from their answers."""
        try:
            if commit.error is not None:
                task.refuse(commit.error)
            super().service()
        except Exception:
            log.exception("A connection failed while it was answered")
