"""A client that sends a request again with the same key finds what became of the first, whenever the server dies."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from foreman.http.protocol.idempotency import KEY, REPLAYED
from tests.support.api import GUESS, PLAIN, Json, make_run, make_task, ok
from tests.support.proof import much
from tests.support.server_process import server_process

pytestmark = pytest.mark.proof

KILLS, CLIENTS = much(200, 3), 4


@dataclass
class Sent:
    """A request that was sent, and what was answered."""

    path: str
    body: Json
    key: str
    answer: bytes | None = None

    def send(self, client: httpx.Client) -> httpx.Response:
        method = "PATCH" if self.path.startswith("/tasks/") else "POST"
        return client.request(method, self.path, json=self.body, headers={KEY: self.key})


def write_until_killed(url: str, life: int, number: int, run: Json, task: Json) -> list[Sent]:
    """Write with keys of its own, until there is no answer any more."""
    chance = random.Random(f"{life} {number}")
    sent: list[Sent] = []
    with httpx.Client(base_url=url, headers={"X-API-Key": GUESS}, **PLAIN) as client:
        while True:
            body: Json = {"runId": run["id"], "type": "step", "inputData": "x" * chance.choice([1, 100, 20_000])}
            path = "/tasks"
            if chance.random() < 0.3:
                path, body = f"/tasks/{task['id']}", {"status": chance.choice(["retrying", "queued"])}
            sent.append(Sent(path, body, f"{life} {number} {len(sent)}"))
            try:
                response = sent[-1].send(client)
            except httpx.TransportError:
                return sent
            assert response.is_success, response.text
            assert REPLAYED not in response.headers
            sent[-1].answer = response.content


def test_each_request_has_its_effect_once_and_its_answer_stays(tmp_path: Path) -> None:
    chance = random.Random(2026)
    file = tmp_path / "foreman.db"
    sent: list[Sent] = []
    created = found = lost = 0
    for life in range(KILLS + 1):
        with ThreadPoolExecutor(CLIENTS) as threads, server_process(file) as server:
            if life == 0:
                run = make_run(server.client)
                task = make_task(server.client, run)
            for each in sent:
                first = each.send(server.client)
                assert first.is_success, first.text
                is_replayed = REPLAYED in first.headers
                if each.answer is not None:
                    assert is_replayed
                    assert first.content == each.answer
                found, lost = found + (each.answer is None and is_replayed), lost + (not is_replayed)
                again = each.send(server.client)
                assert (again.status_code, again.content) == (first.status_code, first.content)
                assert again.headers[REPLAYED] == "true"
            assert ok(server.client.get(f"/runs/{run['id']}"))["totalTasks"] == created + 1
            if life == KILLS:
                break
            url = str(server.client.base_url)
            clients = [threads.submit(write_until_killed, url, life, each, run, task) for each in range(CLIENTS)]
            threading.Event().wait(chance.uniform(0.01, 0.15))  # at no particular moment
            server.process.kill()
            sent = [each for client in clients for each in client.result()]
            created += sum(each.path == "/tasks" for each in sent)
    assert found + lost == KILLS * CLIENTS
    if KILLS > 100:
        assert found > 0
        assert lost > 0
