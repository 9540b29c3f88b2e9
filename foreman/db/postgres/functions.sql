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
