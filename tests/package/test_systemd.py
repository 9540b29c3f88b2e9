"""The units in `deploy/`: systemd understands them, they confine the program, and it works within their bounds.

No systemd runs where the tests do, so the bounds are compared with what the program asks of the kernel.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from foreman.server.http_server import GRACE
from foreman.server.listener import MOST_CONNECTIONS
from tests.support.api import PLAIN, make_run, ok
from tests.support.programs import need
from tests.support.source import APP, ROOT

UNITS = ["foreman.service", "foreman-backup.service", "foreman-backup.timer"]
PROGRAM = "/opt/foreman/.venv/bin/python /opt/foreman/app.py"
PATIENCE = 120


class Unit(dict[str, list[str]]):
    """The settings of a unit's [Service], each with its values in order."""

    def __init__(self, name: str) -> None:
        section = ""
        for line in (ROOT / "deploy" / name).read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and not line.startswith("#"):
                setting, _, value = line.partition("=")
                self.setdefault(setting, []).append(value)

    def seconds(self, setting: str) -> float:
        return float(self[setting][0].removesuffix("s"))

    def command(self, file: Path) -> list[str]:
        """What it starts, but for the program of this directory, and with this directory for /var/lib."""
        (line,) = self["ExecStart"]
        assert line.startswith(PROGRAM)
        rest = line.removeprefix(PROGRAM).replace("/var/lib/foreman-backups", str(file.parent / "backups"))
        return [sys.executable, str(APP), *shlex.split(rest)]

    def environment(self, file: Path) -> dict[str, str]:
        """The variables it sets, with the database in another file."""
        variables = dict(each.split("=", 1) for each in shlex.split(self["Environment"][0]))
        assert variables["FOREMAN_DATABASE"] == "/var/lib/foreman/foreman.db"
        return {**variables, "FOREMAN_DATABASE": str(file)}

    def system_calls(self) -> set[str]:
        """Those that its SystemCallFilter allows."""
        listed = analyze("syscall-filter").stdout
        sets: dict[str, set[str]] = {}
        for line in listed.splitlines():
            if line.startswith("@"):
                name = line.split()[0]
                sets[name] = set()
            elif re.match(r"\s+[@a-z]", line):
                sets[name].add(line.strip())

        def every(name: str) -> set[str]:
            return set().union(*map(every, sets[name])) if name.startswith("@") else {name}

        allowed: set[str] = set()
        for line in self["SystemCallFilter"]:
            for name in line.removeprefix("~").split():
                allowed = allowed - every(name) if line.startswith("~") else allowed | every(name)
        return allowed


def analyze(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [need("systemd-analyze"), "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    for name in UNITS:
        text = (ROOT / "deploy" / name).read_text()
        (tmp_path / name).write_text(text.replace(PROGRAM.split()[0], sys.executable))
    done = analyze("verify", *(str(tmp_path / name) for name in UNITS))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("unit", "most"), [("foreman.service", 1.2), ("foreman-backup.service", 0.8)])
def test_exposure_that_systemd_computes_is_low(unit: str, most: float) -> None:
    done = analyze("security", "--offline=true", str(ROOT / "deploy" / unit))
    exposure = re.search(r"Overall exposure level for .*: ([0-9.]+) ", done.stdout)
    assert exposure, done.stdout
    assert float(exposure[1]) <= most, done.stdout


def test_timer_is_nightly_and_makes_up_for_nights_without_power() -> None:
    timer = ConfigParser(delimiters="=")
    timer.read(ROOT / "deploy" / "foreman-backup.timer")
    assert timer["Timer"]["Persistent"] == "yes"
    done = analyze("calendar", "--iterations=2", "--base-time=2026-01-01 12:00:00 UTC", timer["Timer"]["OnCalendar"])
    assert len(re.findall(r"2026-01-0[23] 03:00:00", done.stdout)) >= 2, done.stdout


def test_service_has_what_the_server_needs() -> None:
    unit = Unit("foreman.service")
    assert unit.seconds("TimeoutStopSec") > GRACE
    assert unit["KillSignal"] == ["SIGTERM"]
    assert int(unit["MemoryMax"][0].removesuffix("M")) > 512
    needed = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0}))".format(unit["LimitNOFILE"][0])
    look = f"{needed}; from foreman.server.listener import most_connections; print(most_connections(256))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == f"{MOST_CONNECTIONS}\n", done.stderr
    assert unit["Environment"] == Unit("foreman-backup.service")["Environment"]
    assert unit["User"] == Unit("foreman-backup.service")["User"]


def test_what_serve_and_backup_ask_of_the_kernel_is_allowed(tmp_path: Path) -> None:
    strace, service, backup = need("strace"), Unit("foreman.service"), Unit("foreman-backup.service")
    file, log, calls = tmp_path / "foreman.db", tmp_path / "log", tmp_path / "calls"
    (tmp_path / "backups").mkdir()
    watched = [strace, "--follow-forks", "--quiet=all", f"--output={calls}"]

    command = [*watched, *service.command(file), "--port", "0", "--auth", "trust", "--retention", "1d"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=service.environment(file), stderr=output, start_new_session=True)
    try:
        use(wait_for_url(process, log))
        server = int(calls.read_text().split()[0])
        subprocess.run(["kill", "-TERM", str(server)], check=True)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # strace alone would leave the server behind
        process.wait(PATIENCE)
    assert '"Stopped"' in log.read_text()
    asked = calls.read_text()
    assert "fdatasync" in asked
    assert system_calls(asked) <= service.system_calls()
    assert families(asked) <= set(service["RestrictAddressFamilies"][0].split())
    assert not makes_code(asked)

    done = subprocess.run(
        [*watched, *backup.command(file)],
        env=backup.environment(file),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert " 39 runs, " in done.stdout, done.stderr
    asked = calls.read_text()
    assert "setpriority" in system_calls(asked)
    assert system_calls(asked) <= backup.system_calls()
    assert families(asked) <= set(backup["RestrictAddressFamilies"][0].split())
    assert not makes_code(asked)


def use(url: str) -> None:
    """Some of everything: small and large requests, queries, the documentation, refused requests."""
    with httpx.Client(base_url=f"{url}/api/v1", headers={"X-API-Key": f"fmn_test_acme_{'a' * 32}"}, **PLAIN) as client:
        for _ in range(40):
            run = make_run(client, "x" * 200_000)
        assert len(ok(client.get("/runs", params={"limit": 40}))["items"]) == 40
        assert client.get(f"/runs/{run['id']}/data", params={"keyPattern": "a*"}).status_code == 200
        assert client.post("/runs", content=b"x" * 11_000_000).status_code == 413
        assert client.get("/openapi.json").status_code == 200
        assert client.get(f"{url}/docs").status_code == 200
        assert client.delete(f"/runs/{run['id']}").status_code == 200


def system_calls(asked: str) -> set[str]:
    called = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", asked, re.MULTILINE))
    # SQLite gives the log to the owner of the database, but only as root (`robustFchown` in its os_unix.c).
    return called - {"fchown"} if os.geteuid() == 0 else called


def makes_code(asked: str) -> list[str]:
    """What MemoryDenyWriteExecute forbids (systemd.exec(5))."""
    return re.findall(r"mmap\(.*PROT_WRITE\|PROT_EXEC.*|mprotect\(.*PROT_EXEC.*|shmat\(.*SHM_EXEC.*", asked)


def families(asked: str) -> set[str]:
    return set(re.findall(r"^\d+ +socket\((AF_\w+),", asked, re.MULTILINE))


def wait_for_url(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while "listens on " not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return log.read_text().partition("listens on ")[2].split(",")[0]
