"""The invariants of every Foreman database: each is a query that selects the rows that violate it."""

from foreman.maintenance.invariants.derived import KEPT
from foreman.maintenance.invariants.derived_until_3 import KEPT_UNTIL_3
from foreman.maintenance.invariants.file import FILE, INDEXES
from foreman.maintenance.invariants.rows import REFERENCES, STATUSES, VALUES

RULES = (*FILE, *INDEXES, *REFERENCES, *VALUES, *STATUSES, *KEPT, *KEPT_UNTIL_3)
