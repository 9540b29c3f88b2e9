"""The command line, and the settings and signals that it takes."""
