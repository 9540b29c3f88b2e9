"""Backups on PostgreSQL: the commands of docs/postgresql.md, as they are there, from one cluster to another."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psycopg
import pytest

from foreman.config import Settings
from foreman.maintenance.opening import checking, open_database
from foreman.maintenance.progress import NOBODY
from foreman.monitoring.stats import of_database
from tests.support.api import make_run, make_task, ok, put_data
from tests.support.cluster import Cluster, binaries, cluster
from tests.support.commands import environment
from tests.support.engines import engine
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.postgres

PAGE = (ROOT / "docs/postgresql.md").read_text(encoding="utf-8")

# What it takes to be ahead of a cluster that has only just been made.
TRANSACTIONS = 3_000


def documented(heading: str) -> str:
    """The commands under a heading."""
    (commands, *_) = re.findall(rf"^## {heading}\n.*?```sh\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    return str(commands)


def run(script: str, on: Cluster, directory: Path) -> str:
    """Run commands where a dump lies, with the programs of the cluster; what they print."""
    variables = environment(PGHOST="127.0.0.1", PGPORT=str(on.port), PGUSER="postgres")
    script = script.replace(".venv/bin/python app.py", f"{sys.executable} {ROOT}/app.py")
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=directory, env={**variables, "PATH": f"{binaries()}:{variables['PATH']}"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def use_up_transactions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            f"""
            DO $$ BEGIN
                FOR i IN 1..{TRANSACTIONS} LOOP
                    PERFORM pg_current_xact_id();
                    COMMIT;
                END LOOP;
            END $$
            """.encode()
        )


def create_role(on: Cluster) -> None:
    """The role that the servers will have, as the page says."""
    with on.connect() as connection:
        connection.execute("CREATE ROLE foreman LOGIN")


def fill(client: httpx.Client) -> None:
    run_ = make_run(client)
    task = make_task(client, run_)
    entry = put_data(client, task, "key", tags=["red", "blue"])
    put_data(client, task, "key", tags=["red"])
    ok(client.patch(f"/tasks/{task['id']}", json={"status": "running"}))
    ok(client.delete(f"/runs/{run_['id']}/data", params={"id": entry["id"]}))


@pytest.mark.parametrize("behind", ["new", "old"])
def test_dump_that_is_made_while_clients_write_is_restored_as_documented(
    client: httpx.Client, tmp_path: Path, behind: str
) -> None:
    """Whichever of the two servers has had more transactions."""
    source = engine.url(tmp_path / "foreman.db")
    name = source.rpartition("/")[2]
    if behind == "new":
        use_up_transactions(source)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            fill(client)

    fill(client)
    with psycopg.connect(source) as connection:  # to a role that the other server does not have
        connection.execute(f'CREATE ROLE "reader {name}"'.encode())
        connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "reader {name}"'.encode())
    writer = threading.Thread(target=write)
    writer.start()
    try:
        backup = documented("Backups")
        run(backup.replace("/foreman\n", f"/{name}\n"), engine.cluster, tmp_path)
    finally:
        stop.set()
        writer.join()

    with cluster() as other:
        create_role(other)
        restored = other.url("foreman_restored", "foreman")
        if behind == "old":
            for _ in range(3):
                use_up_transactions(other.url("postgres"))
        assert run(documented("Restoring"), other, tmp_path).splitlines()[-1].startswith("ok: ")
        with psycopg.connect(restored) as connection:
            (is_right,) = connection.execute(
                "SELECT folded_below <= pg_snapshot_xmax(pg_current_snapshot()) FROM count_fold"
            ).fetchone() or (None,)
        assert is_right
        before = of_database(restored)
        assert before["runs"]["pending"] > 0
        with checking(restored) as view:
            assert view.contents()[0] == before["runs"]["pending"]

        settings = Settings(database=restored)
        database = open_database(settings)
        with database.write() as tx:  # as the next server does
            tx.run(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
                VALUES ('acme', '00000000-0000-7000-8000-000000000000', 'pending', '1', 1, 1)
                """
            )
        database.close()
        assert of_database(restored)["runs"]["pending"] == before["runs"]["pending"] + 1
        with checking(restored) as view:
            assert list(view.violations(NOBODY)) == []


def test_restored_totals_are_exact_before_anything_is_folded(client: httpx.Client, tmp_path: Path) -> None:
    fill(client)
    use_up_transactions(engine.url(tmp_path / "foreman.db"))
    name = engine.url(tmp_path / "foreman.db").rpartition("/")[2]
    fill(client)
    run(f"pg_dump --format=custom --file=foreman.dump postgresql:///{name}", engine.cluster, tmp_path)
    steps = documented("Restoring").splitlines()
    with cluster() as other:
        create_role(other)
        told = run("\n".join(step for step in steps if "fold_counts" not in step), other, tmp_path)
    assert told == "ok: 2 runs, 2 tasks, 2 entries\n"
