"""A database of every earlier version, as its server left it, and what that server answered; see record.py."""
