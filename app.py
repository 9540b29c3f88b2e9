"""Entry points: the command line, and `create_app` for other WSGI servers."""

import logging

from foreman.stop_signals import end_quietly_at_ctrl_c

if __name__ == "__main__":
    end_quietly_at_ctrl_c()  # importing the rest takes a moment

from foreman import factory
from foreman.cli.doubts import doubts
from foreman.cli.main import main
from foreman.config import load, variables
from foreman.factory import Foreman
from foreman.maintenance.opening import open_database


def create_app() -> Foreman:
    """The WSGI application, with settings from the environment."""
    settings = load()
    for doubt in doubts(settings, variables()):
        logging.getLogger("foreman").warning(doubt)
    return factory.create_app(settings, open_database(settings))


if __name__ == "__main__":
    main()
