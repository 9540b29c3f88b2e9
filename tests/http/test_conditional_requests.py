"""Conditional requests: whoever changes an item says which state it has seen, and nobody's change is lost."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreman.http.errors import Invalid
from foreman.http.protocol.etags import _parse, etag_of
from tests.support.api import UNKNOWN_ID, Json, assert_error, change_task, make_run, make_task, ok, put_data
from tests.support.proof import REPRODUCIBLE, much
from tests.support.running import Running

generated = settings(REPRODUCIBLE, max_examples=300)

STRONG = re.compile(r'"[0-9a-f]{24}"')

# A tag that no item has.
STALE = '"stale"'

ITEMS = ("run", "task", "entry")


@pytest.fixture
def paths(ids: dict[str, str]) -> dict[str, str]:
    """Where the single items are."""
    entry = f"/runs/{ids['run_id']}/data/{ids['data_id']}"
    return {"run": f"/runs/{ids['run_id']}", "task": f"/tasks/{ids['task_id']}", "entry": entry}


def changed(client: httpx.Client, item: str, path: str, value: Any, **headers: str) -> httpx.Response:
    """The answer to a change of an item."""
    if item == "entry":
        return client.patch(f"{path}/tags", json={"add": [str(value)]}, headers=headers)
    return client.patch(path, json={"outputData": value}, headers=headers)


def deleted(client: httpx.Client, item: str, path: str, **headers: str) -> httpx.Response:
    """The answer to a deletion of a run or an entry."""
    if item == "run":
        return client.delete(path, headers=headers)
    data, _, data_id = path.rpartition("/")
    return client.delete(data, params={"id": data_id}, headers=headers)


def weak(tag: str) -> str:
    """The tag as a proxy that compresses sends it on."""
    return f"W/{tag}"


# Tags ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ITEMS)
def test_item_has_a_strong_tag_that_stays_while_it_does(client: httpx.Client, paths: dict[str, str], item: str) -> None:
    first, second, head = client.get(paths[item]), client.get(paths[item]), client.head(paths[item])
    tag = first.headers["ETag"]
    assert STRONG.fullmatch(tag)
    assert second.headers["ETag"] == head.headers["ETag"] == tag
    after = changed(client, item, paths[item], "new")
    assert ok(after) != ok(first)
    assert after.headers["ETag"] != tag
    assert client.get(paths[item]).headers["ETag"] == after.headers["ETag"]
    assert client.get(paths[item]).content == after.content


def test_new_item_is_answered_with_its_tag(client: httpx.Client, ids: dict[str, str]) -> None:
    task = {"runId": ids["run_id"], "type": "step", "inputData": [1.10], "metadata": {"a": None}}
    entry = {"taskId": ids["task_id"], "key": "k", "value": "\U0001f600", "tags": ["b", "a"]}
    for path, body in (("/runs", {"inputData": {"é": 1}}), ("/tasks", task), (f"/runs/{ids['run_id']}/data", entry)):
        new = client.post(path, json=body)
        got = client.get(new.headers["Location"].removeprefix("/api/v1"))
        assert (new.status_code, new.content) == (201, got.content)
        assert new.headers["ETag"] == got.headers["ETag"]


def test_change_that_changes_nothing_leaves_the_tag(client: httpx.Client, paths: dict[str, str]) -> None:
    for item in ITEMS:
        first = changed(client, item, paths[item], "same").headers["ETag"]
        assert changed(client, item, paths[item], "same", **{"If-Match": first}).headers["ETag"] == first


def test_tag_of_a_run_changes_with_the_counters_of_its_tasks(client: httpx.Client) -> None:
    run = make_run(client)
    tags = [client.get(f"/runs/{run['id']}").headers["ETag"]]
    task = make_task(client, run)
    tags.append(client.get(f"/runs/{run['id']}").headers["ETag"])
    change_task(client, task, status="completed")
    tags.append(client.get(f"/runs/{run['id']}").headers["ETag"])
    put_data(client, task, "key")
    assert client.get(f"/runs/{run['id']}").headers["ETag"] == tags[-1]
    assert len(set(tags)) == 3


def test_lists_and_errors_have_no_tag(client: httpx.Client, ids: dict[str, str]) -> None:
    for path in ("/runs", "/tasks", f"/runs/{ids['run_id']}/data", "/config", f"/runs/{UNKNOWN_ID}"):
        assert "ETag" not in client.get(path, headers={"If-None-Match": "*", "If-Match": STALE}).headers


# Reading what is known already --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("item", ITEMS)
def test_item_that_the_client_knows_is_304(client: httpx.Client, paths: dict[str, str], item: str, method: str) -> None:
    tag = client.get(paths[item]).headers["ETag"]
    for known in (tag, weak(tag), f'"a", {tag}', f'{tag},"a"', f'W/"a",\t{weak(tag)} , "b,c"', f",,{tag},", "*"):
        response = client.request(method, paths[item], headers={"If-None-Match": known})
        assert (response.status_code, response.content) == (304, b""), known
        assert response.headers["ETag"] == tag
        assert response.headers["X-Request-Id"]
        assert not {"content-type", "content-length", "transfer-encoding"} & set(response.headers)
    for other in (STALE, weak(STALE), tag[::-1], f'"x{tag[1:]}', '""', f'"a{tag[1:-1]}a"'):
        response = client.request(method, paths[item], headers={"If-None-Match": other})
        assert (response.status_code, response.headers["ETag"]) == (200, tag), other


def test_connection_goes_on_after_a_304(client: httpx.Client, paths: dict[str, str], served: Running) -> None:
    tag = client.get(paths["run"]).headers["ETag"]
    for _ in range(5):
        assert client.get(paths["run"], headers={"If-None-Match": tag}).status_code == 304
        assert ok(client.get(paths["run"]))["id"]
    assert len(served.connections()) == 1


def test_writes_do_not_look_at_if_none_match(client: httpx.Client, paths: dict[str, str]) -> None:
    for item in ITEMS:
        assert changed(client, item, paths[item], 1, **{"If-None-Match": "*"}).status_code == 200
    assert client.post("/runs", json={"inputData": 1}, headers={"If-None-Match": "*"}).status_code == 201


# Changing what has not changed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ITEMS)
def test_change_needs_the_tag_of_the_present_state(client: httpx.Client, paths: dict[str, str], item: str) -> None:
    seen = client.get(paths[item]).headers["ETag"]
    current = changed(client, item, paths[item], 1, **{"If-Match": seen}).headers["ETag"]
    before = client.get(paths[item])
    for stale in (seen, weak(seen), STALE, f'"a", {seen}', current[:-1] + 'x"'):
        refused = assert_error(changed(client, item, paths[item], 2, **{"If-Match": stale}), 412)
        assert refused["code"] == "stale"
    assert client.get(paths[item]).content == before.content
    for value, form in enumerate(("{}", "W/{}", '"a", {}', 'W/"a",W/{} , "b"', "*", ",{},"), start=3):
        response = changed(client, item, paths[item], value, **{"If-Match": form.format(current)})
        assert response.status_code == 200, form
        current = response.headers["ETag"]


@pytest.mark.parametrize("item", ["run", "entry"])
def test_deletion_needs_the_tag_of_the_present_state(client: httpx.Client, paths: dict[str, str], item: str) -> None:
    seen = client.get(paths[item]).headers["ETag"]
    current = changed(client, item, paths[item], 1).headers["ETag"]
    assert_error(deleted(client, item, paths[item], **{"If-Match": seen}), 412)
    assert client.get(paths[item]).headers["ETag"] == current
    assert ok(deleted(client, item, paths[item], **{"If-Match": weak(current)})) == {"deleted": 1}
    assert_error(client.get(paths[item]), 404)


def test_deletion_by_key_takes_no_tag(client: httpx.Client, ids: dict[str, str]) -> None:
    data = f"/runs/{ids['run_id']}/data"
    assert_error(client.delete(data, params={"key": "key"}, headers={"If-Match": STALE}), 400, "If-Match")
    assert ok(client.get(data))["pagination"]["total"] == 1
    assert ok(client.delete(data, params={"key": "key"}, headers={"If-Match": "*"})) == {"deleted": 1}


def test_what_does_not_exist_is_404_whatever_must_match(
    client: httpx.Client, rival: httpx.Client, paths: dict[str, str]
) -> None:
    for item in ITEMS:
        tag = client.get(paths[item]).headers["ETag"]
        unknown = re.sub(r"[0-9a-f-]{36}$", UNKNOWN_ID, paths[item])
        for header in ("*", STALE, tag):
            for caller, path in ((client, unknown), (rival, paths[item])):
                assert_error(changed(caller, item, path, 1, **{"If-Match": header}), 404)
                assert_error(caller.get(path, headers={"If-None-Match": header}), 404)
                if item != "task":
                    assert_error(deleted(caller, item, path, **{"If-Match": header}), 404)


MALFORMED = [
    "",
    "stale",
    '"',
    '"a',
    'a"',
    '"a" "b"',
    '"a";"b"',
    "W/",
    "W/*",
    'w/"a"',
    'W"a"',
    '*, "a"',
    '"a" x',
    ",",
    '"a", "',
]


@pytest.mark.parametrize("header", MALFORMED)
def test_malformed_header_is_refused_and_changes_nothing(
    client: httpx.Client, paths: dict[str, str], header: str
) -> None:
    for item in ITEMS:
        before = client.get(paths[item]).content
        assert_error(changed(client, item, paths[item], 1, **{"If-Match": header}), 400, "If-Match")
        assert_error(client.get(paths[item], headers={"If-None-Match": header}), 400, "If-None-Match")
        if item != "task":
            assert_error(deleted(client, item, paths[item], **{"If-Match": header}), 400, "If-Match")
        assert client.get(paths[item]).content == before


def test_tags_may_come_in_several_headers(client: httpx.Client, paths: dict[str, str]) -> None:
    tag = client.get(paths["run"]).headers["ETag"]
    several = [("If-None-Match", STALE), ("If-None-Match", tag)]
    assert client.get(paths["run"], headers=several).status_code == 304


def test_large_item_has_a_tag_too(client: httpx.Client) -> None:
    run = make_run(client, "x" * 3_000_000)
    path = f"/runs/{run['id']}"
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert_error(changed(client, "run", path, 1, **{"If-Match": STALE}), 412)
    assert changed(client, "run", path, 1, **{"If-Match": tag}).status_code == 200


@generated
@given(st.binary(max_size=2000))
def test_tag_says_the_state(representation: bytes) -> None:
    tag = etag_of(representation)
    assert STRONG.fullmatch(tag)
    assert tag == etag_of(bytes(representation))
    assert tag != etag_of(representation + b" ")


a_tag = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters='"\x7f'), max_size=8).filter(
    lambda text: not any(0x7F <= ord(each) < 0x80 for each in text)
)


@generated
@given(st.lists(st.tuples(a_tag, st.booleans()), min_size=1, max_size=5), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_every_list_of_tags_is_read(tags: list[tuple[str, bool]], separator: str) -> None:
    header = separator.join(f'{"W/" if is_weak else ""}"{tag}"' for tag, is_weak in tags)
    assert _parse("If-Match", header) == frozenset(f'"{tag}"' for tag, _ in tags)


@generated
@given(st.text(st.sampled_from('"W/*, \tab'), max_size=20))
def test_header_is_read_or_refused(header: str) -> None:
    try:
        read = _parse("If-Match", header)
    except Invalid as refused:
        assert refused.details
    else:
        assert read is None or all(tag[0] == tag[-1] == '"' and f"{tag}" in header for tag in read)


# Races --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_once(served: Running) -> Iterator[Callable[..., list[httpx.Response]]]:
    """`at_once(*requests)`: the answers to requests that several clients send together."""
    most = 4
    clients = [served.client() for _ in range(most)]
    with ThreadPoolExecutor(most) as pool:

        def send_together(*requests: Callable[[httpx.Client], httpx.Response]) -> list[httpx.Response]:
            ready = Barrier(len(requests))

            def send(client: httpx.Client, request: Callable[[httpx.Client], httpx.Response]) -> httpx.Response:
                ready.wait(30)
                return request(client)

            sent = [pool.submit(send, *each) for each in zip(clients, requests, strict=False)]
            return [each.result() for each in sent]

        yield send_together
    for client in clients:
        client.close()


@pytest.mark.parametrize("item", ITEMS)
def test_of_several_who_have_seen_the_same_state_one_changes_it(
    client: httpx.Client, at_once: Callable[..., list[httpx.Response]], paths: dict[str, str], item: str
) -> None:
    tag = client.get(paths[item]).headers["ETag"]
    for number in range(much(400, 40)):
        responses = at_once(
            *(
                lambda each, value=f"{number}-{writer}", seen=tag: changed(
                    each, item, paths[item], value, **{"If-Match": seen}
                )
                for writer in range(3)
            )
        )
        assert sorted(each.status_code for each in responses) == [200, 412, 412]
        [won] = [each for each in responses if each.status_code == 200]
        assert client.get(paths[item]).content == won.content
        tag = won.headers["ETag"]
        if item == "entry":  # an entry has at most 100 tags
            added = ok(won)["tags"]
            tag = client.patch(f"{paths[item]}/tags", json={"remove": added}).headers["ETag"]


@pytest.mark.parametrize("item", ["run", "entry"])
def test_either_the_change_or_the_deletion_of_the_same_state_happens(
    client: httpx.Client, at_once: Callable[..., list[httpx.Response]], item: str
) -> None:
    for _ in range(much(200, 20)):
        run = make_run(client)
        path = f"/runs/{run['id']}"
        if item == "entry":
            path += f"/data/{put_data(client, make_task(client, run), 'key')['id']}"
        seen = {"If-Match": client.get(path).headers["ETag"]}
        change, deletion = at_once(
            lambda each, where=path, header=seen: changed(each, item, where, "new", **header),
            lambda each, where=path, header=seen: deleted(each, item, where, **header),
        )
        assert (change.status_code, deletion.status_code) in {(200, 412), (404, 200)}
        assert client.get(path).status_code == (200 if change.status_code == 200 else 404)


def test_counter_that_many_change_by_turns_counts_every_one(
    client: httpx.Client, at_once: Callable[..., list[httpx.Response]]
) -> None:
    path = f"/runs/{make_run(client, metadata={'count': 0})['id']}"

    def count(each: httpx.Client) -> httpx.Response:
        for _ in range(much(50, 10)):
            while True:
                seen = each.get(path)
                new = {"count": ok(seen)["metadata"]["count"] + 1}
                response = each.patch(path, json={"metadata": new}, headers={"If-Match": seen.headers["ETag"]})
                if response.status_code == 200:
                    break
                assert_error(response, 412)
        return response

    at_once(*[count] * 4)
    assert ok(client.get(path))["metadata"] == {"count": 4 * much(50, 10)}


def test_task_added_beside_a_change_is_never_lost(
    client: httpx.Client, at_once: Callable[..., list[httpx.Response]]
) -> None:
    run: Json = make_run(client)
    path = f"/runs/{run['id']}"
    for number in range(much(200, 20)):
        seen = client.get(path).headers["ETag"]
        change, added = at_once(
            lambda each, value=number, tag=seen: changed(each, "run", path, value, **{"If-Match": tag}),
            lambda each: each.post("/tasks", json={"runId": run["id"], "type": "t", "inputData": None}),
        )
        assert (change.status_code, added.status_code) in {(200, 201), (412, 201)}
        after = ok(client.get(path))
        assert after["totalTasks"] == number + 1
        assert (after["outputData"] == number) == (change.status_code == 200)
