"""`/keys`: keys with the scope `admin` manage those of their organisation."""

import hashlib
import http.client
import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from limits import parse

from foreman.auth import keys
from foreman.http.contract import operation_of
from tests.support.api import UNKNOWN_ID, UUID7, Json, assert_error, make_run, ok
from tests.support.clock import Clock, Time, iso
from tests.support.contents import text_of
from tests.support.running import Running, Start

DAY = 86_400_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that says when keys are issued, revoked and expire."""
    clock = Clock()
    for module in ("keys", "api_keys", "caller", "last_uses"):
        monkeypatch.setattr(f"foreman.auth.{module}.now_ms", clock)
    return clock


@pytest.fixture
def admin(served: Running, clock: Clock) -> Iterator[httpx.Client]:  # noqa: ARG001  # it issues by that clock
    """A client of acme with every scope."""
    with served.client(admin=True) as client:
        yield client


def issue(admin: httpx.Client, **fields: Any) -> Json:
    return ok(admin.post("/keys", json=fields), 201)


def error_of(served: Running, key: Json) -> str | None:
    """What a request with this key is answered; None when it is let in."""
    with served.client_with(key["key"]) as client:
        response = client.get("/runs")
    return None if response.status_code == 200 else str(assert_error(response, 401)["error"])


# Issuing ------------------------------------------------------------------------------------------------------------


def test_new_key_may_read_and_write_in_the_callers_environment_and_does_not_expire(
    served: Running, admin: httpx.Client, clock: Clock
) -> None:
    response = admin.post("/keys", json={})
    key = ok(response, 201)
    assert UUID7.fullmatch(key["id"])
    assert re.fullmatch(r"fmn_test_acme_[A-Za-z0-9]{32}", key["key"])
    shown = {
        "id": key["id"],
        "orgId": "acme",
        "environment": "test",
        "name": None,
        "scopes": ["read", "write"],
        "createdAt": clock.text,
        "expiresAt": None,
        "lastUsedAt": None,
        "revokedAt": None,
    }
    assert key == {**shown, "key": key["key"]}
    assert response.headers["Location"] == f"/api/v1/keys/{key['id']}"
    assert ok(admin.get(f"/keys/{key['id']}")) == shown
    with served.client_with(key["key"]) as client:
        assert make_run(client)["orgId"] == "acme"


def test_name_environment_and_scopes_are_those_that_are_asked_for(admin: httpx.Client) -> None:
    key = issue(admin, name="build server", environment="ci", scopes=["admin", "read"])
    assert (key["name"], key["environment"], key["scopes"]) == ("build server", "ci", ["read", "admin"])
    assert key["key"].startswith("fmn_ci_acme_")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (["read"], ["read"]),
        (["write"], ["read", "write"]),
        (["admin"], ["read", "admin"]),
        (["admin", "write", "read"], ["read", "write", "admin"]),
        (["read", "read"], ["read"]),
    ],
)
def test_every_key_may_read(admin: httpx.Client, asked: list[str], given: list[str]) -> None:
    assert issue(admin, scopes=asked)["scopes"] == given


def test_expiry_is_a_time_or_a_number_of_seconds(admin: httpx.Client, clock: Clock) -> None:
    assert issue(admin, expiresIn=90)["expiresAt"] == iso(clock.now + 90_000)
    assert issue(admin, expiresAt="2031-01-01T00:00:00Z")["expiresAt"] == "2031-01-01T00:00:00.000Z"
    assert issue(admin, expiresAt="2031-01-01T02:00:00.0001+02:00")["expiresAt"] == "2031-01-01T00:00:00.001Z"
    assert issue(admin, expiresAt="9999-12-31T23:59:59.999Z")["expiresAt"] == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": None}, "name"),
        ({"environment": "Prod"}, "environment"),
        ({"environment": "prod\n"}, "environment"),
        ({"environment": ""}, "environment"),
        ({"environment": "e" * 65}, "environment"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "\x1b[2J"}, "name"),
        ({"name": "gnp.\u202eexe"}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": ["read", "everything"]}, "scopes.1"),
        ({"scopes": ["read", ["write"]]}, "scopes.1"),
        ({"scopes": None}, "scopes"),
        ({"expiresIn": 0}, "expiresIn"),
        ({"expiresIn": -1}, "expiresIn"),
        ({"expiresIn": 1.5}, "expiresIn"),
        ({"expiresIn": "90"}, "expiresIn"),
        ({"expiresIn": 10**20}, "expiresIn"),
        ({"expiresAt": 1_800_000_000}, "expiresAt"),
        ({"expiresAt": "2031-01-01"}, "expiresAt"),
        ({"expiresAt": "2031-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "2031-02-30T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2024-01-01T00:00:00Z"}, "expiresAt"),  # now
        ({"expiresAt": "1900-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-01:00"}, "expiresAt"),
        ({"expiresAt": "2031-01-01T00:00:00Z", "expiresIn": 90}, "expiresIn"),
    ],
)
def test_what_a_key_cannot_be_is_refused_and_none_is_issued(admin: httpx.Client, body: Json, field: str) -> None:
    assert_error(admin.post("/keys", json=body), 400, field)
    assert ok(admin.get("/keys"))["total"] == 1


def test_key_gives_no_scope_that_it_does_not_have(served: Running, admin: httpx.Client) -> None:
    writer = issue(admin)
    with served.client(read_only=True, admin=True) as manager:
        for scopes in ({}, {"scopes": ["write"]}, {"scopes": ["read", "write", "admin"]}):
            refused = assert_error(manager.post("/keys", json=scopes), 403)
            assert refused["error"] == "This API key may not give the scope write"
        assert_error(manager.post(f"/keys/{writer['id']}/rotate", json={}), 403)
        reader = issue(manager, scopes=["read", "admin"])
        ok(manager.post(f"/keys/{reader['id']}/rotate", json={}), 201)
        ok(manager.delete(f"/keys/{writer['id']}"))
    assert error_of(served, writer) == "Invalid API key"


# Reading ------------------------------------------------------------------------------------------------------------


def test_list_has_all_keys_of_the_organisation_oldest_first_in_pages(served: Running, admin: httpx.Client) -> None:
    served.key("rival")
    (own,) = ok(admin.get("/keys"))["items"]
    issued = [issue(admin, name=str(number)) for number in range(4)]
    ok(admin.delete(f"/keys/{issued[1]['id']}"))
    shown = [ok(admin.get(f"/keys/{key['id']}")) for key in (own, *issued)]
    assert ok(admin.get("/keys")) == {"items": shown, "total": 5, "limit": 20, "offset": 0}
    page = {"items": shown[3:5], "total": 5, "limit": 2, "offset": 3}
    assert ok(admin.get("/keys", params={"limit": 2, "offset": 3})) == page
    assert ok(admin.get("/keys", params={"offset": 2**63 - 1}))["items"] == []
    for query in ({"limit": 0}, {"limit": 101}, {"offset": -1}, {"sortBy": "name"}):
        assert_error(admin.get("/keys", params=query), 400, *query)


def test_neither_a_key_nor_its_hash_is_ever_shown_again(served: Running, admin: httpx.Client) -> None:
    key = issue(admin)
    digest = hashlib.sha256(key["key"].encode()).hexdigest()
    answers = [
        admin.get("/keys"),
        admin.get(f"/keys/{key['id']}"),
        admin.post(f"/keys/{key['id']}/rotate", json={}),
        admin.delete(f"/keys/{key['id']}"),
    ]
    for answer in answers:
        assert key["key"].rsplit("_", 1)[1] not in answer.text
        assert digest[:16] not in answer.text
    assert key["key"].rsplit("_", 1)[1] not in text_of(served.location)


def test_request_that_is_sent_again_issues_no_second_key_and_gets_the_id_alone(
    served: Running, admin: httpx.Client
) -> None:
    old = issue(admin)
    for path in ("/keys", f"/keys/{old['id']}/rotate"):
        first, second = (admin.post(path, json={}, headers={"Idempotency-Key": "once"}) for _ in range(2))
        key = ok(first, 201)
        assert ok(second, 201) == {"id": key["id"]}
        assert second.headers["Idempotency-Replayed"] == "true"
        assert second.headers["Location"] == first.headers["Location"]
        assert error_of(served, key) is None
        assert key["key"].rsplit("_", 1)[1] not in text_of(served.location)
    assert ok(admin.get("/keys"))["total"] == 4


def test_request_that_is_sent_again_after_the_key_has_expired_gets_the_id_all_the_same(
    admin: httpx.Client, clock: Clock
) -> None:
    body, once = {"expiresAt": iso(clock.now + 1000)}, {"Idempotency-Key": "once"}
    key = ok(admin.post("/keys", json=body, headers=once), 201)
    clock.move(1000)
    assert ok(admin.post("/keys", json=body, headers=once), 201) == {"id": key["id"]}
    assert_error(admin.post("/keys", json=body), 400, "expiresAt")


def test_answers_with_a_key_are_not_to_be_stored(served: Running) -> None:
    views = served.app.view_functions
    kept = {name for name, view in views.items() if name.startswith("keys.") and operation_of(view).kept}
    assert kept == {"keys.list_keys", "keys.get_key", "keys.revoke_key"}
    assert operation_of(views["runs.create_run"]).kept


def test_key_of_another_organisation_is_as_if_it_did_not_exist(served: Running, admin: httpx.Client) -> None:
    served.key("rival")
    (theirs,) = (key["id"] for key in keys.every(served.database) if key["orgId"] == "rival")
    for key_id in (theirs, UNKNOWN_ID, "nonsense"):
        for answer in (
            admin.get(f"/keys/{key_id}"),
            admin.delete(f"/keys/{key_id}"),
            admin.post(f"/keys/{key_id}/rotate", json={}),
        ):
            assert assert_error(answer, 404)["error"] == "API key not found"
    assert [key["revokedAt"] for key in keys.every(served.database)] == [None, None]


def test_id_may_be_in_upper_case(admin: httpx.Client) -> None:
    key = issue(admin)
    assert ok(admin.get(f"/keys/{key['id'].upper()}"))["id"] == key["id"]
    ok(admin.post(f"/keys/{key['id'].upper()}/rotate", json={}), 201)
    assert ok(admin.delete(f"/keys/{key['id'].upper()}"))["revokedAt"]


# Revoking -----------------------------------------------------------------------------------------------------------


def test_revoked_key_is_refused_at_once_and_revoking_it_again_changes_nothing(
    served: Running, admin: httpx.Client, clock: Clock
) -> None:
    key = issue(admin)
    assert error_of(served, key) is None
    revoked = ok(admin.delete(f"/keys/{key['id']}"))
    assert revoked == {**{name: value for name, value in key.items() if name != "key"}, "revokedAt": clock.text}
    assert error_of(served, key) == "Invalid API key"
    clock.move(1000)
    assert ok(admin.delete(f"/keys/{key['id']}")) == revoked


def test_key_is_revoked_only_as_it_was_seen_if_that_is_wanted(admin: httpx.Client) -> None:
    path = f"/keys/{issue(admin)['id']}"
    seen = admin.get(path)
    assert admin.get(path, headers={"If-None-Match": seen.headers["ETag"]}).status_code == 304
    ok(admin.post(f"{path}/rotate", json={}), 201)
    assert_error(admin.delete(path, headers={"If-Match": seen.headers["ETag"]}), 412)
    current = admin.get(path)
    assert ok(current)["revokedAt"] is None
    assert ok(admin.delete(path, headers={"If-Match": current.headers["ETag"]}))["revokedAt"]
    assert_error(admin.delete(f"/keys/{UNKNOWN_ID}", headers={"If-Match": "*"}), 404)


def test_answer_with_a_key_has_no_tag(admin: httpx.Client) -> None:
    assert "ETag" not in admin.post("/keys", json={}).headers


def test_key_may_revoke_itself(admin: httpx.Client) -> None:
    (own,) = ok(admin.get("/keys"))["items"]
    assert ok(admin.delete(f"/keys/{own['id']}"))["revokedAt"]
    assert assert_error(admin.get("/keys"), 401)["error"] == "Invalid API key"


# Expiry -------------------------------------------------------------------------------------------------------------


def test_expired_key_is_refused_from_that_millisecond_on(served: Running, admin: httpx.Client, clock: Clock) -> None:
    key = issue(admin, expiresIn=60)
    clock.move(59_999)
    assert error_of(served, key) is None
    clock.move(1)
    with served.client_with(key["key"]) as client:
        refused = client.get("/runs")
    assert assert_error(refused, 401)["error"] == "This API key has expired"
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert ok(admin.get(f"/keys/{key['id']}"))["expiresAt"] == clock.text


def test_expired_key_counts_as_a_failed_attempt(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foreman.auth.rate_limit.FAILED_ATTEMPTS", parse("2/hour"))
    served = start()
    with served.client(expires_at=1) as client:
        assert [client.get("/runs").status_code for _ in range(3)] == [401, 401, 429]


def test_only_who_has_an_expired_key_learns_that_it_has_expired(served: Running, clock: Clock) -> None:
    key = served.key(expires_at=clock.now)
    with served.client_with(f"{key[:-1]}{'a' if key[-1] != 'a' else 'b'}") as guesser:
        assert assert_error(guesser.get("/runs"), 401)["error"] == "Invalid API key"


def test_revoked_key_does_not_tell_that_it_has_expired(served: Running, admin: httpx.Client, clock: Clock) -> None:
    key = issue(admin, expiresIn=1)
    ok(admin.delete(f"/keys/{key['id']}"))
    clock.move(1000)
    assert error_of(served, key) == "Invalid API key"


def test_body_of_an_expired_key_is_not_waited_for_although_the_key_was_good_a_moment_ago(
    served: Running, admin: httpx.Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event loop keeps for a second who may write."""
    monkeypatch.setattr("foreman.auth.caller._KNOWN_FOR", 3600.0)
    passing = Time()
    monkeypatch.setattr("foreman.auth.caller.time", passing)
    key = issue(admin, expiresIn=60)["key"]
    with served.client_with(key) as client:
        make_run(client)
    environ = {
        "PATH_INFO": "/api/v1/runs",
        "REQUEST_METHOD": "POST",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": "5",
        "HTTP_X_API_KEY": key,
    }
    admission = served.app.admission
    passing.goes_on(59.9)
    assert admission.known(environ) is not None
    passing.goes_on(0.1)
    clock.move(60_000)
    assert admission.known(environ) is None
    assert admission.wants_body(environ) is None


