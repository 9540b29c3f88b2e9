"""SQL is what both SQLite and PostgreSQL understand, but for the schemas and the modules of one engine.

The common dialect is that of both, and what foreman/db/postgres/functions.sql and schema.sql give to PostgreSQL:
`glob(pattern, value)`, `json_each`, `json_array_length`, `json_extract` and `CAST(... AS BLOB)`.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from foreman.db.file import SCHEMA_VERSION
from foreman.maintenance.invariants import RULES
from foreman.maintenance.invariants.postgres import OF_POSTGRES
from tests.support.source import modules, name_of, tree_of

# Rooms and modules of one engine alone: those that open it, the commands that work on SQLite files, and what moves rows
# from one engine, or from the original, to another.
APART = (
    "db/checkpoints.py",
    "db/file.py",
    "db/postgres/",
    "db/schema.py",
    "db/server_lock.py",
    "db/sqlite.py",
    "db/transactions.py",
    "maintenance/backup.py",
    "maintenance/check.py",
    "maintenance/check_postgres.py",
    "maintenance/invariants/",
    "maintenance/moving/of_postgres.py",
    "maintenance/moving/of_sqlite.py",
    "maintenance/moving/original.py",
    "maintenance/restore.py",
    "maintenance/upgrade.py",
)

IS_SQL = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN|WHERE|CAST|PRAGMA)\b")

# What only one of them knows, or what the two take differently.
ONE_ENGINE = {
    "PRAGMA": r"\bPRAGMA\b|\bpragma_\w+",
    "BLOB but in a cast": r"(?<!\bAS )\bBLOB\b|\bx'[0-9a-fA-F]*'",
    "json_extract of more than an item": r"\bjson_extract\s*\([^,()]+,(?!\s*'\$\[\d+\]'\s*\))",
    "other functions of JSON": r"\bjson_(?!each\b|array_length\b|extract\b)\w+\s*\(|\bjsonb_\w+\s*\(",
    "CROSS JOIN ... ON": r"\bCROSS JOIN\s+[\w{}]+(?:\s+AS\s+\w+)?\s+ON\b",
    "GLOB as an operator": r"\bGLOB\b(?!\s*\()",
    "LIKE": r"\bI?LIKE\b|\bREGEXP\b|\bSIMILAR TO\b",
    "conflict clause": r"\bINSERT OR\b|\bREPLACE INTO\b|\bUPDATE OR\b",
    "rowid": r"\b(?:_?rowid_?|oid|AUTOINCREMENT|SERIAL)\b",
    "hint for a planner": r"\bINDEXED BY\b|\bNOT INDEXED\b|\bunlikely\s*\(|\blikelihood\s*\(",
    "catalogue": r"\bsqlite_(?!errorcode\b)\w+|\bpg_\w+|\binformation_schema\b",
    "functions of time": r"\b(?:datetime|strftime|julianday|unixepoch|now)\s*\(|\bCURRENT_TIMESTAMP\b",
    "functions of text": r"\b(?:instr|ifnull|iif|group_concat|string_agg|printf|total|hex|quote)\s*\(",
    "cast with colons": r"\w::\w",
    "array": r"\bARRAY\[|\bANY\s*\(|\bunnest\s*\(",
    "other parameters": r"(?<![\w:])[@$]\w+|%s|%\(",
    "double quotes": r"\"\w+\"",
    "transactions and files": r"\b(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|ATTACH|DETACH|VACUUM|REINDEX)\b",
}

# Texts that are no SQL, such as those of the log, may have these.
NOT_ONLY_SQL = {"catalogue", "other parameters", "double quotes"}

# What is left, and why: by file and name.
LEFT = {
    ("maintenance/opening.py", "PRAGMA"): "the version of an SQLite file",
    ("maintenance/violations.py", "PRAGMA"): "finds the tables that a rule names",
}


# What rules of `check` that hold on both engines may have, too: functions that PostgreSQL has been given for them, and
# names of columns in their answers.
IN_RULES = {"other functions of JSON", "functions of text", "double quotes"}


class Text(NamedTuple):
    """A text in a module, and the line in which it begins."""

    text: str
    line: int


def texts(tree: ast.AST) -> Iterator[Text]:
    """The SQL in a module: texts that are no docstrings; of f-strings what is written in them."""
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            inside.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            inside |= set(node.values)
            written = "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
            yield Text(written, node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield Text(node.value, node.lineno)


def written(file: Path) -> list[Text]:
    """The texts of a file: statements, and parts of statements that are put together elsewhere."""
    return [Text(re.sub(r"--.*", "", text), line) for text, line in texts(tree_of(file))]


def files() -> list[Path]:
    return [file for file in modules() if not name_of(file).startswith(APART)]


def only_one_engine_knows(sql: str) -> set[str]:
    found = {name for name, pattern in ONE_ENGINE.items() if re.search(pattern, sql)}
    return found if IS_SQL.search(sql) else found - NOT_ONLY_SQL


def test_sql_is_what_both_engines_understand() -> None:
    sql = [(name_of(file), *each) for file in files() for each in written(file)]
    assert len([text for _, text, _ in sql if IS_SQL.search(text)]) > 60
    found = {(f"{file}:{line}", file, name) for file, text, line in sql for name in only_one_engine_knows(text)}
    assert [(where, name) for where, file, name in sorted(found) if (file, name) not in LEFT] == []
    assert {(file, name) for _, file, name in found} == set(LEFT)


def test_what_stands_apart_is_there() -> None:
    names = [name_of(file) for file in modules()]
    assert [each for each in APART if not any(name.startswith(each) for name in names)] == []


def test_rules_of_both_engines_are_what_both_understand() -> None:
    rules = [rule for rule in RULES if rule.only is None and rule.until >= SCHEMA_VERSION]
    assert len(rules) > 25
    found = {(rule.name, name) for rule in rules for name in only_one_engine_knows(rule.sql) - IN_RULES}
    assert found == set()


def test_sql_of_no_rule_is_there_twice() -> None:
    texts = Counter(" ".join(rule.sql.split()) for rule in (*RULES, *OF_POSTGRES))
    assert [text for text, times in texts.items() if times > 1] == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM run WHERE id = :id AND glob(:pattern, key)",
        "SELECT value FROM json_each(:keys)",
        "SELECT count(*) FROM task WHERE status IN (SELECT value FROM json_each(:all)) ORDER BY seq DESC NULLS LAST",
        "INSERT INTO run (id) VALUES (:id) ON CONFLICT (id) DO NOTHING RETURNING *",
        "SELECT CAST(value AS BLOB), CAST(run.metadata AS BLOB) FROM run_data CROSS JOIN run WHERE run.seq = run_seq",
        "SELECT json_extract(item.value, '$[0]'), json_extract(item.value, '$[1]') FROM json_each(:all) AS item",
    ],
)
def test_what_both_understand_is_let_through(sql: str) -> None:
    assert only_one_engine_knows(sql) == set()


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT x'00' FROM run_data", "BLOB but in a cast"),
        ("CREATE TABLE a (b BLOB); SELECT 1 FROM a", "BLOB but in a cast"),
        ("SELECT json_extract(metadata, '$.name') FROM run", "json_extract of more than an item"),
        ("SELECT json_extract(metadata, :path) FROM run", "json_extract of more than an item"),
        ("SELECT 1 FROM a CROSS JOIN b ON a.x = b.x", "CROSS JOIN ... ON"),
        ("SELECT 1 FROM a WHERE key GLOB :pattern", "GLOB as an operator"),
        ("SELECT 1 FROM a WHERE key LIKE :pattern", "LIKE"),
        ("INSERT OR IGNORE INTO run (id) VALUES (:id)", "conflict clause"),
        ("SELECT rowid FROM run", "rowid"),
        ("SELECT data->>'x', json_type(data) FROM run", "other functions of JSON"),
        ("SELECT id::text FROM run", "cast with colons"),
        ("SELECT name FROM sqlite_schema", "catalogue"),
        ("SELECT ifnull(a, b) FROM run", "functions of text"),
    ],
)
def test_what_one_alone_understands_is_found(sql: str, name: str) -> None:
    assert name in only_one_engine_knows(sql)
