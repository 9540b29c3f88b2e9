"""Stop signals: SIGTERM, and SIGINT from Ctrl-C."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Signals less than this many seconds apart count as one.
_TOGETHER = 1.0


def end_quietly_at_ctrl_c() -> None:
    """Let Ctrl-C end the process at once, without a traceback, while modules are imported: no work has begun yet."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_at_ctrl_c() -> None:
    """Undo `end_quietly_at_ctrl_c`: from now on Ctrl-C raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def on_stop_signals(handle: Callable[[], object]) -> None:
    """Make `handle` the handler of stop signals. Call this on the main thread only.

    Signals less than a second apart call it once. Ctrl-C and service managers signal every process of a group, and the
    bootloader of the packaged executable forwards the signals that it gets, so one request to stop may arrive twice.
    """
    last = -_TOGETHER

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        # Python may run this for another signal after any call, also after the one above: so look at `last` only now.
        if now - last >= _TOGETHER:
            last = now
            handle()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)


def interrupt() -> None:
    """Handler that interrupts the main thread, so that it cleans up.

    :raises KeyboardInterrupt: always
    """
    raise KeyboardInterrupt


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back stop signals in this thread until the end of the block, which must be short.

    Otherwise a handler might raise inside a Python function that SQLite calls, and sqlite3 would turn the exception
    into an error of the statement.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
