"""PostgreSQL as the engine. Nothing here is imported unless the database is a `postgresql://` URL."""
