-- Foreman's data model on SQLite.
--
-- Conventions: ids, keys, tags and JSON are TEXT; times are INTEGER milliseconds since 1970 UTC; `seq` is the
-- order of insertion and ends every ORDER BY, because two rows can share a millisecond. `org_id` leads every key
-- and stands in every WHERE: it is the wall between organisations.
--
-- Counts are kept by triggers, so reading them costs the same however many rows there are. They live in tables of
-- their own because SQLite rewrites a whole row when one column changes, and a run's input can be megabytes.


-- Keys ---------------------------------------------------------------------------------------------------------------

-- An API key as issued. Only its SHA-256 is kept; the key itself is shown once and never stored.
CREATE TABLE api_key (
    id          TEXT    NOT NULL PRIMARY KEY,
    org_id      TEXT    NOT NULL,
    environment TEXT    NOT NULL,
    name        TEXT,
    read_only   INTEGER NOT NULL CONSTRAINT read_only_is_boolean CHECK (read_only IN (0, 1)),
    hash_prefix TEXT    NOT NULL,  -- where to look: the first 16 hexadecimal digits of the hash
    hash        TEXT    NOT NULL,  -- what is compared, in constant time: all 64 of them
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

-- Who is calling: one lookup per request.
CREATE UNIQUE INDEX api_key_by_hash_prefix ON api_key (hash_prefix);


-- Runs ---------------------------------------------------------------------------------------------------------------

CREATE TABLE run (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    org_id       TEXT    NOT NULL,
    status       TEXT    NOT NULL CONSTRAINT run_status CHECK (status IN (
                     'pending',    -- as created
                     'running',    -- work has begun: sets started_at the first time
                     'completed',  -- ended well:     sets completed_at
                     'failed',     -- ended badly:    sets completed_at
                     'cancelled'   -- given up:       sets completed_at
                 )),
    input_data   TEXT    NOT NULL CONSTRAINT run_input_is_json    CHECK (json_valid(input_data)),
    output_data  TEXT             CONSTRAINT run_output_is_json   CHECK (output_data IS NULL OR json_valid(output_data)),
    error_data   TEXT             CONSTRAINT run_error_is_json    CHECK (error_data IS NULL OR json_valid(error_data)),
    metadata     TEXT             CONSTRAINT run_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    started_at   INTEGER,
    completed_at INTEGER,

    CONSTRAINT run_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id)
) STRICT;

-- The list of runs in each order, and in each order narrowed to one status.
CREATE INDEX run_by_created_at              ON run (org_id, created_at);
CREATE INDEX run_by_updated_at              ON run (org_id, updated_at);
CREATE INDEX run_by_started_at              ON run (org_id, started_at);
CREATE INDEX run_by_completed_at            ON run (org_id, completed_at);
CREATE INDEX run_by_status_and_created_at   ON run (org_id, status, created_at);
CREATE INDEX run_by_status_and_updated_at   ON run (org_id, status, updated_at);
CREATE INDEX run_by_status_and_started_at   ON run (org_id, status, started_at);
CREATE INDEX run_by_status_and_completed_at ON run (org_id, status, completed_at);

-- How many runs an organisation has in each status: the `total` of every list of runs.
CREATE TABLE run_count (
    org_id TEXT    NOT NULL,
    status TEXT    NOT NULL,
    runs   INTEGER NOT NULL CONSTRAINT run_count_is_not_negative CHECK (runs >= 0),
    PRIMARY KEY (org_id, status)
) STRICT, WITHOUT ROWID;

-- What is inside each run: the counters of the run object, and the totals of its unfiltered run data.
CREATE TABLE run_tally (
    org_id          TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    total_tasks     INTEGER NOT NULL DEFAULT 0,
    completed_tasks INTEGER NOT NULL DEFAULT 0,
    failed_tasks    INTEGER NOT NULL DEFAULT 0,
    data_keys       INTEGER NOT NULL DEFAULT 0,
    data_entries    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, run_id),
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_created AFTER INSERT ON run BEGIN
    INSERT INTO run_tally (org_id, run_id) VALUES (new.org_id, new.id);
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
END;


-- Tasks --------------------------------------------------------------------------------------------------------------

