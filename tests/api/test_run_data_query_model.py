"""The run-data query agrees with a model in plain Python, whatever the entries, changes and parameters are."""

from collections import defaultdict
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from foreman.db.values import RUN_SEQ, glob_range, prefix_range
from tests.api.run_data_model import Entry, answer_of_model, glob, tags_of_model
from tests.support.api import Json, make_run, make_task, ok, put_data
from tests.support.proof import REPRODUCIBLE, much
from tests.support.running import Running

pytestmark = pytest.mark.proof

LARGEST = "\U0010ffff"


# What may happen and what may be asked ------------------------------------------------------------------------------

USUAL = ["a", "ab", "b"]
ODD = [
    "A",
    "a%",
    "a_",
    "a*",
    "a?",
    "[a]",
    "]",
    "ab.c",
    "é",
    "éa",
    "日本",
    "\ud7ff",
    "\ue000a",
    "😀",
    LARGEST,
    LARGEST * 2,
]

tags = st.one_of(st.sampled_from(USUAL), st.sampled_from(ODD))
keys = st.one_of(st.sampled_from(USUAL), st.sampled_from([*ODD, "a,b", ","]))
lists_of_tags = st.lists(tags, max_size=4)
steps_of_the_clock = st.sampled_from([0, 0, 1, 2, -3])
# Which entry, or which key by that entry, of those that there are; counted from the newest.
some_entry = st.integers(0, 9)

puts = st.tuples(st.just("put"), steps_of_the_clock, keys, lists_of_tags)
patches = st.tuples(st.just("patch"), steps_of_the_clock, some_entry, lists_of_tags, lists_of_tags)
deletions = st.tuples(st.sampled_from(["delete id", "delete key"]), steps_of_the_clock, some_entry)
changes = st.one_of(puts, puts, puts, patches, patches, deletions)
histories = st.builds(list.__add__, st.lists(puts, min_size=6, max_size=14), st.lists(changes, min_size=2, max_size=14))

# Empty items and empty parameters count as absent.
items = st.lists(st.one_of(tags, tags, st.just("")), max_size=4)
patterns = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[", "]", "[ab]", "[^a]", "[a-c]", "^", "-", "%", ",", "é", "日", "😀"]),
    max_size=5,
).map("".join)

queries = st.fixed_dictionaries(
    {},
    optional={
        "key": st.one_of(keys, st.just("")),
        "keys": items,
        "keyStartsWith": items,
        "keyPattern": patterns,
        "tags": items,
        "tagStartsWith": items,
        "tagMode": st.sampled_from(["any", "all"]),
        "includeAll": st.sampled_from(["false", "true"]),
        "limit": st.integers(1, 4),
        "offset": st.integers(0, 4),
        "sortBy": st.sampled_from(["created_at", "updated_at", "key"]),
        "sortOrder": st.sampled_from(["desc", "asc"]),
    },
)


