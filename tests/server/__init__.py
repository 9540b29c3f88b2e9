"""Connections, threads, and answers that wait for their commit."""
