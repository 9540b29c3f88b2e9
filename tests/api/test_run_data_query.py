"""The run-data query: every parameter and how they combine. test_run_data_query_model.py checks random combinations."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest

from tests.support.api import UNKNOWN_ID, Json, assert_error, make_run, make_task, ok, put_data
from tests.support.running import Running, running

LAST = "\U0010ffff"

# Waitress reads a request line and headers up to this size.
LONGEST_HEAD = 262_144


# The data sets of the tables below, which only read them ------------------------------------------------------------

# Name, key and tags in the order of insertion, a second apart. `b` gets its tag blue and `d` loses its tag old after
# all are there, so `d` is the last one updated and `b` the one before.
COLOURS = [
    ("a", "sensor.temp", ["red", "old"]),
    ("b", "sensor.temp", ["red"]),
    ("c", "sensor.humidity", ["green", "red", "blue"]),
    ("d", "config.db", ["blue", "old"]),
    ("e", "config.db", []),
    ("f", "Config.DB", ["Red", "reddish"]),
    ("g", "x,y", ["blue", "bluish"]),
]

ODD_NAMES = [
    "%",
    "%a",
    "*",
    "*a",
    "100%",
    "100% sure",
    "100x",
    "?",
    "A",
    "[a]",
    "[b]",
    "_",
    "a",
    "a%b",
    "a*b",
    "a?b",
    "a[b]",
    "a\\b",
    "a_b",
    "aa",
    "axb",
    "b",
    "é",
    "日本",
    "日本語",
    "\ud7ff",
    "\ud7ff!",
    "\ue000",
    "\ue000!",
    "\ufffd",
    "😀",
    "😀!",
    "😁",
    LAST,
    LAST + "!",
    LAST * 2,
    LAST * 255,
]

GLOBBED = [
    "A",
    "AB",
    "[",
    "]",
    "^",
    "a",
    "a*c",
    "a-c",
    "a.b.c",
    "a.c",
    "a?c",
    "a[c",
    "a]c",
    "a^c",
    "ab",
    "abc",
    "abcd",
    "a" * 254 + "c",
    "b",
    "config.db",
    "config.db.host",
    "config/db",
    "configXdb",
    "m",
    "x,y",
    "z",
    "é",
    "日本",
    "😀",
]


@dataclass
class Book:
    """A run whose entries are known by their values."""

    client: httpx.Client
    run_id: str

    def ask(self, query: str, status: int = 200) -> Json:
        return ok(self.client.get(f"/runs/{self.run_id}/data?{query}"), status)

    def names(self, query: str) -> list[str]:
        """The names of all entries that match, in order."""
        answer = self.ask(query)
        names = [entry["value"] for entry in answer["data"]]
        assert answer["pagination"]["total"] == len(names)
        return names


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that the tables of cases share, because they only read."""
    with running(tmp_path_factory.mktemp("library") / "foreman.db") as served, served.client() as client:
        yield client


@pytest.fixture(scope="module")
def colours(reader: httpx.Client) -> Book:
    """COLOURS, and a neighbouring run with entries that match the same filters."""
    task, neighbour = make_task(reader, make_run(reader)), make_task(reader, make_run(reader))
    ids = {}
    with pytest.MonkeyPatch.context() as patched:
        for second, (name, key, tags) in enumerate(COLOURS):
            patched.setattr("foreman.api.run_data.now_ms", lambda now=second * 1000: now)
            ids[name] = put_data(reader, task, key, name, tags=tags)["id"]
            put_data(reader, neighbour, key, "neighbour", tags=tags)
        for second, (name, change) in enumerate([("b", {"add": ["blue"]}), ("d", {"remove": ["old"]})], 100):
            patched.setattr("foreman.api.run_data.now_ms", lambda now=second * 1000: now)
            ok(reader.patch(f"/runs/{task['runId']}/data/{ids[name]}/tags", json=change))
    return Book(reader, task["runId"])


