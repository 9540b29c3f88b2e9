"""API keys: who may come in, what they may do, and how often they may try."""

import re

import httpx
import pytest
from limits import parse

from foreman.auth import keys, rate_limit
from tests.support.api import assert_error, make_run, ok
from tests.support.contents import text_of
from tests.support.running import Running, Start

WELL_FORMED = "fmn_prod_myorg_abc123"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_key_as_bearer_token_whatever_the_case_of_the_scheme(served: Running, scheme: str) -> None:
    with served.anonymous() as nobody:
        ok(nobody.get("/runs", headers={"Authorization": f"{scheme} {served.key()}"}))


def test_key_in_its_own_header(served: Running) -> None:
    with served.anonymous() as nobody:
        ok(nobody.get("/runs", headers={"X-API-Key": served.key()}))


def test_authorization_header_wins_over_the_other(served: Running) -> None:
    with served.anonymous() as nobody:
        headers = {"Authorization": f"Bearer {served.key('acme')}", "X-API-Key": served.key("rival")}
        run = ok(nobody.post("/runs", json={"inputData": 1}, headers=headers), 201)
        assert run["orgId"] == "acme"


def test_other_authorization_schemes_are_passed_over(served: Running) -> None:
    with served.anonymous() as nobody:
        basic = {"Authorization": "Basic dXNlcjpwYXNz"}
        assert_error(nobody.get("/runs", headers=basic), 401)
        ok(nobody.get("/runs", headers={**basic, "X-API-Key": served.key()}))


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (None, "Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY"),
        ("", "Missing API key: send Authorization: Bearer KEY or X-API-Key: KEY"),
        ("abc", "Invalid API key format"),
        ("fmn_prod_acme", "Invalid API key format"),
        ("fmn_prod_acme_", "Invalid API key format"),
        ("fmn_prod_Acme_abc123", "Invalid API key format"),
        ("fmn_prod_ac_me_abc123", "Invalid API key format"),
        ("fmn_prod_acme_abc-123", "Invalid API key format"),
        ("fmn_prod_acme_" + "a" * 129, "Invalid API key format"),
        (f"fmn_prod_{'o' * 65}_abc123", "Invalid API key format"),
        ("fmn_prod_acmé_abc123", "Invalid API key format"),
        (WELL_FORMED, "Invalid API key"),
    ],
)
def test_anything_but_an_issued_key_is_unauthorized(served: Running, key: str | None, message: str) -> None:
    headers = [] if key is None else [(b"X-API-Key", key.encode())]
    with served.anonymous() as nobody:
        answer = nobody.get("/runs", headers=headers)
        assert assert_error(answer, 401)["error"] == message
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_revoked_key_is_unauthorized_at_once(served: Running) -> None:
    with served.client() as client:
        ok(client.get("/runs"))
        (key,) = keys.every(served.database)
        assert keys.revoke(served.database, str(key["id"]))
        assert assert_error(client.get("/runs"), 401)["error"] == "Invalid API key"
        assert not keys.revoke(served.database, str(key["id"]))


def test_read_only_key_reads_but_does_not_write(served: Running, client: httpx.Client) -> None:
    run = make_run(client)
    with served.client("acme", read_only=True) as reader:
        assert ok(reader.get(f"/runs/{run['id']}")) == run
        assert reader.head(f"/runs/{run['id']}").status_code == 200
        assert_error(reader.post("/runs", json={"inputData": 1}), 403)
        assert_error(reader.patch(f"/runs/{run['id']}", json={"status": "running"}), 403)
        assert_error(reader.delete(f"/runs/{run['id']}/data", params={"key": "k"}), 403)
        assert ok(client.get("/runs"))["items"] == [run]


def test_issued_keys_are_unlike_each_other_and_have_190_bits(served: Running) -> None:
    issued = {served.key("acme-2") for _ in range(50)}
    assert len(issued) == 50
    assert all(re.fullmatch(r"fmn_test_acme-2_[A-Za-z0-9]{32}", key) for key in issued)


def test_only_hashes_of_keys_are_stored(served: Running) -> None:
    key = served.key()
    with served.database.read() as tx:
        (row,) = tx.all("SELECT * FROM api_key")
    assert not any(key[-16:] in str(value) for value in tuple(row))
    assert key.rsplit("_", 1)[1] not in text_of(served.location)


