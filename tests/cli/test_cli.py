"""The command line, as people and scripts use it: real processes."""

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import fields
from pathlib import Path

import click
import httpx
import pytest

from foreman.cli.main import main
from foreman.config import Settings
from foreman.db.sqlite import Database
from tests.support import commands
from tests.support.api import TRUSTED, ok
from tests.support.commands import assert_fails, environment, lines_until_it_listens, serving
from tests.support.contents import stored_runs
from tests.support.engines import ON_POSTGRES, engine
from tests.support.source import APP, ROOT
from tests.support.waiting import until

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command to its end, in a directory of its own."""
    own = engine.variables(tmp_path)
    return lambda *arguments, **variables: commands.fork(tmp_path, *arguments, env=environment(**own, **variables))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start `serve` on a free port and leave it running."""
    with ExitStack() as started:
        env = environment(**engine.variables(tmp_path))
        yield lambda *arguments: started.enter_context(serving(tmp_path, *arguments, env=env))


def url_in_log(process: subprocess.Popen[str]) -> str:
    """Where it listens, in its own words."""
    return lines_until_it_listens(process)[1]


# serve --------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_first_start_prints_a_key_and_a_curl_line_that_works(serve: Serve, run: Run) -> None:
    process = serve("--first-key")
    url_in_log(process)
    assert process.stdout is not None
    shown = ""
    while "API documentation" not in shown:
        shown += process.stdout.readline()
    (curl,) = re.findall(r"^ +(curl .+)$", shown, re.MULTILINE)
    answer = subprocess.run(["sh", "-c", f"{curl} --silent --fail"], capture_output=True, text=True, timeout=30)
    assert answer.returncode == 0, answer.stderr
    created = json.loads(answer.stdout)
    assert created["orgId"] == "default"
    assert created["inputData"] == {"hello": "world"}
    (key,) = json.loads(run("keys", "list", "--json").stdout)
    assert (key["orgId"], key["environment"]) == ("default", "dev")


def test_first_key_is_made_once(serve: Serve, run: Run, tmp_path: Path) -> None:
    first = serve("--first-key")
    url_in_log(first)
    first.terminate()
    assert "fmn_dev_default_" in first.communicate(timeout=30)[0]
    second = serve("--first-key")
    url = url_in_log(second)
    second.terminate()
    options = f" --database {engine.url(tmp_path / 'foreman.db')}" if ON_POSTGRES else ""
    assert second.communicate(timeout=30)[0].splitlines() == [
        f"Foreman 0.5.0 listens on {url}",
        "",
        f"Another API key: {sys.executable} {APP} keys create --org NAME{options}",
        "",
        f"API documentation: {url}/docs",
        "",
    ]
    assert len(json.loads(run("keys", "list", "--json").stdout)) == 1


@pytest.mark.parametrize("database", [None, "other place/it's.db"])
def test_without_first_key_no_key_is_printed_but_how_to_make_one_in_this_database(
    serve: Serve, run: Run, tmp_path: Path, database: str | None
) -> None:
    (tmp_path / "other place").mkdir()
    if database and ON_POSTGRES:
        database = engine.url(tmp_path / database)
    process = serve(*(["--database", database] if database else []))
    assert process.stderr is not None
    line = next(line for line in process.stderr if "create one with: " in line)
    url_in_log(process)
    command = line.partition("create one with: ")[2].strip()
    assert command.startswith(f"{sys.executable} {APP} keys create --org NAME")
    pasted = subprocess.run(
        ["sh", "-c", command.replace("NAME", "acme")],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert pasted.stdout.startswith("fmn_prod_acme_"), pasted.stderr
    process.terminate()
    assert process.communicate(timeout=30)[0] == ""
    listed = json.loads(run("keys", "list", "--json", *(["--database", database] if database else [])).stdout)
    assert [key["orgId"] for key in listed] == ["acme"]


def test_ephemeral_prints_its_url_alone_trusts_and_leaves_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, APP, "serve", "--ephemeral"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().rstrip("\n")
        assert re.fullmatch(r"http://localhost:\d+", url)
        headers = {"Authorization": "Bearer fmn_test_anyone_1"}
        assert ok(httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers=headers), 201)["orgId"] == "anyone"
        assert [path.name.startswith("foreman-") for path in tmp_path.iterdir()] == [True]
    finally:
        process.terminate()
        rest, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rest == ""
    assert log == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_cleanly_and_leaves_the_database_alone(
    serve: Serve, tmp_path: Path, number: signal.Signals
) -> None:
    process = serve("--auth", "trust")
    url = url_in_log(process)
    for number_of_run in range(5):
        ok(httpx.post(f"{url}/api/v1/runs", json={"inputData": number_of_run}, headers=TRUSTED), 201)
    process.send_signal(number)
    log = process.communicate(timeout=30)[1]
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert [path.name for path in tmp_path.iterdir()] == ([] if ON_POSTGRES else ["foreman.db"])
    assert len(stored_runs(engine.url(tmp_path / "foreman.db"))) == 5


def test_port_in_use_is_one_clear_line(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run("serve", "--port", port, "--auth", "trust")
    assert_fails(
        result, 1, f"cannot listen on 127.0.0.1:{port}", "in use; choose another port with --port or FOREMAN_PORT"
    )


def test_json_log_has_one_object_per_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, APP, "serve", "--port", "0", "--log-format", "json"],
        cwd=tmp_path, env=environment(**engine.variables(tmp_path)), text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    ok(httpx.get(f"{url_in_log(process)}/health"))
    process.terminate()
    lines = process.communicate(timeout=30)[1].splitlines()
    for line in lines:
        fields_of_line = json.loads(line)
        assert line == json.dumps(fields_of_line, ensure_ascii=False, separators=(",", ":"))
        assert [*fields_of_line][:4] == ["time", "level", "logger", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields_of_line["time"])
    messages = [json.loads(line)["message"] for line in lines]
    assert (messages.count("answered"), messages[-1]) == (1, "Stopped")


