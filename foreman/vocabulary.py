"""The words and limits that requests, SQL and checks share."""

RUN_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
TASK_STATUSES = ("pending", "queued", "running", "completed", "failed", "cancelled", "retrying")

# The statuses of runs and tasks that have ended.
ENDED = ("completed", "failed", "cancelled")

# Methods of HTTP that change nothing (RFC 9110, section 9.2.1), as far as this server knows them.
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# What a request costs its server: done in no time, perhaps computing for long, perhaps waiting for others of its kind.
SHORT, LONG, WAITING = range(3)

# Characters of a key, a tag and other texts of ours.
LONGEST_TEXT = 255

# Tags on one entry, and in one change of them.
MOST_TAGS = 100

# Opaque documents that one resource may have: a run's or task's input, output, error and metadata, each from a body.
MOST_IN_ONE = 4
