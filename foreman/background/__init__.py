"""Background jobs of a server."""
