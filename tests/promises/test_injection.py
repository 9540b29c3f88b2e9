"""Text is text, wherever a request carries it: never a statement, a pattern, a path, a template or a header.

The places are walked from the OpenAPI document and the routes, so that a new field is covered on arrival.
"""

import http.client
import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

import pytest
from limits import parse

from foreman.http.contract import BASE_PATH
from tests.api.run_data_model import Entry, answer_of_model
from tests.promises.routes import DOCUMENT, ROUTES, Route
from tests.support.api import Json, make_run, make_task, put_data
from tests.support.contents import columns, everything_beside, looking, rows, violations_in
from tests.support.proof import much
from tests.support.running import Running, Start
from tests.support.waiting import until

pytestmark = pytest.mark.proof

ALL_INJECTIONS = {
    # SQL
    "quote": "'",
    "two quotes": "''",
    "double quote": '"',
    "backtick": "`",
    "end of statement": "'; DROP TABLE run; --",
    "end of statement and script": "'); DELETE FROM run_data; SELECT ('",
    "comment": "-- ",
    "open comment": "/*",
    "always true": "' OR '1'='1",
    "union": "' UNION SELECT hash FROM api_key --",
    "subquery": "'||(SELECT group_concat(hash) FROM api_key)||'",
    "other file": "'; ATTACH DATABASE 'other.db' AS other; --",
    "pragma": "'; PRAGMA writable_schema = ON; --",
    "named parameter": ":org_id",
    "numbered parameter": "?1",
    "other parameters": "@org_id $org_id ?",
    "blob": "x'00ff'",
    "names of columns": "org_id, seq",
    # LIKE, GLOB, JSON paths
    "any text of LIKE": "%",
    "any character of LIKE": "_",
    "escape": "\\",
    "escaped": "\\%\\_\\*",
    "any text of GLOB": "*",
    "any character of GLOB": "?",
    "open set": "[",
    "closed set": "]",
    "set": "[!-~]",
    "inverted set": "[^a]*",
    "root of a path": "$",
    "path": "$.org_id",
    "path of items": "$[#-1]",
    "quoted path": '$."a"."b"',
    "end of JSON text": '"],"orgId":"rival"',
    "JSON": '{"orgId": "rival"}',
    "list": '["a", "b"]',
    "escapes of JSON": "\\u0027\\u0000\\n",
    # Characters
    "nul": "\0",
    "nul inside": "a\0b",
    "control characters": "".join(map(chr, [*range(1, 32), 127, 0x80, 0x85, 0x9F, 0x2028, 0x2029])),
    "every plane": "".join(chr(plane << 16 | 0x4E01) for plane in range(17)),
    "end of every plane": "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17)),
    "around the surrogates": "\ud7ff\ue000",
    "lone surrogate": "\ud800",
    "surrogates the wrong way round": "\udc00\ud83d",
    "turned around": "\u202ekcalb\u202c \u2066x\u2069 \u200f\u061c",
    "unseen": "\u200b\u2060\ufeff\u00ad",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
    "odd cases": "\u0130\u0131\u017f\u212a\u1e9e",
    "looks like a": "\u0430",
    "emoji of several characters": "👩\u200d👩\u200d👧\u200d👦🏽",
    # Headers, paths, templates, logs, pages
    "header": "a\r\nSet-Cookie: injected=1",
    "bare line feed": "a\nSet-Cookie: injected=1",
    "bare carriage return": "a\rSet-Cookie: injected=1",
    "folded header": "a\r\n Set-Cookie: injected=1",
    "encoded header": "a%0d%0aSet-Cookie:%20injected=1",
    "up": "..",
    "file": "../../../../../../etc/passwd",
    "encoded file": "..%2f..%2f..%2fetc%2fpasswd",
    "twice encoded file": "%252e%252e%252fetc%252fpasswd",
    "file of Windows": "..\\..\\..\\windows\\win.ini",
    "absolute file": "/etc/passwd",
    "other host": "//evil.example/",
    "URL": "https://evil.example/?a=b&c=d#e",
    "query": "a&orgId=rival&key=b",
    "template": "{{7*7}}",
    "other templates": "${7*7} <%= 7*7 %> #{7*7}",
    "format": "{0} {org_id} {__class__}",
    "percent format": "%s %n %d %(org_id)s %x",
    "lookup": "${jndi:ldap://evil.example/a}",
    "markup": "<script>alert(1)</script>",
    "entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;',
    "formula": "=HYPERLINK(1)",
    "shell": "$(id) `id` ; id | id",
    # What some languages read as something else
    "nothing": "null",
    "truth": "true",
    "no number": "NaN",
    "infinite number": "1e999",
    "hexadecimal number": "0x10",
    "other digits": "\u0661\uff11",
    "many digits": "9" * 30,
    "prototype": "__proto__",
    "comma": "a,b",
    "commas": ",,",
    "space": " ",
    "no-break space": "\u00a0",
    "nothing at all": "",
    # Lengths
    "longest": "x" * 255,
    "too long": "x" * 256,
    "longest in four bytes": "\U0001f600" * 255,
    "very long": "'" * 50_000,
}

