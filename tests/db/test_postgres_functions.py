"""PostgreSQL's functions in our schema answer what SQLite's functions of the same names do."""

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from typing import Any

import psycopg
import pytest

from foreman.db.postgres.statements import for_driver
from foreman.db.values import as_list, as_pairs
from foreman.vocabulary import LONGEST_TEXT
from tests.support.cluster import cluster
from tests.support.proof import much
from tests.support.source import PACKAGE

pytestmark = pytest.mark.proof

FUNCTIONS = PACKAGE / "db" / "postgres" / "functions.sql"

Connection = psycopg.Connection[tuple[Any, ...]]

# What globs, LIKE, regular expressions or JSON take for something else; characters of each length in UTF-8; and those
# around the surrogates, beside what SQLite takes for U+FFFD, and at the ends of planes.
SPECIAL = "*?[]^-"
ODD = "\\%_.$|+(){}/:=#&~,'\"` \n\r\t\x01\x1f\x7f"
FAR = "\u00a0éß\u0130\u017f\u0430\u2028\ud7ff\ue000\ufffc\ufffd\ufffe\uffff\U00010000😀\U0001fffe\U0010ffff"
NEAR = "abcABC019"

# How many pairs one statement compares.
AT_ONCE = 4_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[Connection]:
    with cluster() as started:
        url = started.create("functions")
        with psycopg.connect(url, autocommit=True, options="-c search_path=foreman") as connection:
            connection.execute("CREATE SCHEMA foreman")
            connection.execute(FUNCTIONS.read_bytes())
            yield connection


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


# Globs --------------------------------------------------------------------------------------------------------------


def some_text(chance: random.Random, alphabet: str, longest: int) -> str:
    return "".join(chance.choices(alphabet, k=chance.randint(0, longest)))


def some_alphabet(chance: random.Random) -> str:
    """A few characters, so that what is made up of them has a chance to match."""
    return "".join(chance.choices(NEAR + ODD + FAR, k=chance.randint(1, 4))) + chance.choice(["", SPECIAL])


def some_pattern(chance: random.Random, alphabet: str, longest: int) -> str:
    """Characters, wildcards and sets, of which most are closed."""

    def part() -> str:
        match chance.randrange(6):
            case 0 | 1:
                return chance.choice(alphabet)
            case 2:
                return chance.choice("*?")
            case 3:
                return chance.choice(SPECIAL)
            case _:
                inside = some_text(chance, alphabet + "-", 4)
                return f"[{chance.choice(['', '', '^'])}{chance.choice(['', '', ']'])}{inside}]"

    return "".join(part() for _ in range(chance.randint(0, longest)))[:LONGEST_TEXT]


def some_value(chance: random.Random, pattern: str, alphabet: str) -> str:
    """A value that may well match the pattern."""
    if chance.random() < 0.1:
        return pattern
    value, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        end = pattern.find("]", at + 2)
        if character == "*":
            value.append(some_text(chance, alphabet, 3))
        elif character == "?" or (character == "[" and pattern[at + 1 : at + 2] == "^"):
            value.append(chance.choice(alphabet + FAR))
        elif character == "[" and end != -1:
            low, high = (ord(chance.choice(pattern[at + 1 : end])) for _ in "lh")
            between = chance.randint(low, high) if low <= high else low
            value.append(chr(low if 0xD800 <= between < 0xE000 else between))
        else:
            value.append(character)
        at = end + 1 if character == "[" and end != -1 else at + 1
    if value and chance.random() < 0.2:
        value[chance.randrange(len(value))] = some_text(chance, alphabet + SPECIAL, 2)
    return "".join(value)[:LONGEST_TEXT]


def assert_globs_agree(
    postgres: Connection, sqlite: sqlite3.Connection, pairs: Sequence[tuple[str, str]]
) -> tuple[int, int]:
    """Compare both answers for each pattern and value; return how many match, and how many do not."""
    matching = 0
    for start in range(0, len(pairs), AT_ONCE):
        some = pairs[start : start + AT_ONCE]
        patterns, values = ([pair[which] for pair in some] for which in (0, 1))
        theirs = postgres.execute(
            """
            SELECT glob(pattern, value)
            FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS pair (pattern, value, nth)
            ORDER BY nth
            """,
            (patterns, values),
        ).fetchall()
        ours = [sqlite.execute("SELECT glob(?, ?)", pair).fetchone()[0] for pair in some]
        different = [(pair, is_theirs) for pair, (is_theirs,), is_ours in zip(some, theirs, ours, strict=True)
                     if is_theirs != bool(is_ours)]  # fmt: skip
        assert different == []
        matching += sum(ours)
    return matching, len(pairs) - matching


