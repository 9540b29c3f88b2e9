-- Functions that SQLite has and PostgreSQL lacks, so that both understand the same statements.
--
-- Their bodies are in the place of each call before a statement is planned, as far as PostgreSQL can do that: so none
-- is STRICT, or sets a parameter. What a body names is looked up once, when the function is created.
--
-- JSON is read as type `json`, because `jsonb` refuses some that is valid, such as "\u0000".


-- Globs --------------------------------------------------------------------------------------------------------------

-- A pattern of LIKE for a glob's `*`, `?` and characters. A `?` stands for what LIKE cannot say: see below.
CREATE FUNCTION glob_like(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN translate(
    replace(replace(replace(
        regexp_replace(pattern, '(?:\[\^|\[(?!\^)).[^]]*\]|[\uFFFD-\uFFFF]', '?', 'g'),
        '\', '\\'), '%', '\%'), '_', '\_'),
    '*?', '%_'
);

-- A regular expression for a glob. In a set come a `^` that negates it, a `]` that is its member, and then members and
-- ranges. What begins a range is a member, even if the range is empty, as in [z-a]. A set that is never closed matches
-- nothing. To SQLite, U+FFFE and U+FFFF are U+FFFD.
--
-- This takes longer than hundreds of matches: because of its cost, PostgreSQL keeps no plan of a prepared statement
-- that would translate the pattern again for each row, but plans it anew for each pattern.
CREATE FUNCTION glob_regex(pattern text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 100000
RETURN (
    SELECT CASE WHEN bool_or(wild IS NULL AND opening IS NULL AND plain IS NULL)
        THEN '$.'  -- never: something after the end
        ELSE '^' || string_agg(
            CASE
                WHEN wild IS NOT NULL
                    THEN repeat('.', length(replace(wild, '*', ''))) || CASE WHEN strpos(wild, '*') > 0 THEN '.*' ELSE '' END
                WHEN opening IS NOT NULL
                    THEN opening || (
                        SELECT string_agg(
                            '\U' || lpad(to_hex(CASE WHEN low  IN (65534, 65535) THEN 65533 ELSE low  END), 8, '0') || '-' ||
                            '\U' || lpad(to_hex(CASE WHEN high IN (65533, 65534) THEN 65535 ELSE high END), 8, '0'),
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
    ) AS part
);

-- GLOB, whose pattern comes first. LIKE is ten times as fast as the regular expression, so it rules out what it can.
CREATE FUNCTION glob(pattern text, value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN value COLLATE "C" LIKE glob_like(pattern)
    AND (pattern !~ '[[\uFFFD-\uFFFF]' OR regexp_like(value COLLATE "C", glob_regex(pattern)));


-- Lists --------------------------------------------------------------------------------------------------------------

-- The items of a JSON array with their places, from 0: texts decoded, all else as its JSON, null as NULL.
--
-- Both conditions always hold. For each of them, the planner counts on a third of what it expects, 100 items: so it
-- looks up a few rows for each item, where it might else read all rows to look for 100 in them.
CREATE FUNCTION json_each(list text) RETURNS TABLE (key bigint, value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 10
BEGIN ATOMIC
    SELECT item.nth - 1, item.value
    FROM json_array_elements_text(list::json) WITH ORDINALITY AS item (value, nth)
    WHERE item.nth > 0 AND item.nth - 1 >= 0;
END;

-- The item of a JSON array at a path such as $[0].
CREATE FUNCTION json_extract(list text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN list::json ->> rtrim(ltrim(path, '$['), ']')::integer;

-- 0 for all that is no array.
CREATE FUNCTION json_array_length(list text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE json_typeof(list::json) WHEN 'array' THEN pg_catalog.json_array_length(list::json) ELSE 0 END;


-- For the command `check` only ---------------------------------------------------------------------------------------

-- JSON nested deeper than max_stack_depth allows is not valid either: about 7,000 levels of objects in arrays. Before
-- PostgreSQL 17, catching an error is not possible in a parallel query.
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

CREATE FUNCTION json_type(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE json_typeof(value::json)
    WHEN 'boolean' THEN btrim(value, E' \t\n\r')
    WHEN 'number' THEN CASE WHEN value ~ '[.eE]' THEN 'real' ELSE 'integer' END
    WHEN 'string' THEN 'text'
    ELSE json_typeof(value::json)
END;

CREATE FUNCTION instr(value text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN strpos(value COLLATE "C", part);
