-- Foreman's data model on SQLite.
--
-- Conventions: ids, keys, tags and JSON are TEXT; times are INTEGER milliseconds since 1970 UTC; `seq` is the
-- order of insertion and ends every ORDER BY, because two rows can share a millisecond. `org_id` isolates organisations
-- from each other: it leads the keys of runs, of tasks, and of the counts of an organisation.
--
-- What belongs to a run also has the run's `seq`, and is found by that, because it is short and stands in every index
-- entry. A statement never gets that `seq` from a client, but looks it up by `org_id` and the run's id.
--
-- Counts are maintained by triggers, so reading them costs the same however many rows there are. They are in tables of
-- their own, because SQLite rewrites a whole row when one column changes, and a run's input can be megabytes.
--
-- Every b-tree that a write touches costs a page of 4 KiB in the write-ahead log, for each commit. So no order is kept
-- that can be merged from others, and no row is in an index on a time that it does not have yet.
--
-- This is the newest version of the schema. Every change to it also needs a file in foreman/db/migrations/.


-- The file -----------------------------------------------------------------------------------------------------------

-- The history of schema versions: when the database got each, and from which version of Foreman. The newest equals
-- PRAGMA user_version. Version 1 has no row, because it did not have this table.
CREATE TABLE schema_migration (
    version         INTEGER NOT NULL PRIMARY KEY,
    applied_at      INTEGER NOT NULL,
    foreman_version TEXT    NOT NULL
) STRICT;


-- Keys ---------------------------------------------------------------------------------------------------------------

-- An API key as issued. Only its SHA-256 is kept; the key itself is shown once and never stored.
CREATE TABLE api_key (
    id           TEXT    NOT NULL PRIMARY KEY,
    org_id       TEXT    NOT NULL,
    environment  TEXT    NOT NULL,
    name         TEXT,
    read_only    INTEGER NOT NULL CONSTRAINT read_only_is_boolean CHECK (read_only IN (0, 1)),
    hash_prefix  TEXT    NOT NULL,  -- where to look: the first 16 hexadecimal digits of the hash
    hash         TEXT    NOT NULL,  -- what is compared, in constant time: all 64 of them
    created_at   INTEGER NOT NULL,
    revoked_at   INTEGER,
    admin        INTEGER NOT NULL DEFAULT 0 CONSTRAINT admin_is_boolean CHECK (admin IN (0, 1)),  -- may manage keys
    expires_at   INTEGER,           -- from then on it is refused
    last_used_at INTEGER            -- noted now and then, not with each request
) STRICT, WITHOUT ROWID;

-- Authentication: one lookup per request.
CREATE UNIQUE INDEX api_key_by_hash_prefix ON api_key (hash_prefix);

-- An organisation's keys, oldest first.
CREATE INDEX api_key_by_org ON api_key (org_id, id);


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
    external_id  TEXT             CONSTRAINT run_external_id_is_not_empty CHECK (external_id <> ''),  -- the client's name
    tags         TEXT             CONSTRAINT run_tags_are_a_list CHECK (tags IS NULL OR json_type(tags) = 'array'),
    strict       INTEGER NOT NULL DEFAULT 0 CONSTRAINT strict_is_boolean CHECK (strict IN (0, 1)),  -- ended for good

    CONSTRAINT run_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id)
) STRICT;

