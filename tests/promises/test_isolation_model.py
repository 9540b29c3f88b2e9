"""Two organisations use everything there is, in any order: every answer is the model's, and none tells of the other."""

import re
import shutil
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from limits import parse
from werkzeug.test import TestResponse

from foreman import __version__
from foreman.auth import keys
from foreman.config import Settings
from foreman.factory import create_app
from foreman.http.contract import BASE_PATH, is_public, operation_of
from tests.promises.model import TIMES, UUID, Answer, Condition, Key, Model, Request, told
from tests.support.api import UNKNOWN_ID
from tests.support.contents import violations_in
from tests.support.engines import engine
from tests.support.proof import FULL, REPRODUCIBLE, much
from tests.support.statuses import ENDED, RUN_STATUSES, SETTABLE, TASK_STATUSES

pytestmark = pytest.mark.proof

# Names and values that occur nowhere else, so that they cannot be in an answer by accident.
TOKENS = {"quartz": "Qx7Zt0Kw", "violet": "Vh3Rn9Ls"}
ORGS = tuple(TOKENS)
THE_OTHER = {"quartz": "violet", "violet": "quartz"}

LIMIT = 1_000_000

CONFIG: dict[str, dict[str, Any]] = {
    "/config/redis": {"host": "localhost", "port": 6379},
    "/config/queues": {"taskQueue": "foreman-tasks", "resultQueue": "foreman-results"},
}
CONFIG["/config"] = {
    "version": __version__,
    "environment": "production",
    "redis": CONFIG["/config/redis"],
    "queues": CONFIG["/config/queues"],
}


# What may be said ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Caller:
    """Who asks, when and how.

    :ivar tick: by how much the clock is changed before
    :ivar key: which kind of key is presented, and which of the organisation's
    """

    org: str
    tick: int
    key: tuple[str, int]
    in_own_header: bool


@dataclass(frozen=True)
class Which:
    """Which thing a request is about: by whose or what kind of id, and the how manieth, counted from the newest."""

    whose: str
    place: int


# A condition on a tag: its kind and which one.
On = tuple[str, int] | None


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any], times: int = 14) -> st.SearchStrategy[Any]:
    """So many times the usual for once the odd (`one_of` would count the same strategy once)."""
    return st.sampled_from([usual] * times + [odd]).flatmap(lambda chosen: chosen)


some = st.integers(0, 7)
usual_keys = st.just(("standing", 0))
odd_keys = st.tuples(
    st.sampled_from(
        ["issued", "issued", "read-only", "read-only", "of the other organisation", "cut", "malformed", "none"]
    ),
    some,
)
callers = st.builds(
    Caller,
    org=st.sampled_from(ORGS),
    tick=st.sampled_from([0, 0, 0, 1, 2, 999, 61_000, -1, -2_500, 86_400_000]),
    key=mostly(usual_keys, odd_keys, 7),
    in_own_header=st.booleans(),
)
things = st.builds(
    Which, st.sampled_from(["own"] * 24 + ["upper case", "other kind", "the other's", "unknown", "nonsense"]), some
)
parents = st.builds(
    Which, st.sampled_from(["of the run"] * 20 + ["own", "other kind", "the other's", "unknown", "nonsense"]), some
)
# Whose id stands in the path, where that is not the run of the thing that the request is about.
other_runs = mostly(st.none(), things, 7)
reading = st.sampled_from(["GET", "GET", "GET", "HEAD"])

# Which tag a request is conditional on, and the how manieth of those that its item has had, counted from the newest.
conditions = st.none() | st.tuples(
    st.sampled_from(["seen"] * 4 + ["weak", "one of several", "another item's", "never seen", "any", "malformed"]),
    mostly(st.just(0), some, 2),
)

