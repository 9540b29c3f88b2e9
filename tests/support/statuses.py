"""The statuses of runs and tasks, as docs/api.md names them; nothing here is taken from the package."""

RUN_STATUSES = ("pending", "running", "completed", "failed", "cancelled")
TASK_STATUSES = ("pending", "queued", "running", "completed", "failed", "cancelled", "retrying")

# What a run may be changed to.
SETTABLE = ("running", "completed", "failed", "cancelled")

# Runs and tasks that have these are over.
ENDED = ("completed", "failed", "cancelled")
