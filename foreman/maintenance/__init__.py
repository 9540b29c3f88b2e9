"""What is done to a database as a whole: checks, backups, upgrades, removing what is old."""