# TOKEN stands for the token of the organisation that asks. Names are partly the same in both of them.
json_texts = st.sampled_from(
    [
        '"TOKEN"',
        '{"of": "TOKEN", "n": 1.10}',
        '["TOKEN" , 123456789012345678901234567890, 1e5]',
        '{ "deep":{"TOKEN":[ {} ,"\\u0041\\"é😀"]}}',
        "null",
        "0",
        '""',
        "[]",
    ]
)
objects = st.sampled_from(['{"of": "TOKEN"}', "{}", '{ "TOKEN" : 1.0 }'])
metadata = mostly(objects, st.sampled_from(["null", "[]", '"TOKEN"']))
types = ["step", "fetch", "TOKEN-type"]
data_keys = ["shared", "shared.a", "shared.b", "TOKEN.k", "é[*]"]
tags = ["red", "red-hot", "blue", "TOKEN-tag", "%"]
long_list = [f"TOKEN-{number}" for number in range(60)]


def json_of(values: list[Any]) -> st.SearchStrategy[str]:
    """The JSON of one of these values; rarely that of one that no field takes."""
    odd = st.sampled_from(['""', "null", "17", "{}", _json("x" * 256), '"\\u0000"'])
    return mostly(st.sampled_from(values).map(_json), odd)


def _json(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return f'"{value}"'


lists_of_tags = mostly(
    st.lists(st.sampled_from(tags), max_size=4).map(_json),
    st.sampled_from([_json(long_list), _json([*long_list, *(f"more-{tag}" for tag in long_list)]), '["a,b"]', "{}"]),
)
bodies_of_runs = st.fixed_dictionaries({"inputData": json_texts}, optional={"metadata": metadata})
changes: dict[str, st.SearchStrategy[str]] = {"outputData": json_texts, "errorData": json_texts, "metadata": metadata}
changes_of_runs = st.fixed_dictionaries({}, optional={"status": json_of([*SETTABLE]), **changes})
bodies_of_tasks = st.fixed_dictionaries(
    {"type": json_of(types), "inputData": json_texts},
    optional={
        "maxRetries": mostly(st.sampled_from(["0", "3", "10"]), st.sampled_from(["11", "-1", "true", "null"])),
        "metadata": metadata,
    },
)
changes_of_tasks = st.fixed_dictionaries(
    {}, optional={"status": json_of([*TASK_STATUSES]), "queueJobId": json_of(["job", "TOKEN-job"]), **changes}
)
bodies_of_entries = st.fixed_dictionaries(
    {"key": json_of(data_keys), "value": json_texts}, optional={"tags": lists_of_tags, "metadata": metadata}
)
changes_of_tags = st.fixed_dictionaries({}, optional={"add": lists_of_tags, "remove": lists_of_tags})


def words(*values: str) -> st.SearchStrategy[str]:
    """One of these words; rarely one that no parameter takes."""
    return mostly(st.sampled_from(values), st.sampled_from(["", "nonsense", "-1", "x" * 256]), 30)


def several(*values: str) -> st.SearchStrategy[str]:
    """A comma-separated list of these words."""
    return mostly(st.lists(st.sampled_from([*values, ""]), max_size=3).map(",".join), words(*values))


pages = {
    "limit": words("1", "2", "3", "100"),
    "offset": words("0", "1", "2", "9223372036854775807"),
    "sortBy": words(*TIMES),
    "sortOrder": words("asc", "desc"),
}


def queries(parameters: dict[str, st.SearchStrategy[str]]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Some of the parameters; now and then one of them twice."""
    given = st.fixed_dictionaries({}, optional=parameters).map(lambda chosen: tuple(chosen.items()))
    return mostly(given, given.map(lambda chosen: (*chosen, *chosen[-1:])))


lists_of_runs = queries({**pages, "status": several(*RUN_STATUSES)})
lists_of_tasks = queries({**pages, "status": several(*TASK_STATUSES), "type": words(*types)})
queries_of_data = queries(
    {
        **pages,
        "sortBy": words("created_at", "updated_at", "key"),
        "key": words(*data_keys),
        "keys": several(*data_keys),
        "keyStartsWith": several("shared", "shared.", "TOKEN", "é"),
        "keyPattern": words("*", "shared*", "*.?", "TOKEN.[a-k]", "é[[]*"),
        "tags": several(*tags),
        "tagStartsWith": several("red", "b", "TOKEN", "%"),
        "tagMode": words("any", "all"),
        "includeAll": words("true", "false"),
    }
)


# The two of them ----------------------------------------------------------------------------------------------------


class TwoOrganisations(RuleBasedStateMachine):
    """A server, the model of it, and what the two organisations ask for."""

    # How often each view has answered which status, over all examples.
    seen: ClassVar[Counter[tuple[str, int]]] = Counter()
    views: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="foreman-"))
        self.ending = ExitStack()
        self.ending.enter_context(engine.forgotten())
        file = self.directory / "foreman.db"
        chosen = Settings(database=engine.url(file), durability="normal", rate_limit=parse(f"{LIMIT}/hour"))
        self.database = engine.open(file, chosen)
        self.app = create_app(chosen, self.database)
        self.http = self.app.test_client()
        self.views.update(
            name
            for name, view in self.app.view_functions.items()
            if not is_public(view) and not operation_of(view).admin  # these have a model of their own
        )
        self.model = Model(CONFIG, LIMIT)
        self.issued: dict[str, list[str]] = {org: [] for org in ORGS}
        self.key_ids: dict[str, str] = {}
        self.last_id = ""
        # The states that items were in, by their tags, and the tags of each item, by its id.
        self.states: dict[str, Any] = {}
        self.tags: dict[str, list[str]] = {}
        self.asked = 0
        self.agreed = True
        self.patch = pytest.MonkeyPatch()
        for module in ("runs", "tasks", "run_data"):
            self.patch.setattr(f"foreman.api.{module}.now_ms", lambda: self.model.now)
        self.patch.setattr("foreman.auth.rate_limit.FAILED_ATTEMPTS", parse(f"{LIMIT}/hour"))

    @initialize()
    def begin(self) -> None:
        for org in ORGS:
            self.issue(org, read_only=False)
            self.issue(org, read_only=True)
            self.ask(org, self.issued[org][0], Request("POST", "/runs", body={"inputData": '"TOKEN"'}))
            (run,) = self.model.runs_of(org)
            task = {"runId": _json(run.id), "type": '"step"', "inputData": '"TOKEN"'}
            self.ask(org, self.issued[org][0], Request("POST", "/tasks", body=task))
            child = {**task, "parentTaskId": _json(run.tasks[0].id)}
            self.ask(org, self.issued[org][0], Request("POST", "/tasks", body=child))
            for key, its_tags in (("shared", "red"), ("shared", "blue"), ("TOKEN.k", "red")):
                entry = {"taskId": _json(run.tasks[0].id), "key": _json(key), "value": '"TOKEN"'}
                entry["tags"] = _json([its_tags, "TOKEN-tag"])
                self.ask(org, self.issued[org][0], Request("POST", f"/runs/{run.id}/data", body=entry))

    def teardown(self) -> None:
        try:
            if self.agreed:
                self.compare_everything()
        finally:
            self.patch.undo()
            self.database.close()
            self.ending.close()
            shutil.rmtree(self.directory)

    # Runs

    @rule(caller=callers, body=bodies_of_runs)
    def create_run(self, caller: Caller, body: dict[str, str]) -> None:
        self.step(caller, Request("POST", "/runs", body=body))

    @rule(caller=callers, method=reading, run=things, on=conditions)
    def get_run(self, caller: Caller, method: str, run: Which, on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request(method, f"/runs/{run_id}", condition=self.condition(run_id, on)))

    @rule(caller=callers, run=things, body=changes_of_runs, on=conditions)
    def change_run(self, caller: Caller, run: Which, body: dict[str, str], on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request("PATCH", f"/runs/{run_id}", body=body, condition=self.condition(run_id, on)))

    @rule(caller=callers, run=things, on=conditions)
    def delete_run(self, caller: Caller, run: Which, on: On) -> None:
        run_id = self.run_id(caller, run)
        self.step(caller, Request("DELETE", f"/runs/{run_id}", condition=self.condition(run_id, on)))

    @rule(caller=callers, method=reading, query=lists_of_runs)
    def list_runs(self, caller: Caller, method: str, query: tuple[tuple[str, str], ...]) -> None:
        self.step(caller, Request(method, "/runs", query))

    # Tasks

    @rule(caller=callers, run=things, parent=st.none() | parents, body=bodies_of_tasks)
    def create_task(self, caller: Caller, run: Which, parent: Which | None, body: dict[str, str]) -> None:
        run_id = self.run_id(caller, run)
        body = {**body, "runId": _json(run_id)}
        if parent is not None:
            tasks = [task.id for each in self.model.runs if each.id == run_id for task in each.tasks]
            parent_id = _nth(tasks, parent) if parent.whose == "of the run" else self.task_id(caller, parent)
            body["parentTaskId"] = _json(parent_id)
        self.step(caller, Request("POST", "/tasks", body=body))

    @rule(caller=callers, method=reading, task=things, on=conditions)
    def get_task(self, caller: Caller, method: str, task: Which, on: On) -> None:
        task_id = self.task_id(caller, task)
        self.step(caller, Request(method, f"/tasks/{task_id}", condition=self.condition(task_id, on)))

    @rule(caller=callers, task=things, body=changes_of_tasks, on=conditions)
    def change_task(self, caller: Caller, task: Which, body: dict[str, str], on: On) -> None:
        task_id = self.task_id(caller, task)
        self.step(caller, Request("PATCH", f"/tasks/{task_id}", body=body, condition=self.condition(task_id, on)))

    @rule(caller=callers, method=reading, query=lists_of_tasks, run=st.none() | things, parent=st.none() | things)
    def list_tasks(
        self,
        caller: Caller,
        method: str,
        query: tuple[tuple[str, str], ...],
        run: Which | None,
        parent: Which | None,
    ) -> None:
        if run is not None:
            query = (*query, ("runId", self.run_id(caller, run)))
        if parent is not None:
            parents = [task.parent.id for task in self.model.tasks_of(caller.org) if task.parent]
            found = _nth(parents, parent) if parent.whose == "own" else self.task_id(caller, parent)
            query = (*query, ("parentTaskId", found))
        self.step(caller, Request(method, "/tasks", query))

    # Run data

    @rule(caller=callers, task=things, run=other_runs, body=bodies_of_entries)
    def create_data(self, caller: Caller, task: Which, run: Which | None, body: dict[str, str]) -> None:
        task_id = self.task_id(caller, task)
        run_id = self.run_of_task(caller, task_id) if run is None else self.run_id(caller, run)
        self.step(caller, Request("POST", f"/runs/{run_id}/data", body={**body, "taskId": _json(task_id)}))

    @rule(caller=callers, method=reading, run=things, query=queries_of_data)
    def query_data(self, caller: Caller, method: str, run: Which, query: tuple[tuple[str, str], ...]) -> None:
        self.step(caller, Request(method, f"/runs/{self.run_id(caller, run)}/data", query))

    @rule(caller=callers, method=reading, entry=things, run=other_runs, on=conditions)
    def get_data(self, caller: Caller, method: str, entry: Which, run: Which | None, on: On) -> None:
        run_id, data_id = self.entry_ids(caller, entry, run)
        condition = self.condition(data_id, on)
        self.step(caller, Request(method, f"/runs/{run_id}/data/{data_id}", condition=condition))

    @rule(caller=callers, entry=things, run=other_runs, body=changes_of_tags, on=conditions)
    def change_tags(self, caller: Caller, entry: Which, run: Which | None, body: dict[str, str], on: On) -> None:
        run_id, data_id = self.entry_ids(caller, entry, run)
        condition = self.condition(data_id, on)
        self.step(caller, Request("PATCH", f"/runs/{run_id}/data/{data_id}/tags", body=body, condition=condition))

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

    # What is the same for all

    @rule(caller=callers, method=reading, path=st.sampled_from(sorted(CONFIG)))
    def get_config(self, caller: Caller, method: str, path: str) -> None:
        self.step(caller, Request(method, path))

    # Keys

    @rule(org=st.sampled_from(ORGS), read_only=st.booleans())
    def issue(self, org: str, read_only: bool) -> None:
        key = keys.issue(self.database, org, "test", read_only=read_only)
        self.model.keys[key] = Key(org, read_only)
        self.issued[org].append(key)
        self.key_ids[key] = next(
            str(each["id"]) for each in keys.every(self.database) if each["id"] not in self.key_ids.values()
        )

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

    def step(self, caller: Caller, request: Request) -> None:
        """A request, and before and after it the other organisation's attempt to do the same."""
        self.model.now += caller.tick
        self.probe(THE_OTHER[caller.org], request, caller.in_own_header)
        self.ask(caller.org, self.presented(caller), request, caller.in_own_header)
        self.probe(THE_OTHER[caller.org], request, caller.in_own_header)

    def probe(self, rival: str, request: Request, in_own_header: bool) -> None:
        """The rival names what the organisation has: it gets to read what it gets for ids that do not exist."""
        owned = self.model.ids_of(THE_OTHER[rival])
        named = {found[0] for found in UUID.finditer(request.texts().lower()) if found[0] in owned}
        if not named:
            return
        about_nothing = request.replacing({each: UNKNOWN_ID for name in named for each in (name, name.upper())})
        key = self.issued[rival][0]
        first, second = (self.ask(rival, key, each, in_own_header) for each in (request, about_nothing))
        assert first.status == second.status
        assert first.data == second.data
        different = {"X-Request-Id", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
        for answer in (first, second):
            for name in different:
                del answer.headers[name]
        assert list(first.headers) == list(second.headers)

    def ask(self, org: str, key: str | None, request: Request, in_own_header: bool = False) -> TestResponse:
        """The server's answer, which is the model's."""
        self.agreed = False
        request = request.replacing({"TOKEN": TOKENS[org]})
        response = self.send(request, key, in_own_header)
        expected = self.model.answer(request, key, lambda: self.fresh_id(response))
        self.compare(request, response, expected)
        self.search_for_leaks(org, response)
        self.agreed = True
        return response

    def send(self, request: Request, key: str | None, in_own_header: bool) -> TestResponse:
        self.asked += 1
        headers = {"X-Request-Id": f"request.{len(str(self.asked)):03}"}
        if key is not None:
            headers |= {"X-API-Key": key} if in_own_header else {"Authorization": f"Bearer {key}"}
        if request.condition is not None:
            is_read = request.method in ("GET", "HEAD")
            headers["If-None-Match" if is_read else "If-Match"] = request.condition.header
        body = None
        if request.body is not None:
            body = "{" + ", ".join(f'"{name}": {text}' for name, text in request.body.items()) + "}"
            headers["Content-Type"] = "application/json"
        response = self.http.open(
            BASE_PATH + quote(request.path),
            method=request.method,
            query_string=urlencode(request.query),
            headers=headers,
            data=None if body is None else body.encode(),
        )
        assert response.headers["X-Request-Id"] == headers["X-Request-Id"]
        return response

    def fresh_id(self, response: TestResponse) -> str:
        """The id that the server has given: a UUID of version 7, later than all before it."""
        assert response.status_code == 201, response.text
        given = told(response.data)["id"]
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", given)
        assert given > self.last_id
        self.last_id = given
        return str(given)

    def compare(self, request: Request, response: TestResponse, expected: Answer) -> None:
        bodiless = request.method == "HEAD" or expected.status == 304
        body = None if bodiless else told(response.data)
        assert (response.status_code, body) == (expected.status, expected.body), request
        assert response.headers.get("Content-Type") == (None if expected.status == 304 else "application/json")
        self.compare_tags(response, expected)
        assert response.headers.get("Location") == (expected.location and BASE_PATH + expected.location)
        assert response.headers.get("X-RateLimit-Remaining", type=int) == expected.remaining
        assert response.headers.get("WWW-Authenticate") == ("Bearer" if expected.status == 401 else None)
        view, _ = self.app.url_map.bind("").match(BASE_PATH + request.path, request.method)
        self.seen[view, expected.status] += 1

    def compare_tags(self, response: TestResponse, expected: Answer) -> None:
        """An item's tag is the same exactly while its state is."""
        item, tag = expected.body, response.headers.get("ETag")
        if not isinstance(item, dict) or not {"id", "createdAt"} <= set(item):
            assert tag is None or expected.body is None
            return
        assert tag is not None
        assert self.states.setdefault(tag, item) == item
        tags = self.tags.setdefault(item["id"], [])
        assert [each for each in tags if self.states[each] == item] in ([tag], [])
        if tag not in tags:
            tags.append(tag)

    def search_for_leaks(self, org: str, response: TestResponse) -> None:
        """Keys are in no answer; what an organisation calls its own is in none to the other, or to nobody."""
        text = f"{response.status}\n{response.headers}\n{response.text}"
        assert not any(key.rsplit("_", 1)[1] in text or key_id in text for key, key_id in self.key_ids.items())
        for owner in ORGS:
            if owner != org or response.status_code in (401, 403):
                secrets = {owner, TOKENS[owner], *self.model.ids_of(owner)}
                assert not any(secret in text for secret in secrets), text

    # In the end

    def compare_everything(self) -> None:
        for org in ORGS:
            for path in ("/runs", "/tasks"):
                for order in TIMES:
                    self.ask(org, self.issued[org][0], Request("GET", path, (("limit", "100"), ("sortBy", order))))
            for run in self.model.runs_of(org):
                for query in ((), (("includeAll", "true"), ("limit", "1000"))):
                    self.ask(org, self.issued[org][0], Request("GET", f"/runs/{run.id}/data", query))
                tasks = Request("GET", "/tasks", (("runId", run.id), ("status", ",".join(ENDED))))
                self.ask(org, self.issued[org][0], tasks)
        assert violations_in(self.app.settings.database) == []


def _nth(ids: list[str], which: Which) -> str:
    return ids[-1 - which.place % len(ids)] if ids else UNKNOWN_ID


def _id(caller: Caller, which: Which, ids: dict[str, list[str]], of_other_kind: list[str]) -> str:
    own = _nth(ids[caller.org], which)
    return {
        "own": own,
        "upper case": own.upper(),
        "other kind": _nth(of_other_kind, which),
        "the other's": _nth(ids[THE_OTHER[caller.org]], which),
        "unknown": UNKNOWN_ID,
        "nonsense": "nonsense",
    }[which.whose]


def test_two_organisations_get_what_the_model_says_and_nothing_of_each_other() -> None:
    TwoOrganisations.seen.clear()
    run_state_machine_as_test(
        TwoOrganisations, settings=settings(REPRODUCIBLE, max_examples=much(120, 12), stateful_step_count=40)
    )
    if FULL:  # it has been about something: every view has been used with success, and every error has been met
        assert {view for view, status in TwoOrganisations.seen if status < 300} == TwoOrganisations.views
        for status in (304, 400, 401, 403, 404, 412):
            views = {view for view, seen in TwoOrganisations.seen if seen == status}
            assert len(views) >= (3 if status == 304 else 5), status