@pytest.fixture(scope="module")
def odd_keys(reader: httpx.Client) -> Book:
    task = make_task(reader, make_run(reader))
    for name in reversed(ODD_NAMES):
        put_data(reader, task, name, name)
    return Book(reader, task["runId"])


@pytest.fixture(scope="module")
def odd_tags(reader: httpx.Client) -> Book:
    task = make_task(reader, make_run(reader))
    for name in ODD_NAMES:
        put_data(reader, task, f"key of {name}"[:255], name, tags=[name])
    return Book(reader, task["runId"])


@pytest.fixture(scope="module")
def globbed(reader: httpx.Client) -> Book:
    task = make_task(reader, make_run(reader))
    for name in reversed(GLOBBED):
        put_data(reader, task, name, name)
    return Book(reader, task["runId"])


# Filters ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        # Without filters: the newest entry of each key, the newest first.
        ("", "gfecb"),
        ("includeAll=false", "gfecb"),
        ("includeAll=true", "gfedcba"),
        # One key exactly.
        ("key=config.db", "e"),
        ("key=config.db&includeAll=true", "ed"),
        ("key=Config.DB", "f"),
        ("key=CONFIG.DB", ""),
        ("key=config", ""),
        ("key=config.*", ""),
        ("key=config.db ", ""),
        # Keys with commas are reached by key, never by keys.
        ("key=x,y", "g"),
        ("keys=x,y", ""),
        ("key=sensor.temp,config.db", ""),
        # Several keys.
        ("keys=config.db", "e"),
        ("keys=config.db,sensor.temp", "eb"),
        ("keys=sensor.temp,config.db", "eb"),
        ("keys=sensor.temp,config.db&includeAll=true", "edba"),
        ("keys=sensor.temp,sensor.temp,unknown", "b"),
        ("keys=unknown", ""),
        ("keys=,config.db,,", "e"),
        ("keys=sensor.temp&keys=config.db", "eb"),
        ("keys=sensor.temp,unknown&keys=&keys=config.db", "eb"),
        # Prefixes.
        ("keyStartsWith=sensor.", "cb"),
        ("keyStartsWith=sensor.&includeAll=true", "cba"),
        ("keyStartsWith=sensor.temp", "b"),
        ("keyStartsWith=sensor.temperature", ""),
        ("keyStartsWith=sensor.,config.", "ecb"),
        ("keyStartsWith=sensor.,s,sensor.temp", "cb"),
        ("keyStartsWith=c,C", "fe"),
        ("keyStartsWith=x,q", "g"),
        ("keyStartsWith=,,", "gfecb"),
        ("keyStartsWith=sensor.&keyStartsWith=config.", "ecb"),
        # Patterns.
        ("keyPattern=config.*", "e"),
        ("keyPattern=[cC]onfig.*", "fe"),
        ("keyPattern=*.*", "fecb"),
        ("keyPattern=sensor", ""),
        ("keyPattern=x,y", "g"),
        ("keyPattern=?onfig.??&includeAll=true", "fed"),
        # Key filters are joined by OR.
        ("key=x,y&keys=config.db", "ge"),
        ("key=x,y&keyStartsWith=sensor.&includeAll=true", "gcba"),
        ("key=x,y&keyPattern=*.db", "ge"),
        ("keys=config.db&keyStartsWith=sensor.", "ecb"),
        ("keys=config.db&keyPattern=*.DB", "fe"),
        ("keyStartsWith=sensor.t&keyPattern=*.[Dd][Bb]", "feb"),
        ("key=x,y&keys=config.db&keyStartsWith=sensor.t&keyPattern=C*", "gfeb"),
        ("key=unknown&keys=unknown,too&keyStartsWith=unk&keyPattern=unk*", ""),
        ("key=config.db&keys=config.db&keyStartsWith=config.&keyPattern=config.*&includeAll=true", "ed"),
        # Tags: the newest entry that matches, even when a newer one of its key does not.
        ("tags=red", "cb"),
        ("tags=red&includeAll=true", "cba"),
        ("tags=old", "a"),
        ("tags=Red", "f"),
        ("tags=blue", "gdcb"),
        ("tags=unknown", ""),
        ("tags=re", ""),
        ("tags=red,blue", "gdcb"),
        ("tags=red,blue&includeAll=true", "gdcba"),
        ("tags=old,Red", "fa"),
        ("tags=red&tags=Red", "fcb"),
        ("tags=red,blue&tagMode=any", "gdcb"),
        ("tags=red,blue&tagMode=all", "cb"),
        ("tags=blue,red,blue&tagMode=all", "cb"),
        ("tags=red&tags=blue&tagMode=all", "cb"),
        ("tags=red,old&tagMode=all", "a"),
        ("tags=red,blue,green&tagMode=all", "c"),
        ("tags=red,blue,unknown&tagMode=all", ""),
        ("tags=blue&tagMode=all", "gdcb"),
        ("tags=,red,,&tagMode=all", "cb"),
        # Prefixes of tags.
        ("tagStartsWith=re", "fcb"),
        ("tagStartsWith=re&includeAll=true", "fcba"),
        ("tagStartsWith=red,bl", "gfdcb"),
        ("tagStartsWith=red&tagStartsWith=bl", "gfdcb"),
        ("tagStartsWith=red,bl&tagMode=all", "cb"),
        ("tagStartsWith=bl,blue&tagMode=all", "gdcb"),
        ("tagStartsWith=bl,blui&tagMode=all", "g"),
        ("tagStartsWith=o,r,red&tagMode=all", "a"),
        ("tagStartsWith=R,re&tagMode=all", "f"),
        ("tagStartsWith=blue,unknown&tagMode=all", ""),
        ("tagStartsWith=unknown", ""),
        # tags and tagStartsWith: each by tagMode, both must hold.
        ("tags=blue&tagStartsWith=r", "cb"),
        ("tags=blue,Red&tagStartsWith=bluis,reddis", "gf"),
        ("tags=blue,unknown&tagStartsWith=re,unknown", "cb"),
        ("tags=blue,unknown&tagStartsWith=re&tagMode=all", ""),
        ("tags=blue,red&tagStartsWith=gr,re&tagMode=all", "c"),
        ("tags=red&tagStartsWith=old&includeAll=true", "a"),
        ("tags=green&tagStartsWith=old", ""),
        # Tags narrow what the keys select.
        ("keyStartsWith=sensor.&tags=red", "cb"),
        ("keyStartsWith=sensor.&tags=red&includeAll=true", "cba"),
        ("keyStartsWith=sensor.&tags=old", "a"),
        ("key=config.db&tags=blue", "d"),
        ("key=config.db&tags=blue,red&tagMode=all", ""),
        ("keys=config.db,sensor.temp&tags=blue", "db"),
        ("keys=sensor.temp,sensor.humidity&tags=red,blue&tagMode=all&includeAll=true", "cb"),
        ("keyPattern=*&tagStartsWith=bl", "gdcb"),
        ("keyPattern=*.db&tagStartsWith=bl", "d"),
        ("key=x,y&keyStartsWith=config.&tags=blue&tagStartsWith=bl&includeAll=true", "gd"),
        ("key=sensor.temp&keyPattern=x*&tags=blue,red&tagStartsWith=bl,re&tagMode=all", "b"),
        ("key=unknown&tags=red", ""),
        # A filter that is empty counts as absent.
        ("key=", "gfecb"),
        ("keys=", "gfecb"),
        ("keys=,,", "gfecb"),
        ("keyStartsWith=", "gfecb"),
        ("keyPattern=", "gfecb"),
        ("tags=", "gfecb"),
        ("tags=,&tagMode=all", "gfecb"),
        ("tagStartsWith=", "gfecb"),
        ("key=&keys=&keyStartsWith=&keyPattern=&tags=&tagStartsWith=&includeAll=true", "gfedcba"),
        ("key=&keys=config.db", "e"),
        ("tags=&tagStartsWith=gr", "c"),
    ],
)
def test_filters_select(colours: Book, query: str, names: str) -> None:
    assert "".join(colours.names(query)) == names


