"""A probe of the disk: `python -m bench.probe FILE` writes 4 KB and waits until they are on disk, again and again.

It prints when each write began (by the monotonic clock, which processes share) and how long it took, in seconds. When
this is slow at the same time as a server, the disk is the reason.
"""

import os
import sys
import time

BYTES = 4096
PAUSE_SECONDS = 0.05


def main() -> None:
    """Probe until the process is ended."""
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
    os.pwrite(file, bytes(BYTES), 0)
    os.fsync(file)
    while True:
        begin = time.monotonic()
        os.pwrite(file, bytes(BYTES), 0)
        os.fdatasync(file)
        sys.stdout.write(f"{begin} {time.monotonic() - begin}\n")
        sys.stdout.flush()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
