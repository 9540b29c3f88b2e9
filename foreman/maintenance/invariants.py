"""The invariants of every Foreman database: each is a query that selects the rows that violate it."""

from typing import NamedTuple


class Rule(NamedTuple):
    """An invariant.

    :ivar name: how its violations begin
    :ivar wrong: what is wrong with a row that violates it
    :ivar sql: selects the rows that violate it
    :ivar since: the first schema version that has what it is about
    """

    name: str
    wrong: str
    sql: str
    since: int = 1


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

# References. These hold whether or not foreign keys were enforced while the rows were written.
REFERENCES = (
    Rule(
        "task_run",
        "a task's run is not in its organisation",
        """
        SELECT org_id, id, run_id
        FROM task
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.org_id = task.org_id AND run.id = task.run_id)
        """,
    ),
    Rule(
        "task_parent",
        "a task's parent is not in its run",
        """
        SELECT org_id, id, run_id, parent_task_id
        FROM task
        WHERE parent_task_id IS NOT NULL AND NOT EXISTS (
            SELECT 1
            FROM task AS parent
            WHERE parent.org_id = task.org_id AND parent.run_id = task.run_id AND parent.id = task.parent_task_id
        )
        """,
    ),
    # Every cycle of parents has a task whose parent is not older than itself. A sound database has none: a parent is
    # created before its child, and does not change.
    Rule(
        "task_parent_cycle",
        "a task's parent is not older than the task, as in a cycle of parents",
        """
        SELECT task.org_id, task.id, task.parent_task_id
        FROM task
        CROSS JOIN task AS parent ON parent.org_id = task.org_id AND parent.id = task.parent_task_id
        WHERE parent.seq >= task.seq
        """,
    ),
    Rule(
        "run_data_run",
        "an entry's run is not in its organisation",
        """
        SELECT org_id, id, run_id
        FROM run_data
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.org_id = run_data.org_id AND run.id = run_data.run_id)
        """,
    ),
    Rule(
        "run_data_task",
        "an entry's task is not in its run",
        """
        SELECT org_id, id, run_id, task_id
        FROM run_data
        WHERE NOT EXISTS (
            SELECT 1
            FROM task
            WHERE task.org_id = run_data.org_id AND task.run_id = run_data.run_id AND task.id = run_data.task_id
        )
        """,
    ),
)

