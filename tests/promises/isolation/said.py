"""What may be said: strategies of who asks, what for, and with which fields and parameters.

TOKEN stands for the token of the organisation that asks. Names are partly the same in both of them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.promises.model.bodies import Texts
from tests.promises.model.queries import RANGES, TIMES
from tests.support.statuses import RUN_STATUSES, SETTABLE, TASK_STATUSES

ORGS = ("quartz", "violet")

# The path of metadata by which lists are filtered.
DECLARED = ("of",)


@dataclass(frozen=True)
class Caller:
    """Who asks, when and how.

    :ivar tick: by how much the clock is changed before
    :ivar key: which kind of key is presented, and which of the organisation's
    :ivar once: the `Idempotency-Key` of a write: `new` for one of its own, None for none
    :ivar is_strict: whether unknown fields are to be refused
    :ivar again: how a write that was carried out is sent again at once; None if it is not
    """

    org: str
    tick: int
    key: tuple[str, int]
    in_own_header: bool
    once: str | None
    is_strict: bool
    again: str | None


@dataclass(frozen=True)
class Which:
    """Which thing a request is about: by whose or what kind of id, and the how manieth, counted from the newest."""

    whose: str
    place: int


# A condition on a tag: its kind and which one.
On = tuple[str, int] | None

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Item:
    """An item of a batch: its fields but for the ids that the machine knows, and the task that it names."""

    texts: Texts
    task: Which | None


def mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any], times: int = 14) -> st.SearchStrategy[Any]:
    """So many times the usual for once the odd (`one_of` would take them equally often)."""
    return st.sampled_from(range(times + 1)).flatmap(lambda chosen: odd if chosen == times else usual)


rarely = mostly(st.just(False), st.just(True))


# Who, and which thing -------------------------------------------------------------------------------------------------

some = st.integers(0, 7)
ticks = st.sampled_from([0, 0, 0, 1, 2, 999, 61_000, -1, -2_500, 86_400_000])
usual_keys = st.just(("standing", 0))
odd_keys = st.tuples(
    st.sampled_from(
        ["issued", "issued", "read-only", "read-only", "of the other organisation", "cut", "malformed", "none"]
    ),
    some,
)
onces = mostly(
    st.sampled_from([None, None, None, "new", "new", "same", "same too"]), st.sampled_from(["", "x" * 256]), 30
)
# How a request that was sent before is sent again.
repetitions = mostly(
    st.just("same"), st.sampled_from(["another body", "another query", "without key", "another key", "other case"]), 2
)
callers = st.builds(
    Caller,
    org=st.sampled_from(ORGS),
    tick=ticks,
    key=mostly(usual_keys, odd_keys, 7),
    in_own_header=st.booleans(),
    once=onces,
    is_strict=mostly(st.just(False), st.just(True), 5),
    again=st.none() | repetitions,
)
things = st.builds(
    Which, st.sampled_from(["own"] * 24 + ["upper case", "other kind", "the other's", "unknown", "nonsense"]), some
)
parents = st.builds(
    Which, st.sampled_from(["of the run"] * 20 + ["own", "other kind", "the other's", "unknown", "nonsense"]), some
)
tasks_of_run = mostly(st.none(), parents, 3)
# Whose id stands in the path, where that is not the run of the thing that the request is about.
other_runs = mostly(st.none(), things, 7)
reading = st.sampled_from(["GET", "GET", "GET", "HEAD"])

newest_or_some = mostly(st.just(0), some, 2)

# Which tag a request is conditional on, and the how manieth of those that its item has had, counted from the newest.
conditions = st.none() | st.tuples(
    st.sampled_from(["seen"] * 4 + ["weak", "one of several", "another item's", "never seen", "any", "malformed"]),
    newest_or_some,
)


# Values ---------------------------------------------------------------------------------------------------------------

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
# Longer than what is kept as a whole to be given again.
LARGE = '"' + "TOKEN" * 16_000 + '"'
objects = st.sampled_from(
    ['{"of": "TOKEN"}', "{}", '{ "TOKEN" : 1.0 }', '{"of": 1.50}', '{"of":null}', '{"of": {"of": "TOKEN"}}']
)
metadata = mostly(objects, st.sampled_from(["null", "[]", '"TOKEN"']), 30)
types = ["step", "fetch", "TOKEN-type", "a,b"]
data_keys = ["shared", "shared.a", "shared.b", "TOKEN.k", "é[*]"]
tags = ["red", "red-hot", "blue", "TOKEN-tag", "%"]
external_ids = ["order-1", "order-2", "order-3", "order-4", "TOKEN-order", "TOKEN-one", "%"]
long_list = [f"TOKEN-{number}" for number in range(60)]
refs = ["one", "two", "three", "four"]


def json_of(values: list[Any]) -> st.SearchStrategy[str]:
    """The JSON of one of these values; rarely that of one that no field takes."""
    odd = st.sampled_from(['""', "null", "17", "{}", json.dumps("x" * 256), '"\\u0000"'])
    return mostly(st.sampled_from(values).map(as_json), odd, 30)


def as_json(value: Any) -> str:
    """JSON, of texts as they are."""
    return json.dumps(value, ensure_ascii=False)


def as_object(texts: Mapping[str, str]) -> str:
    """The JSON of an object, from that of its members."""
    return "{" + ", ".join(f'"{name}": {text}' for name, text in texts.items()) + "}"


lists_of_tags = mostly(
    st.lists(st.sampled_from(tags), max_size=4).map(as_json),
    st.sampled_from(
        [
            as_json(long_list),
            as_json([*long_list, *(f"more-{tag}" for tag in long_list)]),
            '["a,b"]',
            "{}",
            '["red",""]',
        ]
    ),
)
labels: dict[str, st.SearchStrategy[str]] = {
    "externalId": mostly(json_of(external_ids), st.just("null"), 6),
    "tags": lists_of_tags,
}


# Bodies ---------------------------------------------------------------------------------------------------------------

Bodies = st.SearchStrategy[Texts]


def bodies(
    required: Mapping[str, st.SearchStrategy[str]], optional: Mapping[str, st.SearchStrategy[str]], most: int = 3
) -> Bodies:
    """All required fields, and some of the optional ones; now and then an unknown one, too."""
    pairs = st.one_of(*(st.tuples(st.just(name), texts) for name, texts in optional.items()))
    others = st.lists(pairs, max_size=most, unique_by=lambda pair: pair[0])
    known: Bodies = st.builds(lambda given, more: {**given, **dict(more)}, st.fixed_dictionaries({**required}), others)
    return mostly(known, known.map(lambda body: {**body, "stauts": '"TOKEN"'}), 20)


results: dict[str, st.SearchStrategy[str]] = {
    "outputData": json_texts,
    "errorData": json_texts,
    "metadata": metadata,
    **labels,
}
strict = mostly(st.sampled_from(["true", "true", "false"]), st.sampled_from(["null", '"true"', "1"]))
bodies_of_runs = bodies({"inputData": json_texts}, {"metadata": metadata, **labels, "strict": strict})
changes_of_runs = bodies({}, {"status": json_of([*SETTABLE]), **results})
bodies_of_tasks = bodies(
    {"type": json_of(types), "inputData": json_texts},
    {
        "maxRetries": mostly(st.sampled_from(["0", "3", "10"]), st.sampled_from(["11", "-1", "true", "null"])),
        "metadata": metadata,
        **labels,
    },
)
changes_of_tasks = bodies(
    {}, {"status": json_of([*TASK_STATUSES]), "queueJobId": json_of(["job", "TOKEN-job"]), **results}
)
bodies_of_entries = bodies(
    {"key": json_of(data_keys), "value": json_texts}, {"tags": lists_of_tags, "metadata": metadata}
)
changes_of_tags = bodies({}, {"add": lists_of_tags, "remove": lists_of_tags})
only_statuses = st.sampled_from(["failed", "failed", "cancelled", "completed", "running"])


# Batches --------------------------------------------------------------------------------------------------------------


def items_of(texts: Bodies, tasks: st.SearchStrategy[Which | None], least: int = 1) -> st.SearchStrategy[list[Item]]:
    """The items of a batch; rarely none, or too many."""
    few = st.lists(st.builds(Item, texts, tasks), min_size=least, max_size=4)
    too_many = st.builds(lambda item: [item] * 1001, st.builds(Item, texts, st.none()))
    return mostly(few, st.just([]) | too_many, 40)


def with_refs(items: list[Item], named: list[str | None], of: list[str | None]) -> list[Item]:
    """The same items with refs, and with refs of parents in place of a task that exists."""
    return [
        Item(
            {**item.texts, **({"ref": as_json(ref)} if ref else {}), **({"parent": as_json(parent)} if parent else {})},
            None if parent and parent != "both" else item.task,
        )
        for item, ref, parent in zip(items, named + [None] * 1001, of + [None] * 1001, strict=False)
    ]


def new_tasks(tasks: st.SearchStrategy[Which | None], least: int = 1) -> st.SearchStrategy[list[Item]]:
    """New tasks of a run, some of which are parents of others."""
    all_named: list[str | None] = [*refs]
    named = mostly(st.just(all_named), st.lists(st.sampled_from([None, *refs[:3]]), min_size=4, max_size=4), 4)
    # Mostly the parent is one that comes before: else there may be circles.
    earlier = st.tuples(*(st.sampled_from([None, None, *refs[:place]]) for place in range(4))).map(list)
    any_of_them = st.lists(st.sampled_from([None, None, *refs, "nowhere", "both"]), min_size=4, max_size=4)
    return st.builds(with_refs, items_of(bodies_of_tasks, tasks, least), named, mostly(earlier, any_of_them, 3))


many_tasks = new_tasks(tasks_of_run)
many_entries = items_of(bodies_of_entries, parents)
many_changes = items_of(changes_of_tasks, things)
tasks_of_new_runs = st.none() | new_tasks(mostly(st.none(), things, 30), 0)
entries_of_new_runs = st.none() | st.lists(
    st.tuples(bodies_of_entries, mostly(st.sampled_from(refs[:2]), st.sampled_from(["four", "nowhere"]), 8)), max_size=3
)


# Queries --------------------------------------------------------------------------------------------------------------


def words(*values: str) -> st.SearchStrategy[str]:
    """One of these words; rarely one that no parameter takes."""
    return mostly(st.sampled_from(values), st.sampled_from(["", "nonsense", "-1", "x" * 256]), 30)


def several(*values: str) -> st.SearchStrategy[str]:
    """A comma-separated list of these words."""
    return mostly(st.lists(st.sampled_from([*values, ""]), max_size=3).map(",".join), words(*values))


# Times: how long before the present, and in which form; the machine knows when that is.
times = mostly(
    st.builds(
        "at {} {}".format,
        st.sampled_from([0, -1, 0, 1, 999, 1_000, 61_000, -86_400_000]),
        st.sampled_from(["Z", "Z", "+01:00", "-11:30", "finer"]),
    ),
    words("2024-11-10T12:00:00", "2024-11-10"),
    20,
)

Parameters = Mapping[str, st.SearchStrategy[str]]

views: Parameters = {"view": words("summary", "full")}
counts: Parameters = {"count": words("false", "true"), **views}
offsets: Parameters = {
    "limit": words("1", "2", "3", "100"),
    "offset": words("0", "1", "2", "9223372036854775807"),
    **counts,
}
beside_a_cursor: Parameters = {"offset": words("0", "0", "1"), **counts}
orders: Parameters = {"sortBy": words(*TIMES), "sortOrder": words("asc", "desc")}
tag_filters: Parameters = {
    "tags": several(*tags),
    "tagStartsWith": several("red", "b", "TOKEN", "%"),
    "tagMode": words("any", "all"),
}
filters: Parameters = {
    **dict.fromkeys(RANGES, times),
    "externalId": words(*external_ids),
    **tag_filters,
    "metadata.of": words("TOKEN", "1.50", "1.5", "null"),
    "metadata.undeclared": words("TOKEN"),
}
of_runs: Parameters = {**filters, "status": several(*RUN_STATUSES)}
of_tasks: Parameters = {
    **filters,
    "status": several(*TASK_STATUSES),
    "type": words(*types),
    "types": several(*types),
    "parentTaskId": words("none"),
}
of_data: Parameters = {
    "key": words(*data_keys),
    "keys": several(*data_keys),
    "keyStartsWith": several("shared", "shared.", "TOKEN", "é"),
    "keyPattern": words("*", "shared*", "*.?", "TOKEN.[a-k]", "é[[]*"),
    **tag_filters,
    "includeAll": words("true", "true", "false"),
}


def queries(parameters: Parameters, most: int) -> st.SearchStrategy[Query]:
    """Up to so many of the parameters; now and then one of them twice, or an unknown one."""
    pairs = st.one_of(*(st.tuples(st.just(name), texts) for name, texts in parameters.items()))
    given = st.lists(pairs, max_size=most, unique_by=lambda pair: pair[0]).map(tuple)
    odd: st.SearchStrategy[Callable[[Query], Query]] = st.sampled_from(
        [lambda chosen: (*chosen, *chosen[-1:]), lambda chosen: (*chosen, ("stauts", "TOKEN"))]
    )
    return mostly(given, st.builds(lambda query, change: change(query), given, odd))


def paged(orders: Parameters, filters: Parameters) -> st.SearchStrategy[Query]:
    """Queries of which a page is asked for, by offset or by cursor."""
    first_pages = st.builds(
        lambda limit, others: (("limit", limit), ("cursor", ""), *others),
        words("1", "1", "2", "3"),
        queries(beside_a_cursor, 1),
    )
    pages = queries(offsets, 3) | first_pages
    parts = st.tuples(pages, queries(orders, 2), queries(filters, 2))
    return parts.map(lambda chosen: tuple(pair for part in chosen for pair in part))


lists_of_runs = paged(orders, of_runs)
lists_of_tasks = paged(orders, of_tasks)
queries_of_data = paged({**orders, "sortBy": words("created_at", "updated_at", "key")}, of_data)
queries_of_views = queries(views, 1)
queries_of_trees = queries({"limit": words("1", "3", "1000")}, 1)
queries_of_keys = queries(
    {"limit": words("1", "2"), "keyStartsWith": words("shared", "TOKEN", "é"), "cursor": words("")}, 2
)
queries_of_tags = queries(
    {"limit": words("1", "2"), "tagStartsWith": words("red", "TOKEN", "%"), "cursor": words("")}, 2
)
queries_of_acts = queries({"limit": words("1", "2"), "status": several("running", "completed"), "cursor": words("")}, 2)
acts_on_runs = queries(of_runs, 2)
acts_on_tasks = queries(of_tasks, 2)
# By how much a client is wrong about how many meet a filter; None if it does not say.
mistakes = mostly(st.just(0), st.sampled_from([1, -1, 7, None]), 5)

# What is different on the next page: it is another list's for some of them.
differences = mostly(
    st.sampled_from([None, None, ("limit", "1"), ("limit", "2"), ("count", "false"), ("view", "summary")]),
    st.sampled_from(
        [("sortOrder", "asc"), ("sortBy", "updated_at"), ("tags", "red"), ("offset", "1"), ("offset", "0")]
    ),
    6,
)
cursors_taken = mostly(st.just("own"), st.sampled_from(["the other's", "of another list", "cut"]), 8)
