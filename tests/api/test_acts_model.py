"""Whatever is changed, cancelled and retried, in any order: runs and tasks agree with a model in plain Python."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.bookkeeping import Bookkeeping, TaskBookkeeping, assert_follows
from tests.support.api import Json, assert_error, make_run, make_task, ok
from tests.support.clock import Clock
from tests.support.contents import violations_in
from tests.support.proof import much
from tests.support.running import Running
from tests.support.statuses import ENDED, RUN_STATUSES, SETTABLE, TASK_STATUSES
from tests.support.waiting import until

TYPES = ("a", "b")


@dataclass
class Run:
    """A run in the model."""

    id: str
    strict: bool
    kept: Bookkeeping

    @property
    def status(self) -> str:
        return self.kept.status


@dataclass
class Task:
    """A task in the model."""

    id: str
    run: Run
    type: str
    kept: TaskBookkeeping

    @property
    def status(self) -> str:
        return self.kept.status

    def cancel(self, now: int) -> None:
        if self.status not in ENDED:
            self.kept.change("cancelled", now)

    def retry(self, now: int) -> None:
        self.kept.change("pending", now)
        self.kept.retries += 1


class Model:
    """Runs and tasks, and what is done to them: each step returns whether it is refused."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.tasks: list[Task] = []

    def tasks_of(self, run: Run) -> list[Task]:
        return [task for task in self.tasks if task.run is run]

    def failed_in(self, run: Run) -> list[Task]:
        return [task for task in self.tasks_of(run) if task.status == "failed"]

    def cancel_run(self, run: Run, now: int) -> None:
        for task in self.tasks_of(run):
            task.cancel(now)
        if run.status not in ENDED:
            run.kept.change("cancelled", now)

    def retry_run(self, run: Run, now: int) -> int | None:
        """How many tasks are retried; None if it is refused."""
        failed = self.failed_in(run)
        reopens = run.status in ("failed", "cancelled") or (run.status == "completed" and failed)
        if run.strict and (failed or reopens):
            return None
        for task in failed:
            task.retry(now)
        if reopens:
            run.kept.change("running", now)
        return len(failed)


