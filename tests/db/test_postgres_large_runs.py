"""A query of a large run costs what its answer costs on PostgreSQL, even where nearly all other runs are small."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from werkzeug.datastructures import MultiDict

from foreman.api.run_data_query import QueryData, bound, data_query
from foreman.config import Settings
from foreman.db.postgres.database import Postgres
from foreman.http.paging.pages import Asked
from tests.support.contents import change
from tests.support.engines import engine

pytestmark = pytest.mark.postgres

SMALL_RUNS, ENTRIES = 300, 3000

# Pages of the server's memory that a query may look at: a few for each of its rows. The entries of the run, or its
# tags, are in thousands.
MOST_PAGES = 300

# What matches ten entries of the large run, or fewer.
FILTERS = [
    "key=key5",
    "keys=key5,key6,key7",
    "keyStartsWith=key100,key200",
    "keyPattern=key[1-3]00",
    "tags=tag5,tag6",
    "tags=tag5,all&tagMode=all",
    "tagStartsWith=tag100,tag200",
    "keys=key5,key6&tags=tag5,tag6",
    "keyStartsWith=key100,key200&tags=all",
    "keyPattern=key[1-3]00&tagStartsWith=tag100,tag200",
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    file = tmp_path_factory.mktemp("large") / "foreman.db"
    with engine.forgotten():
        url = engine.url(file)
        change(
            url,
            f"""
            INSERT INTO run (org_id, id, status, input_data, created_at, updated_at)
            SELECT 'acme', 'run' || n, 'pending', '1', n, n FROM generate_series(0, {SMALL_RUNS}) AS n;
            INSERT INTO task (org_id, id, run_seq, run_id, type, status, input_data, max_retries,
                              created_at, updated_at)
            SELECT org_id, 'of ' || id, seq, id, 'step', 'pending', '1', 3, 1, 1 FROM run;
            INSERT INTO run_data (org_id, id, run_seq, run_id, task_id, key, value, tags, created_at, updated_at)
            SELECT org_id, 'entry' || n, seq, id, 'of ' || id, 'key' || n, '1', '["tag' || n || '", "all"]', n, n
            FROM run, generate_series(1, CASE id WHEN 'run0' THEN {ENTRIES} ELSE 1 END) AS n;
            """,
        )
        change(url, "VACUUM ANALYZE")
        opened = engine.open(file, Settings(database=url))
        assert isinstance(opened, Postgres)
        yield opened
        opened.close()


@pytest.mark.parametrize("include_all", ["false", "true"])
@pytest.mark.parametrize("filters", FILTERS)
def test_query_looks_at_what_it_answers(database: Postgres, filters: str, include_all: str) -> None:
    wanted = QueryData().load(MultiDict([*parse_qsl(filters), ("includeAll", include_all)]))
    asked = Asked(wanted["limit"], 0, wanted["sort_order"])
    values = {**bound(wanted), **asked.bound, "org_id": "acme", "run_id": "run0"}
    plan = explained(database, data_query(wanted, asked), values)
    assert 0 < plan["Actual Rows"] <= 33
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < MOST_PAGES


def explained(database: Postgres, sql: str, values: dict[str, Any]) -> dict[str, Any]:
    with database.read() as tx:
        text = tx.value(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", **values)
    (found,) = text if isinstance(text, list) else json.loads(text)
    plan: dict[str, Any] = found["Plan"]
    return plan
