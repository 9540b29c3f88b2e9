"""Logging to stderr: text for people, JSON for machines."""

import logging
import sys
import time

from pythonjsonlogger.json import JsonFormatter

from foreman.config import Settings


def is_text(settings: Settings) -> bool:
    """Whether lines are for people."""
    return settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())


def set_up(settings: Settings) -> None:
    """Log as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter
    if is_text(settings):
        formatter = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    else:
        formatter = JsonFormatter(
            "{asctime}{levelname}{name}{message}",
            style="{",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        )
    formatter.converter = time.gmtime
    formatter.default_time_format, formatter.default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"
    handler.setFormatter(formatter)
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
