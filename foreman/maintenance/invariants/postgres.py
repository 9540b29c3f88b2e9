"""Invariants of PostgreSQL alone: what is in the schema, and how counts and sequences are kept there."""

from foreman.db.postgres.catalog import CATALOG
from foreman.maintenance.invariants.rule import POSTGRES, Rule
from foreman.vocabulary import TASK_STATUSES

_EXPECTED = """
    SELECT part ->> 0 AS type, part ->> 1 AS name, part ->> 2 AS hash
    FROM json_array_elements(CAST(:schema AS json)) AS part
    """


def _seqs(*tables: str) -> str:
    """A SELECT of the tables whose sequence would give out again what a row already has."""
    return " UNION ALL ".join(
        f"""
        SELECT '{table}' AS "table", last_value, newest
        FROM {table}_seq_seq
        CROSS JOIN (SELECT max(seq) AS newest FROM {table}) AS given
        WHERE newest > last_value OR newest = last_value AND NOT is_called
        """
        for table in tables
    )


def _unread(*tables: str) -> str:
    """A SELECT of the tables with changes that readers of counts pass over."""
    return " UNION ALL ".join(
        f"""
        SELECT '{table}' AS "table", count(*) AS changes
        FROM {table}
        WHERE xid < (SELECT since FROM change_to_read)
        HAVING count(*) > 0
        """
        for table in tables
    )


OF_POSTGRES = (
    Rule(
        "schema",
        "missing from the database, although the schema has it",
        f"""
        SELECT type, name FROM ({_EXPECTED}) AS expected
        EXCEPT
        SELECT type, name FROM ({CATALOG}) AS kept
        """,
        only=POSTGRES,
    ),
    Rule(
        "definition",
        "defined differently in the database than in the schema",
        f"""
        SELECT kept.type, kept.name
        FROM ({_EXPECTED}) AS expected
        JOIN ({CATALOG}) AS kept ON kept.type = expected.type AND kept.name = expected.name
        WHERE kept.hash <> expected.hash
        """,
        only=POSTGRES,
    ),
    Rule(
        "foreign_code",
        "a function or rule of somebody else can take the place of one of the schema",
        f"""
        SELECT kept.type, kept.name
        FROM ({CATALOG}) AS kept
        WHERE (
            kept.type = 'rule'
            AND EXISTS (
                SELECT FROM ({_EXPECTED}) AS expected
                WHERE expected.type = 'table' AND expected.name = split_part(kept.name, '.', 1)
            )
        ) OR (
            kept.type = 'function'
            AND split_part(kept.name, '(', 1) IN (
                SELECT split_part(name, '(', 1) FROM ({_EXPECTED}) AS expected WHERE type = 'function'
            )
            AND kept.name NOT IN (SELECT name FROM ({_EXPECTED}) AS expected WHERE type = 'function')
        )
        """,
        only=POSTGRES,
    ),
    Rule(
        "schema_migration",
        "the newest version in schema_migration is none that this Foreman knows",
        """
        SELECT newest
        FROM (SELECT max(version) AS newest FROM schema_migration) AS migration
        WHERE newest IS DISTINCT FROM :version
        """,
        only=POSTGRES,
    ),
    Rule(
        "sequence",
        "the next seq of a table would not be greater than all that it has",
        _seqs("run", "task", "run_data"),
        only=POSTGRES,
    ),
    Rule(
        "count_fold",
        "it has not exactly one row",
        "SELECT count(*) AS rows FROM count_fold HAVING count(*) <> 1",
        only=POSTGRES,
    ),
    Rule(
        "count_change",
        "changes of counts are passed over, although they have not been folded",
        _unread("run_change", "task_change", "run_data_change"),
        only=POSTGRES,
    ),
    Rule(
        "count_extra",
        "what is counted of a run that does not exist is not 0",
        f"""
        SELECT 'run_task_total' AS "table", run_seq, parent_task_id, type
        FROM (
            SELECT run_seq, parent_task_id, type, {", ".join(TASK_STATUSES)}
            FROM run_task_total
            UNION ALL
            SELECT run_seq, counted.parent_task_id, counted.type, {", ".join(TASK_STATUSES)}
            FROM task_change AS change
            CROSS JOIN LATERAL (
                VALUES ('', ''), ('', change.type), (change.parent_task_id, ''), (change.parent_task_id, change.type)
            ) AS counted (parent_task_id, type)
            WHERE xid >= (SELECT since FROM change_to_read) AND counted.parent_task_id IS NOT NULL
        ) AS kept
        WHERE NOT EXISTS (SELECT FROM run WHERE run.seq = kept.run_seq)
        GROUP BY run_seq, parent_task_id, type
        HAVING {" OR ".join(f"sum({status}) <> 0" for status in TASK_STATUSES)}
        UNION ALL
        SELECT 'run_data_total', run_seq, NULL, NULL
        FROM (
            SELECT run_seq, keys, entries FROM run_data_total
            UNION ALL
            SELECT run_seq, keys, entries FROM run_data_change WHERE xid >= (SELECT since FROM change_to_read)
        ) AS kept
        WHERE NOT EXISTS (SELECT FROM run WHERE run.seq = kept.run_seq)
        GROUP BY run_seq
        HAVING sum(keys) <> 0 OR sum(entries) <> 0
        """,
        only=POSTGRES,
    ),
)
