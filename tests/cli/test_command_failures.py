"""Whatever the system refuses a command, it says so in one line; and nothing is made where nothing was."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from foreman.auth import keys
from foreman.db.sqlite import Database
from tests.support.api import METRICS_TOKEN
from tests.support.commands import environment, fork, line_of, run, run_each, uncovered, without_rights
from tests.support.databases import names
from tests.support.proof import much
from tests.support.source import APP, ROOT
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.sqlite

# Each command with everything that it needs, but for the database.
ON_A_DATABASE: dict[str, list[str]] = {
    "keys create": ["keys", "create", "--org", "acme"],
    "keys list": ["keys", "list"],
    "keys rotate": ["keys", "rotate", "01a20583-6933-7059-a00b-366c57df6978"],
    "keys revoke": ["keys", "revoke", "01a20583-6933-7059-a00b-366c57df6978"],
    "check": ["check"],
    "stats": ["stats"],
    "prune": ["prune", "--older-than", "1d"],
    "prune --dry-run": ["prune", "--older-than", "1d", "--dry-run"],
    "backup": ["backup", "copy.db"],
    "backup --keep": ["backup", "--keep", "2", "."],
    "migrate": ["migrate"],
    "migrate --dry-run": ["migrate", "--dry-run"],
}
MAKES_ONE: dict[str, list[str]] = {
    "serve": ["serve", "--port", "0", "--auth", "trust"],
    "restore": ["restore", "good.db"],
}
ALL = ON_A_DATABASE | MAKES_ONE


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a backup."""
    Database(tmp_path / "good.db").close()
    return tmp_path


# No database --------------------------------------------------------------------------------------------------------


def test_database_that_is_not_there_is_not_made_and_the_line_says_where_was_looked(place: Path) -> None:
    before = names(place)
    for path, looked_at in (("lost.db", place / "lost.db"), ("no/lost.db", place / "no/lost.db")):
        commands = [[*arguments, "--database", path] for arguments in ON_A_DATABASE.values()]
        for failed in (fork(place, *command) for command in commands):
            assert (failed.returncode, failed.stdout) == (1, "")
            assert failed.stderr == f"foreman: {looked_at} does not exist\n"
    assert names(place) == before


def test_empty_file_does_not_become_a_database(place: Path) -> None:
    (place / "foreman.db").touch()
    before = names(place)
    for failed in (fork(place, *command) for command in ON_A_DATABASE.values()):
        assert (failed.returncode, failed.stdout) == (1, "")
        assert "foreman.db is " in line_of(failed.stderr)
    assert names(place) == before
    assert (place / "foreman.db").stat().st_size == 0


