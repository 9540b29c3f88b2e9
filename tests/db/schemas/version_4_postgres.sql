-- Functions that SQLite has and PostgreSQL lacks, so that both understand the same statements.
--
-- Before PostgreSQL plans a statement, it puts the bodies in place of the calls and works out what is constant. It can
-- do that because each body is one expression or SELECT, and no function is STRICT or sets a parameter. What is named
-- in such a body is looked up once, when the function is created.
--
-- JSON is parsed as type `json`: `jsonb` refuses some that is valid, such as "\u0000".


-- Globs --------------------------------------------------------------------------------------------------------------

-- A pattern for LIKE. What a glob matches, this matches; where LIKE lacks a word, it takes any character.
CREATE FUNCTION glob_like(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(
    replace(replace(replace(
        regexp_replace(pattern, '\[\^?.[^]]*\]|[\uFFFD-\uFFFF]', '?', 'g'),
        '\', '\\'), '%', '\%'), '_', '\_'),
    '*?', '%_'
);

-- A regular expression that matches what a glob does (https://sqlite.org/lang_expr.html#glob). In a set [...] come `^`
-- to negate it, `]` as its first member, then members and ranges. What begins a range is a member, even of an empty
-- range such as [z-a]. A set that is not closed matches nothing. SQLite takes U+FFFE and U+FFFF for U+FFFD.
--
-- This takes as long as hundreds of matches, so it is done once for each parameter: see `_GLOB` in statements.py.
CREATE FUNCTION glob_regex(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 100000
RETURN (
    SELECT CASE WHEN bool_or(wild IS NULL AND opening IS NULL AND plain IS NULL)
        THEN '$.'  -- never: something after the end
        ELSE '^' || string_agg(
            CASE
                WHEN wild IS NOT NULL
                    THEN repeat('.', length(replace(wild, '*', '')))
                        || CASE WHEN strpos(wild, '*') > 0 THEN '.*' ELSE '' END
                WHEN opening IS NOT NULL
                    THEN opening || (
                        SELECT string_agg(
                            '\U' || lpad(to_hex(CASE WHEN low IN (65534, 65535) THEN 65533 ELSE low END), 8, '0')
                            || '-\U' || lpad(to_hex(CASE WHEN high IN (65533, 65534) THEN 65535 ELSE high END), 8, '0'),
                            ''
                        )
                        FROM regexp_matches(members, '([^]])-(.)|(.)', 'g') AS member (part)
                        CROSS JOIN LATERAL ascii(coalesce(member.part[1], member.part[3])) AS low
                        CROSS JOIN LATERAL greatest(low, ascii(member.part[2])) AS high
                    ) || ']'
                ELSE
                    regexp_replace(
                        regexp_replace(plain, '[][\\^$.|?*+(){}]', '\\\&', 'g'),
                        '[\uFFFD-\uFFFF]', '[\\uFFFD-\\uFFFF]', 'g'
                    )
            END,
            '' ORDER BY nth
        ) || CASE WHEN pattern ~ '\*\?*$' THEN '' ELSE '$' END
    END
    FROM (
        SELECT found.part[1] AS wild, found.part[2] AS opening, found.part[3] AS members, found.part[4] AS plain, nth
        FROM regexp_matches(
            pattern, '([*?]+)|(\[\^|\[(?!\^))(.[^]]*)\]|([^[*?]+)|\[', 'g'
        ) WITH ORDINALITY AS found (part, nth)
    ) AS piece
);

-- GLOB. LIKE takes a tenth of the time of a regular expression: it goes first, and is alone if there are no sets.
CREATE FUNCTION glob(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value COLLATE "C" LIKE glob_like(pattern)
    AND (pattern !~ '[[\uFFFD-\uFFFF]' OR regexp_like(value COLLATE "C", glob_regex(pattern)));


-- Lists --------------------------------------------------------------------------------------------------------------

-- The items of a JSON array with their places, from 0: texts decoded, all else as its JSON, null as NULL.
--
-- The condition always holds. The planner would count on 100 items; of these it takes 0.5 % to meet a condition of this
-- form, so it counts on one. Then it looks up what belongs to each item. For 100 of them it might read all of a run.
CREATE FUNCTION json_each(list text) RETURNS TABLE (key bigint, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1
BEGIN ATOMIC
    SELECT item.nth - 1, item.value
    FROM json_array_elements_text(list::json) WITH ORDINALITY AS item (value, nth)
    WHERE item.nth BETWEEN 1 AND 2147483647;
END;

-- The item of a JSON array at a path such as $[0].
CREATE FUNCTION json_extract(list text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN list::json ->> rtrim(ltrim(path, '$['), ']')::integer;

-- 0 for all that is no array.
CREATE FUNCTION json_array_length(list text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN json_typeof(list::json) <> 'array' THEN 0 ELSE json_array_length(list::json) END;


-- JSON ---------------------------------------------------------------------------------------------------------------

-- Whether a text is JSON (RFC 8259) that PostgreSQL can parse: with the usual max_stack_depth, it may be nested 10,000
-- deep. Until PostgreSQL 16, no part of a parallel query may catch errors.
CREATE FUNCTION json_valid(value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE
AS $$
BEGIN
    RETURN value::json IS NOT NULL;
EXCEPTION
    WHEN invalid_text_representation OR statement_too_complex THEN
        RETURN FALSE;
END
$$;


-- For the command `check` alone --------------------------------------------------------------------------------------

-- The type of a JSON value, by SQLite's names.
CREATE FUNCTION json_type(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE json_typeof(value::json)
    WHEN 'boolean' THEN btrim(value, E' \t\n\r')
    WHEN 'number' THEN CASE WHEN value ~ '[.eE]' THEN 'real' ELSE 'integer' END
    WHEN 'string' THEN 'text'
    ELSE json_typeof(value::json)
END;

-- The place of the first such part, from 1; 0 if there is none.
CREATE FUNCTION instr(value text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN strpos(value COLLATE "C", part);

-- Foreman's data model on PostgreSQL: the tables, columns and meanings of schema.sql, so that the same statements give the
-- same answers. What is different here, and why:
--
-- Text is COLLATE "C", which sorts by code point, as SQLite does. An index that a page is cut from ends with `seq`, which
-- every index of SQLite has by itself. A partial index stands in for each index on a condition, because PostgreSQL
-- rewrites the negation of a condition and then does not find it in the index.
--
-- Many requests write at the same moment here, each in a transaction of its own. So no two of them may change the same
-- row of a counter (see "Counts"), and whoever changes several rows of run_data_latest takes them in the order of the
-- primary key, those of all entries (tag '') first: nobody waits in a circle.
--
-- `seq` is taken from a sequence before the commit, so a row may become visible after one with a greater `seq`. It
-- decides between rows of the same millisecond, and which entry of a key is the newest.
--
-- This is the newest version of the schema. Every change to it also needs a file in foreman/db/postgres/migrations/.


-- JSON is stored as text, to the letter as it was sent, and read as bytes: `CAST(value AS BLOB)` gives SQLite's bytes
-- their counterpart. A varchar is a text of a type of its own, by which the driver tells it from others. A session may set
-- how many bytes one may have: a larger one fails on the server, before it takes memory here.
CREATE DOMAIN blob AS varchar CONSTRAINT blob_is_not_too_large CHECK (
    octet_length(value) <= coalesce(nullif(current_setting('foreman.largest', true), '')::bigint, 2147483647)
);

-- Opaque JSON as it is stored. A CHECK of the table would parse all JSON of a row again whenever any column changes.
CREATE DOMAIN document AS text COLLATE "C" CONSTRAINT document_is_json CHECK (json_valid(value));

CREATE TABLE schema_migration (
    version         bigint NOT NULL PRIMARY KEY,
    applied_at      bigint NOT NULL,
    foreman_version text   NOT NULL COLLATE "C"
);


-- Keys ---------------------------------------------------------------------------------------------------------------

CREATE TABLE api_key (
    id          text    NOT NULL COLLATE "C" PRIMARY KEY,
    org_id      text    NOT NULL COLLATE "C",
    environment text    NOT NULL COLLATE "C",
    name        text             COLLATE "C",
    read_only   integer NOT NULL CONSTRAINT read_only_is_boolean CHECK (read_only IN (0, 1)),
    hash_prefix text    NOT NULL COLLATE "C",
    hash        text    NOT NULL COLLATE "C",
    created_at  bigint  NOT NULL,
    revoked_at  bigint
);

CREATE UNIQUE INDEX api_key_by_hash_prefix ON api_key (hash_prefix);


-- Runs ---------------------------------------------------------------------------------------------------------------

CREATE TABLE run (
    seq          bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id           text   NOT NULL COLLATE "C",
    org_id       text   NOT NULL COLLATE "C",
    status       text   NOT NULL COLLATE "C" CONSTRAINT run_status
                     CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    input_data   document NOT NULL,
    output_data  document,
    error_data   document,
    metadata     document,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    started_at   bigint,
    completed_at bigint,

    CONSTRAINT run_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id)
);

CREATE INDEX run_by_created_at_not_started ON run (org_id, status, created_at, seq)   WHERE started_at IS NULL;
CREATE INDEX run_by_created_at_started     ON run (org_id, status, created_at, seq)   WHERE started_at IS NOT NULL;
CREATE INDEX run_by_updated_at             ON run (org_id, status, updated_at, seq);
CREATE INDEX run_by_started_at             ON run (org_id, status, started_at, seq)   WHERE started_at IS NOT NULL;
CREATE INDEX run_by_completed_at           ON run (org_id, status, completed_at, seq) WHERE completed_at IS NOT NULL;


-- Tasks --------------------------------------------------------------------------------------------------------------

CREATE TABLE task (
    seq            bigint  GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id             text    NOT NULL COLLATE "C",
    org_id         text    NOT NULL COLLATE "C",
    run_seq        bigint  NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    run_id         text    NOT NULL COLLATE "C",
    parent_task_id text             COLLATE "C",
    type           text    NOT NULL COLLATE "C" CONSTRAINT task_type_is_not_empty CHECK (type <> ''),
    status         text    NOT NULL COLLATE "C" CONSTRAINT task_status
                       CHECK (status IN ('pending', 'queued', 'running', 'completed', 'failed', 'cancelled', 'retrying')),
    input_data     document NOT NULL,
    output_data    document,
    error_data     document,
    metadata       document,
    retry_count    integer NOT NULL DEFAULT 0 CONSTRAINT retry_count_is_not_negative CHECK (retry_count >= 0),
    max_retries    integer NOT NULL CONSTRAINT max_retries_is_0_to_10 CHECK (max_retries BETWEEN 0 AND 10),
    queue_job_id   text             COLLATE "C",
    created_at     bigint  NOT NULL,
    updated_at     bigint  NOT NULL,
    queued_at      bigint,
    started_at     bigint,
    completed_at   bigint,

    CONSTRAINT task_ended_exactly_when_completed_at_is_set
        CHECK ((status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    UNIQUE (org_id, id),
    FOREIGN KEY (org_id, parent_task_id) REFERENCES task (org_id, id) ON DELETE CASCADE
);

CREATE INDEX task_by_updated_at         ON task (org_id, updated_at, seq);
CREATE INDEX task_by_started_at         ON task (org_id, started_at, seq)   WHERE started_at IS NOT NULL;
CREATE INDEX task_by_completed_at       ON task (org_id, completed_at, seq) WHERE completed_at IS NOT NULL;

CREATE INDEX task_by_status_not_started ON task (org_id, status, created_at, seq) WHERE started_at IS NULL;
CREATE INDEX task_by_status_started     ON task (org_id, status, created_at, seq) WHERE started_at IS NOT NULL;
CREATE INDEX task_by_type               ON task (org_id, type, status, created_at, seq);
CREATE INDEX task_by_run                ON task (run_seq, status, created_at, seq);
CREATE INDEX task_by_run_and_type       ON task (run_seq, type, status, created_at, seq);
CREATE INDEX task_by_parent             ON task (org_id, parent_task_id, created_at, seq) WHERE parent_task_id IS NOT NULL;


-- Run data -----------------------------------------------------------------------------------------------------------

CREATE TABLE run_data (
    seq        bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    id         text   NOT NULL COLLATE "C",
    org_id     text   NOT NULL COLLATE "C",
    run_seq    bigint NOT NULL REFERENCES run (seq) ON DELETE CASCADE,
    run_id     text   NOT NULL COLLATE "C",
    task_id    text   NOT NULL COLLATE "C",
    key        text   NOT NULL COLLATE "C" CONSTRAINT run_data_key_is_not_empty CHECK (key <> ''),
    value      document NOT NULL,
    tags       text   NOT NULL COLLATE "C" CONSTRAINT run_data_tags_are_a_list  CHECK (json_typeof(tags::json) = 'array'),
    metadata   document,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    UNIQUE (run_seq, id)
);

CREATE INDEX run_data_by_created_at_never_updated ON run_data (run_seq, created_at, seq) WHERE updated_at = created_at;
CREATE INDEX run_data_by_created_at_updated       ON run_data (run_seq, created_at, seq) WHERE updated_at <> created_at;
CREATE INDEX run_data_by_updated_at               ON run_data (run_seq, updated_at, seq) WHERE updated_at <> created_at;
CREATE INDEX run_data_by_key                      ON run_data (run_seq, key, created_at, seq);

CREATE TABLE run_data_tag (
    run_seq    bigint NOT NULL,
    tag        text   NOT NULL COLLATE "C",
    key        text   NOT NULL COLLATE "C",
    seq        bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (run_seq, tag, key, seq)
);

CREATE TABLE run_data_latest (
    run_seq    bigint  NOT NULL,
    tag        text    NOT NULL COLLATE "C",
    key        text    NOT NULL COLLATE "C",
    seq        bigint  NOT NULL,
    created_at bigint  NOT NULL,
    entries    bigint  NOT NULL CONSTRAINT run_data_latest_has_entries CHECK (entries >= 0),
    in_order   integer NOT NULL DEFAULT 1 CONSTRAINT in_order_is_boolean CHECK (in_order IN (0, 1)),
    PRIMARY KEY (run_seq, tag, key)
) WITH (fillfactor = 80);

CREATE INDEX run_data_latest_by_created_at ON run_data_latest (run_seq, created_at, seq) WHERE tag = '';

-- The planner takes every run to be half of all. Left alone it takes each to be as large as the mean, which is a few
-- rows where most runs are small, and then reads all of a large run to look for a tag or a key in it.
ALTER TABLE run_data        ALTER COLUMN run_seq SET (n_distinct = 2);
ALTER TABLE run_data_tag    ALTER COLUMN run_seq SET (n_distinct = 2);
ALTER TABLE run_data_latest ALTER COLUMN run_seq SET (n_distinct = 2);

CREATE FUNCTION run_data_created() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    new_keys bigint;
BEGIN
    -- The task of an entry is in the entry's run. By now the foreign key has waited for whoever deletes tasks of the run,
    -- and this statement sees what they have done.
    IF NOT EXISTS (SELECT FROM task WHERE org_id = new.org_id AND id = new.task_id AND run_seq = new.run_seq) THEN
        RAISE foreign_key_violation USING MESSAGE = 'the task of an entry must be in its run';
    END IF;

    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at FROM json_each(new.tags) AS tag;

    -- xmax is 0 in a row that was inserted, not updated.
    WITH counted AS (
        INSERT INTO run_data_latest AS latest (run_seq, tag, key, seq, created_at, entries)
        SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at, 1
        FROM (SELECT '' AS value UNION ALL SELECT value FROM json_each(new.tags)) AS tag
        ORDER BY tag.value COLLATE "C"
        ON CONFLICT (run_seq, tag, key) DO UPDATE
        SET entries    = latest.entries + 1,
            in_order   = CASE WHEN latest.tag <> '' THEN 1
                              WHEN excluded.seq > latest.seq AND excluded.created_at >= latest.created_at THEN latest.in_order
                              ELSE 0
                         END,
            created_at = CASE WHEN excluded.seq > latest.seq THEN excluded.created_at ELSE latest.created_at END,
            seq        = greatest(excluded.seq, latest.seq)
        RETURNING tag, xmax = 0 AS is_new
    )
    SELECT count(*) FROM counted WHERE tag = '' AND is_new INTO new_keys;

    INSERT INTO run_data_change (run_seq, keys, entries) VALUES (new.run_seq, new_keys, 1);
    RETURN NULL;
END $$;
CREATE TRIGGER run_data_created AFTER INSERT ON run_data
    FOR EACH ROW EXECUTE FUNCTION run_data_created();

-- Maintains what is derived from entries, for entries or tags that are gone. Rows of run_data_latest are locked in order
-- before any is changed, so those of several keys too.
CREATE FUNCTION run_data_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone record;
BEGIN
    DELETE FROM run_data_tag AS tagged
    USING deleted AS entry CROSS JOIN json_each(entry.tags) AS tag
    WHERE tagged.run_seq = entry.run_seq AND tagged.tag = tag.value AND tagged.key = entry.key AND tagged.seq = entry.seq;

    FOR gone IN
        SELECT entry.run_seq, tag.value AS tag, entry.key, count(*) AS entries
        FROM deleted AS entry
        CROSS JOIN LATERAL (SELECT '' AS value UNION ALL SELECT value FROM json_each(entry.tags)) AS tag
        JOIN run_data_latest AS latest
          ON latest.run_seq = entry.run_seq AND latest.tag = tag.value AND latest.key = entry.key
        GROUP BY entry.run_seq, tag.value, entry.key
        ORDER BY entry.run_seq, entry.key COLLATE "C", tag.value COLLATE "C"
    LOOP
        PERFORM run_data_latest_less(gone.run_seq, gone.tag, gone.key, gone.entries);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER run_data_deleted AFTER DELETE ON run_data REFERENCING OLD TABLE AS deleted
    FOR EACH STATEMENT EXECUTE FUNCTION run_data_deleted();

CREATE FUNCTION run_data_changed_tags() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone record;
BEGIN
    -- All changes to the entries of one key take this row first.
    PERFORM FROM run_data_latest WHERE run_seq = new.run_seq AND tag = '' AND key = new.key FOR UPDATE;

    DELETE FROM run_data_tag
    WHERE run_seq = old.run_seq AND key = old.key AND seq = old.seq
      AND tag IN (SELECT value FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags));
    FOR gone IN
        SELECT value AS tag FROM json_each(old.tags) EXCEPT SELECT value FROM json_each(new.tags) ORDER BY 1
    LOOP
        PERFORM run_data_latest_less(old.run_seq, gone.tag, old.key, 1::bigint);
    END LOOP;

    INSERT INTO run_data_tag (run_seq, tag, key, seq, created_at)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag;
    INSERT INTO run_data_latest AS latest (run_seq, tag, key, seq, created_at, entries)
    SELECT new.run_seq, tag.value, new.key, new.seq, new.created_at, 1
    FROM (SELECT value FROM json_each(new.tags) EXCEPT SELECT value FROM json_each(old.tags)) AS tag
    ORDER BY tag.value COLLATE "C"
    ON CONFLICT (run_seq, tag, key) DO UPDATE
    SET entries    = latest.entries + 1,
        created_at = CASE WHEN excluded.seq > latest.seq THEN excluded.created_at ELSE latest.created_at END,
        seq        = greatest(excluded.seq, latest.seq);
    RETURN NULL;
END $$;
CREATE TRIGGER run_data_changed_tags AFTER UPDATE OF tags ON run_data
    FOR EACH ROW WHEN (old.tags <> new.tags) EXECUTE FUNCTION run_data_changed_tags();

-- Takes entries off a row of run_data_latest: they are already gone from run_data and run_data_tag. The row goes with
-- the last of them. If the newest is gone, the newest of the others takes its place. A row that has been deleted already,
-- with the run that it belongs to, is left alone.
CREATE FUNCTION run_data_latest_less(of_run bigint, of_tag text, of_key text, fewer bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    latest run_data_latest;
    newest record;
BEGIN
    SELECT * FROM run_data_latest WHERE run_seq = of_run AND tag = of_tag AND key = of_key FOR UPDATE INTO latest;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF latest.entries <= fewer THEN
        DELETE FROM run_data_latest WHERE run_seq = of_run AND tag = of_tag AND key = of_key;
        RETURN;
    END IF;
    IF of_tag <> '' THEN
        SELECT seq, created_at FROM run_data_tag
        WHERE run_seq = of_run AND tag = of_tag AND key = of_key
        ORDER BY seq DESC LIMIT 1 INTO newest;
    ELSIF EXISTS (SELECT FROM run_data WHERE seq = latest.seq) THEN
        newest := latest;
    ELSIF latest.in_order = 1 THEN
        SELECT seq, created_at FROM run_data
        WHERE run_seq = of_run AND key = of_key
        ORDER BY created_at DESC, seq DESC LIMIT 1 INTO newest;
    ELSE
        SELECT seq, created_at FROM run_data
        WHERE run_seq = of_run AND key = of_key AND seq = (
            SELECT max(seq + 0) FROM run_data WHERE run_seq = of_run AND key = of_key
        ) INTO newest;
    END IF;
    UPDATE run_data_latest
    SET entries = entries - fewer, seq = newest.seq, created_at = newest.created_at
    WHERE run_seq = of_run AND tag = of_tag AND key = of_key;
END $$;

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

-- Rows are created and changed one by one, but deleted by the thousand. So the triggers of INSERT and UPDATE are for a
-- row, and those of DELETE for a statement: they append one change for all its rows that count alike.

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

SET session_replication_role = replica;  -- what triggers maintain is here, too

DELETE FROM api_key;
INSERT INTO api_key VALUES ('01a22c95-9a98-7cdd-9c92-913e7c2b2c5f', 'acme', 'test', 'revoked', 0, 'f25724c8fece721c', 'f25724c8fece721c0842e3a0758042b212a16636b569e580d81ff845c0a1f782', 1796044331672, 1796044331676);
INSERT INTO api_key VALUES ('01a22c95-9a9d-7f4e-b495-78882b9a71e6', 'acme', 'test', NULL, 1, '1f3169ee5263e4c6', '1f3169ee5263e4c63536c00e0219aa5eed30142e73def10ae6b713ff5d26027b', 1796044331677, NULL);
INSERT INTO api_key VALUES ('01a22c95-9a9f-726b-a9a7-90bde834206f', 'acme', 'test', NULL, 0, '040d85be8987efbe', '040d85be8987efbe8cee67522523023e1b4d94af3eb47fba9a9d146e1cf04e4f', 1796044331679, NULL);
INSERT INTO api_key VALUES ('01a22c95-9a9f-726b-a9a7-90be23016243', 'rival', 'test', NULL, 0, '26b382d434cbdeca', '26b382d434cbdeca0c138fd5d32e1ed963373eec2c5e81b7beb87262e4326082', 1796044331679, NULL);
DELETE FROM count_fold;
INSERT INTO count_fold VALUES (true, '982');
DELETE FROM org_task_total;
INSERT INTO org_task_total VALUES ('rival', 'parse', 0, 1, 1, 2, 1, 2, 0);
INSERT INTO org_task_total VALUES ('acme', 'parse', 0, 1, 1, 2, 1, 2, 0);
INSERT INTO org_task_total VALUES ('acme', '', 1, 2, 3, 3, 3, 2, 1);
INSERT INTO org_task_total VALUES ('rival', '', 1, 2, 3, 3, 3, 2, 1);
INSERT INTO org_task_total VALUES ('rival', 'fetch', 1, 1, 2, 1, 2, 0, 1);
INSERT INTO org_task_total VALUES ('acme', 'fetch', 1, 1, 2, 1, 2, 0, 1);
DELETE FROM run;
INSERT INTO run VALUES (1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', 'acme', 'pending', '{"text":"ä 😀"}', NULL, NULL, NULL, 1796044331724, 1796044331724, NULL, NULL);
INSERT INTO run VALUES (2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', 'acme', 'running', '{"text":"ä 😀"}', NULL, '{"code":1}', '{"number":1,"name":"Zoë"}', 1796044331843, 1796044331879, 1796044331879, NULL);
INSERT INTO run VALUES (3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', 'acme', 'completed', '{"text":"ä 😀"}', NULL, '{"code":2}', NULL, 1796044331887, 1796044331927, 1796044331924, 1796044331927);
INSERT INTO run VALUES (4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', 'acme', 'failed', '{"text":"ä 😀"}', NULL, '{"code":3}', '{"number":3,"name":"Zoë"}', 1796044331931, 1796044331969, 1796044331966, 1796044331969);
INSERT INTO run VALUES (5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', 'acme', 'cancelled', '{"text":"ä 😀"}', NULL, '{"code":4}', NULL, 1796044331973, 1796044332011, 1796044332009, 1796044332011);
INSERT INTO run VALUES (6, '01a22c95-9bee-7c42-a713-f4ab38343069', 'acme', 'pending', '{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}', NULL, NULL, NULL, 1796044332014, 1796044332014, NULL, NULL);
INSERT INTO run VALUES (8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', 'rival', 'pending', '{"text":"ä 😀"}', NULL, NULL, NULL, 1796044332301, 1796044332301, NULL, NULL);
INSERT INTO run VALUES (9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', 'rival', 'running', '{"text":"ä 😀"}', NULL, '{"code":1}', '{"number":1,"name":"Zoë"}', 1796044332403, 1796044332437, 1796044332437, NULL);
INSERT INTO run VALUES (10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', 'rival', 'completed', '{"text":"ä 😀"}', NULL, '{"code":2}', NULL, 1796044332442, 1796044332482, 1796044332479, 1796044332482);
INSERT INTO run VALUES (11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', 'rival', 'failed', '{"text":"ä 😀"}', NULL, '{"code":3}', '{"number":3,"name":"Zoë"}', 1796044332484, 1796044332520, 1796044332517, 1796044332520);
INSERT INTO run VALUES (12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', 'rival', 'cancelled', '{"text":"ä 😀"}', NULL, '{"code":4}', NULL, 1796044332522, 1796044332558, 1796044332556, 1796044332558);
INSERT INTO run VALUES (13, '01a22c95-9e10-721b-8049-a6400238bf9b', 'rival', 'pending', '{"price": 1.50, "large": 12345678901234567890123, "same": 1, "same": 2}', NULL, NULL, NULL, 1796044332560, 1796044332560, NULL, NULL);
DELETE FROM run_change;
DELETE FROM run_data;
INSERT INTO run_data VALUES (1, '01a22c95-9ad9-70a1-97f7-82cfba76633b', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9ad4-744e-a81c-035fdc93eb90', 'page.1', '[0,1000.0]', '[]', NULL, 1796044331737, 1796044331737);
INSERT INTO run_data VALUES (3, '01a22c95-9aec-7acc-995b-6475a030ca01', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9ae0-715e-87de-1850396a0ca0', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044331756, 1796044331756);
INSERT INTO run_data VALUES (4, '01a22c95-9aef-7e1a-9332-3bd940b9fc4f', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9ae0-715e-87de-1850396a0ca0', 'of.1', '[1,1000.0]', '["raw"]', NULL, 1796044331759, 1796044331759);
INSERT INTO run_data VALUES (5, '01a22c95-9afc-730f-a919-1ea1b83f5233', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9af1-7aaa-9ba6-ea689c9f597e', 'page.1', '[2,1000.0]', '["raw","tag2"]', NULL, 1796044331772, 1796044331772);
INSERT INTO run_data VALUES (6, '01a22c95-9aff-780f-b256-7487586c124f', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9af1-7aaa-9ba6-ea689c9f597e', 'of.2', '[2,1000.0]', '["raw","tag2"]', NULL, 1796044331775, 1796044331775);
INSERT INTO run_data VALUES (7, '01a22c95-9b0c-7cd9-b7a8-6aa22d059de1', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b02-7c9d-aab9-c677570445dc', 'page.1', '[3,1000.0]', '[]', NULL, 1796044331788, 1796044331788);
INSERT INTO run_data VALUES (8, '01a22c95-9b0e-73d7-97e3-4b3052cc75df', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b02-7c9d-aab9-c677570445dc', 'of.3', '[3,1000.0]', '[]', NULL, 1796044331790, 1796044331790);
INSERT INTO run_data VALUES (9, '01a22c95-9b19-7b43-9778-d8bfa3cd1c20', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b10-72ac-98b9-93c6ead8242d', 'page.1', '[4,1000.0]', '["raw"]', NULL, 1796044331801, 1796044331801);
INSERT INTO run_data VALUES (10, '01a22c95-9b1b-73d2-9a67-52438bed59b5', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b10-72ac-98b9-93c6ead8242d', 'of.4', '[4,1000.0]', '["raw"]', NULL, 1796044331804, 1796044331804);
INSERT INTO run_data VALUES (11, '01a22c95-9b28-7af0-8522-199c733bbc6e', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b1f-7b04-a16a-ae1631418b15', 'page.1', '[5,1000.0]', '["raw","tag5"]', NULL, 1796044331816, 1796044331816);
INSERT INTO run_data VALUES (12, '01a22c95-9b2a-79cf-90af-32959108f306', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b1f-7b04-a16a-ae1631418b15', 'of.5', '[5,1000.0]', '["raw","tag5"]', NULL, 1796044331818, 1796044331818);
INSERT INTO run_data VALUES (13, '01a22c95-9b34-706f-89f7-f5dd4d3bdc67', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b2c-70ac-8564-b097fb5fbe1e', 'page.1', '[6,1000.0]', '[]', NULL, 1796044331828, 1796044331828);
INSERT INTO run_data VALUES (14, '01a22c95-9b36-786b-acec-42fbc153212d', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b2c-70ac-8564-b097fb5fbe1e', 'of.6', '[6,1000.0]', '["checked"]', NULL, 1796044331830, 1796044331834);
INSERT INTO run_data VALUES (15, '01a22c95-9b4e-7439-9d9c-c790e757a11e', 'acme', 2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', '01a22c95-9b45-7964-9497-e41d6c39e22d', 'page.1', '[0,1000.0]', '[]', NULL, 1796044331854, 1796044331854);
INSERT INTO run_data VALUES (17, '01a22c95-9b5c-7c0c-ad6c-97a9468ecadd', 'acme', 2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', '01a22c95-9b52-7cae-be1d-c5bd582d6cdc', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044331868, 1796044331868);
INSERT INTO run_data VALUES (18, '01a22c95-9b5f-7e00-bb65-e57d286365dc', 'acme', 2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', '01a22c95-9b52-7cae-be1d-c5bd582d6cdc', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044331871, 1796044331874);
INSERT INTO run_data VALUES (19, '01a22c95-9b7a-7474-a60b-286b919cea04', 'acme', 3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', '01a22c95-9b71-702f-bcd5-86bc33b5d3dc', 'page.1', '[0,1000.0]', '[]', NULL, 1796044331898, 1796044331898);
INSERT INTO run_data VALUES (21, '01a22c95-9b88-71fc-a592-386c713cfb13', 'acme', 3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', '01a22c95-9b7f-7a6e-948d-0975b3f26b03', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044331912, 1796044331912);
INSERT INTO run_data VALUES (22, '01a22c95-9b8b-7535-a613-1731c502b620', 'acme', 3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', '01a22c95-9b7f-7a6e-948d-0975b3f26b03', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044331915, 1796044331918);
INSERT INTO run_data VALUES (23, '01a22c95-9ba6-73d2-9ffd-81cfa7636b94', 'acme', 4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', '01a22c95-9b9d-7761-b258-6e848ca0946e', 'page.1', '[0,1000.0]', '[]', NULL, 1796044331942, 1796044331942);
INSERT INTO run_data VALUES (25, '01a22c95-9bb3-7a63-a4a8-da65c010508d', 'acme', 4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', '01a22c95-9bab-7fda-b0cb-6b972447f01b', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044331956, 1796044331956);
INSERT INTO run_data VALUES (26, '01a22c95-9bb6-75af-8c8b-e26a7f83e059', 'acme', 4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', '01a22c95-9bab-7fda-b0cb-6b972447f01b', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044331958, 1796044331961);
INSERT INTO run_data VALUES (27, '01a22c95-9bd1-7f61-9065-d2bf2228ff63', 'acme', 5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', '01a22c95-9bc7-72a8-880d-a89877b30251', 'page.1', '[0,1000.0]', '[]', NULL, 1796044331985, 1796044331985);
INSERT INTO run_data VALUES (29, '01a22c95-9bde-7fef-b01b-5f8d23e20918', 'acme', 5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', '01a22c95-9bd6-720d-81eb-8cb0b7a1845b', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044331998, 1796044331998);
INSERT INTO run_data VALUES (30, '01a22c95-9be1-71b1-b6bb-d29301a89875', 'acme', 5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', '01a22c95-9bd6-720d-81eb-8cb0b7a1845b', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044332001, 1796044332004);
INSERT INTO run_data VALUES (32, '01a22c95-9d12-7287-bdce-48f047eb06d7', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d0f-76d6-9f85-c78e3d742320', 'page.1', '[0,1000.0]', '[]', NULL, 1796044332306, 1796044332306);
INSERT INTO run_data VALUES (34, '01a22c95-9d1f-77d6-a209-b4910929d2ba', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d16-7062-b207-13fe17420183', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044332319, 1796044332319);
INSERT INTO run_data VALUES (35, '01a22c95-9d23-7c1d-92d0-da31ad3f4e5c', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d16-7062-b207-13fe17420183', 'of.1', '[1,1000.0]', '["raw"]', NULL, 1796044332323, 1796044332323);
INSERT INTO run_data VALUES (36, '01a22c95-9d2e-73ee-886b-0d0bd81e3d59', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d25-7759-9a71-4811abb44a30', 'page.1', '[2,1000.0]', '["raw","tag2"]', NULL, 1796044332334, 1796044332334);
INSERT INTO run_data VALUES (37, '01a22c95-9d31-760c-9e45-43d82fbc272c', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d25-7759-9a71-4811abb44a30', 'of.2', '[2,1000.0]', '["raw","tag2"]', NULL, 1796044332337, 1796044332337);
INSERT INTO run_data VALUES (38, '01a22c95-9d3b-748c-9eca-b72168656cab', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d33-7ba6-9634-74c17d2d23ad', 'page.1', '[3,1000.0]', '[]', NULL, 1796044332347, 1796044332347);
INSERT INTO run_data VALUES (39, '01a22c95-9d3e-7d40-9c15-b576da5302fe', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d33-7ba6-9634-74c17d2d23ad', 'of.3', '[3,1000.0]', '[]', NULL, 1796044332350, 1796044332350);
INSERT INTO run_data VALUES (40, '01a22c95-9d4a-7954-ac3e-b9fcc30fa440', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d40-7cf9-8523-98d2c94f1275', 'page.1', '[4,1000.0]', '["raw"]', NULL, 1796044332362, 1796044332362);
INSERT INTO run_data VALUES (41, '01a22c95-9d4c-71f7-860b-ec5372ca6772', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d40-7cf9-8523-98d2c94f1275', 'of.4', '[4,1000.0]', '["raw"]', NULL, 1796044332364, 1796044332364);
INSERT INTO run_data VALUES (42, '01a22c95-9d57-70e3-a3fb-fb5a0812fa4d', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d4e-7edb-9a9a-1de21cb093f2', 'page.1', '[5,1000.0]', '["raw","tag5"]', NULL, 1796044332375, 1796044332375);
INSERT INTO run_data VALUES (43, '01a22c95-9d59-7d68-81e5-251df1fafe0a', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d4e-7edb-9a9a-1de21cb093f2', 'of.5', '[5,1000.0]', '["raw","tag5"]', NULL, 1796044332377, 1796044332377);
INSERT INTO run_data VALUES (44, '01a22c95-9d67-7f9d-9233-2771bc7b94cb', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d5b-7d5d-b25d-a3b3602fa66c', 'page.1', '[6,1000.0]', '[]', NULL, 1796044332391, 1796044332391);
INSERT INTO run_data VALUES (45, '01a22c95-9d69-7bd0-969f-908bed5866c7', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d5b-7d5d-b25d-a3b3602fa66c', 'of.6', '[6,1000.0]', '["checked"]', NULL, 1796044332393, 1796044332397);
INSERT INTO run_data VALUES (46, '01a22c95-9d7d-7f7a-91b5-419fb56b0b52', 'rival', 9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', '01a22c95-9d75-720e-afb8-83300669a0d6', 'page.1', '[0,1000.0]', '[]', NULL, 1796044332413, 1796044332413);
INSERT INTO run_data VALUES (48, '01a22c95-9d8b-7e84-9ad2-a1d654b8d04f', 'rival', 9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', '01a22c95-9d82-76a9-b5a5-b1416443d739', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044332427, 1796044332427);
INSERT INTO run_data VALUES (49, '01a22c95-9d8e-7375-a502-20b4d77f753c', 'rival', 9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', '01a22c95-9d82-76a9-b5a5-b1416443d739', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044332430, 1796044332432);
INSERT INTO run_data VALUES (50, '01a22c95-9da8-73b2-9010-50ff3f435b7f', 'rival', 10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', '01a22c95-9d9d-75ff-9eeb-f61e794fe6da', 'page.1', '[0,1000.0]', '[]', NULL, 1796044332456, 1796044332456);
INSERT INTO run_data VALUES (52, '01a22c95-9db6-7fe0-8d5a-1f76f2ff6f30', 'rival', 10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', '01a22c95-9dad-7d7a-9b7c-2c926785f1c2', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044332470, 1796044332470);
INSERT INTO run_data VALUES (53, '01a22c95-9db8-7c9a-8e6b-2ff7e4684844', 'rival', 10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', '01a22c95-9dad-7d7a-9b7c-2c926785f1c2', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044332472, 1796044332475);
INSERT INTO run_data VALUES (54, '01a22c95-9dce-7c53-98e5-d5b346d2a430', 'rival', 11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', '01a22c95-9dc6-708d-9b4a-28b1880a795f', 'page.1', '[0,1000.0]', '[]', NULL, 1796044332494, 1796044332494);
INSERT INTO run_data VALUES (56, '01a22c95-9ddb-75f3-872d-b86e8c73fe5e', 'rival', 11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', '01a22c95-9dd2-7409-ae3d-be4d4e49524d', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044332507, 1796044332507);
INSERT INTO run_data VALUES (57, '01a22c95-9ddd-7db4-9e4e-c1a11601a96a', 'rival', 11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', '01a22c95-9dd2-7409-ae3d-be4d4e49524d', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044332509, 1796044332512);
INSERT INTO run_data VALUES (58, '01a22c95-9df6-7240-962a-d3fb1c575855', 'rival', 12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', '01a22c95-9dec-7bab-bf06-ef0ed8f01724', 'page.1', '[0,1000.0]', '[]', NULL, 1796044332534, 1796044332534);
INSERT INTO run_data VALUES (60, '01a22c95-9e02-7846-926b-aec74b1d6368', 'rival', 12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', '01a22c95-9dfa-7e88-862a-27f72111fe2b', 'page.1', '[1,1000.0]', '["raw"]', NULL, 1796044332546, 1796044332546);
INSERT INTO run_data VALUES (61, '01a22c95-9e04-7509-89df-df47db8088c4', 'rival', 12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', '01a22c95-9dfa-7e88-862a-27f72111fe2b', 'of.1', '[1,1000.0]', '["checked"]', NULL, 1796044332548, 1796044332551);
DELETE FROM run_data_change;
DELETE FROM run_data_latest;
INSERT INTO run_data_latest VALUES (1, '', 'of.1', 4, 1796044331759, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'raw', 'of.1', 4, 1796044331759, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'tag2', 'page.1', 5, 1796044331772, 1, 1);
INSERT INTO run_data_latest VALUES (1, '', 'of.2', 6, 1796044331775, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'raw', 'of.2', 6, 1796044331775, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'tag2', 'of.2', 6, 1796044331775, 1, 1);
INSERT INTO run_data_latest VALUES (1, '', 'of.3', 8, 1796044331790, 1, 1);
INSERT INTO run_data_latest VALUES (1, '', 'of.4', 10, 1796044331804, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'raw', 'of.4', 10, 1796044331804, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'raw', 'page.1', 11, 1796044331816, 4, 1);
INSERT INTO run_data_latest VALUES (1, 'tag5', 'page.1', 11, 1796044331816, 1, 1);
INSERT INTO run_data_latest VALUES (1, '', 'of.5', 12, 1796044331818, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'raw', 'of.5', 12, 1796044331818, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'tag5', 'of.5', 12, 1796044331818, 1, 1);
INSERT INTO run_data_latest VALUES (1, '', 'page.1', 13, 1796044331828, 7, 1);
INSERT INTO run_data_latest VALUES (1, '', 'of.6', 14, 1796044331830, 1, 1);
INSERT INTO run_data_latest VALUES (1, 'checked', 'of.6', 14, 1796044331830, 1, 1);
INSERT INTO run_data_latest VALUES (2, '', 'page.1', 17, 1796044331868, 2, 1);
INSERT INTO run_data_latest VALUES (2, 'raw', 'page.1', 17, 1796044331868, 1, 1);
INSERT INTO run_data_latest VALUES (2, '', 'of.1', 18, 1796044331871, 1, 1);
INSERT INTO run_data_latest VALUES (2, 'checked', 'of.1', 18, 1796044331871, 1, 1);
INSERT INTO run_data_latest VALUES (3, '', 'page.1', 21, 1796044331912, 2, 1);
INSERT INTO run_data_latest VALUES (3, 'raw', 'page.1', 21, 1796044331912, 1, 1);
INSERT INTO run_data_latest VALUES (3, '', 'of.1', 22, 1796044331915, 1, 1);
INSERT INTO run_data_latest VALUES (3, 'checked', 'of.1', 22, 1796044331915, 1, 1);
INSERT INTO run_data_latest VALUES (4, '', 'page.1', 25, 1796044331956, 2, 1);
INSERT INTO run_data_latest VALUES (4, 'raw', 'page.1', 25, 1796044331956, 1, 1);
INSERT INTO run_data_latest VALUES (4, '', 'of.1', 26, 1796044331958, 1, 1);
INSERT INTO run_data_latest VALUES (4, 'checked', 'of.1', 26, 1796044331958, 1, 1);
INSERT INTO run_data_latest VALUES (5, '', 'page.1', 29, 1796044331998, 2, 1);
INSERT INTO run_data_latest VALUES (5, 'raw', 'page.1', 29, 1796044331998, 1, 1);
INSERT INTO run_data_latest VALUES (5, '', 'of.1', 30, 1796044332001, 1, 1);
INSERT INTO run_data_latest VALUES (5, 'checked', 'of.1', 30, 1796044332001, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.1', 35, 1796044332323, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'raw', 'of.1', 35, 1796044332323, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'tag2', 'page.1', 36, 1796044332334, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.2', 37, 1796044332337, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'raw', 'of.2', 37, 1796044332337, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'tag2', 'of.2', 37, 1796044332337, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.3', 39, 1796044332350, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.4', 41, 1796044332364, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'raw', 'of.4', 41, 1796044332364, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'raw', 'page.1', 42, 1796044332375, 4, 1);
INSERT INTO run_data_latest VALUES (8, 'tag5', 'page.1', 42, 1796044332375, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.5', 43, 1796044332377, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'raw', 'of.5', 43, 1796044332377, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'tag5', 'of.5', 43, 1796044332377, 1, 1);
INSERT INTO run_data_latest VALUES (8, '', 'page.1', 44, 1796044332391, 7, 1);
INSERT INTO run_data_latest VALUES (8, '', 'of.6', 45, 1796044332393, 1, 1);
INSERT INTO run_data_latest VALUES (8, 'checked', 'of.6', 45, 1796044332393, 1, 1);
INSERT INTO run_data_latest VALUES (9, '', 'page.1', 48, 1796044332427, 2, 1);
INSERT INTO run_data_latest VALUES (9, 'raw', 'page.1', 48, 1796044332427, 1, 1);
INSERT INTO run_data_latest VALUES (9, '', 'of.1', 49, 1796044332430, 1, 1);
INSERT INTO run_data_latest VALUES (9, 'checked', 'of.1', 49, 1796044332430, 1, 1);
INSERT INTO run_data_latest VALUES (10, '', 'page.1', 52, 1796044332470, 2, 1);
INSERT INTO run_data_latest VALUES (10, 'raw', 'page.1', 52, 1796044332470, 1, 1);
INSERT INTO run_data_latest VALUES (10, '', 'of.1', 53, 1796044332472, 1, 1);
INSERT INTO run_data_latest VALUES (10, 'checked', 'of.1', 53, 1796044332472, 1, 1);
INSERT INTO run_data_latest VALUES (11, '', 'page.1', 56, 1796044332507, 2, 1);
INSERT INTO run_data_latest VALUES (11, 'raw', 'page.1', 56, 1796044332507, 1, 1);
INSERT INTO run_data_latest VALUES (11, '', 'of.1', 57, 1796044332509, 1, 1);
INSERT INTO run_data_latest VALUES (11, 'checked', 'of.1', 57, 1796044332509, 1, 1);
INSERT INTO run_data_latest VALUES (12, '', 'page.1', 60, 1796044332546, 2, 1);
INSERT INTO run_data_latest VALUES (12, 'raw', 'page.1', 60, 1796044332546, 1, 1);
INSERT INTO run_data_latest VALUES (12, '', 'of.1', 61, 1796044332548, 1, 1);
INSERT INTO run_data_latest VALUES (12, 'checked', 'of.1', 61, 1796044332548, 1, 1);
DELETE FROM run_data_tag;
INSERT INTO run_data_tag VALUES (1, 'raw', 'page.1', 3, 1796044331756);
INSERT INTO run_data_tag VALUES (1, 'raw', 'of.1', 4, 1796044331759);
INSERT INTO run_data_tag VALUES (1, 'raw', 'page.1', 5, 1796044331772);
INSERT INTO run_data_tag VALUES (1, 'tag2', 'page.1', 5, 1796044331772);
INSERT INTO run_data_tag VALUES (1, 'raw', 'of.2', 6, 1796044331775);
INSERT INTO run_data_tag VALUES (1, 'tag2', 'of.2', 6, 1796044331775);
INSERT INTO run_data_tag VALUES (1, 'raw', 'page.1', 9, 1796044331801);
INSERT INTO run_data_tag VALUES (1, 'raw', 'of.4', 10, 1796044331804);
INSERT INTO run_data_tag VALUES (1, 'raw', 'page.1', 11, 1796044331816);
INSERT INTO run_data_tag VALUES (1, 'tag5', 'page.1', 11, 1796044331816);
INSERT INTO run_data_tag VALUES (1, 'raw', 'of.5', 12, 1796044331818);
INSERT INTO run_data_tag VALUES (1, 'tag5', 'of.5', 12, 1796044331818);
INSERT INTO run_data_tag VALUES (1, 'checked', 'of.6', 14, 1796044331830);
INSERT INTO run_data_tag VALUES (2, 'raw', 'page.1', 17, 1796044331868);
INSERT INTO run_data_tag VALUES (2, 'checked', 'of.1', 18, 1796044331871);
INSERT INTO run_data_tag VALUES (3, 'raw', 'page.1', 21, 1796044331912);
INSERT INTO run_data_tag VALUES (3, 'checked', 'of.1', 22, 1796044331915);
INSERT INTO run_data_tag VALUES (4, 'raw', 'page.1', 25, 1796044331956);
INSERT INTO run_data_tag VALUES (4, 'checked', 'of.1', 26, 1796044331958);
INSERT INTO run_data_tag VALUES (5, 'raw', 'page.1', 29, 1796044331998);
INSERT INTO run_data_tag VALUES (5, 'checked', 'of.1', 30, 1796044332001);
INSERT INTO run_data_tag VALUES (8, 'raw', 'page.1', 34, 1796044332319);
INSERT INTO run_data_tag VALUES (8, 'raw', 'of.1', 35, 1796044332323);
INSERT INTO run_data_tag VALUES (8, 'raw', 'page.1', 36, 1796044332334);
INSERT INTO run_data_tag VALUES (8, 'tag2', 'page.1', 36, 1796044332334);
INSERT INTO run_data_tag VALUES (8, 'raw', 'of.2', 37, 1796044332337);
INSERT INTO run_data_tag VALUES (8, 'tag2', 'of.2', 37, 1796044332337);
INSERT INTO run_data_tag VALUES (8, 'raw', 'page.1', 40, 1796044332362);
INSERT INTO run_data_tag VALUES (8, 'raw', 'of.4', 41, 1796044332364);
INSERT INTO run_data_tag VALUES (8, 'raw', 'page.1', 42, 1796044332375);
INSERT INTO run_data_tag VALUES (8, 'tag5', 'page.1', 42, 1796044332375);
INSERT INTO run_data_tag VALUES (8, 'raw', 'of.5', 43, 1796044332377);
INSERT INTO run_data_tag VALUES (8, 'tag5', 'of.5', 43, 1796044332377);
INSERT INTO run_data_tag VALUES (8, 'checked', 'of.6', 45, 1796044332393);
INSERT INTO run_data_tag VALUES (9, 'raw', 'page.1', 48, 1796044332427);
INSERT INTO run_data_tag VALUES (9, 'checked', 'of.1', 49, 1796044332430);
INSERT INTO run_data_tag VALUES (10, 'raw', 'page.1', 52, 1796044332470);
INSERT INTO run_data_tag VALUES (10, 'checked', 'of.1', 53, 1796044332472);
INSERT INTO run_data_tag VALUES (11, 'raw', 'page.1', 56, 1796044332507);
INSERT INTO run_data_tag VALUES (11, 'checked', 'of.1', 57, 1796044332509);
INSERT INTO run_data_tag VALUES (12, 'raw', 'page.1', 60, 1796044332546);
INSERT INTO run_data_tag VALUES (12, 'checked', 'of.1', 61, 1796044332548);
DELETE FROM run_data_total;
INSERT INTO run_data_total VALUES (11, 2, 3);
INSERT INTO run_data_total VALUES (12, 2, 3);
INSERT INTO run_data_total VALUES (10, 2, 3);
INSERT INTO run_data_total VALUES (2, 2, 3);
INSERT INTO run_data_total VALUES (5, 2, 3);
INSERT INTO run_data_total VALUES (8, 7, 13);
INSERT INTO run_data_total VALUES (4, 2, 3);
INSERT INTO run_data_total VALUES (1, 7, 13);
INSERT INTO run_data_total VALUES (3, 2, 3);
INSERT INTO run_data_total VALUES (9, 2, 3);
DELETE FROM run_task_total;
INSERT INTO run_task_total VALUES (2, '', 'fetch', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d40-7cf9-8523-98d2c94f1275', '', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9ae0-715e-87de-1850396a0ca0', 'fetch', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (1, '', 'parse', 0, 1, 0, 1, 0, 1, 0);
INSERT INTO run_task_total VALUES (12, '01a22c95-9dec-7bab-bf06-ef0ed8f01724', 'parse', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d33-7ba6-9634-74c17d2d23ad', 'fetch', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (11, '', '', 0, 0, 0, 1, 1, 0, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d16-7062-b207-13fe17420183', '', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (9, '', 'fetch', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (5, '', 'parse', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (10, '', 'fetch', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (12, '', 'fetch', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (4, '01a22c95-9b9d-7761-b258-6e848ca0946e', '', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (3, '', '', 0, 0, 1, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d33-7ba6-9634-74c17d2d23ad', '', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (5, '01a22c95-9bc7-72a8-880d-a89877b30251', '', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9ae0-715e-87de-1850396a0ca0', '', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d0f-76d6-9f85-c78e3d742320', 'parse', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '', 'parse', 0, 1, 0, 1, 0, 1, 0);
INSERT INTO run_task_total VALUES (2, '', '', 0, 1, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (3, '01a22c95-9b71-702f-bcd5-86bc33b5d3dc', 'parse', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (10, '01a22c95-9d9d-75ff-9eeb-f61e794fe6da', '', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (11, '01a22c95-9dc6-708d-9b4a-28b1880a795f', 'parse', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (9, '01a22c95-9d75-720e-afb8-83300669a0d6', 'parse', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (3, '', 'fetch', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9b10-72ac-98b9-93c6ead8242d', '', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9ad4-744e-a81c-035fdc93eb90', 'parse', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (12, '', '', 0, 0, 0, 0, 1, 1, 0);
INSERT INTO run_task_total VALUES (10, '', '', 0, 0, 1, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (9, '', '', 0, 1, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d16-7062-b207-13fe17420183', 'fetch', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (4, '', 'parse', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (11, '', 'fetch', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (2, '01a22c95-9b45-7964-9497-e41d6c39e22d', 'parse', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (2, '01a22c95-9b45-7964-9497-e41d6c39e22d', '', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (4, '', '', 0, 0, 0, 1, 1, 0, 0);
INSERT INTO run_task_total VALUES (9, '', 'parse', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (5, '', 'fetch', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (10, '', 'parse', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9ad4-744e-a81c-035fdc93eb90', '', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (12, '', 'parse', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '01a22c95-9b10-72ac-98b9-93c6ead8242d', 'parse', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (9, '01a22c95-9d75-720e-afb8-83300669a0d6', '', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (11, '01a22c95-9dc6-708d-9b4a-28b1880a795f', '', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (3, '01a22c95-9b71-702f-bcd5-86bc33b5d3dc', '', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (10, '01a22c95-9d9d-75ff-9eeb-f61e794fe6da', 'parse', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (2, '', 'parse', 0, 0, 1, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (8, '', '', 1, 1, 1, 1, 1, 1, 1);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d0f-76d6-9f85-c78e3d742320', '', 0, 1, 0, 0, 0, 0, 0);
INSERT INTO run_task_total VALUES (5, '01a22c95-9bc7-72a8-880d-a89877b30251', 'parse', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '', 'fetch', 1, 0, 1, 0, 1, 0, 1);
INSERT INTO run_task_total VALUES (1, '01a22c95-9b02-7c9d-aab9-c677570445dc', '', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (3, '', 'parse', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (4, '01a22c95-9b9d-7761-b258-6e848ca0946e', 'parse', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (5, '', '', 0, 0, 0, 0, 1, 1, 0);
INSERT INTO run_task_total VALUES (4, '', 'fetch', 0, 0, 0, 1, 0, 0, 0);
INSERT INTO run_task_total VALUES (11, '', 'parse', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (12, '01a22c95-9dec-7bab-bf06-ef0ed8f01724', '', 0, 0, 0, 0, 0, 1, 0);
INSERT INTO run_task_total VALUES (1, '', '', 1, 1, 1, 1, 1, 1, 1);
INSERT INTO run_task_total VALUES (1, '01a22c95-9b02-7c9d-aab9-c677570445dc', 'fetch', 0, 0, 0, 0, 1, 0, 0);
INSERT INTO run_task_total VALUES (8, '', 'fetch', 1, 0, 1, 0, 1, 0, 1);
INSERT INTO run_task_total VALUES (8, '01a22c95-9d40-7cf9-8523-98d2c94f1275', 'parse', 0, 0, 0, 0, 0, 1, 0);
DELETE FROM run_total;
INSERT INTO run_total VALUES ('acme', 'pending', 2);
INSERT INTO run_total VALUES ('rival', 'pending', 2);
INSERT INTO run_total VALUES ('acme', 'failed', 1);
INSERT INTO run_total VALUES ('acme', 'cancelled', 1);
INSERT INTO run_total VALUES ('rival', 'cancelled', 1);
INSERT INTO run_total VALUES ('rival', 'failed', 1);
INSERT INTO run_total VALUES ('acme', 'completed', 1);
INSERT INTO run_total VALUES ('rival', 'completed', 1);
INSERT INTO run_total VALUES ('rival', 'running', 1);
INSERT INTO run_total VALUES ('acme', 'running', 1);
DELETE FROM schema_migration;
INSERT INTO schema_migration VALUES (4, 1796044331601, '0.4.0');
DELETE FROM task;
INSERT INTO task VALUES (1, '01a22c95-9ad4-744e-a81c-035fdc93eb90', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', NULL, 'fetch', 'pending', 'null', NULL, NULL, NULL, 0, 0, NULL, 1796044331732, 1796044331732, NULL, NULL, NULL);
INSERT INTO task VALUES (2, '01a22c95-9ae0-715e-87de-1850396a0ca0', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9ad4-744e-a81c-035fdc93eb90', 'parse', 'queued', 'null', '{"step":"queued"}', NULL, NULL, 0, 1, NULL, 1796044331744, 1796044331753, 1796044331747, 1796044331750, NULL);
INSERT INTO task VALUES (3, '01a22c95-9af1-7aaa-9ba6-ea689c9f597e', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9ae0-715e-87de-1850396a0ca0', 'fetch', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 2, NULL, 1796044331761, 1796044331766, 1796044331764, 1796044331766, NULL);
INSERT INTO task VALUES (4, '01a22c95-9b02-7c9d-aab9-c677570445dc', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', NULL, 'parse', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 3, NULL, 1796044331778, 1796044331785, 1796044331780, 1796044331783, 1796044331785);
INSERT INTO task VALUES (5, '01a22c95-9b10-72ac-98b9-93c6ead8242d', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b02-7c9d-aab9-c677570445dc', 'fetch', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 4, NULL, 1796044331792, 1796044331799, 1796044331795, 1796044331797, 1796044331799);
INSERT INTO task VALUES (6, '01a22c95-9b1f-7b04-a16a-ae1631418b15', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', '01a22c95-9b10-72ac-98b9-93c6ead8242d', 'parse', 'cancelled', 'null', '{"step":"cancelled"}', NULL, NULL, 0, 5, NULL, 1796044331807, 1796044331814, 1796044331809, 1796044331811, 1796044331814);
INSERT INTO task VALUES (7, '01a22c95-9b2c-70ac-8564-b097fb5fbe1e', 'acme', 1, '01a22c95-9acc-7b4b-b67a-09ad9cc59ad5', NULL, 'fetch', 'retrying', 'null', '{"step":"retrying"}', NULL, NULL, 1, 6, NULL, 1796044331820, 1796044331826, 1796044331822, 1796044331824, NULL);
INSERT INTO task VALUES (8, '01a22c95-9b45-7964-9497-e41d6c39e22d', 'acme', 2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', NULL, 'fetch', 'queued', 'null', '{"step":"queued"}', NULL, NULL, 0, 0, NULL, 1796044331845, 1796044331851, 1796044331847, 1796044331849, NULL);
INSERT INTO task VALUES (9, '01a22c95-9b52-7cae-be1d-c5bd582d6cdc', 'acme', 2, '01a22c95-9b43-74bb-a85b-6dcc75effd19', '01a22c95-9b45-7964-9497-e41d6c39e22d', 'parse', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 1, NULL, 1796044331858, 1796044331863, 1796044331861, 1796044331863, NULL);
INSERT INTO task VALUES (10, '01a22c95-9b71-702f-bcd5-86bc33b5d3dc', 'acme', 3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', NULL, 'fetch', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 0, NULL, 1796044331889, 1796044331893, 1796044331891, 1796044331893, NULL);
INSERT INTO task VALUES (11, '01a22c95-9b7f-7a6e-948d-0975b3f26b03', 'acme', 3, '01a22c95-9b6f-7d09-91f6-16a7596020e0', '01a22c95-9b71-702f-bcd5-86bc33b5d3dc', 'parse', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 1, NULL, 1796044331903, 1796044331910, 1796044331905, 1796044331907, 1796044331910);
INSERT INTO task VALUES (12, '01a22c95-9b9d-7761-b258-6e848ca0946e', 'acme', 4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', NULL, 'fetch', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 0, NULL, 1796044331933, 1796044331939, 1796044331935, 1796044331937, 1796044331939);
INSERT INTO task VALUES (13, '01a22c95-9bab-7fda-b0cb-6b972447f01b', 'acme', 4, '01a22c95-9b9b-7dac-8fb5-efa3db8a0570', '01a22c95-9b9d-7761-b258-6e848ca0946e', 'parse', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 1, NULL, 1796044331947, 1796044331953, 1796044331949, 1796044331951, 1796044331953);
INSERT INTO task VALUES (14, '01a22c95-9bc7-72a8-880d-a89877b30251', 'acme', 5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', NULL, 'fetch', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 0, NULL, 1796044331975, 1796044331983, 1796044331978, 1796044331980, 1796044331983);
INSERT INTO task VALUES (15, '01a22c95-9bd6-720d-81eb-8cb0b7a1845b', 'acme', 5, '01a22c95-9bc5-74bb-bdbf-3d41666e3af7', '01a22c95-9bc7-72a8-880d-a89877b30251', 'parse', 'cancelled', 'null', '{"step":"cancelled"}', NULL, NULL, 0, 1, NULL, 1796044331990, 1796044331996, 1796044331992, 1796044331994, 1796044331996);
INSERT INTO task VALUES (17, '01a22c95-9d0f-76d6-9f85-c78e3d742320', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', NULL, 'fetch', 'pending', 'null', NULL, NULL, NULL, 0, 0, NULL, 1796044332303, 1796044332303, NULL, NULL, NULL);
INSERT INTO task VALUES (18, '01a22c95-9d16-7062-b207-13fe17420183', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d0f-76d6-9f85-c78e3d742320', 'parse', 'queued', 'null', '{"step":"queued"}', NULL, NULL, 0, 1, NULL, 1796044332310, 1796044332316, 1796044332312, 1796044332314, NULL);
INSERT INTO task VALUES (19, '01a22c95-9d25-7759-9a71-4811abb44a30', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d16-7062-b207-13fe17420183', 'fetch', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 2, NULL, 1796044332325, 1796044332329, 1796044332327, 1796044332329, NULL);
INSERT INTO task VALUES (20, '01a22c95-9d33-7ba6-9634-74c17d2d23ad', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', NULL, 'parse', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 3, NULL, 1796044332339, 1796044332345, 1796044332341, 1796044332343, 1796044332345);
INSERT INTO task VALUES (21, '01a22c95-9d40-7cf9-8523-98d2c94f1275', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d33-7ba6-9634-74c17d2d23ad', 'fetch', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 4, NULL, 1796044332352, 1796044332359, 1796044332354, 1796044332357, 1796044332359);
INSERT INTO task VALUES (22, '01a22c95-9d4e-7edb-9a9a-1de21cb093f2', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', '01a22c95-9d40-7cf9-8523-98d2c94f1275', 'parse', 'cancelled', 'null', '{"step":"cancelled"}', NULL, NULL, 0, 5, NULL, 1796044332366, 1796044332373, 1796044332368, 1796044332370, 1796044332373);
INSERT INTO task VALUES (23, '01a22c95-9d5b-7d5d-b25d-a3b3602fa66c', 'rival', 8, '01a22c95-9d0d-709a-98d4-0b2f9033c3c3', NULL, 'fetch', 'retrying', 'null', '{"step":"retrying"}', NULL, NULL, 1, 6, NULL, 1796044332379, 1796044332389, 1796044332384, 1796044332386, NULL);
INSERT INTO task VALUES (24, '01a22c95-9d75-720e-afb8-83300669a0d6', 'rival', 9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', NULL, 'fetch', 'queued', 'null', '{"step":"queued"}', NULL, NULL, 0, 0, NULL, 1796044332405, 1796044332411, 1796044332407, 1796044332409, NULL);
INSERT INTO task VALUES (25, '01a22c95-9d82-76a9-b5a5-b1416443d739', 'rival', 9, '01a22c95-9d73-76b2-bb30-fa6e72e07cbb', '01a22c95-9d75-720e-afb8-83300669a0d6', 'parse', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 1, NULL, 1796044332418, 1796044332423, 1796044332421, 1796044332423, NULL);
INSERT INTO task VALUES (26, '01a22c95-9d9d-75ff-9eeb-f61e794fe6da', 'rival', 10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', NULL, 'fetch', 'running', 'null', '{"step":"running"}', NULL, NULL, 0, 0, NULL, 1796044332445, 1796044332450, 1796044332447, 1796044332450, NULL);
INSERT INTO task VALUES (27, '01a22c95-9dad-7d7a-9b7c-2c926785f1c2', 'rival', 10, '01a22c95-9d9a-75fd-8db0-1b756fe73b64', '01a22c95-9d9d-75ff-9eeb-f61e794fe6da', 'parse', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 1, NULL, 1796044332461, 1796044332467, 1796044332463, 1796044332465, 1796044332467);
INSERT INTO task VALUES (28, '01a22c95-9dc6-708d-9b4a-28b1880a795f', 'rival', 11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', NULL, 'fetch', 'completed', 'null', '{"step":"completed"}', NULL, NULL, 0, 0, NULL, 1796044332486, 1796044332492, 1796044332488, 1796044332490, 1796044332492);
INSERT INTO task VALUES (29, '01a22c95-9dd2-7409-ae3d-be4d4e49524d', 'rival', 11, '01a22c95-9dc4-7859-8fd1-ed4abe4efc31', '01a22c95-9dc6-708d-9b4a-28b1880a795f', 'parse', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 1, NULL, 1796044332498, 1796044332505, 1796044332500, 1796044332503, 1796044332505);
INSERT INTO task VALUES (30, '01a22c95-9dec-7bab-bf06-ef0ed8f01724', 'rival', 12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', NULL, 'fetch', 'failed', 'null', '{"step":"failed"}', NULL, NULL, 0, 0, NULL, 1796044332524, 1796044332531, 1796044332527, 1796044332529, 1796044332531);
INSERT INTO task VALUES (31, '01a22c95-9dfa-7e88-862a-27f72111fe2b', 'rival', 12, '01a22c95-9dea-7cf4-8ce1-b5c69199ec77', '01a22c95-9dec-7bab-bf06-ef0ed8f01724', 'parse', 'cancelled', 'null', '{"step":"cancelled"}', NULL, NULL, 0, 1, NULL, 1796044332538, 1796044332544, 1796044332540, 1796044332542, 1796044332544);
DELETE FROM task_change;
SELECT setval('run_seq_seq', (SELECT coalesce(max(seq), 1) FROM run));
SELECT setval('task_seq_seq', (SELECT coalesce(max(seq), 1) FROM task));
SELECT setval('run_data_seq_seq', (SELECT coalesce(max(seq), 1) FROM run_data));
RESET session_replication_role;
