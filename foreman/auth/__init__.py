"""Authentication, permissions and rate limits: who calls, whether they may, and how often."""
