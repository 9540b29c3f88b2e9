"""The request parser: splits a connection's bytes into heads and bodies, in the strict reading of RFC 9112.

Framing is strict because an intermediary might read it differently, and take a part of one client's request for the
start of another's (request smuggling). Header fields and chunks are left to waitress's parser.
"""

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.utilities import BadRequest, RequestEntityTooLarge, RequestHeaderFieldsTooLarge, ServerNotImplemented

# Bytes beyond which a body is kept in a temporary file, and so is a response that a client has not read yet.
IN_MEMORY = 32_768

# Bytes of a body beyond which a request is large: such requests are served one at a time.
LARGE = 65_536

# Largest head in bytes, and how many fields it may have.
LONGEST_HEAD = 262_144
_MOST_FIELDS = 100

_LONGEST_CHUNK_HEAD = 4096
_LONGEST_TRAILER = 16_384

# Bytes by which the framing of chunks may exceed their content.
_FRAMING = 65_536

# A request line that waitress's own pattern parses in linear time. The version is checked separately.
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ ([^ \t\r\n]+) HTTP/([0-9])\.([0-9])\r\n")

# A request target (RFC 9112, section 3.2): a path, an absolute URL or `*`; never with a fragment.
_TARGET = re.compile(rb"(?:/|[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+(?=[/?]|$))[^#]*|\*")

# The trailer fields after the last chunk.
_TRAILER = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\x00]*\r\n)*\r\n")

# Whitespace for which waitress's pattern of a field takes quadratic time. Few heads have so much of it in one place.
_MANY_BLANKS = re.compile(rb":[ \t]{33}")

_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding:([^\r]*)\r")

# A host name or address with or without a port (RFC 9110, section 7.2). It may be empty.
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]*)?")

# What a request can start with: the first byte of a method.
_FIRST_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class RequestTimeout(BadRequest):
    """408: the request did not arrive in time."""

    code = 408
    reason = "Request Timeout"


class ExpectationFailed(BadRequest):
    """417: the client expects something other than `100-continue` (RFC 9110, section 10.1.1)."""

    code = 417
    reason = "Expectation Failed"


class NoRoom(BadRequest):
    """503: there was no room for the request, or for its response, in time."""

    code = 503
    reason = "Service Unavailable"


class VersionNotSupported(BadRequest):
    """505: the request is not HTTP/1."""

    code = 505
    reason = "HTTP Version Not Supported"


