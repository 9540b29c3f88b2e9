-- Counts --------------------------------------------------------------------------------------------------------------

-- How many runs, tasks and entries there are costs the same to read however many rows there are, and is exact in every
-- snapshot, as on SQLite. But no writer updates a row that another one updates: on PostgreSQL the second would wait
-- until the first has committed, and two that come from opposite directions would be in a deadlock. Instead:
--
--   *_change  Every write appends its difference, in its own transaction. Nothing is locked.
--   *_total   The sum of the changes that have been folded, by fold_counts().
--   *_count   Views with the names and columns of SQLite's tables: the total and the changes not yet folded.
--
-- fold_counts() is run every second, by any node. It moves changes to the totals in one transaction, so that a snapshot
-- has each change in exactly one of the two places. If it is not run, counts stay exact and only get slower to read.
--
-- A total may in theory be negative if someone disabled the triggers. No CHECK forbids that, because it would stop the
-- fold for good; `check` reports it.

-- One row. Every change of a transaction below this has been folded, and no such transaction can still commit. Readers
-- pass over what is below. Those are dead index entries: while an old snapshot is open (a dump, a check), nothing can
-- remove them, and they would make each read slower by the second.
CREATE TABLE count_fold (
    only_row     boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    folded_below xid8    NOT NULL
) WITH (fillfactor = 10);

INSERT INTO count_fold (folded_below) VALUES ('0');

-- The same for readers. A database that was restored from a dump may have the number of a server that had counted
-- further than this one. It is recognised, because it is above what this server has given out; then nothing is passed
-- over until the next fold has put it right.
CREATE VIEW change_to_read AS
SELECT CASE WHEN folded_below <= pg_snapshot_xmax(pg_current_snapshot()) THEN folded_below ELSE '0'::xid8 END AS since
FROM count_fold
WHERE only_row;  -- by the index: up to PostgreSQL 17 the price of a discouraged scan hides the costs of all else

-- Changes are short-lived and never updated. They are vacuumed by number, not by share of a table that is mostly empty;
-- not analysed, because what a moment's content says of the next is misleading; and not truncated, because that takes a
-- lock that writers would wait for.
CREATE TABLE run_change (
    org_id text    NOT NULL COLLATE "C",
    status text    NOT NULL COLLATE "C",
    runs   integer NOT NULL,
    xid    xid8    NOT NULL DEFAULT pg_current_xact_id()
) WITH (
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 2147483647, vacuum_truncate = off
);

CREATE INDEX run_change_by_org ON run_change (org_id, xid);

CREATE TABLE task_change (
    org_id         text    NOT NULL COLLATE "C",
    run_seq        bigint  NOT NULL,
    parent_task_id text COLLATE "C",
    type           text    NOT NULL COLLATE "C",
    pending   integer NOT NULL DEFAULT 0,
    queued    integer NOT NULL DEFAULT 0,
    running   integer NOT NULL DEFAULT 0,
    completed integer NOT NULL DEFAULT 0,
    failed    integer NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    retrying  integer NOT NULL DEFAULT 0,
    xid            xid8    NOT NULL DEFAULT pg_current_xact_id()
) WITH (
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 2147483647, vacuum_truncate = off
);

CREATE INDEX task_change_by_org ON task_change (org_id, xid);
CREATE INDEX task_change_by_run ON task_change (run_seq, xid);

CREATE TABLE run_data_change (
    run_seq bigint  NOT NULL,
    keys    integer NOT NULL,
    entries integer NOT NULL,
    xid     xid8    NOT NULL DEFAULT pg_current_xact_id()
) WITH (
    autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 2147483647, vacuum_truncate = off
);

CREATE INDEX run_data_change_by_run ON run_data_change (run_seq, xid);

-- Only fold_counts() writes to these. A row whose counts are all 0 is removed, but for run_total, which knows the
-- organisations, as on SQLite. A part of each page is left for the next versions of its rows, which then need no new
-- index entries.
CREATE TABLE run_total (
    org_id text   NOT NULL COLLATE "C",
    status text   NOT NULL COLLATE "C",
    runs   bigint NOT NULL,
    PRIMARY KEY (org_id, status)
) WITH (fillfactor = 50);

