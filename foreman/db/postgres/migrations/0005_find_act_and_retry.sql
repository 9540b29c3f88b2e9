-- Tags, names of their own and metadata to find runs and tasks by; acts; idempotency keys; expiry and use of API keys

ALTER TABLE api_key
    ADD COLUMN admin        integer NOT NULL DEFAULT 0 CONSTRAINT admin_is_boolean CHECK (admin IN (0, 1)),
    ADD COLUMN expires_at   bigint,
    ADD COLUMN last_used_at bigint;

CREATE INDEX api_key_by_org ON api_key (org_id, id);

ALTER TABLE run
    ADD COLUMN external_id text COLLATE "C" CONSTRAINT run_external_id_is_not_empty CHECK (external_id <> ''),
    ADD COLUMN tags        text COLLATE "C" CONSTRAINT run_tags_are_a_list CHECK (json_typeof(tags::json) = 'array'),
    ADD COLUMN strict      integer NOT NULL DEFAULT 0 CONSTRAINT strict_is_boolean CHECK (strict IN (0, 1));

ALTER TABLE task
    ADD COLUMN external_id text COLLATE "C" CONSTRAINT task_external_id_is_not_empty CHECK (external_id <> ''),
    ADD COLUMN tags        text COLLATE "C" CONSTRAINT task_tags_are_a_list CHECK (json_typeof(tags::json) = 'array');

