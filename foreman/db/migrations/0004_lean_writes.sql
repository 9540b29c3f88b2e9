-- Fewer b-trees for each write: what belongs to a run is found by its seq, and orders are merged

DROP TRIGGER run_created;
DROP TRIGGER run_changed_status;
DROP TRIGGER run_deleted;
DROP TRIGGER run_ended;
DROP TRIGGER task_created;
DROP TRIGGER task_changed_status;
DROP TRIGGER task_deleted;
DROP TRIGGER run_data_created;
DROP TRIGGER run_data_changed_tags;
DROP TRIGGER run_data_deleted;
DROP TRIGGER run_data_tag_added;
DROP TRIGGER run_data_tag_removed;
DROP TRIGGER run_data_key_added;
DROP TRIGGER run_data_key_removed;

-- What triggers maintain is counted anew.
DROP TABLE run_tally;
DROP TABLE task_count;
DROP TABLE run_data_tag;
DROP TABLE run_data_latest;

DROP INDEX run_by_created_at;
DROP INDEX run_by_updated_at;
DROP INDEX run_by_started_at;
DROP INDEX run_by_completed_at;
DROP INDEX run_by_status_and_created_at;
DROP INDEX run_by_status_and_updated_at;
DROP INDEX run_by_status_and_started_at;
DROP INDEX run_by_status_and_completed_at;

DROP INDEX task_by_created_at;
DROP INDEX task_by_updated_at;
DROP INDEX task_by_started_at;
DROP INDEX task_by_completed_at;
DROP INDEX task_by_status;
DROP INDEX task_by_type;
DROP INDEX task_by_run;
DROP INDEX task_by_run_and_type;
DROP INDEX task_by_parent;

DROP INDEX run_data_by_created_at;
DROP INDEX run_data_by_updated_at;

-- The old table is renamed, and not the new one, so that the text of its definition is that of a new database.
-- LEFT JOIN: a row without its run must not be lost, but end the upgrade.
ALTER TABLE task RENAME TO task_before;

CREATE TABLE task (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    org_id         TEXT    NOT NULL,
    run_seq        INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    run_id         TEXT    NOT NULL,
    parent_task_id TEXT,
    type           TEXT    NOT NULL CONSTRAINT task_type_is_not_empty CHECK (type <> ''),
    status         TEXT    NOT NULL CONSTRAINT task_status CHECK (status IN (
                       'pending',
                       'queued',
                       'running',
                       'completed',
                       'failed',
                       'cancelled',
                       'retrying'
                   )),
    input_data     TEXT    NOT NULL CONSTRAINT task_input_is_json    CHECK (json_valid(input_data)),
    output_data    TEXT             CONSTRAINT task_output_is_json   CHECK (output_data IS NULL OR json_valid(output_data)),
    error_data     TEXT             CONSTRAINT task_error_is_json    CHECK (error_data IS NULL OR json_valid(error_data)),
    metadata       TEXT             CONSTRAINT task_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    retry_count    INTEGER NOT NULL DEFAULT 0 CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0),
    max_retries    INTEGER NOT NULL CONSTRAINT max_retries_is_0_to_10 CHECK (max_retries BETWEEN 0 AND 10),
    queue_job_id   TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    queued_at      INTEGER,
    started_at     INTEGER,
    completed_at   INTEGER,

    CONSTRAINT task_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, parent_task_id) REFERENCES task (org_id, id) ON DELETE CASCADE
) STRICT;

INSERT INTO task (seq, id, org_id, run_seq, run_id, parent_task_id, type, status, input_data, output_data, error_data,
                  metadata, retry_count, max_retries, queue_job_id, created_at, updated_at, queued_at, started_at,
                  completed_at)
SELECT before.seq, before.id, before.org_id, run.seq, before.run_id, before.parent_task_id, before.type, before.status,
       before.input_data, before.output_data, before.error_data, before.metadata, before.retry_count,
       before.max_retries, before.queue_job_id, before.created_at, before.updated_at, before.queued_at,
       before.started_at, before.completed_at
FROM task_before AS before
LEFT JOIN run ON run.org_id = before.org_id AND run.id = before.run_id
ORDER BY before.seq;

ALTER TABLE run_data RENAME TO run_data_before;

CREATE TABLE run_data (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL,
    org_id     TEXT    NOT NULL,
    run_seq    INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    run_id     TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL CONSTRAINT run_data_key_is_not_empty CHECK (key <> ''),
    value      TEXT    NOT NULL CONSTRAINT run_data_value_is_json    CHECK (json_valid(value)),
    tags       TEXT    NOT NULL CONSTRAINT run_data_tags_are_a_list  CHECK (json_type(tags) = 'array'),
    metadata   TEXT             CONSTRAINT run_data_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (run_seq, id)
) STRICT;