class Walk:
    """Random steps, through the API and in the model."""

    def __init__(self, client: httpx.Client, clock: Clock, seed: int) -> None:
        self.client, self.clock, self.chance, self.model = client, clock, random.Random(seed), Model()
        self.steps: Sequence[Callable[[], None]] = (
            [self.make_run] + [self.make_task] * 4 + [self.change_run] * 2 + [self.change_task] * 8
            + [self.cancel_task, self.retry_task] * 2 + [self.cancel_run, self.retry_run] + [self.act] * 2
        )  # fmt: skip

    def step(self) -> None:
        self.clock.move(self.chance.randrange(1, 3))
        self.chance.choice(self.steps)()

    def make_run(self) -> None:
        strict = self.chance.random() < 0.4
        run = make_run(self.client, strict=strict)
        self.model.runs.append(Run(run["id"], strict, Bookkeeping(self.clock.now)))

    def make_task(self) -> None:
        if self.model.runs:
            run, type_ = self.chance.choice(self.model.runs), self.chance.choice(TYPES)
            task = make_task(self.client, {"id": run.id}, type=type_)
            self.model.tasks.append(Task(task["id"], run, type_, TaskBookkeeping(self.clock.now)))

    def change_run(self) -> None:
        if self.model.runs:
            run, status = self.chance.choice(self.model.runs), self.chance.choice(SETTABLE)
            response = self.client.patch(f"/runs/{run.id}", json={"status": status})
            self.changed(run, run.strict, status, response)

    def change_task(self) -> None:
        if self.model.tasks:
            task, status = self.chance.choice(self.model.tasks), self.chance.choice(TASK_STATUSES)
            response = self.client.patch(f"/tasks/{task.id}", json={"status": status})
            self.changed(task, task.run.strict, status, response)

    def changed(self, thing: Run | Task, strict: bool, status: str, response: httpx.Response) -> None:
        if strict and thing.status in ENDED and status != thing.status:
            refused = assert_error(response, 409)["error"]
            assert thing.status in refused
            assert status in refused
        else:
            thing.kept.change(status, self.clock.now)
            assert_follows(ok(response), thing.kept)

    def cancel_task(self) -> None:
        if self.model.tasks:
            task = self.chance.choice(self.model.tasks)
            task.cancel(self.clock.now)
            assert_follows(ok(self.client.post(f"/tasks/{task.id}/cancel")), task.kept)

    def retry_task(self) -> None:
        if self.model.tasks:
            task = self.chance.choice(self.model.tasks)
            response = self.client.post(f"/tasks/{task.id}/retry")
            if task.status == "completed" or (task.run.strict and task.status in ENDED):
                assert_error(response, 409)
                return
            if task.status in ENDED:
                task.retry(self.clock.now)
            assert_follows(ok(response), task.kept)

    def cancel_run(self) -> None:
        if self.model.runs:
            run = self.chance.choice(self.model.runs)
            self.model.cancel_run(run, self.clock.now)
            assert_follows(ok(self.client.post(f"/runs/{run.id}/cancel")), run.kept)

    def retry_run(self) -> None:
        if self.model.runs:
            run = self.chance.choice(self.model.runs)
            response = self.client.post(f"/runs/{run.id}/retry")
            retried = self.model.retry_run(run, self.clock.now)
            if retried is None:
                assert_error(response, 409)
            else:
                assert_follows(ok(response), run.kept)
                assert response.json()["retriedTasks"] == retried

    # Over a filter ---------------------------------------------------------------------------------------------------

    def act(self) -> None:
        self.chance.choice([self.act_on_tasks, self.act_on_runs])()

    def act_on_tasks(self) -> None:
        query, meet = self.some_of(self.model.tasks, TASK_STATUSES)
        if self.model.runs and self.chance.random() < 0.5:
            run = self.chance.choice(self.model.runs)
            query, meet = {**query, "runId": run.id}, [task for task in meet if task.run is run]
        if self.chance.random() < 0.5:
            type_ = self.chance.choice(TYPES)
            query, meet = {**query, "type": type_}, [task for task in meet if task.type == type_]
        what = self.chance.choice(["cancel", "retry"])
        changed = self.carry_out(f"/tasks/{what}", query, len(meet))
        if what == "cancel":
            acted = [task for task in meet if task.status not in ENDED]
            for task in acted:
                task.cancel(self.clock.now)
        else:
            acted = [task for task in meet if task.status in ("failed", "cancelled") and not task.run.strict]
            for task in acted:
                task.retry(self.clock.now)
        assert changed == len(acted), query

    def act_on_runs(self) -> None:
        query, meet = self.some_of(self.model.runs, RUN_STATUSES)
        what = self.chance.choice(["cancel", "retry"])
        changed = self.carry_out(f"/runs/{what}", query, len(meet))
        if what == "cancel":
            acted = [run for run in meet if run.status not in ENDED]
            for run in acted:
                self.model.cancel_run(run, self.clock.now)
        else:
            acted = [run for run in meet if run.status in ("failed", "cancelled") and not run.strict]
            for run in acted:
                self.model.retry_run(run, self.clock.now)
        assert changed == len(acted), query

    def some_of(self, things: Iterable[Any], statuses: Sequence[str]) -> tuple[Json, list[Any]]:
        """A filter by status, or none, and what meets it."""
        if self.chance.random() < 0.3:
            return {}, list(things)
        some = self.chance.sample(statuses, self.chance.randrange(1, len(statuses)))
        return {"status": ",".join(some)}, [thing for thing in things if thing.status in some]

    def carry_out(self, path: str, query: Json, expect: int) -> int:
        """Let an act be carried out; return how many it has changed."""
        if self.chance.random() < 0.2:
            assert_error(self.client.post(path, params={**query, "expect": expect + 1}), 409)
        act = ok(self.client.post(path, params={**query, "expect": expect}), 202)["id"]
        then = until(lambda: now if (now := ok(self.client.get(f"/acts/{act}")))["completedAt"] else None)
        return int(then["changed"])

    def check(self) -> None:
        """Everything is as in the model."""
        for task in self.model.tasks:
            assert_follows(ok(self.client.get(f"/tasks/{task.id}")), task.kept)
        for run in self.model.runs:
            answer = ok(self.client.get(f"/runs/{run.id}"))
            assert_follows(answer, run.kept)
            statuses = [task.status for task in self.model.tasks_of(run)]
            assert answer["totalTasks"] == len(statuses)
            assert [answer[f"{each}Tasks"] for each in ENDED] == [statuses.count(each) for each in ENDED]


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(much(12, 3)))
def test_runs_and_tasks_agree_with_the_model(served: Running, client: httpx.Client, clock: Clock, seed: int) -> None:
    walk = Walk(client, clock, seed)
    for number in range(150):
        walk.step()
        if number % 30 == 29:
            walk.check()
    walk.check()
    assert violations_in(served.location) == []