INJECTIONS = dict(list(ALL_INJECTIONS.items())[:: much(1, 5)])

# Surrogates are not characters: JSON has a way to write them, UTF-8 has none.
SURROGATE = re.compile("[\ud800-\udfff]")
TEXTS = {name: text for name, text in INJECTIONS.items() if not SURROGATE.search(text)}

# All that an answer may have, in lower case.
HEADERS = {
    "accept-ranges", "allow", "cache-control", "connection", "content-disposition", "content-length",
    "content-security-policy", "content-type", "date", "etag", "expires", "last-modified", "link", "location",
    "preference-applied", "referrer-policy", "vary", "www-authenticate", "x-content-type-options",
    "x-request-id",
}  # fmt: skip

REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
MADE_REQUEST_ID = re.compile(r"[0-9a-f]{32}")


# What may be said where ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a request carries text.

    :ivar path: with names in braces, below the base path
    :ivar schema: the schema of the field in the OpenAPI document
    :ivar others: the body's required fields, with their examples
    """

    method: str
    path: str
    name: str
    schema: Json
    others: Json

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.name}"


def places(where: str) -> list[Place]:
    """All fields of bodies, or all parameters of queries."""
    found = []
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            body: Json = {"properties": {}}
            if "requestBody" in operation:
                reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                body = DOCUMENT["components"]["schemas"][reference.rsplit("/", 1)[1]]
            others = {name: body["properties"][name]["examples"][0] for name in body.get("required", [])}
            schemas = body["properties"]
            if where != "body":
                schemas = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == where}
            short = path.removeprefix(BASE_PATH)
            found += [Place(method.upper(), short, name, schema, others) for name, schema in schemas.items()]
    return found


def filled_in(example: Any, ids: Json) -> Any:
    """An example with ids of what exists in place of its own."""
    if isinstance(example, list):
        return [filled_in(each, ids) for each in example]
    if isinstance(example, dict):
        return {name: ids.get(name) or filled_in(each, ids) for name, each in example.items()}
    return example


def allows(schema: Json, value: Any) -> bool:
    """Whether a value is one that the schema allows: as much of JSON Schema as stands in the document."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    types = schema.get("type", ["string", "array", "object"])  # without a type it allows every value
    types = types if isinstance(types, list) else [types]
    if SURROGATE.search(json.dumps(value, ensure_ascii=False)) and "object" not in types:
        return False  # only what is kept as it was sent may have them
    if isinstance(value, list):
        items = schema.get("items")
        return "array" in types and (items is None or all(allows(items, item) for item in value))
    if isinstance(value, dict):
        return "object" in types
    return (
        "string" in types
        and value in schema.get("enum", [value])
        and schema.get("format") not in ("uuid", "date-time")
        and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        and re.search(schema.get("pattern", ""), value) is not None
    )


def allows_in_query(schema: Json, text: str) -> bool:
    """The same for a query parameter, which is text; an empty list is one that is absent."""
    if schema["type"] == "array":
        return all(allows(schema["items"], item) for item in text.split(",") if item)
    if schema["type"] == "boolean":
        return text in ("true", "false")
    return allows(schema, text)


def is_allowed(place: Place, text: str) -> bool:
    """The same for a place; no text is a cursor but the empty one and those of the server."""
    return allows_in_query(place.schema, text) and (place.name != "cursor" or not text)


# The server, and what is in its database ----------------------------------------------------------------------------


