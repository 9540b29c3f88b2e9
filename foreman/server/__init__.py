"""The HTTP server below the application, over parts of waitress."""
