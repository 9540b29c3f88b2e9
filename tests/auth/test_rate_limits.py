"""The rate limits against who has many keys or many addresses: what was refused stays refused, and nobody else is."""

from collections.abc import Iterator

import httpx
import pytest
from limits import parse

from foreman.auth import counters, let_in, rate_limit
from foreman.auth.addresses import network_of
from foreman.auth.let_in import LetIn
from tests.support.api import GUESS, assert_error, ok
from tests.support.running import Running, Start

PROXY = "127.0.0.1"
SMALL = 20


@pytest.fixture
def served(start: Start, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server that remembers little, behind a proxy that says where its clients are."""
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    monkeypatch.setattr(counters, "_REMEMBERED", SMALL)
    monkeypatch.setattr(let_in, "_CALLERS", SMALL)
    return start(trusted_proxy=PROXY, rate_limit=parse("3/hour"))


@pytest.fixture
def trusting(start: Start, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The same, with every key taken at its word."""
    monkeypatch.setattr(rate_limit, "FAILED_ATTEMPTS", parse("3/hour"))
    monkeypatch.setattr(counters, "_REMEMBERED", SMALL)
    monkeypatch.setattr(let_in, "_CALLERS", SMALL)
    return start(trusted_proxy=PROXY, rate_limit=parse("3/hour"), auth="trust")


@pytest.fixture
def anybody(served: Running) -> Iterator[httpx.Client]:
    with served.anonymous() as anybody:
        yield anybody


def ask(client: httpx.Client, address: str, key: str = GUESS) -> httpx.Response:
    return client.get("/runs", headers={"X-Forwarded-For": address, "X-API-Key": key})


def block(client: httpx.Client, address: str) -> None:
    assert [ask(client, address).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_address_stays_blocked_however_many_others_fail(anybody: httpx.Client) -> None:
    block(anybody, "192.0.2.1")
    for number in range(5 * SMALL):
        assert_error(ask(anybody, f"198.51.100.{number}"), 401)
    assert_error(ask(anybody, "192.0.2.1"), 429)


def test_limit_that_is_used_up_stays_so_however_many_addresses_fail(served: Running, anybody: httpx.Client) -> None:
    key = served.key()
    assert [ask(anybody, "192.0.2.1", key).status_code for _ in range(4)] == [200, 200, 200, 429]
    for number in range(5 * SMALL):
        ask(anybody, f"198.51.100.{number}")
    assert_error(ask(anybody, "192.0.2.1", key), 429)


def test_limit_that_is_used_up_stays_so_however_many_other_keys_there_are(trusting: Running) -> None:
    with trusting.anonymous() as client:
        assert [ask(client, "192.0.2.1").status_code for _ in range(4)] == [200, 200, 200, 429]
        for number in range(5 * SMALL):
            ok(ask(client, "192.0.2.1", f"fmn_test_acme_{number}"))
        assert_error(ask(client, "192.0.2.1"), 429)


def test_addresses_of_one_ipv6_network_fail_together(served: Running, anybody: httpx.Client) -> None:
    statuses = [ask(anybody, f"2001:db8:0:1:{number:x}::1").status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert_error(ask(anybody, "2001:DB8:0:1::", served.key()), 429)
    assert_error(ask(anybody, "2001:db8:0:2::1"), 401)


def test_who_was_let_in_from_an_ipv6_network_is_let_in_from_all_of_it(served: Running, anybody: httpx.Client) -> None:
    key, other = served.key(), served.key()
    ok(ask(anybody, "2001:db8::1", key))
    block(anybody, "2001:db8::2")
    ok(ask(anybody, "2001:db8::ffff:3", key))
    assert_error(ask(anybody, "2001:db8::1", other), 429)


def test_one_caller_with_many_addresses_does_not_push_out_another(served: Running, anybody: httpx.Client) -> None:
    colleague, rover = served.key(), served.key()
    ok(ask(anybody, "192.0.2.1", colleague))
    for number in range(5 * SMALL):
        ask(anybody, f"198.51.100.{number}", rover)
    block(anybody, "192.0.2.1")
    ok(ask(anybody, "192.0.2.1", colleague))


def test_callers_that_were_let_in_are_remembered_by_when_they_were_seen_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(let_in, "_CALLERS", 3)
    monkeypatch.setattr(let_in, "_NETWORKS", 2)
    remembered = LetIn()
    for caller in "abc":
        remembered.add("here", caller)
    assert remembered.knows("here", "a")
    remembered.add("here", "d")
    assert [remembered.knows("here", caller) for caller in "abcd"] == [True, False, True, True]
    remembered.add("there", "a")
    assert remembered.knows("here", "a")
    remembered.add("elsewhere", "a")
    assert [remembered.knows(network, "a") for network in ("here", "there", "elsewhere")] == [True, False, True]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, "None"),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("a:path", "a:path"),
        ("1.2.3.4%:", "1.2.3.4%:"),
    ],
)
def test_network_of_an_address(address: str | None, network: str) -> None:
    assert network_of(address) == network
