"""Invariants of what triggers maintain: it is what the rows say that it is derived from."""

from foreman.maintenance.invariants.rule import SQLITE, Rule
from foreman.vocabulary import TASK_STATUSES


def _by_status(columns: str, table: str) -> str:
    """A SELECT of a row for each status from a table of counts, which has a column for each. The table is read once."""
    kept = " ".join(f"WHEN '{status}' THEN {status}" for status in TASK_STATUSES)
    named = ", ".join(f"('{status}')" for status in TASK_STATUSES)
    return f"""
        SELECT {columns}, column1 AS status, CASE column1 {kept} END AS kept, 0 AS counted
        FROM {table}
        CROSS JOIN (VALUES {named}) AS named
        """


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
        ) AS both_ways
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
        WHERE (run.id = task.run_id AND run.org_id = task.org_id) IS NOT TRUE
        UNION ALL
        SELECT 'run_data', run_data.org_id, run_data.id, run_data.run_id, run_data.run_seq
        FROM run_data
        LEFT JOIN run ON run.seq = run_data.run_seq
        WHERE (run.id = run_data.run_id AND run.org_id = run_data.org_id) IS NOT TRUE
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
        ) AS both_ways
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
        ) AS both_ways
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
        ) AS both_ways
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
        only=SQLITE,
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
        WHERE entry.seq = kept.seq AND entry.run_seq = kept.run_seq AND entry.key = kept.key
          AND kept.created_at <> entry.created_at
        """,
        since=4,
    ),
    Rule(
        "run_data_latest",
        "a key's latest entry under a tag ('' for all entries), its time or their number differs from the rows",
        """
        SELECT run_seq, tag, key, kept.seq, kept.created_at, kept.entries, newest.seq AS newest_seq,
               newest.created_at AS newest_created_at, newest.entries AS counted
        FROM (
            SELECT last.run_seq, '' AS tag, last.key, last.seq, entry.created_at, last.entries
            FROM (
                SELECT run_seq, key, max(seq) AS seq, count(*) AS entries FROM run_data GROUP BY run_seq, key
            ) AS last
            CROSS JOIN run_data AS entry
            WHERE entry.seq = last.seq
            UNION ALL
            SELECT last.run_seq, last.tag, last.key, last.seq, tagged.created_at, last.entries
            FROM (
                SELECT run_seq, tag, key, max(seq) AS seq, count(*) AS entries
                FROM run_data_tag
                GROUP BY run_seq, tag, key
            ) AS last
            CROSS JOIN run_data_tag AS tagged
            WHERE tagged.run_seq = last.run_seq AND tagged.tag = last.tag AND tagged.key = last.key
              AND tagged.seq = last.seq
        ) AS newest
        LEFT JOIN run_data_latest AS kept USING (run_seq, tag, key)
        WHERE (kept.seq = newest.seq AND kept.created_at = newest.created_at AND kept.entries = newest.entries)
              IS NOT TRUE
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
