"""Where the one-file program starts: `foreman.cli.main`, and what it means to be the second of two processes.

The first one unpacks the program into a temporary directory, starts this one, passes signals on to it, and removes the
directory when it has ended (https://pyinstaller.org/en/stable/operating-mode.html).
"""

import fcntl
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

from foreman.cli.main import main

_UNPACKED = Path(__file__).parent

# Seconds between two looks whether the first process is still there.
_LOOK_EVERY = 0.5


def _stop_when_alone(parent: int) -> None:
    """Stop when the first process has been killed, for nobody would find this one."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)


def _status() -> int:
    """Run the command; its exit status."""
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    # Keeps systemd-tmpfiles from deleting what has been unpacked (tmpfiles.d(5), on BSD file locks).
    fcntl.flock(os.open(_UNPACKED, os.O_RDONLY), fcntl.LOCK_SH)
    first = os.getppid()
    threading.Thread(target=_stop_when_alone, args=[first], daemon=True).start()
    status = _status()
    if os.getppid() != first:
        shutil.rmtree(_UNPACKED, ignore_errors=True)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    # Python would end the threads that still run by pthread_exit(3), which needs libgcc_s, not a part of glibc.
    os._exit(status)
