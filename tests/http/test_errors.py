"""Bad input of every kind: always the one envelope, never a 500, and the server lives on."""

import http.client
import json
import logging
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote_to_bytes

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreman.http.contract import operation_of
from tests.support.api import UNKNOWN_ID, Json, assert_error, assert_lives, make_run, ok, put_data
from tests.support.proof import REPRODUCIBLE, much
from tests.support.running import Running, Start

generated = settings(REPRODUCIBLE, max_examples=100)

# Deeper than a decoder gets on any Python: from 3.14 on the stack limits it, 258,000 levels with the usual 8 MB.
DEEP = 1_000_000
LIMIT = 10_000_000


@pytest.fixture
def routes_with_body(served: Running, ids: dict[str, str]) -> list[tuple[str, str]]:
    """Every method and path that takes a body, whatever routes there will be."""
    found = [
        (method, re.sub(r"<(\w+)>", lambda name: ids[name[1]], rule.rule))
        for rule in served.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if operation_of(served.app.view_functions[rule.endpoint]).body
    ]
    assert len(found) >= 6
    return found


def send_raw(served: Running, request: bytes) -> httpx.Response:
    """The answer to bytes that a client library would not send."""
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=30) as connection:
        connection.sendall(request)
        with http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode("latin-1")) as answer:
            answer.begin()
            return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())


# Bodies -------------------------------------------------------------------------------------------------------------


BODIES_THAT_ARE_NOT_JSON = {
    "empty": b"",
    "spaces": b"  \n",
    "text": b"hello",
    "a form": b"inputData=1",
    "truncated": b'{"inputData": 1',
    "truncated text": b'{"inputData": "abc',
    "truncated escape": b'{"inputData": "\\u00',
    "two values": b'{"inputData": 1} {"inputData": 2}',
    "something behind": b'{"inputData": 1}]',
    "NUL behind": b'{"inputData": 1}\x00',
    "NUL inside": b'{"inputData": "a\x00b"}',
    "control character": b'{"inputData": "a\x01b"}',
    "line break in text": b'{"inputData": "a\nb"}',
    "trailing comma": b'{"inputData": 1,}',
    "trailing comma in a list": b'{"inputData": [1,]}',
    "trailing comma inside": b'{"inputData": {"a": 1,}}',
    "missing comma": b'{"inputData": 1 "metadata": {}}',
    "missing comma in a list": b'{"inputData": [1 2]}',
    "missing colon": b'{"inputData" 1}',
    "single quotes": b"{'inputData': 1}",
    "bare key": b"{inputData: 1}",
    "number as key": b'{"inputData": {1: 2}}',
    "comment": b'{"inputData": /* one */ 1}',
    "NaN": b'{"inputData": NaN}',
    "Infinity": b'{"inputData": Infinity}',
    "minus Infinity": b'{"inputData": [-Infinity]}',
    "NaN in an unknown field": b'{"inputData": 1, "unknown": NaN}',
    "leading zero": b'{"inputData": 01}',
    "plus": b'{"inputData": +1}',
    "bare point": b'{"inputData": .5}',
    "point at the end": b'{"inputData": 1.}',
    "bare exponent": b'{"inputData": 1e}',
    "hexadecimal": b'{"inputData": 0x10}',
    "capital True": b'{"inputData": True}',
    "half a word": b'{"inputData": tru}',
    "unknown escape": b'{"inputData": "\\x41"}',
    "half an escaped surrogate": b'{"inputData": "\\ud83"}',
    "escaped surrogate that is no hexadecimal number": b'{"inputData": "\\ud83d", "unknown": "\\ud8xx"}',
    "escaped surrogate outside of a text": b'{"inputData": \\ud83d}',
    "escaped backslash outside of a text": b'{"inputData": "\\ud83d"\\\\}',
    "lone surrogate and a trailing comma": b'{"inputData": "\\ud83d",}',
    "lone surrogate in a truncated text": b'{"inputData": "\\ud83d',
    "lone surrogate and NaN": b'{"inputData": ["\\ud83d", NaN]}',
    "lone surrogate and an unknown escape": b'{"inputData": "\\ud83d\\x41"}',
    "lone surrogate and two values": b'{"inputData": "\\ud83d"} {}',
    "lone surrogate and invalid UTF-8": b'{"inputData": "\\ud83d", "unknown": "\xff"}',
    "byte order mark": b'\xef\xbb\xbf{"inputData": 1}',
    "UTF-16": '{"inputData": 1}'.encode("utf-16"),
    "UTF-32": '{"inputData": 1}'.encode("utf-32-le"),
    "Latin-1": '{"inputData": "é"}'.encode("latin-1"),
    "invalid UTF-8 in an unknown field": b'{"inputData": 1, "unknown": "\xff"}',
    "invalid UTF-8 in a key": b'{"inputData": 1, "\xff": 1}',
    "overlong UTF-8": b'{"inputData": "\xc0\x80"}',
    "surrogate in UTF-8": b'{"inputData": "\xed\xa0\x80"}',
    "beyond Unicode": b'{"inputData": "\xf4\x90\x80\x80"}',
    "truncated UTF-8": b'{"inputData": "\xe2\x82"}',
    "gzip": bytes.fromhex("1f8b0800000000000003"),
}


