"""Parts of HTTP that are standards of their own: how an error is sent, and conditional requests."""
