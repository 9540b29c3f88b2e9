"""What deploy/ offers to those who watch Foreman with Prometheus, tried with Prometheus itself."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.api import METRICS_TOKEN, PLAIN, make_run
from tests.support.programs import need
from tests.support.running import Running, Start
from tests.support.source import ROOT
from tests.support.waiting import PATIENCE

DEPLOY = ROOT / "deploy"


@pytest.fixture
def served(start: Start) -> Running:
    return start(metrics_token=METRICS_TOKEN)


def promtool(*arguments: str | Path, given: str = "") -> str:
    done = subprocess.run([need("promtool"), *arguments], input=given, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The example files beside each other, with the token."""
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(DEPLOY / name, tmp_path)
    (tmp_path / "foreman-metrics-token").write_text(METRICS_TOKEN)
    return tmp_path


def test_metrics_are_as_prometheus_wants_them(served: Running) -> None:
    with served.client() as client:
        make_run(client)
    answer = httpx.get(f"{served.url}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"}, **PLAIN)
    assert "foreman_http_request_duration_seconds_bucket" in answer.text
    assert promtool("check", "metrics", given=answer.text) == ""


def test_configuration_and_rules_are_valid(directory: Path) -> None:
    told = promtool("check", "config", directory / "prometheus.yml")
    assert "SUCCESS: 2 rules found" in told


ALERTS = """\
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="foreman",instance="a"}', values: '1+0x9 0+0x20'}
      - {series: 'foreman_database_up{instance="b"}', values: '1+0x9 0+0x20'}
      - {series: 'foreman_commit_failures_total{instance="c"}', values: '0+0x9 3+0x40'}
      - {series: 'foreman_commit_failures_total{instance="sound"}', values: '7+0x50'}
      - {series: 'up{job="other",instance="other"}', values: '0+0x50'}
    alert_rule_test:
      - {eval_time: 9m, alertname: ForemanCannotWrite, exp_alerts: []}
      - eval_time: 12m
        alertname: ForemanCannotWrite
        exp_alerts:
          - {exp_labels: {severity: page, job: foreman, instance: a}, exp_annotations: {summary: WRITE a, DESCRIPTION}}
          - {exp_labels: {severity: page, instance: b}, exp_annotations: {summary: WRITE b, DESCRIPTION}}
          - {exp_labels: {severity: page, instance: c}, exp_annotations: {summary: WRITE c, DESCRIPTION}}
  - interval: 1m
    input_series:
      - {series: 'foreman_disk_free_bytes{instance="filling"}', values: '50000000000-100000000x400'}
      - {series: 'foreman_disk_free_bytes{instance="small"}', values: '900000000+0x400'}
      - {series: 'foreman_disk_free_bytes{instance="steady"}', values: '50000000000+0x400'}
    alert_rule_test:
      - eval_time: 400m
        alertname: ForemanDiskFillsUp
        exp_alerts:
          - {exp_labels: {severity: ticket, instance: filling}, exp_annotations: {summary: FILLS filling, DESCRIPTION}}
          - {exp_labels: {severity: ticket, instance: small}, exp_annotations: {summary: FILLS small, DESCRIPTION}}
"""


def test_alerts_fire_when_they_should_and_only_then(directory: Path) -> None:
    # What they say is not repeated here.
    rules = re.sub(r"(summary|description): .*", r"\1: XX", (directory / "alerts.yml").read_text())
    rules = rules.replace("summary: XX", "summary: 'for {{ $labels.instance }}'")
    (directory / "alerts.yml").write_text(rules)
    expected = re.sub(r"summary: [A-Z]+ ", "summary: for ", ALERTS).replace("DESCRIPTION", "description: XX")
    (directory / "tests.yml").write_text(expected)
    assert "SUCCESS" in promtool("test", "rules", directory / "tests.yml")


def test_prometheus_scrapes_with_the_example(served: Running, directory: Path) -> None:
    with served.client() as client:
        make_run(client)
    config = directory / "prometheus.yml"
    text, replaced = re.subn("127.0.0.1:3000", f"127.0.0.1:{served.server.port}", config.read_text())
    text, faster = re.subn("scrape_interval: 15s", "scrape_interval: 200ms\n    scrape_timeout: 200ms", text)
    assert replaced == faster == 1
    config.write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [need("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log, stdout=log)
    try:
        found = ask(address, 'foreman_http_request_duration_seconds_count{route="/api/v1/runs",status="201"}')
        assert (found["metric"]["job"], found["value"][1]) == ("foreman", "1")
        assert ask(address, "foreman_database_up")["value"][1] == "1"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def ask(address: str, query: str) -> Any:
    """The one result of a query, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE
    url = f"http://{address}/api/v1/query?query={urllib.parse.quote(query)}"
    while True:
        try:
            found = json.loads(httpx.get(url, **PLAIN).text)["data"]["result"]
            if found:
                [result] = found
                return result
        except (httpx.HTTPError, KeyError, json.JSONDecodeError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)