CREATE TABLE org_task_total (
    org_id    text   NOT NULL COLLATE "C",
    type      text   NOT NULL COLLATE "C",
    pending   bigint NOT NULL DEFAULT 0,
    queued    bigint NOT NULL DEFAULT 0,
    running   bigint NOT NULL DEFAULT 0,
    completed bigint NOT NULL DEFAULT 0,
    failed    bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    retrying  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, type)
) WITH (fillfactor = 50);

CREATE TABLE run_task_total (
    run_seq        bigint NOT NULL,
    parent_task_id text   NOT NULL COLLATE "C",
    type           text   NOT NULL COLLATE "C",
    pending   bigint NOT NULL DEFAULT 0,
    queued    bigint NOT NULL DEFAULT 0,
    running   bigint NOT NULL DEFAULT 0,
    completed bigint NOT NULL DEFAULT 0,
    failed    bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    retrying  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_seq, parent_task_id, type)
) WITH (fillfactor = 70);

CREATE TABLE run_data_total (
    run_seq bigint NOT NULL PRIMARY KEY,
    keys    bigint NOT NULL,
    entries bigint NOT NULL
) WITH (fillfactor = 70);


-- Counts: what readers read -------------------------------------------------------------------------------------------

-- Sums are cast, because the sum of bigint is numeric, which clients would get as text.

-- How many runs an organisation has in each status: the `total` of every list of runs.
CREATE VIEW run_count AS
SELECT org_id, status, sum(runs)::bigint AS runs
FROM (
    SELECT org_id, status, runs FROM run_total
    UNION ALL
    SELECT org_id, status, runs FROM run_change WHERE xid >= (SELECT since FROM change_to_read)
) AS counted
GROUP BY org_id, status;

-- How many tasks an organisation has in each status: the `total` of every list of its tasks. Type '' counts all types.
-- A missing row means 0.
CREATE VIEW org_task_count AS
SELECT org_id, type,
       sum(pending)::bigint AS pending, sum(queued)::bigint AS queued, sum(running)::bigint AS running,
       sum(completed)::bigint AS completed, sum(failed)::bigint AS failed, sum(cancelled)::bigint AS cancelled,
       sum(retrying)::bigint AS retrying
FROM (
    SELECT org_id, type, pending, queued, running, completed, failed, cancelled, retrying
    FROM org_task_total
    UNION ALL
    SELECT org_id, counted.type, pending, queued, running, completed, failed, cancelled, retrying
    FROM task_change AS change
    CROSS JOIN LATERAL (VALUES (''), (change.type)) AS counted (type)
    WHERE change.xid >= (SELECT since FROM change_to_read)
) AS counted
GROUP BY org_id, type;

-- The same in a run: a run's counters, and the `total` of lists of its tasks and of a task's children. Parent '' counts
-- all tasks of the run.
--
-- From `run`, and LATERAL: PostgreSQL pushes a constant into a GROUP BY, but not the column of a table that is joined.
-- With a plain GROUP BY, a list of runs would add up the tasks of all runs there are.
CREATE VIEW run_task_count AS
SELECT run.seq AS run_seq, counted.*
FROM run
CROSS JOIN LATERAL (
    SELECT parent_task_id, type,
           sum(pending)::bigint AS pending, sum(queued)::bigint AS queued, sum(running)::bigint AS running,
           sum(completed)::bigint AS completed, sum(failed)::bigint AS failed, sum(cancelled)::bigint AS cancelled,
           sum(retrying)::bigint AS retrying
    FROM (
        SELECT parent_task_id, type, pending, queued, running, completed, failed, cancelled, retrying
        FROM run_task_total WHERE run_seq = run.seq
        UNION ALL
        SELECT counted.parent_task_id, counted.type,
               pending, queued, running, completed, failed, cancelled, retrying
        FROM task_change AS change
        CROSS JOIN LATERAL (
            VALUES ('', ''), ('', change.type), (change.parent_task_id, ''), (change.parent_task_id, change.type)
        ) AS counted (parent_task_id, type)
        WHERE change.run_seq = run.seq AND change.xid >= (SELECT since FROM change_to_read)
            AND counted.parent_task_id IS NOT NULL
    ) AS kept
    GROUP BY parent_task_id, type
) AS counted;

