"""A server and the model of it: what is asked of both, and how their answers are compared."""

import re
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import pytest
from hypothesis.stateful import RuleBasedStateMachine
from limits import parse
from werkzeug.test import TestResponse

from foreman import __version__
from foreman.api.acts.steps import work_of
from foreman.auth import keys
from foreman.background import acts, idempotency
from foreman.background.metadata_paths import declare
from foreman.config import Settings
from foreman.factory import create_app
from foreman.http.contract import BASE_PATH, is_public, operation_of
from tests.promises.isolation.said import DECLARED, ORGS
from tests.promises.model.exchange import UUID, Answer, Request, told
from tests.promises.model.model import FORGOTTEN_AFTER, Model
from tests.promises.model.things import Key
from tests.support.api import UNKNOWN_ID, UUID7
from tests.support.engines import engine

# Names and values that occur nowhere else, so that they cannot be in an answer by accident.
TOKENS = dict(zip(ORGS, ("Qx7Zt0Kw", "Vh3Rn9Ls"), strict=True))
THE_OTHER = dict(zip(ORGS, ORGS[::-1], strict=True))

LIMIT = 1_000_000

CONFIG: dict[str, dict[str, Any]] = {
    "/config/redis": {"host": "localhost", "port": 6379},
    "/config/queues": {"taskQueue": "foreman-tasks", "resultQueue": "foreman-results"},
}
CONFIG["/config"] = {
    "version": __version__,
    "environment": "production",
    "redis": CONFIG["/config/redis"],
    "queues": CONFIG["/config/queues"],
}

# What an act over a filter is asked for by.
ACTS_OVER_FILTERS = frozenset(f"/{noun}/{verb}" for noun in ("runs", "tasks") for verb in ("cancel", "retry"))

# Where the API takes the time from.
CLOCKS = (
    "api.runs",
    "api.tasks",
    "api.run_data",
    "api.batch.batches",
    "api.acts.endpoints",
    "api.acts.steps",
    "background.acts",
    "http.protocol.idempotency",
)

NEXT = re.compile(r'<\?(.*)>; rel="next"')


