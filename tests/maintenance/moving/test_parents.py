"""Tasks are put into an order in which each comes after its parent."""

import random

import pytest

from foreman.maintenance.moving.parents import order


def places(tasks: int, parents: dict[int, int]) -> list[int]:
    """The numbers of the tasks in order."""
    found = order(tasks, parents.items())
    return sorted(range(1, tasks + 1), key=found.place)


def test_tasks_after_their_parents_stay_where_they_are() -> None:
    assert places(4, {2: 1, 3: 1, 4: 3}) == [1, 2, 3, 4]


def test_task_before_its_parent_comes_right_after_it_with_what_descends_from_it() -> None:
    assert places(5, {1: 4, 2: 1}) == [3, 4, 1, 2, 5]
    assert places(5, {1: 4, 2: 4}) == [3, 4, 1, 2, 5]


def test_first_task_of_a_cycle_loses_its_parent() -> None:
    found = order(5, {1: 3, 3: 2, 2: 1, 4: 3}.items())
    assert found.cut == {1}
    assert [found.place(number) for number in (1, 2, 3, 4, 5)] == [1, 2, 3, 4, 5]


def test_a_long_chain_backwards_is_no_recursion() -> None:
    tasks = 50_000
    assert places(tasks, {number: number + 1 for number in range(1, tasks)}) == list(range(tasks, 0, -1))


@pytest.mark.parametrize("seed", range(200))
def test_any_parents_give_an_order(seed: int) -> None:
    chance = random.Random(seed)
    tasks = chance.randrange(1, 12)
    parents = {number: chance.randint(1, tasks) for number in range(1, tasks + 1) if chance.random() < 0.7}
    parents = {number: parent for number, parent in parents.items() if number != parent}
    found = order(tasks, parents.items())
    assert sorted(found.place(number) for number in range(1, tasks + 1)) == list(range(1, tasks + 1))
    for number, parent in parents.items():
        assert number in found.cut or found.place(parent) < found.place(number)
    if all(parent < number for number, parent in parents.items()):
        assert [found.place(number) for number in range(1, tasks + 1)] == list(range(1, tasks + 1))
