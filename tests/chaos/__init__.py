"""The real server treated roughly and for long: `python -m tests.chaos`."""
