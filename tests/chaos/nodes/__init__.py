"""Several nodes on one PostgreSQL behind HAProxy, while what they need fails: `python -m tests.chaos nodes`."""
