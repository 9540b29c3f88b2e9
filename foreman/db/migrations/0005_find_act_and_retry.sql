-- Tags, names of their own and metadata to find runs and tasks by; acts; idempotency keys; expiry and use of API keys

ALTER TABLE api_key ADD COLUMN admin INTEGER NOT NULL DEFAULT 0 CONSTRAINT admin_is_boolean CHECK (admin IN (0, 1));
ALTER TABLE api_key ADD COLUMN expires_at INTEGER;
ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

CREATE INDEX api_key_by_org ON api_key (org_id, id);

ALTER TABLE run ADD COLUMN external_id TEXT CONSTRAINT run_external_id_is_not_empty CHECK (external_id <> '');
ALTER TABLE run ADD COLUMN tags TEXT CONSTRAINT run_tags_are_a_list CHECK (tags IS NULL OR json_type(tags) = 'array');
ALTER TABLE run ADD COLUMN strict INTEGER NOT NULL DEFAULT 0 CONSTRAINT strict_is_boolean CHECK (strict IN (0, 1));
ALTER TABLE task ADD COLUMN external_id TEXT CONSTRAINT task_external_id_is_not_empty CHECK (external_id <> '');
ALTER TABLE task ADD COLUMN tags TEXT CONSTRAINT task_tags_are_a_list CHECK (tags IS NULL OR json_type(tags) = 'array');

CREATE UNIQUE INDEX run_by_external_id ON run (org_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX task_by_external_id ON task (org_id, external_id) WHERE external_id IS NOT NULL;

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

CREATE INDEX task_tag_by_run ON task_tag (run_seq, tag, created_at, seq);

CREATE TABLE metadata_path (
    path   TEXT    NOT NULL PRIMARY KEY CONSTRAINT metadata_path_is_not_empty CHECK (path <> ''),
    filled INTEGER NOT NULL DEFAULT 0 CONSTRAINT filled_is_boolean CHECK (filled IN (0, 1))
) STRICT, WITHOUT ROWID;

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

CREATE TABLE act (
    seq          INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL,
    org_id       TEXT    NOT NULL,
    kind         TEXT    NOT NULL CONSTRAINT act_kind CHECK (kind IN (
                     'cancel_tasks', 'retry_tasks', 'cancel_runs', 'retry_runs'
                 )),
    filter       TEXT    NOT NULL CONSTRAINT act_filter_is_json CHECK (json_valid(filter)),
    expected     INTEGER NOT NULL,
    changed      INTEGER NOT NULL DEFAULT 0,
    position     TEXT    NOT NULL DEFAULT '',
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    completed_at INTEGER,
    UNIQUE (org_id, id)
) STRICT;

CREATE INDEX act_to_do ON act (org_id, id) WHERE completed_at IS NULL;

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

CREATE TABLE idempotency_key (
    seq         INTEGER PRIMARY KEY,
    org_id      TEXT    NOT NULL,
    request     TEXT    NOT NULL,
    content     TEXT    NOT NULL,
    status_code INTEGER NOT NULL,
    headers     TEXT    NOT NULL,
    body        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    UNIQUE (org_id, request)
) STRICT;
