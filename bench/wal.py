"""Commits in a write-ahead log, read from its file while a server writes it.

The format is https://www.sqlite.org/fileformat2.html, section 4.1. The log is written from its beginning again after a
checkpoint. Its header then has new salts, and frames with other salts are left over.
"""

import os
from pathlib import Path
from types import TracebackType

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24


class WriteAheadLog:
    """What is added to the log of a database. Look after every commit: what is overwritten between two looks is lost.

    Only for processes that do not have the database open: closing a file drops the locks that SQLite has on it
    (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """

    def __init__(self, database: Path) -> None:
        self._file = os.open(database.with_name(f"{database.name}-wal"), os.O_RDONLY)
        self._salts, self._frames = b"", 0
        self.page_bytes = 0
        self.commits()

    def __enter__(self) -> "WriteAheadLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._file)

    def commits(self) -> list[int]:
        """How many pages each commit since the last look has written."""
        header = os.pread(self._file, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES:
            return []
        self.page_bytes = int.from_bytes(header[8:12])
        if header[16:24] != self._salts:
            self._salts, self._frames = header[16:24], 0
        found, pages = [], 0
        # A transaction that is not committed yet is read again at the next look.
        for number in range(self._frames, 2**32):
            at = HEADER_BYTES + number * (FRAME_HEADER_BYTES + self.page_bytes)
            frame = os.pread(self._file, FRAME_HEADER_BYTES, at)
            if frame[8:16] != self._salts:
                break
            pages += 1
            if any(frame[4:8]):  # the last frame of a commit has the size of the database
                found.append(pages)
                self._frames, pages = number + 1, 0
        return found
