"""Invariants of the file of SQLite: its definitions, its schema version and its indexes."""

from foreman.maintenance.invariants.rule import SQLITE, Rule

# The most findings to ask SQLite for. Its default is 100.
MOST_FINDINGS = 1_000_000

INTEGRITY = Rule("integrity", "SQLite finds", "PRAGMA integrity_check", only=SQLITE)

FILE = (
    Rule(
        "schema",
        "missing from the database, although the schema has it",
        """
        SELECT json_extract(value, '$[0]') AS type, json_extract(value, '$[1]') AS name
        FROM json_each(:schema)
        EXCEPT
        SELECT type, name FROM sqlite_schema
        """,
        only=SQLITE,
    ),
    Rule(
        "definition",
        "defined differently in the database than in the schema",
        """
        SELECT kept.type, kept.name
        FROM json_each(:schema) AS part
        CROSS JOIN sqlite_schema AS kept
                ON kept.type = json_extract(part.value, '$[0]') AND kept.name = json_extract(part.value, '$[1]')
        WHERE definition(kept.sql) <> json_extract(part.value, '$[2]')
        """,
        only=SQLITE,
    ),
    Rule(
        "foreign_key",
        "a row refers to one that does not exist",
        'SELECT "table", rowid AS seq, parent FROM pragma_foreign_key_check',
        only=SQLITE,
    ),
    Rule(
        "schema_migration",
        "the newest version in schema_migration is not that of the database",
        """
        SELECT newest, user_version
        FROM pragma_user_version, (SELECT max(version) AS newest FROM schema_migration)
        WHERE newest IS NOT user_version
        """,
        since=2,
        only=SQLITE,
    ),
)


def _partial_indexes(*indexes: tuple[str, str, str]) -> str:
    """A SELECT of the partial indexes of which the number of entries is wrong, each given as name, table, condition.

    The plus keeps SQLite from counting in the index again.
    """
    counts = " UNION ALL ".join(
        f"""
        SELECT '{name}' AS name,
               (SELECT count(*) FROM {table} INDEXED BY {name} WHERE {condition}) AS entries,
               (SELECT count(*) FROM {table} WHERE +{condition}) AS counted
        """
        for name, table, condition in indexes
    )
    return f"""
        WITH index_count AS MATERIALIZED ({counts})
        SELECT name, entries, counted
        FROM index_count
        WHERE entries <> counted
        """


# SQLite finds rows that are missing from an index. But newer versions (3.46, not 3.40) no longer find surplus entries
# of a partial index.
_PARTIAL_INDEX = "a partial index has more or fewer entries than there are rows that meet its condition"

_SINCE_4 = (
    ("run_by_started_at", "run", "started_at IS NOT NULL"),
    ("run_by_completed_at", "run", "completed_at IS NOT NULL"),
    ("task_by_started_at", "task", "started_at IS NOT NULL"),
    ("task_by_completed_at", "task", "completed_at IS NOT NULL"),
    ("task_by_parent", "task", "parent_task_id IS NOT NULL"),
    ("run_data_by_updated_at", "run_data", "updated_at <> created_at"),
    ("run_data_latest_by_created_at", "run_data_latest", "tag = ''"),
)
_SINCE_5 = (
    ("run_by_external_id", "run", "external_id IS NOT NULL"),
    ("task_by_external_id", "task", "external_id IS NOT NULL"),
    ("act_to_do", "act", "completed_at IS NULL"),
)

INDEXES = (
    Rule(
        "partial_index",
        _PARTIAL_INDEX,
        _partial_indexes(
            ("task_by_parent", "task", "parent_task_id IS NOT NULL"),
            ("run_data_key_by_created_at", "run_data_tag", "tag = ''"),
            ("run_data_latest_by_created_at", "run_data_latest", "tag = ''"),
        ),
        until=3,
        only=SQLITE,
    ),
    Rule("partial_index", _PARTIAL_INDEX, _partial_indexes(*_SINCE_4), since=4, until=4, only=SQLITE),
    Rule("partial_index", _PARTIAL_INDEX, _partial_indexes(*_SINCE_4, *_SINCE_5), since=5, only=SQLITE),
)
