"""Opaque JSON is taken apart and kept to the letter, whatever half characters are escaped in it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foreman.http.errors import Invalid
from foreman.http.opaque_json import decode_object, has_unpaired_surrogate

# Texts that are full of what the escapes of surrogates could be confused with.
PIECES = [
    "\ud83d",
    "\ude00",
    "\U0001f600",
    "\\",
    "\\u",
    "ud83d",
    "u",
    "D",
    '"',
    "/",
    "\n",
    "\x7f",
    "\x7fb",
    "\x7fu",
    "é",
    "a",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
VALUES = st.recursive(
    TEXTS | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def written(value: Any, upper: bool) -> str:
    """The value as JSON in which every surrogate is escaped, in letters of either case."""
    text = json.dumps(value)
    return text.replace("\\ud8", "\\uD8").replace("\\ude", "\\uDE") if upper else text


@given(values=st.lists(VALUES, max_size=5), upper=st.booleans())
@example(values=["\ud83d", "\\\ud83d\\", "\\ud83d"], upper=False)
def test_members_come_out_as_they_were_sent(values: list[Any], upper: bool) -> None:
    members = {f"field{number}": written(value, upper) for number, value in enumerate(values)}
    body = "{" + ",".join(f'"{name}": {text}' for name, text in members.items()) + "}"
    assert {name: bytes(value).decode() for name, value in decode_object(body.encode()).items()} == members


@given(value=VALUES)
def test_unpaired_surrogates_are_found_wherever_they_are(value: Any) -> None:
    unpaired = False
    try:
        json.dumps(json.loads(json.dumps(value)), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        unpaired = True
    (member,) = decode_object(b'{"field": %s}' % json.dumps(value).encode()).values()
    assert has_unpaired_surrogate(member) == unpaired


@given(body=st.lists(st.sampled_from([r"\ud83d", r"\\", "\\", '"', "{", "}", ":", ",", "1", "u", "d8"]), max_size=12))
def test_what_is_no_json_is_refused_with_surrogates_as_it_is_without(body: list[str]) -> None:
    text = '{"a":"\\ud83d","b' + "".join(body)
    try:
        expected = isinstance(json.loads(text), dict)
    except ValueError:
        expected = False
    try:
        decode_object(text.encode())
    except Invalid as refused:
        assert not expected
        assert "byte" not in refused.message
    else:
        assert expected


def test_name_with_half_a_character_can_be_shown() -> None:
    assert list(decode_object(rb'{"\ud83d \\ \uDE00 \"": 1, "status": 2}')) == [r"\ud83d \ \uDE00 " + '"', "status"]


@pytest.mark.parametrize("fill", [rb"\ud83d", rb"\\", b"\x7f", rb"\uD83D\\"])
def test_large_body_full_of_them_is_kept(fill: bytes) -> None:
    text = b'"' + fill * 200_000 + rb'\ud83d"'
    assert decode_object(b'{"a": %s}' % text) == {"a": msgspec.Raw(text)}
