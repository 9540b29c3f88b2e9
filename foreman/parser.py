"""A request as it arrives: waitress's parser, with bounds on the work and the room that a stranger can ask for."""

import re

from waitress.parser import HTTPRequestParser, ParsingError
from waitress.utilities import BadRequest, RequestHeaderFieldsTooLarge

# Bytes of a head or body beyond which it needs `room` before more of it is read.
LARGE = 65_536

_MOST_FIELDS = 100
_LONGEST_CHUNK_HEAD = 4096
_LONGEST_TRAILER = 16_384

# A request line that waitress's own pattern takes apart in linear time.
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [^ \t\r\n]+(?: HTTP/[0-9]\.[0-9])?[ \t]*\r\n")

# What waitress's pattern of a field takes quadratic time for.
_MANY_BLANKS = re.compile(rb":[ \t]{33}")

# What a request can begin with: a method, or the empty line that some clients send after a body.
_FIRST_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\r\n")


class RequestTimeout(BadRequest):
    """408: the request has not arrived in time."""

    code = 408
    reason = "Request Timeout"


class NoRoom(BadRequest):
    """503: there was no room for the request in time."""

    code = 503
    reason = "Service Unavailable"


class Parser(HTTPRequestParser):
    """A request as it arrives.

    When it turns out to be large, `waits` is set: then it must not be given more data before it has got as much `room`
    as it `needs`.
    """

    path, command = "", ""  # also of a request whose head cannot be read
    waits = False
    needs = 0  # bytes that a large request may come to
    room = 0  # bytes that have been set aside for it

    def received(self, data: bytes) -> int:
        """Take what has arrived; how many bytes of it belong to this request."""
        if self.body_rcv is None and not self.header_plus and data[0] not in _FIRST_BYTES:
            return self._refuse(BadRequest("this is not HTTP"), len(data))
        try:
            consumed: int = super().received(data)
        except OSError:  # there is no temporary file to be had for its body
            return self._refuse(NoRoom("there is no room for the body"), len(data))
        if not self.completed:
            self._check_framing()
            if max(self.header_bytes_received, self.content_length, self.body_bytes_received) > LARGE:
                self._need_room()
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Take the head of the request apart.

        :raises ParsingError: also for what waitress's own parser stumbles over, such as a URL with half an address
        """
        if not _REQUEST_LINE.match(header_plus):
            raise ParsingError("Start line is invalid")
        if _MANY_BLANKS.search(header_plus):
            raise ParsingError("Invalid header")
        if header_plus.count(b"\n") > _MOST_FIELDS + 2:  # the request line and the empty one
            self.error = RequestHeaderFieldsTooLarge(f"there are more than {_MOST_FIELDS} fields")
            return
        try:
            super().parse_header(header_plus)
        except ValueError:
            raise ParsingError("Malformed head") from None
        # Who forwards such a request may take another part of it for the body (RFC 9112, section 6.1).
        if "TRANSFER_ENCODING" in self.headers or (self.chunked and "CONTENT_LENGTH" in self.headers):
            raise ParsingError("The body's length is ambiguous")

    def give_up(self) -> None:
        """Turn what has arrived into a request that is answered with an error."""
        self.close()
        error = NoRoom("there are too many large requests") if self.waits else RequestTimeout("")
        self.waits, self.room = False, 0
        self._refuse(error, 0)

    def _check_framing(self) -> None:
        """Refuse a chunked body that is mostly not body, before taking it apart becomes expensive."""
        if not self.chunked or self.body_rcv is None:
            return
        body = self.body_rcv
        if len(body.control_line) > _LONGEST_CHUNK_HEAD or len(body.trailer) > _LONGEST_TRAILER:
            self._refuse(BadRequest("Chunk head or trailer is too long"), 0)
        elif self.body_bytes_received - len(body) > len(body) + LARGE:
            self._refuse(BadRequest("Chunks are too small"), 0)

    def _need_room(self) -> None:
        in_head = self.body_rcv is None
        needs = self.adj.max_request_header_size if in_head else self.content_length or self.adj.max_request_body_size
        if needs > self.needs:
            self.waits, self.needs = True, needs

    def _refuse(self, error: BadRequest, consumed: int) -> int:
        self.error, self.completed = error, True
        return consumed
