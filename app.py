"""Foreman's entry: the command line, and `create_app` for any other WSGI server."""

from pathlib import Path

from flask import Flask

import foreman
from foreman.cli import main
from foreman.config import load
from foreman.migrate import open_upgraded


def create_app() -> Flask:
    """The application with settings from the environment."""
    settings = load()
    return foreman.create_app(settings, open_upgraded(Path(settings.database), settings.durability))


if __name__ == "__main__":
    main()
