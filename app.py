"""Foreman's entry: the command line, and `create_app` for any other WSGI server."""

import logging
import signal
from pathlib import Path

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C while the rest is imported, which takes a moment: nothing has begun, so there is nothing to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from flask import Flask

from foreman import factory
from foreman.cli.doubts import doubts
from foreman.cli.main import main
from foreman.config import load, variables
from foreman.maintenance.upgrade import open_upgraded


def create_app() -> Flask:
    """The application with settings from the environment."""
    settings = load()
    for doubt in doubts(settings, variables()):
        logging.getLogger("foreman").warning(doubt)
    return factory.create_app(settings, open_upgraded(Path(settings.database), settings.durability))


if __name__ == "__main__":
    main()
