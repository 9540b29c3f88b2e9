"""Maintenance of a whole database: checks, backups, upgrades, and deleting what is old."""
