"""A page far into a list costs what the first one does: its walks begin in their indexes where the cursor is.

On SQLite the cost is counted in steps of its machine, on PostgreSQL in pages that it looks at.
"""

import json
import sqlite3
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from foreman.http.schemas import LIST_SORTS, SORT_ORDERS
from tests.db.sweep import STEPS_AT_ONCE, Sweep, fill, fill_run, record_statements
from tests.support.api import make_run, make_task, ok
from tests.support.contents import change
from tests.support.engines import ON_POSTGRES
from tests.support.proof import much
from tests.support.running import Running, running

pytestmark = pytest.mark.proof

# Pages of 100 rows between the two that are compared.
BETWEEN = 12

# What is allowed besides a fifth more: other parts of the same statement vary a little.
SLACK = 30 if ON_POSTGRES else 300


class Asking:
    """A server with many rows, and what a request to it costs."""

    def __init__(self, served: Running, client: httpx.Client, sweep: Sweep) -> None:
        self.served, self.client, self.sweep = served, client, sweep
        fill(served)
        run = make_run(client)
        task = make_task(client, run)
        fill_run(served, run["id"], task["id"])
        tagged = """UPDATE run_data SET tags = '["common", "also"]', updated_at = created_at + 5 WHERE seq % 3 = 0"""
        with served.database.write() as tx:
            tx.run(tagged)
        if ON_POSTGRES:
            change(served.location, "ANALYZE")
        self.data = f"/runs/{run['id']}/data"

    def page(self, path: str, query: str, cursor: str, limit: int) -> tuple[int, str | None]:
        """The cost of a page, and the cursor of the next one."""
        self.sweep.statements.clear()
        self.sweep.counted = 0
        body = ok(self.client.get(f"{path}?{query}&count=false&limit={limit}&cursor={cursor}"))
        cost = self._pages_looked_at() if ON_POSTGRES else self.sweep.counted
        return cost, (body if "items" in body else body["pagination"])["nextCursor"]

    def _pages_looked_at(self) -> int:
        total = 0
        with self.served.database.read() as tx:
            for each in list(self.sweep.statements.values()):
                if "page" in each.sql:
                    text = tx.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {each.sql}", **each.values)
                    (found,) = text if isinstance(text, list) else json.loads(text)
                    total += found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"]
        return total


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    sweep = Sweep()
    with pytest.MonkeyPatch.context() as patched:

        class Counted(sqlite3.Connection):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                super().set_progress_handler(sweep.count, STEPS_AT_ONCE)

            def set_progress_handler(self, *_: object) -> None:
                """The one that counts stays."""

        patched.setattr("foreman.db.sqlite.sqlite3.connect", partial(sqlite3.connect, factory=Counted))
        file = tmp_path_factory.mktemp("cursors") / "foreman.db"
        with running(file, threads=1) as served, served.client() as client:
            asking = Asking(served, client, sweep)
            record_statements(sweep, patched)
            yield asking


# In milliseconds since 1970, the rows that there are have been created and changed from 0 to 4,000.
MIDDLE = "1970-01-01T00:00:00.500Z", "1970-01-01T00:00:03.500Z"

# What the indexes have in the order of the list.
IN_ORDER = [
    *(
        ("/runs", query, sort_by)
        for query in ("", "status=pending", "status=pending,running")
        for sort_by in LIST_SORTS
    ),
    *(
        ("/runs", f"{sort_by[:-3]}After={MIDDLE[0]}&{sort_by[:-3]}Before={MIDDLE[1]}", sort_by)
        for sort_by in LIST_SORTS
    ),
    *(
        ("/tasks", f"{sort_by[:-3]}After={MIDDLE[0]}&{sort_by[:-3]}Before={MIDDLE[1]}", sort_by)
        for sort_by in LIST_SORTS
    ),
    *(("/tasks", "", sort_by) for sort_by in LIST_SORTS),
    *(
        ("/tasks", query, "created_at")
        for query in (
            "status=pending",
            "type=common",
            "type=common&status=pending,running",
            f"type=common&createdAfter={MIDDLE[0]}&createdBefore={MIDDLE[1]}",
        )
    ),
    ("/tasks", f"types=common,other&updatedBefore={MIDDLE[1]}", "updated_at"),
    *(("DATA", "includeAll=true", sort_by) for sort_by in ("created_at", "updated_at", "key")),
    *(("DATA", "", sort_by) for sort_by in ("created_at", "key")),
    *(("DATA", "includeAll=true&key=often", sort_by) for sort_by in ("created_at", "key")),
    ("DATA", "includeAll=true&keyStartsWith=o", "key"),
    ("DATA", "includeAll=true&keyStartsWith=common", "key"),
    ("DATA", "keyStartsWith=common", "key"),
    ("DATA", "tags=common", "key"),
    ("DATA", "includeAll=true&tags=common", "key"),
    ("DATA", "includeAll=true&keys=often,common-17", "key"),
]


@pytest.mark.parametrize("sort_order", SORT_ORDERS)
def test_page_far_into_a_list_costs_what_the_first_one_does(asking: Asking, sort_order: str) -> None:
    dear = []
    for path, query, sort_by in IN_ORDER[:: much(1, 3)]:
        where = path.replace("DATA", asking.data)
        asked = f"{query}&sortBy={sort_by}&sortOrder={sort_order}"
        asking.page(where, asked, "", 20)
        first, cursor = asking.page(where, asked, "", 20)
        for _ in range(BETWEEN):
            assert cursor is not None
            _, further = asking.page(where, asked, cursor, 100)
            cursor = further or cursor
        far, _ = asking.page(where, asked, cursor or "", 20)
        assert 0 < first < far * 10
        if far > first * 1.2 + SLACK:
            dear.append((path, asked, first, far))
    assert dear == []
