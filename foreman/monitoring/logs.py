"""Logging to stderr: text for people, JSON for machines. Where several processes share it, each line names its own."""

import json
import logging
import sys
import time
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from foreman.config import Settings


def is_text(settings: Settings) -> bool:
    """Whether log lines are text, not JSON."""
    return settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())


def set_up(settings: Settings) -> None:
    """Set up logging as in the settings."""
    several = settings.processes > 1
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter
    if is_text(settings):
        process = "[%(process)d] " if several else ""
        formatter = logging.Formatter(f"%(asctime)s %(levelname)-7s {process}%(name)s: %(message)s")
    else:
        formatter = JsonFormatter(
            "{asctime}{levelname}{name}{message}{process}" if several else "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"},
            json_serializer=_encode,
        )
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)


def _encode(fields: dict[str, Any], **_: Any) -> str:
    """The format of the lines of `request_log.py`: without spaces, and with non-ASCII text unescaped."""
    return json.dumps(fields, default=str, ensure_ascii=False, separators=(",", ":"))
