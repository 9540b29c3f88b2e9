"""JSON that the API keeps and does not look into: what it may be, and what betrays who has looked into it."""

from typing import Any

# What inputData and the like may be: any JSON value.
ANY_JSON: list[Any] = [
    None,
    True,
    False,
    0,
    -17,
    2.5,
    "",
    "text",
    "null",
    [],
    [1, [2, [3]]],
    {},
    {"": None},
    {"a": {"b": [1, "2"]}},
]

# JSON that reading and printing again would change. It must come back character by character.
TELLTALE_JSON = [
    "1.10",
    "-0.0",
    "1e5",
    "1E+400",
    "123456789012345678901234567890",
    '{"b":1.0,"a":{"c":[]}}',
    '{ "spaces" :\t[ 1 ,\n2 ] }',
    '{"twice":1,"twice":2}',
    r'"\u00e9 \u2028 \/ \ud83d\ude00 \u0000"',
    '"é 😀 \u2028 \x7f"',
]
