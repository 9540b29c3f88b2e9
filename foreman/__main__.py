"""Where the command line starts: `python -m foreman`, and the command `foreman` of a wheel."""

import signal


def main() -> None:
    """Run a command and exit; Ctrl-C ends it at once while the rest is imported: nothing has begun then."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from foreman.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