@pytest.mark.parametrize(
    ("prefixes", "names"),
    [
        ("%", ["%", "%a"]),
        ("100%", ["100%", "100% sure"]),
        ("*", ["*", "*a"]),
        ("?", ["?"]),
        ("[a", ["[a]"]),
        ("[a]", ["[a]"]),
        ("_", ["_"]),
        ("a_", ["a_b"]),
        ("a%", ["a%b"]),
        ("a*", ["a*b"]),
        ("a?", ["a?b"]),
        ("a[", ["a[b]"]),
        ("a\\", ["a\\b"]),
        ("A", ["A"]),
        ("a", ["a", "a%b", "a*b", "a?b", "a[b]", "a\\b", "a_b", "aa", "axb"]),
        ("a,b", ["a", "a%b", "a*b", "a?b", "a[b]", "a\\b", "a_b", "aa", "axb", "b"]),
        ("aa,a_,aa,unknown", ["a_b", "aa"]),
        ("é", ["é"]),
        ("日", ["日本", "日本語"]),
        ("日本語", ["日本語"]),
        ("\ud7ff", ["\ud7ff", "\ud7ff!"]),
        ("\ud7ff!", ["\ud7ff!"]),
        ("\ue000", ["\ue000", "\ue000!"]),
        ("\ud7ff,\ue000", ["\ud7ff", "\ud7ff!", "\ue000", "\ue000!"]),
        ("\ufffd", ["\ufffd"]),
        ("😀", ["😀", "😀!"]),
        ("😁", ["😁"]),
        ("\U0010fffe", []),
        (LAST, [LAST, LAST + "!", LAST * 2, LAST * 255]),
        (LAST * 2, [LAST * 2, LAST * 255]),
        (LAST * 255, [LAST * 255]),
    ],
)
def test_prefixes_are_literal_and_exact_for_keys_and_tags(
    odd_keys: Book, odd_tags: Book, prefixes: str, names: list[str]
) -> None:
    in_order = "sortBy=key&sortOrder=asc"
    assert odd_keys.names(f"{urlencode({'keyStartsWith': prefixes})}&{in_order}") == names
    assert sorted(odd_tags.names(urlencode({"tagStartsWith": prefixes}))) == sorted(names)