# What a row may hold. Every CHECK of the schema is covered by these rules or those below.
VALUES = (
    Rule(
        "id",
        "an id is not a lower-case UUID",
        """
        SELECT 'api_key' AS "table", org_id, id FROM api_key WHERE id NOT GLOB :uuid
        UNION ALL
        SELECT 'run', org_id, id FROM run WHERE id NOT GLOB :uuid
        UNION ALL
        SELECT 'task', org_id, id FROM task WHERE id NOT GLOB :uuid
        UNION ALL
        SELECT 'run_data', org_id, id FROM run_data WHERE id NOT GLOB :uuid
        """,
    ),
    # Across organisations, too, although no statement of the API depends on that. Runs and tasks share the column
    # task_count.scope_id, so their ids must differ as well.
    Rule(
        "id_unique",
        "an id is used more than once",
        """
        SELECT 'run' AS "table", min(org_id) AS org_id, id, count(*) AS times FROM run GROUP BY id HAVING count(*) > 1
        UNION ALL
        SELECT 'task', min(org_id), id, count(*) FROM task GROUP BY id HAVING count(*) > 1
        UNION ALL
        SELECT 'run_data', min(org_id), id, count(*) FROM run_data GROUP BY id HAVING count(*) > 1
        UNION ALL
        SELECT 'run and task', run.org_id, run.id, 2
        FROM run
        CROSS JOIN task ON task.org_id = run.org_id AND task.id = run.id
        """,
    ),
    Rule(
        "status",
        "a status is unknown",
        """
        SELECT 'run' AS "table", org_id, id, status
        FROM run
        WHERE status NOT IN (SELECT value FROM json_each(:run_statuses))
        UNION ALL
        SELECT 'task', org_id, id, status
        FROM task
        WHERE status NOT IN (SELECT value FROM json_each(:task_statuses))
        """,
    ),
    Rule(
        "text",
        "a text is not 1 to 255 characters long, or has a NUL",
        """
        SELECT 'task' AS "table", 'type' AS "column", org_id, id
        FROM task
        WHERE length(type) NOT BETWEEN 1 AND 255 OR instr(type, char(0)) > 0
        UNION ALL
        SELECT 'task', 'queue_job_id', org_id, id
        FROM task
        WHERE length(queue_job_id) NOT BETWEEN 1 AND 255 OR instr(queue_job_id, char(0)) > 0
        UNION ALL
        SELECT 'run_data', 'key', org_id, id
        FROM run_data
        WHERE length(key) NOT BETWEEN 1 AND 255 OR instr(key, char(0)) > 0
        """,
    ),
    Rule(
        "json",
        "a text is not JSON",
        """
        SELECT 'run' AS "table",
               CASE WHEN NOT json_valid(input_data)                    THEN 'input_data'
                    WHEN NOT json_valid(coalesce(output_data, 'null')) THEN 'output_data'
                    WHEN NOT json_valid(coalesce(error_data, 'null'))  THEN 'error_data'
                    WHEN NOT json_valid(coalesce(metadata, 'null'))    THEN 'metadata'
               END AS "column",
               org_id, id
        FROM run
        WHERE "column" IS NOT NULL
        UNION ALL
        SELECT 'task',
               CASE WHEN NOT json_valid(input_data)                    THEN 'input_data'
                    WHEN NOT json_valid(coalesce(output_data, 'null')) THEN 'output_data'
                    WHEN NOT json_valid(coalesce(error_data, 'null'))  THEN 'error_data'
                    WHEN NOT json_valid(coalesce(metadata, 'null'))    THEN 'metadata'
               END AS "column",
               org_id, id
        FROM task
        WHERE "column" IS NOT NULL
        UNION ALL
        SELECT 'run_data',
               CASE WHEN NOT json_valid(value)                      THEN 'value'
                    WHEN NOT json_valid(tags)                       THEN 'tags'
                    WHEN NOT json_valid(coalesce(metadata, 'null')) THEN 'metadata'
               END AS "column",
               org_id, id
        FROM run_data
        WHERE "column" IS NOT NULL
        """,
    ),
    Rule(
        "metadata",
        "metadata is not a JSON object",
        """
        SELECT 'run' AS "table", org_id, id
        FROM run
        WHERE CASE WHEN json_valid(metadata) THEN json_type(metadata) <> 'object' END
        UNION ALL
        SELECT 'task', org_id, id
        FROM task
        WHERE CASE WHEN json_valid(metadata) THEN json_type(metadata) <> 'object' END
        UNION ALL
        SELECT 'run_data', org_id, id
        FROM run_data
        WHERE CASE WHEN json_valid(metadata) THEN json_type(metadata) <> 'object' END
        """,
    ),
    Rule(
        "tags",
        "an entry's tags are not an array, or are too many",
        """
        SELECT org_id, id, json_type(tags) AS type, json_array_length(tags) AS tags
        FROM run_data
        WHERE CASE WHEN json_valid(run_data.tags)
                   THEN json_type(run_data.tags) <> 'array' OR json_array_length(run_data.tags) > :most_tags
              END
        """,
    ),
    Rule(
        "tag",
        "a tag is not a text of 1 to 255 characters without commas",
        """
        SELECT run_data.org_id, run_data.id, tag.value AS tag
        FROM run_data
        CROSS JOIN json_each(CASE WHEN json_valid(run_data.tags) THEN run_data.tags ELSE '[]' END) AS tag
        WHERE tag.type <> 'text' OR length(tag.value) NOT BETWEEN 1 AND 255 OR instr(tag.value, ',') > 0
        """,
    ),
    Rule(
        "tag_repeated",
        "an entry has a tag more than once",
        """
        SELECT org_id, id
        FROM run_data
        WHERE json_array_length(CASE WHEN json_valid(tags) THEN tags ELSE '[]' END) > (
            SELECT count(DISTINCT tag.value)
            FROM json_each(CASE WHEN json_valid(run_data.tags) THEN run_data.tags ELSE '[]' END) AS tag
        )
        """,
    ),
    Rule(
        "key_hash",
        "the hash of an API key is not 64 hexadecimal digits, or does not begin with its prefix",
        """
        SELECT org_id, id
        FROM api_key
        WHERE length(hash) <> 64 OR hash GLOB '*[^0-9a-f]*' OR hash_prefix <> substr(hash, 1, 16)
        """,
    ),
    Rule(
        "key_read_only",
        "read_only of an API key is neither 0 nor 1",
        "SELECT org_id, id, read_only FROM api_key WHERE read_only NOT IN (0, 1)",
    ),
    Rule(
        "key_name",
        "the organisation or environment of an API key cannot be part of a key",
        """
        SELECT org_id, id, environment
        FROM api_key
        WHERE length(org_id) NOT BETWEEN 1 AND 64 OR org_id GLOB '*[^a-z0-9-]*'
           OR length(environment) NOT BETWEEN 1 AND 64 OR environment GLOB '*[^a-z0-9-]*'
        """,
    ),
)

