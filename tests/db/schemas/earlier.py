"""The databases of earlier versions, made from their text."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from foreman.db.file import SCHEMA_VERSION

HERE = Path(__file__).parent

EARLIER = range(1, SCHEMA_VERSION)


def create_earlier(file: Path, version: int, journal_mode: str = "WAL") -> Path:
    """The database that a server of this version has left."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.executescript((HERE / f"version_{version}.sql").read_text(encoding="utf-8"))
        connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    return file


def recorded(version: int) -> dict[str, Any]:
    """What record.py has written down of that server."""
    told: dict[str, Any] = json.loads((HERE / f"version_{version}.json").read_text(encoding="utf-8"))
    return told
