"""The HTTP server underneath the application, built on parts of waitress."""