# Which times and counts go with a status. Only whether a time is set is checked: the clock may be set back at any
# moment, so no time has to be later than another, and ids need not be in the order of insertion.
STATUSES = (
    Rule(
        "ended",
        "completed_at is set although it has not ended, or is not set although it has",
        """
        SELECT 'run' AS "table", org_id, id, status, completed_at
        FROM run
        WHERE (status IN (SELECT value FROM json_each(:ended))) <> (completed_at IS NOT NULL)
        UNION ALL
        SELECT 'task', org_id, id, status, completed_at
        FROM task
        WHERE (status IN (SELECT value FROM json_each(:ended))) <> (completed_at IS NOT NULL)
        """,
    ),
    Rule(
        "started",
        "it is running and started_at is not set",
        """
        SELECT 'run' AS "table", org_id, id FROM run WHERE status = 'running' AND started_at IS NULL
        UNION ALL
        SELECT 'task', org_id, id FROM task WHERE status = 'running' AND started_at IS NULL
        """,
    ),
    # A run, unlike a task, cannot go back to pending.
    Rule(
        "not_started",
        "a run is pending and started_at is set",
        "SELECT org_id, id, started_at FROM run WHERE status = 'pending' AND started_at IS NOT NULL",
    ),
    Rule(
        "queued",
        "a task is queued and queued_at is not set",
        "SELECT org_id, id FROM task WHERE status = 'queued' AND queued_at IS NULL",
    ),
    Rule(
        "retries",
        "retry_count is negative, or 0 in a task that is retrying; or max_retries is not 0 to 10",
        """
        SELECT org_id, id, status, retry_count, max_retries
        FROM task
        WHERE retry_count < (status = 'retrying') OR max_retries NOT BETWEEN 0 AND 10
        """,
    ),
)