class Answer(NamedTuple):
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """Requests exactly as they are written: no client's idea of how a path or a header should look."""

    def __init__(self, served: Running, key: str) -> None:
        self.port = served.server.port
        self.key = key
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def send(self, method: str, target: str, body: Any = None) -> Answer:
        """A request with a key, whose answer is no fault of the server and has no header that is not ours."""
        # Text as it is where UTF-8 can write it, since escapes are taken out before anybody sees them.
        text = json.dumps(body, ensure_ascii=False)
        if SURROGATE.search(text):
            text = json.dumps(body)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self._connection.request(method, target, None if body is None else text.encode(), headers)
        response = self._connection.getresponse()
        return checked(Answer(response.status, dict(response.getheaders()), response.read()), method)

    def send_raw(self, request: bytes) -> bytes:
        """Bytes, and all that comes until the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def close(self) -> None:
        self._connection.close()


def checked(answer: Answer, method: str) -> Answer:
    """An answer as all have to be."""
    assert 200 <= answer.status < 500, answer
    assert {name.lower() for name in answer.headers} <= HEADERS, answer
    assert "\n" not in "".join(answer.headers.values())
    if method != "HEAD":
        assert int(answer.headers["Content-Length"]) == len(answer.body)
    if answer.headers["Content-Type"] == "application/json" and method != "HEAD":
        assert set(answer.json) >= {"error", "details", "code"} or answer.status < 400
    return answer


@pytest.fixture
def served(start: Start, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr("foreman.auth.rate_limit.FAILED_ATTEMPTS", parse("1000000/hour"))
    return start(durability="normal")


@pytest.fixture
def wire(served: Running) -> Iterator[Wire]:
    """The organisation acme."""
    with closing(Wire(served, served.key("acme", admin=True))) as wire:
        yield wire


@pytest.fixture
def ids(served: Running) -> Json:
    """What acme has, and rival as well: by the names that ids have in paths and fields."""
    names: Json = {}
    for org in ("rival", "acme"):
        with served.client(org, admin=True) as client:
            run = make_run(client, "input", metadata={"a": 1})
            task = make_task(client, run)
            entry = put_data(client, task, "key", "value", tags=["tag"])
            names = {"runId": run["id"], "taskId": task["id"], "parentTaskId": task["id"], "dataId": entry["id"]}
            names["keyId"] = client.post("/keys", json={}).json()["id"]
            names["actId"] = client.post("/runs/cancel?status=failed&expect=0").json()["id"]
            until(lambda act=names["actId"]: client.get(f"/acts/{act}").json()["completedAt"])  # type: ignore[misc]
    return names


# The name of the table, then the values.
Row = tuple[Any, ...]


class Dump:
    """All rows of the database, on SQLite with its schema, read past the server."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.columns = columns(location)

    def rows(self) -> Counter[Row]:
        return Counter(rows(self.location))

    def changed(self, before: Counter[Row], after: Counter[Row]) -> Iterator[tuple[str, Json]]:
        """Rows that are there only before or only after: table, and values by column."""
        for table, *values in [*(before - after), *(after - before)]:
            yield table, dict(zip(self.columns[table], values, strict=True))

    def run_seq(self, thing: Json) -> int:
        """The seq of the run of acme that a task or an entry belongs to."""
        with looking(self.location) as select:
            ((seq,),) = select(f"SELECT seq FROM run WHERE org_id = 'acme' AND id = '{UUID(thing['runId'])}'")
        return int(seq)

    def assert_only_changed(
        self, before: Counter[Row], after: Counter[Row], thing: Json, columns: set[str] | None
    ) -> None:
        """Nothing has changed but one thing of acme, and what triggers keep about it.

        :param thing: as the API shows it
        :param columns: which columns of it have changed at most; None when it is new
        """
        versions = []
        for table, row in self.changed(before, after):
            if "org_id" in row:
                assert row["org_id"] == "acme", (table, row)
            if "run_seq" in row:
                assert row["run_seq"] == self.run_seq(thing), (table, row)
            assert "org_id" in row or "run_seq" in row, (table, row)
            if "tag" in row and "key" in row:
                assert row["key"] == thing["key"], (table, row)
            elif table not in KEPT_BY_TRIGGERS:
                assert row["id"] == thing["id"], (table, row)
                versions.append(row)
        if columns is None:
            assert len(versions) == 1
        elif versions:  # else it has been given the values that it had
            old, new = versions
            assert {column for column in old if old[column] != new[column]} <= columns


