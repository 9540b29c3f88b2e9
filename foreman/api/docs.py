"""The API's description for machines (`openapi.json`) and for people (`/docs`, which needs no internet)."""

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
    """This document."""
    # Imported when first asked for: generating it needs a library that serving requests does not.
    from foreman.http.openapi import document

    return answer(document(current_app))


@bp.get("/")
@public
def show_home() -> BareResponse:
    """Lead to the page. The address is relative, so that it is right behind a proxy that adds a prefix."""
    return redirect("docs")


@bp.get("/docs")
@public
def show_docs() -> Response:
    """The page that shows the document."""
    return send_from_directory(_PAGES, "docs.html")


@bp.get("/docs/<path:asset>")
@public
def send_asset(asset: str) -> Response:
    """A script, style or picture of that page."""
    if asset in _OWN:  # they fit the page of this version only
        return send_from_directory(_PAGES, asset)
    return send_from_directory(_SWAGGER_UI, asset, max_age=3600)
