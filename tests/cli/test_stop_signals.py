"""Signals that ask to stop, and when two of them are one."""

import signal
from collections.abc import Iterator

import pytest

from foreman import stop_signals
from foreman.stop_signals import interrupt, on_stop_signals
from tests.support.clock import Time


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    """A clock that stands still; signals mean afterwards what they meant before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    clock = Time()
    monkeypatch.setattr(stop_signals, "time", clock)
    yield clock
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_that_come_together_are_one(clock: Time) -> None:
    calls: list[float] = []
    on_stop_signals(lambda: calls.append(clock.now))
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    clock.now += 0.9
    signal.raise_signal(signal.SIGTERM)
    assert calls == [1000.0]


def test_signal_that_comes_while_another_one_is_noted_is_the_same(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    second = iter([signal.SIGINT])

    def monotonic() -> float:
        for number in second:
            signal.raise_signal(number)
        return clock.now

    monkeypatch.setattr(clock, "monotonic", monotonic)
    on_stop_signals(lambda: calls.append(clock.now))
    signal.raise_signal(signal.SIGTERM)
    assert calls == [1000.0]


def test_signal_after_a_second_is_another_one(clock: Time) -> None:
    calls: list[float] = []
    on_stop_signals(lambda: calls.append(clock.now))
    for _ in range(2):
        signal.raise_signal(signal.SIGTERM)
        clock.now += 1.0
    assert calls == [1000.0, 1001.0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("clock")
def test_interrupted_work_can_clean_up_in_peace(number: signal.Signals) -> None:
    on_stop_signals(interrupt)
    cleaned_up = False
    with pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            cleaned_up = True
    assert cleaned_up
