"""Batches: many tasks or entries in one request."""