def test_body_is_read_only_of_a_key_that_may_manage_keys(served: Running, admin: httpx.Client) -> None:
    """Without the scope the answer comes before the body; with it the body is read, whatever else the key may do."""
    for is_admin, status in ((False, 403), (True, 201)):
        connection = http.client.HTTPConnection("127.0.0.1", served.server.port, timeout=30)
        connection.putrequest("POST", "/api/v1/keys")
        key = served.key(admin=is_admin, read_only=is_admin)
        for name, value in (("X-API-Key", key), ("Content-Length", "20"), ("Content-Type", "application/json")):
            connection.putheader(name, value)
        connection.endheaders()
        if status == 201:
            connection.send(b'{"scopes": ["read"]}')
        response = connection.getresponse()
        assert response.status == status, response.read()
        connection.close()
    assert ok(admin.get("/keys"))["total"] == 4


# Rotating -----------------------------------------------------------------------------------------------------------


def test_two_keys_live_side_by_side_for_a_day(served: Running, admin: httpx.Client, clock: Clock) -> None:
    old = issue(admin, name="build server", environment="ci", scopes=["read"])
    clock.move(1000)
    new = ok(admin.post(f"/keys/{old['id']}/rotate", json={}), 201)
    same = ("orgId", "name", "environment", "scopes", "expiresAt", "revokedAt")
    assert {name: new[name] for name in same} == {name: old[name] for name in same}
    assert (new["createdAt"], new["id"] != old["id"]) == (clock.text, True)
    assert ok(admin.get(f"/keys/{old['id']}"))["expiresAt"] == iso(clock.now + DAY)
    assert (error_of(served, old), error_of(served, new)) == (None, None)
    clock.move(DAY)
    assert (error_of(served, old), error_of(served, new)) == ("This API key has expired", None)