def test_keys_and_tags_are_compared_exactly(odd_keys: Book, odd_tags: Book) -> None:
    for name in ODD_NAMES:
        assert odd_keys.names(urlencode({"key": name})) == [name]
        assert odd_keys.names(urlencode({"keys": f"{name},unknown"})) == [name]
        assert odd_tags.names(urlencode({"tags": name})) == [name]
        assert odd_tags.names(urlencode({"tags": name, "tagMode": "all"})) == [name]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("abc", ["abc"]),
        ("ab", ["ab"]),
        ("ABC", []),
        ("x,y", ["x,y"]),
        # * is any text, also none.
        ("*", GLOBBED),
        ("***", GLOBBED),
        ("ab*", ["ab", "abc", "abcd"]),
        ("*c", ["a*c", "a-c", "a.b.c", "a.c", "a?c", "a[c", "a]c", "a^c", "a" * 254 + "c", "abc"]),
        ("*b*d", ["abcd"]),
        ("a*.*c", ["a.b.c", "a.c"]),
        ("config.*", ["config.db", "config.db.host"]),
        ("*.db", ["config.db"]),
        ("*config*", ["config.db", "config.db.host", "config/db", "configXdb"]),
        # ? is one character, not one byte.
        ("?", ["A", "[", "]", "^", "a", "b", "m", "z", "é", "😀"]),
        ("??", ["AB", "ab", "日本"]),
        ("a?c", ["a*c", "a-c", "a.c", "a?c", "a[c", "a]c", "a^c", "abc"]),
        ("config?db", ["config.db", "config/db", "configXdb"]),
        ("?*?*?*?", ["a.b.c", "abcd", "a" * 254 + "c", "config.db", "config.db.host", "config/db", "configXdb"]),
        ("*?" * 4, ["a.b.c", "abcd", "a" * 254 + "c", "config.db", "config.db.host", "config/db", "configXdb"]),
        # [abc] is one of these, [a-z] one of this range, [^a] any other.
        ("[ab]", ["a", "b"]),
        ("[ab]*[cd]", [
            "a*c", "a-c", "a.b.c", "a.c", "a?c", "a[c", "a]c", "a^c", "a" * 254 + "c", "abc", "abcd",
        ]),
        ("[a-m]", ["a", "b", "m"]),
        ("[A-Za-b]", ["A", "a", "b"]),
        ("[m-a]", ["m"]),  # a range that is empty; its first letter counts on its own
        ("[^a]", ["A", "[", "]", "^", "b", "m", "z", "é", "😀"]),
        ("[^a-z]", ["A", "[", "]", "^", "é", "😀"]),
        ("[^]a-z]", ["A", "[", "^", "é", "😀"]),
        ("[a^]", ["^", "a"]),
        ("[é😀]", ["é", "😀"]),
        ("[a-é]", ["a", "b", "m", "z", "é"]),
        ("[日][本]", ["日本"]),
        ("a[-x]c", ["a-c"]),
        ("a[x-]c", ["a-c"]),
        ("a[*]c", ["a*c"]),
        ("a[?]c", ["a?c"]),
        ("a[[]c", ["a[c"]),
        ("a[]]c", ["a]c"]),
        ("a[]x]c", ["a]c"]),
        ("[[]", ["["]),
        ("[]]", ["]"]),
        # ] alone is itself; a [ that is never closed matches nothing.
        ("]", ["]"]),
        ("a]c", ["a]c"]),
        ("[", []),
        ("a[", []),
        ("a[c", []),
        ("[a", []),
        ("*[", []),
        ("[]", []),
        ("[^]", []),
        ("[a-", []),
        # Letters are what they are, in each case.
        ("A*", ["A", "AB"]),
        ("[A-Z]*", ["A", "AB"]),
        ("é", ["é"]),
        ("É", []),
        ("%", []),
        ("a_c", []),
        ("a\\*c", []),
    ],
)  # fmt: skip
def test_key_pattern_is_a_glob_for_the_whole_key(globbed: Book, pattern: str, names: list[str]) -> None:
    query = urlencode({"keyPattern": pattern, "sortBy": "key", "sortOrder": "asc"})
    assert globbed.names(query) == sorted(names)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*" * 255, GLOBBED),
        ("a*" * 127 + "c", ["a" * 254 + "c"]),
        ("a*" * 127 + "b", []),
        ("*a" * 127, []),
        ("*a" * 100 + "*", ["a" * 254 + "c"]),
        ("*[ab]" * 50 + "c", ["a" * 254 + "c"]),
        ("*[ab]" * 50 + "b", []),
        ("*?a" * 80 + "*b", []),
        ("?" * 255, ["a" * 254 + "c"]),
        ("*" * 100 + "?" * 155, ["a" * 254 + "c"]),
    ],
)
def test_patterns_of_many_stars_are_answered(globbed: Book, pattern: str, found: list[str]) -> None:
    assert len(pattern) <= 255
    assert sorted(globbed.names(urlencode({"keyPattern": pattern}))) == sorted(found)