-- The lists of runs with one status, in each sort order. Those with several are merged from them. Runs that have
-- not started or not ended come last, in order of creation.
CREATE INDEX run_by_created_at   ON run (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX run_by_updated_at   ON run (org_id, status, updated_at);
CREATE INDEX run_by_started_at   ON run (org_id, status, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX run_by_completed_at ON run (org_id, status, completed_at) WHERE completed_at IS NOT NULL;

-- The run that a client calls by a name of its own, which no other run of the organisation has.
CREATE UNIQUE INDEX run_by_external_id ON run (org_id, external_id) WHERE external_id IS NOT NULL;

-- How many runs an organisation has in each status: the `total` of every list of runs.
CREATE TABLE run_count (
    org_id TEXT    NOT NULL,
    status TEXT    NOT NULL,
    runs   INTEGER NOT NULL CONSTRAINT run_count_is_not_negative CHECK (runs >= 0),
    PRIMARY KEY (org_id, status)
) STRICT, WITHOUT ROWID;

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


-- Tasks --------------------------------------------------------------------------------------------------------------

CREATE TABLE task (
    seq            INTEGER PRIMARY KEY,
    id             TEXT    NOT NULL,
    org_id         TEXT    NOT NULL,
    run_seq        INTEGER NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
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
    external_id    TEXT             CONSTRAINT task_external_id_is_not_empty CHECK (external_id <> ''),  -- the client's name
    tags           TEXT             CONSTRAINT task_tags_are_a_list CHECK (tags IS NULL OR json_type(tags) = 'array'),

    CONSTRAINT task_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, parent_task_id) REFERENCES task (org_id, id) ON DELETE CASCADE
) STRICT;

-- The list of an organisation's tasks by each time but that of creation, which is merged from the lists by status. Tasks
-- that have not started or not ended come last, in order of creation.
CREATE INDEX task_by_updated_at   ON task (org_id, updated_at);
CREATE INDEX task_by_started_at   ON task (org_id, started_at)   WHERE started_at IS NOT NULL;
CREATE INDEX task_by_completed_at ON task (org_id, completed_at) WHERE completed_at IS NOT NULL;

-- The lists of tasks by status, type and run, and of one task's children. A list without a filter on status is merged
-- from those of all statuses.
CREATE INDEX task_by_status       ON task (org_id, status, (started_at IS NULL), created_at);
CREATE INDEX task_by_type         ON task (org_id, type, status, created_at);
CREATE INDEX task_by_run          ON task (run_seq, status, created_at);
CREATE INDEX task_by_run_and_type ON task (run_seq, type, status, created_at);
CREATE INDEX task_by_parent       ON task (org_id, parent_task_id, created_at) WHERE parent_task_id IS NOT NULL;

-- The task that a client calls by a name of its own, which no other task of the organisation has.
CREATE UNIQUE INDEX task_by_external_id ON task (org_id, external_id) WHERE external_id IS NOT NULL;

-- How many tasks an organisation has in each status: the `total` of every list of its tasks. Type '' counts all types.
-- A missing row means 0.
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

-- The same in a run: a run's counters, and the `total` of lists of its tasks and of a task's children. Parent '' counts
-- all tasks of the run.
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


-- Tags and metadata of runs and tasks --------------------------------------------------------------------------------

-- How runs and tasks are found by tag: a row for each tag. The column `tags` is authoritative, and has the tags in the
-- order given. These rows are derived from it.
CREATE TABLE run_tag (
    org_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (org_id, tag, created_at, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_tag (
    org_id     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    run_seq    INTEGER NOT NULL,
    PRIMARY KEY (org_id, tag, created_at, seq)
) STRICT, WITHOUT ROWID;

-- The tasks of one run with a tag.
CREATE INDEX task_tag_by_run ON task_tag (run_seq, tag, created_at, seq);

-- The paths in `metadata` by which runs and tasks are found, such as customer.region: those of the setting
-- FOREMAN_METADATA_PATHS.
CREATE TABLE metadata_path (
    path   TEXT    NOT NULL PRIMARY KEY CONSTRAINT metadata_path_is_not_empty CHECK (path <> ''),
    filled INTEGER NOT NULL DEFAULT 0 CONSTRAINT filled_is_boolean CHECK (filled IN (0, 1))  -- whether all rows are found by it
) STRICT, WITHOUT ROWID;

-- What is at these paths, if it is a text, a number, true, false or null, of at most 255 characters: a text as it
-- reads, all else as its JSON. These rows are derived from `metadata`.
CREATE TABLE run_metadata (
    org_id     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (org_id, path, value, created_at, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_metadata (
    org_id     TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    PRIMARY KEY (org_id, path, value, created_at, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER run_labelled AFTER INSERT ON run WHEN new.tags IS NOT NULL OR new.metadata IS NOT NULL BEGIN
    INSERT INTO run_tag (org_id, tag, created_at, seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq FROM json_each(new.tags) AS tag;
    INSERT INTO run_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, path,
           CASE json_type(new.metadata, at)
               WHEN 'text' THEN new.metadata ->> at
               ELSE new.metadata -> at
           END AS value,
           new.created_at, new.seq
    FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
    WHERE json_type(new.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
      AND instr(replace(new.metadata -> at, '\\', ''), '\u0000') = 0;
END;

CREATE TRIGGER run_labelled_anew AFTER UPDATE OF tags, metadata ON run
WHEN old.tags IS NOT new.tags OR old.metadata IS NOT new.metadata BEGIN
    DELETE FROM run_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM run_metadata
    WHERE (org_id, path, value, created_at, seq) IN (
        SELECT old.org_id, path,
               CASE json_type(old.metadata, at)
                   WHEN 'text' THEN old.metadata ->> at
                   ELSE old.metadata -> at
               END AS value,
               old.created_at, old.seq
        FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
        WHERE json_type(old.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
          AND instr(replace(old.metadata -> at, '\\', ''), '\u0000') = 0
    );
    INSERT INTO run_tag (org_id, tag, created_at, seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq FROM json_each(new.tags) AS tag;
    INSERT INTO run_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, path,
           CASE json_type(new.metadata, at)
               WHEN 'text' THEN new.metadata ->> at
               ELSE new.metadata -> at
           END AS value,
           new.created_at, new.seq
    FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
    WHERE json_type(new.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
      AND instr(replace(new.metadata -> at, '\\', ''), '\u0000') = 0;
END;

CREATE TRIGGER run_labelled_no_more AFTER DELETE ON run WHEN old.tags IS NOT NULL OR old.metadata IS NOT NULL BEGIN
    DELETE FROM run_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM run_metadata
    WHERE (org_id, path, value, created_at, seq) IN (
        SELECT old.org_id, path,
               CASE json_type(old.metadata, at)
                   WHEN 'text' THEN old.metadata ->> at
                   ELSE old.metadata -> at
               END AS value,
               old.created_at, old.seq
        FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
        WHERE json_type(old.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
          AND instr(replace(old.metadata -> at, '\\', ''), '\u0000') = 0
    );
END;

CREATE TRIGGER task_labelled AFTER INSERT ON task WHEN new.tags IS NOT NULL OR new.metadata IS NOT NULL BEGIN
    INSERT INTO task_tag (org_id, tag, created_at, seq, run_seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq, new.run_seq FROM json_each(new.tags) AS tag;
    INSERT INTO task_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, path,
           CASE json_type(new.metadata, at)
               WHEN 'text' THEN new.metadata ->> at
               ELSE new.metadata -> at
           END AS value,
           new.created_at, new.seq
    FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
    WHERE json_type(new.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
      AND instr(replace(new.metadata -> at, '\\', ''), '\u0000') = 0;
END;

CREATE TRIGGER task_labelled_anew AFTER UPDATE OF tags, metadata ON task
WHEN old.tags IS NOT new.tags OR old.metadata IS NOT new.metadata BEGIN
    DELETE FROM task_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM task_metadata
    WHERE (org_id, path, value, created_at, seq) IN (
        SELECT old.org_id, path,
               CASE json_type(old.metadata, at)
                   WHEN 'text' THEN old.metadata ->> at
                   ELSE old.metadata -> at
               END AS value,
               old.created_at, old.seq
        FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
        WHERE json_type(old.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
          AND instr(replace(old.metadata -> at, '\\', ''), '\u0000') = 0
    );
    INSERT INTO task_tag (org_id, tag, created_at, seq, run_seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq, new.run_seq FROM json_each(new.tags) AS tag;
    INSERT INTO task_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, path,
           CASE json_type(new.metadata, at)
               WHEN 'text' THEN new.metadata ->> at
               ELSE new.metadata -> at
           END AS value,
           new.created_at, new.seq
    FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
    WHERE json_type(new.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
      AND instr(replace(new.metadata -> at, '\\', ''), '\u0000') = 0;
END;

CREATE TRIGGER task_labelled_no_more AFTER DELETE ON task WHEN old.tags IS NOT NULL OR old.metadata IS NOT NULL BEGIN
    DELETE FROM task_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM task_metadata
    WHERE (org_id, path, value, created_at, seq) IN (
        SELECT old.org_id, path,
               CASE json_type(old.metadata, at)
                   WHEN 'text' THEN old.metadata ->> at
                   ELSE old.metadata -> at
               END AS value,
               old.created_at, old.seq
        FROM (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
        WHERE json_type(old.metadata, at) NOT IN ('object', 'array') AND length(value) BETWEEN 1 AND 255
          AND instr(replace(old.metadata -> at, '\\', ''), '\u0000') = 0
    );
END;


-- Run data -----------------------------------------------------------------------------------------------------------

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

-- The task of an entry is in the entry's run. A foreign key would look for the entries of every task that is deleted.
-- Tasks are only deleted after the entries of their run.
CREATE TRIGGER run_data_task_is_of_the_run BEFORE INSERT ON run_data BEGIN
    SELECT raise(ABORT, 'the task of an entry must be in its run')
    WHERE NOT EXISTS (SELECT 1 FROM task WHERE org_id = new.org_id AND id = new.task_id AND run_seq = new.run_seq);
END;

-- All entries of a run by creation, and those with one key.
CREATE INDEX run_data_by_created_at ON run_data (run_seq, (updated_at = created_at), created_at);
CREATE INDEX run_data_by_key        ON run_data (run_seq, key, created_at);

-- All entries of a run by last update: merged with those that were never updated, by creation.
CREATE INDEX run_data_by_updated_at ON run_data (run_seq, updated_at) WHERE updated_at <> created_at;

-- How many keys and entries a run has: the `total` of queries without filters. A missing row means 0.
CREATE TABLE run_data_count (
    run_seq INTEGER NOT NULL PRIMARY KEY,
    keys    INTEGER NOT NULL CONSTRAINT run_data_count_of_keys_is_not_negative    CHECK (keys >= 0),
    entries INTEGER NOT NULL CONSTRAINT run_data_count_of_entries_is_not_negative CHECK (entries >= 0)
) STRICT;

-- How entries are found by tag: a row for each tag of an entry. run_data.tags is authoritative, and has the tags in the
-- order given. These rows are derived from it.
CREATE TABLE run_data_tag (
    run_seq    INTEGER NOT NULL,
    tag        TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run_seq, tag, key, seq)
) STRICT, WITHOUT ROWID;

-- The newest entry of each key, and how many entries the key has: of all entries under the tag '', and under each tag.
-- A key of all entries is in_order until the clock is set back between two of its entries: then, until none is left, the
-- order of creation is not that of insertion. While it is, the newest entry that is left after a deletion is the last by
-- creation. Else all entries of the key are read for it. Under a tag, in_order is always 1.
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

-- The newest entry of every key of a run, by creation: what a query without filters returns.
CREATE INDEX run_data_latest_by_created_at ON run_data_latest (run_seq, created_at, seq) WHERE tag = '';

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
    -- The plus: else SQLite might look for the key in all entries, newest first.
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


-- Acts ---------------------------------------------------------------------------------------------------------------

-- What is done to all tasks, or all runs, that meet a filter: in short turns, in the order of their creation, by a server
-- in the background. What is created after the act has a greater seq, and is left alone.
CREATE TABLE act (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    org_id       TEXT    NOT NULL,
    kind         TEXT    NOT NULL CONSTRAINT act_kind CHECK (kind IN (
                     'cancel_tasks', 'retry_tasks', 'cancel_runs', 'retry_runs'
                 )),
    filter       TEXT    NOT NULL CONSTRAINT act_filter_is_json CHECK (json_valid(filter)),
    expected     INTEGER NOT NULL,            -- how many met the filter when it was asked for
    changed      INTEGER NOT NULL DEFAULT 0,  -- how many it has changed so far
    position     TEXT    NOT NULL DEFAULT '', -- how far it is: foreman/api/acts/steps.py
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    completed_at INTEGER,
    UNIQUE (org_id, id)
) STRICT;

-- An organisation's acts that are not completed: they are counted, listed and carried out.
CREATE INDEX act_to_do ON act (org_id, id) WHERE completed_at IS NULL;

-- The greatest seq is given again once its row is deleted: no act may take what is created then for what was there before.
CREATE TRIGGER run_seq_is_free AFTER DELETE ON run
WHEN old.seq > coalesce((SELECT max(seq) FROM run), 0) BEGIN
    UPDATE act
    SET position = json_set(position, '$[0]', coalesce((SELECT max(seq) FROM run), 0))
    WHERE completed_at IS NULL AND kind IN ('cancel_runs', 'retry_runs')
      AND CASE WHEN json_valid(position) THEN json_extract(position, '$[0]') END > coalesce((SELECT max(seq) FROM run), 0);
END;

CREATE TRIGGER task_seq_is_free AFTER DELETE ON task
WHEN old.seq > coalesce((SELECT max(seq) FROM task), 0) BEGIN
    UPDATE act
    SET position = json_set(position, '$[0]', coalesce((SELECT max(seq) FROM task), 0))
    WHERE completed_at IS NULL AND kind IN ('cancel_tasks', 'retry_tasks')
      AND CASE WHEN json_valid(position) THEN json_extract(position, '$[0]') END > coalesce((SELECT max(seq) FROM task), 0);
END;


-- Idempotency keys ---------------------------------------------------------------------------------------------------

-- The first response to each request with an Idempotency-Key, to be given again. It is stored in the transaction of
-- what the request did.
CREATE TABLE idempotency_key (
    seq         INTEGER PRIMARY KEY,
    org_id      TEXT    NOT NULL,
    request     TEXT    NOT NULL,  -- a hash of the key, the method and the path
    content     TEXT    NOT NULL,  -- the SHA-256 of the query and the body, in hexadecimal digits
    status_code INTEGER NOT NULL,
    headers     TEXT    NOT NULL,  -- those of the response that depend on the request: a JSON object
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (org_id, request)
) STRICT;
