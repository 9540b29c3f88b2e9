"""Foreman on PostgreSQL with one leading thread, as on SQLite, to measure what side by side gains.

`python -m bench.one_leader serve ...`. Nothing that a user can set does this.
"""

from foreman.cli.main import main
from foreman.db.postgres.database import Postgres

if __name__ == "__main__":
    if not Postgres.serves_side_by_side:
        raise TypeError("Postgres has changed: bench/one_leader.py must follow")
    Postgres.serves_side_by_side = False
    main()
