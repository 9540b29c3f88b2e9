"""Request ids: each request has one, in its response and in the log."""

import re
import secrets

from flask import Flask, Response, g, request

HEADER = "X-Request-Id"

# A key sent as a request id by mistake must not get into the log.
_SANE = re.compile(r"(?!.*fmn_)[A-Za-z0-9._:-]{1,128}")


def init_app(app: Flask) -> None:
    """Use the client's own request id if it is sane, else generate one; send it with every response."""

    @app.before_request
    def name_request() -> None:
        g.request_id = sane_or_new(request.headers.get(HEADER, ""))

    @app.after_request
    def show_name(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        return response


def sane_or_new(given: str) -> str:
    """The client's own id if it is sane, else 32 random hexadecimal digits."""
    return given if _SANE.fullmatch(given) else secrets.token_hex(16)
