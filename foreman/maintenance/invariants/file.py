"""Invariants of the file: its definitions, its schema version and its indexes."""

from foreman.maintenance.invariants.rule import Rule

# The most findings to ask SQLite for. Its default is 100.
MOST_FINDINGS = 1_000_000

INTEGRITY = Rule("integrity", "SQLite finds", "PRAGMA integrity_check")

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
    ),
    Rule(
        "foreign_key",
        "a row refers to one that does not exist",
        'SELECT "table", rowid AS seq, parent FROM pragma_foreign_key_check',
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
    ),
)

INDEXES = (
    # SQLite finds rows that are missing from an index. But newer versions (3.46, not 3.40) no longer find surplus
    # entries of a partial index. The plus keeps SQLite from counting in the index again.
    Rule(
        "partial_index",
        "a partial index has more or fewer entries than there are rows that meet its condition",
        """
        WITH index_count AS MATERIALIZED (
            SELECT 'task_by_parent' AS name,
                   (SELECT count(*) FROM task INDEXED BY task_by_parent WHERE parent_task_id IS NOT NULL) AS entries,
                   (SELECT count(*) FROM task NOT INDEXED WHERE parent_task_id IS NOT NULL) AS counted
            UNION ALL
            SELECT 'run_data_key_by_created_at',
                   (SELECT count(*) FROM run_data_tag INDEXED BY run_data_key_by_created_at WHERE tag = ''),
                   (SELECT count(*) FROM run_data_tag WHERE +tag = '')
            UNION ALL
            SELECT 'run_data_latest_by_created_at',
                   (SELECT count(*) FROM run_data_latest INDEXED BY run_data_latest_by_created_at WHERE tag = ''),
                   (SELECT count(*) FROM run_data_latest WHERE +tag = '')
        )
        SELECT name, entries, counted
        FROM index_count
        WHERE entries <> counted
        """,
    ),
)
