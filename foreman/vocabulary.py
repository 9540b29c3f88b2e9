"""Statuses, cost classes and limits that requests, SQL and checks share."""

import re

RUN_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
TASK_STATUSES = ("pending", "queued", "running", "completed", "failed", "cancelled", "retrying")

# Statuses of runs and tasks that have ended.
ENDED = ("completed", "failed", "cancelled")

# The safe methods (RFC 9110, section 9.2.1) that this server knows.
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Cost classes of requests: quick, may compute for long, may wait for others of the same class.
SHORT, LONG, WAITING = range(3)

# Maximum length, in characters, of keys, tags and other short texts.
LONGEST_TEXT = 255

# Maximum number of tags on an entry, and in one list of a request.
MOST_TAGS = 100

# What a name must not have that is shown on one line, perhaps of a terminal: control characters, and those that move to
# another line or change the direction of writing.
CONTROLS = r"\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069"

# A path of metadata: at most 8 names, separated by dots. No name is an integer, which might be a place in an array.
IS_METADATA_PATH = re.compile(
    r"(?!.{256})(?!-?\d+(?:\.|$))[A-Za-z0-9_-]{1,64}(?:\.(?!-?\d+(?:\.|$))[A-Za-z0-9_-]{1,64}){0,7}"
)

# Maximum number of such paths.
MOST_METADATA_PATHS = 16

# Maximum number of items in a batch.
MOST_ITEMS = 1000

# Maximum number of opaque documents in one resource: a run's or task's input, output, error and metadata. Each may have
# come in a request body of its own.
MOST_IN_ONE = 4
