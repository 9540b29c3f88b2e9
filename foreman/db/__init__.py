"""The database as handlers use it: `read` and `write`, and `one` and `each` for single statements."""

import sqlite3
from typing import Any

from foreman.db.application import current
from foreman.db.transactions import Reader, Writer
from foreman.db.values import Row


def read() -> Reader:
    """`with db.read() as tx:` in a handler: `Database.read` of the application that handles the request."""
    return current.database.read()


def one(sql: str, /, **values: Any) -> Row | None:
    """`Database.one` of the application that handles the request."""
    return current.database.one(sql, **values)


def each(sql: str, /, **values: Any) -> sqlite3.Cursor:
    """`Database.each` of the application that handles the request."""
    return current.database.each(sql, **values)


def most() -> int | None:
    """`Database.most` of the application that handles the request."""
    return current.database.most


def write() -> Writer:
    """`with db.write() as tx:` in a handler: `Database.write` of the application that handles the request."""
    return current.database.write()
