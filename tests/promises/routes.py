"""The application without a server: its routes and its OpenAPI document."""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from foreman.config import Settings
from foreman.db.sqlite import Database
from foreman.factory import create_app
from foreman.http.contract import is_public
from foreman.http.openapi import document
from tests.support.api import Json


class Route(NamedTuple):
    """A route as Flask knows it, with names in angle brackets."""

    method: str
    rule: str
    public: bool


def described() -> tuple[Json, list[Route]]:
    """The OpenAPI document, and the routes of the application."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "foreman.db"
        with closing(Database(path)) as database:
            app = create_app(Settings(database=str(path)), database)
            routes = [
                Route(method, rule.rule, is_public(app.view_functions[rule.endpoint]))
                for rule in app.url_map.iter_rules()
                for method in sorted((rule.methods or set()) - {"OPTIONS"})
            ]
            return document(app), routes


DOCUMENT, ROUTES = described()
