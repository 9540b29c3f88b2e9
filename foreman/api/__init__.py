"""The resources of the API: the path /api/v1/X is answered by X.py."""
