"""What is wrong with a server or its rights, and does not keep Foreman from working."""

from collections.abc import Iterator
from typing import Any

import psycopg

from foreman.config import shown
from foreman.db.postgres.connecting import connected

# The roles that may create objects in the schema, besides its owner, this role and superusers. PUBLIC has the oid 0.
_OTHERS_WHO_MAY_CREATE = """
    SELECT nspname, string_agg(coalesce(CAST(rolname AS text), 'PUBLIC'), ', ' ORDER BY rolname)
    FROM pg_namespace
    CROSS JOIN aclexplode(nspacl)
    LEFT JOIN pg_roles ON pg_roles.oid = grantee
    WHERE nspname = current_schema() AND privilege_type = 'CREATE' AND grantee <> nspowner
      AND rolsuper IS NOT TRUE AND rolname IS DISTINCT FROM current_user
    GROUP BY nspname
    """


def doubts(url: str) -> Iterator[str]:
    """One line for each.

    :raises NotAForemanDatabase: when the database cannot be reached
    """
    name = shown(url)
    with connected(url, psycopg.Connection[Any]) as connection:
        if connection.execute("SHOW fsync").fetchone() == ("off",):
            yield f"{name}: fsync is off, so acknowledged writes do not survive power loss, nor may the database"
        for schema, roles in connection.execute(_OTHERS_WHO_MAY_CREATE).fetchall():
            yield (
                f"{name}: {roles} may create functions in the schema {schema}, which can then run with the rights of "
                f"Foreman's role: REVOKE CREATE ON SCHEMA {schema} FROM {roles}"
            )
