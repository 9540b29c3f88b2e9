"""Stop when the parent process ends: a throwaway server must not outlive its tests."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

# Seconds between two checks of the parent.
_LOOK_EVERY = 0.2

# Seconds between two SIGTERM. The second one drops in-flight requests; signals less than a second apart count as one.
_INSIST_AFTER = 1.1


class Parent:
    """The parent process, identified when this object is made."""

    def __init__(self) -> None:
        self._first = _now()

    def has_ended(self) -> bool:
        """Whether the parent has ended, as far as can be known, including before this object was made."""
        return _now() != self._first or self._is_a_stranger()

    def stop_at_its_end(self) -> None:
        """Send this process SIGTERM, again and again, once the parent has ended: nobody waits for responses then."""
        threading.Thread(target=self._watch, name="parent", daemon=True).start()

    def _watch(self) -> None:
        while _now() == self._first:
            time.sleep(_LOOK_EVERY)
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_INSIST_AFTER)

    def _is_a_stranger(self) -> bool:
        """Whether the parent is the process that adopts orphans, and not the one that started this process.

        A child starts in its parent's session, so a parent in another session has adopted it. Sessions tell nothing,
        and the result is False, if this process or its direct parent leads the session, or if the parent is outside the
        PID namespace (its id is 0).
        """
        session = os.getsid(0)
        if self._first == 0 or session in (os.getpid(), os.getppid()):
            return False
        try:
            return os.getsid(self._first) != session
        except OSError:
            return True


def _now() -> int:
    """The parent's process id; in the packaged executable that of its bootloader's parent, 0 if unknown."""
    parent = os.getppid()
    if not hasattr(sys, "frozen"):
        return parent
    try:
        return int(Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0