def test_rotation_needs_no_body(admin: httpx.Client, clock: Clock) -> None:
    bodies: list[Json] = [{}, {"content": b""}, {"json": {}}]
    for sent in bodies:
        old = issue(admin)
        ok(admin.post(f"/keys/{old['id']}/rotate", **sent), 201)
        assert ok(admin.get(f"/keys/{old['id']}"))["expiresAt"] == iso(clock.now + DAY)


def test_old_key_can_end_at_once(served: Running, admin: httpx.Client) -> None:
    old = issue(admin)
    new = ok(admin.post(f"/keys/{old['id']}/rotate", json={"expiresIn": 0}), 201)
    assert (error_of(served, old), error_of(served, new)) == ("This API key has expired", None)


def test_rotation_never_lets_the_old_key_live_longer(admin: httpx.Client, clock: Clock) -> None:
    old = issue(admin, expiresIn=60)
    ok(admin.post(f"/keys/{old['id']}/rotate", json={"newExpiresIn": 90}), 201)
    assert ok(admin.get(f"/keys/{old['id']}"))["expiresAt"] == iso(clock.now + 60_000)


def test_who_rotates_a_key_that_expires_says_how_long_the_new_one_lives(admin: httpx.Client, clock: Clock) -> None:
    old = issue(admin, expiresIn=600)
    refused = assert_error(admin.post(f"/keys/{old['id']}/rotate", json={"expiresIn": 0}), 400, "newExpiresIn")
    assert "null for never" in refused["details"][0]["message"]
    assert ok(admin.get("/keys"))["total"] == 2
    for seconds, expires_at in ((90, iso(clock.now + 90_000)), (None, None)):
        new = ok(admin.post(f"/keys/{old['id']}/rotate", json={"newExpiresIn": seconds}), 201)
        assert new["expiresAt"] == expires_at


