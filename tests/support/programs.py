"""Programs that these tests need and not every machine has."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

# pip installs some beside this Python, and Debian keeps some for the administrator alone.
_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def need(program: str) -> str:
    """The path of a program. Without it the test is skipped, but in CI it fails."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        lacking(f"{program} is not installed")
    return found


def lacking(reason: str) -> NoReturn:
    """Skip the test, but in CI fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
