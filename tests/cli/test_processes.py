"""`serve --processes`: several server processes on one port, under a supervisor."""

import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.monitoring.request_log import _pieces
from foreman.server.listener import Port, refuse_address
from tests.support.api import PLAIN, TRUSTED, ok
from tests.support.commands import (
    assert_fails,
    environment,
    fork,
    line_of,
    lines_until_it_listens,
    run,
    serving,
    url_of,
    wait_until_gone,
)
from tests.support.databases import names
from tests.support.engines import engine
from tests.support.source import APP, ROOT
from tests.support.waiting import PATIENCE, until

# No server is there, and none is asked: these commands are refused before.
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

PLAINLY = ("--auth", "trust", "--rate-limit", "off")


@contextmanager
def several(directory: Path, *arguments: str, number: int = 2, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor with so many server processes on the database of this test; its log is JSON."""
    given = ["--processes", str(number), "--log-format", "json", *PLAINLY, "--database", url_in(directory), *arguments]
    with serving(directory, *given, **options) as process:
        yield process


def url_in(directory: Path) -> str:
    return engine.url(directory / "foreman.db")


def children(process: "subprocess.Popen[str]") -> list[int]:
    """The processes that a process has started and that have not ended, in order."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def replaced_in(logged: list[str]) -> int:
    """How many processes serve in place of others, according to the supervisor's log."""
    return sum(bool(re.search(r"Process \d+ serves", line)) for line in logged)


def get_runs(url: str) -> httpx.Response:
    """An answer over a connection of its own, which any of the processes may get."""
    return httpx.get(f"{url}/api/v1/runs", headers=TRUSTED, **PLAIN)


def create_run(url: str) -> str:
    """The id of a new run, created over a connection of its own."""
    created = httpx.post(f"{url}/api/v1/runs", json={"inputData": 1}, headers=TRUSTED, **PLAIN)
    run_id: str = ok(created, 201)["id"]
    return run_id


def connection_to(url: str) -> socket.socket:
    at = httpx.URL(url)
    return socket.create_connection((at.host, at.port), timeout=PATIENCE)


def is_deserted(url: str) -> bool:
    """Whether nobody accepts connections."""
    try:
        connection_to(url).close()
    except ConnectionRefusedError:
        return True
    return False


@contextmanager
def request_in_flight(url: str) -> Iterator[tuple[socket.socket, bytes]]:
    """A connection whose request is not complete, and the rest of it."""
    head = "POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-API-Key: fmn_test_acme_1\r\nContent-Type: application/json\r\n"
    body = b'{"inputData": 1}'
    with closing(connection_to(url)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # so the server knows of it
        connection.sendall(body[:5])
        yield connection, body[5:]


# Refused --------------------------------------------------------------------------------------------------------------


def test_sqlite_file_is_served_by_one_process(tmp_path: Path) -> None:
    words = "FOREMAN_PROCESSES is 2", "SQLite file is served by one process", "PostgreSQL"
    assert_fails(fork(tmp_path, "serve", "--port", "0", "--processes", "2"), 2, *words)
    assert_fails(fork(tmp_path, "serve", "--port", "0", env=environment(FOREMAN_PROCESSES="2")), 2, *words)
    assert_fails(fork(tmp_path, "serve", "--ephemeral", "--processes", "2"), 2, *words)
    assert names(tmp_path) == []


@pytest.mark.parametrize("text", ["0", "65", "-1", "two"])
def test_number_of_processes_is_a_number_of_which_a_machine_has_use(tmp_path: Path, text: str) -> None:
    refused = fork(tmp_path, "serve", "--port", "0", "--processes", text, "--database", NOWHERE)
    assert_fails(refused, 2, f"--processes is {text!r}; allowed: a number from 1 to 64")


def test_rate_limit_that_each_process_would_count_alone_is_refused(tmp_path: Path) -> None:
    refused = fork(tmp_path, "serve", "--port", "0", "--processes", "2", "--database", NOWHERE)
    assert_fails(refused, 2, "FOREMAN_PROCESSES is 2", "count requests for itself", "FOREMAN_RATE_LIMIT_STORAGE")


def test_rate_limit_that_is_counted_in_redis_is_not_refused(tmp_path: Path) -> None:
    arguments = ["--processes", "2", "--rate-limit-storage", "redis://127.0.0.1:1", "--database", NOWHERE]
    assert_fails(run(tmp_path, "serve", "--port", "0", *arguments), 1, "cannot be reached")


def test_metrics_of_one_process_at_a_time_are_refused(tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--processes", "2", *PLAINLY, "--database", NOWHERE]
    refused = fork(tmp_path, *arguments, env=environment(FOREMAN_METRICS_TOKEN="a-token-of-Prometheus"))
    assert_fails(refused, 2, "FOREMAN_PROCESSES is 2", "GET /metrics", "FOREMAN_METRICS_TOKEN")


def test_database_that_is_not_there_is_said_once(tmp_path: Path) -> None:
    refused = run(tmp_path, "serve", "--port", "0", "--processes", "3", *PLAINLY, "--database", NOWHERE)
    assert_fails(refused, 1, "127.0.0.1:1/nothing cannot be reached")


def test_port_in_use_is_said_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        refused = fork(tmp_path, "serve", "--port", port, "--processes", "2", *PLAINLY, "--database", NOWHERE)
    assert_fails(refused, 1, f"cannot listen on 127.0.0.1:{port}: Address already in use", "--port")


# One process ----------------------------------------------------------------------------------------------------------


def test_one_process_has_no_supervisor_and_shares_its_port_with_nobody(tmp_path: Path) -> None:
    with serving(tmp_path, "--processes", "1", *PLAINLY, "--database", url_in(tmp_path)) as process:
        lines, url = lines_until_it_listens(process)
        assert children(process) == []
        assert f"[{process.pid}]" not in lines[-1]
        with pytest.raises(OSError, match="in use"):
            Port("127.0.0.1", httpx.URL(url).port or 0)


def test_throwaway_server_is_one_process_whatever_the_variable_says(tmp_path: Path) -> None:
    with serving(tmp_path, "--ephemeral", env=environment(FOREMAN_PROCESSES="2")) as process:
        assert process.stdout
        ok(httpx.get(process.stdout.readline().strip() + "/health", **PLAIN))
        assert children(process) == []


# Several --------------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_every_process_answers_at_the_one_port(tmp_path: Path) -> None:
    with several(tmp_path, number=3) as process:
        lines, url = lines_until_it_listens(process)
        pids = children(process)
        assert len(pids) == 3
        assert json.loads(lines[-1])["process"] == process.pid
        assert "3 processes" in lines[-1]
        run_id = create_run(url)
        for _ in range(100):
            assert [each["id"] for each in ok(get_runs(url))["items"]] == [run_id]
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.stderr
        logged = [json.loads(line) for line in process.stderr]
    answered = [line["process"] for line in logged if line["message"] == "answered"]
    assert len(answered) == 101
    assert set(answered) == set(pids)
    assert [line["process"] for line in logged if line["message"] == "Stopped"] == [process.pid]
    assert sum("This node leads" in line["message"] for line in logged) <= 3


@pytest.mark.postgres
def test_first_key_and_warnings_are_written_once(tmp_path: Path) -> None:
    with several(tmp_path, "--auth", "keys", "--first-key", number=3) as process:
        _, url = lines_until_it_listens(process)
        process.terminate()
        output = process.communicate(timeout=PATIENCE)[0]
    assert output.count("fmn_dev_default_") == 2  # the key, and in the example
    assert output.count(url) == 3
    with several(tmp_path, number=3) as process:
        lines, _ = lines_until_it_listens(process)
        assert sum("FOREMAN_AUTH is trust" in line for line in lines) == 1
        assert sum("listens on" in line for line in lines) == 1


@pytest.mark.postgres
def test_killed_process_is_replaced_and_nothing_that_was_answered_is_lost(tmp_path: Path) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        logged: list[str] = []
        reader = threading.Thread(target=logged.extend, args=[process.stderr])
        reader.start()
        created: list[str] = []
        killed: set[int] = set()
        while not (all_serve := replaced_in(logged) == len(killed)) or len(killed) < 3:
            if all_serve:
                killed.add(victim := children(process)[len(killed) % 2])
                os.kill(victim, signal.SIGKILL)
            with suppress(httpx.TransportError):  # it was the one that died
                created.append(create_run(url))
        with httpx.Client(headers=TRUSTED, **PLAIN) as client:
            for run_id in created:
                ok(client.get(f"{url}/api/v1/runs/{run_id}"))
        assert len(created) > 50
        process.terminate()
        assert process.wait(PATIENCE) == 0
        reader.join(PATIENCE)
    assert sum("has ended with signal 9; another one starts" in line for line in logged) == 3


@pytest.mark.postgres
def test_process_that_is_told_to_stop_finishes_its_requests_and_is_replaced(tmp_path: Path) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        before = children(process)
        with request_in_flight(url) as (connection, rest):
            for pid in before:
                os.kill(pid, signal.SIGTERM)
            until(lambda: len({*children(process), *before}) == 3)  # the other one had nothing to finish
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
        until(lambda: len(children(process)) == 2 and not {*before} & {*children(process)})
        until(lambda: not is_deserted(url))
        ok(get_runs(url))


# The end --------------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_signal_lets_requests_finish(tmp_path: Path, number: signal.Signals) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        pids = children(process)
        with request_in_flight(url) as (connection, rest):
            process.send_signal(number)
            until(lambda: is_deserted(url))
            assert process.poll() is None
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
        assert process.wait(PATIENCE) == 0
    for pid in pids:
        wait_until_gone(pid)


@pytest.mark.postgres
def test_second_stop_signal_does_not_let_them_finish(tmp_path: Path) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        with request_in_flight(url) as (connection, _):
            process.terminate()
            time.sleep(1.2)  # within a second two are one
            assert process.poll() is None
            process.terminate()
            begun = time.monotonic()
            assert process.wait(PATIENCE) == 0
            assert time.monotonic() - begun < 7  # a request that is being received gets 10 seconds
            assert connection.recv(100) == b""


@pytest.mark.postgres
def test_processes_whose_supervisor_is_killed_finish_requests_end_and_leave_the_port(tmp_path: Path) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        pids = children(process)
        with request_in_flight(url) as (connection, rest):
            process.kill()
            process.wait(PATIENCE)
            until(lambda: is_deserted(url))
            connection.sendall(rest)
            assert connection.recv(100).startswith(b"HTTP/1.1 201 ")
        for pid in pids:
            wait_until_gone(pid)
        with several(tmp_path, "--port", str(httpx.URL(url).port)) as next_one:
            assert url_of(next_one) == url


@pytest.mark.postgres
def test_port_of_several_processes_is_not_shared_with_another_server(tmp_path: Path) -> None:
    with several(tmp_path) as process:
        url = url_of(process)
        port = str(httpx.URL(url).port)
        for number in ("1", "2"):
            refused = run(
                tmp_path, "serve", "--processes", number, *PLAINLY, "--database", url_in(tmp_path), "--port", port
            )
            assert refused.returncode == 1
            assert "Address already in use" in line_of(refused.stderr)
        ok(get_runs(url))


@pytest.mark.postgres
def test_all_end_with_the_process_that_started_them_when_they_are_told_to(tmp_path: Path) -> None:
    command = [sys.executable, str(APP), "serve", "--port", "0", "--processes", "2", "--with-parent", *PLAINLY]
    command += ["--database", url_in(tmp_path)]
    script = f"import subprocess, time; print(subprocess.Popen({command!r}).pid, flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as parent:  # fmt: skip
        assert parent.stdout
        supervisor = int(parent.stdout.readline())
        url = url_of(parent)
        pids = [int(pid) for pid in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()]
        assert len(pids) == 2
        with request_in_flight(url):  # nobody waits for its answer
            parent.kill()
            for pid in (supervisor, *pids):
                wait_until_gone(pid)


# Processes that do not serve: what the supervisor does then does not depend on what they would serve -----------------


BEHAVIOUR = """
import logging, os, sys
logging.basicConfig(level="INFO", format="%(message)s")
from foreman.cli import processes
from foreman.cli.options import Commands
from foreman.server.listener import Port
import click

processes._PAUSE, processes._LONGEST_PAUSE, processes._LOOK_EVERY = 0.1, 0.4, 0.01

@click.group(cls=Commands)
def main(): pass

@main.command()
def serve():
    child = processes.Supervisor({number}, Port("127.0.0.1", 0), lambda: None, None).run()
    {then}

main()
"""


def supervising(then: str, number: int = 1) -> "subprocess.Popen[str]":
    """A supervisor of processes that do this."""
    script = BEHAVIOUR.format(then=then, number=number)
    return subprocess.Popen(
        [sys.executable, "-c", script, "serve"], cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    )


def test_first_process_that_cannot_start_ends_all_with_its_status() -> None:
    with supervising("print('foreman: no', file=sys.stderr); sys.exit(3)", 2) as process:
        assert process.communicate(timeout=PATIENCE)[1] == "foreman: no\n"
    assert process.returncode == 3


def test_first_process_that_is_killed_before_it_serves_ends_all_with_one_line() -> None:
    with supervising("os.kill(os.getpid(), 9)", 2) as process:
        said = process.communicate(timeout=PATIENCE)[1]
    assert line_of(said) == "foreman: the first process has ended with signal 9 before it served"
    assert process.returncode == 1


def test_pause_before_a_process_is_replaced_grows_while_they_die_at_once() -> None:
    # Each says itself when it begins: a reader that is late would see two that follow each other closely.
    dies_at_once = "import time; print(time.monotonic(), file=sys.stderr, flush=True); child.serves(); os._exit(5)"
    with supervising(dies_at_once) as process:
        *said, last = process.communicate(timeout=PATIENCE)[1].splitlines()
    begun = [float(line) for line in said if line[0].isdigit()]
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert all(pause >= least for pause, least in zip(pauses, [0.1, 0.2, 0.4, 0.4, 0.4], strict=True))
    *deaths, last_death = [line for line in said if "has ended" in line]
    assert len(deaths) == len(begun) - 1
    assert all(line.endswith("has ended with status 5; another one starts") for line in deaths)
    assert last_death.endswith("has ended with status 5")
    assert last == "foreman: no process could be started in 6 attempts"
    assert process.returncode == 1


def test_supervisor_gives_up_when_no_process_can_be_started_any_more() -> None:
    first = "child.is_first and (child.serves(), os._exit(0)); sys.exit(3)"
    with supervising(first, 2) as process:
        said = process.communicate(timeout=PATIENCE)[1].splitlines()
    assert said[-1] == "foreman: no process could be started in 6 attempts"
    assert process.returncode == 1
    assert len(said) < 20


def test_stop_signal_before_anything_serves_ends_all() -> None:
    with supervising("import time; print('there', file=sys.stderr, flush=True); time.sleep(600)") as process:
        assert process.stderr
        assert process.stderr.readline() == "there\n"
        process.terminate()
        assert process.communicate(timeout=PATIENCE)[1].strip() == "Aborted!"
    assert process.returncode == 1


# Parts ----------------------------------------------------------------------------------------------------------------


def test_free_port_is_kept_for_those_that_share_it() -> None:
    with closing(Port("127.0.0.1", 0)) as port:
        assert port.number > 0
        refuse_address("127.0.0.1", port.number, shared=True)
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port.number))
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port.number))
    with socket.socket() as other:
        other.bind(("127.0.0.1", port.number))


def test_lines_of_a_shared_log_are_written_undivided() -> None:
    lines = [f"{number} {'ä' * (number * 37 % 700)}\n" for number in range(200)]
    pieces = list(_pieces(lines))
    assert "".join(pieces) == "".join(lines)
    assert all(piece.endswith("\n") and len(piece.encode()) <= 4096 for piece in pieces)
    assert len(pieces) < 60