@pytest.fixture
def dump(served: Running) -> Iterator[Dump]:
    """And in the end everything is sound, and nothing is beside the database."""
    before = everything_beside(served.location)
    yield Dump(served.location)
    assert everything_beside(served.location) == before
    assert violations_in(served.location) == []


KEPT_BY_TRIGGERS = {"run_count", "org_task_count", "run_task_count", "run_data_count", "run_tag", "task_tag"}


def paths_of(ids: Json) -> dict[str, str]:
    """What the names in routes stand for."""
    names = {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in ids.items()}
    return {**names, "asset": "docs.js"}


def target_of(path: str, names: dict[str, str]) -> str:
    """The path with its names replaced by values, encoded."""
    return BASE_PATH + re.sub(r"[{<](?:\w+:)?(\w+)[}>]", lambda name: quote(names[name[1]], safe=""), path)


# Bodies -------------------------------------------------------------------------------------------------------------

# Where a field that was sent is found in an answer, when not under its own name.
SEEN_AS: dict[str, Callable[[Json, Any], bool]] = {
    "add": lambda thing, sent: set(sent) <= set(thing["tags"]),
    "remove": lambda thing, sent: not set(sent) & set(thing.get("tags", [])),
}
COLUMNS = {"add": {"tags", "updated_at"}, "remove": {"tags", "updated_at"}}

BODIES = places("body")


@pytest.mark.parametrize("place", BODIES, ids=str)
def test_text_in_a_body_comes_back_exactly_and_changes_nothing_but_itself(
    wire: Wire, dump: Dump, ids: Json, place: Place
) -> None:
    accepted = 0
    after = dump.rows()
    for name, text in INJECTIONS.items():
        for sent in (text, [text], {text: text}):
            case = f"{name}: {json.dumps(sent)[:100]}"
            if "dataId" in place.path:
                ids["dataId"] = an_entry(wire, ids, place, sent)
            path = target_of(place.path, ids)
            if place.path.endswith("/tags") and "dataId" not in place.path:
                wire.send("PATCH", path.removesuffix("/tags"), {"tags": tags_before(place, sent)})
            body = {**filled_in(place.others, ids), place.name: sent}
            before = dump.rows() if place.path.endswith("/tags") else after
            answer = wire.send(place.method, path, body)
            after = dump.rows()
            if not allows(place.schema, sent):
                assert answer.status == 400, case
                named = [detail["field"].split(".")[0] for detail in answer.json["details"]]
                assert named == [place.name], case
                assert after == before, case
                continue
            accepted += 1
            assert answer.status == (201 if place.method == "POST" else 200), case
            columns = None
            if place.method != "POST":
                columns = COLUMNS.get(place.name, {re.sub("([A-Z])", r"_\1", place.name).lower(), "updated_at"})
            dump.assert_only_changed(before, after, answer.json, columns)
            there = wire.send("GET", answer.headers.get("Location") or path.removesuffix("/tags"))
            for thing in (answer.json, there.json):
                shown = SEEN_AS.get(place.name)
                assert shown(thing, sent) if shown else thing[place.name] == sent, case
    assert (accepted > much(60, 12)) == can_hold_text(place.schema)


def tags_before(place: Place, sent: Any) -> list[str]:
    """Some tags, with those that are about to be removed, when they can be tags."""
    return ["before", *sent] if place.name == "remove" and allows(place.schema, sent) else ["before"]


def an_entry(wire: Wire, ids: Json, place: Place, sent: Any) -> str:
    """A new entry with these tags."""
    new = {"taskId": ids["taskId"], "key": "k", "value": 1, "tags": tags_before(place, sent)}
    return str(wire.send("POST", target_of("/runs/{runId}/data", ids), new).json["id"])


def can_hold_text(schema: Json) -> bool:
    """Whether most texts are allowed in it somehow."""
    return any(allows(schema, sent) for sent in ("a text", ["a text"], {"a text": "a text"}))


