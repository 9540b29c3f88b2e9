"""The resources of the API: what X.py answers is tested by test_X.py."""
