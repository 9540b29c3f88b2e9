"""The OpenAPI document is true: the server does what it says, and it says all that the server does."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from foreman.http.contract import BASE_PATH
from tests.support.api import Json, assert_error, make_run, make_task, ok, put_data
from tests.support.proof import FULL, much
from tests.support.running import Running
from tests.support.source import APP, ROOT
from tests.support.wire import Wire

TIMES = ("created", "updated", "started", "completed")

HOOKS = "tests.http.schemathesis_hooks"


@pytest.fixture
def document(served: Running) -> Json:
    with served.anonymous() as nobody:
        return ok(nobody.get("/openapi.json"))


@pytest.mark.proof
def test_schemathesis_finds_nothing(served: Running, client: httpx.Client, tmp_path: Path) -> None:
    run = make_run(client)
    task = make_task(client, run)
    key = served.key(admin=True)
    known_ids = {"runId": run["id"], "taskId": task["id"], "dataId": put_data(client, task, "key")["id"]}
    known_ids["keyId"] = ok(client.get("/keys"))["items"][-1]["id"]
    found = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{served.url}/api/v1/openapi.json",
            *("--header", f"Authorization: Bearer {key}"),
            *("--checks", "all"),
            *("--phases", "examples,coverage,fuzzing,stateful" if FULL else "examples,fuzzing"),
            *("--max-examples", str(much(30, 5))),
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


def test_every_operation_has_a_name_of_its_own(document: Json) -> None:
    names = [each["operationId"] for operations in document["paths"].values() for each in operations.values()]
    assert sorted(names) == sorted(set(names))


def test_every_operation_names_all_its_statuses_and_whether_it_needs_a_key(document: Json) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = set(operation["responses"])
            public = path.removeprefix(BASE_PATH) in ("/health", "/ready")
            assert operation.get("security") == ([] if public else None), path
            assert public or {"400", "401", "429", "500", "503"} <= statuses, path
            assert ("403" in statuses) == (method != "get" or path.startswith(f"{BASE_PATH}/keys")), path
            names_more = (path.removeprefix(BASE_PATH), method) in (("/tasks", "post"), ("/tasks/batch", "patch"))
            assert ("404" in statuses) == ("{" in path or names_more), path
            assert {"400", "413", "415"} <= statuses or "requestBody" not in operation, path
            assert operation["summary"], path


@pytest.mark.parametrize(
    ("line", "field", "status"),
    [
        ("GET /api/v1/runs HTTP/1.1", "Content-Length: many", 400),
        ("PUT /api/v1/runs HTTP/1.1", "", 405),
        ("GET /api/v1/runs HTTP/1.1", "Expect: more", 417),
        ("GET /api/v1/runs HTTP/1.1", "Transfer-Encoding: gzip", 501),
        ("GET /api/v1/runs HTTP/2.0", "", 505),
    ],
)
def test_document_names_once_what_no_request_that_it_describes_is_answered(
    served: Running, document: Json, line: str, field: str, status: int
) -> None:
    with Wire(served) as wire:
        lines = [line, "Host: x", f"X-API-Key: {wire.key}", *([field] if field else []), "\r\n"]
        wire.send_all("\r\n".join(lines).encode())
        answer = wire.receive()
    assert answer.status == status
    assert set(answer.json()) == set(document["components"]["schemas"]["Error"]["required"])
    assert re.search(rf"\b{status}\b", document["info"]["description"])
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert status == 400 or not [each for each in operations if str(status) in each["responses"]]


def test_document_has_the_security_schemes_and_an_example_for_every_body_field(document: Json) -> None:
    components = document["components"]
    assert components["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert components["securitySchemes"]["header"]["name"] == "X-API-Key"
    bodies = (
        "CreateRun",
        "UpdateRun",
        "CreateTask",
        "UpdateTask",
        "CreateData",
        "UpdateTags",
        "CreateKey",
        "RotateKey",
    )
    for name in (*bodies, "Run", "Task", "ApiKey"):
        for field, described in components["schemas"][name]["properties"].items():
            assert described.get("examples"), f"{name}.{field}"


def test_document_says_how_unknown_fields_are_handled(document: Json) -> None:
    changes = {
        "UpdateRun": {"status", "outputData", "errorData", "metadata", "externalId", "tags"},
        "UpdateTask": {"status", "outputData", "errorData", "metadata", "queueJobId", "externalId", "tags"},
        "UpdateTags": {"add", "remove"},
        "ChangedTask": {"status", "outputData", "errorData", "metadata", "queueJobId", "externalId", "tags"},
    }
    for name, schema in document["components"]["schemas"].items():
        assert ("if" in schema) == (name in changes), name
    for name, known in changes.items():
        change = document["components"]["schemas"][name]
        assert change["if"] == {"minProperties": 1 + len(change.get("required", ()))}
        assert {field for each in change["then"]["anyOf"] for field in each["required"]} == known
    for path, operations in document["paths"].items():
        for operation in operations.values():
            takes_body = "requestBody" in operation
            assert ("Prefer" in [each["name"] for each in operation["parameters"]]) == takes_body, path
            responses = operation["responses"].items()
            applied = {int(status) for status, each in responses if "Preference-Applied" in each["headers"]}
            assert (bool(applied & {200, 201}) and 400 in applied) == takes_body, path


CONDITIONAL = {
    ("get", "/runs/{runId}"),
    ("patch", "/runs/{runId}"),
    ("delete", "/runs/{runId}"),
    ("get", "/tasks/{taskId}"),
    ("patch", "/tasks/{taskId}"),
    ("patch", "/runs/{runId}/tags"),
    ("patch", "/tasks/{taskId}/tags"),
    ("delete", "/runs/{runId}/data"),
    ("get", "/runs/{runId}/data/{dataId}"),
    ("patch", "/runs/{runId}/data/{dataId}/tags"),
    ("get", "/keys/{keyId}"),
    ("delete", "/keys/{keyId}"),
    *(("post", f"/{path}/{act}") for path in ("runs/{runId}", "tasks/{taskId}") for act in ("cancel", "retry")),
}


def test_document_says_which_requests_may_be_conditional(document: Json) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            names = {each["name"] for each in operation["parameters"]}
            is_conditional = (method, path.removeprefix(BASE_PATH)) in CONDITIONAL
            assert (
                ("If-None-Match" in names) == ("304" in operation["responses"]) == (is_conditional and method == "get")
            ), path
            assert ("If-Match" in names) == ("412" in operation["responses"]) == (is_conditional and method != "get"), (
                path
            )
            tagged = [status for status, each in operation["responses"].items() if "ETag" in each["headers"]]
            if method == "get":
                assert tagged == (["200", "304"] if is_conditional else [])
            elif method == "patch":
                assert (tagged == ["200"]) == is_conditional


def test_every_error_may_be_a_problem(document: Json) -> None:
    contents = [
        response["content"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "400" and "Error" in str(response["content"])
    ]
    assert len(contents) > 50
    refs = {name: f"#/components/schemas/{name}" for name in ("Error", "Problem")}
    assert all(
        content
        == {
            "application/json": {"schema": {"$ref": refs["Error"]}},
            "application/problem+json": {"schema": {"$ref": refs["Problem"]}},
        }
        for content in contents
    )


def test_answers_have_exactly_the_documented_fields(client: httpx.Client, document: Json) -> None:
    labels: Json = {"externalId": "mine", "tags": ["red"]}
    run = make_run(client, **labels)
    task = make_task(client, run, **labels)
    entry = put_data(client, task, "key", tags=["red"])
    batch = {"items": [{"type": "step", "inputData": 1}]}
    keys, tags = (ok(client.get(f"/runs/{run['id']}/{what}")) for what in ("keys", "tags"))
    tree = ok(client.get(f"/runs/{run['id']}/tree"))
    answers = {
        "KeyList": keys,
        "KeyOfRun": keys["items"][0],
        "TagList": tags,
        "TagOfRun": tags["items"][0],
        "Tree": tree,
        "TaskOfTree": task | tree["tasks"][0],
        "Run": ok(client.get(f"/runs/{run['id']}")) | ok(client.get(f"/runs/{run['id']}?view=summary")),
        "Task": task | ok(client.get(f"/tasks/{task['id']}?view=summary")),
        "RunData": entry | ok(client.get(f"/runs/{run['id']}/data/{entry['id']}?view=summary")),
        "RunList": ok(client.get("/runs?cursor=")),
        "TaskList": ok(client.get("/tasks?cursor=")),
        "RunDataPage": ok(client.get(f"/runs/{run['id']}/data")),
        "Pagination": ok(client.get(f"/runs/{run['id']}/data?cursor="))["pagination"],
        "Deleted": ok(client.delete(f"/runs/{run['id']}/data", params={"key": "key"})),
        "Health": ok(client.get("/health")),
        "Config": ok(client.get("/config")),
        "QueuesConfig": ok(client.get("/config/queues")),
        "Error": client.get("/nothing").json(),
        "Problem": client.get("/nothing", headers={"Accept": "application/problem+json"}).json(),
        "IssuedApiKey": ok(client.post("/keys", json={}), 201),
        "ApiKeyList": ok(client.get("/keys")),
        "ApiKey": ok(client.get("/keys"))["items"][0],
        "Tasks": ok(client.post(f"/runs/{run['id']}/tasks/batch", json=batch), 201),
    }
    for name, answer in answers.items():
        described = document["components"]["schemas"][name]
        assert set(described["required"]) <= set(answer) <= set(described["properties"]), name


def test_document_says_which_answers_link_to_the_next_page(document: Json) -> None:
    linking = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        for response in operation["responses"].values()
        if "Link" in response["headers"]
    }
    of_run = [f"runs/{{runId}}/{what}" for what in ("tasks", "data", "keys", "tags")]
    assert linking == {f"{BASE_PATH}/{path}" for path in ("runs", "tasks", "acts", *of_run)}


def test_command_line_writes_the_same_document(document: Json, tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    command = [sys.executable, str(APP), "openapi"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    subprocess.run([*command, "--output", str(written)], check=True)
    assert json.loads(printed.stdout) == json.loads(written.read_text()) == document


def test_opaque_fields_have_no_type_and_objects_may_have_any_members(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for name in ("CreateRun", "UpdateRun", "CreateTask", "UpdateTask", "CreateData", "Run", "Task", "RunData"):
        properties = schemas[name]["properties"]
        for field in {"inputData", "outputData", "errorData", "value"} & set(properties):
            assert not {"type", "enum", "anyOf", "oneOf"} & set(properties[field]), f"{name}.{field}"
        assert properties["metadata"]["additionalProperties"] == {}, name


def test_arrays_say_what_their_items_are(document: Json) -> None:
    assert all("items" in schema for schema in schemas_in(document) if "array" in types_of(schema))


def test_default_of_a_body_field_stands_in_its_description_that_of_a_parameter_in_its_schema(document: Json) -> None:
    bodies = [document["components"]["schemas"][name] for name in bodies_of(document)]
    assert len(bodies) == 11
    assert not [schema for body in bodies for schema in schemas_in(body) if "default" in schema]
    task = document["components"]["schemas"]["CreateTask"]
    assert set(task["required"]) == {"runId", "type", "inputData"}
    assert task["properties"]["maxRetries"]["description"] == "3 unless given."
    assert task["properties"]["parentTaskId"]["description"] == "A task of the same run. None unless given."
    parameters = document["paths"][f"{BASE_PATH}/runs"]["get"]["parameters"]
    assert {each["name"]: each["schema"].get("default") for each in parameters if not each["required"]} == {
        "limit": 20,
        "offset": 0,
        "sortBy": "created_at",
        "sortOrder": "desc",
        "cursor": None,
        "count": True,
        "view": "full",
        "status": None,
        "ids": None,
        **{f"{time}{limit}": None for time in TIMES for limit in ("After", "Before")},
        **dict.fromkeys(("externalId", "tags", "tagStartsWith")),
        "tagMode": "any",
    }


def test_answers_may_gain_fields(document: Json) -> None:
    assert not [schema for schema in schemas_in(document) if schema.get("additionalProperties") is False]


def test_integers_say_how_large_they_may_become(document: Json) -> None:
    integers = [schema for schema in schemas_in(document) if "integer" in types_of(schema)]
    assert {schema["format"] for schema in integers} == {"int32", "int64"}
    assert all(schema["maximum"] < 2**31 for schema in integers if schema["format"] == "int32")
    assert document["components"]["schemas"]["Run"]["properties"]["durationMs"]["format"] == "int64"


@pytest.mark.parametrize("name", ["keys", "keyStartsWith", "tags", "tagStartsWith"])
def test_document_allows_empty_lists_and_empty_items_as_the_server_does(
    client: httpx.Client, document: Json, name: str
) -> None:
    run = make_run(client)
    put_data(client, make_task(client, run), "a", tags=["a"])
    parameters = document["paths"][f"{BASE_PATH}/runs/{{runId}}/data"]["get"]["parameters"]
    (schema,) = [each["schema"] for each in parameters if each["name"] == name]
    for value, items in {"": [], ",": ["", ""], "a,": ["a", ""]}.items():
        assert ok(client.get(f"/runs/{run['id']}/data?{name}={value}"))["pagination"]["total"] == 1
        assert len(items) >= schema.get("minItems", 0)
        for item in items:
            assert len(item) >= schema["items"]["minLength"]
            assert re.search(schema["items"]["pattern"], item)
    assert not re.search(schema["items"]["pattern"], "one,two")


def test_deletion_of_data_says_that_it_takes_exactly_one_parameter(client: httpx.Client, document: Json) -> None:
    operation = document["paths"][f"{BASE_PATH}/runs/{{runId}}/data"]["delete"]
    assert "Exactly one of `key` and `id` is required" in operation["description"]
    described = {each["name"]: each.get("description", "") for each in operation["parameters"]}
    assert "not together with `id`" in described["key"]
    assert "not together with `key`" in described["id"]
    run = make_run(client)
    entry = put_data(client, make_task(client, run), "key")
    for query in ({}, {"key": "key", "id": entry["id"]}):
        assert_error(client.delete(f"/runs/{run['id']}/data", params=query), 400, "key")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_root_leads_to_the_page_also_behind_a_prefix(served: Running, method: str) -> None:
    with httpx.Client(base_url=served.url) as nobody:
        answer = nobody.request(method, "/?utm=1")
        assert answer.status_code == 302
        assert answer.headers["Location"] == "docs"
        assert answer.headers["X-Request-Id"]
        assert bool(answer.content) == (method == "GET")
        assert nobody.request(method, "/", follow_redirects=True).url == f"{served.url}/docs"
        assert_error(nobody.post("/"), 405)
    assert httpx.URL("https://example.com/ledger/").join(answer.headers["Location"]).path == "/ledger/docs"


def test_page_and_its_assets_come_from_this_server(served: Running) -> None:
    with httpx.Client(base_url=served.url) as nobody:
        page = nobody.get("/docs")
        assert page.status_code == 200
        assert page.headers["Content-Type"].startswith("text/html")
        assert "http" not in page.text
        assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {nobody.get(f"/{asset}").status_code for asset in assets} == {200}
        assert len(assets) == 6
        assert_error(nobody.get("/docs/no-such-asset.js"), 404)
        assert_error(nobody.get("/docs/../schema.sql"), 404)
        assert_error(nobody.get("/docs/%2e%2e/docs.py"), 404)


def test_page_of_another_version_is_not_mixed_with_this_ones_script(served: Running) -> None:
    for asset in ("docs.js", "docs.css"):
        assert httpx.get(f"{served.url}/docs/{asset}").headers["Cache-Control"] == "no-cache"


def schemas_in(part: Any) -> list[Json]:
    """Every object in a part of the document: those that are no schema do no harm."""
    below = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    return [*([part] if isinstance(part, dict) else []), *(each for value in below for each in schemas_in(value))]


def types_of(schema: Json) -> list[Any]:
    declared = schema.get("type")
    return declared if isinstance(declared, list) else [declared]


def bodies_of(document: Json) -> set[str]:
    """The names of the schemas of bodies."""
    operations = [each for path in document["paths"].values() for each in path.values() if "requestBody" in each]
    contents = [operation["requestBody"]["content"]["application/json"] for operation in operations]
    return {content["schema"]["$ref"].rpartition("/")[2] for content in contents}


def snake_case(path: str) -> str:
    return re.sub(r"(?<=[a-z])I(?=d})", "_i", path)
