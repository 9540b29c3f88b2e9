"""Security headers, which tell browsers what not to do with a response (OWASP Secure Headers Project)."""

from flask import Blueprint, Response

Headers = list[tuple[str, str]]

# Data: no scripts, framing, MIME sniffing or caching. The server adds them to every response without a policy.
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
    """Give the responses of a blueprint the policy of pages."""

    @bp.after_request
    def protect(response: Response) -> Response:
        response.headers.extend(_OF_PAGES)
        return response


def protected(head: bytes, headers: Headers) -> bytes:
    """The serialized head of a response, with the policy of data if it has none yet.

    :param head: the status line and headers, as they are sent
    :param headers: the headers that it was made from
    """
    if any(name == "Content-Security-Policy" for name, _ in headers):
        return head
    return head[:-2] + _LINES + b"\r\n"