def test_text_in_items_of_batches_comes_back_exactly(wire: Wire, dump: Dump) -> None:
    before = dump.rows()
    texts = [text for text in TEXTS.values() if allows({"type": "string", "minLength": 1, "maxLength": 255}, text)]
    texts = [text for text in texts if "\0" not in text]
    assert len(texts) > much(60, 12)
    tasks = [{"type": text, "ref": text, "inputData": text, "metadata": {text: text}, text: text} for text in texts]
    entries = [
        {"task": text, "key": text, "value": text, "tags": [tag for tag in text.split(",") if tag], text: text}
        for text in texts
    ]
    run = wire.send("POST", target_of("/runs", {}), {"inputData": 1, "tasks": tasks, "data": entries}).json
    added = wire.send("POST", target_of("/runs/{id}/tasks/batch", run), {"items": tasks}).json["items"]
    for task, text in zip([*run["tasks"], *added], texts * 2, strict=True):
        assert (task["type"], task["inputData"], task["metadata"]) == (text, text, {text: text})
        assert wire.send("GET", target_of("/tasks/{id}", task)).json == task
    own = [{"taskId": task["id"], **entry} for task, entry in zip(added, entries, strict=True)]
    written = wire.send("POST", target_of("/runs/{id}/data/batch", run), {"items": own}).json["items"]
    for entry, text in zip([*run["data"], *written], texts * 2, strict=True):
        assert (entry["key"], entry["value"], ",".join(entry["tags"])) == (text, text, ",".join(entry["tags"]))
        assert wire.send("GET", target_of("/runs/{runId}/data/{id}", entry)).json == entry
    changes = [
        {"id": task["id"], "queueJobId": text, "outputData": text} for task, text in zip(added, texts, strict=True)
    ]
    changed = wire.send("PATCH", target_of("/tasks/batch", {}), {"items": changes}).json["items"]
    assert [(task["queueJobId"], task["outputData"]) for task in changed] == [(text, text) for text in texts]
    assert all(row.get("org_id", "acme") == "acme" for _, row in dump.changed(before, dump.rows()))


@pytest.mark.parametrize(
    ("method", "path"),
    sorted({(place.method, place.path) for place in BODIES if not place.path.endswith(("/rotate", "/batch"))}),
)
def test_field_that_nobody_knows_is_ignored_beside_known_ones_whatever_its_name(
    wire: Wire, dump: Dump, ids: Json, method: str, path: str
) -> None:
    others = next(place.others for place in BODIES if (place.method, place.path) == (method, path))
    known = filled_in(others, ids)
    for name, text in INJECTIONS.items():
        before = dump.rows()
        if method == "PATCH":
            known = {"add": []} if path.endswith("/tags") else {"metadata": {"a": 1}}
            alone = wire.send(method, target_of(path, ids), {text: {text: text}})
            shown = text.encode(errors="backslashreplace").decode()[:100]
            assert (alone.status, [detail["field"] for detail in alone.json["details"]]) == (400, [shown]), name
            assert dump.rows() == before, name
        answer = wire.send(method, target_of(path, ids), {**known, text: {text: text}})
        assert answer.status == (201 if method == "POST" else 200), name
        columns = None if method == "POST" else {"metadata", "updated_at"}
        dump.assert_only_changed(before, dump.rows(), answer.json, columns)


# Queries ------------------------------------------------------------------------------------------------------------

QUERIES = places("query")
READING = sorted({place.path for place in QUERIES if place.method == "GET"})


# Lists of what is no item with an id, and what they have instead.
BROWSED = {"/runs/{runId}/keys": "key", "/runs/{runId}/tags": "tag"}

# Parameters that look for what `fill` labels tasks with.
LABELS = ("externalId", "tags", "tagStartsWith")


class Found(NamedTuple):
    """What acme has for queries to find: a task and an entry for each text; rival has the same."""

    runs: set[str]
    types: dict[str, str]
    entries: list[Entry]
    acts: set[str]


def fill(served: Running, ids: Json) -> Found:
    """What there is to find; `ids` gets the run of it."""
    found, first = Found(set(), {}, [], set()), ids["runId"]
    for org in ("rival", "acme"):
        with served.client(org) as client:
            run = make_run(client)
            found = Found({first, run["id"]}, {}, [], {ids["actId"]})
            task = make_task(client, run)
            found.types[task["id"]] = task["type"]
            for text in TEXTS.values():
                if 1 <= len(text) <= 255 and "\0" not in text:
                    tags = [tag for tag in text.split(",") if tag]
                    found.types[make_task(client, run, type=text, externalId=text, tags=tags)["id"]] = text
                    entry = put_data(client, task, text, tags=tags)
                    found.entries.append(Entry(len(found.entries), text, entry["tags"], 0, 0, entry))
            ids["runId"] = run["id"]
    return found


