"""API keys of two organisations, used and managed in any order: every answer is that of a model in plain Python."""

import json
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from limits import parse
from werkzeug.test import TestResponse

from foreman.auth import keys
from foreman.background import last_uses
from foreman.config import Settings
from foreman.factory import create_app
from foreman.http.contract import BASE_PATH
from tests.support.api import UNKNOWN_ID, Json
from tests.support.clock import Clock, iso
from tests.support.contents import violations_in
from tests.support.engines import engine
from tests.support.proof import FULL, REPRODUCIBLE, much

pytestmark = pytest.mark.proof

ORGS = ("acme", "rival")
DAY = 86_400_000

EVERYTHING = frozenset(keys.SCOPES)
SOME_SCOPES = [{"read"}, {"read", "write"}, {"read", "admin"}, EVERYTHING]
SECONDS = st.sampled_from([1, 60, 3600, 90_000])


@dataclass
class Key:
    """A key as the model knows it.

    :ivar used_at: when it was last used; what is in the database may be older
    """

    id: str
    secret: str
    org: str
    environment: str
    name: str | None
    scopes: frozenset[str]
    created_at: int
    expires_at: int | None
    revoked_at: int | None = None
    used_at: int | None = None
    known_used_at: int | None = None

    def refusal(self, now: int) -> str | None:
        """Why it is not let in."""
        if self.revoked_at is not None:
            return "Invalid API key"
        if self.expires_at is not None and self.expires_at <= now:
            return "This API key has expired"
        return None

    def to_json(self) -> Json:
        return {
            "id": self.id,
            "orgId": self.org,
            "environment": self.environment,
            "name": self.name,
            "scopes": [scope for scope in keys.SCOPES if scope in self.scopes],
            "createdAt": iso(self.created_at),
            "expiresAt": iso(self.expires_at),
            "lastUsedAt": iso(self.known_used_at),
            "revokedAt": iso(self.revoked_at),
        }


@dataclass(frozen=True)
class Which:
    """A key, counted from the newest: of the organisation or of the other one; or an id that nothing has."""

    whose: str
    place: int


whiches = st.builds(Which, st.sampled_from(["own"] * 8 + ["the other's", "nobody's"]), st.integers(0, 5))


@dataclass
class Model:
    """All keys, oldest first."""

    keys: list[Key] = field(default_factory=list)

    def of(self, org: str) -> list[Key]:
        return [key for key in self.keys if key.org == org]


