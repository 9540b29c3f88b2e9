"""Rows of the TypeScript original that break the rules here, and how each is mended.

docs/moving.md has them as a table.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from foreman.vocabulary import ENDED, LONGEST_TEXT, MOST_TAGS, RUN_STATUSES, TASK_STATUSES

# A row, by its columns in the target; and what else the source knows of it.
Found = dict[str, Any]

_DEFAULT_RETRIES, _MOST_RETRIES = 3, 10
_SPELLINGS = {"canceled": "cancelled"}


class Mender:
    """Mends rows, and tells what was wrong with each.

    :param organisations: the name here of each organisation there
    :param tell: called with a line for each thing that was wrong
    :ivar mended: how many things were mended
    :ivar left_out: how many rows cannot be imported
    """

    def __init__(self, organisations: dict[str, str], tell: Callable[[str], object] = lambda _: None) -> None:
        self._organisations, self._tell = organisations, tell
        self.mended = self.left_out = 0

    def run(self, row: Found) -> bool:
        """Mend a run; False if it has to be left out."""
        if row["org_id"] is None:
            return self._leave_out("run", row, "it has no organisation")
        row["org_id"] = self._organisations[row["org_id"]]
        self._common("run", row, RUN_STATUSES)
        if row["status"] == "pending" and row["started_at"] is not None:
            row["started_at"] = None
            self._note("run", row, "it is pending and started_at is set: that is removed")
        return True

    def task(self, row: Found, *, descends: bool) -> bool:
        """Mend a task; False if it has to be left out.

        :param descends: whether its parent descends from it
        """
        if row["run_seq"] is None:
            return self._leave_out("task", row, f"its organisation has no run {row['run_id']}")
        row["org_id"] = self._organisations[row["org_id"]]
        self._common("task", row, TASK_STATUSES)
        self._parent(row, descends=descends)
        row["type"] = self._text("task", row, "type") or self._instead("task", row, "type", "unknown")
        if row["queue_job_id"] == "":
            row["queue_job_id"] = None
            self._note("task", row, "queue_job_id is empty: it is removed")
        row["queue_job_id"] = self._text("task", row, "queue_job_id")
        if row["status"] == "queued" and row["queued_at"] is None:
            row["queued_at"] = row["created_at"]
            self._note("task", row, "it is queued without queued_at: that becomes created_at")
        self._retries(row)
        return True

    def entry(self, row: Found) -> bool:
        """Mend an entry of run data; False if it has to be left out."""
        own, first = row.pop("own_task"), row.pop("first_task")
        if row["run_seq"] is None:
            return self._leave_out("run_data", row, f"its organisation has no run {row['run_id']}")
        if own is None and first is None:
            return self._leave_out("run_data", row, f"its run {row['run_id']} has no task")
        if own is None:
            self._note("run_data", row, f"its task {row['task_id']} is not of its run: it becomes {first}")
            row["task_id"] = first
        row["org_id"] = self._organisations[row["org_id"]]
        row["key"] = self._text("run_data", row, "key") or self._instead("run_data", row, "key", "(empty)")
        if row["value"] is None:
            row["value"] = self._instead("run_data", row, "value", "null")
        self._times("run_data", row)
        self._metadata("run_data", row)
        self._tags(row)
        return True

    # Parts of several -------------------------------------------------------------------------------------------------

    def _common(self, table: str, row: Found, statuses: Iterable[str]) -> None:
        """Mend what runs and tasks have in common."""
        self._times(table, row)
        self._status(table, row, statuses)
        if row["input_data"] is None:
            row["input_data"] = self._instead(table, row, "input_data", "null")
        self._metadata(table, row)
        has_ended = row["status"] in ENDED
        if has_ended and row["completed_at"] is None:
            row["completed_at"] = row["updated_at"]
            self._note(table, row, f"it is {row['status']} without completed_at: that becomes updated_at")
        elif not has_ended and row["completed_at"] is not None:
            row["completed_at"] = None
            self._note(table, row, f"it is {row['status']} and completed_at is set: that is removed")
        if row["status"] == "running" and row["started_at"] is None:
            row["started_at"] = row["created_at"]
            self._note(table, row, "it is running without started_at: that becomes created_at")

    def _times(self, table: str, row: Found) -> None:
        if row["created_at"] is None:
            row["created_at"] = row["ordered_by"]
            self._note(
                table, row, "created_at is missing, or no date of the years 1 to 9999: it becomes another time of it"
            )
        if row["updated_at"] is None:
            row["updated_at"] = row["created_at"]
            self._note(table, row, "updated_at is missing, or no date of the years 1 to 9999: it becomes created_at")

    def _status(self, table: str, row: Found, statuses: Iterable[str]) -> None:
        found = row["status"]
        if found in statuses:
            return
        written = (found or "").strip().lower()
        known = _SPELLINGS.get(written, written)
        if known in statuses:
            row["status"] = known
        elif row["completed_at"] is not None:
            row["status"] = "completed" if row["error_data"] in (None, "null") else "failed"
        else:
            row["status"] = "pending" if row["started_at"] is None else "running"
        self._note(table, row, f"the status {_shown(found)} is unknown: it becomes {row['status']}")

    def _metadata(self, table: str, row: Found) -> None:
        """Metadata is an object. JSON's null is the same as none."""
        text = row["metadata"]
        if text == "null":
            row["metadata"] = None
        elif text is not None and not text.startswith("{"):
            row["metadata"] = f'{{"value": {text}}}'
            self._note(table, row, 'metadata is not an object: it becomes {"value": ...}')

    def _text(self, table: str, row: Found, column: str) -> str | None:
        text: str | None = row[column]
        if text is None or len(text) <= LONGEST_TEXT:
            return text
        self._note(
            table, row, f"{column} has {len(text)} characters: it becomes its first 246, ~ and a checksum of it all"
        )
        return shortened(text)

    def _instead(self, table: str, row: Found, column: str, value: str) -> str:
        self._note(table, row, f"{column} is empty: it becomes {value}")
        return value

    # Parts of one -----------------------------------------------------------------------------------------------------

    def _parent(self, row: Found, *, descends: bool) -> None:
        is_of_run, parent = row.pop("parent_is_of_run"), row["parent_task_id"]
        if parent is None or (is_of_run and not descends):
            return
        row["parent_task_id"] = None
        why = "descends from it" if is_of_run else "is itself" if parent == row["id"] else "is not a task of its run"
        self._note("task", row, f"its parent {parent} {why}: it becomes a task without a parent")

    def _retries(self, row: Found) -> None:
        most, retries = row["max_retries"], row["retry_count"]
        row["max_retries"] = _DEFAULT_RETRIES if most is None else min(max(most, 0), _MOST_RETRIES)
        if row["max_retries"] != most:
            self._note("task", row, f"max_retries is {most}: it becomes {row['max_retries']}")
        row["retry_count"] = max(retries or 0, 1 if row["status"] == "retrying" else 0)
        if row["retry_count"] != retries:
            self._note(
                "task", row, f"it is {row['status']} and retry_count is {retries}: it becomes {row['retry_count']}"
            )

    def _tags(self, row: Found) -> None:
        found = list(_flat(json.loads(row["tags"] or "[]")))
        tags = dict.fromkeys(shortened(part) for tag in found if tag is not None for part in tag.split(",") if part)
        kept = list(tags)[:MOST_TAGS]
        row["tags"] = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        if kept != found:
            self._note(
                "run_data", row,
                f"{len(found)} tags are not up to {MOST_TAGS} of 1 to {LONGEST_TEXT} characters without commas, each "
                f"once: they become {len(kept)}",
            )  # fmt: skip

    # Telling ----------------------------------------------------------------------------------------------------------

    def _note(self, table: str, row: Found, what: str) -> None:
        self.mended += 1
        self._tell(f"{table} {row['id']}: {what}")

    def _leave_out(self, table: str, row: Found, why: str) -> bool:
        self.left_out += 1
        self._tell(f"{table} {row['id']}: {why}: it is left out")
        return False


def shortened(text: str) -> str:
    """A text of at most 255 characters; different ones for different texts."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"{text[:246]}~{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def organisation(name: str) -> str:
    """The name that an organisation has here: one that a key can have."""
    return re.sub(r"[^a-z0-9-]", "-", name.lower())[:64] or "-"


def _flat(tags: Any) -> Iterator[str | None]:
    """The items of an array of any number of dimensions."""
    for each in tags:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _shown(text: str | None) -> str:
    return "NULL" if text is None else repr(text)