def test_newest_of_a_key_is_the_newest_matching_entry(client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    tagged = [put_data(client, task, "k", number, tags=["x"]) for number in range(2)]
    newer = put_data(client, task, "k", 2)
    url = f"/runs/{task['runId']}/data"
    assert ok(client.get(url))["data"] == [newer]
    for query in ("tags=x", "tagStartsWith=x", "tags=x&tagMode=all", "tags=x,y", "tags=x&tagStartsWith=x"):
        assert ok(client.get(f"{url}?{query}"))["data"] == [tagged[1]]


def test_newest_is_the_last_inserted_also_when_the_clock_steps_backwards(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(client, make_run(client))
    created = []
    for number, now in enumerate([5000, 4000, 6000, 3000, 1000]):
        monkeypatch.setattr("foreman.api.run_data.now_ms", lambda now=now: now)
        created.append(put_data(client, task, "k", number, tags=["x", f"x{number}"]))
    url = f"/runs/{task['runId']}/data"
    for newest in (4, 3):
        for query in (
            "",
            "key=k",
            "keys=k,l",
            "tags=x",
            f"tags=x{newest},x0",
            "tags=x,x&tagMode=all",
            "tagStartsWith=x",
        ):
            assert ok(client.get(f"{url}?{query}"))["data"] == [created[newest]], query
        ok(client.delete(url, params={"id": created[newest]["id"]}))
    assert ok(client.get(f"{url}?tags=x0,x1"))["data"] == [created[1]]
    everything = ok(client.get(f"{url}?includeAll=true&sortBy=created_at&sortOrder=asc"))["data"]
    assert [entry["value"] for entry in everything] == [1, 0, 2]


# Order --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sortBy=created_at", "gfecb"),
        ("sortOrder=desc", "gfecb"),
        ("sortOrder=asc", "bcefg"),
        ("sortBy=updated_at", "bgfec"),
        ("sortBy=updated_at&sortOrder=asc", "cefgb"),
        ("sortBy=key", "gbcef"),
        ("sortBy=key&sortOrder=asc", "fecbg"),
        ("includeAll=true&sortBy=created_at&sortOrder=asc", "abcdefg"),
        ("includeAll=true&sortBy=updated_at", "dbgfeca"),
        ("includeAll=true&sortBy=updated_at&sortOrder=asc", "acefgbd"),
        ("includeAll=true&sortBy=key", "gbacedf"),
        ("includeAll=true&sortBy=key&sortOrder=asc", "fdecabg"),
        ("tags=blue&sortBy=updated_at", "dbgc"),
        ("tags=blue&sortBy=updated_at&sortOrder=asc", "cgbd"),
        ("tags=blue&sortBy=key&sortOrder=asc", "dcbg"),
        ("tags=red,old&sortBy=key&includeAll=true", "bac"),
        ("key=sensor.temp&includeAll=true&sortBy=key&sortOrder=asc", "ab"),
        ("keys=sensor.temp,config.db&includeAll=true&sortBy=updated_at", "dbea"),
        ("tagStartsWith=r,b&tagMode=all&sortOrder=asc", "bc"),
    ],
)
def test_entries_are_sorted(colours: Book, query: str, names: str) -> None:
    assert "".join(colours.names(query)) == names


