"""The database as handlers use it: `read` and `write`, and `one` and `each` for single statements."""

from collections.abc import Callable, Sequence
from typing import Any

from foreman.db.application import current
from foreman.db.engine import Block, Rows, Transaction
from foreman.db.values import Row
from foreman.db.whole import Whole, current_whole


def read() -> Block:
    """`with db.read() as tx:` in a handler: `Database.read` of the application that handles the request."""
    return current.database.read()


def one(sql: str, /, **values: Any) -> Row | None:
    """`Database.one` of the application that handles the request."""
    return current.database.one(sql, **values)


def each(sql: str, /, **values: Any) -> Rows:
    """`Database.each` of the application that handles the request."""
    return current.database.each(sql, **values)


def merge(selects: Sequence[str], order: str) -> str:
    """`Database.merge` of the application that handles the request."""
    return current.database.merge(selects, order)


def octets(text: str) -> str:
    """`Database.octets` of the application that handles the request."""
    return current.database.octets(text)


def most() -> int | None:
    """`Database.most` of the application that handles the request."""
    return current.database.most


def write(*, single: bool = False) -> Block:
    """`with db.write() as tx:` in a handler: `Database.write` of the application that handles the request.

    Around which there is a `whole`, it is a part of that transaction.
    """
    around = current_whole()
    return current.database.write(single=single) if around is None else around.part()


def pause(seconds: float) -> None:
    """`Database.pause` of the application that handles the request."""
    current.database.pause(seconds)


def whole(before: Callable[[Transaction], object]) -> Whole:
    """`with db.whole(before) as whole:` around a handler: all that it writes is one transaction, see `Whole`."""
    return Whole(current.database, before)
