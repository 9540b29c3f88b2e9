"""Copying and importing databases."""
