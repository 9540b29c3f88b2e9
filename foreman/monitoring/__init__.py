"""Monitoring: health, readiness, metrics, logs and figures."""
