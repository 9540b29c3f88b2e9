"""A process that is killed before each of the steps in which it changes something, to see what it leaves."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Countdown:
    """Kills this process at the step after so many."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def step(self) -> None:
        """To be called before each change."""
        if self._steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._steps -= 1

    def count_calls(self, *names: str) -> None:
        """Make each call of these functions of `os` a step."""
        for name in names:
            setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.step()
            return function(*arguments, **options)

        return counted


def kill_before_each_step(home: Path, change: Callable[[Path, Countdown], object], every: int = 1) -> None:
    """Let a process change a copy of `home/start`, again and again, until one has come to its end.

    The copies are `home/0`, `home/1` and so on; the process of each is killed after so many steps.

    :param every: kill it only before each second step, third and so on
    """
    number, status = 0, signal.SIGKILL.value
    while status != 0:
        directory = home / str(number)
        shutil.copytree(home / "start", directory)
        child = os.fork()
        if child == 0:
            change(directory, Countdown(number))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL)
        number += every
