"""Logging to stderr: text for people, JSON for machines."""

import logging
import re
import sys
import time
from contextlib import nullcontext, suppress
from typing import TextIO

import msgspec
from pythonjsonlogger.msgspec import MsgspecFormatter

from foreman import request_log
from foreman.config import Settings

# What a line of text shows without quotes.
_PLAIN = re.compile(r"[\w.:/<>-]+", re.ASCII)

_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class TextFormatter(logging.Formatter):
    """A line for people: the message, then the further fields of the record as `name=value` (logfmt)."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, and a traceback below it where it has one."""
        fields = [f" {name}={_shown(value)}" for name, value in vars(record).items() if name not in _ATTRIBUTES]
        line, *rest = super().format(record).split("\n", 1)
        return "\n".join([line + "".join(fields), *rest])


class GatheringHandler(logging.StreamHandler[TextIO]):
    """Writes the lines of answers when it is flushed, many at once, and all others at once.

    Each write lets other threads have the interpreter, which cost more than the line.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        try:
            self._lines.append(self.format(record) + "\n")
        except Exception:
            self.handleError(record)
        if record.name != request_log.NAME:
            self.flush()

    def flush(self) -> None:
        """Write what has been gathered. A log that cannot be written to must not stop the server."""
        with self.lock or nullcontext():
            lines, self._lines = self._lines, []
            if lines:
                with suppress(OSError, ValueError):
                    self.stream.write("".join(lines))
                    self.stream.flush()


def flush() -> None:
    """Write what has been gathered of the log."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def set_up(settings: Settings) -> None:
    """Log as the settings say."""
    # Nothing of it is shown, and it is a third of what a line costs
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = GatheringHandler(sys.stderr)
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    formatter: logging.Formatter
    if as_text:
        formatter = TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    else:
        formatter = MsgspecFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


def _shown(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if _PLAIN.fullmatch(text) else msgspec.json.encode(text).decode()
