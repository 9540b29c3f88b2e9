"""`Dockerfile` and `compose.yaml`: what they make of the program, as far as that can be seen without Docker."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from foreman.maintenance.check import check
from foreman.server.http_server import GRACE
from tests.package.container import PATIENCE, Container, Image, build, running
from tests.support.programs import lacking, need
from tests.support.source import ROOT

OWNER = 10001


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the Dockerfile makes. Its root is a directory that other users can reach, as that of a container is."""
    if os.geteuid() != 0:
        lacking("only root may make namespaces")
    for program in ("unshare", "nsenter", "setpriv", "ip"):
        need(program)
    return build(ROOT, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """The one service of compose.yaml, as Docker Compose understands it."""
    command = [need("docker-compose"), "--file", str(ROOT / "compose.yaml"), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert done.stderr == ""
    (found,) = json.loads(done.stdout)["services"].values()
    return dict(found)


@pytest.fixture
def data(image: Image, tmp_path: Path) -> Path:
    """A new volume: as Docker does it, it begins with what the image has there."""
    volume = tmp_path / "data"
    volume.mkdir()
    inside = (image.root / "data").stat()
    os.chown(volume, inside.st_uid, inside.st_gid)
    volume.chmod(inside.st_mode)
    return volume


def test_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    done = subprocess.run([need("hadolint"), ROOT / "Dockerfile"], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (0, "")


def test_server_works_in_its_container_and_stops_at_sigterm(
    image: Image, service: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with running(image, data, log, service["environment"]) as container:
        wait_until_healthy(container, log)
        status = Path(f"/proc/{container.process}/status").read_text()
        assert re.search(rf"^Uid:(\t{OWNER}){{4}}$", status, re.MULTILINE)
        assert re.search(rf"^Gid:(\t{OWNER}){{4}}$", status, re.MULTILINE)
        assert re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE), "a shell is in between"
        key = succeeds(container, "python", "app.py", "keys", "create", "--org", "acme").strip()
        created = succeeds(container, "python", "-c", CREATE_A_RUN, key)
        assert created == "201\n"
        assert container.execute(["touch", "/opt/foreman/app.py"]).returncode != 0
        succeeds(container, "mkdir", "/data/backups")
        assert " 1 runs, " in succeeds(container, "python", "app.py", "backup", "--keep", "7", "/data/backups")
        os.kill(container.process, getattr(signal, image.said["STOPSIGNAL"]))
        assert container.starter.wait(PATIENCE) == 0
    assert json.loads(log.read_text().splitlines()[-1])["message"] == "Stopped"
    assert {path.name for path in data.iterdir()} == {"foreman.db", "backups"}
    assert check(data / "foreman.db") == []

    with running(image, data, log, service["environment"]) as container:
        wait_until_healthy(container, log)
        assert succeeds(container, "python", "-c", COUNT_RUNS, key) == "1\n"


@pytest.mark.parametrize(("answer", "status"), [("200 OK", 0), ("503 Service Unavailable", 1), ("", 1)])
def test_health_check_is_about_the_answer(image: Image, answer: str, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environment = {"FOREMAN_PORT": str(listener.getsockname()[1]), "HTTP_PROXY": "http://127.0.0.1:1"}
        command = [sys.executable, *image.exec_form("HEALTHCHECK")[1:]]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as asking:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1000).startswith(b"GET /health HTTP/1.1\r\n")
                connection.sendall(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode() if answer else b"")
            assert asking.wait(PATIENCE) == status


def test_image_has_the_program_its_pins_and_nothing_else(image: Image) -> None:
    program = image.root / "opt" / "foreman"
    assert {path.name for path in program.iterdir()} == {
        ".venv", "LICENSE", "app.py", "foreman", "pyproject.toml", "schema.sql"
    }  # fmt: skip
    assert list((program / "foreman" / "server" / "__pycache__").glob("loop.*.pyc"))
    packages = next((program / ".venv" / "lib").glob("python3*")) / "site-packages"
    installed = {path.name.partition("-")[0].replace("_", "-").lower() for path in packages.glob("*.dist-info")}
    pins = (ROOT / "requirements" / "all.txt").read_text()
    pinned = set(re.findall(r"^([\w-]+)==", pins, re.MULTILINE))
    assert {"flask", "waitress", "prometheus-client", "psycopg", "psycopg-binary", "redis"} <= installed <= pinned
    assert not (packages / "pip").exists()
    for path in [program, *program.rglob("*")]:
        assert path.lstat().st_uid == 0, path


def test_compose_confines_the_container(image: Image, service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["tmpfs"] == ["/tmp:size=16m"]
    assert service["environment"]["TMPDIR"] == image.said["VOLUME"]
    assert [(each["host_ip"], each["published"]) for each in service["ports"]] == [("127.0.0.1", "3000")]
    assert {str(each["target"]) for each in service["ports"]} == {image.said["EXPOSE"]}
    assert [(each["type"], each["target"]) for each in service["volumes"]] == [("volume", image.said["VOLUME"])]
    assert int(service["stop_grace_period"].removesuffix("s")) > GRACE
    assert int(service["mem_limit"]) > 512 * 1024**2


CREATE_A_RUN = """
import sys, urllib.request
body = b'{"inputData": "%s"}' % (b"x" * 1_000_000)  # waits in a temporary file
headers = {"X-Api-Key": sys.argv[1], "Content-Type": "application/json"}
answer = urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:3000/api/v1/runs", body, headers))
print(answer.status)
"""

COUNT_RUNS = """
import json, sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:3000/api/v1/runs", headers={"X-Api-Key": sys.argv[1]})
print(json.load(urllib.request.urlopen(request))["total"])
"""


def succeeds(container: Container, *command: str) -> str:
    done = container.execute(list(command))
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_healthy(container: Container, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while container.execute(container.image.exec_form("HEALTHCHECK")).returncode != 0:
        assert container.starter.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
