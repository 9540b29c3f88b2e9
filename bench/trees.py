"""Trees of the repository that are measured: the files as they are now, and a revision as it was committed.

What a tree's database holds is written by the tree's own application (`fill.py`), because schemas differ.
"""

import io
import json
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines import Unsound
from bench.servers import ROOT, environment


class NoSuchRevision(Exception):
    """A revision cannot be checked out."""


@dataclass(frozen=True)
class Filling:
    """A database that is being filled, by a process of its own."""

    path: Path
    _process: "subprocess.Popen[str]"

    def wait(self) -> dict[str, Any]:
        """Wait for the end. Return the ids and keys of what is in the database.

        :raises Unsound: when the tree's application refuses something
        """
        output, errors = self._process.communicate()
        if self._process.returncode:
            raise Unsound(f"{self.path.name} cannot be filled: {errors[-2000:]}")
        filled: dict[str, Any] = json.loads(output)
        return filled

    def stop(self) -> None:
        """Stop filling, if it has not ended."""
        self._process.kill()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._process.wait()


@dataclass(frozen=True)
class Tree:
    """A tree of files, and its name in reports."""

    name: str
    root: Path

    def fill(self, path: Path, kind: str, **sizes: int) -> Filling:
        """Begin to fill a new database with the tree's own code.

        :param kind: `operations` or `grown`
        :param sizes: as the functions in `fill.py` have them
        """
        arguments = [str(self.root), str(path), kind, json.dumps(sizes)]
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.fill", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=path.parent, env=environment(ROOT),
        )  # fmt: skip
        return Filling(path, process)

    def verify(self, path: Path) -> None:
        """Check that a database of the tree holds what a server could have written.

        :raises Unsound: when the tree's `check` finds something
        """
        command = [sys.executable, str(self.root / "app.py"), "check", "--database", str(path)]
        found = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=path.parent, env=environment(self.root)
        )
        if found.returncode:
            raise Unsound(f"{path.name} is not sound: {(found.stdout + found.stderr)[-2000:]}")


THIS = Tree("this", ROOT)


def check_out(revision: str, directory: Path) -> Tree:
    """A revision's files, in a new directory. The repository remembers nothing of it.

    :raises NoSuchRevision: when there is none, or no repository, or no git
    """
    if revision.startswith("-"):
        raise NoSuchRevision(f"{revision} is not a revision")
    command = ["git", "archive", "--format=tar", revision]
    try:
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise NoSuchRevision(f"{revision} cannot be checked out: git is not installed") from None
    if archive.returncode:
        raise NoSuchRevision(f"{revision} cannot be checked out: {archive.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return Tree("base", directory)


def name_of(revision: str) -> str:
    """The revision with the abbreviated hash of its commit."""
    shown = subprocess.run(
        ["git", "rev-parse", "--short", f"{revision}^{{commit}}"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return revision if not shown or shown.startswith(revision) else f"{revision} ({shown})"
