"""An act over a filter whose server is killed again and again does each of its changes once, and leaves none out."""

import random
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from foreman.config import Settings
from foreman.db.engine import Database
from tests.support.api import Json, ok
from tests.support.contents import looking, violations_in
from tests.support.engines import engine
from tests.support.proof import much
from tests.support.server_process import ServerProcess, server_process
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.proof

TASKS = 3000
SMALL_RUNS = 300


def fill(database: Database) -> None:
    """One large run and many small ones, all failed, with failed tasks and some that are not."""
    with database.write() as tx:
        for number in range(SMALL_RUNS + 1):
            tx.run(
                """
                INSERT INTO run (org_id, id, status, input_data, created_at, updated_at, completed_at)
                VALUES ('acme', :id, 'failed', '1', :now, :now, :now)
                """,
                id=f"00000000-0000-7000-8000-{number:012}", now=1 + number // 7,
            )  # fmt: skip
        for number in range(TASKS):
            status = "completed" if number % 10 == 0 else "failed"
            run = 0 if number % 2 else number % SMALL_RUNS + 1
            tx.run(
                """
                INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries,
                                  created_at, updated_at, completed_at)
                SELECT org_id, :id, seq, id, 'step', :status, '1', 3, :now, :now, :now
                FROM run WHERE org_id = 'acme' AND id = :run_id
                """,
                id=f"00000000-0000-7000-9000-{number:012}", run_id=f"00000000-0000-7000-8000-{run:012}",
                status=status, now=1 + number // 7,
            )  # fmt: skip


def kill(server: ServerProcess) -> None:
    server.process.kill()
    server.process.wait(PATIENCE)


@pytest.mark.parametrize("things", ["tasks", "runs"])
def test_killed_again_and_again_an_act_retries_everything_once(tmp_path: Path, things: str) -> None:
    file, chance, act = tmp_path / "foreman.db", random.Random(things), Json()
    location = engine.url(file)
    with closing(engine.open(file, Settings(database=location))) as database:
        fill(database)
    expected = {"tasks": TASKS - TASKS // 10, "runs": SMALL_RUNS + 1}[things]
    looks = 0

    def retried() -> int:
        """How many tasks, as somebody else sees it."""
        with looking(location) as select:
            return int(select("SELECT coalesce(sum(retry_count), 0) FROM task")[0][0])

    for number in range(much(20, 2)):
        with server_process(file) as server:
            if not act:
                act = ok(server.client.post(f"/{things}/retry?status=failed&expect={expected}"), 202)
            goal = retried() + chance.randrange(0, 300)
            until(lambda goal=goal: retried() >= min(goal, TASKS - TASKS // 10))  # type: ignore[misc]
            looks += ok(server.client.get(f"/acts/{act['id']}"))["status"] == "running"
            kill(server)
        assert number == 0 or violations_in(location) == []
    assert looks > 0
    with server_process(file) as server:
        path = f"/acts/{act['id']}"
        then = until(lambda: now if (now := ok(server.client.get(path)))["status"] == "completed" else None)
        assert then["changed"] == expected
    with looking(location) as select:
        tasks = Counter(select("SELECT status, retry_count FROM task"))
        runs = Counter(status for (status,) in select("SELECT status FROM run"))
    assert tasks == {("pending", 1): TASKS - TASKS // 10, ("completed", 0): TASKS // 10}
    assert runs == ({"failed": SMALL_RUNS + 1} if things == "tasks" else {"running": SMALL_RUNS + 1})
    assert violations_in(location) == []
