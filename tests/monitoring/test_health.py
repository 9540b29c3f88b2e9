"""`/health`: healthy while the database answers."""

import re

import httpx
import pytest

from tests.support.api import ok
from tests.support.running import Running, Start


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
