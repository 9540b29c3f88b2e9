"""Opening a database as the settings name it: an SQLite file, or one on PostgreSQL."""

import logging
from pathlib import Path

from foreman.config import Settings, WrongSetting, is_postgres
from foreman.db.engine import Database
from foreman.db.sqlite import Database as SQLite
from foreman.maintenance.progress import NOBODY, Progress
from foreman.maintenance.upgrade import Tell, open_upgraded
from foreman.packages import how_to_install

log = logging.getLogger(__name__)

# Connections besides those of the threads: of the thread for large requests, and of what runs in the background.
_OTHERS = 3


def open_database(
    settings: Settings, tell: Tell = log.info, progress: Progress = NOBODY, *, create: bool = True, upgrade: bool = True
) -> Database:
    """Open the database.

    :param tell: called with a line for the backup and for each migration
    :param create: create its tables if it is empty, and the file if there is none
    :param upgrade: upgrade one of an earlier version
    :raises WrongSetting: if a package is missing
    :raises NotAForemanDatabase: when it is not ours to write to, or cannot be reached
    :raises UpgradeFailed: when it cannot be upgraded
    """
    if not is_postgres(settings.database):
        path = Path(settings.database)
        if upgrade:
            return open_upgraded(path, settings.durability, tell, progress, create=create)
        return SQLite(path, settings.durability, create=create)
    try:
        from foreman.db.postgres import schema
        from foreman.db.postgres.database import Postgres
    except ModuleNotFoundError as error:
        raise WrongSetting(f"FOREMAN_DATABASE is on PostgreSQL, but {how_to_install(error, 'postgres')}") from None
    if upgrade:
        schema.prepare(settings.database, tell, create=create)
    else:
        schema.refuse_other_version(settings.database)
    return Postgres(settings.database, settings.threads + _OTHERS)