def test_full_hash_is_compared_not_only_its_prefix(served: Running) -> None:
    key = served.key()
    with served.database.write() as tx:
        tx.run("UPDATE api_key SET hash = hash_prefix || substr(:other, 17)", other="0" * 64)
    with served.client_with(key) as client:
        assert_error(client.get("/runs"), 401)


def test_trust_takes_any_well_formed_key_at_its_word(start: Start) -> None:
    with start(auth="trust").client_with(WELL_FORMED) as client:
        assert make_run(client)["orgId"] == "myorg"
        malformed = client.get("/runs", headers={"Authorization": "Bearer nonsense"})
        assert assert_error(malformed, 401)["error"] == "Invalid API key format"


@pytest.mark.parametrize(
    ("org_id", "environment"), [("Acme", "test"), ("acme", "te_st"), ("", "test"), ("a" * 65, "x")]
)
def test_keys_are_not_issued_for_names_that_would_make_them_ambiguous(
    served: Running, org_id: str, environment: str
) -> None:
    with pytest.raises(keys.MalformedKey):
        keys.issue(served.database, org_id, environment)


def test_health_and_documentation_need_no_key(served: Running) -> None:
    with served.anonymous() as nobody:
        ok(nobody.get("/health"))
        ok(nobody.get("/openapi.json"))
        ok(httpx.get(f"{served.url}/health"))


def test_path_that_does_not_exist_is_404_even_without_a_key(served: Running) -> None:
    with served.anonymous() as nobody:
        assert_error(nobody.get("/nothing"), 404)


# Limits -------------------------------------------------------------------------------------------------------------


def test_requests_are_counted_per_key_and_refused_beyond_the_limit(start: Start) -> None:
    served = start(rate_limit=parse("5/hour"))
    with served.client() as client, served.client() as colleague:
        remaining = [int(client.get("/runs").headers["X-RateLimit-Remaining"]) for _ in range(5)]
        assert remaining == [4, 3, 2, 1, 0]
        refused = client.get("/runs")
        assert assert_error(refused, 429)["error"] == "Rate limit exceeded: 5 per 1 hour"
        assert refused.headers["X-RateLimit-Limit"] == "5"
        assert refused.headers["X-RateLimit-Remaining"] == "0"
        assert 3500 < int(refused.headers["Retry-After"]) <= 3601
        ok(colleague.get("/runs"))


def test_refused_write_is_not_done(start: Start) -> None:
    served = start(rate_limit=parse("1/hour"))
    with served.client() as client, served.client() as colleague:
        make_run(client)
        assert_error(client.post("/runs", json={"inputData": 1}), 429)
        assert ok(colleague.get("/runs"))["total"] == 1


def test_every_kind_of_answer_shows_the_limit(start: Start) -> None:
    with start(rate_limit=parse("100/minute")).client() as client:
        for answer in (client.get("/runs"), client.get("/runs/none"), client.post("/runs", content=b"{")):
            assert answer.headers["X-RateLimit-Limit"] == "100"
            assert int(answer.headers["X-RateLimit-Reset"]) > 0


def test_writes_that_a_read_only_key_may_not_make_are_counted_too(start: Start) -> None:
    with start(rate_limit=parse("1/hour")).client(read_only=True) as reader:
        assert assert_error(reader.post("/runs", json={"inputData": 1}), 403)
        assert_error(reader.get("/runs"), 429)


def test_limit_can_be_off(served: Running) -> None:
    with served.client() as client:
        assert "X-RateLimit-Limit" not in client.get("/runs").headers


def test_health_is_not_limited(start: Start) -> None:
    with start(rate_limit=parse("1/hour")).anonymous() as nobody:
        assert {nobody.get("/health").status_code for _ in range(5)} == {200}


def test_failed_attempts_are_limited_per_address(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    with served.client() as client, served.client_with(WELL_FORMED) as guesser:
        ok(client.get("/runs"))
        assert [guesser.get("/runs").status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        assert 3500 < int(guesser.get("/runs").headers["Retry-After"]) <= 3601
        # A guess that happens to be right is not told so, but who was here before is not locked out.
        with served.client() as lucky:
            assert_error(lucky.get("/runs"), 429)
        ok(client.get("/runs"))


def test_requests_without_any_key_do_not_count_as_attempts(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    with served.anonymous() as nobody:
        assert {nobody.get("/runs").status_code for _ in range(10)} == {401}
