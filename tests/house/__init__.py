"""The repository itself: how the source is built, its documentation, example, benchmark and tests."""
