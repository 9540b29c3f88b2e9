"""The configuration that TypeScript clients read."""

import httpx
import pytest

from tests.support.api import assert_error, ok
from tests.support.running import Running, Start


def test_config_has_the_usual_queues(client: httpx.Client) -> None:
    queues = {"taskQueue": "foreman-tasks", "resultQueue": "foreman-results"}
    redis = {"host": "localhost", "port": 6379}
    assert ok(client.get("/config/queues")) == queues
    assert ok(client.get("/config/redis")) == redis
    assert ok(client.get("/config")) == {
        "version": "0.5.0",
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