CREATE UNIQUE INDEX run_by_external_id ON run (org_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX task_by_external_id ON task (org_id, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE run_tag (
    org_id     text   NOT NULL COLLATE "C",
    tag        text   NOT NULL COLLATE "C",
    created_at bigint NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (org_id, tag, created_at, seq)
);

CREATE TABLE task_tag (
    org_id     text   NOT NULL COLLATE "C",
    tag        text   NOT NULL COLLATE "C",
    created_at bigint NOT NULL,
    seq        bigint NOT NULL,
    run_seq    bigint NOT NULL,
    PRIMARY KEY (org_id, tag, created_at, seq)
);

CREATE INDEX task_tag_by_run ON task_tag (run_seq, tag, created_at, seq);

CREATE TABLE metadata_path (
    path   text    NOT NULL COLLATE "C" PRIMARY KEY CONSTRAINT metadata_path_is_not_empty CHECK (path <> ''),
    filled integer NOT NULL DEFAULT 0 CONSTRAINT filled_is_boolean CHECK (filled IN (0, 1))
);

CREATE TABLE run_metadata (
    org_id     text   NOT NULL COLLATE "C",
    path       text   NOT NULL COLLATE "C",
    value      text   NOT NULL COLLATE "C",
    created_at bigint NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (org_id, path, value, created_at, seq)
);

CREATE TABLE task_metadata (
    org_id     text   NOT NULL COLLATE "C",
    path       text   NOT NULL COLLATE "C",
    value      text   NOT NULL COLLATE "C",
    created_at bigint NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (org_id, path, value, created_at, seq)
);

CREATE FUNCTION declared_metadata(metadata text) RETURNS TABLE (path text, value text) LANGUAGE plpgsql AS $$
BEGIN
    IF metadata IS NULL OR NOT EXISTS (SELECT FROM metadata_path) THEN
        RETURN;
    END IF;
    BEGIN
        RETURN QUERY
        SELECT found.path, found.value
        FROM (
            SELECT declared.path, json_typeof(metadata::json #> names) AS type,
                   coalesce(metadata::json #>> names, 'null') AS value
            FROM metadata_path AS declared
            CROSS JOIN LATERAL string_to_array(declared.path, '.') AS names
        ) AS found
        WHERE found.type NOT IN ('object', 'array') AND length(found.value) BETWEEN 1 AND 255;
    EXCEPTION
        WHEN untranslatable_character OR invalid_text_representation THEN
            RETURN;
    END;
END $$;

CREATE FUNCTION run_labelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO run_tag (org_id, tag, created_at, seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq FROM json_each(new.tags) AS tag;
    INSERT INTO run_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, found.path, found.value, new.created_at, new.seq FROM declared_metadata(new.metadata) AS found;
    RETURN NULL;
END $$;
CREATE TRIGGER run_labelled AFTER INSERT ON run
    FOR EACH ROW WHEN (new.tags IS NOT NULL OR new.metadata IS NOT NULL) EXECUTE FUNCTION run_labelled();

CREATE FUNCTION run_labelled_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM run_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM run_metadata AS kept
    USING declared_metadata(old.metadata) AS found
    WHERE kept.org_id = old.org_id AND kept.path = found.path AND kept.value = found.value
      AND kept.created_at = old.created_at AND kept.seq = old.seq;
    INSERT INTO run_tag (org_id, tag, created_at, seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq FROM json_each(new.tags) AS tag;
    INSERT INTO run_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, found.path, found.value, new.created_at, new.seq FROM declared_metadata(new.metadata) AS found;
    RETURN NULL;
END $$;
CREATE TRIGGER run_labelled_anew AFTER UPDATE OF tags, metadata ON run
    FOR EACH ROW WHEN (
        old.tags IS DISTINCT FROM new.tags OR CAST(old.metadata AS text) IS DISTINCT FROM CAST(new.metadata AS text)
    )
    EXECUTE FUNCTION run_labelled_anew();

CREATE FUNCTION run_labelled_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM run_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM run_metadata AS kept
    USING declared_metadata(old.metadata) AS found
    WHERE kept.org_id = old.org_id AND kept.path = found.path AND kept.value = found.value
      AND kept.created_at = old.created_at AND kept.seq = old.seq;
    RETURN NULL;
END $$;
CREATE TRIGGER run_labelled_no_more AFTER DELETE ON run
    FOR EACH ROW WHEN (old.tags IS NOT NULL OR old.metadata IS NOT NULL) EXECUTE FUNCTION run_labelled_no_more();

CREATE FUNCTION task_labelled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO task_tag (org_id, tag, created_at, seq, run_seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq, new.run_seq FROM json_each(new.tags) AS tag;
    INSERT INTO task_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, found.path, found.value, new.created_at, new.seq FROM declared_metadata(new.metadata) AS found;
    RETURN NULL;
END $$;
CREATE TRIGGER task_labelled AFTER INSERT ON task
    FOR EACH ROW WHEN (new.tags IS NOT NULL OR new.metadata IS NOT NULL) EXECUTE FUNCTION task_labelled();

CREATE FUNCTION task_labelled_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM task_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM task_metadata AS kept
    USING declared_metadata(old.metadata) AS found
    WHERE kept.org_id = old.org_id AND kept.path = found.path AND kept.value = found.value
      AND kept.created_at = old.created_at AND kept.seq = old.seq;
    INSERT INTO task_tag (org_id, tag, created_at, seq, run_seq)
    SELECT new.org_id, tag.value, new.created_at, new.seq, new.run_seq FROM json_each(new.tags) AS tag;
    INSERT INTO task_metadata (org_id, path, value, created_at, seq)
    SELECT new.org_id, found.path, found.value, new.created_at, new.seq FROM declared_metadata(new.metadata) AS found;
    RETURN NULL;
END $$;
CREATE TRIGGER task_labelled_anew AFTER UPDATE OF tags, metadata ON task
    FOR EACH ROW WHEN (
        old.tags IS DISTINCT FROM new.tags OR CAST(old.metadata AS text) IS DISTINCT FROM CAST(new.metadata AS text)
    )
    EXECUTE FUNCTION task_labelled_anew();

CREATE FUNCTION task_labelled_no_more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM task_tag
    WHERE org_id = old.org_id AND created_at = old.created_at AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM task_metadata AS kept
    USING declared_metadata(old.metadata) AS found
    WHERE kept.org_id = old.org_id AND kept.path = found.path AND kept.value = found.value
      AND kept.created_at = old.created_at AND kept.seq = old.seq;
    RETURN NULL;
END $$;
CREATE TRIGGER task_labelled_no_more AFTER DELETE ON task
    FOR EACH ROW WHEN (old.tags IS NOT NULL OR old.metadata IS NOT NULL) EXECUTE FUNCTION task_labelled_no_more();

CREATE TABLE act (
    seq          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id           text   NOT NULL COLLATE "C",
    org_id       text   NOT NULL COLLATE "C",
    kind         text   NOT NULL COLLATE "C" CONSTRAINT act_kind
                     CHECK (kind IN ('cancel_tasks', 'retry_tasks', 'cancel_runs', 'retry_runs')),
    filter       text   NOT NULL COLLATE "C" CONSTRAINT act_filter_is_json CHECK (json_valid(filter)),
    expected     bigint NOT NULL,
    changed      bigint NOT NULL DEFAULT 0,
    position     text   NOT NULL DEFAULT '' COLLATE "C",
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    completed_at bigint,
    UNIQUE (org_id, id)
);

CREATE INDEX act_to_do ON act (org_id, id) WHERE completed_at IS NULL;

CREATE TABLE idempotency_key (
    seq         bigint  GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    org_id      text    NOT NULL COLLATE "C",
    request     text    NOT NULL COLLATE "C",
    content     text    NOT NULL COLLATE "C",
    status_code integer NOT NULL,
    headers     text    NOT NULL COLLATE "C",
    body        text    NOT NULL COLLATE "C",
    created_at  bigint  NOT NULL,
    UNIQUE (org_id, request)
);

DROP TRIGGER run_data_created ON run_data;

CREATE OR REPLACE FUNCTION run_data_created() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number        bigint;
    of_run        bigint;
    of_key        text;
    of_seq        bigint;
    of_time       bigint;
    of_tags       text;
    is_of_its_run boolean;
    new_keys      bigint;
BEGIN
    -- The task of an entry is in the entry's run. By now the foreign key has waited for whoever deletes tasks of the
    -- run, and this statement sees what they have done. With the OFFSET each task is looked up, and not all are read.
    SELECT (SELECT count(*) FROM created), run_seq, key, seq, created_at, tags,
           EXISTS (
               SELECT FROM task WHERE org_id = entry.org_id AND id = entry.task_id AND run_seq = entry.run_seq OFFSET 0
           )
    FROM created AS entry
    LIMIT 1
    INTO number, of_run, of_key, of_seq, of_time, of_tags, is_of_its_run;
    IF number > 1 THEN
        is_of_its_run := NOT EXISTS (
            SELECT FROM created AS entry
            WHERE NOT EXISTS (
                SELECT FROM task WHERE org_id = entry.org_id AND id = entry.task_id AND run_seq = entry.run_seq OFFSET 0
            )
        );
    END IF;
    IF NOT is_of_its_run THEN
        RAISE foreign_key_violation USING MESSAGE = 'the task of an entry must be in its run';
    END IF;

    -- xmax is 0 in a row that was inserted, not updated.
    IF number = 1 THEN
        INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
        SELECT of_run, tag.value, of_key, of_seq, of_time FROM json_each(of_tags) AS tag;

        WITH counted AS (
            INSERT INTO run_data_latest AS latest (run_seq, tag, key, seq, created_at, entries)
            SELECT of_run, tag.value, of_key, of_seq, of_time, 1
            FROM (SELECT '' AS value UNION ALL SELECT value FROM json_each(of_tags)) AS tag
            ORDER BY tag.value COLLATE "C"
            ON CONFLICT (run_seq, tag, key) DO UPDATE
            SET entries    = latest.entries + 1,
                in_order   = CASE WHEN latest.tag <> '' THEN 1
                                  WHEN excluded.seq > latest.seq AND excluded.created_at >= latest.created_at
                                      THEN latest.in_order
                                  ELSE 0
                             END,
                created_at = CASE WHEN excluded.seq > latest.seq THEN excluded.created_at ELSE latest.created_at END,
                seq        = greatest(excluded.seq, latest.seq)
            RETURNING tag, xmax = 0 AS is_new
        )
        SELECT count(*) FROM counted WHERE tag = '' AND is_new INTO new_keys;

        INSERT INTO run_data_change (run_seq, keys, entries) VALUES (of_run, new_keys, 1);
    ELSIF number > 1 THEN
        INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
        SELECT entry.run_seq, tag.value, entry.key, entry.seq, entry.created_at
        FROM created AS entry
        CROSS JOIN json_each(entry.tags) AS tag;

        -- Of a key its first entry, which shows whether the others come after what there was; of a tag all entries.
        WITH counted AS (
            INSERT INTO run_data_latest AS latest (run_seq, tag, key, seq, created_at, entries)
            SELECT run_seq, tag, key, place[1], place[2], entries
            FROM (
                SELECT run_seq, '' AS tag, key, min(ARRAY[seq, created_at]) AS place, 1 AS entries
                FROM created
                GROUP BY run_seq, key
                UNION ALL
                SELECT entry.run_seq, tag.value, entry.key, max(ARRAY[entry.seq, entry.created_at]), count(*)
                FROM created AS entry
                CROSS JOIN json_each(entry.tags) AS tag
                GROUP BY entry.run_seq, tag.value, entry.key
            ) AS kept
            ORDER BY run_seq, tag COLLATE "C", key COLLATE "C"
            ON CONFLICT (run_seq, tag, key) DO UPDATE
            SET entries    = latest.entries + excluded.entries,
                in_order   = CASE WHEN latest.tag <> '' THEN 1
                                  WHEN excluded.seq > latest.seq AND excluded.created_at >= latest.created_at
                                      THEN latest.in_order
                                  ELSE 0
                             END,
                created_at = CASE WHEN excluded.seq > latest.seq THEN excluded.created_at ELSE latest.created_at END,
                seq        = greatest(excluded.seq, latest.seq)
            RETURNING run_seq, tag, xmax = 0 AS is_new
        )
        INSERT INTO run_data_change (run_seq, keys, entries)
        SELECT run_seq, sum(keys), sum(entries)
        FROM (
            SELECT run_seq, 1 AS keys, 0 AS entries FROM counted WHERE tag = '' AND is_new
            UNION ALL
            SELECT run_seq, 0, 1 FROM created
        ) AS change
        GROUP BY run_seq;

        -- Of each key the other entries. Its row is there, and nobody else can change it.
        INSERT INTO run_data_latest AS latest (run_seq, tag, key, seq, created_at, entries, in_order)
        SELECT run_seq, '', key, place[1], place[2], entries - 1, in_order
        FROM (
            SELECT run_seq, key, max(ARRAY[seq, created_at]) AS place, count(*) AS entries,
                   min(CASE WHEN created_at < created_before THEN 0 ELSE 1 END) AS in_order
            FROM (
                SELECT run_seq, key, seq, created_at,
                       lag(created_at) OVER (PARTITION BY run_seq, key ORDER BY seq) AS created_before
                FROM created
            ) AS entry
            GROUP BY run_seq, key
        ) AS kept
        WHERE entries > 1
        ON CONFLICT (run_seq, tag, key) DO UPDATE
        SET entries    = latest.entries + excluded.entries,
            in_order   = least(latest.in_order, excluded.in_order),
            created_at = CASE WHEN excluded.seq > latest.seq THEN excluded.created_at ELSE latest.created_at END,
            seq        = greatest(excluded.seq, latest.seq);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER run_data_created AFTER INSERT ON run_data REFERENCING NEW TABLE AS created
    FOR EACH STATEMENT EXECUTE FUNCTION run_data_created();