FILTERS = ["", "keyStartsWith=k", "key=k1", "tags=x", "tags=x,y", "tags=x,y&tagMode=all", "tagStartsWith=x,y"]


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("sort_by", ["created_at", "updated_at", "key"])
def test_ties_are_in_the_order_of_insertion(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, filters: str, sort_by: str
) -> None:
    monkeypatch.setattr("foreman.api.run_data.now_ms", lambda: 1000)
    task = make_task(client, make_run(client))
    for number in range(12):
        put_data(client, task, f"k{number % 3}", f"{number:x}", tags=["x", "y"])
    book = Book(client, task["runId"])
    of_key = {"0": "0369", "1": "147a", "2": "258b"}
    every = of_key["0"] + of_key["1"] + of_key["2"] if sort_by == "key" else "0123456789ab"
    newest = "9ab"
    if filters == "key=k1":
        every, newest = of_key["1"], "a"
    for order, turned in (("asc", slice(None)), ("desc", slice(None, None, -1))):
        query = f"{filters}&sortBy={sort_by}&sortOrder={order}"
        assert "".join(book.names(f"{query}&includeAll=true")) == every[turned]
        assert "".join(book.names(query)) == newest[turned]


# Pages --------------------------------------------------------------------------------------------------------------


def test_answer_says_limit_offset_and_total(colours: Book) -> None:
    assert colours.ask("")["pagination"] == {"limit": 100, "offset": 0, "total": 5}
    assert colours.ask("limit=2&offset=1")["pagination"] == {"limit": 2, "offset": 1, "total": 5}
    assert set(colours.ask("")) == {"data", "pagination"}


