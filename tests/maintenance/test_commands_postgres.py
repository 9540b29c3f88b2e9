"""Commands on PostgreSQL: what they do, with which rights, and what they say of a database that cannot be used."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from foreman.cli.main import main
from foreman.config import Settings
from foreman.db.file import SCHEMA_VERSION
from foreman.db.postgres import connecting
from foreman.db.postgres.catalog import recorded
from foreman.maintenance.opening import open_database
from tests.chaos.nodes.processes import free_port
from tests.maintenance.test_check import SOUND
from tests.support import commands
from tests.support.api import PLAIN
from tests.support.commands import assert_fails, environment, line_of, lines_until_it_listens, serving
from tests.support.engines import engine
from tests.support.programs import need
from tests.support.source import APP
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.postgres

Run = Callable[..., "subprocess.CompletedProcess[str]"]

# Every command that uses a database, as short as it can be.
READING = (["check"], ["stats"], ["keys", "list"], ["prune", "--older-than", "1s", "--dry-run"])
WRITING = (["keys", "create", "--org", "acme"], ["keys", "revoke", "x"], ["prune", "--older-than", "1s"])
ALL = (*READING, *WRITING, ["migrate", "--dry-run"], ["migrate"], ["serve", "--port", "0"])

SECRET = "s3cr3t"


def name_of(command: list[str]) -> str:
    return " ".join(command)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A small database."""
    name = engine.url(tmp_path / "foreman.db")
    with psycopg.connect(name, autocommit=True) as connection:
        connection.execute(SOUND.encode())
        connection.execute("SELECT fold_counts()")
    return name


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a database to its end."""

    def run(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return commands.fork(tmp_path, *arguments, env=environment(FOREMAN_DATABASE=url))

    return run


@pytest.fixture
def role() -> Iterator[str]:
    """A role that may do nothing but connect."""
    name = f"role_{os.getpid()}_{time.monotonic_ns()}"
    with engine.cluster.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'".encode())
    yield name
    with engine.cluster.connect() as connection:
        connection.execute(f"DROP ROLE {name}".encode())


def as_role(url: str, role: str) -> str:
    return url.replace("postgres@", f"{role}:{SECRET}@")


def execute(url: str, script: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(script.encode())


def content(url: str) -> list[object]:
    """What the catalogue and the tables have."""
    with psycopg.connect(url) as connection:
        found: list[object] = [recorded(connection)]
        for (table,) in connection.execute(
            "SELECT CAST(oid AS regclass) FROM pg_class WHERE relkind = 'r' AND relnamespace = "
            "CAST('public' AS regnamespace) ORDER BY relname"
        ).fetchall():
            found += [table, *connection.execute(f"SELECT CAST(t AS text) FROM {table} AS t ORDER BY 1".encode())]
        return found


# What they do -------------------------------------------------------------------------------------------------------


def test_check_says_that_a_sound_database_is(run: Run, url: str) -> None:
    told = run(url, "check")
    assert (told.returncode, told.stdout, told.stderr) == (0, "ok: 3 runs, 4 tasks, 3 entries\n", "")


def test_check_shows_examples_or_all_as_on_sqlite(run: Run, url: str) -> None:
    execute(url, "UPDATE run_total SET runs = 9; UPDATE org_task_total SET failed = 3, queued = 3, retrying = 3")
    told = run(url, "check")
    assert (told.returncode, told.stderr) == (1, "foreman: 15 violations\n")
    assert "    org_id='acme' status='pending' kept=9 counted=1" in told.stdout.splitlines()[1:4]
    assert "    and 7 more: `check --all` shows them" in told.stdout
    every = run(url, "check", "--all")
    assert every.returncode == 1
    assert len(every.stdout.splitlines()) == 15


def test_check_sees_one_moment_while_others_write(run: Run, url: str) -> None:
    with psycopg.connect(url) as writer:
        writer.execute("UPDATE run SET status = 'cancelled', completed_at = 1")
        assert run(url, "check").returncode == 0
        writer.commit()
    assert run(url, "check").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_check_ends_at_a_signal_and_its_statement_too(url: str, tmp_path: Path, number: signal.Signals) -> None:
    execute(url, "CREATE OR REPLACE FUNCTION json_valid(value text) RETURNS boolean RETURN pg_sleep(60) IS NULL")
    process = subprocess.Popen(
        [sys.executable, APP, "check"], cwd=tmp_path, env=environment(FOREMAN_DATABASE=url), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    at_work = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    with psycopg.connect(url, autocommit=True) as other:
        until(lambda: other.execute(at_work).rowcount)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        until(lambda: not other.execute(at_work).rowcount)
    assert process.returncode == 130
    assert "definition" in stdout
    assert re.fullmatch(r"foreman: stopped at \d+ %: 1 violation so far, the rest was not checked\n", stderr)


def test_stats_shows_what_is_in_the_database(run: Run, url: str) -> None:
    shown = json.loads(run(url, "stats", "--json").stdout)["database"]
    assert shown.pop("databaseBytes") > 1_000_000
    assert {name: shown[name] for name in ("organisations", "apiKeys", "schemaVersion", "logBytes", "freeBytes")} == {
        "organisations": 2, "apiKeys": 1, "schemaVersion": SCHEMA_VERSION, "logBytes": None, "freeBytes": None,
    }  # fmt: skip
    assert (shown["runs"]["pending"], shown["tasks"]["pending"]) == (2, 4)
    lines = run(url, "stats").stdout.splitlines()
    assert re.fullmatch(r"Database       [\d.]+ MB on PostgreSQL", lines[0])
    assert "Free" not in lines[1]


def test_keys_are_created_listed_and_revoked(run: Run, url: str) -> None:
    execute(url, "DELETE FROM api_key")
    assert run(url, "keys", "create", "--org", "acme", "--name", "ci").stdout.startswith("fmn_prod_acme_")
    (key,) = json.loads(run(url, "keys", "list", "--json").stdout)
    assert (key["orgId"], key["name"], key["revokedAt"]) == ("acme", "ci", None)
    assert run(url, "keys", "revoke", key["id"]).stdout == f"revoked {key['id']}\n"
    assert_fails(run(url, "keys", "revoke", key["id"]), 1, "there is no valid key")


def test_prune_counts_and_deletes(run: Run, url: str) -> None:
    execute(url, "UPDATE run SET status = 'cancelled', completed_at = 1 WHERE org_id = 'acme'")
    assert run(url, "prune", "--older-than", "1d", "--dry-run").stdout == "would delete 2 runs, 3 tasks, 2 entries\n"
    assert run(url, "prune", "--older-than", "1d").stdout == (
        "deleted 2 runs, 3 tasks, 2 entries; PostgreSQL keeps their space for new rows as soon as it has vacuumed\n"
    )
    assert run(url, "check").stdout == "ok: 1 runs, 1 tasks, 1 entries\n"


def test_migrate_has_nothing_to_do(run: Run, url: str) -> None:
    assert run(url, "migrate", "--dry-run").stdout == f"{url} has schema version {SCHEMA_VERSION}: nothing to do\n"
    assert run(url, "migrate").stdout == f"{url} has schema version {SCHEMA_VERSION}\n"


@pytest.mark.parametrize(
    ("command", "instead"),
    [(["backup", "x"], "pg_dump"), (["backup", "--keep", "3", "."], "pg_dump"), (["restore", "x"], "pg_restore")],
)
def test_backup_and_restore_say_what_does_that(
    run: Run, url: str, tmp_path: Path, command: list[str], instead: str
) -> None:
    before = content(url)
    assert_fails(run(url, *command), 1, "is on PostgreSQL", f"`{instead}`", "docs/postgresql.md")
    assert run(url, command[0]).returncode == 2
    assert (content(url), [*tmp_path.iterdir()]) == (before, [])


# Rights -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "granted",
    [
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {0}",
        "GRANT pg_read_all_data TO {0}",
    ],
)
def test_reading_takes_no_more_than_the_right_to_read(run: Run, url: str, role: str, granted: str) -> None:
    execute(url, granted.format(role))
    for command in READING:
        told = run(as_role(url, role), *command)
        assert (told.returncode, told.stderr) == (0, ""), command
    for command in WRITING:
        assert_fails(run(as_role(url, role), *command), 1, "its role may not write to", "GRANT SELECT, INSERT")
    assert_fails(run(as_role(url, role), "serve", "--port", "0"), 1, "its role may not write to", "GRANT")
    execute(url, f"DROP OWNED BY {role}")


def test_check_without_the_right_to_read_all_says_what_it_takes(run: Run, url: str, role: str) -> None:
    execute(url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    told = run(as_role(url, role), "check")
    assert told.returncode == 1
    assert "permission denied for sequence run_seq_seq" in line_of(told.stderr)
    assert "pg_read_all_data" in told.stderr
    execute(url, f"DROP OWNED BY {role}")


def test_server_works_as_a_role_that_does_not_own_the_tables(run: Run, url: str, role: str, tmp_path: Path) -> None:
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
    key = run(as_role(url, role), "keys", "create", "--org", "acme").stdout.strip()
    with serving(tmp_path, env=environment(FOREMAN_DATABASE=as_role(url, role))) as server:
        _, where = lines_until_it_listens(server)
        with httpx.Client(base_url=f"{where}/api/v1", headers={"Authorization": f"Bearer {key}"}, **PLAIN) as client:
            run_id = client.post("/runs", json={"inputData": 1}).raise_for_status().json()["id"]
            client.post("/tasks", json={"runId": run_id, "type": "x", "inputData": 1}).raise_for_status()
            client.delete(f"/runs/{run_id}").raise_for_status()
    execute(url, f"DROP OWNED BY {role}")


# What cannot be used ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ALL, ids=name_of)
def test_database_of_something_else_is_refused_and_left_as_it_is(run: Run, command: list[str]) -> None:
    url = engine.cluster.create("of_something_else")
    try:
        execute(url, "CREATE TABLE diary (day date); CREATE VIEW today AS SELECT * FROM diary")
        before = content(url)
        assert_fails(run(url, *command), 1, "has tables of something else", "create a database for Foreman alone")
        assert content(url) == before
    finally:
        engine.cluster.drop("of_something_else")


@pytest.mark.parametrize("command", [command for command in ALL if command[0] != "serve"], ids=name_of)
def test_empty_database_is_refused_and_left_as_it_is(run: Run, command: list[str]) -> None:
    url = engine.cluster.create("empty")
    try:
        assert_fails(run(url, *command), 1, "is empty: start `serve`, which creates the tables")
        assert content(url) == ["[\n\n]\n"]
    finally:
        engine.cluster.drop("empty")


def test_tables_of_an_extension_are_not_those_of_something_else() -> None:
    url = engine.cluster.create("extended")
    try:
        execute(url, "CREATE TABLE of_extension (x int); ALTER EXTENSION plpgsql ADD TABLE of_extension")
        open_database(Settings(database=url)).close()
    finally:
        engine.cluster.drop("extended")


def test_encoding_other_than_utf_8_is_refused(run: Run) -> None:
    with engine.cluster.connect() as connection:
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING latin1 LOCALE 'C'")
    url = engine.cluster.url("latin")
    try:
        for command in (["serve", "--port", "0"], ["check"], ["keys", "list"]):
            assert_fails(run(url, *command), 1, "has the encoding LATIN1", "createdb -T template0 -E UTF8")
        assert content(url) == ["[\n\n]\n"]
    finally:
        engine.cluster.drop("latin")


@pytest.mark.parametrize("command", ALL, ids=name_of)
def test_database_of_a_newer_version_is_refused_and_left_as_it_is(run: Run, url: str, command: list[str]) -> None:
    execute(url, "INSERT INTO schema_migration VALUES (99, 1, '9.9')")
    before = content(url)
    assert_fails(run(url, *command), 1, "has schema version 99, from a newer Foreman", "it has not been changed")
    assert content(url) == before


@pytest.mark.parametrize("command", ALL, ids=name_of)
def test_server_that_is_too_old_is_refused(
    url: str, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connecting, "OLDEST", 99)
    monkeypatch.setenv("FOREMAN_DATABASE", url)
    with pytest.raises(SystemExit, match="1"):
        main(command)
    assert re.search(r"is on PostgreSQL \d\d; Foreman needs version 99 or newer$", line_of(capsys.readouterr().err))


@pytest.mark.parametrize("command", ALL, ids=name_of)
def test_server_that_is_not_there_is_one_line(run: Run, command: list[str]) -> None:
    told = run(f"postgresql://someone:{SECRET}@127.0.0.1:1/foreman", *command)
    assert_fails(told, 1, "postgresql://someone@127.0.0.1:1/foreman cannot be reached", "refused", "are the name")
    assert SECRET not in told.stderr


@pytest.mark.parametrize("end", ["/no_such_database", "/postgres?user=no_such_role", "/postgres?sslmode=require"])
def test_what_the_server_refuses_is_one_line(run: Run, end: str) -> None:
    url = f"postgresql://postgres:{SECRET}@127.0.0.1:{engine.cluster.port}{end}"
    told = run(url, "check")
    assert_fails(told, 1, "cannot be reached", "are the name of the database, its server and the role right?")
    assert SECRET not in told.stderr


def test_role_that_may_not_create_tables_is_told_what_it_takes(run: Run, role: str) -> None:
    url = engine.cluster.create("not_ours")
    try:
        assert_fails(
            run(as_role(url, role), "serve", "--port", "0"), 1, "permission denied for schema public", "granted CREATE"
        )
        assert content(url) == ["[\n\n]\n"]
    finally:
        engine.cluster.drop("not_ours")


def test_role_without_any_right_is_told_what_it_takes(run: Run, url: str, role: str) -> None:
    for command in (*READING, *WRITING):
        assert_fails(run(as_role(url, role), *command), 1, "may not read Foreman's tables", "GRANT SELECT, INSERT")


def test_tables_of_others_beside_its_own_are_nothing_to_a_server(run: Run, url: str, role: str) -> None:
    execute(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}; CREATE TABLE of_somebody_else (id text)")
    execute(url, f"REVOKE ALL ON of_somebody_else FROM {role}")
    assert run(as_role(url, role), "keys", "create", "--org", "acme").returncode == 0
    execute(url, f"DROP OWNED BY {role}")


def test_database_whose_version_is_gone_is_refused(run: Run, url: str) -> None:
    execute(url, "DELETE FROM schema_migration")
    for command in (["migrate"], ["serve", "--port", "0"]):
        assert_fails(run(url, *command), 1, "no version in schema_migration", "dump that is complete")


def test_settings_of_a_database_about_its_language_change_nothing(run: Run, url: str) -> None:
    name = url.rpartition("/")[2]
    for setting in ("quote_all_identifiers = on", "standard_conforming_strings = off"):
        execute(url, f"ALTER DATABASE {name} SET {setting}")
    assert run(url, "check").stdout.startswith("ok: ")
    execute(url, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    open_database(Settings(database=url)).close()
    assert run(url, "check").stdout.startswith("ok: ")


def test_pooler_that_shares_sessions_between_transactions_is_refused(run: Run, url: str) -> None:
    with pgbouncer("session") as port:
        assert run(through(url, port), "keys", "create", "--org", "acme").returncode == 0
    with pgbouncer("transaction") as port:
        for command in (["keys", "create", "--org", "acme"], ["serve", "--port", "0"]):
            assert_fails(run(through(url, port), *command), 1, "shares sessions between transactions", "session mode")


def through(url: str, port: int) -> str:
    return url.replace(f":{engine.cluster.port}/", f":{port}/")


@contextmanager
def pgbouncer(mode: str) -> Iterator[int]:
    """PgBouncer before the cluster; its port. As the cluster, it does not run as root."""
    port = free_port()
    lines = [
        "[databases]", f"* = host=127.0.0.1 port={engine.cluster.port} user=postgres",
        "[pgbouncer]", "listen_addr = 127.0.0.1", f"listen_port = {port}", "unix_socket_dir =", "auth_type = any",
        f"pool_mode = {mode}", "ignore_startup_parameters = extra_float_digits",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        configuration = Path(directory) / "pgbouncer.ini"
        configuration.write_text("\n".join(lines))
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        if user:
            shutil.chown(directory, "nobody")
        command = [need("pgbouncer"), "-q", *user, str(configuration)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as bouncer:
            try:
                until(lambda: is_listening(port))
                yield port
            finally:
                bouncer.terminate()


def is_listening(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def test_server_warns_of_what_endangers_its_data_or_its_role(url: str, tmp_path: Path) -> None:
    execute(url, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    with serving(tmp_path, env=environment(FOREMAN_DATABASE=url)) as server:
        lines, _ = lines_until_it_listens(server)
    said = "\n".join(lines)
    assert "fsync is off" in said  # as in all clusters of these tests
    assert "REVOKE CREATE ON SCHEMA public FROM PUBLIC" in said


def test_read_only_server_is_told_of(run: Run, url: str) -> None:
    name = url.rpartition("/")[2]
    execute(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    for command in READING:
        assert run(url, *command).returncode == 0, command
    for command in (*WRITING, ["serve", "--port", "0"]):
        assert_fails(run(url, *command), 1, "is read-only", "Connect to the primary")


# Settings and packages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        "postgresql://u:{0}/x@127.0.0.1/foreman",
        "postgresql://u:{0}@x@127.0.0.1/foreman",
        "postgresql://u:{0}%zz@127.0.0.1/foreman",
        "postgresql://u:{0}@127.0.0.1:port/foreman",
        "postgresql://u:12/{0}@127.0.0.1/foreman",
        "postgresql://127.0.0.1/foreman?password {0}",
        "mysql://u:{0}@127.0.0.1/foreman",
        "postgresql:/u:{0}@127.0.0.1/foreman",
        "postgres//u:{0}@127.0.0.1/foreman",
        "postgresql+psycopg://u:{0}@127.0.0.1/foreman",
        "host=127.0.0.1 password={0}",
    ],
)
def test_wrong_url_is_one_line_without_its_password(run: Run, wrong: str) -> None:
    for command in (["check"], ["serve", "--port", "0"]):
        told = run(wrong.format(SECRET), *command)
        assert_fails(told, 2, "FOREMAN_DATABASE is (hidden)", "postgresql://USER:PASSWORD@HOST:PORT/NAME")
        assert SECRET not in told.stderr


@pytest.mark.parametrize("almost", ["postgresql:foreman", "POSTGRES:foreman", "host=127.0.0.1", "dbname = foreman"])
def test_what_is_almost_a_url_is_not_the_path_of_a_new_file(run: Run, tmp_path: Path, almost: str) -> None:
    told = run(almost, "serve", "--port", "0")
    assert_fails(told, 2, f"FOREMAN_DATABASE is '{almost}'", "postgresql://USER:PASSWORD@HOST:PORT/NAME")
    assert not list(tmp_path.glob("*foreman*"))


def test_options_of_a_url_that_name_another_database_are_shown(run: Run) -> None:
    told = run("postgresql://someone@127.0.0.2:1/foreman?host=127.0.0.1&dbname=other", "check")
    assert_fails(told, 1, "postgresql://someone@127.0.0.1/other cannot be reached")


def test_unknown_option_of_a_url_is_one_line_without_its_value(run: Run) -> None:
    told = run(f"postgresql://u:{SECRET}@127.0.0.1/foreman?password={SECRET}&pasword={SECRET}", "check")
    assert_fails(told, 1, "postgresql://u@127.0.0.1/foreman", "an option after the ?")
    assert SECRET not in told.stderr


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("psycopg", ["check"]),
        ("psycopg", ["keys", "list"]),
        ("psycopg", ["serve", "--port", "0"]),
        ("psycopg_pool", ["serve", "--port", "0"]),  # what only reads needs none
    ],
)
def test_missing_package_is_one_line_that_says_how_to_install_it(
    url: str, tmp_path: Path, package: str, command: list[str]
) -> None:
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})")
    told = subprocess.run(
        [sys.executable, APP, *command], cwd=tmp_path, env=environment(FOREMAN_DATABASE=url, PYTHONPATH=str(tmp_path)),
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert_fails(told, 2, f"{package} is not installed", "pip install", "psycopg[binary]==")


def test_password_is_shown_nowhere(url: str, role: str, tmp_path: Path) -> None:
    execute(url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; DELETE FROM api_key")
    secret_url = f"{as_role(url, role)}?password={SECRET}"
    token = "metrics-token-of-this-test"
    with serving(
        tmp_path, "--first-key", env=environment(FOREMAN_DATABASE=secret_url, FOREMAN_METRICS_TOKEN=token)
    ) as server:
        lines, where = lines_until_it_listens(server)
        headers = {"Authorization": f"Bearer {token}"}
        shown = ("/metrics", "/health", "/ready", "/api/v1/config")
        pages = [httpx.get(f"{where}{page}", headers=headers).text for page in shown]
        server.send_signal(signal.SIGTERM)
        stdout, stderr = server.communicate(timeout=PATIENCE)
    assert "foreman_database_up 1.0" in pages[0]
    assert SECRET not in "".join([*pages, *lines, stdout, stderr])
    execute(url, "DELETE FROM api_key")
    with serving(tmp_path, env=environment(FOREMAN_DATABASE=secret_url)) as server:
        lines, where = lines_until_it_listens(server)
    assert f"{role}:PASSWORD@" in "".join(lines)
    assert SECRET not in "".join(lines)
    execute(url, f"DROP OWNED BY {role}")
