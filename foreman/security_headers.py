"""Headers that tell browsers what an answer of ours must never be used for (OWASP Secure Headers Project)."""

from flask import Flask, Response, request

# Data: not to be run, framed, guessed at or kept.
OF_ANSWERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
]

# The documentation page: its own scripts, styles and pictures, and requests to this server only.
_OF_PAGES = [
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
]


def init_app(app: Flask) -> None:
    """Put them on every answer, errors included."""

    @app.after_request
    def protect(response: Response) -> Response:
        is_page = request.blueprint == "docs" and response.content_type != "application/json"
        response.headers.extend(_OF_PAGES if is_page else OF_ANSWERS)
        return response
