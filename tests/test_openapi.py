"""The OpenAPI document is true: the server does what it says, and it says all that the server does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from foreman.contract import BASE_PATH
from foreman.shapes import SHAPES
from tests.conftest import Json, Running, assert_error, make_run, make_task, ok, put_data

HOOKS = "tests.schemathesis_hooks"
ROOT = Path(__file__).parent.parent


@pytest.fixture
def document(served: Running) -> Json:
    with served.anonymous() as nobody:
        return ok(nobody.get("/openapi.json"))


def test_schemathesis_finds_nothing(served: Running, client: httpx.Client, tmp_path: Path) -> None:
    run = make_run(client)
    task = make_task(client, run)
    known_ids = {"runId": run["id"], "taskId": task["id"], "dataId": put_data(client, task, "key")["id"]}
    found = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{served.url}/api/v1/openapi.json",
            *("--header", f"Authorization: Bearer {served.key()}"),
            *("--checks", "all"),
            *("--phases", "examples,coverage,fuzzing,stateful"),
            *("--max-examples", "30"),
            *("--seed", "20"),
            "--generation-deterministic",
            "--continue-on-failure",
            "--no-color",
        ],
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": HOOKS,
            "KNOWN_IDS": json.dumps(known_ids),
            "PYTHONPATH": str(ROOT),
            "COVERAGE_PROCESS_START": "",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_route_that_answers_json_is_documented(served: Running, document: Json) -> None:
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in served.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.endpoint.startswith("docs.")
    }
    documented = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert {(snake_case(path), method) for path, method in documented} == routes


def test_every_operation_names_all_its_statuses_and_whether_it_needs_a_key(document: Json) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            public = path.removeprefix(BASE_PATH) in ("/health", "/ready")
            assert operation.get("security") == ([] if public else None), path
            assert public or {"400", "401", "429", "500", "503"} <= statuses, path
            assert ("403" in statuses) == (method != "get"), path
            assert ("404" in statuses) == ("{" in path or (path == f"{BASE_PATH}/tasks" and method == "post")), path
            assert {"400", "413", "415"} <= statuses or "requestBody" not in operation, path
            assert operation["summary"], path


def test_document_has_the_security_schemes_and_an_example_for_every_body_field(document: Json) -> None:
    components = document["components"]
    assert components["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert components["securitySchemes"]["header"]["name"] == "X-API-Key"
    for name in ("CreateRun", "UpdateRun", "CreateTask", "UpdateTask", "CreateData", "UpdateTags", "Run", "Task"):
        for field, described in components["schemas"][name]["properties"].items():
            assert described.get("examples"), f"{name}.{field}"


def test_document_says_how_unknown_fields_are_handled(document: Json) -> None:
    changes = {
        "UpdateRun": {"status", "outputData", "errorData", "metadata"},
        "UpdateTask": {"status", "outputData", "errorData", "metadata", "queueJobId"},
        "UpdateTags": {"add", "remove"},
    }
    for name, schema in document["components"]["schemas"].items():
        assert ("if" in schema) == (name in changes), name
    for name, known in changes.items():
        change = document["components"]["schemas"][name]
        assert change["if"] == {"minProperties": 1}
        assert {field for each in change["then"]["anyOf"] for field in each["required"]} == known
    for path, operations in document["paths"].items():
        for operation in operations.values():
            takes_body = "requestBody" in operation
            assert ("Prefer" in [each["name"] for each in operation["parameters"]]) == takes_body, path
            responses = operation["responses"].items()
            applied = {int(status) for status, each in responses if "Preference-Applied" in each["headers"]}
            assert (bool(applied & {200, 201}) and 400 in applied) == takes_body, path


def test_answers_have_exactly_the_documented_fields(client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    entry = put_data(client, task, "key")
    answers = {
        "Run": ok(client.get(f"/runs/{run['id']}")),
        "Task": task,
        "RunData": entry,
        "RunList": ok(client.get("/runs")),
        "TaskList": ok(client.get("/tasks")),
        "RunDataPage": ok(client.get(f"/runs/{run['id']}/data")),
        "Deleted": ok(client.delete(f"/runs/{run['id']}/data", params={"key": "key"})),
        "Health": ok(client.get("/health")),
        "Config": ok(client.get("/config")),
        "QueuesConfig": ok(client.get("/config/queues")),
        "Error": client.get("/nothing").json(),
    }
    for name, answer in answers.items():
        assert set(answer) == {field.data_key for field in SHAPES[name]().fields.values()}, name


def test_command_line_writes_the_same_document(document: Json, tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    command = [sys.executable, str(ROOT / "app.py"), "openapi"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    subprocess.run([*command, "--output", str(written)], check=True)
    assert json.loads(printed.stdout) == json.loads(written.read_text()) == document


def test_page_and_its_assets_come_from_this_server(served: Running) -> None:
    with httpx.Client(base_url=served.url) as nobody:
        page = nobody.get("/docs")
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "http" not in page.text
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {nobody.get(f"/{asset}").status_code for asset in assets} == {200}
        assert len(assets) == 5
        assert_error(nobody.get("/docs/no-such-asset.js"), 404)
        assert_error(nobody.get("/docs/../schema.sql"), 404)
        assert_error(nobody.get("/docs/%2e%2e/docs.py"), 404)


def snake_case(path: str) -> str:
    return re.sub(r"(?<=[a-z])I(?=d})", "_i", path)
