"""SIGTERM and Ctrl-C: what asks this process to stop."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Seconds within which several signals are one wish to stop.
_TOGETHER = 1.0


def end_quietly_at_ctrl_c() -> None:
    """Let Ctrl-C end the process at once while modules are imported: nothing has begun, so there is nothing to say."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_at_ctrl_c() -> None:
    """Undo `end_quietly_at_ctrl_c`: from now on Ctrl-C raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def on_stop_signals(handle: Callable[[], object]) -> None:
    """Call `handle` when a signal asks to stop. For the main thread.

    It is called once for signals that come together: Ctrl-C and service managers signal every process of a group, and
    in the one-file program the process that unpacked it passes on what it gets.
    """
    last = -_TOGETHER

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= _TOGETHER:
            handle()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def interrupt() -> None:
    """End what the main thread does, so that it cleans up.

    :raises KeyboardInterrupt: always
    """
    raise KeyboardInterrupt


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals that ask to stop wait for the end of the block, in this thread; for what takes a moment.

    When a handler raises in a Python function that SQLite calls, sqlite3 makes an error of the statement of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
