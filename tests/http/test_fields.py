"""Fields of bodies: a list of tags is what its tags are, one by one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from foreman.http.fields import Tag, Tags

ODD: list[Any] = ["", "x" * 256, "a,b", ",", "\x00", "a\x00", 1, 1.5, True, None, [], ["a"], {"a": 1}]
EDGES = ["a", "x" * 255, "\u00e9" * 255, "\U0001f600", " ", "%"]


def refused(value: Any) -> list[str] | None:
    try:
        Tag().deserialize(value)
    except ValidationError as error:
        return list(error.messages)
    return None


@given(st.lists(st.sampled_from(EDGES) | st.text() | st.sampled_from(ODD), max_size=6))
def test_list_of_tags_is_accepted_when_each_of_them_is(values: list[Any]) -> None:
    expected = {place: wrong for place, value in enumerate(values) if (wrong := refused(value))}
    if expected:
        with pytest.raises(ValidationError) as raised:
            Tags().deserialize(values)
        assert raised.value.messages == expected
    else:
        assert Tags().deserialize(values) == values


@pytest.mark.parametrize("value", ODD)
def test_one_odd_tag_among_good_ones_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        Tags().deserialize([*EDGES, value])
    assert raised.value.messages == {len(EDGES): refused(value)}
