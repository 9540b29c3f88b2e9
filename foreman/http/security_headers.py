"""Headers that tell browsers what an answer of ours must never be used for (OWASP Secure Headers Project)."""

from flask import Blueprint, Response

Headers = list[tuple[str, str]]

# Data: not to be run, framed, guessed at or kept. The server puts them on every answer that has no policy of its own.
OF_ANSWERS: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
]

# The documentation page: its own scripts, styles and pictures, and requests to this server only.
_OF_PAGES: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("Referrer-Policy", "no-referrer"),
]

_LINES = "".join(f"{name}: {value}\r\n" for name, value in OF_ANSWERS).encode("latin-1")


def for_pages(bp: Blueprint) -> None:
    """Give the answers of a blueprint the policy of pages."""

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.extend(_OF_PAGES)
        return response


def protected(head: bytes, headers: Headers) -> bytes:
    """The head of an answer, as it is sent, with the policy of data when it has none yet.

    :param headers: those that it was made of
    """
    if any(name == "Content-Security-Policy" for name, _ in headers):
        return head
    return head[:-2] + _LINES + b"\r\n"