def expected(found: Found, path: str, name: str, text: str) -> set[str]:
    """What a query has to find, by id, key or tag. A new parameter that takes any text has to be added here."""
    if path == "/acts":
        return found.acts
    if path in BROWSED:
        there = {each for entry in found.entries for each in ([entry.key] if path.endswith("/keys") else entry.tags)}
        return {each for each in there if name == "cursor" or each.startswith(text)}
    is_given = text if name == "externalId" else text.strip(",")
    if path == "/runs":  # none of them has labels
        return set() if is_given and name in LABELS else found.runs
    if name in LABELS and not path.endswith("/data"):
        labelled = {task_id: type_ for task_id, type_ in found.types.items() if type_ != "step"}
        return {each for each in labelled if has(labelled[each], name, text)} if is_given else set(found.types)
    if name in ("status", "ids", "cursor", "count") and not path.endswith("/data"):
        return set(found.types)
    if name == "type":
        return {task_id for task_id, type_ in found.types.items() if text in ("", type_)}
    if name == "types":
        types = [each for each in text.split(",") if each]
        return {task_id for task_id, type_ in found.types.items() if not types or type_ in types}
    if name in ("cursor", "count"):
        text, name = "", "key"
    values: Json = {"key": text, "keyPattern": text, "includeAll": text}
    values |= {each: text.split(",") for each in ("keys", "keyStartsWith", "tags", "tagStartsWith")}
    entries, _ = answer_of_model(found.entries, {name: values[name]})
    return {entry["id"] for entry in entries}


def has(label: str, name: str, text: str) -> bool:
    """Whether a task that is labelled with a text, as `fill` does it, is found by a parameter."""
    if name == "externalId":
        return label == text
    wanted, tags = ([each for each in several.split(",") if each] for several in (text, label))
    return any(tag == each or (name == "tagStartsWith" and tag.startswith(each)) for tag in tags for each in wanted)


@pytest.mark.parametrize("path", READING)
def test_text_in_a_query_finds_what_is_equal_to_it_and_changes_nothing(
    served: Running, wire: Wire, dump: Dump, ids: Json, path: str
) -> None:
    found = fill(served, ids)
    before = dump.rows()
    for place in QUERIES:
        if (place.method, place.path) != ("GET", path):
            continue
        for name, text in TEXTS.items():
            case = f"{place.name}: {name}"
            limit = "1000" if path in BROWSED else "100"
            query = {place.name: text} if path.endswith("Id}") else {"limit": limit, place.name: text}
            if path == "/tasks" and place.name != "runId":
                query["runId"] = ids["runId"]
            answer = wire.send("GET", f"{target_of(path, ids)}?{encoded(query)}")
            if is_allowed(place, text):
                assert answer.status == 200, case
                items = answer.json["data" if path.endswith("/data") else "items"]
                assert {item[BROWSED.get(path, "id")] for item in items} == expected(found, path, place.name, text), (
                    case
                )
            else:
                assert answer.status == 400, case
                assert [detail["field"] for detail in answer.json["details"]] == [place.name], case
    assert dump.rows() == before


def encoded(query: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())


@pytest.mark.parametrize("place", [place for place in QUERIES if place.method == "DELETE"], ids=str)
def test_text_in_a_query_deletes_what_is_equal_to_it_and_nothing_else(
    served: Running, wire: Wire, dump: Dump, ids: Json, place: Place
) -> None:
    fill(served, ids)
    before = dump.rows()
    with served.client("acme") as client:
        others = make_run(client)
        theirs = make_task(client, others)
        put_data(client, theirs, "another", tags=["another"])
        there = dump.rows()
        for name, text in TEXTS.items():
            allowed = allows_in_query(place.schema, text)
            if allowed:
                put_data(client, theirs, text, tags=["tag"])
            full = dump.rows()
            answer = wire.send(
                place.method, f"{target_of(place.path, {'runId': others['id']})}?{encoded({place.name: text})}"
            )
            if allowed:
                assert (answer.status, answer.json) == (200, {"deleted": 1}), name
                assert dump.rows() == there, name
            else:
                assert answer.status == 400, name
                assert dump.rows() == full, name
    assert before - dump.rows() <= Counter(row for row in before if row[0] in KEPT_BY_TRIGGERS)


