"""Calls from the pages of other origins, which browsers allow only where the server does."""

import httpx

from tests.support.running import Start


def test_browsers_of_allowed_origins_may_call(start: Start) -> None:
    served = start(cors_origins=("https://app.example.com",))
    preflight = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match,if-none-match,idempotency-key",
    }
    with served.client() as client:
        for origin, allowed in (("https://app.example.com", "https://app.example.com"), ("https://evil.example", None)):
            asked = client.options("/runs/some-id", headers={"Origin": origin, **preflight})
            assert asked.status_code == 200
            assert asked.headers.get("Access-Control-Allow-Origin") == allowed
            if allowed:
                wanted = set(preflight["Access-Control-Request-Headers"].split(","))
                assert set(asked.headers["Access-Control-Allow-Headers"].lower().split(", ")) == wanted
                assert "PATCH" in asked.headers["Access-Control-Allow-Methods"]
            answer = client.get("/runs", headers={"Origin": origin})
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            refused = client.get("/runs/none", headers={"Origin": origin})
            assert refused.headers.get("Access-Control-Allow-Origin") == allowed


def test_pages_of_allowed_origins_see_the_headers_that_programs_need(start: Start) -> None:
    served = start(cors_origins=("https://app.example.com",))
    with served.client() as client:
        answer = client.get("/runs", headers={"Origin": "https://app.example.com"})
        shown = set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert {"ETag", "Location", "Retry-After", "X-Request-Id"} <= shown


def test_no_origin_is_allowed_unless_set(client: httpx.Client) -> None:
    answer = client.get("/runs", headers={"Origin": "https://app.example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers
