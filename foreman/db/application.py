"""The application as its handlers see it: Flask, with the settings and the database."""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, current_app

from foreman.config import Settings
from foreman.db.sqlite import Database


class Application(Flask):
    """A WSGI application over an open database.

    It has no async views: Flask would check each function that it calls for them, six times per request.

    :ivar settings: of this application
    :ivar database: open; whoever opened it closes it
    """

    def __init__(self, import_name: str, settings: Settings, database: Database) -> None:
        super().__init__(import_name, static_folder=None)
        self.settings = settings
        self.database = database

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The view itself."""
        return func


# The application that handles the current request: Flask's proxy, with its type.
current = cast(Application, current_app)
