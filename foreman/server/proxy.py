"""Forwarded headers of a trusted reverse proxy: `X-Forwarded-For` and `X-Forwarded-Proto`.

waitress trusts the one configured address, takes the last entry, and removes these headers from everyone else. But it
accepts any text as an address, parses `::ffff:192.0.2.1` as an address with a port, and answers some malformed headers
in plain text. So the headers are validated before waitress sees them.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from foreman.auth.addresses import FORWARDED_FOR, MalformedHeader, client_address
from foreman.http.protocol.problems import Problem, code_of
from foreman.http.request_id import HEADER, sane_or_new

# The headers that waitress is told to trust.
HEADERS = frozenset({"x-forwarded-for", "x-forwarded-proto"})

_PROTO = "HTTP_X_FORWARDED_PROTO"


def checked(app: WSGIApplication, proxy: str) -> WSGIApplication:
    """Wrap an application: normalise the proxy's headers, and answer malformed ones with 400.

    :param proxy: the address whose headers are trusted
    """

    def check(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REMOTE_ADDR"] == proxy:
            try:
                if FORWARDED_FOR in environ:
                    environ[FORWARDED_FOR] = client_address(environ[FORWARDED_FOR])
                if environ.get(_PROTO, "http").lower() not in ("http", "https"):
                    raise MalformedHeader("The proxy's X-Forwarded-Proto is neither http nor https")
            except MalformedHeader as error:
                request_id = sane_or_new(environ.get("HTTP_X_REQUEST_ID", ""))
                problem = Problem(400, str(error), code_of(400))
                body, content_type = problem.sent(environ.get("HTTP_ACCEPT", ""), request_id)
                about_body = [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Vary", "Accept")]
                start_response("400 Bad Request", [*about_body, (HEADER, request_id)])
                return [body]
        return app(environ, start_response)

    return check
