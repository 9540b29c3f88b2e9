"""`python -m foreman` is the command line."""

from foreman.cli.main import main

if __name__ == "__main__":
    main()
