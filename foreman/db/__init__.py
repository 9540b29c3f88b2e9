"""What handlers see of the database: `read`, `write`, and `one` and `each` for single statements."""

import sqlite3
from typing import Any

from flask import Flask, current_app

from foreman.db.sqlite import Database
from foreman.db.transactions import Reader, Writer


def init_app(app: Flask, database: Database) -> None:
    """Give the app's handlers their database."""
    app.extensions["database"] = database


def read() -> Reader:
    """`with db.read() as tx:` in a handler: `Database.read` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.read()


def one(sql: str, /, **values: Any) -> sqlite3.Row | None:
    """`Database.one` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.one(sql, **values)


def each(sql: str, /, **values: Any) -> sqlite3.Cursor:
    """`Database.each` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.each(sql, **values)


def most() -> int | None:
    """`Database.most` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.most


def write() -> Writer:
    """`with db.write() as tx:` in a handler: `Database.write` of the app that handles the request."""
    database: Database = current_app.extensions["database"]
    return database.write()
