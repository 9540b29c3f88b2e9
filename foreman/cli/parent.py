"""The process that started this program, and stopping when it ends: a throwaway server must not outlive its tests."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

# Seconds between two looks whether it is still there.
_LOOK_EVERY = 0.2


# Seconds until what is under way is given up on: signals that come within one are taken for one.
_INSIST_AFTER = 1.1


class Parent:
    """The process that started this program, from when it is first looked at."""

    def __init__(self) -> None:
        self._first = _now()

    def has_ended(self) -> bool:
        """Whether it has, as far as can be known; also before it was first looked at."""
        return _now() != self._first or self._is_a_stranger()

    def stop_at_its_end(self) -> None:
        """Send this process SIGTERM when it ends, and again when it does not end at once: nobody waits for answers."""
        threading.Thread(target=self._watch, name="parent", daemon=True).start()

    def _watch(self) -> None:
        while _now() == self._first:
            time.sleep(_LOOK_EVERY)
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_INSIST_AFTER)

    def _is_a_stranger(self) -> bool:
        """Whether it is the one that adopts orphans: a child is born into the session of its parent.

        Unless it has a session of its own; and 0 is a parent outside of this namespace of processes.
        """
        session = os.getsid(0)
        if self._first == 0 or session in (os.getpid(), os.getppid()):
            return False
        try:
            return os.getsid(self._first) != session
        except OSError:
            return True


def _now() -> int:
    """The parent's process id. Of the one-file program it is the parent of the process that has unpacked it."""
    parent = os.getppid()
    if not hasattr(sys, "frozen"):
        return parent
    try:
        return int(Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0
