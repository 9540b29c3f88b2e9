"""Foreman on PostgreSQL whose requests wait one after the other, as on SQLite, to measure what coroutines gain.

`python -m bench.one_at_a_time serve ...`. Nothing that a user can set does this.
"""

from foreman.cli.main import main
from foreman.db.postgres.database import Postgres

if __name__ == "__main__":
    if Postgres.coroutine is None:
        raise TypeError("Postgres has changed: bench/one_at_a_time.py must follow")
    Postgres.coroutine = None
    main()