class Never(threading.Event):
    """Nobody stops, and nobody pauses."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


class Given:
    """What only the server knows, from its answer."""

    def __init__(self, response: TestResponse, last_id: str) -> None:
        self.response, self.last_id = response, last_id

    def id(self, *where: str | int) -> str:
        """An id that the server has given: a UUID of version 7, later than all before it."""
        assert self.response.status_code in (201, 202), self.response.text
        thing = msgspec.json.decode(self.response.data)
        for each in where:
            thing = thing[each]
        given = str(thing["id"])
        assert UUID7.fullmatch(given)
        assert given > self.last_id
        self.last_id = given
        return given

    def cursor(self) -> str:
        """Where the next page begins: the last parameter of the link to it."""
        link = NEXT.fullmatch(self.response.headers.get("Link", ""))
        assert link, self.response.text
        name, cursor = parse_qsl(link[1], keep_blank_values=True)[-1]
        assert name == "cursor"
        return str(cursor)


class Asking(RuleBasedStateMachine):
    """A server, the model of it, and what two organisations ask for."""

    # How often each view has answered which status, over all examples; has given an answer again; and has gone on after
    # a cursor. And how much acts of each kind have changed.
    seen: ClassVar[Counter[tuple[str, int]]] = Counter()
    replayed: ClassVar[Counter[str]] = Counter()
    continued: ClassVar[Counter[str]] = Counter()
    acted: ClassVar[Counter[str]] = Counter()
    views: ClassVar[set[str]] = set()
    writing: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="foreman-"))
        self.ending = ExitStack()
        self.ending.enter_context(engine.forgotten())
        file = self.directory / "foreman.db"
        chosen = Settings(
            database=engine.url(file),
            durability="normal",
            rate_limit=parse(f"{LIMIT}/hour"),
            metadata_paths=DECLARED,
        )
        self.database = engine.open(file, chosen)
        declare(self.database, DECLARED, Never())
        self.app = create_app(chosen, self.database)
        self.http = self.app.test_client()
        self.note_the_views()
        self.model = Model(CONFIG, LIMIT, DECLARED)
        self.issued: dict[str, list[str]] = {org: [] for org in ORGS}
        self.key_ids: dict[str, str] = {}
        self.last_id = ""
        # The states that items were in, by their tags, and the tags of each item, by its id.
        self.states: dict[str, Any] = {}
        self.tags: dict[str, list[str]] = {}
        # Pages that have a next one, with its cursor, and writes that were carried out under a key.
        self.pages: dict[str, list[tuple[Request, str]]] = {org: [] for org in ORGS}
        self.carried_out: dict[str, list[Request]] = {org: [] for org in ORGS}
        # Ids of the other's that an organisation has said in a filter, which its own acts have since then.
        self.filtered_by: dict[str, set[str]] = {org: set() for org in ORGS}
        self.asked = 0
        self.agreed = True
        self.patch = pytest.MonkeyPatch()
        for module in CLOCKS:
            self.patch.setattr(f"foreman.{module}.now_ms", lambda: self.model.now)
        self.patch.setattr("foreman.auth.rate_limit.FAILED_ATTEMPTS", parse(f"{LIMIT}/hour"))
        self.patch.setattr(type(self.database), "leads", lambda _: True)

    def note_the_views(self) -> None:
        """Which views there are, and which of them write."""
        known = {
            name
            for name, view in self.app.view_functions.items()
            if not is_public(view) and not operation_of(view).admin  # these have a model of their own
        }
        self.views.update(known)
        reading = {"GET", "HEAD", "OPTIONS"}
        self.writing.update(
            rule.endpoint
            for rule in self.app.url_map.iter_rules()
            if rule.endpoint in known and set(rule.methods or ()) - reading
        )

    def teardown(self) -> None:
        try:
            if self.agreed:
                self.compare_everything()
        finally:
            self.patch.undo()
            self.database.close()
            self.ending.close()
            shutil.rmtree(self.directory)

    def compare_everything(self) -> None:
        """What is compared in the end."""

    # Keys, and the background

    def issue_key(self, org: str, *, read_only: bool) -> None:
        """A new API key."""
        key = keys.issue(self.database, org, "test", read_only=read_only)
        self.model.keys[key] = Key(org, read_only)
        self.issued[org].append(key)
        self.key_ids[key] = next(
            str(each["id"]) for each in keys.every(self.database) if each["id"] not in self.key_ids.values()
        )

    def carry_out_acts(self) -> None:
        """What the background does with acts that have been asked for."""
        with self.app.app_context():
            with self.database.read() as tx:
                to_do = [acts.unfinished(tx, seq) for seq, _ in sorted(tx.all(acts.TO_DO))]
            for act in to_do:
                acts.carry_out(self.database, act, work_of, Never())

    def forget(self) -> None:
        """What the background does with what is old."""
        with self.app.app_context():
            acts.delete_old(self.database, self.model.now - acts.KEPT, Never())
            idempotency.forget(self.database, self.model.now - FORGOTTEN_AFTER, Never())

    # Asking

    def probe(self, rival: str, request: Request, in_own_header: bool) -> None:
        """The rival names what the organisation has: it gets to read what it gets for ids that do not exist."""
        owned = self.model.ids_of(THE_OTHER[rival])
        named = sorted({found[0] for found in UUID.finditer(request.texts().lower()) if found[0] in owned})
        if not named:
            return
        if request.path in ACTS_OVER_FILTERS:  # one whose filter nothing meets is carried out, also under a key
            request = replace(request, once=None)
        nothing = {name: f"{UNKNOWN_ID[:-4]}{number:04x}" for number, name in enumerate(named)}
        about_nothing = request.replacing(
            {each: unknown for name, unknown in nothing.items() for each in (name, name.upper())}
        )
        key = self.issued[rival][0]
        first, second = (self.ask(rival, key, each, in_own_header) for each in (request, about_nothing))
        assert first.status == second.status
        assert first.data == second.data or first.status_code == 202
        different = {"X-Request-Id", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
        different |= {"Location", "Content-Length"} if first.status_code == 202 else set()
        for answer in (first, second):
            for name in different:
                answer.headers.pop(name, None)
        assert list(first.headers) == list(second.headers)

    def ask(self, org: str, key: str | None, request: Request, in_own_header: bool = False) -> TestResponse:
        """The server's answer, which is the model's."""
        self.agreed = False
        as_said, request = request, request.replacing({"TOKEN": TOKENS[org]})
        response = self.send(request, key, in_own_header)
        given = Given(response, self.last_id)
        expected = self.model.answer(request, key, given)
        self.last_id = given.last_id
        self.compare(request, response, expected)
        if response.status_code == 202:
            self.filtered_by[org] |= self.model.ids_of(THE_OTHER[org]) & {each[0] for each in ids_in(request)}
        if expected.next_cursor is not None:
            self.pages[org].append((as_said, expected.next_cursor))
        if request.once is not None and response.status_code < 300 and not request.reads:
            self.carried_out[org].append(as_said)
        self.search_for_leaks(org, response)
        self.agreed = True
        return response

    def send(self, request: Request, key: str | None, in_own_header: bool) -> TestResponse:
        """Send a request to the server."""
        self.asked += 1
        headers = {"X-Request-Id": f"request.{len(str(self.asked)):03}"}
        if key is not None:
            headers |= {"X-API-Key": key} if in_own_header else {"Authorization": f"Bearer {key}"}
        if request.condition is not None:
            headers["If-None-Match" if request.reads else "If-Match"] = request.condition.header
        if request.once is not None:
            headers["Idempotency-Key"] = request.once
        if request.is_strict:
            headers["Prefer"] = "handling=strict"
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        response = self.http.open(
            BASE_PATH + quote(request.path),
            method=request.method,
            query_string=urlencode(request.query),
            headers=headers,
            data=None if request.body is None else request.body.encode(),
        )
        assert response.headers["X-Request-Id"] == headers["X-Request-Id"]
        return response

    def compare(self, request: Request, response: TestResponse, expected: Answer) -> None:
        """All that the model says of an answer, and which view has given it."""
        bodiless = request.method == "HEAD" or expected.status == 304
        body = None if bodiless else told(response.data)
        assert (response.status_code, body) == (expected.status, expected.body), request
        assert response.headers.get("Content-Type") == (None if expected.status == 304 else "application/json")
        self.compare_tags(response, expected)
        assert response.headers.get("Location") == (expected.location and BASE_PATH + expected.location)
        assert response.headers.get("Link") == link_to_next(request, expected)
        assert response.headers.get("X-RateLimit-Remaining", type=int) == expected.remaining
        assert response.headers.get("WWW-Authenticate") == ("Bearer" if expected.status == 401 else None)
        assert response.headers.get("Idempotency-Replayed") == ("true" if expected.is_replayed else None)
        was_strict = response.headers.get("Preference-Applied") == "handling=strict"
        assert was_strict or not (request.is_strict and request.body is not None and expected.status < 300)
        assert request.is_strict or not was_strict
        view, _ = self.app.url_map.bind("").match(BASE_PATH + request.path, request.method)
        self.seen[view, expected.status] += 1
        self.replayed[view] += expected.is_replayed
        self.continued[view] += expected.status == 200 and any(dict(request.query).get("cursor", ""))

    def compare_tags(self, response: TestResponse, expected: Answer) -> None:
        """An item's tag is the same exactly while its state is."""
        item, tag = expected.item, response.headers.get("ETag")
        if item is None:
            assert tag is None
            return
        assert tag is not None
        assert self.states.setdefault(tag, item) == item
        tags = self.tags.setdefault(item["id"], [])
        assert [each for each in tags if self.states[each] == item] in ([tag], [])
        if tag not in tags:
            tags.append(tag)

    def search_for_leaks(self, org: str, response: TestResponse) -> None:
        """Keys are in no answer; what an organisation calls its own is in none to the other, or to nobody."""
        headers = [(name, value) for name, value in response.headers if name != "Link"]  # it has what was asked for
        text = f"{response.status}\n{headers}\n{response.text}"
        assert not any(key.rsplit("_", 1)[1] in text or key_id in text for key, key_id in self.key_ids.items())
        for owner in ORGS:
            if owner != org or response.status_code in (401, 403):
                secrets = {owner, TOKENS[owner], *self.model.ids_of(owner)} - self.filtered_by[org]
                assert not any(secret in text for secret in secrets), text


def ids_in(request: Request) -> Iterator[re.Match[str]]:
    """All ids that a request names."""
    return UUID.finditer(request.texts().lower())


def link_to_next(request: Request, expected: Answer) -> str | None:
    """The header `Link`: to the next page, with all other parameters."""
    if expected.next_cursor is None:
        return None
    kept = [(name, value) for name, value in request.query if name not in ("cursor", "offset")]
    return f'<?{urlencode([*kept, ("cursor", expected.next_cursor)])}>; rel="next"'
