"""Runs commands of `app.py`, which come as lines of JSON on stdin, each in a fork; says what became of each.

Everything is imported once, which takes most of the time of a command.
"""

import json
import os
import signal
import sys
import tempfile
from typing import Any

from foreman.cli.main import main
from tests.support.commands import without_rights
from tests.support.source import APP
from tests.support.waiting import PATIENCE


def run(
    arguments: list[str],
    *,
    stdout: str = "",
    directory: str | None = None,
    environment: dict[str, str] | None = None,
    rights: bool = True,
) -> tuple[int, str, str]:
    """The exit status, and what was written to stdout and stderr.

    :param stdout: a file that the output goes to in place of being returned, or ""
    :param directory: to run it in; None for that of this process
    :param environment: None for that of this process
    :param rights: whether root keeps those that `without_rights` takes
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(os.open(stdout, os.O_WRONLY) if stdout else output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            sys.argv = [str(APP), *arguments]
            if environment is not None:
                os.environ.clear()
                os.environ.update(environment)
            if directory is not None:
                os.chdir(directory)
            if not rights:
                without_rights()
            status: Any = 70
            try:
                main()
            except SystemExit as end:
                status = end.code
            except BaseException:
                sys.excepthook(*sys.exc_info())
            os._exit(status if isinstance(status, int) else 0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, *(_content(file) for file in (output, errors))


def _content(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)  # noqa: T201
