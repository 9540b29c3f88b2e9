"""What an invariant is."""

from collections.abc import Iterable
from typing import NamedTuple

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


class Rule(NamedTuple):
    """An invariant.

    :ivar name: how its violations begin
    :ivar wrong: what is wrong with a row that violates it
    :ivar sql: selects the rows that violate it, in what both engines understand unless `only` is set
    :ivar since: the first schema version that has what it is about
    :ivar until: the last such version
    :ivar only: the engine that alone has what it is about; None for both
    """

    name: str
    wrong: str
    sql: str
    since: int = 1
    until: int = 1_000_000
    only: str | None = None


def rules_for(engine: str, version: int, rules: Iterable[Rule]) -> list[Rule]:
    """Those of the rules that a database of this schema version has to meet.

    :param engine: SQLITE or POSTGRES
    """
    return [rule for rule in rules if rule.only in (None, engine) and rule.since <= version <= rule.until]
