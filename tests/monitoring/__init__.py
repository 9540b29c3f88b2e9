"""What is told to those who watch the server."""
