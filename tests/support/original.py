"""A database of the TypeScript original: its tables as knex makes them, and rows for them."""

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

DDL = """
    CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch integer, migration_time timestamptz);
    CREATE TABLE run (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org_id {organisation} NOT NULL,
        status varchar(50) NOT NULL DEFAULT 'pending', input_data jsonb NOT NULL, output_data jsonb, error_data jsonb,
        metadata jsonb, total_tasks integer DEFAULT 0, completed_tasks integer DEFAULT 0,
        failed_tasks integer DEFAULT 0, created_at {time} DEFAULT CURRENT_TIMESTAMP,
        updated_at {time} DEFAULT CURRENT_TIMESTAMP, started_at {time}, completed_at {time}, duration_ms integer
    );
    CREATE TABLE task (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), run_id uuid, parent_task_id uuid,
        org_id {organisation} NOT NULL, type varchar(255), status varchar(50) NOT NULL DEFAULT 'pending',
        input_data jsonb NOT NULL, output_data jsonb, error_data jsonb, metadata jsonb, retry_count integer DEFAULT 0,
        max_retries integer DEFAULT 3, created_at {time} DEFAULT CURRENT_TIMESTAMP,
        updated_at {time} DEFAULT CURRENT_TIMESTAMP, queued_at {time}, started_at {time}, completed_at {time},
        duration_ms integer, queue_job_id varchar(255)
    );
    CREATE TABLE run_data (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), run_id uuid, task_id uuid, org_id {organisation} NOT NULL,
        key {key} NOT NULL, value jsonb NOT NULL, metadata jsonb, tags text[] NOT NULL DEFAULT '{{}}',
        created_at {time} DEFAULT CURRENT_TIMESTAMP, updated_at {time} DEFAULT CURRENT_TIMESTAMP
    );
"""

START = "2024-01-01 00:00:00.000000Z"


def uuid(number: int) -> str:
    """An id that sorts as its number."""
    return f"00000000-0000-4000-8000-{number:012x}"


class Rows:
    """Writes rows of the original: what a row does not say is as it has to be."""

    def __init__(
        self, url: str, *, organisation: str = "varchar(255)", time: str = "timestamptz", key: str = "text"
    ) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET TIME ZONE 'UTC'")
        self._connection.execute(DDL.format(organisation=organisation, time=time, key=key).encode())
        self._number = 0

    def run(self, **columns: Any) -> str:
        return self._row("run", {"input_data": Jsonb({"n": 1})}, columns)

    def task(self, run: str | None, **columns: Any) -> str:
        return self._row("task", {"run_id": run, "type": "step", "input_data": Jsonb(None)}, columns)

    def entry(self, run: str | None, task: str | None, **columns: Any) -> str:
        return self._row("run_data", {"run_id": run, "task_id": task, "key": "k", "value": Jsonb(1)}, columns)

    def _row(self, table: str, usual: dict[str, Any], columns: dict[str, Any]) -> str:
        self._number += 1
        row = {
            "id": uuid(self._number), "org_id": "acme", "created_at": START, "updated_at": START, **usual, **columns,
        }  # fmt: skip
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self._connection.execute(f"INSERT INTO {table} ({names}) VALUES ({values})".encode(), row)
        return str(row["id"])

    def execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())

    def close(self) -> None:
        self._connection.close()