INSERT INTO run_data (seq, id, org_id, run_seq, run_id, task_id, key, value, tags, metadata, created_at, updated_at)
SELECT before.seq, before.id, before.org_id, run.seq, before.run_id, before.task_id, before.key, before.value,
       before.tags, before.metadata, before.created_at, before.updated_at
FROM run_data_before AS before
LEFT JOIN run ON run.org_id = before.org_id AND run.id = before.run_id
ORDER BY before.seq;

DROP TABLE run_data_before;
DROP TABLE task_before;

CREATE INDEX run_by_created_at   ON run (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX run_by_updated_at   ON run (org_id, status, updated_at);
CREATE INDEX run_by_started_at   ON run (org_id, status, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX run_by_completed_at ON run (org_id, status, completed_at) WHERE completed_at IS NOT NULL;

CREATE INDEX task_by_updated_at   ON task (org_id, updated_at);
CREATE INDEX task_by_started_at   ON task (org_id, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX task_by_completed_at ON task (org_id, completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX task_by_status       ON task (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX task_by_type         ON task (org_id, type, status, created_at);
CREATE INDEX task_by_run          ON task (run_seq, status, created_at);
CREATE INDEX task_by_run_and_type ON task (run_seq, type, status, created_at);
CREATE INDEX task_by_parent       ON task (org_id, parent_task_id, created_at) WHERE parent_task_id IS NOT NULL;

CREATE INDEX run_data_by_created_at ON run_data (run_seq, (updated_at = created_at), created_at);
CREATE INDEX run_data_by_key        ON run_data (run_seq, key, created_at);
CREATE INDEX run_data_by_updated_at ON run_data (run_seq, updated_at) WHERE updated_at <> created_at;

CREATE TABLE org_task_count (
    org_id    TEXT    NOT NULL,
    type      TEXT    NOT NULL,
    pending   INTEGER NOT NULL DEFAULT 0,
    queued    INTEGER NOT NULL DEFAULT 0,
    running   INTEGER NOT NULL DEFAULT 0,
    completed INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    retrying  INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT org_task_count_is_not_negative
        CHECK (min(pending, queued, running, completed, failed, cancelled, retrying) >= 0),
    PRIMARY KEY (org_id, type)
) STRICT, WITHOUT ROWID;

INSERT INTO org_task_count
SELECT org_id, '',
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
GROUP BY org_id;

INSERT INTO org_task_count
SELECT org_id, type,
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
GROUP BY org_id, type;

CREATE TABLE run_task_count (
    run_seq        INTEGER NOT NULL,
    parent_task_id TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    pending        INTEGER NOT NULL DEFAULT 0,
    queued         INTEGER NOT NULL DEFAULT 0,
    running        INTEGER NOT NULL DEFAULT 0,
    completed      INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    retrying       INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT run_task_count_is_not_negative
        CHECK (min(pending, queued, running, completed, failed, cancelled, retrying) >= 0),
    PRIMARY KEY (run_seq, parent_task_id, type)
) STRICT, WITHOUT ROWID;

INSERT INTO run_task_count
SELECT run_seq, '', '',
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
GROUP BY run_seq;

INSERT INTO run_task_count
SELECT run_seq, '', type,
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
GROUP BY run_seq, type;

INSERT INTO run_task_count
SELECT run_seq, parent_task_id, '',
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
WHERE parent_task_id IS NOT NULL
GROUP BY run_seq, parent_task_id;

INSERT INTO run_task_count
SELECT run_seq, parent_task_id, type,
       sum(status = 'pending'), sum(status = 'queued'), sum(status = 'running'), sum(status = 'completed'),
       sum(status = 'failed'), sum(status = 'cancelled'), sum(status = 'retrying')
FROM task
WHERE parent_task_id IS NOT NULL
GROUP BY run_seq, parent_task_id, type;

CREATE TABLE run_data_count (
    run_seq INTEGER NOT NULL PRIMARY KEY,
    keys    INTEGER NOT NULL CONSTRAINT run_data_count_of_keys_is_not_negative    CHECK (keys >= 0),
    entries INTEGER NOT NULL CONSTRAINT run_data_count_of_entries_is_not_negative CHECK (entries >= 0)
) STRICT;

INSERT INTO run_data_count
SELECT run_seq, count(DISTINCT key), count(*)
FROM run_data
GROUP BY run_seq;

CREATE TABLE run_data_tag (
    run_seq    INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_seq, tag, key, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO run_data_tag
SELECT run_data.run_seq, tag.value, run_data.key, run_data.seq, run_data.created_at
FROM run_data
CROSS JOIN json_each(run_data.tags) AS tag
ORDER BY run_data.run_seq, tag.value, run_data.key, run_data.seq;

CREATE TABLE run_data_latest (
    run_seq    INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    entries    INTEGER NOT NULL CONSTRAINT run_data_latest_has_entries CHECK (entries >= 0),
    in_order   INTEGER NOT NULL DEFAULT TRUE CONSTRAINT in_order_is_boolean CHECK (in_order IN (0, 1)),
    PRIMARY KEY (run_seq, tag, key)
) STRICT, WITHOUT ROWID;

-- created_at is that of the row with the largest seq: https://www.sqlite.org/lang_select.html#bareagg.
INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries, in_order)
SELECT run_seq, '', key, max(seq), created_at, count(*), sum(created_at < before) = 0
FROM (
    SELECT run_seq, key, seq, created_at,
           lag(created_at, 1, created_at) OVER (PARTITION BY run_seq, key ORDER BY seq) AS before
    FROM run_data
) AS entry
GROUP BY run_seq, key;

INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries)
SELECT run_seq, tag, key, max(seq), created_at, count(*)
FROM run_data_tag
GROUP BY run_seq, tag, key;

CREATE INDEX run_data_latest_by_created_at ON run_data_latest (run_seq, created_at, seq) WHERE tag = '';

CREATE TRIGGER run_created AFTER INSERT ON run BEGIN
    INSERT INTO run_count (org_id, status, runs) VALUES (new.org_id, new.status, 1)
        ON CONFLICT (org_id, status) DO UPDATE SET runs = runs + 1;
END;

CREATE TRIGGER run_changed_status AFTER UPDATE OF status ON run WHEN old.status <> new.status BEGIN
    UPDATE run_count SET runs = runs - 1 WHERE org_id = old.org_id AND status = old.status;
    INSERT INTO run_count (org_id, status, runs) VALUES (new.org_id, new.status, 1)
        ON CONFLICT (org_id, status) DO UPDATE SET runs = runs + 1;
END;

CREATE TRIGGER run_deleted AFTER DELETE ON run BEGIN
    UPDATE run_count SET runs = runs - 1 WHERE org_id = old.org_id AND status = old.status;
    DELETE FROM run_task_count WHERE run_seq = old.seq;
    DELETE FROM run_data_count WHERE run_seq = old.seq;
END;

CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    INSERT INTO org_task_count (org_id, type)
    VALUES (new.org_id, ''), (new.org_id, new.type)
    ON CONFLICT DO NOTHING;
    UPDATE org_task_count
    SET pending   = pending + (new.status = 'pending'),
        queued    = queued + (new.status = 'queued'),
        running   = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed    = failed + (new.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying')
    WHERE org_id = new.org_id AND type IN ('', new.type);

    INSERT INTO run_task_count (run_seq, parent_task_id, type)
    VALUES (new.run_seq, '', ''), (new.run_seq, '', new.type),
           (new.run_seq, coalesce(new.parent_task_id, ''), ''),
           (new.run_seq, coalesce(new.parent_task_id, ''), new.type)
    ON CONFLICT DO NOTHING;
    UPDATE run_task_count
    SET pending   = pending + (new.status = 'pending'),
        queued    = queued + (new.status = 'queued'),
        running   = running + (new.status = 'running'),
        completed = completed + (new.status = 'completed'),
        failed    = failed + (new.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying')
    WHERE run_seq = new.run_seq AND parent_task_id IN ('', new.parent_task_id) AND type IN ('', new.type);
END;

CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE org_task_count
    SET pending   = pending + (new.status = 'pending') - (old.status = 'pending'),
        queued    = queued + (new.status = 'queued') - (old.status = 'queued'),
        running   = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed    = failed + (new.status = 'failed') - (old.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying') - (old.status = 'retrying')
    WHERE org_id = new.org_id AND type IN ('', new.type);

    UPDATE run_task_count
    SET pending   = pending + (new.status = 'pending') - (old.status = 'pending'),
        queued    = queued + (new.status = 'queued') - (old.status = 'queued'),
        running   = running + (new.status = 'running') - (old.status = 'running'),
        completed = completed + (new.status = 'completed') - (old.status = 'completed'),
        failed    = failed + (new.status = 'failed') - (old.status = 'failed'),
        cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled'),
        retrying  = retrying + (new.status = 'retrying') - (old.status = 'retrying')
    WHERE run_seq = new.run_seq AND parent_task_id IN ('', new.parent_task_id) AND type IN ('', new.type);
END;

CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    UPDATE org_task_count
    SET pending   = pending - (old.status = 'pending'),
        queued    = queued - (old.status = 'queued'),
        running   = running - (old.status = 'running'),
        completed = completed - (old.status = 'completed'),
        failed    = failed - (old.status = 'failed'),
        cancelled = cancelled - (old.status = 'cancelled'),
        retrying  = retrying - (old.status = 'retrying')
    WHERE org_id = old.org_id AND type IN ('', old.type);
    DELETE FROM org_task_count
    WHERE org_id = old.org_id AND type IN ('', old.type)
      AND pending + queued + running + completed + failed + cancelled + retrying = 0;

    UPDATE run_task_count
    SET pending   = pending - (old.status = 'pending'),
        queued    = queued - (old.status = 'queued'),
        running   = running - (old.status = 'running'),
        completed = completed - (old.status = 'completed'),
        failed    = failed - (old.status = 'failed'),
        cancelled = cancelled - (old.status = 'cancelled'),
        retrying  = retrying - (old.status = 'retrying')
    WHERE run_seq = old.run_seq AND parent_task_id IN ('', old.parent_task_id) AND type IN ('', old.type);
    DELETE FROM run_task_count
    WHERE run_seq = old.run_seq AND parent_task_id IN ('', old.parent_task_id) AND type IN ('', old.type)
      AND pending + queued + running + completed + failed + cancelled + retrying = 0;
END;

CREATE TRIGGER run_data_task_is_of_the_run BEFORE INSERT ON run_data BEGIN
    SELECT raise(ABORT, 'the task of an entry must be in its run')
    WHERE NOT EXISTS (SELECT 1 FROM task WHERE org_id = new.org_id AND id = new.task_id AND run_seq = new.run_seq);
END;

CREATE TRIGGER run_data_created AFTER INSERT ON run_data BEGIN
    INSERT INTO run_data_count (run_seq, keys, entries) VALUES (new.run_seq, 0, 1)
        ON CONFLICT (run_seq) DO UPDATE SET entries = entries + 1;

    INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries)
    VALUES (new.run_seq, '', new.key, new.seq, new.created_at, 1)
    ON CONFLICT (run_seq, tag, key) DO UPDATE
    SET entries    = entries + 1,
        in_order   = in_order AND excluded.seq > seq AND excluded.created_at >= created_at,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);

    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at FROM json_each(new.tags) AS tag;
END;

CREATE TRIGGER run_data_changed_tags AFTER UPDATE OF tags ON run_data WHEN old.tags <> new.tags BEGIN
    DELETE FROM run_data_tag
    WHERE run_seq = old.run_seq AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags));
    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag;
END;

CREATE TRIGGER run_data_deleted AFTER DELETE ON run_data BEGIN
    UPDATE run_data_count SET entries = entries - 1 WHERE run_seq = old.run_seq;

    DELETE FROM run_data_latest WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND entries = 1;
    UPDATE run_data_latest SET entries = entries - 1 WHERE run_seq = old.run_seq AND tag = '' AND key = old.key;
    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT newest.seq, newest.created_at
        FROM run_data AS newest
        WHERE newest.run_seq = old.run_seq AND newest.key = old.key
        ORDER BY newest.created_at DESC, newest.seq DESC
        LIMIT 1
    )
    WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND seq = old.seq AND in_order;
    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT newest.seq, newest.created_at
        FROM run_data AS newest
        WHERE newest.seq = (SELECT max(+seq) FROM run_data WHERE run_seq = old.run_seq AND key = old.key)
    )
    WHERE run_seq = old.run_seq AND tag = '' AND key = old.key AND seq = old.seq AND NOT in_order;

    DELETE FROM run_data_tag
    WHERE run_seq = old.run_seq AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
END;

CREATE TRIGGER run_data_key_added AFTER INSERT ON run_data_latest WHEN new.tag = '' BEGIN
    UPDATE run_data_count SET keys = keys + 1 WHERE run_seq = new.run_seq;
END;

CREATE TRIGGER run_data_key_removed AFTER DELETE ON run_data_latest WHEN old.tag = '' BEGIN
    UPDATE run_data_count SET keys = keys - 1 WHERE run_seq = old.run_seq;
END;

CREATE TRIGGER run_data_tag_added AFTER INSERT ON run_data_tag BEGIN
    INSERT INTO run_data_latest (run_seq, tag, key, seq, created_at, entries)
    VALUES (new.run_seq, new.tag, new.key, new.seq, new.created_at, 1)
    ON CONFLICT (run_seq, tag, key) DO UPDATE
    SET entries    = entries + 1,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);
END;

CREATE TRIGGER run_data_tag_removed AFTER DELETE ON run_data_tag BEGIN
    DELETE FROM run_data_latest
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key AND entries = 1;

    UPDATE run_data_latest
    SET entries = entries - 1
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key;

    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT remaining.seq, remaining.created_at
        FROM run_data_tag AS remaining
        WHERE remaining.run_seq = old.run_seq AND remaining.tag = old.tag AND remaining.key = old.key
        ORDER BY remaining.seq DESC
        LIMIT 1
    )
    WHERE run_seq = old.run_seq AND tag = old.tag AND key = old.key AND seq = old.seq;
END;
