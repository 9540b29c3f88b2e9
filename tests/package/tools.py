"""Programs that these tests need and pip does not install."""

import os
import shutil

import pytest

# Debian keeps some for the administrator alone.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def need(program: str) -> str:
    """The path of a program. Without it the test is skipped, but in CI it fails."""
    found = shutil.which(program, path=_PATH)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return found