PAGED = [
    "",
    "includeAll=true",
    "includeAll=true&sortBy=updated_at",
    "includeAll=true&sortBy=key&sortOrder=asc",
    "sortBy=updated_at",
    "keyStartsWith=sensor.,config.&includeAll=true",
    "key=sensor.temp&includeAll=true&sortOrder=asc",
    "tags=red,blue&includeAll=true",
    "tags=red,blue",
    "tags=red,blue&tagMode=all",
    "tagStartsWith=re,bl&tagMode=all&includeAll=true&sortBy=key",
    "keyPattern=*&tags=blue&tagStartsWith=b,r",
    "key=unknown",
]


@pytest.mark.parametrize("query", PAGED)
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_pages_neither_skip_nor_repeat_and_total_counts_all_matches(colours: Book, query: str, limit: int) -> None:
    names = colours.names(query)
    paged = []
    for offset in range(0, len(names) + limit + 1, limit):
        answer = colours.ask(f"{query}&limit={limit}&offset={offset}")
        assert answer["pagination"] == {"limit": limit, "offset": offset, "total": len(names)}
        assert len(answer["data"]) == min(limit, max(0, len(names) - offset))
        paged += [entry["value"] for entry in answer["data"]]
    assert paged == names


@pytest.mark.parametrize("query", PAGED)
@pytest.mark.parametrize("offset", [7, 1000, 2**63 - 1])
def test_page_past_the_end_is_empty_and_keeps_the_total(colours: Book, query: str, offset: int) -> None:
    total = colours.ask(query)["pagination"]["total"]
    answer = colours.ask(f"{query}&offset={offset}")
    assert answer == {"data": [], "pagination": {"limit": 100, "offset": offset, "total": total}}


def test_page_has_100_entries_unless_asked_otherwise_and_1000_at_most(client: httpx.Client) -> None:
    task = make_task(client, make_run(client))
    for number in range(1001):
        put_data(client, task, f"k{number:04}", number, tags=["x"])
    book = Book(client, task["runId"])
    for query in ("", "includeAll=true", "tags=x", "keyStartsWith=k", "tags=x&tagStartsWith=x&includeAll=true"):
        for limit, count in (("", 100), ("limit=1", 1), ("limit=1000", 1000)):
            answer = book.ask(f"{query}&{limit}")
            assert [entry["value"] for entry in answer["data"]] == list(range(1000, 1000 - count, -1))
            assert answer["pagination"] == {"limit": count, "offset": 0, "total": 1001}
        assert [entry["value"] for entry in book.ask(f"{query}&limit=1000&offset=1000")["data"]] == [0]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("limit=1e2", "limit"),
        ("limit=", "limit"),
        ("limit=%20", "limit"),
        ("limit=true", "limit"),
        ("limit=٣", "limit"),
        ("limit=1_0", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=5&limit=5", "limit"),
        ("offset=-1", "offset"),
        ("offset=x", "offset"),
        ("offset=", "offset"),
        ("offset=0.0", "offset"),
        (f"offset={2**63}", "offset"),
        ("offset=1&offset=2", "offset"),
        ("sortBy=name", "sortBy"),
        ("sortBy=createdAt", "sortBy"),
        ("sortBy=started_at", "sortBy"),
        ("sortBy=KEY", "sortBy"),
        ("sortBy=key,created_at", "sortBy"),
        ("sortBy=seq", "sortBy"),
        ("sortBy=", "sortBy"),
        ("sortOrder=up", "sortOrder"),
        ("sortOrder=ASC", "sortOrder"),
        ("sortOrder=", "sortOrder"),
        ("tagMode=some", "tagMode"),
        ("tagMode=ALL", "tagMode"),
        ("tagMode=", "tagMode"),
        ("tagMode=any&tagMode=all", "tagMode"),
        ("includeAll=yes", "includeAll"),
        ("includeAll=1", "includeAll"),
        ("includeAll=TRUE", "includeAll"),
        ("includeAll=", "includeAll"),
        ("includeAll=true&includeAll=true", "includeAll"),
        ("key=a%00b", "key"),
        ("keys=a,b%00", "keys"),
        ("keyStartsWith=%00", "keyStartsWith"),
        ("keyPattern=a*%00*", "keyPattern"),
        ("tags=%00,a", "tags"),
        ("tagStartsWith=a%00", "tagStartsWith"),
        ("key=" + "x" * 256, "key"),
        ("keyPattern=" + "x" * 256, "keyPattern"),
        ("tags=a," + "x" * 256, "tags"),
        ("key=a&key=b", "key"),
        ("keyPattern=a*&keyPattern=b*", "keyPattern"),
    ],
)
def test_value_that_is_not_allowed_is_refused_and_its_parameter_named(colours: Book, query: str, field: str) -> None:
    assert_error(colours.client.get(f"/runs/{colours.run_id}/data?{query}"), 400, field)


