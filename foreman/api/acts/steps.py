"""What an act over a filter consists of: which tasks or runs it is about, and how it changes some of them.

They are found in the order of creation, which never changes. So an act goes through them once, whatever becomes of them
meanwhile, and goes on where it was after a restart. A filter is kept as the query parameters that a client sent.
"""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from foreman.api.acts import cancel_and_retry
from foreman.api.acts.cancel_and_retry import RETRIED, UNFINISHED_RUNS, UNFINISHED_TASKS, Step
from foreman.api.lists import run_list, task_list
from foreman.api.lists.label_filters import refuse_undeclared
from foreman.clock import now_ms
from foreman.db.engine import Transaction
from foreman.http.paging.walks import checked, cut_page
from foreman.http.schemas import Query

# How many tasks are changed in one step: it takes a few milliseconds.
AT_ONCE = 50

# How many are found at once, and kept as two numbers of 8 bytes each. What no index has in order is found and sorted
# anew each time: so it should not be often.
FOUND_AT_ONCE = 200_000


class Kind(NamedTuple):
    """A kind of act.

    :ivar table: what it is about
    :ivar among: their list
    :ivar schema: of the list's parameters
    :ivar statuses: in which they are changed
    :ivar at_once: how many are changed in one step
    :ivar step: changes some, see `cancel_and_retry`
    """

    table: str
    among: ModuleType
    schema: type[Query]
    statuses: Sequence[str]
    at_once: int
    step: Callable[..., Step]


KINDS = {
    "cancel_tasks": Kind(
        "task", task_list, task_list.ListTasks, UNFINISHED_TASKS, AT_ONCE, cancel_and_retry.cancel_tasks
    ),
    "retry_tasks": Kind("task", task_list, task_list.ListTasks, RETRIED, AT_ONCE, cancel_and_retry.retry_tasks),
    "cancel_runs": Kind("run", run_list, run_list.ListRuns, UNFINISHED_RUNS, 1, cancel_and_retry.cancel_runs),
    "retry_runs": Kind("run", run_list, run_list.ListRuns, RETRIED, 1, cancel_and_retry.retry_runs),
}


class Place(NamedTuple):
    """Where an act is: the last one that it has looked at. It is stored as a JSON array.

    :ivar newest: the seq of the newest one when the act was asked for
    """

    newest: int
    created_at: int
    seq: int

    @classmethod
    def read(cls, stored: str) -> "Place":
        """The place that was stored."""
        return cls(*msgspec.json.decode(stored, type=tuple[int, int, int]))

    def stored(self) -> str:
        """The place as it is stored."""
        return msgspec.json.encode(tuple(self)).decode()


# Before everything: times are never so early.
_BEGINNING = -(2**62)


def count(tx: Transaction, org_id: str, kind: str, given: Mapping[str, str]) -> int:
    """How many meet a filter: the `total` of the list."""
    among, wanted = KINDS[kind].among, _wanted(KINDS[kind], given)
    total = among.count(wanted)
    sql = f"SELECT {total} AS total" if KINDS[kind].table == "task" else total
    return int(tx.value(sql, org_id=org_id, **among.bound(wanted)))


def beginning(tx: Transaction, kind: str) -> str:
    """The place at which an act begins that is asked for now."""
    newest = tx.value(f"SELECT max(seq) FROM {KINDS[kind].table}")
    return Place(newest or 0, _BEGINNING, 0).stored()


def work_of(org_id: str, kind: str, given: str, asked_at: int) -> "Work":
    """The work of an act.

    :param given: the filter as it is stored
    :param asked_at: when it was asked for
    :raises ValueError: if the list has no such filter any more
    """
    try:
        wanted = _wanted(KINDS[kind], msgspec.json.decode(given))
    except ValidationError as error:
        raise ValueError(str(error)) from error
    return Work(org_id, KINDS[kind], wanted, asked_at)


class Work:
    """An act that is under way, as `foreman/background/acts.py` carries it out."""

    def __init__(self, org_id: str, kind: Kind, wanted: dict[str, Any], asked_at: int) -> None:
        asked = wanted.get("status") or kind.statuses
        self._kind = kind
        self._wanted = {**wanted, "status": [status for status in kind.statuses if status in asked]}
        self._values = {"org_id": org_id, "before": asked_at, "most": AT_ONCE, **kind.among.bound(self._wanted)}

    def find(self, tx: Transaction, position: str) -> Iterator[tuple[str, Sequence[int]]]:
        """What comes after a position, in groups for one step each: the position behind a group, and the seqs in it.

        :raises NotReady: while it cannot be found by the metadata in the filter
        """
        if not self._wanted["status"]:
            return iter(())
        self._refuse_undeclared(tx)
        after = Place.read(position)
        walks = [
            replace(walk, conditions=[*walk.conditions, checked("seq <= :newest")])
            for walk in self._kind.among.walks(self._wanted)
        ]
        found = tx.all(
            f"SELECT position, tiebreak FROM ({cut_page(walks, 'asc', by_cursor=False, after=True)}) AS page",
            newest=after.newest, after_position=after.created_at, after_tiebreak=after.seq,
            limit=FOUND_AT_ONCE, offset=0, reach=FOUND_AT_ONCE, **self._values,
        )  # fmt: skip
        found.sort()
        times, seqs = (array("q", map(itemgetter(column), found)) for column in (0, 1))
        return self._groups(after.newest, times, seqs)

    def _groups(self, newest: int, times: "array[int]", seqs: "array[int]") -> Iterator[tuple[str, Sequence[int]]]:
        size = self._kind.at_once
        for start in range(0, len(seqs), size):
            group = seqs[start : start + size]
            yield Place(newest, times[start + len(group) - 1], group[-1]).stored(), group

    def step(self, tx: Transaction, seqs: Sequence[int]) -> Step:
        """Change those of a group that still meet the filter.

        :raises NotReady: while it cannot be known by their metadata
        """
        self._refuse_undeclared(tx)
        return self._kind.step(tx, seqs, self._wanted, now=now_ms(), **self._values)

    def _refuse_undeclared(self, tx: Transaction) -> None:
        """Check that the paths of metadata are still declared: the settings may be others by now.

        :raises NotReady: if not
        """
        refuse_undeclared(self._wanted, [*self._wanted.get("metadata", ())], tx)


def _wanted(kind: Kind, given: Mapping[str, str]) -> dict[str, Any]:
    """A filter as validated parameters of the list, in the order in which an act goes through it."""
    wanted: dict[str, Any] = kind.schema().load(MultiDict(given))
    return {**wanted, "sort_by": "created_at", "sort_order": "asc"}
