"""Logging to stderr: text for people, JSON for machines."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

from foreman.config import Settings


def set_up(settings: Settings) -> None:
    """Log as the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    if as_text:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    else:
        handler.setFormatter(
            JsonFormatter(
                "{asctime}{levelname}{name}{message}",
                style="{",
                rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            )
        )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