# What triggers maintain, compared with the rows that it is derived from.
KEPT = (
    Rule(
        "run_tally_missing",
        "a run has no row in run_tally",
        """
        SELECT org_id, id
        FROM run
        WHERE NOT EXISTS (SELECT 1 FROM run_tally WHERE run_tally.org_id = run.org_id AND run_tally.run_id = run.id)
        """,
    ),
    Rule(
        "run_tally_extra",
        "a row in run_tally has no run",
        """
        SELECT org_id, run_id
        FROM run_tally
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.org_id = run_tally.org_id AND run.id = run_tally.run_id)
        """,
    ),
    Rule(
        "run_tally",
        "a run's counter differs from a count of the rows",
        """
        SELECT org_id, run_id, counter, kept, counted
        FROM (
            SELECT org_id, run_id, 'total_tasks' AS counter, total_tasks AS kept, (
                SELECT count(*) FROM task WHERE task.org_id = run_tally.org_id AND task.run_id = run_tally.run_id
            ) AS counted
            FROM run_tally
            UNION ALL
            SELECT org_id, run_id, 'completed_tasks', completed_tasks, (
                SELECT count(*)
                FROM task
                WHERE task.org_id = run_tally.org_id AND task.run_id = run_tally.run_id AND task.status = 'completed'
            )
            FROM run_tally
            UNION ALL
            SELECT org_id, run_id, 'failed_tasks', failed_tasks, (
                SELECT count(*)
                FROM task
                WHERE task.org_id = run_tally.org_id AND task.run_id = run_tally.run_id AND task.status = 'failed'
            )
            FROM run_tally
            UNION ALL
            SELECT org_id, run_id, 'data_entries', data_entries, (
                SELECT count(*)
                FROM run_data
                WHERE run_data.org_id = run_tally.org_id AND run_data.run_id = run_tally.run_id
            )
            FROM run_tally
            UNION ALL
            SELECT org_id, run_id, 'data_keys', data_keys, (
                SELECT count(DISTINCT run_data.key)
                FROM run_data
                WHERE run_data.org_id = run_tally.org_id AND run_data.run_id = run_tally.run_id
            )
            FROM run_tally
        )
        WHERE kept <> counted
        """,
    ),
    Rule(
        "run_tally_cancelled",
        "a run's counter of cancelled tasks differs from a count of the rows",
        """
        SELECT org_id, run_id, cancelled_tasks AS kept, counted
        FROM (
            SELECT org_id, run_id, cancelled_tasks, (
                SELECT count(*)
                FROM task
                WHERE task.org_id = run_tally.org_id AND task.run_id = run_tally.run_id AND task.status = 'cancelled'
            ) AS counted
            FROM run_tally
        )
        WHERE cancelled_tasks <> counted
        """,
        since=3,
    ),
    Rule(
        "run_count",
        "the stored number of an organisation's runs in a status differs from a count of the rows",
        """
        SELECT org_id, status, sum(kept) AS kept, sum(counted) AS counted
        FROM (
            SELECT org_id, status, runs AS kept, 0 AS counted FROM run_count
            UNION ALL
            SELECT org_id, status, 0, count(*) FROM run GROUP BY org_id, status
        )
        GROUP BY org_id, status
        HAVING sum(kept) <> sum(counted)
        """,
    ),
    Rule(
        "task_count",
        "the stored number of tasks in a scope, of a type ('' for all) and status, differs from a count of the rows",
        """
        SELECT org_id, scope_id, type, status, sum(kept) AS kept, sum(counted) AS counted
        FROM (
            SELECT org_id, scope_id, type, status, tasks AS kept, 0 AS counted FROM task_count
            UNION ALL
            SELECT org_id, '', '', status, 0, count(*) FROM task GROUP BY org_id, status
            UNION ALL
            SELECT org_id, '', type, status, 0, count(*) FROM task GROUP BY org_id, type, status
            UNION ALL
            SELECT org_id, run_id, '', status, 0, count(*) FROM task GROUP BY org_id, run_id, status
            UNION ALL
            SELECT org_id, run_id, type, status, 0, count(*) FROM task GROUP BY org_id, run_id, type, status
            UNION ALL
            SELECT org_id, parent_task_id, '', status, 0, count(*)
            FROM task
            WHERE parent_task_id IS NOT NULL
            GROUP BY org_id, parent_task_id, status
            UNION ALL
            SELECT org_id, parent_task_id, type, status, 0, count(*)
            FROM task
            WHERE parent_task_id IS NOT NULL
            GROUP BY org_id, parent_task_id, type, status
        )
        GROUP BY org_id, scope_id, type, status
        HAVING sum(kept) <> sum(counted)
        """,
    ),
    Rule(
        "run_data_tag_missing",
        "a tag of an entry (or '', which each entry has) has no row in run_data_tag",
        """
        SELECT tagged.org_id, tagged.id, tagged.run_id, tagged.tag
        FROM (
            SELECT org_id, run_id, key, seq, id, '' AS tag FROM run_data
            UNION ALL
            SELECT run_data.org_id, run_data.run_id, run_data.key, run_data.seq, run_data.id, CAST(tag.value AS TEXT)
            FROM run_data
            CROSS JOIN json_each(CASE WHEN json_valid(run_data.tags) THEN run_data.tags ELSE '[]' END) AS tag
        ) AS tagged
        WHERE NOT EXISTS (
            SELECT 1
            FROM run_data_tag AS kept
            WHERE kept.org_id = tagged.org_id AND kept.run_id = tagged.run_id AND kept.tag = tagged.tag
              AND kept.key = tagged.key AND kept.seq = tagged.seq
        )
        """,
    ),
    Rule(
        "run_data_tag_extra",
        "a row in run_data_tag belongs to no entry with this tag",
        """
        SELECT kept.org_id, kept.run_id, kept.tag, kept.key, kept.seq
        FROM run_data_tag AS kept
        LEFT JOIN run_data AS entry
               ON entry.seq = kept.seq AND entry.org_id = kept.org_id AND entry.run_id = kept.run_id
              AND entry.key = kept.key
        WHERE entry.seq IS NULL OR kept.tag <> '' AND NOT EXISTS (
            SELECT 1
            FROM json_each(CASE WHEN json_valid(entry.tags) THEN entry.tags ELSE '[]' END) AS tag
            WHERE CAST(tag.value AS TEXT) = kept.tag
        )
        """,
    ),
    Rule(
        "run_data_tag_time",
        "a row in run_data_tag does not have the time of its entry",
        """
        SELECT kept.org_id, kept.run_id, kept.tag, kept.key, kept.seq, kept.created_at, entry.created_at AS entrys
        FROM run_data_tag AS kept
        CROSS JOIN run_data AS entry
                ON entry.seq = kept.seq AND entry.org_id = kept.org_id AND entry.run_id = kept.run_id
               AND entry.key = kept.key
        WHERE kept.created_at <> entry.created_at
        """,
    ),
    # created_at is that of the row with the largest seq: https://www.sqlite.org/lang_select.html#bareagg.
    Rule(
        "run_data_latest",
        "a key's latest entry under a tag, its time or the number of entries differs from run_data_tag",
        """
        SELECT org_id, run_id, tag, key, kept.seq, kept.created_at, kept.entries, newest.seq AS newest_seq,
               newest.created_at AS newest_created_at, newest.entries AS counted
        FROM (
            SELECT org_id, run_id, tag, key, max(seq) AS seq, created_at, count(*) AS entries
            FROM run_data_tag
            GROUP BY org_id, run_id, tag, key
        ) AS newest
        LEFT JOIN run_data_latest AS kept USING (org_id, run_id, tag, key)
        WHERE kept.seq IS NOT newest.seq OR kept.created_at IS NOT newest.created_at
           OR kept.entries IS NOT newest.entries
        """,
    ),
    Rule(
        "run_data_latest_extra",
        "a row in run_data_latest has no entry",
        """
        SELECT org_id, run_id, tag, key
        FROM run_data_latest AS kept
        WHERE NOT EXISTS (
            SELECT 1
            FROM run_data_tag AS tagged
            WHERE tagged.org_id = kept.org_id AND tagged.run_id = kept.run_id AND tagged.tag = kept.tag
              AND tagged.key = kept.key
        )
        """,
    ),
)

RULES = (*FILE, *INDEXES, *REFERENCES, *VALUES, *STATUSES, *KEPT)
