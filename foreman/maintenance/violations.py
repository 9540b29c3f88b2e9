"""What a check finds, on either engine: it goes from rule to rule, and tells of each row that violates one."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from foreman.db.engine import Transaction
from foreman.db.failures import DatabaseError
from foreman.db.values import as_list
from foreman.maintenance.invariants.rule import Rule
from foreman.maintenance.progress import STEPS, Progress
from foreman.vocabulary import ENDED, MOST_TAGS, RUN_STATUSES, TASK_STATUSES

# Virtual machine instructions of SQLite that a rule takes for each row of each table that it names, on average.
_STEPS_A_ROW = 12

# What the rules of both engines are given.
VALUES = {
    "uuid": "-".join("[0-9a-f]" * digits for digits in (8, 4, 4, 4, 12)),
    "run_statuses": as_list(RUN_STATUSES),
    "task_statuses": as_list(TASK_STATUSES),
    "ended": as_list(ENDED),
    "most_tags": MOST_TAGS,
}


class Violation(NamedTuple):
    """A row that violates an invariant.

    :ivar rule: the invariant's name
    :ivar wrong: what is wrong with a row that violates it
    :ivar row: which row it is
    """

    rule: str
    wrong: str
    row: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.wrong}: {self.row}"


class Way:
    """The progress of a check, in rows to read: for each rule those of the tables that it names.

    :param rows: the rows of each table
    """

    def __init__(self, rules: Sequence[Rule], rows: Mapping[str, int], progress: Progress) -> None:
        self._work = [
            (rule, sum(rows.get(table, 0) for table in re.findall(r"\b(?:FROM|JOIN|PRAGMA) (\w+)", rule.sql)))
            for rule in rules
        ]
        self._whole = max(1, sum(work for _, work in self._work))
        self._progress = progress
        self._done = self._of_rule = self._at = 0

    def rules(self) -> Iterator[Rule]:
        """Each rule, to be checked before the next one."""
        for rule, work in self._work:
            self._of_rule, self._at = work, 0
            yield rule
            self._done += work
            self._progress.at(self._done / self._whole)

    def go_on(self) -> None:
        """Advance a little within the current rule."""
        self._at = min(self._of_rule, self._at + STEPS // _STEPS_A_ROW)
        self._progress.at((self._done + self._at) / self._whole)


def found(
    rules: Iterable[Rule], rows: Callable[[Rule], Iterable[str]], is_damage: Callable[[Any], bool]
) -> Iterator[Violation]:
    """The violations, rule by rule. A rule that damage keeps from being checked is one, too.

    :param rows: finds the rows that violate a rule
    :param is_damage: whether an error is the database's fault; other errors are raised
    """
    unchecked = defaultdict(list)
    for rule in rules:
        try:
            for row in rows(rule):
                yield Violation(rule.name, rule.wrong, row)
        except DatabaseError as error:
            if not is_damage(error):
                raise
            unchecked[str(error)].append(rule.name)
    for message, names in unchecked.items():
        yield Violation("unchecked", f"not checked because of {message!r}", ", ".join(names))


def as_text(columns: Iterable[str], row: Iterable[Any]) -> str:
    """A row, as a part of a line."""
    return " ".join(f"{column}={value!r}" for column, value in zip(columns, row, strict=True))


def contents_in(view: Transaction) -> tuple[int, int, int]:
    """The number of runs, tasks and entries of run data in a snapshot of a whole database."""
    runs, tasks, entries = view.one(
        "SELECT (SELECT count(*) FROM run), (SELECT count(*) FROM task), (SELECT count(*) FROM run_data)"
    ) or (0, 0, 0)
    return runs, tasks, entries
