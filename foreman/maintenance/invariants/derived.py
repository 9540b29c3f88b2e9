"""Invariants of what triggers maintain: it is what the rows say that it is derived from."""

from foreman.maintenance.invariants.rule import Rule
from foreman.vocabulary import TASK_STATUSES


def _by_status(columns: str, table: str) -> str:
    """A SELECT of a row for each status from a table of counts, which has a column for each."""
    return " UNION ALL ".join(
        f"SELECT {columns}, '{status}' AS status, {status} AS kept, 0 AS counted FROM {table}"
        for status in TASK_STATUSES
    )


# What triggers maintain, compared with the rows that it is derived from.
KEPT = (
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
        "run_seq",
        "a row does not have the seq of its run",
        """
        SELECT 'task' AS "table", task.org_id, task.id, task.run_id, task.run_seq
        FROM task
        LEFT JOIN run ON run.seq = task.run_seq
        WHERE run.id IS NOT task.run_id OR run.org_id IS NOT task.org_id
        UNION ALL
        SELECT 'run_data', run_data.org_id, run_data.id, run_data.run_id, run_data.run_seq
        FROM run_data
        LEFT JOIN run ON run.seq = run_data.run_seq
        WHERE run.id IS NOT run_data.run_id OR run.org_id IS NOT run_data.org_id
        """,
        since=4,
    ),
    Rule(
        "org_task_count",
        "the stored numbers of an organisation's tasks of a type ('' for all) differ from a count of the rows",
        f"""
        SELECT org_id, type, status, sum(kept) AS kept, sum(counted) AS counted
        FROM (
            {_by_status("org_id, type", "org_task_count")}
            UNION ALL
            SELECT org_id, '', status, 0, count(*) FROM task GROUP BY org_id, status
            UNION ALL
            SELECT org_id, type, status, 0, count(*) FROM task GROUP BY org_id, type, status
        )
        GROUP BY org_id, type, status
        HAVING sum(kept) <> sum(counted)
        """,
        since=4,
    ),
    Rule(
        "run_task_count",
        "the stored number of a run's tasks of a parent, a type ('' for all) and a status differs from a count of rows",
        f"""
        SELECT run_seq, parent_task_id, type, status, sum(kept) AS kept, sum(counted) AS counted
        FROM (
            {_by_status("run_seq, parent_task_id, type", "run_task_count")}
            UNION ALL
            SELECT run_seq, '', '', status, 0, count(*) FROM task GROUP BY run_seq, status
            UNION ALL
            SELECT run_seq, '', type, status, 0, count(*) FROM task GROUP BY run_seq, type, status
            UNION ALL
            SELECT run_seq, parent_task_id, '', status, 0, count(*)
            FROM task
            WHERE parent_task_id IS NOT NULL
            GROUP BY run_seq, parent_task_id, status
            UNION ALL
            SELECT run_seq, parent_task_id, type, status, 0, count(*)
            FROM task
            WHERE parent_task_id IS NOT NULL
            GROUP BY run_seq, parent_task_id, type, status
        )
        GROUP BY run_seq, parent_task_id, type, status
        HAVING sum(kept) <> sum(counted)
        """,
        since=4,
    ),
    Rule(
        "run_data_count",
        "the stored number of a run's keys or entries differs from a count of the rows",
        """
        SELECT run_seq, sum(keys) AS keys, sum(entries) AS entries, sum(counted_keys) AS counted_keys,
               sum(counted_entries) AS counted_entries
        FROM (
            SELECT run_seq, keys, entries, 0 AS counted_keys, 0 AS counted_entries FROM run_data_count
            UNION ALL
            SELECT run_seq, 0, 0, count(DISTINCT key), count(*) FROM run_data GROUP BY run_seq
        )
        GROUP BY run_seq
        HAVING sum(keys) <> sum(counted_keys) OR sum(entries) <> sum(counted_entries)
        """,
        since=4,
    ),
    Rule(
        "count_extra",
        "a row of counts has no run",
        """
        SELECT 'run_task_count' AS "table", run_seq
        FROM run_task_count
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.seq = run_task_count.run_seq)
        UNION ALL
        SELECT 'run_data_count', run_seq
        FROM run_data_count
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.seq = run_data_count.run_seq)
        """,
        since=4,
    ),
    Rule(
        "run_data_tag_missing",
        "a tag of an entry has no row in run_data_tag",
        """
        SELECT tagged.org_id, tagged.id, tagged.run_id, tagged.tag
        FROM (
            SELECT run_data.org_id, run_data.run_seq, run_data.run_id, run_data.key, run_data.seq, run_data.id,
                   CAST(tag.value AS TEXT) AS tag
            FROM run_data
            CROSS JOIN json_each(CASE WHEN json_valid(run_data.tags) THEN run_data.tags ELSE '[]' END) AS tag
        ) AS tagged
        WHERE NOT EXISTS (
            SELECT 1
            FROM run_data_tag AS kept
            WHERE kept.run_seq = tagged.run_seq AND kept.tag = tagged.tag AND kept.key = tagged.key
              AND kept.seq = tagged.seq
        )
        """,
        since=4,
    ),
    Rule(
        "run_data_tag_extra",
        "a row in run_data_tag belongs to no entry with this tag",
        """
        SELECT kept.run_seq, kept.tag, kept.key, kept.seq
        FROM run_data_tag AS kept
        LEFT JOIN run_data AS entry
               ON entry.seq = kept.seq AND entry.run_seq = kept.run_seq AND entry.key = kept.key
        WHERE entry.seq IS NULL OR NOT EXISTS (
            SELECT 1
            FROM json_each(CASE WHEN json_valid(entry.tags) THEN entry.tags ELSE '[]' END) AS tag
            WHERE CAST(tag.value AS TEXT) = kept.tag
        )
        """,
        since=4,
    ),
    Rule(
        "run_data_tag_time",
        "a row in run_data_tag does not have the time of its entry",
        """
        SELECT kept.run_seq, kept.tag, kept.key, kept.seq, kept.created_at, entry.created_at AS entrys
        FROM run_data_tag AS kept
        CROSS JOIN run_data AS entry
                ON entry.seq = kept.seq AND entry.run_seq = kept.run_seq AND entry.key = kept.key
        WHERE kept.created_at <> entry.created_at
        """,
        since=4,
    ),
    # created_at is that of the row with the largest seq: https://www.sqlite.org/lang_select.html#bareagg.
    Rule(
        "run_data_latest",
        "a key's latest entry under a tag ('' for all entries), its time or their number differs from the rows",
        """
        SELECT run_seq, tag, key, kept.seq, kept.created_at, kept.entries, newest.seq AS newest_seq,
               newest.created_at AS newest_created_at, newest.entries AS counted
        FROM (
            SELECT run_seq, '' AS tag, key, max(seq) AS seq, created_at, count(*) AS entries
            FROM run_data
            GROUP BY run_seq, key
            UNION ALL
            SELECT run_seq, tag, key, max(seq), created_at, count(*)
            FROM run_data_tag
            GROUP BY run_seq, tag, key
        ) AS newest
        LEFT JOIN run_data_latest AS kept USING (run_seq, tag, key)
        WHERE kept.seq IS NOT newest.seq OR kept.created_at IS NOT newest.created_at
           OR kept.entries IS NOT newest.entries
        """,
        since=4,
    ),
    Rule(
        "run_data_latest_in_order",
        "a key is marked as having its entries in order, but they were not created in the order of their seqs",
        """
        SELECT kept.run_seq, kept.tag, kept.key, kept.in_order, entry.seq, entry.created_at, entry.created_before
        FROM (
            SELECT run_seq, key, seq, created_at,
                   lag(created_at) OVER (PARTITION BY run_seq, key ORDER BY seq) AS created_before
            FROM run_data
        ) AS entry
        JOIN run_data_latest AS kept ON kept.run_seq = entry.run_seq AND kept.tag = '' AND kept.key = entry.key
        WHERE kept.in_order = 1 AND entry.created_at < entry.created_before
        UNION ALL
        SELECT run_seq, tag, key, in_order, seq, created_at, NULL
        FROM run_data_latest
        WHERE in_order NOT IN (0, 1) OR (tag <> '' AND in_order = 0)
        """,
        since=4,
    ),
    Rule(
        "run_data_latest_extra",
        "a row in run_data_latest has no entry",
        """
        SELECT run_seq, tag, key
        FROM run_data_latest AS kept
        WHERE kept.tag = '' AND NOT EXISTS (
            SELECT 1 FROM run_data AS entry WHERE entry.run_seq = kept.run_seq AND entry.key = kept.key
        )
        OR kept.tag <> '' AND NOT EXISTS (
            SELECT 1
            FROM run_data_tag AS tagged
            WHERE tagged.run_seq = kept.run_seq AND tagged.tag = kept.tag AND tagged.key = kept.key
        )
        """,
        since=4,
    ),
)
