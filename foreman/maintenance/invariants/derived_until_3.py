"""Invariants of what triggers maintained until schema version 3, to check a database before its upgrade."""

from foreman.maintenance.invariants.rule import Rule

KEPT_UNTIL_3 = (
    Rule(
        "run_tally_missing",
        "a run has no row in run_tally",
        """
        SELECT org_id, id
        FROM run
        WHERE NOT EXISTS (SELECT 1 FROM run_tally WHERE run_tally.org_id = run.org_id AND run_tally.run_id = run.id)
        """,
        until=3,
    ),
    Rule(
        "run_tally_extra",
        "a row in run_tally has no run",
        """
        SELECT org_id, run_id
        FROM run_tally
        WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.org_id = run_tally.org_id AND run.id = run_tally.run_id)
        """,
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
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
        until=3,
    ),
)
