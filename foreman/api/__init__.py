"""The resources of the API: X.py handles the path /api/v1/X."""