@pytest.mark.parametrize("place", [place for place in QUERIES if place.method == "POST"], ids=str)
def test_text_in_the_filter_of_an_act_matches_what_is_equal_to_it_and_changes_nothing_else(
    served: Running, wire: Wire, dump: Dump, ids: Json, place: Place
) -> None:
    """The message says how many match, and there are never as many as the act expects."""
    found = fill(served, ids)
    before = dump.rows()
    for name, text in TEXTS.items():
        query = {"expect": "1000000", place.name: text}
        if place.path.startswith("/tasks") and place.name != "runId":
            query["runId"] = ids["runId"]
        answer = wire.send("POST", f"{target_of(place.path, ids)}?{encoded(query)}")
        if allows_in_query(place.schema, text) and text.strip("," if place.schema["type"] == "array" else ""):
            assert answer.status == 409, name
            if place.name in ("status", "ids", "type", "types"):
                things = len(expected(found, place.path.rpartition("/")[0], place.name, text))
                assert answer.json["error"].split()[0] == str(things), name
        else:
            assert answer.status == 400, name
            assert [detail["field"] for detail in answer.json["details"]] == [place.name], name
    assert dump.rows() == before


@pytest.mark.parametrize(
    ("method", "path"), sorted({(place.method, place.path) for place in QUERIES} | {("POST", "/runs")})
)
def test_parameter_that_nobody_knows_is_refused_whatever_its_name(
    wire: Wire, dump: Dump, ids: Json, method: str, path: str
) -> None:
    body = {"inputData": 1} if (method, path) == ("POST", "/runs") else None
    before = dump.rows()
    for name, text in TEXTS.items():
        answer = wire.send(method, f"{target_of(path, ids)}?{encoded({text: 'x'})}", body)
        assert (answer.status, answer.json["details"][0]["field"]) == (400, text[:100]), name
    assert dump.rows() == before


@pytest.mark.parametrize("junk", ["%", "%zz", "%00", "%ff", "%c0%af", "%ed%a0%80", "%u0027", "&&==&", "+", "%2500"])
def test_query_that_is_not_well_encoded_is_no_fault_of_the_server(wire: Wire, dump: Dump, ids: Json, junk: str) -> None:
    before = dump.rows()
    for place in QUERIES:
        wire.send(place.method, f"{target_of(place.path, ids)}?{place.name}={junk}&{junk}=1")
    assert dump.rows() == before


# Paths --------------------------------------------------------------------------------------------------------------

NAMED = [(method, rule, name) for method, rule, _ in ROUTES for name in re.findall(r"<(?:\w+:)?(\w+)>", rule)]


@pytest.mark.parametrize(("method", "rule", "name"), NAMED, ids=[" ".join(each) for each in NAMED])
def test_text_in_a_path_names_nothing(wire: Wire, dump: Dump, ids: Json, method: str, rule: str, name: str) -> None:
    short = rule.removeprefix(BASE_PATH)
    names = paths_of(ids)
    others = next((place.others for place in BODIES if (place.method, bare(place.path)) == (method, bare(short))), {})
    body = filled_in(others, ids) if method in ("POST", "PATCH") else None
    query = f"?id={ids['dataId']}" if method == "DELETE" and rule.endswith("/data") else ""
    before = dump.rows()
    for case, text in TEXTS.items():
        if not text:
            continue
        for given in (quote(text, safe=""), quote(text, safe="/"), quote(text, safe="/:;,=+$&@!*'()~[]")):
            path = rule.replace(f"<path:{name}>", f"<{name}>").replace(f"<{name}>", given)
            target = re.sub(r"<(\w+)>", lambda each: names[each[1]], path) + query
            assert wire.send(method, target, body).status == 404, f"{case}: {target[:200]}"
    assert dump.rows() == before
    # With what the names stand for it is a good request: it was answered 404 for no other reason.
    target = re.sub(r"<(?:\w+:)?(\w+)>", lambda each: names[each[1]], rule) + query
    assert wire.send(method, target, body).status < 300


def bare(path: str) -> str:
    """A path with its names left out."""
    return re.sub(r"[{<].*?[}>]", "*", path)


