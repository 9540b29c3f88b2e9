"""What is particular to one file: two processes, a temporary directory, and nothing but what is inside."""

import fcntl
import os
import re
import signal
import socket
import subprocess
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import httpx
from PyInstaller.archive.readers import CArchiveReader

from foreman import __version__
from tests.package.conftest import Program, Serving
from tests.package.jail import GLIBC
from tests.support.api import METRICS_TOKEN, PLAIN, TRUSTED, ok

LIBRARIES = {
    "libpython": "Python", "libsqlite": "SQLite", "libz": "zlib", "libssl": "OpenSSL", "libcrypto": "OpenSSL",
    "libexpat": "Expat", "libzstd": "Zstandard",
}  # fmt: skip


def wait_until_empty(directory: Path) -> None:
    deadline = time.monotonic() + 60
    while any(directory.iterdir()):
        assert time.monotonic() < deadline, [*directory.iterdir()]
        time.sleep(0.02)


def needed_libraries(part: Path) -> set[str]:
    """The shared libraries that a program or library names as needed."""
    read = subprocess.run(["readelf", "--dynamic", part], check=True, capture_output=True, text=True, timeout=30)
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", read.stdout))


def headings(program: Program) -> dict[str, str]:
    """The list of licences: what by name."""
    overview = program.run("licenses").partition("\n\n")[0]
    return dict(line.split(" ", 1) for line in overview.splitlines())


# What is inside -----------------------------------------------------------------------------------------------------


def test_needs_only_glibc_from_the_machine(binary: Path, tmp_path: Path) -> None:
    archive = CArchiveReader(str(binary))
    libraries = [name for name, entry in archive.toc.items() if entry[4] == "b"]
    needed = needed_libraries(binary)
    assert needed == {name for name in needed if GLIBC.fullmatch(name)}
    for library in libraries:
        part = tmp_path / Path(library).name
        part.write_bytes(archive.extract(library))
        needed |= needed_libraries(part)
    assert {name for name in needed if not GLIBC.fullmatch(name)} <= {Path(library).name for library in libraries}
    assert "libc.so.6" in needed


def test_licences_name_every_distribution_and_library_inside(binary: Path, one_file: Program) -> None:
    archive = CArchiveReader(str(binary))
    libraries = [name for name, entry in archive.toc.items() if entry[4] == "b"]
    modules = {name.partition(".")[0] for name in archive.open_embedded_archive("PYZ.pyz").toc}
    modules |= {name.partition("/")[0] for name in libraries}
    owners = packages_distributions()
    distributions = {owner for module in modules for owner in owners.get(module, [])}
    assert len(distributions) > 15
    shared = {LIBRARIES[name.partition(".so")[0].rstrip("0123456789.")] for name in libraries if name.startswith("lib")}
    named = headings(one_file)
    assert set(named) == {"foreman-ledger", "pyinstaller", *distributions, *shared}
    assert named["foreman-ledger"] == f"{__version__}: MIT"
    assert all(re.match(r"\d+\.\d+", named[library]) for library in shared), named


def test_licences_have_their_texts(one_file: Program) -> None:
    _, *parts = one_file.run("licenses").split(f"\n{'-' * 80}\n")
    texts = {part.split(" ", 1)[0]: part for part in parts}
    without = {"flask-cors", "ordered-set"}  # which come without one
    assert {name for name, text in texts.items() if len(text) < 200} == without
    assert "Apache License" in texts["flask-swagger-ui"]  # of Swagger UI itself
    assert "Apache License" in texts["OpenSSL"]
    assert "PYTHON SOFTWARE FOUNDATION LICENSE" in texts["Python"]
    assert "THE SOFTWARE IS PROVIDED" in texts["foreman-ledger"].upper()


def test_metrics_and_stats_are_inside(one_file: Program) -> None:
    token = one_file.environment["FOREMAN_METRICS_TOKEN"] = METRICS_TOKEN
    with one_file.serve() as serving:
        answer = httpx.get(f"{serving.url}/metrics", headers={"Authorization": f"Bearer {token}"}, **PLAIN)
        assert f'foreman_info{{version="{__version__}"}} 1.0' in answer.text.splitlines()
        port = str(httpx.URL(serving.url).port)
        assert re.search(r"  200  GET +/metrics$", one_file.run("stats", "--port", port), re.MULTILINE)


# Where it looks -----------------------------------------------------------------------------------------------------


def test_settings_and_database_are_those_of_the_current_directory(one_file: Program) -> None:
    (one_file.directory / ".env").write_text("FOREMAN_ENVIRONMENT=here\n")
    with one_file.serve() as serving:
        assert ok(httpx.get(f"{serving.url}/health", **PLAIN))["environment"] == "here"
        assert (one_file.directory / "foreman.db").exists()


def test_nothing_is_left_in_the_temporary_directory(one_file: Program) -> None:
    unpacked = Path(one_file.environment["TMPDIR"])
    one_file.run("openapi")
    assert not any(unpacked.iterdir())
    with one_file.serve("--ephemeral") as serving:
        assert serving.url
        assert any(unpacked.iterdir())
        assert serving.stop() == 0
        assert not any(unpacked.iterdir())


def test_what_is_unpacked_is_locked_against_cleaning_by_age(one_file: Program) -> None:
    with one_file.serve() as serving:
        assert serving.url
        (unpacked,) = Path(one_file.environment["TMPDIR"]).iterdir()
        directory = os.open(unpacked, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            locked = True
        else:
            locked = False
        os.close(directory)
        assert locked
        assert serving.stop() == 0


# Two processes ------------------------------------------------------------------------------------------------------


def begin_request(serving: Serving) -> socket.socket:
    """Send the head of a request that creates a run, and wait until the server has begun to look at it."""
    url = httpx.URL(serving.url)
    client = socket.create_connection((url.host, url.port), timeout=60)
    head = "POST /api/v1/runs HTTP/1.1\r\nHost: foreman\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
    client.sendall(f"{head}Authorization: {TRUSTED['Authorization']}\r\nContent-Length: 15\r\n\r\n".encode())
    assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
    return client


def test_signal_to_the_whole_group_lets_requests_finish(one_file: Program) -> None:
    with one_file.serve("--auth", "trust") as serving, begin_request(serving) as client:
        os.killpg(serving.process.pid, signal.SIGINT)
        time.sleep(0.5)  # a second signal would have ended the connection by now
        client.sendall(b'{"inputData":1}')
        assert client.recv(100).startswith(b"HTTP/1.1 201 ")
        assert serving.process.wait(60) == 0


def test_kill_of_the_first_process_stops_the_server_cleanly(one_file: Program) -> None:
    with one_file.serve("--auth", "trust") as serving:
        ok(httpx.post(f"{serving.url}/api/v1/runs", json={"inputData": 1}, headers=TRUSTED, **PLAIN), 201)
        serving.process.kill()
        serving.process.wait(60)
        assert serving.wait_for("Stopped$", running=False)
        wait_until_empty(Path(one_file.environment["TMPDIR"]))
    assert [path.name for path in one_file.directory.iterdir()] == ["foreman.db"]
    assert one_file.run("check") == "ok: 1 runs, 0 tasks, 0 entries\n"


def test_kill_of_the_second_process_ends_the_first(one_file: Program) -> None:
    with one_file.serve("--auth", "trust") as serving:
        assert serving.url
        first = serving.process.pid
        (second,) = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        os.kill(int(second), signal.SIGKILL)
        assert serving.process.wait(60) != 0
        wait_until_empty(Path(one_file.environment["TMPDIR"]))
