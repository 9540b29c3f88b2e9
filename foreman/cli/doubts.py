"""Warnings about settings that are valid but probably a mistake, such as a misspelt variable."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import fields

from foreman.config import SIZES, Settings, lines_without_a_setting

_PREFIX = "FOREMAN_"

# Bytes below which a size is suspicious: a limit of ten bytes is probably 10MB without its unit.
_TINY = 1000


def doubts(settings: Settings, environment: Mapping[str, str | None]) -> Iterator[str]:
    """One line per suspicious setting. Values of unknown variables are not shown: they may be secret.

    :param environment: all environment variables, not only those of settings
    """
    for number in lines_without_a_setting():
        yield f".env: line {number} is not NAME=value, so it is ignored"
    known = [field.metadata["variable"] for field in fields(Settings)]
    endings = [name.removeprefix(_PREFIX) for name in known if name.startswith(_PREFIX)]
    for name in sorted(name for name, value in environment.items() if value):
        ending = name.upper().removeprefix(_PREFIX)
        if name.upper().startswith(_PREFIX) and name not in known:
            close = difflib.get_close_matches(ending, endings, n=1)
            meant = f"; did you mean {_PREFIX}{close[0]}?" if close else ""
            yield f"{name} is not a setting, so it is ignored{meant}"
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.metadata["allowed"] == SIZES and value < _TINY:
            yield f"{field.metadata['flag']} is only {value} bytes; allowed: {SIZES}"
