"""Entry point of the command line: `python -m foreman`, and the `foreman` command that a wheel installs."""

from foreman.stop_signals import end_quietly_at_ctrl_c


def main() -> None:
    """Run a command and exit."""
    end_quietly_at_ctrl_c()  # importing the rest takes a moment
    from foreman.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
