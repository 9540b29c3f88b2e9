"""The machine and the versions that the figures belong to, without its name and paths."""

import os
import platform
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("flask", "werkzeug", "waitress", "marshmallow", "msgspec", "flask-limiter", "limits")


def describe(generator: str) -> list[tuple[str, str]]:
    """What there is to know about the machine, as (name, value)."""
    memory = re.search(r"^MemTotal:\s+(\d+) kB", _read("/proc/meminfo"), re.MULTILINE)
    model = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    if generator == "wrk":
        shown = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
        generator = " ".join((shown.stdout + shown.stderr).split(" [")[0].split()[:2])
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ("processor", f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{int(memory[1]) / 1024**2:.0f} GiB" if memory else "unknown"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("Python", platform.python_version()),
        ("SQLite", sqlite3.sqlite_version),
        ("packages", ", ".join(f"{package} {version(package)}" for package in PACKAGES)),
        ("load generator", generator),
    ]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