-- How many keys and entries a run has: the `total` of queries without filters.
CREATE VIEW run_data_count AS
SELECT run.seq AS run_seq, counted.keys, counted.entries
FROM run
CROSS JOIN LATERAL (
    SELECT coalesce(sum(keys), 0)::bigint AS keys, coalesce(sum(entries), 0)::bigint AS entries
    FROM (
        SELECT keys, entries FROM run_data_total WHERE run_seq = run.seq
        UNION ALL
        SELECT keys, entries FROM run_data_change
        WHERE run_seq = run.seq AND xid >= (SELECT since FROM change_to_read)
    ) AS kept
) AS counted;


-- Counts: what writers write ------------------------------------------------------------------------------------------

-- Runs and tasks are created and changed one by one, but deleted by the thousand. So the triggers of INSERT and UPDATE
-- are for a row, and those of DELETE for a statement: they append one change for all its rows that count alike.

CREATE FUNCTION run_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_change (org_id, status, runs) VALUES (new.org_id, new.status, 1);
    RETURN NULL;
END
$$;

CREATE TRIGGER run_created AFTER INSERT ON run FOR EACH ROW EXECUTE FUNCTION run_created();

CREATE FUNCTION run_changed_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_change (org_id, status, runs) VALUES (old.org_id, old.status, -1), (new.org_id, new.status, 1);
    RETURN NULL;
END
$$;

CREATE TRIGGER run_changed_status AFTER UPDATE OF status ON run FOR EACH ROW
WHEN (old.status <> new.status) EXECUTE FUNCTION run_changed_status();

CREATE FUNCTION run_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_change (org_id, status, runs)
    SELECT org_id, status, -count(*) FROM deleted GROUP BY org_id, status;
    RETURN NULL;
END
$$;

CREATE TRIGGER run_deleted AFTER DELETE ON run REFERENCING OLD TABLE AS deleted
FOR EACH STATEMENT EXECUTE FUNCTION run_deleted();

