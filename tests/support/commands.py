"""Commands as people and scripts start them: processes of `app.py` in a directory of their own."""

import ctypes
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.source import APP, ROOT
from tests.support.waiting import PATIENCE, until

# A user of whom every system has one, for what root may do anyway.
NOBODY = 65534


def without_settings() -> dict[str, str]:
    """This process's environment without settings of Foreman."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FOREMAN_")}


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with no settings of Foreman but these."""
    return {**without_settings(), "PYTHONDONTWRITEBYTECODE": "1", **variables}


def uncovered(**variables: str) -> dict[str, str]:
    """The environment for a process that may not write its coverage."""
    return environment(COVERAGE_PROCESS_START="", COVERAGE_PROCESS_CONFIG="", **variables)


def without_rights() -> None:
    """Let root be refused what others are refused: without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.

    For this process (capset(2)), and for any program that it starts (PR_CAPBSET_DROP).
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        rights = (1, 2)
        for capability in rights:
            assert libc.prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable: those up to 31, and those after them
        assert libc.capget(header, sets) == 0
        for each in range(3):
            sets[each] &= ~sum(1 << capability for capability in rights)
        assert libc.capset(header, sets) == 0


def run(directory: Path, *arguments: str | bytes | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """A command, at its end."""
    given = {"cwd": directory, "env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run([sys.executable, APP, *arguments], text=True, errors="replace", timeout=PATIENCE, **given)


def run_command(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
    """A command, at its end, whose paths are whole: it does not matter in which directory."""
    if options:
        return run(ROOT, *map(str, arguments), **options)
    return fork(ROOT, *map(str, arguments))


@contextmanager
def serving(directory: Path, *arguments: str | Path, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A server on a free port, which may have ended by the end of the block."""
    given = {"cwd": directory, "env": environment(), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    command = [sys.executable, APP, "serve", "--port", "0", "--log-format", "text", *arguments]
    process = subprocess.Popen(command, text=True, **given)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lines_until_it_listens(process: "subprocess.Popen[str]") -> tuple[list[str], str]:
    """What a server logs until it listens, and the URL that it says then."""
    assert process.stderr
    lines = []
    for line in process.stderr:
        lines.append(line)
        if listening := re.search(r"listens on (http://\S+),", line):
            return lines, listening[1]
    raise AssertionError(lines)


def url_of(process: "subprocess.Popen[str]") -> str:
    """Where a server listens, as soon as it does."""
    return lines_until_it_listens(process)[1].replace("localhost", "127.0.0.1")


def line_of(stderr: str) -> str:
    """The one line that a command has written when it failed."""
    (line,) = stderr.splitlines()
    assert "Traceback" not in line
    assert line.startswith("foreman: "), line
    return line


def assert_fails(done: "subprocess.CompletedProcess[str]", status: int, *words: str) -> None:
    """The command has failed with this status and one line, which has all these words in it."""
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    line = line_of(done.stderr)
    assert all(word in line for word in words), line


def wait_until_gone(pid: int) -> None:
    """Wait for the end of a process that is nobody's child any more, or a zombie."""
    until(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def run_each(
    directory: Path, commands: Sequence[Sequence[str | bytes | Path]], *, stdout: str, **options: Any
) -> "list[subprocess.CompletedProcess[str]]":
    """Commands one after the other, as `run` does it, but in forks of one process, which has imported everything once.

    :param stdout: the file that their output goes to
    :param options: of that process
    """
    given = {"cwd": directory, "env": environment(), **options}
    forks = subprocess.run(
        _FORKS, input="".join(_job(command, stdout=stdout) for command in commands), capture_output=True, text=True,
        timeout=PATIENCE * len(commands), **{**given, "env": {**given["env"], "PYTHONPATH": str(ROOT)}},
    )  # fmt: skip
    assert forks.returncode == 0, forks.stderr
    return [_done(command, line) for command, line in zip(commands, forks.stdout.splitlines(), strict=True)]


def fork(
    directory: Path, *arguments: str | bytes | Path, env: dict[str, str] | None = None, rights: bool = True
) -> "subprocess.CompletedProcess[str]":
    """A command, at its end, in a fork of a process that all tests share: ten times as fast as `run`.

    Only how Python starts is not as in a process of its own.

    :param rights: whether root keeps those that `without_rights` takes
    """
    forks = _shared_forks()
    assert forks.stdin is not None
    assert forks.stdout is not None
    job = _job(arguments, directory=str(directory), environment=environment() if env is None else env, rights=rights)
    with _one_at_a_time:
        forks.stdin.write(job)
        forks.stdin.flush()
        return _done(arguments, forks.stdout.readline())


_one_at_a_time = threading.Lock()
_FORKS = [sys.executable, "-m", "tests.support.forks"]


@cache
def _shared_forks() -> "subprocess.Popen[str]":
    """Ends with this process, which closes its stdin."""
    return subprocess.Popen(
        _FORKS, cwd=ROOT, env=uncovered(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def _job(arguments: Sequence[str | bytes | Path], **options: Any) -> str:
    """A line for `forks.run`."""
    return json.dumps({"arguments": [os.fsdecode(argument) for argument in arguments], **options}) + "\n"


def _done(arguments: Sequence[str | bytes | Path], line: str) -> "subprocess.CompletedProcess[str]":
    """What `forks.run` says of it."""
    return subprocess.CompletedProcess([*arguments], *json.loads(line))
