"""What a copy consists of: tables, their columns and order, and the canonical form of a row for checksums."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from foreman.db.values import Row
from foreman.vocabulary import TASK_STATUSES

# Columns of integers, in every table that has them. All others are text.
INTEGERS = frozenset(
    {
        "seq", "run_seq", "read_only", "retry_count", "max_retries", "entries", "keys", "in_order", "runs",
        "created_at", "updated_at", "queued_at", "started_at", "completed_at", "revoked_at", "expires_at",
        "last_used_at", "admin", "strict", "expected", "changed", "status_code", *TASK_STATUSES,
    }
)  # fmt: skip


class Table(NamedTuple):
    """A table as both engines have it.

    :ivar key: the columns of its primary key, by which it is read in order
    :ivar columns: all of them
    :ivar kept_in: the table that PostgreSQL keeps it in, where it is a view
    :ivar where: the condition of rows that count: of counts, those that are not 0, which may or may not have a row
    """

    name: str
    key: Sequence[str]
    columns: Sequence[str]
    kept_in: str = ""
    where: str = "1 = 1"

    @property
    def is_counts(self) -> bool:
        """Whether it has counts of rows of other tables."""
        return bool(self.kept_in)

    def key_of(self, row: Row) -> Row:
        """The values of the primary key in a row."""
        return tuple(row[self.columns.index(column)] for column in self.key)

    def called(self, row: Row) -> str:
        """What messages call a row: its table and its id, or else its primary key."""
        if "id" in self.columns:
            return f"{self.name} {row[self.columns.index('id')]}"
        return f"{self.name} {', '.join(map(repr, self.key_of(row)))}"


def _counts(name: str, kept_in: str, key: Sequence[str], numbers: Sequence[str]) -> Table:
    return Table(name, key, (*key, *numbers), kept_in, " OR ".join(f"{number} <> 0" for number in numbers))


_DOCUMENTS = ("input_data", "output_data", "error_data", "metadata")
_TIMES = ("created_at", "updated_at")

API_KEY = Table(
    "api_key",
    ("id",),
    (
        "id", "org_id", "environment", "name", "read_only", "hash_prefix", "hash", "created_at", "revoked_at", "admin",
        "expires_at", "last_used_at",
    ),
)  # fmt: skip
RUN = Table(
    "run",
    ("seq",),
    (
        "seq", "id", "org_id", "status", *_DOCUMENTS, *_TIMES, "started_at", "completed_at", "external_id", "tags",
        "strict",
    ),
)  # fmt: skip
TASK = Table(
    "task",
    ("seq",),
    (
        "seq", "id", "org_id", "run_seq", "run_id", "parent_task_id", "type", "status", *_DOCUMENTS, "retry_count",
        "max_retries", "queue_job_id", *_TIMES, "queued_at", "started_at", "completed_at", "external_id", "tags",
    ),
)  # fmt: skip
RUN_DATA = Table(
    "run_data",
    ("seq",),
    ("seq", "id", "org_id", "run_seq", "run_id", "task_id", "key", "value", "tags", "metadata", *_TIMES),
)
RUN_DATA_TAG = Table(
    "run_data_tag", ("run_seq", "tag", "key", "seq"), ("run_seq", "tag", "key", "seq", "created_at")
)  # fmt: skip
RUN_DATA_LATEST = Table(
    "run_data_latest",
    ("run_seq", "tag", "key"),
    ("run_seq", "tag", "key", "seq", "created_at", "entries", "in_order"),
)
RUN_TAG = Table("run_tag", ("org_id", "tag", "created_at", "seq"), ("org_id", "tag", "created_at", "seq"))
TASK_TAG = Table("task_tag", ("org_id", "tag", "created_at", "seq"), ("org_id", "tag", "created_at", "seq", "run_seq"))
ACT = Table(
    "act",
    ("seq",),
    ("seq", "id", "org_id", "kind", "filter", "expected", "changed", "position", *_TIMES, "completed_at"),
)
IDEMPOTENCY_KEY = Table(
    "idempotency_key",
    ("seq",),
    ("seq", "org_id", "request", "content", "status_code", "headers", "body", "created_at"),
)

# What clients have written.
ROWS = (RUN, TASK, RUN_DATA)

# All tables, those first that others refer to. The history of schema versions is the database's own. The declared paths
# of metadata, and what is found by them, follow from the settings: the next server that starts sees to them.
TABLES = (
    API_KEY,
    *ROWS,
    ACT,
    IDEMPOTENCY_KEY,
    RUN_TAG,
    TASK_TAG,
    RUN_DATA_TAG,
    RUN_DATA_LATEST,
    _counts("run_count", "run_total", ("org_id", "status"), ("runs",)),
    _counts("org_task_count", "org_task_total", ("org_id", "type"), TASK_STATUSES),
    _counts("run_task_count", "run_task_total", ("run_seq", "parent_task_id", "type"), TASK_STATUSES),
    _counts("run_data_count", "run_data_total", ("run_seq",), ("keys", "entries")),
)

# Tables whose rows follow from those of others.
DERIVED = TABLES[TABLES.index(RUN_TAG) :]

# Tables with a number for each row, which a sequence gives on PostgreSQL.
NUMBERED = tuple(table for table in TABLES if table.key == ("seq",))

_encode = msgspec.json.Encoder().encode


def canonical(row: Sequence[Any]) -> bytes:
    """The canonical form of a row: its columns in order, as a JSON array without spaces in UTF-8, and a line feed."""
    return _encode(row) + b"\n"


def size(row: Iterable[Any]) -> int:
    """About how many bytes a row takes."""
    return 100 + sum(len(value) for value in row if type(value) is str)
