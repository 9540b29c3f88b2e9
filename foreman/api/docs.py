"""The API's documentation, for machines (`openapi.json`) and for people (`/docs`, which works offline)."""

import re
from html import escape
from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as BareResponse

from foreman.db.application import current
from foreman.http.contract import BASE_PATH, answer, public
from foreman.http.protocol.problems import CODES, CODES_PATH
from foreman.http.security_headers import for_pages

bp = Blueprint("docs", __name__)
for_pages(bp)

# Code in Markdown.
_CODE = re.compile("`([^`]+)`")

_PAGES = Path(__file__).parent / "pages"
_OWN = frozenset({"docs.css", "docs.js"})
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


@bp.get(f"{BASE_PATH}/openapi.json")
@public
def get_openapi() -> Response:
    """The OpenAPI document."""
    # Imported on demand: it needs apispec, which serving requests does not.
    from foreman.http.openapi import document

    return answer(document(current))


@bp.get("/")
@public
def show_home() -> BareResponse:
    """Redirect to the documentation. The target is relative, for proxies that add a path prefix."""
    return redirect("docs")


@bp.get("/docs")
@public
def show_docs() -> Response:
    """The documentation page, which shows the OpenAPI document."""
    return send_from_directory(_PAGES, "docs.html")


@bp.get(CODES_PATH)
@public
def show_codes() -> Response:
    """The page on which each code of an error has a section, to which the `type` of a problem leads."""
    sections = "".join(
        f"<h2 id={code}><code>{code}</code>: {known.status} {known.title}</h2>\n<p>{_in_html(known.when)}.</p>\n"
        for code, known in CODES.items()
    )
    page = (_PAGES / "errors.html").read_text(encoding="utf-8")
    return Response(page.replace("<!-- codes -->", sections), content_type="text/html; charset=utf-8")


@bp.get("/docs/<path:asset>")
@public
def send_asset(asset: str) -> Response:
    """A script, style or picture of the documentation page."""
    if asset in _OWN:  # not cached by age: they fit only the page of this version
        return send_from_directory(_PAGES, asset)
    return send_from_directory(_SWAGGER_UI, asset, max_age=3600)


def _in_html(markdown: str) -> str:
    """A text with code in it, as HTML."""
    return _CODE.sub(r"<code>\1</code>", escape(markdown))
