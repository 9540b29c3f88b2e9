"""The invariants of every Foreman database: each is a query that selects the rows that violate it."""

from foreman.maintenance.invariants.derived import KEPT
from foreman.maintenance.invariants.derived_until_3 import KEPT_UNTIL_3
from foreman.maintenance.invariants.file import FILE, INDEXES
from foreman.maintenance.invariants.rows import REFERENCES, STATUSES, VALUES
from foreman.maintenance.invariants.since_5 import KEPT_SINCE_5, VALUES_SINCE_5

RULES = (*FILE, *INDEXES, *REFERENCES, *VALUES, *VALUES_SINCE_5, *STATUSES, *KEPT, *KEPT_SINCE_5, *KEPT_UNTIL_3)