class Request(HTTPRequestParser):
    """A request being received: an incremental parser.

    :param limits: waitress's adjustments, as far as its parser reads them
    :ivar is_empty: whether nothing but empty lines has arrived
    :ivar head_done: whether its head is complete
    :ivar completed: whether it is ready to be answered, perhaps with an `error`
    :ivar is_cut: whether it will be answered without its body, which was not read to its end
    :ivar size: bytes that it takes at present
    """

    path, command, query, request_uri, url_scheme = "", "", "", "", "http"  # for a head that cannot be parsed, too
    proxy_scheme, proxy_netloc, fragment = "", "", ""
    is_empty = True
    is_cut = False

    def __init__(self, limits: Any) -> None:
        super().__init__(limits)
        self._head = bytearray()

    @property
    def head_done(self) -> bool:
        """Whether its head is complete."""
        return bool(self.headers_finished)

    @property
    def size(self) -> int:
        """Bytes that it takes at present."""
        return len(self._head) if self.body_rcv is None else len(self.body_rcv)

    @property
    def largest_body(self) -> int:
        """Largest body in bytes."""
        return int(self.adj.max_request_body_size)

    def received(self, data: bytes) -> int:
        """Parse received bytes; return how many of them belong to this request."""
        if self.head_done:
            return self._receive_body(data)
        return self._receive_head(data)

    def refuse(self, error: BadRequest) -> None:
        """Complete it with an error, whatever has arrived."""
        self.close()
        self.error, self.completed, self.is_cut = error, True, True

    def cut(self) -> None:
        """Complete it without its body."""
        self.close()
        self.completed, self.is_cut = True, True

    def _receive_head(self, data: bytes) -> int:
        start = 0
        if self.is_empty:  # some clients send an empty line after a body (RFC 9112, section 2.2)
            start = len(data) - len(data.lstrip(b"\r\n"))
            if start == len(data):
                return start
            self.is_empty = False
            if data[start] not in _FIRST_BYTES:
                self.refuse(BadRequest("this is not HTTP"))
                return len(data)
        before = len(self._head)
        self._head += data[start:]
        end = self._head.find(b"\r\n\r\n", max(0, before - 3)) + 4
        if end == 3:
            if len(self._head) >= LONGEST_HEAD:
                self._refuse_long_head()
            return len(data)
        if end >= LONGEST_HEAD:
            self._refuse_long_head()
            return len(data)
        consumed = start + end - before
        head, self._head = bytes(self._head[:end]), bytearray()
        self.headers_finished = True
        try:
            self.parse_header(head)
        except ParsingError as error:
            self.refuse(BadRequest(error.args[0]))
        except TransferEncodingNotImplemented as error:
            self.refuse(ServerNotImplemented(error.args[0]))
        else:
            self.completed = self.completed or self.body_rcv is None
        return consumed

    def _refuse_long_head(self) -> None:
        self.command = self._head[:20].partition(b" ")[0].decode("latin-1")
        self._head = bytearray()
        self.refuse(RequestHeaderFieldsTooLarge(f"there are {LONGEST_HEAD} bytes or more"))

    def parse_header(self, head: bytes) -> None:
        """Parse the head.

        :raises ParsingError: also for what breaks waitress's own parser, such as a URL with half an address
        :raises TransferEncodingNotImplemented: for a transfer coding other than `chunked`
        """
        line = _REQUEST_LINE.match(head)
        if not line:
            raise ParsingError("Start line is invalid")
        self.command = line[0].partition(b" ")[0].decode("latin-1")
        self.version = "1.0" if line[3] == b"0" else "1.1"  # set first, because a refusal is sent in it as well
        if line[2] != b"1":
            self.version = "1.1"
            self.refuse(VersionNotSupported("this server speaks HTTP/1.1"))
            return
        if line[3] > b"1":  # a newer minor version counts as the newest known one (RFC 9110, section 2.5)
            head = head[: line.start(3)] + b"1" + head[line.end(3) :]
        if not _TARGET.fullmatch(line[1]):
            raise ParsingError("The target is neither a path nor a URL")
        # Line folding is obsolete, and recipients read it in different ways (RFC 9112, section 5.2).
        folded = b"\n " in head or b"\n\t" in head
        if folded or ((b" " * 16 in head or b"\t" in head) and _MANY_BLANKS.search(head)):
            raise ParsingError("Invalid header")
        if head.count(b"\n") > _MOST_FIELDS + 2:  # the request line and the empty one
            self.refuse(RequestHeaderFieldsTooLarge(f"there are more than {_MOST_FIELDS} fields"))
            return
        fields = head[line.end() - 1 :].lower()
        _check_host(fields, required=line[3] != b"0")
        _check_framing(fields, old=line[3] == b"0")
        try:
            super().parse_header(head)
        except ValueError:
            raise ParsingError("Malformed head") from None
        if connection := self.headers.get("CONNECTION"):
            options = [option.strip(" \t").lower() for option in connection.split(",")]
            if "close" in options or "keep-alive" in options:  # waitress's tasks know only a single option
                self.headers["CONNECTION"] = "close" if "close" in options else "keep-alive"
        if self.version == "1.1" and self.headers.get("EXPECT", "100-continue").lower() != "100-continue":
            self.refuse(ExpectationFailed("only 100-continue can be expected"))

    def _receive_body(self, data: bytes) -> int:
        body = self.body_rcv
        try:
            consumed = int(body.received(data))
        except OSError:  # no temporary file can be written for it
            self.refuse(NoRoom("there is no room for the body"))
            return len(data)
        self.body_bytes_received += consumed
        if body.error:
            self.refuse(body.error)
        elif len(body) + (body.chunk_remainder if self.chunked else 0) > self.largest_body:
            self.refuse(RequestEntityTooLarge(f"there are more than {self.largest_body} bytes"))
        elif self.chunked and not body.completed:
            self._check_chunks()
        elif body.completed and self.chunked and body.trailer and not _TRAILER.fullmatch(body.trailer):
            self.refuse(BadRequest("A trailer is invalid"))
        elif body.completed:
            self.completed = True
            if self.chunked:
                self.headers["CONTENT_LENGTH"] = str(len(body))  # tells the application the length
        return consumed

    def _check_chunks(self) -> None:
        """Refuse a body that is mostly framing, before parsing it becomes expensive."""
        body = self.body_rcv
        if len(body.control_line) > _LONGEST_CHUNK_HEAD or len(body.trailer) > _LONGEST_TRAILER:
            self.refuse(BadRequest("Chunk head or trailer is too long"))
        elif self.body_bytes_received - len(body) > len(body) + _FRAMING:
            self.refuse(BadRequest("Chunks are too small"))


def _check_host(fields: bytes, *, required: bool) -> None:
    """Check that there is one valid Host (RFC 9112, section 3.2).

    :param required: whether there has to be one
    :raises ParsingError: when there is none although it is required, more than one, or an invalid one
    """
    _, name, rest = fields.partition(b"\nhost:")
    if (required and not name) or b"\nhost:" in rest:
        raise ParsingError("There must be one Host")
    if name and not _AUTHORITY.fullmatch(rest.partition(b"\r")[0].strip(b" \t")):
        raise ParsingError("Host is invalid")


def _check_framing(fields: bytes, *, old: bool) -> None:
    """Check that the body's length is given once and unambiguously (RFC 9112, section 6.1).

    :param old: whether the request is HTTP/1.0, which has no chunks
    :raises ParsingError: when the length is ambiguous
    """
    if b"\ntransfer-encoding:" not in fields:
        return
    codings = b",".join(_TRANSFER_ENCODING.findall(fields))
    names = [name.strip(b" \t") for name in codings.split(b",")]
    if old or b"\ncontent-length:" in fields or not all(names) or names.count(b"chunked") > 1:
        raise ParsingError("The body's length is ambiguous")