def test_globs_at_random(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    chance = random.Random(1)
    pairs = []
    for _ in range(much(100_000, 6_000)):
        alphabet = some_alphabet(chance)
        pattern = some_pattern(chance, alphabet, chance.choice([2, 4, 8]))
        pairs.append((pattern, some_value(chance, pattern, alphabet)))
    matching, others = assert_globs_agree(postgres, sqlite, pairs)
    assert min(matching, others) > len(pairs) / 5


def test_globs_as_long_as_they_may_be(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    chance = random.Random(2)
    pairs = []
    for _ in range(much(2_000, 100)):
        alphabet = some_alphabet(chance)
        pattern = some_pattern(chance, alphabet, LONGEST_TEXT)
        pairs.append((pattern, some_value(chance, pattern, alphabet)))
    for pattern in (
        "*a" * 127 + "b",
        "*[a]" * 63 + "b",
        "*[a]" + "?" * 250,
        "[^b]" * 63,
        "*" * LONGEST_TEXT,
        "[" * 255,
    ):
        pairs += [(pattern, value) for value in ("a" * 255, "a" * 254 + "b", "a" * 63, "")]
    assert_globs_agree(postgres, sqlite, pairs)


def test_all_short_globs(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    """All patterns of a few of these characters, and all sets with a few in between."""
    short = ["".join(each) for length in range(much(6, 5)) for each in product("*?[]^-ac", repeat=length)]
    within = ["".join(each) for length in range(much(6, 5)) for each in product("]^-ac", repeat=length)]
    patterns = {*short, *(f"[{inside}]" for inside in within), *(f"[{inside}-[]" for inside in within)}
    values = ["", "a", "b", "c", "]", "^", "-", "[", "ab", "a]", "-a", "[]"]
    pairs = [(pattern, value) for pattern in sorted(patterns) for value in [*values, pattern]]
    matching, _ = assert_globs_agree(postgres, sqlite, pairs)
    assert matching > len(patterns) / 2


@pytest.mark.parametrize("character", [*SPECIAL, *ODD, *FAR, *NEAR])
def test_each_character_as_itself(postgres: Connection, sqlite: sqlite3.Connection, character: str) -> None:
    patterns = [form.format(character) for form in ("{}", "*{}", "a{}a", "[{}]", "[^{}]", "[!-{}]", "[{}-\U0010fffe]")]
    values = sorted({character, *SPECIAL, *ODD, *FAR, *NEAR})
    pairs = [(pattern, form.format(value)) for pattern in patterns for value in values for form in ("{}", "a{}a")]
    assert_globs_agree(postgres, sqlite, pairs)


def test_glob_of_null_is_null(postgres: Connection) -> None:
    assert postgres.execute("SELECT glob(NULL, 'a'), glob('a', NULL), glob('[a]', NULL)").fetchone() == (None,) * 3


def test_glob_of_a_parameter_is_the_function(postgres: Connection) -> None:
    """For statements with a pattern as a parameter, the driver is given the function's body."""
    chance = random.Random(3)
    for _ in range(much(3_000, 300)):
        alphabet = some_alphabet(chance)
        pattern = some_pattern(chance, alphabet, chance.choice([2, 4, 8]))
        values = [some_value(chance, pattern, alphabet) for _ in range(10)]
        asked = for_driver("SELECT value, glob(:pattern, given.value) FROM unnest(:values::text[]) AS given (value)")
        assert b"glob(" not in asked
        found = postgres.execute(asked, {"pattern": pattern, "values": values}).fetchall()
        function = "SELECT value, glob(%s, given.value) FROM unnest(%s::text[]) AS given (value)"
        assert found == postgres.execute(function, (pattern, values)).fetchall()


# Lists --------------------------------------------------------------------------------------------------------------


def some_item(chance: random.Random) -> str | int:
    if chance.random() < 0.2:
        return chance.choice([0, -1, 2**53 + 1, -(2**63), 2**63 - 1])
    return some_text(chance, SPECIAL + ODD + FAR + NEAR, 6)


def as_texts(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(*first, None if last is None else str(last)) for *first, last in rows]


def test_lists_at_random(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    chance = random.Random(3)
    lists = ["[]", ' [ 1 , "a" ] ', '["\\ud83d\\ude00\\/\\u00e9"]', "[null]"]
    for _ in range(much(50_000, 4_000)):
        items = [some_item(chance) for _ in range(chance.choice([0, 1, 2, 3, 12]))]
        lists.append(chance.choice([as_list(items) or "", json.dumps(items), json.dumps(items, indent=1)]))
    for start in range(0, len(lists), AT_ONCE):
        some = lists[start : start + AT_ONCE]
        items_of_all: dict[int, list[tuple[Any, ...]]] = {nth: [] for nth in range(len(some))}
        for nth, key, value in postgres.execute(
            """
            SELECT list.nth - 1, item.key, item.value
            FROM unnest(%s::text[]) WITH ORDINALITY AS list (text, nth)
            CROSS JOIN json_each(list.text) AS item
            ORDER BY list.nth, item.key
            """,
            (some,),
        ):
            items_of_all[nth].append((key, value))
        others = postgres.execute(
            """
            SELECT json_array_length(text), json_extract(text, '$[0]'), json_extract(text, '$[1]')
            FROM unnest(%s::text[]) WITH ORDINALITY AS list (text, nth)
            ORDER BY nth
            """,
            (some,),
        ).fetchall()
        for nth, text in enumerate(some):
            ours = sqlite.execute("SELECT key, value FROM json_each(?)", (text,)).fetchall()
            assert items_of_all[nth] == as_texts(ours), text
            length, *ends = sqlite.execute(
                "SELECT json_array_length(:list), json_extract(:list, '$[0]'), json_extract(:list, '$[1]')",
                {"list": text},
            ).fetchone()
            assert others[nth] == (length, *(None if end is None else str(end) for end in ends)), text


def test_lists_of_pairs(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    chance = random.Random(4)
    sql = "SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each({}) ORDER BY key"
    for _ in range(much(2_000, 200)):
        alphabet = SPECIAL + ODD + FAR + NEAR
        pairs = [(some_text(chance, alphabet, 5), some_text(chance, alphabet, 5)) for _ in range(chance.randint(0, 4))]
        theirs = postgres.execute(sql.format("%s"), (as_pairs(pairs),)).fetchall()
        assert theirs == sqlite.execute(sql.format("?"), (as_pairs(pairs),)).fetchall()
        assert theirs == [(key, *pair) for key, pair in enumerate(pairs)]


def test_no_list_has_no_items(postgres: Connection) -> None:
    assert postgres.execute("SELECT count(*) FROM json_each(%s)", (None,)).fetchone() == (0,)
    assert postgres.execute("SELECT json_extract(NULL, '$[0]'), json_array_length(NULL)").fetchone() == (None, None)


# JSON ---------------------------------------------------------------------------------------------------------------

JSON = [
    *("null", "true", " false\n", "0", "-0", "1" * 30, "1.5", "1e400", "-1E+5", "0e0", '""', "[]", "{}", "[[],{}]"),
    *(
        '{"a": 1, "a": 2}',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"\x7f\u2028\uffff\U0010ffff"',
        '"\\/"',
        "\t1\r",
    ),
]
NO_JSON = [
    *(
        "",
        " ",
        "nul",
        "True",
        "01",
        ".5",
        "1.",
        "+1",
        "0x1",
        "NaN",
        "-Infinity",
        "-",
        "1e",
        "'a'",
        '"a',
        '"\\x"',
        '"\t"',
    ),
    *(
        '"\\u12"',
        '"\\ud8zz"',
        "[1,]",
        "[1 2]",
        "[1]x",
        "{a:1}",
        '{"a"}',
        '{"a":1,}',
        "\v1",
        "\u00a01",
        "\ufeff1",
        "/**/1",
    ),
]


@pytest.mark.parametrize("text", [*JSON, *NO_JSON])
def test_what_is_json(postgres: Connection, sqlite: sqlite3.Connection, text: str) -> None:
    assert postgres.execute("SELECT json_valid(%s)", (text,)).fetchone() == (text in JSON,)
    assert sqlite.execute("SELECT json_valid(?)", (text,)).fetchone() == (text in JSON,)


@pytest.mark.parametrize("text", JSON)
def test_types_of_json(postgres: Connection, sqlite: sqlite3.Connection, text: str) -> None:
    sql = "SELECT json_type({0}), json_array_length({0})"
    theirs = postgres.execute(sql.format("%(text)s"), {"text": text}).fetchone()
    assert theirs == sqlite.execute(sql.format(":text"), {"text": text}).fetchone()


def test_json_that_is_nested_deep(postgres: Connection) -> None:
    for levels, is_valid in ((5_000, True), (100_000, False)):
        text = '[{"a":' * levels + "1" + "}]" * levels
        assert postgres.execute("SELECT json_valid(%s)", (text,)).fetchone() == (is_valid,)


def test_instr(postgres: Connection, sqlite: sqlite3.Connection) -> None:
    for pair in product(["", "a", "éa😀a", "%_"], ["", "a", "A", "😀", "_", "aa"]):
        theirs = postgres.execute("SELECT instr(%s, %s)", pair).fetchone()
        assert theirs == sqlite.execute("SELECT instr(?, ?)", pair).fetchone()


# Plans --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def entries(postgres: Connection) -> Iterator[str]:
    postgres.execute(
        """
        CREATE TABLE entry (run_seq bigint NOT NULL, key text COLLATE "C" NOT NULL, data text NOT NULL);
        CREATE INDEX entry_by_key ON entry (run_seq, key);
        INSERT INTO entry SELECT nth % 2, 'key/' || nth, repeat('-', 50) FROM generate_series(1, 20000) AS nth;
        ANALYZE entry;
        """
    )
    yield "entry"
    postgres.execute("DROP TABLE entry")


def plan(postgres: Connection, sql: str, *values: str) -> str:
    lines = postgres.execute(f"EXPLAIN (VERBOSE, COSTS FALSE) {sql}", values).fetchall()
    return "\n".join(line for (line,) in lines)


@pytest.mark.parametrize(
    ("pattern", "filtered"),
    [
        ("key/1*_?", r"(entry.key ~~ 'key/1%\__'::text)"),
        ("*[1-3]", r"((entry.key ~~ '%_'::text) AND regexp_like(entry.key, '^.*[\U00000031-\U00000033]$'::text))"),
    ],
)
def test_a_glob_is_translated_before_any_row_is_looked_at(
    postgres: Connection, entries: str, pattern: str, filtered: str
) -> None:
    said = plan(postgres, f"SELECT count(*) FROM {entries} WHERE glob(%s, key)", pattern)
    assert f"Filter: {filtered}" in said


def test_a_prepared_glob_is_planned_for_each_pattern(postgres: Connection, entries: str) -> None:
    """A plan that is kept would translate the pattern for each row, even if it expects a single one."""
    postgres.execute(f"PREPARE by_glob (text) AS SELECT count(*) FROM {entries} WHERE run_seq = 9 AND glob($1, key)")
    for pattern in ["key/1*", "*[0-5]"] * 10:
        postgres.execute(f"EXECUTE by_glob ('{pattern}')")
    plans = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE name = 'by_glob'"
    assert postgres.execute(plans).fetchone() == (20, 0)
    postgres.execute("DEALLOCATE by_glob")


@pytest.mark.parametrize(
    ("sql", "listed", "condition"),
    [
        (
            "SELECT key FROM {} WHERE run_seq = 1 AND key IN (SELECT value FROM json_each(%s))",
            '["key/7", "key/x"]',
            "((entry.run_seq = 1) AND (entry.key = item.value))",
        ),
        (
            """
            SELECT entry.key
            FROM json_each(%s) AS prefix
            CROSS JOIN {} AS entry
            WHERE entry.run_seq = 1
              AND entry.key >= json_extract(prefix.value, '$[0]') AND entry.key < json_extract(prefix.value, '$[1]')
            ORDER BY entry.key
            LIMIT 100
            """,
            '[["key/1", "key/2"], ["x", "y"]]',
            "((entry.run_seq = 1) AND (entry.key >= ((item.value)::json ->> 0))"
            " AND (entry.key < ((item.value)::json ->> 1)))",
        ),
    ],
)
def test_each_item_of_a_list_is_looked_up(
    postgres: Connection, entries: str, sql: str, listed: str, condition: str
) -> None:
    said = plan(postgres, sql.format(entries), listed)
    assert f"Function Call: json_array_elements_text('{listed}'::json)" in said
    assert f"Index Cond: {condition}" in said.replace("(item.value)::text", "item.value")
