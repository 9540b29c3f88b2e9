"""Keys, rate limits and the addresses of clients."""