@pytest.mark.parametrize("content", BODIES_THAT_ARE_NOT_JSON.values(), ids=BODIES_THAT_ARE_NOT_JSON.keys())
def test_body_that_is_not_json_is_refused(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], content: bytes
) -> None:
    for method, path in routes_with_body:
        if content or not path.endswith(("/cancel", "/retry", "/rotate")):  # these need no body
            assert_error(client.request(method, path_of(path), content=content), 400)
    assert_lives(client)


@pytest.mark.parametrize("content", [b"[]", b"null", b"true", b"1", b'"text"', b'[{"inputData": 1}]'])
def test_body_that_is_not_an_object_is_refused(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], content: bytes
) -> None:
    for method, path in routes_with_body:
        response = client.request(method, path_of(path), content=content)
        assert assert_error(response, 400)["error"] == "The body must be a JSON object"


@pytest.mark.proof
@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("closed", [True, False])
def test_body_that_is_nested_too_deep_is_refused(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], opening: str, closed: bool
) -> None:
    value = nested(opening, DEEP) if closed else opening * DEEP
    fields = ("inputData", "outputData", "value", "metadata", "status", "type", "tags", "unknown")
    for method, path in routes_with_body:
        for field in fields[:: much(1, 3)]:
            content = f'{{"{field}": {value}}}'
            assert assert_error(client.request(method, path_of(path), content=content), 400)["details"] == []
        assert_error(client.request(method, path_of(path), content=value), 400)
    assert_lives(client)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [2_000, 20_000, 200_000])
def test_document_that_is_too_deep_for_the_database_is_refused(client: httpx.Client, opening: str, depth: int) -> None:
    value = nested(opening, depth)
    for content in (f'{{"inputData":{value}}}', f'{{"inputData":1,"metadata":{{"a":{value}}}}}'):
        assert assert_error(client.post("/runs", content=content), 400)["details"] == []
    assert_lives(client)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_500_levels_are_accepted_and_come_back(client: httpx.Client, opening: str) -> None:
    value = nested(opening, 500)
    created = client.post("/runs", content=f'{{"inputData":{value},"metadata":{{"a":{value}}},"unknown":{value}}}')
    run = ok(created, 201)
    answer = client.get(f"/runs/{run['id']}")
    assert f'"inputData":{value},' in answer.text
    assert f'"metadata":{{"a":{value}}},' in answer.text
    changed = client.patch(f"/runs/{run['id']}", content=f'{{"outputData":{value},"errorData":{value}}}')
    assert f'"outputData":{value},"errorData":{value},' in changed.text


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_at_every_depth_a_body_is_either_refused_or_kept(client: httpx.Client, opening: str) -> None:
    accepted = []
    for depth in (*range(900, 1100, 7), *range(1900, 2100, 25)):
        value = nested(opening, depth)
        response = client.post("/runs", content=f'{{"inputData":{value}}}')
        if response.status_code == 201:
            accepted.append(depth)
            assert f'"inputData":{value},' in client.get(response.headers["Location"].removeprefix("/api/v1")).text
        else:
            assert_error(response, 400)
    assert ok(client.get("/runs?offset=1000")) == {"items": [], "total": len(accepted), "limit": 20, "offset": 1000}


def nested(opening: str, depth: int) -> str:
    closing = opening.replace('"a":', "")[::-1].translate(str.maketrans("[{", "]}"))
    return opening * depth + "1" + closing * depth


