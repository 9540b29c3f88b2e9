"""Moving house: copying a database to another place or engine, and importing one of the TypeScript original."""
