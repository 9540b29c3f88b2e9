"""What is in a schema, as the server's catalogue has it: to compare a database with what this version creates.

A definition is told by its hash. Before that, what versions of PostgreSQL print differently, or print differently after
a dump was restored, is left out of it: the names of schemas and tables before a dot, names that PostgreSQL has chosen,
parentheses and layout.
"""

import json
from pathlib import Path
from typing import Any

import psycopg

_DIRECTORY = Path(__file__).parent / "catalogs"

# The objects in the schema of Foreman's tables that do not belong to an extension: type, name and definition. Names of
# what belongs to a table begin with the table's. Settings for storage and vacuum are not part of a definition: who runs
# a server may tune them. Types are cast to those of the operators, or a comparison could find an operator of somebody
# else who may create one in this schema.
_OBJECTS = """
    WITH home AS (
        SELECT coalesce(
            (SELECT relnamespace FROM pg_class WHERE oid = CAST(to_regclass('schema_migration') AS oid)),
            (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
        ) AS oid
    ),
    relation AS (
        SELECT pg_class.*
        FROM pg_class
        JOIN home ON home.oid = relnamespace
        WHERE NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = CAST(CAST('pg_class' AS regclass) AS oid) AND objid = pg_class.oid AND deptype = 'e'
        )
    )
    SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END AS type, relname AS name,
           concat_ws(' ', relkind, relpersistence, relrowsecurity, (
               SELECT string_agg(
                   concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, collname, attidentity,
                             pg_get_expr(adbin, adrelid)),
                   ', ' ORDER BY attnum
               )
               FROM pg_attribute
               LEFT JOIN pg_collation ON pg_collation.oid = attcollation
               LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
               WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
           ), CASE relkind WHEN 'v' THEN pg_get_viewdef(relation.oid) END) AS definition
    FROM relation
    WHERE relkind IN ('r', 'p', 'v')
    UNION ALL
    SELECT 'sequence', relname, concat_ws(' ', seqstart, seqincrement, seqmin, seqmax, seqcycle)
    FROM relation
    JOIN pg_sequence ON seqrelid = relation.oid
    UNION ALL
    SELECT 'index', index.relname, concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid)
    FROM pg_index
    JOIN relation ON relation.oid = indrelid
    JOIN pg_class AS index ON index.oid = indexrelid
    UNION ALL
    SELECT 'constraint', concat(relname, '.', conname),
           concat_ws(' ', pg_get_constraintdef(pg_constraint.oid), convalidated, (
               SELECT bool_and(tgenabled = 'O') FROM pg_trigger WHERE tgconstraint = pg_constraint.oid
           ))
    FROM pg_constraint
    JOIN relation ON relation.oid = conrelid
    WHERE contype <> 'n'
    UNION ALL
    SELECT 'trigger', concat(relname, '.', tgname), concat_ws(' ', pg_get_triggerdef(pg_trigger.oid), tgenabled)
    FROM pg_trigger
    JOIN relation ON relation.oid = tgrelid
    WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', concat(proname, '(', pg_get_function_identity_arguments(pg_proc.oid), ')'),
           pg_get_functiondef(pg_proc.oid)
    FROM pg_proc
    JOIN home ON home.oid = pronamespace
    WHERE prokind = 'f' AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = CAST(CAST('pg_proc' AS regclass) AS oid) AND objid = pg_proc.oid AND deptype = 'e'
    )
    UNION ALL
    SELECT 'domain', typname, concat_ws(' ', format_type(typbasetype, typtypmod), (
               SELECT string_agg(concat_ws(' ', pg_get_constraintdef(oid), convalidated), ', ' ORDER BY conname)
               FROM pg_constraint
               WHERE contypid = pg_type.oid AND contype <> 'n'
           ))
    FROM pg_type
    JOIN home ON home.oid = typnamespace
    WHERE typtype = 'd'
    UNION ALL
    SELECT 'rule', concat(relname, '.', rulename), pg_get_ruledef(pg_rewrite.oid)
    FROM pg_rewrite
    JOIN relation ON relation.oid = ev_class
    WHERE relkind <> 'v'
    """

# The same, with the hash of each definition.
CATALOG = rf"""
    SELECT type, CAST(name AS text) AS name, left(encode(sha256(convert_to(
        regexp_replace(regexp_replace(definition, '\m\w+\.|\mAS text\M', '', 'g'), '[\s()]+', '', 'g'), 'UTF8'
    )), 'hex'), 16) AS hash
    FROM ({_OBJECTS}) AS object
    """


def catalog_of(version: int) -> list[list[str]] | None:
    """What the schema of this version consists of: type, name and hash of each object; None if it is not known."""
    file = _DIRECTORY / f"{version:04}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def recorded(connection: "psycopg.Connection[tuple[Any, ...]]") -> str:
    """The content of the file for the schema that a database has."""
    rows = connection.execute(
        f"""SELECT type, name, hash FROM ({CATALOG}) AS part ORDER BY type, name COLLATE "C" """.encode()
    ).fetchall()
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