# Wrong usage and failures -------------------------------------------------------------------------------------------


def test_wrong_setting_stops_the_start_with_one_line(run: Run) -> None:
    result = run("serve", FOREMAN_PORT="high")
    assert_fails(result, 2, "FOREMAN_PORT", "'high'", "a number from 0 to 65535")
    assert_fails(run("serve", "--auth", "none"), 2, "--auth", "'none'", "keys or trust")


@pytest.mark.parametrize("arguments", [["serve", "--nonsense"], ["nonsense"], ["keys", "create"], ["keys", "revoke"]])
def test_wrong_usage_exits_2(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert "Error:" in result.stderr


@pytest.mark.sqlite
def test_file_of_something_else_is_refused_untouched(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "foreman.db"
    other.write_bytes(b"a diary, not a database" * 20)
    before = other.read_bytes()
    for command in (["serve", "--port", "0"], ["keys", "list"]):
        assert_fails(run(*command), 1, "foreman.db is not a Foreman database")
    assert other.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["foreman.db"]


@pytest.mark.sqlite
def test_broken_database_is_one_clear_line(run: Run, tmp_path: Path) -> None:
    Database(tmp_path / "foreman.db").close()
    with closing(sqlite3.connect(tmp_path / "foreman.db")) as connection:
        connection.execute("DROP TABLE api_key")
    assert_fails(run("keys", "create", "--org", "acme"), 1, "foreman.db: no such table: api_key")


@pytest.mark.sqlite
def test_database_in_a_missing_directory_is_one_clear_line(run: Run) -> None:
    assert_fails(run("keys", "list", "--database", "no/such/foreman.db"), 1, "does not exist")


def calls_of(group: click.Group, *names: str) -> Iterator[list[str]]:
    yield [*names]
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from calls_of(command, *names, name)
        else:
            yield [*names, name]


@pytest.mark.parametrize("command", list(calls_of(main)), ids=lambda command: " ".join(["foreman", *command]))
def test_every_command_has_help(run: Run, command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")


def test_overview_has_whole_sentences(run: Run) -> None:
    shown = " ".join(run("--help").stdout.split())
    assert "... " not in shown.partition("Commands:")[2]
    for command in main.commands.values():
        assert " ".join(f"{command.name} {command.help}".split("\n\n")[0].split()) in shown


def test_help_of_serve_has_every_variable_and_default(run: Run) -> None:
    shown = " ".join(run("serve", "--help").stdout.split())
    for about in (field.metadata for field in fields(Settings)):
        if about["flag"]:
            assert f"[{about['variable']}; default: {about['default'] or 'none'}]" in shown


def test_package_can_be_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foreman", "serve", "--port", "0", "--database", str(tmp_path / "foreman.db")]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert f"{sys.executable} -m foreman keys create --org NAME --database {tmp_path}/" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.mark.parametrize("program", [[APP], ["-m", "foreman"]])
def test_ctrl_c_while_libraries_are_imported_is_no_traceback(tmp_path: Path, program: list[str | Path]) -> None:
    (tmp_path / "flask.py").write_text("import pathlib, time; pathlib.Path('begun').touch(); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, *program, "check"],
        cwd=tmp_path, env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"), stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in the background
    )  # fmt: skip
    try:
        until((tmp_path / "begun").exists)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30)[1] == ""
        assert process.returncode == -signal.SIGINT
    finally:
        process.kill()
        process.communicate()


def test_trust_is_warned_of_once(serve: Serve) -> None:
    process = serve("--auth", "trust")
    assert process.stderr is not None
    log = process.stderr.readline() + process.stderr.readline()
    process.terminate()
    log += process.communicate(timeout=30)[1]
    assert log.count("any well-formed key is taken at its word") == 1


def test_version(run: Run) -> None:
    assert run("--version").stdout == "foreman, version 0.5.0\n"


# keys ---------------------------------------------------------------------------------------------------------------


def test_keys_are_created_listed_and_revoked_while_the_server_runs(serve: Serve, run: Run) -> None:
    url = url_in_log(serve())
    created = run("keys", "create", "--org", "acme", "--env", "ci", "--name", "build server")
    assert re.fullmatch(r"fmn_ci_acme_[A-Za-z0-9]{32}\n", created.stdout)
    key = created.stdout.strip()
    reader = run("keys", "create", "--org", "acme", "--read-only").stdout.strip()
    ok(httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers={"X-API-Key": key}), 201)
    refused = httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers={"X-API-Key": reader})
    assert refused.status_code == 403

    table = run("keys", "list").stdout
    heading, first, second = table.splitlines()
    columns = ["id", "orgId", "environment", "access", "createdAt", "revokedAt", "name"]
    assert heading.split() == [*columns, "scopes", "expiresAt", "lastUsedAt"]
    assert re.search(r" full .* build server +read,write +-  ", first)
    assert "read-only" in second
    assert key.rsplit("_", 1)[1] not in table

    key_id = first.split()[0]
    assert run("keys", "revoke", key_id).returncode == 0
    assert httpx.get(f"{url}/api/v1/runs", headers={"X-API-Key": key}).status_code == 401
    assert_fails(run("keys", "revoke", key_id), 1, "no valid key", key_id)


def test_key_for_an_impossible_name_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "foreman.db"
    engine.open(file, Settings(database=engine.url(file))).close()
    assert_fails(run("keys", "create", "--org", "Acme Inc"), 2, "[a-z0-9-]{1,64}")
