"""Opening a database as the settings name it: an SQLite file, or one on PostgreSQL."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from foreman.config import Settings, WrongSetting, is_postgres
from foreman.db.engine import Database, Sizes, Transaction
from foreman.db.sqlite import Database as SQLite
from foreman.db.sqlite import sizes
from foreman.maintenance import check, upgrade
from foreman.maintenance.progress import NOBODY, Progress
from foreman.maintenance.upgrade import Tell, open_upgraded
from foreman.maintenance.violations import Violation, contents_in
from foreman.packages import how_to_install_postgres

log = logging.getLogger(__name__)

# Connections besides those of the threads: of the thread for large requests, and of what runs in the background.
_OTHERS = 3


class Reading(NamedTuple):
    """A snapshot of a database of this version.

    :ivar tx: runs statements on it
    :ivar version: the schema version
    :ivar sizes: how large the database is
    """

    tx: Transaction
    version: int
    sizes: Callable[[], Sizes]


class Checking(NamedTuple):
    """A snapshot of a database of this or an earlier version.

    :ivar violations: finds the violations, rule by rule
    :ivar contents: counts its runs, tasks and entries
    """

    violations: Callable[[Progress], Iterator[Violation]]
    contents: Callable[[], tuple[int, int, int]]


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
    with _packages():
        from foreman.db.postgres import schema
        from foreman.db.postgres.connecting import refuse_pooler
        from foreman.db.postgres.database import Postgres
    refuse_pooler(settings.database)
    if upgrade:
        schema.prepare(settings.database, tell, create=create)
    else:
        schema.refuse_other_version(settings.database)
    return Postgres(settings.database, settings.threads + _OTHERS, settings.durability)


def doubts(database: str) -> Iterator[str]:
    """One line for each thing about a database's server that is probably a mistake.

    :param database: as in the settings, open already
    :raises NotAForemanDatabase: when it cannot be reached
    """
    if is_postgres(database):
        from foreman.db.postgres import doubts as of_postgres  # an optional package

        yield from of_postgres.doubts(database)


@contextmanager
def reading(database: str) -> Iterator[Reading]:
    """A snapshot of a database of this version. It takes no more than the right to read it.

    :param database: as in the settings
    :raises WrongSetting: if a package is missing
    :raises NotAForemanDatabase: when there is none, it cannot be reached, or it is not of this version
    :raises DatabaseError, OSError: when it cannot be read
    """
    if not is_postgres(database):
        path = Path(database)
        with check.reading(path) as tx:
            yield Reading(tx, tx.value("PRAGMA user_version"), partial(sizes, path))
        return
    with _packages():
        from foreman.db.postgres.schema import refuse_earlier
        from foreman.db.postgres.snapshot import snapshot
    with snapshot(database) as view:
        refuse_earlier(view.name, view.version)
        yield Reading(view, view.version, view.sizes)


@contextmanager
def checking(database: str) -> Iterator[Checking]:
    """A snapshot of a database that is to be checked. It takes no more than the right to read it.

    :param database: as in the settings
    :raises WrongSetting: if a package is missing
    :raises NotAForemanDatabase: when there is none, it cannot be reached, it is empty or something else, or newer
    :raises DatabaseError, OSError: when it cannot be read
    """
    if not is_postgres(database):
        with check.snapshot(Path(database)) as file:
            yield Checking(partial(check.all_violations, file), partial(check.contents, file))
        return
    with _packages():
        from foreman.db.postgres.snapshot import snapshot
        from foreman.maintenance import check_postgres
    with snapshot(database) as view:
        yield Checking(partial(check_postgres.violations, view), partial(contents_in, view))


def plan(database: str) -> Iterator[str]:
    """What an upgrade would do, as lines. Nothing is changed.

    :param database: as in the settings
    :raises WrongSetting: if a package is missing
    :raises NotAForemanDatabase, UpgradeFailed, DatabaseError: when it cannot be done
    """
    if not is_postgres(database):
        return upgrade.plan(Path(database))
    with _packages():
        from foreman.db.postgres import schema
    return schema.plan(database)


@contextmanager
def _packages() -> Iterator[None]:
    """Import what only PostgreSQL needs in the block.

    :raises WrongSetting: if a package, or a library that it needs, is missing
    """
    try:
        yield
    except ImportError as error:
        raise WrongSetting(f"FOREMAN_DATABASE is on PostgreSQL, but {how_to_install_postgres(error)}") from None
