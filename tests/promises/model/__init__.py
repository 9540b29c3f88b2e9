"""Foreman in plain Python: what every request is answered, whatever came before. No SQL, no Flask, no threads.

It says what docs/api.md promises in other words than `foreman/` does, and takes nothing from there.
"""
