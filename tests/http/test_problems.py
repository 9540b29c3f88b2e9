"""Errors say by a code what they are, and come in the form that the client asks for."""

import ast
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreman.http.protocol.problems import CODES, prefers_problem
from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task
from tests.support.proof import REPRODUCIBLE
from tests.support.running import Running, Start
from tests.support.source import modules, tree_of
from tests.support.wire import Wire

PROBLEM = "application/problem+json"
generated = settings(REPRODUCIBLE, max_examples=300)


def problem(response: httpx.Response, status: int) -> Json:
    """The body of an error that must be problem details."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM
    body: Json = response.json()
    assert set(body) == {"type", "title", "status", "detail", "error", "details", "code", "requestId"}
    assert body["type"] == f"/docs/errors#{body['code']}"
    assert body["status"] == status
    assert body["title"] == CODES[body["code"]].title
    assert body["detail"] == body["error"]
    assert body["requestId"] == response.headers["X-Request-Id"]
    return body


# Codes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "request_parts", "status", "code", "fields"),
    [
        ("POST", "/runs", {"content": b"no JSON"}, 400, "validation_failed", ()),
        ("POST", "/runs", {"json": {}}, 400, "validation_failed", ("inputData",)),
        ("GET", "/runs?limit=0", {}, 400, "validation_failed", ("limit",)),
        ("GET", "/runs", {"headers": {"Authorization": "none"}}, 401, "unauthorized", ()),
        ("GET", f"/runs/{UNKNOWN_ID}", {}, 404, "not_found", ()),
        ("GET", "/nothing", {}, 404, "not_found", ()),
        ("PUT", "/runs", {}, 405, "method_not_allowed", ()),
        ("POST", "/runs", {"content": b" " * 2000}, 413, "too_large", ()),
        (
            "POST",
            "/runs",
            {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
            415,
            "unsupported_media_type",
            (),
        ),
    ],
)
def test_error_has_its_code(
    start: Start, method: str, path: str, request_parts: dict[str, Any], status: int, code: str, fields: tuple[str, ...]
) -> None:
    with start(max_body=1000).client() as client:
        response = client.request(method, path, **request_parts)
    assert assert_error(response, status, *fields)["code"] == code


def test_read_only_key_is_forbidden_to_write(served: Running) -> None:
    with served.client(read_only=True) as reader:
        assert assert_error(reader.post("/runs", json={"inputData": 1}), 403)["code"] == "forbidden"


def test_part_of_a_file_that_is_not_there_cannot_be_had(served: Running) -> None:
    response = httpx.get(f"{served.url}/docs/docs.css", headers={"Range": "bytes=99999999-"})
    assert assert_error(response, 416)["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: more\r\n\r\n", 417, "expectation_failed"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n", 431, "headers_too_large"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not_implemented"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "http_version_not_supported"),
    ],
)
def test_error_before_the_application_has_its_code(served: Running, head: bytes, status: int, code: str) -> None:
    with Wire(served) as wire:
        wire.send_all(head)
        answer = wire.receive()
    assert (answer.status, answer.json()["code"]) == (status, code)


def test_every_code_that_the_source_names_is_listed_and_no_other(served: Running) -> None:
    named = {code for file in modules() for code in codes_in(tree_of(file))}
    assert named == set(CODES)
    assert len(named) > 20
    page = httpx.get(f"{served.url}/docs/errors")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert [code for code in CODES if f"<h2 id={code}>" not in page.text] == []


def codes_in(tree: ast.AST) -> Iterator[str]:
    """The codes that a module gives to errors: by keyword, as a default, to a `Problem`, and by status."""
    for node in ast.walk(tree):
        given: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            given += node.args[2:3] if ast.unparse(node.func) == "Problem" else []
        elif isinstance(node, ast.arguments):
            with_default = [*node.posonlyargs, *node.args][-len(node.defaults) :] if node.defaults else []
            given = [value for name, value in zip(with_default, node.defaults, strict=True) if name.arg == "code"]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_OF_STATUS":
            assert isinstance(node.value, ast.Dict)
            given = list(node.value.values)
        yield from (each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))


# Forms --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "preferred"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        ("text/html, application/xhtml+xml, */*;q=0.8", False),
        (PROBLEM, True),
        ("APPLICATION/Problem+JSON", True),
        ("application/problem+json; charset=utf-8", True),
        (f"{PROBLEM};q=0", False),
        (f"{PROBLEM};q=0.1", True),
        (f"application/json, {PROBLEM}", True),
        (f"{PROBLEM}, application/json;q=0.9", True),
        (f"{PROBLEM};q=0.9, application/json", False),
        (f"{PROBLEM};q=0.9, */*", False),
        (f"{PROBLEM};q=0.9, */*;q=0.8", True),
        (f"{PROBLEM};q=0.9, */*, application/json;q=0.1", True),
        ("application/problem+xml", False),
        (f"{PROBLEM};q=much", False),
        (f",,{PROBLEM},", True),
    ],
)
def test_form_is_the_one_that_the_client_prefers(client: httpx.Client, accept: str | None, preferred: bool) -> None:
    request = client.build_request("GET", f"/runs/{UNKNOWN_ID}")
    del request.headers["Accept"]
    if accept is not None:
        request.headers["Accept"] = accept
    response = client.send(request)
    assert response.headers["Vary"] == "Accept"
    if preferred:
        assert problem(response, 404)["detail"] == "Run not found"
    else:
        assert assert_error(response, 404) == {"error": "Run not found", "details": [], "code": "not_found"}


def test_success_is_no_problem_whatever_is_accepted(client: httpx.Client) -> None:
    response = client.get("/runs", headers={"Accept": PROBLEM})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert "Vary" not in response.headers


def test_problem_names_the_fields_that_are_wrong(client: httpx.Client) -> None:
    response = client.get("/runs?limit=0", headers={"Accept": PROBLEM, "X-Request-Id": "abc-123"})
    found = problem(response, 400)
    assert (found["code"], found["requestId"]) == ("validation_failed", "abc-123")
    assert [detail["field"] for detail in found["details"]] == ["limit"]


def test_error_before_the_application_is_a_problem_where_the_head_could_be_read(served: Running) -> None:
    head = f"GET / HTTP/1.1\r\nHost: x\r\nAccept: {PROBLEM}\r\nX-Request-Id: abc-123\r\nExpect: more\r\n\r\n"
    with Wire(served) as wire:
        wire.send_all(head.encode())
        answer = wire.receive()
    assert (answer.status, answer.headers["Content-Type"]) == (417, PROBLEM)
    assert answer.headers["Vary"] == "Accept"
    body = json.loads(answer.body)
    assert (body["code"], body["requestId"]) == ("expectation_failed", "abc-123")


def test_malformed_header_of_the_proxy_is_a_problem_too(start: Start) -> None:
    with start(trusted_proxy="127.0.0.1").client() as client:
        response = client.get("/runs", headers={"Accept": PROBLEM, "X-Forwarded-For": "nobody"})
    assert problem(response, 400)["code"] == "bad_request"


def test_failed_commit_is_a_problem_without_what_described_the_answer(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    task = make_task(client, run)
    with served.refusing_commits(MemoryError("none left")):
        for method, path, body in [
            ("POST", "/runs", {"inputData": 1}),
            ("PATCH", f"/tasks/{task['id']}", {"status": "failed"}),
        ]:
            response = client.request(method, path, json=body, headers={"Accept": PROBLEM})
            assert problem(response, 503)["code"] == "unavailable"
            assert response.headers["Retry-After"] == "1"
            assert not {"location", "etag"} & set(response.headers)


@generated
@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_accept_header_is_understood_somehow(accept: str) -> None:
    assert prefers_problem(accept) in (True, False)
    assert prefers_problem(f"{accept}, application/problem+json") in (True, False)
