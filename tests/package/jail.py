"""A root directory that holds the program and the libraries of glibc, and nothing else."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.package.conftest import NO_PATH, Program
from tests.support.programs import lacking

# The libraries of glibc 2.34 and newer, and of those before; the name of the loader ends in that of the machine.
GLIBC = re.compile(r"lib(c|m)\.so\.6|libmvec\.so\.1|libdl\.so\.2|libpthread\.so\.0|lib(rt|util)\.so\.1|ld-linux.*")


def jail(binary: Path, root: Path) -> Program:
    """The binary as root of a world of its own; the test is skipped where the kernel does not let us make one."""
    unshare = ["unshare"] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    if subprocess.run([*unshare, "true"], capture_output=True, timeout=30).returncode != 0:
        lacking("user namespaces are not allowed here")
    linked = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True, timeout=30).stdout
    for library in map(Path, re.findall(r"(/\S+) \(", linked)):
        for sibling in library.parent.iterdir():
            if GLIBC.fullmatch(sibling.name):
                copy = root / sibling.relative_to("/")
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(sibling, copy)
    shutil.copy(binary, root / "foreman")
    (root / "tmp").mkdir()
    unshare[0] = shutil.which("unshare") or ""
    return Program([*unshare, f"--root={root}", "--wd=/", "/foreman"], root, NO_PATH)