CREATE TABLE task (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    org_id         TEXT    NOT NULL,
    run_id         TEXT    NOT NULL,
    parent_task_id TEXT,
    type           TEXT    NOT NULL CONSTRAINT task_type_is_not_empty CHECK (type <> ''),
    status         TEXT    NOT NULL CONSTRAINT task_status CHECK (status IN (
                       'pending',    -- as created
                       'queued',     -- handed to a queue:  sets queued_at the first time
                       'running',    -- a worker has begun: sets started_at the first time
                       'completed',  -- ended well:         sets completed_at
                       'failed',     -- ended badly:        sets completed_at
                       'cancelled',  -- given up:           sets completed_at
                       'retrying'    -- to be tried again:  adds one to retry_count
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
    UNIQUE (org_id, run_id, id),  -- what a child task and run data refer to: a task of the same run
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, run_id, parent_task_id) REFERENCES task (org_id, run_id, id) ON DELETE CASCADE
) STRICT;

-- The list of an organisation's tasks in each order.
CREATE INDEX task_by_created_at   ON task (org_id, created_at);
CREATE INDEX task_by_updated_at   ON task (org_id, updated_at);
CREATE INDEX task_by_started_at   ON task (org_id, started_at);
CREATE INDEX task_by_completed_at ON task (org_id, completed_at);

-- The lists of tasks by status, type and run, and of one task's children. A list that is not narrowed by status is
-- merged from those of all statuses.
CREATE INDEX task_by_status          ON task (org_id, status, created_at);
CREATE INDEX task_by_type            ON task (org_id, type, status, created_at);
CREATE INDEX task_by_run             ON task (org_id, run_id, status, created_at);
CREATE INDEX task_by_run_and_type    ON task (org_id, run_id, type, status, created_at);
CREATE INDEX task_by_parent          ON task (org_id, parent_task_id, created_at) WHERE parent_task_id IS NOT NULL;

-- How many tasks there are, by status and type, in each scope: the `total` of every list of tasks.
-- The scope is a run's id, a parent task's id, or '' for the whole organisation; type '' counts all types.
CREATE TABLE task_count (
    org_id   TEXT    NOT NULL,
    scope_id TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    tasks    INTEGER NOT NULL CONSTRAINT task_count_is_not_negative CHECK (tasks >= 0),
    PRIMARY KEY (org_id, scope_id, type, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER task_created AFTER INSERT ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks + 1,
        completed_tasks = completed_tasks + (new.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed')
    WHERE org_id = new.org_id AND run_id = new.run_id;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;

CREATE TRIGGER task_changed_status AFTER UPDATE OF status ON task WHEN old.status <> new.status BEGIN
    UPDATE run_tally
    SET completed_tasks = completed_tasks + (new.status = 'completed') - (old.status = 'completed'),
        failed_tasks    = failed_tasks + (new.status = 'failed') - (old.status = 'failed')
    WHERE org_id = new.org_id AND run_id = new.run_id
      AND (new.status IN ('completed', 'failed') OR old.status IN ('completed', 'failed'));

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    VALUES (new.org_id, '', '', new.status, 1),
           (new.org_id, '', new.type, new.status, 1),
           (new.org_id, new.run_id, '', new.status, 1),
           (new.org_id, new.run_id, new.type, new.status, 1)
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
    INSERT INTO task_count (org_id, scope_id, type, status, tasks)
    SELECT new.org_id, new.parent_task_id, '', new.status, 1 WHERE new.parent_task_id IS NOT NULL
    UNION ALL
    SELECT new.org_id, new.parent_task_id, new.type, new.status, 1 WHERE new.parent_task_id IS NOT NULL
    ON CONFLICT (org_id, scope_id, type, status) DO UPDATE SET tasks = tasks + 1;
END;

CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    UPDATE run_tally
    SET total_tasks     = total_tasks - 1,
        completed_tasks = completed_tasks - (old.status = 'completed'),
        failed_tasks    = failed_tasks - (old.status = 'failed')
    WHERE org_id = old.org_id AND run_id = old.run_id;

    UPDATE task_count SET tasks = tasks - 1
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND status = old.status;

    DELETE FROM task_count
    WHERE org_id = old.org_id AND scope_id IN ('', old.run_id, old.parent_task_id) AND type IN ('', old.type)
      AND tasks = 0;
END;


-- Run data -----------------------------------------------------------------------------------------------------------

CREATE TABLE run_data (
    seq        INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL,
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    task_id    TEXT    NOT NULL,
    key        TEXT    NOT NULL CONSTRAINT run_data_key_is_not_empty CHECK (key <> ''),
    value      TEXT    NOT NULL CONSTRAINT run_data_value_is_json    CHECK (json_valid(value)),
    tags       TEXT    NOT NULL CONSTRAINT run_data_tags_are_a_list  CHECK (json_type(tags) = 'array'),
    metadata   TEXT             CONSTRAINT run_data_metadata_is_json CHECK (metadata IS NULL OR json_valid(metadata)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,

    UNIQUE (org_id, run_id, id),
    FOREIGN KEY (org_id, run_id) REFERENCES run (org_id, id) ON DELETE CASCADE,
    FOREIGN KEY (org_id, run_id, task_id) REFERENCES task (org_id, run_id, id) ON DELETE CASCADE
) STRICT;

-- All entries of a run in either order of time.
CREATE INDEX run_data_by_created_at ON run_data (org_id, run_id, created_at);
CREATE INDEX run_data_by_updated_at ON run_data (org_id, run_id, updated_at);

-- How entries are found: a row for each tag of an entry, and one with the tag '' that every entry has. The tags in
-- run_data.tags are the truth, in the order given; these rows follow them.
CREATE TABLE run_data_tag (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, run_id, tag, key, seq)
) STRICT, WITHOUT ROWID;

-- All entries of one key in order of time.
CREATE INDEX run_data_key_by_created_at ON run_data_tag (org_id, run_id, key, created_at, seq) WHERE tag = '';

-- The newest entry of each key under each tag (and under '': of all), and how many entries there are.
CREATE TABLE run_data_latest (
    org_id     TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    entries    INTEGER NOT NULL CONSTRAINT run_data_latest_has_entries CHECK (entries >= 0),
    PRIMARY KEY (org_id, run_id, tag, key)
) STRICT, WITHOUT ROWID;

-- The newest entry of every key of a run in order of time: what a query without filters answers.
CREATE INDEX run_data_latest_by_created_at ON run_data_latest (org_id, run_id, created_at, seq) WHERE tag = '';

CREATE TRIGGER run_data_created AFTER INSERT ON run_data BEGIN
    UPDATE run_tally SET data_entries = data_entries + 1 WHERE org_id = new.org_id AND run_id = new.run_id;
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    VALUES (new.org_id, new.run_id, '', new.key, new.seq, new.created_at);
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    SELECT new.org_id, new.run_id, tag.value, new.key, new.seq, new.created_at FROM json_each(new.tags) AS tag;
END;

CREATE TRIGGER run_data_changed_tags AFTER UPDATE OF tags ON run_data WHEN old.tags <> new.tags BEGIN
    DELETE FROM run_data_tag
    WHERE org_id = old.org_id AND run_id = old.run_id AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags));
    INSERT INTO run_data_tag (org_id, run_id, tag, key, seq, created_at)
    SELECT new.org_id, new.run_id, tag.value, new.key, new.seq, new.created_at
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag;
END;

CREATE TRIGGER run_data_deleted AFTER DELETE ON run_data BEGIN
    UPDATE run_tally SET data_entries = data_entries - 1 WHERE org_id = old.org_id AND run_id = old.run_id;
    DELETE FROM run_data_tag
    WHERE org_id = old.org_id AND run_id = old.run_id AND key = old.key AND seq = old.seq
      AND tag IN (SELECT '' UNION ALL SELECT value FROM json_each(old.tags));
END;

CREATE TRIGGER run_data_tag_added AFTER INSERT ON run_data_tag BEGIN
    INSERT INTO run_data_latest (org_id, run_id, tag, key, seq, created_at, entries)
    VALUES (new.org_id, new.run_id, new.tag, new.key, new.seq, new.created_at, 1)
    ON CONFLICT (org_id, run_id, tag, key) DO UPDATE
    SET entries    = entries + 1,
        created_at = iif(excluded.seq > seq, excluded.created_at, created_at),
        seq        = max(excluded.seq, seq);
END;

CREATE TRIGGER run_data_tag_removed AFTER DELETE ON run_data_tag BEGIN
    DELETE FROM run_data_latest
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key AND entries = 1;

    UPDATE run_data_latest
    SET entries = entries - 1
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key;

    UPDATE run_data_latest
    SET (seq, created_at) = (
        SELECT remaining.seq, remaining.created_at
        FROM run_data_tag AS remaining
        WHERE remaining.org_id = old.org_id AND remaining.run_id = old.run_id
          AND remaining.tag = old.tag AND remaining.key = old.key
        ORDER BY remaining.seq DESC
        LIMIT 1
    )
    WHERE org_id = old.org_id AND run_id = old.run_id AND tag = old.tag AND key = old.key AND seq = old.seq;
END;

CREATE TRIGGER run_data_key_added AFTER INSERT ON run_data_latest WHEN new.tag = '' BEGIN
    UPDATE run_tally SET data_keys = data_keys + 1 WHERE org_id = new.org_id AND run_id = new.run_id;
END;

CREATE TRIGGER run_data_key_removed AFTER DELETE ON run_data_latest WHEN old.tag = '' BEGIN
    UPDATE run_tally SET data_keys = data_keys - 1 WHERE org_id = old.org_id AND run_id = old.run_id;
END;
