"""Where the one-file program starts: `foreman.cli`, and what it means to be the second of two processes.

The first one unpacks the program into a temporary directory, starts this one, passes signals on to it, and removes the
directory when it has ended (https://pyinstaller.org/en/stable/operating-mode.html).
"""

import fcntl
import os
import shutil
import signal
import threading
import time
from pathlib import Path

from foreman.cli import main

_UNPACKED = Path(__file__).parent

# Seconds between two looks whether the first process is still there.
_LOOK_EVERY = 0.5


def _stop_when_alone(parent: int) -> None:
    """Stop when the first process has been killed, for nobody would find this one."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    # Keeps systemd-tmpfiles from deleting what has been unpacked (tmpfiles.d(5), on BSD file locks).
    fcntl.flock(os.open(_UNPACKED, os.O_RDONLY), fcntl.LOCK_SH)
    first = os.getppid()
    threading.Thread(target=_stop_when_alone, args=[first], daemon=True).start()
    try:
        main()
    finally:
        if os.getppid() != first:
            shutil.rmtree(_UNPACKED, ignore_errors=True)
