"""The counters of the rate limits: exact within a window, forgotten after it, and never too many."""

import threading

import pytest

from foreman.auth import counters
from foreman.auth.counters import LocalCounters
from tests.support.clock import Time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(counters, "time", clock)
    return clock


def test_window_begins_with_the_first_count_and_ends_after_its_seconds(clock: Time) -> None:
    storage = LocalCounters()
    assert storage.get("a") == 0
    assert (storage.seconds_left("a"), storage.get_expiry("a")) == (0, 1_800_000_000)
    assert [storage.incr("a", 60), storage.incr("a", 60), storage.incr("a", 60, amount=3)] == [1, 2, 5]
    clock.goes_on(59.5)
    assert (storage.get("a"), storage.seconds_left("a"), storage.get_expiry("a")) == (5, 0.5, 1_800_000_060)
    assert storage.incr("a", 60) == 6
    clock.goes_on(0.5)
    assert (storage.get("a"), storage.seconds_left("a"), storage.get_expiry("a")) == (0, 0, 1_800_000_060)
    assert storage.incr("a", 60) == 1
    assert storage.get_expiry("a") == 1_800_000_120


@pytest.mark.parametrize("jump", [3600, -3600, 10**9, -(10**9)])
def test_clock_that_is_set_changes_no_window_but_only_the_time_it_ends_at(clock: Time, jump: int) -> None:
    storage = LocalCounters()
    storage.incr("a", 60)
    clock.wall += jump
    assert (storage.incr("a", 60), storage.get("a")) == (2, 2)
    storage.incr("b", 60)
    clock.wall -= jump
    for key in ("a", "b"):
        assert (storage.seconds_left(key), storage.get_expiry(key)) == (60, 1_800_000_060)
    clock.goes_on(60)
    assert [storage.incr(key, 60) for key in ("a", "b")] == [1, 1]


def test_counters_do_not_touch_each_other(clock: Time) -> None:
    storage = LocalCounters()
    storage.incr("a", 60)
    clock.goes_on(30)
    storage.incr("b", 60)
    assert (storage.seconds_left("a"), storage.seconds_left("b")) == (30, 60)
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    assert storage.reset() == 1
    assert storage.get("b") == 0
    assert storage.check()


def test_counter_that_is_kept_elsewhere_is_taken_over(clock: Time) -> None:
    storage = LocalCounters()
    storage.note("a", 7, 60)
    assert (storage.get("a"), storage.last_seen("a"), storage.seconds_left("a")) == (7, 7, 60)
    assert storage.incr("a", 600) == 8
    storage.note("a", 3, 50)
    assert (storage.last_seen("a"), storage.seconds_left("a")) == (3, 50)
    clock.goes_on(50)
    assert (storage.last_seen("a"), storage.incr("a", 60)) == (0, 1)


def test_end_of_a_window_is_the_earliest_that_was_reported(clock: Time) -> None:
    storage = LocalCounters()
    for passed, left, until in ((0, 60, 60), (10, 50.2, 60), (10, 39.9, 59.9), (10, 30, 59.9), (29.9, 60, 119.9)):
        clock.goes_on(passed)
        storage.note("a", 1, left)
        assert storage.get_expiry("a") - 1_800_000_000 == pytest.approx(until)


def test_there_are_never_too_many_of_those_that_are_kept_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "_REMEMBERED", 10)
    storage = LocalCounters()
    for number in range(100):
        storage.note(str(number), number, 60)
    assert [storage.last_seen(str(number)) for number in range(93, 100)] == [*range(93, 100)]
    assert 9 <= storage.reset() <= 10


def test_nothing_is_lost_between_threads() -> None:
    storage = LocalCounters()
    threads = [threading.Thread(target=lambda: [storage.incr("a", 600) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.get("a") == 4000


def test_when_there_are_too_many_the_expired_go_first(monkeypatch: pytest.MonkeyPatch, clock: Time) -> None:
    monkeypatch.setattr(counters, "_REMEMBERED", 10)
    storage = LocalCounters()
    for number in range(6):
        storage.incr(f"short {number}", 1, amount=100)
    for number in range(4):
        storage.incr(f"long {number}", 600 + number)
    clock.goes_on(2)
    storage.incr("new", 600)
    assert [storage.get(f"long {number}") for number in range(4)] == [1] * 4
    assert storage.reset() == 5


def test_when_all_are_alive_those_that_counted_least_go_and_of_these_those_that_expire_first(
    monkeypatch: pytest.MonkeyPatch, clock: Time
) -> None:
    monkeypatch.setattr(counters, "_REMEMBERED", 10)
    storage = LocalCounters()
    storage.incr("used up", 60, amount=4)
    storage.incr("nearly", 60, amount=3)
    for number in range(100):
        clock.goes_on(0.1)
        storage.incr(str(number), 600)
        assert storage.get(str(number)) == 1
    assert (storage.get("used up"), storage.get("nearly")) == (4, 3)
    assert [storage.get(str(number)) for number in range(93, 100)] == [1] * 7
    assert 9 <= storage.reset() <= 10
