"""The `check` of a database on PostgreSQL: verifies every invariant in one snapshot of it."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from foreman.db.failures import EngineError, Failure
from foreman.db.file import SCHEMA_VERSION
from foreman.db.postgres.catalog import catalog_of
from foreman.db.postgres.snapshot import Snapshot
from foreman.maintenance.invariants import RULES
from foreman.maintenance.invariants.postgres import OF_POSTGRES
from foreman.maintenance.invariants.rule import POSTGRES, Rule, rules_for
from foreman.maintenance.progress import NOBODY, Progress
from foreman.maintenance.violations import VALUES, Violation, Way, as_text, found

# How a statement fails that damage of the database, or a missing part of it, keeps from being run.
_DAMAGE = {Failure.MISUSE, Failure.DAMAGED, Failure.TOO_DEEP}


def violations(view: Snapshot, progress: Progress = NOBODY) -> Iterator[Violation]:
    """Find the violations, rule by rule. A signal whose handler raises cancels the statement that runs.

    A database of an earlier version is checked against that version.

    :raises EngineError: when the database cannot be read for a reason other than damage
    """
    version, catalog = view.version, catalog_of(view.version)
    if catalog is None:  # no version that there was here: the rule `schema_migration` tells of that
        version, catalog = SCHEMA_VERSION, catalog_of(SCHEMA_VERSION)
    values = {**VALUES, "schema": json.dumps(catalog), "version": version}
    rules = rules_for(POSTGRES, version, (*OF_POSTGRES, *RULES))
    way = Way(rules, {} if progress is NOBODY else _rows_to_read(view), progress)
    yield from found(way.rules(), partial(_rows, view, values), lambda error: error.failure in _DAMAGE)


def _rows(view: Snapshot, values: dict[str, Any], rule: Rule) -> Iterator[str]:
    used = {name: value for name, value in values.items() if f":{name}" in rule.sql}
    return (as_text(columns, row) for columns, row in view.rows(rule.sql, **used))


def _rows_to_read(view: Snapshot) -> dict[str, int]:
    """The rows of each table, as the server estimates them. A view takes as long as the tables that it reads."""
    try:
        estimated: dict[str, int] = dict(
            view.all(
                """
                SELECT CAST(relname AS text), CAST(greatest(reltuples, 0) AS bigint) FROM pg_class WHERE relkind = 'r'
                """
            )
        )
    except EngineError:
        return {}
    runs = estimated.get("run", 0)
    return {**estimated, "run_task_count": 8 * runs, "run_data_count": 2 * runs}