@pytest.mark.parametrize("command", [["openapi"], ["licenses"], ["--help"], ["--version"]], ids=" ".join)
def test_some_commands_need_no_database(tmp_path: Path, command: list[str]) -> None:
    done = run(tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert names(tmp_path) == []


# A wrong path -------------------------------------------------------------------------------------------------------


def make_fifo(place: Path) -> None:
    os.mkfifo(place / "wrong")


def make_socket(place: Path) -> None:
    before = Path.cwd()
    os.chdir(place)  # the path of a socket may not be long
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("wrong")
    finally:
        os.chdir(before)


WRONG: dict[str, tuple[Callable[[Path], object], str | bytes]] = {
    "a directory": (lambda place: (place / "wrong").mkdir(), "wrong"),
    "a diary": (lambda place: (place / "wrong").write_text("dear diary " * 50), "wrong"),
    "a short diary": (lambda place: (place / "wrong").write_text("dear diary"), "wrong"),
    "below a file": (lambda place: (place / "file").write_text(""), "file/wrong"),
    "a circle of links": (lambda place: (place / "wrong").symlink_to("wrong"), "wrong"),
    "below a circle of links": (lambda place: (place / "circle").symlink_to("circle"), "circle/wrong"),
    "a link to nowhere": (lambda place: (place / "wrong").symlink_to("no/such/place"), "wrong"),
    "a pipe": (make_fifo, "wrong"),
    "a socket": (make_socket, "wrong"),
    "a device": (lambda _: None, "/dev/full"),
    "a kernel's file": (lambda _: None, "/proc/self/status"),
    "where nothing can be made": (lambda _: None, "/proc/wrong"),
    "too long a name": (lambda _: None, "x" * 300),
    "too long a path": (lambda _: None, "x/" * 3000),
    "not UTF-8": (lambda place: (place / os.fsdecode(b"wr\xffng")).mkdir(), b"wr\xffng"),
    "two lines": (lambda place: (place / "wr\nong").mkdir(), "wr\nong"),
    "not allowed": (lambda place: (place / "closed").mkdir(0), "closed/wrong"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_database_is_one_line(place: Path, wrong: str) -> None:
    make, path = WRONG[wrong]
    make(place)
    for command in ([*arguments, "--database", path] for arguments in ALL.values()):
        failed = fork(place, *command, rights=wrong != "not allowed")
        if wrong == "a link to nowhere" and command[0] in MAKES_ONE:
            continue
        assert failed.returncode in (1, 2), (command, failed.stderr)
        assert failed.stdout == ""
        line_of(failed.stderr)


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_argument_is_one_line(place: Path, wrong: str) -> None:
    Database(place / "foreman.db").close()
    make, path = WRONG[wrong]
    make(place)
    taking = (["restore"], ["backup"], ["backup", "--keep", "1"], ["copy", "--from", "good.db", "--to"])
    commands = [[*words, path] for words in (*taking, ["copy", "--to", "new.db", "--from"])]
    if wrong != "a pipe":  # there it waits for a reader, as everything does
        commands.append(["openapi", "--output", path])
    for command in commands:
        done = fork(place, *command, rights=wrong != "not allowed")
        assert "Traceback" not in done.stderr, command
        if done.returncode == 0:  # such as a backup into a directory, or in the place of a diary
            assert done.stderr == ""
        elif done.returncode == 2 and done.stderr.startswith("Usage: "):
            assert "Error: " in done.stderr
        else:
            assert done.returncode in (1, 2)
            line_of(done.stderr)


def test_name_that_is_not_utf_8_is_a_good_one(place: Path) -> None:
    name = b"wr\xffng.db"
    needs_more = ("keys rotate", "keys revoke", "serve")
    commands = [arguments for command, arguments in ALL.items() if command not in needs_more]
    commands.sort(key=lambda arguments: arguments[0] != "restore")
    for done in (fork(place, *arguments, "--database", name) for arguments in commands):
        assert (done.returncode, done.stderr) == (0, "")


TEXTS: list[list[str | bytes]] = [
    ["keys", "create", "--org", b"\xff"],
    ["keys", "create", "--org", "acme", "--env", b"\xff"],
    ["keys", "create", "--org", "acme", "--name", b"\xff"],
    ["keys", "create", "--org", "acme", "--scope", b"\xff"],
    ["keys", "create", "--org", "acme", "--expires-at", b"\xff"],
    ["keys", "create", "--org", "acme", "--expires-in", b"\xff"],
    ["keys", "rotate", b"\xff"],
    ["keys", "revoke", b"\xff"],
    ["prune", "--older-than", "1d", "--org", b"\xff"],
    ["prune", "--older-than", b"\xff"],
    ["prune", "--older-than", "1d", "--status", b"\xff"],
    ["serve", "--port", b"\xff"],
    ["serve", "--host", b"\xff"],
    ["serve", "--environment", b"\xff"],
    ["serve", "--cors-origins", b"http://\xff"],
    ["serve", "--auth", b"\xff"],
    ["stats", "--host", b"\xff"],
    [b"\xff"],
]


def test_text_that_is_not_utf_8_is_wrong_usage(place: Path) -> None:
    Database(place / "foreman.db").close()
    for command in TEXTS:
        failed = fork(place, *command)
        assert failed.returncode == 2, (command, failed.stderr)
        assert "Traceback" not in failed.stderr
        assert failed.stdout == ""


# A wrong place to listen --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "nosuch.invalid"], "choose another address with --host"),
        (["--host", "x" * 70], "it is not a valid host name"),
        (["--host", "a b"], "choose another address with --host"),
        (["--host", "192.0.2.1"], "choose another address with --host"),  # nobody's (RFC 5737)
        (["--host", "1.2.3"], "cannot listen on 1.2.3:0"),
        (["--host", "[::1"], "cannot listen on [::1:0"),
        (["--host", "2001:db8::1"], "cannot listen on 2001:db8::1:0"),
        (["--host", "http://localhost"], "choose another address with --host"),
        (["--port", "-1"], "--port is '-1'"),
        (["--port", "65536"], "--port is '65536'"),
    ],
    ids=str,
)
def test_wrong_address_is_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    given = ["--port", "0"] if "--port" not in arguments else []
    failed = fork(tmp_path, "serve", "--auth", "trust", *given, *arguments)
    assert failed.returncode in (1, 2)
    assert failed.stdout == ""
    assert words in line_of(failed.stderr.splitlines()[-1])
    assert "Traceback" not in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_port_that_only_root_may_use_is_one_line(tmp_path: Path) -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first == 0:
        pytest.skip("everybody may use every port here")

    def without_low_ports() -> None:
        if os.geteuid() == 0:
            assert ctypes.CDLL(None).prctl(24, 10, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE

    failed = run(tmp_path, "serve", "--auth", "trust", "--port", str(first - 1), preexec_fn=without_low_ports)
    assert failed.returncode == 1
    assert "Permission denied; choose port 1024 or higher" in failed.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [["--host", "nosuch.invalid"], ["--host", "a b"], ["--host", "x" * 70], ["--host", "a\tb"], ["--port", "1"]],
    ids=str,
)
def test_statistics_of_a_server_that_cannot_be_asked_are_left_out(place: Path, arguments: list[str]) -> None:
    Database(place / "foreman.db").close()
    told = fork(place, "stats", *arguments, env=environment(FOREMAN_METRICS_TOKEN=METRICS_TOKEN))
    assert (told.returncode, told.stderr) == (0, "")
    assert "The server's metrics are not available" in told.stdout


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "answer",
    [b"", b"?", OK + b"\r\nhello", OK + b"\r\n\xff", OK + b"Content-Length: 9\r\n\r\n"],
    ids=str,
)  # fmt: skip
def test_what_is_no_foreman_is_not_asked_for_statistics(place: Path, answer: bytes) -> None:
    Database(place / "foreman.db").close()
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        asked = subprocess.Popen(
            [sys.executable, APP, "stats", "--port", str(other.getsockname()[1])],
            cwd=place, env=environment(FOREMAN_METRICS_TOKEN=METRICS_TOKEN),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with closing(other.accept()[0]) as connection:
            connection.recv(10_000)
            connection.sendall(answer)
        output, errors = asked.communicate(timeout=PATIENCE)
    assert (asked.returncode, errors) == (0, "")
    assert "The server's metrics are not available" in output


# A full disk --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_full_disk_is_one_line_or_does_no_harm(small_disk: Path) -> None:
    Database(small_disk / "good.db").close()
    shutil.copy(small_disk / "good.db", small_disk / "foreman.db")
    before = (small_disk / "foreman.db").read_bytes()
    fill(small_disk)
    commands = [*ALL.values(), ["openapi", "--output", "document"]]
    for command in commands:
        done = fork(small_disk, *command)
        if done.returncode == 0:
            assert {"check", "stats", "migrate", "prune", "list"} & {*command}
            assert done.stderr == ""
        else:
            assert done.returncode == 1
            line_of(done.stderr)
    assert (small_disk / "foreman.db").read_bytes() == before


# Output -------------------------------------------------------------------------------------------------------------

PRINTS: dict[str, list[str]] = {
    "help": ["--help"],
    "help of serve": ["serve", "--help"],
    "version": ["--version"],
    "openapi": ["openapi"],
    "licenses": ["licenses"],
    "keys create": ["keys", "create", "--org", "acme"],
    "keys list": ["keys", "list"],
    "keys list --json": ["keys", "list", "--json"],
    "check": ["check"],
    "stats": ["stats"],
    "prune": ["prune", "--older-than", "1d"],
    "backup": ["backup", "copy.db"],
    "restore": ["restore", "good.db"],
    "migrate": ["migrate"],
    "migrate --dry-run": ["migrate", "--dry-run"],
    "serve --first-key": ["serve", "--port", "0", "--first-key", "--log-level", "error"],
    "serve --ephemeral": ["serve", "--ephemeral"],
}


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_output_that_cannot_be_written_is_one_line(place: Path, buffered: str) -> None:
    Database(place / "foreman.db").close()
    variables = environment(PYTHONUNBUFFERED=buffered)
    for command, failed in zip(
        PRINTS, run_each(place, [*PRINTS.values()], stdout="/dev/full", env=variables), strict=True
    ):
        assert failed.returncode == 1, command
        assert line_of(failed.stderr).endswith(": No space left on device"), command


@pytest.mark.proof
def test_output_that_nobody_reads_is_no_traceback(place: Path) -> None:
    Database(place / "foreman.db").close()
    for command in list(PRINTS)[:: much(1, 6)]:
        reading, writing = os.pipe()
        os.close(reading)
        try:
            (failed,) = run_each(place, [PRINTS[command]], stdout=f"/dev/fd/{writing}", pass_fds=[writing])
        finally:
            os.close(writing)
        assert failed.returncode == 1
        if "create" in command or "key" in command.partition("first-")[2]:  # it says that there is no key
            line_of(failed.stderr)
        else:
            assert failed.stderr == ""


@pytest.mark.parametrize("command", ["help", "openapi", "keys list", "check", "stats", "backup"])
def test_closed_output_is_no_traceback(place: Path, command: str) -> None:
    Database(place / "foreman.db").close()
    done = run(place, *PRINTS[command], preexec_fn=lambda: os.close(1), stdout=None)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["keys create", "serve --first-key"])
@pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
def test_key_that_nobody_has_seen_is_not_kept(place: Path, command: str, *, closed: bool) -> None:
    Database(place / "foreman.db").close()
    with Path("/dev/full").open("w") as full:
        given = {"preexec_fn": lambda: os.close(1)} if closed else {}
        failed = run(place, *PRINTS[command], stdout=None if closed else full, **given)
    assert failed.returncode == 1
    assert "the key cannot be printed, so it was deleted" in line_of(failed.stderr)
    with closing(Database(place / "foreman.db")) as database:
        assert keys.every(database) == []


def test_rotation_whose_key_nobody_has_seen_is_undone(place: Path) -> None:
    with closing(Database(place / "foreman.db")) as database:
        keys.issue(database, "acme", "prod")
        keys.issue(database, "acme", "prod", expires_at=4_000_000_000_000)
        before = keys.every(database)
    with Path("/dev/full").open("w") as full:
        for key in before:
            failed = run(place, "keys", "rotate", key["id"], "--new-expires-in", "1d", stdout=full)
            assert failed.returncode == 1
            assert "the key cannot be printed, so it was deleted" in line_of(failed.stderr)
    with closing(Database(place / "foreman.db")) as database:
        assert keys.every(database) == before


def test_failure_that_cannot_be_told_is_still_a_status(place: Path) -> None:
    with Path("/dev/full").open("w") as full:
        assert run(place, "check", stderr=full).returncode == 1
        assert run(place, "serve", "--nonsense", stderr=full).returncode in (1, 2)
    assert run(place, "check", preexec_fn=lambda: os.close(2), stderr=None).returncode == 1


