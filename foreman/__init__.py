"""Foreman: the small, trustworthy ledger of work. Importing it imports nothing else."""

__version__ = "0.5.0"