class Story:
    """A run that changes, and beside it the model of its entries."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.now = 1_700_000_000_000
        self.task = make_task(client, make_run(client))
        self.url = f"/runs/{self.task['runId']}/data"
        self.created = 0
        self.entries: list[Entry] = []

    def tell(self, what: str, step: int, *about: Any) -> None:
        self.now += step
        if what == "put":
            self.put(*about)
        elif self.entries:
            entry = self.entries[-1 - about[0] % len(self.entries)]
            if what == "patch":
                self.patch(entry, *about[1:])
            elif what == "delete id":
                self.delete({"id": entry.answer["id"]}, [entry])
            else:
                self.delete({"key": entry.key}, [each for each in self.entries if each.key == entry.key])

    def put(self, key: str, given: list[str]) -> None:
        answer = put_data(self.client, self.task, key, self.created, tags=given)
        self.entries.append(Entry(self.created, key, tags_of_model([], given, []), self.now, self.now, answer))
        self.created += 1
        assert answer["tags"] == self.entries[-1].tags

    def patch(self, entry: Entry, add: list[str], remove: list[str]) -> None:
        tags = tags_of_model(entry.tags, add, remove)
        if tags != entry.tags:
            entry.tags, entry.updated_at = tags, self.now
        change = {"add": add, "remove": remove}
        entry.answer = ok(self.client.patch(f"{self.url}/{entry.answer['id']}/tags", json=change))
        assert entry.answer["tags"] == entry.tags

    def delete(self, which: dict[str, str], gone: list[Entry]) -> None:
        assert ok(self.client.delete(self.url, params=which)) == {"deleted": len(gone)}
        self.entries = [entry for entry in self.entries if entry not in gone]

    def check(self, query: Json) -> None:
        params = {name: ",".join(value) if isinstance(value, list) else value for name, value in query.items()}
        data, total = answer_of_model(self.entries, query)
        assert ok(self.client.get(self.url, params=params)) == {
            "data": data,
            "pagination": {"limit": query.get("limit", 100), "offset": query.get("offset", 0), "total": total},
        }
        event(f"{min(total, 5)} of {min(len(self.entries), 9)}")


@settings(REPRODUCIBLE, max_examples=much(110, 25))
@given(history=histories, asked=st.lists(queries, min_size=4, max_size=12))
def test_query_agrees_with_the_model_and_bookkeeping_with_the_entries(
    served: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, history: list[Any], asked: list[Json]
) -> None:
    story = Story(client)
    monkeypatch.setattr("foreman.api.run_data.now_ms", lambda: story.now)
    for change in history:
        story.tell(*change)
    for query in [*asked, {}, {"includeAll": "true"}]:
        story.check(query)
    check_bookkeeping(served, story.task["runId"])


def check_bookkeeping(served: Running, run_id: str) -> None:
    """What triggers keep about a run's data equals what the entries themselves say."""
    run_seq = f"run_seq = {RUN_SEQ}"
    which = {"org_id": "acme", "run_id": run_id}
    with served.database.read() as tx:
        rows = tx.all(f"SELECT key, seq, created_at, tags FROM run_data WHERE {run_seq}", **which)
        tagged = tx.all(f"SELECT tag, key, seq, created_at FROM run_data_tag WHERE {run_seq}", **which)
        latest = tx.all(f"SELECT tag, key, seq, created_at, entries FROM run_data_latest WHERE {run_seq}", **which)
        count = tx.one(f"SELECT keys, entries FROM run_data_count WHERE {run_seq}", **which)
    expected = {
        (tag, key, seq, created_at)
        for key, seq, created_at, tags in rows
        for tag in msgspec.json.decode(tags, type=list[str])
    }
    groups = defaultdict(list)
    for tag, key, seq, created_at in expected | {("", key, seq, created_at) for key, seq, created_at, _ in rows}:
        groups[tag, key].append((seq, created_at))
    assert sorted(map(tuple, tagged)) == sorted(expected)
    assert sorted(map(tuple, latest)) == sorted((*names, *max(group), len(group)) for names, group in groups.items())
    assert count is not None
    assert tuple(count) == (len({key for key, *_ in rows}), len(rows))


# Prefixes and globs as ranges ---------------------------------------------------------------------------------------

# Texts of few characters at the edges of what text may hold, so that one is often the start of another.
edges = st.text(
    st.sampled_from(["a", "b", "\x01", "\x7f", "\u0080", "\ud7ff", "\ue000", "\uffff", LARGEST]), max_size=255
)
texts = st.one_of(edges, st.text(st.characters(exclude_categories=["Cs"]), max_size=255))
starts = st.one_of(edges, texts, st.integers(0, 255).map(lambda length: LARGEST * length))


def neighbours(text: str) -> list[str]:
    """The text, and texts just before and just after everything that starts with it."""
    around = [text, text + "\x01", (text + LARGEST * 255)[:255], text[:-1]]
    for distance in (-1, 1):
        last = ord(text[-1]) + distance if text else 0
        if 0 < last <= 0x10FFFF and not 0xD800 <= last < 0xE000:
            around += [text[:-1] + chr(last), (text[:-1] + chr(last) + LARGEST * 255)[:255]]
    return around


@settings(REPRODUCIBLE, max_examples=300)
@given(prefix=starts, other=texts, end=texts)
def test_text_starts_with_a_prefix_exactly_when_it_is_in_its_range(prefix: str, other: str, end: str) -> None:
    low, high = prefix_range(prefix)
    for text in [other, (prefix + end)[:255], *neighbours(prefix)]:
        assert (low <= text < high) == text.startswith(prefix), text
        # The database compares the same text as bytes.
        assert (low.encode() <= text.encode() < high.encode()) == text.startswith(prefix), text


@settings(REPRODUCIBLE, max_examples=300)
@given(pattern=patterns, text=st.text(st.sampled_from("ab*?[]^-%,é日😀"), max_size=5))
def test_everything_that_a_glob_matches_is_in_its_range(pattern: str, text: str) -> None:
    low, high = glob_range(pattern)
    if glob(pattern, text):
        assert low <= text < high