def test_key_that_is_revoked_or_has_expired_has_no_successor(admin: httpx.Client, clock: Clock) -> None:
    revoked, expired = issue(admin), issue(admin, expiresIn=1)
    ok(admin.delete(f"/keys/{revoked['id']}"))
    clock.move(1000)
    for key, message in ((revoked, "The API key is revoked"), (expired, "The API key has expired")):
        answer = admin.post(f"/keys/{key['id']}/rotate", json={"newExpiresIn": None})
        assert assert_error(answer, 409)["error"] == message
    assert ok(admin.get("/keys"))["total"] == 3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expiresIn": -1}, "expiresIn"),
        ({"expiresIn": None}, "expiresIn"),
        ({"expiresIn": "60"}, "expiresIn"),
        ({"expiresIn": 10**20}, "expiresIn"),
        ({"newExpiresIn": 0}, "newExpiresIn"),
        ({"newExpiresIn": True}, "newExpiresIn"),
    ],
)
def test_wrong_lifetime_is_refused(admin: httpx.Client, body: Json, field: str) -> None:
    key = issue(admin)
    assert_error(admin.post(f"/keys/{key['id']}/rotate", json=body), 400, field)
    assert ok(admin.get(f"/keys/{key['id']}"))["expiresAt"] is None


def test_key_may_rotate_itself(served: Running, admin: httpx.Client) -> None:
    (own,) = ok(admin.get("/keys"))["items"]
    new = ok(admin.post(f"/keys/{own['id']}/rotate", json={"expiresIn": 0}), 201)
    assert assert_error(admin.get("/keys"), 401)["error"] == "This API key has expired"
    with served.client_with(new["key"]) as successor:
        assert ok(successor.get("/keys"))["total"] == 2


