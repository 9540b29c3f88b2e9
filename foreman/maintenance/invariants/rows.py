"""Invariants of the rows that clients write: what they refer to and what they hold."""

from foreman.maintenance.invariants.rule import POSTGRES, SQLITE, Rule

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
        CROSS JOIN task AS parent
        WHERE parent.org_id = task.org_id AND parent.id = task.parent_task_id AND parent.seq >= task.seq
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


def _tag(is_no_text: str, only: str) -> Rule:
    """The rule about the tags of an entry.

    :param is_no_text: the condition that an item of the array is something else
    :param only: the engine that understands this condition
    """
    return Rule(
        "tag",
        "a tag is not a text of 1 to 255 characters without commas",
        f"""
        SELECT run_data.org_id, run_data.id, tag.value AS tag
        FROM run_data
        CROSS JOIN json_each(CASE WHEN json_valid(run_data.tags) THEN run_data.tags ELSE '[]' END) AS tag
        WHERE {is_no_text} OR length(tag.value) NOT BETWEEN 1 AND 255 OR instr(tag.value, ',') > 0
        """,
        only=only,
    )


# What a row may hold. Every CHECK of the schema is covered by these rules or those below.
VALUES = (
    Rule(
        "id",
        "an id is not a lower-case UUID",
        """
        SELECT 'api_key' AS "table", org_id, id FROM api_key WHERE NOT glob(:uuid, id)
        UNION ALL
        SELECT 'run', org_id, id FROM run WHERE NOT glob(:uuid, id)
        UNION ALL
        SELECT 'task', org_id, id FROM task WHERE NOT glob(:uuid, id)
        UNION ALL
        SELECT 'run_data', org_id, id FROM run_data WHERE NOT glob(:uuid, id)
        """,
    ),
    # Across organisations, too, although no statement of the API depends on that. Until schema version 3 runs and tasks
    # shared the column task_count.scope_id.
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
        CROSS JOIN task
        WHERE task.org_id = run.org_id AND task.id = run.id
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
        "a text is not 1 to 255 characters long",
        """
        SELECT 'task' AS "table", 'type' AS "column", org_id, id
        FROM task
        WHERE length(type) NOT BETWEEN 1 AND 255
        UNION ALL
        SELECT 'task', 'queue_job_id', org_id, id
        FROM task
        WHERE length(queue_job_id) NOT BETWEEN 1 AND 255
        UNION ALL
        SELECT 'run_data', 'key', org_id, id
        FROM run_data
        WHERE length(key) NOT BETWEEN 1 AND 255
        """,
    ),
    Rule(
        "nul",
        "a text has a NUL",
        """
        SELECT 'task' AS "table", 'type' AS "column", org_id, id FROM task WHERE instr(type, char(0)) > 0
        UNION ALL
        SELECT 'task', 'queue_job_id', org_id, id FROM task WHERE instr(queue_job_id, char(0)) > 0
        UNION ALL
        SELECT 'run_data', 'key', org_id, id FROM run_data WHERE instr(key, char(0)) > 0
        """,
        only=SQLITE,  # PostgreSQL has no such texts
    ),
    Rule(
        "json",
        "a text is not JSON",
        """
        SELECT "table", "column", org_id, id
        FROM (
            SELECT 'run' AS "table",
                   CASE WHEN NOT json_valid(input_data)                    THEN 'input_data'
                        WHEN NOT json_valid(coalesce(output_data, 'null')) THEN 'output_data'
                        WHEN NOT json_valid(coalesce(error_data, 'null'))  THEN 'error_data'
                        WHEN NOT json_valid(coalesce(metadata, 'null'))    THEN 'metadata'
                   END AS "column",
                   org_id, id
            FROM run
            UNION ALL
            SELECT 'task',
                   CASE WHEN NOT json_valid(input_data)                    THEN 'input_data'
                        WHEN NOT json_valid(coalesce(output_data, 'null')) THEN 'output_data'
                        WHEN NOT json_valid(coalesce(error_data, 'null'))  THEN 'error_data'
                        WHEN NOT json_valid(coalesce(metadata, 'null'))    THEN 'metadata'
                   END,
                   org_id, id
            FROM task
            UNION ALL
            SELECT 'run_data',
                   CASE WHEN NOT json_valid(value)                      THEN 'value'
                        WHEN NOT json_valid(tags)                       THEN 'tags'
                        WHEN NOT json_valid(coalesce(metadata, 'null')) THEN 'metadata'
                   END,
                   org_id, id
            FROM run_data
        ) AS parsed
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
    _tag("tag.type <> 'text'", SQLITE),
    _tag("json_typeof(CAST(run_data.tags AS json) -> CAST(tag.key AS integer)) <> 'string'", POSTGRES),
    Rule(
        "tag_repeated",
        "an entry has a tag more than once",
        """
        SELECT org_id, id
        FROM run_data
        WHERE CASE WHEN json_valid(tags) THEN json_array_length(tags) > 1 AND json_array_length(tags) > (
            SELECT count(DISTINCT tag.value) FROM json_each(run_data.tags) AS tag
        ) END
        """,
    ),
    Rule(
        "key_hash",
        "the hash of an API key is not 64 hexadecimal digits, or does not begin with its prefix",
        """
        SELECT org_id, id
        FROM api_key
        WHERE length(hash) <> 64 OR glob('*[^0-9a-f]*', hash) OR hash_prefix <> substr(hash, 1, 16)
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
        WHERE length(org_id) NOT BETWEEN 1 AND 64 OR glob('*[^a-z0-9-]*', org_id)
           OR length(environment) NOT BETWEEN 1 AND 64 OR glob('*[^a-z0-9-]*', environment)
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
        WHERE retry_count < CASE status WHEN 'retrying' THEN 1 ELSE 0 END OR max_retries NOT BETWEEN 0 AND 10
        """,
    ),
)
