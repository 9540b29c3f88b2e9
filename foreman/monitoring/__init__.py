"""What people and programs watch a server by: health, metrics, logs, figures."""