def test_key_that_is_rotated_by_many_at_once_gets_as_many_successors(served: Running, admin: httpx.Client) -> None:
    old, answers = issue(admin), list[httpx.Response]()

    def rotate() -> None:
        with httpx.Client(base_url=str(admin.base_url), headers=admin.headers, verify=False, timeout=60) as client:  # noqa: S501
            answers.append(client.post(f"/keys/{old['id']}/rotate", json={"newExpiresIn": None}))

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    successors = [ok(answer, 201) for answer in answers]
    assert [error_of(served, key) for key in (old, *successors)] == [None] * 9
    assert ok(admin.get("/keys"))["total"] == 10


def test_each_of_the_two_keys_has_a_rate_limit_of_its_own(start: Start) -> None:
    served = start(rate_limit=parse("3/hour"))
    with served.client(admin=True) as admin:
        (own,) = ok(admin.get("/keys"))["items"]
        new = ok(admin.post(f"/keys/{own['id']}/rotate", json={}), 201)
        ok(admin.get("/keys"))
        assert_error(admin.get("/keys"), 429)
    with served.client_with(new["key"]) as successor:
        assert [successor.get("/runs").headers["X-RateLimit-Remaining"] for _ in range(3)] == ["2", "1", "0"]


# Trust --------------------------------------------------------------------------------------------------------------


def test_who_is_only_taken_at_its_word_manages_no_keys(start: Start) -> None:
    """What it could issue would still be a key after the network is trusted no more."""
    served = start(auth="trust")
    with served.client(admin=True) as issued, served.client_with("fmn_test_acme_1") as invented:
        for client in (issued, invented):
            for answer in (client.get("/keys"), client.post("/keys", json={})):
                assert assert_error(answer, 403)["error"] == "This API key may not manage keys"
