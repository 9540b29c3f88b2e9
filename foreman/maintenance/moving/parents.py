"""The order of tasks in which a parent comes before its children, where their times say otherwise."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple


class Order(NamedTuple):
    """The order of tasks that are numbered from 1.

    :ivar places: the place of each number, from 1; None if each has its number as its place
    :ivar cut: numbers of tasks whose parent is ignored, because it descends from them: the first of each cycle
    """

    places: "array[int] | None" = None
    cut: frozenset[int] = frozenset()

    def place(self, number: int) -> int:
        """The place of a task."""
        return number if self.places is None else self.places[number]


def order(tasks: int, parents: Iterable[tuple[int, int]]) -> Order:
    """The order in which each task is at its number, or after its parent if that would come later.

    :param tasks: how many there are
    :param parents: the numbers of those that have a parent, each with that of the parent
    """
    parent_of = array("q", bytes(8 * (tasks + 1)))
    for number, parent in parents:
        parent_of[number] = parent
    cut = _cut_cycles(parent_of)
    places, place = array("q", bytes(8 * (tasks + 1))), 0
    waiting: dict[int, list[int]] = {}
    for number in range(1, tasks + 1):
        parent = parent_of[number]
        if parent and not places[parent]:
            waiting.setdefault(parent, []).append(number)
            continue
        placed = [number]
        while placed:
            each = placed.pop()
            place += 1
            places[each] = place
            placed += reversed(waiting.pop(each, ()))
    return Order(places, frozenset(cut))


def _cut_cycles(parent_of: "array[int]") -> set[int]:
    """Take the parent from the first task of each cycle; return these."""
    cut = set()
    seen_from = array("q", bytes(8 * len(parent_of)))  # the number from which a task was first reached
    for start in range(1, len(parent_of)):
        each = start
        while each and not seen_from[each]:
            seen_from[each] = start
            each = parent_of[each]
        if each and seen_from[each] == start:
            cycle = [each]
            while (following := parent_of[cycle[-1]]) != each:
                cycle.append(following)
            parent_of[min(cycle)] = 0
            cut.add(min(cycle))
    return cut
