"""What a key may do: every route there is with every set of scopes; new routes are covered on arrival."""

import httpx
import pytest

from foreman.vocabulary import READING_METHODS
from tests.promises.test_tenancy import GUARDED, send, things_of
from tests.support.api import assert_error, ok
from tests.support.contents import rows
from tests.support.running import Running

READ, WRITE, ADMIN = "read", "write", "admin"
SETS_OF_SCOPES = [[READ], [READ, WRITE], [READ, ADMIN], [READ, WRITE, ADMIN]]


def refusal(method: str, rule: str, scopes: list[str]) -> str | None:
    """Why a key with these scopes may not use a route."""
    if rule.startswith("/keys"):
        return None if ADMIN in scopes else "This API key may not manage keys"
    return None if method in READING_METHODS or WRITE in scopes else "This API key may only read"


def test_there_are_routes_of_every_kind() -> None:
    refused = [refusal(method, rule, scopes) for method, rule in GUARDED for scopes in SETS_OF_SCOPES]
    assert len({*refused}) == 3
    assert len(refused) > 60


@pytest.mark.parametrize(("method", "rule"), GUARDED, ids=[" ".join(route) for route in GUARDED])
def test_key_may_do_what_its_scopes_say_and_nothing_else(served: Running, method: str, rule: str) -> None:
    with served.client(admin=True) as owner:
        for scopes in SETS_OF_SCOPES:
            ids = things_of(owner)
            key = ok(owner.post("/keys", json={"scopes": scopes}), 201)
            before = rows(served.location)
            with served.client_with(key["key"]) as client:
                response = send(client, method, rule, ids)
            message = refusal(method, rule, scopes)
            if message is None:
                assert response.is_success, (scopes, response.text)
                continue
            assert_refused(response, method, message)
            assert rows(served.location) == before


def assert_refused(response: httpx.Response, method: str, message: str) -> None:
    if method == "HEAD":
        assert response.status_code == 403
    else:
        assert assert_error(response, 403)["error"] == message
