"""What an invariant is."""

from typing import NamedTuple


class Rule(NamedTuple):
    """An invariant.

    :ivar name: how its violations begin
    :ivar wrong: what is wrong with a row that violates it
    :ivar sql: selects the rows that violate it
    :ivar since: the first schema version that has what it is about
    :ivar until: the last such version
    """

    name: str
    wrong: str
    sql: str
    since: int = 1
    until: int = 1_000_000
