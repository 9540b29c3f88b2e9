"""Where the files of the tests lie: in memory, so that thousands of small databases wait for no disk."""

import os
import tempfile

# Linux keeps a file system in memory here. In a container it is often small, or runs no programs.
_IN_MEMORY = "/dev/shm"

_ENOUGH = 4 << 30  # bytes free: each of three clusters keeps a log of at most 1 GB, and drops its databases


def directory() -> str:
    """The one that TMPDIR names; without it one in memory if there is room, else the usual one for temporary files."""
    if os.environ.get("TMPDIR"):
        return tempfile.gettempdir()
    try:
        found = os.statvfs(_IN_MEMORY)
    except OSError:
        return tempfile.gettempdir()
    fits = found.f_bavail * found.f_frsize >= _ENOUGH and not found.f_flag & os.ST_NOEXEC
    return _IN_MEMORY if fits and os.access(_IN_MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir()


if __name__ == "__main__":
    print(directory())  # noqa: T201
