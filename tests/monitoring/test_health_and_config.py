"""Health, the configuration that TypeScript clients read, and calls from browsers."""

import re

import httpx
import pytest

from tests.conftest import Running, Start, assert_error, ok


@pytest.mark.parametrize("path", ["/health", "/api/v1/health"])
def test_healthy_while_the_database_answers(start: Start, path: str) -> None:
    served = start(environment="staging")
    health = ok(httpx.get(served.url + path))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", health.pop("timestamp"))
    assert health == {"status": "healthy", "environment": "staging", "services": {"database": "connected"}}


def test_unhealthy_when_the_database_does_not_answer(served: Running) -> None:
    with served.database.write() as tx:
        tx.run("ALTER TABLE run RENAME TO elsewhere")
    answer = httpx.get(f"{served.url}/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["services"] == {"database": "disconnected"}


def test_config_has_the_usual_queues(client: httpx.Client) -> None:
    queues = {"taskQueue": "foreman-tasks", "resultQueue": "foreman-results"}
    redis = {"host": "localhost", "port": 6379}
    assert ok(client.get("/config/queues")) == queues
    assert ok(client.get("/config/redis")) == redis
    assert ok(client.get("/config")) == {
        "version": "0.2.0",
        "environment": "production",
        "redis": redis,
        "queues": queues,
    }


def test_config_follows_the_settings(start: Start) -> None:
    served = start(redis_host="queue.internal", redis_port=6380, redis_password="secret", redis_db=0, task_queue="t")
    with served.client() as client:
        expected = {"host": "queue.internal", "port": 6380, "password": "secret", "db": 0}
        assert ok(client.get("/config/redis")) == expected
        assert ok(client.get("/config"))["redis"] == expected
        assert ok(client.get("/config/queues"))["taskQueue"] == "t"


@pytest.mark.parametrize("path", ["/config", "/config/redis", "/config/queues"])
def test_config_needs_a_key(served: Running, path: str) -> None:
    with served.anonymous() as nobody:
        assert_error(nobody.get(path), 401)


def test_browsers_of_allowed_origins_may_call(start: Start) -> None:
    served = start(cors_origins=("https://app.example.com",))
    preflight = {
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    with served.client() as client:
        for origin, allowed in (("https://app.example.com", "https://app.example.com"), ("https://evil.example", None)):
            asked = client.options("/runs/some-id", headers={"Origin": origin, **preflight})
            assert asked.status_code == 200
            assert asked.headers.get("Access-Control-Allow-Origin") == allowed
            answer = client.get("/runs", headers={"Origin": origin})
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            refused = client.get("/runs/none", headers={"Origin": origin})
            assert refused.headers.get("Access-Control-Allow-Origin") == allowed


def test_no_origin_is_allowed_unless_set(client: httpx.Client) -> None:
    answer = client.get("/runs", headers={"Origin": "https://app.example.com"})
    assert "Access-Control-Allow-Origin" not in answer.headers
