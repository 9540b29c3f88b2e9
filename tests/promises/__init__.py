"""What docs/reliability.md promises of all parts together."""
