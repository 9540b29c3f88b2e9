"""The API's documentation, for machines (`openapi.json`) and for people (`/docs`, which works offline)."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, current_app, redirect, send_from_directory
from werkzeug.wrappers import Response as BareResponse

from foreman.http.contract import BASE_PATH, answer, public
from foreman.http.security_headers import for_pages

bp = Blueprint("docs", __name__)
for_pages(bp)

_PAGES = Path(__file__).parent / "pages"
_OWN = frozenset({"docs.css", "docs.js"})
_SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


@bp.get(f"{BASE_PATH}/openapi.json")
@public
def get_openapi() -> Response:
    """The OpenAPI document."""
    # Imported on demand: it needs apispec, which serving requests does not.
    from foreman.http.openapi import document

    return answer(document(current_app))


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


@bp.get("/docs/<path:asset>")
@public
def send_asset(asset: str) -> Response:
    """A script, style or picture of the documentation page."""
    if asset in _OWN:  # not cached by age: they fit only the page of this version
        return send_from_directory(_PAGES, asset)
    return send_from_directory(_SWAGGER_UI, asset, max_age=3600)
