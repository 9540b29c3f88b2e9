"""Invariants of what came with schema version 5: how runs and tasks are found, acts, and what API keys may do."""

from foreman.maintenance.invariants.rule import POSTGRES, SQLITE, Rule

_RUNS_AND_TASKS = ("run", "task")


def _of_both(select: str) -> str:
    """A SELECT for runs and for tasks, with `{table}` in it."""
    return " UNION ALL ".join(select.format(table=table) for table in _RUNS_AND_TASKS)


def _tags(table: str) -> str:
    return f"CASE WHEN json_valid({table}.tags) THEN {table}.tags ELSE '[]' END"


def _tag(is_no_text: str, only: str) -> Rule:
    """The rule about the tags of a run or task.

    :param is_no_text: the condition that an item of the array is something else
    :param only: the engine that understands this condition
    """
    return Rule(
        "tag_of_run_or_task",
        "a tag of a run or task is not a text of 1 to 255 characters without commas",
        _of_both(
            f"""
            SELECT '{{table}}' AS "table", {{table}}.org_id, {{table}}.id, tag.value AS tag
            FROM {{table}}
            CROSS JOIN json_each({_tags("{table}")}) AS tag
            WHERE {is_no_text} OR length(tag.value) NOT BETWEEN 1 AND 255 OR instr(tag.value, ',') > 0
            """
        ),
        since=5,
        only=only,
    )


VALUES_SINCE_5 = (
    Rule(
        "external_id",
        "an external id is not 1 to 255 characters long",
        _of_both(
            """
            SELECT '{table}' AS "table", org_id, id FROM {table} WHERE length(external_id) NOT BETWEEN 1 AND 255
            """
        ),
        since=5,
    ),
    Rule(
        "external_id_nul",
        "an external id has a NUL",
        _of_both("""SELECT '{table}' AS "table", org_id, id FROM {table} WHERE instr(external_id, char(0)) > 0"""),
        since=5,
        only=SQLITE,  # PostgreSQL has no such texts
    ),
    Rule(
        "tags_of_run_or_task",
        "the tags of a run or task are no JSON array, or are too many",
        _of_both(
            """
            SELECT '{table}' AS "table", org_id, id
            FROM {table}
            WHERE tags IS NOT NULL AND CASE
                WHEN json_valid(tags) THEN json_type(tags) <> 'array' OR json_array_length(tags) > :most_tags
                ELSE 1 = 1
            END
            """
        ),
        since=5,
    ),
    _tag("tag.type <> 'text'", SQLITE),
    _tag("json_typeof(CAST({table}.tags AS json) -> CAST(tag.key AS integer)) <> 'string'", POSTGRES),
    Rule(
        "tag_of_run_or_task_repeated",
        "a run or task has a tag more than once",
        _of_both(
            """
            SELECT '{table}' AS "table", org_id, id
            FROM {table}
            WHERE CASE WHEN json_valid(tags) THEN json_array_length(tags) > 1 AND json_array_length(tags) > (
                SELECT count(DISTINCT tag.value) FROM json_each({table}.tags) AS tag
            ) END
            """
        ),
        since=5,
    ),
    Rule(
        "run_strict",
        "strict of a run is neither 0 nor 1",
        "SELECT org_id, id, strict FROM run WHERE strict NOT IN (0, 1)",
        since=5,
    ),
    Rule(
        "key_admin",
        "admin of an API key is neither 0 nor 1",
        "SELECT org_id, id, admin FROM api_key WHERE admin NOT IN (0, 1)",
        since=5,
    ),
    Rule(
        "metadata_path",
        "a declared path of metadata is empty, or filled is neither 0 nor 1",
        "SELECT path, filled FROM metadata_path WHERE path = '' OR filled NOT IN (0, 1)",
        since=5,
    ),
    Rule(
        "act",
        "an act has an unknown kind or a filter that is no JSON, or has changed a negative number",
        """
        SELECT org_id, id, kind, changed
        FROM act
        WHERE kind NOT IN ('cancel_tasks', 'retry_tasks', 'cancel_runs', 'retry_runs') OR NOT json_valid(filter)
           OR changed < 0
        """,
        since=5,
    ),
)


def _same(name: str, wrong: str, columns: str, derived: str, only: str | None = None, needed: str = "") -> Rule:
    """The rule that a table has exactly the rows that another SELECT gives.

    :param needed: a SELECT of those that must be there, if others may be
    """
    kept = f"SELECT {columns} FROM {name}"
    return Rule(
        name,
        wrong,
        f"""
        SELECT 'missing' AS found, missing.* FROM ({needed or derived} EXCEPT {kept}) AS missing
        UNION ALL
        SELECT 'extra', extra.* FROM ({kept} EXCEPT {derived}) AS extra
        """,
        since=5,
        only=only,
    )


def _found_by_tag(table: str, columns: str) -> Rule:
    return _same(
        f"{table}_tag",
        f"the rows in {table}_tag are not the tags of the {table}s",
        columns,
        f"""
        SELECT {columns.replace("tag", "CAST(tag.value AS TEXT) AS tag")}
        FROM {table}
        CROSS JOIN json_each({_tags(table)}) AS tag
        """,
    )


def _found_by_metadata(table: str) -> tuple[Rule, Rule]:
    name = f"{table}_metadata"
    wrong = f"the rows in {name} are not what the metadata of the {table}s has at the declared paths"
    columns = "org_id, path, value, created_at, seq"
    on_sqlite = f"""
        SELECT org_id, path,
               CASE json_type(metadata, at) WHEN 'text' THEN metadata ->> at ELSE metadata -> at END AS value,
               created_at, seq
        FROM {table}
        CROSS JOIN (SELECT path, '$."' || replace(path, '.', '"."') || '"' AS at FROM metadata_path) AS declared
        WHERE json_valid(metadata) AND json_type(metadata, at) NOT IN ('object', 'array')
          AND length(value) BETWEEN 1 AND 255 AND instr(replace(metadata -> at, '\\\\', ''), '\\u0000') = 0
        """
    on_postgres = f"""
        SELECT org_id, found.path, found.value, created_at, seq
        FROM {table}
        CROSS JOIN declared_metadata({table}.metadata) AS found
        """
    # While a path is being filled, rows may still be missing.
    filled = " AND path IN (SELECT filled.path FROM metadata_path AS filled WHERE filled.filled = 1)"
    of_filled = f"{on_postgres} WHERE {filled.removeprefix(' AND ').replace('path IN', 'found.path IN')}"
    return (
        _same(name, wrong, columns, on_sqlite, SQLITE, f"{on_sqlite}{filled}"),
        _same(name, wrong, columns, on_postgres, POSTGRES, of_filled),
    )


KEPT_SINCE_5 = (
    _found_by_tag("run", "org_id, tag, created_at, seq"),
    _found_by_tag("task", "org_id, tag, created_at, seq, run_seq"),
    *_found_by_metadata("run"),
    *_found_by_metadata("task"),
)
