"""`deploy/litestream.yml`: what was answered is there again after the machine is lost."""

import os
import shutil
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from foreman.maintenance.check import check
from tests.support.api import PLAIN, make_run
from tests.support.contents import stored_runs
from tests.support.programs import need
from tests.support.server_process import server_process
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE, until

CONFIGURATION = ROOT / "deploy" / "litestream.yml"

# Seconds: changes are copied once a second, and copying takes a moment.
WINDOW = 3


def test_all_but_the_last_seconds_is_restored_from_the_replica(tmp_path: Path) -> None:
    program = need("litestream")
    database, replica = tmp_path / "live" / "foreman.db", tmp_path / "replica"
    database.parent.mkdir()
    environment = {**os.environ, "FOREMAN_DATABASE": str(database), "FOREMAN_REPLICA": str(replica)}
    killing, begun = threading.Event(), threading.Barrier(3)
    answered: list[tuple[float, str]] = []

    def write(url: httpx.URL, headers: httpx.Headers) -> None:
        with httpx.Client(base_url=url, headers=headers, **PLAIN) as client:
            make_run(client)
            begun.wait(PATIENCE)
            try:
                while True:
                    run = make_run(client, "x" * 1000)
                    answered.append((time.monotonic(), run["id"]))
            except httpx.TransportError:
                assert killing.is_set()

    with server_process(database) as server, (tmp_path / "litestream.log").open("wb") as log:
        command = [program, "replicate", "-config", str(CONFIGURATION)]
        litestream = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            with ThreadPoolExecutor(2) as threads:
                clients = [threads.submit(write, server.client.base_url, server.client.headers) for _ in range(2)]
                begun.wait(PATIENCE)
                until(lambda: any(replica.rglob("*.ltx")))
                time.sleep(WINDOW + 1)
                killed = time.monotonic()
                killing.set()
                litestream.kill()
                server.process.send_signal(signal.SIGKILL)
            for client in clients:
                client.result()
        finally:
            litestream.kill()
            litestream.wait(PATIENCE)
    shutil.rmtree(database.parent)
    database.parent.mkdir()

    subprocess.run(
        [program, "restore", "-config", CONFIGURATION, database], env=environment, timeout=PATIENCE, check=True
    )
    assert check(database) == []
    earlier = {run_id for at, run_id in answered if at < killed - WINDOW}
    assert len(earlier) > 10
    assert earlier <= stored_runs(database)