def path_of(path: str) -> str:
    return path.removeprefix("/api/v1")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonx",
        "json",
        "*/*",
        "é",
    ],
)
def test_other_content_types_are_refused(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], content_type: str
) -> None:
    for method, path in routes_with_body:
        headers = {b"Content-Type": content_type.encode()}
        assert_error(client.request(method, path_of(path), content=b'{"inputData": 1}', headers=headers), 415)
    assert ok(client.get("/runs"))["total"] == 1


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "APPLICATION/JSON",
        "application/vnd.foreman+json",
    ],
)
def test_json_content_types_and_none_are_accepted(client: httpx.Client, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    request = client.build_request("POST", "/runs", content=b'{"inputData": "\xc3\xa9"}', headers=headers)
    assert request.headers.get("Content-Type") == content_type
    assert ok(client.send(request), 201)["inputData"] == "é"


def test_names_of_fields_may_be_escaped_and_the_last_of_two_counts(client: httpx.Client) -> None:
    content = rb'{"inputData": 1, "input\u0044ata": 2, "metadata": [], "metadata": {}}'
    run = ok(client.post("/runs", content=content), 201)
    assert (run["inputData"], run["metadata"]) == (2, {})


@pytest.mark.parametrize("field", ["type", "queueJobId"])
@pytest.mark.parametrize("text", [r"a\u0000b", r"\u0000", r"a\u0000"])
def test_nul_in_text_is_refused(client: httpx.Client, ids: dict[str, str], field: str, text: str) -> None:
    if field == "type":
        content = f'{{"runId": "{ids["run_id"]}", "inputData": 1, "type": "{text}"}}'
        response = client.post("/tasks", content=content)
    else:
        response = client.patch(f"/tasks/{ids['task_id']}", content=f'{{"queueJobId": "{text}"}}')
    assert_error(response, 400, field)


@pytest.mark.parametrize(
    "text", [r"\ud800", r"\udfff", r"a\ud83d", r"\ud83dx", r"\ud83d\u0041", r"\ude00\ud83d", r"\ud83d\ud83d\ude00"]
)
def test_lone_surrogates_in_text_of_ours_are_refused(client: httpx.Client, ids: dict[str, str], text: str) -> None:
    entry = f'"taskId": "{ids["task_id"]}", "value": "{text}"'
    data = f"/runs/{ids['run_id']}/data"
    for method, path, field, content in (
        ("POST", "/tasks", "type", f'{{"runId": "{ids["run_id"]}", "inputData": "{text}", "type": "{text}"}}'),
        ("POST", "/tasks", "runId", f'{{"runId": "{text}", "inputData": 1, "type": "t"}}'),
        ("PATCH", f"/tasks/{ids['task_id']}", "queueJobId", f'{{"queueJobId": "{text}"}}'),
        ("PATCH", f"/tasks/{ids['task_id']}", "status", f'{{"status": "{text}"}}'),
        ("POST", data, "key", f'{{{entry}, "key": "{text}"}}'),
        ("POST", data, "tags", f'{{{entry}, "key": "k", "tags": ["a", "{text}"]}}'),
        ("PATCH", f"{data}/{ids['data_id']}/tags", "add", f'{{"add": ["{text}"]}}'),
        ("PATCH", f"{data}/{ids['data_id']}/tags", "remove", f'{{"remove": ["{text}"]}}'),
    ):
        refused = assert_error(client.request(method, path, content=content), 400, field)
        assert refused["details"][0]["message"] == "Must not contain an unpaired surrogate."
    several = f'{{{entry}, "key": "{text}", "tags": ["{text}"]}}'
    assert_error(client.post(data, content=several), 400, "key", "tags")
    numbers = f'{{"runId": "{ids["run_id"]}", "inputData": "{text}", "type": "t", "maxRetries": 1e999}}'
    refused = assert_error(client.post("/tasks", content=numbers), 400, "maxRetries")
    assert refused["details"][0]["message"] == "Not a valid value."


# Too large ----------------------------------------------------------------------------------------------------------


def in_chunks(size: int) -> Iterator[bytes]:
    """A body whose length is not announced."""
    chunk = b"a" * 100_000
    while size > 0:
        yield chunk[:size]
        size -= len(chunk)


def test_body_of_more_than_10_mb_is_refused(client: httpx.Client) -> None:
    assert_error(client.post("/runs", content=b"a" * 11_000_000), 413)
    assert_error(client.post("/runs", content=in_chunks(11_000_000)), 413)
    assert_lives(client)


def test_body_of_10_mb_is_accepted_and_comes_back(client: httpx.Client) -> None:
    frame = '{"inputData":"%s"}'
    text = "a" * (LIMIT - len(frame % ""))
    run = ok(client.post("/runs", content=(frame % text).encode()), 201)
    assert run["inputData"] == text
    assert_error(client.post("/runs", content=(frame % (text + "a")).encode()), 413)


@pytest.mark.parametrize("chunked", [True, False])
def test_limit_of_bodies_is_exact(start: Start, chunked: bool) -> None:
    served = start(max_body=1000)
    with served.client() as client:
        for size in (999, 1000, 1001, 2000, 2999, 3000, 3001, 5000):
            content = b'{"inputData":1}'.ljust(size)
            response = client.post("/runs", content=iter([content]) if chunked else content)
            if size <= 1000:
                ok(response, 201)
            else:
                assert_error(response, 413)
        assert_lives(client)


def test_too_large_body_gets_the_same_answer_whatever_its_size(start: Start) -> None:
    """The message of one far beyond the limit must not name a limit that is not the one in force."""
    served = start(max_body=1000)
    with served.client() as client:
        answers = [client.post("/runs", content=b"a" * size).json() for size in (1001, 5000, 100_000)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("chunked", [True, False])
def test_body_far_beyond_the_limit_is_cut_off_and_the_server_lives_on(
    served: Running, client: httpx.Client, chunked: bool
) -> None:
    with served.client() as other:
        try:
            response = other.post("/runs", content=in_chunks(40_000_000) if chunked else b"a" * 40_000_000)
        except httpx.TransportError:
            pass  # the server stopped reading; the answer may be lost when a client is still writing
        else:
            assert_error(response, 413)
    assert_lives(client)
    assert ok(client.get("/runs"))["total"] == 1


def test_announced_body_far_beyond_the_limit_is_refused_before_it_is_sent(served: Running) -> None:
    head = f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\n"
    assert_error(send_raw(served, f"{head}Content-Length: 40000000\r\n\r\n".encode()), 413)


def test_body_of_a_request_that_takes_none_is_ignored(client: httpx.Client) -> None:
    run = make_run(client)
    assert ok(client.request("GET", f"/runs/{run['id']}", content=b"\xff not json")) == run
    assert_lives(client)


# Paths, queries and methods -----------------------------------------------------------------------------------------


PATHS_WITH_NOTHING = [
    "/nothing",
    "/api",
    "/api/v1",
    "/api/v1/",
    "/api/v2/runs",
    "/API/V1/runs",
    "/api/v1/run",
    "/api/v1/Runs",
    "/api/v1/runs/",
    "/api/v1//runs",
    "/api//v1/runs",
    "/api/v1/runs//",
    "/api/v1/runs/%2F",
    "/api/v1/runs/a/b",
    "/api/v1/runs%00",
    "/api/v1/runs%20",
    "/api/v1/tasks/../../nothing",
    "/api/v1/runs/%ff",
    "/api/v1/runs/%00",
    "/api/v1/runs/%zz",
    "/api/v1/runs/%",
    "/api/v1/runs/%2",
    "/api/v1/runs/%2e%2e",
    "/api/v1/runs/..",
    "/api/v1/runs/%ed%a0%80",
    "/api/v1/runs/%c0%80",
    "/api/v1/runs/%0d%0aSet-Cookie:%20a",
    "/api/v1/runs/a'%20OR%20'1'='1",
    f"/api/v1/runs/{UNKNOWN_ID}%00",
    f"/api/v1/runs/{UNKNOWN_ID}%0a",
    f"/api/v1/runs/{UNKNOWN_ID}/data",
    f"/api/v1/runs/{UNKNOWN_ID}/data/%ff",
    "/api/v1/tasks/%ff",
    "/api/v1/tasks/%00",
    "/api/v1/tasks/" + "a" * 20_000,
    "/docs/%00",
    "/docs/%ff",
    "/docs/..%2f..%2fschema.sql",
    "/docs/" + "a" * 20_000,
    "*",
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_path_where_there_is_nothing_is_not_found(served: Running, method: str) -> None:
    key = served.key()
    for path in PATHS_WITH_NOTHING:
        response = send_raw(served, f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode())
        assert response.status_code == 404, path
        if method == "HEAD":
            assert response.content == b"", path
        else:
            assert_error(response, 404)


def test_path_where_there_is_nothing_says_so_in_the_words_that_clients_compare(client: httpx.Client) -> None:
    assert client.get("/nothing").json() == {"error": "Not found", "details": [], "code": "not_found"}


def test_unknown_route_tells_nobody_whether_a_key_is_good(served: Running, client: httpx.Client) -> None:
    with served.anonymous() as nobody:
        assert assert_error(nobody.get("/nothing"), 404) == assert_error(client.get("/nothing"), 404)


@pytest.mark.parametrize(
    "query",
    [
        "&&&&",
        "status=" + "pending," * 10_000,
        "status=" + "," * 50_000,
        "sortOrder=asc&sortBy=updated_at&offset=0&limit=1&status=failed",
    ],
)
def test_odd_queries_are_no_error_when_nothing_is_wrong(served: Running, query: str) -> None:
    request = f"GET /api/v1/runs?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\n\r\n"
    assert ok(send_raw(served, request.encode()))["total"] == 0


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("%00", ["\0"]),
        ("%zz=%zz", ["%zz"]),
        ("=", [""]),
        ("===", [""]),
        ("?", ["?"]),
        ("%F0%9F%98%80=1", ["\U0001f600"]),
        ("a" * 100_000, ["a" * 100]),
        ("limit=5&a=1&limit=x&b=2&a=3", ["a", "b", "limit"]),
        ("&".join(f"a{i}=1" for i in range(5000)), [f"a{i}" for i in range(20)]),
    ],
)
def test_unknown_parameters_are_refused_by_name(served: Running, query: str, named: list[str]) -> None:
    request = f"GET /api/v1/runs?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\n\r\n"
    details = assert_error(send_raw(served, request.encode()), 400, *named)["details"]
    times = [
        f"{time}{limit}" for time in ("created", "updated", "started", "completed") for limit in ("After", "Before")
    ]
    known = ["limit", "offset", "sortBy", "sortOrder", "cursor", "count", "view", "ids", *times]
    known += ["externalId", "tags", "tagStartsWith", "tagMode", "metadata.PATH", "status"]
    assert details[0]["message"] == f"Unknown parameter; known are {', '.join(known)}."


NOT_UTF_8 = [b"%FF", b"a%ffb", b"%c3", b"%c0%80", b"%ed%a0%80", b"%f4%90%80%80", b"\xff", b"caf\xe9", b"\xc3%28"]


@pytest.mark.parametrize("text", NOT_UTF_8)
def test_query_that_is_not_utf_8_is_refused_and_deletes_nothing(
    served: Running, client: httpx.Client, ids: dict[str, str], text: bytes
) -> None:
    data = f"/api/v1/runs/{ids['run_id']}/data"
    shown = unquote_to_bytes(text).decode(errors="replace")
    for key in (f"%{text.hex()}", shown):  # what it might be taken for
        put_data(client, {"runId": ids["run_id"], "id": ids["task_id"]}, key)
    before = ok(client.get(data.removeprefix("/api/v1")))
    for method, path, name in (
        ("GET", "/api/v1/runs", "status"),
        ("GET", "/api/v1/tasks", "type"),
        ("GET", data, "key"),
        ("GET", data, "keys"),
        ("GET", data, "tags"),
        ("GET", data, "limit"),
        ("DELETE", data, "key"),
        ("DELETE", data, "id"),
        ("GET", f"/api/v1/runs/{ids['run_id']}", "unknown"),
    ):
        for query, named in ((b"%s=%s" % (name.encode(), text), name), (b"%s=1" % text, shown)):
            head = f"Host: x\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
            target = path.encode() + b"?" + query
            response = send_raw(served, b"%s %s HTTP/1.1\r\n%s" % (method.encode(), target, head.encode()))
            if text.isascii():
                assert assert_error(response, 400, named)["details"][0]["message"] == "Not UTF-8."
            else:
                assert_error(response, 400, *[detail["field"] for detail in response.json()["details"]])
    assert ok(client.get(data.removeprefix("/api/v1"))) == before


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/runs", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("DELETE", "/runs", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PATCH", "/tasks", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("PUT", f"/runs/{UNKNOWN_ID}", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("POST", f"/runs/{UNKNOWN_ID}", {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH"}),
        ("PUT", f"/tasks/{UNKNOWN_ID}", {"GET", "HEAD", "OPTIONS", "PATCH"}),
        ("PATCH", f"/runs/{UNKNOWN_ID}/data", {"DELETE", "GET", "HEAD", "OPTIONS", "POST"}),
        ("GET", f"/runs/{UNKNOWN_ID}/data/{UNKNOWN_ID}/tags", {"OPTIONS", "PATCH"}),
        ("POST", "/config", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("TRACE", "/runs", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("BREW", "/runs", {"GET", "HEAD", "OPTIONS", "POST"}),
    ],
)
def test_wrong_method_is_refused_with_the_right_ones(
    client: httpx.Client, method: str, path: str, allowed: set[str]
) -> None:
    response = client.request(method, path)
    assert_error(response, 405)
    assert set(response.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path", ["/runs", "/tasks", "/runs/{run_id}", "/tasks/{task_id}", "/runs/{run_id}/data", "/health"]
)
def test_head_answers_like_get_without_the_body(client: httpx.Client, ids: dict[str, str], path: str) -> None:
    path = path.format(**ids)
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for header in ("Content-Type", "Content-Length"):
        assert head.headers[header] == get.headers[header]
    missing = client.head(f"/runs/{UNKNOWN_ID}")
    assert (missing.status_code, missing.content) == (404, b"")


def test_head_without_a_key_is_refused(served: Running) -> None:
    with served.anonymous() as nobody:
        response = nobody.head("/runs")
    assert (response.status_code, response.content) == (401, b"")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_options_tells_the_methods(served: Running) -> None:
    with served.anonymous() as nobody:
        response = nobody.options("/runs")
        assert (response.status_code, response.content) == (200, b"")
        assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
        assert_error(nobody.options("/nothing"), 404)


# Malformed HTTP -----------------------------------------------------------------------------------------------------

HEAD = b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\n"
MOST_HEADER_BYTES = 262_144


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"GET /api/v1/runs HTTP/1.1 more\r\n\r\n", 400),
        (b"GET  /api/v1/runs HTTP/1.1\r\n\r\n", 400),
        (b"GET /api/v1/runs HTTP/one\r\n\r\n", 400),
        (b"get /api/v1/runs HTTP/1.1\r\n\r\n", 400),
        (b"G(T /api/v1/runs HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1 a TLS handshake\r\n\r\n", 400),
        (b"GET /api/v1/runs/\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /api/v1/runs?a=\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://[::1/api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://[x]/api/v1/runs HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (HEAD + b"no colon\r\n\r\n", 400),
        (HEAD + b": no name\r\n\r\n", 400),
        (HEAD + b"name with spaces: 1\r\n\r\n", 400),
        (HEAD + b"space-before-colon : 1\r\n\r\n", 400),
        (HEAD + b"control: a\x00b\r\n\r\n", 400),
        (HEAD + b"bare-line-feed: a\nb: c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n folded: first\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (HEAD + b"Content-Length: +2\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: two\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 0x2\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: \r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}", 401),  # whoever it is, nobody waits for that
        (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", 400),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n{}", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}junk\r\n0\r\n\r\n", 400),
        ((b"GET / HTTP/1.1\r\nX: ").ljust(MOST_HEADER_BYTES, b"a"), 431),
        ((b"GET /").ljust(MOST_HEADER_BYTES, b"a"), 431),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else None,
)
def test_malformed_http_gets_the_envelope(
    served: Running, client: httpx.Client, request_bytes: bytes, status: int
) -> None:
    response = send_raw(served, request_bytes)
    assert_error(response, status)
    assert response.headers["Connection"] == "close"
    assert "Server" not in response.headers
    assert_lives(client)


@pytest.mark.parametrize(("request_id", "comes_back"), [(b"abc-123", True), (b"<script>", False), (b"a b", False)])
def test_error_before_the_application_has_the_id_of_its_request(
    served: Running, request_id: bytes, comes_back: bool
) -> None:
    for rest in (b"Content-Length: 99999999999", b"Content-Length: two"):
        response = send_raw(served, HEAD + b"X-Request-Id: " + request_id + b"\r\n" + rest + b"\r\n\r\n")
        assert (response.headers["X-Request-Id"] == request_id.decode()) == comes_back


def test_body_that_ends_before_its_announced_length_writes_nothing(served: Running, client: httpx.Client) -> None:
    head = f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\n"
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=30) as connection:
        connection.sendall(f'{head}Content-Length: 100\r\n\r\n{{"inputData": 1}}'.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1000) == b""
    assert_lives(client)
    assert ok(client.get("/runs"))["total"] == 1


def test_what_follows_the_announced_length_is_another_request(served: Running, client: httpx.Client) -> None:
    body = b'{"inputData": 1}'
    head = f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {served.key()}\r\n"
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body + b"junk\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(10_000), b""))
    first, second = re.findall(rb"HTTP/1\.[01] (\d{3})", received)
    assert (first, second) == (b"201", b"400")
    assert ok(client.get("/runs"))["total"] == 1


def test_connection_that_sends_nothing_or_half_a_request_does_no_harm(served: Running, client: httpx.Client) -> None:
    address = ("127.0.0.1", served.server.port)
    with socket.create_connection(address), socket.create_connection(address) as half:
        half.sendall(b"POST /api/v1/runs HTT")
        assert_lives(client)


def test_server_may_be_told_to_stop_when_it_has_ended(served: Running) -> None:
    """Or a byte is written to a file descriptor that is closed, or is another file's by now."""
    served.stop()
    served.server.loop._is_awake = False
    served.server.stop()


# Request ids and unforeseen errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("request_id", ["1", "abc-123", "A.b_c:D-9", "x" * 128, UNKNOWN_ID])
def test_sane_request_id_comes_back(served: Running, client: httpx.Client, request_id: str) -> None:
    headers = {"X-Request-Id": request_id}
    with served.anonymous() as nobody:
        for response, status in (
            (client.get("/runs", headers=headers), 200),
            (client.post("/runs", content=b"", headers=headers), 400),
            (nobody.get("/runs", headers=headers), 401),
            (client.get("/nothing", headers=headers), 404),
            (client.put("/runs", headers=headers), 405),
        ):
            assert response.status_code == status
            assert response.headers.get_list("X-Request-Id") == [request_id]


@pytest.mark.parametrize(
    "request_id",
    [b"", b"a b", b"x" * 129, b"\xe9", b"<script>", b"a,b", b'a"b', b"a;b", b"a/b", b"a\tb", b"%0d%0a", b"{}"],
)
def test_insane_request_id_is_replaced(client: httpx.Client, request_id: bytes) -> None:
    answered = client.get("/runs", headers={b"X-Request-Id": request_id}).headers["X-Request-Id"]
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,128}", answered)
    assert answered != request_id.decode("latin-1")


def test_two_request_ids_are_none(client: httpx.Client) -> None:
    answered = client.get("/runs", headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")]).headers["X-Request-Id"]
    assert answered not in ("a", "b", "a, b")


def test_every_request_has_an_id_of_its_own(client: httpx.Client) -> None:
    assert len({client.get("/runs").headers["X-Request-Id"] for _ in range(20)}) == 20


@pytest.mark.parametrize("path", ["/runs/{run_id}", "/tasks/{task_id}"])
def test_unforeseen_error_leaks_nothing_and_is_logged_with_the_request_id(
    client: httpx.Client,
    ids: dict[str, str],
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_: object) -> Json:
        raise RuntimeError("the secret of SELECT * FROM run")

    before = client.get(path.format(**ids)).json()
    with monkeypatch.context() as broken:
        broken.setattr("foreman.api.runs.to_json", fail)
        broken.setattr("foreman.api.tasks.to_json", fail)
        with caplog.at_level(logging.ERROR):
            response = client.get(path.format(**ids), headers={"X-Request-Id": "find-me-17"})
    assert assert_error(response, 500) == {"error": "Internal server error", "details": [], "code": "internal_error"}
    assert response.headers["X-Request-Id"] == "find-me-17"
    assert "secret" not in response.text + str(response.headers)
    [record] = [record for record in caplog.records if "find-me-17" in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert "the secret of" in str(record.exc_info[1])
    assert ok(client.get(path.format(**ids))) == before


def test_unforeseen_error_inside_a_write_undoes_all_of_it(
    client: httpx.Client, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("between two statements")

    before = [ok(client.get(path)) for path in ("/runs", "/tasks")]
    with monkeypatch.context() as broken:
        broken.setattr("foreman.api.runs.SELECT_RUN", "SELECT * FROM no_such_table")
        assert client.patch(f"/runs/{ids['run_id']}", json={"status": "failed"}).status_code >= 500
        broken.setattr("foreman.api.tasks.new_id", fail)
        body = {"runId": ids["run_id"], "type": "x", "inputData": 1}
        assert_error(client.post("/tasks", json=body), 500)
        broken.setattr("foreman.api.tasks.now_ms", fail)
        assert_error(client.patch(f"/tasks/{ids['task_id']}", json={"status": "failed"}), 500)
    assert [ok(client.get(path)) for path in ("/runs", "/tasks")] == before
    assert_lives(client)


# General rules, tried with generated input --------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)

VALID_BODIES = [
    b'{"inputData":{"a":[1,2.50,"\\u00e9"]},"metadata":{"b":null}}',
    b'{"runId":"019315a4-7c3e-7b52-9d3f-1f0f6f3f2a10","type":"x","inputData":null,"maxRetries":3}',
    b'{"status":"running","outputData":1e5,"queueJobId":"j"}',
    b'{"taskId":"019315a4-7c3e-7b52-9d3f-1f0f6f3f2a10","key":"k","value":[],"tags":["t","u"]}',
    b'{"add":["a"],"remove":["b"]}',
]


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    """A valid body with a few bytes replaced, inserted or cut out."""
    body = bytearray(draw(st.sampled_from(VALID_BODIES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 6))] = draw(
            st.binary(max_size=3) | st.sampled_from([b"[" * 999, b"\\ud800"])
        )
    return bytes(body)


def assert_sane(response: httpx.Response) -> None:
    """Any answer but an error of the server."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        details = response.json()["details"]
        assert_error(response, response.status_code, *(detail["field"] for detail in details))


@generated
@given(value=json_values, ascii_only=st.booleans(), spaced=st.booleans())
def test_any_json_value_comes_back_as_it_was_sent(
    client: httpx.Client, value: Any, ascii_only: bool, spaced: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, separators=(" , ", " : ") if spaced else (",", ":"))
    created = client.post("/runs", content=f'{{"inputData":{text},"metadata":{{"it":{text}}}}}'.encode())
    run = ok(created, 201)
    assert (run["inputData"], run["metadata"]) == (value, {"it": value})
    answer = client.get(f"/runs/{run['id']}")
    assert f'"inputData":{text},"outputData":null,"errorData":null,"metadata":{{"it":{text}}},' in answer.text


@generated
@given(content=st.binary(max_size=200) | damaged_bodies())
def test_no_body_makes_the_server_fail(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], content: bytes
) -> None:
    for method, path in routes_with_body:
        assert_sane(client.request(method, path_of(path), content=content))


FIELDS = ["inputData", "outputData", "errorData", "metadata", "status", "runId", "parentTaskId", "type", "maxRetries",
          "queueJobId", "taskId", "key", "value", "tags", "add", "remove"]  # fmt: skip


@generated
@given(
    body=st.dictionaries(
        st.sampled_from(FIELDS),
        json_values | st.just(UNKNOWN_ID) | st.integers(-1, 11) | st.lists(st.text(max_size=2), max_size=120),
        max_size=8,
    )
)
def test_no_values_of_known_fields_make_the_server_fail(
    client: httpx.Client, routes_with_body: list[tuple[str, str]], ids: dict[str, str], body: Json
) -> None:
    for name, field in (("run_id", "runId"), ("task_id", "taskId")):
        if body.get(field) == UNKNOWN_ID:
            body[field] = ids[name]
    for method, path in routes_with_body:
        assert_sane(client.request(method, path_of(path), json=body))


PARAMETERS = ["limit", "offset", "sortBy", "sortOrder", "status", "runId", "parentTaskId", "type", "key", "keys",
              "keyStartsWith", "keyPattern", "tags", "tagStartsWith", "tagMode", "includeAll", "id"]  # fmt: skip
GOOD_VALUES = [
    "1",
    "0",
    "asc",
    "desc",
    "created_at",
    "key",
    "pending",
    "all",
    "any",
    "true",
    "a,b",
    "[",
    "*",
    UNKNOWN_ID,
]


query_values = (
    st.sampled_from(GOOD_VALUES).map(quote)
    | st.text(max_size=20).map(quote)
    | st.binary(max_size=20).map(quote_from_bytes)
)


@generated
@given(
    query=st.lists(st.tuples(st.sampled_from(PARAMETERS) | st.text(max_size=5), query_values), max_size=5),
    noise=st.text("%&=+;?/\\'\"a0", max_size=10),
)
def test_no_query_makes_the_server_fail(
    client: httpx.Client, ids: dict[str, str], query: list[tuple[str, str]], noise: str
) -> None:
    text = "&".join(f"{quote(name)}={value}" for name, value in query) + "&" + noise
    for path in ("/runs", "/tasks", f"/runs/{ids['run_id']}/data"):
        assert_sane(client.get(f"{path}?{text}"))
    assert_sane(client.delete(f"/runs/{UNKNOWN_ID}/data?{text}"))


@generated
@given(
    parts=st.lists(
        st.sampled_from(["runs", "tasks", "data", "tags", "docs", "health", UNKNOWN_ID, "..", "%2e%2e", "%2f", ""])
        | st.text(max_size=8).map(lambda text: quote(text, safe=""))
        | st.binary(max_size=8).map(quote_from_bytes),
        max_size=6,
    )
)
def test_no_path_makes_the_server_fail(served: Running, client: httpx.Client, parts: list[str]) -> None:
    for prefix in ("/api/v1/", "/"):
        path = prefix + "/".join(parts)
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n"
        response = send_raw(served, request.encode())
        assert response.status_code < 500
        if response.status_code >= 400:
            assert_error(response, response.status_code)


@generated
@given(request=st.binary(max_size=300).map(lambda junk: junk + b"\r\n\r\n"))
def test_no_bytes_make_the_server_fail(served: Running, client: httpx.Client, request: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(10_000), b""))
    assert not re.search(rb"HTTP/1\.[01] 5(?!01)", received)
    ok(client.get("/health"))
