"""A Dockerfile carried out without Docker: each step in a root of its own, made of this machine's system and Python.

What stands in for the base image is this machine's /usr and this Python. The rest is as Docker does it: the steps in
order, files copied from the context or from the stage before, the image's environment, user and entry point, a
read-only root, and namespaces of its own for mounts, processes and the network.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120

# What a base image has in /etc and these steps need.
_ETC = "passwd group shadow gshadow login.defs nsswitch.conf hosts resolv.conf ld.so.cache ssl pip.conf alternatives"

_PATH = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Brings the system into the root $1, which is read-only when $2 is not empty, in mounts that end with their process.
_ENTER = """\
set -eu
root=$1 volumes=$2; shift 2
mount --bind "$root" "$root"
mount --bind /usr "$root/usr"
[ "$PREFIX" = /usr ] || mount --bind "$PREFIX" "$root$PREFIX"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
if [ -n "$volumes" ]; then
    mount -o remount,bind,ro "$root/usr"
    mount -o remount,bind,ro "$root"
    mount -t tmpfs -o size=16m,mode=1777 tmpfs "$root/tmp"
    mount --bind "$volumes" "$root/data"
    ip link set lo up
fi
exec chroot "$root" "$@"
"""

Step = tuple[str, str]


def stages(dockerfile: Path) -> list[list[Step]]:
    """The steps of each stage: instruction and rest, with continued lines joined."""
    found: list[list[Step]] = []
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        elif instruction:
            found[-1].append((instruction, " ".join(rest.split())))
    return found


@dataclass
class Image:
    """What the steps of a stage have made."""

    root: Path
    workdir: str = "/"
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": _PATH})
    user: str = "0:0"
    said: dict[str, str] = field(default_factory=dict)  # the other instructions

    def exec_form(self, instruction: str) -> list[str]:
        """The command of an instruction in exec form, which runs without a shell."""
        words = json.loads(self.said[instruction].partition("CMD ")[2] or self.said[instruction])
        assert all(isinstance(word, str) for word in words)
        return list(words)

    def as_user(self, command: list[str], environment: dict[str, str]) -> list[str]:
        """The command within the root, as the image's user, without capabilities or a way to get any."""
        user, _, group = self.user.partition(":")
        variables = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        privileges = ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--clear-groups"]
        confined = ["setpriv", f"--reuid={user}", f"--regid={group}", *privileges]
        return [*confined, "env", "--ignore-environment", f"--chdir={self.workdir}", *variables, *command]


def build(context: Path, directory: Path) -> Image:
    """Carry out the Dockerfile of a directory.

    :raises subprocess.CalledProcessError: when a step fails
    """
    ignored = context / ".dockerignore"
    allowed = {line.removeprefix("!") for line in ignored.read_text().splitlines() if line.startswith("!")}
    images: list[Image] = []
    for number, steps in enumerate(stages(context / "Dockerfile")):
        image = Image(_empty_root(directory / str(number)))
        images.append(image)
        for instruction, rest in steps:
            if instruction == "RUN":
                _run(image, rest)
            elif instruction == "COPY":
                *sources, target = [word for word in rest.split() if not word.startswith("--")]
                inside = image.root / image.workdir.lstrip("/") / target
                if rest.startswith("--from="):
                    _copy(images[0].root / sources[0].lstrip("/"), inside)
                else:
                    assert set(sources) <= allowed, f".dockerignore hides one of {sources}"
                    for source in (context / name for name in sources):
                        _copy(source, inside if source.is_dir() else inside / source.name)
            elif instruction == "WORKDIR":
                image.workdir = rest
                (image.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif instruction == "ENV":
                for setting in rest.split():
                    name, _, value = setting.partition("=")
                    image.environment[name] = value.replace(f"${name}", image.environment.get(name, ""))
            elif instruction == "USER":
                image.user = rest
            else:
                image.said[instruction] = rest
    return images[-1]


@dataclass
class Container:
    """A running image. `process` is its first process; the one that started it has its exit status."""

    image: Image
    starter: "subprocess.Popen[bytes]"
    process: int
    environment: dict[str, str]

    def execute(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        """Run a command beside it, as `docker exec` does."""
        inside = ["nsenter", f"--target={self.process}", "--mount", "--pid", "--net", "--root"]
        command = [*inside, *self.image.as_user(command, self.environment)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


@contextmanager
def running(image: Image, data: Path, log: Path, environment: dict[str, str]) -> Iterator[Container]:
    """The image's entry point with a volume on /data and a read-only root; killed in the end if it still runs."""
    command = image.as_user([*image.exec_form("ENTRYPOINT"), *image.exec_form("CMD")], environment)
    with log.open("wb") as output:
        apart = ["unshare", "--mount", "--pid", "--net", "--fork"]
        command = [*apart, *_entering(image.root, str(data)), *command]
        starter = subprocess.Popen(command, env=_OUTSIDE, stdout=output, stderr=output)
    process = _child(starter)
    try:
        yield Container(image, starter, process, environment)
    finally:
        if starter.poll() is None:
            os.kill(process, signal.SIGKILL)  # the first process, with which all others of its namespace end
        starter.wait(PATIENCE)


def _run(image: Image, line: str) -> None:
    """A RUN step: as root, with what pip is told on this machine."""
    if not (image.root / "pip").exists():  # an image of Python has it, this Python perhaps not
        _copy(Path(sysconfig.get_path("purelib")) / "pip", image.root / "pip" / "pip")
    from_here = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    from_here["PYTHONPATH"] = "/pip"
    variables = [f"{name}={value}" for name, value in {**from_here, **image.environment}.items()]
    inside = ["env", "--ignore-environment", f"--chdir={image.workdir}", *variables, "sh", "-c", line]
    command = ["unshare", "--mount", "--pid", "--fork", *_entering(image.root, ""), *inside]
    done = subprocess.run(command, env=_OUTSIDE, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


_OUTSIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PREFIX": sys.base_prefix}


def _entering(root: Path, volumes: str) -> list[str]:
    return ["sh", "-c", _ENTER, "sh", str(root), volumes]


def _empty_root(root: Path) -> Path:
    for name in ("usr", "dev", "proc", "tmp", "data", "etc", "var", sys.base_prefix.lstrip("/")):
        (root / name).mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in _ETC.split():
        if (Path("/etc") / name).exists():
            _copy(Path("/etc") / name, root / "etc" / name)
    return root


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _child(starter: "subprocess.Popen[bytes]") -> int:
    children = Path(f"/proc/{starter.pid}/task/{starter.pid}/children")
    deadline = time.monotonic() + PATIENCE
    while not children.read_text():
        assert starter.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(children.read_text().split()[0])
