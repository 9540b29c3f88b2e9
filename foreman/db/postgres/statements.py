"""Statements for the driver: parameters, and the types of values that it sends and receives."""

import re
from functools import lru_cache

from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.types.numeric import Int8Dumper, IntLoader

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")

# A glob whose pattern is a parameter, and the body of glob() with a subquery for all that depends on the pattern alone:
# PostgreSQL runs each of them once, where in a plan for any values it would translate the pattern again for each row.
_GLOB = re.compile(r"\bglob\((:\w+), ([\w.]+)\)")
_GLOB_OF_ONE_PATTERN = (
    r"""(\2 COLLATE "C" LIKE (SELECT glob_like(\1))"""
    r""" AND ((SELECT \1 !~ '[[\\uFFFD-\\uFFFF]') OR regexp_like(\2 COLLATE "C", (SELECT glob_regex(\1)))))"""
)

# Statement texts that are remembered: there are several hundred forms of the run-data query.
_REMEMBERED = 4096


@lru_cache(maxsize=_REMEMBERED)
def for_driver(sql: str) -> bytes:
    """The statement with psycopg's placeholders, `%(name)s` for `:name`, and without its indentation.

    psycopg keeps what it has parsed of statements of up to 4 KiB.
    """
    sql = _GLOB.sub(_GLOB_OF_ONE_PATTERN, " ".join(sql.replace("%", "%%").split()))
    return _PARAMETER.sub(r"%(\1)s", sql).encode()


class _Bytes(Loader):
    """Text as the bytes that the server sent."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)


def adapt(adapters: AdaptersMap) -> None:
    """Prepare a connection's types.

    Every integer is sent as a bigint, so that a statement has the same parameter types whatever their values. A sum of
    bigint is numeric; all that are summed here are integers. A varchar is opaque JSON, see schema.sql.
    """
    adapters.register_dumper(int, Int8Dumper)
    adapters.register_loader("numeric", IntLoader)
    adapters.register_loader("varchar", _Bytes)