def test_first_line_is_enough(place: Path) -> None:
    shown = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' '{APP}' licenses | head -n 1"],
        cwd=place, env=environment(), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert len(shown.stdout.splitlines()) == 1
    assert shown.stderr == ""


# What lies around ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"FOREMAN_PORT=\xff\n"], ids=["not allowed", "not UTF-8"])
@pytest.mark.parametrize("command", ["check", "serve"])
def test_env_file_that_cannot_be_read_is_one_line(place: Path, command: str, content: bytes | None) -> None:
    file = place / ".env"
    file.write_bytes(content or b"")
    file.chmod(0o600 if content else 0)
    failed = run(place, *ALL[command], env=uncovered(), preexec_fn=without_rights)
    assert failed.returncode == 2
    assert ".env cannot be read: " in line_of(failed.stderr)


def test_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    failed = run(tmp_path, "check", cwd=gone, preexec_fn=gone.rmdir, env=uncovered())
    assert failed.returncode in (1, 2)
    line_of(failed.stderr)


@pytest.mark.parametrize("command", [["openapi"], ["serve", "--ephemeral"]], ids=" ".join)
def test_no_place_for_temporary_files_is_one_line(tmp_path: Path, command: list[str]) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o555)
    script = (
        "import runpy, sys, tempfile\n"
        f"tempfile._candidate_tempdir_list = lambda: [{str(closed)!r}]\n"
        f"sys.argv = {['app.py', *command]!r}\n"
        f"runpy.run_path({str(APP)!r}, run_name='__main__')"
    )
    failed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=uncovered(PYTHONPATH=str(ROOT)), preexec_fn=without_rights,
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert failed.returncode == 1
    assert "No usable temporary directory" in line_of(failed.stderr)


def test_misspelt_variable_is_warned_of_by_every_command(place: Path) -> None:
    (place / ".env").write_text("FOREMAN_DATABSE=precious.db\n")
    failed = run(place, "keys", "create", "--org", "acme")
    warning, failure = failed.stderr.splitlines()
    assert warning == (
        "foreman: warning: FOREMAN_DATABSE is not a setting, so it is ignored; did you mean FOREMAN_DATABASE?"
    )
    assert failure == f"foreman: {place / 'foreman.db'} does not exist"


def test_warnings_of_a_server_are_lines_of_its_log(place: Path) -> None:
    failed = run(
        place, "serve", "--host", "192.0.2.1", "--max-body", "10", "--log-format", "json",
        env=environment(FOREMAN_PROT="1"),
    )  # fmt: skip
    *warnings, _ = failed.stderr.splitlines()
    messages = [each["message"] for each in map(json.loads, warnings) if each["level"] == "WARNING"]
    assert messages[:2] == [
        "FOREMAN_PROT is not a setting, so it is ignored; did you mean FOREMAN_PORT?",
        "--max-body is only 10 bytes; allowed: a size such as 500KB, 10MB or 1GB",
    ]
