"""Record what this schema version consists of on PostgreSQL: `python -m tests.db.postgres_catalog`."""

from foreman.config import Settings
from foreman.db.file import SCHEMA_VERSION
from foreman.db.postgres import catalog
from foreman.maintenance.opening import open_database
from tests.support.cluster import cluster

FILE = catalog._DIRECTORY / f"{SCHEMA_VERSION:04}.json"


def main() -> None:
    """Write the file that `check` compares databases of this version with."""
    with cluster() as throwaway:
        open_database(Settings(database=throwaway.create("foreman"))).close()
        with throwaway.connect("foreman") as connection:
            FILE.write_text(catalog.recorded(connection), encoding="utf-8")


if __name__ == "__main__":
    main()
