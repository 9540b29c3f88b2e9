"""`FOREMAN_DURABILITY` on PostgreSQL: whether a commit waits until it is on the server's disk."""

from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from foreman.config import Settings
from foreman.maintenance.opening import open_database
from tests.support.engines import engine

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    ("durability", "of_the_database", "expected"),
    [
        ("full", "off", "on"),
        ("full", "on", "on"),
        ("full", "remote_apply", "remote_apply"),  # for those who have replicas
        ("full", "local", "local"),
        ("normal", "on", "off"),
    ],
)
def test_each_session_commits_as_the_setting_says(
    tmp_path: Path, durability: str, of_the_database: str, expected: str
) -> None:
    url = engine.url(tmp_path / "foreman.db")
    with psycopg.connect(url, autocommit=True) as connection:
        name = url.rpartition("/")[2]
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {of_the_database}'.encode())
    with closing(open_database(Settings(database=url, durability=durability))) as database, database.write() as tx:
        assert tx.value("SHOW synchronous_commit") == expected
