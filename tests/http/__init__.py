"""What endpoints share, above Flask."""