class Keys(RuleBasedStateMachine):
    """A server, and the model of its keys."""

    seen: ClassVar[Counter[tuple[str, int]]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="foreman-"))
        self.ending = ExitStack()
        self.ending.enter_context(engine.forgotten())
        file = self.directory / "foreman.db"
        chosen = Settings(database=engine.url(file), durability="normal", rate_limit=None)
        self.database = engine.open(file, chosen)
        self.app = create_app(chosen, self.database)
        self.http = self.app.test_client()
        self.model = Model()
        self.clock = Clock()
        self.patch = pytest.MonkeyPatch()
        for module in ("keys", "api_keys", "caller", "last_uses"):
            self.patch.setattr(f"foreman.auth.{module}.now_ms", self.clock)
        self.patch.setattr("foreman.auth.rate_limit.FAILED_ATTEMPTS", parse("1000000/hour"))

    def teardown(self) -> None:
        try:
            for org in ORGS:
                if self.model.of(org):
                    self.issue(org, EVERYTHING, None)
                    self.list(org, 0, limit=100, offset=0)
            assert violations_in(self.app.settings.database) == []
        finally:
            self.patch.undo()
            self.database.close()
            self.ending.close()
            shutil.rmtree(self.directory)

    @initialize()
    def begin(self) -> None:
        for org in ORGS:
            self.issue(org, EVERYTHING, None)

    # What is done

    @rule(milliseconds=st.sampled_from([1, 999, 60_000, 3_600_000, DAY - 1]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.move(milliseconds)

    @rule(org=st.sampled_from(ORGS), scopes=st.sampled_from(SOME_SCOPES), seconds=st.none() | SECONDS)
    def issue(self, org: str, scopes: frozenset[str], seconds: int | None) -> None:
        """By the command line, which may do everything."""
        end = None if seconds is None else self.clock.now + seconds * 1000
        options: dict[str, Any] = {"read_only": "write" not in scopes, "admin": "admin" in scopes, "expires_at": end}
        secret = keys.issue(self.database, org, "test", **options)
        known = {key.id for key in self.model.keys}
        (key_id,) = (each["id"] for each in keys.every(self.database) if each["id"] not in known)
        self.model.keys.append(Key(key_id, secret, org, "test", None, frozenset(scopes), self.clock.now, end))

    @rule(org=st.sampled_from(ORGS), place=st.integers(0, 5), method=st.sampled_from(["GET", "POST"]))
    def use(self, org: str, place: int, method: str) -> None:
        key = self.caller(org, place)
        may = method == "GET" or "write" in key.scopes
        body = {"inputData": 1} if method == "POST" else None
        response = self.send(key, method, "/runs", body)
        if not self.refused(key, response):
            assert response.status_code == ((200 if method == "GET" else 201) if may else 403)

    @rule(
        org=st.sampled_from(ORGS), place=st.integers(0, 5), scopes=st.none() | st.sampled_from(SOME_SCOPES),
        environment=st.none() | st.just("ci"), name=st.none() | st.just("build server"),
        end=st.sampled_from(["never", "in", "at", "past", "both"]), seconds=SECONDS,
    )  # fmt: skip
    def create(
        self,
        org: str,
        place: int,
        scopes: set[str] | None,
        environment: str | None,
        name: str | None,
        end: str,
        seconds: int,
    ) -> None:
        caller, now = self.caller(org, place), self.clock.now
        at = now + seconds * 1000
        ends: dict[str, Json] = {
            "never": {},
            "in": {"expiresIn": seconds},
            "at": {"expiresAt": iso(at)},
            "past": {"expiresAt": iso(now)},
            "both": {"expiresAt": iso(at), "expiresIn": seconds},
        }
        given = {"environment": environment, "name": name, "scopes": None if scopes is None else sorted(scopes)}
        body: Json = {**{name: value for name, value in given.items() if value is not None}, **ends[end]}
        response = self.send(caller, "POST", "/keys", body)
        if self.refused(caller, response, manages=True):
            return
        wanted = frozenset({"read", "write"} if scopes is None else scopes)
        if end in ("past", "both"):
            assert response.status_code == 400
            assert [each["field"] for each in response.json["details"]] == [  # type: ignore[index]
                "expiresAt" if end == "past" else "expiresIn"
            ]
        elif "write" in wanted and "write" not in caller.scopes:
            assert (response.status_code, response.json["error"]) == (  # type: ignore[index]
                403, "This API key may not give the scope write",
            )  # fmt: skip
        else:
            expires_at = None if end == "never" else at
            self.add(response, org, environment or caller.environment, name, wanted, expires_at)

    @rule(
        org=st.sampled_from(ORGS), place=st.integers(0, 5), which=whiches,
        seconds=st.none() | st.sampled_from([0, 60, 90_000]), life=st.sampled_from(["unsaid", None, 60, 90_000]),
    )  # fmt: skip
    def rotate(self, org: str, place: int, which: Which, seconds: int | None, life: str | int | None) -> None:
        caller, now, (key_id, old) = self.caller(org, place), self.clock.now, self.chosen(org, which)
        body: Json = {} if seconds is None else {"expiresIn": seconds}
        if life != "unsaid":
            body["newExpiresIn"] = life
        response = self.send(caller, "POST", f"/keys/{key_id}/rotate", body)
        if self.refused(caller, response, manages=True):
            return
        if old is None or old.org != org:
            assert (response.status_code, response.json["error"]) == (404, "API key not found")  # type: ignore[index]
        elif old.refusal(now) is not None:
            assert response.status_code == 409
        elif "write" in old.scopes and "write" not in caller.scopes:
            assert response.status_code == 403
        elif old.expires_at is not None and life == "unsaid":
            assert response.status_code == 400
        else:
            expires_at = now + life * 1000 if isinstance(life, int) else None
            self.add(response, org, old.environment, old.name, old.scopes, expires_at)
            until = now + (DAY if seconds is None else seconds * 1000)
            old.expires_at = until if old.expires_at is None else min(until, old.expires_at)

    @rule(org=st.sampled_from(ORGS), place=st.integers(0, 5), which=whiches)
    def revoke(self, org: str, place: int, which: Which) -> None:
        caller, (key_id, key) = self.caller(org, place), self.chosen(org, which)
        response = self.send(caller, "DELETE", f"/keys/{key_id}")
        if self.refused(caller, response, manages=True):
            return
        if key is not None and key.org == org and key.revoked_at is None:
            key.revoked_at = self.clock.now
        self.compare_one(response, org, key)

    @rule(org=st.sampled_from(ORGS), place=st.integers(0, 5), which=whiches)
    def get(self, org: str, place: int, which: Which) -> None:
        caller, (key_id, key) = self.caller(org, place), self.chosen(org, which)
        response = self.send(caller, "GET", f"/keys/{key_id}")
        if not self.refused(caller, response, manages=True):
            self.compare_one(response, org, key)

    @rule(
        org=st.sampled_from(ORGS), place=st.integers(0, 5), limit=st.sampled_from([1, 2, 100]), offset=st.integers(0, 3)
    )
    def list(self, org: str, place: int, limit: int, offset: int) -> None:
        caller = self.caller(org, place)
        response = self.send(caller, "GET", f"/keys?limit={limit}&offset={offset}")
        if self.refused(caller, response, manages=True):
            return
        own = self.model.of(org)
        items = [key.to_json() for key in own[offset : offset + limit]]
        assert response.json == {"items": items, "total": len(own), "limit": limit, "offset": offset}

    @rule()
    def last_uses_are_written(self) -> None:
        last_uses.write(self.database, self.app.last_uses)
        for key in self.model.keys:
            key.known_used_at = key.used_at

    @invariant()
    def secrets_differ(self) -> None:
        assert len({key.secret for key in self.model.keys}) == len(self.model.keys)

    # How it is compared

    def caller(self, org: str, place: int) -> Key:
        own = self.model.of(org)
        return own[-1 - place % len(own)]

    def chosen(self, org: str, which: Which) -> tuple[str, Key | None]:
        if which.whose == "nobody's":
            return UNKNOWN_ID, None
        (other,) = {*ORGS} - {org}
        key = self.caller(org if which.whose == "own" else other, which.place)
        return key.id, key

    def send(self, key: Key, method: str, path: str, body: Json | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {key.secret}"}
        sent: Json = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = self.http.open(f"{BASE_PATH}{path}", method=method, headers=headers, **sent)
        view, _ = self.app.url_map.bind("").match(f"{BASE_PATH}{path.partition('?')[0]}", method)
        self.seen[view, response.status_code] += 1
        issued = response.json.get("key") if response.json else None
        assert not [each for each in self.model.keys if each.secret in response.text and each.secret != issued]
        return response

    def refused(self, key: Key, response: TestResponse, *, manages: bool = False) -> bool:
        """Whether the key is refused, as it has to be. If not, it has been used."""
        assert response.json is not None
        if (refusal := key.refusal(self.clock.now)) is not None:
            assert (response.status_code, response.json["error"]) == (401, refusal)
            return True
        key.used_at = self.clock.now
        if manages and "admin" not in key.scopes:
            assert (response.status_code, response.json["error"]) == (403, "This API key may not manage keys")
            return True
        assert response.status_code != 401
        return False

    def add(
        self,
        response: TestResponse,
        org: str,
        environment: str,
        name: str | None,
        scopes: frozenset[str],
        expires_at: int | None,
    ) -> None:
        shown = dict(response.json or {})
        assert response.status_code == 201, shown
        key = Key(shown["id"], shown["key"], org, environment, name, scopes, self.clock.now, expires_at)
        assert shown == {**key.to_json(), "key": key.secret}
        assert key.secret.startswith(f"fmn_{environment}_{org}_")
        assert response.headers["Location"] == f"{BASE_PATH}/keys/{key.id}"
        self.model.keys.append(key)

    def compare_one(self, response: TestResponse, org: str, key: Key | None) -> None:
        if key is None or key.org != org:
            assert (response.status_code, (response.json or {})["error"]) == (404, "API key not found")
        else:
            assert (response.status_code, response.json) == (200, key.to_json())


def test_keys_are_what_the_model_says() -> None:
    Keys.seen.clear()
    run_state_machine_as_test(Keys, settings=settings(REPRODUCIBLE, max_examples=much(200, 25), stateful_step_count=40))
    views = {view for view, _ in Keys.seen if view.startswith("keys.")}
    assert len(views) == 5
    for view in views if FULL else {"keys.create_key", "keys.rotate_key"}:
        for status in (200 if view in ("keys.get_key", "keys.list_keys", "keys.revoke_key") else 201, 401, 403):
            assert Keys.seen[view, status], (view, status)
