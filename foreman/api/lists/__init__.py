"""Which rows a list has: its query parameters, and how they are found and counted."""
