"""The database: transactions, schema versions, what queries cost, and one server at a time."""
