"""Clocks that stand still until a test moves them, and times as the API shows them."""

import types
from datetime import UTC, datetime, timedelta
from typing import overload


@overload
def iso(milliseconds: int) -> str: ...
@overload
def iso(milliseconds: None) -> None: ...
def iso(milliseconds: int | None) -> str | None:
    """A time, in milliseconds since 1970, as the API shows it; None is none."""
    if milliseconds is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """A clock for `now_ms`."""

    start = datetime(2024, 1, 1, tzinfo=UTC)

    def __init__(self) -> None:
        self.now = int(self.start.timestamp() * 1000)

    def __call__(self) -> int:
        return self.now

    def move(self, milliseconds: int) -> None:
        """Let so much time pass."""
        self.now += milliseconds

    @property
    def text(self) -> str:
        """The present as answers show it."""
        return iso(self.now)


class Time(types.ModuleType):
    """The module `time`: the clock on the wall, which can be set, and the one that nobody can set."""

    def __init__(self) -> None:
        super().__init__("time")
        self.wall, self.now = 1_800_000_000.0, 1000.0

    def time(self) -> float:
        """What the clock on the wall shows."""
        return self.wall

    def monotonic(self) -> float:
        """What the other one shows."""
        return self.now

    def goes_on(self, seconds: float) -> None:
        """Let so much time pass."""
        self.wall += seconds
        self.now += seconds
