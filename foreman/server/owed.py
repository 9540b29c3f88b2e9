"""Output that a client has not taken yet."""

import socket
import tempfile
from typing import IO

from foreman.auth.holder import Holder
from foreman.server.parser import IN_MEMORY

# Bytes sent in one go, before other connections have their turn.
_SENT_AT_ONCE = 262_144


class Owed:
    """Unsent output for a slow client: a little in memory, more in a temporary file.

    :param holder: whose quota it counts against
    :raises OSError: when no temporary file can be written
    """

    def __init__(self, pieces: list[memoryview], holder: Holder) -> None:
        self.holder = holder
        self.size = sum(map(len, pieces))
        self._piece = b""
        self._file: IO[bytes] | None = None
        if self.size <= IN_MEMORY:
            self._piece = b"".join(pieces)
            return
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            for piece in pieces:
                self._file.write(piece)
            self._file.seek(0)
        except BaseException:
            self._file.close()
            raise

    def send(self, sock: socket.socket) -> int:
        """Send some of it; return how many bytes.

        :raises OSError: when the client is gone
        """
        if not self._piece and self._file is not None:
            self._piece = self._file.read(_SENT_AT_ONCE)
        try:
            sent = sock.send(self._piece)
        except BlockingIOError:
            return 0
        self._piece = self._piece[sent:]
        self.size -= sent
        return sent

    def left(self) -> bytes:
        """All that is still unsent."""
        return self._piece + (self._file.read() if self._file is not None else b"")

    def close(self) -> None:
        """Discard the rest."""
        if self._file is not None:
            self._file.close()