def test_all_wrong_parameters_are_reported_at_once(colours: Book) -> None:
    query = "tagMode=x&includeAll=x&limit=0&offset=-1&sortBy=x&sortOrder=x"
    response = colours.client.get(f"/runs/{colours.run_id}/data?{query}")
    assert_error(response, 400, "tagMode", "includeAll", "limit", "offset", "sortBy", "sortOrder")


@pytest.mark.parametrize("query", ["", "key=a", "tags=red&includeAll=true", "offset=5", "sortBy=updated_at"])
@pytest.mark.parametrize("run_id", [UNKNOWN_ID, "x", "%00", "%F0%9F%98%80"])
def test_run_must_exist(reader: httpx.Client, run_id: str, query: str) -> None:
    response = reader.get(f"/runs/{run_id}/data?{query}")
    assert assert_error(response, 404) == {"error": "Run not found", "details": [], "code": "not_found"}


def test_run_without_data_has_an_empty_answer(client: httpx.Client) -> None:
    url = f"/runs/{make_run(client)['id']}/data"
    for query in ("", "includeAll=true", "key=a", "tags=a,b&tagMode=all", "keyPattern=*"):
        assert ok(client.get(f"{url}?{query}")) == {
            "data": [],
            "pagination": {"limit": 100, "offset": 0, "total": 0},
        }


# Long lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameter", ["keys", "keyStartsWith", "tags", "tagStartsWith"])
@pytest.mark.parametrize("more", ["", "includeAll=true", "sortBy=updated_at"])
def test_lists_may_have_10000_items(colours: Book, parameter: str, more: str) -> None:
    numbers = ",".join(f"{number:04}" for number in range(10_000))
    found = {"keys": ("sensor.humidity", "c"), "keyStartsWith": ("sensor.h", "c"), "tags": ("green", "c"),
             "tagStartsWith": ("gre", "c")}[parameter]  # fmt: skip
    assert "".join(colours.names(f"{parameter}={numbers},{found[0]}&{more}")) == found[1]
    assert colours.names(f"{parameter}={numbers}&{more}") == []


@pytest.mark.parametrize("parameter", ["tags", "tagStartsWith"])
def test_lists_of_10000_items_that_must_all_match_match_nothing(colours: Book, parameter: str) -> None:
    numbers = ",".join(f"{number:04}" for number in range(10_000))
    assert colours.names(f"{parameter}=red,{numbers}&tagMode=all") == []


@pytest.mark.parametrize(("excess", "status"), [(-1, 404), (0, 431)])
def test_request_head_of_256_kib_is_refused_in_the_envelope(served: Running, excess: int, status: int) -> None:
    start = f"GET /api/v1/runs/{UNKNOWN_ID}/data?keys="
    end = f" HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {served.key()}\r\nConnection: close\r\n\r\n"
    size = LONGEST_HEAD + excess - len(start + end)
    with socket.create_connection(("127.0.0.1", served.server.port), timeout=30) as connection:
        connection.sendall(f"{start}{('x,' * size)[:size]}{end}".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first.split()[1] == str(status)
    headers = dict(line.split(": ", 1) for line in lines)
    assert_error(httpx.Response(status, content=body, headers=headers), status)