@pytest.mark.parametrize("junk", [b"%", b"%zz", b"%00", b"%ff", b"%c0%af", b"%ed%a0%80", b"\xff", b"\xc3\xa9", b"'"])
def test_path_that_is_not_well_encoded_is_no_fault_of_the_server(wire: Wire, dump: Dump, junk: bytes) -> None:
    before = dump.rows()
    for method, rule, _ in ROUTES:
        target = re.sub(rb"<.*?>", junk, rule.encode()) if "<" in rule else rule.encode() + junk
        (answer,) = answers(wire.send_raw(request_of(method, target, b"X-API-Key: " + wire.key.encode())), method)
        assert answer.status in (400, 404, 405), rule
    assert dump.rows() == before


# Headers ------------------------------------------------------------------------------------------------------------


def request_of(method: str, target: bytes, *headers: bytes) -> bytes:
    """A request without a body, after which the connection closes."""
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: x", *headers, b"Connection: close", b"", b""]
    return b"\r\n".join(lines)


def answers(received: bytes, method: str) -> list[Answer]:
    """The answers in what came over a connection; there is nothing else in it."""
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        assert re.fullmatch(r"HTTP/1\.[01] \d{3} [A-Za-z ]+", status), status
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(headers) == len(lines), lines
        length = 0 if method == "HEAD" else int(headers["Content-Length"])
        assert len(received) >= length
        found.append(checked(Answer(int(status.split()[1]), headers, received[:length]), method))
        received = received[length:]
    return found


# As many bytes as each of them has, in the encodings that clients use.
HEADER_VALUES = {
    **{f"{name} in UTF-8": text.encode() for name, text in TEXTS.items()},
    "é in Latin-1": b"\xe9",
    "no UTF-8": b"\xff\xfe\xc0\xaf\xed\xa0\x80",
    "all bytes": bytes(each for each in range(256) if each not in b"\r\n"),
}


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.method != "HEAD"],  # which is what GET does
    ids=lambda route: f"{route.method} {route.rule}",
)
def test_header_is_text_and_cannot_become_another_header(
    wire: Wire, dump: Dump, ids: Json, monkeypatch: pytest.MonkeyPatch, route: Route
) -> None:
    monkeypatch.setattr(
        "foreman.http.openapi.document", lambda _: {}
    )  # takes long to make, and holds no text of anybody's
    names = paths_of(ids)
    if route.method == "DELETE":  # no run and no key has this id, so that the request does nothing, however often
        names["run_id"] = names["key_id"] = names["task_id"]
    if route.rule.endswith(("/cancel", "/rotate")):  # nor has any run, task or key this one
        names["run_id"] = names["task_id"] = names["key_id"] = names["data_id"]
    target = re.sub(r"<(?:\w+:)?(\w+)>", lambda name: names[name[1]], route.rule).encode()
    key = b"X-API-Key: " + wire.key.encode()
    before = dump.rows()
    usual = answers(wire.send_raw(request_of(route.method, target, key)), route.method)[0].status
    for case, value in HEADER_VALUES.items():
        for headers in ([b"X-Request-Id: " + value, key], [b"X-API-Key: " + value], [b"Authorization: Bearer " + value],
                        [b"Authorization: " + value]):  # fmt: skip
            (answer,) = answers(wire.send_raw(request_of(route.method, target, *headers)), route.method)
            assert_request_id(answer, value if headers[0].startswith(b"X-Request-Id") else b"")
            good = usual if route.public or key in headers else 401
            if FORBIDDEN.search(value):
                assert answer.status == 400, case
            else:
                # A header over two lines may be refused or joined (RFC 9112, section 5.2).
                assert answer.status == good or (FOLDED.search(value) and answer.status == 400), case
    assert dump.rows() == before


# Control characters, as RFC 9110, section 5.5 wants them refused: CR and LF only end the line.
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
FOLDED = re.compile(rb"\r\n[ \t]")


def assert_request_id(answer: Answer, sent: bytes) -> None:
    """It is the client's own when that is a sane one, else one that the server has made."""
    name = re.split(rb"\r\n(?![ \t])", sent)[0].strip(b" \t").decode("latin-1")
    shown = answer.headers["X-Request-Id"]
    if REQUEST_ID.fullmatch(name):
        assert shown == name
    else:
        assert MADE_REQUEST_ID.fullmatch(shown), shown