CREATE FUNCTION task_created() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_change (
        org_id, run_seq, parent_task_id, type,
        pending, queued, running, completed, failed, cancelled, retrying
    ) VALUES (
        new.org_id, new.run_seq, new.parent_task_id, new.type,
        (new.status = 'pending')::integer, (new.status = 'queued')::integer,
        (new.status = 'running')::integer, (new.status = 'completed')::integer,
        (new.status = 'failed')::integer, (new.status = 'cancelled')::integer,
        (new.status = 'retrying')::integer
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER task_created AFTER INSERT ON task FOR EACH ROW EXECUTE FUNCTION task_created();

CREATE FUNCTION task_changed_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_change (
        org_id, run_seq, parent_task_id, type,
        pending, queued, running, completed, failed, cancelled, retrying
    ) VALUES (
        new.org_id, new.run_seq, new.parent_task_id, new.type,
        (new.status = 'pending')::integer - (old.status = 'pending')::integer,
        (new.status = 'queued')::integer - (old.status = 'queued')::integer,
        (new.status = 'running')::integer - (old.status = 'running')::integer,
        (new.status = 'completed')::integer - (old.status = 'completed')::integer,
        (new.status = 'failed')::integer - (old.status = 'failed')::integer,
        (new.status = 'cancelled')::integer - (old.status = 'cancelled')::integer,
        (new.status = 'retrying')::integer - (old.status = 'retrying')::integer
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task FOR EACH ROW
WHEN (old.status <> new.status) EXECUTE FUNCTION task_changed_status();

CREATE FUNCTION task_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_change (
        org_id, run_seq, parent_task_id, type,
        pending, queued, running, completed, failed, cancelled, retrying
    )
    SELECT org_id, run_seq, parent_task_id, type,
           -count(*) FILTER (WHERE status = 'pending'), -count(*) FILTER (WHERE status = 'queued'),
           -count(*) FILTER (WHERE status = 'running'), -count(*) FILTER (WHERE status = 'completed'),
           -count(*) FILTER (WHERE status = 'failed'), -count(*) FILTER (WHERE status = 'cancelled'),
           -count(*) FILTER (WHERE status = 'retrying')
    FROM deleted
    GROUP BY org_id, run_seq, parent_task_id, type;
    RETURN NULL;
END
$$;

CREATE TRIGGER task_deleted AFTER DELETE ON task REFERENCING OLD TABLE AS deleted
FOR EACH STATEMENT EXECUTE FUNCTION task_deleted();

-- Entries: run_data_created() in schema.sql appends the change of each new one.
CREATE FUNCTION run_data_entries_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_data_change (run_seq, keys, entries)
    SELECT run_seq, 0, -count(*) FROM deleted GROUP BY run_seq;
    RETURN NULL;
END
$$;

CREATE TRIGGER run_data_entries_deleted AFTER DELETE ON run_data REFERENCING OLD TABLE AS deleted
FOR EACH STATEMENT EXECUTE FUNCTION run_data_entries_deleted();

CREATE FUNCTION run_data_keys_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_data_change (run_seq, keys, entries)
    SELECT run_seq, -count(*), 0 FROM deleted WHERE tag = '' GROUP BY run_seq;
    RETURN NULL;
END
$$;

CREATE TRIGGER run_data_keys_deleted AFTER DELETE ON run_data_latest REFERENCING OLD TABLE AS deleted
FOR EACH STATEMENT EXECUTE FUNCTION run_data_keys_deleted();


-- Whoever deletes a run deletes its counts first on SQLite. Here they follow from the rows that are deleted.
CREATE FUNCTION run_data_count_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN NULL;
END
$$;

CREATE TRIGGER run_data_count_stays INSTEAD OF DELETE ON run_data_count
FOR EACH ROW EXECUTE FUNCTION run_data_count_stays();


-- Counts: the fold ----------------------------------------------------------------------------------------------------

-- Moves all changes that have been committed to the totals. It has to run in READ COMMITTED, where each of its
-- statements has a snapshot of its own. That matters twice: a fold that had to wait for another one sees what that one
-- did; and a transaction that had ended when `newest` was read is in the snapshots of the statements after it, so all
-- its changes are moved. In REPEATABLE READ, the second of two folds fails, and does no harm.
CREATE FUNCTION fold_counts() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    newest      xid8;
    moved_tasks task_change[];
BEGIN
    IF NOT EXISTS (SELECT FROM run_change)
       AND NOT EXISTS (SELECT FROM task_change)
       AND NOT EXISTS (SELECT FROM run_data_change)
       AND EXISTS (SELECT FROM count_fold WHERE folded_below <= pg_snapshot_xmax(pg_current_snapshot()))
    THEN
        RETURN;  -- an idle service writes nothing, unless the number is another server's
    END IF;

    PERFORM FROM count_fold FOR UPDATE;  -- one at a time
    newest := pg_snapshot_xmin(pg_current_snapshot());

    WITH taken AS (DELETE FROM run_change RETURNING org_id, status, runs)
    MERGE INTO run_total AS kept
    USING (SELECT org_id, status, sum(runs) AS runs FROM taken GROUP BY org_id, status) AS moved
       ON kept.org_id = moved.org_id AND kept.status = moved.status
    WHEN MATCHED THEN UPDATE SET runs = kept.runs + moved.runs
    WHEN NOT MATCHED THEN INSERT (org_id, status, runs) VALUES (moved.org_id, moved.status, moved.runs);

    WITH taken AS (DELETE FROM run_data_change RETURNING run_seq, keys, entries)
    MERGE INTO run_data_total AS kept
    USING (SELECT run_seq, sum(keys) AS keys, sum(entries) AS entries FROM taken GROUP BY run_seq) AS moved
       ON kept.run_seq = moved.run_seq
    WHEN MATCHED AND kept.keys + moved.keys = 0 AND kept.entries + moved.entries = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET keys = kept.keys + moved.keys, entries = kept.entries + moved.entries
    WHEN NOT MATCHED AND (moved.keys <> 0 OR moved.entries <> 0) THEN
        INSERT (run_seq, keys, entries) VALUES (moved.run_seq, moved.keys, moved.entries);

    WITH taken AS (
        DELETE FROM task_change RETURNING *
    )
    SELECT array_agg(summed) FROM (
        SELECT org_id, run_seq, parent_task_id, type,
               sum(pending)::integer AS pending, sum(queued)::integer AS queued, sum(running)::integer AS running,
               sum(completed)::integer AS completed, sum(failed)::integer AS failed,
               sum(cancelled)::integer AS cancelled, sum(retrying)::integer AS retrying, max(xid) AS xid
        FROM taken
        GROUP BY org_id, run_seq, parent_task_id, type
    ) AS summed
    INTO moved_tasks;

    MERGE INTO org_task_total AS kept
    USING (
        SELECT org_id, counted.type,
               sum(pending) AS pending, sum(queued) AS queued, sum(running) AS running, sum(completed) AS completed,
               sum(failed) AS failed, sum(cancelled) AS cancelled, sum(retrying) AS retrying
        FROM unnest(moved_tasks) AS change
        CROSS JOIN LATERAL (VALUES (''), (change.type)) AS counted (type)
        GROUP BY org_id, counted.type
    ) AS moved
       ON kept.org_id = moved.org_id AND kept.type = moved.type
    WHEN MATCHED
     AND kept.pending + moved.pending = 0
     AND kept.queued + moved.queued = 0
     AND kept.running + moved.running = 0
     AND kept.completed + moved.completed = 0
     AND kept.failed + moved.failed = 0
     AND kept.cancelled + moved.cancelled = 0
     AND kept.retrying + moved.retrying = 0
    THEN DELETE
    WHEN MATCHED THEN UPDATE SET
        pending = kept.pending + moved.pending,
        queued = kept.queued + moved.queued,
        running = kept.running + moved.running,
        completed = kept.completed + moved.completed,
        failed = kept.failed + moved.failed,
        cancelled = kept.cancelled + moved.cancelled,
        retrying = kept.retrying + moved.retrying
    WHEN NOT MATCHED
     AND (moved.pending <> 0 OR moved.queued <> 0 OR moved.running <> 0 OR moved.completed <> 0 OR moved.failed <> 0
          OR moved.cancelled <> 0 OR moved.retrying <> 0)
    THEN
        INSERT (org_id, type, pending, queued, running, completed, failed, cancelled, retrying)
        VALUES (moved.org_id, moved.type, moved.pending, moved.queued, moved.running, moved.completed,
                moved.failed, moved.cancelled, moved.retrying);

    MERGE INTO run_task_total AS kept
    USING (
        SELECT run_seq, counted.parent_task_id, counted.type,
               sum(pending) AS pending, sum(queued) AS queued, sum(running) AS running, sum(completed) AS completed,
               sum(failed) AS failed, sum(cancelled) AS cancelled, sum(retrying) AS retrying
        FROM unnest(moved_tasks) AS change
        CROSS JOIN LATERAL (
            VALUES ('', ''), ('', change.type), (change.parent_task_id, ''), (change.parent_task_id, change.type)
        ) AS counted (parent_task_id, type)
        WHERE counted.parent_task_id IS NOT NULL
        GROUP BY run_seq, counted.parent_task_id, counted.type
    ) AS moved
       ON kept.run_seq = moved.run_seq AND kept.parent_task_id = moved.parent_task_id AND kept.type = moved.type
    WHEN MATCHED
     AND kept.pending + moved.pending = 0
     AND kept.queued + moved.queued = 0
     AND kept.running + moved.running = 0
     AND kept.completed + moved.completed = 0
     AND kept.failed + moved.failed = 0
     AND kept.cancelled + moved.cancelled = 0
     AND kept.retrying + moved.retrying = 0
    THEN DELETE
    WHEN MATCHED THEN UPDATE SET
        pending = kept.pending + moved.pending,
        queued = kept.queued + moved.queued,
        running = kept.running + moved.running,
        completed = kept.completed + moved.completed,
        failed = kept.failed + moved.failed,
        cancelled = kept.cancelled + moved.cancelled,
        retrying = kept.retrying + moved.retrying
    WHEN NOT MATCHED
     AND (moved.pending <> 0 OR moved.queued <> 0 OR moved.running <> 0 OR moved.completed <> 0 OR moved.failed <> 0
          OR moved.cancelled <> 0 OR moved.retrying <> 0)
    THEN
        INSERT (run_seq, parent_task_id, type, pending, queued, running, completed, failed, cancelled, retrying)
        VALUES (moved.run_seq, moved.parent_task_id, moved.type, moved.pending, moved.queued, moved.running, moved.completed,
                moved.failed, moved.cancelled, moved.retrying);

    UPDATE count_fold SET folded_below = newest;
END
$$;
