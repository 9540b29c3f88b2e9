"""The counters of the rate limits: exact within a window, forgotten after it, and never too many."""

import threading

import pytest

from foreman import counters
from foreman.counters import LocalCounters


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    now = [1000.0]
    monkeypatch.setattr("foreman.counters.time.time", lambda: now[0])
    return now


def test_window_begins_with_the_first_count_and_ends_after_its_seconds(clock: list[float]) -> None:
    storage = LocalCounters()
    assert storage.get("a") == 0
    assert storage.get_expiry("a") == 1000
    assert [storage.incr("a", 60), storage.incr("a", 60), storage.incr("a", 60, amount=3)] == [1, 2, 5]
    clock[0] = 1059.9
    assert (storage.get("a"), storage.get_expiry("a")) == (5, 1060)
    assert storage.incr("a", 60) == 6
    clock[0] = 1060
    assert (storage.get("a"), storage.get_expiry("a")) == (0, 1060)
    assert storage.incr("a", 60) == 1
    assert storage.get_expiry("a") == 1120


def test_counters_do_not_touch_each_other(clock: list[float]) -> None:
    storage = LocalCounters()
    storage.incr("a", 60)
    clock[0] += 30
    storage.incr("b", 60)
    assert (storage.get_expiry("a"), storage.get_expiry("b")) == (1060, 1090)
    storage.clear("a")
    assert (storage.get("a"), storage.get("b")) == (0, 1)
    assert storage.reset() == 1
    assert storage.get("b") == 0
    assert storage.check()


def test_nothing_is_lost_between_threads() -> None:
    storage = LocalCounters()
    threads = [threading.Thread(target=lambda: [storage.incr("a", 600) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.get("a") == 4000


def test_when_there_are_too_many_the_expired_go_first(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    monkeypatch.setattr(counters, "_REMEMBERED", 10)
    storage = LocalCounters()
    for number in range(6):
        storage.incr(f"short {number}", 1)
    for number in range(4):
        storage.incr(f"long {number}", 600 + number)
    clock[0] += 2
    storage.incr("new", 600)
    assert [storage.get(f"long {number}") for number in range(4)] == [1] * 4
    assert storage.reset() == 5


def test_when_all_are_alive_those_that_expire_first_go(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    monkeypatch.setattr(counters, "_REMEMBERED", 10)
    storage = LocalCounters()
    for number in range(100):
        clock[0] += 1
        storage.incr(str(number), 600)
        assert storage.get(str(number)) == 1
    assert 5 <= storage.reset() <= 10
