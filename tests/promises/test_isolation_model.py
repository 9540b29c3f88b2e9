"""Two organisations use everything there is, in any order: every answer is the model's, and none tells of the other."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from foreman.auth import keys
from tests.promises.isolation import said
from tests.promises.isolation.asking import CONFIG, THE_OTHER, TOKENS, Asking
from tests.promises.isolation.said import (
    LARGE,
    ORGS,
    Caller,
    Item,
    On,
    Query,
    Which,
    as_json,
    as_object,
    callers,
    conditions,
    other_runs,
    reading,
    some,
    things,
)
from tests.promises.model import acts
from tests.promises.model.bodies import Texts
from tests.promises.model.exchange import Condition, Refused, Request
from tests.promises.model.queries import TIMES
from tests.support.api import UNKNOWN_ID
from tests.support.contents import violations_in
from tests.support.proof import FULL, REPRODUCIBLE, much
from tests.support.statuses import ENDED

pytestmark = pytest.mark.proof

# The views that go on after a cursor, and the kinds of acts.
LISTS = {
    "list_runs",
    "list_tasks",
    "list_tasks_of_run",
    "query_data",
    "list_keys_of_run",
    "list_tags_of_run",
}
KINDS = {"cancel_runs", "cancel_tasks", "retry_runs", "retry_tasks"}

A_WEEK_AND_A_DAY = 8 * 86_400_000


class TwoOrganisations(Asking):
    """What the two organisations ask for."""

    @initialize()
    def begin(self) -> None:
        for org in ORGS:
            self.issue_key(org, read_only=False)
            self.issue_key(org, read_only=True)
            self.ask(org, self.issued[org][0], Request("POST", "/runs", body='{"inputData": "TOKEN"}'))
            (run,) = self.model.runs_of(org)
            task = {"runId": as_json(run.id), "type": '"step"', "inputData": '"TOKEN"', "metadata": '{"of": "TOKEN"}'}
            self.ask(org, self.issued[org][0], Request("POST", "/tasks", body=as_object(task)))
            child = {**task, "parentTaskId": as_json(run.tasks[0].id)}
            self.ask(org, self.issued[org][0], Request("POST", "/tasks", body=as_object(child)))
            for key, its_tags in (("shared", "red"), ("shared", "blue"), ("TOKEN.k", "red")):
                entry = {"taskId": as_json(run.tasks[0].id), "key": as_json(key), "value": '"TOKEN"'}
                entry["tags"] = as_json([its_tags, "TOKEN-tag"])
                path = f"/runs/{run.id}/data"
                self.ask(org, self.issued[org][0], Request("POST", path, body=as_object(entry)))
            failed = Request("PATCH", f"/tasks/{run.tasks[1].id}", body='{"status": "failed"}')
            self.ask(org, self.issued[org][0], failed)
            self.begin_strict_run(org)

    def begin_strict_run(self, org: str) -> None:
        """A run that keeps what it ends with, as has one of its tasks."""
        task = '{"type": "step", "inputData": 1}'
        tasks = f'[{{"ref": "one", "externalId": "order-1", {task[1:]}, {task}]'
        body = {"inputData": "1", "strict": "true", "externalId": '"order-1"', "tags": '["red"]', "tasks": tasks}
        body["data"] = '[{"task": "one", "key": "shared", "value": "TOKEN", "tags": ["red"]}]'
        self.ask(org, self.issued[org][0], Request("POST", "/runs", body=as_object(body)))
        failed = self.model.runs_of(org)[-1].tasks[-1]
        self.ask(org, self.issued[org][0], Request("PATCH", f"/tasks/{failed.id}", body='{"status": "failed"}'))

    # Runs

    @rule(caller=callers, body=said.bodies_of_runs, tasks=said.tasks_of_new_runs, entries=said.entries_of_new_runs)
    def create_run(
        self, caller: Caller, body: Texts, tasks: list[Item] | None, entries: list[tuple[Texts, str]] | None
    ) -> None:
        if tasks is not None:
            body = {**body, "tasks": self.items(caller, tasks, "parentTaskId")}
        if entries is not None:
            of_tasks = [as_object({**texts, "task": as_json(ref)}) for texts, ref in entries]
            body = {**body, "data": f"[{', '.join(of_tasks)}]"}
        self.step(caller, Request("POST", "/runs", body=as_object(body)))

    @rule(caller=callers, method=reading, run=things, query=said.queries_of_views, on=conditions)
    def get_run(self, caller: Caller, method: str, run: Which, query: Query, on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request(method, f"/runs/{run_id}", query, condition=self.condition(run_id, on)))

    @rule(caller=callers, run=things, body=said.changes_of_runs, on=conditions)
    def change_run(self, caller: Caller, run: Which, body: Texts, on: On) -> None:
        run_id = self.run_id(caller, run)
        condition = self.condition(run_id, on)
        self.step(caller, Request("PATCH", f"/runs/{run_id}", body=as_object(body), condition=condition))

    @rule(caller=callers, run=things, body=said.changes_of_tags, on=conditions)
    def change_tags_of_run(self, caller: Caller, run: Which, body: Texts, on: On) -> None:
        run_id = self.run_id(caller, run)
        condition = self.condition(run_id, on)
        self.step(caller, Request("PATCH", f"/runs/{run_id}/tags", body=as_object(body), condition=condition))

    @rule(caller=callers, run=things, on=conditions)
    def delete_run(self, caller: Caller, run: Which, on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request("DELETE", f"/runs/{run_id}", condition=self.condition(run_id, on)))

    @rule(caller=callers, method=reading, query=said.lists_of_runs, ids=st.none() | st.lists(things, max_size=3))
    def list_runs(self, caller: Caller, method: str, query: Query, ids: list[Which] | None) -> None:
        if ids is not None:
            query = (*query, ("ids", ",".join(self.run_id(caller, each) for each in ids)))
        self.step(caller, Request(method, "/runs", self.dated(query)))

    # What is in a run

    @rule(caller=callers, method=reading, run=things, query=said.queries_of_trees)
    def get_tree(self, caller: Caller, method: str, run: Which, query: Query) -> None:
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/tree", query))

    @rule(caller=callers, method=reading, run=things, query=said.queries_of_keys)
    def list_keys(self, caller: Caller, method: str, run: Which, query: Query) -> None:
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/keys", query))

    @rule(caller=callers, method=reading, run=things, query=said.queries_of_tags)
    def list_tags(self, caller: Caller, method: str, run: Which, query: Query) -> None:
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/tags", query))

    @rule(caller=callers, method=reading, run=things, query=said.lists_of_tasks, parent=st.none() | things)
    def list_tasks_of_run(self, caller: Caller, method: str, run: Which, query: Query, parent: Which | None) -> None:
        query = self.of_parent(caller, query, parent)
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/tasks", query))

    # Tasks

    @rule(caller=callers, run=things, parent=st.none() | said.parents, body=said.bodies_of_tasks)
    def create_task(self, caller: Caller, run: Which, parent: Which | None, body: Texts) -> None:
        run_id = self.run_id(caller, run)
        body = {**body, "runId": as_json(run_id)}
        if parent is not None:
            body["parentTaskId"] = as_json(self.task_of_run(caller, run_id, parent))
        self.step(caller, Request("POST", "/tasks", body=as_object(body)))

    @rule(caller=callers, run=things, items=said.many_tasks)
    def create_tasks(self, caller: Caller, run: Which, items: list[Item]) -> None:
        run_id = self.run_id(caller, run)
        body = as_object({"items": self.items(caller, items, "parentTaskId", run_id)})
        self.step(caller, Request("POST", f"/runs/{run_id}/tasks/batch", body=body))

    @rule(caller=callers, method=reading, task=things, query=said.queries_of_views, on=conditions)
    def get_task(self, caller: Caller, method: str, task: Which, query: Query, on: On) -> None:
        task_id = self.task_id(caller, task)
        self.step(caller, Request(method, f"/tasks/{task_id}", query, condition=self.condition(task_id, on)))

    @rule(caller=callers, task=things, body=said.changes_of_tasks, on=conditions)
    def change_task(self, caller: Caller, task: Which, body: Texts, on: On) -> None:
        task_id = self.task_id(caller, task)
        condition = self.condition(task_id, on)
        self.step(caller, Request("PATCH", f"/tasks/{task_id}", body=as_object(body), condition=condition))

    @rule(caller=callers, task=things, status=said.only_statuses)
    def end_task(self, caller: Caller, task: Which, status: str) -> None:
        body = as_object({"status": as_json(status)})
        self.step(caller, Request("PATCH", f"/tasks/{self.task_id(caller, task)}", body=body))

    @rule(caller=callers, items=said.many_changes, on=conditions, is_odd=said.rarely)
    def change_tasks(self, caller: Caller, items: list[Item], on: On, is_odd: bool) -> None:
        condition = self.condition(self.task_id(caller, Which("own", 0)), on) if is_odd else None
        if not is_odd:
            tasks = [self.task_id(caller, item.task) if item.task else "" for item in items]
            items = [item for place, item in enumerate(items) if tasks[place] not in tasks[:place]]
        body = as_object({"items": self.items(caller, items, "id")})
        self.step(caller, Request("PATCH", "/tasks/batch", body=body, condition=condition))

    @rule(caller=callers, task=things, body=said.changes_of_tags, on=conditions)
    def change_tags_of_task(self, caller: Caller, task: Which, body: Texts, on: On) -> None:
        task_id = self.task_id(caller, task)
        condition = self.condition(task_id, on)
        self.step(caller, Request("PATCH", f"/tasks/{task_id}/tags", body=as_object(body), condition=condition))

    @rule(
        caller=callers,
        method=reading,
        query=said.lists_of_tasks,
        run=st.none() | things,
        parent=st.none() | things,
        ids=st.none() | st.none() | st.lists(things, max_size=3),
    )
    def list_tasks(
        self,
        caller: Caller,
        method: str,
        query: Query,
        run: Which | None,
        parent: Which | None,
        ids: list[Which] | None,
    ) -> None:
        if run is not None:
            query = (*query, ("runId", self.run_id(caller, run)))
        if ids is not None:
            query = (*query, ("ids", ",".join(self.task_id(caller, each) for each in ids)))
        self.step(caller, Request(method, "/tasks", self.of_parent(caller, query, parent)))

    # Run data

    @rule(caller=callers, task=things, run=other_runs, body=said.bodies_of_entries)
    def create_data(self, caller: Caller, task: Which, run: Which | None, body: Texts) -> None:
        task_id = self.task_id(caller, task)
        run_id = self.run_of_task(caller, task_id) if run is None else self.run_id(caller, run)
        body = {**body, "taskId": as_json(task_id)}
        self.step(caller, Request("POST", f"/runs/{run_id}/data", body=as_object(body)))

    @rule(caller=callers, run=things, items=said.many_entries)
    def create_many_data(self, caller: Caller, run: Which, items: list[Item]) -> None:
        run_id = self.run_id(caller, run)
        body = as_object({"items": self.items(caller, items, "taskId", run_id)})
        self.step(caller, Request("POST", f"/runs/{run_id}/data/batch", body=body))

    @rule(caller=callers, method=reading, run=things, query=said.queries_of_data)
    def query_data(self, caller: Caller, method: str, run: Which, query: Query) -> None:
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/data", query))

    @rule(caller=callers, method=reading, entry=things, run=other_runs, query=said.queries_of_views, on=conditions)
    def get_data(self, caller: Caller, method: str, entry: Which, run: Which | None, query: Query, on: On) -> None:
        run_id, data_id = self.entry_ids(caller, entry, run)
        condition = self.condition(data_id, on)
        self.step(caller, Request(method, f"/runs/{run_id}/data/{data_id}", query, condition=condition))

    @rule(caller=callers, entry=things, run=other_runs, body=said.changes_of_tags, on=conditions)
    def change_tags(self, caller: Caller, entry: Which, run: Which | None, body: Texts, on: On) -> None:
        run_id, data_id = self.entry_ids(caller, entry, run)
        path, condition = f"/runs/{run_id}/data/{data_id}/tags", self.condition(data_id, on)
        self.step(caller, Request("PATCH", path, body=as_object(body), condition=condition))

    @rule(
        caller=callers,
        entry=things,
        run=other_runs,
        by=st.sampled_from(["id"] * 4 + ["key", "both", "neither"]),
        on=conditions,
    )
    def delete_data(self, caller: Caller, entry: Which, run: Which | None, by: str, on: On) -> None:
        run_id, data_id = self.entry_ids(caller, entry, run)
        key = next((each.key for each in self.model.entries_made if each.answer["id"] == data_id), "shared")
        given = {"id": data_id, "key": key.replace(TOKENS[caller.org], "TOKEN")}
        chosen = tuple((name, value) for name, value in given.items() if by in (name, "both"))
        condition = self.condition(data_id, on)
        self.step(caller, Request("DELETE", f"/runs/{run_id}/data", chosen, condition=condition))

    # Acts

    @rule(caller=callers, run=things, verb=st.sampled_from(["cancel", "retry", "retry"]), on=conditions)
    def act_on_run(self, caller: Caller, run: Which, verb: str, on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request("POST", f"/runs/{run_id}/{verb}", condition=self.condition(run_id, on)))

    @rule(caller=callers, task=things, verb=st.sampled_from(["cancel", "retry", "retry"]), on=conditions)
    def act_on_task(self, caller: Caller, task: Which, verb: str, on: On) -> None:
        task_id = self.task_id(caller, task)
        self.step(caller, Request("POST", f"/tasks/{task_id}/{verb}", condition=self.condition(task_id, on)))

    @rule(caller=callers, verb=st.sampled_from(["cancel", "retry"]), query=said.acts_on_runs, mistake=said.mistakes)
    def act_on_runs(self, caller: Caller, verb: str, query: Query, mistake: int | None) -> None:
        self.ask_for_act(caller, f"/runs/{verb}", query, mistake)

    @rule(
        caller=callers,
        verb=st.sampled_from(["cancel", "retry"]),
        query=said.acts_on_tasks,
        run=st.none() | things,
        mistake=said.mistakes,
    )
    def act_on_tasks(self, caller: Caller, verb: str, query: Query, run: Which | None, mistake: int | None) -> None:
        if run is not None:
            query = (*query, ("runId", self.run_id(caller, run)))
        self.ask_for_act(caller, f"/tasks/{verb}", query, mistake)

    @rule(caller=callers, method=reading, act=things)
    def get_act(self, caller: Caller, method: str, act: Which) -> None:
        ids = {org: [act.id for act in self.model.acts_made if act.org_id == org] for org in ORGS}
        act_id = _id(caller, act, ids, [run.id for run in self.model.runs_of(caller.org)])
        self.step(caller, Request(method, f"/acts/{act_id}"))

    @rule(caller=callers, method=reading, query=said.queries_of_acts)
    def list_acts(self, caller: Caller, method: str, query: Query) -> None:
        self.step(caller, Request(method, "/acts", query))

    @rule(tick=said.ticks)
    def go_on_in_the_background(self, tick: int) -> None:
        self.model.now += tick
        self.carry_out_acts()
        for act in acts.carry_out(self.model):
            self.acted[act.kind] += act.changed

    @rule(chance=st.integers(0, 2))
    def forget_what_is_old(self, chance: int) -> None:
        if chance == 0:
            self.go_on_in_the_background(A_WEEK_AND_A_DAY)
            self.model.now += A_WEEK_AND_A_DAY
            self.forget()
            self.model.forget()

    # What was asked for before

    @rule(caller=callers, place=some, how=said.repetitions, whose=st.sampled_from(["own"] * 7 + ["the other's"]))
    def send_again(self, caller: Caller, place: int, how: str, whose: str) -> None:
        known = self.carried_out[caller.org if whose == "own" else THE_OTHER[caller.org]]
        if known:
            self.step(caller, _again(known[-1 - place % len(known)], how), as_it_is=True)

    @rule(caller=callers, of_run=st.booleans(), tags=said.lists_of_tags)
    def send_large_one_again(self, caller: Caller, of_run: bool, tags: str) -> None:
        caller = replace(caller, once="new")
        body = {"inputData": LARGE, "tags": tags, "type": '"large"'}
        if of_run:
            task = as_object({"ref": '"one"', "type": '"large"', "inputData": "null"})
            entry = as_object({"task": '"one"', "key": '"large"', "value": "1"})
            request = Request("POST", "/runs", body=as_object({**body, "tasks": f"[{task}]", "data": f"[{entry}]"}))
        else:
            run_id = self.run_id(caller, Which("own", 0))
            request = Request("POST", f"/runs/{run_id}/tasks/batch", body=as_object({"items": f"[{as_object(body)}]"}))
        request = self.with_key(caller, request)
        for _ in range(2):
            self.step(caller, request, as_it_is=True)

    @rule(
        caller=callers,
        method=reading,
        place=said.newest_or_some,
        whose=said.cursors_taken,
        difference=said.differences,
    )
    def next_page(
        self, caller: Caller, method: str, place: int, whose: str, difference: tuple[str, str] | None
    ) -> None:
        known = self.pages[THE_OTHER[caller.org] if whose == "the other's" else caller.org]
        if not known:
            return
        request, cursor = known[-1 - place % len(known)]
        if whose == "of another list":
            request, _ = known[place % len(known)]
        query = {**dict(request.query), "cursor": cursor[:-1] if whose == "cut" else cursor}
        if difference is not None:
            query |= [difference]
        self.step(caller, replace(request, method=method, query=tuple(query.items())))

    # What is the same for all

    @rule(caller=callers, method=reading, path=st.sampled_from(sorted(CONFIG)))
    def get_config(self, caller: Caller, method: str, path: str) -> None:
        self.step(caller, Request(method, path))

    # Keys

    @rule(org=st.sampled_from(ORGS), read_only=st.booleans())
    def issue(self, org: str, read_only: bool) -> None:
        self.issue_key(org, read_only=read_only)

    @rule(org=st.sampled_from(ORGS), place=some)
    def revoke(self, org: str, place: int) -> None:
        standing, _, *others = self.issued[org]
        if others:
            key = others[-1 - place % len(others)]
            assert keys.revoke(self.database, self.key_ids[key]) != self.model.keys[key].revoked
            self.model.keys[key].revoked = True
            for each in (key, standing):
                self.ask(org, each, Request("GET", "/runs"))

    # What they ask for

    def run_id(self, caller: Caller, which: Which) -> str:
        runs = {org: [run.id for run in self.model.runs_of(org)] for org in ORGS}
        return _id(caller, which, runs, [task.id for task in self.model.tasks_of(caller.org)])

    def task_id(self, caller: Caller, which: Which) -> str:
        tasks = {org: [task.id for task in self.model.tasks_of(org)] for org in ORGS}
        return _id(caller, which, tasks, [run.id for run in self.model.runs_of(caller.org)])

    def task_of_run(self, caller: Caller, run_id: str | None, which: Which) -> str:
        tasks = [task.id for run in self.model.runs if run.id == run_id for task in run.tasks]
        return _nth(tasks, which) if which.whose == "of the run" else self.task_id(caller, which)

    def run_of_task(self, caller: Caller, task_id: str) -> str:
        """The run of a task. Those that are deleted by now count too."""
        its_run = (task.run.id for task in self.model.tasks_made if task.id == task_id.lower())
        return next(its_run, self.newest_run(caller))

    def entry_ids(self, caller: Caller, which: Which, run: Which | None) -> tuple[str, str]:
        """An entry's run and id. Those that are deleted by now count too."""
        made = [entry.answer for entry in self.model.entries_made]
        entries = {org: [entry["id"] for entry in made if entry["orgId"] == org] for org in ORGS}
        data_id = _id(caller, which, entries, [task.id for task in self.model.tasks_of(caller.org)])
        if run is not None and run.whose != "own":
            return self.run_id(caller, run), data_id
        its_run = (entry["runId"] for entry in made if entry["id"] == data_id.lower())
        return next(its_run, self.newest_run(caller)), data_id

    def newest_run(self, caller: Caller) -> str:
        return _nth([run.id for run in self.model.runs_of(caller.org)], Which("own", 0))

    def items(self, caller: Caller, items: list[Item], name: str, run_id: str | None = None) -> str:
        """The items of a batch.

        :param name: the field of the task that they name
        :param run_id: the run of that task
        """
        texts: list[str] = []
        for item in items:
            its_task = {} if item.task is None else {name: as_json(self.task_of_run(caller, run_id, item.task))}
            texts.append(as_object({**item.texts, **its_task}))
        return f"[{', '.join(texts)}]"

    def of_parent(self, caller: Caller, query: Query, parent: Which | None) -> Query:
        """A query for the tasks of a parent."""
        query = self.dated(query)
        if parent is None:
            return query
        parents = [task.parent.id for task in self.model.tasks_of(caller.org) if task.parent]
        found = _nth(parents, parent) if parent.whose == "own" else self.task_id(caller, parent)
        return (*((name, value) for name, value in query if name != "parentTaskId"), ("parentTaskId", found))

    def dated(self, query: Query) -> Query:
        """A query with times in place of how long ago they are."""
        return tuple((name, self.time_of(value)) for name, value in query)

    def time_of(self, value: str) -> str:
        relative = re.fullmatch(r"at (\S+) (\S+)", value)
        if relative is None:
            return value
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.model.now - int(relative[1]))
        if relative[2] == "Z":
            return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if relative[2] == "finer":
            return (moment - timedelta(microseconds=1)).isoformat(timespec="microseconds")
        hours, minutes = int(relative[2][:3]), int(relative[2][4:])
        zone = timezone(timedelta(hours=hours, minutes=minutes if hours >= 0 else -minutes))
        return moment.astimezone(zone).isoformat(timespec="milliseconds")

    def ask_for_act(self, caller: Caller, path: str, query: Query, mistake: int | None) -> None:
        """An act over a filter that meets as many as are expected, or more or less by a mistake."""
        query = self.dated(query)
        if mistake is not None:
            # As many as there are when it is asked for, which is a tick later.
            now = Request("POST", path, (*query, ("expect", "0"))).replacing({"TOKEN": TOKENS[caller.org]})
            kind = "_".join(reversed(path.strip("/").split("/")))
            try:
                meeting = acts.meeting(self.model, caller.org, kind, acts.read_filter(now))
            except Refused:
                meeting = []
            query = (*query, ("expect", str(max(0, len(meeting) + mistake))))
        self.step(caller, Request("POST", path, query))

    def condition(self, item_id: str, on: On) -> Condition | None:
        """A condition on one of the tags that an item has had."""
        if on is None:
            return None
        kind, place = on
        tags = self.tags.get(item_id.lower(), [])
        tag = tags[-1 - place % len(tags)] if tags else '"none"'
        others = [each for each in self.states if each not in tags]
        other = others[-1 - place % len(others)]
        state, state_of_other = (self.states[tag],) if tags else (), (self.states[other],)
        return {
            "seen": Condition(tag, state),
            "weak": Condition(f"W/{tag}", state),
            "one of several": Condition(f'"a,b", W/{other} ,{tag}', state + state_of_other),
            "another item's": Condition(other, state_of_other),
            "never seen": Condition('"AAAAAAAAAAAAAAAA"'),
            "any": Condition("*", None),
            "malformed": Condition(tag[:-1], is_malformed=True),
        }[kind]

    def presented(self, caller: Caller) -> str | None:
        kind, place = caller.key
        issued = self.issued[caller.org]
        key = {"standing": issued[0], "read-only": issued[1]}.get(kind, issued[-1 - place % len(issued)])
        random = key.rsplit("_", 1)[1]
        return {
            "standing": key,
            "read-only": key,
            "issued": key,
            "of the other organisation": f"fmn_test_{THE_OTHER[caller.org]}_{random}",
            "cut": key[:-1],
            "malformed": f"{key}-",
            "none": None,
        }[kind]

    # Asking

    def with_key(self, caller: Caller, request: Request) -> Request:
        """The request under the `Idempotency-Key` of the caller."""
        return replace(request, once=f"one of its own {self.asked}" if caller.once == "new" else caller.once)

    def step(self, caller: Caller, request: Request, *, as_it_is: bool = False) -> None:
        """A request, and before and after it the other organisation's attempt to do the same.

        :param as_it_is: whether it has its `Idempotency-Key` already
        """
        self.model.now += caller.tick
        if not as_it_is and not request.reads:
            request = self.with_key(caller, request)
        if not as_it_is and request.body is not None:
            request = replace(request, is_strict=caller.is_strict)
        self.probe(THE_OTHER[caller.org], request, caller.in_own_header)
        answer = self.ask(caller.org, self.presented(caller), request, caller.in_own_header)
        if request.once and caller.again and not request.reads and answer.status_code < 300:
            self.ask(caller.org, self.issued[caller.org][0], _again(request, caller.again), caller.in_own_header)
        self.probe(THE_OTHER[caller.org], request, caller.in_own_header)

    # In the end

    def compare_everything(self) -> None:
        self.go_on_in_the_background(1)
        for org in ORGS:
            for path in ("/runs", "/tasks"):
                for order in TIMES:
                    self.read(org, path, limit="100", sortBy=order)
                    self.read(org, path, limit="100", sortBy=order, cursor="", view="summary", count="false")
                self.read_all_pages(org, path, sortBy=order)
            self.read(org, "/acts", limit="100")
            for run in self.model.runs_of(org):
                self.read(org, f"/runs/{run.id}")
                for way in ({}, {"includeAll": "true", "limit": "1000"}):
                    self.read(org, f"/runs/{run.id}/data", **way)
                for part in ("tree", "keys", "tags", "tasks"):
                    self.read(org, f"/runs/{run.id}/{part}")
                for part in ("keys", "tags", "tasks", "data"):
                    self.read_all_pages(org, f"/runs/{run.id}/{part}")
                self.read(org, "/tasks", runId=run.id, status=",".join(ENDED))
        assert violations_in(self.app.settings.database) == []

    def read(self, org: str, path: str, **query: str) -> None:
        self.ask(org, self.issued[org][0], Request("GET", path, tuple(query.items())))

    def read_all_pages(self, org: str, path: str, **query: str) -> None:
        """Go through a list: nothing is changed meanwhile, so its pages are all of it."""
        before, cursor = len(self.pages[org]), ""
        while True:
            self.read(org, path, **query, limit="3", cursor=cursor)
            if len(self.pages[org]) == before:
                break
            cursor = self.pages[org].pop()[1]


