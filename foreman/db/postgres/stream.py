"""Rows that are read one by one from a prepared statement.

psycopg streams only statements that the server parses and plans anew each time, which for a list takes longer than to
run it. So this leans on psycopg's inner parts. So do `session.py`, in `_check_results` and `_try_cancel`, and
`database.py`, in the pool's `_waiting` and `_lock`: their tests fail where a new version has others.
"""

from typing import Any

import psycopg
from psycopg._preparing import Prepare
from psycopg.abc import Params, PQGen, Query
from psycopg.errors import error_from_result
from psycopg.generators import execute, send
from psycopg.pq import ExecStatus

from foreman.db.values import Row


class PreparedStream(psycopg.Cursor[Row]):
    """A cursor whose `stream` prepares its statement, as `execute` does."""

    def _stream_send_gen(
        self, query: Query, params: Params | None = None, *, binary: bool | None = None, size: int
    ) -> PQGen[None]:
        prepared: Any = self._conn._prepared
        yield from prepared.maintain_gen(self._conn)
        yield from self._start_query(query)
        asked = self._convert_query(query, params)
        how, name = prepared.get(asked, None)
        if how is Prepare.SHOULD:
            self._send_prepare(name, asked)
            results = yield from execute(self._pgconn)
            if results[0].status == ExecStatus.FATAL_ERROR:
                raise error_from_result(results[0], encoding=self._encoding)
            prepared.validate(prepared.key(asked), how, name, results)
        prepared.maybe_add_to_cache(asked, how, name)
        if how is Prepare.NO:
            self._execute_send(asked, binary=binary, force_extended=True)
        else:
            self._send_query_prepared(name, asked, binary=binary)
        self._pgconn.set_chunked_rows_mode(size)
        self._last_query = query
        yield from send(self._pgconn)
