"""A request as it arrives: how its bytes are divided into a head and a body, in the strict reading of RFC 9112.

What divides requests from each other is read strictly, because somebody in between may read it otherwise, and would
then take a part of one client's request for the beginning of another's. The head's fields, and chunks, are taken apart
by waitress's parser.
"""

import re
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.utilities import BadRequest, RequestEntityTooLarge, RequestHeaderFieldsTooLarge, ServerNotImplemented

# Bytes beyond which a body is kept in a temporary file, and an answer that a client has not read yet.
IN_MEMORY = 32_768

# Bytes of a body beyond which a request is served alone among its like.
LARGE = 65_536

# Bytes of a head, and how many fields it may have.
LONGEST_HEAD = 262_144
_MOST_FIELDS = 100

_LONGEST_CHUNK_HEAD = 4096
_LONGEST_TRAILER = 16_384

# Bytes by which the framing of chunks may exceed what is in them.
_FRAMING = 65_536

# A request line that waitress's own pattern takes apart in linear time; the version is looked at by itself.
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ ([^ \t\r\n]+) HTTP/([0-9])\.([0-9])\r\n")

# What a request can be for (RFC 9112, section 3.2): a path, or a URL of a host, or everything; never a fragment.
_TARGET = re.compile(rb"(?:/|[Hh][Tt][Tt][Pp][Ss]?://[^/?#@]+(?=[/?]|$))[^#]*|\*")

# A field after the last chunk.
_TRAILER = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\r\n\x00]*\r\n)*\r\n")

# What waitress's pattern of a field takes quadratic time for. Few heads have so many blanks at all.
_MANY_BLANKS = re.compile(rb":[ \t]{33}")

_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding:([^\r]*)\r")

# A name or address with or without a port (RFC 9110, section 7.2); empty is allowed.
_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*)(?::[0-9]*)?")

# What a request can begin with: a method.
_FIRST_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class RequestTimeout(BadRequest):
    """408: the request has not arrived in time."""

    code = 408
    reason = "Request Timeout"


class ExpectationFailed(BadRequest):
    """417: the client expects something else than `100-continue` (RFC 9110, section 10.1.1)."""

    code = 417
    reason = "Expectation Failed"


class NoRoom(BadRequest):
    """503: there was no room for the request in time."""

    code = 503
    reason = "Service Unavailable"


class VersionNotSupported(BadRequest):
    """505: the request is not of HTTP/1."""

    code = 505
    reason = "HTTP Version Not Supported"


class Request(HTTPRequestParser):
    """A request as it arrives.

    :param limits: waitress's adjustments, as far as its parser asks for them
    :ivar is_empty: whether nothing has arrived of it but empty lines
    :ivar head_done: whether its head has arrived
    :ivar completed: whether it is ready to be answered, perhaps with an `error`
    :ivar is_cut: whether it will be answered without its body, which has not arrived
    :ivar size: bytes that it takes at the moment
    """

    path, command, query, request_uri, url_scheme = "", "", "", "", "http"  # also of a head that cannot be read
    proxy_scheme, proxy_netloc, fragment = "", "", ""
    is_empty = True
    is_cut = False

    def __init__(self, limits: Any) -> None:
        super().__init__(limits)
        self._head = bytearray()

    @property
    def head_done(self) -> bool:
        """Whether its head has arrived."""
        return bool(self.headers_finished)

    @property
    def size(self) -> int:
        """Bytes that it takes at the moment."""
        return len(self._head) if self.body_rcv is None else len(self.body_rcv)

    @property
    def largest_body(self) -> int:
        """Bytes that its body may have."""
        return int(self.adj.max_request_body_size)

    def received(self, data: bytes) -> int:
        """Take what has arrived; how many bytes of it belong to this request."""
        if self.head_done:
            return self._receive_body(data)
        return self._receive_head(data)

    def refuse(self, error: BadRequest) -> None:
        """Let it be answered with an error, whatever has arrived."""
        self.close()
        self.error, self.completed, self.is_cut = error, True, True

    def cut(self) -> None:
        """Let it be answered without its body."""
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
        """Take the head of the request apart.

        :raises ParsingError: also for what waitress's own parser stumbles over, such as a URL with half an address
        :raises TransferEncodingNotImplemented: when the body is encoded in another way than by chunks
        """
        line = _REQUEST_LINE.match(head)
        if not line:
            raise ParsingError("Start line is invalid")
        self.command = line[0].partition(b" ")[0].decode("latin-1")
        self.version = "1.0" if line[3] == b"0" else "1.1"  # also of an answer to what is refused here
        if line[2] != b"1":
            self.version = "1.1"
            self.refuse(VersionNotSupported("this server speaks HTTP/1.1"))
            return
        if line[3] > b"1":  # to be answered as the newest that is known (RFC 9110, section 2.5)
            head = head[: line.start(3)] + b"1" + head[line.end(3) :]
        if not _TARGET.fullmatch(line[1]):
            raise ParsingError("The target is neither a path nor a URL")
        # A field that goes on in the next line is obsolete, and read in different ways (RFC 9112, section 5.2).
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
            if "close" in options or "keep-alive" in options:  # for waitress's tasks, which know one option
                self.headers["CONNECTION"] = "close" if "close" in options else "keep-alive"
        if self.version == "1.1" and self.headers.get("EXPECT", "100-continue").lower() != "100-continue":
            self.refuse(ExpectationFailed("only 100-continue can be expected"))

    def _receive_body(self, data: bytes) -> int:
        body = self.body_rcv
        try:
            consumed = int(body.received(data))
        except OSError:  # there is no temporary file to be had for it
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
                self.headers["CONTENT_LENGTH"] = str(len(body))  # what applications are told of it
        return consumed

    def _check_chunks(self) -> None:
        """Refuse a body that is mostly not body, before taking it apart becomes expensive."""
        body = self.body_rcv
        if len(body.control_line) > _LONGEST_CHUNK_HEAD or len(body.trailer) > _LONGEST_TRAILER:
            self.refuse(BadRequest("Chunk head or trailer is too long"))
        elif self.body_bytes_received - len(body) > len(body) + _FRAMING:
            self.refuse(BadRequest("Chunks are too small"))


def _check_host(fields: bytes, *, required: bool) -> None:
    """:raises ParsingError: unless there is one valid Host (RFC 9112, section 3.2)"""
    _, name, rest = fields.partition(b"\nhost:")
    if (required and not name) or b"\nhost:" in rest:
        raise ParsingError("There must be one Host")
    if name and not _AUTHORITY.fullmatch(rest.partition(b"\r")[0].strip(b" \t")):
        raise ParsingError("Host is invalid")


def _check_framing(fields: bytes, *, old: bool) -> None:
    """Check that the body's length is said once, in a way that nobody can understand otherwise (RFC 9112, section 6.1).

    :param old: whether the request is of HTTP/1.0, which knows no chunks
    :raises ParsingError: when it is ambiguous
    """
    if b"\ntransfer-encoding:" not in fields:
        return
    codings = b",".join(_TRANSFER_ENCODING.findall(fields))
    names = [name.strip(b" \t") for name in codings.split(b",")]
    if old or b"\ncontent-length:" in fields or not all(names) or names.count(b"chunked") > 1:
        raise ParsingError("The body's length is ambiguous")