def _nth(ids: list[str], which: Which) -> str:
    return ids[-1 - which.place % len(ids)] if ids else UNKNOWN_ID


def _id(caller: Caller, which: Which, ids: Mapping[str, list[str]], of_other_kind: list[str]) -> str:
    own = _nth(ids[caller.org], which)
    return {
        "own": own,
        "upper case": own.upper(),
        "other kind": _nth(of_other_kind, which),
        "the other's": _nth(ids[THE_OTHER[caller.org]], which),
        "unknown": UNKNOWN_ID,
        "nonsense": "nonsense",
    }[which.whose]


def _again(request: Request, how: str) -> Request:
    """A request that was carried out, as it is sent again."""
    return {
        "same": request,
        "another body": replace(request, body=f"{request.body[:-1]} }}" if request.body else "{}"),
        "another query": replace(request, query=request.query[:-1]),
        "without key": replace(request, once=None),
        "another key": replace(request, once=f"{request.once}."),
        "other case": replace(request, path="/".join(_other_case(part) for part in request.path.split("/"))),
    }[how]


def _other_case(part: str) -> str:
    """A part of a path, if it is an id in upper case, or in lower case."""
    if len(part) != len(UNKNOWN_ID):
        return part
    return part.upper() if part == part.lower() else part.lower()


def test_two_organisations_get_what_the_model_says_and_nothing_of_each_other() -> None:
    machine = TwoOrganisations
    for counter in (machine.seen, machine.replayed, machine.continued, machine.acted):
        counter.clear()
    run_state_machine_as_test(
        TwoOrganisations, settings=settings(REPRODUCIBLE, max_examples=much(240, 16), stateful_step_count=40)
    )
    if FULL:  # it has been about something: every view has been used with success, and every error has been met
        assert {view for view, status in machine.seen if status < 300} == machine.views
        for status in (304, 400, 401, 403, 404, 409, 412, 422):
            views = {view for view, seen in machine.seen if seen == status}
            assert len(views) >= (3 if status == 304 else 5), status
        assert {view for view, times in machine.replayed.items() if times} == machine.writing
        assert {view.partition(".")[2] for view, times in machine.continued.items() if times} == LISTS
        assert {kind for kind, changed in machine.acted.items() if changed} == KINDS
